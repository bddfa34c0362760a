"""What there is to learn from, and two jobs with it: a model learns, and a trained one is measured."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import torch

from studio.density.model import Model
from studio.density.sound import AutoregressiveSound
from studio.engine import evaluation, publishing, training
from studio.engine.artworks import Examples, Misfit, to_bits, to_levels
from studio.engine.device import Device
from studio.engine.events import Events
from studio.engine.recordings import Recordings, recordings_of
from studio.engine.sampling import Shelf
from studio.engine.study import Study
from studio.library import storage
from studio.media import dataset, likeness, recordings
from studio.wire import messages as wire

Data = dataset.Dataset | recordings.Recordings


def train(command: wire.Train, device: Device) -> Events:
    """Learns, saves as it goes, and ends with a trained model among the person's own."""
    study = msgspec.convert(command.study, Study)
    data = yield from _loaded(command.source, study.shape, study.rate, study.labels)
    yield wire.Notice(job=command.job, text=data.report.sentence)
    run = training.Run(study, Path(command.run), device.torch_device)
    known, test = _sides(data, run.model)
    learn, watch = split(known)
    for moment in training.train(run, learn, watch, bf16=device.bf16):
        if moment is None:
            yield None
            continue
        if moment.notice:
            yield wire.Notice(job=command.job, text=moment.notice)
        yield wire.Learned(
            job=command.job,
            step=moment.step,
            steps=study.plan.steps,
            loss=moment.loss,
            held_out=moment.held_out,
            rate=moment.rate,
            seconds_left=moment.seconds_left,
        )
    path = Path(command.out) if command.out else storage.home("models")
    card = publishing.publish(run, path / f"{study.name}.safetensors", learn, test, _kinds(data, run.model))
    yield wire.Notice(job=command.job, text=f'"{card.name}" is ready: {card.figure} on what it never saw.')


def evaluate(command: wire.Evaluate, shelf: Shelf, device: Device) -> Events:
    """Every figure of a trained model on held-out artworks."""
    yield None
    loaded = shelf.take(command.model)
    card = loaded.card
    data = yield from _loaded(command.source, card.shape, card.rate, card.labels)
    _, test = _sides(data, loaded.model)
    if command.most is not None:
        test = test.part(slice(command.most))
    held_out, done, total = test.to(device.torch_device), 0, len(test)
    steps: Generator[tuple[int, int], None, tuple[Any, ...]]
    if not command.spread:
        unlike = _unlike(data, total)
        steps = evaluation.figures(loaded.model, held_out, draws=command.draws, unlike=unlike)
    else:
        steps = evaluation.spread(loaded.model, held_out)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            what = "spread" if command.spread else "figures"
            yield wire.Measured(job=command.job, done=done, total=total, **{what: end.value})
            return
        yield wire.Measured(job=command.job, done=done, total=total)


def _unlike(data: Data, count: int) -> torch.Tensor | None:
    """Which of the first held-out sounds resemble none to learn from, `(count,)`; None of pictures."""
    if data.test[0].ndim > 1:
        return None
    cycles = isinstance(data, dataset.Dataset)
    return torch.from_numpy(likeness.unlike(list(data.test[:count]), list(data.train), cycles=cycles))


def _loaded(source: str, shape: tuple[int, ...], rate: int, labels: tuple[str, ...]) -> Generator[None, None, Data]:
    """Artworks of a shape; recordings where there is a rate, with the kinds that columns of their index say."""
    steps: Generator[object, None, Data]
    steps = recordings.loading(Path(source), rate, labels) if rate else dataset.loading(Path(source), shape)
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
    if isinstance(data, recordings.Recordings):
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
    examples: Examples | Recordings, share: float = 0.05, most: int = 256
) -> tuple[Examples | Recordings, Examples | Recordings]:
    """What is learned from and what the run is watched by, so that the test artworks choose nothing."""
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0))
    watched = max(1, min(int(len(examples) * share), most))
    return examples.part(order[watched:]), examples.part(order[:watched])
