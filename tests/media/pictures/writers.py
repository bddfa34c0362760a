"""Write PNG and TIFF files of layouts that Pillow does not write."""

import struct
import zlib
from typing import Any

import numpy as np

END = b"\0\0\0\0IEND\xaeB`\x82"


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    """Return a chunk of a PNG, with the right checksum unless another is given."""
    right = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", right)


def png(
    samples: np.ndarray, depth: int, colour: int, before: bytes = b"", after: bytes = b"", interlaced: bool = False
) -> bytes:
    """Return a PNG of samples (height, width, channels), with chunks around the pixels."""
    height, width = samples.shape[:2]
    starts = (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)
    passes = [samples[y::down, x::across] for y, x, down, across in starts] if interlaced else [samples]
    rows = [b"\0" + row for part in passes if part.size for row in packed(part, depth, ">")]
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + pixels + after + END


def packed(samples: np.ndarray, bits: int, order: str) -> list[bytes]:
    """Return the bytes of each row of samples (height, width, channels)."""
    rows = np.ascontiguousarray(samples).reshape(len(samples), -1)
    if bits in (8, 16, 32, 64):
        kind = rows.dtype.newbyteorder(order) if rows.dtype.itemsize * 8 == bits else f"{order}u{bits // 8}"
        return [row.astype(kind).tobytes() for row in rows]
    if bits == 24:
        octets = rows.astype("<u4").view(np.uint8).reshape(len(rows), -1, 4)[..., :3]
        return [(row[:, ::-1] if order == ">" else row).tobytes() for row in octets]
    digits = rows[..., None].astype(np.uint64) >> np.arange(bits - 1, -1, -1, dtype=np.uint64) & np.uint64(1)
    return [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in digits]


def tiff(
    samples: np.ndarray,
    bits: int,
    form: int = 1,
    photometric: int = 2,
    *,
    order: str = "<",
    extra: tuple[int, ...] = (),
    apart: bool = False,
    compression: int = 1,
    predictor: int = 1,
    tile: tuple[int, int] | None = None,
    rows: int = 0,
    big: bool = False,
    more: dict[int, Any] | None = None,
) -> bytes:
    """Return a TIFF of samples (height, width, channels).

    Arguments
        form: 1 unsigned, 2 signed, 3 floating point
        apart: whether each channel is kept by itself
        tile: its height and width
        rows: of a strip; 0: all
        more: other tags, with bytes or a list of 16-bit numbers
    """
    height, width, channels = samples.shape
    planes = [samples[..., i : i + 1] for i in range(channels)] if apart else [samples]
    blocks = [block for plane in planes for block in _blocks(plane, tile, rows or height)]
    data = [_compressed(_differences(block, bits, predictor, order), compression) for block in blocks]
    tags: dict[int, Any] = {
        256: [width],
        257: [height],
        258: [bits] * channels,
        259: [compression],
        262: [photometric],
        277: [channels],
        284: [2 if apart else 1],
        317: [predictor],
        339: [form] * channels,
        **({338: list(extra)} if extra else {}),
        **({322: [tile[1]], 323: [tile[0]]} if tile else {278: [rows or height]}),
        **(more or {}),
    }
    return _file(tags, data, 324 if tile else 273, order, big)


def _blocks(plane: np.ndarray, tile: tuple[int, int] | None, rows: int) -> list[np.ndarray]:
    height, width = plane.shape[:2]
    if tile is None:
        return [plane[top : top + rows] for top in range(0, height, rows)]
    filled = np.pad(plane, ((0, -height % tile[0]), (0, -width % tile[1]), (0, 0)))
    return [
        filled[y : y + tile[0], x : x + tile[1]]
        for y in range(0, height, tile[0])
        for x in range(0, width, tile[1])
    ]  # fmt: skip


def _differences(block: np.ndarray, bits: int, predictor: int, order: str) -> bytes:
    """Return a strip or tile, as it is or as differences along rows."""
    if predictor == 2:
        whole = np.ascontiguousarray(block).view(f"u{bits // 8}")
        block = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1)
    if predictor != 3:
        return b"".join(packed(block, bits, order))
    octets = np.ascontiguousarray(block).astype(f">f{bits // 8}").view(np.uint8)
    octets = octets.reshape(len(block), -1, bits // 8).swapaxes(1, 2).reshape(len(block), -1, block.shape[2])
    return np.concatenate([octets[:, :1], octets[:, 1:] - octets[:, :-1]], axis=1).tobytes()


def _compressed(data: bytes, compression: int) -> bytes:
    return zlib.compress(data) if compression == 8 else data


def _file(tags: dict[int, Any], data: list[bytes], places: int, order: str, big: bool) -> bytes:
    """Return a TIFF or BigTIFF. `places` is the tag for where strips or tiles lie."""
    counting, entry, offset, room = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    tags = {**tags, places: data, places + 1 if places == 324 else 279: [len(part) for part in data]}
    head = 16 if big else 8
    spill = head + struct.calcsize("=" + counting) + len(tags) * (struct.calcsize("=" + entry) + room) + room
    long_tags = (places, 279, 325)
    each = {tag: 1 if isinstance(values, bytes) else 2 for tag, values in tags.items()}
    sizes = {tag: len(values) * (4 if tag in long_tags else each[tag]) for tag, values in tags.items()}
    start = spill + sum(size for size in sizes.values() if size > room)
    starts = [start + sum(map(len, data[:i])) for i in range(len(data))]
    fields = tail = b""
    for tag in sorted(tags):
        values = starts if tag == places else tags[tag]
        letter, kind = ("I", 4) if tag in (places, 279, 325) else ("H", 3)
        whole = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{letter}", *values)
        fields += struct.pack(order + entry, tag, 7 if isinstance(values, bytes) else kind, len(values))
        fields += whole.ljust(room, b"\0") if len(whole) <= room else struct.pack(order + offset, spill + len(tail))
        tail += whole if len(whole) > room else b""
    mark = b"II" if order == "<" else b"MM"
    mark += struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 16) if big else (42, 8)))
    return mark + struct.pack(order + counting, len(tags)) + fields + bytes(room) + tail + b"".join(data)
