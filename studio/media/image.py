"""Picture files to arrays, with everything that real files contain.

A file is opened only after it is known to be a regular file of a sane size that begins like one of
six formats; its width and height are checked before anything is decoded. Whatever is wrong with it
ends as `Refused`, with a reason for people.
"""

import contextlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin, WebPImagePlugin

from studio.media import enlarging
from studio.media.containers import BEGINNING, container
from studio.media.names import shown

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""What may be decoded. EPS, PDF and their kin start other programs and stay closed whatever they call themselves."""
MOST_PIXELS = 64_000_000
LARGEST_FILE = 256 * 2**20
"""Bytes of one file: 64 megapixels in four uncompressed bytes."""

_PLUGINS = (TiffImagePlugin, WebPImagePlugin)  # Pillow does not load these two before it looks among all of its plugins
_BEGINNINGS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"BM",
    b"GIF87a",
    b"GIF89a",
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112

Box = tuple[float, float, float, float]


class Refused(ValueError):
    """A file that was not used. `reason` goes on from the name: `is cut off`."""

    def __init__(self, name: str, reason: str, hint: str = "") -> None:
        super().__init__(f'"{name}" {reason} and was not opened.{" " + hint if hint else ""}')
        self.name = name
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True)
class Picture:
    """A picture that was opened: upright, in sRGB, transparency put over white."""

    array: np.ndarray
    """(height, width, 3) uint8."""
    name: str
    """The file's name, as it may be shown."""
    notes: tuple[str, ...]
    """What had to be converted, for people."""


