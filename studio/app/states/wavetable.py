"""A wavetable between two takes: the engine makes its frames, and they are saved as synthesizers load them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states.messages import Messages
from studio.app.states.saving import Piece, Saving
from studio.app.states.shelf import Take
from studio.app.states.stage import Stage
from studio.app.states.value import Engine, State, Value
from studio.library import storage
from studio.library.work import Work
from studio.media.wavetable import FRAMES
from studio.wire import messages as wire
from studio.wire.messages import AnyCommand, AnyEvent, Array, Drawn, Ending, Failed, Finished, Point


class Wavetable(State):
    """One at a time, from the wave on the stage to a take of the same model."""

    def __init__(
        self,
        engine: Engine,
        messages: Messages,
        saving: Saving,
        stage: Stage,
        takes: Value[tuple[Take, ...]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine, self._messages, self._saving, self._stage, self._takes = engine, messages, saving, stage, takes
        self.making: Value[bool] = Value(False, self)
        self._wanted: tuple[Work, Work, Path] | None = None
        self._job = ""
        self._frames: dict[int, Array] = {}
        self._jobs = itertools.count(1)

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
        name = storage.clean(f"{Path(piece.name).stem}-to-take-{index + 1}.wav")
        return self._saving.name_for(Piece(piece.picture, piece.work.leading_to(self._takes.get()[index].work), name))

    def save(self, index: int, path: Path) -> None:
        """Save the way to a take as a wavetable. Says the outcome."""
        piece = self._stage.piece
        if piece is not None and index in self.partners() and not self.making.get():
            self._wanted = (piece.work, self._takes.get()[index].work, path)
            self._ask()

    def take(self, event: AnyEvent) -> None:
        if not self._job or getattr(event, "job", None) != self._job:
            return
        if isinstance(event, Drawn) and event.done == event.total:
            self._frames |= dict(enumerate(event.pictures, event.first))
        elif isinstance(event, Ending):
            self._end()
            if isinstance(event, Finished) and len(self._frames) == FRAMES:
                self._save()
            elif isinstance(event, Failed):
                self._fail(f"{event.why} {event.hint}")
            else:
                self._fail("The wavetable was not made to its end.")

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died while it made the frames."""
        if self._job and self._job in {command.job for command in commands}:
            self._end()
            self._fail(f"{why} The wavetable was not saved yet.")

    def _ask(self) -> None:
        if self._wanted is not None and not self.making.get():
            begin, end, _ = self._wanted
            self._job, self._frames = f"path-{next(self._jobs)}", {}
            self.making.set(True)
            way = wire.Path(job=self._job, model=begin.model, begin=_point(begin), end=_point(end), frames=FRAMES)
            self._engine.send(way)

    def _save(self) -> None:
        assert self._wanted is not None
        begin, end, path = self._wanted
        frames = np.stack([self._frames[number] for number in range(FRAMES)])
        self._frames = {}
        self._saving.one(Piece(frames, begin.leading_to(end), path.name), path)

    def _fail(self, why: str) -> None:
        self._messages.say(why.strip(), "failed", ("Try again", self._ask), until=(self.making.changed,))

    def _end(self) -> None:
        self._job = ""
        self.making.set(False)


def _point(work: Work) -> Point:
    return Point(
        seed=work.seed,
        latent=work.latent.array() if work.latent is not None else None,
        sliders=work.sliders,
        temperature=work.temperature,
        label=work.label,
    )
