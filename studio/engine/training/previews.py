"""Draw the same seeds again while a model learns, and keep the samples.

All samples are compared with the training artworks, and the newest are kept beside those that are nearest to them. If
memory runs out, fewer are drawn at a time, or none this once; the training continues.
"""

import contextlib
import copy
import time
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch

from studio import zoo
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import DecodingStep, Model
from studio.engine.device import release_memory
from studio.engine.errors import is_out_of_memory
from studio.engine.events import EventSteps
from studio.engine.generation.sampling import recording_temperatures
from studio.engine.levels import TrainingExamples, to_arrays
from studio.engine.training import evaluation, gradients
from studio.engine.training.nearest import NearestArtworks
from studio.engine.training.nearest_sounds import NearestRecordings
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.training_run import TrainingRun
from studio.library import runs, storage
from studio.wire import messages as wire

GAPS = (10.0, 20.0, 40.0, 80.0, 120.0)
"""Seconds between two drawings, short at first, because a model then changes most. The last one repeats."""
KEPT_SAMPLES = 3
"""The number of seeds whose samples are kept of every drawing. The first drawing has only these, to appear soon."""
SHARE = 0.1
"""The largest share of the time that drawing may take."""
SOUND_SECONDS = 1.5
"""Seconds of a recording that are drawn."""
BATCH_NORM_ARTWORKS = 256
"""Training artworks that give the drawn model its statistics."""
NOT_DRAWN = "Memory ran out, so no samples were drawn this time. The training continues."


