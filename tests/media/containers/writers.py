"""Write sound files byte by byte, so that any number can be wrong."""

import struct
from collections.abc import Callable

import numpy as np

RATE = 16_000
SOUND = np.rint(9000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.int16)
"""One second."""
LITTLE = SOUND.astype("<i2").tobytes()
BIG = SOUND.astype(">i2").tobytes()
FORM = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def chunk(key: bytes, body: bytes, length: int | None = None, order: str = "<") -> bytes:
    """Make a chunk whose length may be wrong."""
    return key + struct.pack(order + "I", len(body) if length is None else length) + body


def wav(
    length: int | None = None,
    whole: int | None = None,
    *,
    body: bytes = LITTLE,
    form: bytes = FORM,
    before: bytes = b"",
    after: bytes = b"",
    magic: bytes = b"RIFF",
) -> bytes:
    """Return a WAV with these lengths, and chunks before and after its samples."""
    inside = b"WAVE" + chunk(b"fmt ", form) + before + chunk(b"data", body, length) + after
    return chunk(magic, inside, whole)


def rf64(length: int | None = None, whole: int | None = None, after: bytes = b"", magic: bytes = b"RF64") -> bytes:
    """Make an RF64, whose lengths of 64 bits stand in a chunk of their own."""
    sizes = len(LITTLE) + 72 if whole is None else whole, len(LITTLE) if length is None else length
    wide = chunk(b"ds64", struct.pack("<QQQI", *sizes, len(SOUND), 0))
    inside = b"WAVE" + wide + chunk(b"fmt ", FORM) + chunk(b"data", LITTLE, 2**32 - 1) + after
    return chunk(magic, inside, 2**32 - 1)


def wave64(length: int | None = None, whole: int | None = None, after: bytes = b"") -> bytes:
    """Make a Wave64: keys of 16 bytes, and lengths that count their heads."""
    inside = b"wave" + GUID + b"fmt " + GUID + struct.pack("<Q", 40) + FORM
    inside += b"data" + GUID + struct.pack("<Q", 24 + len(LITTLE) if length is None else length) + LITTLE + after
    size = 24 + len(inside) if whole is None else whole
    return b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + struct.pack("<Q", size) + inside


def aiff(
    length: int | None = None, whole: int | None = None, after: bytes = b"", count: int = RATE, packing: bytes = b""
) -> bytes:
    """Make an AIFF, or an AIFC of a packing."""
    common = struct.pack(">HIH", 1, count, 16) + b"\x40\x0c\xfa\0\0\0\0\0\0\0"
    body = LITTLE if packing == b"sowt" else BIG
    sound = chunk(b"SSND", bytes(8) + body, length, ">")
    if packing:
        common += packing + b"\0\0"
    inside = (b"AIFC" if packing else b"AIFF") + chunk(b"COMM", common, order=">") + sound + after
    return chunk(b"FORM", inside, whole, ">")


def caf(length: int | None = None, whole: int | None = None, after: bytes = b"") -> bytes:
    """Make a CAF; the whole has no length there."""
    form = struct.pack(">d4sIIIII", RATE, b"lpcm", 0, 2, 1, 1, 16)
    length = (4 + len(BIG) if length is None else length) % 2**64
    head = b"caff\0\1\0\0desc" + struct.pack(">Q", len(form)) + form
    return head + b"data" + struct.pack(">Q", length) + bytes(4) + BIG + after


def au(length: int | None = None, whole: int | None = None, after: bytes = b"") -> bytes:
    """Make an AU file; the whole has no length there."""
    return b".snd" + struct.pack(">IIIII", 24, len(BIG) if length is None else length, 3, RATE, 1) + BIG + after


ALL: dict[str, Callable[..., bytes]] = {
    "wav": wav,
    "rf64": rf64,
    "bw64": lambda *lengths, **more: rf64(*lengths, magic=b"BW64", **more),
    "w64": wave64,
    "aiff": aiff,
    "aifc": lambda *lengths, **more: aiff(*lengths, packing=b"sowt", **more),
    "caf": caf,
    "au": au,
}
