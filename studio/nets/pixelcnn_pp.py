"""The network of PixelCNN++ (Salimans, Karpathy, Chen and Kingma, PixelCNN++, 2017, arXiv:1701.05517, section 2).

Two streams run side by side. u is shifted down: at row i it has seen the rows above i alone. ul is shifted down and
right: it has also seen what stands left of it in its own row, and it sees u, so that together they see all pixels
before. Both go through gated resnets, as they are, at half and at a quarter of the size, and back up with skips.

    e(x) = elu([x, -x])                                           concat_elu
    x ← x + a · σ(b),  [a, b] = conv(dropout(e(conv(e(x)) + nin(skips)))) + V c
    conv(x) = g · v / |v| * x + b                                 weight norm, |v| for each output

A first batch sets g and b so that what a convolution gives has mean 0 and variance 1, or 0.1² where it is the last of
a resnet (Salimans and Kingma, 2016, arXiv:1602.07868, section 3).
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, elu, pad

SPREAD = 0.05
"""Standard deviation of v and V at the start."""
SMALLEST = 1e-4
"""The least variance of a channel for scaling, so that a constant channel is not scaled up."""
AROUND = (2, 3)
BESIDE = (2, 2)
"""Rows and columns that a convolution of u sees, and one of ul."""


class ShiftedConv(nn.Module):
    """Is a weight-normalised convolution in which no output sees a row below its own.

    It maps `(B, in, H, W)` to `(B, out, H, W)`. The kernel's last row lies on the output's row. Three columns lie
    around the output's, of two the last lies on it.

    Arguments
        size: rows and columns of the kernel
        halve, double: the picture's height and width, by a stride of 2 or by a transposed convolution
        scale: standard deviation of its output for the first batch
    """

    started: Tensor
    v: nn.Parameter
    weight: nn.Parameter | None

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        size: tuple[int, int] = (1, 1),
        *,
        halve: bool = False,
        double: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.stride = 2 if halve else 1
        self.doubles = double
        self.scale = scale
        self.v = nn.Parameter(SPREAD * torch.randn(channels_out, channels_in, *size))
        self.g = nn.Parameter(torch.ones(channels_out))
        self.b = nn.Parameter(torch.zeros(channels_out))
        self.register_parameter("weight", None)
        self.register_buffer("started", torch.tensor(False))
        self.known = False

    def kernel(self) -> Tensor:
        """Return g · v / |v|, `(out, in, rows, columns)`."""
        if self.weight is not None:
            return self.weight
        length = torch.linalg.vector_norm(self.v, dim=(1, 2, 3), keepdim=True)
        kernel: Tensor = self.v * (self.g[:, None, None, None] / length)
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.known:
            self._start(x)
        return self._conv(x, self.kernel(), self.b)

    def _conv(self, x: Tensor, weight: Tensor, b: Tensor | None = None) -> Tensor:
        rows, columns = weight.shape[2:]
        if self.doubles:
            y = conv_transpose2d(x, weight.transpose(0, 1), b, stride=2)  # (B, out, 2 H, 2 W + columns - 2)
            return y[..., (columns - 1) // 2 :]
        if rows * columns > 1:
            x = pad(x, (columns // 2, (columns - 1) // 2, rows - 1, 0))
        return conv2d(x, weight, b, stride=self.stride)

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Initialise once. The flag is saved with the weights, and read again only if it may have changed."""
        if not self.started:
            self.g.fill_(1)
            h = self._conv(x, self.kernel()).float()
            var, mean = torch.var_mean(h, (0, 2, 3), correction=0)
            self.g.copy_(self.scale * (var + SMALLEST).rsqrt())
            self.b.copy_(-mean * self.g)
            self.started.fill_(True)
        self.known = True

    @torch.no_grad()
    def plain(self) -> None:
        """Multiply out the weight norm, as model files store it."""
        if self.weight is None:
            weight = self.kernel()
            del self.v, self.g
            self.weight = nn.Parameter(weight)
            self.known = True


class StreamState(NamedTuple):
    """Holds a stream: x `(B, filters, H, W)`, and e(x) `(B, 2 · filters, H, W)`, which most layers read."""

    x: Tensor
    e: Tensor


def concat_elu(x: Tensor) -> Tensor:
    """Return elu([x, -x])."""
    return elu(torch.cat((x, -x), 1), inplace=True)


def _stream(x: Tensor) -> StreamState:
    return StreamState(x, concat_elu(x))


