"""Give probabilities to differences of neighbours, of which only some values are possible.

    q(δ) ∝ exp(numbers[δ] / T)  for possible δ,  0 for all others
    p(δ) = (1 - n ε) q(δ) + ε   for the n possible ones, ε = MIN_PROBABILITY

Noise and levels are mapped to each other as in `studio.density.conditional`: δ = min {δ : Φ(z) < F(δ)}.
"""

import math
from collections.abc import Iterator

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

    def draw(
        self, logits: Tensor, largest: Tensor, z: Tensor, temperature: Tensor, allowed: Tensor | None = None
    ) -> Tensor:
        """Return the differences `(n,)` that noise z `(n,)` draws.

        Arguments
            logits: `(n, numbers)`
            largest: `(n,)`
            temperature: `(n,)`; at 0 only the likeliest is drawn
            allowed: `(n, numbers)`, which values may be drawn; at least one of the possible ones of each row
        """
        found = torch.zeros_like(largest)
        for rows, columns in self._groups(largest):
            possible = self._possible(rows, columns, largest, allowed)
            edges = self._edges(logits[rows][:, columns], possible, temperature[rows])
            u = torch.special.ndtr(to_float64(z[rows]) * to_float64(temperature[rows] > 0))
            index = torch.searchsorted(edges, u[:, None], right=True)[:, 0].to(possible.device)
            last = possible.shape[1] - 1 - possible.flip(1).int().argmax(1)
            found[rows] = torch.minimum(index, last) + columns.start - (self.levels - 1)
        return found

    def noise_of(self, delta: Tensor, logits: Tensor, largest: Tensor, u: Tensor) -> Tensor:
        """Return the noise z `(n,)` that draws differences `(n,)` at temperature 1.

        It lies at the shares u `(n,)` of their intervals. The other arguments are those of `draw`.
        """
        found = torch.zeros_like(logits[:, 0])
        for rows, columns in self._groups(largest):
            possible = self._possible(rows, columns, largest, None)
            edges = self._edges(logits[rows][:, columns], possible, torch.ones_like(found[rows]))
            at = (delta[rows] + self.levels - 1 - columns.start).to(edges.device)[:, None]
            below = edges.gather(1, (at - 1).clamp(min=0)) * (at > 0)
            z = torch.special.ndtri(place_in_interval(below, edges.gather(1, at), u[rows].to(edges)[:, None]))
            found[rows] = z[:, 0].to(found)
        return found

    def _groups(self, largest: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """Yield two groups of rows, and for each the columns that hold all its possible values.

        The differences of the first group are at most 1, so a row has 3 values instead of 31. On drawings in black and
        white nearly all rows belong to it.
        """
        near = largest <= 1
        for some, reach in ((near, 1), (~near, self.levels - 1)):
            rows = some.nonzero()[:, 0]
            if len(rows):
                yield rows, slice(self.levels - 1 - reach, self.levels + reach)

    def _possible(self, rows: Tensor, columns: slice, largest: Tensor, allowed: Tensor | None) -> Tensor:
        """Return which of the differences in these columns may be drawn in these rows, `(len(rows), len(columns))`."""
        possible = self.values(largest.device)[columns].abs() <= largest[rows, None]
        return possible if allowed is None else possible & allowed[rows][:, columns]

    def _edges(self, logits: Tensor, possible: Tensor, temperature: Tensor) -> Tensor:
        """Return F, the sum of p up to each difference, in float64; all are `(n, columns)`."""
        temperature = to_float64(temperature)[:, None]
        some = to_float64(possible)
        above = to_float64(logits).masked_fill(some == 0, -math.inf)
        above = (above - above.amax(1, keepdim=True)) / temperature.clamp(min=MIN_TEMPERATURE)
        up_to = torch.exp(above).cumsum(1)
        floor = MIN_PROBABILITY * temperature.clamp(max=1)
        count = some.cumsum(1)
        return (1 - count[:, -1:] * floor) * (up_to / up_to[:, -1:]) + floor * count
