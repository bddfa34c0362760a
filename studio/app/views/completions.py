"""The completions in a grid from the most typical to the strangest, and the scale on which they lie."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QEnterEvent, QFocusEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from studio.app.states.completions import Completions, Place, label
from studio.app.states.grid import Cell
from studio.app.states.said import FIGURE_SPACE, bits
from studio.app.views.controls import tip
from studio.app.views.guard import guarded
from studio.app.views.picture import blended, draw_crisp, image, multiple
from studio.app.views.theme import Look
from studio.wire.messages import Array

GAP, CAPTION, SMALLEST = 12, 22, 64
Index = QModelIndex | QPersistentModelIndex


def arrange(count: int, width: int, height: int, cell: tuple[int, int], gap: int, below: int, least: int) -> int:
    """By how much pictures `cell` (height, width) are enlarged so that `count` of them fit with `gap` between and
    `below` under each; in device pixels. Never smaller than `least`: then they scroll."""
    smallest = max(1, -(-least // max(cell)))
    for scale in range(max(multiple(width, cell[1]), smallest), smallest, -1):
        if (width // (cell[1] * scale + gap)) * (height // (cell[0] * scale + gap + below)) >= count:
            return scale
    return smallest


class _Rows(QAbstractListModel):
    """Places, each with its completion."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.places: tuple[Place, ...] = ()
        self.cells: tuple[Cell, ...] = ()
        self.rows, self.following = 0, False

    def put(self, places: tuple[Place, ...], cells: tuple[Cell, ...]) -> bool:
        """Whether others stand there now."""
        fresh = [place.cell for place in places] != [place.cell for place in self.places]
        if fresh:
            self.beginResetModel()
        self.places, self.cells = places, cells
        if fresh:
            self.endResetModel()
        elif places:
            self.dataChanged.emit(self.index(0), self.index(len(places) - 1))
        return fresh

    def at(self, row: int) -> tuple[Cell, tuple[str, str]]:
        place = self.places[row]
        cell = self.cells[place.cell]
        return cell, label(place, cell, self.rows, self.following)

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.places)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return None
        cell, (rank, price) = self.at(index.row())
        name = f"Number {rank} of {len(self.cells)}" if rank.isdecimal() else "A new one" if rank else "Completion"
        return f"{name}, {price.replace(FIGURE_SPACE, '')}, seed {cell.seed}"


class _Painter(QStyledItemDelegate):
    def __init__(self, view: "CompletionsView", look: Look, rows: _Rows) -> None:
        super().__init__(view)
        self._view, self._look, self._rows = view, look, rows
        self._drawn: dict[int, tuple[Cell, QPixmap]] = {}

    def forget(self, completion: int | None = None) -> None:
        """Draw one anew, or all."""
        if completion is None:
            self._drawn.clear()
        else:
            self._drawn.pop(completion, None)

    @guarded(QSize(64, 64))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        look, (cell, (rank, price)), size = self._look, self._rows.at(index.row()), self._view.cell()
        rect: QRect = option.rect
        place = QRect(rect.x() + look.px(GAP) // 2, rect.y() + look.px(4), size.width(), size.height())
        painter.save()
        if cell.picture is None:
            painter.fillRect(place, look.colour("window"))
        else:
            draw_crisp(painter, place.x(), place.y(), self._pixmap(self._rows.places[index.row()].cell, cell))
            self._cover_rest(painter, place, cell)
        if self._view.selectionModel().isSelected(self._rows.index(index.row())):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(place).adjusted(-3, -3, 3, 3), look.px(4), look.px(4))
        below = QRect(place.x(), place.bottom() + look.px(3), place.width(), look.px(CAPTION - 4))
        self._write(painter, below, rank, price)
        painter.restore()

    def _write(self, painter: QPainter, below: QRect, rank: str, price: str) -> None:
        look, middle = self._look, Qt.AlignmentFlag.AlignVCenter
        painter.setFont(look.font(12, 600))
        painter.setPen(look.colour("text"))
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | middle), rank)
        room = below.width() - (painter.fontMetrics().horizontalAdvance(rank) + look.px(6) if rank else 0)
        painter.setFont(look.font(12))
        painter.setPen(look.colour("soft"))
        short = price if painter.fontMetrics().horizontalAdvance(price) <= room else price.removesuffix(" bits")
        side = Qt.AlignmentFlag.AlignRight if rank else Qt.AlignmentFlag.AlignLeft
        painter.drawText(below, int(side | middle), short)

    def _cover_rest(self, painter: QPainter, place: QRect, cell: Cell) -> None:
        """Below the rows that are drawn the place is as empty as before, and a line is at the row being drawn."""
        rows = self._rows.rows
        drawn = cell.rows_drawn(rows)
        if cell.finished or drawn == rows:
            return
        rest = place.adjusted(0, round(place.height() * drawn / rows), 0, 0)
        painter.fillRect(rest, self._look.colour("window"))
        painter.fillRect(QRect(rest.topLeft(), QSize(rest.width(), 2)), self._look.colour("accent"))

    def _pixmap(self, key: int, cell: Cell) -> QPixmap:
        kept = self._drawn.get(key)
        if kept is None or kept[0] is not cell:
            kept = self._drawn[key] = (cell, self._view.drawn(cell))
        return kept[1]


