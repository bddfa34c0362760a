"""Which held-out sounds resemble one that was learned from, so that a figure can leave them out.

Two sounds are alike if their correlation is above a limit: for single cycles 0.998, where one differs from the other by
6 % of its loudness at most; for recordings 0.75 over their first `WINDOW` samples at the best shift, as two strokes on
one drum have it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CYCLES, RECORDINGS = 0.998, 0.75
WINDOW = 4096
"""Samples at the beginning of recordings that are compared: a quarter of a second at 16 kHz."""
SHIFTS = tuple(sorted({sign * shift for shift in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32) for sign in (-1, 1)}))
"""By how many samples a recording is moved to find the other: 2 ms at 16 kHz, by which onsets differ."""


def unlike(test: Sequence[Array], learned: Sequence[Array], *, cycles: bool) -> Array:
    """Which of the waves `test` resemble none of those learned from, `(len(test),)` of booleans."""
    found: Array = likeness(test, learned, (0,) if cycles else SHIFTS) <= (CYCLES if cycles else RECORDINGS)
    return found


def likeness(test: Sequence[Array], learned: Sequence[Array], shifts: Sequence[int] = SHIFTS) -> Array:
    """The largest correlation of each wave with any of those learned from, `(len(test),)`, at any of the shifts."""
    samples = min(max(len(wave) for wave in (*test, *learned)), WINDOW)
    some, others = _of_length_1(test, samples), _of_length_1(learned, samples).T
    best = np.full(len(test), -1.0)
    for shift in shifts:
        moved = np.zeros_like(some)
        moved[:, max(shift, 0) : samples + min(shift, 0)] = some[:, max(-shift, 0) : samples - max(shift, 0)]
        best = np.maximum(best, (moved @ others).max(1))
    return best


def _of_length_1(waves: Sequence[Array], samples: int) -> Array:
    """The beginnings of waves as vectors `(n, samples)` of length 1 around 0; silence stays 0."""
    found = np.zeros((len(waves), samples), np.float32)
    for row, wave in zip(found, waves, strict=True):
        part = wave[:samples].astype(np.float32)
        row[: len(part)] = part - part.mean()
    scaled: Array = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return scaled
