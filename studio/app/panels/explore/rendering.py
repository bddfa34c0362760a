"""Asks the engine for Explore's picture, one request at a time."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.core.text import timestamp
from studio.app.files.opening import to_model_shape
from studio.app.takes.start import Start
from studio.library import file_names
from studio.library.models import InstalledModel
from studio.library.work import Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Decoded, DecodeLatent, Failed

MAYBE_OLDER = "The picture on the stage may be older than the sliders."
RENDER_FIELDS = frozenset({"model", "seed", "start", "sliders", "temperatures", "label"})
"""The fields of a record on which a picture depends."""


@dataclass(frozen=True, eq=False)
class RenderInput:
    """Holds the input of a picture: model, start, class, sliders and temperatures."""

    trained: InstalledModel
    seed: int
    start: Start | None
    sliders: tuple[float, ...]
    temperatures: tuple[float, ...]
    label: int | None

    def to_command(self, job: str) -> DecodeLatent:
        """Return the engine's command."""
        return DecodeLatent(
            job=job,
            control="explore",
            model=self.trained.card.name,
            seed=self.seed,
            latent=self.start.latent.to_array() if self.start is not None else None,
            sliders=self.sliders,
            temperature=self.temperatures,
            label=self.label,
        )

    def to_work(self) -> Work:
        """Return everything needed to make the picture again, dated now."""
        return Work(
            medium=self.trained.card.medium,
            model=self.trained.card.name,
            model_hash=self.trained.file_hash_if_found,
            seed=self.seed,
            temperature=self.temperatures,
            sliders=self.sliders,
            label=self.label,
            palette=self.trained.card.palette,
            latent=self.start.latent if self.start is not None else None,
            source=self.start.source if self.start is not None else "",
            created=timestamp(),
        )

    def file_name(self) -> str:
        """Suggest a file name."""
        stem = Path(self.start.source).stem if self.start is not None else str(self.seed)
        return file_names.clean_name(
            f"{self.trained.card.name}-{stem}.{'wav' if self.trained.card.medium == 'sound' else 'png'}"
        )


class LiveRender(State):
    """Renders while the user drags: one request is open, and only the newest input waits."""

    def __init__(self, engine: EngineProtocol, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.picture: Value[Array | None] = Value(None, self)
        """(height, width, channels) uint8, or (samples,) int16: the newest answer."""
        self.busy: Value[bool] = Value(False, self)
        """Whether a request is open."""
        self.shown_input: RenderInput | None = None
        """The input of the visible picture. The sliders may have moved since."""
        self._asked: RenderInput | None = None
        """The input of the open request."""
        self._wanted: RenderInput | None = None
        """The newest input, which may still wait."""
        self._resume = False
        """Whether the picture from before a restart must still be requested."""
        self._request = Request(engine, "explore", "latest", self)
        self._request.answered.connect(self._show)
        self._request.stopped.connect(self._show_busy)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        engine.status_changed.connect(self._follow_engine)

    @property
    def artwork(self) -> Artwork | None:
        """Return the picture with everything needed to make it again; None if there is none."""
        picture = self.picture.get()
        scene = self.shown_input
        if picture is None or scene is None:
            return None
        return Artwork(picture, scene.to_work(), scene.file_name())

    def request_picture(self, scene: RenderInput | None) -> None:
        """Request a picture, now or after the open request; None requests nothing."""
        self._wanted = scene
        self._request.ask(self._question)
        self._show_busy()

    def set_picture(self, picture: Array, scene: RenderInput | None) -> None:
        """Show a known picture; the engine's answer replaces it in place."""
        if scene is not None:
            self.shown_input = scene
            self.picture.set(to_model_shape(picture, scene.trained))

    def request_when_ready(self, scene: RenderInput | None) -> None:
        """Request a picture as soon as the engine is ready."""
        self._wanted = scene
        self._resume = True

    def _question(self, job: str) -> AnyCommand | None:
        self._asked = self._wanted
        return self._asked.to_command(job) if self._asked is not None else None

    def _follow_engine(self, status: str) -> None:
        if self._resume and status != "Stopped":
            self._resume = False
            self.request_picture(self._wanted)

    def _show(self, event: AnyEvent) -> None:
        if isinstance(event, Decoded):
            self.shown_input = self._asked
            self._request.send_next()
            self.picture.set(event.picture)
        self._show_busy()

    def _show_failure(self, event: Failed) -> None:
        self._request.send_next()
        self._show_busy()
        self._offer_again(f"{event.reason} {event.hint}", "Try again")

    def _show_loss(self, why: str) -> None:
        """Keep the picture after the engine died during a request, and offer to draw it again."""
        self._show_busy()
        self._offer_again(f"{why} {MAYBE_OLDER}", "Draw it again")

    def _offer_again(self, said: str, button: str) -> None:
        """Show a message until another picture is requested."""
        self._messages.show_message(said.strip(), "failed", (button, self._retry), until=(self.busy.changed,))

    def _show_busy(self) -> None:
        self.busy.set(self._request.running.get())

    def _retry(self) -> None:
        self._request.start_engine()
        self.request_picture(self._wanted)
