"""Finds the latents of completions, so that each can be saved as a work."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs
from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State
from studio.app.core.request import Request
from studio.library.work import StoredArray
from studio.wire.messages import AnyCommand, AnyEvent, Encode, Encoded, Failed

STOPPED_TEXT = "Stopped before it was ready. The completion is still here."


OnEncoded = Callable[[list[Artwork]], object]


class CompletionEncoder(State):
    """Encodes the pictures of one request at a time; the other requests wait."""

    def __init__(self, engine: EngineProtocol, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._requests: list[tuple[list[Artwork], OnEncoded]] = []
        """The requests, each with the function that receives its artworks. The first is at work."""
        self._encoded: list[Artwork] = []
        """The artworks that are ready, in order."""
        self._request = Request(engine, "piece", "queue", self)
        self._request.answered.connect(self._keep)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)

    def encode(self, completions: Sequence[Artwork], on_encoded: OnEncoded) -> None:
        """Encode completions, then call `on_encoded` with artworks that can be made again.

        Pictures of another size than the model's have no latent, so they are passed on as they are.
        """
        if completions and completions[0].work.canvas_size is not None:
            on_encoded(list(completions))
        elif completions:
            self._requests.append((list(completions), on_encoded))
            for _ in completions:
                self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        if not self._requests:  # some that were asked for were given up
            return None
        one = self._requests[0][0][len(self._encoded)]
        return Encode(job=job, model=one.work.model, picture=one.array, label=one.work.label)

    def _keep(self, event: AnyEvent) -> None:
        made, then = self._requests[0]
        if isinstance(event, Encoded):
            self._encoded.append(with_latent(made[len(self._encoded)], event))
        if len(self._encoded) == len(made):
            del self._requests[0]
            found = self._encoded
            self._encoded = []
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
        self._encoded = []
        self._messages.show_message(why.strip(), "failed", ("Try again", lambda: self.encode(made, then)))


def with_latent(completion: Artwork, encoded: Encoded) -> Artwork:
    """Return a completion with the latent that makes it again."""
    latent = StoredArray.from_array(np.asarray(encoded.latent))
    return replace(completion, work=structs.replace(completion.work, label=encoded.label, latent=latent))