def open_picture(path: Path | str) -> Picture:
    """Open the picture in a file; one that was saved larger and blended is restored. Raises Refused with the reason."""
    name = shown(os.path.basename(path))
    data = read_bytes(Path(path), name)
    if not data.startswith(_BEGINNINGS) and not (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        form = container(data[:BEGINNING], Path(path).suffix)
        what = form.words if form is not None else "not a picture that can be read here"
        raise Refused(name, f"is {what}", "PNG, JPEG, WebP, TIFF, BMP and GIF can.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which says nothing about the pixels
            picture = _decode(data, name)
            before = enlarging.before(data, picture.array)
            return picture if before is None else replace(picture, array=before)
    except Refused:
        raise
    except Image.DecompressionBombError:
        raise Refused(name, f"has more than {MOST_PIXELS // 1_000_000} megapixels") from None
    except MemoryError:
        raise Refused(name, "does not fit into memory") from None
    except Exception as error:  # decoders raise SyntaxError, struct.error, KeyError and more on damaged files
        cut = isinstance(error, EOFError) or any(word in str(error).lower() for word in ("truncated", "incomplete"))
        raise Refused(name, "is cut off" if cut else "is damaged", "Try saving it again from where it came.") from None


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a regular file that is not a link; never waits for a pipe or a device. Raises Refused."""
    with opened(path, name, LARGEST_FILE) as file:
        return file.read(LARGEST_FILE + 1)


@contextlib.contextmanager
def opened(path: Path, name: str, most: int) -> Iterator[BinaryIO]:
    """A regular file, no link, of at most so many bytes; never waits for a pipe or a device. Raises Refused."""
    flags = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        _check(os.lstat(path), name, most)
        with open(os.open(path, flags), "rb") as file:
            _check(os.fstat(file.fileno()), name, most)
            yield file
    except Refused:
        raise
    except FileNotFoundError:
        raise Refused(name, "is not there any more") from None
    except PermissionError:
        raise Refused(name, "may not be read by you") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        why = getattr(error, "strerror", None) or "its name is not valid"
        raise Refused(name, f"could not be read ({why})") from None


def _check(found: os.stat_result, name: str, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise Refused(name, "is a hidden folder" if name.startswith(".") else "is a folder")
    if stat.S_ISLNK(found.st_mode):
        raise Refused(name, "is a link", "Open the file it leads to.")
    if not stat.S_ISREG(found.st_mode):
        raise Refused(name, "is not a file but a device or a pipe")
    if found.st_size == 0:
        raise Refused(name, "is empty")
    if found.st_size > most:
        raise Refused(name, f"is larger than {most >> 20} MB")


def _decode(data: bytes, name: str) -> Picture:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            most = MOST_PIXELS // 1_000_000
            raise Refused(name, f"has {width * height / 1e6:,.0f} megapixels, and {most} are the most that is opened")
        notes = []
        if image.format in ("GIF", "WEBP", "PNG", "TIFF") and getattr(image, "is_animated", False):
            notes.append("only the first of its pictures is used")
        if _orientation(image) in _TURNS:
            notes.append("turned upright as its camera noted")
        image.load()  # which turns a TIFF by itself
        turn = _TURNS.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        if image.format == "PNG" and data[24] == 16 and not upright.mode.startswith("I"):
            notes.append("16 bits a colour were rounded to 8")
        rgb = _in_srgb(_in_eight_bits(upright, notes), image.info.get("icc_profile"), notes)
        return Picture(np.array(rgb), name, tuple(notes))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block is no reason to refuse good pixels
        return 1


def _in_eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """Deeper greys scaled to a byte, never cut: 65,535 becomes 255, and so does the top of any other range."""
    if image.mode not in ("F", "I") and not image.mode.startswith("I;"):
        return image
    values = np.nan_to_num(np.array(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode != "F" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    notes.append("more than 8 bits a grey were rounded to 8")
    return Image.fromarray(np.rint((values - low) * (255 / ((high - low) or 1.0))).astype(np.uint8))


def _in_srgb(image: Image.Image, profile: object, notes: list[str]) -> Image.Image:
    """RGB in sRGB, transparency put over white."""
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    elif image.mode in ("P", "1", "PA"):
        image = image.convert("RGB")
    coloured = _managed(image, profile, notes)
    if image.mode not in ("RGB", "L") and coloured.mode == "RGB":
        notes.append(f"{image.mode} colours were converted to RGB")
    if alpha is None:
        return coloured
    notes.append("transparency was put over white")
    coloured.putalpha(alpha)
    return Image.fromarray(compose(np.asarray(coloured)))


def _managed(image: Image.Image, profile: object, notes: list[str]) -> Image.Image:
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return _rgb(ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB"))
    if isinstance(profile, bytes) and 0 < len(profile) <= 4 * 2**20 and image.mode in ("RGB", "CMYK", "L"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(own).lower():
                managed = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
                notes.append("its colour profile was converted to sRGB")
                return _rgb(managed)
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("its colour profile could not be read and was left out")
    return image.convert("RGB")


def _rgb(image: Image.Image | None) -> Image.Image:
    if image is None:  # only when asked to convert in place, which we never do
        raise ValueError("no picture came out of the colour conversion")
    return image


def compose(rgba: np.ndarray, over: int = 255) -> np.ndarray:
    """(…, 4) uint8 with straight alpha, put over a grey of `over`: (…, 3) uint8, rounded to nearest."""
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + np.uint16(over) * (255 - alpha)  # at most 255², which fits
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def fit(
    array: np.ndarray,
    shape: tuple[int, int, int],
    how: Literal["crop", "fit", "pad"] = "crop",
    box: Box | None = None,
    over: int = 255,
) -> np.ndarray:
    """A picture (height, width, 1 | 3 | 4) uint8 in a model's shape (C, H, W): (H, W, C) uint8.

    `crop` cuts the middle out in the model's proportions, `fit` squeezes the whole into them, `pad` keeps
    the whole undistorted with margins of the grey `over`. `box` is the part to take: left, top, right,
    bottom as fractions of the picture. Greys are Rec. 601 luma. What is already in shape, or was enlarged
    by whole blocks, comes out as it was.
    """
    channels, height, width = shape
    array = compose(array, over) if array.shape[2] == 4 else array
    left, top, right, bottom = _part(array.shape[0], array.shape[1], box)
    if how == "crop":
        left, top, right, bottom = _middle(left, top, right, bottom, width / height)
    size = _inside(right - left, bottom - top, width, height) if how == "pad" else (width, height)
    image = _blocks(array, (left, top, right, bottom), size)
    if image is None:
        flat = array[..., 0] if array.shape[2] == 1 else array
        image = Image.fromarray(np.ascontiguousarray(flat))
        image = image.resize(size, Image.Resampling.LANCZOS, (left, top, right, bottom))
    result = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(size[1], size[0], channels)
    if size == (width, height):
        return result.copy()
    canvas = np.full((height, width, channels), over, np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[y : y + size[1], x : x + size[0]] = result
    return canvas


def _part(height: int, width: int, box: Box | None) -> Box:
    if box is None:
        return 0.0, 0.0, float(width), float(height)
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"a part of a picture must lie within it, from 0 to 1: {box}")
    return left * width, top * height, right * width, bottom * height


def _middle(left: float, top: float, right: float, bottom: float, proportion: float) -> Box:
    width, height = right - left, bottom - top
    if width > height * proportion:
        spare = (width - height * proportion) / 2
        return left + spare, top, right - spare, bottom
    spare = (height - width / proportion) / 2
    return left, top + spare, right, bottom - spare


def _inside(width: float, height: float, most_wide: int, most_high: int) -> tuple[int, int]:
    scale = min(most_wide / width, most_high / height)
    return min(most_wide, max(1, round(width * scale))), min(most_high, max(1, round(height * scale)))


def _blocks(array: np.ndarray, box: Box, size: tuple[int, int]) -> Image.Image | None:
    """The picture whose pixels became the box's blocks, else None: so an enlarged export comes back exactly."""
    if any(edge != int(edge) for edge in box):
        return None
    left, top, right, bottom = (int(edge) for edge in box)
    part = array[top:bottom, left:right]
    scale = part.shape[0] // size[1]
    if scale < 1 or part.shape[:2] != (size[1] * scale, size[0] * scale):
        return None
    small = part[::scale, ::scale]
    places = ((y, x) for y in range(scale) for x in range(scale))
    if not all(np.array_equal(part[y::scale, x::scale], small) for y, x in places):
        return None
    return Image.fromarray(np.ascontiguousarray(small[..., 0] if small.shape[2] == 1 else small))
