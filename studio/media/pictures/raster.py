"""Convert decoded samples of any depth to 8 bits, sRGB and an opaque ground.

That happens in bands of rows, to save memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from studio.media.pictures import colour

BAND = 2**21
"""The number of pixels of a band, so that a conversion needs little memory besides the picture."""
NARROW = 0.25
"""The share of its range below which a deep picture is called narrow: 14 bits kept in 16 are a quarter."""
NARROW_NOTE = "it uses only"
NO_RANGE = (0.0, 0.0)


WHITE = (255, 255, 255)
TRANSPARENT = "transparency was put over white"
TURNED = "turned upright as its camera noted"
CUT = "is cut off"
DAMAGED = "is damaged"
TORN = "is cut off or damaged"
BROKEN = "damaged in places: what is there is shown"
FOREIGN = "is of a type that is not read here"
_HINTS = {
    CUT: "Try saving it again from where it came.",
    DAMAGED: "Try saving it again from where it came.",
    TORN: "Try saving it again from where it came.",
    FOREIGN: "Save it as PNG with the program that made it.",
}


class UnreadablePicture(ValueError):
    """States why a file cannot be used. It continues from the name: `is cut off`."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint or _HINTS.get(reason, "")


@dataclass(frozen=True)
class Raster:
    """Describes samples as a file holds them, and hands them out in bands."""

    height: int
    width: int
    mode: str
    """The channels in Pillow's words: L, RGB, CMYK, LAB."""
    bands: Callable[[], Iterator[np.ndarray]]
    """Yields (rows, width, channels) from the top. If there is a channel beyond those of `mode`, it is the opacity."""
    white: float | None
    """The largest value that a sample can have. None: fractions, or values with a sign."""
    bits: int = 8
    inverted: bool = False
    """True if the smallest value is white."""
    associated: bool = False
    """True if colours were multiplied by the opacity."""
    profile: bytes | None = None
    """The ICC profile; empty if it could not be read."""
    curve: colour.ColourCurve | None = None
    """The curve from values to light, if the file states it without a profile."""
    orientation: int = 1
    notes: tuple[str, ...] = ()


@dataclass
class _ValueRange:
    """Gathers the smallest and largest finite value."""

    low: float = np.inf
    high: float = -np.inf
    holes: bool = False
    """True if some values are NaN."""

    def add(self, values: np.ndarray) -> None:
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            if not finite.all():
                self.holes = True
                values = values[finite]
        if values.size:
            self.low = min(self.low, float(values.min()))
            self.high = max(self.high, float(values.max()))


@dataclass(frozen=True)
class DevelopedPicture:
    """Holds a picture in 8 bits, sRGB, over white."""

    array: np.ndarray
    """The pixels, (height, width, 3) uint8."""
    stretched: np.ndarray | None
    """The pixels with their values spread from black to white; None if they are spread already."""
    notes: tuple[str, ...]


@dataclass
class _BandResults:
    """Holds what is learned about a picture while its bands are converted."""

    ground: Sequence[int]
    range: _ValueRange = field(default_factory=_ValueRange)
    transparent: bool = False


def develop_raster(raster: Raster, ground: Sequence[int] = WHITE) -> DevelopedPicture:
    """Convert all bands of a raster, with the colour `ground` behind transparent parts."""
    notes = [*raster.notes, *([TURNED] if raster.orientation in range(2, 9) else [])]
    convert, colour_notes = _conversion(raster)
    low, high = _black_and_white(raster, notes)
    work = _BandResults(ground=ground)
    array = _convert_bands(raster, convert, low, high, work)
    if raster.bits > 8:
        notes.append(f"{raster.bits} bits a colour were rounded to 8")
    stretched = None
    used = work.range
    if raster.white != 255 and used.low < used.high <= high and used.high - used.low <= NARROW * (high - low):
        stretched = _convert_bands(raster, convert, used.low, used.high, work)
        first, last = ((value - low) / (high - low) * 100 for value in (used.low, used.high))
        notes.append(f"{NARROW_NOTE} {first:.0f} % to {last:.0f} % of its range")
    notes += colour_notes
    if work.transparent:
        notes.append(TRANSPARENT if tuple(work.ground) == WHITE else "transparency was put over a colour")
    upright = _turn_upright(array, raster.orientation)
    return DevelopedPicture(
        upright, None if stretched is None else _turn_upright(stretched, raster.orientation), tuple(notes)
    )


def _conversion(raster: Raster) -> tuple[colour.ColourConversion, list[str]]:
    """Return the conversion to sRGB, and notes for the user."""
    if raster.curve is not None:
        return raster.curve, [raster.curve.note]
    convert, notes = colour.conversion(raster.mode, raster.profile, raster.bits > 8)
    if raster.mode not in ("L", "RGB"):
        notes = [*notes, f"{raster.mode} colours were converted to RGB"]
    return convert, notes


def _black_and_white(raster: Raster, notes: list[str]) -> tuple[float, float]:
    """Return the values of black and white.

    The type of samples defines them, otherwise they are the smallest and the largest value.
    """
    if raster.white is not None:
        return 0.0, raster.white
    used = _ValueRange()
    for band in raster.bands():
        used.add(_split_opacity(raster, band)[0])
    if used.holes:
        notes.append("values that are not numbers became black")
    if used.low > used.high:
        return NO_RANGE
    if used.low >= 0 and used.high <= 1:
        return 0.0, 1.0
    notes.append(f"its values from {used.low:,.6g} to {used.high:,.6g} were spread from black to white")
    return used.low, used.high


def _split_opacity(raster: Raster, band: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the colours and the opacity of a band."""
    channels = len(raster.mode)
    return band[..., :channels], band[..., channels] if band.shape[2] > channels else None


def _convert_bands(
    raster: Raster, convert: colour.ColourConversion, low: float, high: float, work: _BandResults
) -> np.ndarray:
    """Return (height, width, 3) uint8 with `low` as black and `high` as white."""
    array = np.empty((raster.height, raster.width, 3), np.uint8)
    top = 0
    for band in raster.bands():
        values, opacity = _split_opacity(raster, band)
        work.range.add(values)
        scale = colour.LevelScale(low, high, raster.inverted)
        opaque = colour.LevelScale(0.0, raster.white or 1.0)
        if raster.associated and opacity is not None:
            part = colour.levels_to_fractions(opacity, opaque)[..., None]
            values = colour.levels_to_fractions(values, scale) / np.maximum(part, 1e-6)
            scale = colour.LevelScale(0.0, 1.0)
        rgb = convert(values, scale)
        if opacity is not None and opacity.min() < opaque.high:
            rgba = np.concatenate([rgb, colour.fractions_to_levels(opacity, opaque)[..., None]], axis=2)
            rgb = compose_over(rgba, work.ground)
            work.transparent = True
        array[top : top + len(band)] = rgb
        top += len(band)
    return array


def compose_over(rgba: np.ndarray, over: int | Sequence[int] = 255) -> np.ndarray:
    """Put (…, 4) uint8 with straight alpha over a grey or a colour: (…, 3) uint8, rounded to nearest."""
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + np.asarray(over, np.uint16) * (255 - alpha)  # at most 255², which fits
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def _turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture (height, width, channels) as EXIF says: 1 to 8; 1 is upright."""
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
