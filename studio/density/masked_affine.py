"""The affine map whose every entry depends on the entries before it.

    z_i = (x_i - m_i) · exp(-a_i),  m_i and a_i from x_1 … x_{i-1},  ladj = -Σ a_i

(Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv:1705.07057,
equations 4 and 5). One pass of the network gives z from x; x from z is found entry by entry.
"""

import torch
from torch import Tensor, nn

from studio.density.bijection import Bijection


class MaskedAffine(Bijection):
    """f(x) = (x - m) · exp(-a) for vectors `(B, D)`.

    The log-scale is a = r / √(1 + (r / bound)²) of the network's number r, so |a| < bound: near 0 it is r itself.

    Arguments
        net: maps x `(B, D)` and c to `(B, 2, D)`, m and r of each entry, from the entries before it
        order: `(D,)`, which entry comes first, second, …
        bound: of the log-scale; None: a = r
    """

    order: Tensor

    def __init__(self, net: nn.Module, order: Tensor, bound: float | None = 5.0) -> None:
        super().__init__()
        self.net, self.bound = net, bound
        self.register_buffer("order", order, persistent=False)

    def _moves(self, x: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        """Shift m and log-scale a of each entry, `(B, D)`."""
        m, r = self.net(x, c).to(x.dtype).unbind(1)
        return m, r if self.bound is None else r * torch.rsqrt(1 + (r / self.bound).square())

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        m, a = self._moves(x, c)
        return (x - m) * torch.exp(-a), -a.sum(1)

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        x = torch.zeros_like(z)
        for i in self.order:
            m, a = self._moves(x, c)
            x = torch.where(torch.arange(x.shape[1], device=x.device) == i, z * torch.exp(a) + m, x)
        return x
