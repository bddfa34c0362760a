"""Doubt: how open each pixel was just before it was drawn, as an engine tells it with the rows of a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.app.core.observable import State, Value
from studio.app.maps.colour_range import Reach
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import Array

KEPT, JOBS = 4096, 4
"""Of how many finished pictures it is remembered, and of how many jobs whose pictures are not finished."""


class Doubt(State):
    """The overlay of pictures that are drawn pixel by pixel. What was drawn while it was off has none."""

    def __init__(self) -> None:
        super().__init__()
        self.on: Value[bool] = Value(False, self)
        self._reach = Reach(self)
        self.scale: Value[ColourScale | None] = self._reach.scale
        """Common to all pictures; None until the first row is there."""
        self.set_ends = self._reach.set
        self.begin = self._reach.begin
        """Another run: its scale is its own."""
        self.under: Value[float | None] = Value(None, self)
        """Bits of the pixel under the pointer."""
        self._forming: dict[str, list[tuple[Array, Array]]] = {}
        """By the job that drew them last: pictures as far as they are, with the bits of their rows."""
        self._finished: dict[bytes, Array] = {}
        """By the picture's own bytes, so that a take knows what was told of the picture that it was."""

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
        if (known := _known(doubt)).size:
            self._reach.widen(known, bound=False)

    def reset(self) -> None:
        """The range of all that is known."""
        told = [*self._finished.values(), *(bits for pairs in self._forming.values() for _, bits in pairs)]
        self.begin()
        if found := [known for known in map(_known, told) if known.size]:
            self._reach.fit(found, bound=False)

    def of(self, picture: Array | None) -> Array | None:
        """The bits (rows drawn, width) of a picture, where they are known and the overlay is on; NaN where a pixel has
        none."""
        if picture is None or not self.on.get():
            return None
        forming = (bits for pairs in self._forming.values() for each, bits in pairs if each is picture)
        found = next(forming, None)
        return found if found is not None else self._finished.get(picture.tobytes())

    def point(self, picture: Array | None, row: int = 0, column: int = 0) -> None:
        """The pointer is over a pixel; over none where no picture is given."""
        bits = self.of(picture)
        known = bits is not None and row < len(bits) and np.isfinite(bits[row, column])
        self.under.set(float(bits[row, column]) if bits is not None and known else None)


def _known(doubt: Array) -> Array:
    """The bits of those pixels that have any."""
    found: Array = doubt[np.isfinite(doubt)]
    return found


def _shorten(known: dict[Any, Any], most: int) -> None:
    """Forget the oldest."""
    while len(known) > most:
        del known[next(iter(known))]
