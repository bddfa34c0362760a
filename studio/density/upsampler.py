"""Model the details of a picture, given a coarse one: everything of a pyramid but its base.

    p(x | coarse) = Π p(δ | coarser, planes drawn before)

with the planes of differences and their order of `studio.density.pyramid_planes`. The entries of a pass are independent
given all that is known, so a doubling takes as many steps as it has splits: 3 for each colour and pass.

The bits of a picture are the sum of those of its coarse picture, under any model, and those of its details.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from studio.density import pyramid_planes as planes
from studio.density.differences import Differences
from studio.density.model import DecodingStep, Model
from studio.density.pyramid_planes import Split, SplitOrder

EXAMPLES = 16
"""The number of coarse pictures that an upsampler keeps from its training, to show what it draws on them."""


class DoublingNetwork(Protocol):
    """Is a network that computes the logits of all splits of a doubling. Its inputs lie between -1 and 1."""

    def context(self, coarse: Tensor) -> Tensor:
        """Return what all splits share, from the values at the coarse places `(B, places, h, w)`."""

    def __call__(self, split: int, context: Tensor, known: Tensor) -> Tensor:
        """Return logits `(B, 2 · levels - 1, h, w)` of a split, from the values known before it `(B, places, h, w)`."""


class Bounds(NamedTuple):
    """Holds the lowest and the highest level of each pixel, `(B, C, H, W)`. They are equal where a level is kept."""

    low: Tensor
    high: Tensor


class Upsampler(Model):
    """Draws the details of pictures. A condition c is the coarse pictures `(B, *coarse_shape)`.

    Without a condition, `log_prob` and `encode` take the picture's own coarse one. The latent has the shape of the
    picture; its entries at the coarse places are not used and are 0 in encoded pictures.

    Arguments
        shape: (channels, height, width)
        nets: a DoublingNetwork for each doubling, the coarsest first
        order: the order of splits of every doubling
        crop: the side of the squares of which training takes one at random from each picture at each doubling
    """

    scales_noise = False
    can_inpaint = True
    initialisation_count = EXAMPLES
    examples: Tensor
    zero: Tensor

    def __init__(
        self, shape: Sequence[int], levels: int, nets: Sequence[nn.Module], order: SplitOrder, crop: int = 64
    ) -> None:
        super().__init__(shape, levels, shape, exact=True)
        self.doublings = nn.ModuleList(nets)
        self.order = order
        self.crop = crop
        self.differences = Differences(levels)
        self.factor = 1 << len(nets)
        """How many pixels of a row lie in one of the coarse picture."""
        channels, height, width = self.shape
        self.coarse_shape = (channels, height // self.factor, width // self.factor)
        rows, columns = (side // 2 * self.factor for side in order.cell)
        if height % rows or width % columns:
            raise ValueError(f"{width} × {height} pixels cannot be halved {len(nets)} times in such passes")
        for number in range(1, len(nets)):
            self.pyramid_of(self.scale_of[None], number)[...] = number
        for number in reversed(range(len(nets))):
            fine = self.pyramid_of(self.scale_of[None], number)
            fine[..., 1::2, :] = number
            fine[..., 1::2] = number
        self.register_buffer("zero", torch.zeros(()), persistent=False)
        self.register_buffer("examples", torch.zeros(EXAMPLES, *self.coarse_shape, dtype=torch.uint8))

    @property
    def dtype(self) -> torch.dtype:
        """Return the precision in which the model computes. A packed model has no parameters that state it."""
        return self.zero.dtype

    # ── prices ──────────────────────────────────────────────────────────────────────────────────

    def coarse(self, x: Tensor) -> Tensor:
        """Return the coarse pictures `(B, *coarse_shape)` of pictures x `(B, *shape)`, both in levels."""
        return self._scales(x)[0].to(x.dtype)

    def log_probs(self, x: Tensor) -> Tensor:
        """Return ln p of each difference in nats, `(B, *shape)`, at its place in the pyramid.

        At the coarse places it is 0.
        """
        found = torch.zeros(x.shape, device=x.device, dtype=self.dtype)
        for number, fine in enumerate(self._scales(x)[1:]):
            self.pyramid_of(found, number).add_(self._log_probs_of(number, fine))
        return found

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return bits `(B, *shape)`. The bits of a difference are spread evenly over the pixels that it concerns."""
        found = self.log_probs(x)
        bits = torch.zeros_like(found)
        for number in range(len(self.doublings)):
            price = -self.pyramid_of(found, number) / math.log(2)
            side = self._stride(number)
            of_pairs = _repeated(price[..., 1::2], 1, 2) / 2
            of_squares = _repeated(price[..., 1::2, ::2], 2, 2) / 4
            bits += _repeated(of_pairs + of_squares, side, side) / side**2
        return bits

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return ln p(x | coarse) in nats, `(B,)`. The first pictures of a training are kept as examples."""
        if self.training and not bool(self.examples.any()):
            first = self.coarse(x[:EXAMPLES])
            self.examples[: len(first)] = first
        return self.log_probs(x).flatten(1).sum(1)

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        found = []
        for one in torch.split(x, 1):
            found.append(self.log_prob(one))
            yield None
        yield torch.cat(found)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the mean bits per dimension. In training they are estimated from a crop at each doubling."""
        if not self.training:
            return super().loss(x)
        total = torch.zeros((), device=x.device, dtype=self.dtype)
        scales = self._scales(x)
        for number, fine in enumerate(scales[1:]):
            part = self._random_crop(fine)
            mean = self._log_probs_of(number, part).mean()
            total = total - mean / self._stride(number) ** 2  # the share of this doubling's pixels in all
        return total / math.log(2)

    def _random_crop(self, fine: Tensor) -> Tensor:
        """Return a random square of each picture `(B, C, H, W)`, at the same place of all."""
        _, _, height, width = fine.shape
        rows, columns = min(self.crop, height), min(self.crop, width)
        top = 2 * int(torch.randint((height - rows) // 2 + 1, ()))
        left = 2 * int(torch.randint((width - columns) // 2 + 1, ()))
        return fine[..., top : top + rows, left : left + columns]

    def _log_probs_of(self, number: int, fine: Tensor) -> Tensor:
        """Return ln p of one doubling's differences, `(B, C, H, W)`, from its fine pictures of that size."""
        net = self._network(number)
        found = torch.zeros(fine.shape, device=fine.device, dtype=self.dtype)
        context = None
        for index, (split, known, a, b) in enumerate(planes.split_steps(fine, self.order)):
            if context is None:
                context = net.context(self._input(known, self.order.coarse_places))
            logits = net(index, context, self._input(known, split.known)).to(self.dtype)
            largest = planes.largest_difference(self.order.values_at(known, split.first), self.levels, split.r)
            price = self.differences.log_prob(a - b, largest, logits, floor=not self.training)
            self.order.values_at(found, split.second).copy_(price)
        return found

    # ── latents ─────────────────────────────────────────────────────────────────────────────────

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        *_, z = self.encode_steps(x, c)
        assert z is not None, "the last step is the latent"
        return z

    @torch.no_grad()
    def encode_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Encode each picture by the same products as decoding, so that decoding restores every bit."""
        z = torch.zeros(x.shape, device=x.device, dtype=self.dtype)
        places = torch.rand(self.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[None]
        for number, fine in enumerate(self._scales(x)[1:]):
            net = self._network(number)
            latent, shares = self.pyramid_of(z, number), self.pyramid_of(places, number)
            for i in range(len(x)):
                context = None
                for index, (split, known, a, b) in enumerate(planes.split_steps(fine[i : i + 1], self.order)):
                    if context is None:
                        context = net.context(self._input(known, self.order.coarse_places))
                    logits = _rows(net(index, context, self._input(known, split.known)))
                    largest = self._largest(self.order.values_at(known, split.first), split)
                    u = self.order.values_at(shares, split.second).flatten()
                    noise = self.differences.noise_of((a - b).flatten(), logits, largest, u)
                    self.order.values_at(latent[i : i + 1], split.second).copy_(noise.view_as(a))
                    yield None
        yield z

    @torch.no_grad()
    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        if c is None:
            raise ValueError("an upsampler draws on coarse pictures, and none were given")
        temperature = torch.as_tensor(temperature, device=z.device, dtype=self.dtype).expand(z.shape)
        bounds = None if keep is None else self.bounds_of(keep)
        x = c.long()
        if bounds is not None:
            x = x.clamp(bounds[0].low, bounds[0].high)
        splits = self.order.splits
        total = len(self.doublings) * len(splits)
        for number in range(len(self.doublings)):
            net = self._network(number)
            x = _repeated(x, 2, 2)
            latent, temperatures = self.pyramid_of(z, number), self.pyramid_of(temperature, number)
            within = None if bounds is None else _pair_bounds(bounds[number + 1], self.order)
            contexts = [net.context(self._input(one, self.order.coarse_places)) for one in torch.split(x, 1)]
            for index, split in enumerate(splits):
                for i, context in enumerate(contexts):
                    one = x[i : i + 1]
                    m = self.order.values_at(one, split.first)
                    logits = _rows(net(index, context, self._input(one, split.known)))
                    allowed = None if within is None else self._allowed(m, split, [t[i : i + 1] for t in within[index]])
                    delta = self.differences.draw(
                        logits,
                        self._largest(m, split),
                        self.order.values_at(latent[i : i + 1], split.second).flatten(),
                        self.order.values_at(temperatures[i : i + 1], split.second).flatten(),
                        allowed,
                    )
                    self._write(one, split, *planes.split_pairs(m, delta.view_as(m), split.r))
                    last = i == len(contexts) - 1
                    side = self._stride(number)
                    yield DecodingStep(
                        _repeated(x, side, side).to(torch.uint8), number * len(splits) + index + last, total
                    )

    def draw_classes(self, seeds: Sequence[int]) -> Tensor | None:
        """Return for each seed one of the coarse pictures that were kept from training, `(n, *coarse_shape)`."""
        return self.examples[torch.tensor(list(seeds), device=self.examples.device) % EXAMPLES]

    def bounds_of(self, keep: Tensor) -> list[Bounds]:
        """Return the levels that kept pixels `(B, *shape)` leave possible, at each scale from coarse to fine.

        -1 is a free pixel. Every level within the bounds is possible.
        """
        if keep.shape[1:] != self.shape:
            raise ValueError(f"the kept pixels are {tuple(keep.shape[1:])}, but the pictures are {self.shape}")
        if int(keep.max()) >= self.levels:
            raise ValueError(f"a level of {int(keep.max())} is to be kept, but there are {self.levels}")
        low = self._scales(keep.clamp(min=0))
        high = self._scales(torch.where(keep < 0, self.levels - 1, keep))
        return [Bounds(*pair) for pair in zip(low, high, strict=True)]

    def _largest(self, m: Tensor, split: Split) -> Tensor:
        """Return the largest differences `(B · h · w,)` of the values m `(B, h, w)`."""
        return planes.largest_difference(m.flatten(), self.levels, split.r)

    def _allowed(self, m: Tensor, split: Split, bounds: Sequence[Tensor]) -> Tensor:
        """Return which differences `(B · h · w, numbers)` of the values m `(B, h, w)` keep a and b in their bounds."""
        low_a, high_a, low_b, high_b = (t.flatten()[:, None] for t in bounds)
        a, b = planes.split_pairs(m.flatten()[:, None], self.differences.values(m.device), split.r)
        return (a >= low_a) & (a <= high_a) & (b >= low_b) & (b <= high_b)

    def _write(self, x: Tensor, split: Split, a: Tensor, b: Tensor) -> None:
        """Write split values into pictures x `(B, C, H, W)`. If a pair is still whole, it gets its value twice."""
        for place, value in ((split.first, a), (split.second, b)):
            self.order.values_at(x, place).copy_(value)
            if split.r == planes.UP:
                right = planes.Place(place.colour, place.row, place.column + 1)
                self.order.values_at(x, right).copy_(value)

    # ── scales ──────────────────────────────────────────────────────────────────────────────────

    def pyramid_of(self, x: Tensor, number: int) -> Tensor:
        """Return the part of pyramids x `(B, *shape)` that one doubling completes: every so many rows and columns."""
        side = self._stride(number)
        return x[..., ::side, ::side]

    def _network(self, number: int) -> DoublingNetwork:
        return cast(DoublingNetwork, self.doublings[number])

    def _stride(self, number: int) -> int:
        return self.factor >> (number + 1)

    def _scales(self, x: Tensor) -> list[Tensor]:
        """Return the pictures of all scales as whole numbers, the coarsest first; the last is x."""
        found = [x.long()]
        for _ in self.doublings:
            found.append(planes.halve_picture(found[-1])[0])
        return found[::-1]

    def _input(self, x: Tensor, places: tuple[planes.Place, ...]) -> Tensor:
        """Return the values of levels x at some places as a network's input, from -1 to 1."""
        return 2 * self.order.values_at_all(x, places).to(self.dtype) / (self.levels - 1) - 1


def _pair_bounds(bounds: Bounds, order: SplitOrder) -> list[tuple[Tensor, ...]]:
    """Return for each split the bounds of a and b: low and high of a, low and high of b, each `(B, h, w)`."""
    low = [(a.clone(), b.clone()) for _, _, a, b in planes.split_steps(bounds.low, order)]
    high = [(a.clone(), b.clone()) for _, _, a, b in planes.split_steps(bounds.high, order)]
    return [(low_a, high_a, low_b, high_b) for (low_a, low_b), (high_a, high_b) in zip(low, high, strict=True)]


def _repeated(x: Tensor, rows: int, columns: int) -> Tensor:
    """Return x `(B, C, H, W)` with every value in a block of so many rows and columns."""
    return x.repeat_interleave(rows, 2).repeat_interleave(columns, 3)


def _rows(logits: Tensor) -> Tensor:
    """Return logits `(B, numbers, h, w)` as `(B · h · w, numbers)`."""
    return logits.movedim(1, -1).flatten(0, 2)
