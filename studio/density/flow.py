"""Model artworks by a flow: a bijection from dequantised artworks to standard normal noise.

    y = (x + u) / levels, u ~ U(0, 1)      dequantisation
    h = logit(α + (1 - 2α) y)              or h = y - ½ where α is None
    z = f(h),  z ~ N(0, I)
    log p(x) ≥ log N(z) + log |det ∂z/∂y| - D log levels

The density of y is exact; for the artwork of whole levels it is a lower bound (Theis, van den Oord
and Bethge, A note on the evaluation of generative models, 2015, arXiv:1511.01844, section 3.1), so
`exact` is False and every figure is called a bound.

With Gaussian noise of standard deviation σ, on the scale of pixels in [0, 1], in place of dequantisation,

    y = (x + ½) / levels + σ ε,  ε ~ N(0, I)      h = y - ½, as y leaves [0, 1], where a logit ends
    x̂ = y + σ² ∇ log p(y)                          one step of denoising after drawing y

(Zhai et al., Normalizing Flows are Capable Generative Models, 2024, arXiv:2412.06329, sections 2.4 and 2.5; Meng, Song,
Song, Zhao and Ermon, Improved Autoregressive Modeling with Distribution Smoothing, 2021, arXiv:2103.15089). Every price
is then that of the artwork plus noise. It is no bound of the artwork's own, and comparable only at the same σ.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from studio.density.bijections.bijection import Bijection, sum_entries
from studio.density.model import DecodingStep, Model

OUTER = 0.2
"""The share of a level from which `dequantisation_points` draws.

