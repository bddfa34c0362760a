"""Find the sounds in a file.

Usually there is one, which may follow tags. Other sounds may be joined to it, and other bytes may precede it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from studio.media.containers import chunked, flac, mpeg, ogg
from studio.media.containers.recognition import BEGINNING, FileFormat, recognise_format
from studio.media.containers.spliced_file import file_size, find_bytes, read_bytes_at
from studio.media.containers.streams import AGAIN, BROKEN, ELSE, STARTS, AudioStream, begins_sound
from studio.media.pictures.image import FileRefused, decode_opened

MAX_FILE_BYTES = 2 * 2**30
"""The most bytes of a file: 2 hours in stereo of 24 bits at 48 kHz, and more that is cut off."""
MAX_SOUNDS = 1000
"""The most sounds of one file that are used."""
BEFORE = "what stands before its sound was left out"
BEGINNING_CUT = "its beginning is cut off: what is there is used"
PARTS = f"only the first {MAX_SOUNDS:,} of its parts are used"
_SEARCHED_BYTES = 2**20
"""Bytes that are searched if no sound begins where it should."""
_ARCHIVES = (b"PK\3\4", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"%PDF")
_READERS = {
    b"RIFF": chunked.find_riff,
    b"RIFX": chunked.find_riff,
    b"RF64": chunked.find_riff,
    b"BW64": chunked.find_riff,
    b"FORM": chunked.find_aiff,
    b"riff": chunked.find_wave64,
    b"caff": chunked.find_caf,
    b".snd": chunked.find_au,
    b"dns.": chunked.find_au,
    b"fLaC": flac.find_flac,
}


def find_streams(file: BinaryIO, name: str, ending: str) -> tuple[list[AudioStream], FileFormat | None, list[str]]:
    """Return the sounds in a file, the format of the first one, and notes.

    Raises FileRefused with the reason if there is none.
    """
    form = recognise_format(read_bytes_at(file, 0, BEGINNING), ending)
    if form is not None and not form.can_be_read:
        raise refusal_reason(name, form)
    begin, notes = _find_beginning(file)
    if begin < 0:
        raise refusal_reason(name, form)
    form = recognise_format(read_bytes_at(file, begin, BEGINNING), ending)
    found: list[AudioStream] = []
    try:
        for stream in _streams_from(file, begin, name):
            if len(found) == MAX_SOUNDS:
                notes.append(PARTS)
                break
            found.append(stream)
    except FileRefused:
        if not found:
            raise
        notes.append(BROKEN)
    if not found:
        raise refusal_reason(name, form)
    return found, form, notes


def recognise_file(path: Path) -> FileFormat | None:
    """Return the format of a sound or film; None for any other file. Its first bytes or its name tell."""
    begins = b""
    with contextlib.suppress(FileRefused), decode_opened(path, path.name, MAX_FILE_BYTES) as file:
        begins = file.read(BEGINNING)
    return recognise_format(begins, path.suffix)


def refusal_reason(name: str, form: FileFormat | None) -> FileRefused:
    """Return why a file was not opened as a sound, and what to do. `form` is None for an unknown format."""
    if form is None:
        return FileRefused(name, "is not a sound that can be read", "WAV, FLAC, Ogg, Opus, MP3, AIFF and CAF can be.")
    if form.can_be_read:
        return FileRefused(name, f"holds no {form.name} sound that can be read", AGAIN)
    way_out = "Save its sound as WAV or FLAC." if form.is_video else ELSE
    return FileRefused(name, f"is {form.name}, which cannot be read here", way_out)


def _streams_from(file: BinaryIO, at: int, name: str) -> Iterator[AudioStream]:
    """Yield the sounds from a place on. Raises FileRefused."""
    while _is_sound_at(file, at):
        head = read_bytes_at(file, at, BEGINNING)
        if head.startswith(b"OggS"):
            yield from ogg.find_ogg(file, at)
            return
        if head[:4] not in _READERS:
            yield from mpeg.find_mpeg(file, at)
            return
        stream = _READERS[head[:4]](file, at, name)
        yield stream
        at = _skip_tags(file, stream.stop)


def _is_sound_at(file: BinaryIO, at: int) -> bool:
    """Return whether a sound begins at a place."""
    return begins_sound(read_bytes_at(file, at, BEGINNING)) or mpeg.find_first_frame(file, at, at + 1) == at


def _find_beginning(file: BinaryIO) -> tuple[int, list[str]]:
    """Return where the first sound begins, or -1, and notes about the bytes before it."""
    size = file_size(file)
    at = _skip_tags(file, 0)
    if _is_sound_at(file, at):
        return at, []
    if read_bytes_at(file, 0, 8).startswith(_ARCHIVES):
        return -1, []
    start = at if at < size else 0
    stop = min(start + _SEARCHED_BYTES, size)
    places = [place for mark in STARTS if (place := _find_readable(file, mark, start, stop)) >= 0]
    if places:
        return min(places), [BEFORE]
    place = mpeg.find_first_frame(file, start, stop)
    return place, [BEGINNING_CUT if place > start else BEFORE]


def _find_readable(file: BinaryIO, mark: bytes, start: int, stop: int) -> int:
    """Return the first place of a mark where a sound can be read, or -1."""
    place = find_bytes(file, mark, start, stop)
    while place >= 0 and not _is_sound_at(file, place):
        place = find_bytes(file, mark, place + 1, stop)
    return place


def _skip_tags(file: BinaryIO, at: int) -> int:
    """Skip the tags at a place, and return where they end."""
    while length := mpeg.id3_length(read_bytes_at(file, at, 32)):
        at += length
    return at
