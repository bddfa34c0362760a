"""Turn each command into a generator of events.

A generator yields an event, or None after a step without one. Between two steps the engine may step a more urgent job,
or close the generator. The engine reports endings: what a generator raises becomes the job's `Failed`.
"""

from collections.abc import Generator

import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.engine import doctor as diagnosis
from studio.engine import errors
from studio.engine.device import ComputeDevice, batch_that_fits
from studio.engine.events import EventSteps
from studio.engine.generation import canvas, encoding, inpainting, loop_finder, pricing, sampling, sharpening
from studio.engine.generation.picture_job import GROUP_SIZE, PictureJob
from studio.engine.generation.sound_job import SoundJob
from studio.engine.levels import DoesNotFit
from studio.engine.training import examples, jobs, pyramid_export, sample_comparison, scanning, trial
from studio.library import received_files
from studio.wire import messages as wire


class JobStarter:
    """Starts the jobs of commands on one device."""

    def __init__(self, device: ComputeDevice) -> None:
        self.device = device
        self.model_cache = sampling.ModelCache(device.torch_device)
        self._adjustable_jobs: dict[str, PictureJob | SoundJob] = {}
        """The jobs that are drawing, by their id."""
        self._trainings: dict[str, jobs.RunRequests] = {}
        """The requests to each running training, by its id."""
        self._early_adjustments: list[wire.Adjust] = []
        """The newest adjustments of jobs that are not drawing yet, or have ended."""
        self._receiver = received_files.FileReceiver()

    def start(self, command: wire.AnyCommand) -> EventSteps:
        """Return the events of a command, lazily: nothing is done before the first is requested."""
        match command:
            case wire.Sample():
                return self.sample(command)
            case wire.DecodeLatent():
                return self.decode_latent(command)
            case wire.DecodeClasses():
                return self.decode_classes(command)
            case wire.Interpolate():
                return self.interpolate(command)
            case wire.Encode():
                return self.encode(command)
            case wire.Inpaint():
                return self.inpaint(command)
            case wire.StreamSound():
                return self.stream_sound(command)
            case wire.Adjust():
                return self.adjust(command)
            case wire.ComputeBits():
                return self.compute_bits(command)
            case wire.FindLoop():
                return self.find_loop(command)
            case wire.Score():
                return self.score(command)
            case wire.ScanFolder():
                return scanning.scan_folder(command)
            case wire.PreviewExamples():
                return examples.preview_examples(command)
            case wire.Train():
                return self.train(command)
            case wire.PrepareTraining():
                return trial.prepare_training(command, self.device)
            case wire.SteerTraining():
                return self.steer_training(command)
            case wire.Evaluate():
                return jobs.evaluate_model(command, self.model_cache, self.device)
            case wire.CompareSamples():
                return sample_comparison.compare_samples(command, self.model_cache)
            case wire.MakePyramid():
                return pyramid_export.make_pyramid(command, self.device)
            case wire.PackArtworks():
                return jobs.pack_artworks(command)
            case wire.MeasureTraining():
                return trial.measure_training(command, self.device)
            case wire.FindFile():
                return self.find_file(command)
            case wire.StoreFile():
                return self.store_file(command)
            case wire.Doctor():
                return self.doctor(command)
        raise DoesNotFit(f"a {type(command).__name__} cannot be started")

    def sample(self, command: wire.Sample) -> EventSteps:
        """Draw pictures in groups. Each group is previewed while it forms and scored when it is done."""
        yield None
        loaded, drawn = self._models_of(command)
        sampling.classes_for(loaded, (), command.label)
        drawing = PictureJob(
            command,
            self.device,
            drawn,
            draw=lambda seeds, temperature, entropies: sampling.draw_artworks(
                drawn, seeds, temperature, command.label, entropies
            ),
            score=lambda pictures, seeds: sampling.score_artworks(loaded, pictures, seeds, command.label),
        )
        yield from self._run_adjustable(drawing)

    def inpaint(self, command: wire.Inpaint) -> EventSteps:
        """Complete a picture: like `sample`, with a part kept."""
        yield None
        loaded, drawn = self._models_of(command)
        keep = inpainting.levels_to_keep(loaded, command.picture, command.mask)
        sampling.classes_for(loaded, (), command.label)
        drawing = PictureJob(
            command,
            self.device,
            drawn,
            draw=lambda seeds, temperature, entropies: inpainting.draw_completions(
                drawn, keep, seeds, temperature, command.label, entropies
            ),
            score=lambda pictures, seeds: inpainting.score_completions(loaded, keep, pictures, seeds, command.label),
        )
        yield from self._run_adjustable(drawing)

    def _models_of(self, command: wire.DrawPictures) -> tuple[sampling.LoadedModel, sampling.LoadedModel]:
        """Return the model of a command, which computes the bits, and the one that draws: sharpened, if requested.

        It is the mixture if the command has two models. Both make pictures of the command's size.
        """
        loaded = self.model_cache.get_model(command.model)
        if command.second_model:
            loaded = sampling.mix_loaded(loaded, self.model_cache.get_model(command.second_model))
        drawn = sharpening.sharpen_loaded(loaded, command.guidance, command.top_p)
        return _with_size_of(command, loaded, loaded), _with_size_of(command, drawn, loaded)

    def adjust(self, command: wire.Adjust) -> EventSteps:
        """Change how a job draws from its next row on, or before it begins.

        It is one step, so its ending separates the events before the change from those after it.
        """
        running = self._adjustable_jobs.get(command.running_job)
        if running is None:
            self._early_adjustments = [*self._early_adjustments[-15:], command]
        else:
            running.adjust(command)
        yield from ()

    def stream_sound(self, command: wire.StreamSound) -> EventSteps:
        """Generate a sound while it plays."""
        yield None
        other = self.model_cache.get_model(command.second_model) if command.second_model else None
        yield from self._run_adjustable(SoundJob(command, self.model_cache.get_model(command.model), other))

    def train(self, command: wire.Train) -> EventSteps:
        """Train a model. SteerTraining sends requests to it."""
        requests = self._trainings[command.job] = jobs.RunRequests()
        try:
            yield from jobs.train_model(command, self.device, requests)
        finally:
            del self._trainings[command.job]

    def steer_training(self, command: wire.SteerTraining) -> EventSteps:
        """Note a request to a running training. If the training has ended, ignore it."""
        requests = self._trainings.get(command.running_job)
        if requests is not None:
            setattr(requests, command.action, True)
        yield from ()

    def _run_adjustable(self, running: PictureJob | SoundJob) -> EventSteps:
        """Yield the events of a job with live controls."""
        job = running.command.job
        self._adjustable_jobs[job] = running
        try:
            for adjustment in (adjustment for adjustment in self._early_adjustments if adjustment.running_job == job):
                try:
                    running.adjust(adjustment)
                except DoesNotFit as error:
                    yield wire.Notice(job=job, text=errors.as_sentence(str(error)))
            yield from running.steps()
        finally:
            del self._adjustable_jobs[job]

    def decode_latent(self, command: wire.DecodeLatent) -> EventSteps:
        """Draw one picture from a latent and sliders."""
        double = command.latent is not None and command.latent.dtype.itemsize == 8
        loaded = self.model_cache.get_model(command.model, double=double)
        z, temperature, c = _latent_of(loaded, command)
        pictures = yield from _decode_in_steps(loaded, z[None], c, temperature)
        yield wire.Decoded(job=command.job, picture=pictures[0])

    def interpolate(self, command: wire.Interpolate) -> EventSteps:
        """Draw artworks along the arc between two latents.

        If their classes differ, the second's is used from the middle on.
        """
        yield None
        ends = (command.begin, command.end)
        double = any(end.latent is not None and end.latent.dtype.itemsize == 8 for end in ends)
        loaded = self.model_cache.get_model(command.model, double=double)
        (begin, temperature, first), (end, last, second) = (_latent_of(loaded, end) for end in ends)
        z = sampling.interpolate_latents(begin, end, command.frames)
        part_of = torch.linspace(0, 1, command.frames, dtype=z.dtype, device=z.device).view(
            -1, *[1] * temperature.dim()
        )
        temperatures = torch.lerp(temperature.expand(command.frames, *temperature.shape), last.expand_as(z), part_of)
        c = None
        if first is not None and second is not None:
            later = torch.arange(command.frames, device=z.device) >= command.frames / 2
            c = torch.where(later.view(-1, *[1] * (second.dim() - 1)), second, first)
        group = batch_that_fits(self.device, GROUP_SIZE, loaded.bytes_each)
        for at in range(0, command.frames, group):
            part = slice(at, at + group)
            made = yield from _decode_in_steps(loaded, z[part], None if c is None else c[part], temperatures[part])
            yield wire.PicturesPreview(job=command.job, first=at, pictures=made, done=1, total=1)

    def decode_classes(self, command: wire.DecodeClasses) -> EventSteps:
        """Draw one latent in every class, in groups."""
        yield None
        latent = command.point.latent
        loaded = self.model_cache.get_model(command.model, double=latent is not None and latent.dtype.itemsize == 8)
        if not loaded.card.classes or loaded.card.sample_rate:
            raise DoesNotFit(f'"{loaded.card.title}" has no alphabet. Choose a model of pictures with classes')
        z, temperature, _ = _latent_of(loaded, command.point)
        every = torch.arange(loaded.model.classes, device=z.device)
        group = batch_that_fits(self.device, GROUP_SIZE, loaded.bytes_each)
        for c in torch.split(every, group):
            made = yield from _decode_in_steps(loaded, z.expand(len(c), *z.shape), c, temperature)
            yield wire.PicturesPreview(job=command.job, first=int(c[0]), pictures=made, done=1, total=1)

    def encode(self, command: wire.Encode) -> EventSteps:
        """Encode a picture in float32, and again in float64 if it does not decode back.

        In float64 other latents of it are tried, too.
        """
        loaded = self.model_cache.get_model(command.model)
        found = yield from _encode_in_steps(loaded, command.picture, command.label)
        if found.differing and self.device.torch_device.type != "mps":  # Apple's GPU has no float64
            double = self.model_cache.get_model(command.model, double=True)
            found = yield from _encode_in_steps(double, command.picture, command.label, search=True)
        yield wire.Encoded(
            job=command.job,
            latent=found.latent,
            label=found.label,
            exact=found.differing == 0,
            differing=found.differing,
            total=found.total,
            largest_difference=found.largest_difference,
            bits=found.bits,
            is_bound=not loaded.model.exact,
        )

    def score(self, command: wire.Score) -> EventSteps:
        """Compute the bits of an artwork, in all and at each place."""
        yield None
        loaded = canvas.suited_to(self.model_cache.get_model(command.model), command.picture)
        for found in inpainting.score_artwork(loaded, command.picture, command.label):
            if found is None:
                yield None
                continue
            yield wire.Scored(
                job=command.job,
                log_prob=found.log_prob,
                bits=found.bits,
                is_bound=not loaded.model.exact,
                label=found.label,
                log_prob_given_class=found.log_prob_given_class,
                noise=loaded.card.noise,
            )

    def compute_bits(self, command: wire.ComputeBits) -> EventSteps:
        """Compute the bits of a stretch of a recording, chunk by chunk."""
        yield None
        loaded = self.model_cache.get_model(command.model)
        for piece in pricing.bits_in_pieces(loaded, command.sound, command.first_sample, command.label):
            if piece is None:
                yield None
                continue
            yield wire.BitsChunk(job=command.job, first_sample=piece.first, bits=piece.bits, label=piece.label)

    def find_loop(self, command: wire.FindLoop) -> EventSteps:
        """Find the best join of a loop."""
        yield None
        loaded = self.model_cache.get_model(command.model)
        request = (command.sound, command.begin, command.end, command.seed, command.label)
        for found in loop_finder.find_best_loop(loaded, *request):
            if found is None:
                yield None
                continue
            yield wire.LoopFound(
                job=command.job,
                begin=found.begin,
                end=found.end,
                join_bits=found.bits,
                join_bits_before=found.bits_before,
                tried_count=found.tried,
            )

    def find_file(self, command: wire.FindFile) -> EventSteps:
        """Report the path of a file if it is here."""
        path = received_files.find_file(command.name, command.file_hash)
        if path is not None:
            yield wire.FileFound(job=command.job, path=str(path))

    def store_file(self, command: wire.StoreFile) -> EventSteps:
        """Add a piece of a file that another computer sends, and report its path once it is whole."""
        data = command.data.tobytes()
        path = self._receiver.add_piece(command.name, command.file_hash, command.first_byte, command.size, data)
        if path is not None:
            yield wire.FileFound(job=command.job, path=str(path))

    def doctor(self, command: wire.Doctor) -> EventSteps:
        """Report Doctor's findings about this computer."""
        yield wire.Diagnosis(job=command.job, findings=diagnosis.examine_computer(self.device))


