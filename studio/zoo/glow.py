"""Glow (Kingma and Dhariwal, Glow: Generative Flow with Invertible 1×1 Convolutions, 2018, arXiv:1807.03039).

Each of L levels squeezes the picture, applies K steps of flow and factors out half of the channels. The other half
predicts their mean and scale (figure 2b, sections 3 and 3.6):

    h = y - ½;  a step: actnorm → invertible 1×1 convolution → coupling z2 = (x2 + t) · sigmoid(h + 2)

The latent is ε = (z - μ) / σ of every level, in the shape of the picture. It is standard noise; a temperature
multiplies it and leaves μ and σ unchanged. With classes, the prior of the last level depends on the class, and a linear
classifier of that level's latents helps to learn it. With `class_in_couplings`, every coupling does, too, so that one
latent is the same style in every class.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from studio.density.bijections import linear
from studio.density.bijections.bijection import Bijection, Chain, OnPart
from studio.density.bijections.coupling import Additive, ChannelCoupling, ShiftScaleCoupling
from studio.density.bijections.learned_prior import Split, TopPrior
from studio.density.bijections.linear import ActNorm, ChannelMixing, InvertibleConv, Squeeze
from studio.density.flow import Flow
from studio.nets.glow import CouplingNet, EdgeLayer, ScaledConv, packed_layers, stack_networks
from studio.nets.glow_gradient import GradientStep
from studio.nets.glow_steps import PackedStep, WorkBuffers, apply_learning_steps
from studio.zoo.noise import Noise

CLASSIFIER_WEIGHT = 0.01
"""The weight of the classifier's bits, added to the bits per dimension, as in the authors' code."""

DENOISED_AT_ONCE = 8
"""The number of pictures that one pass denoises, so that a step stays short."""


class GlowStep(Bijection):
    """Is a step of flow: actnorm and 1×1 convolution, then a coupling."""

    def __init__(self, mixing: ChannelMixing, coupling: Bijection) -> None:
        super().__init__()
        self.mixing = mixing
        self.coupling = coupling
        self.packed: PackedStep | None = None
        self.gradient: GradientStep | None = None

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.gradient is not None and x.requires_grad:
            return self.gradient.forward(x, c)
        if self.packed is not None:
            return self.packed.forward(x, c)
        h, ladj = self.mixing(x)
        z, more = self.coupling(h, c)
        return z, ladj + more

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        if self.packed is not None:
            return self.packed.inverse(z, c)
        if self.training:  # only training data may initialise an actnorm, never a sample
            self.eval()
            try:
                return self.inverse(z, c)
            finally:
                self.train()
        return self.mixing.inverse(self.coupling.inverse(z, c))

    @property
    def net(self) -> CouplingNet:
        """Return the network of the coupling."""
        net = self.coupling.net
        assert isinstance(net, CouplingNet)
        return net

    def learns_by_products(self, x: Tensor) -> bool:
        """Return whether training computes this step by matrix products.

        It does so on a processor, after initialisation, unless the processor has units for half precision, which
        compute convolutions faster.
        """
        layers = [self.mixing.norm, *self.net]
        usual = x.device.type == "cpu" and torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
        return usual and all(layer.known for layer in layers)

    def offset(self) -> Tensor:
        """Return what the coupling adds to the output of its network, by channel."""
        half = len(self.mixing.norm.b) // 2
        zeros = self.mixing.norm.b.new_zeros(half)
        affine = isinstance(self.coupling, ShiftScaleCoupling)
        return torch.cat((zeros + ShiftScaleCoupling.OFFSET, zeros)) if affine else zeros

    def pack_into(self, desk: WorkBuffers, *, needs_gradient: bool) -> None:
        """Pack the step for inference in float32 on a processor, after `fold`. The network's layers are released."""
        mixing = self.mixing
        layers = packed_layers(self.net, self.offset())
        there, back = (mixing.there.t(), mixing.shift), (mixing.back.t(), mixing.shift_back)
        of_class = None if self.net.of_class is None else self.net.of_class.detach()
        floor = ShiftScaleCoupling.FLOOR
        self.packed = PackedStep(there, back, layers, of_class, floor=floor, slope=mixing.slope, desk=desk)
        if needs_gradient:
            self.gradient = GradientStep(there, layers, of_class, floor=floor, slope=mixing.slope)
        del self.net[:]


