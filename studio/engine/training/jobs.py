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
from studio.engine.device import Device, memory_free
from studio.engine.events import Events, Rest
from studio.engine.generation.sampling import Shelf
from studio.engine.levels import Examples, Misfit, to_bits, to_levels
from studio.engine.training import evaluation, loop, model_export, run_lock
from studio.engine.training.config import BadStudy, Study
from studio.engine.training.recordings import Recordings, recordings_of
from studio.library import storage
from studio.media import dataset
from studio.media.pictures.image import FileRefused
from studio.media.sounds import audio_dataset, likeness
from studio.wire import messages as wire

Data = dataset.Dataset | audio_dataset.RecordingDataset
LEAST = 3
"""Pictures or waves besides those held out: one to watch by, and two, because one has no deviation to start from."""
COPIES = 5
"""Of the weights, while they are learned: themselves, their average, their gradients, and two of the optimiser."""
SKIPPED = 500
"""Files that were skipped or are damaged, in one message."""


def train(command: wire.Train, device: Device) -> Events:
    """Learns, saves as it goes, and ends with a trained model among the person's own.

    Raises run_lock.Held if another process trains the same run.
    """
    study = msgspec.convert(command.config, Study)
    folder = Path(command.run_folder)
    run_lock.check(folder)
    _check_memory(study, device)
    data = yield from _to_learn(command, study)
    yield wire.Notice(job=command.job, text=data.report.summary)
    yield from _reported(command.job, data.report)
    with run_lock.held(folder):
        run = loop.Run(study, folder, device.torch_device)
        known, test = _sides(data, run.model)
        learn, watch = split(known, data.name)
        _check_resumed(run, fingerprint(data), force=command.force)
        for moment in loop.train(run, learn, watch, bf16=device.bf16):
            yield from _told(command.job, study, moment)
        path = Path(command.output_folder) if command.output_folder else storage.home_folder("models")
        kinds = _kinds(data, run.model)
        card = model_export.publish(run, path / f"{study.name}.safetensors", learn, watch, test, kinds)
    yield wire.Notice(job=command.job, text=f'"{card.name}" is ready: {card.held_out_text} on what it never saw.')


def _check_memory(study: Study, device: Device) -> None:
    """Raise BadStudy if a model cannot fit into memory while it learns; it is built without memory to find out."""
    try:
        with torch.device("meta"):
            model = study.recipe.build(study.shape, study.levels)
    except ValueError:  # the run says why
        return
    needed = COPIES * sum(p.numel() * p.element_size() for p in model.parameters())
    free = memory_free(device)
    if needed > free:
        raise BadStudy(
            f"This model needs {needed / 1e9:,.0f} GB of memory to learn, and {free / 1e9:,.1f} GB are free. "
            "Take a smaller size or a smaller preset."
        )


def _to_learn(command: wire.Train, study: Study) -> Generator[wire.AnyEvent | Rest | None, None, Data]:
    """The artworks of a study. Raises Refused, with the number that is needed, if there are too few."""
    try:
        return (yield from _loaded(command.source, study.shape, study.rate, study.labels))
    except FileRefused as refusal:
        if isinstance(refusal, dataset.TooFewArtworks):
            yield from _reported(command.job, refusal.report)
        if "to learn from" not in refusal.reason:
            raise
        needed = "At least 1 is needed." if study.rate else f"At least {LEAST + 1} are needed."
        raise FileRefused(refusal.name, refusal.reason, needed) from None


def _reported(job: str, report: dataset.ImportReport) -> Events:
    """What became of the files, one by one."""
    for first in range(0, len(report.skipped), SKIPPED):
        yield wire.SkippedFiles(job=job, files=report.skipped[first : first + SKIPPED])
    for first in range(0, len(report.damaged), SKIPPED):
        yield wire.Damaged(job=job, files=report.damaged[first : first + SKIPPED])
    yield wire.DatasetLoaded(job=job, used=report.used, skipped=len(report.skipped), duplicates=report.duplicates)


def _told(job: str, study: Study, moment: loop.Moment | None) -> Events:
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


def _check_resumed(run: loop.Run, data: str, *, force: bool) -> None:
    """Compare a run with what it is to learn now, and note what that is. Raises BadStudy if they do not fit."""
    progress, name = run.progress, run.folder.name
    if progress.step > run.study.plan.steps:
        raise BadStudy(
            f'"{name}" has learned for {progress.step:,} steps already, more than {run.study.plan.steps:,}. '
            "Nothing was changed. Ask for more steps."
        )
    if progress.data not in ("", data):
        if not force:
            raise BadStudy(
                f'"{name}" has learned from other artworks than these. Nothing was changed. '
                "Add --force to learn from these, or take another name."
            )
        progress.best = math.inf  # the best figure so far is one of other artworks
    progress.data = data


