"""Shows the wave of a recording: the user's part faint, heard sound in the accent, the rest soft."""

import numpy as np
from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from studio.app.panels.sound.lanes.lane_view import LaneView
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import Theme
from studio.media.sounds.peaks import PeakPyramid
from studio.wire.messages import Array

HEIGHT_SHARE = 0.92
"""Share of the height that the loudest sample takes."""
HEARD_OPACITY = 0.6
"""The height is the sample to this power, so that quiet sound is seen, as it is heard."""
FULL_SCALE = 32_768


class WaveformView(LaneView):
    """Draws one stroke a pixel, from the lowest to the highest sample in it."""

    def __init__(self, theme: Theme, timeline: Timeline) -> None:
        super().__init__(theme, timeline, 160, 56)
        self.setAccessibleName("Sound")
        self.rate = 16_000
        self._peaks = PeakPyramid()
        self._made = self._heard = 0.0
        self._marks: object = None
        timeline.marks_changed.connect(self._redraw_changed)

    def show_sound(self, samples: Array, rate: int, kept: int) -> None:
        """Show all samples so far (n,) int16; only samples after the first `kept` are computed again."""
        grown = rate == self.rate and kept == len(self._peaks)
        self.rate = rate
        self._peaks.set_samples(samples, kept)
        if grown:
            self._redraw_between(kept / rate, len(samples) / rate)
        else:
            self.redraw_range()

    def _redraw_changed(self) -> None:
        """Redraw what became heard, and what marks moved over."""
        time = self.timeline
        self._redraw_between(self._heard, time.position)
        if time.making:
            self._redraw_between(self._made, time.made)
        self._heard = time.position
        self._made = time.made
        if (marks := (time.cut, time.loop, time.looping, time.making, time.spare)) != self._marks:
            self._marks = marks
            self.redraw_range()

    def _redraw_between(self, one: float, other: float) -> None:
        left, right = sorted((self.timeline.x_of(one), self.timeline.x_of(other)))
        if other != one:
            words = self._theme.scaled(112) if self.timeline.making else 0  # the words move behind the newest sample
            self.redraw_range(left, right + words)

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        theme = self._theme
        time = self.timeline
        middle = self.height() / 2
        painter.fillRect(part, theme.colour("window"))
        if time.loop is not None:
            left = time.x_of(time.loop[0])
            right = time.x_of(time.loop[1])
            ground = theme.colour("tint" if time.looping else "raised")
            painter.fillRect(QRectF(left, 0, right - left, self.height()), ground)
        newest = time.x_of(time.made)
        words = theme.scaled(96)
        painter.fillRect(QRectF(0, middle - 0.5, newest, 1), theme.colour("line"))
        painter.drawImage(QRectF(part), self._stroke_image(part))
        if time.making:
            painter.setPen(theme.colour("faint"))
            painter.setFont(theme.font(12))
            place = QRectF(newest + theme.scaled(12), middle - theme.scaled(12), words, theme.scaled(24))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), "being made")

    def _stroke_image(self, part: QRect) -> QImage:
        """Return the wave in a part of the lane, in device pixels; partly covered pixels are partly opaque."""
        ratio = self.devicePixelRatioF()
        time = self.timeline
        wide = max(1, round(part.width() * ratio))
        high = max(1, round(self.height() * ratio))
        seconds = time.pixel_edges(round(part.x() * ratio), wide, ratio)
        low, above = self._peaks.between(seconds * self.rate)
        top, foot = (high / 2 * (1 - HEIGHT_SHARE * _relative_height(np.nan_to_num(each))) for each in (above, low))
        thin = np.maximum(1.0 - (foot - top), 0) / 2
        rows = np.arange(high, dtype=np.float32)[:, None]
        foot = (foot + thin).astype(np.float32)
        top = (top - thin).astype(np.float32)
        full = (np.minimum(rows + 1, foot) - np.maximum(rows, top)).clip(0, 1) * 255  # (high, wide)
        full[:, ~np.isfinite(low)] = 0
        of = self._states_at((seconds[:-1] + seconds[1:]) / 2) * 256
        paint = self._colour_table()[full.astype(np.intp) + of]
        return QImage(paint.data, wide, high, 4 * wide, QImage.Format.Format_ARGB32_Premultiplied).copy()

    def _states_at(self, seconds: Array) -> Array:
        """Return the state of each moment: 0 the user's own, 1 heard, 2 to come, 3 spare."""
        time = self.timeline
        found: Array = np.where(seconds < time.position, 1, 2)
        if time.spare:
            found[:] = 3
        if time.cut is not None:
            found[seconds < time.cut] = 0
        return found

    def _colour_table(self) -> Array:
        """Return the colours of each state at every opacity, (4 · 256,) as a picture holds them."""
        full = np.arange(256, dtype=np.uint32)
        found = []
        for token in ("faint", "accent", "soft", "groove"):
            colour = self._theme.colour(token)
            parts = (full, *(full * part // 255 for part in (colour.red(), colour.green(), colour.blue())))
            found.append(parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3])
        return np.concatenate(found)


def _relative_height(samples: Array) -> Array:
    """Return a height from -1 to 1."""
    found: Array = np.sign(samples) * (np.abs(samples) / FULL_SCALE) ** HEARD_OPACITY
    return found
