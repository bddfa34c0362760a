"""Undo and redo as plain records, so that they outlive a restart."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject

from studio.app.states.value import Plain, State, Value

STEPS = 200


@dataclass(frozen=True)
class Step:
    """One thing done: the part of the state it touched, before and after."""

    name: str
    before: Plain
    after: Plain
    gesture: str | None = None


class History(State):
    """Steps that can be taken back and done again. `apply` puts a record's values into the state."""

    def __init__(self, apply: Callable[[Plain], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._apply = apply
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self.can_undo: Value[bool] = Value(False, self)
        self.can_redo: Value[bool] = Value(False, self)
        self.undo_name: Value[str] = Value("", self)
        """For the tooltip: `warmth` makes "Undo warmth"."""
        self.redo_name: Value[str] = Value("", self)

    def do(self, name: str, before: Plain, after: Plain, gesture: str | None = None) -> None:
        """Keep a step that was just done; steps of one gesture become one, until it is sealed."""
        last = self._done[-1] if self._done else None
        if gesture is not None and last is not None and last.gesture == gesture and not self._undone:
            before = last.before
            self._done.pop()
        self._undone.clear()
        if before != after:
            self._done.append(Step(name, before, after, gesture))
            del self._done[:-STEPS]
        self._tell()

    def seal(self) -> None:
        """End the gesture: what comes next is a step of its own."""
        if self._done and self._done[-1].gesture is not None:
            last = self._done[-1]
            self._done[-1] = Step(last.name, last.before, last.after)

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
        for side, steps in self._sides():
            steps[:] = [Step(str(n), dict(b), dict(a)) for n, b, a in plain.get(side, [])][-STEPS:]
        self._tell()

    def _sides(self) -> tuple[tuple[str, list[Step]], ...]:
        return ("done", self._done), ("undone", self._undone)

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
