"""A sound that grows at its end and plays meanwhile, with what each of its samples cost."""

import threading

import numpy as np

from studio.media.sounds.playback import PlaybackBuffer


class SoundBuffer:
    """All that there is of a sound. What is to give way to something else is out of sight, and plays on until that is
    there in time. `lock` is held while its end changes: more than one thread may do that.

    Arguments
        rate: in Hz
        samples: (n,) int16 that it begins with, of unknown price
    """

    def __init__(self, rate: int, samples: np.ndarray) -> None:
        self.rate, self.stream, self.lock = rate, PlaybackBuffer(rate), threading.RLock()
        self.stream.append(samples)
        self._prices, self._priced = np.zeros(0, np.float32), 0
        self._replaced_from: int | None = None
        self.set_bits(0, np.full(len(samples), np.nan, np.float32))

    @property
    def total_samples(self) -> int:
        """How many samples there are, with what is to give way."""
        return len(self.stream.samples)

    @property
    def samples(self) -> np.ndarray:
        """(n,) int16, all that stays."""
        return self.stream.samples[: self._replaced_from]

    @property
    def bits(self) -> np.ndarray:
        """(n,) float32: what each of them cost, NaN where that is not known."""
        return self._prices[: len(self.samples)]

    @property
    def seconds(self) -> float:
        """As long is what stays."""
        return len(self.samples) / self.rate

    def append(self, samples: np.ndarray, bits: np.ndarray) -> None:
        """The next of them."""
        with self.lock:
            self.set_bits(self.total_samples, bits)
            self.stream.append(samples)

    def set_bits(self, first: int, bits: np.ndarray) -> None:
        """What samples from a number on cost."""
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
        """Let go of what there is from a sample on."""
        with self.lock:
            self.cancel_replacing()
            self.stream.truncate(first)

    def begin_replacing(self, first: int) -> None:
        """What there is from a sample on is to give way."""
        self._replaced_from = first

    def cancel_replacing(self) -> None:
        """Nothing is to give way."""
        self._replaced_from = None

    def replace_samples(self, samples: np.ndarray, bits: np.ndarray) -> bool:
        """Put this in place of what is to give way; whether it was in time. If not, nothing has changed."""
        with self.lock:
            assert self._replaced_from is not None, "give_way comes first"
            first = self._replaced_from
            if not self.stream.replace_from(first, samples):
                return False
            self.set_bits(first, bits)
            self.cancel_replacing()
            return True
