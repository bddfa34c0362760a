"""Sharpen what a trained model draws pixel by pixel: class guidance and top-p.

    q(x) ∝ (p(x | c)^(1 + g) / p₀(x)^g)^(1 / T)       guidance g towards class c, at a temperature T
    q(x) ∝ p(x) if x is in the smallest set of levels with a probability of top_p or more, else 0

at every sub-pixel, given those before it. p₀ is the model's own probability with the class dropped, as some of its
training pictures had it (Ho and Salimans, Classifier-Free Diffusion Guidance, 2022, arXiv:2207.12598). Top-p comes
after guidance and temperature (Holtzman et al., The Curious Case of Neural Text Degeneration, 2020, arXiv:1904.09751,
section 3.1). The same noise draws a level of q as of p.

What is drawn so no longer follows the model's density. So a sharpened model only draws, and the model itself computes
the bits and the latents of its pictures.
"""

import torch
from torch import Tensor, nn

from studio.density.autoregressive import Autoregressive, Stepper
from studio.density.conditional import Conditional


def sharpen_model(model: Autoregressive, guidance: float = 0.0, top_p: float = 1.0) -> Autoregressive:
    """Return a model that draws with the networks of a trained one. Without guidance and at a top-p of 1 it is equal.

    Arguments
        guidance: 0 or more; the higher, the more a picture shows what its class alone has
        top_p: from 0, at which only the likeliest level is left, to 1

    Raises ValueError if the model cannot drop its class.
    """
    net, conditional = model.net, model.conditional
    if guidance:
        if not model.class_dropout:
            raise ValueError("no picture that the model learned from had its class dropped, so it has no guidance")
        net = GuidedNetworks(model)
        conditional = GuidedConditional(conditional, guidance)
    if top_p < 1:
        conditional = NucleusConditional(conditional, top_p)
    sharpened = Autoregressive(model.shape, model.levels, net, conditional, model.classes, model.margin)
    return sharpened.to(model.scale_of.device).eval()


class GuidedNetworks(nn.Module):
    """Computes the numbers given the class, then those with the class dropped, `(B, 2 · numbers, H, W)`."""

    def __init__(self, model: Autoregressive) -> None:
        super().__init__()
        self.model = model

    def forward(self, seen: Tensor, c: Tensor) -> Tensor:
        return torch.cat((self.model.net(seen, c), self.model.net(seen, self._dropped(c))), 1)

    def stepper(self, seen: Tensor, c: Tensor) -> Stepper:
        """Return a stepper that runs the model twice, side by side."""
        given = self.model.stepper(seen, c)
        dropped = self.model.stepper(seen, self._dropped(c))
        return lambda i, j: torch.cat((given(i, j), dropped(i, j)), 1)

    def _dropped(self, c: Tensor) -> Tensor:
        return torch.full_like(c, self.model.dropped_class)


class SharpenedConditional(Conditional):
    """Draws levels by the probabilities of another conditional, changed. It has no bits of its own."""

    def __init__(self, own: Conditional) -> None:
        super().__init__(own.channels, own.levels)
        self.own = own
        self.numbers = own.numbers
        self.colours_by_net = own.colours_by_net
        self.inputs_per_channel = own.inputs_per_channel
        self.min_probability = own.min_probability

    def network_input(self, x: Tensor) -> Tensor:
        return self.own.network_input(x)

    def log_prob(self, x: Tensor, numbers: Tensor, *, floor: bool = True) -> Tensor:
        raise ValueError("a sharpened model only draws; the model itself computes the bits")

    def noise_of_level(self, numbers: Tensor, before: Tensor, x: Tensor, u: Tensor) -> Tensor:
        raise ValueError("a sharpened model only draws; the model itself encodes")


class GuidedConditional(SharpenedConditional):
    """Computes q ∝ (p^(1 + g) / p₀^g)^(1 / T). The numbers are those of p, then those of p₀.

    Both have the floor of the model, at temperature 1: a level that p₀ nearly excludes would win otherwise, however
    unlikely it is.
    """

    def __init__(self, own: Conditional, guidance: float) -> None:
        super().__init__(own)
        self.numbers = 2 * own.numbers
        self.guidance = guidance

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        both = numbers.reshape(-1, self.own.numbers)  # (2 B, numbers), p and p₀ by turns
        p = self.own.probabilities(both, before.repeat_interleave(2, 0), torch.ones_like(both[:, 0]))
        given, dropped = p.log().view(-1, 2, self.levels).unbind(1)
        log_q = (given + self.guidance * (given - dropped)) / temperature
        up_to = (log_q - log_q.amax(1, keepdim=True)).exp().cumsum(1)
        return up_to / up_to[:, -1:]


class NucleusConditional(SharpenedConditional):
    """Keeps the smallest set of levels with a probability of `top_p` or more. At least the likeliest is left."""

    def __init__(self, own: Conditional, top_p: float) -> None:
        super().__init__(own)
        self.top_p = top_p

    def _edges(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        p = self.own.probabilities(numbers, before, temperature)
        likeliest_first, order = p.sort(dim=1, descending=True, stable=True)
        likelier = likeliest_first.cumsum(1) - likeliest_first
        is_kept = (likelier < self.top_p) | (likelier == 0)
        up_to = (p * torch.zeros_like(is_kept).scatter(1, order, is_kept)).cumsum(1)
        return up_to / up_to[:, -1:]
