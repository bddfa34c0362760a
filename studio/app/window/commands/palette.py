"""Finds an action, a control, a model or a setting by its name (Ctrl+K)."""

import contextlib
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.app.core.guard import guarded
from studio.app.widgets.controls import Label, announce
from studio.app.widgets.theme import Theme
from studio.app.window.commands.targets import Target

NOTE_ROLE = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex


class _TargetRows(QAbstractListModel):
    """Holds the targets that were found. With the items of a QListWidget, clearing it ended in a segmentation fault."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.targets: list[Target] = []

    def show_targets(self, targets: list[Target]) -> None:
        """Replace the targets that are shown."""
        self.beginResetModel()
        self.targets = targets
        self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.targets)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        target = self.targets[index.row()]
        texts: dict[int, str] = {
            Qt.ItemDataRole.DisplayRole: target.title,
            Qt.ItemDataRole.AccessibleTextRole: f"{target.title}, {target.note}",
            NOTE_ROLE: target.note,
        }
        return texts.get(role)


class _TargetPainter(QStyledItemDelegate):
    """Paints a target: its name at the left, its note at the right."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    @guarded(QSize(100, 32))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self._theme.scaled(100), self._theme.scaled(32))

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        painter.save()
        painter.setFont(self._theme.font(12))
        painter.setPen(self._theme.colour("soft"))
        place = option.rect.adjusted(0, 0, -self._theme.scaled(8), 0)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), index.data(NOTE_ROLE))
        painter.restore()


class CommandPalette(QFrame):
    """Shows a field and the targets that contain the typed words; Enter runs the current one."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._targets: list[Target] = []
        self._before: QWidget | None = None
        """The widget that had the focus before and receives it again."""
        self.setProperty("role", "popup")
        self.setAccessibleName("Find")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find an action, a control, a model or a setting")
        self.field.setAccessibleName("Find an action, a control, a model or a setting")
        self.none = Label("", "note", wrap=True)
        self.found = _TargetRows(self)
        self.list = QListView()
        self.list.setModel(self.found)
        self.list.setProperty("role", "bare")
        self.list.setAccessibleName("Found")
        self.list.setItemDelegate(_TargetPainter(theme, self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.field)
        self._column.addWidget(self.none)
        self._column.addWidget(self.list, 1)
        self.field.textChanged.connect(self._show_matches)
        self.field.returnPressed.connect(self._run_target)
        self.list.clicked.connect(self._run_target)
        self.field.installEventFilter(self)
        self.hide()

    def open_palette(self, targets: Sequence[Target]) -> None:
        """Open the palette with everything that can be found now."""
        self._targets = list(targets)
        self._before = QApplication.focusWidget()
        self.field.clear()
        self._show_matches("")
        px = self._theme.scaled
        self._column.setContentsMargins(px(12), px(12), px(12), px(12))
        room = self.window().size()
        width = min(px(460), room.width() - px(32))
        height = min(px(360), room.height() - px(80))
        self.setGeometry((room.width() - width) // 2, px(64), width, height)
        self.raise_()
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _show_matches(self, typed: str) -> None:
        """Show the targets that contain every word; first those that begin with the typed text."""
        words = typed.lower().split()
        begin = typed.strip().lower()
        found = [target for target in self._targets if target.matches(words)]
        found.sort(key=lambda target: not target.title.lower().startswith(begin))
        self.found.show_targets(found)
        self._select_row(0)
        self.none.setText("" if found else f'Nothing here is called "{typed.strip()}".')
        self.none.setVisible(not found)
        announce(self.field, self.none.text())

    def _select_row(self, row: int) -> None:
        """Select a row, or the nearest one that exists."""
        self.list.setCurrentIndex(self.found.index(min(max(row, 0), len(self.found.targets) - 1)))

    def _run_target(self) -> None:
        row = self.list.currentIndex().row()
        if row >= 0:
            self.close_palette()
            self.found.targets[row].run()

    def close_palette(self) -> None:
        self.hide()
        with contextlib.suppress(RuntimeError):  # the widget may be deleted by now
            if self._before is not None and self._before.isVisible():
                self._before.setFocus(Qt.FocusReason.OtherFocusReason)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None:
                self._select_row(self.list.currentIndex().row() + step)
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close_palette()
                return True
        return False
