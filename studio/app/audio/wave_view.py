"""Draws a wave: large on the stage, with the wave before the change; small elsewhere."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF, QRegion
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import WAVE_SHARE, _pen, wave_path
from studio.media.sounds.wavetable import cycle_curve, harmonic_amplitudes
from studio.wire.messages import Array

NEIGHBOUR_SHARE = 0.14
"""Cycles that are drawn before and after, to show how the end meets the beginning."""

HARMONIC_COUNT = 64
"""The number of harmonics that are drawn."""

MIN_DECIBELS = -72.0
"""Decibels below which a harmonic is not drawn."""


class WaveView(QWidget):
    """Draws one cycle over the whole width, and a little of its neighbours.

    It has the accent colour while it sounds.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._wave: Array | None = None
        self._before: Array | None = None
        self._points = 0
        self._curve = self._old = np.zeros(0)
        self._sounding = False
        self.setAccessibleName("Wave")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.update)

    @property
    def shown_wave(self) -> Array | None:
        return self._wave

    @property
    def shown_before(self) -> Array | None:
        return self._before

    def show_wave(self, wave: Array | None) -> None:
        self._wave = wave
        self._points = 0
        self.update()

    def show_before(self, wave: Array | None) -> None:
        """Show the wave before the user's change, faintly behind the present one."""
        self._before = wave if wave is not None and wave.ndim == 1 else None
        self._points = 0
        self.update()

    def show_sounding(self, sounding: bool) -> None:
        self._sounding = sounding
        self.update()

    @guarded(QSize(200, 48))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(48))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        whole = QRectF(self.rect())
        step = whole.width() / (1 + 2 * NEIGHBOUR_SHARE)
        cycle = QRectF(step * NEIGHBOUR_SHARE, 0, step, whole.height())
        self._curve_points(round(step * self.devicePixelRatioF()))
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_grid(painter, whole, cycle)
            if self._wave is None:
                return
            path = wave_path(whole, self._curve)
            painter.setClipRegion(self._cycle_edges(cycle))
            painter.setPen(_pen(theme.colour("groove"), 2.2))
            painter.drawPolyline(path)
            painter.setClipRect(cycle)
            self._fill(painter, path, whole)
            painter.setPen(_pen(theme.colour("border"), 1.6))
            painter.drawPolyline(wave_path(whole, self._old))
            painter.setPen(_pen(theme.colour("accent" if self._sounding else "text"), 2.2))
            painter.drawPolyline(path)

    def _curve_points(self, points: int) -> None:
        """Compute one point for each pixel. More points would be drawn over each other."""
        if points != self._points:
            self._points = points
            self._curve = _extended_cycle(self._wave, points)
            self._old = _extended_cycle(self._before, points)

    def _paint_grid(self, painter: QPainter, whole: QRectF, cycle: QRectF) -> None:
        """Draw both ends of the cycle, and the greatest level that it may have."""
        painter.fillRect(cycle, self._theme.colour("window"))
        painter.setPen(QPen(self._theme.colour("line"), 1))
        middle = round(whole.center().y()) + 0.5
        amplitude = whole.height() * WAVE_SHARE / 2
        painter.drawLine(QPointF(0, middle), QPointF(whole.right(), middle))
        for part in (0.25, 0.5, 0.75):
            x = round(cycle.left() + part * cycle.width()) + 0.5
            painter.drawLine(QPointF(x, middle - amplitude), QPointF(x, middle + amplitude))

    def _fill(self, painter: QPainter, path: QPolygonF, whole: QRectF) -> None:
        """Fill the area between the wave and silence."""
        middle = whole.center().y()
        ground = QPolygonF(path)
        ground.append(QPointF(whole.right(), middle))
        ground.append(QPointF(whole.left(), middle))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("tint" if self._sounding else "panel"))
        painter.drawPolygon(ground)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _cycle_edges(self, cycle: QRectF) -> QRegion:
        return QRegion(self.rect()).subtracted(QRegion(cycle.toRect()))


class HarmonicsView(QWidget):
    """Shows the level of each harmonic of the wave.

    The first one is at the left, with an octave wherever the number doubles.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._levels: Array = np.zeros(0)
        self._sounding = False
        self.setAccessibleName("Harmonics")
        set_tooltip(self, "Show how loud each of the 64 harmonics is")
        theme.changed.connect(self.updateGeometry)

    def show_wave(self, wave: Array | None) -> None:
        self._levels = harmonic_amplitudes(wave, HARMONIC_COUNT) if wave is not None else np.zeros(0)
        loudest = [f"{n + 1} at {self._levels[n]:.0f} decibels" for n in np.argsort(-self._levels)[:3]]
        self.setAccessibleDescription(f"The loudest: {', '.join(loudest)}" if loudest else "")
        self.update()

    def show_sounding(self, sounding: bool) -> None:
        self._sounding = sounding
        self.update()

    @guarded(QSize(200, 56))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(56))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        step = self.width() / HARMONIC_COUNT
        base = self.height() - 1
        with QPainter(self) as painter:
            painter.fillRect(0, base, self.width(), 1, theme.colour("line"))
            colour = theme.colour("accent" if self._sounding else "border")
            for number, level in enumerate(self._levels):
                height = round(base * min(1.0, max(0.0, 1 - level / MIN_DECIBELS)))
                left = round(number * step)
                right = round((number + 1) * step) - theme.scaled(3)
                painter.fillRect(left, base - height, max(1, right - left), height, colour)


def _extended_cycle(wave: Array | None, points: int) -> Array:
    """Return one cycle as it sounds, with a little of the ones before and after."""
    if wave is None:
        return np.zeros(0)
    one = cycle_curve(wave, max(points, 64))
    more = round(NEIGHBOUR_SHARE * len(one))
    return np.concatenate([one[-more:], one, one[: more + 1]])
