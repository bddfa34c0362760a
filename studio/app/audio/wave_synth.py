"""Plays a wave: held, on keys, or briefly. Shows a message if it cannot play."""

from PySide6.QtCore import QTimer, Signal

from studio.app.audio.sound_card import OutputProtocol
from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import Field, State, Value, within
from studio.media.sounds import wavetable
from studio.media.sounds.oscillator import Oscillator
from studio.media.sounds.single_cycle import LONGEST_CYCLE
from studio.media.sounds.speaker import NoSoundOutput
from studio.wire.messages import Array

LONGEST = LONGEST_CYCLE
"""The most samples of a single cycle. A longer wave is a recording."""

OCTAVES = 2

LOWEST = 0
HIGHEST = 7
"""The highest octave at which the keys can begin. Octave 4 begins with middle C, MIDI note 60."""

LISTEN_TIME = 1000
"""Milliseconds that a wave plays after a click."""

CHECK_INTERVAL = 250
"""Milliseconds between two checks of the sound card."""

RELEASE_AFTER = 20
"""Checks without a sound, after which the sound card is released."""

_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def note_name(note: int) -> str:
    """Return the name of a note, for the user: `A♯2`; middle C is C4."""
    return f"{_NAMES[note % 12]}{note // 12 - 1}"


def note_pitch(note: int) -> str:
    """Return the name and pitch of a note, for the user: `A2, 110.0 Hz`."""
    return f"{note_name(note)}, {wavetable.note_frequency(note):,.1f} Hz"


def harmonic_levels(wave: Array, count: int = 64) -> Array:
    """Return the level of each of the first harmonics, (count,) in decibels."""
    return wavetable.harmonic_amplitudes(wave, count)


class WaveSynth(State):
    """Plays one voice: the key pressed last, or the held note if none is down."""

    opening = Signal()
    """The sound card is about to open."""

    def __init__(self, output: OutputProtocol, messages: Messages) -> None:
        super().__init__()
        self._output = output
        self._messages = messages
        self.wave: Value[Array | None] = Value(None, self)
        """(samples,) int16. The wave that the keys and Play play."""
        self.note: Value[int] = Value(45, self)
        """The MIDI note that sounds, or sounded last."""
        self.pressed_notes: Value[tuple[int, ...]] = Value((), self)
        """Notes whose keys are down, the newest last."""
        self.held: Value[bool] = Value(False, self)
        """Whether the note sounds without a key."""
        self.sounding: Value[bool] = Value(False, self)
        self.octave: Value[int] = Value(2, self)
        """The octave at which the keys begin."""
        self.level: Value[float] = Value(0.7, self)
        """0 to 1, as it is perceived. It is no part of an export."""
        self.fields = (
            Field("note", self.note.get, lambda note: self.note.set(min(max(int(note), 0), 127))),
            Field("octave", self.octave.get, lambda octave: self.set_octave(int(octave))),
            Field("level", self.level.get, self.set_level),
        )
        self._source = Oscillator()
        self._source.set_level(self._gain())
        self._opening = BackgroundTask(self)
        self._open = False
        self._idle_checks = 0
        self._brief_timer = QTimer(self)
        self._brief_timer.setSingleShot(True)
        self._brief_timer.setInterval(LISTEN_TIME)
        self._brief_timer.timeout.connect(self._update_sound)
        self._check_timer = QTimer(self)
        self._check_timer.setInterval(CHECK_INTERVAL)
        self._check_timer.timeout.connect(self.check_output)

    def set_wave(self, wave: Array | None) -> None:
        """Play another wave, without a click. None is silent."""
        if self.wave.set(wave):
            if wave is None:
                self.stop()
            else:
                self._source.set_wave(wave)

    def press_key(self, note: int) -> None:
        """Press a key."""
        if self.wave.get() is not None and note not in self.pressed_notes.get():
            self._brief_timer.stop()
            self.pressed_notes.set((*self.pressed_notes.get(), note))
            self._update_sound()

    def release_key(self, note: int) -> None:
        """Release a key. One that is still down sounds again."""
        self.pressed_notes.set(tuple(other for other in self.pressed_notes.get() if other != note))
        self._update_sound()

    def release_keys(self) -> None:
        """Release all keys."""
        self.pressed_notes.set(())
        self._update_sound()

    def hold_note(self, on: bool) -> None:
        """Hold the note without a key, or release it."""
        self._brief_timer.stop()
        self.held.set(on and self.wave.get() is not None)
        self._update_sound()

    def play_briefly(self) -> None:
        """Play the wave for a second, unless it sounds already."""
        if self.wave.get() is not None and not self.held.get() and not self.pressed_notes.get():
            self._brief_timer.start()
            self._update_sound()

    def stop(self) -> None:
        """Stop all sound."""
        self._brief_timer.stop()
        self.held.set(False)
        self.release_keys()

    def set_octave(self, octave: int) -> None:
        """Set the octave of the keys. Keys that are down keep their notes."""
        self.octave.set(min(max(octave, LOWEST), HIGHEST))

    def set_level(self, level: float) -> None:
        self.level.set(within(level, 0.0, 1.0))
        self._source.set_level(self._gain())

    def check_output(self) -> None:
        """Check whether the sound card still plays, and release it after a while of silence."""
        fault = self._output.fault()
        if fault:
            self._close_card()
            self.stop()
            self._messages.show_message(
                fault, "failed", ("Play again", lambda: self.hold_note(True)), until=(self.sounding.changed,)
            )
            return
        self._idle_checks = 0 if self.sounding.get() else self._idle_checks + 1
        if self._idle_checks >= RELEASE_AFTER:
            self._close_card()

    def _update_sound(self) -> None:
        down = self.pressed_notes.get()
        plays = bool(down) or self.held.get() or self._brief_timer.isActive()
        if down:
            self.note.set(down[-1])
        self.sounding.set(plays)
        if not plays:
            self._source.release_note()
            return
        self._source.play_note(self.note.get())
        if not self._open:
            self._open = True
            self.opening.emit()
            # A sound server may take a while to answer, or not answer at all.
            self._opening.run(lambda: self._output.open(self._source), self._on_opened)

    def _on_opened(self, outcome: None | Exception) -> None:
        self._idle_checks = 0
        wave = self.wave.get()
        if outcome is None:
            self._check_timer.start()
            if wave is not None:
                self._source.set_wave(wave)  # the card's rate came from another thread
        elif isinstance(outcome, NoSoundOutput):
            self._open = False
            self.stop()
            again = ("Try again", lambda: self.hold_note(True))
            self._messages.show_message(str(outcome), "warn", again, until=(self.sounding.changed,))
        else:
            raise outcome

    def release_card(self) -> None:
        """Release the card for another part of the window."""
        if self._open:
            self._opening.wait()
            self.stop()
            self._close_card()

    def _close_card(self) -> None:
        self._check_timer.stop()
        self._output.close()
        self._open = False

    def _gain(self) -> float:
        return self.level.get() ** 2

    def close(self) -> None:
        """Release the sound card."""
        self._opening.wait()
        self.stop()
        self._close_card()
