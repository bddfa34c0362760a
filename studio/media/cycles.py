"""Single cycles of sound: files to waves of a fixed number of samples."""

from pathlib import Path

import numpy as np

from studio.media.containers import BEGINNING, container
from studio.media.image import Refused
from studio.media.names import shown
from studio.media.recording import refusal

PEAK = 30_000
"""Of every wave, of 32,767."""
LONGEST = 8192
"""Samples above which a file is a recording and not one cycle."""


def open_cycle(path: Path, samples: int) -> np.ndarray:
    """A sound file that holds one cycle, as `(samples,)` int16. Raises Refused with the reason.

    It is mixed to mono, loses its mean, is resampled by its Fourier series, turned to begin where it
    rises through zero, and scaled to one peak: as the waves of a pack are.
    """
    import soundfile

    name = shown(path.name)
    if path.is_symlink() or not path.is_file():
        raise Refused(name, "is not a file")
    try:
        with open(path, "rb") as raw, soundfile.SoundFile(raw) as file:  # soundfile takes no path that is not text
            if file.frames > LONGEST:
                raise Refused(name, f"is {file.frames:,} samples long: more than one cycle of a wave")
            wave = file.read(dtype="float64", always_2d=True).mean(1)
    except soundfile.SoundFileError:
        with path.open("rb") as begun:
            form = container(begun.read(BEGINNING), path.suffix)
        raise refusal(name, form) from None
    if len(wave) < 16:
        raise Refused(name, f"has {len(wave)} samples, too few for a cycle")
    if not np.isfinite(wave).all():
        raise Refused(name, "holds numbers that are not finite")
    return from_wave(wave, samples, name)


def from_wave(wave: np.ndarray, samples: int, name: str) -> np.ndarray:
    """One cycle of any length as `(samples,)` int16. Raises Refused where it is silent."""
    spectrum = np.fft.rfft(wave)
    spectrum[0] = 0
    count = samples // 2 + 1
    fitted = np.zeros(count, complex)
    fitted[: min(count, len(spectrum))] = spectrum[:count]
    fitted[-1] = 0  # the highest frequency of an even length has no phase of its own
    cycle = np.fft.irfft(fitted, samples)
    peak = float(np.abs(cycle).max())
    if peak < 1e-6 * max(len(wave) / samples, 1):
        raise Refused(name, "is silent")
    rising = np.flatnonzero((np.roll(cycle, 1) < 0) & (cycle >= 0))
    begin = int(rising[np.argmax(cycle[rising] - np.roll(cycle, 1)[rising])]) if len(rising) else 0
    turned: np.ndarray = np.round(np.roll(cycle, -begin) * PEAK / peak).astype(np.int16)
    return turned
