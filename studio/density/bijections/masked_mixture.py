"""Map entries that are mixtures of Gaussians, given the entries before them, to standard normal scores.

    ε_i = Φ⁻¹(F_i(z_i)),  F_i(z) = Σ_k π_ik Φ((z - μ_ik) / σ_ik),  π_i, μ_i and σ_i from z_1 … z_{i-1}
    ladj = Σ_i log F_i′(z_i) - log N(ε_i)

So the base of Papamakarios, Pavlakou and Murray's MAF MoG (2017, arXiv:1705.07057, section 3.1) is one more bijection
to standard normal noise. Both tails are computed from logarithms, so a finite entry has a finite score.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection
from studio.density.bijections.masked_affine import bound_log_scale

MixtureSolver = Callable[[Tensor, Tensor | None, float], Tensor | None]
"""Returns z from ε `(B, D)`, c and the bound, or None if it cannot."""


class MaskedMixture(Bijection):
    """Maps vectors z `(B, D)` to their scores ε. `net` has three outputs for each Gaussian of an entry.

    Arguments
        net: maps z and c to `(B, 3 · Gaussians, D)`: log π (up to a constant), μ and log σ of each entry
        order: the entries `(D,)` from the first to the last
        bound: bound of log σ, as for the log-scale of `MaskedAffine`
        solver: computes the inverse; None: D passes of the network do
    """

    order: Tensor

    def __init__(self, net: nn.Module, order: Tensor, bound: float = 5.0, solver: MixtureSolver | None = None) -> None:
        super().__init__()
        self.net = net
        self.bound = bound
        self.solver = solver
        self.register_buffer("order", order, persistent=False)

    def _parts(self, z: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return log π, μ and log σ, each `(B, Gaussians, D)`."""
        weights, means, scales = self.net(z, c).to(z.dtype).chunk(3, 1)
        return torch.log_softmax(weights, 1), means + start_biases(means), bound_log_scale(scales, self.bound)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_pi, mu, log_sigma = self._parts(x, c)
        u = (x[:, None] - mu) * torch.exp(-log_sigma)
        below, above = _tails(log_pi, u)
        score = _score(torch.minimum(below, above))
        z = torch.where(below < above, score, -score)
        log_density = torch.logsumexp(log_pi - log_sigma - 0.5 * u.square(), 1)
        return z, (log_density + 0.5 * z.square()).sum(1)

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        found = None if self.solver is None else self.solver(z, c, self.bound)
        return self.torch_inverse(z, c) if found is None else found

    @torch.no_grad()
    def torch_inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the inverse, computed by D passes of the network and bisection. A solver must equal it."""
        x = torch.zeros_like(z)
        for i in self.order.tolist():
            log_pi, mu, log_sigma = (part[:, :, i] for part in self._parts(x, c))
            x[:, i] = _quantile(z[:, i], log_pi, mu, log_sigma)
        return x

    @torch.no_grad()
    def fold(self) -> None:
        """Prepare the solver, so that the first artwork need not wait for it."""
        if self.solver is not None:
            dtype = next(self.parameters()).dtype
            self.solver(self.order.new_zeros(1, len(self.order), dtype=dtype), None, self.bound)


def start_biases(means: Tensor) -> Tensor:
    """Return numbers `(Gaussians, 1)` to add to the means. Without them all Gaussians would learn the same."""
    return torch.linspace(-1, 1, means.shape[1], dtype=means.dtype, device=means.device)[:, None]


def _tails(log_pi: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Return log F and log (1 - F), both `(B, D)`."""
    below = torch.logsumexp(log_pi + torch.special.log_ndtr(u), 1)
    return below, torch.logsumexp(log_pi + torch.special.log_ndtr(-u), 1)


def _score(low: Tensor) -> Tensor:
    """Return e with log Φ(e) = low, for low ≤ log ½, by Newton's method on log Φ, which is concave."""
    with torch.no_grad():
        far = -2 * low.clamp(max=_FAR)
        e = torch.where(
            low > _FAR,
            torch.special.ndtri(low.clamp(min=_FAR).exp()),
            -torch.sqrt(far - torch.log(far) - math.log(2 * math.pi)),
        )
        e = e + _newton(e, low)
        e = e + _newton(e, low)
    return e + _newton(e, low)  # the last step carries the gradient, de/dlow = Φ(e) / N(e)


_FAR = -80.0
"""The logarithm below which a probability is too small for float32."""


def _newton(e: Tensor, low: Tensor) -> Tensor:
    found: Tensor = torch.special.log_ndtr(e)
    return (low - found) * torch.exp(found + 0.5 * e.square() + 0.5 * math.log(2 * math.pi))


def _quantile(z: Tensor, log_pi: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    """Return x with score z `(B,)`, for mixtures `(B, Gaussians)`. It lies between the Gaussians' own quantiles."""
    each = mu + log_sigma.exp() * z[:, None]
    low, high = each.amin(1), each.amax(1)
    target = torch.special.log_ndtr(-z.abs())
    for _ in range(70):
        middle = (low + high) / 2
        below, above = _tails(log_pi, (middle[:, None] - mu) * torch.exp(-log_sigma))
        short = torch.where(z < 0, below < target, above > target)
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return (low + high) / 2
