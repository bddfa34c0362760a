"""Shows the pictures of a run in a grid at a whole-number scale, each as it forms."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QMouseEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.core.guard import guarded
from studio.app.core.text import group_digits
from studio.app.generation.run import Cell
from studio.app.maps.overlay_view import surprisal_picture, uncertainty_picture
from studio.app.maps.surprisal import SurprisalMap, SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.widgets.binding import bind
from studio.app.widgets.item_views import set_up_item_view
from studio.app.widgets.picture import blended_pixmap, draw_crisp, enlarged_pixmap, largest_multiple
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import sound_thumbnail
from studio.wire.messages import Array

GAP = 12
"""Logical pixels between two pictures."""
CAPTION_HEIGHT = 22
MIN_SIZE = 64
"""Smallest size of a picture in logical pixels; below it the grid scrolls."""
WRAP_ROOM = 8
"""Logical pixels by which a row is wider than its pictures, because a list wraps before its last column is full."""
Index = QModelIndex | QPersistentModelIndex


class Place(NamedTuple):
    """Holds what stands at one place of a grid."""

    number: int
    """The number of the cell in its run."""
    cell: Cell
    caption: tuple[str, str] = ("", "")
    """The texts below the picture, at the left and at the right."""


def arrange_grid(
    count: int, width: int, height: int, pixels: tuple[int, int], gap: int, least: int, below: int = 0
) -> tuple[int, int]:
    """Return columns and scale for `count` pictures of `pixels` (height, width); all in device pixels.

    Pictures have `gap` between and `below` under each. It is the largest scale at which all fit; rows are filled if
    that costs nothing. If they do not fit at `least`, it uses as many columns as there is room for.
    """
    tall, wide = pixels
    smallest = max(1, -(-least // max(tall, wide)))
    for scale in range(max(largest_multiple(width, wide), smallest), smallest - 1, -1):
        most = width // (wide * scale + gap)
        rows = height // (tall * scale + gap + below)
        if most > 0 and rows > 0 and most * rows >= count:
            fewest = -(-count // rows)
            full = [columns for columns in range(fewest, min(most, count) + 1) if count % columns == 0]
            return (full or [min(most, count)])[0], scale
    return max(1, width // (wide * smallest + gap)), smallest


class _PlaceRows(QAbstractListModel):
    """Lists the places of a grid."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.places: Sequence[Place] = ()
        self._describe: Callable[[int], str] = lambda row: ""

    def set_places(self, places: Sequence[Place], describe: Callable[[int], str]) -> bool:
        """Set the places and the function that describes one; return whether other cells stand there."""
        changes = [
            (row, old, new) for row, (old, new) in enumerate(zip(self.places, places, strict=False)) if old != new
        ]
        fresh = len(places) != len(self.places) or any(
            (old.number, old.cell.seed) != (new.number, new.cell.seed) for _, old, new in changes
        )
        if fresh:
            self.beginResetModel()
        self.places = places
        self._describe = describe
        if fresh:
            self.endResetModel()
            return True
        for row, _, _ in changes:
            self.dataChanged.emit(self.index(row), self.index(row))
        return False

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.places)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._describe(index.row())
        return None


