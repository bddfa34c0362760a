"""Two autoregressive models of one shape, mixed at every sub-pixel: which of them decides is thrown anew each time.

    p(x_t | x_1 … x_{t-1}) = (1 - s_t) p_a(x_t | x_1 … x_{t-1}) + s_t p_b(x_t | x_1 … x_{t-1})

with a share s of the second for each pixel. It is a chain of conditionals like theirs, whatever heads they have, so its
prices and latents are exact. At a temperature T it mixes what each of them is at T.
"""

import torch
from torch import Tensor, nn

from studio.density.autoregressive import Autoregressive, Stepper
from studio.density.conditional import Conditional


def mix_models(a: Autoregressive, b: Autoregressive, share: float | Tensor) -> Autoregressive:
    """The mixture of two models, in use and not for training.

    Arguments
        share: s, from 0 (a alone) to 1 (b alone): a number, or `(height, width)` in the models' type and on their
            device. A pixel's is looked at when it is drawn, so such a tensor may be changed between two steps
    Its class is class of a · number of b's classes + class of b, of those that know classes.
    Raises ValueError where shapes or levels differ.
    """
    if (a.shape, a.levels) != (b.shape, b.levels):
        raise ValueError(f"{a.shape} of {a.levels} levels cannot be mixed with {b.shape} of {b.levels}")
    net = PairedNetworks(a, b, torch.as_tensor(share, dtype=a.dtype, device=a.scale_of.device).expand(a.shape[1:]))
    known = a.classes or b.classes
    classes = max(a.classes, 1) * max(b.classes, 1) if known else 0
    return Autoregressive(a.shape, a.levels, net, MixtureConditional(a.conditional, b.conditional), classes).eval()


class PairedNetworks(nn.Module):
    """Numbers of a, numbers of b, and the share, `(B, a.numbers + b.numbers + 1, H, W)`."""

    share: Tensor

    def __init__(self, a: Autoregressive, b: Autoregressive, share: Tensor) -> None:
        super().__init__()
        self.a = a
        self.b = b
        self.register_buffer("share", share, persistent=False)

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        of_a, of_b = self._classes(c)
        share = self.share.expand(len(seen), 1, -1, -1)
        return torch.cat((self.a.net(seen, of_a), self.b.net(seen, of_b), share), 1)

    def stepper(self, seen: Tensor, c: Tensor | None) -> Stepper:
        """Both models' own steps, side by side."""
        of_a, of_b = self._classes(c)
        step_a, step_b = _step_once_a_pixel(self.a, seen, of_a), _step_once_a_pixel(self.b, seen, of_b)

        def step(i: int, j: int) -> Tensor:
            return torch.cat((step_a(i, j), step_b(i, j), self.share[i, j].expand(len(seen), 1)), 1)

        return step

    def _classes(self, c: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        if c is None:
            return None, None
        each = max(self.b.classes, 1)
        of_a = c.div(each, rounding_mode="floor") if self.a.classes else None
        return of_a, c % each if self.b.classes else None


def _step_once_a_pixel(model: Autoregressive, seen: Tensor, c: Tensor | None) -> Stepper:
    """Steps of one model at the pace of both: one that is asked once a pixel is not asked again for each colour."""
    own = model.stepper(seen, c)
    if model.conditional.colours_by_net:
        return own
    last: dict[tuple[int, int], Tensor] = {}

    def step(i: int, j: int) -> Tensor:
        if (i, j) not in last:
            last.clear()
            last[i, j] = own(i, j)
        return last[i, j]

    return step


class MixtureConditional(Conditional):
    """q = (1 - s) q_a + s q_b; the numbers are a's, then b's, then s. The floor is the same for all."""

    def __init__(self, a: Conditional, b: Conditional) -> None:
        super().__init__(a.channels, a.levels)
        self.a = a
        self.b = b
        self.numbers = a.numbers + b.numbers + 1
        self.colours_by_net = a.colours_by_net or b.colours_by_net

    def _parts(self, numbers: Tensor) -> tuple[Tensor, ...]:
        return torch.split(numbers, [self.a.numbers, self.b.numbers, 1], 1)

    def _log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        of_a, of_b, share = self._parts(numbers)
        log_a, log_b = self.a.log_prob(x, of_a, floor=False), self.b.log_prob(x, of_b, floor=False)
        return torch.logaddexp(torch.log1p(-share) + log_a, torch.log(share) + log_b)

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        of_a, of_b, share = self._parts(numbers)
        return (1 - share) * self.a._cdf(of_a, before, temperature) + share * self.b._cdf(of_b, before, temperature)
