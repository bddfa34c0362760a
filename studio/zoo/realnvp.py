"""RealNVP (Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, 2016, arXiv:1605.08803).

At each scale three checkerboard couplings, a squeeze, three channel couplings, then half of the
entries are factored out; four checkerboard couplings end the coarsest scale (section 3.6, figure 4b).

    z = f(h), h = logit(α + (1 - 2α) y), s = a · tanh(net), t = net, batch norm after each coupling

Widths double from scale to scale, and again in the channel couplings, as in the authors' code. The
affine map is the paper's y = x · exp(s) + t; the code has (x + t) · exp(s), the same family.

A single cycle of sound has no scales: its entries are brought to one size, then the odd and the even move each
other in turn, s and t from a perceptron, as in the RealNVP that Papamakarios, Pavlakou and Murray compare theirs
with (Masked Autoregressive Flow, 2017, arXiv:1705.07057; theirs has one perceptron for s and one for t, and batch
norms, which cost 0.27 bits per dimension on held-out cycles here). With `spectrum` the entries are those of the
cycle's harmonics.
"""

from typing import Annotated

import msgspec
import torch
from msgspec import Meta

from studio.density.bijections.bijection import Bijection, Chain, OnPart
from studio.density.bijections.coupling import Affine, ChannelCoupling, MaskedCoupling, channel_mask, checkerboard
from studio.density.bijections.linear import BatchNorm, Squeeze
from studio.density.bijections.vector_transforms import DiagonalScale, HarmonicTransform, OddEven
from studio.density.flow import Flow
from studio.nets.convolution import ResidualNet
from studio.nets.mlp import MLP
from studio.zoo.noise import Noise


class RealNVP(msgspec.Struct, frozen=True, kw_only=True, tag="realnvp", tag_field="family"):
    """Holds the hyperparameters of a RealNVP."""

    scales: Annotated[
        int, Meta(ge=1, le=6, title="Scales", description="How often a picture is halved; sounds have one scale")
    ] = 2
    couplings: Annotated[
        int,
        Meta(
            ge=2, le=32, title="Couplings", description="Number of couplings for a sound; pictures have a fixed number"
        ),
    ] = 8
    width: Annotated[
        int,
        Meta(
            ge=4, le=1024, title="Width", description="Number of feature maps at the finest scale, or units for a sound"
        ),
    ] = 32
    blocks: Annotated[
        int,
        Meta(ge=1, le=16, title="Blocks", description="Residual blocks (or hidden layers for a sound) in a coupling"),
    ] = 4
    spectrum: Annotated[
        bool, Meta(title="Harmonics", description="Learn the harmonics of a sound instead of its samples")
    ] = False
    dropout: Annotated[
        float, Meta(ge=0, lt=1, title="Dropout", description="Share of hidden units that training on sounds drops")
    ] = 0.0
    alpha: Annotated[
        Annotated[float, Meta(gt=0, lt=0.5)] | None,
        Meta(title="Margin", description="Distance of black and white from the ends of the logit; none: no logit"),
    ] = 0.05
    noise: Noise = 0.0
    classes: Annotated[
        int,
        Meta(ge=0, le=1000, title="Classes", description="Number of classes that every coupling's network is told"),
    ] = 0
    bound: Annotated[float, Meta(gt=0, le=4, title="Bound", description="Largest log-scale of a coupling")] = 2.0

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Flow:
        """Return the model for pictures (channels, height, width) or sounds (samples,).

        Raises ValueError if a picture cannot be halved so often, and for a sound of one sample.
        """
        if len(shape) == 1:
            return Flow(shape, levels, self._sound(shape[0]), self.alpha, classes=self.classes, noise=self.noise)
        channels, height, width = shape
        halvings = 2 ** (self.scales - 1)
        if height % halvings or width % halvings:
            raise ValueError(f"{width} × {height} pixels cannot be halved {self.scales - 1} times; take fewer scales")
        bijection, scale_of = self._scale(0, (channels, height, width))
        return Flow(shape, levels, bijection, self.alpha, scale_of, self.classes, self.noise)

    def _sound(self, samples: int) -> Bijection:
        if samples < 2:
            raise ValueError("a sound of a single sample has no odd and even part")
        halves = ((samples + 1) // 2, samples // 2)
        parts: list[Bijection] = [DiagonalScale(samples)]
        for i in range(self.couplings):
            swap = bool(i % 2)
            kept, moved = halves[::-1] if swap else halves
            net = MLP(kept, self.width, self.blocks, 2 * moved, zero=True, dropout=self.dropout, classes=self.classes)
            parts.append(ChannelCoupling(swap, net, Affine(1.0, self.bound)))
        inner = OnPart(OddEven(), Chain(parts))
        return Chain([HarmonicTransform(), inner]) if self.spectrum else inner

    def _scale(self, scale: int, shape: tuple[int, int, int]) -> tuple[Bijection, torch.Tensor]:
        """Return the map from this scale to the coarsest one, and the scale of each entry."""
        channels, height, width = shape
        maps = self.width * 2**scale
        last = scale == self.scales - 1
        parts = [self._checkerboard(shape, maps, flip=bool(i % 2)) for i in range(4 if last else 3)]
        if last:
            return Chain(parts), torch.zeros(shape, dtype=torch.long)
        squeezed = (4 * channels, height // 2, width // 2)
        across = Chain([self._channels(squeezed, 2 * maps, swap=bool(i % 2)) for i in range(3)])
        parts.append(OnPart(Squeeze("plain"), across))
        inner, inner_scales = self._scale(scale + 1, (2 * channels, height // 2, width // 2))
        factored = OnPart(Squeeze("diagonal"), inner, part=0.5)
        here = torch.full(shape, self.scales - 1 - scale, dtype=torch.long)
        return Chain([*parts, factored]), factored.scale_of(here, inner_scales)

    def _checkerboard(self, shape: tuple[int, int, int], maps: int, flip: bool) -> Bijection:
        channels, height, width = shape
        mask = checkerboard(height, width, flip)
        net = ResidualNet(channels, maps, self.blocks, 2 * channels, mask, classes=self.classes)
        return Chain([MaskedCoupling(mask, net, Affine(0.0, self.bound)), BatchNorm(channels, 1 - mask)])

    def _channels(self, shape: tuple[int, int, int], maps: int, swap: bool) -> Bijection:
        channels = shape[0]
        net = ResidualNet(channels // 2, maps, self.blocks, channels, classes=self.classes)
        free = 1 - channel_mask(channels, flip=swap)
        return Chain([ChannelCoupling(swap, net, Affine(1.0, self.bound)), BatchNorm(channels, free)])


PRESETS = {
    "tiny": RealNVP(scales=2, width=16, blocks=2),
    "small": RealNVP(scales=3, width=32, blocks=2),
    "large": RealNVP(scales=3, width=32, blocks=4),
    "paper": RealNVP(scales=2, width=64, blocks=8),
}
