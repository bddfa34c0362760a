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


class _Compiled:
    """A masked network as compiled loops read it: its weights where they lie, so they are followed while they learn.

    Numbers on another device are fetched: every entry waits for the one before it, and a graphics card takes longer
    to begin a step than the processor to finish it.
    """

    def __init__(self, net: MADE) -> None:
        self.net = net
        self._plan: Any = None

    def _asked(self, x: Tensor, c: Tensor | None, bound: float | None) -> tuple[Any, ...] | None:
        """What every kernel is handed; None where nothing compiles."""
        try:
            from studio.kernels import made  # not before it is needed: the compiler takes half a second to start
        except ImportError:
            return None
        net = self.net
        self._plan = self._plan or made.plan(_array(net.order), [_array(d) for d in net.degrees[1:]], net.outputs)
        more = None if net.kinds is None or c is None else _array(net.kinds[c])
        form = made.Form(bound or math.inf, net.activation == "tanh", torch.get_num_threads())
        return self._plan, _array(net.weights), _array(net.biases), _array(x), more, form


class OnePass(_Compiled):
    """Both ways through a masked affine map, compiled; where nothing compiles, torch inverts it in one pass, too."""

    def inverse(self, z: Tensor, c: Tensor | None, bound: float | None) -> Solution | None:
        asked = self._asked(z, c, bound)
        if asked is None:
            return None if torch.is_grad_enabled() else self._by_torch(z, c, bound)
        from studio.kernels import made

        plan, weights, _, start, _, form = asked
        found = made.inverse(*asked)

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            return _tensor(made.adjoint(plan, weights, found, start, _array(of_x), _array(of_a), form), z)

        return Solution(_tensor(found.x, z), _tensor(found.a, z), adjoint)

    def forward(self, x: Tensor, c: Tensor | None, bound: float | None) -> Tensor | None:
        asked = self._asked(x, c, bound)
        if asked is None:
            return None
        from studio.kernels import made

        return _tensor(made.forward(*asked), x)

    def _by_torch(self, z: Tensor, c: Tensor | None, bound: float | None) -> Solution:
        scales = torch.zeros_like(z)

        def entry(i: int, o: Tensor) -> Tensor:
            scales[:, i] = bounded(o[:, 1], bound)
            return z[:, i] * scales[:, i].exp() + o[:, 0]

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            raise NotImplementedError("no gradient is taken through what torch found")

        return Solution(self.net.one_pass(len(z), entry, c), scales, adjoint)


class OnePassMixture(_Compiled):
    """The inverse of masked mixtures of Gaussians, compiled."""

    def __call__(self, z: Tensor, c: Tensor | None, bound: float) -> Tensor | None:
        asked = self._asked(z, c, bound)
        if asked is None:
            return None
        from studio.kernels import mixture

        return _tensor(mixture.inverse(*asked), z)


def _array(x: Tensor) -> Array:
    return x.detach().cpu().contiguous().numpy()


def _tensor(x: Array, like: Tensor) -> Tensor:
    return torch.from_numpy(x).to(like.device)
