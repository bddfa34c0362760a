"""Decoding a stream of sound in blocks, as far as it goes."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from studio.media.image import Refused
from studio.media.streams import BROKEN, ELSE, Stream, check

_BLOCK = 65_536
_FORMATS = frozenset({"WAV", "WAVEX", "FLAC", "OGG", "MP3", "MPEG", "AIFF", "CAF", "AU"})
_CODECS = ("PCM_", "FLOAT", "DOUBLE", "ALAW", "ULAW", "ALAC_", "VORBIS", "OPUS", "MPEG_")
"""How the names of codecs begin that are read. Others unpack by code that has been attacked (CVE-2026-37555)."""
_FAULTS = 1000
"""Damaged places of one stream after which decoding is not taken up again."""


class Block(NamedTuple):
    """Some samples that follow each other."""

    samples: np.ndarray
    """(n, channels) from -1 to 1, or beyond."""
    rate: int
    """Hz."""


class Unreadable(Exception):
    """A stream cannot be decoded, or not any further."""


def blocks(
    stream: Stream, name: str, notes: list[str], dtype: Literal["float32", "float64"] = "float32"
) -> Iterator[Block]:
    """Return the samples of a stream. Where it is damaged, they go on after that, and a note says so.

    Raises Refused if it is of a format that is not read here, and Unreadable.
    """
    notes += [note for note in stream.notes if note not in notes]
    faults, any_samples = 0, False
    while True:
        done, whole = 0, False
        with contextlib.suppress(Unreadable):  # decoding continues after the damage, below
            for block in _plain(stream, name, dtype):
                done += len(block.samples)
                any_samples |= len(block.samples) > 0
                yield block
            whole = True
        if whole if stream.samples is None else done >= stream.samples:
            return
        faults += 1
        following = stream.resume(done) if stream.resume is not None and faults < _FAULTS else None
        if following is None and not any_samples:
            raise Unreadable
        note = stream.fault() if following is None and stream.fault is not None else BROKEN
        notes += [note] if note not in notes else []
        if following is None:
            return
        stream = following


def _plain(stream: Stream, name: str, dtype: str) -> Iterator[Block]:
    """Return the samples of a stream. Raises Unreadable after those up to the first damaged place."""
    import soundfile

    with _opened(stream, name) as sound:
        while True:
            # A block that fails is filled up to the damaged place, and nobody says how far.
            out = np.full((_BLOCK, sound.channels), np.nan, dtype)
            try:
                got = sound.read(out=out, always_2d=True)
            except soundfile.SoundFileError:
                empty = np.isnan(out).all(1)
                yield Block(out[: int(empty.argmax()) if empty.any() else len(out)], sound.samplerate)
                raise Unreadable from None
            if not len(got):
                return
            yield Block(got, sound.samplerate)


def _opened(stream: Stream, name: str) -> Any:
    """Return the decoder of a stream. Raises Refused and Unreadable."""
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """A file that is read from its beginning to its end: seeking after each block fails at the end of some."""

        def seekable(self) -> bool:
            return False

    stream.pieces.seek(0)
    try:
        sound = Forward(stream.pieces)
    except (soundfile.SoundFileError, MemoryError):
        raise Unreadable from None
    if sound.format not in _FORMATS or not sound.subtype.startswith(_CODECS):
        raise Refused(name, f"is {sound.format} of {sound.subtype}, which is not read here", ELSE)
    check(sound.samplerate, sound.channels, name)
    return sound
