"""MAF (Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv:1705.07057).

    z_i = (x_i - m_i) · exp(-a_i),  m_i and a_i from x_1 … x_{i-1} by a MADE,

several times in a row. Each is followed by a batch norm, and the order is reversed from one to the next (section 3).
An artwork is a vector of its entries, row by row, so pictures and single cycles of sound are treated alike. With
`spectrum`, the entries are those of a cycle's harmonics, each scaled to variance 1 first.
"""

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from studio.density.bijections.bijection import Bijection, Chain, Flattened
from studio.density.bijections.linear import BatchNorm
from studio.density.bijections.masked_affine import ROWS_AT_ONCE
from studio.density.bijections.masked_mixture import MaskedMixture
from studio.density.bijections.vector_transforms import DiagonalScale, HarmonicTransform
from studio.density.flow import Flow
from studio.nets.made import MADE, Activation, Degrees
from studio.zoo.compiled.made import CompiledMixtureSolver, compiled_masked_affine, made_network
from studio.zoo.noise import Noise


class MAF(msgspec.Struct, frozen=True, kw_only=True, tag="maf", tag_field="family"):
    """Holds the hyperparameters of a MAF."""

    layers: Annotated[int, Meta(ge=1, le=32, title="Layers", description="Number of networks, one after another")] = 5
    hidden: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=4096)], ...],
        Meta(min_length=1, max_length=8, title="Hidden units", description="Number of units in each hidden layer"),
    ] = (512, 512)
    degrees: Annotated[Degrees, Meta(title="Degrees", description="How many entries each hidden unit may see")] = (
        "sequential"
    )
    activation: Annotated[Activation, Meta(title="Activation", description="Activation of hidden units")] = "relu"
    batch_norm: Annotated[bool, Meta(title="Batch norm", description="Whether a batch norm follows each network")] = (
        True
    )
    spectrum: Annotated[
        bool, Meta(title="Harmonics", description="Learn the harmonics of a sound instead of its samples")
    ] = False
    classes: Annotated[
        int, Meta(ge=0, le=1000, title="Classes", description="Number of classes that the model knows")
    ] = 0
    mixture: Annotated[
        int,
        Meta(ge=0, le=100, title="Mixture", description="Number of Gaussians in the last network; 0: no such network"),
    ] = 0
    alpha: (
        Annotated[
            float,
            Meta(gt=0, lt=0.5, title="Margin", description="Distance of black and white from the ends of the logit"),
        ]
        | None
    ) = 1e-6
    noise: Noise = 0.0
    bound: Annotated[float, Meta(gt=0, le=10, title="Bound", description="Largest log-scale of an entry")] = 5.0
    seed: Annotated[int, Meta(ge=0, title="Seed", description="Seed of random degrees")] = 0

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Flow:
        """Return the model for artworks of two entries or more. Raises ValueError for fewer, or for one Gaussian."""
        entries = math.prod(shape)
        if entries < 2:
            raise ValueError("an artwork of one entry has nothing that comes before it; take larger ones")
        if self.mixture == 1:
            raise ValueError("a mixture of one Gaussian is another layer; take 2 or more, or 0")
        parts: list[Bijection] = [HarmonicTransform(), DiagonalScale(entries)] if self.spectrum else []
        for layer in range(self.layers):
            parts.append(compiled_masked_affine(self._net(entries, layer), self.bound))
            if self.batch_norm:
                parts.append(BatchNorm(entries, eps=1e-5, affine=True))
        if self.mixture:
            net = self._net(entries, self.layers, 3 * self.mixture)
            parts.append(MaskedMixture(net, net.order, self.bound, CompiledMixtureSolver(net)))
        flow = Flow(shape, levels, Flattened(Chain(parts)), self.alpha, classes=self.classes, noise=self.noise)
        flow.denoised_at_once = ROWS_AT_ONCE
        return flow

    def _net(self, entries: int, layer: int, outputs: int = 2) -> MADE:
        return made_network(
            entries, layer, self.hidden, self.degrees, self.activation, self.classes, self.seed, outputs
        )


PRESETS = {
    "tiny": MAF(layers=2, hidden=(32,)),
    "small": MAF(layers=5, hidden=(512, 512)),
    "large": MAF(layers=10, hidden=(512, 512)),
    "paper": MAF(layers=5, hidden=(1024, 1024)),
}
