"""Run PixelRNN, PixelCNN and Gated PixelCNN pixel by pixel.

Values that depend only on rows above are computed once a row, the rest once a pixel.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from studio.nets.gated_layer import GatedLayer
from studio.nets.masked_convolution import MaskedConv
from studio.nets.pixel_schedule import (
    BufferWindow,
    Operation,
    PixelSchedule,
    RowBuffer,
    constant_window,
    dot_operation,
    flatten_kernel,
    function_operation,
    lstm_operation,
    scratch_window,
)
from studio.nets.pixelcnn import GatedPixelCNNNetwork, OutputHead, PixelCNNNetwork, ResidualMaskedBlock
from studio.nets.pixelrnn import DiagonalBiLSTM, PixelRNNNetwork, RowLSTM


def pixelcnn_schedule(net: nn.Module, width: int) -> PixelSchedule:
    """Return the schedule of one of these networks for pictures of that width."""
    assert isinstance(net, PixelRNNNetwork | PixelCNNNetwork | GatedPixelCNNNetwork)
    writer = _PixelCNNWriter(width)
    if isinstance(net, GatedPixelCNNNetwork):
        seen, x = writer.stacks([layer for layer in net.layers if isinstance(layer, GatedLayer)])
    else:
        seen = writer.row(net.first.left.shape[1], net.first.side, net.first.side + 1)
        x = writer.row(len(net.first.bias))
        writer.masked(net.first, BufferWindow(seen), BufferWindow(x))
        for layer in net.layers if isinstance(net, PixelRNNNetwork) else net.blocks:
            x = writer.layer(layer, x)
    return PixelSchedule(seen, writer.head(net.head, x), writer.rows, writer.columns, writer.backwards)


class _PixelCNNWriter:
    """Writes the operations of each layer, and returns where its features are."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[Operation] = []
        self.columns: list[Operation] = []
        self.backwards: list[Operation] = []

    def row(self, channels: int, side: int = 1, rows: int = 1, start: Tensor | None = None) -> RowBuffer:
        """Return a buffered row with `side` places of margin."""
        return RowBuffer(channels, self.width, rows, side, side, start)

    def masked(self, conv: MaskedConv, x: BufferWindow, out: BufferWindow, start: BufferWindow | None = None) -> None:
        """Write start, or the bias, plus a masked convolution around x:

        rows above, then the pixel's own up to itself.
        """
        start = start or constant_window(conv.bias)
        side = conv.side
        if conv.above is not None:
            sums = BufferWindow(self.row(len(conv.bias)))
            for k, kernel in enumerate(conv.above.unbind(2)):
                above = BufferWindow(x.buffer, k - side, -side, 2 * side + 1)
                self.rows.append(dot_operation(sums, sums if k else start, above, flatten_kernel(kernel)))
            start = sums
        left = x._replace(across=-side, span=side + 1)
        self.columns.append(dot_operation(out, start, left, flatten_kernel((conv.left * conv.mask)[:, :, 0])))

    def layer(self, layer: nn.Module, x: RowBuffer) -> RowBuffer:
        """Write a layer that adds to features x; return where the sum is."""
        if isinstance(layer, ResidualMaskedBlock):
            return self._block(layer, x)
        if isinstance(layer, RowLSTM):
            return self._row_lstm(layer, x)
        assert isinstance(layer, DiagonalBiLSTM)
        return self._diagonal(layer, x)

    def head(self, head: OutputHead, x: RowBuffer) -> BufferWindow:
        """Write 1×1 layers with a relu before each."""
        y = BufferWindow(x)
        for conv in (head.first, head.last):
            active = scratch_window(y.size)
            out = scratch_window(len(conv.bias))
            self.columns.append(function_operation("relu", active, y))
            self.masked(conv, active, out)
            y = out
        return y

    def stacks(self, layers: list[GatedLayer]) -> tuple[RowBuffer, RowBuffer]:
        """Return where pixels are written, and the horizontal stack at its end."""
        rows, size = layers[0].vertical.weight.shape[2:]
        seen = self.row(layers[0].vertical.weight.shape[1], size // 2, rows + 1)
        v = h = seen
        for layer, after in zip(layers, [*layers[1:], None], strict=True):
            rows, size = (after or layer).vertical.weight.shape[2:]
            features = layer.out.left.shape[1]
            next_v = self.row(features, size // 2, rows)
            next_h = self.row(features, size // 2)
            linked = self._vertical(layer, v, next_v)
            self._horizontal(layer, h, next_h, linked)
            v = next_v
            h = next_h
        return seen, h

    def _vertical(self, layer: GatedLayer, v: RowBuffer, out: RowBuffer) -> BufferWindow:
        """Write the row above of the vertical stack, and its link to the horizontal one."""
        outputs, _, rows, size = layer.vertical.weight.shape
        sums, active, linked = (BufferWindow(self.row(outputs)) for _ in range(3))
        start = constant_window(layer.link.new_zeros(outputs))
        for k, kernel in enumerate(layer.vertical.weight.unbind(2)):
            window = BufferWindow(v, k - rows, -(size // 2), size)
            self.rows.append(dot_operation(sums, sums if k else start, window, flatten_kernel(kernel), later=True))
        base = _class_bias(layer.horizontal.bias, layer.horizontal_kinds)
        self.rows.append(dot_operation(linked, base, sums, flatten_kernel(layer.link[:, :, 0])))
        if layer.vertical_bias is not None:
            bias = _class_bias(layer.vertical_bias, layer.vertical_kinds)
            self.rows.append(function_operation("same", active, sums, bias, later=True))
            self.rows.append(function_operation("tanh_gate", BufferWindow(out, -1), active, later=True))
        return linked

    def _horizontal(self, layer: GatedLayer, h: RowBuffer, out: RowBuffer, linked: BufferWindow) -> None:
        gates = scratch_window(2 * out.channels)
        y = scratch_window(out.channels)
        self.masked(layer.horizontal, BufferWindow(h), gates, linked)
        self.columns.append(function_operation("tanh_gate", y, gates))
        added = BufferWindow(out) if layer.first else scratch_window(out.channels)
        self.masked(layer.out, y, added)
        if not layer.first:
            self.columns.append(function_operation("same", BufferWindow(out), added, BufferWindow(h)))

    def _block(self, block: ResidualMaskedBlock, x: RowBuffer) -> RowBuffer:
        y = BufferWindow(x)
        for conv in block.layers:
            assert isinstance(conv, MaskedConv)
            active = BufferWindow(self.row(y.size, conv.side, conv.side + 1)) if conv.side else scratch_window(y.size)
            self.columns.append(function_operation("relu", active, y))
            y = scratch_window(len(conv.bias))
            self.masked(conv, active, y)
        return self._added(x, y)

    def _row_lstm(self, layer: RowLSTM, x: RowBuffer) -> RowBuffer:
        first_h, first_c = layer.first
        n = len(first_c)
        h = self.row(n, start=pad(first_h.expand(self.width, n), (0, 0, 1, 1)))
        c = self.row(n, rows=2, start=first_c)
        sums = BufferWindow(self.row(4 * n))
        gates = scratch_window(4 * n)
        y = scratch_window(2 * n)
        self.rows.append(
            dot_operation(sums, constant_window(layer.of_input.bias), BufferWindow(h, -1, -1, 3), layer.of_state)
        )
        self.masked(layer.of_input, BufferWindow(x), gates, sums)
        self.columns.append(lstm_operation(BufferWindow(h), BufferWindow(c), gates, BufferWindow(c, -1)))
        self.masked(layer.out, BufferWindow(h), y)
        return self._added(x, y)

    def _diagonal(self, layer: DiagonalBiLSTM, x: RowBuffer) -> RowBuffer:
        """Write both ways of a diagonal layer.

        From the left it runs a pixel at a time; from the right a whole row, the one above, when the next begins.
        """
        n = layer.first.shape[1] // 2
        sums = BufferWindow(self.row(4 * n))
        gates = scratch_window(4 * n)
        linked = BufferWindow(self.row(2 * n))
        y = scratch_window(2 * n)
        (h, c), (other_h, other_c) = (
            (self.row(n, rows=2, start=pad(first[None, :n], margin)), self.row(n, start=pad(first[None, n:], margin)))
            for first, margin in zip(layer.first, ((0, 0, 0, self.width + 1), (0, 0, self.width + 1, 0)), strict=True)
        )
        beside, above = torch.split(layer.of_state[0], n)
        self.rows.append(dot_operation(sums, constant_window(layer.from_left.bias), BufferWindow(h, -1), above))
        self.masked(layer.from_left, BufferWindow(x), gates, sums)
        self.columns.append(dot_operation(gates, gates, BufferWindow(h, 0, -1), beside))
        self.columns.append(lstm_operation(BufferWindow(h), BufferWindow(c), gates, BufferWindow(c, 0, -1)))
        beside, above = torch.split(layer.of_state[1], n)
        self.backwards += [
            dot_operation(
                gates, constant_window(layer.from_right.bias), BufferWindow(x, -1), _itself(layer.from_right)
            ),
            dot_operation(gates, gates, BufferWindow(other_h, -2), above),
            dot_operation(gates, gates, BufferWindow(other_h, -1, 1), beside),
            lstm_operation(BufferWindow(other_h, -1), BufferWindow(other_c), gates, BufferWindow(other_c, 0, 1)),
        ]
        self.rows.append(
            dot_operation(linked, constant_window(layer.out.bias), BufferWindow(other_h, -1), _itself(layer.out))
        )
        self.masked(layer.out, BufferWindow(h), y, linked)
        return self._added(x, y)

    def _added(self, x: RowBuffer, y: BufferWindow) -> RowBuffer:
        """Write x + y, as the next layer sees it."""
        out = self.row(x.channels)
        self.columns.append(function_operation("same", BufferWindow(out), y, BufferWindow(x)))
        return out


def _itself(conv: MaskedConv) -> Tensor:
    """Return the last column of a masked convolution's own row, as a matrix."""
    return flatten_kernel((conv.left * conv.mask)[:, :, 0, -1:])


def _class_bias(bias: Tensor, kinds: Tensor | None) -> BufferWindow:
    """Return a bias, with a row for each class if there are classes."""
    return constant_window(bias) if kinds is None else constant_window(bias + kinds, kinds=True)
