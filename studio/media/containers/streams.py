"""Find a stream of sound within a file, and give it a correct header.

Recorders and pipes write a header before they know how much will follow, and some never correct it. So a length in a
header is only a claim: it is compared with the file, and the stream gets a header of our own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from studio.media.containers.spliced_file import ByteRange, SplicedFile, find_bytes, read_bytes_at
from studio.media.pictures.image import FileRefused

CUT = "cut off: what is there is used"
BROKEN = "damaged in places: what is whole is used"
TORN = "cut off or damaged at its end: what is there is used"
LONGER = "longer than its header says: all of it is used"
LIMIT_32 = 2**32
LIMIT_64 = 2**60
ELSE = "Save it as WAV or FLAC."
AGAIN = "Try saving it again from where it came."
_KNOWN = frozenset(
    (
        b"data", b"fmt ", b"fact", b"LIST", b"bext", b"iXML", b"axml", b"cue ", b"smpl", b"inst", b"PEAK", b"id3 ",
        b"ID3 ", b"JUNK", b"junk", b"PAD ", b"_PMX", b"acid", b"clm ", b"cart", b"afsp", b"plst", b"chna", b"DISP",
        b"COMM", b"SSND", b"NAME", b"AUTH", b"ANNO", b"(c) ", b"COMT", b"INST", b"MARK", b"APPL", b"MIDI", b"AESD",
        b"CHAN", b"BASC", b"TRNS", b"FVER", b"info", b"peak", b"strg", b"free", b"pakt", b"kuki", b"mark", b"regn",
        b"uuid", b"ovvw", b"umid", b"midi",
    )
)  # fmt: skip
WAVE64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"
"""The first bytes of a Wave64 file."""
STARTS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"fLaC", b"OggS", b"caff", b"riff", b".snd", b"dns.")
"""First bytes of files of sound, except those that consist of frames, as MP3."""
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")
RATE_RANGE = (8_000, 384_000)
"""The lowest and the highest rate that is read, in Hz."""
MAX_CHANNELS = 8
"""The most channels that are read."""
MAX_CHUNKS = 100_000
"""The most chunks of a file: more take longer than a second to skip."""
_SEARCHED_BYTES = 65_536
"""Bytes that are searched for the chunks after a sound."""


@dataclass(frozen=True)
class AudioStream:
    """Describes one stream of sound as a file that a decoder reads to its end."""

    pieces: SplicedFile
    stop: int
    """The place where it ends in the user's file."""
    notes: tuple[str, ...] = ()
    """Notes for the user on what differs from its header."""
    seconds: float = 0.0
    """The length in seconds, if frames or pages state it before decoding; else 0."""
    samples: int | None = None
    """The number of its samples; None if only decoding counts them."""
    resume: "Callable[[int], AudioStream | None] | None" = None
    """Returns the stream that continues after a damaged place, given the number of samples before it."""
    fault: Callable[[], str] | None = None
    """Returns what is wrong with the end of the stream, if nothing can be read after a damaged place."""


class DataExtent(NamedTuple):
    """States where the samples end in a file, and what differs from the header."""

    stop: int
    notes: tuple[str, ...] = ()
    true: bool = True
    """True if the header states it. Only then may something follow."""


