"""Works to bytes: PNG and WAV files that carry their own making, and sheets of many. Nothing here writes a file."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, PngImagePlugin

MOST_TEXT = 16 * 2**20
"""Bytes of all texts of a PNG that are read, unpacked."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(picture: np.ndarray, texts: dict[str, str] | None = None, scale: int = 1) -> bytes:
    """A picture (height, width, 1 | 3) uint8 as a PNG, every pixel a block of `scale` × `scale`.

    `texts` go into iTXt chunks, UTF-8, unpacked so that anyone can read them. A key is 1 to 79
    Latin-1 characters.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise ValueError(f"a picture is (height, width, 1 | 3) bytes, not {picture.dtype} of shape {picture.shape}")
    enlarged = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    info = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        if not 1 <= len(key.encode("latin-1")) <= 79:
            raise ValueError(f"the key of a PNG's text has 1 to 79 characters, not {len(key)}")
        info.add_itxt(key, text)
    buffer = io.BytesIO()
    Image.fromarray(enlarged[..., 0] if picture.shape[2] == 1 else enlarged).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def texts(data: bytes) -> dict[str, str]:
    """The texts of a PNG (iTXt, tEXt, zTXt) by their keys; nothing where it is no PNG or is damaged there.

    Pillow is not asked: it would refuse the whole picture for one long text, and decodes on the way.
    """
    found: dict[str, str] = {}
    left = MOST_TEXT
    for kind, body in _chunks(data):
        if kind not in (b"iTXt", b"tEXt", b"zTXt"):
            continue
        text = _text(kind, body, left)
        if text is None:
            continue
        key, value = text
        left -= len(value)
        found.setdefault(key, value.decode("utf-8" if kind == b"iTXt" else "latin-1", errors="replace"))
    return found


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and body of each chunk whose check sum holds, as far as the file is whole."""
    chunks: list[tuple[bytes, bytes]] = []
    at = len(_SIGNATURE) if data.startswith(_SIGNATURE) else len(data)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            break
        if kind != b"IDAT" and zlib.crc32(data[at + 4 : end]) == struct.unpack_from(">I", data, end)[0]:
            chunks.append((kind, data[at + 8 : end]))
        if kind == b"IEND":
            break
        at = end + 4
    return chunks


def _text(kind: bytes, body: bytes, most: int) -> tuple[str, bytes] | None:
    """Key and bytes of a text chunk; None where it is malformed or longer than `most`."""
    key, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        parts = rest[2:].split(b"\0", 2)  # flag, method | language, translated key, text
        if len(rest) < 2 or len(parts) < 3 or rest[0] > 1 or (rest[0] and rest[1]):
            return None
        packed, rest = bool(rest[0]), parts[2]
    elif packed:
        rest = rest[1:]  # the method, of which there is one
    if packed:
        unpacker = zlib.decompressobj()
        try:
            rest = unpacker.decompress(rest, most + 1)
        except zlib.error:
            return None
    return (key.decode("latin-1"), rest) if key and len(rest) <= most else None


def wav(samples: np.ndarray, rate: int, words: dict[str, str], chunks: dict[str, bytes] | None = None) -> bytes:
    """Samples (n,) int16, or float32 from -1 to 1, as a WAV of one channel.

    `words` go into its list of comments (RIFF INFO, keys such as ICMT), UTF-8; `chunks` are others of four letters.
    Both stand before the samples, where a look at the beginning of the file finds them.
    """
    if samples.dtype not in (np.int16, np.float32) or samples.ndim != 1:
        raise ValueError(f"a sound is (samples,) int16 or float32, not {samples.dtype} of shape {samples.shape}")
    size, real = samples.dtype.itemsize, samples.dtype == np.float32
    form = struct.pack("<HHIIHH", 3 if real else 1, 1, rate, rate * size, size, 8 * size)
    body = _chunk(b"fmt ", form + (b"\0\0" if real else b""))
    if real:
        body += _chunk(b"fact", struct.pack("<I", len(samples)))
    for key, data in (chunks or {}).items():
        body += _chunk(key.encode("ascii"), data)
    said = b"".join(_chunk(key.encode("ascii"), text.encode() + b"\0") for key, text in words.items())
    if said:
        body += _chunk(b"LIST", b"INFO" + said)
    body += _chunk(b"data", samples.astype(samples.dtype.newbyteorder("<")).tobytes())
    return _chunk(b"RIFF", b"WAVE" + body)


def _chunk(key: bytes, body: bytes) -> bytes:
    if len(key) != 4:
        raise ValueError(f"the key of a chunk has four letters, not {len(key)}")
    return key + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def sheet(
    pictures: np.ndarray | Sequence[np.ndarray], columns: int = 4, gap: int = 2, scale: int = 1, over: int = 255
) -> np.ndarray:
    """Pictures (n, height, width, channels) uint8 in rows, `gap` pixels of the grey `over` around each.

    Pictures are enlarged by whole blocks; the gap is not. With n = 0 the sheet is empty but for its gap.
    """
    pictures = np.asarray(pictures)
    count, height, width, channels = pictures.shape
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    high, wide = height * scale, width * scale
    result = np.full((rows * (high + gap) + gap, columns * (wide + gap) + gap, channels), over, np.uint8)
    for index, picture in enumerate(pictures):
        y, x = gap + index // columns * (high + gap), gap + index % columns * (wide + gap)
        result[y : y + high, x : x + wide] = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    return result
