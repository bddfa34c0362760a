"""Read PNG files (PNG 3, https://www.w3.org/TR/png-3/) of every colour type and depth.

Chunks are read here, and Pillow decodes only pixels. So a fault in a text does not cost the picture.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from studio.media.pictures import colour
from studio.media.pictures.raster import BAND, CUT, DAMAGED, FOREIGN, Raster, UnreadablePicture

BEGINNING = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_KINDS = {  # (colour type, depth): Pillow's mode, and its words for the layout of rows
    **{(0, depth): ("L", f"L;{depth}") for depth in (2, 4)},
    **{(3, depth): ("P", f"P;{depth}") for depth in (1, 2, 4)},
    (0, 1): ("1", "1"),
    (0, 8): ("L", "L"),
    (0, 16): ("I;16", "I;16B"),
    (2, 8): ("RGB", "RGB"),
    (2, 16): ("RGB", "RGB;16"),
    (3, 8): ("P", "P"),
    (4, 8): ("LA", "LA"),
    (4, 16): ("RGBA", "RGBA"),  # the four bytes of a pixel
    (6, 8): ("RGBA", "RGBA"),
    (6, 16): ("RGBA", "RGBA;16"),
}
_ONCE = {  # chunks that change how pixels look, with their names for the user
    b"tRNS": "transparency",
    b"iCCP": "colour profile",
    b"cICP": "colour space",
    b"sRGB": "colour space",
    b"gAMA": "gamma",
    b"cHRM": "colour space",
    b"eXIf": "orientation",
}
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_CAMERA_TEXTS = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
"""Keywords of texts in which programs keep what the camera noted."""
_IGNORED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_PRIMARIES: dict[int, colour.Points] = {  # ITU-T H.273, table 2: white, red, green, blue
    1: colour.SRGB,
    5: ((0.3127, 0.329), (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: ((0.3127, 0.329), (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    9: ((0.3127, 0.329), (0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    12: ((0.3127, 0.329), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
_TRANSFERS = {
    4: colour.power_curve(2.2),
    5: colour.power_curve(2.8),
    8: colour.power_curve(1.0),
    13: colour.srgb_to_light,
}
"""The function from samples to light for each number of a transfer characteristic (ITU-T H.273, table 3)."""
_GAMMA_ROUNDING = 0.05
"""The largest share by which a gamma of sRGB may differ from 1 / 2.2: libpng's threshold."""


@dataclass
class _Chunks:
    """Holds the chunks of a PNG file."""

    head: bytes = b""
    palette: bytes = b""
    pixels: list[memoryview] = field(default_factory=list)
    other: dict[bytes, bytes] = field(default_factory=dict)
    texts: list[bytes] = field(default_factory=list)
    """The chunks with texts, each with its head and checksum, as in the file."""
    faulty: set[bytes] = field(default_factory=set)
    """The types of chunks with a wrong checksum."""
    frames: int = 0
    """The number of pictures in an animation; 0 if it is none."""
    hidden: bool = True
    """True if the first picture is not part of the animation."""
    cut: bool = False

    @property
    def fault(self) -> str:
        """Return why a chunk is missing or wrong."""
        return CUT if self.cut else DAMAGED


def decode_png(data: bytes) -> Raster:
    """Decode a PNG file. Raises UnreadablePicture."""
    chunks = _collect_chunks(data)
    width, height, depth, kind, packing, filtering, interlaced = struct.unpack(">IIBBBBB", chunks.head)
    if (kind, depth) not in _KINDS or packing or filtering or interlaced > 1 or not 0 < width < 2**31 > height > 0:
        raise UnreadablePicture(DAMAGED)
    if kind == 3 and not chunks.palette:
        raise UnreadablePicture(chunks.fault)
    notes = []
    if chunks.frames + chunks.hidden > 1:
        notes.append("only the first of its pictures is used")
    if chunks.faulty & {b"IDAT"}:  # the stream in it has a checksum of its own, which Pillow compares
        notes.append("a checksum in it is wrong, but its pixels are whole")
    if chunks.faulty & {b"PLTE"}:
        notes.append("the checksum of its palette is wrong, so colours may be, too")
    lost = sorted({_ONCE[key] for key in chunks.faulty & _ONCE.keys()})
    notes += [f"its {what} is damaged and was left out" for what in lost]
    profile, curve, colour_notes = _conversion(chunks)
    return Raster(
        height,
        width,
        "L" if kind in (0, 4) else "RGB",
        _bands(chunks, (width, height), kind, depth, interlaced),
        65535 if depth == 16 else 255,
        bits=max(depth, 8),
        profile=profile,
        curve=curve,
        orientation=_orientation(chunks),
        notes=(*notes, *colour_notes),
    )


def png_size(data: bytes) -> tuple[int, int]:
    """Return the width and height that a PNG claims. They are 0 × 0 if it is short."""
    return struct.unpack(">II", data[16:24]) if len(data) >= 24 else (0, 0)


