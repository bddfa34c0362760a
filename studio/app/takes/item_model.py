"""Gives the takes to Qt's views: as a tree, and as a row."""

from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractProxyModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from studio.app.core.artwork import Artwork
from studio.app.core.guard import guarded
from studio.app.takes import tree

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()


class TakeTreeModel(QAbstractItemModel):
    """Shows each take below the one that it came from. A place is its number in time."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.takes: tuple[Artwork, ...] = ()
        self.parents: tree.Parents = ()
        self.chosen: int | None = None
        self._children: dict[int | None, list[int]] = {}

    def set_takes(self, takes: tuple[Artwork, ...]) -> None:
        """Set the takes. New ones are added at the end; any other change resets the model."""
        up = tree.find_parents(takes)
        old = len(self.takes)
        if (
            len(takes) > old
            and all(a is b for a, b in zip(self.takes, takes, strict=False))
            and up[:old] == self.parents
        ):
            for place in range(old, len(takes)):
                siblings = self._children.setdefault(up[place], [])
                self.beginInsertRows(self.index_of(up[place]), len(siblings), len(siblings))
                self.takes = takes[: place + 1]
                self.parents = up[: place + 1]
                siblings.append(place)
                self.endInsertRows()
            return
        self.beginResetModel()
        self.takes = takes
        self.parents = up
        self._children = {}
        for place, parent in enumerate(up):
            self._children.setdefault(parent, []).append(place)
        self.endResetModel()

    def set_chosen(self, place: int | None) -> None:
        """Mark the take that the stage shows."""
        for changed in (self.chosen, place):
            self.chosen = place
            if changed is not None and changed < len(self.takes):
                self.dataChanged.emit(self.index_of(changed), self.index_of(changed))

    def place_of(self, index: Index) -> int:
        return int(index.internalId())

    def index_of(self, place: int | None) -> QModelIndex:
        if place is None or place >= len(self.takes):
            return QModelIndex()
        return self.createIndex(self._children[self.parents[place]].index(place), 0, place)

    def lineage(self) -> frozenset[int]:
        """Return the take on the stage and all that it came from."""
        if self.chosen is None or self.chosen >= len(self.takes):
            return frozenset()
        return frozenset(tree.path_to_root(self.parents, self.chosen))

    def caption_of(self, place: int) -> str:
        """Return how a take was made."""
        above = self.parents[place]
        return tree.take_caption(self.takes[place], self.takes[above] if above is not None else None)

    @guarded(NOWHERE)
    def index(self, row: int, column: int = 0, parent: Index = NOWHERE) -> QModelIndex:
        below = self._children.get(self.place_of(parent) if parent.isValid() else None, [])
        return self.createIndex(row, column, below[row]) if 0 <= row < len(below) and column == 0 else QModelIndex()

    @guarded(NOWHERE)
    def parent(self, index: Index = NOWHERE) -> QModelIndex:  # type: ignore[override]  # Qt has two of this name
        return self.index_of(self.parents[self.place_of(index)]) if index.isValid() else QModelIndex()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return len(self._children.get(self.place_of(parent) if parent.isValid() else None, []))

    @guarded(1)
    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() and parent.column() else 1

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        place = self.place_of(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.caption_of(place)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            text = tree.accessible_text(self.takes, self.parents, place, place == self.chosen)
            return text.replace("<", "‹")  # a tooltip must not read a file's name as markup
        return None


class TakeRowModel(QAbstractProxyModel):
    """Shows the same takes side by side, in the order in which they were kept."""

    def __init__(self, takes: TakeTreeModel, parent: QObject) -> None:
        super().__init__(parent)
        self.tree_model = takes
        self.setSourceModel(takes)
        takes.modelAboutToBeReset.connect(self.beginResetModel)
        takes.modelReset.connect(self.endResetModel)
        takes.rowsAboutToBeInserted.connect(self._begin_reset)
        takes.rowsInserted.connect(lambda: self.endInsertRows())
        takes.dataChanged.connect(self._on_changed)

    def place_of(self, index: Index) -> int:
        return index.row()

    def index_of(self, place: int | None) -> QModelIndex:
        return self.index(place) if place is not None else QModelIndex()

    def _begin_reset(self) -> None:
        self.beginInsertRows(QModelIndex(), len(self.tree_model.takes), len(self.tree_model.takes))

    def _on_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        at = self.mapFromSource(first)
        self.dataChanged.emit(at, at)

    @guarded(NOWHERE)
    def mapToSource(self, index: Index) -> QModelIndex:
        return self.tree_model.index_of(index.row()) if index.isValid() else QModelIndex()

    @guarded(NOWHERE)
    def mapFromSource(self, index: Index) -> QModelIndex:
        return self.index(self.tree_model.place_of(index)) if index.isValid() else QModelIndex()

    @guarded(NOWHERE)
    def index(self, row: int, column: int = 0, parent: Index = NOWHERE) -> QModelIndex:
        known = not parent.isValid() and 0 <= row < len(self.tree_model.takes) and column == 0
        return self.createIndex(row, column) if known else QModelIndex()

    @guarded(NOWHERE)
    def parent(self, index: Index = NOWHERE) -> QModelIndex:  # type: ignore[override]  # Qt has two of this name
        return QModelIndex() if index.isValid() else NOWHERE

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.tree_model.takes)

    @guarded(1)
    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else 1
