"""A job that a person waits for: asked of the engine, in the queue, changed while it runs, ended or lost."""

import itertools
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject

from studio.app.states.queue import Queue, about
from studio.app.states.value import Engine, State, Value
from studio.wire.messages import AnyCommand, AnyEvent, Steer


class Errand(State):
    """One at a time. Whose it is hears the engine, and says when it ends.

    Arguments
        verb: what its jobs are called by; no other errand's may be called so
    """

    def __init__(self, engine: Engine, queue: Queue, verb: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._queue, self._verb = engine, queue, verb
        self.running: Value[bool] = Value(False, self)
        self.job = ""
        """Its name, empty where none runs."""
        self._status = "Starting"
        self._jobs, self._steers = itertools.count(1), itertools.count(1)

    @property
    def ready(self) -> bool:
        """Whether there is an engine that can do it."""
        return self._status in ("Ready", "Working")

    @property
    def left(self) -> str:
        """The time that it still takes, for people; empty while nobody knows."""
        entry = self._queue.entry(self.job)
        return about(entry.seconds_left) if entry is not None and entry.seconds_left is not None else ""

    def name(self) -> str:
        """For the job of the next command."""
        return f"{self._verb}-{next(self._jobs)}"

    def send(self, command: AnyCommand, title: str, count: int = 1) -> None:
        """Ask for so many pictures, as the queue has them by this title."""
        self.job = command.job
        self._queue.add(command.job, title, count)
        self.running.set(True)
        if self._status == "Stopped":  # after too many crashes it waits for a person, who has just asked
            self._engine.start()
        self._engine.send(command)

    def steer(self, hand: str = "", **changes: Any) -> None:
        """Change what it is made by, from now on. A newer change by the same hand may replace an older one of this job,
        never one of another job."""
        if self.job:
            name = f"steer-{next(self._steers)}-{self.job}"
            self._engine.send(Steer(job=name, hand=f"{hand}-{self.job}" if hand else "", running=self.job, **changes))

    def stop(self) -> None:
        """Stop now; what is drawn is kept."""
        if self.job:
            self._engine.stop(self.job)

    def end(self) -> None:
        """It is over."""
        self.job = ""
        self.running.set(False)

    # ── what the engine says ─────────────────────────────────────────────────────────────────────

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self._status = status

    def hears(self, event: AnyEvent) -> bool:
        """Whether that is said of it."""
        return bool(self.job) and getattr(event, "job", None) == self.job

    def is_lost(self, commands: Sequence[AnyCommand]) -> bool:
        """Whether it is among what a dead engine left unanswered; then the queue has it no more."""
        lost = bool(self.job) and any(command.job == self.job for command in commands)
        if lost:
            self._queue.drop(self.job)
        return lost
