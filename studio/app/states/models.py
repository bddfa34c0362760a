"""The trained models that can be chosen."""

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
        self._covers: dict[Trained, np.ndarray] = {}

    def refresh(self) -> None:
        """Look again into the models' folders."""
        found, refused = models.listing()
        self.cards.set(tuple(found))
        self.refused.set(tuple(refused))

    def find(self, name: str) -> Trained | None:
        """The model of this name, if it is here."""
        return next((t for t in self.cards.get() if t.card.name == name), None)

    def cover(self, name: str) -> np.ndarray | None:
        """(n, height, width, channels) uint8 pictures of a model's cover, None where it has none."""
