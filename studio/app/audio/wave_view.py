"""A wave as it is drawn: large on the stage, with the one a hand moved away from; small in grids and strips."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF, QRegion
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.audio.wave_synth import harmonic_levels
from studio.app.core.guard import guarded
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import ROOM, _pen, wave_path
from studio.media.sounds.wavetable import cycle_curve
from studio.wire.messages import Array

NEIGHBOUR_SHARE = 0.14
"""Cycles that are drawn before and after the one: how its end meets its beginning."""

HARMONIC_COUNT = 64
"""Harmonics that are drawn."""

MIN_DECIBELS = -72.0
"""Decibels of a harmonic that is not drawn any more."""


class WaveView(QWidget):
    """One cycle over the whole width, and a little of its neighbours. It is in the accent while it sounds."""

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
        """The wave that a hand moved away from, faint behind the other."""
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
        look, whole = self._theme, QRectF(self.rect())
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
            painter.setPen(_pen(look.colour("groove"), 2.2))
            painter.drawPolyline(path)
            painter.setClipRect(cycle)
            self._fill(painter, path, whole)
            painter.setPen(_pen(look.colour("border"), 1.6))
            painter.drawPolyline(wave_path(whole, self._old))
            painter.setPen(_pen(look.colour("accent" if self._sounding else "text"), 2.2))
            painter.drawPolyline(path)

    def _curve_points(self, points: int) -> None:
        """One point a pixel: more of them would only be drawn over each other."""
        if points != self._points:
            self._points = points
            self._curve, self._old = _extended_cycle(self._wave, points), _extended_cycle(self._before, points)

    def _paint_grid(self, painter: QPainter, whole: QRectF, cycle: QRectF) -> None:
        """Where the cycle begins and ends, and how loud it may be."""
        painter.fillRect(cycle, self._theme.colour("window"))
        painter.setPen(QPen(self._theme.colour("line"), 1))
        middle, most = round(whole.center().y()) + 0.5, whole.height() * ROOM / 2
        painter.drawLine(QPointF(0, middle), QPointF(whole.right(), middle))
        for part in (0.25, 0.5, 0.75):
            x = round(cycle.left() + part * cycle.width()) + 0.5
            painter.drawLine(QPointF(x, middle - most), QPointF(x, middle + most))

    def _fill(self, painter: QPainter, path: QPolygonF, whole: QRectF) -> None:
        """The ground between the wave and silence."""
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
    """How loud each harmonic of the wave is: the first at the left, an octave wherever the number doubles."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._levels: Array = np.zeros(0)
        self._sounding = False
        self.setAccessibleName("Harmonics")
        set_tooltip(self, "Show how loud each of the 64 harmonics is")
        theme.changed.connect(self.updateGeometry)

    def show_wave(self, wave: Array | None) -> None:
        self._levels = harmonic_levels(wave, HARMONIC_COUNT) if wave is not None else np.zeros(0)
        heard = [f"{n + 1} at {self._levels[n]:.0f} decibels" for n in np.argsort(-self._levels)[:3]]
        self.setAccessibleDescription(f"The loudest: {', '.join(heard)}" if heard else "")
        self.update()

    def show_sounding(self, sounding: bool) -> None:
        self._sounding = sounding
        self.update()

    @guarded(QSize(200, 56))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(56))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        look, step, base = self._theme, self.width() / HARMONIC_COUNT, self.height() - 1
        with QPainter(self) as painter:
            painter.fillRect(0, base, self.width(), 1, look.colour("line"))
            colour = look.colour("accent" if self._sounding else "border")
            for number, loud in enumerate(self._levels):
                height = round(base * min(1.0, max(0.0, 1 - loud / MIN_DECIBELS)))
                left, right = round(number * step), round((number + 1) * step) - look.scaled(3)
                painter.fillRect(left, base - height, max(1, right - left), height, colour)


def _extended_cycle(wave: Array | None, points: int) -> Array:
    """One cycle as it is heard, and a little of the ones before and after it."""
    if wave is None:
        return np.zeros(0)
    one = cycle_curve(wave, max(points, 64))
    more = round(NEIGHBOUR_SHARE * len(one))
    return np.concatenate([one[-more:], one, one[: more + 1]])
