"""Compute how high and low a growing sound goes between two moments, at any scale.

Hours are drawn as fast as seconds.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TABLE_STEP = 16
"""The number of samples in an entry of the first table, and of entries of each table in an entry of the next."""
SAMPLES_OF_MEAN = 64
"""The number of samples of one entry of a table of means."""


class PeakPyramid:
    """Holds the samples (n,) int16 so far, with tables of extremes.

    Each table has the lowest and highest of every 16, 256, 4096, … samples.
    """

    def __init__(self) -> None:
        self.samples: Array = np.zeros(0, np.int16)
        self._tables: list[_GrowingRows] = []

    def __len__(self) -> int:
        return len(self.samples)

    def set_samples(self, samples: Array, kept: int) -> None:
        """Set the samples of now; the first `kept` of them are unchanged."""
        self.samples = samples
        below = samples[:, None]
        for table, step in enumerate(_table_steps(len(samples))):
            if table == len(self._tables):
                self._tables.append(_GrowingRows(2))
            entries = self._tables[table]
            entries.cut(kept // step)
            new = below[len(entries) * TABLE_STEP : len(samples) // step * TABLE_STEP].reshape(
                -1, TABLE_STEP, below.shape[1]
            )
            entries.add(np.stack((new[..., 0].min(1), new[..., -1].max(1)), 1))
            below = entries.rows
        del self._tables[len(_table_steps(len(samples))) :]

    def between(self, places: Array) -> tuple[Array, Array]:
        """Return the lowest and highest sample (n - 1,) float between neighbouring places.

        The places (n,) rise and are in samples. Between two samples the value lies on the line that joins them. Beyond
        the end it is NaN.
        """
        distance = float(places[-1] - places[-2])
        if distance < 2 or len(self.samples) < 2:
            return self._between_close(places)
        level = max((n for n in range(len(self._tables)) if TABLE_STEP ** (n + 1) <= distance), default=-1)
        table = self._tables[level].rows if level >= 0 else self.samples[:, None]
        at = np.floor(places / TABLE_STEP ** (level + 1)).astype(np.int64)
        inside = at[:-1] < len(table)
        low = np.full(len(inside), np.nan)
        high = np.full(len(inside), np.nan)
        count = int(inside.sum())
        if count:
            first = int(at[0])
            end = int(min(at[count], len(table)))
            starts = at[:count] - first
            part = table[first:end]
            low[:count] = np.minimum.reduceat(part[:, 0], starts)
            high[:count] = np.maximum.reduceat(part[:, -1], starts)
        return low, high

    def _between_close(self, places: Array) -> tuple[Array, Array]:
        """Do the same for few samples: each stretch touches the next."""
        first = int(places[0])
        part = self.samples[first : int(places[-1]) + 2]
        at = np.full(len(places), np.nan)
        inside = places - first <= len(part) - 1
        at[inside] = np.interp(places[inside] - first, np.arange(len(part)), part) if len(part) else np.nan
        return np.fmin(at[:-1], at[1:]), np.fmax(at[:-1], at[1:])


class MeanTable:
    """Averages a growing row of numbers (n,) float32 between any two places.

    NaN counts as nothing.
    """

    def __init__(self) -> None:
        self._numbers: Array = np.zeros(0, np.float32)
        self._sums = _GrowingRows(2, np.float64)
        """The sum and the count of all numbers before each entry."""
        self._sums.add(np.zeros((1, 2)))

    def __len__(self) -> int:
        return len(self._numbers)

    def set_numbers(self, numbers: Array, kept: int) -> None:
        """Set the numbers of now; the first `kept` of them are unchanged."""
        self._numbers = numbers
        self._sums.cut(kept // SAMPLES_OF_MEAN + 1)
        done = len(self._sums) - 1
        self._sums.add(self._sums.rows[-1] + np.cumsum(self._sums_of(done, len(numbers) // SAMPLES_OF_MEAN), 0))

    def update_range(self, numbers: Array, first: int, end: int) -> None:
        """Update the entries of the numbers from `first` up to before `end`.

        The row (n,) may have grown.
        """
        self._numbers = numbers[: len(self)]
        begin = first // SAMPLES_OF_MEAN
        last = min(-(-end // SAMPLES_OF_MEAN), len(self._sums) - 1)
        if begin < last:
            rows = self._sums.rows
            sums = rows[begin] + np.cumsum(self._sums_of(begin, last), 0)
            rows[last + 1 :] += sums[-1] - rows[last]
            rows[begin + 1 : last + 1] = sums

    def _sums_of(self, begin: int, end: int) -> Array:
        """Return the sum and the count of the numbers of each entry: (end - begin, 2)."""
        new = (
            self._numbers[begin * SAMPLES_OF_MEAN : end * SAMPLES_OF_MEAN]
            .reshape(-1, SAMPLES_OF_MEAN)
            .astype(np.float64)
        )
        known = np.isfinite(new)
        return np.stack((np.where(known, new, 0).sum(1), known.sum(1)), 1)

    def between(self, places: Array) -> Array:
        """Return the mean (n - 1,) between neighbouring places (n,), which rise.

        It is NaN if there is no number.
        """
        distance = float(places[-1] - places[-2])
        if distance < SAMPLES_OF_MEAN:
            return self._between_close_places(places)
        at = np.floor(places / SAMPLES_OF_MEAN).astype(np.int64).clip(0, len(self._sums) - 1)
        return _means(np.diff(self._sums.rows[at], axis=0))

    def _between_close_places(self, places: Array) -> Array:
        first = int(places[0])
        end = int(np.ceil(places[-1])) + 1
        part = self._numbers[first:end].astype(np.float64)
        known = np.isfinite(part)
        sums = np.zeros((len(part) + 1, 2))
        np.cumsum(np.where(known, part, 0), out=sums[1:, 0])
        np.cumsum(known, out=sums[1:, 1])
        at = np.floor(places - first).astype(np.int64)
        least = at[:-1].clip(0, len(part))
        most = np.maximum(at[1:], at[:-1] + 1).clip(0, len(part))
        return _means(sums[most] - sums[least])


class _GrowingRows:
    """Holds rows that are added and cut off at the end.

    Room is doubled, so rows are not moved one by one.
    """

    def __init__(self, width: int, kind: type[np.generic] = np.int16) -> None:
        self._room: Array = np.zeros((64, width), kind)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> Array:
        return self._room[: self._count]

    def cut(self, count: int) -> None:
        self._count = min(self._count, count)

    def add(self, rows: Array) -> None:
        end = self._count + len(rows)
        if end > len(self._room):
            more = np.zeros((max(end, 2 * len(self._room)) - self._count, self._room.shape[1]), self._room.dtype)
            self._room = np.concatenate((self.rows, more))
        self._room[self._count : end] = rows
        self._count = end


def common_prefix(before: Array, now: Array) -> int:
    """Return how many samples at the beginning of two sounds are the same.

    Samples in the same memory are the same.
    """
    count = min(len(before), len(now))
    if np.may_share_memory(before, now) or np.array_equal(before[:count], now[:count]):
        return count
    return int((before[:count] != now[:count]).argmax())


def _table_steps(count: int) -> list[int]:
    """Return the samples of one entry of each table that has more than one."""
    found = []
    step = TABLE_STEP
    while count // step > 1:
        found.append(step)
        step *= TABLE_STEP
    return found


def _means(sums: Array) -> Array:
    found: Array = np.full(len(sums), np.nan)
    np.divide(sums[:, 0], sums[:, 1], out=found, where=sums[:, 1] > 0)
    return found
