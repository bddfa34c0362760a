"""Draw maps of each pixel's bits: the scale that compared maps share, its colours and its legend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Array = np.ndarray[Any, Any]

COLOURS = ("#000000", "#2D1160", "#721F81", "#B63679", "#F1605D", "#FEAF77", "#FCFDBF")
"""Colours of rising lightness, so that a map can be read in grey, too."""
TAILS = 0.5
"""Percent of pixels at either end that the colours ignore, so that one odd pixel does not darken the map."""
PLATE_SIDE = 320
"""The least pixels of a plate's picture and map, if that is a whole multiple."""
_MARGIN = 12
_BAR = 12
_SIZE = 14
_GROUND = "#121213"
_TEXT = "#EDEDEE"


@dataclass(frozen=True)
class ColourScale:
    """Holds the bits of the end colours and the range of the legend."""

    low: float
    high: float
    least: float
    most: float
    is_bound: bool
    """True if only the sum of a map is meaningful: each pixel has a share of it."""
    with_noise: bool = False
    """Whether the bits are those of the picture plus noise."""

    @classmethod
    def over_range(cls, low: float, high: float, bound: bool, with_noise: bool = False) -> "ColourScale":
        """Return the scale for a range, its ends rounded outwards.

        Exact bits begin at 0; differences may be negative.
        """
        high = max(high, low + 1e-6)
        if not bound:
            low = 0.0
        step = _round_step(high - low)
        low = math.floor(low / step + 1e-6) * step
        high = math.ceil(high / step - 1e-6) * step
        return cls(low, high, low, high, bound, with_noise)

    @classmethod
    def of_maps(cls, maps: Sequence[Array], bound: bool, with_noise: bool = False) -> "ColourScale":
        """Return the scale for maps (height, width) that are compared."""
        found = [percentile_range(bits) for bits in maps]
        return cls.over_range(min(low for low, _ in found), max(high for _, high in found), bound, with_noise)

    @property
    def step(self) -> float:
        """Return the step by which a key moves an end."""
        return _round_step(self.most - self.least) / 2

    @property
    def description(self) -> tuple[str, str]:
        """Return the label of the last colour and a shorter one: `12 bits a pixel, exact`."""
        high = bits_text(self.high)
        if self.with_noise:
            return f"{high}, share of the total with noise", f"{high}, with noise"
        if self.is_bound:
            return f"{high}, share of the total", f"{high}, shared"
        return f"{high} a pixel, exact", f"{high}, exact"

    def with_range(self, low: float, high: float) -> "ColourScale":
        """Return the same legend with other ends, in order and inside it."""
        least_apart = self.step / 2
        low = min(max(low, self.least), self.most - least_apart)
        return replace(self, low=low, high=min(max(high, low + least_apart), self.most))

    def colour_map(self, bits: Array) -> Array:
        """Return a map (height, width) as a picture (height, width, 3) uint8."""
        share = (bits.astype(np.float64) - self.low) / max(self.high - self.low, 1e-9)
        found: Array = _RAMP[np.rint(np.nan_to_num(share).clip(0, 1) * 255).astype(int)]
        return found

    def draw_legend(self, width: int) -> Array:
        """Return the colours of the legend from end to end, (1, width, 3) uint8."""
        return self.colour_map(np.linspace(self.least, self.most, width)[None])


def percentile_range(bits: Array) -> tuple[float, float]:
    """Return the range of a map without its tails."""
    low, high = np.percentile(bits, (TAILS, 100 - TAILS))
    return float(low), float(high)


def format_bits_value(bits: float) -> str:
    """Format a value: `0`, `3.2`, `12`, `−1.5`, `0.04`."""
    text = f"{abs(bits):.1f}".removesuffix(".0") if abs(bits) >= 0.095 else f"{abs(bits):.2f}".rstrip("0").rstrip(".")
    return f"−{text}" if bits < 0 and text != "0" else text


def bits_text(bits: float) -> str:
    """Format a number of bits: `1 bit`, `12 bits`."""
    value = format_bits_value(bits)
    return f"{value} bit" if value == "1" else f"{value} bits"


def colour_ramp() -> Array:
    """Return the colours, (256, 3) uint8, evenly spaced between the named ones."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in COLOURS])
    at = np.linspace(0, len(COLOURS) - 1, 256)
    mixed = [np.interp(at, range(len(COLOURS)), stops[:, channel]) for channel in range(3)]
    found: Array = np.rint(np.stack(mixed, 1)).astype(np.uint8)
    return found


def draw_plate(picture: Array, bits: Array, scale: ColourScale) -> Array:
    """Draw a picture (height, width, 1 | 3) uint8 with its map and legend: (…, …, 3) uint8."""
    height, width = bits.shape
    times = max(1, -(-PLATE_SIDE // max(height, width)))
    pair = np.stack([np.broadcast_to(picture, (height, width, 3)), scale.colour_map(bits)])
    first, second = pair.repeat(times, 1).repeat(times, 2)
    tall = height * times
    wide = width * times
    gap = _MARGIN
    ground = Image.new("RGB", (2 * wide + 3 * gap, tall + 4 * gap + _BAR + _SIZE), _GROUND)
    ground.paste(Image.fromarray(first), (gap, gap))
    left = wide + 2 * gap
    below = tall + 2 * gap
    ground.paste(Image.fromarray(second), (left, gap))
    ground.paste(Image.fromarray(scale.draw_legend(wide).repeat(_BAR, 0)), (left, below))
    draw = ImageDraw.Draw(ground)
    font = ImageFont.load_default(_SIZE)
    draw.rectangle((left, below, left + wide - 1, below + _BAR - 1), outline="#86868C")
    low = format_bits_value(scale.low).replace("−", "-")  # the font has no minus
    row = below + _BAR + gap // 2
    draw.text((left, row), low, fill=_TEXT, font=font)
    draw.text((left + wide, row), scale.description[0], fill=_TEXT, font=font, anchor="ra")
    return np.asarray(ground)


def _round_step(span: float) -> float:
    """Return a round number that fits between five and ten times into a span."""
    rough = span / 8
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if rough <= step * power * 1.0001)


_RAMP = colour_ramp()
