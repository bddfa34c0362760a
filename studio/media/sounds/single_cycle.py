"""Read a single cycle of a wave, or a wavetable's first frame, from a file.

Every fault of a file ends as `FileRefused`, with a reason for the user.
"""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.media.containers import blocks
from studio.media.containers.contents import find_streams, refusal_reason
from studio.media.containers.spliced_file import file_size, read_bytes_at
from studio.media.containers.streams import AGAIN, BROKEN, CUT, TORN
from studio.media.file_part import FilePart
from studio.media.names import display_name
from studio.media.pictures.image import MAX_PICTURE_FILE_BYTES, FileRefused, decode_opened
from studio.media.sounds import wavetable
from studio.media.sounds.audio_file import CANCELLED, SILENT

PEAK = 30_000
"""The peak of every wave, of 32,767."""


def read_cycle(path: Path, samples: int, part: FilePart | None = None) -> np.ndarray:
    """Read a sound file that holds one cycle, as `(samples,)` int16. Raises FileRefused with the reason.

    It is mixed to mono, its mean is removed, it is resampled by its Fourier series, turned to begin at a rising zero,
    and scaled to one peak, like the waves of a pack.
    """
    wave = read_wave(path, samples, part)
    return cycle_from_wave(wave.array, samples, wave.name)


def cycle_from_wave(wave: np.ndarray, samples: int, name: str) -> np.ndarray:
    """Return one cycle of any length as `(samples,)` int16. Raises FileRefused if it is silent."""
    spectrum = np.fft.rfft(wave)
    spectrum[0] = 0
    count = samples // 2 + 1
    fitted = np.zeros(count, complex)
    fitted[: min(count, len(spectrum))] = spectrum[:count]
    fitted[-1] = 0  # the highest frequency of an even length has no phase of its own
    cycle = np.fft.irfft(fitted, samples)
    peak = float(np.abs(cycle).max())
    if peak < 1e-6 * max(len(wave) / samples, 1):
        raise FileRefused(name, "is silent")
    rising = np.flatnonzero((np.roll(cycle, 1) < 0) & (cycle >= 0))
    begin = int(rising[np.argmax(cycle[rising] - np.roll(cycle, 1)[rising])]) if len(rising) else 0
    turned: np.ndarray = np.round(np.roll(cycle, -begin) * PEAK / peak).astype(np.int16)
    return turned


LONGEST_CYCLE = 8192
"""The most samples of a cycle: the longest single cycles in circulation have 4,096."""

SHORTEST_CYCLE = 8

MOST_FRAMES = 256

_MOST_SAMPLES = MOST_FRAMES * LONGEST_CYCLE

_MAX_WAVETABLE_BYTES = 2**23
"""The most bytes of a wavetable: 256 frames of 2,048 samples of 64 bits in two channels."""

MAX_CHUNKS = 10_000
"""The most chunks of a WAV that are read; files have fewer than twenty."""

_DAMAGE_REASONS = {CUT: "is cut off", TORN: "is cut off or damaged", BROKEN: "is damaged"}
"""The reason why a file that could not be decoded completely is not a cycle, by its note."""

_FRAME = re.compile(rb"<!>(\d{1,5})\b")


@dataclass(frozen=True)
class OpenedWave:
    """Holds a single cycle that was opened."""

    array: np.ndarray
    """(samples,) int16; for a wavetable its first frame."""
    last: np.ndarray
    """(samples,) int16: the last frame; for a single cycle the cycle itself."""
    name: str
    """The file's name, made safe to show."""
    notes: tuple[str, ...]
    """Notes for the user on what had to be converted."""


def read_wave(path: Path | str, samples: int | None = None, part: FilePart | None = None) -> OpenedWave:
    """Read the cycle in a sound file, of `samples` samples if requested. Raises FileRefused with the reason."""
    name = display_name(os.path.basename(path))
    decoded, rate, table, notes = _read_samples(Path(path), name, part)
    frames = _cut_frames(decoded, rate, table, name)
    if len(frames) > 1:
        notes.append(f"the first of its {len(frames):,} frames is used")
    before = frames.shape[1]
    if samples is not None and before != samples:
        notes.append(f"{before:,} samples brought to {samples:,}")
    ends = np.stack([wavetable.resample_cycle(frame, samples or before) for frame in (frames[0], frames[-1])])
    loudest = float(np.abs(ends).max())
    if loudest > 1 + 1e-3:
        ends /= loudest
        notes.append("made quieter, because it was too loud for its file")
    first, last = (wavetable.cycle_of_frame(end, len(end)) for end in ends)
    return OpenedWave(first, last, name, tuple(notes))


