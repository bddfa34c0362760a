"""The scale of maps that are compared: as far as they reach, until a hand sets it."""

from collections.abc import Sequence

from studio.app.core.observable import State, Value
from studio.media.pictures.surprisal_map import ColourScale, percentile_range
from studio.wire.messages import Array


class ColourRange(State):
    """From which bits to which the colours go."""

    def __init__(self, parent: State) -> None:
        super().__init__(parent)
        self.scale: Value[ColourScale | None] = Value(None, self)
        """None until the first map is there."""
        self._ends: tuple[float, float] | None = None
        """Of all maps without their tails; None where a hand has set them."""

    def clear_scale(self) -> None:
        """Other maps: their scale is their own."""
        self._ends = None
        self.scale.set(None)

    def set_range(self, low: float, high: float) -> None:
        """What the first and the last colour stand for, until these maps are left or fitted."""
        scale = self.scale.get()
        if scale is not None:
            self._ends = None
            self.scale.set(scale.with_range(low, high))

    def fit_maps(self, maps: Sequence[Array], bound: bool) -> None:
        """As far as these maps and no further."""
        low, high = zip(*map(percentile_range, maps), strict=True)
        self._set_scale(min(low), max(high), bound)

    def include_map(self, bits: Array, bound: bool) -> None:
        """As far as another map, too, where no hand has set it."""
        low, high = percentile_range(bits)
        if self.scale.get() is None:
            self._set_scale(low, high, bound)
        elif self._ends is not None:
            self._set_scale(min(low, self._ends[0]), max(high, self._ends[1]), bound)

    def _set_scale(self, low: float, high: float, bound: bool) -> None:
        self._ends = low, high
        self.scale.set(ColourScale.over_range(low, high, bound))