class _PlacePainter(QStyledItemDelegate):
    """Paints the places of a grid. Each picture is drawn once, enlarged by a whole number."""

    def __init__(self, view: "ThumbnailGrid", theme: Theme, map_over: Callable[[Array], Array | None]) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self.smooth = False
        self._map_over = map_over
        self._drawn: dict[int, tuple[Cell, QPixmap]] = {}

    def forget_pixmap(self, number: int | None = None) -> None:
        """Forget how the picture of a cell was drawn, or all of them."""
        if number is None:
            self._drawn.clear()
        else:
            self._drawn.pop(number, None)
        self._view.viewport().update()

    @guarded(QSize(64, 64))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        place = self._view.places[index.row()]
        rect = self._view.picture_rect(option.rect)
        painter.save()
        self._paint_picture(painter, rect, place)
        if self._view.captioned:
            self._paint_caption(painter, rect, *place.caption)
        elif place.cell.picture is None:
            self._paint_waiting(painter, rect, place.cell.seed)
        elif not place.cell.finished and place.cell.total and not self._view.picture_rows:
            done = round(rect.width() * place.cell.done / place.cell.total)
            painter.fillRect(QRect(rect.left(), rect.bottom() + 4, done, 2), self._theme.colour("accent"))
        if self._view.is_marked(index.row()):
            radius = self._theme.scaled(4)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(rect).adjusted(-3, -3, 3, 3), radius, radius)
        painter.restore()

    def _paint_picture(self, painter: QPainter, rect: QRect, place: Place) -> None:
        """Draw a picture as far as it is, with a line at the row being drawn. A cell without a picture is empty."""
        cell = place.cell
        rows = self._view.picture_rows
        empty = self._theme.colour("window")
        if cell.picture is None:
            painter.fillRect(rect, empty)
            return
        draw_crisp(painter, rect.x(), rect.y(), self._pixmap(place.number, cell, cell.picture))
        drawn = cell.rows_drawn(rows)
        if drawn < rows and not cell.finished:
            rest = rect.adjusted(0, round(rect.height() * drawn / rows), 0, 0)
            painter.fillRect(rest, empty)
            painter.fillRect(QRect(rest.topLeft(), QSize(rest.width(), 2)), self._theme.colour("accent"))

    def _paint_waiting(self, painter: QPainter, rect: QRect, seed: int) -> None:
        """Write the longest text that fits into an empty cell."""
        painter.setFont(self._theme.font(12))
        painter.setPen(self._theme.colour("faint"))
        number = group_digits(seed)
        fits = (text for text in (f"seed {number}", number) if _width(painter, text) <= rect.width() - 4)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, next(fits, ""))

    def _paint_caption(self, painter: QPainter, picture: QRect, left: str, right: str) -> None:
        """Write the caption below a picture. A text alone stands at the left; bits lose their unit if it is narrow."""
        px = self._theme.scaled
        rect = QRect(picture.x(), picture.bottom() + px(3), picture.width(), px(CAPTION_HEIGHT - 4))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(self._theme.font(12, 600))
        painter.setPen(self._theme.colour("text"))
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignLeft | middle), left)
        room = rect.width() - (_width(painter, left) + px(6) if left else 0)
        painter.setFont(self._theme.font(12))
        painter.setPen(self._theme.colour("soft"))
        short = right if _width(painter, right) <= room else right.removesuffix(" bits")
        side = Qt.AlignmentFlag.AlignRight if left else Qt.AlignmentFlag.AlignLeft
        painter.drawText(rect, int(side | middle), short)

    def _pixmap(self, number: int, cell: Cell, picture: Array) -> QPixmap:
        cached = self._drawn.get(number)
        if cached is None or cached[0] is not cell:
            cached = self._drawn[number] = (cell, self._draw(picture))
        return cached[1]

    def _draw(self, picture: Array) -> QPixmap:
        (tall, wide) = tuple(side * self._view.scale for side in self._view.shape)
        ratio = self._view.devicePixelRatioF()
        if picture.ndim == 1:
            return sound_thumbnail(picture, wide, tall, ratio, self._theme)
        over = self._map_over(picture)
        pixmap = (blended_pixmap if self.smooth else enlarged_pixmap)(picture if over is None else over, tall, wide)
        pixmap.setDevicePixelRatio(ratio)
        return pixmap


