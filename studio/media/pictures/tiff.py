"""Read TIFF files (TIFF 6.0, BigTIFF, TIFF Technical Notes 1 to 3) of any layout.

libtiff unpacks strips and tiles, through Pillow, as if they were bytes. What the bytes mean is decided here.

Deflate and LZMA have checksums, so a changed byte is noticed, except in YCbCr and Lab colours. Zstandard has one only
if the program that wrote the file asked for it, and libtiff does not. The other compressions have none: a changed byte
of an uncompressed, LZW, PackBits or JPEG picture shows other pixels without a note, unless its code is impossible or
ends too early. A fax is noticed if it holds a code that does not exist.
"""

import functools
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from studio.media.pictures import tiff_tags
from studio.media.pictures.raster import BAND, BROKEN, CUT, DAMAGED, FOREIGN, Raster, UnreadablePicture
from studio.media.pictures.tiff_tags import Directory, directory_at, pages

BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BAND_BYTES = 2**24
"""Unpacked bytes of a band, unless a strip is larger."""
_MAX_STRIP_BYTES = 2**29
"""Unpacked bytes of the largest strip, or of a row of tiles, so that all fits into 1 GB."""
_BYTE_COMPRESSIONS = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions that unpack to the bytes of samples: none, LZW, Deflate, PackBits, the old Deflate, LZMA, Zstandard."""
_DEFLATE = (8, 32946)
_LZMA = 34925
_PIXEL_COMPRESSIONS = (2, 3, 4, 6, 7)
"""Compressions that unpack to pixels, which are left to Pillow: three of fax, the old JPEG, JPEG."""
_MODES = {0: "L", 1: "L", 2: "RGB", 3: "P", 5: "CMYK"}  # by photometric interpretation


@dataclass(frozen=True)
class _Layout:
    """States how the samples of a picture lie in the file."""

    width: int
    height: int
    samples: int
    """The number of samples of a pixel, with all extra ones."""
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
    """True if each channel is stored separately."""
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
        """Return the number of strips or tiles downwards and across."""
        return -(-self.height // self.block[0]), -(-self.width // self.block[1])


def decode_tiff(data: bytes) -> Raster | None:
    """Decode the first picture of a TIFF file.

    Return None for a type that is left to Pillow. Raises UnreadablePicture.
    """
    directory = directory_at(data)
    packing = directory.number(tiff_tags.COMPRESSION, 1)
    if packing in _PIXEL_COMPRESSIONS or (
        packing in _BYTE_COMPRESSIONS and directory.number(tiff_tags.PHOTOMETRIC) in (6, 8)
    ):
        return None
    if packing not in _BYTE_COMPRESSIONS:
        raise UnreadablePicture(FOREIGN)
    layout = _layout(directory, ">" if data[:1] == b"M" else "<")
    mode, opacity, associated, is_left_out = _channels(directory, layout)
    channels = [*range(1 if mode == "P" else len(mode)), *([] if opacity is None else [opacity])]
    white = None if layout.form != "u" else float(2**layout.bits - 1)
    bands = functools.partial(_bands, data, layout, channels)
    if mode == "P":
        palette = _palette(directory, layout)
        bands = functools.partial(_apply_palette, bands, palette, 2.0**layout.bits - 1)
        mode = "RGB"
        white = 65535.0
    notes = ["extra channels were left out"] if is_left_out else []
    notes += [BROKEN] if _has_wrong_end(data, layout) else []
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
        orientation=directory.number(tiff_tags.ORIENTATION, 1),
        notes=(*pages(data, directory), *notes),
    )


def tiff_size(data: bytes) -> tuple[int, int]:
    """Return the width and height that a TIFF file claims. Raises UnreadablePicture."""
    directory = directory_at(data)
    return directory.number(tiff_tags.WIDTH), directory.number(tiff_tags.HEIGHT)


def tiff_notes(data: bytes) -> tuple[str, ...]:
    """Return notes for the user on the pictures in a file. Raises UnreadablePicture."""
    return pages(data, directory_at(data))


def tiff_fault(data: bytes) -> str:
    """Return why Pillow could not decode a file that was left to it."""
    directory = directory_at(data)
    offsets = directory.numbers(tiff_tags.OFFSETS, tiff_tags.TILE_OFFSETS)
    counts = directory.numbers(tiff_tags.COUNTS, tiff_tags.TILE_COUNTS)
    if _is_cut(data, offsets, counts):
        return CUT
    return FOREIGN if directory.number(tiff_tags.COMPRESSION, 1) == 6 else DAMAGED


# ── the layout ───────────────────────────────────────────────────────────────────────────────────


def _layout(directory: Directory, order: str) -> _Layout:
    """Return the layout that tags describe. Raises UnreadablePicture if it is unknown or impossible."""
    samples = directory.number(tiff_tags.SAMPLES, 1)
    width = directory.number(tiff_tags.WIDTH)
    height = directory.number(tiff_tags.HEIGHT)
    bits = set(directory.numbers(tiff_tags.BITS) or (1,))
    forms = set(directory.numbers(tiff_tags.FORMAT) or (1,))
    if not 0 < samples <= 1000 or width < 1 or height < 1:
        raise UnreadablePicture(DAMAGED)
    if len(bits) > 1 or len(forms) > 1 or not forms <= {1, 2, 3, 4}:
        raise UnreadablePicture(FOREIGN)
    depth = bits.pop()
    form = {1: "u", 2: "i", 3: "f", 4: "u"}[forms.pop()]
    predictor = directory.number(tiff_tags.PREDICTOR, 1)
    if depth not in _allowed_depths(form, predictor) or predictor not in (1, 2, 3) or (predictor == 3 and form != "f"):
        raise UnreadablePicture(FOREIGN)
    tiled = tiff_tags.TILE_WIDTH in directory.tags
    block = (min(directory.number(tiff_tags.ROWS, height), height), width)
    if tiled:
        block = (directory.number(tiff_tags.TILE_HEIGHT), directory.number(tiff_tags.TILE_WIDTH))
    if not 0 < block[0] * block[1] <= 2**28:
        raise UnreadablePicture(DAMAGED)
    layout = _Layout(
        width=width,
        height=height,
        samples=samples,
        bits=depth,
        form=form,
        order=order,
        photometric=directory.number(tiff_tags.PHOTOMETRIC),
        compression=directory.number(tiff_tags.COMPRESSION, 1),
        predictor=predictor,
        fill=directory.number(tiff_tags.FILL, 1),
        apart=samples > 1 and directory.number(tiff_tags.PLANAR, 1) == 2,
        tiled=tiled,
        block=block,
        offsets=directory.numbers(tiff_tags.TILE_OFFSETS, tiff_tags.OFFSETS),
        counts=directory.numbers(tiff_tags.TILE_COUNTS, tiff_tags.COUNTS),
    )
    return _check_layout(layout)


def _allowed_depths(form: str, predictor: int) -> Sequence[int]:
    """Return how many bits a sample may have."""
    if form == "i" or predictor == 2:
        return (8, 16, 32, 64)
    if form == "f":
        return (16, 32, 64)
    return (*range(1, 33), 64)


def _check_layout(layout: _Layout) -> _Layout:
    """Return a layout that names all strips or tiles. A large uncompressed strip is divided into smaller ones."""
    down, across = layout.grid
    wanted = down * across * (layout.samples if layout.apart else 1)
    offsets = layout.offsets[:wanted]
    counts = layout.counts[:wanted]
    if layout.compression == 1:  # how many bytes there are follows from the rest
        counts = (layout.row * layout.block[0],) * len(offsets)
    if len(offsets) < wanted or len(counts) < wanted:
        raise UnreadablePicture(DAMAGED)
    rows = max(1, _BAND_BYTES // layout.row)
    if layout.compression == 1 and down == 1 and not layout.tiled and rows < layout.height:
        tops = range(0, layout.height, rows)
        offsets = tuple(offset + top * layout.row for offset in offsets for top in tops)
        counts = (rows * layout.row,) * len(offsets)
        return replace(layout, block=(rows, layout.width), offsets=offsets, counts=counts)
    return replace(layout, offsets=offsets, counts=counts)


def _channels(directory: Directory, layout: _Layout) -> tuple[str, int | None, bool, bool]:
    """Return the mode, the channel of opacity, and two facts about channels.

    These are whether colours were multiplied by the opacity, and whether other channels are left out. Raises
    UnreadablePicture for other colours.
    """
    mode = _MODES.get(layout.photometric)
    if mode is None or (mode == "CMYK" and directory.number(tiff_tags.INKS, 1) != 1):
        raise UnreadablePicture(FOREIGN)
    colours = 1 if mode == "P" else len(mode)
    if layout.samples < colours:
        raise UnreadablePicture(DAMAGED)
    extra = directory.numbers(tiff_tags.EXTRA)
    if not extra and mode == "RGB" and layout.samples == 4:
        extra = (2,)  # as other programs take it
    opacity = next((colours + i for i, what in enumerate(extra) if what in (1, 2, 999)), None)  # 999: Corel Draw
    if opacity is not None and opacity >= layout.samples:
        raise UnreadablePicture(DAMAGED)
    left = layout.samples - colours - (opacity is not None)
    return mode, opacity, opacity is not None and extra[opacity - colours] == 1, left > 0


def _profile(directory: Directory) -> bytes | None:
    profile = directory.tags.get(tiff_tags.PROFILE)
    return profile if isinstance(profile, bytes) or profile is None else b""


def _palette(directory: Directory, layout: _Layout) -> np.ndarray:
    """Return the colours (2 ** bits, 3) uint16 of a palette. Raises UnreadablePicture."""
    entries = 2**layout.bits
    numbers = directory.numbers(tiff_tags.COLOURS)
    if layout.form != "u" or layout.bits > 16:
        raise UnreadablePicture(FOREIGN)
    if len(numbers) < 3 * entries:
        raise UnreadablePicture(DAMAGED)
    colours = np.array(numbers[: 3 * entries]).reshape(3, entries).T
    if colours.max() < 256:  # old programs wrote bytes
        colours = colours * 257
    elif not (colours & 255).any():  # and some shift bytes up, by which white is 65,280
        colours = (colours >> 8) * 257
    return colours.astype(np.uint16)


# ── samples ──────────────────────────────────────────────────────────────────────────────────────


def _apply_palette(
    bands: Callable[[], Iterator[np.ndarray]], palette: np.ndarray, white: float
) -> Iterator[np.ndarray]:
    """Yield bands of colours (rows, width, 3 | 4) uint16 for bands of palette indices."""
    for band in bands():
        colours = palette[band[..., 0]]
        if band.shape[2] > 1:
            opacity = band[..., 1:].astype(np.float64) * (65535 / white)
            colours = np.concatenate([colours, opacity.astype(np.uint16)], axis=2)
        yield colours


def _bands(data: bytes, layout: _Layout, channels: list[int]) -> Iterator[np.ndarray]:
    """Yield (rows, width, channels) of some channels, from the top. Raises UnreadablePicture and MemoryError."""
    down, across = layout.grid
    high = layout.block[0]
    planes = channels if layout.apart else [0]
    each = layout.row * high * across
    if each * len(planes) > _MAX_STRIP_BYTES:
        raise MemoryError
    step = max(1, min(_BAND_BYTES // each, BAND // (high * layout.width)))
    for first in range(0, down, step):
        last = min(first + step, down)
        rows = min(last * high, layout.height) - first * high
        starts = (plane * down * across for plane in planes)
        blocks = [range(start + first * across, start + last * across) for start in starts]
        if layout.tiled:
            parts = [
                _join_tiles(_unpack_blocks(data, layout, some, high * len(some)), layout, last - first)
                for some in blocks
            ]
            yield _select_channels([part[:rows] for part in parts], layout, channels)
            continue
        unpacked = [_unpack_blocks(data, layout, some, rows) for some in blocks]
        thin = max(1, min(_BAND_BYTES // layout.row, BAND // layout.width))
        for top in range(0, rows, thin):
            parts = [_decode_samples(_select_rows(plane, top, min(top + thin, rows)), layout) for plane in unpacked]
            yield _select_channels(parts, layout, channels)


def _select_channels(parts: list[np.ndarray], layout: _Layout, channels: list[int]) -> np.ndarray:
    return np.concatenate(parts, axis=2) if layout.apart else parts[0][..., channels]


def _select_rows(unpacked: Image.Image | np.ndarray, top: int, bottom: int) -> np.ndarray:
    if isinstance(unpacked, np.ndarray):
        return unpacked[top:bottom]
    return np.asarray(unpacked.crop((0, top, unpacked.width, bottom)))


def _join_tiles(unpacked: Image.Image | np.ndarray, layout: _Layout, down: int) -> np.ndarray:
    """Return the samples (rows, width, samples that lie together) of so many rows of tiles."""
    high, wide = layout.block
    tiles = _decode_samples(np.asarray(unpacked), layout).reshape(down, -1, high, wide, layout.together)
    return tiles.swapaxes(1, 2).reshape(down * high, -1, layout.together)[:, : layout.width]


def _unpack_blocks(data: bytes, layout: _Layout, blocks: range, rows: int) -> Image.Image | np.ndarray:
    """Return the bytes (rows, bytes of a row) of strips or tiles below each other. Raises UnreadablePicture."""
    ends = [layout.offsets[block] + layout.counts[block] for block in blocks]
    whole = memoryview(data)
    pieces = [whole[layout.offsets[block] : end] for block, end in zip(blocks, ends, strict=True)]
    if layout.compression == 1 and layout.fill == 1:
        joined = b"".join(pieces)[: rows * layout.row]
        if len(joined) < rows * layout.row:
            raise UnreadablePicture(CUT if _is_cut(data, layout.offsets, layout.counts) else DAMAGED)
        return np.frombuffer(joined, np.uint8).reshape(rows, layout.row)
    try:
        image = TiffImageFile(io.BytesIO(_wrap_as_tiff(pieces, layout, rows)))
        image.load()
    except (OSError, SyntaxError):
        cut = max(ends) > len(data) and _is_cut(data, layout.offsets, layout.counts)
        raise UnreadablePicture(CUT if cut else DAMAGED) from None
    return image


def _has_wrong_end(data: bytes, layout: _Layout) -> bool:
    """Return whether a strip or tile differs from its checksum, or has no end.

    libtiff notices neither: it stops at the last byte that it needs.
    """
    if layout.compression not in (*_DEFLATE, _LZMA) or layout.fill != 1:
        return False
    whole = memoryview(data)
    places = zip(layout.offsets, layout.counts, strict=False)
    return any(_is_wrong(whole[at : at + count], layout) for at, count in places)


def _is_wrong(piece: memoryview, layout: _Layout) -> bool:
    unpacking = lzma.LZMADecompressor() if layout.compression == _LZMA else zlib.decompressobj()
    left: bytes | memoryview = piece
    room = layout.row * layout.block[0]
    try:
        while not unpacking.eof:
            got = len(unpacking.decompress(left, _BAND_BYTES))
            left = getattr(unpacking, "unconsumed_tail", b"")  # lzma keeps the rest itself
            room -= got
            if room < 0 or not (got or left):  # a wrong end is read as more pixels
                return True
    except (zlib.error, lzma.LZMAError):
        return True
    return False


def _is_cut(data: bytes, offsets: tuple[int, ...], counts: tuple[int, ...]) -> bool:
    """Return whether strips and tiles need more bytes than there are. Otherwise their places are wrong."""
    first = min(offsets, default=0)
    return first < len(data) < first + sum(counts)


def _wrap_as_tiff(pieces: list[memoryview], layout: _Layout, rows: int) -> bytes:
    """Return a TIFF of grey bytes whose strips are these pieces."""
    starts = []
    place = 0
    for piece in pieces:
        starts.append(place)
        place += len(piece)
    entries: dict[int, list[int]] = {
        tiff_tags.WIDTH: [layout.row],
        tiff_tags.HEIGHT: [rows],
        tiff_tags.BITS: [8],
        tiff_tags.COMPRESSION: [layout.compression],
        tiff_tags.PHOTOMETRIC: [1],
        tiff_tags.FILL: [layout.fill],
        tiff_tags.OFFSETS: starts,
        tiff_tags.SAMPLES: [1],
        tiff_tags.ROWS: [min(layout.block[0], rows)],
        tiff_tags.COUNTS: [len(piece) for piece in pieces],
        tiff_tags.PLANAR: [1],
    }
    head = 8 + 2 + 12 * len(entries) + 4
    lists = head + (8 * len(pieces) if len(pieces) > 1 else 0)
    entries[tiff_tags.OFFSETS] = [lists + start for start in starts]
    fields = b""
    tail = b""
    for tag, values in entries.items():
        packed = struct.pack(f"<{len(values)}I", *values)
        fields += struct.pack("<HHI", tag, 4, len(values))
        fields += packed if len(values) == 1 else struct.pack("<I", head + len(tail))
        tail += packed if len(values) > 1 else b""
    return b"".join([b"II*\0\x08\0\0\0", struct.pack("<H", len(entries)), fields, bytes(4), tail, *pieces])


def _decode_samples(raw: np.ndarray, layout: _Layout) -> np.ndarray:
    """Return the samples (rows, width of a block, samples that lie together) of unpacked bytes."""
    rows = len(raw)
    wide = layout.block[1]
    together = layout.together
    if layout.bits not in (8, 16, 32, 64):
        return _decode_odd_samples(raw, layout).reshape(rows, wide, together)
    size = layout.bits // 8
    order = layout.order
    if layout.predictor == 3:  # TIFF Technical Note 3: bytes of equal weight lie together, as differences
        planes = np.add.accumulate(raw.reshape(rows, -1, together), axis=1, dtype=np.uint8)
        raw = np.ascontiguousarray(planes.reshape(rows, size, -1).swapaxes(1, 2))
        order = ">"
    values = raw.reshape(rows, -1).view(f"{order}u{size}").reshape(rows, wide, together)
    values = values.astype(f"u{size}", copy=False)
    if layout.predictor == 2:
        values = np.add.accumulate(values, axis=1, dtype=values.dtype)
    return values.view(f"{layout.form}{size}")


def _decode_odd_samples(raw: np.ndarray, layout: _Layout) -> np.ndarray:
    """Return samples (rows, samples of a row) of bits that numpy has no type for."""
    count = layout.block[1] * layout.together
    kind = np.min_scalar_type(2**layout.bits - 1)
    if layout.bits == 24:
        octets = raw.reshape(len(raw), count, 3)[..., :: 1 if layout.order == ">" else -1]
        return np.pad(octets, ((0, 0), (0, 0), (1, 0))).view(">u4")[..., 0].astype(kind)
    digits = np.unpackbits(raw, axis=1)[:, : count * layout.bits].reshape(len(raw), count, layout.bits)
    values = np.zeros((len(raw), count), kind)
    for i in range(layout.bits):
        values = np.left_shift(values, 1) | digits[..., i]
    return values