# ── chunks ───────────────────────────────────────────────────────────────────────────────────────


def _collect_chunks(data: bytes) -> _Chunks:
    """Return the chunks of a file.

    Raises UnreadablePicture without a valid header, and for unknown necessary chunks.
    """
    chunks = _Chunks()
    for kind, body, whole in _read_chunks(data, chunks):
        if not chunks.head and (kind != b"IHDR" or len(body) != 13 or kind in chunks.faulty):
            raise UnreadablePicture(FOREIGN if kind == b"CgBI" else chunks.fault)
        if kind == b"IHDR":
            chunks.head = bytes(body)
        elif kind == b"PLTE":
            if not 0 < len(body) <= 768 or len(body) % 3:
                raise UnreadablePicture(chunks.fault)
            chunks.palette = bytes(body)
        elif kind == b"IDAT":
            chunks.pixels.append(body)
        elif kind == b"fcTL":
            chunks.hidden = chunks.hidden and bool(chunks.pixels)
        elif kind == b"acTL" and len(body) == 8:
            chunks.frames = struct.unpack(">I", body[:4])[0]
        elif kind in _ONCE and kind not in chunks.faulty and (kind == b"eXIf" or not chunks.pixels):
            chunks.other.setdefault(kind, bytes(body))
        elif kind in _TEXTS and kind not in chunks.faulty and bytes(body[:24]).startswith(_CAMERA_TEXTS):
            chunks.texts.append(bytes(whole))
        elif not kind[0] & 32 and kind not in _IGNORED:  # a capital: the picture cannot be shown without it
            is_known = chunks.cut or kind in chunks.faulty
            raise UnreadablePicture(chunks.fault if is_known else FOREIGN)
    if not chunks.head:  # nothing follows the first eight bytes
        raise UnreadablePicture(DAMAGED)
    return chunks


