"""Convert artworks between arrays for the user and levels for models.

A picture is `(height, width, channels)` uint8; a sound `(samples,)` int16, one cycle of a wave or a recording. A
model's levels are `(channels, height, width)` or `(samples,)`, from 0 to levels - 1. Those of a sound are evenly
spaced. Only 256 levels are μ-law, as in telephones (ITU-T G.711): fine for quiet samples, coarse for loud ones.

Of a model with a palette, levels `(1, height, width)` are the numbers of its colours, and its pictures have three
channels. Everywhere else, in files, messages and the window, they are pictures like any other.

For training, pictures in two levels are not rounded at middle grey. Each bit is drawn once: it is white with a
probability equal to the grey, as in the papers on binarised MNIST. A user's own picture is rounded at middle grey, so
that it does not change at random.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.density.model import Model
from studio.engine.audio import import_torchaudio
from studio.media.pictures.palette import colours_of, nearest_indices
from studio.media.preparation import Palette
from studio.wire.messages import Array

MU_LAW = 256
"""The number of levels for which a sound is stored in μ-law, with μ = 255."""


class DoesNotFit(ValueError):
    """Reports in a sentence why a request does not fit the model."""


@dataclass(frozen=True)
class TrainingExamples:
    """Holds artworks for training or evaluation: levels x `(n, *shape)`, and classes c `(n,)` if known.

    Attributes
        opened: the levels `(n, *shape)` that the same artworks have if a user opens them; None if those are x
        attributes: numbers `(n, attributes)` that the data have for each artwork; None for none
    """

    x: Tensor
    c: Tensor | None = None
    opened: Tensor | None = None
    attributes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def as_opened(self) -> Tensor:
        """Return the levels `(n, *shape)` that these artworks have if a user opens them."""
        return self.x if self.opened is None else self.opened

    def select(self, index: Tensor | slice) -> "TrainingExamples":
        """Return some of the examples."""
        return type(self)(*(None if each is None else each[index] for each in self._tensors))  # type: ignore[arg-type]

    @property
    def _tensors(self) -> tuple[Tensor | None, ...]:
        return self.x, self.c, self.opened, self.attributes

    def batches(self, size: int) -> Iterator["TrainingExamples"]:
        """Yield all of them in order, at most `size` at a time."""
        for first in range(0, len(self), size):
            yield self.select(slice(first, first + size))

    def loss(self, model: Model) -> Tensor:
        """Return the loss of the training: the mean bits per dimension."""
        return model.loss(self.x, self.c)

    def weight(self, model: Model) -> float:
        """Return how much the loss of these examples counts beside that of others."""
        return len(self)

    def to(self, device: torch.device) -> "TrainingExamples":
        """Return the same examples on a device."""
        return type(self)(*(None if each is None else each.to(device) for each in self._tensors))  # type: ignore[arg-type]


def artwork_shape(shape: tuple[int, ...], palette: Palette) -> tuple[int, ...]:
    """Return the shape in which the user sees an artwork."""
    if len(shape) == 1:
        return shape
    channels, height, width = shape
    return height, width, 3 if palette else channels


def to_levels(arrays: Array, shape: tuple[int, ...], levels: int, palette: Palette) -> Tensor:
    """Return artworks `(n, *artwork_shape(shape, palette))` as levels `(n, *shape)`.

    With a palette, every pixel has the index of the nearest colour. Raises DoesNotFit if size or type differ.
    """
    sound = len(shape) == 1
    wanted = np.dtype(np.int16 if sound else np.uint8)
    seen = artwork_shape(shape, palette)
    if arrays.dtype != wanted or arrays.ndim != len(shape) + 1 or arrays.shape[1:] != seen:
        thing = "sound" if sound else "picture"
        raise DoesNotFit(
            f"the {thing} is {arrays.shape[1:]} of {arrays.dtype}, but the model works on {seen} of {wanted}"
        )
    if sound:
        return levels_of_sound(arrays, levels)
    if palette:
        return torch.from_numpy(nearest_indices(arrays, palette))[:, None]
    x = torch.from_numpy(arrays.copy())
    x = x.permute(0, 3, 1, 2)
    return x if levels == 256 else (x.int() * levels).div(256, rounding_mode="floor").to(torch.uint8)


def levels_of_sound(sound: Array, levels: int) -> Tensor:
    """Return the levels of a sound's samples, int16 of any shape."""
    x = torch.from_numpy(sound.copy())
    if levels == MU_LAW:
        encoded: Tensor = import_torchaudio().functional.mu_law_encoding(x.double() / 32768, MU_LAW)
        return encoded.to(torch.uint8)
    return ((x.long() + 32768) * levels).div(65536, rounding_mode="floor").int()


def sound_of_levels(x: Tensor, levels: int) -> Array:
    """Return the samples of a sound's levels, int16: the middle of each level."""
    if levels == MU_LAW:
        height: Tensor = import_torchaudio().functional.mu_law_decoding(x.cpu().double(), MU_LAW)
        return (height * 32768).round().clamp(-32768, 32767).to(torch.int16).numpy()
    middle = (2 * x.cpu().long() + 1) * 32768
    return np.ascontiguousarray((middle.div(levels, rounding_mode="floor") - 32768).to(torch.int16).numpy())


def dequantised_levels(arrays: Array, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return pictures `(n, height, width, channels)` as random levels 0 and 1 `(n, *shape)`.

    The seed fixes them. Raises DoesNotFit as `to_levels`.
    """
    grey = to_levels(arrays, shape, 256, ())
    u = torch.rand(grey.shape, generator=torch.Generator().manual_seed(seed))
    return (u * 255 < grey).to(torch.uint8)


def examples_in_levels(
    arrays: Array, model: Model, classes: Tensor | None, seed: int, palette: Palette
) -> TrainingExamples:
    """Return artworks `(n, *artwork_shape(shape, palette))` of classes (n,) as a model learns them.

    Pictures of two levels become random bits, which the seed fixes. Raises DoesNotFit as `to_levels`.
    """
    if model.levels != 2 or len(model.shape) != 3 or palette:
        return TrainingExamples(to_levels(arrays, model.shape, model.levels, palette), classes)
    opened = to_levels(arrays, model.shape, model.levels, palette)
    return TrainingExamples(dequantised_levels(arrays, model.shape, seed), classes, opened)


def to_arrays(x: Tensor, levels: int, palette: Palette) -> Array:
    """Return levels `(n, *shape)` as artworks for the user.

    A sound gets the middle of each level, a picture the colours of the palette or an even scale of greys.
    """
    if x.dim() == 2:
        return sound_of_levels(x, levels)
    if palette:
        return colours_of(x[:, 0].cpu().numpy(), palette)
    whole = x if levels == 256 else (x.int() * 255 + (levels - 1) // 2).div(levels - 1, rounding_mode="floor")
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy())
