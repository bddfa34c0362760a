"""Draw pictures of any size with a model without borders.

Let N(t) be the pixels before t that are at most `reach` rows above it and `reach` columns beside it. A network of
convolutions computes p(x_t | N(t)) in the same way at every place, so it defines a stationary field: a picture without
end. Of N(t) it sees what lies in the picture. Zeros stand for the rest, in every layer, and mean that it is unknown.

    ln p(x) = Σ_t ln p(x_t | N(t) ∩ x)             a picture of any size, nothing around it being known
    ln p(x | f) = Σ_t ln p(x_t | N(t))             inside a frame f that covers N(t) of each of its pixels

Both are exact. The sum over all pictures x is 1 in each case, because the last pixel's probabilities sum to 1, then
those of the last but one, and so on. Training lowers the second sum, with f the margin of a training picture, and with
a small weight the first one, because drawing has to begin somewhere.

A canvas is drawn with a frame, which is then cut off. In a seamless one the rows above are wrapped around: pixels
beyond one side are those at the other side.
"""

import hashlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from studio.density.autoregressive import Autoregressive, PixelEntropies
from studio.density.model import DecodingStep

FRAME = 8
"""Rows above and columns beside a canvas that are drawn first and cut off."""
BAND = 64
"""Rows whose bits are computed together, to save memory."""


class Canvas(Autoregressive):
    """Draws pictures `(channels, height, width)` with a trained model of other pictures, whose network it shares.

    Its `surprisal` is that of a picture around which nothing is known. The latent is the noise of the canvas; that of
    the frame follows from it. Since encoding has no frame, decoding does not restore an encoded picture.

    Raises ValueError if the model has borders, or if a seamless canvas is smaller than its reach.
    """

    invertible = False

    def __init__(self, model: Autoregressive, height: int, width: int, *, seamless: bool = False) -> None:
        if not model.margin:
            raise ValueError("the model learned with borders, so it draws only pictures of its own size")
        if seamless and min(height, width) < model.margin:
            raise ValueError(
                f"a seamless picture of this model has {model.margin} pixels a side or more,"
                f" and {width} × {height} were asked for"
            )
        super().__init__((model.shape[0], height, width), model.levels, model.net, model.conditional, model.classes)
        self.reach = model.margin
        self.seamless = seamless
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
        _, height, width = self.shape
        frame = _Frame(FRAME, self.reach if self.seamless else FRAME)
        temperature = torch.as_tensor(temperature, device=z.device, dtype=self.dtype).expand(z.shape)
        framed_temperature = frame.extend(temperature)
        framed = _FramedCanvas(self, frame)
        record = None if entropies is None else PixelEntropies(frame.extend(entropies.bits[:, None])[:, 0])
        done = 0
        x = torch.zeros_like(z, dtype=torch.uint8)
        for step in framed.decode_steps(frame.noise_around(z), c, framed_temperature, None, record):
            if step.done - frame.top > done:
                done = step.done - frame.top
                x = frame.inside(step.x)
                if entropies is not None and record is not None:
                    entropies.bits[:, done - 1] = frame.inside(record.bits)[:, done - 1]
            if entropies is not None and record is not None:
                record.is_recorded = entropies.is_recorded
            if done < height:  # it may have changed
                framed_temperature[..., frame.top + done, :] = frame.extend_row(temperature[..., done, :])
            yield DecodingStep(x, done, height)

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        *_, bits = self.surprisal_steps(x, c)
        assert bits is not None, "the last step is the result"
        return bits

    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Compute the bits band by band. Each band is computed with the rows above that it depends on."""
        self._check_class(c)
        pictures = []
        for i, one in enumerate(torch.split(x, 1)):
            bands = []
            for top in range(0, x.shape[2], BAND):
                first = max(top - self.reach, 0)
                bits = super().surprisal(one[:, :, first : top + BAND], None if c is None else c[i : i + 1])
                bands.append(bits[:, :, top - first :])
                yield None
            pictures.append(torch.cat(bands, 2))
        yield torch.cat(pictures)

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if self.classes and c is None:
            return super().log_prob(x, c)
        return -math.log(2) * self.surprisal(x, c).flatten(1).sum(1)

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        for bits in self.surprisal_steps(x, c):
            yield None if bits is None else -math.log(2) * bits.flatten(1).sum(1)


class _Frame:
    """Holds how many rows are drawn above a canvas and how many columns on either side."""

    def __init__(self, top: int, side: int) -> None:
        self.top = top
        self.side = side

    def inside(self, framed: Tensor) -> Tensor:
        """Return what lies inside the frame, `(…, H, W)`."""
        return framed[..., self.top :, self.side : -self.side]

    def extend(self, x: Tensor) -> Tensor:
        """Return numbers `(B, C, H, W)` with a frame that repeats those at the edge."""
        return pad(x, (self.side, self.side, self.top, 0), mode="replicate")

    def extend_row(self, row: Tensor) -> Tensor:
        """Return a row `(B, C, W)` with a frame that repeats the numbers at its ends."""
        return pad(row, (self.side, self.side), mode="replicate")

    def noise_around(self, z: Tensor) -> Tensor:
        """Return latents `(B, C, H, W)` with the noise of their frames, whose seeds are digests of the latents."""
        framed = []
        for one in z:
            digest = hashlib.blake2b(one.float().cpu().numpy().tobytes(), digest_size=7).digest()
            stream = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
            channels, height, width = one.shape
            noise = torch.randn(channels, self.top + height, width + 2 * self.side, generator=stream)
            framed.append(noise.to(z))
            self.inside(framed[-1]).copy_(one)
        return torch.stack(framed)


class _FramedCanvas(Autoregressive):
    """Draws a canvas with its frame. If it is seamless, every finished row continues at its other end."""

    def __init__(self, canvas: Canvas, frame: _Frame) -> None:
        channels, height, width = canvas.shape
        shape = (channels, frame.top + height, width + 2 * frame.side)
        super().__init__(shape, canvas.levels, canvas.net, canvas.conditional, canvas.classes)
        self.wrapped = frame.side if canvas.seamless else 0

    def _sub_pixels(self, seen: Tensor, c: Tensor | None) -> Iterator[tuple[int, int, int, Tensor]]:
        channels, _, width = self.shape
        for k, i, j, numbers in super()._sub_pixels(seen, c):
            yield k, i, j, numbers
            if self.wrapped and (k, j) == (channels - 1, width - 1):
                side = self.wrapped
                seen[:, :, i, :side] = seen[:, :, i, width - 2 * side : width - side].clone()
                seen[:, :, i, width - side :] = seen[:, :, i, side : 2 * side].clone()
