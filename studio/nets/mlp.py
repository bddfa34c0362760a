"""Multilayer perceptrons, in which every row is the same whatever other rows there are."""

import torch
from torch import Tensor, nn

ROWS = 8
"""The number of rows that `BatchInvariantLinear` multiplies at a time outside training."""


class BatchInvariantLinear(nn.Linear):
    """Computes y = W x + b. Outside training a row of y depends only on its own row of x, bit for bit.

    Matrix products sum in another order for other numbers of rows: measured with torch 2.13 on one processor,
    `nn.Linear` rounds 1 to 3 rows differently from more in float32, and every count that is not a multiple of 4 in
    float64. So outside training rows are multiplied in blocks of exactly `ROWS`, the last padded with zeros. Measured
    on one core in float32 with 640 × 640 weights: a block takes 0.12 ms, a single row alone 0.04 ms; 256 rows in blocks
    take 1.5 times as long as at once.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        missing = -len(x) % ROWS
        filled = torch.cat((x, x.new_zeros(missing, x.shape[1]))) if missing else x
        blocks = [nn.functional.linear(block, self.weight, self.bias) for block in torch.split(filled, ROWS)]
        return torch.cat(blocks)[: len(x)]


class MLP(nn.Sequential):
    """Runs Linear, ReLU, …, Linear: `(B, entries_in)` → `(B, entries_out)` through `depth` hidden layers of `width`.

    Arguments
        tanh: hidden layers end in tanh instead of ReLU
        zero: the last layer returns zeros at first
        dropout: share of hidden units left out at each training step (Srivastava et al., 2014)
        classes: each adds its own numbers to the first layer's
    """

    def __init__(
        self,
        entries_in: int,
        width: int,
        depth: int,
        entries_out: int,
        *,
        tanh: bool = False,
        zero: bool = False,
        dropout: float = 0.0,
        classes: int = 0,
    ) -> None:
        layers: list[nn.Module] = []
        for before in [entries_in, *[width] * (depth - 1)]:
            layers += [BatchInvariantLinear(before, width), nn.Tanh() if tanh else nn.ReLU()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        last = BatchInvariantLinear(width, entries_out)
        if zero:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        super().__init__(*layers, last)
        self.of_class = nn.Parameter(torch.zeros(classes, width)) if classes else None

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        first, *others = self
        h: Tensor = first(x)
        if self.of_class is not None:
            h = h + self.of_class[c]
        for layer in others:
            h = layer(h)
        return h
