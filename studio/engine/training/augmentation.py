"""Vary training examples at random, so that a model learns more than its files show.

A picture `(channels, height, width)` and a recording are varied in levels as the model sees them. What is drawn depends
on a seed alone, so a resumed run draws the same. Sounds are varied by torchaudio.
"""

from typing import Annotated, NamedTuple

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from studio.engine.audio import import_torchaudio


class Augmentation(msgspec.Struct, frozen=True, kw_only=True):
    """States how training examples are varied. The mirror is a setting of the plan. Single cycles are not varied."""

    shift: Annotated[
        int, Meta(ge=0, le=32, title="Shift", description="Move pictures by at most so many pixels; edges are extended")
    ] = 0
    quarter_turns: Annotated[
        bool, Meta(title="Quarter turns", description="Turn pictures by quarters; those that are not square by halves")
    ] = False
    colour: Annotated[
        float,
        Meta(ge=0.0, le=0.5, title="Colour", description="Vary brightness, contrast and saturation"),
    ] = 0.0
    gain: Annotated[
        float, Meta(ge=0.0, le=24.0, title="Gain", description="Make sounds quieter by at most so many decibels")
    ] = 0.0
    speed: Annotated[
        float, Meta(ge=0.0, le=0.5, title="Speed", description="Play sounds faster or slower by at most this share")
    ] = 0.0
    noise: Annotated[
        float,
        Meta(ge=0.0, le=80.0, title="Noise", description="Add noise so many decibels below each sound; 0: none"),
    ] = 0.0
    fade: Annotated[
        float, Meta(ge=0.0, le=5.0, title="Fade", description="Fade sounds in and out over at most so many seconds")
    ] = 0.0

    @property
    def varies_pictures(self) -> bool:
        """Return whether pictures are varied."""
        return bool(self.shift or self.quarter_turns or self.colour)

    @property
    def varies_sounds(self) -> bool:
        """Return whether recordings are varied."""
        return bool(self.gain or self.speed or self.noise or self.fade)


NOT_VARIED = Augmentation()


class SoundVariation(NamedTuple):
    """States how recordings of a rate in Hz are varied, before they become levels."""

    how: Augmentation
    rate: int
    levels: int


def seeded(seed: int, step: int) -> torch.Generator:
    """Return the stream of random numbers of a step."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 7919 + 17)


def vary_pictures(x: Tensor, how: Augmentation, levels: int, stream: torch.Generator) -> Tensor:
    """Return pictures in levels (n, channels, height, width) varied, each in its own way."""
    if not how.varies_pictures:
        return x
    return torch.stack([_vary_picture(each, how, levels, stream) for each in x])


def _vary_picture(x: Tensor, how: Augmentation, levels: int, stream: torch.Generator) -> Tensor:
    if how.quarter_turns:
        turns = int(torch.randint(4, (), generator=stream))
        x = x.rot90(turns if x.shape[1] == x.shape[2] else 2 * (turns % 2), (1, 2))
    if how.shift:
        down, right = torch.randint(-how.shift, how.shift + 1, (2,), generator=stream).tolist()
        rows = (torch.arange(x.shape[1]) - down).clamp(0, x.shape[1] - 1)
        columns = (torch.arange(x.shape[2]) - right).clamp(0, x.shape[2] - 1)
        x = x[:, rows][:, :, columns]
    if how.colour:
        brightness, contrast, saturation = ((torch.rand(3, generator=stream) * 2 - 1) * how.colour).tolist()
        light = x.double() / (levels - 1)
        light = (light - light.mean()) * (1 + contrast) + light.mean() + brightness / 2
        if len(x) == 3:
            grey = light.mean(0, keepdim=True)
            light = grey + (light - grey) * (1 + saturation)
        x = (light.clamp(0, 1) * (levels - 1)).round().to(x.dtype)
    return x


def draw_speed(how: Augmentation, stream: torch.Generator) -> int:
    """Return the speed in percent at which a recording is played.

    It is whole, because a resampling filter has an output for every step of the ratio: at 112.34 % it would have 5,000.
    """
    most = round(100 * how.speed)
    return 100 + int(torch.randint(-most, most + 1, (), generator=stream)) if most else 100


def source_length(samples: int, speed: int) -> int:
    """Return how many samples of a recording become `samples` if they are played at a speed in percent."""
    return round(samples * speed / 100)


def vary_sound(wave: Tensor, speed: int, rate: int, how: Augmentation, stream: torch.Generator) -> Tensor:
    """Return a piece of a recording (samples,), from -1 to 1, played at a speed in percent and varied."""
    if not len(wave):
        return wave
    torchaudio = import_torchaudio()
    if speed != 100:
        wave = torchaudio.transforms.Resample(speed, 100)(wave)
    if how.gain:
        loss = -how.gain * float(torch.rand((), generator=stream))
        wave = torchaudio.transforms.Vol(loss, gain_type="db")(wave)
    if how.fade:
        fades = (torch.rand(2, generator=stream) * how.fade * rate).int().clamp(max=len(wave) // 2).tolist()
        wave = torchaudio.transforms.Fade(*fades, fade_shape="half_sine")(wave)
    if how.noise and float(wave.abs().max()) > 0:
        noise = torch.randn(wave.shape, generator=stream)
        wave = torchaudio.transforms.AddNoise()(wave, noise, torch.tensor(how.noise))
    return wave.clamp(-1, 1)