class Dropout(nn.Module):
    """Sets single values to zero in training, and scales the others up.

    Torch's own draws each decision in float64, which takes a tenth of a whole training step on one core.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0:
            return x
        return x * torch.rand_like(x).ge_(self.share).div_(1 - self.share)


class GatedResnet(nn.Module):
    """Computes x + a · σ(b). [a, b] depend on x, on `skips` other streams' e, and on the class c."""

    def __init__(self, filters: int, size: tuple[int, int], skips: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.first = ShiftedConv(2 * filters, filters, size)
        self.nin = ShiftedConv(2 * filters * skips, filters) if skips else None
        self.dropout = Dropout(dropout)
        self.second = ShiftedConv(2 * filters, 2 * filters, size, scale=0.1)
        self.kinds = nn.Parameter(SPREAD * torch.randn(classes, 2 * filters)) if classes else None  # V

    def forward(self, s: StreamState, skips: Sequence[Tensor], c: Tensor | None) -> StreamState:
        h = self.first(s.e)
        if self.nin is not None:
            h = h + self.nin(torch.cat(tuple(skips), 1))
        h = self.second(self.dropout(concat_elu(h)))
        if self.kinds is not None and c is not None:
            h = h + self.kinds[c][:, :, None, None]
        a, b = h.chunk(2, 1)
        return _stream(s.x + a * torch.sigmoid(b))


class StreamPair(nn.Module):
    """Is a layer of both streams. `skips` is what each sees of its own earlier layer."""

    def __init__(self, filters: int, skips: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.u = GatedResnet(filters, AROUND, skips, dropout, classes)
        self.ul = GatedResnet(filters, BESIDE, skips + 1, dropout, classes)

    def forward(
        self, u: StreamState, ul: StreamState, skips: tuple[Tensor, Tensor] | None, c: Tensor | None
    ) -> tuple[StreamState, StreamState]:
        u = self.u(u, skips[:1] if skips else (), c)
        return u, self.ul(ul, (u.e, *skips[1:]) if skips else (u.e,), c)


class ResizedStreams(nn.Module):
    """Holds both streams at half or at twice their size."""

    def __init__(self, filters: int, *, double: bool) -> None:
        super().__init__()
        self.u = ShiftedConv(filters, filters, AROUND, halve=not double, double=double)
        self.ul = ShiftedConv(filters, filters, BESIDE, halve=not double, double=double)

    def forward(self, u: StreamState, ul: StreamState) -> tuple[StreamState, StreamState]:
        return _stream(self.u(u.x)), _stream(self.ul(ul.x))


LayersBySize = Iterator[tuple[Any, Any]]
"""Pairs of one size after the other, and a ResizedStreams or None."""


class PixelCNNPPNetwork(nn.Module):
    """Maps pictures `(B, C, H, W)` in [-1, 1] to `(B, numbers, H, W)`. Each pixel's numbers depend on those before it.

    H and W are whole multiples of 4. A channel of ones tells the convolutions where the picture ends.

    Arguments
        filters: of every layer
        resnets: gated resnets of each stream at each of the three sizes on the way down; back up it is one more at
            each size but the smallest
        dropout: share of the values after a resnet's first convolution that training sets to zero, one by one
        classes: how many values c may take
    """

    def __init__(
        self, channels: int, filters: int, resnets: int, numbers: int, dropout: float = 0.5, classes: int = 0
    ) -> None:
        super().__init__()
        self.above = ShiftedConv(channels + 1, filters, AROUND)
        self.row_above = ShiftedConv(channels + 1, filters, (1, 3))
        self.left = ShiftedConv(channels + 1, filters, (2, 1))

        def pairs(count: int, skips: int) -> nn.ModuleList:
            return nn.ModuleList(StreamPair(filters, skips, dropout, classes) for _ in range(count))

        self.down = nn.ModuleList(pairs(resnets, 0) for _ in range(3))
        self.halved = nn.ModuleList(ResizedStreams(filters, double=False) for _ in range(2))
        self.up = nn.ModuleList(pairs(count, 1) for count in (resnets, resnets + 1, resnets + 1))
        self.doubled = nn.ModuleList(ResizedStreams(filters, double=True) for _ in range(2))
        self.last = ShiftedConv(filters, numbers)

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        u, ul = self._first(seen)
        kept = [(u.e, ul.e)]
        for pairs, resized in self.layers_down():
            for pair in pairs:
                u, ul = pair(u, ul, None, c)
                kept.append((u.e, ul.e))
            if resized is not None:
                u, ul = resized(u, ul)
                kept.append((u.e, ul.e))
        kept.pop()  # the way up starts from it
        for pairs, resized in self.layers_up():
            for pair in pairs:
                u, ul = pair(u, ul, kept.pop(), c)
            if resized is not None:
                u, ul = resized(u, ul)
        numbers: Tensor = self.last(elu(ul.x))
        return numbers

    def layers_down(self) -> LayersBySize:
        """Yield the layers of each size, and the layer that leads to the next size.

        Each stream is stored as it is after each of them.
        """
        return itertools.zip_longest(self.down, self.halved)

    def layers_up(self) -> LayersBySize:
        """Yield the same from the smallest size on. Each pair also reads what was stored last, and removes it."""
        return itertools.zip_longest(self.up, self.doubled)

    def _first(self, seen: Tensor) -> tuple[StreamState, StreamState]:
        """Return both streams at their start, shifted so that no pixel sees itself."""
        x = torch.cat((seen, torch.ones_like(seen[:, :1])), 1).contiguous(memory_format=torch.channels_last)
        u = _down(self.above(x))
        ul = _down(self.row_above(x)) + pad(self.left(x), (1, -1))
        return _stream(u), _stream(ul)


def _down(x: Tensor) -> Tensor:
    """Shift down by one row; the first row is zeros."""
    return pad(x, (0, 0, 1, -1))
