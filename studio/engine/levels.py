"""Artworks as arrays for people, and as whole levels for models.

A picture is `(height, width, channels)` uint8; a sound `(samples,)` int16, one cycle of a wave or a recording.
A model's levels are `(channels, height, width)` or `(samples,)`, from 0 to levels - 1. Those of a sound lie evenly,
but for 256 levels, which are μ-law, as telephones have it (ITU-T G.711): fine where it is quiet, coarse where loud.

Pictures to learn from in two levels are not cut at the middle grey: each bit is drawn once for all, white with a
probability that is the grey, as papers count nats of binarised MNIST. A person's own picture is cut at the middle, so
that it stays what it is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.density.model import Model
from studio.wire.messages import Array

MU_LAW = 256
"""Levels of a sound that are graded by μ-law, with μ = 255."""
_MU = MU_LAW - 1


class DoesNotFit(ValueError):
    """Something asked of a model does not fit it; the sentence names what."""


@dataclass(frozen=True)
class TrainingExamples:
    """Artworks to learn from or to measure with: levels x `(n, *shape)`, and where known classes c `(n,)`.

    Attributes
        opened: the levels `(n, *shape)` that the same artworks have if a user opens them; None if those are x
    """

    x: Tensor
    c: Tensor | None = None
    opened: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def as_opened(self) -> Tensor:
        """The levels `(n, *shape)` that these artworks have if a user opens them."""
        return self.x if self.opened is None else self.opened

    def select(self, index: Tensor | slice) -> "TrainingExamples":
        """Some of them."""
        opened = None if self.opened is None else self.opened[index]
        return TrainingExamples(self.x[index], None if self.c is None else self.c[index], opened)

    def batches(self, size: int) -> Iterator["TrainingExamples"]:
        """All of them in order, at most `size` at a time."""
        for first in range(0, len(self), size):
            yield self.select(slice(first, first + size))

    def loss(self, model: Model) -> Tensor:
        """What training lowers: mean bits per dimension."""
        return model.loss(self.x, self.c)

    def to(self, device: torch.device) -> "TrainingExamples":
        """The same on a device."""
        opened = None if self.opened is None else self.opened.to(device)
        return type(self)(self.x.to(device), None if self.c is None else self.c.to(device), opened)


def artwork_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which people see an artwork."""
    if len(shape) == 1:
        return shape
    channels, height, width = shape
    return height, width, channels


def to_levels(arrays: Array, shape: tuple[int, ...], levels: int) -> Tensor:
    """Artworks `(n, *outward(shape))` as levels `(n, *shape)`. Raises Misfit where size or type is another."""
    sound = len(shape) == 1
    wanted = np.dtype(np.int16 if sound else np.uint8)
    if arrays.dtype != wanted or arrays.ndim != len(shape) + 1 or arrays.shape[1:] != artwork_shape(shape):
        thing = "sound" if sound else "picture"
        raise DoesNotFit(
            f"the {thing} is {arrays.shape[1:]} of {arrays.dtype}, but the model works on"
            f" {artwork_shape(shape)} of {wanted}"
        )
    if sound:
        return levels_of_sound(arrays, levels)
    x = torch.from_numpy(arrays.copy())
    x = x.permute(0, 3, 1, 2)
    return x if levels == 256 else (x.int() * levels).div(256, rounding_mode="floor").to(torch.uint8)


def levels_of_sound(sound: Array, levels: int) -> Tensor:
    """The levels of a sound's samples, of int16 of any shape."""
    x = torch.from_numpy(sound.copy())
    if levels == MU_LAW:
        height = x.double() / 32768
        bent = height.sign() * (_MU * height.abs()).log1p() / math.log1p(_MU)
        return ((bent + 1) / 2 * _MU + 0.5).floor().to(torch.uint8)
    return ((x.long() + 32768) * levels).div(65536, rounding_mode="floor").int()


def sound_of_levels(x: Tensor, levels: int) -> Array:
    """The samples of a sound's levels, int16: the middle of each."""
    if levels == MU_LAW:
        bent = x.cpu().double() / _MU * 2 - 1
        height = bent.sign() * torch.expm1(bent.abs() * math.log1p(_MU)) / _MU
        return (height * 32768).round().clamp(-32768, 32767).to(torch.int16).numpy()
    middle = (2 * x.cpu().long() + 1) * 32768
    return np.ascontiguousarray((middle.div(levels, rounding_mode="floor") - 32768).to(torch.int16).numpy())


def dequantised_levels(arrays: Array, shape: tuple[int, ...], seed: int) -> Tensor:
    """Pictures `(n, height, width, channels)` as levels 0 and 1 `(n, *shape)`, drawn with the seed: the same each time.

    Raises Misfit as `to_levels`.
    """
    grey = to_levels(arrays, shape, 256)
    u = torch.rand(grey.shape, generator=torch.Generator().manual_seed(seed))
    return (u * 255 < grey).to(torch.uint8)


def to_arrays(x: Tensor, levels: int) -> Array:
    """Levels `(n, *shape)` as artworks for people: the middle of each level of a sound, an even scale of greys."""
    if x.dim() == 2:
        return sound_of_levels(x, levels)
    whole = x if levels == 256 else (x.int() * 255 + (levels - 1) // 2).div(levels - 1, rounding_mode="floor")
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy())
