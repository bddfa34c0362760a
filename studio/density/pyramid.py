"""Model a picture as a coarse one and the details on it.

    ln p(x) = ln p(coarse) + Σ ln p(δ | coarser, planes drawn before)

The base may be any model of the coarse pictures, an upsampler draws the details (Mahajan and Roth, PixelPyramids, 2021,
arXiv:2110.08787). The map from a picture to its coarse one and its differences is a bijection of whole numbers, so
log p(x) is exact if the base's is.

The latent is the base's and the noise of every difference, so the base's latent can move while the details' noise is
held. If the base's latent has the shape of its pictures, that of the pyramid has, too: the base's entries lie at the
first pixel of each square that a coarse pixel covers. Otherwise it is flat: the base's entries, then the details'.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from studio.density.model import DecodingStep, Model
from studio.density.upsampler import Upsampler

DETAIL_STREAM = 2**61
"""Added to a seed for the noise of its details. The base's noise stays that of the seed itself."""


class Pyramid(Model):
    """Computes log p(x) of a base and an upsampler. Raises ValueError if their pictures or levels differ.

    The scales of the latent are those of the base, then one for each doubling. A temperature acts on the base as it
    does alone, and on the probabilities of each difference.
    """

    scales_noise = False
    is_detail: Tensor

    def __init__(self, base: Model, upsampler: Upsampler) -> None:
        if (base.shape, base.levels) != (upsampler.coarse_shape, upsampler.levels):
            raise ValueError(
                f"the base draws {base.shape} in {base.levels} levels, but the upsampler takes"
                f" {upsampler.coarse_shape} in {upsampler.levels}"
            )
        is_detail = torch.ones(upsampler.shape, dtype=torch.bool)
        is_detail[..., :: upsampler.factor, :: upsampler.factor] = False
        is_placed = base.latent_shape == base.shape
        flat = (math.prod(base.latent_shape) + int(is_detail.sum()),)
        latent_shape = upsampler.shape if is_placed else flat
        super().__init__(upsampler.shape, upsampler.levels, latent_shape, exact=base.exact, classes=base.classes)
        self.base = base
        self.upsampler = upsampler
        self.invertible = base.invertible
        self.can_inpaint = base.can_inpaint
        self.initialisation_count = base.initialisation_count
        self.register_buffer("is_detail", is_detail, persistent=False)
        self._is_placed = is_placed
        scales = self.join_latent(base.scale_of[None], upsampler.scale_of[None] + base.scales)
        self.scale_of.copy_(scales[0])

    @property
    def dtype(self) -> torch.dtype:
        return self.upsampler.dtype

    # ── latents ─────────────────────────────────────────────────────────────────────────────────

    def join_latent(self, of_base: Tensor, of_details: Tensor) -> Tensor:
        """Return the latent of a base's `(B, *base.latent_shape)` and the details' `(B, *shape)`."""
        if not self._is_placed:
            return torch.cat((of_base.flatten(1), of_details[:, self.is_detail]), 1)
        z = of_details.clone()
        self._coarse_entries(z).copy_(of_base)
        return z

    def base_latent(self, z: Tensor) -> Tensor:
        """Return the base's part of latents z `(B, *latent_shape)`."""
        if self._is_placed:
            return self._coarse_entries(z)
        return z[:, : math.prod(self.base.latent_shape)].reshape(len(z), *self.base.latent_shape)

    def detail_latent(self, z: Tensor) -> Tensor:
        """Return the details' part of latents z, `(B, *shape)`. Its coarse entries mean nothing."""
        if self._is_placed:
            return z
        found = torch.zeros(len(z), *self.shape, device=z.device, dtype=z.dtype)
        found[:, self.is_detail] = z[:, math.prod(self.base.latent_shape) :]
        return found

    def _coarse_entries(self, z: Tensor) -> Tensor:
        return z[..., :: self.upsampler.factor, :: self.upsampler.factor]

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Return standard noise. The base's part is its own noise of the same seeds."""
        streams = [torch.Generator().manual_seed(seed + DETAIL_STREAM) for seed in seeds]
        details = torch.stack([torch.randn(self.shape, generator=stream) for stream in streams])
        return self.join_latent(self.base.noise(seeds), details.to(self.scale_of.device, self.dtype))

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        *_, z = self.encode_steps(x, c)
        assert z is not None, "the last step is the latent"
        return z

    def encode_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        of_base = of_details = torch.empty(0)
        for found in self.base.encode_steps(self.upsampler.coarse(x), c):
            yield None
            of_base = of_base if found is None else found
        for found in self.upsampler.encode_steps(x):
            yield None
            of_details = of_details if found is None else found
        yield self.join_latent(of_base, of_details)

    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        """Decode the base, then the details. Previews of the base have squares of one level.

        A coarse pixel is kept if all pixels below it are. If only some are, the base draws it freely, and its level is
        then moved to the nearest one that the kept pixels leave possible.
        """
        temperatures = torch.as_tensor(temperature, device=z.device, dtype=self.dtype).expand(z.shape)
        kept = None if keep is None else self._kept_by_base(keep)
        splits = len(self.upsampler.doublings) * len(self.upsampler.order.splits)
        step = DecodingStep(torch.empty(0), 0, 0)
        for step in self.base.decode_steps(self.base_latent(z), c, self.base_latent(temperatures), kept):
            yield DecodingStep(self._enlarged(step.x), step.done, step.total + splits)
        coarse, _, before = step
        for step in self.upsampler.decode_steps(self.detail_latent(z), coarse, self.detail_latent(temperatures), keep):
            yield DecodingStep(step.x, before + step.done, before + step.total)

    def _kept_by_base(self, keep: Tensor) -> Tensor:
        low, high = self.upsampler.bounds_of(keep)[0]
        return torch.where(low == high, low, -1)

    # ── prices ──────────────────────────────────────────────────────────────────────────────────

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return bits `(B, *shape)`. The bits of a coarse pixel and of a difference are spread over their pixels."""
        *_, bits = self.surprisal_steps(x, c)
        assert bits is not None, "the last step is the result"
        return bits

    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        bits = torch.empty(0)
        for found in self.base.surprisal_steps(self.upsampler.coarse(x), c):
            yield None
            bits = bits if found is None else found
        of_details = []
        for one in torch.split(x, 1):
            of_details.append(self.upsampler.surprisal(one))
            yield None
        yield self._enlarged(bits) / self.upsampler.factor**2 + torch.cat(of_details)

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return self.base.log_prob(self.upsampler.coarse(x), c) + self.upsampler.log_prob(x)

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        total = torch.zeros(len(x), device=x.device, dtype=self.dtype)
        for steps in (self.base.log_prob_steps(self.upsampler.coarse(x), c), self.upsampler.log_prob_steps(x)):
            for found in steps:
                yield None
                total = total if found is None else total + found
        yield total

    def log_prob_of_classes(self, x: Tensor) -> Tensor:
        return self.base.log_prob_of_classes(self.upsampler.coarse(x)) + self.upsampler.log_prob(x)[:, None]

    def _enlarged(self, coarse: Tensor) -> Tensor:
        factor = self.upsampler.factor
        return coarse.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
