"""Jobs at work and waiting, with their progress and the time they still take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from studio.app.states.value import Engine, State, Value
from studio.wire.messages import AnyEvent, Drawn, Failed, Finished, Pulse, Stopped


@dataclass(frozen=True)
class Entry:
    """One job: `done` of `total` pictures, 0 where it has no end; `share` 0 to 1 counts the half-drawn too."""

    job: str
    title: str
    done: int
    total: int
    share: float
    started: float | None
    """Seconds of the queue's clock when it was first heard of, None while it waits."""
    seconds_left: float | None
    """An estimate, None until there is one."""
    share_at_start: float = 0.0
    """What was done when it was first heard of: speed is measured from there, not from the wait before."""
    said: str = ""
    """How far it is, of a job without an end."""


class Queue(State):
    """Jobs of this window: the running one first, then those that wait."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._engine = engine
        self._clock = clock
        self.entries: Value[tuple[Entry, ...]] = Value((), self)
        self._stops: dict[str, Callable[[], object]] = {}
        """How to stop the jobs that the window does itself."""

    def add_own(self, job: str, title: str, total: int, stop: Callable[[], object]) -> None:
        """A job that the window does itself. `count` says how far it is, `drop` that it ended."""
        self._stops[job] = stop
        self.add(job, title, total)

    def count(self, job: str, done: int) -> None:
        """So much of a job of the window's own is done."""
        self._advance(job, done, float(done))

    def add(self, job: str, title: str, total: int) -> None:
        """A job that was just sent."""
        self.entries.set((*self.entries.get(), Entry(job, title, 0, total, 0.0, None, None)))

    def add_endless(self, job: str, title: str) -> None:
        """A job that was just sent and ends when it is stopped; it comes before all that have an end."""
        self.entries.set((Entry(job, title, 0, 0, 0.0, None, None), *self.entries.get()))

    def tell(self, job: str, said: str) -> None:
        """How far a job without an end is, in words."""
        self.entries.set(tuple(replace(e, said=said) if e.job == job else e for e in self.entries.get()))

    def stop(self, job: str) -> None:
        """Stop a job; it goes when the engine says that it ended, or whoever does it."""
        if job in self._stops:
            self._stops[job]()
        elif self.entry(job) is not None:
            self._engine.stop(job)

    def drop(self, job: str) -> None:
        """A job that ended, or that no engine knows any more."""
        self._stops.pop(job, None)
        self.entries.set(tuple(entry for entry in self.entries.get() if entry.job != job))

    def entry(self, job: str) -> Entry | None:
        return next((entry for entry in self.entries.get() if entry.job == job), None)

    def take(self, event: AnyEvent) -> None:
        match event:
            case Pulse(job=str(job)):
                self._advance(job)
            case Drawn(job=job, first=first, pictures=pictures, done=done, total=total):
                finished = first + len(pictures) if done == total else first
                self._advance(job, finished, first + len(pictures) * done / max(total, 1))
            case Finished(job=job) | Stopped(job=job) | Failed(job=job):
                self.drop(job)
            case _:
                pass

    def _advance(self, job: str, finished: int | None = None, drawn: float | None = None) -> None:
        entry = self.entry(job)
        if entry is None:
            return
        share = entry.share if drawn is None else min(1.0, drawn / max(entry.total, 1))
        if entry.started is None:
            entry = replace(entry, started=self._clock(), share_at_start=share)
        entry = replace(entry, share=share, done=entry.done if finished is None else finished)
        entry = replace(entry, seconds_left=self._left(entry))
        self.entries.set(tuple(entry if old.job == job else old for old in self.entries.get()))

    def _left(self, entry: Entry) -> float | None:
        passed = self._clock() - (entry.started if entry.started is not None else self._clock())
        gained = entry.share - entry.share_at_start
        return passed * (1.0 - entry.share) / gained if gained > 0 and passed > 0 else entry.seconds_left


def about(seconds: float) -> str:
    """A time left for people: `about 9 s`, `about 4 min`, `about 2 h`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"
