"""The spectrum of a growing sound over time, column after column, of new samples only.

A column is the squared magnitude of a Fourier transform over a Hann window of about 64 ms, in decibels below the
loudest that samples can be, a quarter of a window from the one before (Allen and Rabiner 1977).
"""

import numpy as np

from studio.wire.messages import Array

WINDOW = 0.064
"""Seconds that a column looks at, about: 16 Hz are told apart."""
QUIETEST = -72.0
"""Decibels that are drawn as silence."""
HIGHEST = 3000.0
"""Hz that are drawn, at most."""
FEW = 4
"""Moments of each column of a small picture."""
AT_ONCE = 2048
"""Columns that are computed between two frames of the window, at most: some milliseconds."""


class Spectrum:
    """Columns of levels (columns, rows) uint8, 0 silent to 255 as loud as can be, low frequencies first."""

    def __init__(self, rate: int, highest: float = HIGHEST) -> None:
        self.rate = rate
        self.size: int = 1 << round(np.log2(WINDOW * rate))
        self.hop: int = self.size // 4
        self.rows = min(int(highest * self.size / rate) + 1, self.size // 2)
        self.top = self.rows * rate / self.size
        """Hz at the upper edge."""
        self._window = np.hanning(self.size + 1)[:-1].astype(np.float32)
        self._full = 20 * np.log10(self._window.sum() / 2 * 32_768)
        self._samples: Array = np.zeros(0, np.int16)
        self.columns = 0
        """How many were computed."""

    def show(self, samples: Array, kept: int) -> None:
        """The samples as they are now; the first `kept` of them are those of before."""
        self._samples = samples
        self.columns = min(self.columns, self._due(kept))

    @property
    def behind(self) -> int:
        """Columns that could be computed now."""
        return self._due(len(self._samples)) - self.columns

    def more(self, most: int = AT_ONCE) -> Array:
        """The next columns, as many as there are samples for; a column lies around its sample."""
        count = max(min(self.behind, most), 0)
        first = self.columns * self.hop - self.size // 2
        end = first + max(count - 1, 0) * self.hop + self.size
        part = self._samples[max(first, 0) : end].astype(np.float32)
        part = np.concatenate((np.zeros(max(-first, 0), np.float32), part, np.zeros(self.size, np.float32)))
        frames = np.lib.stride_tricks.sliding_window_view(part, self.size)[:: self.hop][:count]
        self.columns += count
        return self._levels(frames)

    def at(self, places: Array) -> Array:
        """Columns that begin at these samples."""
        part = np.concatenate((self._samples.astype(np.float32), np.zeros(self.size, np.float32)))
        return self._levels(np.lib.stride_tricks.sliding_window_view(part, self.size)[places])

    def _levels(self, frames: Array) -> Array:
        spectra = np.fft.rfft(frames * self._window, axis=1)[:, : self.rows]
        loud = 20 * np.log10(np.abs(spectra) + 1e-3) - self._full
        levels: Array = ((1 - loud / QUIETEST) * 255).clip(0, 255).astype(np.uint8)
        return levels

    def _due(self, samples: int) -> int:
        return max((samples - self.size // 2) // self.hop + 1, 0)


def of(samples: Array, rate: int, columns: int, highest: float = HIGHEST) -> Array:
    """A whole sound as so many columns (columns, rows): the loudest of a few moments in each."""
    whole = Spectrum(rate, highest)
    whole.show(samples, 0)
    last = max(len(samples) - whole.size, 0)
    found: Array = whole.at(np.linspace(0, last, columns * FEW).astype(int)).reshape(columns, FEW, -1).max(1)
    return found
