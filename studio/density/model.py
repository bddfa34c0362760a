"""Model: prices an artwork x in bits and maps it to a latent z and back.

An artwork is a tensor of whole levels 0 … levels - 1 of shape `(B, *shape)`, for a picture
`(B, channels, height, width)`. A latent z has shape `(B, *latent_shape)`. That of a seed is standard noise; that of an
artwork is what the family's `encode` says, which may be nearer to 0. A condition c is the number of a class, `(B,)`
whole numbers.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class DecodingStep(NamedTuple):
    """An artwork as far as it is: levels `(B, *shape)`, after `done` of `total` parts; `done` may stay where a step
    brought a piece of one."""

    x: Tensor
    done: int
    total: int


class Model(nn.Module):
    """What every family shares. A family implements `surprisal`, `encode` and `decode_steps`.

    Attributes
        shape: of one artwork, for a picture (channels, height, width)
        levels: how many values an entry may take
        latent_shape: of one latent
        exact: whether `log_prob` is the log-likelihood itself; otherwise it is a lower bound
        invertible: whether decode(encode(x)) is x; a VAE's is not
        heats_noise: whether a temperature multiplies the latent, so that decode(z, T) is decode(T · z); otherwise it
            acts on what is drawn from the latent, entry by entry
        keeps: whether decoding can keep a part of an artwork and make the rest
        classes: how many classes c may name; 0 where the model knows none
        starting: how many artworks are shown to layers that start from data, such as activation normalisation
        scale_of: for each entry of the latent the scale it belongs to, 0 the coarsest
    """

    shape: tuple[int, ...]
    levels: int
    latent_shape: tuple[int, ...]
    exact: bool
    invertible: bool = True
    scales_noise: bool = True
    can_inpaint: bool = False
    classes: int
    initialisation_count: int = 256
    scale_of: Tensor

    def __init__(
        self, shape: Sequence[int], levels: int, latent_shape: Sequence[int], *, exact: bool, classes: int = 0
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.levels = levels
        self.latent_shape = tuple(latent_shape)
        self.exact = exact
        self.classes = classes
        self.register_buffer("scale_of", torch.zeros(self.latent_shape, dtype=torch.long), persistent=False)

    @property
    def scales(self) -> int:
        """How many scales the latent has."""
        return int(self.scale_of.max()) + 1

    @property
    def dtype(self) -> torch.dtype:
        """In which precision the model computes."""
        return next(self.parameters()).dtype

    # ── what a family implements ────────────────────────────────────────────────────────────────

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Price of each entry in bits, `(B, *shape)`; its sum is -log2 p(x | c)."""
        raise NotImplementedError

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """The latent `(B, *latent_shape)` of artworks `(B, *shape)`."""
        raise NotImplementedError

    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        """The artworks of latents z, step by step; the last step is the result.

        Arguments
            z: `(B, *latent_shape)`
            temperature: a number, or a tensor that broadcasts against z. Where it does not heat noise, an entry's is
                looked at when the entry is drawn: a tensor of z's type and device may be changed between two steps
            keep: levels `(B, *shape)` that are known, -1 where the model is free
        Errors
            ValueError where the family cannot keep part of an artwork.
        """
        raise NotImplementedError

    # ── what follows ────────────────────────────────────────────────────────────────────────────

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """log p(x | c) in nats, `(B,)`; a lower bound where `exact` is False."""
        return -self.surprisal(x, c).flatten(1).sum(1) * math.log(2)

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """`log_prob` in small steps, for whoever must not be kept waiting: None until the last, which is the result."""
        yield self.log_prob(x, c)

    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """`surprisal` in small steps, likewise: None until the last, which is the result."""
        yield self.surprisal(x, c)

    def encode_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """`encode` in small steps, likewise: None until the last, which is the latent."""
        yield self.encode(x, c)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What training lowers: mean bits per dimension, a number."""
        return -self.log_prob(x, c).mean() / (math.prod(self.shape) * math.log(2))

    def decode(self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0) -> Tensor:
        """The artworks `(B, *shape)` of latents z."""
        *_, last = self.decode_steps(z, c, temperature)
        return last.x

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Standard noise `(len(seeds), *latent_shape)`, drawn on the processor in float32.

        Each row depends on its own seed alone, so an artwork is the same in any batch and on any device.
        """
        rows = [torch.randn(self.latent_shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.stack(rows).to(self.scale_of.device, self.dtype)

    def draw_classes(self, seeds: Sequence[int]) -> Tensor | None:
        """A class for each seed, `(len(seeds),)`, each as likely as the others; None where the model knows none."""
        if not self.classes:
            return None
        # A stream of its own: the first numbers of a seed's usual stream are its noise already.
        streams = [torch.Generator().manual_seed(seed + 2**60) for seed in seeds]
        drawn = [int(torch.randint(self.classes, (1,), generator=stream)) for stream in streams]
        return torch.tensor(drawn, dtype=torch.long, device=self.scale_of.device)

    def log_prob_of_classes(self, x: Tensor) -> Tensor:
        """log p(x | c) in nats for every class, `(B, classes)`."""
        every = torch.arange(self.classes, device=x.device)
        return torch.stack([self.log_prob(x, c.expand(len(x))) for c in every], 1)

    def sample_steps(
        self, seeds: Sequence[int], c: Tensor | None = None, temperature: float | Tensor = 1.0
    ) -> Iterator[DecodingStep]:
        """New artworks, one for each seed, step by step. Without c a seed draws its class, too."""
        return self.decode_steps(self.noise(seeds), self.draw_classes(seeds) if c is None else c, temperature)

    def sample(self, seeds: Sequence[int], c: Tensor | None = None, temperature: float | Tensor = 1.0) -> Tensor:
        """New artworks `(len(seeds), *shape)`, one for each seed. Without c a seed draws its class, too."""
        *_, last = self.sample_steps(seeds, c, temperature)
        return last.x

    def temperature_by_scale(self, temperatures: Sequence[float]) -> Tensor:
        """A temperature for each scale, coarse to fine, as a tensor of the latent's shape.

        One number serves all scales. Raises ValueError for any other count than one or `scales`.
        """
        if len(temperatures) == 1:
            temperatures = [temperatures[0]] * self.scales
        if len(temperatures) != self.scales:
            raise ValueError(f"{len(temperatures)} temperatures were given for {self.scales} scales")
        return torch.tensor(temperatures, device=self.scale_of.device, dtype=self.dtype)[self.scale_of]
