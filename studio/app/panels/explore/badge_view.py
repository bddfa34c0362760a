"""Shows whether the user's own picture comes back exactly."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.app.panels.explore.badge import Badge
from studio.app.widgets.controls import ElidedLabel, Label, set_style
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme

RIGHT = Qt.TextElideMode.ElideRight
_KINDS = {
    "exact": ("check", "accent", "accent"),
    "differs": ("warn", "warn", "warn"),
    "approximate": ("dots", "soft", "strong"),
    "working": ("dots", "soft", "strong"),
}


class BadgeView(QWidget):
    """Shows a sign and a word, what the word means, and how the picture was cropped."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._kind = ""
        self._sign = Label()
        self.text = Label("", "accent")
        self.detail = ElidedLabel("", "soft", RIGHT)
        self.scale = Label("", "soft")
        self.note = ElidedLabel("", "note")
        self._line = QHBoxLayout()
        self._line.setSpacing(8)
        for widget in (self._sign, self.text):
            self._line.addWidget(widget)
        self._line.addWidget(self.detail, 1)
        self._line.addWidget(self.scale)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(self._line)
        column.addWidget(self.note)
        theme.changed.connect(self._tint)

    def show_badge(self, badge: Badge, caption: str = "") -> None:
        """Show a badge, or a caption if there is no picture of the user's own."""
        self._kind = badge.kind or ""
        known = self._kind in _KINDS
        self._sign.setVisible(known)
        self.text.setVisible(known)
        self.text.setText(badge.text)
        set_style(self.text, role=_KINDS[self._kind][2] if known else "soft")
        self.detail.show_text(badge.detail if known else caption)
        self.note.show_text(badge.note)
        name = f"{badge.text}: {badge.detail}" if known else caption
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if known else Qt.FocusPolicy.NoFocus)
        self._tint()

    def show_scale(self, times: int) -> None:
        self.scale.setText(f"{times}×")

    def set_compact(self, compact: bool) -> None:
        """Use one line if the window is low."""
        self.note.setVisible(not compact)

    def _tint(self) -> None:
        if self._kind in _KINDS:
            drawing, token, _ = _KINDS[self._kind]
            side = self._theme.scaled(16)
            self._sign.setPixmap(icon_pixmap(drawing, self._theme.colour(token), side, self.devicePixelRatioF()))
