"""Holds the past runs whose curves are drawn beside that of the visible run."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.observable import State, Value
from studio.app.panels.train.curve import Curve
from studio.library.runs import RunSummary
from studio.wire.messages import Array

MOST_COMPARED = 5
"""The most curves that can be told apart beside the visible one."""


@dataclass(frozen=True, eq=False)
class ComparedCurve:
    """Holds the curve of one past run: held-out bits, or smoothed training bits if it has none."""

    name: str
    """The name of its folder."""
    title: str
    points: Array
    """Step and bits per dimension of each point, (n, 2)."""

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

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(curve.name for curve in self.curves.get())

    def toggle(self, run: RunSummary) -> None:
        """Compare a run, or stop comparing it. If there are too many, the earliest choice is removed."""
        name = run.folder.name
        if name in self.names:
            self.remove(name)
        else:
            self.curves.set((*self.curves.get(), compared_curve(run))[-MOST_COMPARED:])

    def remove(self, name: str) -> None:
        """Stop comparing a run."""
        self.curves.set(tuple(curve for curve in self.curves.get() if curve.name != name))


def compared_curve(run: RunSummary) -> ComparedCurve:
    """Return the curve of a run as it is drawn beside another."""
    points = [(step, held_out) for step, _, held_out in run.curve if held_out is not None]
    if len(points) < 2:
        curve = Curve()
        curve.show_points(run.curve)
        return ComparedCurve(run.folder.name, run.config.title, np.stack((curve.steps, curve.smoothed), 1))
    return ComparedCurve(run.folder.name, run.config.title, np.array(points, float))
