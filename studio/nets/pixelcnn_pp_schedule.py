"""Run PixelCNN++'s network pixel by pixel: u once a row, ul once a pixel, smaller sizes less often.

When a row begins, u and the row above are known. Their part of every sum of ul is computed then, for all columns at
once. A pixel then only needs its own row, half of the weights.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from studio.nets.pixel_schedule import (
    BufferWindow,
    Operation,
    PixelSchedule,
    RowBuffer,
    constant_window,
    dot_operation,
    flatten_kernel,
    function_operation,
    scratch_window,
)
from studio.nets.pixelcnn_pp import GatedResnet, PixelCNNPPNetwork, ResizedStreams, ShiftedConv, StreamPair


class _StreamWindows(NamedTuple):
    """Selects a stream: x and e(x), at one place for `every` pixels in each direction."""

    x: RowBuffer
    e: RowBuffer
    every: int


def pixelcnn_pp_schedule(net: nn.Module, width: int) -> PixelSchedule:
    """Return the schedule of a PixelCNNPPNetwork for pictures of that width."""
    assert isinstance(net, PixelCNNPPNetwork)
    return _PixelCNNPPWriter(net, width).written()


class _PixelCNNPPWriter:
    """Writes the operations in the order of `PixelCNNPPNetwork.forward`."""

    def __init__(self, net: PixelCNNPPNetwork, width: int) -> None:
        self.net = net
        self.width = width
        self.filters = net.last.kernel().shape[1]
        self.rows: list[Operation] = []
        self.columns: list[Operation] = []

    def written(self) -> PixelSchedule:
        net = self.net
        seen = RowBuffer(net.above.kernel().shape[1], self.width, rows=3, left=1, right=1)
        u, ul = self._first(seen)
        kept = [(u, ul)]
        for pairs, resized in net.layers_down():
            for pair in pairs:
                u, ul = self._pair(pair, u, ul)
                kept.append((u, ul))
            if resized is not None:
                u, ul = self._halved(resized, u, ul)
                kept.append((u, ul))
        kept.pop()
        for pairs, resized in net.layers_up():
            for pair in pairs:
                u, ul = self._pair(pair, u, ul, kept.pop())
            if resized is not None:
                u, ul = self._doubled(resized, u, ul)
        numbers = scratch_window(len(net.last.b))
        seen_half = pad(_matrix(net.last), (0, 0, 0, self.filters))  # elu(x) is the first half of e(x)
        self.columns.append(dot_operation(numbers, constant_window(net.last.b), BufferWindow(ul.e), seen_half))
        return PixelSchedule(seen, numbers, self.rows, self.columns)

    def _first(self, seen: RowBuffer) -> tuple[_StreamWindows, _StreamWindows]:
        net = self.net
        u = self._stream(1, rows=2)
        ul = self._stream(1)
        x = BufferWindow(u.x)
        sums = BufferWindow(self._row(self.filters, 1))
        last = BufferWindow(seen, -1, -1, 3)
        before = BufferWindow(seen, -2, -1, 3)
        # Shifted values have no bias at the beginning of the picture: not in the first row, nor in the first column.
        shifted = RowBuffer(self.filters, self.width, left=1, start=_but_first(net.left.b, self.width))
        self.rows += [
            dot_operation(x, constant_window(net.above.b), before, _matrix(net.above, 0), later=True),
            dot_operation(x, x, last, _matrix(net.above, 1), later=True),
            function_operation("concat_elu", BufferWindow(u.e), x),
            dot_operation(sums, constant_window(net.row_above.b), last, _matrix(net.row_above), later=True),
            function_operation("same", sums, BufferWindow(shifted, across=-1), sums),
            dot_operation(sums, sums, BufferWindow(seen, -1, -1), _matrix(net.left, 0)),
        ]
        self.columns += [
            dot_operation(BufferWindow(ul.x), sums, BufferWindow(seen, 0, -1), _matrix(net.left, 1)),
            function_operation("concat_elu", BufferWindow(ul.e), BufferWindow(ul.x)),
        ]
        return u, ul

    def _pair(
        self,
        pair: StreamPair,
        u: _StreamWindows,
        ul: _StreamWindows,
        skips: tuple[_StreamWindows, _StreamWindows] | None = None,
    ) -> tuple[_StreamWindows, _StreamWindows]:
        u = self._above(pair.u, u, skips[0] if skips else None)
        return u, self._beside(pair.ul, ul, u, skips[1] if skips else None)

    def _above(self, net: GatedResnet, s: _StreamWindows, skip: _StreamWindows | None) -> _StreamWindows:
        """Write a resnet of u, once a row."""
        every = s.every
        out = self._stream(s.every, rows=2)
        h = BufferWindow(self._row(self.filters, every))
        g = BufferWindow(self._row(2 * self.filters, every))
        e = self._row(2 * self.filters, every, rows=2)
        self._around(net.first, h, _bias(net), s.e, every)
        if net.nin is not None and skip is not None:
            self.rows.append(dot_operation(h, h, BufferWindow(skip.e), _matrix(net.nin), every))
        self.rows.append(function_operation("concat_elu", BufferWindow(e), h, every=every))
        self._around(net.second, g, _class_bias(net), e, every)
        self.rows += _gated(out, g, s)
        return out

    def _around(self, conv: ShiftedConv, out: BufferWindow, start: BufferWindow, x: RowBuffer, every: int) -> None:
        """Write a convolution of u: the row above, then its own."""
        self.rows += [
            dot_operation(out, start, BufferWindow(x, -1, -1, 3), _matrix(conv, 0), every),
            dot_operation(out, out, BufferWindow(x, 0, -1, 3), _matrix(conv, 1), every),
        ]

    def _beside(
        self, net: GatedResnet, s: _StreamWindows, u: _StreamWindows, skip: _StreamWindows | None
    ) -> _StreamWindows:
        """Write a resnet of ul: its row above and u once a row, the rest once a pixel."""
        every = s.every
        out = self._stream(s.every)
        first = BufferWindow(self._row(self.filters, every))
        second = BufferWindow(self._row(2 * self.filters, every))
        h = scratch_window(self.filters)
        g = scratch_window(2 * self.filters)
        e = self._row(2 * self.filters, every)
        assert net.nin is not None, "ul sees u"
        nin = torch.split(_matrix(net.nin), 2 * self.filters)
        self.rows += [
            dot_operation(first, _bias(net), BufferWindow(s.e, -1, -1, 2), _matrix(net.first, 0), every),
            dot_operation(first, first, BufferWindow(u.e), nin[0], every),
            dot_operation(second, _class_bias(net), BufferWindow(e, -1, -1, 2), _matrix(net.second, 0), every),
        ]
        self.columns.append(dot_operation(h, first, BufferWindow(s.e, 0, -1, 2), _matrix(net.first, 1), every))
        if skip is not None:
            self.columns.append(dot_operation(h, h, BufferWindow(skip.e), nin[1], every))
        self.columns += [
            function_operation("concat_elu", BufferWindow(e), h, every=every),
            dot_operation(g, second, BufferWindow(e, 0, -1, 2), _matrix(net.second, 1), every),
            *_gated(out, g, s),
        ]
        return out

    def _halved(
        self, net: ResizedStreams, u: _StreamWindows, ul: _StreamWindows
    ) -> tuple[_StreamWindows, _StreamWindows]:
        every = 2 * u.every
        sums = BufferWindow(self._row(self.filters, 2 * u.every))
        small_u = self._stream(every, rows=2)
        small_ul = self._stream(every)
        x = BufferWindow(small_u.x)
        self.rows += [
            dot_operation(x, constant_window(net.u.b), BufferWindow(u.x, -1, -1, 3, 2), _matrix(net.u, 0), every),
            dot_operation(x, x, BufferWindow(u.x, 0, -1, 3, 2), _matrix(net.u, 1), every),
            function_operation("concat_elu", BufferWindow(small_u.e), x, every=every),
            dot_operation(sums, constant_window(net.ul.b), BufferWindow(ul.x, -1, -1, 2, 2), _matrix(net.ul, 0), every),
        ]
        self.columns += [
            dot_operation(BufferWindow(small_ul.x), sums, BufferWindow(ul.x, 0, -1, 2, 2), _matrix(net.ul, 1), every),
            function_operation("concat_elu", BufferWindow(small_ul.e), BufferWindow(small_ul.x), every=every),
        ]
        return small_u, small_ul

    def _doubled(
        self, net: ResizedStreams, u: _StreamWindows, ul: _StreamWindows
    ) -> tuple[_StreamWindows, _StreamWindows]:
        """Turn each place into four: two in its row, and two in the next, which are kept for later."""
        every = u.every // 2
        large_u = self._stream(every, rows=2)
        large_ul = self._stream(every, rows=2)
        of_u = constant_window(net.u.b)
        of_ul = constant_window(net.ul.b)
        for down, across in itertools.product((0, 1), (0, 1)):
            # y[2 J] = x[J] k[1],  y[2 J + 1] = x[J] k[2] + x[J + 1] k[0]
            around = flatten_kernel(net.u.kernel()[:, :, down, [2, 0] if across else [1]])
            beside = flatten_kernel(net.ul.kernel()[:, :, down, [across]])
            out = BufferWindow(large_u.x, down, across, step=2), BufferWindow(large_ul.x, down, across, step=2)
            self.rows.append(dot_operation(out[0], of_u, BufferWindow(u.x, span=1 + across), around, u.every))
            self.columns.append(dot_operation(out[1], of_ul, BufferWindow(ul.x), beside, u.every))
        self.rows.append(
            function_operation("concat_elu", BufferWindow(large_u.e), BufferWindow(large_u.x), every=every)
        )
        self.columns.append(
            function_operation("concat_elu", BufferWindow(large_ul.e), BufferWindow(large_ul.x), every=every)
        )
        return large_u, large_ul

    def _row(self, channels: int, every: int, rows: int = 1) -> RowBuffer:
        return RowBuffer(channels, self.width // every, rows, left=1, right=1)

    def _stream(self, every: int, rows: int = 1) -> _StreamWindows:
        return _StreamWindows(self._row(self.filters, every, rows), self._row(2 * self.filters, every, rows), every)


def _gated(out: _StreamWindows, g: BufferWindow, s: _StreamWindows) -> list[Operation]:
    """Write the end of a resnet: x + a · σ(b), and its e."""
    return [
        function_operation("gate", BufferWindow(out.x), g, BufferWindow(s.x), s.every),
        function_operation("concat_elu", BufferWindow(out.e), BufferWindow(out.x), every=s.every),
    ]


def _but_first(b: Tensor, width: int) -> Tensor:
    """Return b at each column but the first, `(width + 1, n)`."""
    return pad(b.expand(width, -1), (0, 0, 1, 0))


def _matrix(conv: ShiftedConv, row: int = 0) -> Tensor:
    """Return a row of a kernel as the matrix for a window, `(columns · in, out)`."""
    return flatten_kernel(conv.kernel()[:, :, row])


def _bias(net: GatedResnet) -> BufferWindow:
    return constant_window(net.first.b if net.nin is None else net.first.b + net.nin.b)


def _class_bias(net: GatedResnet) -> BufferWindow:
    """Return the bias of the second convolution. If there are classes, each has a row."""
    b = net.second.b
    return constant_window(b) if net.kinds is None else constant_window(b + net.kinds, kinds=True)
