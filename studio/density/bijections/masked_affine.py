"""Define the affine map in which every entry depends on the entries before it, and its inverse as a trainable map.

    z_i = (x_i - m_i) · exp(-a_i),  m_i and a_i from x_1 … x_{i-1},  ladj = -Σ a_i

(Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv:1705.07057,
equations 4 and 5). One pass of the network computes z from x. In the other direction, x is found entry by entry: by a
solver that is passed in, or by D passes of the network. Gradients of a solver's result follow from the implicit
function theorem: with J = ∂f/∂x, which is triangular, a gradient g of x becomes v = J⁻ᵀ g of z and -(∂f/∂θ)ᵀ v of θ.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from studio.density.bijections.bijection import Bijection

ROWS_AT_ONCE = 8
"""The number of artworks that an inverse map samples at a time, so that each is the same bit for bit in any batch."""


class AffineSolution(NamedTuple):
    """Holds a solver's result: x and a, both `(B, D)`. `adjoint` maps gradients of x and a to the gradient of z."""

    x: Tensor
    a: Tensor
    adjoint: Callable[[Tensor, Tensor], Tensor]


class AffineSolver(Protocol):
    """Computes the map of a network faster than torch, without gradients. A method returns None if it cannot."""

    def inverse(self, z: Tensor, c: Tensor | None, bound: float | None) -> AffineSolution | None:
        """Return x and a from z."""

    def forward(self, x: Tensor, c: Tensor | None, bound: float | None) -> Tensor | None:
        """Return z from x. Each row is the same bit for bit in any batch."""

    def prepare(self, z: Tensor) -> None:
        """Prepare everything that the first call with numbers like `z` would have to wait for."""


class MaskedAffine(Bijection):
    """Computes f(x) = (x - m) · exp(-a) for vectors `(B, D)`.

    The log-scale is a = r / √(1 + (r / bound)²) of the network's output r, so |a| < bound. Near 0 it equals r.

    Arguments
        net: maps x `(B, D)` and c to `(B, 2, D)`: m and r of each entry, from the entries before it
        order: the entries `(D,)` from the first to the last
        bound: bound of the log-scale; None: a = r
        solver: computes the inverse; None: D passes of the network do
    """

    order: Tensor

    def __init__(
        self, net: nn.Module, order: Tensor, bound: float | None = 5.0, solver: AffineSolver | None = None
    ) -> None:
        super().__init__()
        self.net = net
        self.bound = bound
        self.solver = solver
        self.register_buffer("order", order, persistent=False)

    def _moves(self, x: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return shift m and log-scale a of each entry, `(B, D)`."""
        m, r = self.net(x, c).to(x.dtype).unbind(1)
        return m, bound_log_scale(r, self.bound)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        m, a = self._moves(x, c)
        return (x - m) * torch.exp(-a), -a.sum(1)

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return self.invert(z, c)[0]

    def invert(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return x with f(x) = z, and log |det ∂x/∂z| `(B,)`. Gradients flow through both."""
        found = None if self.solver is None else self.solver.inverse(z.detach(), c, self.bound)
        if found is None:
            x = self.torch_inverse(z, c)
            return x, self._moves(x, c)[1].sum(1)
        if not torch.is_grad_enabled():
            return found.x, found.a.sum(1)
        x, a = _Implicit.apply(z, *self._moves(found.x, c), found)  # type: ignore[no-untyped-call]
        return x, a.sum(1)

    def torch_inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Return x, computed by D passes of the network. A solver must equal it."""
        x = torch.zeros_like(z)
        entries = torch.arange(z.shape[1], device=z.device)
        for i in self.order:
            m, a = self._moves(x, c)
            x = torch.where(entries == i, z * torch.exp(a) + m, x)
        return x

    @torch.no_grad()
    def fold(self) -> None:
        """Prepare the solver, so that the first artwork need not wait for it."""
        if self.solver is not None:
            self.solver.prepare(self.order.new_zeros(1, len(self.order), dtype=next(self.parameters()).dtype))


def bound_log_scale(r: Tensor, bound: float | None) -> Tensor:
    """Return the log-scale a for the network's output r."""
    return r if bound is None else r * torch.rsqrt(1 + (r / bound).square())


class InverseMap(Bijection):
    """Is the inverse of a masked affine map f: sampling takes one pass of the network, the likelihood needs a solver.

    This is the flow of Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling, Improving Variational
    Inference with Inverse Autoregressive Flow, 2016, arXiv:1606.04934; f is the step (z - m) / exp(a) of the
    authors' code.
    """

    def __init__(self, inner: MaskedAffine) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.inner.invert(x, c)

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        solver = self.inner.solver
        found = None if solver is None or torch.is_grad_enabled() else solver.forward(z, c, self.inner.bound)
        return self.torch_inverse(z, c) if found is None else found

    def torch_inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Return x, computed by torch. A solver must equal it."""
        # The rounding of a row depends on how many rows a matrix product has, so it always has ROWS_AT_ONCE.
        missing = -len(z) % ROWS_AT_ONCE
        filled = torch.cat((z, z.new_zeros(missing, z.shape[1])))
        kinds = None if c is None else torch.cat((c, c.new_zeros(missing)))
        blocks = range(0, len(filled), ROWS_AT_ONCE)
        parts = [
            self.inner(filled[i : i + ROWS_AT_ONCE], None if kinds is None else kinds[i : i + ROWS_AT_ONCE])[0]
            for i in blocks
        ]
        return torch.cat(parts)[: len(z)]


class _Implicit(torch.autograd.Function):
    """Gives x and a of a solution their gradients, as functions of z and of the network's m and a at x.

    With g and h the gradients of x and a, v = J⁻ᵀ (g + (∂a/∂x)ᵀ h) is the gradient of z. From ∂f/∂m = -exp(-a) and
    ∂f/∂a = -z, the gradient of m is exp(-a) · v and that of a is z · v + h, each at a fixed x.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, m: Tensor, a: Tensor, found: AffineSolution) -> tuple[Tensor, Tensor]:
        # x and a must not be stored on ctx as attributes: they refer to this node, so the cycle would never be freed.
        ctx.save_for_backward(z, found.a)
        ctx.adjoint = found.adjoint
        return found.x, found.a

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        z, a = ctx.saved_tensors
        v = ctx.adjoint(g, h)
        return v, torch.exp(-a) * v, z * v + h, None
