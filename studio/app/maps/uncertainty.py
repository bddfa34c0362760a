"""Doubt: how open each pixel was just before it was drawn, as an engine tells it with the rows of a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.app.core.observable import State, Value
from studio.app.maps.colour_range import ColourRange
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import Array

MAX_PICTURES = 4096
MAX_JOBS = 4
"""Of how many finished pictures it is remembered, and of how many jobs whose pictures are not finished."""


class UncertaintyMaps(State):
    """The overlay of pictures that are drawn pixel by pixel. What was drawn while it was off has none."""

    def __init__(self) -> None:
        super().__init__()
        self.on: Value[bool] = Value(False, self)
        self._range = ColourRange(self)
        self.scale: Value[ColourScale | None] = self._range.scale
        """Common to all pictures; None until the first row is there."""
        self.set_range = self._range.set_range
        self.clear_scale = self._range.clear_scale
        """Another run: its scale is its own."""
        self.hovered_bits: Value[float | None] = Value(None, self)
        """Bits of the pixel under the pointer."""
        self._unfinished: dict[str, list[tuple[Array, Array]]] = {}
        """By the job that drew them last: pictures as far as they are, with the bits of their rows."""
        self._finished: dict[bytes, Array] = {}
        """By the picture's own bytes, so that a take knows what was told of the picture that it was."""

    def set_on(self, on: bool) -> None:
        """Show it over pictures, or the pictures alone."""
        self.hovered_bits.set(None)
        self.on.set(on)

    def add_pictures(self, job: str, pictures: Sequence[Array], entropy: Array | None, finished: bool) -> None:
        """Pictures of a job, as far as they are, with the bits (n, rows drawn, width) that an engine tells of them."""
        self._unfinished.pop(job, None)
        if entropy is None:
            return
        if finished:
            self._finished |= {picture.tobytes(): bits for picture, bits in zip(pictures, entropy, strict=True)}
        else:
            self._unfinished[job] = list(zip(pictures, entropy, strict=True))
        _drop_oldest(self._finished, MAX_PICTURES)
        _drop_oldest(self._unfinished, MAX_JOBS)
        if (known := _finite_values(entropy)).size:
            self._range.include_map(known, bound=False)

    def fit_scale(self) -> None:
        """The range of all that is known."""
        told = [*self._finished.values(), *(bits for pairs in self._unfinished.values() for _, bits in pairs)]
        self.clear_scale()
        if found := [known for known in map(_finite_values, told) if known.size]:
            self._range.fit_maps(found, bound=False)

    def map_of(self, picture: Array | None) -> Array | None:
        """The bits (rows drawn, width) of a picture, where they are known and the overlay is on; NaN where a pixel has
        none."""
        if picture is None or not self.on.get():
            return None
        forming = (bits for pairs in self._unfinished.values() for each, bits in pairs if each is picture)
        found = next(forming, None)
        return found if found is not None else self._finished.get(picture.tobytes())

    def set_hovered(self, picture: Array | None, row: int = 0, column: int = 0) -> None:
        """The pointer is over a pixel; over none where no picture is given."""
        bits = self.map_of(picture)
        known = bits is not None and row < len(bits) and np.isfinite(bits[row, column])
        self.hovered_bits.set(float(bits[row, column]) if bits is not None and known else None)


def _finite_values(entropy: Array) -> Array:
    """The bits of those pixels that have any."""
    found: Array = entropy[np.isfinite(entropy)]
    return found


def _drop_oldest(known: dict[Any, Any], limit: int) -> None:
    """Forget the oldest."""
    while len(known) > limit:
        del known[next(iter(known))]
