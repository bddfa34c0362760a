"""Shows completions in a grid from the most typical to the strangest, and their scale."""

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
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QEnterEvent, QFocusEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from studio.app.core.guard import guarded
from studio.app.core.text import FIGURE_SPACE, format_bits
from studio.app.generation.run import Cell
from studio.app.generation.thumbnail_grid_view import ThumbnailGrid, set_up_grid
from studio.app.panels.complete.ranking import RankedCell, Ranking, place_label
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.picture import largest_multiple
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

PICTURE_GAP = 12
CAPTION_HEIGHT = 22
MIN_SIZE = 64
Index = QModelIndex | QPersistentModelIndex


def arrange_results(
    count: int, width: int, height: int, cell: tuple[int, int], gap: int, below: int, least: int
) -> int:
    """Return the scale at which `count` pictures of size `cell` (height, width) fit, in device pixels.

    Pictures have `gap` between and `below` under each. The scale is at least `least`; then the grid scrolls.
    """
    smallest = max(1, -(-least // max(cell)))
    for scale in range(max(largest_multiple(width, cell[1]), smallest), smallest, -1):
        if (width // (cell[1] * scale + gap)) * (height // (cell[0] * scale + gap + below)) >= count:
            return scale
    return smallest


class _PlaceRows(QAbstractListModel):
    """Lists the places of the grid, each with its completion."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.places: tuple[RankedCell, ...] = ()
        self.cells: tuple[Cell, ...] = ()
        self.rows, self.following = 0, False

    def set_places(self, places: tuple[RankedCell, ...], cells: tuple[Cell, ...]) -> bool:
        """Set the places; return whether they differ from before."""
        fresh = [place.cell for place in places] != [place.cell for place in self.places]
        if fresh:
            self.beginResetModel()
        self.places = places
        self.cells = cells
        if fresh:
            self.endResetModel()
        elif places:
            self.dataChanged.emit(self.index(0), self.index(len(places) - 1))
        return fresh

    def place_at(self, row: int) -> tuple[Cell, tuple[str, str]]:
        place = self.places[row]
        cell = self.cells[place.cell]
        return cell, place_label(place, cell, self.rows, self.following)

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.places)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return None
        cell, (rank, price) = self.place_at(index.row())
        name = "A new one" if rank else "Completion"
        if rank.isdecimal():
            name = f"Number {rank} of {len(self.cells)}"
        return f"{name}, {price.replace(FIGURE_SPACE, '')}, seed {cell.seed}"


class _PlacePainter(QStyledItemDelegate):
    def __init__(self, view: "ResultsView", theme: Theme, rows: _PlaceRows) -> None:
        super().__init__(view)
        self._view, self._theme, self._rows = view, theme, rows

    @guarded(QSize(64, 64))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, (cell, (rank, price)), tiles = self._theme, self._rows.place_at(index.row()), self._view.thumbnails
        rect: QRect = option.rect
        place = QRect(
            rect.x() + theme.scaled(PICTURE_GAP) // 2,
            rect.y() + theme.scaled(4),
            tiles.picture_size.width(),
            tiles.picture_size.height(),
        )
        painter.save()
        tiles.paint_cell(painter, place, self._rows.places[index.row()].cell, cell, self._rows.rows)
        if self._view.selectionModel().isSelected(self._rows.index(index.row())):
            tiles.paint_ring(painter, place)
        below = QRect(place.x(), place.bottom() + theme.scaled(3), place.width(), theme.scaled(CAPTION_HEIGHT - 4))
        self._write(painter, below, rank, price)
        painter.restore()

    def _write(self, painter: QPainter, below: QRect, rank: str, price: str) -> None:
        theme = self._theme
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font(12, 600))
        painter.setPen(theme.colour("text"))
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | middle), rank)
        room = below.width() - (painter.fontMetrics().horizontalAdvance(rank) + theme.scaled(6) if rank else 0)
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour("soft"))
        short = price if painter.fontMetrics().horizontalAdvance(price) <= room else price.removesuffix(" bits")
        side = Qt.AlignmentFlag.AlignRight if rank else Qt.AlignmentFlag.AlignLeft
        painter.drawText(below, int(side | middle), short)


class ResultsView(QListView):
    """Shows the completions. `cells_chosen` carries the chosen ones, the current one last.

    `hold_changed` carries whether the pointer or the focus is in the grid, so that nothing may move.
    """

    cells_chosen = Signal(object)
    hold_changed = Signal(bool)
    pixel_hovered = Signal(object)
    """(completion, row and column of the pixel in it) under the pointer, None where there is none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._chosen: tuple[int, ...] = ()
        self._showing = False
        self.rows = _PlaceRows(self)
        self.thumbnails = ThumbnailGrid(theme, self)
        self.setModel(self.rows)
        self.setItemDelegate(_PlacePainter(self, theme, self.rows))
        set_up_grid(self, "Completions")
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.selectionModel().selectionChanged.connect(self._emit_chosen)
        theme.changed.connect(self._redraw)

    def show_places(self, state: Ranking, rows: int, size: tuple[int, int]) -> None:
        """Show the places; `rows` is the number of rows of each picture, `size` its (height, width)."""
        self.rows.rows = rows
        self.rows.following = state.rank_by.get() == "following"
        before = (len(self.rows.places), self.thumbnails.shape)
        self.thumbnails.shape = size
        self._showing = True
        fresh = self.rows.set_places(state.places.get(), state.cells.get())
        self._showing = False
        if before != (len(self.rows.places), size):
            self._redraw()
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
        self.thumbnails.show_smooth(smooth)

    def show_overlay(self, over: Callable[[Array], Array | None]) -> None:
        """Set the function that returns a map to be shown over a picture, or None."""
        self.thumbnails.show_overlay(over)

    def redraw_picture(self, picture: Array) -> None:
        """Redraw one picture, because its map changed."""
        self.thumbnails.forget_pixmap(
            next((i for i, cell in enumerate(self.rows.cells) if cell.picture is picture), None)
        )

    def cell_size(self) -> QSize:
        """Return the size of a picture in logical pixels."""
        return self.thumbnails.picture_size

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
        self.pixel_hovered.emit(self._pixel_at(event.position().toPoint()))

    @guarded(None)
    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.hold_changed.emit(True)

    @guarded(None)
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.pixel_hovered.emit(None)
        self.hold_changed.emit(self.hasFocus())

    @guarded(None)
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.hold_changed.emit(True)

    @guarded(None)
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.hold_changed.emit(self.underMouse())

    def _pixel_at(self, at: QPoint) -> tuple[int, int, int] | None:
        index = self.indexAt(at)
        if not index.isValid():
            return None
        inside = (
            at - self.visualRect(index).topLeft() - QPoint(self._theme.scaled(PICTURE_GAP) // 2, self._theme.scaled(4))
        )
        pixel = self.thumbnails.pixel_at(QPointF(inside))
        return (self.rows.places[index.row()].cell, *pixel) if pixel is not None else None

    def _emit_chosen(self) -> None:
        self.viewport().update()
        if not self._showing:
            now = self.currentIndex()
            rows = sorted((index.row() for index in self.selectedIndexes()), key=lambda row: (row == now.row(), row))
            self._chosen = tuple(self.rows.places[row].cell for row in rows)
            self.cells_chosen.emit(self._chosen)

    def _redraw(self) -> None:
        self.thumbnails.forget_pixmap()
        self._lay_out()

    def _lay_out(self) -> None:
        px = self._theme.scaled
        ratio = self.devicePixelRatioF()
        width = int(self.width() * ratio)
        height = int(self.height() * ratio)
        gap, below, least = (int(px(length) * ratio) for length in (PICTURE_GAP, CAPTION_HEIGHT, MIN_SIZE))
        scale = arrange_results(max(1, len(self.rows.places)), width, height, self.thumbnails.shape, gap, below, least)
        self.thumbnails.set_scale(scale)
        cell = self.cell_size()
        step = QSize(cell.width() + px(PICTURE_GAP), cell.height() + px(PICTURE_GAP + CAPTION_HEIGHT))
        self.setGridSize(step)
        columns = max(1, self.width() // step.width())
        fits = columns * (self.height() // step.height()) >= len(self.rows.places)
        off = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        needed = Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.setVerticalScrollBarPolicy(off if fits else needed)
        # The list wraps before its last column is quite full: it gets a little more than it needs.
        rest = max(0, self.width() - columns * step.width() - px(PICTURE_GAP) // 2)
        self.setViewportMargins(0, 0, rest - px(8) if fits and rest > px(8) else 0, 0)


class TypicalityView(QWidget):
    """Shows where each completion lies between the most typical and the strangest, by its bits."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._log_probs: tuple[float, ...] = ()
        self._chosen: float | None = None
        self.setMinimumWidth(theme.scaled(40))
        self.setAccessibleName("From the most typical to the strangest")
        theme.changed.connect(self.update)

    def show_log_probs(self, nats: Sequence[float], chosen: float | None) -> None:
        """Show the log probabilities of all finished completions, the most typical first, and of the chosen one."""
        self._log_probs = tuple(nats)
        self._chosen = chosen
        words = f"{len(nats)} completions, {format_bits(nats[0])} to {format_bits(nats[-1])}" if nats else ""
        self.setAccessibleDescription(words)
        set_tooltip(self, words)
        self.update()

    @guarded(QSize(120, 20))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(160), self._theme.scaled(20))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        middle = self.height() / 2
        radius = self._theme.scaled(5)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.colour("groove"), 2))
            painter.drawLine(QPointF(radius, middle), QPointF(self.width() - radius, middle))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("soft"))
            for nats in self._log_probs:
                painter.drawEllipse(QPointF(self._position_of(nats), middle), radius, radius)
            if self._chosen is not None:
                painter.setBrush(theme.colour("accent"))
                painter.drawEllipse(QPointF(self._position_of(self._chosen), middle), radius + 1, radius + 1)

    def _position_of(self, nats: float) -> float:
        radius = self._theme.scaled(5) + 1
        reach = self._log_probs[0] - self._log_probs[-1] if self._log_probs else 0.0
        share = (self._log_probs[0] - nats) / reach if reach > 0 else 0.0
        return radius + min(max(share, 0.0), 1.0) * (self.width() - 2 * radius)
