"""Find held-out sounds that resemble a learned one, so that figures can omit them.

Two sounds are alike if their correlation is above a limit: for single cycles 0.998, where one differs from the other by
6 % of its loudness at most; for recordings 0.75 over their first `WINDOW` samples at the best shift, as two strokes on
one drum have it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CYCLES = 0.998
RECORDINGS = 0.75
WINDOW = 4096
"""The number of samples at the beginning of recordings that are compared: a quarter of a second at 16 kHz."""
SHIFTS = tuple(sorted({sign * shift for shift in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32) for sign in (-1, 1)}))
"""The shifts, in samples, at which two recordings are compared: at most 2 ms at 16 kHz, as far as onsets differ."""


def unlike_training(test: Sequence[Array], learned: Sequence[Array], *, cycles: bool) -> Array:
    """Return which waves of `test` resemble no learned one, `(len(test),)` of booleans."""
    shifts = (0,) if cycles else SHIFTS
    limit = CYCLES if cycles else RECORDINGS
    found: Array = max_correlation(test, learned, shifts) <= limit
    return found


def max_correlation(test: Sequence[Array], learned: Sequence[Array], shifts: Sequence[int] = SHIFTS) -> Array:
    """Return the largest correlation of each wave with learned ones at any shift, `(n,)`."""
    samples = min(max(len(wave) for wave in (*test, *learned)), WINDOW)
    some = _unit_vectors(test, samples)
    others = _unit_vectors(learned, samples).T
    best = np.full(len(test), -1.0)
    for shift in shifts:
        moved = np.zeros_like(some)
        moved[:, max(shift, 0) : samples + min(shift, 0)] = some[:, max(-shift, 0) : samples - max(shift, 0)]
        best = np.maximum(best, (moved @ others).max(1))
    return best


def _unit_vectors(waves: Sequence[Array], samples: int) -> Array:
    """Return the beginnings of waves, without their mean, as unit vectors `(n, samples)`. Silence stays 0."""
    found = np.zeros((len(waves), samples), np.float32)
    for row, wave in zip(found, waves, strict=True):
        part = wave[:samples].astype(np.float32)
        row[: len(part)] = part - part.mean()
    scaled: Array = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return scaled
