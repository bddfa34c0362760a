"""Jobs at work and waiting, with their progress and the time they still take."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from studio.app.states.value import Engine, State, Value
from studio.wire.messages import AnyEvent


@dataclass(frozen=True)
class Entry:
    """One job: `done` of `total` pictures; `share` 0 to 1 counts the half-drawn too."""

    job: str
    title: str
    done: int
    total: int
    share: float
    started: float | None
    """Seconds of the queue's clock, None while it waits."""
    seconds_left: float | None
    """An estimate, None until there is one."""


class Queue(State):
    """Jobs of this window: the running one first, then those that wait."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._engine = engine
        self._clock = clock
        self.entries: Value[tuple[Entry, ...]] = Value((), self)

    def add(self, job: str, title: str, total: int) -> None:
        """A job that was just sent."""

    def stop(self, job: str) -> None:
        """Stop a job; it goes when the engine says that it ended."""

    def drop(self, job: str) -> None:
        """A job that no engine knows any more."""

    def take(self, event: AnyEvent) -> None:
        pass


def about(seconds: float) -> str:
    """A time left for people: `about 9 s`, `about 4 min`, `about 2 h`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"
