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


class CurveLegend(QWidget):
    """Paints a short line before each name, and the figure behind it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._figures = ("",) * len(LINES)
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

    @guarded(QSize(200, 20))
    def sizeHint(self) -> QSize:
        px = self._theme.scaled
        metrics = QFontMetrics(self._theme.font(12))
        words = sum(metrics.horizontalAdvance(name + WIDEST) for name, _ in LINES)
        return QSize(words + len(LINES) * px(SWATCH + GAP) + (len(LINES) - 1) * px(BETWEEN), px(20))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        px = self._theme.scaled
        middle = self.height() / 2
        left = 0
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._theme.font(12))
            for (name, token), figure in zip(LINES, self._figures, strict=True):
                colour = self._theme.colour(token)
                painter.setPen(QPen(colour, 2 if token != "border" else 1))
                painter.drawLine(QPointF(left, middle), QPointF(left + px(SWATCH), middle))
                if token == "accent":
                    painter.setBrush(colour)
                    painter.drawEllipse(QPointF(left + px(SWATCH) / 2, middle), 3, 3)
                left += px(SWATCH + GAP)
                painter.setPen(self._theme.colour("soft"))
                width = painter.fontMetrics().horizontalAdvance(name + WIDEST)
                painter.drawText(left, 0, width, self.height(), int(Qt.AlignmentFlag.AlignVCenter), name + figure)
                left += width + px(BETWEEN)
