"""Read FLAC files (RFC 9639). A header may not know how many samples follow, but frames do."""

import collections
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from studio.media.containers import flac_frame, mpeg
from studio.media.containers.spliced_file import SplicedFile, file_size, find_bytes, read_bytes_at
from studio.media.containers.streams import AGAIN, BROKEN, CUT, TORN, AudioStream, check_format
from studio.media.pictures.image import FileRefused

_BLOCK = 2**20
_LONGEST_HEAD = 16
_MARK = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
"""First bytes of a file, with more metadata before its frames and without."""
_LAST_FRAME_BYTES = 2**22
"""Bytes at the end that are searched for the last frame: 8 channels of 24 bits in the longest one are 1.6 MB."""

_MIN_ZEROS = 64
"""Zeros at the end of a file that no frame ends with: it was given its space, and never filled."""


@dataclass(frozen=True)
class _Info:
    """Holds what the file's header (STREAMINFO) states about all frames."""

    rate: int
    """The rate in samples a second."""
    block: int
    """The number of samples in a frame."""
    channels: int
    bits: int
    """The number of bits in a sample."""
    samples: int
    """The number of samples in the file; 0: unknown."""
    longest: int
    """The length of the longest frame in bytes; 0: unknown."""


@dataclass(frozen=True)
class _Frame:
    """States where a frame lies in the file, and which samples it holds."""

    at: int
    """The place of the frame's first byte."""
    first: int
    """The number of the frame's first sample."""
    header: flac_frame.FrameHeader

    @property
    def end(self) -> int:
        """Return the number of the sample after the frame's last one."""
        return self.first + self.header.samples


def find_flac(file: BinaryIO, begin: int, name: str) -> AudioStream:
    """Return the sound in a FLAC, up to the next one that is joined. Raises FileRefused."""
    size = file_size(file)
    head = read_bytes_at(file, begin, 42)
    if len(head) < 42 or head[4] & 127 or head[5:8] != b"\0\0\x22":
        raise FileRefused(name, "is damaged", AGAIN)
    packed = int.from_bytes(head[18:26], "big")
    rate = packed >> 44
    channels = (packed >> 41 & 7) + 1
    check_format(rate, channels, name)
    block = struct.unpack_from(">H", head, 10)[0]
    longest = int.from_bytes(head[15:18], "big")
    info = _Info(rate, block, channels, (packed >> 36 & 31) + 1, packed & (2**36 - 1), longest)
    start, ends_in_file = _skip_metadata(file, begin, size)
    ends = (place for mark in _MARK if (place := find_bytes(file, mark, start, size)) >= 0)
    stop = min(ends, default=size)
    found = next(_find_frames(file, info, start, stop), None)
    last = collections.deque(_find_frames(file, info, max(start, stop - _LAST_FRAME_BYTES), stop), maxlen=1)
    if found is None or not last:
        if info.samples and (not ends_in_file or stop - start < _LONGEST_HEAD):
            raise FileRefused(name, "is cut off before its sound begins", AGAIN)
        raise FileRefused(name, "holds no FLAC sound that can be read", AGAIN)
    return _stream(file, head, info, found, stop, last[0])


def _skip_metadata(file: BinaryIO, begin: int, size: int) -> tuple[int, bool]:
    """Return where the metadata ends, and whether that is in the file.

    If it is not, return where its first block ends.
    """
    at = begin + 4
    while at + 4 <= size:
        head = read_bytes_at(file, at, 4)
        if head[0] == 0xFF:
            return begin + 42, True
        at += 4 + int.from_bytes(head[1:4], "big")
        if head[0] & 128 and at < size:
            return at, True
    return begin + 42, False


def _stream(file: BinaryIO, head: bytes, info: _Info, begin: _Frame, stop: int, last: _Frame) -> AudioStream:
    """Return the stream from a frame on. Its header counts the samples up to the end of the last frame."""

    def resume(samples: int) -> AudioStream | None:
        """Return the stream after the frame that could not be decoded, or None."""
        found = _find_frames(file, info, begin.at, stop)
        frame = next((frame for frame in found if frame.first > begin.first + samples), None)
        return _stream(file, head, info, frame, stop, last) if frame is not None else None

    count = max(last.end - begin.first, 0)
    fields = int.from_bytes(head[18:26], "big") >> 36 << 36 | count
    true = _MARK[1] + head[8:12] + bytes(6) + fields.to_bytes(8, "big") + bytes(16)
    pieces = SplicedFile(file, [true, (begin.at, stop)])
    notes = _notes_on_lost_frames(file, info, last, stop)
    return AudioStream(
        pieces, stop, notes, count / info.rate, count, resume, lambda: _fault_of_last_frame(file, info, last, stop)
    )


