"""Define linear maps of vectors `(B, D)`: another order, a scale for every entry, whitening, a spectrum."""

import math

import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection

MAX_LOG_SCALE = 20.0
"""The largest absolute log-scale, so that neither direction overflows."""


class OddEven(Bijection):
    """Moves the odd entries x1 x3 x5 … before the even ones x2 x4 x6 …, so that the halves are those of NICE.

    Entries are counted from one, as in Dinh, Krueger and Bengio, 2014, arXiv:1410.8516, section 5.1. ladj = 0.
    """

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return torch.cat((x[:, 0::2], x[:, 1::2]), 1), x.new_zeros(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        x = torch.empty_like(z)
        x[:, 0::2], x[:, 1::2] = z.chunk(2, 1)
        return x


class DiagonalScale(Bijection):
    """Computes z = x · exp(s), entry by entry. ladj = Σ s.

    It is the last step of NICE (Dinh, Krueger and Bengio, 2014, arXiv:1410.8516, section 3.3), whose couplings keep the
    volume. exp(-s) is the paper's spectrum of σ_d, which is large for important entries. s starts so that the entries
    of the first training batch have the standard deviation `deviation`. This saves thousands of steps for entries that
    hardly vary. The start values are saved with the model.
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
        return self.s.clamp(-MAX_LOG_SCALE, MAX_LOG_SCALE)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.training and not bool(self.started):
            self._start(x)
        s = self._bounded()
        return x * s.exp(), s.sum().expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z * (-self._bounded()).exp()


class Whitening(Bijection):
    """Computes z = L⁻¹ (x - μ) with L Lᵀ the covariance of x. ladj = -Σ log L_ii.

    This subtracts from each entry its linear prediction from those before it. μ and L are measured once, from the first
    training batch, and saved with the model; before that, the map does nothing. L is triangular (Cholesky), so both
    directions are exact even though L is rounded. With n artworks, the covariance is shrunk towards its diagonal by
    D / 20n: with 784 pixels and 4096 pictures this gave the fewest bits for new pictures, and with 256 pictures it
    keeps L invertible.
    """

    mean: Tensor
    factor: Tensor
    started: Tensor

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(entries))
        self.register_buffer("factor", torch.eye(entries))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        wide = x.to("cpu", torch.float64)  # Apple's graphics have no float64
        covariance = torch.cov(wide.T, correction=0)
        variances = covariance.diagonal().clamp(min=1e-12)
        share = min(0.5, x.shape[1] / (20 * len(x)))
        drawn = (1 - share) * covariance + share * torch.diag(variances)
        self.mean.copy_(wide.mean(0))
        self.factor.copy_(torch.linalg.cholesky(drawn))
        self.started.fill_(True)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.training and not bool(self.started):
            self._start(x)
        z = torch.linalg.solve_triangular(self.factor.T, x - self.mean, upper=True, left=False)
        return z, -self.factor.diagonal().log().sum().expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        # Rows are multiplied one by one, because the rounding of a product depends on its number of rows.
        return torch.stack([torch.mv(self.factor, row) for row in z]) + self.mean


class HarmonicTransform(Bijection):
    """Maps a single cycle to its harmonics: z0, then √2 Re and √2 Im of each, by the orthonormal Fourier transform.

        z = √2 · F x,  F_kn = exp(-2πi k n / D) / √D

    It is a rotation: ladj = 0, and the inverse is its transpose. Neighbouring samples of a wave are nearly equal. Its
    harmonics are nearly uncorrelated, because the statistics of cycles hardly depend on the place in the cycle.
    """

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        parts = torch.view_as_real(torch.fft.rfft(x, norm="ortho")).flatten(1)  # Re, Im of harmonics 0 … ⌊D/2⌋
        # Harmonic 0 is real, and of an even number of samples D/2 is, too: their Im is left out.
        z = torch.cat((parts[:, :1], parts[:, 2 : x.shape[1] + 1]), 1)
        return z * _weights(x), x.new_zeros(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        entries = z.shape[1]
        zero = z.new_zeros(len(z), 1)
        z = z / _weights(z)
        parts = torch.cat((z[:, :1], zero, z[:, 1:], zero) if entries % 2 == 0 else (z[:, :1], zero, z[:, 1:]), 1)
        spectrum = torch.view_as_complex(parts.view(len(z), -1, 2))
        x: Tensor = torch.fft.irfft(spectrum, entries, norm="ortho")
        return x


def _weights(x: Tensor) -> Tensor:
    """Return the factors `(D,)`: √2 for a pair of frequencies ±k, and 1 for a harmonic without a partner."""
    weights = x.new_full((x.shape[1],), math.sqrt(2))
    weights[0] = 1
    if x.shape[1] % 2 == 0:
        weights[-1] = 1
    return weights
