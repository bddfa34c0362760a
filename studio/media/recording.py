"""A recording in a file to one channel at a model's rate, and what had to be done to it.

What a header says is checked before anything is unpacked, and samples are unpacked in blocks up to a limit: a file of
200 kB can hold hours of silence in eight channels. WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and CAF are read.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from studio.media.containers import BEGINNING, Container, container
from studio.media.image import Refused, opened
from studio.media.names import shown

LONGEST = 2 * 3600
"""Seconds of a recording."""
LARGEST = 2 * 2**30
"""Bytes of a file: 2 hours in stereo of 24 bits at 48 kHz, and what is cut from it."""
RATES = 8_000, 384_000
"""Hz."""
CHANNELS = 8
SQUEEZED = 400
"""Times that a sound may be larger than its file, as 16 bits: digital silence in FLAC is 500 to 2,000, speech in the
narrowest Opus 250."""
ROOM = 2**25
"""Bytes that any file may unpack to, however much it is squeezed."""
OFFSET = 0.01
"""Of the whole height: a mean below it is nobody's fault and stays, so that clean samples stay as they are."""
FEW = 400
"""Samples, of which a mean says nothing."""
SILENT, QUIET = 1 / 32_768, 8 / 32_768
"""Of the whole height."""
BROKEN = 0.001
"""Share of samples that may be no numbers."""
_BLOCK = 65_536
_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "MPEG", "AIFF", "CAF"})
_WAV = {1: "whole numbers", 3: "floats", 6: "A-law", 7: "μ-law"}
"""Tags of WAV that are read; what else there is unpacks by code that has been attacked (CVE-2026-37555)."""
_ELSE = "Save it as WAV or FLAC."
_AGAIN = "Try saving it again from where it came."


@dataclass(frozen=True)
class Recording:
    """A sound file that was opened."""

    wave: np.ndarray
    """(samples,) float32 from -1 to 1 at `rate`, its channels made one."""
    rate: int
    """Hz."""
    name: str
    """The file's name, as it may be shown."""
    file_rate: int
    channels: int
    seconds: float
    """Of the file, as it was."""
    clipped: int
    """Samples of the file that stay at its very top or bottom."""
    quiet: bool
    """Whether there is nothing to learn from: silence, or next to it."""
    notes: tuple[str, ...]
    """What had to be done, for people."""


def open_recording(path: Path | str, rate: int | None = None, *, centred: bool = True) -> Recording:
    """The sound in a file, at its own rate or at `rate` in Hz. Raises Refused with the reason.

    centred: whether a middle that is off is put right
    """
    import soundfile

    path, name = Path(path), shown(os.path.basename(path))
    with opened(path, name, LARGEST) as file:
        form = container(file.read(BEGINNING), path.suffix)
        if form is not None and not form.read:
            raise refusal(name, form)
        file.seek(0)
        notes = _header(file, name)
        file.seek(0)
        try:
            with soundfile.SoundFile(file) as sound:
                _sane(sound, os.fstat(file.fileno()).st_size, name)
                heard, loud, broken = _heard(sound, name)
                found = sound.samplerate, sound.channels
                if loud > SILENT and np.abs(heard).max(initial=0) < SILENT:
                    sound.seek(0)
                    heard, _, _ = _heard(sound, name, only=0)
                    notes.append("its channels cancel each other out, so the first one is used")
        except (soundfile.SoundFileError, MemoryError):
            raise refusal(name, form) from None
    if not len(heard):
        raise Refused(name, "holds no sound")
    if broken:
        notes.append(f"{broken:,} samples that were no numbers became silence")
    clipped = _clipped(heard, found[0])
    length = len(heard)
    wave = _at(_clean(heard, notes, centred), found[0], rate)
    loudest = float(np.abs(wave).max(initial=0))
    notes += ["is silent"] if loudest < SILENT else ["is very quiet"] if loudest < QUIET else []
    notes += [f"clipped at {clipped:,} samples"] if clipped else []
    return Recording(wave, rate or found[0], name, *found, length / found[0], clipped, loudest < QUIET, tuple(notes))


def refusal(name: str, form: Container | None) -> Refused:
    """Return why a file was not opened as a sound, and what to do; `form` is None for an unknown format."""
    if form is None:
        return Refused(name, "is not a sound that can be read", "WAV, FLAC, Ogg, Opus, MP3, AIFF and CAF can be.")
    if form.read:
        return Refused(name, f"holds no {form.name} sound that can be read", _AGAIN)
    way_out = "Save its sound as WAV or FLAC." if form.film else _ELSE
    return Refused(name, f"is {form.name}, which cannot be read here", way_out)


