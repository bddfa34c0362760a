"""Shows the spectrogram of a sound as it grows."""

import numpy as np
from PySide6.QtCore import QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import LaneView
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import Theme
from studio.media.pictures.surprisal_map import ColourScale
from studio.media.sounds.spectrogram import ROWS, Spectrogram
from studio.wire.messages import Array

MAX_COLUMNS_PER_PIXEL = 8
"""Columns of the spectrum that are looked at for one of pixels, at most: evenly among all of them."""
OCTAVES = tuple(125.0 * 2**n for n in range(9))
"""Hz that have a figure."""
LINE_HEIGHT = 18
"""Pixels of height of a figure."""


class SpectrogramView(LaneView):
    """Shows the columns of a Spectrum, from 0 Hz to half the rate.

    Several columns in one pixel show their loudest level; between two columns levels are interpolated.
    """

    def __init__(self, theme: Theme, timeline: Timeline) -> None:
        super().__init__(theme, timeline, 240, 64)
        self.setAccessibleName("Spectrogram")
        self.spectrum = Spectrogram(16_000)
        self._levels = np.zeros((1024, ROWS), np.uint8)
        """Of every column; those that the spectrum has are true."""
        self._colours = _colour_table()
        self._describe()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._add_columns)

    def show_sound(self, samples: Array, rate: int, kept: int) -> None:
        """Show all samples so far (n,) int16; only samples after the first `kept` are computed again."""
        if rate != self.spectrum.rate:
            self.spectrum = Spectrogram(rate)
            self._describe()
            self.redraw_range()
        before = self.spectrum.columns
        self.spectrum.set_samples(samples, kept)
        self._renew_columns(self.spectrum.columns, before)
        self._add_columns()

    @property
    def is_complete(self) -> bool:
        """Return whether all columns are computed."""
        return self.isVisible() and not self.spectrum.pending_columns

    def _describe(self) -> None:
        top = f"{self.spectrum.top / 1000:g} kilohertz"
        self.setAccessibleDescription(f"Shows low sounds at the bottom, up to {top}")

    def _add_columns(self) -> None:
        """Compute some more columns if they are visible; the rest follows after the window has painted."""
        if not self.isVisible() or not self.spectrum.pending_columns:
            return
        first = self.spectrum.columns
        found = self.spectrum.compute_columns()
        end = first + len(found)
        if end > len(self._levels):
            self._levels = np.concatenate((self._levels, np.zeros((max(end, len(self._levels)), ROWS), np.uint8)))
        self._levels[first:end] = found
        self._renew_columns(first, end)
        if self.spectrum.pending_columns:
            self._timer.start(0)

    def _renew_columns(self, first: int, end: int) -> None:
        """Redraw between two columns, including the pixels next to them."""
        if first < end:
            step = self.spectrum.hop / self.spectrum.rate
            self.redraw_range(self.timeline.x_of((first - 1) * step), self.timeline.x_of(end * step))

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start(0)

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        painter.drawImage(QRectF(part.x(), 0, part.width(), self.height()), self._render_part(part))

    def _render_part(self, part: QRect) -> QImage:
        """Return a part of the lane in device pixels."""
        ratio = self.devicePixelRatioF()
        wide = max(1, round(part.width() * ratio))
        high = max(1, round(self.height() * ratio))
        edges = self.timeline.pixel_edges(round(part.x() * ratio), wide, ratio) * self.spectrum.rate / self.spectrum.hop
        levels = self._levels_between(edges)[:, ::-1].T.astype(np.float32)  # (rows, wide), the lowest at the foot
        places = ((np.arange(high, dtype=np.float32) + 0.5) * ROWS / high - 0.5).clip(0, ROWS - 1)
        above = places.astype(int)
        part_of = (places % 1)[:, None]
        levels = levels[above] + part_of * (levels[np.minimum(above + 1, ROWS - 1)] - levels[above])  # (high, wide)
        paint = self._colours[levels.astype(np.uint8)]
        return QImage(paint.data, wide, high, 4 * wide, QImage.Format.Format_RGB32).copy()

    def _levels_between(self, edges: Array) -> Array:
        """Return levels (n, rows) of pixels between columns (n + 1,); silent if not computed yet."""
        last = self.spectrum.columns - 1
        apart = float(edges[-1] - edges[-2])
        if last < 0:
            return np.zeros((len(edges) - 1, ROWS), np.uint8)
        found: Array
        if apart <= 1:
            middles = (edges[1:] + edges[:-1]) / 2
            before = np.minimum(middles.astype(int), last)
            one = self._levels[before].astype(np.float32)
            other = self._levels[np.minimum(before + 1, last)]
            found = (one + (middles - before).clip(0, 1)[:, None] * (other - one)).astype(np.uint8)
            found[middles > last + 0.5] = 0
            return found
        first = np.ceil(edges[:-1]).astype(int)
        count = np.diff(np.ceil(edges).astype(int))
        looks = min(MAX_COLUMNS_PER_PIXEL, int(np.ceil(apart)))
        places = first[:, None] + count[:, None] * np.arange(looks) // looks
        found = self._levels[np.minimum(places, last)].max(1)
        found[first > last] = 0
        return found


def _colour_table() -> Array:
    """Return the colours of surprisal maps, (256,) as a picture holds them, from silent to loud."""
    red, green, blue = ColourScale(0.0, 1.0, 0.0, 1.0, False).draw_legend(256)[0].astype(np.uint32).T
    found: Array = 0xFF << 24 | red << 16 | green << 8 | blue
    return found


class FrequencyAxis(QWidget):
    """Writes octaves beside the spectrogram, as many as fit."""

    def __init__(self, theme: Theme, lane: SpectrogramView) -> None:
        super().__init__()
        self._theme = theme
        self._lane = lane

    def tick_labels(self) -> list[tuple[float, str]]:
        """Return pixels from the top with labels: `8 kHz`, `4`, `2`, `1`, `500 Hz`, `250`."""
        spectrum = self._lane.spectrum
        last = -1e9
        unit = ""
        found = list[tuple[float, str]]()
        for hertz in reversed(OCTAVES):
            y = self.height() * (1 - spectrum.row_of_frequency(hertz))
            if hertz > spectrum.top or y - last < self._theme.scaled(LINE_HEIGHT):
                continue
            number, own = (hertz / 1000, " kHz") if hertz >= 1000 else (hertz, " Hz")
            found.append((y, f"{number:g}{own if own != unit else ''}"))
            last = y
            unit = own
        return found

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        line = self._theme.scaled(LINE_HEIGHT)
        with QPainter(self) as painter:
            painter.setFont(theme.font(12))
            painter.setPen(theme.colour("soft"))
            for y, words in self.tick_labels():
                top = min(max(y - line / 2, 0), self.height() - line)
                place = QRectF(0, top, self.width(), line)
                painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), words)
