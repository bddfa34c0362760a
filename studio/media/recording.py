"""A recording in a file to one channel at a model's rate, and what had to be done to it.

What a header says is checked before anything is unpacked, and samples are unpacked in blocks up to a limit: a file of
200 kB can hold hours of silence in eight channels. WAV, Wave64, FLAC, Ogg Vorbis, Opus, MP3, AIFF, CAF and AU are read.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from studio.media import decoding
from studio.media.contents import LARGEST, refusal, sounds_in
from studio.media.image import Refused, opened
from studio.media.names import shown
from studio.media.streams import AGAIN, BROKEN, CUT, TORN, Stream

LONGEST = 2 * 3600
"""Seconds of a recording."""
PADDING = 1.0
"""Seconds that an encoder may add to a sound, so that two hours stay two hours as MP3."""
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
DAMAGED = 0.001
"""Share of samples that may be no numbers."""
_EMPTY = "is cut off before its sound begins"
CANCELLED = "its channels cancel each other out, so the first one is used"
APART = "its parts have different rates: all are brought to that of the first"
__all__ = ["Recording", "at_rate", "brought", "open_recording", "refusal"]


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
    path, name = Path(path), shown(os.path.basename(path))
    with opened(path, name, LARGEST) as file:
        streams, form, notes = sounds_in(file, name, path.suffix)
        size = os.fstat(file.fileno()).st_size
        try:
            found = _mixed(streams, size, name, notes)
            if found.loudest > SILENT and np.abs(found.wave).max(initial=0) < SILENT:
                found = _mixed(streams, size, name, notes, only=0)
                notes.append(CANCELLED)
        except (decoding.Unreadable, MemoryError):
            raise Refused(name, _EMPTY, AGAIN) if {CUT, TORN} & {*notes} else refusal(name, form) from None
    heard, broken, of_file = found.wave, found.broken, (found.rate, found.channels)
    if not len(heard):
        raise Refused(name, _EMPTY if CUT in notes else "holds no sound")
    if broken:
        notes.append(f"{broken:,} samples that were no numbers became silence")
    clipped = _clipped(heard, found.rate)
    length = len(heard)
    wave = _at(_clean(heard, notes, centred), found.rate, rate)
    loudest = float(np.abs(wave).max(initial=0))
    notes += ["is silent"] if loudest < SILENT else ["is very quiet"] if loudest < QUIET else []
    notes += [f"clipped at {clipped:,} samples"] if clipped else []
    seconds = length / found.rate
    return Recording(wave, rate or found.rate, name, *of_file, seconds, clipped, loudest < QUIET, tuple(notes))


@dataclass
class _Mixed:
    """The sounds of a file one after the other, of one channel, at the rate of the first."""

    wave: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(n,) float32."""
    rate: int = 0
    channels: int = 0
    loudest: float = 0.0
    """Of any channel."""
    broken: int = 0
    """Samples that were no numbers."""


def _mixed(streams: list[Stream], size: int, name: str, notes: list[str], only: int | None = None) -> _Mixed:
    """Decode all sounds of a file of so many bytes: the mean of their channels, or only one. Raises Refused."""
    mixed, parts, entries, seconds = _Mixed(), list[np.ndarray](), 0, 0.0
    _bearable(sum(stream.seconds for stream in streams), 0, size, name)
    for stream in streams:
        mine, rate = list[np.ndarray](), 0
        for block in _blocks(stream, name, notes, last=stream is streams[-1] and not parts):
            samples, rate = block.samples, block.rate
            mixed.channels = mixed.channels or samples.shape[1]
            mixed.rate = mixed.rate or rate
            seconds += len(samples) / rate
            entries += samples.size
            _bearable(seconds, entries, size, name)
            mine.append(_mono(samples, mixed, only))
        if rate == mixed.rate:
            parts += mine
        elif mine:
            parts.append(_at(np.concatenate(mine), rate, mixed.rate))
            notes += [APART] if APART not in notes else []
    mixed.wave = np.concatenate(parts) if parts else mixed.wave
    if mixed.broken > DAMAGED * entries:
        raise Refused(name, f"holds {mixed.broken:,} samples that are no numbers", AGAIN)
    return mixed


def _blocks(stream: Stream, name: str, notes: list[str], last: bool) -> Iterator[decoding.Block]:
    """Return the samples of a stream; none if it is unreadable, unless it is the last hope."""
    try:
        yield from decoding.blocks(stream, name, notes)
    except decoding.Unreadable:
        if last:
            raise
        notes += [BROKEN] if BROKEN not in notes else []


def _mono(samples: np.ndarray, mixed: _Mixed, only: int | None) -> np.ndarray:
    """Return one channel (n,) of samples (n, channels), and count what is in them."""
    finite = np.isfinite(samples) & (np.abs(samples) < 1e9)
    if not finite.all():
        mixed.broken += int(finite.size - finite.sum())
        samples = np.where(finite, samples, np.float32(0))
    mixed.loudest = max(mixed.loudest, float(np.abs(samples).max(initial=0)))
    found: np.ndarray = samples.mean(1) if only is None else samples[:, only]
    return found


def _bearable(seconds: float, entries: int, size: int, name: str) -> None:
    """Raise Refused if a file of so many bytes holds more than a recording does."""
    if seconds > LONGEST + PADDING:
        raise Refused(name, f"is longer than {LONGEST // 3600} hours")
    if 2 * entries > ROOM and 2 * entries > SQUEEZED * size:
        raise Refused(name, f"unpacks to more than {SQUEEZED} times its size, as no recording does")


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
