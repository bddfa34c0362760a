"""Sound files to arrays: a single cycle of a wave, or the first frame of a wavetable.

WAV is read here and by nothing else: only plain samples are accepted, and every length is checked against the
file's own. Whatever is wrong with a file ends as `Refused`, with a reason for people.
"""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.media import wavetable
from studio.media.image import Refused, read_bytes
from studio.media.names import shown

LONGEST_CYCLE = 8192
"""Samples: the longest single cycles that are passed around have 4,096."""
MOST_CHUNKS = 10_000
"""Of a WAV that are looked through; files have fewer than twenty."""
SHORTEST_CYCLE = 8
MOST_FRAMES = 256
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FRAME = re.compile(rb"<!>(\d{1,5})\b")


@dataclass(frozen=True)
class Wave:
    """A single cycle that was opened."""

    array: np.ndarray
    """(samples,) int16; of a wavetable its first frame."""
    last: np.ndarray
    """(samples,) int16: the last frame, of a single cycle itself."""
    name: str
    """The file's name, as it may be shown."""
    notes: tuple[str, ...]
    """What had to be converted, for people."""


def open_wave(path: Path | str, samples: int | None = None) -> Wave:
    """The cycle in a WAV file, of `samples` samples where that is asked for. Raises Refused with the reason."""
    name = shown(os.path.basename(path))
    data = read_bytes(Path(path), name)
    found = chunks(data)
    if not found:
        raise Refused(name, "is not a sound that can be read here", "WAV files can be.")
    heard, rate = _samples(found, name)
    notes = []
    if not np.isfinite(heard).all():
        heard = np.nan_to_num(heard, nan=0.0, posinf=0.0, neginf=0.0)
        notes.append("samples that were no numbers became silence")
    frames = _frames(heard, rate, found, name)
    if len(frames) > 1:
        notes.append(f"the first of its {len(frames):,} frames is used")
    before = frames.shape[1]
    if samples is not None and before != samples:
        notes.append(f"{before:,} samples brought to {samples:,}")
    ends = np.stack([wavetable.resampled(frame, samples or before) for frame in (frames[0], frames[-1])])
    loudest = float(np.abs(ends).max())
    if loudest > 1 + 1e-3:
        ends /= loudest
        notes.append("made quieter, because it was too loud for its file")
    first, last = (wavetable.cycle(end, len(end)) for end in ends)
    return Wave(first, last, name, tuple(notes))


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a WAV by their keys, the first of each, as far as the file goes; none where it is no WAV."""
    found: dict[bytes, bytes] = {}
    at = 12 if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else len(data)
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(data):
            break
        key, (length,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        found.setdefault(key + data[at + 8 : at + 12] if key == b"LIST" else key, data[at + 8 : at + 8 + length])
        if at + 8 + length > len(data):
            found.setdefault(b"cut off", key)
        at += 8 + length + length % 2
    return found


def words(data: bytes) -> dict[str, str]:
    """The comments of a WAV (RIFF INFO) by their keys."""
    said: dict[str, str] = {}
    body, at = chunks(data).get(b"LISTINFO", b""), 4
    while at + 8 <= len(body):
        key, (length,) = body[at : at + 4], struct.unpack_from("<I", body, at + 4)
        text = body[at + 8 : at + 8 + length].rstrip(b"\0")
        said.setdefault(key.decode("latin-1"), text.decode(errors="replace"))
        at += 8 + length + length % 2
    return said


def _samples(found: dict[bytes, bytes], name: str) -> tuple[np.ndarray, int]:
    """Every sample (n,) float64 from -1 to 1, its channels made one, and the rate."""
    form, data = found.get(b"fmt ", b""), found.get(b"data")
    if len(form) < 16 or data is None:
        raise Refused(name, "is damaged", "Try saving it again from where it came.")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack_from("<H", form, 24)
    if tag not in (_PCM, _FLOAT) or bits not in ((8, 16, 24, 32) if tag == _PCM else (32, 64)):
        raise Refused(name, "is compressed", "Save it as a WAV of 16 or 24 bits.")
    if not 1 <= channels <= 64 or not rate:
        raise Refused(name, "is damaged", "Try saving it again from where it came.")
    if found.get(b"cut off") == b"data":
        raise Refused(name, "is cut off", "Try saving it again from where it came.")
    size = bits // 8
    data = data[: len(data) // (size * channels) * size * channels]
    values = np.frombuffer(data, f"<f{size}").astype(np.float64) if tag == _FLOAT else _whole_numbers(data, size)
    return values.reshape(-1, channels).mean(axis=1), rate


def _whole_numbers(data: bytes, size: int) -> np.ndarray:
    if size == 1:  # the only one that counts from 0
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    wide = np.zeros((len(data) // size, 4), np.uint8)
    wide[:, 4 - size :] = np.frombuffer(data, np.uint8).reshape(-1, size)
    return wide.view("<i4")[:, 0] / 2.0**31


def _frames(heard: np.ndarray, rate: int, found: dict[bytes, bytes], name: str) -> np.ndarray:
    """The cycles (n, samples): as many as the file says, or as there are frames of 2,048, else one."""
    told = _FRAME.match(found.get(b"clm ", b""))
    frame = int(told[1]) if told else 0
    if not frame and len(heard) > wavetable.SAMPLES and len(heard) % wavetable.SAMPLES == 0:
        frame = wavetable.SAMPLES if len(heard) <= MOST_FRAMES * wavetable.SAMPLES else 0
    if SHORTEST_CYCLE <= frame <= min(LONGEST_CYCLE, len(heard)):
        return heard[: len(heard) // frame * frame].reshape(-1, frame)
    if len(heard) < SHORTEST_CYCLE:
        raise Refused(name, "is too short to be a cycle of a wave")
    if len(heard) > LONGEST_CYCLE:
        length = f"is {len(heard) / rate:,.1f} seconds long, and a single cycle has at most {LONGEST_CYCLE:,} samples"
        raise Refused(name, length, "Cut one cycle out of it in a sound editor.")
    return heard[None]