def evaluate(command: wire.Evaluate, shelf: Shelf, device: Device) -> Events:
    """Every figure of a trained model on held-out artworks."""
    yield None
    loaded = shelf.take(command.model)
    card = loaded.card
    data = yield from _loaded(command.source, card.shape, card.rate, card.labels)
    _, test = _sides(data, loaded.model)
    if command.max_artworks is not None:
        test = test.part(slice(command.max_artworks))
    held_out, done, total = test.to(device.torch_device), 0, len(test)
    steps: Generator[tuple[int, int], None, tuple[Any, ...]]
    if not command.report_spread:
        unlike = _unlike(data, total)
        steps = evaluation.figures(loaded.model, held_out, draws=command.draws, unlike=unlike)
    else:
        steps = evaluation.spread(loaded.model, held_out)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            what = "spread" if command.report_spread else "figures"
            yield wire.EvaluationProgress(job=command.job, done=done, total=total, **{what: end.value})
            return
        yield wire.EvaluationProgress(job=command.job, done=done, total=total)


def _unlike(data: Data, count: int) -> torch.Tensor | None:
    """Which of the first held-out sounds resemble none to learn from, `(count,)`; None of pictures."""
    if data.test[0].ndim > 1:
        return None
    cycles = isinstance(data, dataset.Dataset)
    return torch.from_numpy(likeness.unlike_training(list(data.test[:count]), list(data.train), cycles=cycles))


def _loaded(source: str, shape: tuple[int, ...], rate: int, labels: tuple[str, ...]) -> Generator[None, None, Data]:
    """Artworks of a shape; recordings where there is a rate, with the kinds that columns of their index say."""
    steps: Generator[object, None, Data]
    steps = (
        audio_dataset.load_recordings_in_steps(Path(source), rate, labels)
        if rate
        else dataset.load_dataset_in_steps(Path(source), shape)
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Data = end.value
            return found
        yield None


def _sides(data: Data, model: Model) -> tuple[Examples, Examples] | tuple[Recordings, Recordings]:
    """What may be learned from and what is held out, with classes where the model knows them; pictures of two levels
    in bits that are drawn. Raises Misfit."""
    if isinstance(data, audio_dataset.RecordingDataset):
        if not isinstance(model, AutoregressiveSound):
            raise Misfit("only a WaveNet learns from recordings; take it, or leave the rate out for single cycles")
        return recordings_of(data, model)
    drawn = model.levels == 2 and len(model.shape) == 3
    pairs = ((data.train, data.train_labels), (data.test, data.test_labels))
    sides = [
        Examples(
            to_bits(x, model.shape, seed) if drawn else to_levels(x, model.shape, model.levels),
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
        raise Misfit(f'the recipe asks for {model.classes} kinds, but "{name}" has no labels')
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < model.classes:
        raise Misfit(
            f'the recipe asks for {model.classes} kinds, but "{name}" has labels from {labels.min()} to {labels.max()}'
        )
    return torch.from_numpy(labels)


def _kinds(data: Data, model: Model) -> tuple[str, ...]:
    """The names of a conditional model's classes; their numbers where the data name none."""
    named = data.label_names if len(data.label_names) == model.classes else ()
    return named or tuple(str(number) for number in range(model.classes))


def split(
    known: Examples | Recordings, name: str, share: float = 0.05, most: int = 256
) -> tuple[Examples | Recordings, Examples | Recordings]:
    """What is learned from and what the run is watched by, so that the test artworks choose nothing.

    A single recording is watched by its end. Raises Misfit if there is too little, naming what is needed.
    """
    if isinstance(known, Recordings) and len(known) == 1:
        (sound,) = known.x
        watched = max(1, int(len(sound) * share))
        return Recordings((sound[:-watched],), known.c), Recordings((sound[-watched:],), known.c)
    if isinstance(known, Examples) and len(known) < LEAST:
        raise Misfit(
            f'"{name}" has {len(known)} to learn from, beside those held out. At least {LEAST} are needed there'
        )
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
    watched = max(1, min(int(len(known) * share), most))
    return known.part(order[watched:]), known.part(order[:watched])


def fingerprint(data: Data) -> str:
    """A hash of what may be learned from, by which other artworks are told apart."""
    digest = hashlib.blake2b(digest_size=16)
    labels = () if data.train_labels is None else (data.train_labels,)
    for array in (*data.train, *labels):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
