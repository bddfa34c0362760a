"""Convert the colours of a file to sRGB, by a profile or by curves."""

import functools
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

MOST_PROFILE = 4 * 2**20
"""Bytes of the largest ICC profile that is used."""
SRGB = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""The chromaticities (x, y) of white, red, green and blue (IEC 61966-2-1)."""
_D50 = np.array([0.9642, 1.0, 0.8249])
"""XYZ of the white to which ICC profiles refer."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
LEFT_OUT = "its colour profile could not be read and was left out"
CONVERTED = "its colour profile was converted to sRGB"
HDR = "its HDR colours were taken as sRGB"
HDR_TRANSFERS = (16, 18)
"""PQ and HLG among the transfer characteristics of ITU-T H.273."""
_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}

Points = tuple[tuple[float, float], ...]
Function = Callable[[np.ndarray], np.ndarray]


class LevelScale(NamedTuple):
    """States which values are black and white."""

    low: float
    high: float
    inverted: bool = False
    """True if `low` is white and `high` is black."""


ColourConversion = Callable[[np.ndarray, LevelScale], np.ndarray]
"""Converts (rows, width, channels) to (rows, width, 3) uint8 in sRGB."""


def levels_to_fractions(values: np.ndarray, scale: LevelScale) -> np.ndarray:
    """Return values as fractions from 0 (black) to 1 (white). Values beyond are clipped. NaN counts as `low`."""
    exact = np.float32 if values.dtype.itemsize <= 2 else np.float64
    part: np.ndarray = np.subtract(values, scale.low, dtype=exact)
    np.divide(part, (scale.high - scale.low) or 1.0, out=part)
    np.clip(part, 0, 1, out=part)
    if values.dtype.kind == "f":
        part[np.isnan(part)] = 0
    return 1 - part if scale.inverted else part


def fractions_to_levels(values: np.ndarray, scale: LevelScale) -> np.ndarray:
    """Return values as bytes, rounded to nearest."""
    if values.dtype == np.uint8 and scale == LevelScale(0, 255):
        return values
    of_table = values.dtype in (np.uint8, np.uint16)
    part = levels_to_fractions(_all_values(values.dtype) if of_table else values, scale)
    rounded: np.ndarray = np.rint(part * 255).astype(np.uint8)
    return rounded[values] if of_table else rounded


def _all_values(dtype: np.dtype) -> np.ndarray:
    """Return all values of an unsigned type. Converting each of them once gives a table for all pixels."""
    return np.arange(np.iinfo(dtype).max + 1, dtype=dtype)


@dataclass(frozen=True)
class ColourCurve:
    """Converts values at full depth: to linear light, by a matrix, and to sRGB."""

    light: tuple[Function, ...]
    """The functions from fractions to linear light: one for all channels, or one for each."""
    matrix: np.ndarray | None
    """(3, 3), from linear RGB of the file to linear sRGB. None: the primaries are the same."""
    note: str

    def __call__(self, values: np.ndarray, scale: LevelScale) -> np.ndarray:
        """Convert (rows, width, 1 | 3) to (rows, width, 3) uint8 in sRGB."""
        channels = range(values.shape[2])
        light = np.stack(
            [_linear_light(values[..., i], self.light[i % len(self.light)], scale) for i in channels], axis=2
        )
        if self.matrix is not None and len(channels) == 3:
            light = np.matmul(light, self.matrix.T.astype(light.dtype))
        np.clip(light, 0, 1, out=light)
        encoded: np.ndarray = _srgb_table()[np.rint(light * 65535).astype(np.uint16)]
        return encoded if len(channels) == 3 else np.repeat(encoded, 3, axis=2)


def _linear_light(values: np.ndarray, curve: Function, scale: LevelScale) -> np.ndarray:
    of_table = values.dtype in (np.uint8, np.uint16)
    light: np.ndarray = curve(levels_to_fractions(_all_values(values.dtype) if of_table else values, scale))
    return light.astype(np.float32)[values] if of_table else light


@functools.cache
def _srgb_table() -> np.ndarray:
    """Return the sRGB byte for each of 65,536 steps of linear light."""
    light = np.arange(65536) / 65535
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table: np.ndarray = np.rint(encoded * 255).astype(np.uint8)
    return table


