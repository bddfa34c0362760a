"""One sample of sound given those before: a softmax where its levels are few, a mixture of logistics where many."""

from collections.abc import Callable

import torch
from torch import Tensor

from studio.density.conditional import Categorical, LogisticMixture, wide, within

LEAST = 2.0**-40
"""Probability that every level of a sample has at least. Pictures have 2⁻²¹; a sound would click with it twice a
second. A level between two that are likely may then be too unlikely for a latent in float32, not in float64."""


class Levels(Categorical):
    """A softmax over up to 256 levels of a sample (section 2.2: μ-law first, which is for whoever grades sounds)."""

    least, thing = LEAST, "sample"


class Logistics(LogisticMixture):
    """A mixture of discretised logistics over up to 65,536 levels of a sample (van den Oord et al., Parallel WaveNet,
    2017, arXiv:1711.10433, section 2.1).

    ln s may be as low as -16, a hundredth of a level. F is never listed for all levels: a level is found by halving.
    """

    least, most, thing = LEAST, 65_536, "sample"
    NARROW = -16.0

    def __init__(self, levels: int, mixture: int = 10) -> None:
        super().__init__(1, levels, mixture)

    def level(self, numbers: Tensor, before: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        up_to = self._up_to(numbers, temperature)
        u = torch.special.ndtr(wide(z) * wide(temperature > 0))
        low, high = torch.full_like(u, -1), torch.full_like(u, self.levels - 1)
        for _ in range((self.levels - 1).bit_length()):
            middle = ((low + high) / 2).floor().clamp(min=0)
            above = up_to(middle) > u
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return high.long().to(z.device)

    def score(self, numbers: Tensor, before: Tensor, x: Tensor, u: Tensor) -> Tensor:
        up_to, at = self._up_to(numbers, torch.ones_like(numbers[:, 0])), wide(x)
        z: Tensor = torch.special.ndtri(within(up_to(at - 1), up_to(at), u.to(at)))
        return z.to(numbers.device, numbers.dtype)

    def _up_to(self, numbers: Tensor, temperature: Tensor) -> Callable[[Tensor], Tensor]:
        """F as a function of levels `(B,)`, float64."""
        heat = wide(temperature)[:, None].clamp(min=1e-3)
        means, log_s, _ = self._components(wide(numbers))
        share, mean, s = (
            torch.softmax(wide(numbers)[:, : self.mixture] / heat, 1),
            means[:, 0],
            log_s[:, 0].exp() * heat,
        )
        least = self.least * heat[:, 0].clamp(max=1)

        def up_to(x: Tensor) -> Tensor:
            below = (share * torch.sigmoid((self.seen(x)[:, None] + self.half - mean) / s)).sum(1)
            whole = torch.where(x < self.levels - 1, below * (x >= 0), torch.ones_like(below))
            return (1 - self.levels * least) * whole + least * (x + 1)

        return up_to
