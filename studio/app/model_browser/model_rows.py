"""Gives the models to Qt's lists: favourites first, then below their headings."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from studio.app.core.guard import guarded
from studio.app.model_browser.model_list import ModelList
from studio.library.card import Card
from studio.library.models import InstalledModel

Index = QModelIndex | QPersistentModelIndex

ModelFilter = Callable[[Any], bool]
"""Returns whether a list offers a model."""

ModelRemark = Callable[[Any], str]
"""Returns the text that a list adds to a model's card; empty for most models."""


def makes_no_recordings(trained: InstalledModel) -> bool:
    """Return whether a model makes whole pictures or waves. Recordings have a panel of their own."""
    return not trained.card.sample_rate


def no_remark(trained: InstalledModel) -> str:
    """Return an empty remark."""
    return ""


class ModelRows(QAbstractListModel):
    """Lists the models of a state: favourites first, and below headings if `headed`."""

    def __init__(
        self, models: ModelList, parent: QObject, model_filter: ModelFilter, remark: ModelRemark, headed: bool
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._filter = model_filter
        self._headed = headed
        self.remark = remark
        self._search_words: list[str] = []
        self.entries: tuple[Any, ...] = ()
        """The rows: models, and headings as text."""
        self.update_rows()
        models.cards.changed.connect(self.update_rows)

    def set_search(self, typed: str) -> None:
        """Keep only the models whose cards contain every typed word."""
        self._search_words = typed.lower().split()
        self.update_rows()

    def update_rows(self) -> None:
        self.beginResetModel()
        entries: list[Any] = []
        for heading, held in self._models.sections():
            found = [trained for trained in held if self._filter(trained) and self._matches(trained.card)]
            if found and self._headed:
                entries.append(heading)
            entries.extend(found)
        self.entries = tuple(entries)
        self.endResetModel()

    def _matches(self, card: Card) -> bool:
        parts = (
            card.title,
            card.subject,
            card.family_title,
            card.name,
            card.training_data,
            card.group_heading,
            card.sampling_text,
        )
        text = " ".join(parts).lower()
        return all(word in text for word in self._search_words)

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.entries)

    @guarded(Qt.ItemFlag.NoItemFlags)
    def flags(self, index: Index) -> Qt.ItemFlag:
        heading = not index.isValid() or isinstance(self.entries[index.row()], str)
        return Qt.ItemFlag.NoItemFlags if heading else super().flags(index)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entries[index.row()]
        if isinstance(entry, str):
            return entry if role == Qt.ItemDataRole.AccessibleTextRole else None
        card = entry.card
        if role == Qt.ItemDataRole.AccessibleTextRole:
            favourite = ", favourite" if card.name in self._models.favourites.get() else ""
            parts = (
                card.title,
                card.family_title,
                card.subject,
                self.remark(entry),
                card.sampling_text,
                card.short_held_out_text,
            )
            return f"{', '.join(filter(None, parts))}{favourite}"
        return (
            f"{card.name}: {card.subject}, {card.sampling_text}, {card.held_out_text}"
            if role == Qt.ItemDataRole.ToolTipRole
            else None
        )