class FlowScale(Chain):
    """Runs K steps of flow at one size, then the prior of what they factor out, which contains the coarser levels."""

    @property
    def flows(self) -> list[GlowStep]:
        """Return the steps of flow."""
        return [part for part in self.parts if isinstance(part, GlowStep)]

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        steps = self.flows
        if not (steps and self.training and all(step.learns_by_products(x) for step in steps)):
            return super().forward(x, c)
        x, ladj = self._learn(steps, x, c)
        z, more = self.parts[-1](x, c)
        return z, ladj + more

    def _learn(self, steps: Sequence[GlowStep], x: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the steps as matrix products over pixels, which are faster than convolutions on a processor."""
        height, width = x.shape[2:]
        mix, shift, log_det = linear.stack_mixings([step.mixing for step in steps])
        layers = stack_networks([step.net for step in steps], height, width, steps[0].offset(), c)
        z, ladj = apply_learning_steps(x.permute(0, 2, 3, 1), mix, shift, *layers, floor=ShiftScaleCoupling.FLOOR)
        return z.permute(0, 3, 1, 2), ladj + log_det * (height * width)

    def pack(self) -> None:
        """Pack all steps for inference in float32 on a processor, after `fold`."""
        self._pack(needs_gradient=False)

    def pack_with_gradient(self) -> None:
        """Pack all steps so that gradients of their input still exist."""
        self._pack(needs_gradient=True)

    def _pack(self, *, needs_gradient: bool) -> None:
        desk = WorkBuffers()
        for step in self.flows:
            if step.packed is None and step.mixing.norm.b.dtype == torch.float32:
                step.pack_into(desk, needs_gradient=needs_gradient)


class ClassifiedFlow(Flow):
    """Is a flow with a classifier: the coarsest latents, averaged over the picture, also learn to name the class."""

    def __init__(self, channels: int, **of_flow: object) -> None:
        super().__init__(**of_flow)  # type: ignore[arg-type]
        self.classifier = nn.Linear(channels, self.classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if c is None:
            return super().loss(x, c)
        seen: list[Tensor] = []
        # The classifier is not a submodule here: a weight with two names would be in a file twice.
        top = next(part for part in self.bijection.modules() if isinstance(part, TopPrior))
        with top.register_forward_pre_hook(lambda _, given: seen.append(given[0])):
            bits = super().loss(x, c)
        scores = self.classifier(seen[0].mean((2, 3)))
        return bits + CLASSIFIER_WEIGHT * nn.functional.cross_entropy(scores.float(), c) / math.log(2)


class Glow(msgspec.Struct, frozen=True, kw_only=True, tag="glow", tag_field="family"):
    """Holds the hyperparameters of a Glow."""

    scales: Annotated[int, Meta(ge=1, le=6, title="Scales", description="How often the picture is halved")] = 3
    depth: Annotated[int, Meta(ge=1, le=64, title="Depth", description="Number of flow steps at each scale")] = 8
    width: Annotated[int, Meta(ge=4, le=1024, title="Width", description="Number of feature maps in each coupling")] = (
        128
    )
    coupling: Annotated[
        Literal["affine", "additive"], Meta(title="Coupling", description="Whether couplings scale or only shift")
    ] = "affine"
    mixing: Annotated[
        Literal["plu", "plain"], Meta(title="Mixing", description="How 1 × 1 convolutions are learned")
    ] = "plu"
    classes: Annotated[
        int, Meta(ge=0, le=1000, title="Classes", description="Number of classes that the model knows")
    ] = 0
    class_in_couplings: Annotated[
        bool,
        Meta(title="Class in couplings", description="Whether every coupling's network is told the class, too"),
    ] = False
    noise: Noise = 0.0

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Flow:
        """Return the model for pictures (channels, height, width). Raises ValueError if the size cannot be halved."""
        if len(shape) != 3:
            raise ValueError("Glow makes pictures only")
        if self.class_in_couplings and not self.classes:
            raise ValueError("there is no class to tell the couplings; take one class or more")
        channels, height, width = shape
        halvings = 2**self.scales
        if height % halvings or width % halvings:
            raise ValueError(f"{width} × {height} pixels cannot be halved {self.scales} times; take fewer scales")
        top_channels = channels * 2 ** (self.scales + 1)
        top = TopPrior(top_channels, EdgeLayer(2 * top_channels, height // halvings, width // halvings), self.classes)
        bijection, scale_of = self._scale(0, (channels, height, width), top)
        fields = dict(
            shape=shape,
            levels=levels,
            bijection=bijection,
            alpha=None,
            scale_of=scale_of,
            classes=self.classes,
            noise=self.noise,
        )
        flow = ClassifiedFlow(top_channels, **fields) if self.classes else Flow(**fields)  # type: ignore[arg-type]
        flow.denoised_at_once = DENOISED_AT_ONCE
        flow.rounds_alike = True
        return flow

    def _scale(self, scale: int, shape: tuple[int, int, int], top: TopPrior) -> tuple[Bijection, Tensor]:
        """Return the map from this scale to the coarsest one, and the scale of each entry."""
        channels = 4 * shape[0]
        height = shape[1] // 2
        width = shape[2] // 2
        parts: list[Bijection] = [self._step(channels) for _ in range(self.depth)]
        if scale == self.scales - 1:
            parts.append(top)
            marks = torch.zeros(channels, height, width, dtype=torch.long)
        else:
            half = (channels // 2, height, width)
            inner, inner_marks = self._scale(scale + 1, half, top)
            parts.append(Split(inner, ScaledConv(channels // 2, channels, 3, zero=True)))
            marks = torch.cat((inner_marks, torch.full(half, self.scales - 1 - scale)))
        within = OnPart(Squeeze(), FlowScale(parts))
        return within, within.outer.inverse(marks[None])[0]

    def _step(self, channels: int) -> Bijection:
        mixing = ChannelMixing(ActNorm(channels), InvertibleConv(channels, plu=self.mixing == "plu"))
        half = channels // 2
        classes = self.classes if self.class_in_couplings else 0
        if self.coupling == "additive":
            return GlowStep(mixing, ChannelCoupling(False, CouplingNet(half, self.width, half, classes), Additive()))
        return GlowStep(mixing, ShiftScaleCoupling(CouplingNet(half, self.width, channels, classes)))


PRESETS = {
    "tiny": Glow(scales=2, depth=2, width=16),
    "small": Glow(scales=3, depth=16, width=192),
    "large": Glow(scales=3, depth=32, width=256),
    "paper": Glow(scales=3, depth=32, width=512),
}
