"""Find an action by its name."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.app.views.acts import Act, native
from studio.app.views.guard import guarded
from studio.app.views.theme import Look

KEYS = Qt.ItemDataRole.UserRole + 1


class _Row(QStyledItemDelegate):
    """The name at the left, its keys at the right."""

    def __init__(self, look: Look, parent: QObject) -> None:
        super().__init__(parent)
        self._look = look

    @guarded(QSize(100, 32))
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self._look.px(100), self._look.px(32))

    @guarded(None)
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        painter.save()
        painter.setFont(self._look.font(12))
        painter.setPen(self._look.colour("soft"))
        place = option.rect.adjusted(0, 0, -self._look.px(8), 0)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), index.data(KEYS))
        painter.restore()


class Finder(QFrame):
    """A field and the actions whose names hold what was typed; Enter does the chosen one."""

    left = Signal()

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent)
        self._look = look
        self._acts: list[Act] = []
        self.setProperty("role", "popup")
        self.setAccessibleName("Find an action")
        self.field = QLineEdit()
        self.field.setPlaceholderText("What do you want to do?")
        self.field.setAccessibleName("Find an action by its name")
        self.list = QListWidget()
        self.list.setProperty("role", "bare")
        self.list.setAccessibleName("Actions")
        self.list.setItemDelegate(_Row(look, self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.field)
        self._column.addWidget(self.list, 1)
        self.field.textChanged.connect(self._filter)
        self.field.returnPressed.connect(self._do)
        self.list.itemClicked.connect(self._do)
        self.field.installEventFilter(self)
        self.hide()

    def open(self, acts: Sequence[Act]) -> None:
        """With the actions that can be done now."""
        self._acts = list(acts)
        self.field.clear()
        self._filter("")
        px = self._look.px
        self._column.setContentsMargins(px(12), px(12), px(12), px(12))
        room = self.window().width()
        width = min(px(460), room - px(32))
        self.setGeometry((room - width) // 2, px(64), width, px(360))
        self.raise_()
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _filter(self, typed: str) -> None:
        words = typed.lower().split()
        self.list.clear()
        for place, act in enumerate(self._acts):
            if all(word in act.words.lower() for word in words):
                item = QListWidgetItem(act.words)
                item.setData(KEYS, native(act.keys[0]) if act.keys else "")
                item.setData(Qt.ItemDataRole.UserRole, place)
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{act.words}, {', '.join(map(native, act.keys))}")
                self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _do(self) -> None:
        item = self.list.currentItem()
        self.close_finder()
        if item is not None:
            self._acts[item.data(Qt.ItemDataRole.UserRole)].do()

    def close_finder(self) -> None:
        self.hide()
        self.left.emit()

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None:
                row = self.list.currentRow() + step
                self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close_finder()
                return True
        return False
