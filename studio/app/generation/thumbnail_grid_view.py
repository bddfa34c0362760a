"""Draws the thumbnails of a grid, each once, enlarged by a whole number."""

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QListView

from studio.app.generation.run import Cell
from studio.app.widgets.picture import blended_pixmap, draw_crisp, enlarged_pixmap
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import sound_thumbnail
from studio.wire.messages import Array


class ThumbnailGrid:
    """Draws the pictures of a list, all of one `shape` (height, width).

    Each of their pixels takes `scale` device pixels. A cell without a picture stays empty.
    """

    def __init__(self, theme: Theme, view: QListView) -> None:
        self._theme = theme
        self._view = view
        self.shape = (32, 32)
        self.scale = 1
        self._smooth = False
        self._overlay: Callable[[Array], Array | None] = lambda picture: None
        self._drawn: dict[int, tuple[Cell, QPixmap]] = {}

    def show_smooth(self, smooth: bool) -> None:
        self._smooth = smooth
        self.forget_pixmap()

    def show_overlay(self, overlay: Callable[[Array], Array | None]) -> None:
        """Show an overlay in place of each picture. If it returns None, the picture is shown."""
        self._overlay = overlay
        self.forget_pixmap()

    def set_scale(self, scale: int) -> None:
        if scale != self.scale:
            self.scale = scale
            self.forget_pixmap()

    def forget_pixmap(self, key: int | None = None) -> None:
        """Forget how a picture was drawn, or all of them."""
        if key is None:
            self._drawn.clear()
        else:
            self._drawn.pop(key, None)
        self._view.viewport().update()

    @property
    def picture_size(self) -> QSize:
        """Return the size of a picture, in logical pixels."""
        (tall, wide) = self.shape
        ratio = self._view.devicePixelRatioF()
        return QSize(round(wide * self.scale / ratio), round(tall * self.scale / ratio))

    def pixel_at(self, inside: QPointF) -> tuple[int, int] | None:
        """Return (row, column) of the pixel at a point in a picture; None beside it."""
        ratio = self._view.devicePixelRatioF()
        (height, width) = self.shape
        row, column = (math.floor(place * ratio / self.scale) for place in (inside.y(), inside.x()))
        return (row, column) if 0 <= row < height and 0 <= column < width else None

    def paint_cell(self, painter: QPainter, rect: QRect, key: int, cell: Cell, rows: int) -> None:
        """Draw a picture of so many rows, with a line at the row being drawn."""
        empty = self._theme.colour("window")
        if cell.picture is None:
            painter.fillRect(rect, empty)
            return
        draw_crisp(painter, rect.x(), rect.y(), self._pixmap(key, cell))
        drawn = cell.rows_drawn(rows)
        if drawn < rows and not cell.finished:
            rest = rect.adjusted(0, round(rect.height() * drawn / rows), 0, 0)
            painter.fillRect(rest, empty)
            painter.fillRect(QRect(rest.topLeft(), QSize(rest.width(), 2)), self._theme.colour("accent"))

    def paint_ring(self, painter: QPainter, rect: QRect) -> None:
        """Draw a ring around a picture that is chosen."""
        radius = self._theme.scaled(4)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.colour("accent"), 2))
        painter.drawRoundedRect(QRectF(rect).adjusted(-3, -3, 3, 3), radius, radius)

    def _pixmap(self, key: int, cell: Cell) -> QPixmap:
        cached = self._drawn.get(key)
        if cached is None or cached[0] is not cell:
            cached = self._drawn[key] = (cell, self._draw(cell))
        return cached[1]

    def _draw(self, cell: Cell) -> QPixmap:
        assert cell.picture is not None
        (tall, wide) = tuple(side * self.scale for side in self.shape)
        ratio = self._view.devicePixelRatioF()
        if cell.picture.ndim == 1:
            return sound_thumbnail(cell.picture, wide, tall, ratio, self._theme)
        over = self._overlay(cell.picture)
        shown = cell.picture if over is None else over
        pixmap = (blended_pixmap if self._smooth else enlarged_pixmap)(shown, tall, wide)
        pixmap.setDevicePixelRatio(ratio)
        return pixmap


def set_up_grid(view: QListView, name: str) -> None:
    """Set up a list that shows nothing but its pictures, in rows."""
    view.setProperty("role", "bare")
    view.setFrameShape(QFrame.Shape.NoFrame)
    view.setViewMode(QListView.ViewMode.IconMode)
    view.setMouseTracking(True)
    view.setMovement(QListView.Movement.Static)
    view.setResizeMode(QListView.ResizeMode.Adjust)
    view.setUniformItemSizes(True)
    view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setStyleSheet("activate-on-singleclick: 0;")
    view.setAccessibleName(name)