class RunPreviews:
    """Draws the artworks of some seeds from the average of a run."""

    def __init__(
        self,
        run: TrainingRun,
        seeds: tuple[int, ...],
        learn: TrainingExamples | TrainingRecordings,
        held_out: TrainingExamples | TrainingRecordings,
        *,
        only_at_end: bool = False,
    ) -> None:
        self._run = run
        self._only_at_end = only_at_end
        self._seeds = seeds
        self._learn = learn
        config = run.config
        self._nearest: NearestArtworks | NearestRecordings
        if isinstance(learn, TrainingRecordings) and isinstance(held_out, TrainingRecordings):
            samples = min(round(SOUND_SECONDS * config.sample_rate), config.shape[0])
            self._nearest = NearestRecordings(learn, held_out, config.levels, config.sample_rate, samples)
        elif isinstance(learn, TrainingExamples) and isinstance(held_out, TrainingExamples):
            turned = config.augmentation.quarter_turns
            self._nearest = NearestArtworks(
                learn, held_out, config.levels, config.palette, mirrored=config.plan.mirror, turned=turned
            )
        self._together = max(1, len(seeds))
        """How many artworks are drawn at a time. Each depends on its seed alone."""
        self._due = 0.0
        self._drawn = 0
        self._drawn_step = -1
        """The step of the newest drawing; -1 before the first."""

    @property
    def is_due(self) -> bool:
        """Return whether it is time to draw again. The first time is after the first step."""
        return bool(self._seeds) and not self._only_at_end and time.monotonic() >= self._due

    @property
    def is_outdated(self) -> bool:
        """Return whether the run has learned since the newest drawing."""
        return bool(self._seeds) and self._drawn_step != self._run.progress.step

    def draw_and_keep(self, job: str) -> EventSteps:
        """Draw samples, keep them in the run's folder, report them, and compare them.

        If there is too little memory even for a single one, nothing is drawn, and the user is told.
        """
        began = time.monotonic()
        progress = self._run.progress
        is_short = False
        try:
            yield from self._draw_and_compare(job)
        except (RuntimeError, MemoryError) as error:
            if not (is_out_of_memory(error) or isinstance(error, gradients.NotEnoughMemory)):
                raise
            is_short = True
        if is_short:  # outside the `except` block, whose traceback still holds the tensors
            release_memory(self._run.device)
            yield wire.Notice(job=job, text=NOT_DRAWN)
            model = self._run.model
            none = to_arrays(torch.zeros((0, *model.shape), dtype=torch.int32), model.levels, self._run.config.palette)
            yield wire.TrainingSamples(job=job, step=progress.step, seconds=progress.seconds, artworks=none)
        now = time.monotonic()
        gap = GAPS[min(self._drawn, len(GAPS) - 1)]
        self._drawn += 1
        self._drawn_step = progress.step
        self._due = now + max(gap, (now - began) / SHARE)

    def _draw_and_compare(self, job: str) -> EventSteps:
        run = self._run
        model = copy.deepcopy(run.average).eval()
        if isinstance(self._learn, TrainingExamples):
            known = self._learn.select(slice(BATCH_NORM_ARTWORKS)).to(run.device)
            gradients.with_smaller_batches(
                lambda size: evaluation.update_batch_norm(model, known, batch=size), 64, run.device
            )
        zoo.fold(model)
        together = self._together
        is_first = not self._drawn and not self._only_at_end
        x = yield from self._draw(model, self._seeds[:KEPT_SAMPLES] if is_first else self._seeds)
        if self._together != together:
            text = f"Memory ran out, so samples are drawn {self._together} at a time. They look the same."
            yield wire.Notice(job=job, text=text)
        drawn = to_arrays(x, model.levels, run.config.palette)
        artworks = drawn[:KEPT_SAMPLES]
        progress = run.progress
        self._keep(lambda: self._write_samples(artworks))
        yield wire.TrainingSamples(job=job, step=progress.step, seconds=progress.seconds, artworks=artworks)
        yield from self._compare(job, x, drawn)

    def _draw(self, model: Model, seeds: tuple[int, ...]) -> Generator[None, None, torch.Tensor]:
        """Return the artworks of some seeds, drawn as many at a time as memory allows.

        Raises gradients.NotEnoughMemory.
        """
        parts = list[torch.Tensor]()
        first = 0
        while first < len(seeds):
            part = yield from self._draw_part(model, seeds[first : first + self._together])
            if part is not None:
                parts.append(part)
                first += len(part)
            elif self._together == 1:
                raise gradients.NotEnoughMemory
            else:
                self._together = -(-min(self._together, len(seeds)) // 2)
                release_memory(self._run.device)
        return torch.cat(parts)

    def _draw_part(self, model: Model, seeds: tuple[int, ...]) -> Generator[None, None, torch.Tensor | None]:
        """Return the artworks of some seeds, drawn together; None if memory ran out."""
        x = torch.empty(0)
        try:
            for step in self._steps(model, seeds):
                x = step.x
                yield None
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return x

    def _compare(self, job: str, x: torch.Tensor, drawn: np.ndarray) -> EventSteps:
        """Find the training artworks nearest to samples, keep both, and report them."""
        found = yield from self._nearest.find(x)
        if found is None:
            return
        nearest, distances = found
        step = self._run.progress.step
        compared = runs.ComparedSamples(step, drawn, nearest, distances)
        self._keep(lambda: runs.write_compared(self._run.folder, compared))
        yield wire.SamplesCompared(job=job, step=step, samples=drawn, nearest=nearest, distances=distances)

    def _write_samples(self, artworks: np.ndarray) -> None:
        progress = self._run.progress
        runs.write_samples(self._run.folder, runs.RunSamples(progress.step, progress.seconds, artworks))

    def _keep(self, write: Callable[[], None]) -> None:
        """Write into the run's folder if the disk takes it. If not, the training itself waits, and says so."""
        with contextlib.suppress(storage.NotSaved):
            self._run.check_folder()
            write()

    @torch.inference_mode()
    def _steps(self, model: Model, seeds: tuple[int, ...]) -> Iterator[DecodingStep]:
        config = self._run.config
        if not isinstance(model, AutoregressiveSound):
            yield from model.sample_steps(seeds, temperature=config.temperature)
            return
        samples = min(round(SOUND_SECONDS * config.sample_rate), model.shape[0])
        temperatures = recording_temperatures(
            model, samples, config.sample_rate, config.temperature, config.opening_temperature
        )
        yield from model.sample_steps(seeds, temperature=temperatures, samples=samples)