Of 64 latents of white pictures with a square, a MAF in float64 decoded 5 to 59 exactly. With half of the level it was
2 to 35.
"""
INNER = 0.4
"""The share of a level around its middle from which `dequantisation_points` draws if the model has learned noise."""
NEAR_MIDDLE = 0.25
"""The largest distance from the middle of a level, in levels, at which an entry counts as being without noise."""


class Flow(Model):
    """Computes log p(x) by the change of variables. The latent has an entry for every entry of the artwork.

    Arguments
        bijection: f, from squashed artworks `(B, *shape)` to latents of the same shape
        alpha: α of the logit; None uses y without a logit, moved to [-½, ½]
        scale_of: the scale of each latent entry, `shape`, 0 the coarsest; None: a single scale
        noise: σ of Gaussian noise in place of dequantisation and logit; 0: none. What a drawn latent decodes to is
            denoised. The latent of an artwork, which has no noise, decodes to that artwork.
        classes: number of classes that the bijection knows. Without a class, log p(x) is that of the even mixture
            of all, p(x) = Σ p(x | c) / classes. Encoding and decoding need a class.

    Attributes
        denoised_at_once: how many artworks one pass denoises. Each is then the same bit for bit in any batch.
        rounds_alike: whether the rounding of an artwork is the same in a smaller pass, so that none is filled up
    """

    pattern: Tensor
    denoised_at_once: int = 1
    rounds_alike: bool = False

    def __init__(
        self,
        shape: Sequence[int],
        levels: int,
        bijection: Bijection,
        alpha: float | None = 0.05,
        scale_of: Tensor | None = None,
        classes: int = 0,
        noise: float = 0.0,
    ) -> None:
        super().__init__(shape, levels, shape, exact=False, classes=classes)
        self.bijection = bijection
        self.alpha = None if noise else alpha
        self.noise_deviation = noise
        self.needs_gradient = noise > 0
        if scale_of is not None:
            self.scale_of.copy_(scale_of)
        # Outside training, all artworks share one draw of u, so that log p depends on the artwork alone.
        u = self.draw_points(self.shape, torch.Generator().manual_seed(0), torch.float64)
        self.register_buffer("pattern", u.float(), persistent=False)

    def draw_points(
        self,
        shape: Sequence[int],
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Draw u of artworks, in levels: even in [0, 1), or Gaussian noise around the middle of the level."""
        if not self.noise_deviation:
            return torch.rand(shape, generator=generator, dtype=dtype, device=device)
        eps = torch.randn(shape, generator=generator, dtype=dtype, device=device)
        return 0.5 + self.noise_deviation * self.levels * eps

    def _squash(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return h and log |dh/dy| of each entry, for y in [0, 1]."""
        if self.alpha is None:
            return y - 0.5, torch.zeros_like(y)
        p = self.alpha + (1 - 2 * self.alpha) * y
        return torch.logit(p), math.log(1 - 2 * self.alpha) - torch.log(p) - torch.log1p(-p)

    def _levels(self, h: Tensor) -> Tensor:
        """Return the levels of squashed values h of any size."""
        y = h + 0.5 if self.alpha is None else (torch.sigmoid(h) - self.alpha) / (1 - 2 * self.alpha)
        whole = torch.uint8 if self.levels <= 256 else torch.int32
        return (y * self.levels).floor().clamp(0, self.levels - 1).to(whole)

    def _price(self, x: Tensor, c: Tensor | None, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return z, and log |det ∂z/∂x| `(B,)` with x in levels."""
        self._need(c)
        h, constant = self.dequantise(x, u)
        z, ladj = self.bijection(h, c)
        return z, ladj + constant

    def dequantise(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return h, and log |det ∂h/∂x| `(B,)` with x in levels."""
        h, slopes = self._squash((x.to(self.dtype) + u) / self.levels)
        return h, sum_entries(slopes) - math.prod(self.shape) * math.log(self.levels)

    def log_prob(self, x: Tensor, c: Tensor | None = None, u: Tensor | None = None) -> Tensor:
        """Return a lower bound of log p(x | c) in nats, `(B,)`. u `(B, *shape)` replaces the fixed draw."""
        if u is None:
            drawn = self.training
            u = self.draw_points(x.shape, None, self.dtype, x.device) if drawn else self.pattern.to(self.dtype)
        if self.classes and c is None:
            return torch.logsumexp(self.log_prob_of_classes(x, u), 1) - math.log(self.classes)
        z, ladj = self._price(x, c, u)
        return ladj + sum_entries(_log_normal(z))

    def log_prob_of_classes(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        every = torch.arange(self.classes, device=x.device)
        return torch.stack([self.log_prob(x, c.expand(len(x)), u) for c in every], 1)

    def _need(self, c: Tensor | None) -> None:
        if self.classes and c is None:
            raise ValueError(f"this model has {self.classes} classes, and none was given")

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        self._need(c)
        h, constant = self.dequantise(x, self.pattern.to(self.dtype))
        price = constant
        for z, ladj in self.bijection.forward_steps(h, c):
            yield None
            price = constant + ladj + sum_entries(_log_normal(z))
        yield price

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return bits `(B, *shape)`, of which only the sum is meaningful.

        Each entry has the bits of its own noise and an equal share of the log-determinant.
        """
        *_, bits = self.surprisal_steps(x, c)
        assert bits is not None, "the last step is the result"
        return bits

    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        self._need(c)
        h, constant = self.dequantise(x, self.pattern.to(self.dtype))
        bits = torch.zeros_like(h)
        for z, ladj in self.bijection.forward_steps(h, c):
            yield None
            share = ((ladj + constant) / math.prod(self.shape)).view(-1, *[1] * len(self.shape))
            bits = -(_log_normal(z) + share) / math.log(2)
        yield bits

    def encode(self, x: Tensor, c: Tensor | None = None, u: Tensor | None = None) -> Tensor:
        """Return the latent of the middle of each level, or of the points u in each level.

        The middle leaves decoding half a level of room. The latent is nearer to 0 than standard noise if the model is
        sure of an entry to within a level, as on blank paper: with the shipped models its standard deviation is 0.47
        (letters) to 1.05 (photographs) on test pictures.
        """
        return self._price(x, c, torch.full_like(self.pattern, 0.5, dtype=self.dtype) if u is None else u)[0]

    def dequantisation_points(self, x: Tensor, seed: int) -> Tensor:
        """Return other points u in the levels of x, drawn from a seed. Their latents decode to x, too.

        The lowest and the highest level have no neighbour on one side, so the most room is at their outer ends. In all
        others it is in the middle.
        """
        drawn = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        if self.noise_deviation:
            return (0.5 + INNER * (drawn - 0.5)).to(x.device, self.dtype)
        outer = OUTER * drawn.to(x.device, self.dtype)
        middle = torch.full_like(outer, 0.5)
        return torch.where(x == 0, outer, torch.where(x == self.levels - 1, 1 - outer, middle))

    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        if keep is not None:
            raise ValueError("a flow draws at once and cannot keep part of an artwork")
        self._need(c)
        total = self.bijection.steps + self.needs_gradient
        for done, h in enumerate(self.bijection.inverse_steps(z * temperature, c), 1):
            yield DecodingStep(self._levels(h), done, total)
        if not self.needs_gradient:
            return
        parts = []
        for begin in range(0, len(h), self.denoised_at_once):
            rest = begin + self.denoised_at_once
            rows = slice(begin, rest)
            parts.append(self._denoise(h[rows], None if c is None else c[rows]))
            yield DecodingStep(self._levels(torch.cat((*parts, h[rest:]))), total - (rest < len(h)), total)

    def decode(self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0) -> Tensor:
        if self.needs_gradient:
            return super().decode(z, c, temperature)
        self._need(c)
        return self._levels(self.bijection.inverse(z * temperature, c))

    def _denoise(self, h: Tensor, c: Tensor | None) -> Tensor:
        """Return h + σ² ∇ log p(h) of at most `denoised_at_once` artworks; an artwork without noise stays as it is."""
        if self.training:  # a batch norm would follow the sample
            self.eval()
            try:
                return self._denoise(h, c)
            finally:
                self.train()
        # The rounding of a row depends on how many rows there are.
        missing = 0 if self.rounds_alike else self.denoised_at_once - len(h)
        with torch.inference_mode(False), torch.enable_grad():
            y = torch.cat((h, h.new_zeros(missing, *h.shape[1:]))).requires_grad_()
            z, ladj = self.bijection(y, None if c is None else torch.cat((c, c.new_zeros(missing))))
            (slope,) = torch.autograd.grad((ladj + sum_entries(_log_normal(z))).sum(), y)
        denoised = h + self.noise_deviation**2 * slope[: len(h)]
        levels = (h + 0.5) * self.levels
        middles = levels.floor().clamp(0, self.levels - 1) + 0.5
        is_clean = ((levels - middles).abs() < NEAR_MIDDLE).flatten(1).all(1)
        return torch.where(is_clean.view(-1, *[1] * len(self.shape)), h, denoised)


def _log_normal(z: Tensor) -> Tensor:
    return -0.5 * (z.square() + math.log(2 * math.pi))
