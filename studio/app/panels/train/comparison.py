"""Holds the past runs whose curves are drawn beside that of the visible run.

Bits per dimension and bits per sample share no axis, so only runs with the same unit are compared.
"""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.observable import State, Value
from studio.app.panels.train.curve import Curve
from studio.app.panels.train.shown_run import ShownRun
from studio.library.runs import RunSummary
from studio.wire.messages import Array

MOST_COMPARED = 5
"""The most curves that can be told apart beside the visible one."""
TrainingSource = tuple[str, tuple[int, ...], int]
"""What a run learns from: the folder, and the shape and the rate of its artworks."""


@dataclass(frozen=True, eq=False)
class ComparedCurve:
    """Holds the curve of one past run: held-out bits, or smoothed training bits if it has none."""

    name: str
    """The name of its folder."""
    title: str
    points: Array
    """Step and bits of each point, (n, 2)."""
    source: TrainingSource

    @property
    def unit(self) -> str:
        return unit_of(self.source)

    def bits_at(self, step: float) -> float | None:
        """Return its bits at a step, between its points; None outside."""
        steps = self.points[:, 0]
        if not len(steps) or not steps[0] <= step <= steps[-1]:
            return None
        return float(np.interp(step, steps, self.points[:, 1]))


class RunComparison(State):
    """Holds the compared curves, in the order in which they were chosen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.curves: Value[tuple[ComparedCurve, ...]] = Value((), self)
        self._shown: TrainingSource | None = None
        """What the visible run learns from; None without one."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(curve.name for curve in self.curves.get())

    def follow_run(self, shown: ShownRun | None) -> None:
        """Compare with another visible run. Curves with another unit are left out."""
        self._shown = None
        if shown is not None:
            self._shown = (shown.source, shown.shape, shown.sample_rate)
            self.curves.set(tuple(curve for curve in self.curves.get() if curve.unit == self.unit))

    @property
    def unit(self) -> str:
        """Return the unit of what is drawn; empty if nothing is."""
        if self._shown is not None:
            return unit_of(self._shown)
        curves = self.curves.get()
        return curves[0].unit if curves else ""

    def fault(self, run: RunSummary) -> str:
        """Return why a run cannot be compared with what is drawn; nothing if it can."""
        own = unit_of(_source_of(run))
        return f"Cannot be compared: it has {own}, not {self.unit}" if self.unit not in ("", own) else ""

    def has_other_data(self, source: TrainingSource) -> bool:
        """Return whether a run learned from other data than the visible one."""
        return self._shown is not None and source != self._shown

    def toggle(self, run: RunSummary) -> None:
        """Compare a run, or stop comparing it. If there are too many, the earliest choice is removed."""
        name = run.folder.name
        if name in self.names:
            self.remove(name)
        elif not self.fault(run):
            self.curves.set((*self.curves.get(), compared_curve(run))[-MOST_COMPARED:])

    def remove(self, name: str) -> None:
        """Stop comparing a run."""
        self.curves.set(tuple(curve for curve in self.curves.get() if curve.name != name))


def unit_of(source: TrainingSource) -> str:
    """Return the unit of a run's bits. Only recordings have a rate."""
    _, _, rate = source
    return "bits per sample" if rate else "bits per dimension"


def compared_curve(run: RunSummary) -> ComparedCurve:
    """Return the curve of a run as it is drawn beside another."""
    points = np.array([(step, held_out) for step, _, held_out in run.curve if held_out is not None], float)
    if len(points) < 2:
        curve = Curve()
        curve.show_points(run.curve)
        points = np.stack((curve.steps, curve.smoothed), 1)
    return ComparedCurve(run.folder.name, run.config.title, points, _source_of(run))


def _source_of(run: RunSummary) -> TrainingSource:
    return run.source, run.config.shape, run.config.sample_rate
