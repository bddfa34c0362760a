"""Find the part of the training recordings that is nearest to each drawn recording.

Of each sample the loudest quarter of a second is compared with every place of every training recording, by the
correlation r of both. The distance is √(2 - 2 r), that of two waves of the same loudness. It is given in shares of the
usual distance, as in `nearest.py`. Of drums, a music box, spoken digits and a piano, copies with noise 20 dB below them
lie at 0.10 to 0.30, and samples of the shipped models above 0.86.
"""

import bisect
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from studio.engine.levels import sound_of_levels
from studio.engine.training.nearest import Found
from studio.engine.training.recordings import TrainingRecordings
from studio.wire.messages import Array

WINDOW_SECONDS = 0.25
BLOCK_SAMPLES = 2**15
"""Samples of recordings with which one window is compared in one step: 1 ms on one core of 2020."""
MOST_HELD_OUT = 12
"""The most held-out parts that give the usual distance. Each is compared with all recordings."""
QUIET = 30.0
"""The root mean square, of 32,768, below which a part counts as silence and resembles nothing."""
LEAST_USUAL = 1e-3
"""The least usual distance. Below it, all recordings sound the same."""


class _Block(NamedTuple):
    """Holds parts of recordings one after the other."""

    samples: Array
    """(BLOCK_SAMPLES,) float64."""
    parts: list[tuple[int, int, int]]
    """Where each begins here, the number of its recording, and where it begins there."""

    def origin(self, place: int) -> tuple[int, int]:
        """Return the recording at a place, and the sample of it."""
        begin, number, first = self.parts[bisect.bisect(self.parts, place, key=lambda part: part[0]) - 1]
        return number, first + place - begin


class NearestRecordings:
    """Finds the nearest parts of training recordings.

    Arguments
        learn: the training recordings
        held_out: recordings that the model never learns from
        levels: how many values a sample can have
        rate: Hz
        samples: the length of what the model draws
    """

    def __init__(
        self, learn: TrainingRecordings, held_out: TrainingRecordings, levels: int, rate: int, samples: int
    ) -> None:
        self._learn = learn
        self._levels = levels
        self._window = max(1, min(round(WINDOW_SECONDS * rate), samples))
        pieces = held_out.cut_into_pieces(samples)
        few = max(1, -(-len(pieces) // MOST_HELD_OUT))
        self._held_out = pieces.x[::few]
        self._usual: float | None = None

    def find(self, x: Tensor) -> Generator[None, None, Found | None]:
        """Return the parts of recordings nearest to samples `(n, samples)` in levels, as long as these.

        Returns None if all recordings sound the same. Yields after each step of some milliseconds.
        """
        if self._usual is None:
            distance, _, _ = yield from self._search(self._held_out)
            self._usual = float(np.median(distance))
        if self._usual < LEAST_USUAL:
            return None
        distance, recording, begin = yield from self._search(list(x))
        parts = [self._cut(*place, x.shape[1]) for place in zip(recording.tolist(), begin.tolist(), strict=True)]
        return np.stack(parts), tuple((distance / self._usual).tolist())

    def _search(self, sounds: Sequence[Tensor]) -> Generator[None, None, tuple[Array, Array, Array]]:
        """Return distance, recording and beginning of the nearest part of each sound in levels, (n,) each."""
        starts = list[int]()
        windows = list[Array]()
        for x in sounds:
            sound = sound_of_levels(x, self._levels)
            starts.append(_loudest_place(sound, self._window))
            windows.append(_window_spectrum(sound[starts[-1] : starts[-1] + self._window]))
            yield None
        best = np.zeros(len(sounds))
        recording = np.zeros(len(sounds), np.int64)
        begin = np.zeros(len(sounds), np.int64)
        for block in self._blocks():
            yield None
            spectrum, scale = _block_spectrum(block.samples, self._window)
            yield None
            for place, window in enumerate(windows):
                found = np.fft.irfft(spectrum * window, BLOCK_SAMPLES)[: len(scale)] * scale
                at = int(found.argmax())
                if found[at] > best[place]:
                    best[place] = found[at]
                    recording[place], first = block.origin(at)
                    begin[place] = first - starts[place]
                yield None
        return np.sqrt(2 - 2 * np.minimum(best, 1.0)), recording, begin

    def _blocks(self) -> Iterator[_Block]:
        """Yield all recordings in blocks. Short ones share a block, with silence between them."""
        places = BLOCK_SAMPLES - self._window
        samples = np.zeros(BLOCK_SAMPLES)
        parts: list[tuple[int, int, int]] = []
        filled = 0
        for number, levels in enumerate(self._learn.x):
            for first in range(0, len(levels), places):
                part = sound_of_levels(levels[first : first + BLOCK_SAMPLES], self._levels)
                if filled + len(part) > BLOCK_SAMPLES:
                    yield _Block(samples, parts)
                    samples, parts, filled = np.zeros(BLOCK_SAMPLES), [], 0
                samples[filled : filled + len(part)] = part
                parts.append((filled, number, first))
                filled += len(part) + self._window
        if parts:
            yield _Block(samples, parts)

    def _cut(self, number: int, begin: int, samples: int) -> Array:
        """Return a part of a recording, (samples,) int16, with silence before its beginning and after its end."""
        levels = self._learn.x[number]
        before = max(0, -begin)
        part = sound_of_levels(levels[max(0, begin) : begin + samples], self._levels)
        return np.pad(part, (before, max(0, samples - before - len(part))))


def _loudest_place(sound: Array, window: int) -> int:
    """Return the beginning of the loudest part of a sound."""
    energy = np.concatenate(([0.0], np.cumsum(sound.astype(np.float64) ** 2)))
    if len(sound) <= window:
        return 0
    return int((energy[window:] - energy[:-window]).argmax())


def _block_spectrum(block: Array, window: int) -> tuple[Array, Array]:
    """Return the spectrum of a block, and the scale of the correlation at each place; 0 in silence."""
    sums = np.concatenate(([0.0], np.cumsum(block)))
    squares = np.concatenate(([0.0], np.cumsum(block**2)))
    total = sums[window:] - sums[:-window]
    energy = squares[window:] - squares[:-window] - total**2 / window
    loud = energy > QUIET**2 * window
    return np.fft.rfft(block), np.where(loud, 1.0, 0.0) / np.sqrt(np.where(loud, energy, 1.0))


def _window_spectrum(window: Array) -> Array:
    """Return the conjugate spectrum of a part of a sound without its mean; 0 of silence.

    The part is scaled to an energy of 1.
    """
    plain = window - window.mean(dtype=np.float64)
    norm = float(np.sqrt(plain @ plain))
    if norm < QUIET * len(plain) ** 0.5:
        return np.zeros(BLOCK_SAMPLES // 2 + 1, np.complex128)
    spectrum: Array = np.conj(np.fft.rfft(plain / norm, BLOCK_SAMPLES))
    return spectrum
