"""Completions as works: the engine finds the latent of each, which makes the whole of it again."""

import datetime
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject

from studio.app.states.messages import Messages
from studio.app.states.saving import Piece
from studio.app.states.value import Engine, State
from studio.library import storage
from studio.library.work import Latent, Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Encode, Encoded, Ending, Failed, Stopped


@dataclass(frozen=True, eq=False)
class Made:
    """A finished picture, and what made it."""

    picture: Array
    model: str
    model_hash: str
    seed: int
    label: int | None
    source: str
    """Name of the picture that was completed."""
    came_from: tuple[str, ...] = ()
    """Keys of the take that it was, and of those before."""

    def piece(self, found: Encoded) -> Piece:
        """The picture with all it takes to make it again."""
        latent = Latent.of(np.asarray(found.latent))
        return Piece(self.picture, replace(self.work(), label=found.label, latent=latent), self.name())

    def work(self) -> Work:
        """The picture's recipe without its latent, so the picture cannot be made again from it."""
        return Work(
            model=self.model,
            model_hash=self.model_hash,
            seed=self.seed,
            label=self.label,
            source=self.source,
            came_from=self.came_from,
            made=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def name(self) -> str:
        """A file name to suggest."""
        return storage.clean(f"{Path(self.source).stem or self.model}-{self.seed}.png")


Then = Callable[[list[Piece]], object]


class Pieces(State):
    """One question at a time; the others wait."""

    def __init__(self, engine: Engine, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._messages = engine, messages
        self._jobs = itertools.count(1)
        self._wanted: list[tuple[list[Made], Then]] = []
        self._found: list[Piece] = []
        self._job = ""

    def of(self, made: Sequence[Made], then: Then) -> None:
        """`then` gets a piece for each."""
        if made:
            self._wanted.append((list(made), then))
            self._next()

    def take(self, event: AnyEvent) -> None:
        if not self._job or getattr(event, "job", None) != self._job:
            return
        made, then = self._wanted[0]
        if isinstance(event, Encoded):
            self._found.append(made[len(self._found)].piece(event))
        elif isinstance(event, Ending):
            self._job = ""
            if isinstance(event, Failed):
                self._give_up(f"{event.why} {event.hint}")
            elif isinstance(event, Stopped):
                self._give_up("Stopped before it was ready. The completion is still here.")
            elif len(self._found) == len(made):
                del self._wanted[0]
                found, self._found = self._found, []
                then(found)
            self._next()

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died meanwhile: asking again is offered."""
        if self._job and self._job in {command.job for command in commands}:
            self._job = ""
            self._give_up(f"{why} The completion is still here.")
            self._next()

    def _give_up(self, why: str) -> None:
        made, then = self._wanted.pop(0)
        self._found = []
        self._messages.say(why.strip(), "failed", ("Try again", lambda: self.of(made, then)))

    def _next(self) -> None:
        if self._wanted and not self._job:
            one = self._wanted[0][0][len(self._found)]
            self._job = f"piece-{next(self._jobs)}"
            self._engine.send(Encode(job=self._job, model=one.model, picture=one.picture, label=one.label))