class ThumbnailGrid(QListView):
    """Shows the pictures of a run, all of one size, at the largest whole-number scale at which they fit.

    With captions, rows begin at the top left; without, the pictures stand in the middle.
    """

    def __init__(
        self,
        theme: Theme,
        name: str,
        surprisal: SurprisalMaps,
        uncertainty: UncertaintyMaps,
        captioned: bool = False,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._surprisal = surprisal
        self._uncertainty = uncertainty
        self.captioned = captioned
        self.shape = (32, 32)
        """Height and width of every picture, in its own pixels."""
        self.scale = 1
        """Device pixels for each of them."""
        self.picture_rows = 0
        """How many rows of a picture are drawn one after another; 0 for pictures drawn whole."""
        self._showing = False
        self._rows = _PlaceRows(self)
        self._painter = _PlacePainter(self, theme, self._map_over)
        self.setModel(self._rows)
        self.setItemDelegate(self._painter)
        set_up_item_view(self, name)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMouseTracking(True)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        theme.changed.connect(self._redraw)
        for map in (surprisal, uncertainty):
            bind(self, map.on, lambda _: self._painter.forget_pixmap())
            bind(self, map.scale, lambda _: self._painter.forget_pixmap())
        surprisal.map_arrived.connect(self._on_map)

    @property
    def places(self) -> Sequence[Place]:
        return self._rows.places

    def show_places(
        self, places: Sequence[Place], describe: Callable[[int], str], rows: int, size: tuple[int, int] | None
    ) -> bool:
        """Show these places; return whether other cells stand there than before.

        Arguments
            describe: returns the description of a row, for screen readers and tooltips
            rows: how many rows of a picture are drawn one after another
            size: (height, width) of waves, and of pictures until the first of them is there
        """
        before = (len(self.places), self.shape)
        first = next((place.cell.picture for place in places if place.cell.picture is not None), None)
        known = first.shape[:2] if first is not None and first.ndim > 1 else size
        self.shape = known or (32, 32)
        self.picture_rows = rows
        self._showing = True
        fresh = self._rows.set_places(places, describe)
        self._showing = False
        if before != (len(places), self.shape):
            self._redraw()
        return fresh

    def show_smooth(self, smooth: bool) -> None:
        self._painter.smooth = smooth
        self._painter.forget_pixmap()

    def cell_size(self) -> QSize:
        """Return the size of a picture in logical pixels."""
        (tall, wide) = self.shape
        ratio = self.devicePixelRatioF()
        return QSize(round(wide * self.scale / ratio), round(tall * self.scale / ratio))

    def picture_rect(self, rect: QRect) -> QRect:
        """Return the rectangle of a picture in the rectangle of its item."""
        edge = self._theme.scaled(GAP) // 2
        return QRect(rect.topLeft() + QPoint(edge, edge), self.cell_size())

    def is_marked(self, row: int) -> bool:
        """Return whether a picture has a ring."""
        return row == self.currentIndex().row()

    def pixel_at(self, at: QPointF) -> tuple[int, int, int] | None:
        """Return (row of the place, row and column of the pixel in its picture) at a position in the viewport."""
        index = self.indexAt(at.toPoint())
        if not index.isValid():
            return None
        inside = at - self.picture_rect(self.visualRect(index)).topLeft()
        ratio = self.devicePixelRatioF()
        (height, width) = self.shape
        row, column = (math.floor(distance * ratio / self.scale) for distance in (inside.y(), inside.x()))
        return (index.row(), row, column) if 0 <= row < height and 0 <= column < width else None

    @guarded(QSize(0, 0))
    def minimumSizeHint(self) -> QSize:
        return QSize(MIN_SIZE, MIN_SIZE)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._set_hovered(self.pixel_at(event.position()))

    @guarded(False)
    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._set_hovered(None)
        return super().viewportEvent(event)

    def _map_over(self, picture: Array) -> Array | None:
        """Return the map to be shown in place of a picture; None if it is off or not known."""
        if self._uncertainty.on.get():
            return uncertainty_picture(picture, self._uncertainty.map_of(picture), self._uncertainty.scale.get())
        return surprisal_picture(self._surprisal.map_of(picture), self._surprisal.scale.get())

    def _on_map(self, map: SurprisalMap) -> None:
        for place in self.places:
            if place.cell.picture is map.picture:
                self._painter.forget_pixmap(place.number)

    def _set_hovered(self, pixel: tuple[int, int, int] | None) -> None:
        place, *at = pixel if pixel is not None else (0, 0, 0)
        for map in (self._surprisal, self._uncertainty):
            map.set_hovered(self.places[place].cell.picture if pixel is not None else None, *at)

    def _redraw(self) -> None:
        self._painter.forget_pixmap()
        self._lay_out()

    def _lay_out(self) -> None:
        px = self._theme.scaled
        ratio = self.devicePixelRatioF()
        width = int(self.width() * ratio)
        height = int(self.height() * ratio)
        below = px(CAPTION_HEIGHT) if self.captioned else 0
        count = max(1, len(self.places))
        columns, scale = arrange_grid(
            count, width, height, self.shape, int(px(GAP) * ratio), int(px(MIN_SIZE) * ratio), int(below * ratio)
        )
        if scale != self.scale:
            self.scale = scale
            self._painter.forget_pixmap()
        cell = self.cell_size()
        step = QSize(cell.width() + px(GAP), cell.height() + px(GAP) + below)
        self.setGridSize(step)
        if self.captioned:
            columns = max(1, self.width() // step.width())
        spare = self.height() - -(-count // columns) * step.height()
        fits = spare >= 0
        side = 0 if self.captioned else max(0, (self.width() - columns * step.width()) // 2)
        top = 0 if self.captioned else max(0, spare // 2)
        needed = Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff if fits else needed)
        # The margin at the right makes the list wrap after the last column.
        rest = max(0, self.width() - side - columns * step.width() - px(GAP) // 2 - px(WRAP_ROOM))
        self.setViewportMargins(side, top, rest if fits else 0, 0)


def _width(painter: QPainter, text: str) -> int:
    return painter.fontMetrics().horizontalAdvance(text)
