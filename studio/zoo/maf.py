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
from numpy.typing import NDArray
from torch import Tensor

from studio.density.bijection import Bijection, Chain, Flat
from studio.density.flow import Flow
from studio.density.linear import BatchNorm
from studio.density.masked_affine import MaskedAffine, Solution, bounded
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
    """The inverse of a masked affine map in one pass, compiled for the processor; where that cannot be, by torch.

    It reads the network's weights where they lie, so it follows them while they learn. Numbers on another device
    are fetched: an entry waits for the one before it, and a graphics card takes longer to begin than to compute.
    """

    def __init__(self, net: MADE) -> None:
        self.net = net
        self.plan: Any = None

    def __call__(self, z: Tensor, c: Tensor | None, bound: float | None) -> Solution | None:
        net = self.net
        try:
            from studio.kernels import made  # not before it is needed: the compiler takes half a second to start
        except ImportError:
            return None if torch.is_grad_enabled() else self._by_torch(z, c, bound)
        if self.plan is None:
            self.plan = made.plan(_array(net.order), [_array(d) for d in net.degrees[1:]], net.outputs)
        form = made.Form(bound or math.inf, net.activation == "tanh", torch.get_num_threads())
        weights, start = _array(net.weights), _array(z)
        more = None if net.kinds is None or c is None else _array(net.kinds[c])
        found = made.inverse(self.plan, weights, _array(net.biases), start, more, form)

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            v = made.adjoint(self.plan, weights, found, start, _array(of_x), _array(of_a), form)
            return torch.from_numpy(v).to(z.device)

        return Solution(torch.from_numpy(found.x).to(z.device), torch.from_numpy(found.a).to(z.device), adjoint)

    def _by_torch(self, z: Tensor, c: Tensor | None, bound: float | None) -> Solution:
        scales = torch.zeros_like(z)

        def entry(i: int, o: Tensor) -> Tensor:
            scales[:, i] = bounded(o[:, 1], bound)
            return z[:, i] * scales[:, i].exp() + o[:, 0]

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            raise NotImplementedError("no gradient is taken through what torch found")

        return Solution(self.net.one_pass(len(z), entry, c), scales, adjoint)


def _array(x: Tensor) -> NDArray[Any]:
    return x.detach().cpu().contiguous().numpy()


PRESETS = {
    "tiny": MAF(layers=2, hidden=(32,)),
    "small": MAF(layers=5, hidden=(512, 512)),
    "paper": MAF(layers=5, hidden=(1024, 1024)),
}
