"""Build causal convolutions: their output for a pixel depends only on the pixels before it.

A kernel of n × n has ⌊n/2⌋ rows above, n wide, and in the pixel's own row the places left of it, up to itself. At the
pixel itself, a feature of colour g sees features of the colours before g (mask A) or up to g (mask B); features belong
to colours in contiguous groups (van den Oord, Kalchbrenner and Kavukcuoglu, Pixel Recurrent Neural Networks, 2016,
arXiv:1601.06759, section 3.4).

Every layer can also run step by step. Then it stores what it has seen: sums over the rows above are computed once a
row, for all columns together, and those over the row's own past once a column.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

Mask = Literal["A", "B"]


def colours_of(features: int, colours: int) -> Tensor:
    """Return the colour of each feature, `(features,)`: contiguous groups, as even as possible."""
    return torch.arange(features) * colours // features


PixelStep = Callable[[int, int], Tensor]
"""Maps row and column of a pixel to the network's output for it, `(B, out)`."""
PICTURES_PER_GROUP = 8
"""The number of pictures that are computed together in each step."""


def step_in_groups(make: Callable[[Tensor, Tensor | None], PixelStep], seen: Tensor, c: Tensor | None) -> PixelStep:
    """Return steps for any number of pictures, from those that `make` returns for `ROWS` pictures.

    The last group is padded with zeros. The rounding of a product depends on its size, so it always has the same: a
    picture is the same in any batch. `seen` is filled between the steps, and a step reads its own row and the one
    above.
    """
    groups = torch.split(_filled_up(seen), PICTURES_PER_GROUP)
    classes = [None] * len(groups) if c is None else torch.split(_filled_up(c), PICTURES_PER_GROUP)
    steps = [make(*group) for group in zip(groups, classes, strict=True)]

    def step(i: int, j: int) -> Tensor:
        rows = slice(max(i - 1, 0), i + 1)
        for group, pictures in zip(groups, torch.split(seen, PICTURES_PER_GROUP), strict=True):
            group[: len(pictures), :, rows] = pictures[:, :, rows]
        return torch.cat([each(i, j) for each in steps])[: len(seen)]

    return step


def _filled_up(x: Tensor) -> Tensor:
    return torch.cat((x, x.new_zeros(-len(x) % PICTURES_PER_GROUP, *x.shape[1:])))


class RowProduct:
    """Computes x W, `(…, in)` → `(…, out)`. No row depends on its place.

    MKL sums the rows of a product of 5 or 11 columns in several ways, by their place; of 16, 32, 48 … columns it does
    not, for any number of rows, inputs and threads (measured with torch 2.13 in float32). So W is padded with zeros.
    """

    def __init__(self, kernel: Tensor) -> None:
        """Take a `kernel` `(out, in, rows, columns)`. x then has its inputs for each row and column in turn."""
        self.out = len(kernel)
        self.weight = pad(kernel.permute(2, 3, 1, 0).reshape(-1, self.out), (0, -self.out % 16))

    def __call__(self, x: Tensor) -> Tensor:
        y = x.reshape(-1, x.shape[-1]) @ self.weight
        return y[:, : self.out].view(*x.shape[:-1], self.out)


