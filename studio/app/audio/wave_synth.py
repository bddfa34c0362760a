"""Plays a single-cycle wave: on keys, held, or for a second."""

from PySide6.QtCore import QTimer

from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages, Severity
from studio.app.core.observable import Field, State, Value, within
from studio.media.sounds import wavetable
from studio.media.sounds.oscillator import Oscillator
from studio.media.sounds.speaker import SampleSource
from studio.wire.messages import Array

OCTAVES = 2

LOWEST, HIGHEST = 0, 7
"""Octaves that the keys can begin at; octave 4 begins with middle C, MIDI note 60."""

LISTEN_TIME = 1000
"""Milliseconds of a wave that was clicked."""

_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def note_name(note: int) -> str:
    """For people: `A♯2`; middle C is C4."""
    return f"{_NAMES[note % 12]}{note // 12 - 1}"


def note_pitch(note: int) -> str:
    """For people: `A2, 110.0 Hz`."""
    return f"{note_name(note)}, {wavetable.note_frequency(note):,.1f} Hz"


class WaveSynth(State):
    """One voice. The key pressed last is heard; where none is down, the note that is held."""

    def __init__(self, card: SoundCard, messages: Messages) -> None:
        super().__init__()
        self._card, self._messages = card, messages
        self.wave: Value[Array | None] = Value(None, self)
        """(samples,) int16; what keys and Play let be heard."""
        self.note: Value[int] = Value(45, self)
        """MIDI note that sounds, or sounded last."""
        self.pressed_notes: Value[tuple[int, ...]] = Value((), self)
        """Notes whose keys are down, the newest last."""
        self.held: Value[bool] = Value(False, self)
        """Whether the note keeps playing after its key is released."""
        self.sounding: Value[bool] = Value(False, self)
        self.octave: Value[int] = Value(2, self)
        """Where the keys begin."""
        self.level: Value[float] = Value(0.7, self)
        """0 to 1, as the ear counts; not part of what is exported."""
        self.letters_play: Value[bool] = Value(True, self)
        """Whether the computer's letter keys play notes."""
        self.fields = (
            Field("note", self.note.get, lambda note: self.note.set(min(max(int(note), 0), 127))),
            Field("octave", self.octave.get, lambda octave: self.set_octave(int(octave))),
            Field("level", self.level.get, self.set_level),
        )
        self._source = Oscillator()
        self._source.set_level(self._gain())
        self._brief_timer = QTimer(self)
        self._brief_timer.setSingleShot(True)
        self._brief_timer.setInterval(LISTEN_TIME)
        self._brief_timer.timeout.connect(self._update_sound)
        card.opened.connect(self._on_opened)
        card.failed.connect(self._on_failed)
        card.lost.connect(self._on_lost)
        card.handed_over.connect(self._on_handed_over)

    def set_wave(self, wave: Array | None) -> None:
        """Set another wave. A note that plays changes to it without a click. None is silence."""
        if self.wave.set(wave):
            if wave is None:
                self.stop()
            else:
                self._source.set_wave(wave)

    def press_key(self, note: int) -> None:
        """A key goes down."""
        if self.wave.get() is not None and note not in self.pressed_notes.get():
            self._brief_timer.stop()
            self.pressed_notes.set((*self.pressed_notes.get(), note))
            self._update_sound()

    def release_key(self, note: int) -> None:
        """A key goes up; one that is still down is heard again."""
        self.pressed_notes.set(tuple(other for other in self.pressed_notes.get() if other != note))
        self._update_sound()

    def release_keys(self) -> None:
        """No key is down any more."""
        self.pressed_notes.set(())
        self._update_sound()

    def hold_note(self, on: bool) -> None:
        """Let the note go on by itself, or not."""
        self._brief_timer.stop()
        self.held.set(on and self.wave.get() is not None)
        self._update_sound()

    def play_briefly(self) -> None:
        """Let the wave be heard for a second; nothing where it sounds already."""
        if self.wave.get() is not None and not self.held.get() and not self.pressed_notes.get():
            self._brief_timer.start()
            self._update_sound()

    def stop(self) -> None:
        """Silence."""
        self._brief_timer.stop()
        self.held.set(False)
        self.release_keys()

    def set_octave(self, octave: int) -> None:
        """Keys that are down stay what they are."""
        self.octave.set(min(max(octave, LOWEST), HIGHEST))

    def set_level(self, level: float) -> None:
        self.level.set(within(level, 0.0, 1.0))
        self._source.set_level(self._gain())

    def _update_sound(self) -> None:
        down = self.pressed_notes.get()
        plays = bool(down) or self.held.get() or self._brief_timer.isActive()
        if down:
            self.note.set(down[-1])
        self.sounding.set(plays)
        if plays:
            self._source.play_note(self.note.get())
            self._card.play_source(self._source)
        else:
            self._source.release_note()
            self._card.rest(self._source)

    def _on_opened(self, source: SampleSource) -> None:
        wave = self.wave.get()
        if source is self._source and wave is not None:
            self._source.set_wave(wave)  # the card's rate came from another thread

    def _on_failed(self, source: SampleSource, reason: str) -> None:
        if source is self._source:
            self._show_silence(reason, "warn", "Try again")

    def _on_lost(self, source: SampleSource, reason: str) -> None:
        if source is self._source:
            self._show_silence(reason, "failed", "Play again")

    def _on_handed_over(self, source: SampleSource) -> None:
        if source is self._source:
            self.stop()

    def _show_silence(self, reason: str, severity: Severity, button: str) -> None:
        """Stop, and show why nothing is heard."""
        self.stop()
        again = (button, lambda: self.hold_note(True))
        self._messages.show_message(reason, severity, again, until=(self.sounding.changed,))

    def _gain(self) -> float:
        return self.level.get() ** 2

    def close(self) -> None:
        """Stop, and release the sound card."""
        self.stop()
        self._card.release(self._source)
