"""Plays short sounds that are there as a whole, one at a time."""

from PySide6.QtCore import QObject, QTimer

from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages, Severity
from studio.app.core.observable import State, Value
from studio.media.sounds.playback import PlaybackBuffer
from studio.media.sounds.speaker import SampleSource
from studio.wire.messages import Array

CHECK_INTERVAL = 100
"""Milliseconds between two checks whether a sound has ended."""


class ClipPlayer(State):
    """Plays one sound, which its owner names. `playing` is that name, or empty."""

    def __init__(self, card: SoundCard, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._card = card
        self._messages = messages
        self.playing: Value[str] = Value("", self)
        self._buffer: PlaybackBuffer | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(CHECK_INTERVAL)
        self._timer.timeout.connect(self._check_end)
        card.failed.connect(lambda source, reason: self._show_silence(source, reason, "warn"))
        card.lost.connect(lambda source, reason: self._show_silence(source, reason, "failed"))
        card.handed_over.connect(self._on_handed_over)

    def play(self, name: str, samples: Array, rate: int) -> None:
        """Play samples (n,) int16 at a rate in Hz, in place of the sound that plays."""
        buffer = PlaybackBuffer(rate)
        buffer.append(samples)
        buffer.mark_complete()
        buffer.play()
        self._card.play_source(buffer)  # an earlier sound is handed over, and ends
        self._buffer = buffer
        self.playing.set(name)
        self._timer.start()

    def stop(self) -> None:
        """Stop the sound that plays."""
        if self._buffer is not None:
            self._buffer.pause()
            self._card.rest(self._buffer)
        self._forget()

    def close(self) -> None:
        """Stop, and release the sound card."""
        buffer = self._buffer
        self._forget()
        if buffer is not None:
            self._card.release(buffer)

    def _forget(self) -> None:
        self._timer.stop()
        self._buffer = None
        self.playing.set("")

    def _check_end(self) -> None:
        if self._buffer is not None and self._buffer.has_ended:
            self.stop()

    def _on_handed_over(self, source: SampleSource) -> None:
        if source is self._buffer:
            self._forget()

    def _show_silence(self, source: SampleSource, reason: str, severity: Severity) -> None:
        if source is self._buffer:
            self._forget()
            self._messages.show_message(reason, severity, until=(self.playing.changed,))
