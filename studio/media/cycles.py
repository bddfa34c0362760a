"""Single cycles of sound: files to waves of a fixed number of samples."""

from pathlib import Path

import numpy as np

from studio.media.image import Refused
from studio.media.sound import open_wave

PEAK = 30_000
"""Of every wave, of 32,767."""


def open_cycle(path: Path, samples: int) -> np.ndarray:
    """A sound file that holds one cycle, as `(samples,)` int16. Raises Refused with the reason.

    It is mixed to mono, loses its mean, is resampled by its Fourier series, turned to begin where it
    rises through zero, and scaled to one peak: as the waves of a pack are.
    """
    wave = open_wave(path, samples)
    return from_wave(wave.array, samples, wave.name)


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
