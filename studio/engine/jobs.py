"""Each command as a generator of events.

A generator yields events, or None where a step was taken and there is nothing to say. Between two
steps the engine may turn to something more urgent, or close the generator. The endings are the
engine's: what a generator raises becomes the job's `Failed`.
"""

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch

from studio.density.autoregressive import Doubts
from studio.density.model import Model
from studio.density.sound import AutoregressiveSound
from studio.engine import completion, diagnosis, evaluation, failure, joining, playing, publishing, sampling, training
from studio.engine.artworks import Examples, Misfit, to_bits, to_levels
from studio.engine.device import Device, batch_that_fits, release
from studio.engine.performing import Performance
from studio.engine.recordings import Recordings, recordings_of
from studio.engine.rest import Rest
from studio.engine.steering import Steering
from studio.engine.study import Study
from studio.library import storage
from studio.media import dataset, recordings
from studio.wire import messages as wire

GROUP = 8
"""Pictures that are drawn together. With 16 a slider dragged meanwhile showed its pictures 58 ms late in the 95th
percentile, with 8 it is 44 (tests/benchmarks/dragging.py)."""
_PREVIEW = 1 / 30
"""Seconds between two previews."""

Events = Iterator[wire.AnyEvent | Rest | None]
Draw = Callable[[tuple[int, ...], torch.Tensor, Doubts], Iterator[tuple[wire.Array, int, int] | None]]
"""Seeds, temperatures, and doubts to be filled in → their pictures as far as they are, the steps done, and how many
there are; None between."""
Price = Callable[[wire.Array, tuple[int, ...]], Iterator[tuple[list[float], list[float] | None] | None]]
"""Finished pictures and their seeds → None after each step, then nats of each, and of what follows a hole in each."""


class Drawing(NamedTuple):
    """How a job draws: with which model, which pictures, what they cost, and what a hand may change meanwhile."""

    loaded: sampling.Loaded
    draw: Draw
    price: Price
    steering: Steering


