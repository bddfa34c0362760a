"""Encode works as PNG, WAV and FLAC files that carry their recipe, and as sheets. No file is written here."""

import io
import math
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, PngImagePlugin

from studio.media.pictures.palette import indices_if_exact
from studio.media.preparation import Palette

SHEET_GAP = 2
"""The number of pixels between the pictures of a sheet."""
MAX_TEXT_BYTES = 16 * 2**20
"""Bytes of all texts of a PNG that are read, unpacked."""
_MAX_CHUNKS = 1_000_000
"""Chunks of a file that are looked through: 200 MB of pixels in the usual chunks of 8 kB are 25,000."""
_MAX_BAD_TEXTS = 16
"""Texts that are malformed or too long, after which no more are read: each may unpack to MAX_TEXT_BYTES."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_FLAC_BLOCKS = 10_000
"""Blocks before a FLAC's samples; files have fewer than ten."""
_FLAC = b"fLaC"
_COMMENTS = 4


def encode_png_bytes(picture: np.ndarray, texts: dict[str, str] | None = None, palette: Palette = ()) -> bytes:
    """Encode a picture (height, width, 1 | 3) uint8 as a PNG.

    If all its colours are in the `palette`, it becomes a PNG with this palette, else one in colour. `texts` are stored
    in uncompressed iTXt chunks (UTF-8), so that anyone can read them. A key has 1 to 79 Latin-1 characters.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise ValueError(f"a picture is (height, width, 1 | 3) bytes, not {picture.dtype} of shape {picture.shape}")
    picture = np.ascontiguousarray(picture)
    info = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        if not 1 <= len(key.encode("latin-1")) <= 79:
            raise ValueError(f"the key of a PNG's text has 1 to 79 characters, not {len(key)}")
        info.add_itxt(key, text)
    indices = indices_if_exact(picture, palette)
    if indices is not None:
        image = Image.fromarray(indices)
        image.putpalette([channel for each in palette for channel in each])
    else:
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def png_texts(data: bytes) -> dict[str, str]:
    """Return the texts of a PNG (iTXt, tEXt, zTXt) by their keys.

    Returns nothing if it is not a PNG or is damaged there. Pillow is not used: it would refuse the whole picture for
    one long text, and it decodes the picture.
    """
    found: dict[str, str] = {}
    left = MAX_TEXT_BYTES
    left_out = 0
    for kind, body in _text_chunks(data):
        text = _decode_text(kind, body, left)
        if text is None:
            left_out += 1
            if left_out == _MAX_BAD_TEXTS:
                break
            continue
        key, value = text
        left -= len(value)
        found.setdefault(key, value.decode("utf-8" if kind == b"iTXt" else "latin-1", errors="replace"))
    return found


def _text_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and body of each intact text chunk, as far as the file goes."""
    at = len(_SIGNATURE) if data.startswith(_SIGNATURE) else len(data)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data) or kind == b"IEND":
            return
        is_text = kind in (b"iTXt", b"tEXt", b"zTXt")
        if is_text and zlib.crc32(data[at + 4 : end]) == struct.unpack_from(">I", data, end)[0]:
            yield kind, data[at + 8 : end]
        at = end + 4


def _decode_text(kind: bytes, body: bytes, most: int) -> tuple[str, bytes] | None:
    """Return key and text of a text chunk. It is None if malformed or longer than `most`."""
    key, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        parts = rest[2:].split(b"\0", 2)  # flag, method | language, translated key, text
        if len(rest) < 2 or len(parts) < 3 or rest[0] > 1 or (rest[0] and rest[1]):
            return None
        packed = bool(rest[0])
        rest = parts[2]
    elif packed:
        rest = rest[1:]  # the method, of which there is one
    if packed:
        unpacker = zlib.decompressobj()
        try:
            rest = unpacker.decompress(rest, most + 1)
        except zlib.error:
            return None
    return (key.decode("latin-1"), rest) if key and len(rest) <= most else None


def encode_wav_bytes(
    samples: np.ndarray, rate: int, words: dict[str, str], chunks: dict[str, bytes] | None = None, *, bits: int = 0
) -> bytes:
    """Encode samples (n,) as a WAV of one channel. They are int16, or float32 from -1 to 1.

    They are stored as they are, or as whole numbers of 16 or 24 `bits`. `words` go into its list of comments (RIFF
    INFO, keys such as ICMT), UTF-8; `chunks` are others of four letters. Both stand before the samples, where a look at
    the beginning of the file finds them.
    """
    body = _sample_bytes(samples, bits)
    real = samples.dtype == np.float32 and not bits
    size = len(body) // max(len(samples), 1) or samples.dtype.itemsize
    form = struct.pack("<HHIIHH", 3 if real else 1, 1, rate, rate * size, size, 8 * size)
    whole = _encode_chunk(b"fmt ", form + (b"\0\0" if real else b""))
    if real:
        whole += _encode_chunk(b"fact", struct.pack("<I", len(samples)))
    for key, data in (chunks or {}).items():
        whole += _encode_chunk(key.encode("ascii"), data)
    comments = b"".join(_encode_chunk(key.encode("ascii"), text.encode() + b"\0") for key, text in words.items())
    if comments:
        whole += _encode_chunk(b"LIST", b"INFO" + comments)
    return _encode_chunk(b"RIFF", b"WAVE" + whole + _encode_chunk(b"data", body))


