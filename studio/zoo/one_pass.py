"""What MAF and IAF share: masked networks, with inverses that compiled loops find in one pass."""

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.density.masked_affine import MaskedAffine, Solution, bounded
from studio.nets.masked import MADE, Activation, Degrees

Array = NDArray[Any]


def network(
    entries: int,
    layer: int,
    hidden: tuple[int, ...],
    degrees: Degrees,
    activation: Activation,
    classes: int,
    seed: int,
    outputs: int = 2,
) -> MADE:
    """The network of one layer; every other one has the order of the entries reversed."""
    order = torch.arange(entries)
    return MADE(
        entries,
        hidden,
        outputs,
        order.flip(0) if layer % 2 else order,
        degrees=degrees,
        activation=activation,
        classes=classes,
        seed=seed + layer,
    )


def masked_affine(net: MADE, bound: float) -> MaskedAffine:
    """The map of one layer."""
    return MaskedAffine(net, net.order, bound, OnePass(net))


class OnePass:
    """Inverts a masked affine map in one pass, compiled for the processor; where nothing compiles, by torch.

    It reads the network's weights where they lie, so it follows them while they learn. Numbers on another device
    are fetched: every entry waits for the one before it, and a graphics card takes longer to begin than to compute.
    """

    def __init__(self, net: MADE) -> None:
        self.net = net
        self.plan: Any = None

    def __call__(self, z: Tensor, c: Tensor | None, bound: float | None) -> Solution | None:
        try:
            from studio.kernels import made  # not before it is needed: the compiler takes half a second to start
        except ImportError:
            return None if torch.is_grad_enabled() else self._by_torch(z, c, bound)
        self.plan = self.plan or _plan(self.net)
        weights, biases, more = _weights(self.net, c)
        start = _array(z)
        form = made.Form(bound or math.inf, self.net.activation == "tanh", torch.get_num_threads())
        found = made.inverse(self.plan, weights, biases, start, more, form)

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


class OnePassMixture:
    """Inverts masked mixtures of Gaussians in one pass, compiled for the processor."""

    def __init__(self, net: MADE) -> None:
        self.net = net
        self.plan: Any = None

    def __call__(self, z: Tensor, c: Tensor | None, bound: float) -> Tensor | None:
        try:
            from studio.kernels import made, mixture
        except ImportError:
            return None
        self.plan = self.plan or _plan(self.net)
        weights, biases, more = _weights(self.net, c)
        form = made.Form(bound, self.net.activation == "tanh", torch.get_num_threads())
        return torch.from_numpy(mixture.inverse(self.plan, weights, biases, _array(z), more, form)).to(z.device)


def _plan(net: MADE) -> Any:
    from studio.kernels import made

    return made.plan(_array(net.order), [_array(d) for d in net.degrees[1:]], net.outputs)


def _weights(net: MADE, c: Tensor | None) -> tuple[Array, Array, Array | None]:
    """Weights, biases, and what the condition adds to those of the first layer."""
    more = None if net.kinds is None or c is None else _array(net.kinds[c])
    return _array(net.weights), _array(net.biases), more


def _array(x: Tensor) -> Array:
    return x.detach().cpu().contiguous().numpy()
