"""Stores steps of undo as plain records, so that they survive a restart."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from PySide6.QtCore import QObject

from studio.app.core.observable import Record, State, Value

MAX_STEPS = 200
MAX_ENTRIES = 20_000
"""The most list entries in all steps together; beyond it the oldest steps are dropped.

A curve that is drawn for minutes has many points. Every change is written to disk soon, and longer lists would keep the
sound and the window waiting."""
GESTURE_PAUSE = 0.6
"""Seconds. Keys or turns of the wheel that follow each other faster are one gesture."""


@dataclass(frozen=True)
class UndoStep:
    """Describes one change: the part of the state that it touched, before and after."""

    name: str
    before: Record
    after: Record
    gesture: str | None = None


class ChangeStep(Protocol):
    """Describes how the parts of a panel change its fields: see `PanelState.change` (studio/app/panels/base.py)."""

    def __call__(self, name: str, gesture: str | None = None, **values: object) -> None: ...


class UndoHistory(State):
    """Holds steps that can be undone and redone. `apply` sets a record's values in the state."""

    def __init__(
        self,
        apply: Callable[[Record], object],
        parent: QObject | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._apply = apply
        self._clock = clock
        self._last_time = 0.0
        self._open_gesture: str | None = None
        self._done: list[UndoStep] = []
        self._undone: list[UndoStep] = []
        self.can_undo: Value[bool] = Value(False, self)
        self.can_redo: Value[bool] = Value(False, self)
        self.undo_name: Value[str] = Value("", self)
        """The name of the next step to undo, for the tooltip: `warmth` makes "Undo warmth"."""
        self.redo_name: Value[str] = Value("", self)

    def add_step(self, name: str, before: Record, after: Record, gesture: str | None = None) -> None:
        """Add a step that was just done.

        Steps of one gesture become one step: while the gesture is open, or while no pause comes between them. A gesture
        without a net change leaves no step.
        """
        now = self._clock()
        last = self._done[-1] if self._done else None
        held = gesture is not None and gesture == self._open_gesture
        if not held and now - self._last_time > GESTURE_PAUSE:
            self._close_gesture()
            last = self._done[-1] if self._done else None
        self._last_time = now
        if gesture is not None and last is not None and last.gesture == gesture and not self._undone:
            before = last.before
            self._done.pop()
        self._undone.clear()
        if before != after:
            self._done.append(UndoStep(name, before, after, gesture))
            del self._done[:-MAX_STEPS]
            while len(self._done) > 1 and sum(map(_entry_count, self._done)) > MAX_ENTRIES:
                del self._done[0]
        self._update_values()

    def begin_gesture(self, gesture: str) -> None:
        """Begin a gesture, which ends only with `end_gesture`, however long it pauses."""
        self._close_gesture()
        self._open_gesture = gesture

    def end_gesture(self) -> None:
        """End the gesture. The next change is then a separate step."""
        self._open_gesture = None
        self._close_gesture()

    def undo(self) -> None:
        self._move_step(self._done, self._undone, lambda step: step.before)

    def redo(self) -> None:
        self._move_step(self._undone, self._done, lambda step: step.after)

    def records(self) -> list[Record]:
        """Return every record that a step could still restore."""
        return [record for step in (*self._done, *self._undone) for record in (step.before, step.after)]

    def snapshot(self) -> Record:
        return {side: [[s.name, s.before, s.after] for s in steps] for side, steps in self._sides()}

    def restore(self, record: Record) -> None:
        restored = {
            side: [UndoStep(str(name), dict(before), dict(after)) for name, before, after in record.get(side, [])]
            for side, _ in self._sides()
        }
        for side, steps in self._sides():
            steps[:] = restored[side][-MAX_STEPS:]
        self._update_values()

    def _sides(self) -> tuple[tuple[str, list[UndoStep]], ...]:
        return ("done", self._done), ("undone", self._undone)

    def _close_gesture(self) -> None:
        if self._done and self._done[-1].gesture is not None:
            self._done[-1] = replace(self._done[-1], gesture=None)

    def _move_step(self, source: list[UndoStep], target: list[UndoStep], side: Callable[[UndoStep], Record]) -> None:
        self.end_gesture()
        if source:
            step = source.pop()
            target.append(step)
            self._apply(side(step))
        self._update_values()

    def _update_values(self) -> None:
        self.can_undo.set(bool(self._done))
        self.can_redo.set(bool(self._undone))
        self.undo_name.set(self._done[-1].name if self._done else "")
        self.redo_name.set(self._undone[-1].name if self._undone else "")


def _entry_count(step: UndoStep) -> int:
    return sum(len(each) for record in (step.before, step.after) for each in record.values() if isinstance(each, list))
