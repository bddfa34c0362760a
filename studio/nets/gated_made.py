"""A masked network that also sees a context, as the steps of an inverse autoregressive flow ask for.

    h = elu(W z + V context + b),  o = W' h + b',  with W and W' zero wherever the order forbids

Entry number i of the order (from 0) sees what comes before it; a hidden unit of degree d sees the first d
entries, and the outputs of entry i see hidden units of a degree up to i. Units of degree 0 see the context
alone, so that it reaches the first entry, too (Germain, Gregor, Murray and Larochelle, MADE, 2015,
arXiv:1502.03509; Kingma, Salimans, Józefowicz, Chen, Sutskever and Welling, Improving variational inference
with inverse autoregressive flow, 2016, arXiv:1606.04934, section 4).
"""

import torch
from torch import Tensor, nn


class MaskedLinear(nn.Linear):
    """y = (mask · W) x + b, with a mask of the weight's shape."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class ContextMADE(nn.Module):
    """z `(B, D)` and a context `(B, context)` → `(B, D, 2)`, where o[:, i] sees only those z that come before entry i.

    Arguments
        entries: D
        context: how many numbers of context there are
        hidden: units of the hidden layer, spread evenly over the degrees 0 … D - 1
        reverse: the order is from the last entry to the first
    """

    def __init__(self, entries: int, context: int, hidden: int, *, reverse: bool = False) -> None:
        super().__init__()
        place = torch.arange(entries)
        place = place.flip(0) if reverse else place
        degrees = torch.arange(hidden) * entries // hidden
        self.inputs = MaskedLinear((place < degrees[:, None]).float())
        self.context = nn.Linear(context, hidden, bias=False)
        self.outputs = MaskedLinear((degrees <= place[:, None]).float().repeat_interleave(2, 0))
        nn.init.normal_(self.outputs.weight, std=0.1 / hidden**0.5)
        nn.init.zeros_(self.outputs.bias)

    def forward(self, z: Tensor, context: Tensor) -> Tensor:
        h = nn.functional.elu(self.inputs(z) + self.context(context))
        result: Tensor = self.outputs(h).view(len(z), -1, 2)
        return result
