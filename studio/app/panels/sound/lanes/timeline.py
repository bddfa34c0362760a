"""Holds what all lanes share: which seconds are visible, and the marked moments."""

import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.wire.messages import Array

INITIAL_SECONDS = 24.0
"""Visible seconds."""
MIN_SECONDS = 0.02
MAX_SECONDS = 4 * 3600.0
AHEAD_SHARE = 0.35
"""Share of the visible part ahead of the playhead while it is followed."""


class Timeline(QObject):
    """Converts seconds to pixels and back. `moved`: other seconds are visible; `marks_changed`: a mark moved.

    The lanes report the user's actions here: `seek_requested` carries a moment, `cut_moved` the moment from which to
    continue, `loop_moved` a region. `grabbed` and `released` frame a drag and name what is dragged.
    """

    moved = Signal()
    marks_changed = Signal()
    seek_requested = Signal(float)
    cut_moved = Signal(float)
    loop_moved = Signal(float, float)
    grabbed = Signal(str)
    released = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.begin = 0.0
        self.length = INITIAL_SECONDS
        self.width = 1
        self.made = 0.0
        """Seconds that there are."""
        self.position = 0.0
        """Second that is heard."""
        self.cut: float | None = None
        """Second at which the user's recording ends and the model continues."""
        self.loop: tuple[float, float] | None = None
        self.looping = self.playing = self.making = False
        self.spare = False
        """Whether Play replaces the part after the cut."""
        self.follows = True
        """Whether the playhead is kept visible."""

    def x_of(self, seconds: float) -> float:
        return (seconds - self.begin) * self.width / self.length

    def pixel_of(self, seconds: float) -> int:
        """Return the pixel of a moment; distances between moments do not depend on scrolling."""
        each = self.length / self.width
        return round(seconds / each) - round(self.begin / each)

    def seconds_at(self, x: float) -> float:
        return self.begin + x * self.length / self.width

    def pixel_edges(self, left: int, count: int, ratio: float = 1.0) -> Array:
        """Return the seconds (count + 1,) between device pixels from `left` on; they do not depend on scrolling."""
        pixel = self.length / self.width / ratio
        found: Array = np.maximum((np.arange(count + 1) + round(self.begin / pixel) + left) * pixel, 0.0)
        return found

    @property
    def end(self) -> float:
        return self.begin + self.length

    @property
    def last_begin(self) -> float:
        """Return the latest second at which the visible part may begin."""
        return max(self.made - self.length * (1 - AHEAD_SHARE), 0.0)

    def set_width(self, width: int) -> None:
        if width != self.width and width > 0:
            self.width = width
            self._set_visible(self.begin, self.length)

    def set_marks(self, position: float, made: float, playing: bool, making: bool) -> None:
        """Set the heard moment and the length that is made."""
        now = position, made, playing, making
        if now == (self.position, self.made, self.playing, self.making):
            return
        self.position, self.made, self.playing, self.making = now
        if self.follows and playing:
            self.scroll_to(position)
        self.marks_changed.emit()

    def set_cut(self, cut: float | None) -> None:
        self.cut = cut
        self.marks_changed.emit()

    def set_spare(self, spare: bool) -> None:
        if spare != self.spare:
            self.spare = spare
            self.marks_changed.emit()

    def set_loop(self, loop: tuple[float, float] | None, looping: bool) -> None:
        self.loop = loop
        self.looping = looping
        self.marks_changed.emit()

    # ── visible part ─────────────────────────────────────────────────────────────────────────────

    def scroll_to(self, seconds: float) -> None:
        """Scroll until a moment is visible, with room ahead of it."""
        if not self.begin <= seconds <= self.end - AHEAD_SHARE * self.length:
            before = seconds - (1 - AHEAD_SHARE) * self.length if seconds > self.begin else seconds - 0.1 * self.length
            self._set_visible(before, self.length)

    def zoom(self, times: float, x: float) -> None:
        """Zoom; the moment at a pixel stays there."""
        held = self.seconds_at(x)
        length = min(max(self.length / times, MIN_SECONDS), MAX_SECONDS)
        self._set_visible(held - x * length / self.width, length)

    def scroll_by(self, seconds: float) -> None:
        """Scroll later or earlier, and stop following the playhead."""
        self.follows = False
        self._set_visible(min(self.begin + seconds, max(self.last_begin, self.begin)), self.length)

    def set_begin(self, begin: float) -> None:
        self.scroll_by(begin - self.begin)

    def show_all(self) -> None:
        """Show everything, or as much as at first."""
        self.follows = True
        self._set_visible(
            0.0, max(INITIAL_SECONDS, self.made * 1.02) if self.made > INITIAL_SECONDS else INITIAL_SECONDS
        )

    def _set_visible(self, begin: float, length: float) -> None:
        """Set the visible part from a whole pixel on, so that nothing trembles when it scrolls."""
        pixel = length / self.width
        now = max(round(begin / pixel), 0) * pixel, length
        if now != (self.begin, self.length):
            self.begin, self.length = now
            self.moved.emit()
