"""Tell picture formats by their first bytes, check what they claim, and decode them.

JPEG, GIF, BMP and WebP have no checksum. One changed byte in their pixels shows other pixels, and nothing can notice it
unless a code is impossible or the data end too early. PNG and some kinds of TIFF have checksums, which are compared.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

from studio.media.pictures import jpeg, png, printed_errors, tiff
from studio.media.pictures.raster import BAND, BROKEN, CUT, DAMAGED, FOREIGN, TURNED, Raster, UnreadablePicture

Image.MAX_IMAGE_PIXELS = None  # every reader here checks the size by itself, before it decodes

MAX_DECODED_PIXELS = 64_000_000
MAX_REDUCED_PIXELS = 256_000_000
"""The number of pixels of the largest JPEG. Above MAX_DECODED_PIXELS it is decoded at a half or less of its size."""
_MAX_WEBP_PIXELS = 56_000_000
"""The number of pixels of the largest WebP. Its decoder and Pillow keep four copies of four bytes, within 1 GB."""
_MAX_PROGRESSIVE_BYTES = 900_000_000
"""Bytes that a progressive JPEG may need: two for each sample, until its last scan is read."""

_BEGINNINGS = {
    png.BEGINNING: "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    **dict.fromkeys(tiff.BEGINNINGS, "TIFF"),
}
"""First bytes of what is decoded. EPS, PDF and the like start other programs, so they are never opened."""
_PLAIN = ("L", "RGB", "CMYK", "LAB")
_PROGRESSIVE = 0xC2
_HUFFMAN = (0xC0, 0xC1, _PROGRESSIVE)
"""Types of JPEG whose data mark their end; arithmetic codes may leave zeros out."""
_ORIENTATION = 0x0112


def format_of(data: bytes) -> str:
    """Return PNG, JPEG, WEBP, TIFF, BMP or GIF; empty for all else."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for beginning, name in _BEGINNINGS.items() if data.startswith(beginning)), "")


def decode_picture(data: bytes) -> Raster:
    """Decode the first picture of a file. Raises UnreadablePicture, and any error of the decoders."""
    match format_of(data):
        case "PNG":
            _check_size(*png.png_size(data))
            return png.decode_png(data)
        case "TIFF":
            _check_size(*tiff.tiff_size(data))
            return tiff.decode_tiff(data) or _decode_tiff_with_pillow(data)
        case "JPEG":
            return _decode_jpeg(data)
        case "WEBP":
            _check_size(*_webp_size(data), _MAX_WEBP_PIXELS)
            return _decode_with_pillow(WebPImagePlugin.WebPImageFile(io.BytesIO(data)), [])
        case "GIF":
            return _decode_with_pillow(GifImagePlugin.GifImageFile(io.BytesIO(data)), [])
        case "BMP":
            return _decode_with_pillow(BmpImagePlugin.BmpImageFile(io.BytesIO(data)), [])
        case _:
            raise UnreadablePicture(DAMAGED)


def picture_fault(data: bytes, error: Exception) -> str:
    """Return why a file could not be decoded, according to its structure."""
    try:
        return _structural_fault(data, str(error))
    except Exception:  # its structure cannot be followed either
        return DAMAGED


def _structural_fault(data: bytes, error: str) -> str:
    is_cut = False
    match format_of(data):
        case "TIFF":
            return tiff.tiff_fault(data)
        case "JPEG":
            kind, precision, _, _, _ = _jpeg_frame(data)
            if kind not in (0xC0, 0xC1, _PROGRESSIVE, 0xC9, 0xCA) or precision != 8:
                return FOREIGN if kind else CUT
            is_cut = data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")  # no end after the last scan
        case "WEBP":
            is_cut = int.from_bytes(data[4:8], "little") + 8 > len(data)
        case "GIF":
            is_cut = not data.rstrip(b"\0").endswith(b";")
        case "BMP":
            if "nsupported" in error:
                return FOREIGN
            is_cut = int.from_bytes(data[2:6], "little") > len(data)
    return CUT if is_cut else DAMAGED


def _check_size(width: int, height: int, most: int | None = None) -> None:
    """Raise UnreadablePicture if a picture has more pixels than `most`; None: MAX_DECODED_PIXELS."""
    most = MAX_DECODED_PIXELS if most is None else most
    if width * height > most:
        reason = f"has {width * height / 1e6:,.0f} megapixels (at most {most // 1_000_000} are opened)"
        raise UnreadablePicture(reason, "Save it smaller.")


