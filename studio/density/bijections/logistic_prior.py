"""Define the logistic prior, as a bijection to standard normal scores.

    ε = Φ⁻¹(σ(z))
    log p(z) = log σ(z) + log σ(-z) = log N(ε) + log |dε/dz|

with Φ the normal and σ the logistic distribution function. So a model with a logistic latent (Dinh, Krueger and
Bengio, NICE, 2014, arXiv:1410.8516, section 3.3) ends in standard normal noise like every flow here. Its likelihood
stays the same to the last digit.
"""

import math

import torch
from torch import Tensor

from studio.density.bijections.bijection import Bijection, sum_entries
from studio.density.conditional import to_float64

FAR = 600.0
"""The |z| above which σ(-|z|) is near the smallest number of float64 (e⁻⁷⁰⁸)."""


class LogisticScores(Bijection):
    """Computes ε = Φ⁻¹(σ(z)), entry by entry. log |dε/dz| = log σ(z) + log σ(-z) - log N(ε)."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_logistic = torch.nn.functional.logsigmoid(x) + torch.nn.functional.logsigmoid(-x)
        with torch.no_grad():
            score = _score(x)
            slope = (log_logistic - _log_normal(score)).exp()
        score = score + (x - x.detach()) * slope  # the value stays, the slope is the analytic one
        return score, sum_entries(log_logistic - _log_normal(score))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        wide = to_float64(z)
        x: Tensor = torch.special.log_ndtr(wide) - torch.special.log_ndtr(-wide)
        return x.to(z.device, z.dtype)


def _score(z: Tensor) -> Tensor:
    """Return Φ⁻¹(σ(z)), computed in the lower tail, where both functions are precise, and mirrored for z > 0."""
    wide = to_float64(z)
    tail = -wide.abs()
    score = torch.special.ndtri(torch.sigmoid(tail.clamp(min=-FAR)))
    if bool((tail < -FAR).any()):
        score = torch.where(tail < -FAR, _far_score(tail.clamp(max=-FAR)), score)
    return torch.where(wide > 0, -score, score).to(z.device, z.dtype)


def _far_score(log_p: Tensor) -> Tensor:
    """Return ε with log Φ(ε) = log_p, far below 0, by Newton's method from log Φ(ε) ≈ -½ ε² - log(-ε √2π)."""
    score = -(-2 * log_p - torch.log(-4 * math.pi * log_p)).sqrt()
    for _ in range(2):  # the start is good to 1e-4 from -600 on, and each step squares the error
        log_cdf = torch.special.log_ndtr(score)
        score = score - (log_cdf - log_p) * (log_cdf - _log_normal(score)).exp()
    return score


def _log_normal(z: Tensor) -> Tensor:
    return -0.5 * (z.square() + math.log(2 * math.pi))
