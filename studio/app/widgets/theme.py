"""Holds the tokens of the four themes, and turns them into colours, sizes and fonts."""

from dataclasses import dataclass, fields

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette


@dataclass(frozen=True)
class Tokens:
    """Holds every colour of a theme, as #RRGGBB."""

    canvas: str
    """Around the picture."""
    window: str
    """The top bar and recessed areas."""
    panel: str
    """Rail, inspector, take strip."""
    raised: str
    """Buttons and fields."""
    hover: str
    """The control under the pointer."""
    tint: str
    """Chosen rows and buttons that are on."""
    text: str
    soft: str
    """Explanations and icons."""
    faint: str
    """Headings, and values at home."""
    accent: str
    """Parts that the user has moved, chosen or started."""
    on_accent: str
    warn: str
    danger: str
    border: str
    """Edges of controls, marks of home, handles at home."""
    groove: str
    """Grooves of sliders and of progress bars; decoration only."""
    line: str
    """Hairlines; decoration only."""


GROUND_TOKENS = ("canvas", "window", "panel", "raised", "hover", "tint")
TEXT_TOKENS = ("text", "soft", "faint", "accent", "warn", "danger")

_TABLE = {
    #            dark       light      dark high  light high
    "canvas": ("#121213", "#DCDCDA", "#000000", "#FFFFFF"),
    "window": ("#1A1A1B", "#EFEFED", "#000000", "#FFFFFF"),
    "panel": ("#202022", "#F8F8F7", "#000000", "#FFFFFF"),
    "raised": ("#2B2B2E", "#FFFFFF", "#000000", "#FFFFFF"),
    "hover": ("#353538", "#ECECEA", "#2A2A2A", "#E4E4E4"),
    "tint": ("#1F3833", "#D3E8E3", "#003D33", "#CFE9E3"),
    "text": ("#EDEDEE", "#1B1B1A", "#FFFFFF", "#000000"),
    "soft": ("#B9B9BE", "#4A4A48", "#FFFFFF", "#000000"),
    "faint": ("#A0A0A6", "#5E5E5B", "#E0E0E0", "#2B2B2B"),
    "accent": ("#5FD3BC", "#0A6B5E", "#6FF2DA", "#00463C"),
    "on_accent": ("#06241F", "#FFFFFF", "#000000", "#FFFFFF"),
    "warn": ("#EBBE5A", "#7A5200", "#FFD94A", "#5A3A00"),
    "danger": ("#FF8A80", "#B3261E", "#FFA8A0", "#8A0E08"),
    "border": ("#86868C", "#787873", "#FFFFFF", "#000000"),
    "groove": ("#4B4B50", "#BDBDB9", "#6E6E6E", "#8A8A8A"),
    "line": ("#333336", "#D6D6D3", "#FFFFFF", "#000000"),
}
THEMES: dict[tuple[str, str], Tokens] = {
    key: Tokens(**{name: row[column] for name, row in _TABLE.items()})
    for column, key in enumerate(
        (("dark", "normal"), ("light", "normal"), ("dark", "high"), ("light", "high")),
    )
}


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2.2 contrast ratio of two colours #RRGGBB, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def tokens_of_palette(palette: QPalette) -> Tokens:
    """Return the tokens of the system's own contrast theme, whose colours replace ours."""
    role = QPalette.ColorRole
    text = palette.color(role.WindowText).name()
    background = palette.color(role.Window).name()
    chosen = palette.color(role.Highlight).name()
    on_chosen = palette.color(role.HighlightedText).name()
    tokens = dict.fromkeys((field.name for field in fields(Tokens)), text)
    tokens.update(dict.fromkeys(GROUND_TOKENS, background), accent=chosen, on_accent=on_chosen)
    return Tokens(**tokens)


class Theme(QObject):
    """Holds the present theme of the window. Widgets that paint themselves receive it."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tokens = THEMES["dark", "normal"]
        self.high = False
        self.scale = 1.0
        """The scale of type, grid and heights, 1 to 2. Pictures have their own."""
        self.reduced_motion = False
        """Whether animations are off."""
        self._choice = ("system", "system", 1.0, False)
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._resolve)
        hints.accessibility().contrastPreferenceChanged.connect(self._resolve)

    def choose_theme(self, theme: str, contrast: str, scale: float, still: bool) -> None:
        """Choose a theme.

        Arguments
            theme: "system", "dark" or "light"
            contrast: "system", "normal" or "high"
            scale: of the text, 1 to 2
            still: whether animations are off
        """
        self._choice = (theme, contrast, min(max(scale, 1.0), 2.0), still)
        self._resolve()

    def scaled(self, length: float) -> int:
        """Return a length of the grid in logical pixels at this text size."""
        return round(length * self.scale)

    def colour(self, token: str) -> QColor:
        return QColor(getattr(self.tokens, token))

    def font(self, size: int = 13, weight: int = 400) -> QFont:
        """Return the system's font with digits of the same width. `size` is in pixels at 100 %."""
        font = QFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont))
        if QGuiApplication.font().resolveMask():
            font.setFamilies(QGuiApplication.font().families())
        font.setPixelSize(self.scaled(size))
        font.setWeight(QFont.Weight(weight))
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def palette(self) -> QPalette:
        """Return the colours for everything that the style sheet leaves to Fusion."""
        role = QPalette.ColorRole
        palette = QPalette()
        for which, token in (
            (role.Window, "panel"), (role.WindowText, "text"), (role.Base, "raised"), (role.AlternateBase, "window"),
            (role.Text, "text"), (role.PlaceholderText, "faint"), (role.Button, "raised"), (role.ButtonText, "text"),
            (role.BrightText, "danger"), (role.Highlight, "accent"), (role.HighlightedText, "on_accent"),
            (role.ToolTipBase, "raised"), (role.ToolTipText, "text"), (role.Link, "accent"), (role.Mid, "groove"),
            (role.Dark, "line"), (role.Light, "hover"), (role.Midlight, "line"), (role.Shadow, "canvas"),
            (role.Accent, "accent"),
        ):  # fmt: skip
            palette.setColor(which, self.colour(token))
        for which in (role.WindowText, role.Text, role.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, which, self.colour("faint"))
        return palette

    def _resolve(self) -> None:
        theme, contrast, self.scale, self.reduced_motion = self._choice
        hints = QGuiApplication.styleHints()
        if theme == "system":
            theme = "light" if hints.colorScheme() == Qt.ColorScheme.Light else "dark"
        high_requested = hints.accessibility().contrastPreference() == Qt.ContrastPreference.HighContrast
        self.high = contrast == "high" or (contrast == "system" and high_requested)
        self.tokens = THEMES[theme, "high" if self.high else "normal"]
        if high_requested and contrast == "system" and QGuiApplication.platformName() == "windows":
            self.tokens = tokens_of_palette(QPalette())
        self.changed.emit()
