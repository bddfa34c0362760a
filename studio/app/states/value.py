"""Values that tell when they change, and the ground of every state that holds them."""

from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from PySide6.QtCore import QObject, Signal, SignalInstance

from studio.wire.messages import AnyCommand, AnyEvent

T = TypeVar("T")
Plain = dict[str, Any]
"""Data that JSON can hold: what a state gives to be kept over a restart."""


class Value(QObject, Generic[T]):
    """One value; `changed` carries the new one, and only when it differs from the old."""

    changed = Signal(object)

    def __init__(self, start: T, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._value = start

    def get(self) -> T:
        return self._value

    def set(self, value: T) -> bool:
        """Whether it changed. Arrays are compared by identity, so a picture costs nothing to set."""
        if same(self._value, value):
            return False
        self._value = value
        self.changed.emit(value)
        return True


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal; arrays only where they are the same object."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return False
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


class Receiver(Protocol):
    """Describes what the engine's client needs of one that asks: a place to deliver the events of its jobs."""

    def receive_at_once(self, event: AnyEvent, /) -> object:
        """Handle an event in the thread that reads the engine, before `receive`."""

    def receive(self, job: str, event: AnyEvent) -> None:
        """Handle an event of a job in the window's thread."""

    def lose(self, job: str, why: str) -> None:
        """Handle the death of the engine, told in the sentence `why`. The job gets no ending."""


class Engine(Protocol):
    """Describes what a state needs of an engine.

    Signals: `asked(command)`; `happened(event)`, each event, for lists of all jobs; `announced(event)`, only those of
    the engine itself, which answer no command; `status(word)`; `lost(commands)`; `said(sentence)` for the user.
    """

    now: str
    """The last `status`."""

    @property
    def asked(self) -> SignalInstance: ...
    @property
    def happened(self) -> SignalInstance: ...
    @property
    def announced(self) -> SignalInstance: ...
    @property
    def status(self) -> SignalInstance: ...
    @property
    def lost(self) -> SignalInstance: ...
    @property
    def said(self) -> SignalInstance: ...
    def start(self) -> None: ...
    def send(self, command: AnyCommand, receiver: Receiver | None = None) -> None: ...
    def stop(self, job: str) -> None: ...
    def abandon(self, job: str) -> None: ...


class State(QObject):
    """The truth of one part of the window: values, and intentions in verbs."""

    def snapshot(self) -> Plain:
        """All that is to be kept over a restart."""
        return {}

    def restore(self, plain: Plain) -> None:
        """Become what `snapshot` described; what is missing or makes no sense keeps its present value."""
