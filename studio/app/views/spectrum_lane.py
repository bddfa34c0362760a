"""The spectrogram of a sound as it grows. Its plot is loaded when the lane is first seen."""

from typing import Any

import numpy as np
from PySide6.QtCore import QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.app.states.surprise import Scale
from studio.app.views.guard import guarded
from studio.app.views.lane import Lane
from studio.app.views.spectrum import Spectrum
from studio.app.views.theme import Look
from studio.app.views.timeline import Timeline
from studio.wire.messages import Array

TILE = 512
"""Columns of one image: what is full is never sent again."""
OCTAVES = tuple(125.0 * 2**n for n in range(9))
"""Hz that have a figure."""
LINE = 18
"""Pixels of height of a figure."""


def colours() -> Array:
    """Those of maps of surprise, (256, 3) uint8, from silent to loud."""
    found: Array = Scale(0.0, 1.0, 0.0, 1.0, False).legend(256)[0]
    return found


class SpectrumLane(Lane):
    """Columns of a Spectrum as images in a plot that shows the seconds of the timeline, from 0 Hz to half the rate."""

    def __init__(self, look: Look, timeline: Timeline) -> None:
        super().__init__(look, timeline, 240, 64)
        self.setAccessibleName("Spectrogram")
        self.spectrum = Spectrum(16_000)
        self._describe()
        self._plot: _Plot | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._go_on)
        timeline.moved.connect(self._look_on)

    def show_sound(self, samples: Array, rate: int, kept: int) -> None:
        """All samples so far (n,) int16; only what is new after the first `kept` costs anything."""
        if rate != self.spectrum.rate:
            self.spectrum = Spectrum(rate)
            self._describe()
        self.spectrum.show(samples, kept)
        self._go_on()

    @property
    def ready(self) -> bool:
        """Whether it shows all that there is."""
        return self._plot is not None and not self.spectrum.behind and not self._soon.isActive()

    def _go_on(self) -> None:
        """Some more columns; those that are left come when the window has drawn itself."""
        if self._plot is None:
            return
        self._plot.cut(self.spectrum)
        if self.spectrum.behind:
            first = self.spectrum.columns
            self._plot.add(first, self.spectrum.more(), self.spectrum)
        if self.spectrum.behind:
            self._soon.start(0)

    def _describe(self) -> None:
        top = f"{self.spectrum.top / 1000:g} kilohertz"
        self.setAccessibleDescription(f"Low sounds below, up to {top}, as far apart as the ear hears them")

    def _look_on(self) -> None:
        if self._plot is not None:
            self._plot.look(self.timeline.begin, self.timeline.end)

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._plot is None:
            QTimer.singleShot(0, self._open)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._look_on()

    def _open(self) -> None:
        if self._plot is None:
            self._plot = _Plot(self)
            self._look_on()
            self._go_on()

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        painter.fillRect(part, Qt.GlobalColor.black)


class _Plot:
    """What pyqtgraph does of it: tiles of columns in a view box."""

    def __init__(self, lane: SpectrumLane) -> None:
        import pyqtgraph  # not before the panel is open: it takes a second

        self._module: Any = pyqtgraph
        self._view = pyqtgraph.GraphicsView(background="k")
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setFrameStyle(0)
        self._view.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._box = pyqtgraph.ViewBox(enableMouse=False, enableMenu=False, defaultPadding=0.0)
        self._box.disableAutoRange()
        self._view.setCentralItem(self._box)
        self._tiles: list[Any] = []
        self._levels: list[Array] = []
        self._colours = colours()
        column = QVBoxLayout(lane)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)

    def cut(self, spectrum: Spectrum) -> None:
        """Only the columns that the spectrum has."""
        full, left = divmod(spectrum.columns, TILE)
        for tile in self._tiles[full + (left > 0) :]:
            self._box.removeItem(tile)
        del self._tiles[full + (left > 0) :], self._levels[full + (left > 0) :]
        if left and len(self._levels) > full and len(self._levels[full]) > left:
            self._put(full, self._levels[full][:left], spectrum)

    def add(self, first: int, levels: Array, spectrum: Spectrum) -> None:
        """Columns from number `first` on."""
        while len(levels):
            number, at = divmod(first, TILE)
            part, levels = levels[: TILE - at], levels[TILE - at :]
            if number == len(self._tiles):
                self._tiles.append(self._module.ImageItem(axisOrder="col-major", levels=(0, 255), lut=self._colours))
                self._levels.append(part[:0])
                self._box.addItem(self._tiles[number])
            self._put(number, np.concatenate((self._levels[number][:at], part)), spectrum)
            first += len(part)

    def look(self, begin: float, end: float) -> None:
        self._box.setRange(xRange=(begin, end), yRange=(0, 1), padding=0)

    def _put(self, number: int, levels: Array, spectrum: Spectrum) -> None:
        step = spectrum.hop / spectrum.rate
        self._levels[number] = levels
        self._tiles[number].setImage(levels, autoLevels=False)
        self._tiles[number].setRect(QRectF((number * TILE - 0.5) * step, 0, len(levels) * step, 1))


class Hertz(QWidget):
    """The figures beside it: octaves, as many as there is room for."""

    def __init__(self, look: Look, lane: SpectrumLane) -> None:
        super().__init__()
        self._look, self._lane = look, lane

    def figures(self) -> list[tuple[float, str]]:
        """Pixels from above, with what stands there: `8 kHz`, `4`, `2`, `1`, `500 Hz`, `250`."""
        spectrum, last, unit = self._lane.spectrum, -1e9, ""
        found = list[tuple[float, str]]()
        for hertz in reversed(OCTAVES):
            y = self.height() * (1 - spectrum.place(hertz))
            if hertz > spectrum.top or y - last < self._look.px(LINE):
                continue
            number, own = (hertz / 1000, " kHz") if hertz >= 1000 else (hertz, " Hz")
            found.append((y, f"{number:g}{own if own != unit else ''}"))
            last, unit = y, own
        return found

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        look, line = self._look, self._look.px(LINE)
        with QPainter(self) as painter:
            painter.setFont(look.font(12))
            painter.setPen(look.colour("soft"))
            for y, words in self.figures():
                top = min(max(y - line / 2, 0), self.height() - line)
                place = QRectF(0, top, self.width(), line)
                painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), words)