def _decode_with_pillow(image: Image.Image, notes: list[str]) -> Raster:
    """Decode a picture that Pillow opened."""
    _check_size(*image.size)
    if image.format in ("GIF", "WEBP") and getattr(image, "is_animated", False):
        notes.append("only the first of its pictures is used")
    before = _orientation(image)
    image.load()
    orientation = _orientation(image)
    if orientation != before:  # a TIFF is turned by Pillow
        notes.append(TURNED)
    mode, target = _pillow_modes(image)
    if image.mode not in ("1", "L", "P", "RGB", target, mode):
        notes.append(f"{image.mode} colours were converted to RGB")

    def bands() -> Iterator[np.ndarray]:
        step = max(1, BAND // image.width)
        for top in range(0, image.height, step):
            band = image.crop((0, top, image.width, min(top + step, image.height)))
            values = np.asarray(band if band.mode == target else band.convert(target))
            yield values if values.ndim == 3 else values[..., None]

    is_deep = target.startswith("I;16")
    profile = image.info.get("icc_profile")
    return Raster(
        image.height,
        image.width,
        mode,
        bands,
        65535 if is_deep else 255,
        bits=16 if is_deep else 8,
        profile=profile if isinstance(profile, bytes) else None,
        orientation=orientation,
        notes=tuple(notes),
    )


def _decode_tiff_with_pillow(data: bytes) -> Raster:
    """Decode a TIFF file of a type that is left to Pillow."""
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    except Exception:  # its directory could be read: Pillow does not know the layout
        raise UnreadablePicture(FOREIGN) from None
    with printed_errors.capture_printed_errors() as printed:
        raster = _decode_with_pillow(image, [*tiff.tiff_notes(data)])
    return replace(raster, notes=(*raster.notes, BROKEN)) if printed else raster


def _pillow_modes(image: Image.Image) -> tuple[str, str]:
    """Return the mode of the colours, and Pillow's mode from which to take them. Raises UnreadablePicture."""
    mode = image.mode
    if mode.startswith("I;16"):
        return "L", mode
    if mode in ("I", "F"):
        raise UnreadablePicture(FOREIGN)
    if mode in ("LA", "La"):
        return "L", "LA"
    if image.has_transparency_data:
        return "RGB", "RGBA"
    return (mode, mode) if mode in _PLAIN else ("RGB", "RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block is no reason to refuse good pixels
        return 1


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return the width and height that a WebP file claims. Its decoder takes memory for them when it opens."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L" and len(data) >= 25:
        both = int.from_bytes(data[21:25], "little")
        return (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


# ── JPEG ─────────────────────────────────────────────────────────────────────────────────────────


def _decode_jpeg(data: bytes) -> Raster:
    """Decode a JPEG; a very large one at a part of its size."""
    kind, _, width, height, parts = _jpeg_frame(data)
    _check_size(width, height, MAX_REDUCED_PIXELS)
    scale = next(scale for scale in (1, 2, 4, 8) if -(-width // scale) * -(-height // scale) <= MAX_DECODED_PIXELS)
    megapixels = f"{width * height / 1e6:,.0f} megapixels"
    needed = len(data) + 2 * parts * width * height + 4 * width * height / scale**2
    if kind == _PROGRESSIVE and needed > _MAX_PROGRESSIVE_BYTES:
        raise UnreadablePicture(f"needs too much memory (a progressive JPEG of {megapixels})", "Save it smaller.")
    image = JpegImagePlugin.jpeg_factory(io.BytesIO(data))
    notes = []
    if image.format == "MPO" and _has_other_pictures(image):
        notes.append("only the first of its pictures is used")
    draft = (width // scale, height // scale) if scale > 1 else None
    if draft is not None:
        image.draft(None, draft)
        notes.append(f"it has {megapixels} and was read at 1/{scale} of its width and height")
    raster = _decode_with_pillow(image, notes)
    room = needed + 4 * width * height / scale**2 <= _MAX_PROGRESSIVE_BYTES
    if kind in _HUFFMAN and room and jpeg.ends_early(data, image, draft):
        return replace(raster, notes=(*raster.notes, BROKEN))
    return raster


def _jpeg_frame(data: bytes) -> tuple[int, int, int, int, float]:
    """Return the type of a JPEG, its bits, width, height, and the number of samples for a pixel.

    The type is the second byte of the frame's marker.
    """
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            break
        kind = data[at + 1]
        if kind == 0xFF:  # filling
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            bits, height, width, count = struct.unpack_from(">BHHB", data, at + 4)
            shares = [(byte >> 4) * (byte & 15) for byte in data[at + 11 : at + 10 + 3 * count : 3]]
            samples = sum(shares) / max(*shares, 1) if shares else 1.0
            return kind, bits, width, height, samples
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0, 0, 0, 0, 1.0


def _has_other_pictures(image: Image.Image) -> bool:
    """Return whether an MPO holds other pictures than smaller versions of the first."""
    entries = getattr(image, "mpinfo", {}).get(0xB002, [])
    return any("Large Thumbnail" not in str(entry["Attribute"]["MPType"]) for entry in entries[1:])
