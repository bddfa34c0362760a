"""The takes as Qt's views read them: a tree, and the same takes in a row."""

from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractProxyModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from studio.app.core.guard import guarded
from studio.app.takes import tree
from studio.app.takes.store import Take

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()


class TakeModel(QAbstractItemModel):
    """Each take below the one that it came from. `place` numbers them as they were kept."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.takes: tuple[Take, ...] = ()
        self.up: tree.Parents = ()
        self.chosen: int | None = None
        self._below: dict[int | None, list[int]] = {}

    def put(self, takes: tuple[Take, ...]) -> None:
        """New takes come at the end, so that nothing moves; for anything else all is read anew."""
        up, old = tree.parents(takes), len(self.takes)
        if len(takes) > old and all(a is b for a, b in zip(self.takes, takes, strict=False)) and up[:old] == self.up:
            for place in range(old, len(takes)):
                siblings = self._below.setdefault(up[place], [])
                self.beginInsertRows(self.index_of(up[place]), len(siblings), len(siblings))
                self.takes, self.up = takes[: place + 1], up[: place + 1]
                siblings.append(place)
                self.endInsertRows()
            return
        self.beginResetModel()
        self.takes, self.up, self._below = takes, up, {}
        for place, above in enumerate(up):
            self._below.setdefault(above, []).append(place)
        self.endResetModel()

    def choose(self, place: int | None) -> None:
        """The stage shows this take."""
        for changed in (self.chosen, place):
            self.chosen = place
            if changed is not None and changed < len(self.takes):
                self.dataChanged.emit(self.index_of(changed), self.index_of(changed))

    def place(self, index: Index) -> int:
        return int(index.internalId())

    def index_of(self, place: int | None) -> QModelIndex:
        if place is None or place >= len(self.takes):
            return QModelIndex()
        return self.createIndex(self._below[self.up[place]].index(place), 0, place)

    def lit(self) -> frozenset[int]:
        """The take on the stage and all that it came from."""
        known = self.chosen is not None and self.chosen < len(self.takes)
        return frozenset(tree.way(self.up, self.chosen)) if known and self.chosen is not None else frozenset()

    def words(self, place: int) -> str:
        """What makes this take."""
        above = self.up[place]
        return tree.words(self.takes[place], self.takes[above] if above is not None else None)

    @guarded(NOWHERE)
    def index(self, row: int, column: int = 0, parent: Index = NOWHERE) -> QModelIndex:
        below = self._below.get(self.place(parent) if parent.isValid() else None, [])
        return self.createIndex(row, column, below[row]) if 0 <= row < len(below) and column == 0 else QModelIndex()

    @guarded(NOWHERE)
    def parent(self, index: Index = NOWHERE) -> QModelIndex:  # type: ignore[override]  # Qt has two of this name
        return self.index_of(self.up[self.place(index)]) if index.isValid() else QModelIndex()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return len(self._below.get(self.place(parent) if parent.isValid() else None, []))

    @guarded(1)
    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() and parent.column() else 1

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        place = self.place(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.words(place)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            said = tree.spoken(self.takes, self.up, place, place == self.chosen)
            return said.replace("<", "‹")  # a tooltip must not read a file's name as markup
        return None


class TakeRow(QAbstractProxyModel):
    """The same takes beside each other, in the order in which they were kept."""

    def __init__(self, takes: TakeModel, parent: QObject) -> None:
        super().__init__(parent)
        self.of = takes
        self.setSourceModel(takes)
        takes.modelAboutToBeReset.connect(self.beginResetModel)
        takes.modelReset.connect(self.endResetModel)
        takes.rowsAboutToBeInserted.connect(self._begin)
        takes.rowsInserted.connect(lambda: self.endInsertRows())
        takes.dataChanged.connect(self._changed)

    def _begin(self) -> None:
        self.beginInsertRows(QModelIndex(), len(self.of.takes), len(self.of.takes))

    def _changed(self, first: QModelIndex, last: QModelIndex) -> None:
        at = self.mapFromSource(first)
        self.dataChanged.emit(at, at)

    @guarded(NOWHERE)
    def mapToSource(self, index: Index) -> QModelIndex:
        return self.of.index_of(index.row()) if index.isValid() else QModelIndex()

    @guarded(NOWHERE)
    def mapFromSource(self, index: Index) -> QModelIndex:
        return self.index(self.of.place(index)) if index.isValid() else QModelIndex()

    @guarded(NOWHERE)
    def index(self, row: int, column: int = 0, parent: Index = NOWHERE) -> QModelIndex:
        known = not parent.isValid() and 0 <= row < len(self.of.takes) and column == 0
        return self.createIndex(row, column) if known else QModelIndex()

    @guarded(NOWHERE)
    def parent(self, index: Index = NOWHERE) -> QModelIndex:  # type: ignore[override]  # Qt has two of this name
        return QModelIndex() if index.isValid() else NOWHERE

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.of.takes)

    @guarded(1)
    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else 1
