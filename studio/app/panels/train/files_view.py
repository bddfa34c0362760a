"""Lists files by name, each with its outcome and the reason."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTreeView

from studio.app.core.guard import guarded
from studio.app.panels.train.folder import USED, FolderScan
from studio.app.widgets.item_views import set_up_item_view
from studio.app.widgets.theme import Theme

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
ROW_HEIGHT = 24
_OUTCOMES = {"used": "used", "damaged": "used", "duplicate": "a copy", "left_out": "left out", "skipped": "skipped"}
"""The words for the outcomes of files."""


class _FileRows(QAbstractTableModel):
    """Holds numbers of files: the name in the first column, the outcome in the second."""

    def __init__(self, view: "FilesView", theme: Theme, folder: FolderScan) -> None:
        super().__init__(view)
        self._theme = theme
        self._folder = folder
        self.numbers: list[int] = []

    def show_numbers(self, numbers: list[int]) -> None:
        self.beginResetModel()
        self.numbers = numbers
        self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.numbers)

    @guarded(0)
    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else 2

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        number = self.numbers[index.row()]
        if number >= len(self._folder.files):
            return None
        file = self._folder.files[number]
        outcome, reason = self._folder.outcome_of(file)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == 1:
            return QColor(self._theme.colour("soft" if outcome in USED else "warn"))
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, self._theme.scaled(ROW_HEIGHT))
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                file.name
                if index.column() == 0
                else f"{_OUTCOMES[outcome]}: {reason}"
                if reason
                else _OUTCOMES[outcome]
            )
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{file.name} {reason or 'is used'}"
        return None


class FilesView(QTreeView):
    """Shows a line for each file."""

    def __init__(self, theme: Theme, folder: FolderScan) -> None:
        super().__init__()
        self._rows = _FileRows(self, theme, folder)
        self.setModel(self._rows)
        set_up_item_view(self, "Files and their outcomes")
        self.setRootIsDecorated(False)
        self.setItemsExpandable(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHeaderHidden(True)
        for column in (0, 1):
            self.header().setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        folder.excluded.changed.connect(self.viewport().update)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the listed files."""
        return self._rows.numbers

    def show_files(self, numbers: list[int]) -> None:
        if numbers != self._rows.numbers:
            self._rows.show_numbers(numbers)
