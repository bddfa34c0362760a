"""A wavetable between two takes: the engine makes its frames, and they are saved as synthesizers load them."""

from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.files.exporting import Exporter, ExportItem
from studio.app.panels.explore.rendering import Stage
from studio.app.takes.store import Take
from studio.library import storage
from studio.library.work import Work
from studio.media.sounds.wavetable import FRAME_COUNT
from studio.wire import messages as wire
from studio.wire.messages import AnyCommand, AnyEvent, Array, Failed, LatentPoint, PicturesPreview


class Wavetable(State):
    """One at a time, from the wave on the stage to a take of the same model."""

    def __init__(
        self,
        engine: EngineProtocol,
        messages: Messages,
        saving: Exporter,
        stage: Stage,
        takes: Value[tuple[Take, ...]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages, self._saving, self._stage, self._takes = messages, saving, stage, takes
        self._request = Request(engine, "path", "single", self)
        self._request.progressed.connect(self._keep)
        self._request.answered.connect(self._use_answer)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        self.making: Value[bool] = self._request.running
        self._wanted: tuple[Work, Work, Path] | None = None
        self._frames: dict[int, Array] = {}

    def partners(self) -> tuple[int, ...]:
        """The takes that it can lead to."""
        piece = self._stage.piece
        if piece is None or piece.work.kind != "sound":
            return ()
        takes = enumerate(self._takes.get())
        return tuple(index for index, take in takes if take.work.model_hash == piece.work.model_hash)

    def name_of(self, index: int) -> str:
        """A file name to suggest for the way to a take; empty where there is none."""
        piece = self._stage.piece
        if piece is None or index not in self.partners():
            return ""
        name = storage.clean_name(f"{Path(piece.name).stem}-to-take-{index + 1}.wav")
        return self._saving.name_for(
            ExportItem(piece.picture, piece.work.wavetable_to(self._takes.get()[index].work), name)
        )

    def save(self, index: int, path: Path) -> None:
        """Save the way to a take as a wavetable. Says the outcome."""
        piece = self._stage.piece
        if piece is not None and index in self.partners() and not self.making.get():
            self._wanted = (piece.work, self._takes.get()[index].work, path)
            self._ask()

    def _ask(self) -> None:
        self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        if self._wanted is None:
            return None
        begin, end, _ = self._wanted
        self._frames = {}
        return wire.Interpolate(job=job, model=begin.model, begin=_point(begin), end=_point(end), frames=FRAME_COUNT)

    def _keep(self, event: AnyEvent) -> None:
        if isinstance(event, PicturesPreview) and event.done == event.total:
            self._frames |= dict(enumerate(event.pictures, event.first))

    def _use_answer(self, event: AnyEvent) -> None:
        if len(self._frames) == FRAME_COUNT:
            self._save()
        else:
            self._show_stop()

    def _show_stop(self) -> None:
        self._fail("The wavetable was not made to its end.")

    def _show_failure(self, event: Failed) -> None:
        self._fail(f"{event.reason} {event.hint}")

    def _show_loss(self, why: str) -> None:
        self._fail(f"{why} The wavetable was not saved yet.")

    def _save(self) -> None:
        assert self._wanted is not None
        begin, end, path = self._wanted
        frames = np.stack([self._frames[number] for number in range(FRAME_COUNT)])
        self._frames = {}
        self._saving.export_item(ExportItem(frames, begin.wavetable_to(end), path.name), path)

    def _fail(self, why: str) -> None:
        self._messages.show_message(why.strip(), "failed", ("Try again", self._ask), until=(self.making.changed,))


def _point(work: Work) -> LatentPoint:
    return LatentPoint(
        seed=work.seed,
        latent=work.latent.to_array() if work.latent is not None else None,
        sliders=work.sliders,
        temperature=work.temperature,
        label=work.label,
    )
