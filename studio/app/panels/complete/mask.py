"""Computes masks and temperature maps: what tools cover, captions, and packed forms.

A mask is (height, width) bool, True for pixels to be drawn again. A temperature map is (height, width) uint8,
hundredths of the factor of the temperature. Positions are (x, y) in pixels of the picture, (0, 0) its top left corner.
"""

import base64
import binascii
import zlib

import numpy as np

from studio.wire.messages import Array

Place = tuple[float, float]
Shape = tuple[int, int]
NEUTRAL = 100
"""The value of a pixel whose temperature nothing changes."""


def stroke_mask(shape: Shape, start: Place, end: Place, size: int) -> Array:
    """Return the pixels that a round brush covers on its way, at least those under its centre."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    along_x = end[0] - start[0]
    along_y = end[1] - start[1]
    length = along_x**2 + along_y**2
    share = ((x - start[0]) * along_x + (y - start[1]) * along_y) / length if length else np.zeros(shape)
    share = share.clip(0, 1)
    far = np.hypot(x - start[0] - share * along_x, y - start[1] - share * along_y)
    covered: Array = far <= max(size / 2, 0.5)
    for at in (start, end):
        column = int(np.floor(at[0]))
        row = int(np.floor(at[1]))
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            covered[row, column] = True
    return covered


def rectangle_mask(shape: Shape, one: Place, other: Place) -> Array:
    """Return every pixel that a rectangle touches."""
    covered = np.zeros(shape, bool)
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(one, other, strict=True))
    rows = slice(max(0, int(np.floor(top))), max(0, int(np.floor(bottom)) + 1))
    covered[rows, max(0, int(np.floor(left))) : max(0, int(np.floor(right)) + 1)] = True
    return covered


def mask_below(shape: Shape, row: int) -> Array:
    """Return a mask of everything from a row down."""
    covered = np.zeros(shape, bool)
    covered[max(0, row) :] = True
    return covered


def first_row(mask: Array) -> int | None:
    """Return the row from which everything below is marked and nothing above; None for other masks."""
    rows = np.flatnonzero(mask.any(1))
    return int(rows[0]) if len(rows) and mask[rows[0] :].all() else None


def has_kept_after_hole(mask: Array) -> bool:
    """Return whether a kept pixel follows the first pixel of the hole, row by row from the left."""
    made = np.flatnonzero(mask)
    return len(made) > 0 and not mask.reshape(-1)[made[0] :].all()


def resize_layer(array: Array, shape: Shape) -> Array:
    """Return the layer in another size, by nearest values."""
    rows = (np.arange(shape[0]) + 0.5) * array.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * array.shape[1] / shape[1]
    found: Array = array[rows.astype(int)[:, None], columns.astype(int)]
    return found


def mask_caption(mask: Array) -> tuple[str, str]:
    """Return two sentences: the number of pixels to fill, and the pixels that are kept."""
    made = int(mask.sum())
    total = mask.size
    if not made:
        return "Nothing is marked yet.", "Paint what is missing, or drag a line with the row tool."
    if made == total:
        return f"All {total:,} pixels are marked.", "Erase something, so that a part of the picture is kept."
    where = "Everything above the line" if first_row(mask) is not None else "Everything that is not marked"
    return f"{made:,} of {total:,} pixels to fill.", f"{where} is kept exactly, pixel for pixel."


def pack_layer(array: Array) -> str:
    """Return a mask or a temperature map as text for JSON; empty if nothing is painted."""
    packed = np.packbits(array) if array.dtype == bool else array
    untouched = not array.any() if array.dtype == bool else bool((array == NEUTRAL).all())
    return "" if untouched else base64.b64encode(zlib.compress(packed.tobytes())).decode()


def unpack_mask(text: str, shape: Shape) -> Array:
    """Return a packed mask; an empty one if the text has another size."""
    data = _unpack_bytes(text)
    size = shape[0] * shape[1]
    if len(data) != -(-size // 8):
        return np.zeros(shape, bool)
    return np.unpackbits(np.frombuffer(data, np.uint8), count=size).reshape(shape).astype(bool)


def unpack_temperature_map(text: str, shape: Shape) -> Array:
    """Return a packed temperature map; an even one if the text has another size."""
    data = _unpack_bytes(text)
    if len(data) != shape[0] * shape[1]:
        return np.full(shape, NEUTRAL, np.uint8)
    return np.frombuffer(data, np.uint8).reshape(shape).clip(0, 4 * NEUTRAL - 1)


def _unpack_bytes(text: str) -> bytes:
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text), 2**24)
    except (binascii.Error, zlib.error, ValueError):
        return b""