def may_be_cycles(path: Path) -> bool:
    """Return whether a file is short enough for a cycle or a wavetable.

    It is not decoded. A WAV that is damaged after its first bytes may be one, too; opening it reports the reason.
    """
    name = display_name(path.name)
    wav = False
    try:
        with decode_opened(path, name, MAX_PICTURE_FILE_BYTES) as file:
            if file_size(file) > _MAX_WAVETABLE_BYTES:
                return False
            wav = read_bytes_at(file, 0, 12)[8:] == b"WAVE"
            sounds, _, _ = find_streams(file, name, path.suffix)
            table = b"clm " in read_bytes_at(file, 0, 65_536)
    except FileRefused:
        return wav
    count = sounds[0].samples
    if count is None:
        return False
    frames, rest = divmod(count, wavetable.FRAME_SAMPLES)
    return table or count <= LONGEST_CYCLE or (not rest and frames <= MOST_FRAMES)


def _read_samples(path: Path, name: str, part: FilePart | None) -> tuple[np.ndarray, int, bytes, list[str]]:
    """Read a file: return samples (n,) float64, rate, chunk about frames, and notes. Raises FileRefused."""
    with decode_opened(path, name, MAX_PICTURE_FILE_BYTES, part) as file:
        sounds, form, notes = find_streams(file, name, path.suffix)
        if len(sounds) > 1:
            notes.append("the first of its sounds is used")
        stated = len(notes)
        parts = list[np.ndarray]()
        rate = 1
        count = 0
        try:
            for block in blocks.read_blocks(sounds[0], name, notes, "float64"):
                parts.append(block.samples)
                rate = block.rate
                count = count + len(block.samples)
                if count > _MOST_SAMPLES:
                    break
        except (blocks.UnreadableBlock, MemoryError):
            if not {CUT, TORN} & {*notes}:
                raise refusal_reason(name, form) from None
        data = read_bytes_at(file, 0, MAX_PICTURE_FILE_BYTES) if form is not None and form.name == "WAV" else b""
    for note in (note for note in notes[stated:] if note in _DAMAGE_REASONS):
        raise FileRefused(name, _DAMAGE_REASONS[note], AGAIN)
    if not parts:
        raise FileRefused(name, "holds no sound")
    return _mix_down(np.concatenate(parts), notes), rate, riff_chunks(data).get(b"clm ", b""), notes


def _mix_down(samples: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return the mean (n,) of channels (n, channels).

    If they cancel each other out, return the first one.
    """
    if not np.isfinite(samples).all():
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        notes.append("samples that were not numbers became silence")
    mean: np.ndarray = samples.mean(1)
    first: np.ndarray = samples[:, 0]
    if np.abs(mean).max() < SILENT < np.abs(samples).max():
        notes.append(CANCELLED)
        return first
    return mean


def riff_chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the first chunk of a WAV for each key. Other files have none.

    Chunks are read as far as the file goes.
    """
    found: dict[bytes, bytes] = {}
    at = 12 if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else len(data)
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            break
        key = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        found.setdefault(key + data[at + 8 : at + 12] if key == b"LIST" else key, data[at + 8 : at + 8 + length])
        if at + 8 + length > len(data):
            found.setdefault(b"cut off", key)
        at += 8 + length + length % 2
    return found


def riff_texts(data: bytes) -> dict[str, str]:
    """Return the comments of a WAV (RIFF INFO) by their keys."""
    texts: dict[str, str] = {}
    body = riff_chunks(data).get(b"LISTINFO", b"")
    at = 4
    while at + 8 <= len(body):
        key = body[at : at + 4]
        (length,) = struct.unpack_from("<I", body, at + 4)
        text = body[at + 8 : at + 8 + length].rstrip(b"\0")
        texts.setdefault(key.decode("latin-1"), text.decode(errors="replace"))
        at += 8 + length + length % 2
    return texts


def _cut_frames(decoded: np.ndarray, rate: int, table: bytes, name: str) -> np.ndarray:
    """Return the cycles (n, samples).

    There are as many as the file states, or as there are frames of 2,048, else one.
    """
    stated = _FRAME.match(table)
    frame = int(stated[1]) if stated else 0
    if not frame and len(decoded) > wavetable.FRAME_SAMPLES and len(decoded) % wavetable.FRAME_SAMPLES == 0:
        frame = (
            wavetable.FRAME_SAMPLES
            if len(decoded) <= MOST_FRAMES * wavetable.FRAME_SAMPLES and not _is_one_cycle(decoded)
            else 0
        )
    if SHORTEST_CYCLE <= frame <= min(LONGEST_CYCLE, len(decoded)):
        return decoded[: len(decoded) // frame * frame].reshape(-1, frame)
    if len(decoded) < SHORTEST_CYCLE:
        raise FileRefused(name, "is too short to be a cycle of a wave")
    if len(decoded) > LONGEST_CYCLE:
        length = f"is {len(decoded) / rate:,.1f} seconds long, and a single cycle has at most {LONGEST_CYCLE:,} samples"
        raise FileRefused(name, length, "Cut one cycle out of it in a sound editor.")
    return decoded[None]


def _is_one_cycle(decoded: np.ndarray) -> bool:
    """Return whether 4,096 or 8,192 samples are a single cycle instead of a wavetable.

    The halves of a single cycle differ. Neighbouring frames of a wavetable resemble each other.
    """
    first, second = np.split(decoded, 2) if len(decoded) in (4096, 8192) else (decoded, decoded)
    return float(first @ second) < 0
