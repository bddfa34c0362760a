"""Pictures of a run as they stand in a grid: enlarged by a whole multiple, each drawn once, empty where none is yet."""

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
    """What a list of pictures paints; all of one `shape` (height, width), `scale` device pixels for each of theirs."""

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
        """What is to be seen in place of each picture; the picture itself, where `over` gives none."""
        self._overlay = overlay
        self.forget_pixmap()

    def set_scale(self, scale: int) -> None:
        if scale != self.scale:
            self.scale = scale
            self.forget_pixmap()

    def forget_pixmap(self, key: int | None = None) -> None:
        """How a picture was drawn, or all of them."""
        if key is None:
            self._drawn.clear()
        else:
            self._drawn.pop(key, None)
        self._view.viewport().update()

    @property
    def picture_size(self) -> QSize:
        """Of a picture, in logical pixels."""
        (tall, wide) = self.shape
        ratio = self._view.devicePixelRatioF()
        return QSize(round(wide * self.scale / ratio), round(tall * self.scale / ratio))

    def pixel_at(self, inside: QPointF) -> tuple[int, int] | None:
        """(row, column) of the pixel at a place in a picture; None beside it."""
        ratio = self._view.devicePixelRatioF()
        (height, width) = self.shape
        row, column = (math.floor(place * ratio / self.scale) for place in (inside.y(), inside.x()))
        return (row, column) if 0 <= row < height and 0 <= column < width else None

    def paint_cell(self, painter: QPainter, place: QRect, key: int, cell: Cell, rows: int) -> None:
        """A picture that is drawn in so many rows; a line is at the one being drawn."""
        empty = self._theme.colour("window")
        if cell.picture is None:
            painter.fillRect(place, empty)
            return
        draw_crisp(painter, place.x(), place.y(), self._pixmap(key, cell))
        drawn = cell.rows_drawn(rows)
        if drawn < rows and not cell.finished:
            rest = place.adjusted(0, round(place.height() * drawn / rows), 0, 0)
            painter.fillRect(rest, empty)
            painter.fillRect(QRect(rest.topLeft(), QSize(rest.width(), 2)), self._theme.colour("accent"))

    def paint_ring(self, painter: QPainter, place: QRect) -> None:
        """Round a picture that is chosen."""
        radius = self._theme.scaled(4)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.colour("accent"), 2))
        painter.drawRoundedRect(QRectF(place).adjusted(-3, -3, 3, 3), radius, radius)

    def _pixmap(self, key: int, cell: Cell) -> QPixmap:
        kept = self._drawn.get(key)
        if kept is None or kept[0] is not cell:
            kept = self._drawn[key] = (cell, self._draw(cell))
        return kept[1]

    def _draw(self, cell: Cell) -> QPixmap:
        assert cell.picture is not None
        (tall, wide) = tuple(side * self.scale for side in self.shape)
        ratio = self._view.devicePixelRatioF()
        if cell.picture.ndim == 1:
            return sound_thumbnail(cell.picture, wide, tall, ratio, self._theme)
        over = self._overlay(cell.picture)
        seen = cell.picture if over is None else over
        pixmap = (blended_pixmap if self._smooth else enlarged_pixmap)(seen, tall, wide)
        pixmap.setDevicePixelRatio(ratio)
        return pixmap


def set_up_grid(view: QListView, name: str) -> None:
    """A list that shows nothing but its pictures, in rows."""
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
