"""Makes a wavetable between two takes, and saves it in the form that synthesizers load."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.files.exporting import Exporter
from studio.app.panels.explore.rendering import LiveRender
from studio.library import file_names
from studio.library.work import Work
from studio.media.sounds.wavetable import FRAME_COUNT
from studio.wire import messages as wire
from studio.wire.messages import AnyCommand, AnyEvent, Array, Failed, LatentPoint, PicturesPreview


class WavetableExport(State):
    """Makes one wavetable at a time, from the wave on the stage to a take of the same model."""

    def __init__(
        self,
        engine: EngineProtocol,
        messages: Messages,
        exporter: Exporter,
        render: LiveRender,
        takes: Value[tuple[Artwork, ...]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._exporter = exporter
        self._render = render
        self._takes = takes
        self._request = Request(engine, "path", "single", self)
        self._request.progressed.connect(self._keep)
        self._request.answered.connect(self._use_answer)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        self.running: Value[bool] = self._request.running
        self._job_input: tuple[Work, Work, Path] | None = None
        self._frames: dict[int, Array] = {}

    def target_takes(self) -> tuple[int, ...]:
        """Return the takes to which a wavetable can lead."""
        scene = self._render.shown_input
        if scene is None or scene.trained.card.medium != "sound":
            return ()
        model_hash = scene.trained.file_hash_if_found
        return tuple(index for index, take in enumerate(self._takes.get()) if take.work.model_hash == model_hash)

    def save_wavetable(self, index: int) -> None:
        """Ask where to save a wavetable to a take, make it and save it."""
        begin = self._render.artwork
        if begin is None or index not in self.target_takes() or self.running.get():
            return
        end = self._takes.get()[index].work
        name = file_names.clean_name(f"{Path(begin.name).stem}-to-take-{index + 1}.wav")
        proposed = self._exporter.name_for(replace(begin, work=begin.work.wavetable_to(end), name=name))
        self._messages.file_requested.emit(proposed, lambda path: self._start(begin.work, end, path))

    def _start(self, begin: Work, end: Work, path: Path) -> None:
        if not self.running.get():
            self._job_input = (begin, end, path)
            self._send_job()

    def _send_job(self) -> None:
        self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        if self._job_input is None:
            return None
        begin, end, _ = self._job_input
        self._frames = {}
        return wire.Interpolate(
            job=job, model=begin.model, begin=_latent_of(begin), end=_latent_of(end), frames=FRAME_COUNT
        )

    def _keep(self, event: AnyEvent) -> None:
        if isinstance(event, PicturesPreview) and event.done == event.total:
            self._frames |= dict(enumerate(event.pictures, event.first))

    def _use_answer(self, event: AnyEvent) -> None:
        if len(self._frames) == FRAME_COUNT:
            self._save_frames()
        else:
            self._show_stop()

    def _show_stop(self) -> None:
        self._offer_again("The wavetable was not finished.")

    def _show_failure(self, event: Failed) -> None:
        self._offer_again(f"{event.reason} {event.hint}")

    def _show_loss(self, why: str) -> None:
        self._offer_again(f"{why} The wavetable was not saved yet.")

    def _save_frames(self) -> None:
        assert self._job_input is not None
        begin, end, path = self._job_input
        frames = np.stack([self._frames[number] for number in range(FRAME_COUNT)])
        self._frames = {}
        self._exporter.export_artwork(Artwork(frames, begin.wavetable_to(end), path.name), path)

    def _offer_again(self, why: str) -> None:
        self._messages.show_message(why.strip(), "failed", ("Try again", self._send_job), until=(self.running.changed,))


def _latent_of(work: Work) -> LatentPoint:
    return LatentPoint(
        seed=work.seed,
        latent=work.latent.to_array() if work.latent is not None else None,
        sliders=work.sliders,
        temperature=work.temperature,
        label=work.label,
    )
