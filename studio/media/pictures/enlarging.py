"""Enlarge pictures for saving, and recover the originals.

Crisp: each pixel becomes a square. Smooth: pixels are blended.
"""

import base64
import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from studio.media import export

SMALL_PICTURE_KEY = "studio_pixels"
"""Name of the PNG text that holds the original of a smooth picture: a PNG in base64."""
MAX_SIDE = 4096
"""The most pixels that the longer side of an enlarged picture can have."""
_ROUNDING = 2
"""Levels of a pixel by which two computers may differ after the same blending."""


@dataclass(frozen=True)
class Enlargement:
    """States how much larger a picture is saved than its model made it."""

    times: int = 1
    """The factor by which each side grows."""
    pixels: int = 0
    """The most pixels of the longer side, in place of `times`; 0: `times` counts."""
    smooth: bool = False
    """True if pixels are blended. Otherwise each becomes a square, and the factor is a whole number."""

    def enlarged_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of the enlarged picture; never smaller than the picture."""
        longer = max(height, width)
        if self.smooth and self.pixels:
            target = min(max(self.pixels, longer), max(MAX_SIDE, longer))
            return round(height * target / longer), round(width * target / longer)
        times = self.pixels // longer if self.pixels else self.times
        times = max(1, min(times, MAX_SIDE // longer))
        return height * times, width * times

    def enlarge(self, picture: np.ndarray) -> np.ndarray:
        """Enlarge a picture (height, width, channels) uint8."""
        height, width = self.enlarged_size(*picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        if self.smooth:
            return enlarge_smoothly(picture, height, width)
        return picture.repeat(height // picture.shape[0], axis=0).repeat(width // picture.shape[1], axis=1)

    def png_texts(self, picture: np.ndarray) -> dict[str, str]:
        """Return the PNG texts from which `original_picture` recovers a blended picture; none for others."""
        is_blended = self.smooth and self.enlarged_size(*picture.shape[:2]) != picture.shape[:2]
        return {SMALL_PICTURE_KEY: pack_picture(picture)} if is_blended else {}


UNENLARGED = Enlargement()


def original_picture(data: bytes, array: np.ndarray) -> np.ndarray | None:
    """Recover the picture (height, width, 3) uint8 from which a smooth PNG was made.

    Returns None if the PNG was not enlarged by the studio, or if its pixels were edited since.

    Arguments
        data: the PNG
        array: its pixels (height, width, 3) uint8
    """
    if SMALL_PICTURE_KEY.encode() + b"\0" not in data:
        return None
    small = unpack_picture_text(export.png_texts(data).get(SMALL_PICTURE_KEY, ""), array.shape[:2])
    return small if small is not None and is_blended(array, small) else None


def pack_picture(picture: np.ndarray) -> str:
    """Return a picture (height, width, 1 | 3) uint8 as the text of a PNG."""
    return base64.b64encode(export.encode_png_bytes(picture)).decode()


def unpack_picture_text(text: str, most: tuple[int, ...]) -> np.ndarray | None:
    """Return the picture (height, width, 3) uint8 in a text. None: it is damaged, or larger than `most`."""
    try:
        kept = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(kept), formats=("PNG",)) as image:
            if image.mode not in ("L", "RGB") or image.width > most[1] or image.height > most[0]:
                return None
            return np.array(image.convert("RGB"))
    except (ValueError, OSError, SyntaxError):  # Pillow raises SyntaxError for a damaged file
        return None


def is_blended(array: np.ndarray, small: np.ndarray) -> bool:
    """Return whether `array` is `small` enlarged smoothly and not edited since.

    Both are (height, width, channels).
    """
    enlarged = enlarge_smoothly(small, *array.shape[:2])
    return bool(np.abs(enlarged.astype(np.int16) - array).max() <= _ROUNDING)


def enlarge_smoothly(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge a picture (height, width, channels) uint8 by bicubic (Catmull-Rom) interpolation."""
    old, across, channels = array.shape
    rows = _pixel_shares(old, height) @ array.reshape(old, -1).astype(np.float32)  # (height, across · channels)
    rows = rows.reshape(height, across, channels).transpose(2, 0, 1).reshape(-1, across)
    wide = rows @ _pixel_shares(across, width).T  # (channels · height, width)
    wide += 0.5
    np.clip(wide, 0, 255, out=wide)
    planes: np.ndarray = wide.astype(np.uint8).reshape(channels, height, width)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


@functools.lru_cache(maxsize=16)
def _pixel_shares(old: int, new: int) -> np.ndarray:
    """Return the share of each old pixel in each new one: (new, old). Rows sum to 1."""
    at = (np.arange(new) + 0.5) * old / new - 0.5
    base = np.floor(at).astype(int)
    matrix = np.zeros((new, old), np.float32)
    for offset in (-1, 0, 1, 2):
        far = np.abs(at - base - offset)
        near = 1.5 * far**3 - 2.5 * far**2 + 1
        beyond = -0.5 * far**3 + 2.5 * far**2 - 4 * far + 2
        share = np.where(far <= 1, near, np.where(far < 2, beyond, 0.0))
        np.add.at(matrix, (np.arange(new), np.clip(base + offset, 0, old - 1)), share)
    return matrix
