"""Mix two autoregressive models of one shape. At every sub-pixel, chance decides again which of them draws it.

    p(x_t | x_1 … x_{t-1}) = (1 - s_t) p_a(x_t | x_1 … x_{t-1}) + s_t p_b(x_t | x_1 … x_{t-1})

with a share s of the second model for each pixel. The mixture is a chain of conditionals itself, whatever the two
models' conditionals are, so its log p(x) and latents are exact. At a temperature T it mixes the probabilities that each
model has at T.
"""

import torch
from torch import Tensor, nn

from studio.density.autoregressive import Autoregressive, Stepper
from studio.density.conditional import Conditional


def mix_models(a: Autoregressive, b: Autoregressive, share: float | Tensor) -> Autoregressive:
    """Return the mixture of two trained models. It is not meant for training.

    Arguments
        share: s, from 0 (a alone) to 1 (b alone): a number, or `(height, width)` in the models' type and on their
            device. It is read when a pixel is drawn, so such a tensor may be changed between two steps

    The class of the mixture is (class of a) · (number of b's classes) + (class of b), as far as they have classes.
    Raises ValueError if shapes or levels differ, or if only one of them has a palette.
    """
    inputs = [each.conditional.inputs_per_channel for each in (a, b)]
    if (a.shape, a.levels) != (b.shape, b.levels) or inputs[0] != inputs[1]:
        raise ValueError(f"{a.shape} of {a.levels} levels cannot be mixed with {b.shape} of {b.levels}")
    net = PairedNetworks(a, b, torch.as_tensor(share, dtype=a.dtype, device=a.scale_of.device).expand(a.shape[1:]))
    known = a.classes or b.classes
    classes = max(a.classes, 1) * max(b.classes, 1) if known else 0
    return Autoregressive(a.shape, a.levels, net, MixtureConditional(a.conditional, b.conditional), classes).eval()


class PairedNetworks(nn.Module):
    """Computes the numbers of a, the numbers of b, and the share, `(B, a.numbers + b.numbers + 1, H, W)`."""

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
        """Return a stepper that runs the steppers of both models side by side."""
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
    """Return a stepper that may be called once for each colour, for a model that computes once for each pixel."""
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
    """Computes q = (1 - s) q_a + s q_b. The numbers are those of a, then those of b, then s."""

    def __init__(self, a: Conditional, b: Conditional) -> None:
        super().__init__(a.channels, a.levels)
        self.a = a
        self.b = b
        self.numbers = a.numbers + b.numbers + 1
        self.colours_by_net = a.colours_by_net or b.colours_by_net
        self.inputs_per_channel = a.inputs_per_channel

    def network_input(self, x: Tensor) -> Tensor:
        return self.a.network_input(x)

    def _parts(self, numbers: Tensor) -> tuple[Tensor, ...]:
        return torch.split(numbers, [self.a.numbers, self.b.numbers, 1], 1)

    def _log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        of_a, of_b, share = self._parts(numbers)
        log_a, log_b = self.a.log_prob(x, of_a, floor=False), self.b.log_prob(x, of_b, floor=False)
        return torch.logaddexp(torch.log1p(-share) + log_a, torch.log(share) + log_b)

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        of_a, of_b, share = self._parts(numbers)
        return (1 - share) * self.a._cdf(of_a, before, temperature) + share * self.b._cdf(of_b, before, temperature)
