"""PixelCNN++'s network pixel by pixel: u once a row, ul once a pixel, half and quarter sizes when they are due.

Of what ul sees, the row above is known when a row begins, and so is u: their part of every sum is found then, for all
columns at once. What is left for a pixel is its own row, half of the weights.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from studio.nets.pixel_schedule import Buffer, Operation, Schedule, Window, apply, constant, dot, flat, scratch
from studio.nets.pixelcnn_pp import GatedResnet, Pair, Resized, ShiftedConv, ShiftedNet


class _At(NamedTuple):
    """Where a stream is: x and e(x), at one place for `every` pixels in each direction."""

    x: Buffer
    e: Buffer
    every: int


def schedule(net: nn.Module, width: int) -> Schedule:
    """The schedule of a ShiftedNet for pictures of that width."""
    assert isinstance(net, ShiftedNet)
    return _Writer(net, width).written()


class _Writer:
    """Writes the operations down in the order of `ShiftedNet.forward`."""

    def __init__(self, net: ShiftedNet, width: int) -> None:
        self.net, self.width = net, width
        self.filters = net.last.kernel().shape[1]
        self.rows: list[Operation] = []
        self.columns: list[Operation] = []

    def written(self) -> Schedule:
        net = self.net
        seen = Buffer(net.above.kernel().shape[1], self.width, rows=3, left=1, right=1)
        u, ul = self._first(seen)
        kept = [(u, ul)]
        for pairs, resized in net.way_down():
            for pair in pairs:
                u, ul = self._pair(pair, u, ul)
                kept.append((u, ul))
            if resized is not None:
                u, ul = self._halved(resized, u, ul)
                kept.append((u, ul))
        kept.pop()
        for pairs, resized in net.way_up():
            for pair in pairs:
                u, ul = self._pair(pair, u, ul, kept.pop())
            if resized is not None:
                u, ul = self._doubled(resized, u, ul)
        numbers = scratch(len(net.last.b))
        seen_half = pad(_matrix(net.last), (0, 0, 0, self.filters))  # elu(x) is the first half of e(x)
        self.columns.append(dot(numbers, constant(net.last.b), Window(ul.e), seen_half))
        return Schedule(seen, numbers, self.rows, self.columns)

    def _first(self, seen: Buffer) -> tuple[_At, _At]:
        net, (u, ul) = self.net, (self._stream(1, rows=2), self._stream(1))
        x, sums = Window(u.x), Window(self._row(self.filters, 1))
        last, before = Window(seen, -1, -1, 3), Window(seen, -2, -1, 3)
        # What was shifted has no bias where the picture begins: not in the first row, nor in the first column.
        shifted = Buffer(self.filters, self.width, left=1, start=_but_first(net.left.b, self.width))
        self.rows += [
            dot(x, constant(net.above.b), before, _matrix(net.above, 0), later=True),
            dot(x, x, last, _matrix(net.above, 1), later=True),
            apply("concat_elu", Window(u.e), x),
            dot(sums, constant(net.row_above.b), last, _matrix(net.row_above), later=True),
            apply("same", sums, Window(shifted, across=-1), sums),
            dot(sums, sums, Window(seen, -1, -1), _matrix(net.left, 0)),
        ]
        self.columns += [
            dot(Window(ul.x), sums, Window(seen, 0, -1), _matrix(net.left, 1)),
            apply("concat_elu", Window(ul.e), Window(ul.x)),
        ]
        return u, ul

    def _pair(self, pair: Pair, u: _At, ul: _At, skips: tuple[_At, _At] | None = None) -> tuple[_At, _At]:
        u = self._above(pair.u, u, skips[0] if skips else None)
        return u, self._beside(pair.ul, ul, u, skips[1] if skips else None)

    def _above(self, net: GatedResnet, s: _At, skip: _At | None) -> _At:
        """A resnet of u, once a row."""
        every, out = s.every, self._stream(s.every, rows=2)
        h, g = Window(self._row(self.filters, every)), Window(self._row(2 * self.filters, every))
        e = self._row(2 * self.filters, every, rows=2)
        self._around(net.first, h, _bias(net), s.e, every)
        if net.nin is not None and skip is not None:
            self.rows.append(dot(h, h, Window(skip.e), _matrix(net.nin), every))
        self.rows.append(apply("concat_elu", Window(e), h, every=every))
        self._around(net.second, g, _kinds(net), e, every)
        self.rows += _gated(out, g, s)
        return out

    def _around(self, conv: ShiftedConv, out: Window, start: Window, x: Buffer, every: int) -> None:
        """A convolution of u: the row above, then its own."""
        self.rows += [
            dot(out, start, Window(x, -1, -1, 3), _matrix(conv, 0), every),
            dot(out, out, Window(x, 0, -1, 3), _matrix(conv, 1), every),
        ]

    def _beside(self, net: GatedResnet, s: _At, u: _At, skip: _At | None) -> _At:
        """A resnet of ul: its row above and u once a row, the rest once a pixel."""
        every, out = s.every, self._stream(s.every)
        first, second = Window(self._row(self.filters, every)), Window(self._row(2 * self.filters, every))
        h, g, e = scratch(self.filters), scratch(2 * self.filters), self._row(2 * self.filters, every)
        assert net.nin is not None, "ul sees u"
        nin = torch.split(_matrix(net.nin), 2 * self.filters)
        self.rows += [
            dot(first, _bias(net), Window(s.e, -1, -1, 2), _matrix(net.first, 0), every),
            dot(first, first, Window(u.e), nin[0], every),
            dot(second, _kinds(net), Window(e, -1, -1, 2), _matrix(net.second, 0), every),
        ]
        self.columns.append(dot(h, first, Window(s.e, 0, -1, 2), _matrix(net.first, 1), every))
        if skip is not None:
            self.columns.append(dot(h, h, Window(skip.e), nin[1], every))
        self.columns += [
            apply("concat_elu", Window(e), h, every=every),
            dot(g, second, Window(e, 0, -1, 2), _matrix(net.second, 1), every),
            *_gated(out, g, s),
        ]
        return out

    def _halved(self, net: Resized, u: _At, ul: _At) -> tuple[_At, _At]:
        every, sums = 2 * u.every, Window(self._row(self.filters, 2 * u.every))
        small_u, small_ul = self._stream(every, rows=2), self._stream(every)
        x = Window(small_u.x)
        self.rows += [
            dot(x, constant(net.u.b), Window(u.x, -1, -1, 3, 2), _matrix(net.u, 0), every),
            dot(x, x, Window(u.x, 0, -1, 3, 2), _matrix(net.u, 1), every),
            apply("concat_elu", Window(small_u.e), x, every=every),
            dot(sums, constant(net.ul.b), Window(ul.x, -1, -1, 2, 2), _matrix(net.ul, 0), every),
        ]
        self.columns += [
            dot(Window(small_ul.x), sums, Window(ul.x, 0, -1, 2, 2), _matrix(net.ul, 1), every),
            apply("concat_elu", Window(small_ul.e), Window(small_ul.x), every=every),
        ]
        return small_u, small_ul

    def _doubled(self, net: Resized, u: _At, ul: _At) -> tuple[_At, _At]:
        """Each place becomes four: in its row, and in the next, where they wait for their turn."""
        every = u.every // 2
        large_u, large_ul = self._stream(every, rows=2), self._stream(every, rows=2)
        of_u, of_ul = constant(net.u.b), constant(net.ul.b)
        for down, across in itertools.product((0, 1), (0, 1)):
            # y[2 J] = x[J] k[1],  y[2 J + 1] = x[J] k[2] + x[J + 1] k[0]
            around = flat(net.u.kernel()[:, :, down, [2, 0] if across else [1]])
            beside = flat(net.ul.kernel()[:, :, down, [across]])
            out = Window(large_u.x, down, across, step=2), Window(large_ul.x, down, across, step=2)
            self.rows.append(dot(out[0], of_u, Window(u.x, span=1 + across), around, u.every))
            self.columns.append(dot(out[1], of_ul, Window(ul.x), beside, u.every))
        self.rows.append(apply("concat_elu", Window(large_u.e), Window(large_u.x), every=every))
        self.columns.append(apply("concat_elu", Window(large_ul.e), Window(large_ul.x), every=every))
        return large_u, large_ul

    def _row(self, channels: int, every: int, rows: int = 1) -> Buffer:
        return Buffer(channels, self.width // every, rows, left=1, right=1)

    def _stream(self, every: int, rows: int = 1) -> _At:
        return _At(self._row(self.filters, every, rows), self._row(2 * self.filters, every, rows), every)


def _gated(out: _At, g: Window, s: _At) -> list[Operation]:
    """The end of a resnet: x + a · σ(b), and its e."""
    return [
        apply("gate", Window(out.x), g, Window(s.x), s.every),
        apply("concat_elu", Window(out.e), Window(out.x), every=s.every),
    ]


def _but_first(b: Tensor, width: int) -> Tensor:
    """b at each column but the one left of the picture, `(width + 1, n)`."""
    return pad(b.expand(width, -1), (0, 0, 1, 0))


def _matrix(conv: ShiftedConv, row: int = 0) -> Tensor:
    """A row of a kernel as the matrix `(columns · in, out)` that a window is multiplied with."""
    return flat(conv.kernel()[:, :, row])


def _bias(net: GatedResnet) -> Window:
    return constant(net.first.b if net.nin is None else net.first.b + net.nin.b)


def _kinds(net: GatedResnet) -> Window:
    """The bias of the second convolution, for each class its own where there are any."""
    b = net.second.b
    return constant(b) if net.kinds is None else constant(b + net.kinds, kinds=True)