@dataclass(frozen=True)
class ChunkLayout:
    """Describes how the chunks of a file follow each other."""

    file: BinaryIO
    begin: int
    size: int
    """Bytes of the whole file."""
    end: int
    """The place where the file ends by its first length."""
    order: str = "<"
    head: int = 8
    """Bytes of a key and a length."""
    padded: bool = True

    def chunk(self, at: int) -> tuple[bytes, int] | None:
        """Return the key and the length of the chunk at a place, or None."""
        head = read_bytes_at(self.file, at, self.head)
        if len(head) < self.head or not head[:4].isascii() or not head[:4].decode().isprintable():
            return None
        order = "little" if self.order == "<" else "big"
        return head[:4], int.from_bytes(head[4:], order)  # type: ignore[arg-type]

    def next_chunk_start(self, stop: int, start: int) -> int:
        """Return where the next chunk begins. Many programs forget the byte that makes a length even."""
        if not self.padded or (stop - start) % 2 == 0:
            return stop
        unpadded = self.chunk(stop)
        return stop if unpadded is not None and unpadded[0] in _KNOWN else stop + 1

    def extent(self, start: int, length: int, limit: int = LIMIT_32) -> DataExtent:
        """Return where samples end, from their beginning and the length in their header.

        limit: the smallest number that no length can be
        """
        there = self.size - start
        if length <= there and self._is_plausible_length(start, length):
            return DataExtent(start + length)
        unknown = length == 0 or _means_unknown(length, limit)
        if length > there and not unknown and not self._is_complete(start, length):
            return DataExtent(self.size, (CUT,), False)
        begin = start + (0 if unknown else min(length, there))
        places = (self._find_joined_sound(mark, begin) for mark in STARTS)
        stop = min((place for place in places if place >= 0), default=0) or self._end_before_chunks(begin)
        return DataExtent(stop, (LONGER,) if 0 < length < there else (), False)

    def _find_joined_sound(self, mark: bytes, start: int) -> int:
        """Return where the first sound with this beginning is joined to this one, or -1."""
        place = find_bytes(self.file, mark, start, self.size)
        while place >= 0 and not begins_sound(read_bytes_at(self.file, place, 16)):
            place = find_bytes(self.file, mark, place + 1, self.size)
        return place

    def _is_plausible_length(self, start: int, length: int) -> bool:
        """Return whether a length is right: chunks, another sound, tags, text or zeros follow."""
        stop = start + length
        if any(at >= self.size or self._only_chunks_follow(at) for at in (stop, stop + 1)):
            return True
        begins = read_bytes_at(self.file, stop, _SEARCHED_BYTES)
        if not length:
            return False
        return begins.startswith((*STARTS, *_TAGS)) or _is_text(begins) or _is_zero(self.file, stop)

    def _only_chunks_follow(self, at: int) -> bool:
        """Return whether chunks reach from a place to the end, or to another sound."""
        for _ in range(MAX_CHUNKS):
            if at >= self.size:
                return True
            found = self.chunk(at)
            if found is None:
                return False
            key, length = found
            if key in STARTS:
                return True
            stop = at + self.head + length
            if stop > self.size:
                return key in _KNOWN
            at = self.next_chunk_start(stop, at + self.head)
        return False

    def _is_complete(self, start: int, length: int) -> bool:
        """Return whether a file is complete although this length passes its end.

        It is if it ends where its first length says, or if the length counts the header, too.
        """
        over = start + length - self.size
        counts_header = over == start - self.begin and self.end - self.size != over
        return self.size - 1 <= self.end <= self.size or counts_header

    def _end_before_chunks(self, start: int) -> int:
        """Return where samples of unknown length end: before the last chunks of the file."""
        begin = max(start, self.size - _SEARCHED_BYTES)
        last = read_bytes_at(self.file, begin, self.size - begin)
        keys = _KNOWN - {b"fmt ", b"data", b"COMM", b"SSND"}
        places = [place for key in keys for place in _find_all(last, key) if self._ends_file(begin + place)]
        return begin + min(places) if places else self.size

    def _ends_file(self, at: int) -> bool:
        found = self.chunk(at)
        return found is not None and at + self.head + found[1] <= self.size and self._only_chunks_follow(at)


def begins_sound(head: bytes) -> bool:
    """Return whether a sound in chunks or pages begins with these 16 bytes."""
    if head.startswith((b"RIFF", b"RIFX", b"RF64", b"BW64")):
        return head[8:12] == b"WAVE"
    if head.startswith(b"FORM"):
        return head[8:12] in (b"AIFF", b"AIFC")
    if head.startswith((b".snd", b"dns.")):
        return b"\0\0" in head[4:8] and b"\0\0\0" in head[12:16]
    return head == WAVE64 or head.startswith((b"caff\0\1\0\0desc", b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22", b"OggS\0"))


def make_stream(file: BinaryIO, header: bytes, start: int, extent: DataExtent, block: int) -> AudioStream:
    """Return the stream of a header and of samples.

    block: bytes of one sample of all channels; 0 if that is unknown
    """
    pieces: list[ByteRange] = [header, (start, extent.stop)]
    samples = (extent.stop - start) // block if block else None
    return AudioStream(SplicedFile(file, pieces), extent.stop, extent.notes, samples=samples)


def check_format(rate: int, channels: int, name: str) -> None:
    """Raise FileRefused if a rate or a number of channels is not read."""
    if not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
        raise FileRefused(
            name, f"says it has {rate:,} samples a second, and {RATE_RANGE[0]:,} to {RATE_RANGE[1]:,} are read"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise FileRefused(name, f"says it has {channels:,} channels, and 1 to {MAX_CHANNELS} are read")


def _means_unknown(length: int, limit: int) -> bool:
    """Return whether a number stands for an unknown length: it is about the largest.

    Seen: 0xFFFFFFFF and 36 less (ffmpeg, mpg123), 0x7FFFF000 (sox, espeak), 0x7FFFFFFF, 0x80000000 (arecord).
    """
    near = 2**16
    return any(abs(length - most) <= near for most in (2**31, 2**32)) or length >= limit


def _is_text(begins: bytes) -> bool:
    return sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in begins) > 0.95 * len(begins)


def _is_zero(file: BinaryIO, at: int) -> bool:
    """Return whether only zeros follow, as in a file whose space was reserved."""
    file.seek(at)
    while block := file.read(_SEARCHED_BYTES):
        if block.strip(b"\0"):
            return False
    return True


def _find_all(data: bytes, key: bytes) -> list[int]:
    found = []
    at = data.find(key)
    while at >= 0:
        found.append(at)
        at = data.find(key, at + 1)
    return found
