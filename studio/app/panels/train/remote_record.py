"""Keeps on this computer what a training on another one reports: its progress, its samples and its model."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from studio.library import models, runs, storage
from studio.library.runs import ComparedSamples, CurvePoint, RunOutcome, RunPlace, RunProgress, RunSamples
from studio.library.storage import NotSaved
from studio.wire.messages import ModelPiece, TrainingProgress

SECONDS_BETWEEN_SAVES = 5.0
"""Seconds after which the curve is written again. More of it would be lost only if this computer fails."""


class RemoteRunRecord(QObject):
    """Writes the folder of one run, in another thread. Its checkpoints stay on the other computer.

    The folder begins with the first step, because a run that has learned nothing is not kept. What the disk refuses of
    progress and samples is left out; a model that cannot be saved is reported.

    Signals: `model_saved` a model's name, and whether the training has ended; `model_refused` a sentence.
    """

    model_saved = Signal(str, bool)
    model_refused = Signal(str)
    _written = Signal(str, bool, str)
    """Carries a model's name, whether the training has ended, and why the model was not saved, to this thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, "record")
        self._folder = Path()
        self._begin: Callable[[], object] = lambda: None
        self._has_begun = False
        self._points: list[CurvePoint] = []
        self._progress: TrainingProgress | None = None
        self._saved_at = 0.0
        self._file = bytearray()
        self._file_hash = ""
        self.is_saving_model = False
        self._written.connect(self._report, Qt.ConnectionType.QueuedConnection)

    def open(
        self, folder: Path, place: RunPlace, config: dict[str, Any], source: str, points: list[CurvePoint]
    ) -> None:
        """Record a run from now on. `points`: its curve so far."""
        self._folder = folder
        self._begin = partial(runs.write_place, folder, place, config, source)
        self._has_begun = False
        self._points = list(points)
        self._progress = None
        self._file = bytearray()

    def add_progress(self, event: TrainingProgress) -> None:
        """Keep a point of the curve, and write all from time to time."""
        if not self._has_begun:
            self._has_begun = True
            self._write(self._begin)
            self._write(partial(runs.forget_outcome, self._folder))
        while self._points and self._points[-1][0] >= event.step:  # it continues from an earlier checkpoint
            self._points.pop()
        self._points.append((event.step, event.loss, event.held_out))
        self._progress = event
        if time.monotonic() - self._saved_at >= SECONDS_BETWEEN_SAVES:
            self.save_progress()

    def save_progress(self) -> None:
        """Write the curve as far as it is known."""
        event = self._progress
        if event is not None:
            self._saved_at = time.monotonic()
            progress = RunProgress(event.step, event.seconds, tuple(self._points))
            self._write(partial(runs.write_progress, self._folder, progress))

    def add_samples(self, samples: RunSamples) -> None:
        self._write(partial(runs.write_samples, self._folder, samples))

    def add_compared(self, compared: ComparedSamples) -> None:
        self._write(partial(runs.write_compared, self._folder, compared))

    def add_piece(self, event: ModelPiece) -> None:
        """Add the next piece of the model's file."""
        if event.first_byte == 0:
            self._file = bytearray()
        self._file += event.data.tobytes()
        self._file_hash = event.file_hash

    def save_model(self, name: str, is_final: bool) -> None:
        """Write the model whose pieces have arrived among the user's own."""
        file = self._file
        self._file = bytearray()
        self.is_saving_model = True
        expected = self._file_hash
        step = self._progress.step if self._progress is not None else self._points[-1][0] if self._points else 0
        folder = self._folder

        def write() -> None:
            why = ""
            if storage.hash_bytes(file) != expected:
                why = f'"{name}" was damaged on its way.'
            else:
                path = storage.home_folder("models") / f"{name}{models.MODEL_SUFFIX}"
                try:
                    storage.write_file(path, file)
                    if is_final:
                        card = models.find_model(str(path)).card
                        runs.write_outcome(folder, RunOutcome(step=step, value=card.value, exact=card.exact))
                except (NotSaved, models.BadModel) as error:
                    why = str(error)
            with contextlib.suppress(RuntimeError):  # the window may be gone by now
                self._written.emit(name, is_final, why)

        if is_final:
            self.save_progress()
        self._pool.submit(write)

    def close(self) -> None:
        """Wait until everything is written."""
        self.save_progress()
        self._pool.shutdown()

    def _write(self, write: Callable[[], object]) -> None:
        def task() -> None:
            with contextlib.suppress(NotSaved):
                write()

        self._pool.submit(task)

    @Slot(str, bool, str)
    def _report(self, name: str, is_final: bool, why: str) -> None:
        self.is_saving_model = False
        if why:
            self.model_refused.emit(why)
        else:
            self.model_saved.emit(name, is_final)
