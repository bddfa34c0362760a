"""The grid of Generate: as many whole-multiple pictures as fit, each shown as it forms."""

import math
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
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QMouseEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.states.grid import Cell
from studio.app.states.said import FIGURE_SPACE, bits, step_of
from studio.app.states.seeds import grouped
from studio.app.views.guard import guarded
from studio.app.views.picture import blended, draw_crisp, image, multiple
from studio.app.views.theme import Look
from studio.app.views.wave import thumbnail_of
from studio.wire.messages import Array

GAP = 12
WAVE = (16, 24)
"""Height and width of a wave in a grid, in steps."""
SMALLEST = 64
"""Logical pixels: where cells would get smaller, the grid scrolls instead."""
Index = QModelIndex | QPersistentModelIndex


def described(cell: Cell, index: int, count: int, kind: str = "picture", rows: int = 0) -> str:
    """For screen readers and tooltips."""
    going = step_of(cell, rows).replace(FIGURE_SPACE, "").lower()
    state = "finished" if cell.finished else going if cell.picture is not None else "waiting"
    price = f", {bits(cell.log_prob)}" if cell.log_prob is not None else ""
    what = "Wave" if kind == "sound" else "Picture"
    return f"{what} {index + 1} of {count}, {state}, seed {grouped(cell.seed)}{price}"


