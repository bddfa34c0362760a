"""Shows the colours of a palette as squares, from dark to light."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.colours import colour_name
from studio.app.core.guard import guarded
from studio.app.widgets.theme import Theme

SIDE = 22
"""Logical pixels of a square, at the usual size of text."""
GAP = 3


class PaletteView(QWidget):
    """Shows colours in rows. It is as high as they need."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._colours: tuple[Sequence[int], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._lay_out)
        self.hide()

    def show_colours(self, colours: tuple[Sequence[int], ...]) -> None:
        """Show colours; hide without any."""
        self._colours = colours
        names = ", ".join(dict.fromkeys(map(colour_name, colours)))
        self.setAccessibleName(f"Palette of {len(colours)} colours: {names}")
        self.setVisible(bool(colours))
        self._lay_out()

    def square_of(self, number: int) -> QRectF:
        """Return where a colour is painted."""
        side = self._theme.scaled(SIDE)
        row, column = divmod(number, self._columns())
        return QRectF(column * side, row * side, side - GAP, side - GAP)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._lay_out()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setPen(self._theme.colour("border"))
            for number, colour in enumerate(self._colours):
                painter.fillRect(self.square_of(number), QColor(*colour))
                painter.drawRect(self.square_of(number))

    def _columns(self) -> int:
        return max(1, self.width() // self._theme.scaled(SIDE))

    def _lay_out(self) -> None:
        rows = -(-len(self._colours) // self._columns())
        self.setFixedHeight(rows * self._theme.scaled(SIDE))
        self.update()
