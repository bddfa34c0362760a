"""Read a recording from a file to one channel at a model's rate.

A header's claims are checked before anything is unpacked, and samples are unpacked in blocks up to a limit: a file of
200 kB can hold hours of silence in eight channels. WAV, Wave64, FLAC, Ogg Vorbis, Opus, MP3, AIFF, CAF and AU are read.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from studio.media.containers import blocks
from studio.media.containers.contents import MAX_FILE_BYTES, find_streams, refusal_reason
from studio.media.containers.spliced_file import file_size
from studio.media.containers.streams import AGAIN, BROKEN, CUT, TORN, AudioStream
from studio.media.file_part import FilePart
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, decode_opened

MAX_SECONDS = 2 * 3600
"""Seconds of a recording."""
PADDING_SECONDS = 1.0
"""Seconds that an encoder may add to a sound, so that two hours stay two hours as MP3."""
MAX_UNPACK_RATIO = 400
"""The largest ratio of a sound, as 16 bits, to its file: digital silence in FLAC has 500 to 2,000, speech in the
narrowest Opus 250."""
MIN_UNPACK_BYTES = 2**25
"""Bytes that any file may unpack to, however well it is compressed."""
MIN_OFFSET = 0.01
"""The share of the whole height below which a mean is left alone, so that clean samples stay unchanged."""
_MEMORY_STEP = 2**22
"""The number of samples by which memory grows."""
_PIECE_SAMPLES = 2**20
"""The number of samples that are examined or resampled at once."""
MIN_SAMPLES_OF_MEAN = 400
"""The number of samples below which a mean has no meaning."""
SILENT = 1 / 32_768
QUIET_LEVEL = 8 / 32_768
"""The share of the whole height below which a sound is quiet."""
MAX_NAN_SHARE = 0.001
"""The largest share of samples that may be NaN."""
_EMPTY = "is cut off before its sound begins"
CANCELLED = "its channels cancel each other out, so the first one is used"
APART = "its parts have different rates: that of the first is used"
__all__ = ["Recording", "resample_recording", "resample_whole", "open_recording", "refusal_reason"]


@dataclass(frozen=True)
class Recording:
    """Holds a sound file that was opened."""

    samples: np.ndarray
    """(samples,) float32 from -1 to 1 at `rate`, mixed to one channel."""
    rate: int
    """The rate in Hz."""
    name: str
    """The file's name, made safe to show."""
    file_rate: int
    channels: int
    seconds: float
    """Seconds of the file before any change."""
    clipped: int
    """The number of samples of the file that stay at its very top or bottom."""
    quiet: bool
    """True if there is nothing to learn from: silence, or nearly."""
    notes: tuple[str, ...]
    """Notes for the user on what had to be done."""


def open_recording(
    path: Path | str, rate: int | None = None, *, centred: bool = True, part: FilePart | None = None
) -> Recording:
    """Read the sound in a file, at its own rate or at `rate` in Hz. Raises FileRefused with the reason.

    `centred`: whether an offset is removed. `part`: where the bytes are if `path` is only a name
    """
    name = display_name(os.path.basename(path))
    path = Path(path)
    with decode_opened(path, name, MAX_FILE_BYTES, part) as file:
        streams, form, notes = find_streams(file, name, path.suffix)
        size = file_size(file)
        try:
            found = _decode_to_mono(streams, size, name, notes)
            if found.loudest > SILENT > _peak_of(found.wave):
                del found
                found = _decode_to_mono(streams, size, name, notes, only=0)
                notes.append(CANCELLED)
        except (blocks.UnreadableBlock, MemoryError):
            raise FileRefused(name, _EMPTY, AGAIN) if {CUT, TORN} & {*notes} else refusal_reason(name, form) from None
    wave = found.wave
    length = len(found.wave)
    if not length:
        raise FileRefused(name, _EMPTY if CUT in notes else "holds no sound")
    if found.broken:
        notes.append(f"{found.broken:,} samples that were not numbers became silence")
    clipped = _count_clipped(wave, found.rate)
    _clean_in_place(wave, notes, centred)
    if rate is not None and rate < found.rate:  # the result is shorter and overwrites samples that were read already
        made = _resample(wave, found.rate, rate, wave)
        wave.resize(made, refcheck=False)
    else:
        wave = _at_rate(wave, found.rate, rate)
    loudest = _peak_of(wave)
    if loudest < SILENT:
        notes.append("is silent")
    elif loudest < QUIET_LEVEL:
        notes.append("is very quiet")
    if clipped:
        notes.append(f"clipped at {clipped:,} samples")
    seconds = length / found.rate
    quiet = loudest < QUIET_LEVEL
    return Recording(wave, rate or found.rate, name, found.rate, found.channels, seconds, clipped, quiet, tuple(notes))


