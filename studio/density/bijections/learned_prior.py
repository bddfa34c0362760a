"""Define learned priors, as bijections to standard normal noise.

    ε = (z - μ) / σ,  z = μ + σ ε,  ladj = -Σ log σ

so that log N(z; μ, σ²) = log N(ε; 0, I) + ladj, and noise, temperature and sliders act on ε alone, with
μ and σ as they are (Kingma and Dhariwal, Glow, 2018, arXiv:1807.03039, section 3.6; the authors' code
names the standardised values eps). The log-scale is bounded, so that neither direction overflows.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection, sum_entries

BOUND = 5.0
"""The largest |log σ|."""


def _whiten(z: Tensor, mean: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    return (z - mean) * (-log_scale).exp(), -sum_entries(log_scale)


def _halves(raw: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Split a network's channels into μ and bounded log σ, in the precision of the latents `like`."""
    mean, log_scale = raw.to(like.dtype).chunk(2, 1)
    return mean, log_scale.clamp(-BOUND, BOUND)


class Split(Bijection):
    """Predicts mean and scale of the second half of the channels from the first half, which `inner` then maps.

    z1, z2 = halves of x;  μ, log σ = net(z1);  result: inner(z1), (z2 - μ) / σ. The network sees z1 as it enters
    `inner`, so the inverse computes z1 first. `net` maps `(B, C/2, H, W)` to `(B, C, H, W)`.
    """

    def __init__(self, inner: Bijection, net: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.net = net

    @property
    def steps(self) -> int:  # type: ignore[override]
        return self.inner.steps + 1

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z1, z2 = x.chunk(2, 1)
        eps, ladj = _whiten(z2, *_halves(self.net(z1), x))
        inside, more = self.inner(z1, c)
        return torch.cat((inside, eps), 1), ladj + more

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        inside, eps = z.chunk(2, 1)
        return self._add(self.inner.inverse(inside, c), eps)

    def _add(self, z1: Tensor, eps: Tensor) -> Tensor:
        mean, log_scale = _halves(self.net(z1), z1)
        return torch.cat((z1, torch.addcmul(mean, log_scale.exp(), eps)), 1)

    def inverse_steps(self, z: Tensor, c: Tensor | None = None) -> Iterator[Tensor]:
        inside, eps = z.chunk(2, 1)
        z1 = inside
        for z1 in self.inner.inverse_steps(inside, c):
            yield torch.cat((z1, eps), 1)
        yield self._add(z1, eps)

    def forward_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        z1, z2 = x.chunk(2, 1)
        eps, ladj = _whiten(z2, *_halves(self.net(z1), x))
        yield torch.cat((z1, eps), 1), ladj
        for inside, more in self.inner.forward_steps(z1, c):
            yield torch.cat((inside, eps), 1), ladj + more


class TopPrior(Bijection):
    """Computes ε = (z - μ) / σ for the coarsest latents, with μ and log σ learned for every place and class.

    Arguments
        channels: number of channels of z
        net: returns μ and log σ `(1, 2 · channels, H, W)`, without any input
        classes: number of classes; each adds a learned offset to the channels of μ and log σ, zero at the start
    """

    def __init__(self, channels: int, net: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.net = net
        self.of_class = nn.Parameter(torch.zeros(classes, 2 * channels)) if classes else None

    def _at(self, z: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        raw = self.net()
        if self.of_class is not None:
            raw = raw + self.of_class[c][:, :, None, None]  # (B, 2 · channels, H, W)
        return _halves(raw.expand(len(z), -1, -1, -1), z)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return _whiten(x, *self._at(x, c))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        mean, log_scale = self._at(z, c)
        return torch.addcmul(mean, log_scale.exp(), z)
