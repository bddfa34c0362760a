"""MAF (Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv:1705.07057).

    z_i = (x_i - m_i) · exp(-a_i),  m_i and a_i from x_1 … x_{i-1} by a MADE,

several times over, each followed by a batch norm, with the order reversed from one to the next (section 3).
An artwork is a vector of its entries, row by row, so pictures and single cycles of sound are alike.
"""

import math
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from studio.density.bijection import Bijection, Chain, Flat
from studio.density.flow import Flow
from studio.density.linear import BatchNorm
from studio.density.masked_affine import MaskedAffine, Solution
from studio.nets.masked import MADE, Activation, Degrees


class MAF(msgspec.Struct, frozen=True, kw_only=True, tag="maf", tag_field="family"):
    """The hyperparameters of a MAF."""

    layers: Annotated[int, Meta(ge=1, le=32, title="Layers", description="Networks one after another")] = 5
    hidden: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=4096)], ...],
        Meta(min_length=1, max_length=8, title="Hidden units", description="Of each hidden layer of a network"),
    ] = (512, 512)
    degrees: Annotated[Degrees, Meta(title="Degrees", description="How many entries each hidden unit may see")] = (
        "sequential"
    )
    activation: Annotated[Activation, Meta(title="Activation", description="Of the hidden units")] = "relu"
    batch_norm: Annotated[bool, Meta(title="Batch norm", description="After each network")] = True
    classes: Annotated[int, Meta(ge=0, le=1000, title="Kinds", description="How many kinds it can be asked for")] = 0
    alpha: (
        Annotated[float, Meta(gt=0, lt=0.5, title="Margin", description="Of the logit at black and white")] | None
    ) = 1e-6
    bound: Annotated[float, Meta(gt=0, le=10, title="Bound", description="Largest log-scale of one entry")] = 5.0
    seed: Annotated[int, Meta(ge=0, title="Seed", description="Of random degrees")] = 0

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Flow:
        """The model for artworks of any shape with two entries or more. Raises ValueError for fewer."""
        entries = math.prod(shape)
        if entries < 2:
            raise ValueError("an artwork of one entry has nothing that comes before it; take larger ones")
        parts: list[Bijection] = []
        for layer in range(self.layers):
            of_layer = (self.hidden, self.degrees, self.activation, self.classes, self.bound, self.seed)
            parts.append(masked_affine(entries, layer, *of_layer))
            if self.batch_norm:
                parts.append(BatchNorm(entries, eps=1e-5, affine=True))
        return Flow(shape, levels, Flat(Chain(parts)), self.alpha, classes=self.classes)


def masked_affine(
    entries: int,
    layer: int,
    hidden: tuple[int, ...],
    degrees: Degrees,
    activation: Activation,
    classes: int,
    bound: float,
    seed: int,
) -> MaskedAffine:
    """The map of one layer; every other one has the order of the entries reversed."""
    order = torch.arange(entries)
    net = MADE(
        entries,
        hidden,
        order=order.flip(0) if layer % 2 else order,
        degrees=degrees,
        activation=activation,
        classes=classes,
        seed=seed + layer,
    )
    return MaskedAffine(net, net.order, bound, OnePass(net))


class OnePass:
    """The compiled inverse of a masked affine map, for artworks on the processor.

    It reads the network's weights where they lie, so it follows them while they learn.
    """

    def __init__(self, net: MADE) -> None:
        self.net = net
        self.plan: Any = None

    def __call__(self, z: Tensor, c: Tensor | None, bound: float | None) -> Solution | None:
        net, weights = self.net, self.net.weights.detach()
        if z.device.type != "cpu" or z.dtype != weights.dtype or z.dtype not in (torch.float32, torch.float64):
            return None
        try:
            from studio.kernels import made  # here, as compiling takes longer to start than all else
        except ImportError:  # there is no compiler for this machine
            return None
        if self.plan is None:
            self.plan = made.plan(net.order.numpy(), [d.numpy() for d in net.degrees[1:]], net.outputs)
        w, start = weights.numpy(), z.detach().contiguous().numpy()
        more = None if net.kinds is None or c is None else net.kinds.detach()[c].numpy()
        form = made.Form(bound or math.inf, net.activation == "tanh", torch.get_num_threads())
        found = made.inverse(self.plan, w, net.biases.detach().numpy(), start, more, form)

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            grads = (of_x.contiguous().numpy(), of_a.contiguous().numpy())
            return torch.from_numpy(made.adjoint(self.plan, w, found, start, *grads, form))

        return Solution(torch.from_numpy(found.x), torch.from_numpy(found.a), adjoint)


PRESETS = {
    "tiny": MAF(layers=2, hidden=(32,)),
    "small": MAF(layers=5, hidden=(512, 512)),
    "paper": MAF(layers=5, hidden=(1024, 1024)),
}
