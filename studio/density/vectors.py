"""Linear maps of vectors `(B, D)`: their order, a scale for every entry."""

import torch
from torch import Tensor, nn

from studio.density.bijection import Bijection

LARGEST = 20.0
"""Of a log-scale, either way, so that neither direction overflows."""


class OddEven(Bijection):
    """x1 x3 x5 …, then x2 x4 x6 …: the odd entries of `(B, D)` first, so that halves are NICE's odd and even part.

    Counted from one, as in Dinh, Krueger and Bengio, 2014, arXiv:1410.8516, section 5.1. ladj = 0.
    """

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return torch.cat((x[:, 0::2], x[:, 1::2]), 1), x.new_zeros(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        x = torch.empty_like(z)
        x[:, 0::2], x[:, 1::2] = z.chunk(2, 1)
        return x


class DiagonalScale(Bijection):
    """z = x · exp(s), entry by entry. ladj = Σ s.

    The last step of NICE (Dinh, Krueger and Bengio, 2014, arXiv:1410.8516, section 3.3), whose couplings keep
    volume; exp(-s) is the paper's spectrum of σ_d: large where an entry tells much. s starts so that the
    entries of the first training batch have the standard deviation `deviation`, which spares thousands of
    steps at entries that hardly vary; the start is saved with the model.
    """

    started: Tensor

    def __init__(self, entries: int, deviation: float = 1.0) -> None:
        super().__init__()
        self.deviation = deviation
        self.s = nn.Parameter(torch.zeros(entries))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        self.s.copy_(torch.log(self.deviation / (x.std(0, correction=0) + 1e-6)))
        self.started.fill_(True)

    def _bounded(self) -> Tensor:
        return self.s.clamp(-LARGEST, LARGEST)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.training and not bool(self.started):
            self._start(x)
        s = self._bounded()
        return x * s.exp(), s.sum().expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z * (-self._bounded()).exp()