@dataclass
class _MonoRecording:
    """Joins the sounds of a file in one channel, at the rate of the first."""

    wave: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(n,) float32, with extra room at its end until `finish`."""
    count: int = 0
    """The number of samples that it holds so far."""
    rate: int = 0
    channels: int = 0
    loudest: float = 0.0
    """The largest absolute value of any channel."""
    broken: int = 0
    """The number of samples that were NaN."""

    def append(self, samples: np.ndarray) -> None:
        """Add samples. Memory grows in place: parts that are joined at the end would need twice as much."""
        end = self.count + len(samples)
        if end > len(self.wave):
            self.wave.resize(end + _MEMORY_STEP, refcheck=False)
        self.wave[self.count : end] = samples
        self.count = end

    def finish(self) -> None:
        """Release the memory that is left over."""
        self.wave.resize(self.count, refcheck=False)


def _decode_to_mono(
    streams: list[AudioStream], size: int, name: str, notes: list[str], only: int | None = None
) -> _MonoRecording:
    """Decode all sounds of a file of so many bytes: the mean of their channels, or only one. Raises FileRefused."""
    mixed = _MonoRecording()
    entries = 0
    seconds = 0.0
    _check_size(sum(stream.seconds for stream in streams), 0, size, name)
    for stream in streams:
        others = list[np.ndarray]()  # of another rate
        rate = 0
        for block in _read_stream(stream, name, notes, last=stream is streams[-1] and not mixed.count):
            samples = block.samples
            rate = block.rate
            mixed.channels = mixed.channels or samples.shape[1]
            mixed.rate = mixed.rate or rate
            seconds += len(samples) / rate
            entries += samples.size
            _check_size(seconds, entries, size, name)
            mine = _mix_down(samples, mixed, only)
            if rate == mixed.rate:
                mixed.append(mine)
            else:
                others.append(mine)
        if others:
            mixed.append(_at_rate(np.concatenate(others), rate, mixed.rate))
            notes += [APART] if APART not in notes else []
    mixed.finish()
    if mixed.broken > MAX_NAN_SHARE * entries:
        raise FileRefused(name, f"holds {mixed.broken:,} samples that are not numbers", AGAIN)
    return mixed


def _read_stream(stream: AudioStream, name: str, notes: list[str], last: bool) -> Iterator[blocks.AudioBlock]:
    """Return the samples of a stream. An unreadable one has none; if `last` is set, it raises UnreadableBlock."""
    try:
        yield from blocks.read_blocks(stream, name, notes)
    except blocks.UnreadableBlock:
        if last:
            raise
        notes += [BROKEN] if BROKEN not in notes else []


def _mix_down(samples: np.ndarray, mixed: _MonoRecording, only: int | None) -> np.ndarray:
    """Return one channel (n,) of samples (n, channels), and count what is in them."""
    finite = np.isfinite(samples) & (np.abs(samples) < 1e9)
    if not finite.all():
        mixed.broken += int(finite.size - finite.sum())
        samples = np.where(finite, samples, np.float32(0))
    mixed.loudest = max(mixed.loudest, float(np.abs(samples).max(initial=0)))
    found: np.ndarray = samples.mean(1) if only is None else samples[:, only]
    return found


def _check_size(seconds: float, entries: int, size: int, name: str) -> None:
    """Raise FileRefused if a file of so many bytes holds more than a recording does."""
    if seconds > MAX_SECONDS + PADDING_SECONDS:
        raise FileRefused(name, f"is longer than {MAX_SECONDS // 3600} hours")
    if 2 * entries > MIN_UNPACK_BYTES and 2 * entries > MAX_UNPACK_RATIO * size:
        raise FileRefused(name, f"unpacks to more than {MAX_UNPACK_RATIO} times its size, as no recording does")


def _peak_of(wave: np.ndarray) -> float:
    return max(float(wave.max(initial=0)), -float(wave.min(initial=0)))


def _count_clipped(samples: np.ndarray, rate: int) -> int:
    """Count the samples at the very top or bottom, in runs that are longer than an undistorted wave has them."""
    tops = {top for top in (samples.max(), samples.min()) if abs(top) > 0.5}
    return sum(_count_in_runs(samples, top, max(3, rate // 10_000)) for top in tops)


def _count_in_runs(samples: np.ndarray, top: float, least: int) -> int:
    """Count the samples with this value in runs of at least so many."""
    count = 0
    open_run = 0
    for start in range(0, len(samples), _PIECE_SAMPLES):
        same = samples[start : start + _PIECE_SAMPLES] == top
        edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False]))))
        runs = edges[1::2] - edges[::2]
        if open_run and same[0]:
            runs[0] += open_run
        elif open_run >= least:
            count += open_run
        open_run = int(runs[-1]) if same[-1] else 0
        runs = runs[:-1] if open_run else runs
        count += int(runs[runs >= least].sum())
    return count + (open_run if open_run >= least else 0)


def _clean_in_place(samples: np.ndarray, notes: list[str], centred: bool) -> None:
    """Remove the offset of a wave and scale its loudness, in place."""
    mean = float(samples.mean(dtype=np.float64))
    if centred and abs(mean) > MIN_OFFSET and len(samples) > MIN_SAMPLES_OF_MEAN:
        samples -= np.float32(mean)
        notes.append(f"its middle was off by {mean:+.2f} and was put right")
    loudest = _peak_of(samples)
    if loudest > 1 + 1e-3:
        samples /= np.float32(loudest)
        notes.append("made quieter, because it was too loud for its file")


def resample_recording(samples: np.ndarray, before: int, rate: int) -> np.ndarray:
    """Resample samples (n,) int16 to another rate in Hz."""
    return samples if rate == before else resample_whole(samples.astype(np.float32) / np.float32(32_768), before, rate)


def resample_whole(samples: np.ndarray, before: float, rate: int) -> np.ndarray:
    """Resample floats (n,) from -1 to 1 to int16 at another rate in Hz."""
    found = _at_rate(samples, before, rate) if len(samples) else samples
    whole: np.ndarray = np.rint(found * 32_768).clip(-32_768, 32_767).astype(np.int16)
    return whole


def _at_rate(samples: np.ndarray, before: float, rate: int | None) -> np.ndarray:
    """Return floats (n,) from -1 to 1 at another rate in Hz."""
    if rate is None or rate == before:
        return samples
    found = np.empty(math.ceil(len(samples) * rate / before) + 1, np.float32)
    return found[: _resample(samples, before, rate, found)]


def _resample(samples: np.ndarray, before: float, rate: int, found: np.ndarray) -> int:
    """Put floats (n,) at another rate into `found`, in pieces; return how many there are.

    found: may be `samples` itself if the rate becomes smaller, because of each piece less is made
    """
    import soxr

    stream = soxr.ResampleStream(before, rate, 1, dtype="float32")
    count = 0
    for start in range(0, len(samples), _PIECE_SAMPLES):
        piece = stream.resample_chunk(
            samples[start : start + _PIECE_SAMPLES], last=start + _PIECE_SAMPLES >= len(samples)
        )
        np.clip(piece, -1, 1, out=found[count : count + len(piece)])
        count += len(piece)
    return count
