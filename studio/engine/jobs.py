"""Each command as a generator of events.

A generator yields events, or None where a step was taken and there is nothing to say. Between two
steps the engine may turn to something more urgent, or close the generator. The endings are the
engine's: what a generator raises becomes the job's `Failed`.
"""

from collections.abc import Generator

import torch

from studio.engine import doctor as diagnosis
from studio.engine import errors
from studio.engine.device import Device, batch_that_fits
from studio.engine.events import Events
from studio.engine.generation import inpainting, loop_finder, pricing, sampling
from studio.engine.generation.picture_job import GROUP, Drawing
from studio.engine.generation.sound_job import Performance
from studio.engine.levels import Misfit
from studio.engine.training import jobs
from studio.wire import messages as wire


class Jobs:
    """Starts what is asked, on one device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.shelf = sampling.Shelf(device.torch_device)
        self._steered: dict[str, Drawing | Performance] = {}
        """By the jobs that are drawing."""
        self._ahead: list[wire.Adjust] = []
        """The newest for jobs that draw not yet, or no more."""

    def start(self, command: wire.AnyCommand) -> Events:
        """The events of a command, lazily: nothing is done before the first is asked for."""
        match command:
            case wire.Sample():
                return self.sample(command)
            case wire.DecodeLatent():
                return self.explore(command)
            case wire.Interpolate():
                return self.path(command)
            case wire.Encode():
                return self.encode(command)
            case wire.Inpaint():
                return self.complete(command)
            case wire.StreamSound():
                return self.perform(command)
            case wire.Adjust():
                return self.steer(command)
            case wire.ComputeBits():
                return self.price(command)
            case wire.FindLoop():
                return self.join(command)
            case wire.Score():
                return self.score(command)
            case wire.Train():
                return jobs.train(command, self.device)
            case wire.Evaluate():
                return jobs.evaluate(command, self.shelf, self.device)
            case wire.Doctor():
                return self.doctor(command)
        raise Misfit(f"a {type(command).__name__} is nothing that can be started")

    def sample(self, command: wire.Sample) -> Events:
        """Pictures in groups, each group previewed while it forms and priced when it is done."""
        yield None
        loaded = self._taken(command)
        sampling.classes_for(loaded, (), command.label)
        drawing = Drawing(
            command,
            self.device,
            loaded,
            draw=lambda seeds, heat, doubts: sampling.draw(loaded, seeds, heat, command.label, doubts),
            price=lambda pictures, seeds: sampling.price(loaded, pictures, seeds, command.label),
        )
        yield from self._held(drawing)

    def complete(self, command: wire.Inpaint) -> Events:
        """As `sample`, with a part of a picture kept."""
        yield None
        loaded = self._taken(command)
        keep = inpainting.kept(loaded, command.picture, command.mask)
        sampling.classes_for(loaded, (), command.label)
        drawing = Drawing(
            command,
            self.device,
            loaded,
            draw=lambda seeds, heat, doubts: inpainting.draw(loaded, keep, seeds, heat, command.label, doubts),
            price=lambda pictures, seeds: inpainting.price(loaded, keep, pictures, seeds, command.label),
        )
        yield from self._held(drawing)

    def _taken(self, command: wire.DrawPictures) -> sampling.Loaded:
        """The model of a command, or the mixture of its two."""
        loaded = self.shelf.take(command.model)
        return sampling.mixed(loaded, self.shelf.take(command.second_model)) if command.second_model else loaded

    def steer(self, command: wire.Adjust) -> Events:
        """Has a job draw otherwise from its next row on, or once it begins. One step, so that its ending parts what was
        made before from what is made by it."""
        running = self._steered.get(command.running_job)
        if running is None:
            self._ahead = [*self._ahead[-15:], command]
        else:
            running.turn(command)
        yield from ()

    def perform(self, command: wire.StreamSound) -> Events:
        """A sound while it is heard."""
        yield None
        other = self.shelf.take(command.second_model) if command.second_model else None
        yield from self._held(Performance(command, self.shelf.take(command.model), other))

    def _held(self, running: Drawing | Performance) -> Events:
        """The events of a job on which there is a hand."""
        job = running.command.job
        self._steered[job] = running
        try:
            for wish in (wish for wish in self._ahead if wish.running_job == job):
                try:
                    running.turn(wish)
                except Misfit as error:
                    yield wire.Notice(job=job, text=errors.sentence(str(error)))
            yield from running.steps()
        finally:
            del self._steered[job]

    def explore(self, command: wire.DecodeLatent) -> Events:
        """One picture from a start and sliders."""
        double = command.latent is not None and command.latent.dtype.itemsize == 8
        loaded = self.shelf.take(command.model, double=double)
        z, heat, c = _latent_of(loaded, command)
        pictures = yield from _decoded(loaded, z[None], c, heat)
        yield wire.Decoded(job=command.job, picture=pictures[0])

    def path(self, command: wire.Interpolate) -> Events:
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
            made = yield from _decoded(loaded, z[part], None if c is None else c[part], heats[part])
            yield wire.PicturesPreview(job=command.job, first=at, pictures=made, done=1, total=1)

    def encode(self, command: wire.Encode) -> Events:
        """In float32; if that does not bring the picture back, in float64, and then with other latents of it."""
        loaded = self.shelf.take(command.model)
        found = yield from _inverted(loaded, command.picture, command.label)
        if found.differing and self.device.torch_device.type != "mps":  # Apple's GPU has no float64
            double = self.shelf.take(command.model, double=True)
            found = yield from _inverted(double, command.picture, command.label, search=True)
        yield wire.Encoded(
            job=command.job,
            latent=found.latent,
            label=found.label,
            exact=found.differing == 0,
            differing=found.differing,
            total=command.picture.size,
            largest_difference=found.largest,
            bits=found.bits,
            is_bound=not loaded.model.exact,
        )

    def score(self, command: wire.Score) -> Events:
        """What an artwork costs, and where."""
        yield None
        loaded = self.shelf.take(command.model)
        for found in inpainting.scored(loaded, command.picture, command.label):
            if found is None:
                yield None
                continue
            yield wire.Scored(
                job=command.job,
                log_prob=found.log_prob,
                bits=found.bits,
                is_bound=not loaded.model.exact,
                label=found.label,
                log_prob_given_class=found.given,
            )

    def price(self, command: wire.ComputeBits) -> Events:
        """Price a stretch of a recording, piece by piece."""
        yield None
        loaded = self.shelf.take(command.model)
        for piece in pricing.priced(loaded, command.sound, command.first_sample, command.label):
            if piece is None:
                yield None
                continue
            yield wire.BitsChunk(job=command.job, first_sample=piece.first, bits=piece.bits, label=piece.label)

    def join(self, command: wire.FindLoop) -> Events:
        """The best join of a loop."""
        yield None
        loaded = self.shelf.take(command.model)
        wished = (command.sound, command.begin, command.end, command.seed, command.label)
        for found in loop_finder.best(loaded, *wished):
            if found is None:
                yield None
                continue
            yield wire.LoopFound(
                job=command.job,
                begin=found.begin,
                end=found.end,
                join_bits=found.bits,
                join_bits_before=found.before,
                tried_count=found.tried,
            )

    def doctor(self, command: wire.Doctor) -> Events:
        """What this machine has."""
        yield wire.Diagnosis(job=command.job, findings=diagnosis.findings(self.device))


def _latent_of(
    loaded: sampling.Loaded, asked: wire.DecodeLatent | wire.LatentPoint
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """The latent that a hand shaped, the temperature to decode it at, and its class `(1,)` where there are classes."""
    start = sampling.start_of(loaded, asked.seed, asked.latent)
    return (
        sampling.moved(loaded, start, asked.sliders, asked.temperature),
        sampling.heat_left(loaded, asked.temperature),
        sampling.classes_for(loaded, [asked.seed], asked.label),
    )


def _decoded(
    loaded: sampling.Loaded, z: torch.Tensor, c: torch.Tensor | None, heat: torch.Tensor
) -> Generator[None, None, wire.Array]:
    for found in sampling.shown(loaded, z, c, heat):
        if found is not None:
            return found
        yield None
    raise RuntimeError("a decoding ended without its result")


def _inverted(
    loaded: sampling.Loaded, picture: wire.Array, label: int | None, *, search: bool = False
) -> Generator[None, None, sampling.Inverse]:
    for found in sampling.invert(loaded, picture, label, search=search):
        if found is not None:
            return found
        yield None
    raise RuntimeError("an inversion ended without its result")
