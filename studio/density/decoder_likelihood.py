"""Define the likelihood of an artwork under a decoder's numbers. Its entries are independent given the latent.

    Bernoulli              p(bit) = sigmoid(a)
    discretised logistic   p(x) = F((x + 1) / levels - ½) - F(x / levels - ½),  F(v) = sigmoid((v - μ) / s)

The logistic's first level reaches to -∞ and its last to +∞, so that all levels sum to 1 (the edges of Salimans,
Karpathy, Chen and Kingma, PixelCNN++, 2017, arXiv:1701.05517, section 2.1, for the likelihood of Kingma et al., 2016,
arXiv:1606.04934).
"""

import torch
from torch import Tensor, nn


class DecoderLikelihood(nn.Module):
    """Computes p(x | z) of artworks x `(B, *shape)` in levels, from the decoder's `(B, numbers · channels, …)`.

    Attributes
        numbers: how many numbers an entry needs
    """

    numbers: int

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def network_input(self, x: Tensor) -> Tensor:
        """Return the encoder's input for x: values from -1 to 1."""
        raise NotImplementedError

    def draw_artwork(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the artwork whose probability is computed, drawn from x with noise u in [0, 1) of its shape."""
        raise NotImplementedError

    def log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Return ln p of each entry of an artwork that `draw_artwork` returned, `(B, *shape)`."""
        raise NotImplementedError

    def mean_artwork(self, numbers: Tensor) -> Tensor:
        """Return the mean artwork in levels, `(B, *shape)`, not yet rounded."""
        raise NotImplementedError


class BernoulliLikelihood(DecoderLikelihood):
    """Is the likelihood of black and white. A grey is the probability of white, and its bits are drawn each time."""

    numbers = 1

    def network_input(self, x: Tensor) -> Tensor:
        return 2 * x / (self.levels - 1) - 1

    def draw_artwork(self, x: Tensor, u: Tensor) -> Tensor:
        return torch.where(x > u * (self.levels - 1), self.levels - 1, torch.zeros_like(x))

    def log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        return nn.functional.logsigmoid(torch.where(x > 0, numbers, -numbers))

    def mean_artwork(self, numbers: Tensor) -> Tensor:
        return torch.sigmoid(numbers) * (self.levels - 1)


class LogisticLikelihood(DecoderLikelihood):
    """Is the discretised logistic: each entry has its own μ and s, with ln s = -7 sigmoid(a + START).

    A level of 256 is e⁻⁵·⁵ wide. An untrained network gives s = e⁻¹·⁹: with a START at narrow logistics, the first
    gradients were ten times as long.
    """

    START = -1.0

    numbers = 2

    def network_input(self, x: Tensor) -> Tensor:
        return (2 * x + 1) / self.levels - 1

    def draw_artwork(self, x: Tensor, u: Tensor) -> Tensor:
        return x

    def log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        mu, a = numbers.chunk(2, 1)
        per_s = torch.exp(7 * torch.sigmoid(a + self.START))
        above = ((x + 1) / self.levels - 0.5 - mu) * per_s
        below = (x / self.levels - 0.5 - mu) * per_s
        # ln (F(above) - F(below)) without a difference of numbers that may both be near 0 or near 1.
        up_to, over = nn.functional.logsigmoid(above), nn.functional.logsigmoid(-below)
        inside = up_to + over + torch.log(-torch.expm1(-per_s / self.levels))
        return torch.where(x == 0, up_to, torch.where(x == self.levels - 1, over, inside))

    def mean_artwork(self, numbers: Tensor) -> Tensor:
        mu, _ = numbers.chunk(2, 1)
        return ((mu + 0.5) * self.levels - 0.5).clamp(0, self.levels - 1)
