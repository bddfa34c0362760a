"""Keeps the entropy of each pixel before it was drawn. The engine sends it with the rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.app.core.observable import State, Value
from studio.app.maps.colour_range import ColourRange
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import Array

MAX_PICTURES = 4096
MAX_JOBS = 4
"""The most finished pictures whose entropy is kept, and the most jobs with unfinished pictures."""


class UncertaintyMaps(State):
    """Holds the maps of pictures that are drawn pixel by pixel.

    Pictures that were drawn while the overlay was off have none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on: Value[bool] = Value(False, self)
        self._range = ColourRange(self)
        self.scale: Value[ColourScale | None] = self._range.scale
        """The scale of all pictures; None until there is a row."""
        self.set_range = self._range.set_range
        self.clear_scale = self._range.clear_scale
        """Forgets the scale at the next run."""
        self.hovered_bits: Value[float | None] = Value(None, self)
        """Bits of the pixel under the pointer."""
        self._unfinished: dict[str, list[tuple[Array, Array]]] = {}
        """Pictures that are being drawn, with the bits of their rows, by job."""
        self._finished: dict[bytes, Array] = {}
        """Bits by the bytes of the finished picture. A take can thus find the map of its picture."""

    def set_on(self, on: bool) -> None:
        """Show the map over pictures, or the pictures alone."""
        self.hovered_bits.set(None)
        self.on.set(on)

    def add_pictures(self, job: str, pictures: Sequence[Array], entropy: Array | None, finished: bool) -> None:
        """Add pictures of a job as far as they are drawn.

        `entropy` is (n, rows drawn, width) in bits, None if the engine sends none.
        """
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
        """Fit the scale to all known pictures."""
        all_bits = [*self._finished.values(), *(bits for pairs in self._unfinished.values() for _, bits in pairs)]
        self.clear_scale()
        if finite_bits := [known for known in map(_finite_values, all_bits) if known.size]:
            self._range.fit_maps(finite_bits, bound=False)

    def map_of(self, picture: Array | None) -> Array | None:
        """Return the bits (rows drawn, width) of a picture if the overlay is on.

        Pixels without a value are NaN. Returns None if nothing is known.
        """
        if picture is None or not self.on.get():
            return None
        unfinished = (bits for pairs in self._unfinished.values() for each, bits in pairs if each is picture)
        bits_of_picture = next(unfinished, None)
        return bits_of_picture if bits_of_picture is not None else self._finished.get(picture.tobytes())

    def set_hovered(self, picture: Array | None, row: int = 0, column: int = 0) -> None:
        """Set the pixel under the pointer. Without a picture there is none."""
        bits = self.map_of(picture)
        known = bits is not None and row < len(bits) and np.isfinite(bits[row, column])
        self.hovered_bits.set(float(bits[row, column]) if bits is not None and known else None)


def _finite_values(entropy: Array) -> Array:
    """Return the bits of the pixels that have a value."""
    finite: Array = entropy[np.isfinite(entropy)]
    return finite


def _drop_oldest(known: dict[Any, Any], limit: int) -> None:
    """Forget the oldest entries."""
    while len(known) > limit:
        del known[next(iter(known))]