class CompletionsView(QListView):
    """`chose` carries the completions that are chosen, the current one last; `held` says whether pointer or focus are
    here, so that nothing may move."""

    chose = Signal(object)
    held = Signal(bool)
    pointed = Signal(object)
    """(completion, row and column of the pixel in it) under the pointer, None where there is none."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._scale, self._smooth, self._size = 1, False, (32, 32)
        self._chosen: tuple[int, ...] = ()
        self._showing = False
        self._over: Callable[[Array], Array | None] = _nothing
        self.setMouseTracking(True)
        self.rows = _Rows(self)
        self._painter = _Painter(self, look, self.rows)
        self.setModel(self.rows)
        self.setItemDelegate(self._painter)
        self.setProperty("role", "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet("activate-on-singleclick: 0;")
        self.setAccessibleName("Completions")
        self.selectionModel().selectionChanged.connect(self._tell)
        look.changed.connect(self._again)

    def show_places(self, state: Completions, rows: int, size: tuple[int, int]) -> None:
        """What stands where; `rows` in which each is drawn, `size` (height, width) of each."""
        self.rows.rows, self.rows.following = rows, state.ranking.get() == "following"
        before = (len(self.rows.places), self._size)
        self._size = size
        self._showing = True
        fresh = self.rows.put(state.places.get(), state.cells.get())
        self._showing = False
        if before != (len(self.rows.places), size):
            self._again()
        if fresh:
            self.show_chosen(self._chosen)
        self.viewport().update()

    def show_chosen(self, chosen: tuple[int, ...]) -> None:
        self._chosen = chosen
        places = {place.cell: row for row, place in enumerate(self.rows.places)}
        self._showing = True
        model = self.selectionModel()
        model.clearSelection()
        for cell in chosen:
            if cell in places:
                index = self.rows.index(places[cell])
                model.select(index, QItemSelectionModel.SelectionFlag.Select)
                model.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        self._showing = False
        self.viewport().update()

    def show_smooth(self, smooth: bool) -> None:
        self._smooth = smooth
        self._again()

    def show_over(self, over: Callable[[Array], Array | None]) -> None:
        """What is to be seen in place of a picture, None for the picture itself."""
        self._over = over
        self._again()

    def show_again(self, picture: Array) -> None:
        """Something else is to be seen in place of this picture."""
        self._painter.forget(next((i for i, cell in enumerate(self.rows.cells) if cell.picture is picture), None))
        self.viewport().update()

    def cell(self) -> QSize:
        """Of a picture, in logical pixels."""
        (tall, wide), ratio = self._size, self.devicePixelRatioF()
        return QSize(round(wide * self._scale / ratio), round(tall * self._scale / ratio))

    def drawn(self, cell: Cell) -> QPixmap:
        """A picture as it stands in the grid."""
        assert cell.picture is not None
        over = self._over(cell.picture) if cell.finished else None
        picture = over if over is not None else cell.picture
        tall, wide = (side * self._scale for side in picture.shape[:2])
        shown = image(blended(picture, tall, wide) if self._smooth else picture)
        pixmap = QPixmap.fromImage(shown if self._smooth else shown.scaled(wide, tall))
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        return pixmap

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
        self.pointed.emit(self._pixel_at(event.position().toPoint()))

    @guarded(None)
    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.held.emit(True)

    @guarded(None)
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.pointed.emit(None)
        self.held.emit(self.hasFocus())

    @guarded(None)
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.held.emit(True)

    @guarded(None)
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.held.emit(self.underMouse())

    def _pixel_at(self, at: QPoint) -> tuple[int, int, int] | None:
        index, (tall, wide), size = self.indexAt(at), self._size, self.cell()
        if not index.isValid():
            return None
        inside = at - self.visualRect(index).topLeft() - QPoint(self._look.px(GAP) // 2, self._look.px(4))
        row, column = inside.y() * tall // size.height(), inside.x() * wide // size.width()
        return (self.rows.places[index.row()].cell, row, column) if 0 <= row < tall and 0 <= column < wide else None

    def _tell(self) -> None:
        self.viewport().update()
        if not self._showing:
            now = self.currentIndex()
            rows = sorted((index.row() for index in self.selectedIndexes()), key=lambda row: (row == now.row(), row))
            self._chosen = tuple(self.rows.places[row].cell for row in rows)
            self.chose.emit(self._chosen)

    def _again(self) -> None:
        self._painter.forget()
        self._lay_out()
        self.viewport().update()

    def _lay_out(self) -> None:
        px, ratio = self._look.px, self.devicePixelRatioF()
        width, height = int(self.width() * ratio), int(self.height() * ratio)
        gap, below, least = (int(px(length) * ratio) for length in (GAP, CAPTION, SMALLEST))
        scale = arrange(max(1, len(self.rows.places)), width, height, self._size, gap, below, least)
        if scale != self._scale:
            self._scale = scale
            self._painter.forget()
        cell = self.cell()
        step = QSize(cell.width() + px(GAP), cell.height() + px(GAP + CAPTION))
        self.setGridSize(step)
        columns = max(1, self.width() // step.width())
        fits = columns * (self.height() // step.height()) >= len(self.rows.places)
        off, needed = Qt.ScrollBarPolicy.ScrollBarAlwaysOff, Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.setVerticalScrollBarPolicy(off if fits else needed)
        # The list wraps before its last column is quite full: it gets a little more than it needs.
        rest = max(0, self.width() - columns * step.width() - px(GAP) // 2)
        self.setViewportMargins(0, 0, rest - px(8) if fits and rest > px(8) else 0, 0)


def _nothing(picture: Array) -> Array | None:
    return None


class Typicality(QWidget):
    """Where each completion lies between the most typical and the strangest, by its bits."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._nats: tuple[float, ...] = ()
        self._chosen: float | None = None
        self.setMinimumWidth(look.px(40))
        self.setAccessibleName("From the most typical to the strangest")
        look.changed.connect(self.update)

    def show_nats(self, nats: Sequence[float], chosen: float | None) -> None:
        """Of all that are finished, the most typical first, and of the one looked at."""
        self._nats, self._chosen = tuple(nats), chosen
        words = f"{len(nats)} completions, {bits(nats[0])} to {bits(nats[-1])}" if nats else ""
        self.setAccessibleDescription(words)
        tip(self, words)
        self.update()

    @guarded(QSize(120, 20))
    def sizeHint(self) -> QSize:
        return QSize(self._look.px(160), self._look.px(20))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        look, middle, radius = self._look, self.height() / 2, self._look.px(5)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.colour("groove"), 2))
            painter.drawLine(QPointF(radius, middle), QPointF(self.width() - radius, middle))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("soft"))
            for nats in self._nats:
                painter.drawEllipse(QPointF(self._x(nats), middle), radius, radius)
            if self._chosen is not None:
                painter.setBrush(look.colour("accent"))
                painter.drawEllipse(QPointF(self._x(self._chosen), middle), radius + 1, radius + 1)

    def _x(self, nats: float) -> float:
        radius, reach = self._look.px(5) + 1, self._nats[0] - self._nats[-1] if self._nats else 0.0
        share = (self._nats[0] - nats) / reach if reach > 0 else 0.0
        return radius + min(max(share, 0.0), 1.0) * (self.width() - 2 * radius)
