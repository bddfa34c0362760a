"""Each command as a generator of events.

A generator yields events, or None where a step was taken and there is nothing to say. Between two
steps the engine may turn to something more urgent, or close the generator. The endings are the
engine's: what a generator raises becomes the job's `Failed`.
"""

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec
import torch

from studio.engine import diagnosis, failure, publishing, sampling, training
from studio.engine.device import Device, batch_that_fits, release
from studio.library import storage
from studio.media import dataset
from studio.wire import messages as wire

GROUP = 8
"""Pictures that are drawn together. With 16 a slider dragged meanwhile showed its pictures 58 ms late in the 95th
percentile, with 8 it is 44 (tests/benchmarks/dragging.py)."""
_PREVIEW = 1 / 30
"""Seconds between two previews."""

Events = Iterator[wire.AnyEvent | None]


class Jobs:
    """Starts what is asked, on one device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.shelf = sampling.Shelf(device.torch_device)

    def start(self, command: wire.AnyCommand) -> Events:
        """The events of a command, lazily: nothing is done before the first is asked for."""
        match command:
            case wire.Sample():
                return self.sample(command)
            case wire.Explore():
                return self.explore(command)
            case wire.Encode():
                return self.encode(command)
            case wire.Train():
                return self.train(command)
            case wire.Doctor():
                return self.doctor(command)
        raise sampling.Misfit(f"a {type(command).__name__} is nothing that can be started")

    def sample(self, command: wire.Sample) -> Events:
        """Pictures in groups, each group previewed while it forms and priced when it is done."""
        yield None
        loaded = self.shelf.take(command.model)
        refuse_label(loaded, command.label)
        first, group = 0, batch_that_fits(self.device, GROUP, loaded.bytes_each)
        while first < len(command.seeds):
            seeds = command.seeds[first : first + group]
            try:
                yield from self._group(command, loaded, seeds, first)
                first += len(seeds)
                continue
            except (RuntimeError, MemoryError) as error:
                if group == 1 or not failure.out_of_memory(error):
                    raise
            group //= 2
            release(self.device)
            yield wire.Notice(
                job=command.job,
                text=f"Memory ran out, so it makes {group} pictures at a time. Nothing was lost.",
            )

    def _group(self, command: wire.Sample, loaded: sampling.Loaded, seeds: tuple[int, ...], first: int) -> Events:
        shown = time.monotonic()
        pictures, steps = None, 0
        for pictures, done, total in sampling.draw(loaded, seeds, command.temperature):
            steps = total + 1  # the last step is the price
            if done == total or time.monotonic() - shown > _PREVIEW:
                shown = time.monotonic()
                yield wire.Drawn(job=command.job, first=first, pictures=pictures, done=done, total=steps)
            else:
                yield None
        assert pictures is not None, "a model yields at least one step"
        for prices in sampling.price(loaded, pictures):
            if prices is None:
                yield None
                continue
            yield wire.Drawn(
                job=command.job, first=first, pictures=pictures, done=steps, total=steps, log_prob=tuple(prices)
            )

    def explore(self, command: wire.Explore) -> Events:
        """One picture from a start and sliders."""
        double = command.latent is not None and command.latent.dtype.itemsize == 8
        loaded = self.shelf.take(command.model, double=double)
        refuse_label(loaded, command.label)
        start = sampling.start_of(loaded, command.seed, command.latent)
        picture = sampling.shape_by_hand(loaded, start, command.sliders, command.temperature)
        yield wire.Shown(job=command.job, picture=picture)

    def encode(self, command: wire.Encode) -> Events:
        """In float32, and where that does not bring the picture back, in float64."""
        loaded = self.shelf.take(command.model)
        refuse_label(loaded, command.label)
        found = yield from _inverted(loaded, command.picture)
        if found.differing and self.device.torch_device.type != "mps":  # Apple's GPU has no float64
            found = yield from _inverted(self.shelf.take(command.model, double=True), command.picture)
        yield wire.Encoded(
            job=command.job,
            latent=found.latent,
            exact=found.differing == 0,
            differing=found.differing,
            total=command.picture.size,
            largest=found.largest,
            bits=found.bits,
            bound=not loaded.model.exact,
        )

    def train(self, command: wire.Train) -> Events:
        """Learns, saves as it goes, and ends with a trained model among the person's own."""
        study = msgspec.convert(command.study, training.Study)
        data = yield from _loaded(command, study.shape)
        yield wire.Notice(job=command.job, text=data.report.sentence)
        run = training.Run(study, Path(command.run), self.device.torch_device)
        learn, watch = split(torch.from_numpy(data.train).permute(0, 3, 1, 2))
        for moment in training.train(run, learn, watch, bf16=self.device.bf16):
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
        test = torch.from_numpy(data.test).permute(0, 3, 1, 2)
        path = Path(command.out) if command.out else storage.home("models")
        card = publishing.publish(run, path / f"{study.name}.safetensors", learn, test)
        yield wire.Notice(job=command.job, text=f'"{card.name}" is ready: {card.figure} on pictures it never saw.')

    def doctor(self, command: wire.Doctor) -> Events:
        """What this machine has."""
        yield wire.Diagnosis(job=command.job, findings=diagnosis.findings(self.device))


def _inverted(loaded: sampling.Loaded, picture: wire.Array) -> Generator[None, None, sampling.Inverse]:
    for found in sampling.invert(loaded, picture):
        if found is not None:
            return found
        yield None
    raise RuntimeError("an inversion ended without its result")


def _loaded(command: wire.Train, shape: tuple[int, ...]) -> Generator[wire.AnyEvent | None, None, dataset.Dataset]:
    channels, height, width = shape
    steps = dataset.loading(Path(command.source), (channels, height, width))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: dataset.Dataset = end.value
            return found
        yield None


def split(x: torch.Tensor, share: float = 0.05, most: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """What is learned from and what the run is watched by, so that the test pictures choose nothing."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    watched = max(1, min(int(len(x) * share), most))
    return x[order[watched:]], x[order[:watched]]


def refuse_label(loaded: sampling.Loaded, label: int | None) -> None:
    """Raises Misfit where a class is asked of a model that has none, or that one."""
    if label is not None and label >= len(loaded.card.classes):
        count = len(loaded.card.classes)
        had = f"has {count} kinds, 0 to {count - 1}" if count else "knows no kinds"
        raise sampling.Misfit(f'"{loaded.card.title}" {had}, but kind {label} was asked for')
