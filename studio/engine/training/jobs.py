"""What there is to learn from, and two jobs with it: a model learns, and a trained one is measured."""

import hashlib
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.device import ComputeDevice, free_memory
from studio.engine.events import EventSteps, Pause
from studio.engine.generation.sampling import ModelCache
from studio.engine.levels import DoesNotFit, TrainingExamples, dequantised_levels, to_levels
from studio.engine.training import evaluation, loop, model_export, run_lock
from studio.engine.training.config import BadTrainingConfig, TrainingConfig
from studio.engine.training.recordings import TrainingRecordings, to_training_recordings
from studio.library import storage
from studio.media import dataset
from studio.media.pictures.image import FileRefused
from studio.media.sounds import audio_dataset, likeness
from studio.wire import messages as wire

TrainingData = dataset.Dataset | audio_dataset.RecordingDataset
MIN_ARTWORKS = 3
"""Pictures or waves besides those held out: one to watch by, and two, because one has no deviation to start from."""
WEIGHT_COPIES = 5
"""Of the weights, while they are learned: themselves, their average, their gradients, and two of the optimiser."""
SKIPPED_PER_MESSAGE = 500
"""Files that were skipped or are damaged, in one message."""


def train_model(command: wire.Train, device: ComputeDevice) -> EventSteps:
    """Learns, saves as it goes, and ends with a trained model among the person's own.

    Raises run_lock.Held if another process trains the same run.
    """
    study = msgspec.convert(command.config, TrainingConfig)
    folder = Path(command.run_folder)
    run_lock.check_run(folder)
    _check_memory(study, device)
    data = yield from _load_training_data(command, study)
    yield wire.Notice(job=command.job, text=data.report.summary)
    yield from _report_files(command.job, data.report)
    with run_lock.hold_run(folder):
        run = loop.TrainingRun(study, folder, device.torch_device)
        known, test = _training_and_test(data, run.model)
        learn, watch = split_validation(known, data.name)
        _check_resumed(run, hash_training_data(data), force=command.force)
        for moment in loop.train_run(run, learn, watch, bf16=device.has_bf16):
            yield from _report_progress(command.job, study, moment)
        path = Path(command.output_folder) if command.output_folder else storage.home_folder("models")
        kinds = _class_names(data, run.model)
        card = model_export.export_model(run, path / f"{study.name}.safetensors", learn, watch, test, kinds)
    yield wire.Notice(job=command.job, text=f'"{card.name}" is ready: {card.held_out_text} on what it never saw.')


def _check_memory(study: TrainingConfig, device: ComputeDevice) -> None:
    """Raise BadStudy if a model cannot fit into memory while it learns; it is built without memory to find out."""
    try:
        with torch.device("meta"):
            model = study.recipe.build(study.shape, study.levels)
    except ValueError:  # the run says why
        return
    needed = WEIGHT_COPIES * sum(p.numel() * p.element_size() for p in model.parameters())
    free = free_memory(device)
    if needed > free:
        raise BadTrainingConfig(
            f"This model needs {needed / 1e9:,.0f} GB of memory to learn, and {free / 1e9:,.1f} GB are free. "
            "Take a smaller size or a smaller preset."
        )


def _load_training_data(
    command: wire.Train, study: TrainingConfig
) -> Generator[wire.AnyEvent | Pause | None, None, TrainingData]:
    """The artworks of a study. Raises Refused, with the number that is needed, if there are too few."""
    try:
        return (yield from _load_data(command.source, study.shape, study.sample_rate, study.label_columns))
    except FileRefused as refusal:
        if isinstance(refusal, dataset.TooFewArtworks):
            yield from _report_files(command.job, refusal.report)
        if "to learn from" not in refusal.reason:
            raise
        needed = "At least 1 is needed." if study.sample_rate else f"At least {MIN_ARTWORKS + 1} are needed."
        raise FileRefused(refusal.name, refusal.reason, needed) from None


def _report_files(job: str, report: dataset.ImportReport) -> EventSteps:
    """What became of the files, one by one."""
    for first in range(0, len(report.skipped), SKIPPED_PER_MESSAGE):
        yield wire.SkippedFiles(job=job, files=report.skipped[first : first + SKIPPED_PER_MESSAGE])
    for first in range(0, len(report.damaged), SKIPPED_PER_MESSAGE):
        yield wire.Damaged(job=job, files=report.damaged[first : first + SKIPPED_PER_MESSAGE])
    yield wire.DatasetLoaded(job=job, used=report.used, skipped=len(report.skipped), duplicates=report.duplicates)


def _report_progress(job: str, study: TrainingConfig, moment: loop.ProgressReport | None) -> EventSteps:
    """A look at a run, as messages."""
    if moment is None:
        yield None
        return
    if moment.notice:
        yield wire.Notice(job=job, text=moment.notice)
    yield wire.TrainingProgress(
        job=job,
        step=moment.step,
        steps=study.plan.steps,
        loss=moment.loss,
        held_out=moment.held_out,
        rate=moment.rate,
        seconds_left=moment.seconds_left,
    )


def _check_resumed(run: loop.TrainingRun, data: str, *, force: bool) -> None:
    """Compare a run with what it is to learn now, and note what that is. Raises BadStudy if they do not fit."""
    progress, name = run.progress, run.folder.name
    if progress.step > run.config.plan.steps:
        raise BadTrainingConfig(
            f'"{name}" has learned for {progress.step:,} steps already, more than {run.config.plan.steps:,}. '
            "Nothing was changed. Ask for more steps."
        )
    if progress.data_fingerprint not in ("", data):
        if not force:
            raise BadTrainingConfig(
                f'"{name}" has learned from other artworks than these. Nothing was changed. '
                "Add --force to learn from these, or take another name."
            )
        progress.best_held_out = math.inf  # the best figure so far is one of other artworks
    progress.data_fingerprint = data