def _header(file: BinaryIO, name: str) -> list[str]:
    """What a WAV's header says, checked; notes. Raises Refused."""
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return []
    size = os.fstat(file.fileno()).st_size
    at, bytes_a_second, notes = 12, 0, list[str]()
    for _ in range(100):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        key, (length,) = head[:4], struct.unpack("<I", head[4:])
        if key == b"fmt ":
            bytes_a_second = _form(file.read(min(length, 40)), name)
        if key == b"data":
            there = size - at - 8
            if not bytes_a_second or (length > LONGEST * bytes_a_second and length != 0xFFFFFFFF):
                break
            return [*notes, "cut off: what is there is used"] if length > there else notes
        at += 8 + length + length % 2
    raise Refused(name, "is damaged", _AGAIN)


def _form(body: bytes, name: str) -> int:
    """Bytes a second of a WAV, 0 where there are none. Raises Refused."""
    if len(body) < 16:
        raise Refused(name, "is damaged", _AGAIN)
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == 0xFFFE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    if tag not in _WAV:
        raise Refused(name, "is compressed in a way that is not read here", _ELSE)
    _within(rate, channels, name)
    return int(rate * channels * bits // 8)


def _within(rate: int, channels: int, name: str) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise Refused(name, f"says it has {rate:,} samples a second, and {RATES[0]:,} to {RATES[1]:,} are read")
    if not 1 <= channels <= CHANNELS:
        raise Refused(name, f"says it has {channels:,} channels, and 1 to {CHANNELS} are read")


def _sane(sound: Any, size: int, name: str) -> None:
    """Raises Refused where a file is of another format, or holds more than a recording does."""
    if sound.format not in _FORMATS or "ADPCM" in sound.subtype:
        raise Refused(name, f"is {sound.format} of {sound.subtype}, which is not read here", _ELSE)
    _within(sound.samplerate, sound.channels, name)
    if sound.frames > LONGEST * sound.samplerate:
        raise Refused(name, f"is longer than {LONGEST // 3600} hours")
    unpacked = 2 * sound.frames * sound.channels
    if unpacked > ROOM and unpacked > SQUEEZED * size:
        raise Refused(name, f"unpacks to {unpacked / size:,.0f} times its size, as no recording does")


def _heard(sound: Any, name: str, only: int | None = None) -> tuple[np.ndarray, float, int]:
    """Mean of all channels or only one, (n,) float32; the loudest of any; how many were no numbers. Raises Refused."""
    parts, loudest, broken, left = [], 0.0, 0, sound.frames
    while left > 0:
        block = sound.read(min(_BLOCK, left), dtype="float32", always_2d=True)
        if not len(block):
            break
        left -= len(block)
        finite = np.isfinite(block) & (np.abs(block) < 1e9)
        if not finite.all():
            broken += int(finite.size - finite.sum())
            block = np.where(finite, block, np.float32(0))
        loudest = max(loudest, float(np.abs(block).max()))
        parts.append(block.mean(1) if only is None else block[:, only])
    heard = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if broken > BROKEN * heard.size * sound.channels:
        raise Refused(name, f"holds {broken:,} samples that are no numbers", _AGAIN)
    return heard, loudest, broken


def _clipped(heard: np.ndarray, rate: int) -> int:
    """Samples at the very top or bottom, where more are in a row than a wave stays there by itself."""
    count = 0
    for top in (heard.max(), heard.min()):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], heard == top, [False]))))
        runs = edges[1::2] - edges[::2]
        count += int(runs[runs >= max(3, rate // 10_000)].sum()) if abs(top) > 0.5 else 0
    return count


def _clean(heard: np.ndarray, notes: list[str], centred: bool) -> np.ndarray:
    mean = float(heard.mean(dtype=np.float64))
    if centred and abs(mean) > OFFSET and len(heard) > FEW:
        heard = heard - np.float32(mean)
        notes.append(f"its middle was off by {mean:+.2f} and was put right")
    loudest = float(np.abs(heard).max())
    if loudest > 1 + 1e-3:
        heard = heard / np.float32(loudest)
        notes.append("made quieter, because it was too loud for its file")
    return heard


def at_rate(samples: np.ndarray, before: int, rate: int) -> np.ndarray:
    """Samples (n,) int16 at another rate in Hz."""
    return samples if rate == before else brought(samples.astype(np.float32) / np.float32(32_768), before, rate)


def brought(heard: np.ndarray, before: float, rate: int) -> np.ndarray:
    """Floats (n,) from -1 to 1 as int16 at another rate in Hz."""
    found = _at(heard, before, rate) if len(heard) else heard
    whole: np.ndarray = np.rint(found * 32_768).clip(-32_768, 32_767).astype(np.int16)
    return whole


def _at(heard: np.ndarray, before: float, rate: int | None) -> np.ndarray:
    if rate is None or rate == before:
        return heard
    import soxr

    found: np.ndarray = soxr.resample(heard, before, rate)
    return found.clip(-1, 1)
