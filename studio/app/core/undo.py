"""Undo and redo as plain records, so that they outlive a restart."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from PySide6.QtCore import QObject

from studio.app.core.observable import Plain, State, Value

STEPS = 200
ENTRIES = 20_000
"""Of lists in all steps together, as the points of a curve that is drawn for minutes: every change is written down soon
after it, and a longer one would keep sound and window waiting. Beyond it the oldest steps are let go of."""
PAUSE = 0.6
"""Seconds: keys or turns of the wheel that follow each other faster are one gesture."""


@dataclass(frozen=True)
class Step:
    """One thing done: the part of the state it touched, before and after."""

    name: str
    before: Plain
    after: Plain
    gesture: str | None = None


class ChangeStep(Protocol):
    """Describes how the parts of a panel change its fields: see `PanelState.change` (studio/app/panels/base.py)."""

    def __call__(self, name: str, gesture: str | None = None, **values: object) -> None: ...


class History(State):
    """Steps that can be taken back and done again. `apply` puts a record's values into the state."""

    def __init__(
        self,
        apply: Callable[[Plain], object],
        parent: QObject | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._apply = apply
        self._clock = clock
        self._at = 0.0
        self._held: str | None = None
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self.can_undo: Value[bool] = Value(False, self)
        self.can_redo: Value[bool] = Value(False, self)
        self.undo_name: Value[str] = Value("", self)
        """For the tooltip: `warmth` makes "Undo warmth"."""
        self.redo_name: Value[str] = Value("", self)

    def do(self, name: str, before: Plain, after: Plain, gesture: str | None = None) -> None:
        """Keep a step that was just done. Steps of one gesture become one: while it is held, or while no pause
        comes between them. A gesture that ends where it began leaves no step."""
        now, last = self._clock(), self._done[-1] if self._done else None
        held = gesture is not None and gesture == self._held
        if not held and now - self._at > PAUSE:
            self._end()
            last = self._done[-1] if self._done else None
        self._at = now
        if gesture is not None and last is not None and last.gesture == gesture and not self._undone:
            before = last.before
            self._done.pop()
        self._undone.clear()
        if before != after:
            self._done.append(Step(name, before, after, gesture))
            del self._done[:-STEPS]
            while len(self._done) > 1 and sum(map(_entries, self._done)) > ENTRIES:
                del self._done[0]
        self._tell()

    def hold(self, gesture: str) -> None:
        """A hand begins a gesture, which ends only with `seal`, however long it pauses."""
        self._end()
        self._held = gesture

    def seal(self) -> None:
        """End the gesture: what comes next is a step of its own."""
        self._held = None
        self._end()

    def undo(self) -> None:
        self._turn(self._done, self._undone, lambda step: step.before)

    def redo(self) -> None:
        self._turn(self._undone, self._done, lambda step: step.after)

    def records(self) -> list[Plain]:
        """Every record that a step could still bring back."""
        return [record for step in (*self._done, *self._undone) for record in (step.before, step.after)]

    def snapshot(self) -> Plain:
        return {side: [[s.name, s.before, s.after] for s in steps] for side, steps in self._sides()}

    def restore(self, plain: Plain) -> None:
        found = {
            side: [Step(str(name), dict(before), dict(after)) for name, before, after in plain.get(side, [])]
            for side, _ in self._sides()
        }
        for side, steps in self._sides():
            steps[:] = found[side][-STEPS:]
        self._tell()

    def _sides(self) -> tuple[tuple[str, list[Step]], ...]:
        return ("done", self._done), ("undone", self._undone)

    def _end(self) -> None:
        if self._done and self._done[-1].gesture is not None:
            self._done[-1] = replace(self._done[-1], gesture=None)

    def _turn(self, source: list[Step], target: list[Step], side: Callable[[Step], Plain]) -> None:
        self.seal()
        if source:
            step = source.pop()
            target.append(step)
            self._apply(side(step))
        self._tell()

    def _tell(self) -> None:
        self.can_undo.set(bool(self._done))
        self.can_redo.set(bool(self._undone))
        self.undo_name.set(self._done[-1].name if self._done else "")
        self.redo_name.set(self._undone[-1].name if self._undone else "")


def _entries(step: Step) -> int:
    return sum(len(each) for record in (step.before, step.after) for each in record.values() if isinstance(each, list))