def _read_chunks(data: bytes, chunks: _Chunks) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Yield the type, the body and all bytes of each chunk. Note faulty and cut ones."""
    view = memoryview(data)
    at = len(BEGINNING)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = view[at + 8 : at + 8 + length]
        whole = view[at : at + 12 + length]
        if len(whole) < 12 + length:
            chunks.cut = _END not in data  # else a length is wrong
        elif zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
            chunks.faulty.add(kind)
        yield kind, body, whole
        if kind == b"IEND" or len(whole) < 12 + length:
            return
        at += 12 + length
    chunks.cut = True


# ── pixels ───────────────────────────────────────────────────────────────────────────────────────


def _bands(
    chunks: _Chunks, shape: tuple[int, int], kind: int, depth: int, interlaced: int
) -> Callable[[], Iterator[np.ndarray]]:
    """Decode the pixels. Return a function that yields bands (rows, width, channels)."""
    mode, layout = _KINDS[kind, depth]
    packed = chunks.pixels[0] if len(chunks.pixels) == 1 else b"".join(chunks.pixels)

    def decode(rows: str) -> Image.Image:
        try:
            return Image.frombytes(mode, shape, packed, "zip", rows, interlaced)
        except ValueError:
            raise UnreadablePicture(chunks.fault) from None

    # Of 16 bits Pillow keeps one byte, the high or the low one.
    layouts = [f"{layout}B", f"{layout}L"] if layout.endswith(";16") else [layout]
    images = [decode(each) for each in layouts]
    clear = chunks.other.get(b"tRNS", b"")
    colours = _read_palette(chunks.palette, clear) if kind == 3 else None
    key = _transparent_colour(clear, kind, depth)

    def bands() -> Iterator[np.ndarray]:
        width, height = shape
        step = max(1, BAND // width)
        for top in range(0, height, step):
            box = (0, top, width, min(top + step, height))
            parts = [np.asarray(image.crop(box)) for image in images]
            band = _band(parts, kind, depth)
            if colours is not None:
                band = colours[band[..., 0]]
            elif key is not None:
                is_clear = (band == key).all(axis=2, keepdims=True)
                opaque = np.array(65535 if depth == 16 else 255, band.dtype)
                band = np.concatenate([band, np.where(is_clear, np.zeros_like(opaque), opaque)], axis=2)
            yield band

    return bands


def _band(parts: list[np.ndarray], kind: int, depth: int) -> np.ndarray:
    """Return a band of the picture, (rows, width, channels), from the arrays that Pillow decoded.

    `parts` are the high and the low bytes of samples of 16 bits, or one array of others.
    """
    first = parts[0]
    if len(parts) == 2:
        deep: np.ndarray = first.astype(np.uint16) * np.uint16(256) + parts[1]
        return deep
    if (kind, depth) == (0, 1):
        first = first.astype(np.uint8) * np.uint8(255)
    elif (kind, depth) == (4, 16):
        first = first.view(">u2").astype(np.uint16)
    return first if first.ndim == 3 else first[..., None]


def _read_palette(palette: bytes, clear: bytes) -> np.ndarray:
    """Return the colours (256, 3 | 4) uint8 of a palette. Missing ones are black."""
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 3] = 255
    colours[: len(palette) // 3, :3] = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    colours[: len(clear[:256]), 3] = np.frombuffer(clear[:256], np.uint8)
    return colours if clear else colours[:, :3]


def _transparent_colour(clear: bytes, kind: int, depth: int) -> np.ndarray | None:
    """Return the transparent grey (1,) or colour (3,), scaled like the decoded pixels."""
    channels = {0: 1, 2: 3}.get(kind, 0)
    if not channels or len(clear) != 2 * channels:
        return None
    key = np.frombuffer(clear, ">u2") & (2**depth - 1)  # PNG 3, 11.3.1.1: ignore higher bits
    scaled: np.ndarray = key * (255 // (2**depth - 1)) if depth < 8 else key
    return scaled


# ── what belongs to the colours ──────────────────────────────────────────────────────────────────


def _conversion(chunks: _Chunks) -> tuple[bytes | None, colour.ColourCurve | None, list[str]]:
    """Return the profile or curve for sRGB, and notes (PNG 3, 4.3)."""
    others = chunks.other
    if len(others.get(b"cICP", b"")) == 4:
        return None, *_convert_code_points(*others[b"cICP"])
    if b"iCCP" in others:
        name, _, packed = others[b"iCCP"].partition(b"\0")
        if name == b"ITUR_2100_PQ_FULL":  # https://www.w3.org/TR/png-hdr-pq/: the name stands for the profile
            return None, None, [colour.HDR]
        profile = _unpack_profile(packed[1:])
        if profile or not others.keys() & {b"sRGB", b"gAMA", b"cHRM"}:
            return profile, None, []
        return None, _gamma_curve(others), [colour.LEFT_OUT]
    return None, _gamma_curve(others), []


def _convert_code_points(
    primaries: int, transfer: int, matrix: int, full: int
) -> tuple[colour.ColourCurve | None, list[str]]:
    """Return the conversion that a cICP chunk asks for, and notes for the user."""
    if transfer in colour.HDR_TRANSFERS:
        return None, [colour.HDR]
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS or matrix or full != 1:
        return None, ["its colours are of an unusual type and were taken as sRGB"]
    change = colour.to_srgb(_PRIMARIES[primaries])
    if transfer == 13 and change is None:
        return None, []
    return colour.ColourCurve((_TRANSFERS[transfer],), change, "its colours were converted to sRGB"), []


def _gamma_curve(others: dict[bytes, bytes]) -> colour.ColourCurve | None:
    """Return the conversion that gAMA and cHRM ask for; None if sRGB overrides them."""
    if len(others.get(b"sRGB", b"")) == 1:
        return None
    gamma = 0.0
    change: np.ndarray | None = None
    if len(others.get(b"gAMA", b"")) == 4:
        gamma = int.from_bytes(others[b"gAMA"]) / 100_000
    if len(others.get(b"cHRM", b"")) == 32:
        numbers = [number / 100_000 for number in struct.unpack(">8I", others[b"cHRM"])]
        if min(numbers[1::2]) > 0:
            change = _matrix_to_srgb(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    is_usual = not gamma or abs(gamma * 2.2 - 1) < _GAMMA_ROUNDING
    if is_usual and change is None:
        return None
    light = colour.srgb_to_light if is_usual else colour.power_curve(1 / gamma)
    note = "its gamma was converted to sRGB" if change is None else "its colours were converted to sRGB"
    return colour.ColourCurve((light,), change, note)


def _matrix_to_srgb(points: colour.Points) -> np.ndarray | None:
    """Return the matrix of chromaticities; None if it changes nothing or is impossible."""
    try:
        return colour.to_srgb(points)
    except np.linalg.LinAlgError:
        return None


def _unpack_profile(packed: bytes) -> bytes:
    """Return a compressed profile; empty if it is damaged or too large."""
    try:
        profile = zlib.decompressobj().decompress(packed, colour.MOST_PROFILE + 1)
    except zlib.error:
        return b""
    return profile if len(profile) <= colour.MOST_PROFILE else b""


def _orientation(chunks: _Chunks) -> int:
    """Return how to turn the picture, by its EXIF block or its texts."""
    try:
        exif = Image.Exif()
        if b"eXIf" in chunks.other:
            exif.load(b"Exif\0\0" + chunks.other[b"eXIf"])
        elif chunks.texts:
            exif = _exif_of_texts(chunks.texts)
        return int(exif.get(0x0112, 1))
    except Exception:  # a damaged EXIF block is no reason to refuse good pixels
        return 1


def _exif_of_texts(texts: list[bytes]) -> Image.Exif:
    """Return the EXIF block that Pillow reads from texts: hexadecimal digits, or XMP."""
    head = _encode_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    whole = b"".join([BEGINNING, head, *texts, _encode_chunk(b"IDAT", zlib.compress(b"\0\0")), _END])
    with Image.open(io.BytesIO(whole), formats=("PNG",)) as image:
        return image.getexif()


def _encode_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4)
