"""NICE (Dinh, Krueger and Bengio, NICE: Non-linear Independent Components Estimation, 2014, arXiv:1410.8516).

Additive couplings of the odd and the even entries in turn, then a scale for every entry, then the prior:

    h = y - ½,  (h1, h2) → (h1, h2 + m(h1)),  z = h · exp(s),  log p = Σ log p_prior(z) + Σ s

with ReLU perceptrons m (section 5.1). Sizes of the paper: 5 layers of 1000 on MNIST, 4 of 2000 on CIFAR-10.
The paper whitens TFD, SVHN and CIFAR-10 beforehand; here whitening is part of the map, and its log-determinant counts.
"""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from studio.density.bijections.bijection import Bijection, Chain, Flattened, OnPart
from studio.density.bijections.coupling import Additive, ChannelCoupling
from studio.density.bijections.logistic_prior import LogisticScores
from studio.density.bijections.masked_affine import ROWS_AT_ONCE
from studio.density.bijections.vector_transforms import DiagonalScale, OddEven, Whitening
from studio.density.flow import Flow
from studio.nets.mlp import MLP
from studio.zoo.noise import Noise

WHITENED = 4096
"""The number of artworks from which the covariance is measured."""


class NICE(msgspec.Struct, frozen=True, kw_only=True, tag="nice", tag_field="family"):
    """Holds the hyperparameters of a NICE."""

    couplings: Annotated[
        int, Meta(ge=3, le=16, title="Couplings", description="Number of couplings, of odd and even entries in turn")
    ] = 4
    depth: Annotated[int, Meta(ge=1, le=8, title="Depth", description="Number of hidden layers in each coupling")] = 5
    width: Annotated[int, Meta(ge=4, le=5000, title="Width", description="Number of units in each hidden layer")] = 1000
    prior: Annotated[
        Literal["logistic", "normal"], Meta(title="Prior", description="Distribution of latents before the last step")
    ] = "logistic"
    whitening: Annotated[
        bool, Meta(title="Whitening", description="Remove linear dependence between entries first")
    ] = False
    alpha: Annotated[
        Annotated[float, Meta(gt=0, lt=0.5)] | None,
        Meta(title="Margin", description="Distance of black and white from the ends of the logit; none: no logit"),
    ] = None
    noise: Noise = 0.0

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Flow:
        """Return the model for artworks of any shape. Raises ValueError for a single entry."""
        entries = math.prod(shape)
        if entries < 2:
            raise ValueError("an artwork of a single entry has no odd and even part")
        parts: list[Bijection] = [self._coupling(entries, swap=bool(i % 2)) for i in range(self.couplings)]
        logistic = self.prior == "logistic"
        parts.append(DiagonalScale(entries, math.pi / math.sqrt(3) if logistic else 1.0))
        if logistic:
            parts.append(LogisticScores())
        inner: Bijection = OnPart(OddEven(), Chain(parts))
        if self.whitening:
            inner = Chain([Whitening(entries), inner])
        flow = Flow(shape, levels, Flattened(inner), self.alpha, noise=self.noise)
        flow.denoised_at_once = ROWS_AT_ONCE
        if self.whitening:
            flow.initialisation_count = WHITENED
        return flow

    def _coupling(self, entries: int, swap: bool) -> Bijection:
        first = (entries + 1) // 2
        second = entries // 2
        kept, moved = (second, first) if swap else (first, second)
        return ChannelCoupling(swap, MLP(kept, self.width, self.depth, moved, zero=True), Additive())


PRESETS = {
    "tiny": NICE(depth=2, width=64),
    "small": NICE(depth=3, width=500),
    "large": NICE(depth=5, width=500),
    "paper": NICE(),
}
