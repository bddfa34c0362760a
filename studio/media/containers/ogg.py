"""Read the sounds of an Ogg file (RFC 3533).

Each page has a checksum and the number of samples up to its end. Links of a chain follow each other. Decoders believe
the last page of a link. If the writing of a file was interrupted, that page is missing or wrong.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from studio.media.containers.spliced_file import SplicedFile, add_range, file_size, find_bytes, read_bytes_at
from studio.media.containers.streams import BROKEN, CUT, RATE_RANGE, AudioStream

_HEAD = 27
_FIRST = 2
_LAST = 4
"""Flags of pages."""
_SOUNDS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC")
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_MAX_PAGE_SAMPLES = 255 * 8192
"""The most samples of a page: 255 packets of 8,192 in Vorbis. In Opus a packet has 5,760."""


class _Page(NamedTuple):
    """States where a page lies, and what its head says."""

    begin: int
    stop: int
    flags: int
    position: int
    """The number of samples up to the end of the page; -1 if no packet ends in it."""
    serial: int
    number: int
    sound: bool
    """True if it begins a stream of sound."""


@dataclass
class _Link:
    """Holds the pages of the first sound in one link of a chain."""

    pages: list[_Page] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    """Notes on its faults."""


def find_ogg(file: BinaryIO, begin: int) -> Iterator[AudioStream]:
    """Yield the links of a chain, each with the pages of its sound alone."""
    link = _Link()
    begun = False
    for page in _read_pages(file, begin):
        if isinstance(page, str):
            link.notes.add(page)
            continue
        starts = bool(page.flags & _FIRST)
        if starts and begun and link.pages:
            yield _link_stream(file, link)
            link = _Link()
        begun = not starts
        if not link.pages and starts and page.sound:
            link.pages.append(page)
        elif link.pages and page.serial == link.pages[0].serial:
            if page.number != link.pages[-1].number + 1:
                link.notes.add(BROKEN)
            link.pages.append(page)
    if link.pages:
        yield _link_stream(file, link)


def _read_pages(file: BinaryIO, at: int) -> Iterator[_Page | str]:
    """Return the pages from a place on, and what is wrong between them.

    The last page may be cut off.
    """
    size = file_size(file)
    good = at
    ended = False
    while at < size:
        head = read_bytes_at(file, at, _HEAD + 255)
        page = _parse_page(head, at)
        if page is not None and page.stop > size and find_bytes(file, b"OggS", at + 1, size) < 0:
            yield page
            return
        whole = read_bytes_at(file, at, page.stop - at) if page is not None else b""
        if page is not None and page_checksum(whole) == struct.unpack_from("<I", whole, 22)[0]:
            if good < at:
                yield BROKEN
            yield page
            good = at = page.stop
            ended = bool(page.flags & _LAST)
        else:
            place = find_bytes(file, b"OggS", at + 1, size)
            at = place if place >= 0 else size
    if good < size and not ended:  # bytes after the end of a sound do not belong to it
        yield CUT if size - good < _HEAD else BROKEN


def _parse_page(head: bytes, at: int) -> _Page | None:
    """Return the page that begins with these bytes, or None."""
    if len(head) < _HEAD or not head.startswith(b"OggS"):
        return None
    flags, position, serial, number = struct.unpack_from("<xBqII", head, 4)
    body = _HEAD + head[26]
    length = body + sum(head[_HEAD:body])
    return _Page(at, at + length, flags, position, serial, number, head[body:].startswith(_SOUNDS))


def _link_stream(file: BinaryIO, link: _Link) -> AudioStream:
    """Return the stream of a link.

    Its last page is marked as the end, with a position that its packets can reach.
    """
    size = file_size(file)
    *pages, last = link.pages
    cut = last.stop > size
    before = next((page.position for page in reversed(pages) if page.position >= 0), 0)
    whole = bytearray(read_bytes_at(file, last.begin, last.stop - last.begin))
    if cut:
        _keep_whole_packets(whole)
    if cut or not before <= last.position <= before + _MAX_PAGE_SAMPLES:
        whole[6:14] = struct.pack("<q", before + _MAX_PAGE_SAMPLES)  # decoding ends with the packets
    whole[5] |= _LAST
    whole[22:26] = struct.pack("<I", page_checksum(bytes(whole)))
    ranges: list[tuple[int, int]] = []
    for page in pages:
        add_range(ranges, page.begin, page.stop)
    notes = [note for note in (BROKEN, CUT) if note in link.notes or (note == CUT and cut)]
    seconds = _count_samples(link.pages) / _position_rate(file, link)
    return AudioStream(SplicedFile(file, [*ranges, bytes(whole)]), min(last.stop, size), tuple(notes), seconds)


def _count_samples(pages: list[_Page]) -> int:
    """Count the samples of pages by their positions. Impossible steps are left out."""
    known = [page.position for page in pages if page.position >= 0]
    steps = (after - before for before, after in itertools.pairwise(known))
    return sum(step for step in steps if 0 < step <= _MAX_PAGE_SAMPLES)


def _position_rate(file: BinaryIO, link: _Link) -> int:
    """Return how many positions make a second. In Opus that is always 48,000."""
    head = read_bytes_at(file, link.pages[0].begin, 256)
    at = head.find(b"\x01vorbis")
    return (int.from_bytes(head[at + 12 : at + 16], "little") or RATE_RANGE[0]) if at >= 0 else 48_000


def _keep_whole_packets(page: bytearray) -> None:
    """Remove the packet in which a page is cut off."""
    if len(page) < _HEAD + page[26]:
        page[26:] = b"\0"
        return
    body = _HEAD + page[26]
    kept = 0
    end = 0
    at = 0
    for number, length in enumerate(page[_HEAD:body], 1):
        at += length
        if body + at > len(page):
            break
        if length < 255:
            kept = number
            end = at
    page[:] = page[:26] + bytes((kept,)) + page[_HEAD : _HEAD + kept] + page[body : body + end]


def page_checksum(page: bytes) -> int:
    """Return the checksum of a page, with its own field as zero.

    It is the checksum of zip with the bits of each byte in reverse order.
    """
    whole = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    found = zlib.crc32(whole, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)
