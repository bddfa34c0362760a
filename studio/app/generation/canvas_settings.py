"""Holds the size of the pictures of a model that draws any size."""

from typing import Any

from PySide6.QtCore import QObject

from studio.app.core.observable import Field, State, Value
from studio.app.core.undo import ChangeStep
from studio.library.models import InstalledModel
from studio.wire.messages import MAX_CANVAS_SIDE

FIRST_SIZE = (128, 128)
"""Height and width before the user sets them."""
MIN_SIDE = 16


class CanvasSettings(State):
    """Holds the size of a canvas and whether it is seamless. `change` sets them as steps of undo."""

    def __init__(self, change: ChangeStep, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._change = change
        self.available: Value[bool] = Value(False, self)
        """Whether the chosen model draws any size."""
        self.size: Value[tuple[int, int]] = Value(FIRST_SIZE, self)
        """(height, width)."""
        self.seamless: Value[bool] = Value(False, self)
        """Whether opposite edges continue each other."""
        self.fields = (
            Field("canvas_size", lambda: list(self.size.get()), self._use_size),
            Field.of("seamless", self.seamless, bool),
        )

    def set_model(self, trained: InstalledModel | None) -> None:
        self.available.set(trained is not None and trained.card.draws_any_size)

    def set_height(self, height: int) -> None:
        self._change("size", "size", canvas_size=[height, self.size.get()[1]])

    def set_width(self, width: int) -> None:
        self._change("size", "size", canvas_size=[self.size.get()[0], width])

    def set_seamless(self, on: bool) -> None:
        self._change("seamless", seamless=on)

    def chosen_size(self) -> tuple[int, int] | None:
        """Return the size (height, width) for a run that begins now; None for the model's own."""
        return self.size.get() if self.available.get() else None

    def _use_size(self, stored: Any) -> None:
        height, width = (min(max(int(side), MIN_SIDE), MAX_CANVAS_SIDE) for side in stored)
        self.size.set((height, width))
