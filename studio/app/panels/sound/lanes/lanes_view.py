"""Shows all lanes of a sound below each other, with their names at the left and the cursor over them."""

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QScrollBar, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import RulerView
from studio.app.panels.sound.lanes.playhead_view import Playhead
from studio.app.panels.sound.lanes.spectrogram_view import FrequencyAxis, SpectrogramView
from studio.app.panels.sound.lanes.surprisal_view import SurprisalLaneView
from studio.app.panels.sound.lanes.temperature_view import TemperatureLaneView
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.panels.sound.lanes.waveform_view import WaveformView
from studio.app.widgets.controls import Label
from studio.app.widgets.theme import Theme
from studio.media.sounds.peaks import common_prefix
from studio.wire.messages import Array

NAMES_WIDTH = 92
"""Pixels for the names."""
ROOMY_HEIGHT = 270
"""Pixels of height from which on bits are shown, too."""
SCROLL_UNITS = 100
"""Of the scroll bar's whole numbers to a second."""


class LaneName(QWidget):
    """Shows the name of a lane, and its value at the cursor."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = Label(name, "note")
        self.value_label = Label("", "note")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addStretch(1)
        for label in (self.name, self.value_label):
            label.setAlignment(Qt.AlignmentFlag.AlignRight)
            column.addWidget(label)
        column.addStretch(1)
        self.show_value("")

    def show_value(self, words: str) -> None:
        self.value_label.setText(words)
        self._update_parts()

    def _update_parts(self) -> None:
        """Show the value if both fit, and the name if it fits."""
        line = self.name.sizeHint().height()
        self.name.setVisible(self.height() >= line)
        self.value_label.setVisible(bool(self.value_label.text()) and self.height() >= 2 * line)

    @guarded(QSize(64, 16))
    def minimumSizeHint(self) -> QSize:
        return QSize(self.name.sizeHint().width(), 1)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_parts()


class LanesView(QWidget):
    """Shows ruler, spectrogram, wave, temperature and bits."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.timeline = Timeline(self)
        self.ruler = RulerView(theme, self.timeline)
        self.spectrogram = SpectrogramView(theme, self.timeline)
        self.frequency_axis = FrequencyAxis(theme, self.spectrogram)
        self.wave = WaveformView(theme, self.timeline)
        self.temperature = TemperatureLaneView(theme, self.timeline)
        self.bits = SurprisalLaneView(theme, self.timeline)
        self.names = {name: LaneName(name) for name in ("Sound", "Temperature", "Bits a sample")}
        self.bar = QScrollBar(Qt.Orientation.Horizontal)
        self.bar.setAccessibleName("What is seen of the sound")
        self._grid = QGridLayout(self)
        self._samples: Array = np.zeros(0, np.int16)
        self._build()
        self.playhead = Playhead(theme, self.timeline, self)
        for lane in (self.ruler, self.spectrogram, self.wave, self.bits):  # keys then act on the clicked lane
            lane.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            lane.setFocusProxy(self.playhead)
        self.timeline.moved.connect(self._show_bar)
        self.timeline.marks_changed.connect(self._show_bar)
        self.timeline.marks_changed.connect(self._update_values)
        self.temperature.rows.dataChanged.connect(self._update_values)
        self.temperature.rows.modelReset.connect(self._update_values)
        self.bar.valueChanged.connect(self._scroll)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _build(self) -> None:
        grid, names = self._grid, self.names
        rows = (
            (QWidget(), self.ruler, 0),
            (self.frequency_axis, self.spectrogram, 23),
            (names["Sound"], self.wave, 16),
            (names["Temperature"], self.temperature, 8),
            (names["Bits a sample"], self.bits, 6),
            (QWidget(), self.bar, 0),
        )
        for row, (name, lane, stretch) in enumerate(rows):
            grid.addWidget(name, row, 0)
            grid.addWidget(lane, row, 1)
            grid.setRowStretch(row, stretch)

    def show_sound(self, samples: Array, bits: Array, rate: int, kept: int, priced: int) -> None:
        """Show samples (n,) int16 and the bits of each (n,) float32.

        At least the first `kept` samples and the first `priced` bits are unchanged. The arrays may be the same objects
        with other content.
        """
        kept = min(kept, common_prefix(self._samples, samples)) if rate == self.wave.rate else 0
        self.wave.show_sound(samples, rate, kept)
        self.spectrogram.show_sound(samples, rate, kept)
        self.bits.show_bits(bits, rate, min(kept, priced))
        self._samples = samples
        self.frequency_axis.update()

    def show_priced(self, bits: Array, first: int, end: int) -> None:
        """Show the bits of the samples from the first number up to before the second."""
        if first < end:
            self.bits.show_priced(bits, first, end)
            self._update_values()

    def cancel_drag(self) -> str:
        """Cancel the drag; return the dragged line, empty if there was no drag."""
        lanes = (self.ruler, self.spectrogram, self.wave, self.bits)
        return next((held for held in [lane.cancel_drag() for lane in lanes] if held), "")

    def _update_values(self, *_: object) -> None:
        """Update the values at the cursor."""
        temperature = self.temperature.temperature_at(self.timeline.position)
        bits = self.bits.bits_at(self.timeline.position)
        self.names["Temperature"].show_value(f"{temperature:.2f}")
        self.names["Bits a sample"].show_value(f"{bits:.1f}" if bits is not None else "–")
        self.playhead.describe_moment(temperature, bits, self.temperature.is_outside_safe_range(self.timeline.position))

    @property
    def lanes_left(self) -> int:
        """Return the number of pixels before the lanes begin."""
        return self._theme.scaled(NAMES_WIDTH) + self._grid.horizontalSpacing()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────

    def _show_bar(self) -> None:
        """Show the scroll bar if not everything fits."""
        time = self.timeline
        self.bar.blockSignals(True)
        self.bar.setRange(0, round(max(time.last_begin, time.begin) * SCROLL_UNITS))
        self.bar.setPageStep(round(time.length * SCROLL_UNITS))
        self.bar.setValue(round(time.begin * SCROLL_UNITS))
        self.bar.blockSignals(False)
        policy = self.bar.sizePolicy()
        if not policy.retainSizeWhenHidden():
            policy.setRetainSizeWhenHidden(True)
            self.bar.setSizePolicy(policy)
        self.bar.setVisible(time.begin > 0 or time.made > time.end)

    def _scroll(self, value: int) -> None:
        self.timeline.set_begin(value / SCROLL_UNITS)

    def set_compact(self, compact: bool) -> None:
        """Set the lanes closer together if the window is low."""
        self._compact = compact
        self._lay_out()

    def _lay_out(self) -> None:
        px = self._theme.scaled
        compact = getattr(self, "_compact", False)
        self._grid.setContentsMargins(0, 0, 1, 0)
        self._grid.setHorizontalSpacing(px(12))
        self._grid.setVerticalSpacing(px(6 if compact else 12))
        self._grid.setColumnMinimumWidth(0, px(NAMES_WIDTH))
        self._grid.setColumnStretch(1, 1)
        self._place_playhead()

    def _place_playhead(self) -> None:
        roomy = self.height() >= self._theme.scaled(ROOMY_HEIGHT)
        for part in (self.bits, self.names["Bits a sample"]):
            part.setVisible(roomy)
        self._grid.activate()
        self.timeline.set_width(self.wave.width())
        self.playhead.setGeometry(self.rect())
        lowest = self.bits if self.bits.isVisibleTo(self) else self.temperature
        left = self.wave.x()
        top = self.spectrogram.y()
        lanes = QRect(left, top, self.wave.width(), lowest.geometry().bottom() - top)
        self.playhead.set_lanes(lanes, self.spectrogram.height())
        self.playhead.raise_()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw edges around lanes that have the colour of the ground."""
        if self._theme.high:
            with QPainter(self) as painter:
                painter.setPen(self._theme.colour("line"))
                for lane in (self.spectrogram, self.wave, self.temperature, self.bits):
                    if lane.isVisible():
                        painter.drawRect(lane.geometry().adjusted(-1, -1, 0, 0))

    @guarded(QSize(320, 88))
    def minimumSizeHint(self) -> QSize:
        return QSize(320, 88)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_playhead()
