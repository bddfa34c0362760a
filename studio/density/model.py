"""Define what all models share: a model computes the bits of an artwork x, and maps it to a latent z and back.

The bits of an artwork, -log2 p(x), are also called its price. An artwork is a tensor of levels 0 … levels - 1 of shape
`(B, *shape)`, for a picture `(B, channels, height, width)`. A latent z has shape `(B, *latent_shape)`. The latent of a
seed is standard noise. The latent of an artwork is what the family's `encode` returns, and may be nearer to 0. A
condition c holds the numbers of classes, `(B,)` integers.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class DecodingStep(NamedTuple):
    """Holds unfinished artworks: levels `(B, *shape)` after `done` of `total` parts.

    A step may finish only a piece of a part; then `done` stays the same.
    """

    x: Tensor
    done: int
    total: int


class Model(nn.Module):
    """Is the base of all families. A family implements `surprisal`, `encode` and `decode_steps`.

    Attributes
        shape: the shape of one artwork, for a picture (channels, height, width)
        levels: how many values an entry may take
        latent_shape: the shape of one latent
        exact: whether `log_prob` is the log-likelihood itself; otherwise it is a lower bound
        invertible: whether decode(encode(x)) is x, which is not the case for a VAE
        scales_noise: whether a temperature multiplies the latent, so that decode(z, T) is decode(T · z); otherwise it
            acts on the probabilities of each entry when the entry is drawn
        can_inpaint: whether decoding can keep a part of an artwork and make the rest
        classes: how many classes the model knows; 0: none
        initialisation_count: how many artworks initialise layers that start from data, such as activation
            normalisation
        scale_of: the scale of each entry of the latent, 0 the coarsest
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
        """Return the number of scales of the latent."""
        return int(self.scale_of.max()) + 1

    @property
    def dtype(self) -> torch.dtype:
        """Return the precision in which the model computes."""
        return next(self.parameters()).dtype

    # ── what a family implements ────────────────────────────────────────────────────────────────

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the bits of each entry, `(B, *shape)`. Their sum is -log2 p(x | c)."""
        raise NotImplementedError

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the latent `(B, *latent_shape)` of artworks `(B, *shape)`."""
        raise NotImplementedError

    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        """Decode latents z to artworks, step by step. The last step is the result.

        Arguments
            z: `(B, *latent_shape)`
            temperature: a number, or a tensor that broadcasts against z. Unless `scales_noise`, the temperature of an
                entry is read when the entry is drawn, so a tensor of z's type and device may change between two steps
            keep: levels `(B, *shape)` to keep, -1 where the model may draw

        Raises ValueError if the family cannot keep a part of an artwork.
        """
        raise NotImplementedError

    # ── what follows ────────────────────────────────────────────────────────────────────────────

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return log p(x | c) in nats, `(B,)`; a lower bound if `exact` is False."""
        return -self.surprisal(x, c).flatten(1).sum(1) * math.log(2)

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Compute `log_prob` in small steps, so that other jobs can run between. The last one yields the result."""
        yield self.log_prob(x, c)

    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Compute `surprisal` in small steps. All yield None, except the last one, which yields the result."""
        yield self.surprisal(x, c)

    def encode_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Compute `encode` in small steps. All yield None, except the last one, which yields the latent."""
        yield self.encode(x, c)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the number that training lowers: the mean bits per dimension."""
        return -self.log_prob(x, c).mean() / (math.prod(self.shape) * math.log(2))

    def decode(self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0) -> Tensor:
        """Return the artworks `(B, *shape)` of latents z."""
        *_, last = self.decode_steps(z, c, temperature)
        return last.x

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Return standard noise `(len(seeds), *latent_shape)`, drawn on the processor in float32.

        Each row depends on its own seed alone, so an artwork is the same in any batch and on any device.
        """
        rows = [torch.randn(self.latent_shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.stack(rows).to(self.scale_of.device, self.dtype)

    def draw_classes(self, seeds: Sequence[int]) -> Tensor | None:
        """Draw a class for each seed, `(len(seeds),)`, all equally likely. None if the model knows no classes."""
        if not self.classes:
            return None
        # It is a separate random stream, because the first numbers of a seed's usual stream are its noise.
        streams = [torch.Generator().manual_seed(seed + 2**60) for seed in seeds]
        drawn = [int(torch.randint(self.classes, (1,), generator=stream)) for stream in streams]
        return torch.tensor(drawn, dtype=torch.long, device=self.scale_of.device)

    def log_prob_of_classes(self, x: Tensor) -> Tensor:
        """Return log p(x | c) in nats for every class, `(B, classes)`."""
        every = torch.arange(self.classes, device=x.device)
        return torch.stack([self.log_prob(x, c.expand(len(x))) for c in every], 1)

    def sample_steps(
        self, seeds: Sequence[int], c: Tensor | None = None, temperature: float | Tensor = 1.0
    ) -> Iterator[DecodingStep]:
        """Make a new artwork for each seed, step by step. Without c, each seed also draws a class."""
        return self.decode_steps(self.noise(seeds), self.draw_classes(seeds) if c is None else c, temperature)

    def sample(self, seeds: Sequence[int], c: Tensor | None = None, temperature: float | Tensor = 1.0) -> Tensor:
        """Return new artworks `(len(seeds), *shape)`, one for each seed. Without c, each seed also draws a class."""
        *_, last = self.sample_steps(seeds, c, temperature)
        return last.x

    def temperature_by_scale(self, temperatures: Sequence[float]) -> Tensor:
        """Return the temperatures of all scales, coarse to fine, as a tensor of the latent's shape.

        A single number counts for all scales. Raises ValueError for any other count than one or `scales`.
        """
        if len(temperatures) == 1:
            temperatures = [temperatures[0]] * self.scales
        if len(temperatures) != self.scales:
            raise ValueError(f"{len(temperatures)} temperatures were given for {self.scales} scales")
        return torch.tensor(temperatures, device=self.scale_of.device, dtype=self.dtype)[self.scale_of]
