"""Give probabilities to differences of neighbours, of which only some values are possible.

    q(δ) ∝ exp(numbers[δ] / T)  for possible δ,  0 for all others
    p(δ) = (1 - n ε) q(δ) + ε   for the n possible ones, ε = MIN_PROBABILITY

Noise and levels are mapped to each other as in `studio.density.conditional`: δ = min {δ : Φ(z) < F(δ)}.
"""

import math

import torch
from torch import Tensor

from studio.density.conditional import MIN_PROBABILITY, MIN_TEMPERATURE, place_in_interval, to_float64


class Differences:
    """Is a softmax over the possible differences of two neighbours with levels 0 … `levels` - 1.

    An entry needs `numbers` logits, for δ = 1 - levels … levels - 1.
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.numbers = 2 * levels - 1

    def values(self, device: torch.device) -> Tensor:
        """Return all differences in order, `(numbers,)`."""
        return torch.arange(1 - self.levels, self.levels, device=device)

    def log_prob(self, delta: Tensor, largest: Tensor, logits: Tensor, *, floor: bool) -> Tensor:
        """Return ln p of differences `(B, h, w)`, of which each may lie between -largest and largest.

        Arguments
            largest: `(B, h, w)`
            logits: `(B, numbers, h, w)`
            floor: whether ε is added. Training leaves it out, because it would take the gradient of unlikely values
        """
        values = self.values(delta.device).view(-1, 1, 1)
        masked = logits.masked_fill(values.abs() > largest[:, None], -math.inf)
        index = (delta + self.levels - 1).long()
        log_q = -torch.nn.functional.cross_entropy(masked, index, reduction="none")
        if not floor:
            return log_q
        count = 2 * largest + 1
        share = torch.log1p(-count.to(log_q.dtype) * MIN_PROBABILITY)
        return torch.logaddexp(log_q + share, log_q.new_tensor(math.log(MIN_PROBABILITY)))

    def draw(self, logits: Tensor, possible: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        """Return the differences `(n,)` that noise z `(n,)` draws.

        Arguments
            logits: `(n, numbers)`
            possible: which values may be drawn, `(n, numbers)`; at least one of each row
            temperature: `(n,)`; at 0 only the likeliest is drawn
        """
        edges = self._edges(logits, possible, temperature)
        u = torch.special.ndtr(to_float64(z) * to_float64(temperature > 0))
        index = torch.searchsorted(edges, u[:, None], right=True)[:, 0].to(possible.device)
        last = self.numbers - 1 - possible.flip(1).int().argmax(1)
        return torch.minimum(index, last) - (self.levels - 1)

    def noise_of(self, delta: Tensor, logits: Tensor, possible: Tensor, u: Tensor) -> Tensor:
        """Return the noise z `(n,)` that draws differences `(n,)` at temperature 1.

        It lies at the shares u `(n,)` of their intervals. The other arguments are those of `draw`.
        """
        edges = self._edges(logits, possible, torch.ones_like(logits[:, 0]))
        at = (delta.long() + self.levels - 1).to(edges.device)[:, None]
        below = edges.gather(1, (at - 1).clamp(min=0)) * (at > 0)
        z: Tensor = torch.special.ndtri(place_in_interval(below, edges.gather(1, at), u.to(edges)[:, None]))[:, 0]
        return z.to(logits.device, logits.dtype)

    def _edges(self, logits: Tensor, possible: Tensor, temperature: Tensor) -> Tensor:
        """Return F, the sum of p up to each difference, `(n, numbers)`, in float64."""
        temperature = to_float64(temperature)[:, None]
        some = to_float64(possible)
        above = to_float64(logits).masked_fill(some == 0, -math.inf)
        above = (above - above.amax(1, keepdim=True)) / temperature.clamp(min=MIN_TEMPERATURE)
        up_to = torch.exp(above).cumsum(1)
        floor = MIN_PROBABILITY * temperature.clamp(max=1)
        count = some.cumsum(1)
        return (1 - count[:, -1:] * floor) * (up_to / up_to[:, -1:]) + floor * count
