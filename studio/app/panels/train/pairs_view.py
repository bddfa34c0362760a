"""Shows samples beside the training artworks that are nearest to them."""

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.core.guard import guarded
from studio.app.panels.train.pairs import SamplePair
from studio.app.widgets.item_views import set_up_item_view
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
SIDE = 96
GAP = 16
LINE = 20
"""Logical pixels of a thumbnail, of the gap between two pairs, and of the words below a pair."""


class _Pairs(QAbstractListModel):
    def __init__(self, view: "PairsView") -> None:
        super().__init__(view)
        self.pairs: tuple[SamplePair, ...] = ()

    def show(self, pairs: tuple[SamplePair, ...]) -> None:
        self.beginResetModel()
        self.pairs = pairs
        self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.pairs)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self.pairs[index.row()].description
        return None


class _PairPainter(QStyledItemDelegate):
    def __init__(self, view: "PairsView", theme: Theme) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme

    @guarded(QSize(SIDE, SIDE))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        px = self._theme.scaled
        return QSize(2 * px(SIDE) + px(GAP), px(SIDE) + px(LINE) + px(GAP))

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        pair = self._view.pairs[index.row()]
        side = theme.scaled(SIDE)
        rect: QRect = option.rect
        for place, artwork in enumerate((pair.sample, pair.nearest)):
            box = QRect(rect.x() + 3 + place * side, rect.y() + 3, side, side)
            painter.fillRect(box, theme.colour("window"))
            draw_thumbnail(painter, self._view.pixmap(artwork), box)
        painter.save()
        frame = QRect(rect.x() + 2, rect.y() + 2, 2 * side + 1, side + 1)
        if pair.is_copy or self._view.currentIndex() == index:
            painter.setPen(QPen(theme.colour("warn" if pair.is_copy else "accent"), 2))
            painter.drawRect(frame)
        painter.setFont(theme.font(12, 600 if pair.is_copy else 400))
        painter.setPen(theme.colour("warn" if pair.is_copy else "soft"))
        line = QRect(rect.x() + 3, rect.y() + side + 6, 2 * side, theme.scaled(LINE))
        text = painter.fontMetrics().elidedText(pair.caption, Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.restore()


class PairsView(QListView):
    """Lists pairs, the nearest first. `chosen` carries the index of a pair, and 1 for its training artwork."""

    chosen = Signal(int, int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._drawn: dict[int, tuple[np.ndarray, QPixmap]] = {}
        self._model = _Pairs(self)
        self.setModel(self._model)
        self.setItemDelegate(_PairPainter(self, theme))
        set_up_item_view(self, "Samples, each beside the training artwork nearest to it")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        theme.changed.connect(self._drawn.clear)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    @property
    def pairs(self) -> tuple[SamplePair, ...]:
        return self._model.pairs

    def show_pairs(self, pairs: tuple[SamplePair, ...]) -> None:
        """Show pairs in their order."""
        self._drawn.clear()
        self._model.show(pairs)

    def pixmap(self, artwork: np.ndarray) -> QPixmap:
        """Return the thumbnail of an artwork."""
        known = self._drawn.get(id(artwork))
        if known is None or known[0] is not artwork:
            drawn = picture_thumbnail(artwork, self._theme.scaled(SIDE), self.devicePixelRatioF(), self._theme)
            known = self._drawn[id(artwork)] = (artwork, drawn)
        return known[1]

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        if event.button() == Qt.MouseButton.LeftButton and self.indexAt(at).isValid():
            self.chosen.emit(self.indexAt(at).row(), self._side_at(at))

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex().row(), 0)
        else:
            super().keyPressEvent(event)

    def _side_at(self, at: QPoint) -> int:
        """Return 0 over the sample of a pair, 1 over its training artwork."""
        return int(at.x() - self.visualRect(self.indexAt(at)).x() > self._theme.scaled(SIDE))
