"""PixelRNN pixel by pixel: what hangs on the rows above once a row, the rest once a pixel."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from studio.nets.causal import MaskedConv
from studio.nets.recurrent import DiagonalBiLSTM, PixelRNN, RowLSTM
from studio.nets.schedule import Buffer, Operation, Schedule, Window, apply, cell, constant, dot, flat, scratch


def schedule(net: nn.Module, width: int) -> Schedule:
    """The schedule of a PixelRNN for pictures of that width."""
    assert isinstance(net, PixelRNN)
    writer = _Writer(width)
    seen = Buffer(net.first.left.shape[1], width, net.first.side + 1, net.first.side, net.first.side)
    x = writer.first(net.first, seen)
    for layer in net.layers:
        if isinstance(layer, RowLSTM):
            x = writer.row_lstm(layer, x)
        elif isinstance(layer, DiagonalBiLSTM):
            x = writer.diagonal(layer, x)
    numbers = writer.head([net.head.first, net.head.last], x)
    return Schedule(seen, numbers, writer.rows, writer.columns, writer.backwards)


class _Writer:
    """Writes the operations of each layer down, and says where its features are."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[Operation] = []
        self.columns: list[Operation] = []
        self.backwards: list[Operation] = []

    def first(self, conv: MaskedConv, seen: Buffer) -> Buffer:
        """A convolution of all that has been seen: the rows above, then the pixel's own up to itself."""
        x, sums, side = self._row(len(conv.bias)), Window(self._row(len(conv.bias))), conv.side
        assert conv.above is not None
        for k, kernel in enumerate(conv.above.unbind(2)):
            start = sums if k else constant(conv.bias)
            self.rows.append(dot(sums, start, Window(seen, k - side, -side, 2 * side + 1), flat(kernel)))
        self.columns.append(dot(Window(x), sums, Window(seen, 0, -side, side + 1), _left(conv)))
        return x

    def row_lstm(self, layer: RowLSTM, x: Buffer) -> Buffer:
        first_h, first_c = layer.first
        n = len(first_c)
        h, c = self._row(n, start=pad(first_h.expand(self.width, n), (0, 0, 1, 1))), self._row(n, 2, first_c)
        sums, gates = Window(self._row(4 * n)), scratch(4 * n)
        self.rows.append(dot(sums, constant(layer.of_input.bias), Window(h, -1, -1, 3), layer.of_state))
        self.columns += [
            dot(gates, sums, Window(x, 0, -1, 2), _left(layer.of_input)),
            cell(Window(h), Window(c), gates, Window(c, -1)),
        ]
        return self._added(x, h, layer.out, constant(layer.out.bias))

    def diagonal(self, layer: DiagonalBiLSTM, x: Buffer) -> Buffer:
        """From the left a pixel at a time; from the right a whole row, the one above, when the next begins."""
        n = layer.first.shape[1] // 2
        sums, gates, told = Window(self._row(4 * n)), scratch(4 * n), Window(self._row(2 * n))
        (h, c), (other_h, other_c) = (
            (self._row(n, 2, pad(first[None, :n], margin)), self._row(n, 1, pad(first[None, n:], margin)))
            for first, margin in zip(layer.first, ((0, 0, 0, self.width + 1), (0, 0, self.width + 1, 0)), strict=True)
        )
        beside, above = torch.split(layer.of_state[0], n)
        self.rows.append(dot(sums, constant(layer.from_left.bias), Window(h, -1), above))
        self.columns += [
            dot(gates, sums, Window(x), _left(layer.from_left)),
            dot(gates, gates, Window(h, 0, -1), beside),
            cell(Window(h), Window(c), gates, Window(c, 0, -1)),
        ]
        beside, above = torch.split(layer.of_state[1], n)
        self.backwards += [
            dot(gates, constant(layer.from_right.bias), Window(x, -1), _left(layer.from_right)),
            dot(gates, gates, Window(other_h, -2), above),
            dot(gates, gates, Window(other_h, -1, 1), beside),
            cell(Window(other_h, -1), Window(other_c), gates, Window(other_c, 0, 1)),
        ]
        self.rows.append(dot(told, constant(layer.out.bias), Window(other_h, -1), _left(layer.out)))
        return self._added(x, h, layer.out, told)

    def head(self, layers: list[MaskedConv], x: Buffer) -> Window:
        """1×1 layers with a relu before each."""
        y = Window(x)
        for layer in layers:
            bent, out = scratch(y.size), scratch(len(layer.bias))
            self.columns += [apply("relu", bent, y), dot(out, constant(layer.bias), bent, _left(layer))]
            y = out
        return y

    def _added(self, x: Buffer, h: Buffer, out: MaskedConv, start: Window) -> Buffer:
        """x and what a layer's state adds to it."""
        y, added = self._row(x.channels), scratch(x.channels)
        self.columns += [dot(added, start, Window(h), _left(out)), apply("same", Window(y), added, Window(x))]
        return y

    def _row(self, channels: int, rows: int = 1, start: Tensor | None = None) -> Buffer:
        return Buffer(channels, self.width, rows, left=1, right=1, start=start)


def _left(conv: MaskedConv) -> Tensor:
    """What a masked convolution does with a pixel's own row, as a matrix."""
    return flat((conv.left * conv.mask)[:, :, 0])