def _sample_bytes(samples: np.ndarray, bits: int) -> bytes:
    """Return samples as a WAV stores them; unchanged if `bits` is 0."""
    if samples.dtype not in (np.int16, np.float32) or samples.ndim != 1:
        raise ValueError(f"a sound is (samples,) int16 or float32, not {samples.dtype} of shape {samples.shape}")
    if bits not in (0, 16, 24):
        raise ValueError(f"a sound is saved in 16 or 24 bits, not {bits}")
    if not bits or (bits == 16 and samples.dtype == np.int16):
        return samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    whole = _to_integers(samples, bits).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


def _to_integers(samples: np.ndarray, bits: int) -> np.ndarray:
    """Return samples as integers (n,) int32 of so many bits. int16 samples keep their loudness."""
    if samples.dtype == np.int16:
        return samples.astype(np.int32) << (bits - 16)
    top = 2 ** (bits - 1)
    whole: np.ndarray = np.rint(samples.astype(np.float64) * top).clip(-top, top - 1).astype(np.int32)
    return whole


def encode_flac_bytes(samples: np.ndarray, rate: int, words: dict[str, str], *, bits: int = 16) -> bytes:
    """Encode samples, as `encode_wav_bytes` takes them, as a FLAC of 16 or 24 bits.

    `words` are its comments, UTF-8, by keys of letters.
    """
    import soundfile

    _sample_bytes(samples, bits)
    buffer = io.BytesIO()
    whole = _to_integers(samples, bits) << (32 - bits)
    soundfile.write(buffer, whole, rate, format="FLAC", subtype=f"PCM_{bits}")
    blocks, rest = _flac_blocks(buffer.getvalue())
    comments = [f"{key}={text}".encode() for key, text in words.items()]
    maker = b"latent-studio"
    body = struct.pack("<I", len(maker)) + maker + struct.pack("<I", len(comments))
    body += b"".join(struct.pack("<I", len(text)) + text for text in comments)
    if len(body) >= 2**24:
        raise ValueError(f"the comments of a FLAC have less than 16 MB, not {len(body) >> 20}")
    blocks = [(kind, data) for kind, data in blocks if kind == 0] + [(_COMMENTS, body)]
    heads = [
        struct.pack(">I", (last << 31) | (kind << 24) | len(data)) + data for last, (kind, data) in _mark_last(blocks)
    ]
    return _FLAC + b"".join(heads) + rest


def flac_comments(data: bytes) -> dict[str, str]:
    """Return the comments of a FLAC by their keys in capitals.

    Returns nothing if it is not a FLAC or is damaged there.
    """
    found: dict[str, str] = {}
    for body in [body for kind, body in _flac_blocks(data)[0] if kind == _COMMENTS][:1]:
        try:
            at = 4 + struct.unpack_from("<I", body)[0]
            (count,) = struct.unpack_from("<I", body, at)
            at += 4
            for _ in range(min(count, 1000)):
                (length,) = struct.unpack_from("<I", body, at)
                key, _, text = body[at + 4 : at + 4 + length].decode(errors="replace").partition("=")
                found.setdefault(key.upper(), text)
                at += 4 + length
        except struct.error:
            break
    return found


def _flac_blocks(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return type and body of each block before a FLAC's samples, and the rest.

    They are complete as far as the file goes.
    """
    blocks: list[tuple[int, bytes]] = []
    at = len(_FLAC) if data.startswith(_FLAC) else len(data)
    while at + 4 <= len(data) and len(blocks) < _MAX_FLAC_BLOCKS:
        (head,) = struct.unpack_from(">I", data, at)
        end = at + 4 + (head & 0xFFFFFF)
        blocks.append((head >> 24 & 0x7F, data[at + 4 : end]))
        at = end
        if head >> 31:
            break
    return blocks, data[at:]


def _mark_last(blocks: list[tuple[int, bytes]]) -> list[tuple[bool, tuple[int, bytes]]]:
    """Return blocks, and for each whether it is the last."""
    return [(number == len(blocks), block) for number, block in enumerate(blocks, 1)]


def _encode_chunk(key: bytes, body: bytes) -> bytes:
    if len(key) != 4:
        raise ValueError(f"the key of a chunk has four letters, not {len(key)}")
    return key + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def sheet_columns(count: int) -> int:
    """Return the columns of a sheet with about as many rows as columns."""
    return max(1, round(math.sqrt(count)))


def arrange_sheet(
    pictures: np.ndarray | Sequence[np.ndarray], columns: int = 4, gap: int = SHEET_GAP, over: int = 255
) -> np.ndarray:
    """Arrange pictures (n, height, width, channels) uint8 in rows, with gaps between them.

    Each gap is `gap` pixels of the grey `over`. With n = 0 the sheet consists of its gap only.
    """
    pictures = np.asarray(pictures)
    count, high, wide, channels = pictures.shape
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    result = np.full((rows * (high + gap) + gap, columns * (wide + gap) + gap, channels), over, np.uint8)
    for index, picture in enumerate(pictures):
        y = gap + index // columns * (high + gap)
        x = gap + index % columns * (wide + gap)
        result[y : y + high, x : x + wide] = picture
    return result
