"""The picture of Explore: asked for one question at a time, with all it was made from."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.files.exporting import ExportItem
from studio.app.files.opening import to_model_shape
from studio.app.model_browser.model_list import file_hash
from studio.app.takes.start import Start
from studio.library import storage
from studio.library.models import InstalledModel
from studio.library.work import Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Decoded, DecodeLatent, Failed

DRAWN = frozenset({"model", "seed", "start", "sliders", "temperatures", "label"})
"""What of a record a picture depends on."""


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a picture is made from."""

    trained: InstalledModel
    seed: int
    start: Start | None
    sliders: tuple[float, ...]
    temperatures: tuple[float, ...]
    label: int | None

    def question(self, job: str) -> DecodeLatent:
        """What the engine is asked."""
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

    def work(self) -> Work:
        """All it takes to make the picture again, made now."""
        return Work(
            kind=self.trained.card.kind,
            model=self.trained.card.name,
            model_hash=file_hash(self.trained),
            seed=self.seed,
            temperature=self.temperatures,
            sliders=self.sliders,
            label=self.label,
            latent=self.start.latent if self.start is not None else None,
            source=self.start.source if self.start is not None else "",
            made=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def name(self) -> str:
        """A file name to suggest."""
        stem = Path(self.start.source).stem if self.start is not None else str(self.seed)
        return storage.clean_name(
            f"{self.trained.card.name}-{stem}.{'wav' if self.trained.card.kind == 'sound' else 'png'}"
        )


class Stage(State):
    """While a hand drags, one question is open and only the newest wish is kept. `wanted` gives what is set now."""

    def __init__(
        self,
        engine: EngineProtocol,
        messages: Messages,
        wanted: Callable[[], Scene | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages, self._wanted = messages, wanted
        self.picture: Value[Array | None] = Value(None, self)
        self.busy: Value[bool] = Value(False, self)
        """Whether a question is open."""
        self._shown: Scene | None = None
        """What the picture was made with; the sliders may be further by now."""
        self._asked: Scene | None = None
        """What the open question asks for."""
        self._resume = False
        """Whether the engine is still to be asked for the picture that was here before a restart."""
        self._request = Request(engine, "explore", "latest", self)
        self._request.answered.connect(self._show)
        self._request.stopped.connect(self._show_busy)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        engine.status_changed.connect(self._follow_engine)

    @property
    def piece(self) -> ExportItem | None:
        """The picture with all it takes to make it again, None while there is none."""
        picture, scene = self.picture.get(), self._shown
        return ExportItem(picture, scene.work(), scene.name()) if picture is not None and scene is not None else None

    @property
    def shown(self) -> Scene | None:
        """What the picture was made with."""
        return self._shown

    def ask(self) -> None:
        """Ask for the picture of what is set, now or when the open question has its answer."""
        self._request.ask(self._question)
        self._show_busy()

    def put(self, picture: Array) -> None:
        """Show a picture of what is set that is known already; the engine's answer replaces it in place."""
        scene = self._wanted()
        if scene is not None:
            self._shown = scene
            self.picture.set(to_model_shape(picture, scene.trained))

    def resume(self) -> None:
        """Ask as soon as there is an engine that can hear."""
        self._resume = True

    def _question(self, job: str) -> AnyCommand | None:
        self._asked = self._wanted()
        return self._asked.question(job) if self._asked is not None else None

    def _follow_engine(self, status: str) -> None:
        if self._resume and status != "Stopped":
            self._resume = False
            self.ask()

    def _show(self, event: AnyEvent) -> None:
        if isinstance(event, Decoded):
            self._shown = self._asked
            self._request.send_next()
            self.picture.set(event.picture)
        self._show_busy()

    def _show_failure(self, event: Failed) -> None:
        self._request.send_next()
        self._show_busy()
        self._fail(f"{event.reason} {event.hint}", "Try again")

    def _show_loss(self, why: str) -> None:
        """The engine died with the question open: the picture stays, drawing it again is offered."""
        self._show_busy()
        self._fail(f"{why} The picture on the stage may be older than the sliders.", "Draw it again")

    def _fail(self, said: str, button: str) -> None:
        """Show a message until another picture is requested."""
        self._messages.show_message(said.strip(), "failed", (button, self._again), until=(self.busy.changed,))

    def _show_busy(self) -> None:
        self.busy.set(self._request.running.get())

    def _again(self) -> None:
        self._request.start_engine()
        self.ask()