def evaluate_model(command: wire.Evaluate, shelf: ModelCache, device: ComputeDevice) -> EventSteps:
    """Every figure of a trained model on held-out artworks."""
    yield None
    loaded = shelf.get_model(command.model)
    card = loaded.card
    data = yield from _load_data(command.source, card.shape, card.sample_rate, card.label_columns)
    _, test = _training_and_test(data, loaded.model)
    if command.max_artworks is not None:
        test = test.select(slice(command.max_artworks))
    held_out, done, total = test.to(device.torch_device), 0, len(test)
    steps: Generator[tuple[int, int], None, tuple[Any, ...]]
    if not command.report_spread:
        unlike = _unlike_training(data, total)
        steps = evaluation.measure_figures_in_steps(loaded.model, held_out, draws=command.draws, unlike=unlike)
    else:
        steps = evaluation.measure_spread(loaded.model, held_out)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            what = "spread" if command.report_spread else "figures"
            yield wire.EvaluationProgress(job=command.job, done=done, total=total, **{what: end.value})
            return
        yield wire.EvaluationProgress(job=command.job, done=done, total=total)


def _unlike_training(data: TrainingData, count: int) -> torch.Tensor | None:
    """Which of the first held-out sounds resemble none to learn from, `(count,)`; None of pictures."""
    if data.test[0].ndim > 1:
        return None
    cycles = isinstance(data, dataset.Dataset)
    return torch.from_numpy(likeness.unlike_training(list(data.test[:count]), list(data.train), cycles=cycles))


def _load_data(
    source: str, shape: tuple[int, ...], rate: int, labels: tuple[str, ...]
) -> Generator[None, None, TrainingData]:
    """Artworks of a shape; recordings where there is a rate, with the kinds that columns of their index say."""
    steps: Generator[object, None, TrainingData]
    steps = (
        audio_dataset.load_recordings_in_steps(Path(source), rate, labels)
        if rate
        else dataset.load_dataset_in_steps(Path(source), shape)
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: TrainingData = end.value
            return found
        yield None


def _training_and_test(
    data: TrainingData, model: Model
) -> tuple[TrainingExamples, TrainingExamples] | tuple[TrainingRecordings, TrainingRecordings]:
    """What may be learned from and what is held out, with classes where the model knows them; pictures of two levels
    in bits that are drawn. Raises Misfit."""
    if isinstance(data, audio_dataset.RecordingDataset):
        if not isinstance(model, AutoregressiveSound):
            raise DoesNotFit("only a WaveNet learns from recordings; take it, or leave the rate out for single cycles")
        return to_training_recordings(data, model)
    drawn = model.levels == 2 and len(model.shape) == 3
    pairs = ((data.train, data.train_labels), (data.test, data.test_labels))
    sides = [
        TrainingExamples(
            dequantised_levels(x, model.shape, seed) if drawn else to_levels(x, model.shape, model.levels),
            _classes(labels, model, data.name),
            to_levels(x, model.shape, model.levels) if drawn else None,
        )
        for seed, (x, labels) in enumerate(pairs)
    ]
    return sides[0], sides[1]


def _classes(labels: wire.Array | None, model: Model, name: str) -> torch.Tensor | None:
    if not model.classes:
        return None
    if labels is None:
        raise DoesNotFit(f'the recipe asks for {model.classes} kinds, but "{name}" has no labels')
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < model.classes:
        raise DoesNotFit(
            f'the recipe asks for {model.classes} kinds, but "{name}" has labels from {labels.min()} to {labels.max()}'
        )
    return torch.from_numpy(labels)


def _class_names(data: TrainingData, model: Model) -> tuple[str, ...]:
    """The names of a conditional model's classes; their numbers where the data name none."""
    named = data.label_names if len(data.label_names) == model.classes else ()
    return named or tuple(str(number) for number in range(model.classes))


def split_validation(
    known: TrainingExamples | TrainingRecordings, name: str, share: float = 0.05, most: int = 256
) -> tuple[TrainingExamples | TrainingRecordings, TrainingExamples | TrainingRecordings]:
    """What is learned from and what the run is watched by, so that the test artworks choose nothing.

    A single recording is watched by its end. Raises Misfit if there is too little, naming what is needed.
    """
    if isinstance(known, TrainingRecordings) and len(known) == 1:
        (sound,) = known.x
        watched = max(1, int(len(sound) * share))
        return TrainingRecordings((sound[:-watched],), known.c), TrainingRecordings((sound[-watched:],), known.c)
    if isinstance(known, TrainingExamples) and len(known) < MIN_ARTWORKS:
        raise DoesNotFit(
            f'"{name}" has {len(known)} to learn from, beside those held out. At least {MIN_ARTWORKS} are needed there'
        )
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
    watched = max(1, min(int(len(known) * share), most))
    return known.select(order[watched:]), known.select(order[:watched])


def hash_training_data(data: TrainingData) -> str:
    """A hash of what may be learned from, by which other artworks are told apart."""
    digest = hashlib.blake2b(digest_size=16)
    labels = () if data.train_labels is None else (data.train_labels,)
    for array in (*data.train, *labels):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
