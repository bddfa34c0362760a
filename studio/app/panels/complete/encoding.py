"""Completions as works: the engine finds the latent of each, which makes the whole of it again."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State
from studio.app.core.request import Request
from studio.app.files.exporting import ExportItem
from studio.library import storage
from studio.library.work import StoredArray, Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Encode, Encoded, Failed


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

    def piece(self, found: Encoded) -> ExportItem:
        """The picture with all it takes to make it again."""
        latent = StoredArray.from_array(np.asarray(found.latent))
        return ExportItem(self.picture, replace(self.work(), label=found.label, latent=latent), self.name())

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
        return storage.clean_name(f"{Path(self.source).stem or self.model}-{self.seed}.png")


Then = Callable[[list[ExportItem]], object]


class Pieces(State):
    """One question at a time; the others wait."""

    def __init__(self, engine: EngineProtocol, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._wanted: list[tuple[list[Made], Then]] = []
        """What is asked for, with what is to be done with it; the first is at work."""
        self._found: list[ExportItem] = []
        """The pieces of the first that are ready."""
        self._request = Request(engine, "piece", "queue", self)
        self._request.answered.connect(self._keep)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)

    def of(self, made: Sequence[Made], then: Then) -> None:
        """`then` gets a piece for each."""
        if made:
            self._wanted.append((list(made), then))
            for _ in made:
                self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        if not self._wanted:  # some that were asked for were given up
            return None
        one = self._wanted[0][0][len(self._found)]
        return Encode(job=job, model=one.model, picture=one.picture, label=one.label)

    def _keep(self, event: AnyEvent) -> None:
        made, then = self._wanted[0]
        if isinstance(event, Encoded):
            self._found.append(made[len(self._found)].piece(event))
        if len(self._found) == len(made):
            del self._wanted[0]
            found, self._found = self._found, []
            then(found)

    def _show_stop(self) -> None:
        self._give_up("Stopped before it was ready. The completion is still here.")

    def _show_failure(self, event: Failed) -> None:
        self._give_up(f"{event.reason} {event.hint}")

    def _show_loss(self, why: str) -> None:
        """The engine died meanwhile: asking again is offered."""
        self._give_up(f"{why} The completion is still here.")

    def _give_up(self, why: str) -> None:
        made, then = self._wanted.pop(0)
        self._found = []
        self._messages.show_message(why.strip(), "failed", ("Try again", lambda: self.of(made, then)))
