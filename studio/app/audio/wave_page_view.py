"""A wave on the stage: drawn, its harmonics, and all it takes to hear it; a caption below."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.app.audio.keyboard_view import KEYBOARD_HEIGHT, ComputerKeys, Keyboard
from studio.app.audio.wave_synth import HIGHEST, LOWEST, OCTAVES, WaveSynth, note_name, note_pitch
from studio.app.audio.wave_view import HarmonicsView, WaveView
from studio.app.core.guard import guarded
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ElidedLabel, Label, set_tooltip
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.slider import Slider
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

_HINT = "Click the wave. A to K play, Z and X change the octave"
_PLAYING = "A to K play, Z and X change the octave"
LOUD_LEVEL = 0.7
"""Home of the level."""


class WavePage(QWidget):
    """The wave gets all the room that the keys leave."""

    def __init__(self, theme: Theme, synth: WaveSynth, caption: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._synth = synth
        self._caption = caption
        self.view = WaveView(theme)
        self.harmonics = HarmonicsView(theme)
        self.keys = Keyboard(theme, synth)
        self.computer_keys = ComputerKeys(self.view, synth)
        self.play = Button(theme, "", "round", "play", "Play", "Hold the wave as a tone", "Space")
        self.play.setCheckable(True)
        self.pitch = Label("", "name")
        self.hint = ElidedLabel(_HINT, "note", Qt.TextElideMode.ElideRight)
        self.octave_down = Button(theme, "", "icon", "minus", "Octave lower", "Move the keys one octave lower", "Z")
        self.octave = Label("", "soft")
        self.octave_up = Button(theme, "", "icon", "plus", "Octave higher", "Move the keys one octave higher", "X")
        self._sign = Label()
        self.level = Slider(theme, 0.0, 1.0, LOUD_LEVEL, None)
        self.level.setAccessibleName("Level")
        set_tooltip(self.level, "Set how loud it plays. The saved file stays the same")
        self._column = QVBoxLayout(self)
        self._line = QHBoxLayout()
        self._build()
        self._connect()
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _build(self) -> None:
        line = self._line
        line.addWidget(self.play)
        line.addWidget(self.pitch)
        line.addWidget(self.hint, 1)
        for widget in (self.octave_down, self.octave, self.octave_up, self._sign, self.level):
            line.addWidget(widget)
        self.octave.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._column.addWidget(self.view, 1)
        self._column.addWidget(self.harmonics)
        self._column.addLayout(line)
        self._column.addWidget(self.keys)
        self._column.addWidget(self._caption)

    def _connect(self) -> None:
        synth = self._synth
        bind(self, synth.held, self._show_held, self.play.toggled, synth.hold_note)
        bind(self, synth.note, lambda note: self.pitch.setText(note_pitch(note)))
        bind(self, synth.octave, self._show_octave)
        bind(self, synth.level, self._show_level, self.level.moved, synth.set_level)
        bind(self, synth.sounding, self.view.show_sounding)
        bind(self, synth.sounding, self.harmonics.show_sounding)
        bind(self, synth.letters_play, self.computer_keys.set_on)
        self.octave_down.clicked.connect(lambda: synth.set_octave(synth.octave.get() - 1))
        self.octave_up.clicked.connect(lambda: synth.set_octave(synth.octave.get() + 1))
        self.level.home_requested.connect(lambda: synth.set_level(LOUD_LEVEL))
        self.keys.pressed.connect(lambda: self.view.setFocus(Qt.FocusReason.MouseFocusReason))
        self.computer_keys.changed.connect(self._show_letters)

    def show_wave(self, wave: Array | None) -> None:
        self.view.show_wave(wave)
        self.harmonics.show_wave(wave)

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        return QSize(200, 200)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _show_held(self, held: bool) -> None:
        self.play.setChecked(held)
        self.play.set_icon("stop" if held else "play")
        self.play.setAccessibleName("Stop" if held else "Play")
        self.play.set_tooltip("Stop the tone" if held else "Hold the wave as a tone", "Space")

    def _show_octave(self, octave: int) -> None:
        first = 12 * (octave + 1)
        self.octave.setText(f"{note_name(first)} to {note_name(first + 12 * OCTAVES)}")
        self.octave_down.setEnabled(octave > LOWEST)
        self.octave_up.setEnabled(octave < HIGHEST)

    def _show_level(self, level: float) -> None:
        self.level.show_value(level)
        self.level.setAccessibleDescription(f"{round(level * 100)} percent")

    def _show_letters(self, on: bool) -> None:
        self.keys.show_letters(on)
        hint = _PLAYING if on else _HINT
        self.hint.show_text(hint if self.computer_keys.on else "")

    def _lay_out(self) -> None:
        """If the page is low, shorten the keys and hide the harmonics; if it is narrow, hide the octave."""
        px = self._theme.scaled
        roomy = self.height() >= px(600)
        cramped = self.height() < px(200)
        wide = self.width() >= px(600)
        side = px(24 if wide else 12)
        self._column.setContentsMargins(side, px(16 if roomy else 8), side, px(10))
        self._column.setSpacing(px(10 if roomy else 6))
        self._line.setSpacing(px(8))
        self.harmonics.setVisible(roomy)
        low = 44 if cramped else 76
        self.keys.setFixedHeight(px(KEYBOARD_HEIGHT if roomy else low))
        self.octave.setVisible(wide)
        self.pitch.setFixedWidth(px(132))
        self.octave.setFixedWidth(px(76))
        self.level.setFixedWidth(px(120 if wide else 72))
        self._sign.setPixmap(icon_pixmap("speaker", self._theme.colour("soft"), px(18), self.devicePixelRatioF()))
