"""Build the gated layer of two stacks.

The reference is van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu, Conditional Image Generation
with PixelCNN Decoders, 2016, arXiv:1606.05328, sections 2.1 to 2.3.

    y = tanh(W_f * x + V_f c) ⊙ σ(W_g * x + V_g c)

The vertical stack has seen all rows above. The horizontal one has also seen the pixels on the left in the row; it
receives the vertical stack by a 1×1 link. So together they see all pixels before, while one stack of masked
convolutions has a blind spot up to the right. Here the vertical stack sees its own row, too, and its output for the
link is shifted down by a row.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from studio.nets.masked_convolution import Mask, MaskedConv, RowConv, RowProduct, colours_of


def tanh_gate(x: Tensor) -> Tensor:
    """Return tanh(a) σ(b) of x = [a, b]."""
    a, b = x.chunk(2, -1 if x.dim() < 4 else 1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedLayer(nn.Module):
    """Maps the stacks v and h, each `(B, features, H, W)`, to those of the next layer.

    Arguments
        first: it reads the picture, `inputs` colours: mask A, and no residual, which would show a pixel itself
        last: no layer follows its vertical stack, which then only feeds the horizontal one
        classes: how many values a condition c may take
    """

    def __init__(
        self, inputs: int, features: int, colours: int, size: int, *, first: bool, last: bool, classes: int
    ) -> None:
        super().__init__()
        self.first = first
        mine = colours_of(features, colours)
        both = torch.cat((mine, mine))  # tanh, then σ
        mask: Mask = "A" if first else "B"
        self.vertical = RowConv(inputs, 2 * features, size)
        self.link = nn.Parameter(torch.randn(2 * features, 2 * features, 1, 1) / (2 * features) ** 0.5)
        self.horizontal = MaskedConv(colours_of(inputs, colours), both, size, mask, above=False)
        self.out = MaskedConv(mine, mine)
        self.vertical_bias = None if last else nn.Parameter(torch.zeros(2 * features))
        self.vertical_kinds = _class_parameter(0 if last else classes, features)
        self.horizontal_kinds = _class_parameter(classes, features)

    def forward(self, v: Tensor, h: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        seen = self.vertical(v)
        linked = conv2d(pad(seen, (0, 0, 1, 0))[:, :, :-1], self.link)  # shifted down by a row
        y = self.out(tanh_gate(self.horizontal(h) + linked + _class_features(self.horizontal_kinds, c, 4)))
        if self.vertical_bias is not None:
            v = tanh_gate(seen + self.vertical_bias[:, None, None] + _class_features(self.vertical_kinds, c, 4))
        return v, y if self.first else h + y

    def steps(self, count: int, width: int, c: Tensor | None) -> "GatedLayerSteps":
        """Return the same layer row by row and pixel by pixel."""
        return GatedLayerSteps(self, count, width, c)


class GatedLayerSteps:
    """Runs a gated layer step by step.

    Call `row` with the row above, once for each row but the first, then `at` for each column.
    """

    def __init__(self, layer: GatedLayer, count: int, width: int, c: Tensor | None) -> None:
        self.first = layer.first
        self.link = RowProduct(layer.link)
        self.vertical = layer.vertical.steps(count, width)
        self.horizontal = layer.horizontal.steps(count, width)
        self.out = layer.out.steps(count, width)
        bias = None if layer.vertical_bias is None else layer.vertical_bias.view(1, 1, -1)
        self.bias = None if bias is None else bias + _class_features(layer.vertical_kinds, c, 3)
        self.base = layer.horizontal.bias.view(1, 1, -1) + _class_features(layer.horizontal_kinds, c, 3)
        self.horizontal.sums = self.base.expand(count, width, -1)

    def row(self, v: Tensor) -> Tensor:
        """Process a row `(B, W, in)` → `(B, W, features)`; what it sends is for the next row."""
        seen = self.vertical(v)
        self.horizontal.sums = self.link(seen) + self.base
        return v if self.bias is None else tanh_gate(seen + self.bias)

    def at(self, j: int, h: Tensor) -> Tensor:
        """Return `(B, features)` of `(B, in)` at column j."""
        y = self.out.at_column(j, tanh_gate(self.horizontal.at_column(j, h)))
        return y if self.first else h + y


def _class_parameter(classes: int, features: int) -> nn.Parameter | None:
    return nn.Parameter(torch.zeros(classes, 2 * features)) if classes else None


def _class_features(kinds: Tensor | None, c: Tensor | None, dimensions: int) -> Tensor | float:
    """Return V c, which is added to features; 0 if there is no class.

    With three dimensions it is innermost.
    """
    if kinds is None or c is None:
        return 0.0
    return kinds[c][:, None] if dimensions == 3 else kinds[c][..., None, None]
