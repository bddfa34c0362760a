"""Draws the thumbnails of takes, each once."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from studio.app.core.artwork import Artwork
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail
from studio.wire.messages import Array


class TakeThumbnails:
    """Draws the takes of one view."""

    def __init__(self, theme: Theme, view: QWidget) -> None:
        self._theme = theme
        self._view = view
        self._drawn: dict[str, tuple[Array, int, QPixmap]] = {}
        theme.changed.connect(self._drawn.clear)  # waves are drawn in colours of the theme

    def paint_take(self, painter: QPainter, take: Artwork, rect: QRect) -> None:
        """Draw a take into a square."""
        painter.fillRect(rect, self._theme.colour("window"))
        draw_thumbnail(painter, self._pixmap(take, rect.width()), rect)

    def _pixmap(self, take: Artwork, side: int) -> QPixmap:
        cached = self._drawn.get(take.name)
        if cached is None or cached[0] is not take.array or cached[1] != side:
            pixmap = picture_thumbnail(take.array, side, self._view.devicePixelRatioF(), self._theme)
            cached = self._drawn[take.name] = (take.array, side, pixmap)
        return cached[2]