class MaskedConv(nn.Module):
    """Is a causal convolution, `(B, in, H, W)` → `(B, out, H, W)`. It has only the weights of the past.

    Arguments
        colours_in, colours_out: the colour of each feature, `(in,)` and `(out,)`
        size: n
        above: whether it has the rows above; without, it is 1 × n
        zero: it returns zeros at first
    """

    mask: Tensor

    def __init__(
        self,
        colours_in: Tensor,
        colours_out: Tensor,
        size: int = 1,
        mask: Mask = "B",
        *,
        above: bool = True,
        zero: bool = False,
    ) -> None:
        super().__init__()
        if size % 2 == 0:
            raise ValueError(f"a kernel of {size} pixels has no middle; use an odd number")
        inputs = len(colours_in)
        outputs = len(colours_out)
        self.side = size // 2
        seen = colours_in < colours_out[:, None] if mask == "A" else colours_in <= colours_out[:, None]
        self.register_buffer("mask", torch.ones(outputs, inputs, 1, self.side + 1), persistent=False)
        self.mask[..., -1] = seen[..., None]
        rows = self.side if above else 0
        fan = self.mask.sum((1, 2, 3), keepdim=True) + rows * size * inputs
        spread = torch.zeros_like(fan) if zero else fan.clamp(min=1).rsqrt()
        self.left = nn.Parameter(torch.randn(self.mask.shape) * spread)
        self.above = nn.Parameter(torch.randn(outputs, inputs, rows, size) * spread) if rows else None
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        if self.side == 0:
            return conv2d(x, self.left * self.mask, self.bias)
        if self.above is None:
            return conv2d(pad(x, (self.side, 0)), self.left * self.mask, self.bias)
        kernel = torch.cat((self.above, pad(self.left * self.mask, (0, self.side))), 2)
        return conv2d(pad(x, (self.side, self.side, self.side, 0)), kernel, self.bias)

    def steps(self, count: int, width: int) -> "MaskedConvSteps":
        """Return the same pixel by pixel, for so many pictures of that width."""
        return MaskedConvSteps(self, count, width)


class MaskedConvSteps:
    """Runs a masked convolution pixel by pixel.

    Call `next_row`, then `at_column` for each column in turn, then `next_row` … If it is called again for the same
    column, it forgets its earlier input there: a pixel's colours come one after another.
    """

    def __init__(self, conv: MaskedConv, count: int, width: int) -> None:
        self.side = conv.side
        self.bias = conv.bias
        self.past = RowProduct(conv.left * conv.mask)
        self.rows = None if conv.above is None else RowConvSteps(conv.above, count, width)
        self.sums = conv.bias.expand(count, width, -1)  # from the rows above
        self.row = conv.left.new_zeros(count, self.side + width, conv.left.shape[1])

    def next_row(self) -> None:
        """Go to the next row. The first row begins with it, too."""
        if self.rows is not None:
            self.sums = self.rows(self.row[:, self.side :]) + self.bias

    def set_column(self, j: int, x: Tensor) -> None:
        """Set column j of the row, `(B, in)`, if it was incomplete for `at_column`."""
        self.row[:, self.side + j] = x

    def at_column(self, j: int, x: Tensor) -> Tensor:
        """Return `(B, out)` of `(B, in)` at column j."""
        if self.side == 0:
            return self.past(x) + self.bias
        self.row[:, self.side + j] = x
        return self.past(self.row[:, j : j + self.side + 1].flatten(1)) + self.sums[:, j]


class RowConv(nn.Module):
    """Convolves a row and the ⌊n/2⌋ rows above it, n wide, without bias.

    It maps `(B, in, H, W)` to `(B, out, H, W)` and sees all of its own row. A layer that must not see it receives the
    output of the row above.
    """

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        rows = size // 2 + 1
        self.weight = nn.Parameter(torch.randn(outputs, inputs, rows, size) / (rows * size * inputs) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        rows, size = self.weight.shape[2:]
        return conv2d(pad(x, (size // 2, size // 2, rows - 1, 0)), self.weight)

    def steps(self, count: int, width: int) -> "RowConvSteps":
        """Return the same row by row."""
        return RowConvSteps(self.weight, count, width)


class RowConvSteps:
    """Runs a convolution row by row: from each row `(B, W, in)` it returns `(B, W, out)`, which sees those before."""

    def __init__(self, weight: Tensor, count: int, width: int) -> None:
        _, inputs, rows, size = weight.shape
        self.product = RowProduct(weight)
        self.frame = weight.new_zeros(count, rows, width + size - 1, inputs)
        self.inside = self.frame[:, -1, size // 2 : size // 2 + width]
        picture, row, pixel, _ = self.frame.stride()
        self.windows = self.frame.as_strided((count, width, rows, size * inputs), (picture, pixel, row, 1))

    def __call__(self, row: Tensor) -> Tensor:
        self.frame[:, :-1] = self.frame[:, 1:].clone()
        self.inside.copy_(row)
        return self.product(self.windows.flatten(2))
