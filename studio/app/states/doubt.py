"""Doubt: how open each pixel was just before it was drawn, as an engine tells it with the rows of a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.app.states.value import State, Value
from studio.media.surprise import Scale, ends
from studio.wire.messages import Array

KEPT, JOBS = 4096, 4
"""Of how many finished pictures it is remembered, and of how many jobs whose pictures are not finished."""


class Doubt(State):
    """The overlay of pictures that are drawn pixel by pixel. What was drawn while it was off has none."""

    def __init__(self) -> None:
        super().__init__()
        self.on: Value[bool] = Value(False, self)
        self.scale: Value[Scale | None] = Value(None, self)
        """Common to all pictures; None until the first row is there."""
        self.under: Value[float | None] = Value(None, self)
        """Bits of the pixel under the pointer."""
        self._forming: dict[str, list[tuple[Array, Array]]] = {}
        """By the job that drew them last: pictures as far as they are, with the bits of their rows."""
        self._finished: dict[bytes, Array] = {}
        """By the picture's own bytes, so that a take knows what was told of the picture that it was."""
        self._ends: tuple[float, float] | None = None
        """Of all that was told since the scale was reset, without tails; None where a hand has set it."""

    def switch(self, on: bool) -> None:
        """Show it over pictures, or the pictures alone."""
        self.under.set(None)
        self.on.set(on)

    def meet(self, job: str, pictures: Sequence[Array], doubt: Array | None, finished: bool) -> None:
        """Pictures of a job, as far as they are, with the bits (n, rows drawn, width) that an engine tells of them."""
        self._forming.pop(job, None)
        if doubt is None:
            return
        if finished:
            self._finished |= {picture.tobytes(): bits for picture, bits in zip(pictures, doubt, strict=True)}
        else:
            self._forming[job] = list(zip(pictures, doubt, strict=True))
        _shorten(self._finished, KEPT)
        _shorten(self._forming, JOBS)
        self._widen(doubt)

    def of(self, picture: Array | None) -> Array | None:
        """The bits (rows drawn, width) of a picture, where they are known and the overlay is on; NaN where a pixel has
        none."""
        if picture is None or not self.on.get():
            return None
        forming = (bits for pairs in self._forming.values() for each, bits in pairs if each is picture)
        found = next(forming, None)
        return found if found is not None else self._finished.get(picture.tobytes())

    # ── the scale ────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Another run: its scale is its own."""
        self._ends = None
        self.scale.set(None)

    def set_ends(self, low: float, high: float) -> None:
        """What the first and the last colour stand for, until `reset`."""
        scale = self.scale.get()
        if scale is not None:
            self._ends = None
            self.scale.set(scale.set(low, high))

    def reset(self) -> None:
        """The range of all that is known."""
        known = [*self._finished.values(), *(bits for pairs in self._forming.values() for _, bits in pairs)]
        self.begin()
        for bits in known:
            self._widen(bits)

    def _widen(self, doubt: Array) -> None:
        """Let the scale reach as far as these bits, where no hand has set it."""
        known = doubt[np.isfinite(doubt)]
        if not known.size or (self.scale.get() is not None and self._ends is None):
            return
        low, high = ends(known)
        self._ends = (low, high) if self._ends is None else (min(low, self._ends[0]), max(high, self._ends[1]))
        self.scale.set(Scale.over(*self._ends, bound=False))

    # ── the pointer ──────────────────────────────────────────────────────────────────────────────

    def point(self, picture: Array | None, row: int = 0, column: int = 0) -> None:
        """The pointer is over a pixel; over none where no picture is given."""
        bits = self.of(picture)
        known = bits is not None and row < len(bits) and np.isfinite(bits[row, column])
        self.under.set(float(bits[row, column]) if bits is not None and known else None)


def _shorten(known: dict[Any, Any], most: int) -> None:
    """Forget the oldest."""
    while len(known) > most:
        del known[next(iter(known))]
