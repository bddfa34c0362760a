"""Shows pictures in a grid at a whole-number scale, each as it forms."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.core.guard import guarded
from studio.app.core.text import FIGURE_SPACE, format_bits, group_digits
from studio.app.generation.run import Cell
from studio.app.generation.thumbnail_grid_view import ThumbnailGrid, set_up_grid
from studio.app.generation.wording import step_text
from studio.app.widgets.picture import largest_multiple
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

GAP = 12
WAVE_SIZE = (16, 24)
"""Height and width of a wave in a grid, in steps."""
MIN_SIZE = 64
"""Smallest size of a cell in logical pixels; below it the grid scrolls."""
Index = QModelIndex | QPersistentModelIndex


def cell_description(cell: Cell, index: int, count: int, kind: str = "picture", rows: int = 0) -> str:
    """Return the description of a cell for screen readers and tooltips."""
    state = "waiting"
    if cell.finished:
        state = "finished"
    elif cell.picture is not None:
        state = step_text(cell, rows).replace(FIGURE_SPACE, "").lower()
    price = f", {format_bits(cell.log_prob)}" if cell.log_prob is not None else ""
    what = "Wave" if kind == "sound" else "Picture"
    return f"{what} {index + 1} of {count}, {state}, seed {group_digits(cell.seed)}{price}"


def arrange_grid(count: int, width: int, height: int, pixels: tuple[int, int], gap: int, least: int) -> tuple[int, int]:
    """Return columns and scale for `count` pictures of `pixels` (height, width); all in device pixels.

    It is the largest scale at which all fit; rows are filled if that costs nothing. If they do not fit at `least`, it
    uses as many columns as there is room for.
    """
    tall, wide = pixels
    smallest = max(1, -(-least // max(tall, wide)))
    for scale in range(max(largest_multiple(width, wide), smallest), smallest - 1, -1):
        most = width // (wide * scale + gap)
        rows = height // (tall * scale + gap)
        if most > 0 and rows > 0 and most * rows >= count:
            fewest = -(-count // rows)
            full = [columns for columns in range(fewest, min(most, count) + 1) if count % columns == 0]
            return (full or [min(most, count)])[0], scale
    return max(1, width // (wide * smallest + gap)), smallest


class _CellRows(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.cells: tuple[Cell, ...] = ()
        self.kind, self.rows = "picture", 0

    def set_cells(self, cells: tuple[Cell, ...]) -> None:
        old = self.cells
        fresh = [c.seed for c in cells] != [c.seed for c in self.cells]
        if fresh:
            self.beginResetModel()
        self.cells = cells
        if fresh:
            self.endResetModel()
            return
        for row, (before, after) in enumerate(zip(old, cells, strict=True)):
            if before is not after:
                self.dataChanged.emit(self.index(row), self.index(row))

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.cells)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return cell_description(self.cells[index.row()], index.row(), len(self.cells), self.kind, self.rows)
        return None


class _CellPainter(QStyledItemDelegate):
    def __init__(self, view: "GridView", theme: Theme, model: _CellRows) -> None:
        super().__init__(view)
        self._theme, self._view, self._cells = theme, view, model

    @guarded(QSize(64, 64))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = index.row()
        theme = self._theme
        tiles = self._view.thumbnails
        cell = self._cells.cells[row]
        place = self._view.picture_rect(option.rect)
        painter.save()
        tiles.paint_cell(painter, place, row, cell, self._cells.rows)
        if cell.picture is None:
            painter.setFont(theme.font(12))
            painter.setPen(theme.colour("faint"))
            painter.drawText(
                place, Qt.AlignmentFlag.AlignCenter, self._paint_waiting(painter, cell.seed, place.width())
            )
        elif not cell.finished and cell.total and not self._cells.rows:
            done = round(place.width() * cell.done / cell.total)
            painter.fillRect(QRect(place.left(), place.bottom() + 4, done, 2), theme.colour("accent"))
        if row == self._view.currentIndex().row():
            tiles.paint_ring(painter, place)
        painter.restore()

    @staticmethod
    def _paint_waiting(painter: QPainter, seed: int, width: int) -> str:
        """Write the longest text that fits into an empty cell."""
        number = group_digits(seed)
        room = painter.fontMetrics()
        return next((words for words in (f"seed {number}", number) if room.horizontalAdvance(words) <= width - 4), "")


class GridView(QListView):
    """Shows the pictures of a run. `cell_chosen` and `cell_enlarged` carry the index of a picture."""

    cell_chosen = Signal(int)
    cell_enlarged = Signal(int)
    pixel_hovered = Signal(object)
    """(row of a picture, row and column of the pixel in it) under the pointer, None where there is none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._size: tuple[int, int] | None = None
        self._cells = _CellRows(self)
        self.thumbnails = ThumbnailGrid(theme, self)
        self.setModel(self._cells)
        self.setItemDelegate(_CellPainter(self, theme, self._cells))
        set_up_grid(self, "Pictures")
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.activated.connect(lambda index: self.cell_enlarged.emit(index.row()))
        self.selectionModel().currentChanged.connect(self._emit_chosen)
        self._showing = False
        theme.changed.connect(self._redraw)

    def show_cells(
        self, cells: tuple[Cell, ...], kind: str = "picture", size: tuple[int, int] | None = None, rows: int = 0
    ) -> None:
        """Show the cells; `size` (height, width) is for pictures to come, `rows` the rows of each."""
        before = self._picture_shape()
        self._cells.kind = kind
        self._cells.rows = rows
        self._size = size
        self.setAccessibleName("Waves" if kind == "sound" else "Pictures")
        fresh = len(cells) != len(self._cells.cells)
        self._cells.set_cells(cells)
        if fresh or before != self._picture_shape():
            self._redraw()

    def show_chosen(self, row: int | None) -> None:
        self._showing = True
        self.setCurrentIndex(self._cells.index(row) if row is not None else QModelIndex())
        self._showing = False
        self.viewport().update()

    def show_smooth(self, smooth: bool) -> None:
        self.thumbnails.show_smooth(smooth)

    def show_overlay(self, over: Callable[[Array], Array | None]) -> None:
        """Set the function `over`, which returns a map to show in place of a picture, or None."""
        self.thumbnails.show_overlay(over)

    def redraw_picture(self, picture: Array) -> None:
        """Redraw one picture, because its look changed."""
        for row, cell in enumerate(self._cells.cells):
            if cell.picture is picture:
                self.thumbnails.forget_pixmap(row)

    def cell_size(self) -> QSize:
        """Return the size of a picture in logical pixels."""
        return self.thumbnails.picture_size

    def picture_rect(self, rect: QRect) -> QRect:
        """Return the rectangle of a picture in the rectangle of its item."""
        size = self.cell_size()
        return QRect(
            rect.x() + (rect.width() - size.width()) // 2,
            rect.y() + (rect.height() - size.height()) // 2,
            size.width(),
            size.height(),
        )

    @property
    def shown_cells(self) -> Sequence[Cell]:
        return self._cells.cells

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
        self.pixel_hovered.emit(self.pixel_at(event.position()))

    @guarded(False)
    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.pixel_hovered.emit(None)
        return super().viewportEvent(event)

    def pixel_at(self, at: QPointF) -> tuple[int, int, int] | None:
        """Return (index of the picture, row and column of the pixel) at a position in the viewport."""
        index = self.indexAt(at.toPoint())
        if not index.isValid():
            return None
        pixel = self.thumbnails.pixel_at(at - self.picture_rect(self.visualRect(index)).topLeft())
        return (index.row(), *pixel) if pixel is not None else None

    def _emit_chosen(self, index: QModelIndex) -> None:
        self.viewport().update()
        if not self._showing and index.isValid():
            self.cell_chosen.emit(index.row())

    def _picture_shape(self) -> tuple[int, int]:
        if self._cells.kind == "sound":
            return WAVE_SIZE
        shown = next((cell.picture.shape[:2] for cell in self._cells.cells if cell.picture is not None), None)
        return shown or self._size or (32, 32)

    def _redraw(self) -> None:
        self.thumbnails.forget_pixmap()
        self._lay_out()

    def _lay_out(self) -> None:
        ratio = self.devicePixelRatioF()
        gap = self._theme.scaled(GAP)
        shape = self._picture_shape()
        width = int(self.width() * ratio)
        height = int(self.height() * ratio)
        count = max(1, len(self._cells.cells))
        columns, scale = arrange_grid(
            count, width, height, shape, int(gap * ratio), int(self._theme.scaled(MIN_SIZE) * ratio)
        )
        self.thumbnails.shape = shape
        self.thumbnails.set_scale(scale)
        cell = self.cell_size()
        step = QSize(cell.width() + gap, cell.height() + gap)
        self.setGridSize(step)
        rows = -(-count // columns)
        side = max(0, (self.width() - columns * step.width()) // 2)
        top = max(0, (self.height() - rows * step.height()) // 2)
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff if top or not rows else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        )
        rest = max(0, self.width() - side - columns * step.width() - gap // 2)  # the list wraps at the right place
        self.setViewportMargins(side, top, rest if top else 0, 0)
