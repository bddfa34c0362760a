"""Read the tags of TIFF files, which lie in a directory for each picture."""

import struct
from typing import NamedTuple

from studio.media.pictures.raster import TORN, UnreadablePicture

SUBFILE = 254
WIDTH = 256
HEIGHT = 257
BITS = 258
COMPRESSION = 259
PHOTOMETRIC = 262
FILL = 266
OFFSETS = 273
ORIENTATION = 274
SAMPLES = 277
ROWS = 278
COUNTS = 279
PLANAR = 284
PREDICTOR = 317
COLOURS = 320
TILE_WIDTH = 322
TILE_HEIGHT = 323
TILE_OFFSETS = 324
TILE_COUNTS = 325
INKS = 332
EXTRA = 338
FORMAT = 339
PROFILE = 34675
"""Numbers of tags."""

_TYPES = {1: "s", 2: "s", 3: "H", 4: "I", 7: "s", 13: "I", 16: "Q", 18: "Q"}
"""Types of values that are whole numbers or bytes, by their letters in `struct`."""
_MOST_PAGES = 100


class Directory(NamedTuple):
    """Holds the tags of one picture."""

    tags: dict[int, tuple[int, ...] | bytes]
    next: int
    """The place of the directory of the next picture; 0: there is none."""

    def numbers(self, *tags: int) -> tuple[int, ...]:
        """Return the whole numbers of the first of these tags that is there."""
        return tuple(next((self.tags[tag] for tag in tags if tag in self.tags), ()))

    def number(self, tag: int, usual: int = 0) -> int:
        """Return the first number of a tag, or the usual one if it is missing."""
        return (self.numbers(tag) or (usual,))[0]


def directory_at(data: bytes, at: int | None = None) -> Directory:
    """Return the tags of a picture. Without a place, it is the first one. Raises UnreadablePicture."""
    order = ">" if data[:1] == b"M" else "<"
    is_big = b"+" in data[2:4]
    counting, entry, offset = ("Q", "HHQ", "Q") if is_big else ("H", "HHI", "I")
    try:
        place = at
        if place is None:
            (place,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
        (count,) = struct.unpack_from(order + counting, data, place)
        place += struct.calcsize(order + counting)
        tags: dict[int, tuple[int, ...] | bytes] = {}
        for _ in range(min(count, 65535)):
            tag, kind, number = struct.unpack_from(order + entry, data, place)
            place += struct.calcsize(order + entry)
            value = _read_value(data, order, offset, kind, number, place)
            if value is not None:
                tags.setdefault(tag, value)
            place += struct.calcsize(order + offset)
        return Directory(tags, struct.unpack_from(order + offset, data, place)[0])
    except struct.error:  # it may lie in what is missing, or be named wrongly
        raise UnreadablePicture(TORN) from None


def _read_value(
    data: bytes, order: str, offset: str, kind: int, number: int, place: int
) -> tuple[int, ...] | bytes | None:
    """Return the numbers or bytes of a tag; None for fractions and the like. Raises struct.error for missing ones."""
    letter = _TYPES.get(kind)
    if letter is None:
        return None
    size = number * struct.calcsize(order + letter)
    if size > struct.calcsize(order + offset):
        (place,) = struct.unpack_from(order + offset, data, place)
    if place + size > len(data):
        raise struct.error
    return data[place : place + size] if letter == "s" else struct.unpack_from(f"{order}{number}{letter}", data, place)


def pages(data: bytes, directory: Directory) -> tuple[str, ...]:
    """Return a note for the user if only the first of several pictures is used."""
    if directory.number(SUBFILE) & 1:
        return ("only the small preview in it is used",)
    page = directory
    try:
        for _ in range(_MOST_PAGES):
            if not page.next:
                break
            page = directory_at(data, page.next)
            if not page.number(SUBFILE) & 5:  # neither a smaller version nor a mask
                return ("only the first of its pictures is used",)
    except Exception:  # a fault in what is not used
        return ()
    return ()