def _fault_of_last_frame(file: BinaryIO, info: _Info, last: _Frame, stop: int) -> str:
    """Return what is wrong with the last frame if it cannot be decoded."""
    try:
        flac_frame.frame_length(read_bytes_at(file, last.at, stop - last.at), last.header)
    except flac_frame.DamagedFrame:
        return BROKEN
    except EOFError:
        if 0 < info.longest <= stop - last.at or not any(read_bytes_at(file, stop - _MIN_ZEROS, _MIN_ZEROS)):
            return BROKEN
        return CUT if info.samples > last.end else TORN
    return BROKEN  # it is whole but cannot be decoded


def _notes_on_lost_frames(file: BinaryIO, info: _Info, last: _Frame, stop: int) -> tuple[str, ...]:
    """Return notes for the user if the file's header counts more frames than were found."""
    if info.samples <= last.end:
        return ()
    try:
        rest = last.at + flac_frame.frame_length(read_bytes_at(file, last.at, stop - last.at), last.header)
    except (EOFError, flac_frame.DamagedFrame):  # decoding will find the fault
        return ()
    if rest == stop or mpeg.id3_length(read_bytes_at(file, rest, 32)):
        return ()
    return (CUT,) if stop - rest < _LONGEST_HEAD else (BROKEN,)


def _find_frames(file: BinaryIO, info: _Info, start: int, stop: int) -> Iterator[_Frame]:
    """Yield the frames that begin between two places and have an undamaged header."""
    at = start
    while at < stop:
        block = read_bytes_at(file, at, min(_BLOCK, stop - at) + _LONGEST_HEAD)
        place = block.find(b"\xff")
        while 0 <= place < min(_BLOCK, stop - at):
            if place + 1 < len(block) and block[place + 1] & 0xFE == 0xF8:
                found = _parse_frame(block[place : place + _LONGEST_HEAD], at + place, info)
                if found is not None:
                    yield found
            place = block.find(b"\xff", place + 1)
        at += _BLOCK


def _parse_frame(head: bytes, at: int, info: _Info) -> _Frame | None:
    """Return the frame that begins with these bytes; None if they are not the header of a frame of this file."""
    if len(head) < 6 or head[3] & 1:
        return None
    size = head[2] >> 4
    rate = head[2] & 15
    sort = head[3] >> 4
    bits = (0, 8, 12, -1, 16, 20, 24, 32)[head[3] >> 1 & 7]
    channels = sort + 1 if sort < 8 else 2
    if not size or rate == 15 or sort > 10 or channels != info.channels or bits not in (0, info.bits):
        return None
    number, used = _coded_number(head[4:])
    end = 4 + used + {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not used or end >= len(head) or _head_checksum(head[:end]) != head[end]:
        return None
    extra = head[4 + used : 4 + used + 2]
    count = _sample_count(size, extra)
    header = flac_frame.FrameHeader(end + 1, count, channels, info.bits, sort)
    return _Frame(at, number if head[1] & 1 else number * info.block, header)


def _sample_count(size: int, extra: bytes) -> int:
    """Return the number of samples in a frame from the four bits that code it, and from the extra bytes."""
    if size == 1:
        return 192
    if size < 6:
        return 144 << size
    if size == 6:
        return extra[0] + 1
    return int.from_bytes(extra, "big") + 1 if size == 7 else 1 << size


def _coded_number(head: bytes) -> tuple[int, int]:
    """Return a number that is coded like a letter in UTF-8, and how many bytes it takes; 0 bytes if it is damaged."""
    ones = 8 - (head[0] ^ 0xFF).bit_length()
    if ones == 0:
        return head[0], 1
    if ones in (1, 8) or len(head) < ones or any(byte & 0xC0 != 0x80 for byte in head[1:ones]):
        return 0, 0
    number = head[0] & (0x7F >> ones)
    for byte in head[1:ones]:
        number = number << 6 | byte & 0x3F
    return number, ones


def _head_checksum(head: bytes) -> int:
    """Return the checksum of a frame's head: 8 bits, x⁸ + x² + x + 1."""
    found = 0
    for byte in head:
        found ^= byte
        for _ in range(8):
            found = (found << 1 ^ 0x07) & 0xFF if found & 0x80 else found << 1
    return found