class Jobs:
    """Starts what is asked, on one device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.shelf = sampling.Shelf(device.torch_device)
        self._steered: dict[str, Steering | Performance] = {}
        """By the jobs that are drawing."""
        self._ahead: list[wire.Steer] = []
        """The newest for jobs that draw not yet, or no more."""

    def start(self, command: wire.AnyCommand) -> Events:
        """The events of a command, lazily: nothing is done before the first is asked for."""
        match command:
            case wire.Sample():
                return self.sample(command)
            case wire.Explore():
                return self.explore(command)
            case wire.Path():
                return self.path(command)
            case wire.Encode():
                return self.encode(command)
            case wire.Complete():
                return self.complete(command)
            case wire.Perform():
                return self.perform(command)
            case wire.Steer():
                return self.steer(command)
            case wire.Play():
                return self.play(command)
            case wire.Join():
                return self.join(command)
            case wire.Score():
                return self.score(command)
            case wire.Train():
                return self.train(command)
            case wire.Evaluate():
                return self.evaluate(command)
            case wire.Doctor():
                return self.doctor(command)
        raise Misfit(f"a {type(command).__name__} is nothing that can be started")

    def sample(self, command: wire.Sample) -> Events:
        """Pictures in groups, each group previewed while it forms and priced when it is done."""
        yield None
        loaded = self._taken(command)
        sampling.classes_for(loaded, (), command.label)
        yield from self._groups(
            command,
            Drawing(
                loaded,
                lambda seeds, heat, doubts: sampling.draw(loaded, seeds, heat, command.label, doubts),
                lambda pictures, seeds: sampling.price(loaded, pictures, seeds, command.label),
                Steering(loaded, command),
            ),
        )

    def complete(self, command: wire.Complete) -> Events:
        """As `sample`, with a part of a picture kept."""
        yield None
        loaded = self._taken(command)
        keep = completion.kept(loaded, command.picture, command.free)
        sampling.classes_for(loaded, (), command.label)
        yield from self._groups(
            command,
            Drawing(
                loaded,
                lambda seeds, heat, doubts: completion.draw(loaded, keep, seeds, heat, command.label, doubts),
                lambda pictures, seeds: completion.price(loaded, keep, pictures, seeds, command.label),
                Steering(loaded, command),
            ),
        )

    def _taken(self, command: wire.Sample | wire.Complete) -> sampling.Loaded:
        """The model of a command, or the mixture of its two."""
        loaded = self.shelf.take(command.model)
        return sampling.mixed(loaded, self.shelf.take(command.mix)) if command.mix else loaded

    def steer(self, command: wire.Steer) -> Events:
        """Has a job draw otherwise from its next row on, or once it begins. One step, so that its ending parts what was
        made before from what is made by it."""
        steering = self._steered.get(command.running)
        if steering is None:
            self._ahead = [*self._ahead[-15:], command]
        else:
            steering.turn(command)
        yield from ()

    def perform(self, command: wire.Perform) -> Events:
        """A sound while it is heard."""
        yield None
        other = self.shelf.take(command.mix) if command.mix else None
        performance = Performance(command, self.shelf.take(command.model), other)
        yield from self._held(command, performance, performance.steps())

    def _groups(self, command: wire.Sample | wire.Complete, drawing: Drawing) -> Events:
        yield from self._held(command, drawing.steering, self._each_group(command, drawing))

    def _held(self, command: wire.AnyCommand, steering: Steering | Performance, steps: Events) -> Events:
        """The events of a job on which there is a hand."""
        self._steered[command.job] = steering
        try:
            for wish in (wish for wish in self._ahead if wish.running == command.job):
                try:
                    steering.turn(wish)
                except Misfit as error:
                    yield wire.Notice(job=command.job, text=failure.sentence(str(error)))
            yield from steps
        finally:
            del self._steered[command.job]

    def _each_group(self, command: wire.Sample | wire.Complete, drawing: Drawing) -> Events:
        first, group = 0, batch_that_fits(self.device, GROUP, drawing.loaded.bytes_each)
        while first < len(command.seeds):
            seeds = command.seeds[first : first + group]
            try:
                yield from self._group(command, drawing, seeds, first)
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

    def _group(
        self, command: wire.Sample | wire.Complete, drawing: Drawing, seeds: tuple[int, ...], first: int
    ) -> Events:
        shown = time.monotonic()
        pictures, steps, steering = None, 0, drawing.steering
        for drawn in drawing.draw(seeds, steering.begin(), steering.doubts(len(seeds))):
            if drawn is None:
                yield None
                continue
            pictures, done, total = drawn
            steps = total + 1  # the last step is the price
            if done == total or time.monotonic() - shown > _PREVIEW:
                shown = time.monotonic()
                yield wire.Drawn(
                    job=command.job,
                    first=first,
                    pictures=pictures,
                    done=done,
                    total=steps,
                    doubt=steering.doubt_of(done),
                )
            else:
                yield None
            steering.follow(done)
        assert pictures is not None, "a model yields at least one step"
        named = drawing.loaded.parts[0] if drawing.loaded.parts is not None else drawing.loaded
        c = sampling.classes_for(named, seeds, command.label)
        for prices in drawing.price(pictures, seeds):
            if prices is None:
                yield None
                continue
            whole, part = prices
            yield wire.Drawn(
                job=command.job,
                first=first,
                pictures=pictures,
                done=steps,
                total=steps,
                log_prob=tuple(whole),
                labels=tuple(int(kind) for kind in c) if c is not None else None,
                following=tuple(part) if part is not None else None,
                doubt=steering.doubt_of(total),
                **steering.as_drawn(),
            )

    def explore(self, command: wire.Explore) -> Events:
        """One picture from a start and sliders."""
        double = command.latent is not None and command.latent.dtype.itemsize == 8
        loaded = self.shelf.take(command.model, double=double)
        z, heat, c = _latent_of(loaded, command)
        yield wire.Shown(job=command.job, picture=sampling.shown(loaded, z[None], c, heat)[0])

    def path(self, command: wire.Path) -> Events:
        """Artworks along the arc between two latents; where the kinds differ, the second's from the middle on."""
        yield None
        ends = (command.begin, command.end)
        double = any(end.latent is not None and end.latent.dtype.itemsize == 8 for end in ends)
        loaded = self.shelf.take(command.model, double=double)
        (begin, heat, first), (end, last, second) = (_latent_of(loaded, end) for end in ends)
        z = sampling.way(begin, end, command.frames)
        part_of = torch.linspace(0, 1, command.frames, dtype=z.dtype, device=z.device).view(-1, *[1] * heat.dim())
        heats = torch.lerp(heat.expand(command.frames, *heat.shape), last.expand_as(z), part_of)
        c = None
        if first is not None and second is not None:
            later = torch.arange(command.frames, device=z.device) >= command.frames / 2
            c = torch.where(later, second, first)
        group = batch_that_fits(self.device, GROUP, loaded.bytes_each)
        for at in range(0, command.frames, group):
            part = slice(at, at + group)
            made = sampling.shown(loaded, z[part], None if c is None else c[part], heats[part])
            yield wire.Drawn(job=command.job, first=at, pictures=made, done=1, total=1)

    def encode(self, command: wire.Encode) -> Events:
        """In float32, and where that does not bring the picture back, in float64."""
        loaded = self.shelf.take(command.model)
        found = yield from _inverted(loaded, command.picture, command.label)
        if found.differing and self.device.torch_device.type != "mps":  # Apple's GPU has no float64
            found = yield from _inverted(self.shelf.take(command.model, double=True), command.picture, command.label)
        yield wire.Encoded(
            job=command.job,
            latent=found.latent,
            label=found.label,
            exact=found.differing == 0,
            differing=found.differing,
            total=command.picture.size,
            largest=found.largest,
            bits=found.bits,
            bound=not loaded.model.exact,
        )

    def play(self, command: wire.Play) -> Events:
        """Sounds chunk by chunk, and what they cost."""
        yield None
        loaded = self.shelf.take(command.model)
        wished = (command.seeds, command.samples, command.temperature, command.label, command.begin)
        for chunk in playing.played(loaded, *wished):
            if chunk is None:
                yield None
                continue
            yield wire.Played(
                job=command.job,
                first=chunk.first,
                sounds=chunk.sounds,
                total=command.samples,
                log_prob=chunk.log_prob,
            )

    def score(self, command: wire.Score) -> Events:
        """What an artwork costs, and where."""
        yield None
        loaded = self.shelf.take(command.model)
        for found in completion.scored(loaded, command.picture, command.label):
            if found is None:
                yield None
                continue
            yield wire.Scored(
                job=command.job,
                log_prob=found.log_prob,
                bits=found.bits,
                bound=not loaded.model.exact,
                label=found.label,
            )

    def join(self, command: wire.Join) -> Events:
        """The best join of a loop."""
        yield None
        loaded = self.shelf.take(command.model)
        wished = (command.sound, command.begin, command.end, command.seed, command.label)
        for found in joining.best(loaded, *wished):
            if found is None:
                yield None
                continue
            yield wire.Joined(
                job=command.job,
                begin=found.begin,
                end=found.end,
                bits=found.bits,
                before=found.before,
                tried=found.tried,
            )

    def train(self, command: wire.Train) -> Events:
        """Learns, saves as it goes, and ends with a trained model among the person's own."""
        study = msgspec.convert(command.study, Study)
        data = yield from _loaded(command.source, study.shape, study.rate, study.labels)
        yield wire.Notice(job=command.job, text=data.report.sentence)
        run = training.Run(study, Path(command.run), self.device.torch_device)
        known, test = _sides(data, run.model)
        learn, watch = split(known)
        for moment in training.train(run, learn, watch, bf16=self.device.bf16):
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

    def evaluate(self, command: wire.Evaluate) -> Events:
        """Every figure of a trained model on held-out artworks."""
        yield None
        loaded = self.shelf.take(command.model)
        card = loaded.card
        data = yield from _loaded(command.source, card.shape, card.rate, card.labels)
        _, test = _sides(data, loaded.model)
        if command.most is not None:
            test = test.part(slice(command.most))
        held_out, done, total = test.to(self.device.torch_device), 0, len(test)
        steps: Generator[tuple[int, int], None, tuple[Any, ...]]
        if not command.spread:
            steps = evaluation.figures(loaded.model, held_out, draws=command.draws)
        elif isinstance(held_out, Examples):
            steps = evaluation.spread(loaded.model, held_out)
        else:
            raise Misfit("recordings are of any length, so their prices have no common spread")
        while True:
            try:
                done, total = next(steps)
            except StopIteration as end:
                what = "spread" if command.spread else "figures"
                yield wire.Measured(job=command.job, done=done, total=total, **{what: end.value})
                return
            yield wire.Measured(job=command.job, done=done, total=total)

    def doctor(self, command: wire.Doctor) -> Events:
        """What this machine has."""
        yield wire.Diagnosis(job=command.job, findings=diagnosis.findings(self.device))


