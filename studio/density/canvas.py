"""Draw pictures of any size with a model without borders.

Let N(t) be the pixels before t that are at most `reach` rows above it and `reach` columns beside it. A network of
convolutions computes p(x_t | N(t)) in the same way at every place, so it defines a stationary field: a picture without
end. Of N(t) it sees what lies in the picture. Zeros stand for the rest, in every layer, and mean that it is unknown.

    ln p(x) = Σ_t ln p(x_t | N(t) ∩ x)             a picture of any size, nothing around it being known
    ln p(x | f) = Σ_t ln p(x_t | N(t))             inside a frame f that covers N(t) of each of its pixels

Both are exact. The sum over all pictures x is 1 in each case, because the last pixel's probabilities sum to 1, then
those of the last but one, and so on. Training lowers the second sum, with f the margin of a training picture, and with
a small weight the first one, because drawing has to begin somewhere.

A canvas is drawn with a frame, which is then cut off. A seamless one is drawn with some more rows and columns at its
end, in which it is cut so that opposite edges continue each other (`density.seams`).
"""

import hashlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from studio.density.autoregressive import Autoregressive, PixelEntropies
from studio.density.model import DecodingStep
from studio.density.seams import OVERLAP, least_side, surprisal_in_bands, wrap_columns, wrap_rows

FRAME = 8
"""Rows above and columns beside a canvas that are drawn first and cut off."""
SEAMS = 2
"""Steps after the last row of a seamless canvas: its columns are wrapped, then its rows."""


class Canvas(Autoregressive):
    """Draws pictures `(channels, height, width)` with a trained model of other pictures, whose network it shares.

    Its `surprisal` is that of a picture around which nothing is known. The latent is the noise of the canvas; that of
    the frame follows from it. Since encoding has no frame, decoding does not restore an encoded picture.

    Arguments
        priced_by: the model that computes the bits of cuts, if `model` is a sharpened one, which has none

    Raises ValueError if the model has borders, or if a seamless canvas is too small.
    """

    invertible = False

    def __init__(
        self,
        model: Autoregressive,
        height: int,
        width: int,
        *,
        seamless: bool = False,
        priced_by: Autoregressive | None = None,
    ) -> None:
        if not model.margin:
            raise ValueError("the model learned with borders, so it draws only pictures of its own size")
        if seamless and min(height, width) < (least := least_side(model.margin)):
            raise ValueError(
                f"a seamless picture of this model has {least} pixels a side or more,"
                f" and {width} × {height} were asked for"
            )
        super().__init__((model.shape[0], height, width), model.levels, model.net, model.conditional, model.classes)
        self.reach = model.margin
        self.seamless = seamless
        self.priced_by = priced_by
        self.to(model.scale_of.device).train(model.training)

    @torch.no_grad()
    def decode_steps(
        self,
        z: Tensor,
        c: Tensor | None = None,
        temperature: float | Tensor = 1.0,
        keep: Tensor | None = None,
        entropies: PixelEntropies | None = None,
    ) -> Iterator[DecodingStep]:
        """Decode as `Model.decode_steps` does. With pixels to keep there is no frame: the picture begins with them."""
        if keep is not None:
            yield from super().decode_steps(z, c, temperature, keep, entropies)
            return
        frame = _Frame(FRAME, OVERLAP if self.seamless else 0)
        temperature = torch.as_tensor(temperature, device=z.device, dtype=self.dtype).expand(z.shape)
        framed_temperature = frame.extend(temperature)
        record = None if entropies is None else PixelEntropies(frame.extend(entropies.bits[:, None])[:, 0])
        noise = frame.noise_around(z)
        framed = Autoregressive(noise.shape[1:], self.levels, self.net, self.conditional, self.classes)
        height = self.shape[1]
        total = height + (OVERLAP + SEAMS if self.seamless else 0)
        done = 0
        x = torch.zeros_like(z, dtype=torch.uint8)
        for step in framed.to(z.device).decode_steps(noise, c, framed_temperature, None, record):
            if step.done - FRAME > done:
                done = step.done - FRAME
                x = frame.inside(step.x)
                if entropies is not None and record is not None and done <= height:
                    entropies.bits[:, done - 1] = frame.inside(record.bits)[:, done - 1]
            if entropies is not None and record is not None:
                record.is_recorded = entropies.is_recorded
            if done < height:  # it may have changed
                framed_temperature[..., FRAME + done, :] = frame.extend(temperature[..., done : done + 1, :])[..., 0, :]
            yield DecodingStep(x, done, total)
        if self.seamless:
            yield from self._wrap_steps(step.x[..., :-FRAME], x, c, total)

    def _wrap_steps(self, framed: Tensor, x: Tensor, c: Tensor | None, total: int) -> Iterator[DecodingStep]:
        """Make pictures x seamless, from the same with frames and overlaps `(B, C, FRAME + H + OVERLAP, …)`."""
        found = list(torch.split(framed, 1))
        for seam, wrap in enumerate((wrap_columns, wrap_rows)):
            for i, one in enumerate(found):
                pricing = self if self.priced_by is None else self.priced_by
                cutting = wrap(pricing, self.reach, one, None if c is None else c[i : i + 1], FRAME)
                try:
                    while True:
                        next(cutting)
                        yield DecodingStep(x, total - SEAMS + seam, total)
                except StopIteration as end:
                    found[i] = end.value
        yield DecodingStep(torch.cat(found), total, total)

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        *_, bits = self.surprisal_steps(x, c)
        assert bits is not None, "the last step is the result"
        return bits

    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        pictures = []
        for i, one in enumerate(torch.split(x, 1)):
            pictures.append((yield from surprisal_in_bands(self, self.reach, one, None if c is None else c[i : i + 1])))
        yield torch.cat(pictures)

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if self.classes and c is None:
            return super().log_prob(x, c)
        return -math.log(2) * self.surprisal(x, c).flatten(1).sum(1)

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        for bits in self.surprisal_steps(x, c):
            yield None if bits is None else -math.log(2) * bits.flatten(1).sum(1)


class _Frame:
    """Adds rows above a canvas and columns beside it, and overlaps below and at the right."""

    def __init__(self, width: int, overlap: int) -> None:
        self.width = width
        self.overlap = overlap

    def inside(self, framed: Tensor) -> Tensor:
        """Return what lies inside the frame, `(…, H, W)`."""
        height, width = framed.shape[-2:]
        return framed[..., self.width : height - self.overlap, self.width : width - self.width - self.overlap]

    def extend(self, x: Tensor) -> Tensor:
        """Return numbers `(B, C, H, W)` with a frame and overlaps that repeat those at the edge."""
        return pad(x, (self.width, self.width + self.overlap, self.width, self.overlap), mode="replicate")

    def noise_around(self, z: Tensor) -> Tensor:
        """Return latents `(B, C, H, W)` with noise around them, whose seeds are digests of the latents."""
        framed = []
        for one in z:
            digest = hashlib.blake2b(one.float().cpu().numpy().tobytes(), digest_size=7).digest()
            stream = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
            noise = torch.randn(self.extend(one[None])[0].shape, generator=stream).to(z)
            self.inside(noise).copy_(one)
            framed.append(noise)
        return torch.stack(framed)
