"""Names the three lines of a curve, with their figures at a step."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.theme import Theme

LINES = (("training", "border"), ("smoothed", "text"), ("held-out", "accent"))
"""Each line, and the token of its colour."""
WIDEST = " 8.888"
SWATCH = 16
GAP = 6
BETWEEN = 10
LINE = 20


class CurveLegend(QWidget):
    """Paints a short line before each name, and the figure behind it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._figures = ("",) * len(LINES)
        self._is_stacked = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Lines: training, smoothed, held-out")
        theme.changed.connect(self.updateGeometry)
        theme.changed.connect(self.update)

    def show_figures(self, figures: Sequence[float | None]) -> None:
        """Show the bits per dimension of each line; None for a line without any."""
        self._figures = tuple("" if figure is None else f" {figure:.3f}" for figure in figures)
        named = (f"{name}{figure}" for (name, _), figure in zip(LINES, self._figures, strict=True))
        self.setAccessibleDescription(", ".join(named))
        self.update()

    def set_stacked(self, is_stacked: bool) -> None:
        """Place the names below each other, or side by side."""
        self._is_stacked = is_stacked
        self.updateGeometry()
        self.update()

    @guarded(QSize(200, LINE))
    def sizeHint(self) -> QSize:
        px = self._theme.scaled
        metrics = QFontMetrics(self._theme.font(12))
        widths = [metrics.horizontalAdvance(name + WIDEST) + px(SWATCH + GAP) for name, _ in LINES]
        if self._is_stacked:
            return QSize(max(widths), len(LINES) * px(LINE))
        return QSize(sum(widths) + (len(LINES) - 1) * px(BETWEEN), px(LINE))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        px = self._theme.scaled
        line = px(LINE) if self._is_stacked else self.height()
        left = 0
        top = 0
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._theme.font(12))
            for (name, token), figure in zip(LINES, self._figures, strict=True):
                middle = top + line / 2
                colour = self._theme.colour(token)
                painter.setPen(QPen(colour, 2 if token != "border" else 1))
                painter.drawLine(QPointF(left, middle), QPointF(left + px(SWATCH), middle))
                if token == "accent":
                    painter.setBrush(colour)
                    painter.drawEllipse(QPointF(left + px(SWATCH) / 2, middle), 3, 3)
                text_left = left + px(SWATCH + GAP)
                painter.setPen(self._theme.colour("soft"))
                width = painter.fontMetrics().horizontalAdvance(name + WIDEST)
                painter.drawText(text_left, top, width, line, int(Qt.AlignmentFlag.AlignVCenter), name + figure)
                if self._is_stacked:
                    top += line
                else:
                    left = text_left + width + px(BETWEEN)
