"""A VAE whose posterior is a flow.

Planar and radial flows: Rezende and Mohamed, Variational inference with normalizing flows, 2015,
arXiv:1505.05770. Inverse autoregressive flow: Kingma, Salimans, Józefowicz, Chen, Sutskever and Welling, Improving
variational inference with inverse autoregressive flow, 2016, arXiv:1606.04934.

    z₀ ~ N(μ(x), σ(x)²),  z = f_K ∘ … ∘ f_1 (z₀),  x ~ p(x | z)

All numbers of the flow come from the encoder; for the inverse autoregressive flow they are its context. Unlike the
second paper's, the latent is one vector and the posterior is not bidirectional.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from torch import nn

from studio.density.decoder_likelihood import BernoulliLikelihood, LogisticLikelihood
from studio.density.posterior import InverseAutoregressivePosterior, PlanarPosterior, Posterior, RadialPosterior
from studio.density.variational import Variational
from studio.nets.autoencoder import DecoderNetwork, EncoderNetwork
from studio.nets.made import ContextMADE
from studio.nets.mlp import MLP


class VAEFlow(msgspec.Struct, frozen=True, kw_only=True, tag="vae_flow", tag_field="family"):
    """Holds the hyperparameters of a VAE with a flow for its posterior."""

    latent: Annotated[int, Meta(ge=1, le=512, title="Latent", description="How many numbers describe a picture")] = 40
    posterior: Annotated[
        Literal["diagonal", "planar", "radial", "iaf"],
        Meta(title="Posterior", description="The flow that shapes the posterior; diagonal: none"),
    ] = "planar"
    flows: Annotated[
        int, Meta(ge=1, le=128, title="Flows", description="Number of maps in the posterior, one after another")
    ] = 40
    made_hidden: Annotated[
        int, Meta(ge=1, le=2048, title="Width of the flow", description="Number of hidden units in each step of an IAF")
    ] = 320
    net: Annotated[Literal["mlp", "convolution"], Meta(title="Network", description="Dense layers or convolutions")] = (
        "convolution"
    )
    hidden: Annotated[
        int, Meta(ge=1, le=4096, title="Hidden units", description="Number of units in each dense layer")
    ] = 400
    depth: Annotated[
        int,
        Meta(ge=1, le=8, title="Depth", description="Number of dense layers, or of convolutional blocks at each size"),
    ] = 1
    maps: Annotated[int, Meta(ge=1, le=256, title="Maps", description="Number of feature maps at half the size")] = 32
    observation: Annotated[
        Literal["bernoulli", "logistic"],
        Meta(title="Pixels", description="Black and white, where grey is a probability, or levels"),
    ] = "bernoulli"
    anneal: Annotated[
        int, Meta(ge=0, title="Annealing", description="Number of steps until the whole bound is trained")
    ] = 0
    free_bits: Annotated[
        float,
        Meta(
            ge=0, le=8, title="Free bits", description="Nats of each number of the latent that training does not lower"
        ),
    ] = 0.0

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Variational:
        """Return the model for pictures (channels, height, width). Raises ValueError if it cannot be halved."""
        channels, height, width = shape
        if self.net == "convolution" and (height % 4 or width % 4):
            raise ValueError(f"{width} × {height} pixels cannot be halved twice; take dense layers")
        posterior = self._posterior()
        observation = {"bernoulli": BernoulliLikelihood, "logistic": LogisticLikelihood}[self.observation](levels)
        encoder, decoder = self._nets((channels, height, width), posterior.numbers, observation.numbers * channels)
        return Variational(shape, levels, encoder, decoder, posterior, observation, self.anneal, self.free_bits)

    def _posterior(self) -> Posterior:
        match self.posterior:
            case "diagonal":
                return Posterior(self.latent)
            case "planar":
                return PlanarPosterior(self.latent, self.flows)
            case "radial":
                return RadialPosterior(self.latent, self.flows)
            case "iaf":
                context, width = self.made_hidden, self.made_hidden
                nets = [ContextMADE(self.latent, context, width, reverse=bool(i % 2)) for i in range(self.flows)]
                return InverseAutoregressivePosterior(self.latent, nets, context)

    def _nets(self, shape: tuple[int, int, int], numbers: int, channels_out: int) -> tuple[nn.Module, nn.Module]:
        channels, height, width = shape
        if self.net == "convolution":
            return (
                EncoderNetwork(shape, self.maps, self.depth, self.hidden, numbers),
                DecoderNetwork(self.latent, self.hidden, self.maps, self.depth, channels_out, height, width),
            )
        encoder = MLP(channels * height * width, self.hidden, self.depth, numbers, zero=True)
        decoder = MLP(self.latent, self.hidden, self.depth, channels_out * height * width)
        return (
            nn.Sequential(nn.Flatten(), encoder),
            nn.Sequential(decoder, nn.Unflatten(1, (channels_out, height, width))),
        )


PRESETS = {
    "tiny": VAEFlow(latent=8, posterior="planar", flows=4, net="mlp", hidden=64),
    "small": VAEFlow(latent=40, posterior="iaf", flows=2, hidden=256, maps=16),
    "large": VAEFlow(latent=40, posterior="iaf", flows=8, hidden=512, maps=32),
    "paper": VAEFlow(latent=40, posterior="planar", flows=80, net="mlp", hidden=400, anneal=10_000),
}