def _latent_of(
    loaded: sampling.LoadedModel, asked: wire.DecodeLatent | wire.LatentPoint
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Return the latent of a LatentPoint, its decoding temperature, and its condition.

    The condition is the class, `(1,)`; None if the model has no classes. A model that follows a recording follows its
    usual one.
    """
    start = sampling.start_latent(loaded, asked.seed, asked.latent)
    c = sampling.classes_for(loaded, [asked.seed], asked.label)
    if isinstance(loaded.model, AutoregressiveSound):
        if loaded.model.follows_signal and asked.latent is not None:
            raise DoesNotFit(
                f'"{loaded.card.title}" follows a recording, so an opened one cannot be drawn again. Choose another'
            )
        c = loaded.model.condition(c)
    return (
        sampling.move_latent(loaded, start, asked.sliders, asked.temperature),
        sampling.decoding_temperature(loaded, asked.temperature),
        c,
    )


def _decode_in_steps(
    loaded: sampling.LoadedModel, z: torch.Tensor, c: torch.Tensor | None, temperature: torch.Tensor
) -> Generator[None, None, wire.Array]:
    for found in sampling.decode_artworks(loaded, z, c, temperature):
        if found is not None:
            return found
        yield None
    raise RuntimeError("a decoding ended without its result")


def _encode_in_steps(
    loaded: sampling.LoadedModel, picture: wire.Array, label: int | None, *, search: bool = False
) -> Generator[None, None, encoding.EncodedArtwork]:
    for found in encoding.encode_artwork(loaded, picture, label, search=search):
        if found is not None:
            return found
        yield None
    raise RuntimeError("an encoding ended without its result")


def _with_size_of(
    command: wire.DrawPictures, loaded: sampling.LoadedModel, priced_by: sampling.LoadedModel
) -> sampling.LoadedModel:
    """Return a model for pictures of a command's size. Their bits are computed by `priced_by`."""
    if isinstance(command, wire.Inpaint):
        return canvas.suited_to(loaded, command.picture)
    if isinstance(command, wire.Sample) and command.canvas_size is not None:
        return canvas.on_canvas(loaded, command.canvas_size, seamless=command.seamless, priced_by=priced_by)
    return loaded
