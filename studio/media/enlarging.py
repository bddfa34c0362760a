"""Pictures larger than their models make them: every pixel a square, or blended with its neighbours; and back again."""

import base64
import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from studio.media import export

KEY = "studio_pixels"
"""Name of the PNG text that holds a blended picture as it was before, itself a PNG, in base64."""
LARGEST = 4096
"""Pixels of the longer side."""
_ROUNDING = 2
"""Levels by which two computers may round the same blending differently."""


@dataclass(frozen=True)
class Enlargement:
    """How much larger a picture is saved than its model made it."""

    times: int = 1
    """How many pixels of the file each pixel gets along each side."""
    pixels: int = 0
    """Instead of `times`: how long the longer side is at most."""
    smooth: bool = False
    """Whether pixels are blended. If not, each is a square, so the size is a whole multiple."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the file of a picture; never smaller than the picture."""
        longer = max(height, width)
        if self.smooth and self.pixels:
            whole = min(max(self.pixels, longer), max(LARGEST, longer))
            return round(height * whole / longer), round(width * whole / longer)
        times = self.pixels // longer if self.pixels else self.times
        times = max(1, min(times, LARGEST // longer))
        return height * times, width * times

    def of(self, picture: np.ndarray) -> np.ndarray:
        """A picture (height, width, channels) uint8 enlarged."""
        height, width = self.size(*picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        if self.smooth:
            return blended(picture, height, width)
        return picture.repeat(height // picture.shape[0], axis=0).repeat(width // picture.shape[1], axis=1)

    def texts(self, picture: np.ndarray) -> dict[str, str]:
        """What a PNG of the enlarged picture has to say so that `before` gives the picture back; nothing if its squares
        say it already."""
        blends = self.smooth and self.size(*picture.shape[:2]) != picture.shape[:2]
        return {KEY: packed(picture)} if blends else {}


AS_MADE = Enlargement()


def before(data: bytes, array: np.ndarray) -> np.ndarray | None:
    """The picture (height, width, 3) uint8 that a PNG was blended from, None if it was not blended here.

    Arguments
        data: the PNG
        array: its pixels (height, width, 3) uint8. If somebody has painted on them since, they are what counts.
    """
    if KEY.encode() + b"\0" not in data:
        return None
    small = unpacked(export.texts(data).get(KEY, ""), array.shape[:2])
    return small if small is not None and is_blended(array, small) else None


def packed(picture: np.ndarray) -> str:
    """A picture (height, width, 1 | 3) uint8 as the text of a PNG."""
    return base64.b64encode(export.png(picture)).decode()


def unpacked(text: str, most: tuple[int, ...]) -> np.ndarray | None:
    """The picture (height, width, 3) uint8 in a text; None if it is damaged, or larger than `most`."""
    try:
        kept = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(kept), formats=("PNG",)) as image:
            if image.mode not in ("L", "RGB") or image.width > most[1] or image.height > most[0]:
                return None
            return np.array(image.convert("RGB"))
    except (ValueError, OSError, SyntaxError):  # Pillow raises SyntaxError for a damaged file
        return None


def is_blended(array: np.ndarray, small: np.ndarray) -> bool:
    """Whether one picture (height, width, channels) uint8 is the other, enlarged smoothly and not painted on since."""
    again = blended(small, *array.shape[:2]).astype(np.int16)
    return bool(np.abs(again - array).max() <= _ROUNDING)


def blended(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bicubic (Catmull-Rom) enlargement of (height, width, channels) uint8."""
    old, across, channels = array.shape
    rows = _weights(old, height) @ array.reshape(old, -1).astype(np.float32)  # (height, across · channels)
    rows = rows.reshape(height, across, channels).transpose(2, 0, 1).reshape(-1, across)
    wide = rows @ _weights(across, width).T  # (channels · height, width)
    wide += 0.5
    np.clip(wide, 0, 255, out=wide)
    planes: np.ndarray = wide.astype(np.uint8).reshape(channels, height, width)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


@functools.lru_cache(maxsize=16)
def _weights(old: int, new: int) -> np.ndarray:
    """(new, old): how much each old pixel gives to each new one; rows sum to 1."""
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
