"""Build the masked networks of MAF and IAF, whose inverses compiled loops compute in one pass."""

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from studio import kernels
from studio.density.bijections.masked_affine import ROWS_AT_ONCE, AffineSolution, MaskedAffine, bound_log_scale
from studio.density.threads import single_threaded
from studio.nets.made import MADE, Activation, Degrees

Array = NDArray[Any]
LOOP_NAMES = {torch.float32: "masked maps", torch.float64: "masked maps in float64"}
"""The names in `kernels.LOOPS` of the loops that compute a masked affine map and its inverse."""


def made_network(
    entries: int,
    layer: int,
    hidden: tuple[int, ...],
    degrees: Degrees,
    activation: Activation,
    classes: int,
    seed: int,
    outputs: int = 2,
) -> MADE:
    """Return the network of one layer. In every other layer the order of the entries is reversed."""
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


def compiled_masked_affine(net: MADE, bound: float) -> MaskedAffine:
    """Return the map of one layer."""
    return MaskedAffine(net, net.order, bound, CompiledAffineSolver(net))


class _CompiledSolver:
    """Passes a masked network to compiled loops. They read its weights in place, so training changes them, too.

    Numbers on a graphics card are copied to the processor: every entry waits for the one before it, and a graphics card
    takes longer to start a step than the processor to finish it.
    """

    def __init__(self, net: MADE) -> None:
        self.net = net
        self._plan: Any = None

    def _asked(self, x: Tensor, c: Tensor | None, bound: float | None) -> tuple[Any, ...] | None:
        """Return the arguments of the loops; None if nothing can be compiled."""
        try:
            from studio.kernels import made, made_plan  # not before: the compiler takes half a second to start
        except ImportError:
            return None
        net = self.net
        self._plan = self._plan or made_plan.plan_network(
            _array(net.order), [_array(d) for d in net.degrees[1:]], net.outputs
        )
        more = None if net.kinds is None or c is None else _array(net.kinds[c])
        form = made.MapOptions(bound or math.inf, net.activation == "tanh", torch.get_num_threads())
        return self._plan, _array(net.weights), _array(net.biases), _array(x), more, form


class CompiledAffineSolver(_CompiledSolver):
    """Computes a masked affine map and its inverse with compiled loops.

    torch inverts it in one pass, too, if nothing compiles or while another process compiles. Its results may then
    differ from the compiled ones by rounding.
    """

    def _asked(self, x: Tensor, c: Tensor | None, bound: float | None) -> tuple[Any, ...] | None:
        # Gradients of the inverse exist only as compiled loops, so training waits for them.
        if not torch.is_grad_enabled() and x.dtype in LOOP_NAMES and kernels.compiled_elsewhere(LOOP_NAMES[x.dtype]):
            return None
        return super()._asked(x, c, bound)

    def prepare(self, z: Tensor) -> None:
        if self._asked(z, None, None) is not None:
            self.inverse(z, None, None)
            self.forward(z, None, None)

    def inverse(self, z: Tensor, c: Tensor | None, bound: float | None) -> AffineSolution | None:
        asked = self._asked(z, c, bound)
        if asked is None:
            return None if torch.is_grad_enabled() else self._by_torch(z, c, bound)
        from studio.kernels import made

        plan, weights, _, start, _, form = asked
        found = made.inverse(*asked)

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            return _tensor(made.adjoint(plan, weights, found, start, _array(of_x), _array(of_a), form), z)

        return AffineSolution(_tensor(found.x, z), _tensor(found.a, z), adjoint)

    def forward(self, x: Tensor, c: Tensor | None, bound: float | None) -> Tensor | None:
        asked = self._asked(x, c, bound)
        if asked is None:
            return None
        from studio.kernels import made

        return _tensor(made.forward(*asked), x)

    def _by_torch(self, z: Tensor, c: Tensor | None, bound: float | None) -> AffineSolution:
        """Compute with torch, in one thread, because the products are small.

        Blocks of ROWS_AT_ONCE artworks keep the rounding the same in any batch.
        """
        missing = -len(z) % ROWS_AT_ONCE
        filled = torch.cat((z, z.new_zeros(missing, z.shape[1])))
        kinds = None if c is None else torch.cat((c, c.new_zeros(missing)))
        scales = torch.zeros_like(filled)

        def block(rows: slice) -> Tensor:
            def entry(i: int, o: Tensor) -> Tensor:
                scales[rows, i] = bound_log_scale(o[:, 1], bound)
                return filled[rows, i] * scales[rows, i].exp() + o[:, 0]

            return self.net.solve_in_order(ROWS_AT_ONCE, entry, None if kinds is None else kinds[rows])

        def adjoint(of_x: Tensor, of_a: Tensor) -> Tensor:
            raise NotImplementedError("no gradient is taken through what torch found")

        with single_threaded():
            x = torch.cat([block(slice(begin, begin + ROWS_AT_ONCE)) for begin in range(0, len(filled), ROWS_AT_ONCE)])
        return AffineSolution(x[: len(z)], scales[: len(z)], adjoint)


class CompiledMixtureSolver(_CompiledSolver):
    """Computes the inverse of masked mixtures of Gaussians with compiled loops."""

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
