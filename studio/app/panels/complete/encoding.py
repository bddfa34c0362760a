"""Finds the latents of completions, so that each can be saved as a work."""

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

STOPPED_TEXT = "Stopped before it was ready. The completion is still here."


@dataclass(frozen=True, eq=False)
class FinishedPicture:
    """Holds a finished picture and what made it."""

    picture: Array
    model: str
    model_hash: str
    seed: int
    label: int | None
    source: str
    """Name of the picture that was completed."""
    ancestors: tuple[str, ...] = ()
    """Keys of the take that it was, and of those before."""

    def to_export_item(self, encoded: Encoded) -> ExportItem:
        """Return the picture with everything needed to make it again."""
        latent = StoredArray.from_array(np.asarray(encoded.latent))
        return ExportItem(self.picture, replace(self.to_work(), label=encoded.label, latent=latent), self.file_name())

    def to_work(self) -> Work:
        """Return the recipe without a latent; it cannot make the picture again."""
        return Work(
            model=self.model,
            model_hash=self.model_hash,
            seed=self.seed,
            label=self.label,
            source=self.source,
            ancestors=self.ancestors,
            created=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def file_name(self) -> str:
        """Suggest a file name."""
        return storage.clean_name(f"{Path(self.source).stem or self.model}-{self.seed}.png")


OnEncoded = Callable[[list[ExportItem]], object]


class CompletionEncoder(State):
    """Encodes the pictures of one request at a time; the other requests wait."""

    def __init__(self, engine: EngineProtocol, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._requests: list[tuple[list[FinishedPicture], OnEncoded]] = []
        """What is asked for, with what is to be done with it; the first is at work."""
        self._export_items: list[ExportItem] = []
        """The pieces of the first that are ready."""
        self._request = Request(engine, "piece", "queue", self)
        self._request.answered.connect(self._keep)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)

    def encode(self, pictures: Sequence[FinishedPicture], on_encoded: OnEncoded) -> None:
        """Encode pictures, then call `then` with an export item for each."""
        if pictures:
            self._requests.append((list(pictures), on_encoded))
            for _ in pictures:
                self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        if not self._requests:  # some that were asked for were given up
            return None
        one = self._requests[0][0][len(self._export_items)]
        return Encode(job=job, model=one.model, picture=one.picture, label=one.label)

    def _keep(self, event: AnyEvent) -> None:
        made, then = self._requests[0]
        if isinstance(event, Encoded):
            self._export_items.append(made[len(self._export_items)].to_export_item(event))
        if len(self._export_items) == len(made):
            del self._requests[0]
            found = self._export_items
            self._export_items = []
            then(found)

    def _show_stop(self) -> None:
        self._drop_request(STOPPED_TEXT)

    def _show_failure(self, event: Failed) -> None:
        self._drop_request(f"{event.reason} {event.hint}")

    def _show_loss(self, why: str) -> None:
        """Offer to try again after the engine died."""
        self._drop_request(f"{why} The completion is still here.")

    def _drop_request(self, why: str) -> None:
        made, then = self._requests.pop(0)
        self._export_items = []
        self._messages.show_message(why.strip(), "failed", ("Try again", lambda: self.encode(made, then)))
