"""PixelRNN, PixelCNN and Gated PixelCNN pixel by pixel: what hangs on rows above once a row, the rest once a pixel."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from studio.nets.gated_layer import GatedLayer
from studio.nets.masked_convolution import MaskedConv
from studio.nets.pixel_schedule import Buffer, Operation, Schedule, Window, apply, cell, constant, dot, flat, scratch
from studio.nets.pixelcnn import Block, GatedPixelCNN, Head, PixelCNN
from studio.nets.pixelrnn import DiagonalBiLSTM, PixelRNN, RowLSTM


def schedule(net: nn.Module, width: int) -> Schedule:
    """The schedule of one of these networks for pictures of that width."""
    assert isinstance(net, PixelRNN | PixelCNN | GatedPixelCNN)
    writer = _Writer(width)
    if isinstance(net, GatedPixelCNN):
        seen, x = writer.stacks([layer for layer in net.layers if isinstance(layer, GatedLayer)])
    else:
        seen = writer.row(net.first.left.shape[1], net.first.side, net.first.side + 1)
        x = writer.row(len(net.first.bias))
        writer.masked(net.first, Window(seen), Window(x))
        for layer in net.layers if isinstance(net, PixelRNN) else net.blocks:
            x = writer.layer(layer, x)
    return Schedule(seen, writer.head(net.head, x), writer.rows, writer.columns, writer.backwards)


class _Writer:
    """Writes the operations of each layer down, and says where its features are."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[Operation] = []
        self.columns: list[Operation] = []
        self.backwards: list[Operation] = []

    def row(self, channels: int, side: int = 1, rows: int = 1, start: Tensor | None = None) -> Buffer:
        """A remembered row with `side` places of margin."""
        return Buffer(channels, self.width, rows, side, side, start)

    def masked(self, conv: MaskedConv, x: Window, out: Window, start: Window | None = None) -> None:
        """start, or the bias, and a masked convolution around x: rows above, then the pixel's own up to itself."""
        start, side = start or constant(conv.bias), conv.side
        if conv.above is not None:
            sums = Window(self.row(len(conv.bias)))
            for k, kernel in enumerate(conv.above.unbind(2)):
                above = Window(x.buffer, k - side, -side, 2 * side + 1)
                self.rows.append(dot(sums, sums if k else start, above, flat(kernel)))
            start = sums
        left = x._replace(across=-side, span=side + 1)
        self.columns.append(dot(out, start, left, flat((conv.left * conv.mask)[:, :, 0])))

    def layer(self, layer: nn.Module, x: Buffer) -> Buffer:
        """A layer that adds something to features x; where the sum is."""
        if isinstance(layer, Block):
            return self._block(layer, x)
        if isinstance(layer, RowLSTM):
            return self._row_lstm(layer, x)
        assert isinstance(layer, DiagonalBiLSTM)
        return self._diagonal(layer, x)

    def head(self, head: Head, x: Buffer) -> Window:
        """1×1 layers with a relu before each."""
        y = Window(x)
        for conv in (head.first, head.last):
            bent, out = scratch(y.size), scratch(len(conv.bias))
            self.columns.append(apply("relu", bent, y))
            self.masked(conv, bent, out)
            y = out
        return y

    def stacks(self, layers: list[GatedLayer]) -> tuple[Buffer, Buffer]:
        """Where pixels are seen, and the horizontal stack at its end."""
        rows, size = layers[0].vertical.weight.shape[2:]
        seen = self.row(layers[0].vertical.weight.shape[1], size // 2, rows + 1)
        v = h = seen
        for layer, after in zip(layers, [*layers[1:], None], strict=True):
            rows, size = (after or layer).vertical.weight.shape[2:]
            features = layer.out.left.shape[1]
            next_v, next_h = self.row(features, size // 2, rows), self.row(features, size // 2)
            told = self._vertical(layer, v, next_v)
            self._horizontal(layer, h, next_h, told)
            v, h = next_v, next_h
        return seen, h

    def _vertical(self, layer: GatedLayer, v: Buffer, out: Buffer) -> Window:
        """The row above of the vertical stack; what it tells the horizontal one in the row that begins."""
        outputs, _, rows, size = layer.vertical.weight.shape
        sums, bent, told = (Window(self.row(outputs)) for _ in range(3))
        start = constant(layer.link.new_zeros(outputs))
        for k, kernel in enumerate(layer.vertical.weight.unbind(2)):
            window = Window(v, k - rows, -(size // 2), size)
            self.rows.append(dot(sums, sums if k else start, window, flat(kernel), later=True))
        base = _of_kinds(layer.horizontal.bias, layer.horizontal_kinds)
        self.rows.append(dot(told, base, sums, flat(layer.link[:, :, 0])))
        if layer.vertical_bias is not None:
            bias = _of_kinds(layer.vertical_bias, layer.vertical_kinds)
            self.rows.append(apply("same", bent, sums, bias, later=True))
            self.rows.append(apply("tanh_gate", Window(out, -1), bent, later=True))
        return told

    def _horizontal(self, layer: GatedLayer, h: Buffer, out: Buffer, told: Window) -> None:
        gates, y = scratch(2 * out.channels), scratch(out.channels)
        self.masked(layer.horizontal, Window(h), gates, told)
        self.columns.append(apply("tanh_gate", y, gates))
        added = Window(out) if layer.first else scratch(out.channels)
        self.masked(layer.out, y, added)
        if not layer.first:
            self.columns.append(apply("same", Window(out), added, Window(h)))

    def _block(self, block: Block, x: Buffer) -> Buffer:
        y = Window(x)
        for conv in block.layers:
            assert isinstance(conv, MaskedConv)
            bent = Window(self.row(y.size, conv.side, conv.side + 1)) if conv.side else scratch(y.size)
            self.columns.append(apply("relu", bent, y))
            y = scratch(len(conv.bias))
            self.masked(conv, bent, y)
        return self._added(x, y)

    def _row_lstm(self, layer: RowLSTM, x: Buffer) -> Buffer:
        first_h, first_c = layer.first
        n = len(first_c)
        h = self.row(n, start=pad(first_h.expand(self.width, n), (0, 0, 1, 1)))
        c = self.row(n, rows=2, start=first_c)
        sums, gates, y = Window(self.row(4 * n)), scratch(4 * n), scratch(2 * n)
        self.rows.append(dot(sums, constant(layer.of_input.bias), Window(h, -1, -1, 3), layer.of_state))
        self.masked(layer.of_input, Window(x), gates, sums)
        self.columns.append(cell(Window(h), Window(c), gates, Window(c, -1)))
        self.masked(layer.out, Window(h), y)
        return self._added(x, y)

    def _diagonal(self, layer: DiagonalBiLSTM, x: Buffer) -> Buffer:
        """From the left a pixel at a time; from the right a whole row, the one above, when the next begins."""
        n = layer.first.shape[1] // 2
        sums, gates, told, y = Window(self.row(4 * n)), scratch(4 * n), Window(self.row(2 * n)), scratch(2 * n)
        (h, c), (other_h, other_c) = (
            (self.row(n, rows=2, start=pad(first[None, :n], margin)), self.row(n, start=pad(first[None, n:], margin)))
            for first, margin in zip(layer.first, ((0, 0, 0, self.width + 1), (0, 0, self.width + 1, 0)), strict=True)
        )
        beside, above = torch.split(layer.of_state[0], n)
        self.rows.append(dot(sums, constant(layer.from_left.bias), Window(h, -1), above))
        self.masked(layer.from_left, Window(x), gates, sums)
        self.columns.append(dot(gates, gates, Window(h, 0, -1), beside))
        self.columns.append(cell(Window(h), Window(c), gates, Window(c, 0, -1)))
        beside, above = torch.split(layer.of_state[1], n)
        self.backwards += [
            dot(gates, constant(layer.from_right.bias), Window(x, -1), _itself(layer.from_right)),
            dot(gates, gates, Window(other_h, -2), above),
            dot(gates, gates, Window(other_h, -1, 1), beside),
            cell(Window(other_h, -1), Window(other_c), gates, Window(other_c, 0, 1)),
        ]
        self.rows.append(dot(told, constant(layer.out.bias), Window(other_h, -1), _itself(layer.out)))
        self.masked(layer.out, Window(h), y, told)
        return self._added(x, y)

    def _added(self, x: Buffer, y: Window) -> Buffer:
        """x + y, as the next layer sees it."""
        out = self.row(x.channels)
        self.columns.append(apply("same", Window(out), y, Window(x)))
        return out


def _itself(conv: MaskedConv) -> Tensor:
    """The last column of a masked convolution's own row, as a matrix."""
    return flat((conv.left * conv.mask)[:, :, 0, -1:])


def _of_kinds(bias: Tensor, kinds: Tensor | None) -> Window:
    """A bias, for each class its own where there are any."""
    return constant(bias) if kinds is None else constant(bias + kinds, kinds=True)
