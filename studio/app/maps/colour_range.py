"""Holds the colour scale of compared maps: their common range, unless the user sets another."""

from collections.abc import Sequence

from studio.app.core.observable import State, Value
from studio.media.pictures.surprisal_map import ColourScale, percentile_range
from studio.wire.messages import Array


class ColourRange(State):
    """Holds the range of bits that the colours cover."""

    def __init__(self, parent: State) -> None:
        super().__init__(parent)
        self.scale: Value[ColourScale | None] = Value(None, self)
        """The scale; None until there is a map."""
        self._ends: tuple[float, float] | None = None
        """The range of all maps without their tails; None if the user has set one."""

    def clear_scale(self) -> None:
        """Forget the scale, because other maps are shown."""
        self._ends = None
        self.scale.set(None)

    def set_range(self, low: float, high: float) -> None:
        """Set the bits of the first and last colour, until other maps are shown."""
        scale = self.scale.get()
        if scale is not None:
            self._ends = None
            self.scale.set(scale.with_range(low, high))

    def fit_maps(self, maps: Sequence[Array], bound: bool, with_noise: bool = False) -> None:
        """Fit the scale to these maps only."""
        low, high = zip(*map(percentile_range, maps), strict=True)
        self._set_scale(min(low), max(high), bound, with_noise)

    def include_map(self, bits: Array, bound: bool, with_noise: bool = False) -> None:
        """Widen the scale to a further map, unless the user has set it."""
        low, high = percentile_range(bits)
        if self.scale.get() is None:
            self._set_scale(low, high, bound, with_noise)
        elif self._ends is not None:
            self._set_scale(min(low, self._ends[0]), max(high, self._ends[1]), bound, with_noise)

    def _set_scale(self, low: float, high: float, bound: bool, with_noise: bool) -> None:
        self._ends = low, high
        self.scale.set(ColourScale.over_range(low, high, bound, with_noise))