def _latent_of(
    loaded: sampling.Loaded, asked: wire.Explore | wire.Point
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """The latent that a hand shaped, the temperature to decode it at, and its class `(1,)` where there are classes."""
    start = sampling.start_of(loaded, asked.seed, asked.latent)
    return (
        sampling.moved(loaded, start, asked.sliders, asked.temperature),
        sampling.heat_left(loaded, asked.temperature),
        sampling.classes_for(loaded, [asked.seed], asked.label),
    )


def _inverted(
    loaded: sampling.Loaded, picture: wire.Array, label: int | None
) -> Generator[None, None, sampling.Inverse]:
    for found in sampling.invert(loaded, picture, label):
        if found is not None:
            return found
        yield None
    raise RuntimeError("an inversion ended without its result")


def _loaded(
    source: str, shape: tuple[int, ...], rate: int, labels: tuple[str, ...]
) -> Generator[None, None, dataset.Dataset | recordings.Recordings]:
    """Artworks of a shape; recordings where there is a rate, with the kinds that columns of their index say."""
    steps: Generator[object, None, dataset.Dataset | recordings.Recordings]
    steps = recordings.loading(Path(source), rate, labels) if rate else dataset.loading(Path(source), shape)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: dataset.Dataset | recordings.Recordings = end.value
            return found
        yield None


def _sides(
    data: dataset.Dataset | recordings.Recordings, model: Model
) -> tuple[Examples, Examples] | tuple[Recordings, Recordings]:
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


def _kinds(data: dataset.Dataset | recordings.Recordings, model: Model) -> tuple[str, ...]:
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
