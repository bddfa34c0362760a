"""Compute the spectrum of a growing sound, column after column, from new samples only.

A column is the squared magnitude of a Fourier transform over a Hann window of about 64 ms, in decibels below the
loudest that samples can be, a quarter of a window from the one before (Allen and Rabiner 1977). Its rows lie as far
apart as the ear tells tones apart, from 0 Hz to half the rate (the ERB-rate scale: Glasberg and Moore, Derivation of
auditory filter shapes from notched-noise data, Hearing Research 47, 1990):

    E(f) = 21.4 log10(1 + 4.37 f / 1000)

A row that is wider than what the transform tells apart shows the loudest in it, so that a pure tone is as bright
wherever it is; a narrower one lies between two of them.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

WINDOW = 0.064
"""The approximate seconds of a column: it separates 16 Hz."""
QUIETEST = -72.0
"""Decibels that are drawn as silence."""
ROWS = 192
"""The number of rows of a column."""
LINEAR_BELOW_HZ = 1000 / 4.37
"""Hz up to which the scale is nearly linear, and above which it is nearly logarithmic."""
FEW = 4
"""Moments of each column of a small picture."""
MAX_COLUMNS_AT_ONCE = 1024
"""The most columns that are computed between two frames of the window: some milliseconds."""


class Spectrogram:
    """Holds columns of levels (columns, rows) uint8, low frequencies first.

    0 is silent, 255 as loud as possible.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.size: int = 1 << round(np.log2(WINDOW * rate))
        self.hop: int = self.size // 4
        self.top = rate / 2
        """Hz at the upper edge."""
        edges = (
            LINEAR_BELOW_HZ
            * np.expm1(np.linspace(0, np.log1p(self.top / LINEAR_BELOW_HZ), ROWS + 1))
            * self.size
            / rate
        )
        self._narrow = int(np.argmax(np.diff(edges) >= 1))
        middles = (edges[1:] + edges[:-1])[: self._narrow] / 2
        self._below = middles.astype(int)
        self._part = (middles - self._below).astype(np.float32)
        self._first = np.ceil(edges[self._narrow : -1]).astype(int)
        """For each wider row, the lowest of the transform's frequencies."""
        self._window = np.hanning(self.size + 1)[:-1].astype(np.float32)
        self._full = 20 * np.log10(self._window.sum() / 2 * 32_768)
        self._samples: Array = np.zeros(0, np.int16)
        self.columns = 0
        """The number of columns that were computed."""

    def set_samples(self, samples: Array, kept: int) -> None:
        """Set the samples of now; the first `kept` of them are unchanged."""
        self._samples = samples
        self.columns = min(self.columns, self._due(kept))

    @property
    def pending_columns(self) -> int:
        """Return how many columns could be computed now."""
        return self._due(len(self._samples)) - self.columns

    def compute_columns(self, most: int = MAX_COLUMNS_AT_ONCE) -> Array:
        """Compute the next columns, as many as there are samples for.

        A column is centred on its sample.
        """
        count = max(min(self.pending_columns, most), 0)
        first = self.columns * self.hop - self.size // 2
        end = first + max(count - 1, 0) * self.hop + self.size
        part = self._samples[max(first, 0) : end].astype(np.float32)
        part = np.concatenate((np.zeros(max(-first, 0), np.float32), part, np.zeros(self.size, np.float32)))
        frames = np.lib.stride_tricks.sliding_window_view(part, self.size)[:: self.hop][:count]
        self.columns += count
        return self._levels(frames)

    def columns_at(self, places: Array) -> Array:
        """Return the columns that begin at these samples."""
        part = np.concatenate((self._samples.astype(np.float32), np.zeros(self.size, np.float32)))
        return self._levels(np.lib.stride_tricks.sliding_window_view(part, self.size)[places])

    def row_of_frequency(self, hertz: float) -> float:
        """Return where a frequency lies in a column.

        It is 0 at the lower edge and 1 at the upper.
        """
        return float(np.log1p(hertz / LINEAR_BELOW_HZ) / np.log1p(self.top / LINEAR_BELOW_HZ))

    def _levels(self, frames: Array) -> Array:
        spectra = np.fft.rfft(frames * self._window, axis=1)
        power = spectra.real**2 + spectra.imag**2
        below = power[:, self._below]
        above = power[:, self._below + 1]
        wide = np.maximum.reduceat(power, self._first, axis=1)
        rows = np.concatenate((below + self._part * (above - below), wide), 1)
        loud = 10 * np.log10(rows + 1e-6) - self._full
        levels: Array = ((1 - loud / QUIETEST) * 255).clip(0, 255).astype(np.uint8)
        return levels

    def _due(self, samples: int) -> int:
        return max((samples - self.size // 2) // self.hop + 1, 0)


def whole_spectrogram(samples: Array, rate: int, columns: int) -> Array:
    """Return a whole sound as so many columns (columns, rows): the loudest of a few moments in each."""
    whole = Spectrogram(rate)
    whole.set_samples(samples, 0)
    last = max(len(samples) - whole.size, 0)
    found: Array = whole.columns_at(np.linspace(0, last, columns * FEW).astype(int)).reshape(columns, FEW, -1).max(1)
    return found
