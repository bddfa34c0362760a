"""Holds a sound that grows at its end while it plays, with the bits of each sample."""

import threading

import numpy as np

from studio.media.sounds.playback import PlaybackBuffer


class SoundBuffer:
    """Holds all samples of a sound.

    Samples being replaced are hidden from `samples` but keep playing until the replacement arrives. `lock` is held
    while the end changes, because several threads may change it.

    Arguments
        rate: in Hz
        samples: (n,) int16 to begin with, of unknown bits
    """

    def __init__(self, rate: int, samples: np.ndarray) -> None:
        self.rate = rate
        self.stream = PlaybackBuffer(rate)
        self.lock = threading.RLock()
        self.stream.append(samples)
        self._prices = np.zeros(0, np.float32)
        self._priced = 0
        self._replaced_from: int | None = None
        self.set_bits(0, np.full(len(samples), np.nan, np.float32))

    @property
    def total_samples(self) -> int:
        """Return the number of samples, including those being replaced."""
        return len(self.stream.samples)

    @property
    def samples(self) -> np.ndarray:
        """Return (n,) int16, without samples being replaced."""
        return self.stream.samples[: self._replaced_from]

    @property
    def bits(self) -> np.ndarray:
        """Return (n,) float32: the bits of each sample, NaN if unknown."""
        return self._prices[: len(self.samples)]

    @property
    def seconds(self) -> float:
        """Return the length without samples being replaced."""
        return len(self.samples) / self.rate

    def append(self, samples: np.ndarray, bits: np.ndarray) -> None:
        """Add samples at the end."""
        with self.lock:
            self.set_bits(self.total_samples, bits)
            self.stream.append(samples)

    def set_bits(self, first: int, bits: np.ndarray) -> None:
        """Set the bits of samples from a number on."""
        with self.lock:
            end = first + len(bits)
            if end > len(self._prices):
                room = np.empty(2 * max(end, 60 * self.rate), np.float32)
                room[: self._priced] = self._prices[: self._priced]
                self._prices = room
            self._prices[self._priced : first] = np.nan
            self._prices[first:end] = bits
            self._priced = max(self._priced, end)

    def truncate(self, first: int) -> None:
        """Remove the samples from a number on."""
        with self.lock:
            self.cancel_replacing()
            self.stream.truncate(first)

    def begin_replacing(self, first: int) -> None:
        """Mark the samples from a number on as being replaced."""
        self._replaced_from = first

    def cancel_replacing(self) -> None:
        """Keep the samples that were being replaced."""
        self._replaced_from = None

    def replace_samples(self, samples: np.ndarray, bits: np.ndarray) -> bool:
        """Replace the marked samples. Return whether it was in time; if not, nothing has changed."""
        with self.lock:
            assert self._replaced_from is not None, "give_way comes first"
            first = self._replaced_from
            if not self.stream.replace_from(first, samples):
                return False
            self.set_bits(first, bits)
            self.cancel_replacing()
            return True