def arrange(count: int, width: int, height: int, pixels: tuple[int, int], gap: int, least: int) -> tuple[int, int]:
    """Columns and multiple for `count` pictures of `pixels` (height, width) in a space; all in device pixels.

    The largest multiple at which all fit; rows are filled where that costs nothing. Where even
    `least` would not fit, as many columns as there is room for.
    """
    tall, wide = pixels
    smallest = max(1, -(-least // max(tall, wide)))
    for scale in range(max(multiple(width, wide), smallest), smallest - 1, -1):
        most = width // (wide * scale + gap)
        rows = height // (tall * scale + gap)
        if most > 0 and rows > 0 and most * rows >= count:
            fewest = -(-count // rows)
            full = [columns for columns in range(fewest, min(most, count) + 1) if count % columns == 0]
            return (full or [min(most, count)])[0], scale
    return max(1, width // (wide * smallest + gap)), smallest


def _nothing(picture: Array) -> Array | None:
    """Nothing lies over a picture."""
    return None


class _Cells(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.cells: tuple[Cell, ...] = ()
        self.kind, self.rows = "picture", 0

    def put(self, cells: tuple[Cell, ...]) -> None:
        old, fresh = self.cells, [c.seed for c in cells] != [c.seed for c in self.cells]
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
            return described(self.cells[index.row()], index.row(), len(self.cells), self.kind, self.rows)
        return None


class _Painter(QStyledItemDelegate):
    def __init__(self, view: "GridView", look: Look, model: _Cells) -> None:
        super().__init__(view)
        self._look, self._view, self._cells = look, view, model
        self._drawn: dict[int, tuple[Cell, QPixmap]] = {}

    def forget(self, row: int | None = None) -> None:
        """How a picture was drawn, or all of them."""
        if row is None:
            self._drawn.clear()
        else:
            self._drawn.pop(row, None)

    @guarded(QSize(64, 64))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, look = index.row(), self._look
        cell, place = self._cells.cells[row], self._view.place(option.rect)
        painter.save()
        if cell.picture is not None:
            draw_crisp(painter, place.x(), place.y(), self._pixmap(row, cell))
            if not cell.finished and self._cells.rows:
                self._cover_rest(painter, place, cell.rows_drawn(self._cells.rows))
            elif not cell.finished and cell.total:
                done = round(place.width() * cell.done / cell.total)
                painter.fillRect(QRect(place.left(), place.bottom() + 4, done, 2), look.colour("accent"))
        else:
            painter.fillRect(place, look.colour("window"))
            painter.setFont(look.font(12))
            painter.setPen(look.colour("faint"))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, self._waiting(painter, cell.seed, place.width()))
        if row == self._view.currentIndex().row():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(place).adjusted(-3, -3, 3, 3), look.px(4), look.px(4))
        painter.restore()

    def _cover_rest(self, painter: QPainter, place: QRect, drawn: int) -> None:
        """Below the rows that are drawn the cell is as empty as before, and a line is at the row being drawn."""
        if drawn == self._cells.rows:  # only its price is still to come
            return
        rest = place.adjusted(0, round(place.height() * drawn / self._cells.rows), 0, 0)
        painter.fillRect(rest, self._look.colour("window"))
        painter.fillRect(QRect(rest.topLeft(), QSize(rest.width(), 2)), self._look.colour("accent"))

    @staticmethod
    def _waiting(painter: QPainter, seed: int, width: int) -> str:
        """What stands in an empty cell: the longest of its words that fits whole."""
        number = grouped(seed)
        room = painter.fontMetrics()
        return next((words for words in (f"seed {number}", number) if room.horizontalAdvance(words) <= width - 4), "")

    def _pixmap(self, row: int, cell: Cell) -> QPixmap:
        kept = self._drawn.get(row)
        if kept is None or kept[0] is not cell:
            kept = self._drawn[row] = (cell, self._view.drawn(cell))
        return kept[1]


class GridView(QListView):
    """`chose` and `enlarged` carry the row of a picture."""

    chose = Signal(int)
    enlarged = Signal(int)
    pointed = Signal(object)
    """(row of a picture, row and column of the pixel in it) under the pointer, None where there is none."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._over: Callable[[Array], Array | None] = _nothing
        self._scale, self._smooth = 1, False
        self._size: tuple[int, int] | None = None
        self._cells = _Cells(self)
        self._painter = _Painter(self, look, self._cells)
        self.setModel(self._cells)
        self.setItemDelegate(self._painter)
        self.setProperty("role", "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMouseTracking(True)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet("activate-on-singleclick: 0;")
        self.setAccessibleName("Pictures")
        self.activated.connect(lambda index: self.enlarged.emit(index.row()))
        self.selectionModel().currentChanged.connect(self._tell)
        self._showing = False
        look.changed.connect(self._again)

    def show_cells(
        self, cells: tuple[Cell, ...], kind: str = "picture", size: tuple[int, int] | None = None, rows: int = 0
    ) -> None:
        """`size` (height, width) of the pictures that are still to come; `rows` of those drawn row by row."""
        before = self._shape()
        self._cells.kind, self._cells.rows, self._size = kind, rows, size
        self.setAccessibleName("Waves" if kind == "sound" else "Pictures")
        fresh = len(cells) != len(self._cells.cells)
        self._cells.put(cells)
        if fresh or before != self._shape():
            self._again()

    def show_chosen(self, row: int | None) -> None:
        self._showing = True
        self.setCurrentIndex(self._cells.index(row) if row is not None else QModelIndex())
        self._showing = False
        self.viewport().update()

    def show_smooth(self, smooth: bool) -> None:
        self._smooth = smooth
        self._again()

    def show_over(self, over: Callable[[Array], Array | None]) -> None:
        """What is to be seen in place of each picture; nothing, where `over` gives none."""
        self._over = over
        self._painter.forget()
        self.viewport().update()

    def show_again(self, picture: Array) -> None:
        """One picture has another look now."""
        for row, cell in enumerate(self._cells.cells):
            if cell.picture is picture:
                self._painter.forget(row)
                self.update(self._cells.index(row))

    def cell(self) -> QSize:
        """Of a picture, in logical pixels."""
        (tall, wide), ratio = self._shape(), self.devicePixelRatioF()
        return QSize(round(wide * self._scale / ratio), round(tall * self._scale / ratio))

    def place(self, rect: QRect) -> QRect:
        """Where a picture lies in the rectangle of its row."""
        size = self.cell()
        return QRect(
            rect.x() + (rect.width() - size.width()) // 2,
            rect.y() + (rect.height() - size.height()) // 2,
            size.width(),
            size.height(),
        )

    def drawn(self, cell: Cell) -> QPixmap:
        """A picture as it stands in the grid."""
        assert cell.picture is not None
        if cell.picture.ndim == 1:
            tall, wide = (side * self._scale for side in WAVE)
            return thumbnail_of(cell.picture, wide, tall, self.devicePixelRatioF(), self._look)
        tall, wide = (side * self._scale for side in cell.picture.shape[:2])
        over = self._over(cell.picture)
        seen = cell.picture if over is None else over
        shown = image(blended(seen, tall, wide) if self._smooth else seen)
        pixmap = QPixmap.fromImage(shown if self._smooth else shown.scaled(wide, tall))
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        return pixmap

    @property
    def cells(self) -> Sequence[Cell]:
        return self._cells.cells

    @guarded(QSize(0, 0))
    def minimumSizeHint(self) -> QSize:
        return QSize(SMALLEST, SMALLEST)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self.pointed.emit(self.pixel_at(event.position()))

    @guarded(False)
    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.pointed.emit(None)
        return super().viewportEvent(event)

    def pixel_at(self, at: QPointF) -> tuple[int, int, int] | None:
        """(row of a picture, row and column of the pixel in it) at a place of the viewport."""
        index = self.indexAt(at.toPoint())
        if not index.isValid():
            return None
        inside, ratio = at - self.place(self.visualRect(index)).topLeft(), self.devicePixelRatioF()
        row, column = (math.floor(place * ratio / self._scale) for place in (inside.y(), inside.x()))
        height, width = self._shape()
        return (index.row(), row, column) if 0 <= row < height and 0 <= column < width else None

    def _tell(self, index: QModelIndex) -> None:
        self.viewport().update()
        if not self._showing and index.isValid():
            self.chose.emit(index.row())

    def _shape(self) -> tuple[int, int]:
        if self._cells.kind == "sound":
            return WAVE
        shown = next((cell.picture.shape[:2] for cell in self._cells.cells if cell.picture is not None), None)
        return shown or self._size or (32, 32)

    def _again(self) -> None:
        self._painter.forget()
        self._lay_out()
        self.viewport().update()

    def _lay_out(self) -> None:
        ratio, gap, (tall, wide) = self.devicePixelRatioF(), self._look.px(GAP), self._shape()
        width, height = int(self.width() * ratio), int(self.height() * ratio)
        count = max(1, len(self._cells.cells))
        columns, scale = arrange(
            count, width, height, (tall, wide), int(gap * ratio), int(self._look.px(SMALLEST) * ratio)
        )
        if scale != self._scale:
            self._scale = scale
            self._painter.forget()
        cell = self.cell()
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
