"""Generate sound while it plays, sample by sample, with live controls.

It never runs too far ahead of the playhead.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio import kernels
from studio.density.autoregressive_sound import NOISE_BLOCK_SAMPLES, SEGMENT_SAMPLES, AutoregressiveSound
from studio.density.sound_mixture import ClassOfEachModel, MixtureSampler
from studio.engine.events import EventSteps, Pause
from studio.engine.generation.live_controls import MAX_TEMPERATURE
from studio.engine.generation.sampling import OPENING_SECONDS, LoadedModel, classes_for, followed_signal_of
from studio.engine.levels import DoesNotFit, levels_of_sound, sound_of_levels
from studio.wire import messages as wire
from studio.zoo.compiled.wavenet import sample_jointly

FIRST_CHUNK_SECONDS = 0.005
"""Seconds of sound in the first chunk after a change, so that it is soon heard."""
COMPILED_CHUNK_SECONDS = 0.01
"""Seconds of sound that the compiled sampler draws at once."""
STEP_SECONDS = 0.003
"""Seconds of work on a chunk before other jobs may run, and so the longest wait for an edit."""
TORCH_CHUNK_SAMPLES = 8
"""The number of samples that the torch sampler draws at once."""
COMPILE_WAIT_SECONDS = 0.15
"""Seconds to wait for the compiled sampler before the torch sampler begins."""
POLL_SECONDS = 0.015
"""Seconds between two checks whether more is wanted."""

FAST_UNDO_SECONDS = 1.0
"""Seconds of the last samples in which an edit begins without processing all of the past again."""
MAX_UNDO_SECONDS = 4.0
"""Seconds of the last samples in which an edit can begin."""
MAX_FOLLOWED_SECONDS = 120
"""The most seconds of a recording that can be followed. A minute takes the smallest preset 6 MB, the largest 115 MB."""
MAX_CURVE_POINTS = 10_000
"""The largest number of points of a curve."""
_CHANGED = ("made", "past", "c", "label", "noise", "choices", "curve", "share", "_done")
"""The attributes that an edit may change."""


class SoundJob:
    """Generates one sound."""

    def __init__(self, command: wire.StreamSound, loaded: LoadedModel, other: LoadedModel | None = None) -> None:
        """Raises DoesNotFit if the models cannot stream. `other` is the second of two mixed models."""
        self.loaded_models = (loaded,) if other is None else (loaded, other)
        self.models = tuple(_streaming_model(voice) for voice in self.loaded_models)
        labels = [
            f'"{voice.card.title}" has {voice.card.size_text} and {voice.model.levels} levels'
            for voice in self.loaded_models
        ]
        if len({(voice.card.sample_rate, voice.model.levels) for voice in self.loaded_models}) > 1:
            raise DoesNotFit(
                f"{labels[0]}, and {labels[1]}, so they cannot be mixed. Choose two models that agree in that"
            )
        self.rate = loaded.card.sample_rate
        self.levels = loaded.model.levels
        self.receptive_field = max(m.receptive_field for m in self.models)
        self.command = command
        self.allowed_seconds = command.allowed_seconds
        self.share = command.share
        self.curve = _check_curve(command.temperature_curve, command.temperature)
        self.label = command.label
        self._signals = _followed_signals(self.loaded_models, command.followed_sound)
        hops = [model.net.hop for model in self.models if model.follows_signal]
        self._hop = math.lcm(*hops)
        """The samples after which frames of all followed signals begin."""
        self._sampler_begin = 0
        """The sample of the sound with which the sampler began."""
        self.c = self._conditions(command.label)
        begin = command.sound_to_continue if command.sound_to_continue is not None else np.zeros(0, np.int16)
        if begin.dtype != np.int16 or begin.ndim != 1:
            raise DoesNotFit(
                f"the sound to continue is {begin.shape} of {begin.dtype}, but must be (samples,) of int16"
            )
        self.continued_count = len(begin)
        self.made = 0
        self.past: wire.Array = (
            levels_of_sound(begin[-self.receptive_field - self._hop :], self.levels).numpy().astype(np.int32)
        )
        """The last levels `(T,)`. It is not a tensor: torch would wake its other threads to copy it for every chunk."""
        self._seed(command.seed)
        self.sampler: MixtureSampler | None = None
        self.undo_samples = round(FAST_UNDO_SECONDS * self.rate)
        self.compiled = _SamplerCompilation(self.models, self.c, self.undo_samples)
        self.speed = 0.0
        self._done = 0
        """The number of samples of the current chunk that are drawn."""
        self._restarted = False
        """Whether the current chunk is to be discarded."""
        self._before_edit: dict[str, Any] = {}
        """The values that `_CHANGED` attributes had before the last edit that replaced samples; empty if none did."""

    def _seed(self, seed: int) -> None:
        self.noise = _NoiseBlocks(lambda: self.models[0].noise_blocks(seed))
        self.choices = _NoiseBlocks(lambda: _choice_numbers(seed, self._device))

    @property
    def _device(self) -> torch.device:
        return self.models[0].scale_of.device

    def _conditions(self, label: int | None) -> ClassOfEachModel:
        """Return the class of each model and what it follows. Raises DoesNotFit."""
        each = zip(self.models, self._classes(label), self._signals, strict=True)
        return tuple(model.condition(kind, signal) for model, kind, signal in each)

    def _conditions_of_sampler(self) -> ClassOfEachModel:
        """Return the conditions from the sample on with which the sampler began."""
        each = zip(self.models, self.c, strict=True)
        return tuple(
            c.roll(-(self._sampler_begin // model.net.hop), 2) if c is not None and model.follows_signal else c
            for model, c in each
        )

    def _classes(self, label: int | None) -> ClassOfEachModel:
        """Return the class of each model.

        The second's is the class of the same name, else the seed's own. Raises DoesNotFit.
        """
        first = classes_for(self.loaded_models[0], [self.command.seed], label)
        if len(self.loaded_models) == 1:
            return (first,)
        one, other = (list(voice.card.classes) for voice in self.loaded_models)
        name = one[int(first)] if first is not None else ""
        return first, classes_for(
            self.loaded_models[1], [self.command.seed], other.index(name) if name in other else None
        )

    def adjust(self, command: wire.Adjust) -> None:
        """Accept an edit, which applies from the next sample. Raises DoesNotFit, and then nothing has changed."""
        if command.replaces_late_edit:
            self._undo_last_edit()
        if command.temperature_map is not None or command.share_map is not None:
            raise DoesNotFit("a sound has no pixels that could differ")
        if command.share is not None and len(self.loaded_models) == 1:
            raise DoesNotFit("no second model is mixed in, so there is no share")
        if command.temperature is not None and len(command.temperature) != 1:
            raise DoesNotFit("a sound that plays has one temperature")
        curve = self.curve
        if command.temperature_curve is not None or command.temperature is not None:
            curve = _check_curve(
                command.temperature_curve, command.temperature[0] if command.temperature is not None else 1.0
            )
        turned = command.label is not None and command.label != self.label
        c = self._conditions(command.label) if turned else self.c
        if command.from_sample is not None:
            self._restart_from(command.from_sample)
        if turned:
            self.label = command.label
            self._set_class(c)
        if command.seed is not None:
            self._seed(command.seed)
        self.curve = curve
        self.share = self.share if command.share is None else command.share
        self.allowed_seconds = self.allowed_seconds if command.allowed_seconds is None else command.allowed_seconds

    def _restart_from(self, first: int) -> None:
        """Generate again from a sample on. Raises DoesNotFit."""
        dropped = self.made - first
        if not 0 <= dropped <= MAX_UNDO_SECONDS * self.rate:
            raise DoesNotFit(f"only the last {MAX_UNDO_SECONDS:.0f} seconds can be generated again")
        self._before_edit = {name: getattr(self, name) for name in _CHANGED}
        self.made = first
        self.past = self.past[: len(self.past) - dropped]
        self._drop_samples(dropped + self._done)

    def _undo_last_edit(self) -> None:
        """Undo the last edit that generated samples again."""
        if not self._before_edit:
            return
        c = self.c
        able = self.sampler is not None and self.sampler.redo()
        for name, was in self._before_edit.items():
            setattr(self, name, was)
        self._before_edit = {}
        if self.sampler is not None and not able:
            self.sampler = self._new_sampler()
            self._done = 0
        elif self.c is not c:
            self._set_class(self.c)
        self._drop_samples(self._done)

    def _set_class(self, c: ClassOfEachModel) -> None:
        self.c = c
        if self.sampler is not None:
            self.sampler.set_condition(self._conditions_of_sampler())

    def _drop_samples(self, dropped: int) -> None:
        """Drop samples that the sampler has drawn. The next samples continue the remaining ones."""
        self._done = 0
        self._restarted = True
        last = torch.from_numpy(self.past[-1:]) if len(self.past) else None
        if self.sampler is not None and dropped and not self.sampler.undo(dropped, last):
            self.sampler = self._new_sampler()

    @torch.no_grad()
    def steps(self) -> EventSteps:
        """Yield the sound chunk by chunk until all is generated."""
        self.compiled.start()
        yield from self.compiled.wait_briefly()
        seconds = self.command.seconds
        piece = round(wire.CHUNK_SECONDS * self.rate)
        first = round(FIRST_CHUNK_SECONDS * self.rate)
        whole = math.inf if seconds is None else round(seconds * self.rate)
        while self.made < whole:
            count = int(min(first if self._restarted else piece, whole - self.made))
            if self.allowed_seconds is not None and self.made + count > self.allowed_seconds * self.rate + 1e-6:
                yield Pause(POLL_SECONDS)
            else:
                yield from self._make_chunk(count)

    def _make_chunk(self, count: int) -> EventSteps:
        """Generate the next samples in short steps, with their bits.

        The chunk is discarded if its samples are to be generated again.
        """
        first = self.made
        is_compiled = self._prepare_sampler()
        self._restarted = False
        assert self.sampler is not None
        parts = []
        began = time.monotonic()
        worked = 0.0
        done = 0
        most = round(COMPILED_CHUNK_SECONDS * self.rate) if is_compiled else TORCH_CHUNK_SAMPLES
        while done < count:
            few = min(count - done, most)
            at = first + done
            temperatures = torch.from_numpy(self._temperature_at((at + np.arange(few)) / self.rate))[None]
            z = self.noise.at(self.continued_count + at, few)
            choices = self.choices.at(self.continued_count + at, few)
            parts.append(self.sampler.sample(z, temperatures.to(z.device, z.dtype), choices, self.share))
            done += few
            self._done = done
            if done < count and time.monotonic() - began > STEP_SECONDS:
                worked += time.monotonic() - began
                yield None
                if self._restarted:
                    return
                began = time.monotonic()
        worked += time.monotonic() - began
        x, bits = (torch.cat(each, 1) for each in zip(*parts, strict=True))
        kept = self.receptive_field + self._hop + round(MAX_UNDO_SECONDS * self.rate)
        self.past = np.concatenate((self.past, x[0].cpu().numpy().astype(np.int32)))[-kept:]
        self.made = self.made + count
        self._done = 0
        now = count / self.rate / max(worked, 1e-6)
        if self.compiled.done:  # until then its speed is unknown
            self.speed = self.speed * 0.8 + now * 0.2 if self.speed else now
        yield wire.SoundChunk(
            job=self.command.job,
            first_sample=first,
            samples=sound_of_levels(x[0], self.levels),
            bits=bits[0].float().cpu().numpy(),
            speed=self.speed,
        )

    def _temperature_at(self, seconds: wire.Array) -> wire.Array:
        """Return the temperature at some times `(n,)` in seconds."""
        temperatures = temperature_on_curve(self.curve, seconds)
        if self.continued_count or seconds[0] >= OPENING_SECONDS:
            return temperatures
        opening = max(voice.card.opening_temperature for voice in self.loaded_models)
        return np.where(seconds < OPENING_SECONDS, np.maximum(temperatures, opening), temperatures)

    def _prepare_sampler(self) -> bool:
        """Prepare a sampler that knows the past; return whether it is the compiled one."""
        is_compiled = self.compiled.done
        better = self.sampler is not None and self.sampler.uses_torch and is_compiled and not self.compiled.plain
        if self.sampler is None or better:
            self.sampler = self._new_sampler()
        return is_compiled and not self.compiled.plain

    def _new_sampler(self) -> MixtureSampler:
        """Return a sampler that has received the last samples as context."""
        position = self.continued_count + self.made
        wanted = self.receptive_field + 1
        wanted += (position - wanted) % self._hop
        past = torch.from_numpy(self.past[-min(wanted, position) :]).long()[None].to(self._device)
        self._sampler_begin = position - past.shape[1]
        compiled = self.compiled
        sampler = compiled.sampler if compiled.done else None
        c = self._conditions_of_sampler()
        if sampler is not None:
            compiled.sampler = None
            sampler.set_condition(c)
        else:
            sampler = MixtureSampler(
                self.models, c, sample_jointly, torch_only=not compiled.done, undo_samples=self.undo_samples
            )
        for part in torch.split(past, SEGMENT_SAMPLES, 1) if past.numel() else ():
            sampler.append(part)
        return sampler


def _followed_signals(voices: Sequence[LoadedModel], sound: wire.Array | None) -> tuple[Tensor | None, ...]:
    """Return the signal `(numbers, frames)` that each model follows of a sound; None for its usual one, or none.

    Raises DoesNotFit if no model follows a sound, or this one cannot be followed.
    """
    if sound is None:
        return (None,) * len(voices)
    follows = [followed_signal_of(voice) for voice in voices]
    if not any(follows):
        title = voices[0].card.title
        raise DoesNotFit(f'"{title}" follows no recording. Choose a model that was trained to follow one')
    if sound.dtype != np.int16 or sound.ndim != 1 or not sound.size:
        raise DoesNotFit(f"the sound to follow is {sound.shape} of {sound.dtype}, but must be (samples,) of int16")
    if sound.size > MAX_FOLLOWED_SECONDS * voices[0].card.sample_rate:
        raise DoesNotFit(f"only {MAX_FOLLOWED_SECONDS} seconds can be followed. Shorten the recording")
    return tuple(None if follow is None else follow.of_samples(sound) for follow in follows)


def _streaming_model(loaded: LoadedModel) -> AutoregressiveSound:
    """Return the model. Raises DoesNotFit if it cannot stream."""
    model = loaded.model
    if not isinstance(model, AutoregressiveSound) or not loaded.card.sample_rate:
        raise DoesNotFit(f'"{loaded.card.title}" cannot stream sound. Choose a WaveNet')
    return model


def _choice_numbers(seed: int, device: torch.device) -> Iterator[Tensor]:
    """Return random numbers from 0 to 1 that choose which of two models draws.

    They come block by block, from a seed that the noise does not use.
    """
    stream = torch.Generator().manual_seed(2**53 + seed)
    while True:
        yield torch.rand(NOISE_BLOCK_SAMPLES, generator=stream).to(device)


def _check_curve(curve: wire.Array | None, temperature: float) -> wire.Array:
    """Return the curve's points `(n, 2)`, as in a StreamSound. A temperature alone is one point. Raises DoesNotFit."""
    if curve is None:
        return np.array([[0.0, temperature]])
    points = curve.astype(np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not 1 <= len(points) <= MAX_CURVE_POINTS:
        raise DoesNotFit(
            f"temperature over time is (points, 2) with 1 to {MAX_CURVE_POINTS:,} points, not {curve.shape}"
        )
    seconds, temperatures = points.T
    if (
        not np.isfinite(points).all()
        or (np.diff(seconds) < 0).any()
        or temperatures.min() < 0
        or temperatures.max() > MAX_TEMPERATURE
    ):
        raise DoesNotFit(
            f"temperature over time must lie between 0 and {MAX_TEMPERATURE:g}, and its seconds must not fall"
        )
    return points


def temperature_on_curve(curve: wire.Array, seconds: wire.Array) -> wire.Array:
    """Return the temperature at times `(n,)` in seconds, on lines through points `(k, 2)`.

    At a jump it is the later one.
    """
    x, y = curve.T
    after = np.searchsorted(x, seconds, side="right")
    left = np.maximum(after - 1, 0)
    right = np.minimum(after, len(x) - 1)
    part = np.clip((seconds - x[left]) / np.maximum(x[right] - x[left], 1e-12), 0, 1)
    return np.asarray(y[left] + part * (y[right] - y[left]))


class _NoiseBlocks:
    """Makes endless noise block by block, and caches the last blocks."""

    BLOCKS = 128

    def __init__(self, blocks: Callable[[], Iterator[Tensor]]) -> None:
        self._make_block = blocks
        self._begin()

    def _begin(self) -> None:
        self._new = self._make_block()
        self._next = 0
        self._blocks: dict[int, Tensor] = {}

    def at(self, first: int, count: int) -> Tensor:
        """Return `(1, count)` numbers from a sample on."""
        begin = first // NOISE_BLOCK_SAMPLES
        end = (first + count - 1) // NOISE_BLOCK_SAMPLES
        if begin < self._next and begin not in self._blocks:
            self._begin()
        while self._next <= end:
            self._blocks[self._next] = next(self._new)
            self._blocks.pop(self._next - self.BLOCKS, None)
            self._next += 1
        found = torch.cat([self._blocks[block] for block in range(begin, end + 1)])
        return found[first - begin * NOISE_BLOCK_SAMPLES :][None, :count]


class _SamplerCompilation(threading.Thread):
    """Compiles the compiled sampler, which takes from no time to many seconds."""

    def __init__(self, models: tuple[AutoregressiveSound, ...], c: ClassOfEachModel, undo_samples: int) -> None:
        super().__init__(daemon=True)
        self._models = models
        self._c = c
        self._undo_samples = undo_samples
        self.sampler: MixtureSampler | None = None
        """The first mixture sampler, which has drawn nothing yet."""
        self.done = False
        self.plain = True
        """Whether these models have no compiled sampler."""

    @torch.no_grad()
    def run(self) -> None:
        while kernels.compiled_elsewhere("sound" if len(self._models) == 1 else "two sounds"):
            time.sleep(POLL_SECONDS)
        sampler = MixtureSampler(self._models, self._c, sample_jointly, undo_samples=self._undo_samples)
        one = torch.ones(1, 1, dtype=self._models[0].dtype, device=self._models[0].scale_of.device)
        sampler.sample(0 * one, one, one, 0.0)
        self.sampler = sampler if sampler.undo(1, None) else None
        self.plain = sampler.uses_torch
        self.done = True

    def wait_briefly(self) -> Iterator[Pause]:
        """Wait for the compilation, but not for long."""
        end = time.monotonic() + COMPILE_WAIT_SECONDS
        while not self.done and time.monotonic() < end:
            yield Pause(0.002)
