"""The networks of PixelCNN and Gated PixelCNN: pictures seen `(B, C, H, W)` → numbers `(B, C · each, H, W)`.

    PixelCNN        h = A₇ x,  h ← h + B₁ relu(B_n relu(B₁ relu(h))) …,  numbers = B₁ relu(B₁ relu(h))
    Gated PixelCNN  v, h = gated layers of (x, x),                       numbers = B₁ relu(B₁ relu(h))

with A and B masked convolutions of these sizes (van den Oord, Kalchbrenner and Kavukcuoglu, 2016, arXiv:1601.06759,
table 1 and figure 5; van den Oord et al., 2016, arXiv:1606.05328, figure 2). The numbers of a colour know the pixel's
colours before it, so that a pixel is asked for once for each colour.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from studio.nets.gated_layer import GatedLayer
from studio.nets.masked_convolution import MaskedConv, MaskedConvSteps, PixelStep, colours_of, step_in_groups

FIRST_KERNEL_SIZE = 7
"""Size of the first kernel."""


class OutputHead(nn.Module):
    """Is the last two layers, 1×1 with a relu before each.

    They map `features` → `head` → `numbers` and return zeros at first.
    """

    def __init__(self, features: int, head: int, numbers: int, colours: int) -> None:
        super().__init__()
        of = [colours_of(n, colours) for n in (features, head, numbers)]
        self.first = MaskedConv(of[0], of[1])
        self.last = MaskedConv(of[1], of[2], zero=True)

    def forward(self, h: Tensor) -> Tensor:
        y: Tensor = self.last(torch.relu(self.first(torch.relu(h))))
        return y

    def steps(self, count: int) -> Callable[[Tensor], Tensor]:
        """Return the same for one pixel, `(B, features)` → `(B, numbers)`."""
        first = self.first.steps(count, 1)
        last = self.last.steps(count, 1)
        return lambda h: last.at_column(0, torch.relu(first.at_column(0, torch.relu(h))))


class ResidualMaskedBlock(nn.Module):
    """Computes h + B₁ relu(B_n relu(B₁ relu(h))). It has 2 · width features outside and width inside."""

    def __init__(self, width: int, size: int, colours: int) -> None:
        super().__init__()
        outside = colours_of(2 * width, colours)
        inside = colours_of(width, colours)
        self.layers = nn.ModuleList(
            [MaskedConv(outside, inside), MaskedConv(inside, inside, size), MaskedConv(inside, outside)]
        )

    def forward(self, h: Tensor) -> Tensor:
        y = h
        for layer in self.layers:
            y = layer(torch.relu(y))
        return h + y

    def steps(self, count: int, width: int) -> "ResidualMaskedBlockSteps":
        """Return the same pixel by pixel."""
        return ResidualMaskedBlockSteps(
            [layer.steps(count, width) for layer in self.layers if isinstance(layer, MaskedConv)]
        )


class ResidualMaskedBlockSteps:
    """Runs a block pixel by pixel, as `MaskedConvSteps` does."""

    def __init__(self, layers: Sequence[MaskedConvSteps]) -> None:
        self.layers = layers

    def next_row(self) -> None:
        for layer in self.layers:
            layer.next_row()

    def at_column(self, j: int, h: Tensor) -> Tensor:
        y = h
        for layer in self.layers:
            y = layer.at_column(j, torch.relu(y))
        return h + y


class PixelCNNNetwork(nn.Module):
    """Is one stack of masked convolutions.

    Arguments
        colours: C, channels of a picture
        inputs: of the picture in all, C if each channel is one
        numbers: of a pixel in all
        width: h; residual blocks have 2 h features outside, h inside
        blocks: how many
        size: n, of their kernels
        head: features of the last layer but one

    `reach` is how many rows or columns away a pixel may be on which another one depends.
    """

    def __init__(self, colours: int, inputs: int, numbers: int, width: int, blocks: int, size: int, head: int) -> None:
        super().__init__()
        self.first = MaskedConv(colours_of(inputs, colours), colours_of(2 * width, colours), FIRST_KERNEL_SIZE, "A")
        self.blocks = nn.ModuleList(ResidualMaskedBlock(width, size, colours) for _ in range(blocks))
        self.head = OutputHead(2 * width, head, numbers, colours)
        self.reach = FIRST_KERNEL_SIZE // 2 + blocks * (size // 2)

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        h = self.first(seen.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            h = block(h)
        return self.head(h)  # type: ignore[no-any-return]

    def stepper(self, seen: Tensor, c: Tensor | None) -> PixelStep:
        """Return a stepper pixel by pixel, as `density.autoregressive` needs."""
        return step_in_groups(self._steps, seen, c)

    def _steps(self, seen: Tensor, c: Tensor | None) -> PixelStep:
        count, _, _, width = seen.shape
        blocks = [block.steps(count, width) for block in self.blocks if isinstance(block, ResidualMaskedBlock)]
        first = self.first.steps(count, width)
        head = self.head.steps(count)
        row = -1

        def step(i: int, j: int) -> Tensor:
            nonlocal row
            _complete(first, seen, i, j)
            if i != row:
                row = i
                first.next_row()
                for block in blocks:
                    block.next_row()
            h = first.at_column(j, seen[:, :, i, j])
            for block in blocks:
                h = block.at_column(j, h)
            return head(h)

        return step


class GatedPixelCNNNetwork(nn.Module):
    """Is two stacks of gated layers.

    Arguments
        colours: C, channels of a picture
        inputs: of the picture in all, C if each channel is one
        numbers: of a pixel in all
        features: p, of each stack
        layers: how many, the first among them
        size: n, of all kernels but the first
        head: features of the last layer but one
        classes: how many values a condition c may take

    `reach` is how many rows or columns away a pixel may be on which another one depends.
    """

    def __init__(
        self, colours: int, inputs: int, numbers: int, features: int, layers: int, size: int, head: int, classes: int
    ) -> None:
        super().__init__()
        kernels = [(inputs, FIRST_KERNEL_SIZE), *[(features, size)] * (layers - 1)]
        self.layers = nn.ModuleList(
            GatedLayer(before, features, colours, n, first=i == 0, last=i == layers - 1, classes=classes)
            for i, (before, n) in enumerate(kernels)
        )
        self.head = OutputHead(features, head, numbers, colours)
        self.reach = 1 + sum(n // 2 for _, n in kernels)

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        v = h = seen.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            v, h = layer(v, h, c)
        return self.head(h)  # type: ignore[no-any-return]

    def stepper(self, seen: Tensor, c: Tensor | None) -> PixelStep:
        """Return a stepper pixel by pixel, as `density.autoregressive` needs."""
        return step_in_groups(self._steps, seen, c)

    def _steps(self, seen: Tensor, c: Tensor | None) -> PixelStep:
        count, _, _, width = seen.shape
        layers = [layer.steps(count, width, c) for layer in self.layers if isinstance(layer, GatedLayer)]
        head = self.head.steps(count)
        row = 0

        def step(i: int, j: int) -> Tensor:
            nonlocal row
            if i != row:
                row = i
                v = seen[:, :, i - 1].transpose(1, 2)
                for layer in layers:
                    v = layer.row(v)
            _complete(layers[0].horizontal, seen, i, j)
            h = seen[:, :, i, j]
            for layer in layers:
                h = layer.at(j, h)
            return head(h)

        return step


def _complete(first: MaskedConvSteps, seen: Tensor, i: int, j: int) -> None:
    """Show the first layer the pixel before (i, j) again. When the layer ran there, that pixel was not drawn yet."""
    if j:
        first.set_column(j - 1, seen[:, :, i, j - 1])
    elif i:
        first.set_column(seen.shape[3] - 1, seen[:, :, i - 1, -1])
