"""All lanes of a sound below each other, with their names at the left and the cursor over them."""

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QScrollBar, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import Ruler
from studio.app.panels.sound.lanes.playhead_view import Moment
from studio.app.panels.sound.lanes.spectrogram_view import Hertz, SpectrumLane
from studio.app.panels.sound.lanes.surprisal_view import BitsLane
from studio.app.panels.sound.lanes.temperature_view import HeatLane
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.panels.sound.lanes.waveform_view import WaveLane
from studio.app.widgets.controls import Label
from studio.app.widgets.theme import Theme
from studio.media.sounds.peaks import common_prefix
from studio.wire.messages import Array

NAMES = 92
"""Pixels for the names."""
ROOMY = 270
"""Pixels of height from which on bits are shown, too."""
SCROLL = 100
"""Of the scroll bar's whole numbers to a second."""


class LaneName(QWidget):
    """What a lane is, and its figure at the cursor."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.figure = Label(name, "note"), Label("", "note")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addStretch(1)
        for label in (self.name, self.figure):
            label.setAlignment(Qt.AlignmentFlag.AlignRight)
            column.addWidget(label)
        column.addStretch(1)
        self.show_figure("")

    def show_figure(self, words: str) -> None:
        self.figure.setText(words)
        self._fit()

    def _fit(self) -> None:
        """The figure only where there is room for both, and the name only where there is room for it."""
        line = self.name.sizeHint().height()
        self.name.setVisible(self.height() >= line)
        self.figure.setVisible(bool(self.figure.text()) and self.height() >= 2 * line)

    @guarded(QSize(64, 16))
    def minimumSizeHint(self) -> QSize:
        return QSize(self.name.sizeHint().width(), 1)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


class Lanes(QWidget):
    """Ruler, spectrogram, wave, temperature, bits."""

    def __init__(self, look: Theme) -> None:
        super().__init__()
        self._look = look
        self.timeline = Timeline(self)
        self.ruler = Ruler(look, self.timeline)
        self.spectrum = SpectrumLane(look, self.timeline)
        self.hertz = Hertz(look, self.spectrum)
        self.wave = WaveLane(look, self.timeline)
        self.heat = HeatLane(look, self.timeline)
        self.bits = BitsLane(look, self.timeline)
        self.names = {name: LaneName(name) for name in ("Sound", "Temperature", "Bits a sample")}
        self.bar = QScrollBar(Qt.Orientation.Horizontal)
        self.bar.setAccessibleName("What is seen of the sound")
        self._grid = QGridLayout(self)
        self._samples: Array = np.zeros(0, np.int16)
        self._build()
        self.moment = Moment(look, self.timeline, self)
        for lane in (self.ruler, self.spectrum, self.wave, self.bits):  # so that keys act on the clicked lane
            lane.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            lane.setFocusProxy(self.moment)
        self.timeline.moved.connect(self._show_bar)
        self.timeline.marked.connect(self._show_bar)
        self.timeline.marked.connect(self._tell)
        self.heat.rows.dataChanged.connect(self._tell)
        self.heat.rows.modelReset.connect(self._tell)
        self.bar.valueChanged.connect(self._scroll)
        look.changed.connect(self._lay_out)
        self._lay_out()

    def _build(self) -> None:
        grid, names = self._grid, self.names
        rows = (
            (QWidget(), self.ruler, 0),
            (self.hertz, self.spectrum, 23),
            (names["Sound"], self.wave, 16),
            (names["Temperature"], self.heat, 8),
            (names["Bits a sample"], self.bits, 6),
            (QWidget(), self.bar, 0),
        )
        for row, (name, lane, stretch) in enumerate(rows):
            grid.addWidget(name, row, 0)
            grid.addWidget(lane, row, 1)
            grid.setRowStretch(row, stretch)

    def show_sound(self, samples: Array, bits: Array, rate: int, kept: int, priced: int) -> None:
        """All there is so far: samples (n,) int16 and the bits of each (n,) float32.

        Of what was shown before, the first `kept` samples and `priced` prices may still be the same, and no more; the
        arrays may be those of before with something else in them.
        """
        kept = min(kept, common_prefix(self._samples, samples)) if rate == self.wave.rate else 0
        self.wave.show_sound(samples, rate, kept)
        self.spectrum.show_sound(samples, rate, kept)
        self.bits.show_bits(bits, rate, min(kept, priced))
        self._samples = samples
        self.hertz.update()

    def show_priced(self, bits: Array, first: int, end: int) -> None:
        """Show the prices of the samples from the first number up to before the second."""
        if first < end:
            self.bits.show_priced(bits, first, end)
            self._tell()

    def cancel(self) -> str:
        """Let go of what is dragged; what it was, empty for nothing."""
        lanes = (self.ruler, self.spectrum, self.wave, self.bits)
        return next((held for held in [lane.cancel() for lane in lanes] if held), "")

    def _tell(self, *_: object) -> None:
        """The figures at the cursor."""
        heat, bits = self.heat.heat(self.timeline.position), self.bits.at(self.timeline.position)
        self.names["Temperature"].show_figure(f"{heat:.2f}")
        self.names["Bits a sample"].show_figure(f"{bits:.1f}" if bits is not None else "–")
        self.moment.describe(heat, bits, self.heat.outside(self.timeline.position))

    @property
    def left(self) -> int:
        """Pixels before the lanes begin."""
        return self._look.scaled(NAMES) + self._grid.horizontalSpacing()

    # ── places ───────────────────────────────────────────────────────────────────────────────────

    def _show_bar(self) -> None:
        """Only where not all fits."""
        time = self.timeline
        self.bar.blockSignals(True)
        self.bar.setRange(0, round(max(time.furthest, time.begin) * SCROLL))
        self.bar.setPageStep(round(time.length * SCROLL))
        self.bar.setValue(round(time.begin * SCROLL))
        self.bar.blockSignals(False)
        policy = self.bar.sizePolicy()
        if not policy.retainSizeWhenHidden():
            policy.setRetainSizeWhenHidden(True)
            self.bar.setSizePolicy(policy)
        self.bar.setVisible(time.begin > 0 or time.made > time.end)

    def _scroll(self, value: int) -> None:
        self.timeline.go(value / SCROLL)

    def set_compact(self, compact: bool) -> None:
        """Closer together, where the window is low."""
        self._compact = compact
        self._lay_out()

    def _lay_out(self) -> None:
        px, compact = self._look.scaled, getattr(self, "_compact", False)
        self._grid.setContentsMargins(0, 0, 1, 0)
        self._grid.setHorizontalSpacing(px(12))
        self._grid.setVerticalSpacing(px(6 if compact else 12))
        self._grid.setColumnMinimumWidth(0, px(NAMES))
        self._grid.setColumnStretch(1, 1)
        self._place()

    def _place(self) -> None:
        roomy = self.height() >= self._look.scaled(ROOMY)
        for part in (self.bits, self.names["Bits a sample"]):
            part.setVisible(roomy)
        self._grid.activate()
        self.timeline.resize(self.wave.width())
        self.moment.setGeometry(self.rect())
        lowest = self.bits if self.bits.isVisibleTo(self) else self.heat
        left, top = self.wave.x(), self.spectrum.y()
        lanes = QRect(left, top, self.wave.width(), lowest.geometry().bottom() - top)
        self.moment.set_lanes(lanes, self.spectrum.height())
        self.moment.raise_()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        """Edges, where lanes have the colour of the ground."""
        if self._look.high:
            with QPainter(self) as painter:
                painter.setPen(self._look.colour("line"))
                for lane in (self.spectrum, self.wave, self.heat, self.bits):
                    if lane.isVisible():
                        painter.drawRect(lane.geometry().adjusted(-1, -1, 0, 0))

    @guarded(QSize(320, 88))
    def minimumSizeHint(self) -> QSize:
        return QSize(320, 88)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()
