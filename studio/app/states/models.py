"""The trained models that can be chosen."""

from pathlib import Path

import numpy as np

from studio.app.states.value import State, Value
from studio.library import models
from studio.library.models import BadModel, Trained


class Models(State):
    """The cards of every trained model, and the sentences of those that were refused."""

    def __init__(self) -> None:
        super().__init__()
        self.cards: Value[tuple[Trained, ...]] = Value((), self)
        self.refused: Value[tuple[str, ...]] = Value((), self)
        self._covers: dict[Path, np.ndarray | None] = {}

    def refresh(self) -> None:
        """Look again into the models' folders."""
        found, refused = models.listing()
        self._covers.clear()
        self.cards.set(tuple(found))
        self.refused.set(tuple(refused))

    def find(self, name: str) -> Trained | None:
        """The model of this name, if it is here."""
        return next((trained for trained in self.cards.get() if trained.card.name == name), None)

    def with_hash(self, digest: str) -> Trained | None:
        """The model whose file has this hash, whatever it is called."""
        return next((trained for trained in self.cards.get() if hash_of(trained) == digest), None)

    def cover(self, name: str) -> np.ndarray | None:
        """(n, height, width, channels) uint8 pictures of a model's cover, None where it has none."""
        trained = self.find(name)
        if trained is None:
            return None
        if trained.path not in self._covers:
            try:
                cover = models.cover(trained.path)
            except BadModel:  # said already when the folders were looked into; a card without a cover is still a card
                cover = np.zeros((0, 1, 1, 3), np.uint8)
            self._covers[trained.path] = cover if len(cover) else None
        return self._covers[trained.path]


def hash_of(trained: Trained) -> str:
    """The hash of a model's file, empty where the file is gone."""
    try:
        return trained.hash
    except BadModel:
        return ""
