"""Holds observable values, fields that store them, and the base of every state."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from PySide6.QtCore import QObject, Signal, SignalInstance

from studio.wire.messages import AnyCommand, AnyEvent

T = TypeVar("T")
Record = dict[str, Any]
"""A state as data that JSON can hold, for the next start or for undo."""


class Value(QObject, Generic[T]):
    """Holds one value. `changed` carries the new one, if it differs from the old."""

    changed = Signal(object)

    def __init__(self, initial: T, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._value = initial

    def get(self) -> T:
        return self._value

    def set(self, value: T) -> bool:
        """Set the value and return whether it changed.

        Arrays are compared by identity, so setting a picture costs nothing.
        """
        if is_same(self._value, value):
            return False
        self._value = value
        self.changed.emit(value)
        return True


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal. Arrays are equal only if they are the same object."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return False
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(is_same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


class Receiver(Protocol):
    """Defines the methods that the engine's client calls on a sender of commands."""

    def receive_at_once(self, event: AnyEvent, /) -> object:
        """Handle an event in the thread that reads the engine, before `receive`."""

    def receive(self, job: str, event: AnyEvent) -> None:
        """Handle an event of a job in the window's thread."""

    def lose(self, job: str, why: str) -> None:
        """Handle the death of the engine, which the sentence `why` explains. The job gets no ending."""


class EngineProtocol(Protocol):
    """Defines the part of an engine's client that states use.

    Signals: `command_sent(command)`; `event_received(event)`, each event, for lists of all jobs; `announced(event)`,
    only those of the engine itself, which answer no command; `status_changed(word)`; `lost(commands)`;
    `message_raised(sentence)` for the user.
    """

    now: str
    """The last status."""

    @property
    def command_sent(self) -> SignalInstance: ...
    @property
    def event_received(self) -> SignalInstance: ...
    @property
    def announced(self) -> SignalInstance: ...
    @property
    def status_changed(self) -> SignalInstance: ...
    @property
    def lost(self) -> SignalInstance: ...
    @property
    def message_raised(self) -> SignalInstance: ...
    def start(self) -> None: ...
    def use_computer(self, host: str) -> None: ...
    def send(self, command: AnyCommand, receiver: Receiver | None = None) -> None: ...
    def stop(self, job: str) -> None: ...
    def abandon(self, job: str) -> None: ...


REFUSALS = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)
"""The exceptions that a setter raises if a stored value makes no sense."""


@dataclass(frozen=True)
class Field:
    """Declares a part of a state that is stored for undo, for restarts, or both.

    Arguments
        get: returns its present value, as JSON can hold it
        set: gives it another value, or raises one of REFUSALS
        undo: whether steps of undo may name it
        restart: whether it comes back after a restart
    """

    name: str
    get: Callable[[], Any]
    set: Callable[[Any], object]
    undo: bool = True
    restart: bool = True

    @classmethod
    def of(cls, name: str, value: Value[T], kind: type[T], undo: bool = True) -> "Field":
        """Declare a value that is stored as it is. Stored values of another type than `kind` are refused."""
        return cls(name, value.get, lambda stored: value.set(of_type(kind, stored)), undo)

    def before(self, after: Any) -> Any:
        """Return what undoes a change to `after`: the present value."""
        return self.get()


@dataclass(frozen=True)
class Entries:
    """Declares values by key that several panels change. A step of undo holds only the entries that it changes.

    Arguments
        get: returns the present value of a key
        set: gives some keys other values, or raises one of REFUSALS
    """

    name: str
    get: Callable[[str], Any]
    set: Callable[[dict[str, Any]], object]
    undo = True
    restart = False

    def before(self, after: Mapping[str, Any]) -> Record:
        """Return what undoes a change to `after`: the present values of its keys."""
        return {key: self.get(key) for key in after}


Fields = Iterable[Field | Entries]


def values_before(fields: Fields, after: Mapping[str, Any]) -> Record:
    """Return a record that undoes a change of some fields to `after`."""
    return {field.name: field.before(after[field.name]) for field in fields if field.undo and field.name in after}


def set_fields(fields: Fields, record: Mapping[str, Any]) -> dict[str, Exception]:
    """Set the fields that a record names, in the order of the table. Return those refused, and why."""
    refused: dict[str, Exception] = {}
    for field in fields:
        if field.name in record:
            try:
                field.set(record[field.name])
            except REFUSALS as fault:
                refused[field.name] = fault
    return refused


def of_type(kind: type[T], stored: object) -> T:
    """Return a stored value if it is of this type. Raises TypeError."""
    if not isinstance(stored, kind):
        raise TypeError(f"{stored!r} is not of type {kind.__name__}")
    return stored


def one_of(choices: Iterable[T], stored: object) -> T:
    """Return the choice that was stored. Raises ValueError if it is none of them."""
    for choice in choices:
        if choice == stored:
            return choice
    raise ValueError(f"{stored!r} is none of the choices")


def within(stored: Any, least: float, most: float) -> float:
    """Return the nearest number in a range. Raises ValueError or TypeError if `stored` is not a number."""
    number = float(stored)
    if math.isnan(number):
        raise ValueError("not a number")
    return min(max(number, least), most)


class State(QObject):
    """Holds the truth of one part of the window: values, and methods that change them."""

    fields: Fields = ()
    """The stored parts of this state, in the order in which they are set. Declared once, at the end of `__init__`."""

    def snapshot(self) -> Record:
        """Return a record of all that is restored at the next start."""
        return {field.name: field.get() for field in self.fields if isinstance(field, Field) and field.restart}

    def restore(self, record: Record) -> None:
        """Restore a snapshot. Fields that are missing, unknown or refused change nothing.

        Raises ValueError at the end if any was refused.
        """
        refused = set_fields((field for field in self.fields if field.restart), record)
        if refused:
            raise ValueError(f"no sense in {refused}")
