"""The strip of takes."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QMenu,
    QSpacerItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.app.views.cards import draw_thumbnail, thumbnail
from studio.app.views.controls import Button, Label, tip
from studio.app.views.guard import guarded
from studio.app.views.theme import Look

Index = QModelIndex | QPersistentModelIndex
EMPTY = "What you keep stays here, each with the way back to how it was made."


class _Rows(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.takes: tuple[Any, ...] = ()

    def put(self, takes: tuple[Any, ...]) -> None:
        """New takes come at the end; for anything else the list is read anew."""
        old = len(self.takes)
        if len(takes) > old and all(a is b for a, b in zip(self.takes, takes, strict=False)):
            self.beginInsertRows(QModelIndex(), old, len(takes) - 1)
            self.takes = takes
            self.endInsertRows()
        else:
            self.beginResetModel()
            self.takes = takes
            self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.takes)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return None
        work = self.takes[index.row()].work
        start = f"from {work.source}" if work.source else f"seed {work.seed}"
        words = f"Take {index.row() + 1}, {start}"
        return words.replace("<", "‹")  # a tooltip must not read a file's name as markup


class _TakePainter(QStyledItemDelegate):
    def __init__(self, view: "TakeList", look: Look, rows: _Rows) -> None:
        super().__init__(view)
        self._view, self._look, self._rows = view, look, rows
        self._drawn: dict[int, tuple[Any, int, QPixmap]] = {}
        look.changed.connect(self._drawn.clear)  # waves are drawn in its colours

    @guarded(QSize(76, 76))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.step()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, look, side = index.row(), self._look, self._view.side()
        rect: QRect = option.rect
        place = QRect(rect.x() + look.px(6), rect.y() + look.px(6), side, side)
        take = self._rows.takes[row]
        kept = self._drawn.get(row)
        if kept is None or kept[0] is not take or kept[1] != side:
            pixmap = thumbnail(take.picture, side, self._view.devicePixelRatioF(), look)
            kept = self._drawn[row] = (take, side, pixmap)
        painter.save()
        painter.fillRect(place, look.colour("window"))
        draw_thumbnail(painter, kept[2], place)
        if row == self._view.currentIndex().row():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(place).adjusted(-3, -3, 3, 3), look.px(4), look.px(4))
        painter.restore()


class TakeList(QListView):
    """A row of takes; `chose`, `dropped` and `led`, which asks for a wavetable, carry the index of one."""

    chose = Signal(int)
    dropped = Signal(int)
    led = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.compact = False
        self.rows = _Rows(self)
        self.setModel(self.rows)
        self.setItemDelegate(_TakePainter(self, look, self.rows))
        self.setProperty("role", "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setStyleSheet("activate-on-singleclick: 0;")
        self.setAccessibleName("Takes")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self._menu(self.indexAt(at)))
        self.clicked.connect(lambda index: self.chose.emit(index.row()))
        self.activated.connect(lambda index: self.chose.emit(index.row()))

    def side(self) -> int:
        return self._look.px(48 if self.compact else 64)

    def step(self) -> QSize:
        return QSize(self.side() + self._look.px(12), self.side() + self._look.px(12))

    def show_current(self, index: int | None) -> None:
        self.setCurrentIndex(self.rows.index(index) if index is not None else QModelIndex())
        if index is not None:
            self.scrollTo(self.rows.index(index))
        self.viewport().update()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.currentIndex().isValid():
            self.dropped.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def _menu(self, index: QModelIndex) -> None:
        if index.isValid():
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addAction("Show", lambda: self.chose.emit(index.row()))
            if self.rows.takes[index.row()].picture.ndim == 1:
                menu.addAction("Wavetable from the stage to this…", lambda: self.led.emit(index.row()))
            menu.addAction("Take off the strip", lambda: self.dropped.emit(index.row()))
            menu.popup(self.viewport().mapToGlobal(self.visualRect(index).center()))


class Strip(QWidget):
    """Takes, and the place where the next one goes."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.head = Label("Takes", "heading")
        self.list = TakeList(look)
        self.keep = Button(look, "", "square", "plus", "Keep as take", "Keep what is on the stage as a take", "Ctrl+S")
        self.hint = Label(EMPTY, "note", wrap=True)
        tip(self.hint, EMPTY)
        self._row = QHBoxLayout()
        self._row.addWidget(self.list)
        self._gap = QSpacerItem(0, 0)
        self._row.addItem(self._gap)
        self._row.addWidget(self.keep)
        self._row.addSpacing(16)
        self._row.addWidget(self.hint, 1)
        self._row.addStretch()
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.head)
        self._column.addLayout(self._row)
        self._column.addStretch(1)
        look.changed.connect(self._lay_out)
        self._lay_out()

    def show_takes(self, takes: Sequence[Any]) -> None:
        self.list.rows.put(tuple(takes))
        self.hint.setVisible(not takes)
        self._lay_out()

    def set_compact(self, compact: bool) -> None:
        """Small thumbnails, where the window is low."""
        self.list.compact = compact
        self.head.setVisible(not compact)
        self._lay_out()

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        px, step, count = self._look.px, self.list.step(), len(self.list.rows.takes)
        self._column.setContentsMargins(px(10), px(8), px(16), px(4))
        self._column.setSpacing(px(2))
        self.head.setContentsMargins(px(6), 0, 0, 0)
        self._row.setSpacing(0)
        room = self.width() - px(26) - self.list.side() - px(12)
        self.list.setFixedSize(max(0, min(count * step.width(), room)), step.height())
        self.list.setVisible(count > 0)
        self._gap.changeSize(px(6) if count else 0, 0)
        self.keep.setFixedSize(self.list.side(), self.list.side())
        self._row.setContentsMargins(0 if count else px(6), 0 if count else px(6), 0, 0 if count else px(6))
        self.list.doItemsLayout()
