"""Read sounds from files of chunks.

These are WAV, RIFX, RF64, BW64, Wave64, AIFF, AIFC, CAF and AU.
"""

import struct
from dataclasses import replace
from typing import BinaryIO

from studio.media.containers.spliced_file import ByteRange, SplicedFile, file_size, find_bytes, read_bytes_at
from studio.media.containers.streams import (
    AGAIN,
    ELSE,
    LIMIT_32,
    LIMIT_64,
    MAX_CHUNKS,
    RATE_RANGE,
    STARTS,
    AudioStream,
    ChunkLayout,
    DataExtent,
    check_format,
    make_stream,
)
from studio.media.pictures.image import FileRefused

_WAVE64_END = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_PCM = 1
_FLOAT = 3
_EXTENSIBLE = 0xFFFE
_TAGS = {_PCM: (8, 32), _FLOAT: (32, 64), 6: (8, 8), 7: (8, 8)}
"""Formats in WAV that are read (whole numbers, floats, A-law, μ-law), with their fewest and most bits. The code for
others has been attacked (CVE-2026-37555)."""
_AIFC_BYTES = {b"alaw": 1, b"ALAW": 1, b"ulaw": 1, b"ULAW": 1}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Bytes of a sample of one channel by its encoding: μ-law, four sizes of whole numbers, two of floats, A-law."""
_AIFC_PLAIN = (
    b"NONE",
    b"twos",
    b"sowt",
    b"raw ",
    b"in24",
    b"in32",
    b"fl32",
    b"FL32",
    b"fl64",
    b"FL64",
    b"42n1",
    b"23ni",
)
_SEARCHED = 2**20
"""Bytes that are searched for the header if a wrong length hides it."""


def find_riff(file: BinaryIO, begin: int, name: str) -> AudioStream:
    """Return the sound in a file of the WAV family. Raises FileRefused."""
    size = file_size(file)
    head = read_bytes_at(file, begin, 12)
    order = ">" if head[:4] == b"RIFX" else "<"
    end = begin + 8 + int.from_bytes(head[4:8], "big" if order == ">" else "little")
    layout = ChunkLayout(file, begin, size, end, order)
    form, data, extent = _read_wave(layout, begin + 12)
    if not (form and data):
        searched = min(begin + _SEARCHED, size)
        place = find_bytes(file, b"fmt ", begin, searched)
        if place >= 0:
            form, data, extent = _read_wave(layout, place)
        if form and not data and (place := find_bytes(file, b"data", begin, searched)) >= 0:
            _, data, extent = _read_wave(layout, place)
    if not (form and data):
        raise FileRefused(name, "is damaged", AGAIN)
    form = _consistent_format(form, order, name)
    length = sum(stop - start for start, stop in data)
    header = b"fmt " + struct.pack(order + "I", len(form)) + form + b"data" + struct.pack(order + "I", length)
    magic = b"RIFX" if order == ">" else b"RIFF"
    header = magic + struct.pack(order + "I", 4 + len(header) + length) + b"WAVE" + header
    pieces: list[ByteRange] = [header, *data]
    (block,) = struct.unpack_from(order + "H", form, 12)
    return AudioStream(SplicedFile(file, pieces), extent.stop, extent.notes, samples=length // block)


def _next_chunk(layout: ChunkLayout, at: int) -> tuple[bytes, int, int] | None:
    """Return the key, the beginning and the length of a chunk; None before another sound."""
    found = layout.chunk(at)
    if found is None or found[0] in STARTS:
        return None
    key, length = found
    return key, at + layout.head, length


def _read_wave(layout: ChunkLayout, at: int) -> tuple[bytes, list[tuple[int, int]], DataExtent]:
    """Return the format, the places of the samples, and their extent, from chunks.

    at: where the first chunk begins
    """
    form = b""
    long_length = 0
    data: list[tuple[int, int]] = []
    extent = DataExtent(at)
    for _ in range(MAX_CHUNKS):
        found = _next_chunk(layout, at)
        if found is None:
            break
        key, start, length = found
        if key == b"ds64":
            long_length = struct.unpack("<QQ", read_bytes_at(layout.file, start, 16).ljust(16, b"\0"))[1]
        elif key == b"fmt " and not form:
            form = read_bytes_at(layout.file, start, min(length, 64))
        elif key == b"data":
            length = long_length if length == LIMIT_32 - 1 else length
            extent = layout.extent(start, length, LIMIT_64)
            data.append((start, extent.stop))
            if not extent.true:
                break
            length = extent.stop - start
        at = layout.next_chunk_start(start + length, start)
        extent = extent._replace(stop=min(at, layout.size)) if data else extent
    return form, data, extent


def _consistent_format(form: bytes, order: str, name: str) -> bytes:
    """Return the format of a WAV with fields that agree. Raises FileRefused if it is not read."""
    if len(form) < 16:
        raise FileRefused(name, "is damaged", AGAIN)
    tag, channels, rate, speed, block, bits = struct.unpack_from(order + "HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack_from(order + "H", form, 24)
    if tag not in _TAGS:
        raise FileRefused(name, "is compressed in a way that is not read here", ELSE)
    check_format(rate, channels, name)
    fewest, most = _TAGS[tag]
    if tag == _PCM and 16 < bits <= 24 and block == 4 * channels and speed == rate * block:
        bits = 32  # 24 bits in the upper part of four bytes
    if not fewest <= bits <= most or (tag == _FLOAT and bits not in (32, 64)):
        what = "floats" if tag == _FLOAT else "samples"
        raise FileRefused(name, f"has {what} of {bits} bits, which are not read here", ELSE)
    block = channels * -(-bits // 8)
    return struct.pack(order + "HHIIHH", tag, channels, rate, rate * block, block, bits)


def find_wave64(file: BinaryIO, begin: int, name: str) -> AudioStream:
    """Return the sound in a Wave64 file. Raises FileRefused."""
    size = file_size(file)
    layout = _Wave64(file, begin, size, begin + int.from_bytes(read_bytes_at(file, begin + 16, 8), "little"), head=24)
    form = b""
    at = begin + 40
    for _ in range(MAX_CHUNKS):
        found = _next_chunk(layout, at)
        if found is None:
            break
        key, start, length = found
        if key == b"fmt ":
            form = read_bytes_at(file, start, min(length, 64))
        elif key == b"data" and form:
            extent = layout.extent(start, length, LIMIT_64)
            form = _consistent_format(form, "<", name)
            length = extent.stop - start
            header = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", length)
            (block,) = struct.unpack_from("<H", form, 12)
            return make_stream(file, b"RIFF" + struct.pack("<I", len(header) + length) + header, start, extent, block)
        at = layout.next_chunk_start(start + length, start)
    raise FileRefused(name, "is damaged", AGAIN)


class _Wave64(ChunkLayout):
    """Describes the chunks of a Wave64 file.

    A key has 16 bytes, a length counts the head of its chunk, and chunks begin at multiples of 8 bytes.
    """

    def chunk(self, at: int) -> tuple[bytes, int] | None:
        head = read_bytes_at(self.file, at, self.head)
        if len(head) < self.head or head[4:16] != _WAVE64_END:
            return None
        length = int.from_bytes(head[16:24], "little")
        return head[:4], max(length - self.head, 0)

    def next_chunk_start(self, stop: int, start: int) -> int:
        return stop + (start - stop) % 8


def find_aiff(file: BinaryIO, begin: int, name: str) -> AudioStream:
    """Return the sound in an AIFF or AIFC. Raises FileRefused."""
    size = file_size(file)
    head = read_bytes_at(file, begin, 12)
    layout = ChunkLayout(file, begin, size, begin + 8 + int.from_bytes(head[4:8], "big"), ">")
    form = b""
    at = begin + 12
    sound: tuple[int, DataExtent] | None = None
    for _ in range(MAX_CHUNKS):
        found = _next_chunk(layout, at)
        if found is None:
            break
        key, start, length = found
        if key == b"COMM" and not form:
            form = read_bytes_at(file, start, min(length, 64))
        elif key == b"SSND" and sound is None:
            skip = int.from_bytes(read_bytes_at(file, start, 4), "big")
            extent = layout.extent(start, length)
            first = start + 8 + (skip if skip < length - 8 else 0)
            sound = (min(first, extent.stop), extent)
            length = extent.stop - start
        at = layout.next_chunk_start(start + length, start)
    if sound is None or len(form) < 18:
        raise FileRefused(name, "is damaged", AGAIN)
    start, extent = sound
    extent = extent._replace(stop=min(at, size)) if extent.true else extent
    return _aiff_stream(file, head[8:12], form, start, min(sound[1].stop, size), extent, name)


def _aiff_stream(
    file: BinaryIO, sort: bytes, form: bytes, start: int, stop: int, extent: DataExtent, name: str
) -> AudioStream:
    """Return the stream of samples of an AIFF with a header that counts them."""
    (channels,) = struct.unpack_from(">H", form)
    (bits,) = struct.unpack_from(">H", form, 6)
    packing = form[18:22] if sort == b"AIFC" else b"NONE"
    if packing not in (*_AIFC_BYTES, *_AIFC_PLAIN):
        raise FileRefused(name, "is compressed in a way that is not read here", ELSE)
    check_format(RATE_RANGE[0], channels, name)  # the decoder says the rate
    frame = channels * _AIFC_BYTES.get(packing, -(-bits // 8))
    if not frame:
        raise FileRefused(name, "is damaged", AGAIN)
    samples = (stop - start) // frame
    form = form[:2] + struct.pack(">I", samples) + form[6:]
    form += bytes(len(form) % 2)
    length = samples * frame
    body = b"COMM" + struct.pack(">I", len(form)) + form + b"SSND" + struct.pack(">III", length + 8, 0, 0)
    header = b"FORM" + struct.pack(">I", 4 + len(body) + length) + sort + body
    pieces: list[ByteRange] = [header, (start, start + length)]
    return AudioStream(SplicedFile(file, pieces), extent.stop, extent.notes, samples=samples)


def find_caf(file: BinaryIO, begin: int, name: str) -> AudioStream:
    """Return the sound in a CAF. Raises FileRefused."""
    size = file_size(file)
    layout = ChunkLayout(file, begin, size, 0, ">", 12, padded=False)
    kept: dict[bytes, bytes] = {}
    at = begin + 8
    sound: tuple[int, DataExtent] | None = None
    for _ in range(MAX_CHUNKS):
        found = _next_chunk(layout, at)
        if found is None:
            break
        key, start, length = found
        if key in (b"desc", b"kuki", b"pakt", b"chan") and length < _SEARCHED:
            kept.setdefault(key, read_bytes_at(file, start, length))
        elif key == b"data" and sound is None:
            extent = layout.extent(start, length, LIMIT_64)
            sound = (start, extent)
            length = extent.stop - start
        at = start + length
    if sound is None or len(kept.get(b"desc", b"")) < 32:
        raise FileRefused(name, "is damaged", AGAIN)
    start, extent = sound
    header = b"caff\0\1\0\0" + b"".join(key + struct.pack(">Q", len(body)) + body for key, body in kept.items())
    header += b"data" + struct.pack(">Q", extent.stop - start) + bytes(4)  # edits are not counted
    channels, bits = struct.unpack_from(">II", kept[b"desc"], 24)
    block = channels * -(-bits // 8) if kept[b"desc"][8:12] in (b"lpcm", b"alaw", b"ulaw") else 0
    made = make_stream(file, header, min(start + 4, extent.stop), extent, block)
    return replace(made, stop=min(at, size)) if extent.true else made


def find_au(file: BinaryIO, begin: int, name: str) -> AudioStream:
    """Return the sound in an AU file. Raises FileRefused."""
    size = file_size(file)
    head = read_bytes_at(file, begin, 24)
    if len(head) < 24:
        raise FileRefused(name, "is damaged", AGAIN)
    order = "<" if head.startswith(b"dns.") else ">"
    offset, length, encoding, rate, channels = struct.unpack_from(order + "IIIII", head, 4)
    check_format(rate, channels, name)
    start = begin + (offset if 24 <= offset < size - begin else 24)
    extent = ChunkLayout(file, begin, size, 0, ">").extent(start, length)
    stated = min(extent.stop - start, LIMIT_32 - 1)
    header = head[:4] + struct.pack(order + "II", 24, stated) + head[12:24]
    return make_stream(file, header, start, extent, channels * _AU_BYTES.get(encoding, 0))