def srgb_to_light(encoded: np.ndarray) -> np.ndarray:
    """Return the linear light of fractions that are encoded as sRGB."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def power_curve(exponent: float) -> Function:
    """Return the curve light = value ^ exponent."""
    return lambda encoded: encoded**exponent


def to_srgb(points: Points) -> np.ndarray | None:
    """Return the (3, 3) matrix from linear RGB of these chromaticities to linear sRGB. None: they are equal."""
    if np.allclose(points, SRGB, atol=0.002):  # files round them
        return None
    matrix: np.ndarray = np.linalg.inv(_to_d50(SRGB)) @ _to_d50(points)
    return matrix


def _to_d50(points: Points) -> np.ndarray:
    """Return the matrix from linear RGB to XYZ, adapted to the white of ICC profiles. Raises LinAlgError."""
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in points)
    columns = np.stack(primaries, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: np.ndarray = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ matrix
    return adapted


def conversion(mode: str, profile: bytes | None, deep: bool) -> tuple[ColourConversion, list[str]]:
    """Return the conversion of colours of a mode to sRGB, and notes about the profile.

    Arguments
        mode: L, RGB, CMYK or LAB
        profile: the ICC profile; empty if it could not be read
        deep: whether values have more than 8 bits
    """
    if mode == "LAB":
        return _profile_conversion(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"), []
    plain = functools.partial(_convert_without_profile, mode)
    if profile is None:
        return plain, []
    if not 0 < len(profile) <= MOST_PROFILE:
        return plain, [LEFT_OUT]
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = _SPACES.get(own.profile.xcolor_space.strip(), "")
        if space != mode and (mode, space) != ("L", "RGB"):
            return plain, ["its colour profile is for other colours and was left out"]
        curve = _curve_of_profile(own, profile) if deep else None
        if curve is not None:
            return curve, [CONVERTED, *_hdr_notes(profile)]
        managed = _profile_conversion(own, space)
        if "srgb" in ImageCms.getProfileDescription(own).lower() and _is_srgb(managed, mode):
            return plain, _hdr_notes(profile)
        return managed, [CONVERTED, *_hdr_notes(profile)]
    except (ImageCms.PyCMSError, OSError, ValueError, ArithmeticError, struct.error):
        return plain, [LEFT_OUT]


def _convert_without_profile(mode: str, values: np.ndarray, scale: LevelScale) -> np.ndarray:
    if mode == "RGB":
        return fractions_to_levels(values, scale)
    if mode == "L":
        return np.repeat(fractions_to_levels(values, scale), 3, axis=2)
    if values.dtype == np.uint8 and scale == LevelScale(0, 255):
        return np.asarray(_pillow_image(values, mode).convert("RGB"))
    light = 1 - levels_to_fractions(values, scale)
    return fractions_to_levels(light[..., :3] * light[..., 3:], LevelScale(0, 1))


def _pillow_image(values: np.ndarray, mode: str) -> Image.Image:
    """Return bytes (rows, width, channels) as a Pillow image. Greys are repeated if RGB is asked for."""
    if values.shape[2] == 1:
        grey = Image.fromarray(np.ascontiguousarray(values[..., 0]))
        return grey.convert("RGB") if mode == "RGB" else grey
    rows, width = values.shape[:2]
    return Image.frombytes(mode, (width, rows), np.ascontiguousarray(values).tobytes())


def _profile_conversion(own: ImageCms.ImageCmsProfile, mode: str) -> ColourConversion:
    transform = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")

    def convert(values: np.ndarray, scale: LevelScale) -> np.ndarray:
        return np.asarray(transform.apply(_pillow_image(fractions_to_levels(values, scale), mode)))

    return convert


def _is_srgb(managed: ColourConversion, mode: str) -> bool:
    """Return whether a profile changes no colour by more than a rounding."""
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    every = np.stack(np.meshgrid(*[steps] * len(mode), indexing="ij"), axis=-1).reshape(1, -1, len(mode))
    same = managed(every, LevelScale(0, 255)).astype(int) - _convert_without_profile(mode, every, LevelScale(0, 255))
    return bool(np.abs(same).max() <= 1)


# ── what Pillow does not tell of a profile ───────────────────────────────────────────────────────


def _profile_tags(profile: bytes) -> dict[bytes, bytes]:
    """Return the tags of an ICC profile with their data. Raises struct.error."""
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 200)))
    return {key: profile[at : at + size] for key, at, size in entries}


def _hdr_notes(profile: bytes) -> list[str]:
    """Return the note for the profile of an HDR picture (ICC 4.4, tag cicp)."""
    code_points = _profile_tags(profile).get(b"cicp", b"")
    return ["its HDR colours were converted for an ordinary screen"] if code_points[9:10] in (b"\x10", b"\x12") else []


def _curve_of_profile(own: ImageCms.ImageCmsProfile, profile: bytes) -> ColourCurve | None:
    """Return the conversion of a profile of curves and a matrix; None for others.

    Pillow would convert in 8 bits.
    """
    tags = _profile_tags(profile)
    if b"A2B0" in tags or own.profile.connection_space.strip() != "XYZ":
        return None
    if b"kTRC" in tags:
        return ColourCurve((_tone_curve(tags[b"kTRC"]),), None, CONVERTED)
    if not own.profile.is_matrix_shaper:
        return None
    colorants = (own.profile.red_colorant, own.profile.green_colorant, own.profile.blue_colorant)
    columns = np.array([colorant[0] for colorant in colorants if colorant is not None]).T
    tones = tuple(_tone_curve(tags[key]) for key in (b"rTRC", b"gTRC", b"bTRC"))
    return ColourCurve(tones, np.linalg.inv(_to_d50(SRGB)) @ columns, CONVERTED)


def _tone_curve(tag: bytes) -> Function:
    """Return the function of a `curv` or `para` tag (ICC.1:2022, 10.6 and 10.18). Raises ValueError, struct.error."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        points = np.array(struct.unpack_from(f">{count}H", tag, 12), float)
        if count < 2:
            return power_curve(points[0] / 256 if count else 1.0)
        return lambda encoded: np.interp(encoded, np.linspace(0, 1, count), points / 65535)
    (form,) = struct.unpack_from(">H", tag, 8)
    if tag[:4] != b"para" or form > 4:
        raise ValueError("no curve")
    given = [number / 65536 for number in struct.unpack_from(f">{(1, 3, 4, 5, 7)[form]}i", tag, 12)]
    g, a, b, c, d, e, f = _curve_parameters(form, given)
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _curve_parameters(form: int, given: list[float]) -> tuple[float, ...]:
    """Return g, a, b, c, d, e, f of a curve.

    It is (a x + b)^g + e from d on, and c x + f below that.
    """
    match form:
        case 0:
            return given[0], 1, 0, 0, 0, 0, 0
        case 1:
            return given[0], given[1], given[2], 0, -given[2] / given[1], 0, 0
        case 2:
            return given[0], given[1], given[2], 0, -given[2] / given[1], given[3], given[3]
        case _:
            return (*given, 0, 0)[:7]
