"""Find the training artwork nearest to each sample, which shows whether a model copies its data.

The distance of two pictures is the root mean square difference of 8 × 8 blocks in their mean colours, that of single
waves of their samples. It is given in shares of the usual distance: the median of held-out artworks to their nearest
training artworks. Of a PixelCNN++ that learned eight emoji by heart, copies lie below 0.36 and all other samples above
0.8. Glow's samples of 3,300 flowers or 2,800 emoji lie above 0.7, and plain pictures in the mean colour above 0.6. One
held-out flower in a hundred lies below 0.5, and one emoji in ten, whose other style was learned.

Almost empty pictures are near to each other, whatever is in them. So a distance is never given in shares of more than
√2 times the contrast of the artworks, the distance of two unlike ones in the same mean colour. The contrast is the root
mean square difference from the own mean colour. Nearly uniform artworks resemble nothing.
"""

from collections.abc import Generator

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from studio.engine.levels import TrainingExamples, to_arrays
from studio.media.preparation import Palette
from studio.wire.messages import Array

BLOCKS = 8
"""Blocks on a side of a picture whose mean colours are compared."""
STEP_ENTRIES = 2**20
"""Entries of artworks that are reduced or compared in one step: 5 ms on one core of 2020."""
MOST_HELD_OUT = 256
"""The most held-out artworks that give the usual distance."""
LEAST_USUAL = 0.5 / 255
"""The least usual distance, in shares of the range of levels. Below it, all artworks look the same."""
LEAST_CONTRAST = 0.01
"""The contrast below which an artwork is nearly uniform, in shares of the range of levels. A white picture with a black
line over a tenth of its width and a hundredth of its height has 0.005."""

Found = tuple[Array, tuple[float, ...]]
"""The training artwork nearest to each sample, as the user sees it, and its distance in shares of the usual one."""


class NearestArtworks:
    """Finds the nearest of some training artworks. What it needs of them is computed once.

    Arguments
        learn: the training artworks
        held_out: artworks that the model never learns from
        levels: how many values an entry can have
        palette: their colours, if they are no degrees of brightness
        mirrored: whether the model also learns from mirrored artworks
        turned: whether it learns from pictures in quarter turns
    """

    def __init__(
        self,
        learn: TrainingExamples,
        held_out: TrainingExamples,
        levels: int,
        palette: Palette = (),
        *,
        mirrored: bool = False,
        turned: bool = False,
    ) -> None:
        self._learn = learn
        self._held_out = held_out.select(slice(MOST_HELD_OUT))
        self._levels = levels
        self._palette = palette
        self._mirrored = mirrored
        self._turned = turned
        self._learned: Tensor | None = None
        self._usual = 0.0

    def find(self, x: Tensor) -> Generator[None, None, Found | None]:
        """Return the artworks nearest to samples `(n, *shape)` in levels; None if all artworks look the same.

        Yields after each step of some milliseconds.
        """
        if self._learned is None:
            self._learned = yield from self._reduce_learned()
            distance, _ = yield from self._search(self._held_out.x)
            self._usual = float(distance.quantile(0.5))
        if self._usual < LEAST_USUAL:
            return None
        distance, index = yield from self._search(x)
        both = torch.stack((self._contrast(x), self._contrast(self._learn.x[index])))
        contrast = both.amax(0)
        shares = distance / (2**0.5 * contrast.clamp(min=LEAST_CONTRAST)).clamp(max=self._usual)
        shares = torch.where(contrast < LEAST_CONTRAST, shares.clamp(min=1.0), shares)
        return to_arrays(self._learn.x[index], self._levels, self._palette), tuple(shares.tolist())

    def _reduce_learned(self) -> Generator[None, None, Tensor]:
        size = max(1, STEP_ENTRIES // self._learn.x[0].numel())
        parts = []
        for part in self._learn.batches(size):
            parts.append(self._reduce(part.x).half())
            yield None
        return torch.cat(parts)

    def _search(self, x: Tensor) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """Return the distance to the nearest training artwork and its number, (n,) each."""
        assert self._learned is not None
        views = torch.stack([self._reduce(view) for view in self._views(x)])
        count = views.shape[1]
        best = torch.full((count,), torch.inf)
        nearest = torch.zeros(count, dtype=torch.long)
        size = max(1, STEP_ENTRIES // (views.shape[0] * count))
        for first in range(0, len(self._learned), size):
            part = self._learned[first : first + size].float()
            found, place = torch.cdist(views, part).amin(0).min(1)
            nearer = found < best
            best = torch.where(nearer, found, best)
            nearest = torch.where(nearer, first + place, nearest)
            yield None
        return best / views.shape[-1] ** 0.5, nearest

    def _views(self, x: Tensor) -> list[Tensor]:
        """Return the samples in all positions in which the model sees a training artwork."""
        views = [x]
        if self._mirrored and x.dim() == 4:
            views.append(x.flip(-1))
        elif self._mirrored:
            views.append(self._levels - 1 - x.flip(-1).roll(1, -1))
        if self._turned:
            even = x.shape[-1] == x.shape[-2]
            views = [view.rot90(turns, (-2, -1)) for view in views for turns in (range(4) if even else (0, 2))]
        return views

    def _contrast(self, x: Tensor) -> Tensor:
        """Return the root mean square difference of artworks from their own mean colours, (n,)."""
        reduced = self._reduce(x)
        channels = 1 if x.dim() == 2 else 3 if self._palette else x.shape[1]
        return reduced.view(len(x), channels, -1).var(-1, correction=0).mean(1).sqrt()

    def _reduce(self, x: Tensor) -> Tensor:
        """Return what is compared of artworks `(n, *shape)`: (n, entries) from 0 to 1."""
        if self._palette:
            values = torch.from_numpy(to_arrays(x, self._levels, self._palette)).permute(0, 3, 1, 2) / 255
        else:
            values = x.cpu().float() / (self._levels - 1)
        if values.dim() == 4 and min(values.shape[-2:]) > BLOCKS:
            values = adaptive_avg_pool2d(values, BLOCKS)
        return values.flatten(1)
