"""Play a single-cycle wave: while keys are down, as a held note, or for a second."""

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
"""The lowest and the highest octave at which the keys can begin. Octave 4 begins with middle C, MIDI note 60."""

LISTEN_TIME = 1000
"""Milliseconds for which a clicked wave plays."""

_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def note_name(note: int) -> str:
    """Return the name of a MIDI note for the user: `A♯2`. Middle C is C4."""
    return f"{_NAMES[note % 12]}{note // 12 - 1}"


def note_pitch(note: int) -> str:
    """Return name and frequency of a MIDI note for the user: `A2, 110.0 Hz`."""
    return f"{note_name(note)}, {wavetable.note_frequency(note):,.1f} Hz"


class WaveSynth(State):
    """Plays one note at a time: that of the key pressed last, or the held note if no key is down."""

    def __init__(self, card: SoundCard, messages: Messages) -> None:
        super().__init__()
        self._card = card
        self._messages = messages
        self.wave: Value[Array | None] = Value(None, self)
        """The wave that keys and Play play, (samples,) int16; None if there is none."""
        self.note: Value[int] = Value(45, self)
        """The MIDI note that plays, or that played last."""
        self.pressed_notes: Value[tuple[int, ...]] = Value((), self)
        """The MIDI notes whose keys are down, the newest last."""
        self.held: Value[bool] = Value(False, self)
        """Whether the note keeps playing after its key is released."""
        self.sounding: Value[bool] = Value(False, self)
        self.octave: Value[int] = Value(2, self)
        """The octave at which the keys begin."""
        self.level: Value[float] = Value(0.7, self)
        """The perceived loudness from 0 to 1. It does not change exported files."""
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
        """Play the note of a key that goes down."""
        if self.wave.get() is not None and note not in self.pressed_notes.get():
            self._brief_timer.stop()
            self.pressed_notes.set((*self.pressed_notes.get(), note))
            self._update_sound()

    def release_key(self, note: int) -> None:
        """Release a key. If another one is still down, its note plays again."""
        self.pressed_notes.set(tuple(other for other in self.pressed_notes.get() if other != note))
        self._update_sound()

    def release_keys(self) -> None:
        """Release all keys."""
        self.pressed_notes.set(())
        self._update_sound()

    def hold_note(self, on: bool) -> None:
        """Hold the note after its key is released, or end that."""
        self._brief_timer.stop()
        self.held.set(on and self.wave.get() is not None)
        self._update_sound()

    def play_briefly(self) -> None:
        """Play the wave for a second, unless it plays already."""
        if self.wave.get() is not None and not self.held.get() and not self.pressed_notes.get():
            self._brief_timer.start()
            self._update_sound()

    def stop(self) -> None:
        """Stop all notes."""
        self._brief_timer.stop()
        self.held.set(False)
        self.release_keys()

    def set_octave(self, octave: int) -> None:
        """Set the octave at which the keys begin. Notes of keys that are down stay the same."""
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
