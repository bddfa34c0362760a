"""Files of sound that are brought into the panel Sound: recordings of the artist's own, and works of ours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.library import work
from studio.library.work import BadWork, Work
from studio.media import decoder
from studio.media.image import Refused, read_bytes
from studio.media.names import shown
from studio.wire.messages import Array

LONGEST = 600
"""Seconds of a recording that are taken in."""
_READERS = {".wav": work.from_wav, ".wave": work.from_wav, ".flac": work.from_flac}


@dataclass(frozen=True, eq=False)
class Recorded:
    """A file that was opened."""

    samples: Array
    """(n,) int16."""
    rate: int
    """Hz."""
    name: str
    words: str
    """`1 min 58 s, stereo; used as 16 kHz mono`."""
    notes: tuple[str, ...]
    """What had to be done, for people."""
    work: Work | None = None
    """How it was made, where it is a recording of ours."""
    fault: str = ""
    """Why its making cannot be read, where it carries one."""


def open_recorded(path: Path, rate: int) -> Recorded:
    """A sound file at `rate` in Hz; a work of ours at its own. Raises Refused."""
    making, fault = work_of(path)
    found = decoder.open_recording(path, making.rate if making is not None else rate, centred=making is None)
    if found.quiet and making is None:
        raise Refused(found.name, "is silent")
    samples = whole(found.wave[: LONGEST * found.rate])
    notes = found.notes
    if len(samples) < len(found.wave):
        notes = (f"the first {LONGEST // 60} minutes are used", *notes)
    channels = {1: "mono", 2: "stereo"}.get(found.channels, f"{found.channels} channels")
    words = f"{lasting(found.seconds)}, {channels}; used as {found.rate / 1000:g} kHz mono"
    return Recorded(samples, found.rate, found.name, words, notes, making, fault)


def work_of(path: Path) -> tuple[Work | None, str]:
    """How a recording of ours was made, None for any other file; and why that cannot be read, where it cannot."""
    reader = _READERS.get(path.suffix.lower())
    try:
        making = reader(read_bytes(path, shown(path.name))) if reader is not None else None
    except BadWork as broken:
        return None, str(broken)
    except Refused:  # said better by what opens it
        return None, ""
    return (making if making is not None and making.rate else None), ""


def kept(path: Path, making: Work) -> Array:
    """The samples (n,) int16 of a work of ours. Raises Refused."""
    return whole(decoder.open_recording(path, making.rate, centred=False).wave)


def whole(wave: Array) -> Array:
    """Floats from -1 to 1 as int16."""
    found: Array = np.rint(wave * 32_768).clip(-32_768, 32_767).astype(np.int16)
    return found


def lasting(seconds: float) -> str:
    """For people: `4.2 s`, `1 min 58 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def clock(seconds: float) -> str:
    """For people: `0:14.6`, `12:05.0`."""
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
