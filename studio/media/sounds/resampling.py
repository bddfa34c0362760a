"""Resample a sound to a sound card's rate as it arrives, with little delay.

    y_n = Σ_j x_j h(n r/s - j),  h(t) = c sinc(c t) I₀(β √(1 - (t/w)²)) / I₀(β) for |t| < w,  c ≤ min(1, s/r)

from a rate r to a rate s, with Kaiser's window (Smith, Digital Audio Resampling, 2002). What a library has for this,
libsoxr, holds back up to 58 ms at its usual setting, so that a hand on the sound would be heard that much later.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

WIDTH = 48
"""w in samples of the slower rate: 3 ms at 16 kHz."""
BETA = 10.0
"""With this, aliases and images are 100 dB below."""
CUT = 0.95
"""c as a share of the highest c without aliases."""


class Resampler:
    """Resamples from `rate` to `card`, both in whole Hz, piece by piece."""

    def __init__(self, rate: int, card: int) -> None:
        common = math.gcd(rate, card)
        slower = min(1.0, card / rate)
        self._up = card // common
        self._down = rate // common
        self.held = math.ceil(WIDTH / slower)
        """The number of samples after a moment that must be known before it can be resampled."""
        place = np.arange(1 - self.held, self.held + 1)
        t = np.arange(self._up)[:, None] / self._up - place  # (up, 2 w)
        window = np.i0(BETA * np.sqrt(np.maximum(1 - (t / self.held) ** 2, 0)))
        h = np.sinc(CUT * slower * t) * window
        self._h = (h / h.sum(1, keepdims=True)).astype(np.float32)
        self._x = np.zeros(self.held - 1, np.float32)
        self._at = 0
        """The place in `_x` where the next filter begins, in fractions of a sample; `up` of them make one."""

    def resample(self, x: np.ndarray, last: bool = False) -> np.ndarray:
        """Return the samples that follow, as far as x (n,) float32 allows.

        After the `last` x, it returns all of them.
        """
        x = np.concatenate((self._x, x, np.zeros(self.held if last else 0, np.float32)))
        filters = sliding_window_view(x, 2 * self.held) if len(x) >= 2 * self.held else np.zeros((0, 0), np.float32)
        count = max(-(-(len(filters) * self._up - self._at) // self._down), 0)
        at = self._at + self._down * np.arange(count + 1)
        begin = at // self._up
        part = at % self._up
        self._x = x[begin[-1] :]
        self._at = int(part[-1])
        if not count:
            return np.zeros(0, np.float32)
        found: np.ndarray = np.einsum("nk,nk->n", filters[begin[:-1]], self._h[part[:-1]])
        return found
