"""Decode a stream of sound in blocks, as far as possible.

FLAC frames and Ogg pages (Vorbis, Opus) have checksums, so a changed byte is always noticed. WAV, AIFF, CAF, AU and
their codecs have none: a changed byte becomes another sample without a note. In MP3 it is noticed only if it breaks the
head of a frame.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from studio.media.containers.streams import BROKEN, ELSE, AudioStream, check_format
from studio.media.pictures.image import FileRefused

_BLOCK = 65_536
_FORMATS = frozenset({"WAV", "WAVEX", "FLAC", "OGG", "MP3", "MPEG", "AIFF", "CAF", "AU"})
_CODECS = ("PCM_", "FLOAT", "DOUBLE", "ALAW", "ULAW", "ALAC_", "VORBIS", "OPUS", "MPEG_")
"""Beginnings of the names of codecs that are read. The code for others has been attacked (CVE-2026-37555)."""
_MAX_DAMAGED_PLACES = 1000
"""The number of damaged places in one stream after which decoding is not resumed."""


class AudioBlock(NamedTuple):
    """Holds some samples that follow each other."""

    samples: np.ndarray
    """(n, channels) from -1 to 1, or beyond."""
    rate: int
    """The rate in Hz."""


class UnreadableBlock(Exception):
    """Reports that a stream cannot be decoded, or not any further."""


def read_blocks(
    stream: AudioStream, name: str, notes: list[str], dtype: Literal["float32", "float64"] = "float32"
) -> Iterator[AudioBlock]:
    """Yield the samples of a stream. After damage they continue, and a note says so.

    Raises FileRefused for a format that is not read here, and UnreadableBlock if no sample can be decoded.
    """
    notes += [note for note in stream.notes if note not in notes]
    faults = 0
    any_samples = False
    while True:
        done = 0
        reached_end = False
        with contextlib.suppress(UnreadableBlock):  # decoding continues after the damage, below
            for block in _read_until_damage(stream, name, dtype):
                done += len(block.samples)
                any_samples |= len(block.samples) > 0
                yield block
            reached_end = True
        is_complete = reached_end if stream.samples is None else done >= stream.samples
        if is_complete:
            return
        faults += 1
        following = None
        if stream.resume is not None and faults < _MAX_DAMAGED_PLACES:
            following = stream.resume(done)
        if following is None and not any_samples:
            raise UnreadableBlock
        note = stream.fault() if following is None and stream.fault is not None else BROKEN
        notes += [note] if note not in notes else []
        if following is None:
            return
        stream = following


def _read_until_damage(stream: AudioStream, name: str, dtype: str) -> Iterator[AudioBlock]:
    """Yield the samples up to the first damaged place, then raise UnreadableBlock."""
    import soundfile

    with _open_decoder(stream, name) as sound:
        while True:
            # A block that fails is filled up to the damaged place. No number says where that is, so NaN marks the rest.
            out = np.full((_BLOCK, sound.channels), np.nan, dtype)
            try:
                got = sound.read(out=out, always_2d=True)
            except soundfile.SoundFileError:
                empty = np.isnan(out).all(1)
                got = out[: empty.argmax()] if empty.any() else out
                yield AudioBlock(got, sound.samplerate)
                raise UnreadableBlock from None
            if not len(got):
                return
            yield AudioBlock(got, sound.samplerate)


def _open_decoder(stream: AudioStream, name: str) -> Any:
    """Return the decoder of a stream. Raises FileRefused and UnreadableBlock."""
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """Reads without seeking. soundfile seeks after each block, which fails at the end of some files."""

        def seekable(self) -> bool:
            return False

    stream.pieces.seek(0)
    try:
        sound = Forward(stream.pieces)
    except (soundfile.SoundFileError, MemoryError):
        raise UnreadableBlock from None
    if sound.format not in _FORMATS or not sound.subtype.startswith(_CODECS):
        raise FileRefused(name, f"is {sound.format} of {sound.subtype}, which is not read here", ELSE)
    check_format(sound.samplerate, sound.channels, name)
    return sound
