"""Plays the samples of a sound run: recordings as they are, single waves as a note of a second."""

import numpy as np
from PySide6.QtCore import QObject, QTimer

from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages
from studio.app.core.observable import State, Value
from studio.media.sounds.playback import PlaybackBuffer
from studio.media.sounds.speaker import SampleSource
from studio.wire.messages import Array

NOTE = 110
"""Cycles of a single wave in a second: the A of two octaves below middle C."""
LEVEL = 0.5
"""Loudness, from 0 to 1: that of the panel Sound at 70 %, as loudness is perceived."""


class SamplePlayer(State):
    """Plays one sample at a time, the one that was requested last."""

    def __init__(self, card: SoundCard, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._card = card
        self._messages = messages
        self.playing: Value[tuple[int, ...] | None] = Value(None, self)
        """The numbers under which a sample plays; None if none does."""
        self._source: PlaybackBuffer | None = None
        self._seconds = 0.0
        """The length of what plays."""
        self._end = QTimer(self)
        self._end.setSingleShot(True)
        self._end.timeout.connect(self.stop)
        card.opened.connect(self._start_clock)
        card.failed.connect(self._report_silence)
        card.lost.connect(self._report_silence)
        card.handed_over.connect(self._stop_if_mine)

    def play(self, numbers: tuple[int, ...], sound: Array, rate: int) -> None:
        """Play a sample from its beginning, or stop if it plays already. `rate` in Hz is 0 for a single wave."""
        is_same = self.playing.get() == numbers
        self.stop()
        if is_same:
            return
        if not rate:
            sound, rate = np.tile(sound, NOTE), NOTE * len(sound)
        source = PlaybackBuffer(rate)
        source.level = LEVEL
        source.append(sound)
        source.mark_complete()
        source.play()
        self._source = source
        self.playing.set(numbers)
        self._seconds = len(sound) / rate
        self._card.play_source(source)

    def stop(self) -> None:
        """Stop the sample that plays."""
        self._end.stop()
        if self._source is not None:
            self._source.pause()
            self._card.rest(self._source)
            self._source = None
        self.playing.set(None)

    def close(self) -> None:
        """Stop, and release the sound card."""
        source = self._source
        self.stop()
        if source is not None:
            self._card.release(source)

    def _start_clock(self, source: SampleSource) -> None:
        """Stop after the length of the sample. This time begins only now, because the card may open late."""
        if source is self._source:
            self._end.start(round(1000 * (self._seconds + self._card.delay)))

    def _report_silence(self, source: SampleSource, reason: str) -> None:
        if source is self._source:
            self.stop()
            self._messages.show_message(reason, "warn")

    def _stop_if_mine(self, source: SampleSource) -> None:
        if source is self._source:
            self.stop()
