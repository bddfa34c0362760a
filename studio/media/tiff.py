"""Read TIFF files (TIFF 6.0, BigTIFF, TIFF Technical Notes 1 to 3) of any depth, sample format and layout.

Strips and tiles are unpacked by libtiff, through Pillow, as if they were bytes; what the bytes mean is decided here.
"""

import functools
import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from studio.media.raster import BAND, CUT, DAMAGED, FOREIGN, TORN, Raster, Unreadable

BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BYTES = 2**24
"""Unpacked bytes of a band, unless a strip is larger."""
_MOST_TOGETHER = 2**29
"""Unpacked bytes of the largest strip, or of a row of tiles, so that all fits into 1 GB."""
_PACKED = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions that give back the bytes of samples: none, LZW, Deflate, PackBits, the old Deflate, LZMA, Zstandard."""
_AS_PICTURES = (2, 3, 4, 6, 7)
"""Compressions that give back pixels, which are left to Pillow: three of fax, the old JPEG, JPEG."""
_MODES = {0: "L", 1: "L", 2: "RGB", 3: "P", 5: "CMYK"}  # by photometric interpretation
_TYPES = {1: "s", 2: "s", 3: "H", 4: "I", 7: "s", 13: "I", 16: "Q", 18: "Q"}
"""Types of values that are whole numbers or bytes, by their letters in `struct`."""
_MOST_PAGES = 100

(_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL, _OFFSETS, _ORIENTATION, _SAMPLES, _ROWS,
 _COUNTS) = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279)  # fmt: skip
(_PLANAR, _PREDICTOR, _COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _INKS, _EXTRA, _FORMAT,
 _PROFILE) = (284, 317, 320, 322, 323, 324, 325, 332, 338, 339, 34675)  # fmt: skip


class _Directory(NamedTuple):
    """Holds what is said of one picture."""

    tags: dict[int, tuple[int, ...] | bytes]
    next: int
    """Where the directory of the next picture lies; 0: there is none."""


@dataclass(frozen=True)
class _Layout:
    """States how the samples of a picture lie in the file."""

    width: int
    height: int
    samples: int
    """Of a pixel, with all extra ones."""
    bits: int
    form: str
    """u, i or f: how bits are read."""
    order: str
    """< or >, the order of bytes."""
    photometric: int
    compression: int
    predictor: int
    fill: int
    """2 if the lowest bit of each byte comes first."""
    apart: bool
    """Whether each channel is kept by itself."""
    tiled: bool
    block: tuple[int, int]
    """Height and width of a strip or tile."""
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def together(self) -> int:
        """Return how many samples of a pixel lie together."""
        return 1 if self.apart else self.samples

    @property
    def row(self) -> int:
        """Return the bytes of one row of a strip or tile."""
        return -(-self.block[1] * self.together * self.bits // 8)

    @property
    def grid(self) -> tuple[int, int]:
        """Return how many strips or tiles there are from top to bottom, and from left to right."""
        return -(-self.height // self.block[0]), -(-self.width // self.block[1])


def read(data: bytes) -> Raster | None:
    """Decode the first picture of a TIFF file; None if it is of a kind to be left to Pillow. Raises Unreadable."""
    directory = _directory(data)
    packing = _one(directory, _COMPRESSION, 1)
    if packing in _AS_PICTURES or (packing in _PACKED and _one(directory, _PHOTOMETRIC) in (6, 8)):
        return None
    if packing not in _PACKED:
        raise Unreadable(FOREIGN)
    layout = _layout(directory, ">" if data[:1] == b"M" else "<")
    mode, opacity, associated, is_left_out = _channels(directory, layout)
    channels = [*range(1 if mode == "P" else len(mode)), *([] if opacity is None else [opacity])]
    white = None if layout.form != "u" else float(2**layout.bits - 1)
    bands = functools.partial(_bands, data, layout, channels)
    if mode == "P":
        mode, white, bands = "RGB", 65535.0, functools.partial(_coloured, bands, _palette(directory, layout), white)
    notes = ["extra channels were left out"] if is_left_out else []
    return Raster(
        layout.height,
        layout.width,
        mode,
        bands,
        white,
        bits=layout.bits,
        inverted=layout.photometric == 0,
        associated=associated,
        profile=_profile(directory),
        orientation=_one(directory, _ORIENTATION, 1),
        notes=(*_pages(data, directory), *notes),
    )


def size(data: bytes) -> tuple[int, int]:
    """Return the width and height that a TIFF file claims. Raises Unreadable."""
    directory = _directory(data)
    return _one(directory, _WIDTH), _one(directory, _HEIGHT)


def notes(data: bytes) -> tuple[str, ...]:
    """Return what is told of the pictures in a file, of which the first is used. Raises Unreadable."""
    return _pages(data, _directory(data))


def fault(data: bytes) -> str:
    """Return why Pillow could not decode a file that was left to it."""
    directory = _directory(data)
    if _is_cut(data, _numbers(directory, _OFFSETS, _TILE_OFFSETS), _numbers(directory, _COUNTS, _TILE_COUNTS)):
        return CUT
    return FOREIGN if _one(directory, _COMPRESSION, 1) == 6 else DAMAGED


# ── the directory ────────────────────────────────────────────────────────────────────────────────


def _directory(data: bytes, at: int | None = None) -> _Directory:
    """Return the tags of a picture, of the first one if no place is given. Raises Unreadable."""
    order = ">" if data[:1] == b"M" else "<"
    is_big = b"+" in data[2:4]
    counting, entry, offset = ("Q", "HHQ", "Q") if is_big else ("H", "HHI", "I")
    try:
        place = struct.unpack_from(order + offset, data, 8 if is_big else 4)[0] if at is None else at
        (count,) = struct.unpack_from(order + counting, data, place)
        place += struct.calcsize(order + counting)
        tags: dict[int, tuple[int, ...] | bytes] = {}
        for _ in range(min(count, 65535)):
            tag, kind, number = struct.unpack_from(order + entry, data, place)
            place += struct.calcsize(order + entry)
            value = _value(data, order, offset, kind, number, place)
            if value is not None:
                tags.setdefault(tag, value)
            place += struct.calcsize(order + offset)
        return _Directory(tags, struct.unpack_from(order + offset, data, place)[0])
    except struct.error:  # it may lie in what is missing, or be named wrongly
        raise Unreadable(TORN) from None


def _value(data: bytes, order: str, offset: str, kind: int, number: int, place: int) -> tuple[int, ...] | bytes | None:
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


def _pages(data: bytes, directory: _Directory) -> tuple[str, ...]:
    """Return what is told of the pictures of a file, of which the first is used."""
    if _one(directory, _SUBFILE) & 1:
        return ("only the small preview in it is used",)
    page = directory
    try:
        for _ in range(_MOST_PAGES):
            if not page.next:
                break
            page = _directory(data, page.next)
            if not _one(page, _SUBFILE) & 5:  # neither a smaller version nor a mask
                return ("only the first of its pictures is used",)
    except Exception:  # a fault in what is not used
        return ()
    return ()


def _numbers(directory: _Directory, *tags: int) -> tuple[int, ...]:
    """Return the whole numbers of the first of these tags that is there."""
    return tuple(next((directory.tags[tag] for tag in tags if tag in directory.tags), ()))


def _one(directory: _Directory, tag: int, usual: int = 0) -> int:
    return (_numbers(directory, tag) or (usual,))[0]


def _layout(directory: _Directory, order: str) -> _Layout:
    """Return the layout that tags tell. Raises Unreadable if it is not known, or cannot be."""
    samples = _one(directory, _SAMPLES, 1)
    width, height = _one(directory, _WIDTH), _one(directory, _HEIGHT)
    bits, forms = set(_numbers(directory, _BITS) or (1,)), set(_numbers(directory, _FORMAT) or (1,))
    if not 0 < samples <= 1000 or width < 1 or height < 1:
        raise Unreadable(DAMAGED)
    if len(bits) > 1 or len(forms) > 1 or not forms <= {1, 2, 3, 4}:
        raise Unreadable(FOREIGN)
    deep, form = bits.pop(), {1: "u", 2: "i", 3: "f", 4: "u"}[forms.pop()]
    predictor = _one(directory, _PREDICTOR, 1)
    allowed = (8, 16, 32, 64) if form == "i" or predictor == 2 else (16, 32, 64) if form == "f" else (*range(1, 33), 64)
    if deep not in allowed or predictor not in (1, 2, 3) or (predictor == 3 and form != "f"):
        raise Unreadable(FOREIGN)
    tiled = _TILE_WIDTH in directory.tags
    rows = min(_one(directory, _ROWS, height), height)
    block = (_one(directory, _TILE_HEIGHT), _one(directory, _TILE_WIDTH)) if tiled else (rows, width)
    if not 0 < block[0] * block[1] <= 2**28:
        raise Unreadable(DAMAGED)
    layout = _Layout(
        width,
        height,
        samples,
        deep,
        form,
        order,
        _one(directory, _PHOTOMETRIC),
        _one(directory, _COMPRESSION, 1),
        predictor,
        _one(directory, _FILL, 1),
        samples > 1 and _one(directory, _PLANAR, 1) == 2,
        tiled,
        block,
        _numbers(directory, _TILE_OFFSETS, _OFFSETS),
        _numbers(directory, _TILE_COUNTS, _COUNTS),
    )
    return _checked(layout)


def _checked(layout: _Layout) -> _Layout:
    """Return a layout whose strips or tiles are all named; a large one that is not packed is divided."""
    down, across = layout.grid
    wanted = down * across * (layout.samples if layout.apart else 1)
    offsets, counts = layout.offsets[:wanted], layout.counts[:wanted]
    if layout.compression == 1:  # how many bytes there are follows from the rest
        counts = (layout.row * layout.block[0],) * len(offsets)
    if len(offsets) < wanted or len(counts) < wanted:
        raise Unreadable(DAMAGED)
    rows = max(1, _BYTES // layout.row)
    if layout.compression == 1 and down == 1 and not layout.tiled and rows < layout.height:
        tops = range(0, layout.height, rows)
        offsets = tuple(offset + top * layout.row for offset in offsets for top in tops)
        return _Layout(**{**vars(layout), "block": (rows, layout.width), "offsets": offsets,
                          "counts": (rows * layout.row,) * len(offsets)})  # fmt: skip
    return _Layout(**{**vars(layout), "offsets": offsets, "counts": counts})


def _channels(directory: _Directory, layout: _Layout) -> tuple[str, int | None, bool, bool]:
    """Return the mode, the channel of opacity, whether colours were multiplied by it, and whether others are left out.

    Raises Unreadable if the colours are of another kind.
    """
    mode = _MODES.get(layout.photometric)
    if mode is None or (mode == "CMYK" and _one(directory, _INKS, 1) != 1):
        raise Unreadable(FOREIGN)
    colours = 1 if mode == "P" else len(mode)
    if layout.samples < colours:
        raise Unreadable(DAMAGED)
    extra = _numbers(directory, _EXTRA)
    if not extra and mode == "RGB" and layout.samples == 4:
        extra = (2,)  # as other programs take it
    opacity = next((colours + i for i, what in enumerate(extra) if what in (1, 2, 999)), None)  # 999: Corel Draw
    if opacity is not None and opacity >= layout.samples:
        raise Unreadable(DAMAGED)
    left = layout.samples - colours - (opacity is not None)
    return mode, opacity, opacity is not None and extra[opacity - colours] == 1, left > 0


def _profile(directory: _Directory) -> bytes | None:
    profile = directory.tags.get(_PROFILE)
    return profile if isinstance(profile, bytes) or profile is None else b""


def _palette(directory: _Directory, layout: _Layout) -> np.ndarray:
    """Return the colours (2 ** bits, 3) uint16 of a palette. Raises Unreadable."""
    entries = 2**layout.bits
    numbers = _numbers(directory, _COLOURS)
    if layout.form != "u" or layout.bits > 16:
        raise Unreadable(FOREIGN)
    if len(numbers) < 3 * entries:
        raise Unreadable(DAMAGED)
    colours = np.array(numbers[: 3 * entries]).reshape(3, entries).T
    if colours.max() < 256:  # old programs wrote bytes
        colours = colours * 257
    elif not (colours & 255).any():  # and some shift bytes up, by which white is 65,280
        colours = (colours >> 8) * 257
    return colours.astype(np.uint16)


# ── samples ──────────────────────────────────────────────────────────────────────────────────────


def _coloured(bands: Callable[[], Iterator[np.ndarray]], palette: np.ndarray, white: float) -> Iterator[np.ndarray]:
    """Yield bands of colours (rows, width, 3 | 4) uint16 in place of numbers of colours, with or without opacity."""
    for band in bands():
        colours = palette[band[..., 0]]
        if band.shape[2] > 1:
            opacity = band[..., 1:].astype(np.float64) * (65535 / white)
            colours = np.concatenate([colours, opacity.astype(np.uint16)], axis=2)
        yield colours


def _bands(data: bytes, layout: _Layout, channels: list[int]) -> Iterator[np.ndarray]:
    """Yield (rows, width, channels) of some channels, from the top. Raises Unreadable and MemoryError."""
    down, across = layout.grid
    high = layout.block[0]
    planes = channels if layout.apart else [0]
    each = layout.row * high * across
    if each * len(planes) > _MOST_TOGETHER:
        raise MemoryError
    step = max(1, min(_BYTES // each, BAND // (high * layout.width)))
    for first in range(0, down, step):
        last = min(first + step, down)
        rows = min(last * high, layout.height) - first * high
        starts = (plane * down * across for plane in planes)
        blocks = [range(start + first * across, start + last * across) for start in starts]
        if layout.tiled:
            parts = [
                _from_tiles(_unpacked(data, layout, some, high * len(some)), layout, last - first) for some in blocks
            ]
            yield _chosen([part[:rows] for part in parts], layout, channels)
            continue
        unpacked = [_unpacked(data, layout, some, rows) for some in blocks]
        thin = max(1, min(_BYTES // layout.row, BAND // layout.width))
        for top in range(0, rows, thin):
            parts = [_samples(_rows(plane, top, min(top + thin, rows)), layout) for plane in unpacked]
            yield _chosen(parts, layout, channels)


def _chosen(parts: list[np.ndarray], layout: _Layout, channels: list[int]) -> np.ndarray:
    return np.concatenate(parts, axis=2) if layout.apart else parts[0][..., channels]


def _rows(unpacked: Image.Image | np.ndarray, top: int, bottom: int) -> np.ndarray:
    if isinstance(unpacked, np.ndarray):
        return unpacked[top:bottom]
    return np.asarray(unpacked.crop((0, top, unpacked.width, bottom)))


def _from_tiles(unpacked: Image.Image | np.ndarray, layout: _Layout, down: int) -> np.ndarray:
    """Return the samples (rows, width, samples that lie together) of so many rows of tiles."""
    high, wide = layout.block
    tiles = _samples(np.asarray(unpacked), layout).reshape(down, -1, high, wide, layout.together)
    return tiles.swapaxes(1, 2).reshape(down * high, -1, layout.together)[:, : layout.width]


def _unpacked(data: bytes, layout: _Layout, blocks: range, rows: int) -> Image.Image | np.ndarray:
    """Return the bytes (rows, bytes of a row) of strips or tiles, one below the other. Raises Unreadable."""
    ends = [layout.offsets[block] + layout.counts[block] for block in blocks]
    whole = memoryview(data)
    pieces = [whole[layout.offsets[block] : end] for block, end in zip(blocks, ends, strict=True)]
    if layout.compression == 1 and layout.fill == 1:
        joined = b"".join(pieces)[: rows * layout.row]
        if len(joined) < rows * layout.row:
            raise Unreadable(CUT if _is_cut(data, layout.offsets, layout.counts) else DAMAGED)
        return np.frombuffer(joined, np.uint8).reshape(rows, layout.row)
    try:
        image = TiffImageFile(io.BytesIO(_as_bytes(pieces, layout, rows)))
        image.load()
    except (OSError, SyntaxError):
        cut = max(ends) > len(data) and _is_cut(data, layout.offsets, layout.counts)
        raise Unreadable(CUT if cut else DAMAGED) from None
    return image


def _is_cut(data: bytes, offsets: tuple[int, ...], counts: tuple[int, ...]) -> bool:
    """Tell whether strips and tiles are more than there is; else what is missing is named wrongly."""
    first = min(offsets, default=0)
    return first < len(data) < first + sum(counts)


def _as_bytes(pieces: list[memoryview], layout: _Layout, rows: int) -> bytes:
    """Return a TIFF of grey bytes whose strips are these pieces."""
    starts, place = [], 0
    for piece in pieces:
        starts.append(place)
        place += len(piece)
    tags: dict[int, list[int]] = {
        _WIDTH: [layout.row],
        _HEIGHT: [rows],
        _BITS: [8],
        _COMPRESSION: [layout.compression],
        _PHOTOMETRIC: [1],
        _FILL: [layout.fill],
        _OFFSETS: starts,
        _SAMPLES: [1],
        _ROWS: [min(layout.block[0], rows)],
        _COUNTS: [len(piece) for piece in pieces],
        _PLANAR: [1],
    }
    head = 8 + 2 + 12 * len(tags) + 4
    lists = head + (8 * len(pieces) if len(pieces) > 1 else 0)
    tags[_OFFSETS] = [lists + start for start in starts]
    fields, tail = b"", b""
    for tag, values in tags.items():
        packed = struct.pack(f"<{len(values)}I", *values)
        fields += struct.pack("<HHI", tag, 4, len(values))
        fields += packed if len(values) == 1 else struct.pack("<I", head + len(tail))
        tail += packed if len(values) > 1 else b""
    return b"".join([b"II*\0\x08\0\0\0", struct.pack("<H", len(tags)), fields, bytes(4), tail, *pieces])


def _samples(raw: np.ndarray, layout: _Layout) -> np.ndarray:
    """Return the samples (rows, width of a block, samples that lie together) of unpacked bytes."""
    rows, wide, together = len(raw), layout.block[1], layout.together
    if layout.bits not in (8, 16, 32, 64):
        return _odd(raw, layout).reshape(rows, wide, together)
    size, order = layout.bits // 8, layout.order
    if layout.predictor == 3:  # TIFF Technical Note 3: bytes of one worth lie together, as differences
        planes = np.add.accumulate(raw.reshape(rows, -1, together), axis=1, dtype=np.uint8)
        raw = np.ascontiguousarray(planes.reshape(rows, size, -1).swapaxes(1, 2))
        order = ">"
    values = raw.reshape(rows, -1).view(f"{order}u{size}").reshape(rows, wide, together)
    values = values.astype(f"u{size}", copy=False)
    if layout.predictor == 2:
        values = np.add.accumulate(values, axis=1, dtype=values.dtype)
    return values.view(f"{layout.form}{size}")


def _odd(raw: np.ndarray, layout: _Layout) -> np.ndarray:
    """Return samples (rows, samples of a row) whose bits are no power of two, or less than a byte."""
    count = layout.block[1] * layout.together
    kind = np.uint8 if layout.bits <= 8 else np.uint16 if layout.bits <= 16 else np.uint32
    if layout.bits == 24:
        octets = raw.reshape(len(raw), count, 3)[..., :: 1 if layout.order == ">" else -1]
        return np.pad(octets, ((0, 0), (0, 0), (1, 0))).view(">u4")[..., 0].astype(kind)
    digits = np.unpackbits(raw, axis=1)[:, : count * layout.bits].reshape(len(raw), count, layout.bits)
    values = np.zeros((len(raw), count), kind)
    for i in range(layout.bits):
        values = np.left_shift(values, 1) | digits[..., i]
    return values
