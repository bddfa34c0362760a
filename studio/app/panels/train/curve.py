"""Holds the curve of a run as arrays: training bits, the same smoothed, and held-out bits."""

from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import State, Value
from studio.app.panels.train import forecast
from studio.app.panels.train.forecast import StopRule
from studio.library.runs import CurvePoint
from studio.wire.messages import Array

SMOOTHED_POINTS = 40
SMOOTHED_SHARE = 8
"""The length of the moving average in points: an eighth of all so far, at most 40."""
FIRST_CAPACITY = 1024


class Curve(State):
    """Holds the points of a curve. The time to add one does not depend on their number."""

    grew = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = np.empty((FIRST_CAPACITY, 3))
        self._count = 0
        self._held_out: list[tuple[int, float]] = []
        self.rule: Value[StopRule | None] = Value(None, self)
        """The rule by which the run will end; None if it has ended."""

    @property
    def steps(self) -> Array:
        """Return the step of each point, (n,)."""
        return self._rows[: self._count, 0]

    @property
    def training(self) -> Array:
        """Return the bits per dimension of a training batch at each point, (n,)."""
        return self._rows[: self._count, 1]

    @property
    def smoothed(self) -> Array:
        """Return the moving average of the training bits, (n,)."""
        return self._rows[: self._count, 2]

    @property
    def points(self) -> list[CurvePoint]:
        """Return all points as they were added."""
        held_out = dict(self._held_out)
        steps = [int(step) for step in self.steps]
        return [(step, float(bits), held_out.get(step)) for step, bits in zip(steps, self.training, strict=True)]

    @property
    def held_out(self) -> Array:
        """Return step and bits per dimension of held-out artworks, (n, 2)."""
        return np.array(self._held_out, float).reshape(-1, 2)

    @property
    def best(self) -> tuple[int, float] | None:
        """Return step and bits of the best held-out figure; None if none was measured."""
        return min(self._held_out, key=lambda point: point[1]) if self._held_out else None

    @property
    def stop_step(self) -> int | None:
        """Return the step at which the run stops by itself unless it gets better; None if it never does."""
        rule = self.rule.get()
        return forecast.stop_step(self.held_out, rule) if rule is not None else None

    @property
    def forecast(self) -> Array:
        """Return predicted steps and held-out bits, (n, 2)."""
        rule = self.rule.get()
        return forecast.forecast(self.held_out, rule.steps if rule is not None else 0)

    def show_points(self, points: Iterable[CurvePoint]) -> None:
        """Replace all points."""
        self._count = 0
        self._held_out = []
        for point in points:
            self._append(*point)
        self.grew.emit()

    def add_point(self, step: int, training: float, held_out: float | None) -> None:
        """Add a point. If the run went back to an earlier step, the points after that are dropped."""
        while self._count and self._rows[self._count - 1, 0] >= step:
            self._count -= 1
        self._held_out = [point for point in self._held_out if point[0] < step]
        self._append(step, training, held_out)
        self.grew.emit()

    def _append(self, step: int, training: float, held_out: float | None) -> None:
        if self._count == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        before = self._rows[self._count - 1, 2] if self._count else training
        share = 2.0 / (1 + min(1 + self._count // SMOOTHED_SHARE, SMOOTHED_POINTS))
        self._rows[self._count] = step, training, before + share * (training - before)
        self._count += 1
        if held_out is not None:
            self._held_out.append((step, held_out))

    def nearest(self, step: float) -> tuple[int, float, float, float | None] | None:
        """Return the point nearest to a step: its step, training bits, smoothed bits, and the last held-out bits."""
        if not self._count:
            return None
        place = min(int(np.searchsorted(self.steps, step)), self._count - 1)
        if place and abs(self.steps[place - 1] - step) < abs(self.steps[place] - step):
            place -= 1
        at = int(self.steps[place])
        measured = [bits for measured_at, bits in self._held_out if measured_at <= at]
        return at, float(self.training[place]), float(self.smoothed[place]), measured[-1] if measured else None
