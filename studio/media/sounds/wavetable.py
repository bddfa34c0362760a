"""Resample, play and measure single cycles of a wave. It is exact, because a cycle is periodic.

A cycle x of n samples is the sum of its harmonics, x_j = Σ_k X_k e^{2πi jk/n} / n. Any other number of samples, and any
limit on the harmonics, is that same sum read at other places: no filter, no ringing, no aliasing.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FRAME_SAMPLES = 2048
"""The number of samples of one frame, as synthesizers load a wavetable."""

FRAME_COUNT = 64

FILE_RATE = 44_100
"""The rate in Hz in a wavetable's file; synthesizers ignore it."""

TABLE_SAMPLES = 16_384
"""The number of samples of a table that is read with linear interpolation. At 128 harmonics the error is at -70 dB."""

CEILING = 10 ** (-1 / 20)
"""-1 dBFS: no sample that is played is louder."""

FULL = 32_768
"""The int16 number that stands for 1.0."""


def resample_cycle(cycle: np.ndarray, samples: int = FRAME_SAMPLES) -> np.ndarray:
    """Resample a cycle (n,) to (samples,) float64 of the same period. It is exact upwards and free of aliasing
    downwards."""
    return _sum(np.fft.rfft(np.asarray(cycle, np.float64)), len(cycle), samples, len(cycle) // 2)


def wavetable_frames(cycles: np.ndarray, samples: int = FRAME_SAMPLES) -> np.ndarray:
    """Return int16 cycles (m, n) as wavetable frames, (m, samples) float32 from -1 to 1.

    Every (samples / n)-th sample is the cycle's own. Between samples a wave may rise above them, so a table that would
    pass 1 is made quieter as a whole.
    """
    table = np.stack([resample_cycle(cycle, samples) for cycle in cycles]) / FULL
    return np.asarray(table / max(1.0, float(np.abs(table).max(initial=0.0))), np.float32)


def cycle_of_frame(frame: np.ndarray, samples: int) -> np.ndarray:
    """Return one frame (n,) from -1 to 1 as an int16 cycle (samples,). NaN becomes silence."""
    clean = np.nan_to_num(np.asarray(frame, np.float64), posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(np.rint(resample_cycle(clean, samples) * FULL), -FULL, FULL - 1), np.int16)


def band_limited_table(cycle: np.ndarray, hertz: float, rate: float) -> np.ndarray:
    """Return the table (TABLE_SAMPLES + 1,) float32 of an int16 cycle for a pitch: read it `hertz` times a second.

    Harmonics at or above half the rate are left out, and so is the mean, which cannot be heard but clicks. It is no
    louder than CEILING. The last sample is the first again, so that reading needs no wrap.
    """
    spectrum = np.fft.rfft(np.nan_to_num(np.asarray(cycle, np.float64), posinf=0.0, neginf=0.0) / FULL)
    spectrum[0] = 0.0
    most = min(len(cycle) // 2, int(np.ceil(rate / 2 / hertz)) - 1)
    table = _sum(spectrum, len(cycle), TABLE_SAMPLES, most)
    table *= min(1.0, CEILING / max(float(np.abs(table).max()), 1e-9))
    return np.append(table, table[0]).astype(np.float32)


def harmonic_amplitudes(cycle: np.ndarray, count: int) -> np.ndarray:
    """Return the loudness of the first `count` harmonics (count,).

    It is in decibels below the loudest sine of int16.
    """
    spectrum = np.abs(np.fft.rfft(np.asarray(cycle, np.float64) / FULL)) * 2 / len(cycle)
    loud = np.zeros(count)
    loud[: len(spectrum) - 1] = spectrum[1 : count + 1]
    return 20 * np.log10(np.maximum(loud, 1e-6))


def note_frequency(note: float) -> float:
    """Return the frequency of a MIDI note: 69 is the A of 440 Hz, 12 make an octave."""
    return float(440.0 * 2.0 ** ((note - 69) / 12))


def _sum(spectrum: np.ndarray, before: int, samples: int, most: int) -> np.ndarray:
    """Return the wave of a spectrum, with `most` harmonics, read at `samples` places.

    The spectrum is that over `before` samples.
    """
    most = min(most, samples // 2)
    kept = np.zeros(samples // 2 + 1, np.complex128)
    kept[: most + 1] = spectrum[: most + 1]
    # The harmonic at half of a rate is one real number there. At a higher rate it becomes two halves, up and down.
    if before % 2 == 0 and most == before // 2 and samples > before:
        kept[most] *= 0.5
    if samples % 2 == 0 and most == samples // 2 and samples < before:
        kept[most] = 2 * kept[most].real
    return np.asarray(np.fft.irfft(kept, samples)) * (samples / before)


def cycle_curve(wave: Array, samples: int = FRAME_SAMPLES) -> Array:
    """Return a wave as it is heard between its samples, (samples,) from -1 to 1."""
    return resample_cycle(wave, samples) / FULL
