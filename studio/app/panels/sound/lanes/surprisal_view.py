"""Shows how surprising a sound is to the model: the bits of a sample, averaged over each pixel."""

import numpy as np
from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import QHideEvent, QPainter, QPen, QPolygonF, QShowEvent

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import LaneView
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import Theme
from studio.media.sounds.peaks import MeanTable
from studio.wire.messages import Array

WINDOW_SECONDS = 0.05
"""Seconds about a moment, whose mean is shown."""


class SurprisalLaneView(LaneView):
    """Draws the bits of the samples as a line, from 0 to the bits of one sample's level.

    Signal: `visibility_changed` carries whether the lane is on the screen now.
    """

    visibility_changed = Signal(bool)

    def __init__(self, theme: Theme, timeline: Timeline) -> None:
        super().__init__(theme, timeline, 64, 32)
        self.setAccessibleName("Bits a sample")
        self.rate = 16_000
        self.most = 8.0
        self._means = MeanTable()

    def show_bits(self, bits: Array, rate: int, kept: int, most: float = 8.0) -> None:
        """Show the bits of each sample (n,) float32; the first `kept` are unchanged."""
        grown = rate == self.rate and kept == len(self._means)
        self.rate = rate
        self.most = most
        self._means.set_numbers(bits, kept)
        if grown:
            self.redraw_range(self.timeline.x_of(kept / rate) - 2, self.timeline.x_of(len(bits) / rate))
        else:
            self.redraw_range()

    def show_priced(self, bits: Array, first: int, end: int) -> None:
        """Redraw the samples from the first number up to before the second, which have bits now."""
        self._means.update_range(bits, first, end)
        self.redraw_range(self.timeline.x_of(first / self.rate) - 2, self.timeline.x_of(end / self.rate))

    def bits_at(self, seconds: float) -> float | None:
        """Return the mean bits a sample about a moment; None if none are known."""
        end = min(seconds, len(self._means) / self.rate) * self.rate
        found = self._means.between(np.array([max(end - WINDOW_SECONDS * self.rate, 0), end]))[0] if end > 1 else np.nan
        return float(found) if np.isfinite(found) else None

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.visibility_changed.emit(True)

    @guarded(None)
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.visibility_changed.emit(False)

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        theme = self._theme
        time = self.timeline
        high = self.height()
        left = part.x() - 2
        seconds = time.pixel_edges(left, part.width() + 5)
        bits = self._means.between(seconds * self.rate)
        heights = high - 1 - (bits / self.most).clip(0, 1) * (high - 2)
        painter.fillRect(part, theme.colour("window"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for first, end in _true_ranges(np.isfinite(bits) & (np.diff(seconds) > 0)):
            line = [QPointF(left + n + 0.5, heights[n]) for n in range(first, end)]
            ground = QPolygonF([QPointF(line[0].x(), high), *line, QPointF(line[-1].x(), high)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("raised"))
            painter.drawPolygon(ground)
            painter.setPen(QPen(theme.colour("soft"), 1.2))
            painter.drawPolyline(QPolygonF(line))


def _true_ranges(true: Array) -> list[tuple[int, int]]:
    """Return where ranges of True begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], true, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
