"""How surprising a sound is to the model from moment to moment: the bits of a sample, averaged over each pixel."""

import numpy as np
from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import QHideEvent, QPainter, QPen, QPolygonF, QShowEvent

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import Lane
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import Theme
from studio.media.sounds.peaks import MeanTable
from studio.wire.messages import Array

AROUND = 0.05
"""Seconds about a moment, whose mean is told."""


class BitsLane(Lane):
    """Draws the bits of the samples as a line, from 0 to the bits of one sample's level.

    Signal: `appeared` carries whether the lane is on the screen now.
    """

    appeared = Signal(bool)

    def __init__(self, look: Theme, timeline: Timeline) -> None:
        super().__init__(look, timeline, 64, 32)
        self.setAccessibleName("Bits a sample")
        self.rate, self.most = 16_000, 8.0
        self._means = MeanTable()

    def show_bits(self, bits: Array, rate: int, kept: int, most: float = 8.0) -> None:
        """The price of each sample (n,) float32; the first `kept` are those of before."""
        grown = rate == self.rate and kept == len(self._means)
        self.rate, self.most = rate, most
        self._means.set_numbers(bits, kept)
        if grown:
            self.renew(self.timeline.x(kept / rate) - 2, self.timeline.x(len(bits) / rate))
        else:
            self.renew()

    def show_priced(self, bits: Array, first: int, end: int) -> None:
        """Redraw the samples from the first number up to before the second, which have prices now."""
        self._means.update_range(bits, first, end)
        self.renew(self.timeline.x(first / self.rate) - 2, self.timeline.x(end / self.rate))

    def at(self, seconds: float) -> float | None:
        """Bits a sample about a moment; None where nothing has a price."""
        end = min(seconds, len(self._means) / self.rate) * self.rate
        found = self._means.between(np.array([max(end - AROUND * self.rate, 0), end]))[0] if end > 1 else np.nan
        return float(found) if np.isfinite(found) else None

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.appeared.emit(True)

    @guarded(None)
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.appeared.emit(False)

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        look, time, high = self._look, self.timeline, self.height()
        left = part.x() - 2
        seconds = time.edges(left, part.width() + 5)
        bits = self._means.between(seconds * self.rate)
        heights = high - 1 - (bits / self.most).clip(0, 1) * (high - 2)
        painter.fillRect(part, look.colour("window"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for first, end in _runs(np.isfinite(bits) & (np.diff(seconds) > 0)):
            line = [QPointF(left + n + 0.5, heights[n]) for n in range(first, end)]
            ground = QPolygonF([QPointF(line[0].x(), high), *line, QPointF(line[-1].x(), high)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("raised"))
            painter.drawPolygon(ground)
            painter.setPen(QPen(look.colour("soft"), 1.2))
            painter.drawPolyline(QPolygonF(line))


def _runs(true: Array) -> list[tuple[int, int]]:
    """Where stretches of what is true begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], true, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
