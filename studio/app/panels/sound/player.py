"""Plays a sound while it is made: the engine makes it a little ahead of playback."""

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value, within
from studio.app.core.text import time_left, timecode
from studio.app.panels.sound.buffer import SoundBuffer
from studio.app.panels.sound.live_generation import JOB_SECONDS, LiveGeneration
from studio.media.sounds.audio_file import resample_whole
from studio.media.sounds.playback import FASTER_THAN_REAL_TIME, START_BUFFER_SECONDS
from studio.media.sounds.speaker import LATENCIES, SampleSource
from studio.wire.messages import Array, StreamSound

TICK_INTERVAL = 50
"""Milliseconds between two checks of playback."""


class SoundPlayer(State):
    """Plays one sound of any length, whose end the model makes."""

    grew = Signal()
    """Samples were added or removed."""
    bits_changed = Signal(int, int)
    """Emitted when bits arrive, with the numbers of the first sample and of the one after the last."""
    leaving = Signal()
    """Another sound is about to take its place."""
    ticked = Signal()
    """Emitted when playback has moved, or is about to."""

    def __init__(
        self, engine: EngineProtocol, card: SoundCard, messages: Messages, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._messages = messages
        self.buffer = SoundBuffer(16_000, np.zeros(0, np.int16))
        self.live_generation = LiveGeneration(engine, messages, self.buffer, self)
        """The job that continues the sound."""
        self.card = card
        self.playing: Value[bool] = Value(False, self)
        """Whether it plays; playback may still have to wait."""
        self.waiting_reason: Value[str] = Value("", self)
        """Why playback is still silent, and for how long; empty if it is heard."""
        self.level: Value[float] = Value(0.7, self)
        """0 to 1, as loudness is perceived; not part of the export."""
        self.loop: Value[tuple[float, float] | None] = Value(None, self)
        """Seconds that are repeated while `looping`."""
        self.looping: Value[bool] = Value(False, self)
        self.recording: Value[bool] = Value(False, self)
        """Whether it is being recorded."""
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_INTERVAL)
        self._timer.timeout.connect(self.update_playback)
        self._gap_noted = 0
        """The number of gaps at the last check."""
        card.failed.connect(self._on_card_failed)
        card.lost.connect(self._on_card_lost)
        card.handed_over.connect(self._on_card_handed_over)
        engine.status_changed.connect(self.update_playback)
        self.live_generation.grew.connect(self.grew)
        self.leaving.connect(self.live_generation.ended)
        self.live_generation.progressed.connect(self.update_playback)

    # ── samples ──────────────────────────────────────────────────────────────────────────────────

    def load_sound(self, rate: int, samples: Array) -> None:
        """Load another sound; playback stops at its beginning."""
        self.leaving.emit()
        self.stop()
        self.card.release(self.buffer.stream)
        self._gap_noted = 0
        self.speed.set(0.0)
        self.buffer = self.live_generation.writer.buffer = SoundBuffer(rate, samples)
        self.buffer.stream.level = self._gain()
        self.set_loop(None)
        self.grew.emit()

    @property
    def rate(self) -> int:
        """Return the rate in Hz."""
        return self.buffer.rate

    @property
    def samples(self) -> Array:
        """Return (n,) int16, all samples."""
        return self.buffer.samples

    @property
    def bits(self) -> Array:
        """Return (n,) float32: the bits of each sample, NaN if unknown."""
        return self.buffer.bits

    @property
    def made_seconds(self) -> float:
        """Return the length of the sound so far, in seconds."""
        return self.buffer.seconds

    @property
    def position(self) -> float:
        """Return the second up to which the sound card has the samples."""
        return self.buffer.stream.position

    @property
    def seconds_ahead(self) -> float:
        """Return the seconds of samples that the sound card does not have yet."""
        return self.buffer.stream.buffered_seconds

    @property
    def gap_count(self) -> int:
        """Return how often playback had a gap because samples came too late."""
        return self.buffer.stream.underruns

    @property
    def recorded_seconds(self) -> float:
        """Return the seconds recorded so far."""
        return self.buffer.stream.recorded_seconds

    def set_bits(self, first: int, bits: Array) -> None:
        """Set the bits of samples from number `first` on."""
        known = bits[: max(len(self.samples) - first, 0)]
        self.buffer.set_bits(first, known)
        self.bits_changed.emit(first, first + len(known))

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    @property
    def making(self) -> Value[bool]:
        """Return whether the engine is making samples."""
        return self.live_generation.making

    @property
    def speed(self) -> Value[float]:
        """Return how many seconds of sound the engine makes in a second, lately; 0 if unknown."""
        return self.live_generation.speed

    def start_job(self, command: StreamSound) -> None:
        """Continue from the present end."""
        self.live_generation.start_job(command)
        self._timer.start()

    # ── playback ─────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        """Play from the present position."""
        self.playing.set(True)
        self._timer.start()
        self.card.play_source(self.buffer.stream, self.card.device.get(), self.card.latency.get())
        self.update_playback()

    def pause(self) -> None:
        """Pause playback. The engine continues until enough samples lie ahead."""
        self.playing.set(False)
        self.update_playback()

    def stop(self) -> None:
        """Stop the engine's job and playback. Samples that were generated stay."""
        self.live_generation.stop_job()
        self.pause()

    def seek(self, seconds: float) -> None:
        """Move playback to a second, at most to the end of the sound."""
        self.buffer.stream.seek(min(max(seconds, 0.0), self.made_seconds))
        self.update_playback()

    def set_level(self, level: float) -> None:
        self.level.set(within(level, 0.0, 1.0))
        self.buffer.stream.level = self._gain()

    def set_loop(self, loop: tuple[float, float] | None, on: bool | None = None) -> None:
        """Set which seconds are repeated, and whether they are."""
        self.loop.set(loop)
        self.looping.set(loop is not None and (self.looping.get() if on is None else on))
        begin, end = loop if loop is not None and self.looping.get() else (None, 0.0)
        self.buffer.stream.set_loop(begin, end)
        if begin is not None and not begin <= self.position < end:
            self.seek(begin)

    def start_recording(self) -> None:
        """Start to record the output, with every move and repeat, but without pauses."""
        self.buffer.stream.start_recording()
        self.recording.set(True)

    def recorded_samples(self) -> Array:
        """Return the output since `start_recording`, (n,) int16 at the sound's rate."""
        self.recording.set(False)
        heard, rate = self.buffer.stream.stop_recording()
        return resample_whole(heard, rate, self.rate)

    def choose_output(self, device: str) -> None:
        """Play on another output; empty means the system's own."""
        self.card.device.set(device)
        self._reopen_card()

    def set_latency(self, seconds: float) -> None:
        """Set how long the sound card may keep samples; 0 means what this computer needs."""
        self.card.latency.set(min(max(seconds, LATENCIES[0]), LATENCIES[-1]) if seconds else 0.0)
        self._reopen_card()

    def _reopen_card(self) -> None:
        if self._has_card:
            self.card.release(self.buffer.stream)
            if self.playing.get():
                self.play()

    def update_playback(self) -> None:
        """Let the engine make more samples, and show why nothing is heard yet."""
        self._play_if_enough()
        if self.live_generation.job:
            self.live_generation.update_allowance()
        elif self.playing.get() and self._has_card and not self.looping.get() and self._is_at_end():
            self.pause()
        if not self.playing.get():
            self.card.rest(self.buffer.stream)
        if not (self.live_generation.job or self.playing.get() or self._has_card):
            self._timer.stop()
        self.ticked.emit()

    @property
    def _has_card(self) -> bool:
        """Return whether the sound card plays this sound."""
        return self.card.source is self.buffer.stream

    def _is_at_end(self) -> bool:
        """Return whether it was heard to its end."""
        return self.buffer.stream.has_ended or not self.seconds_ahead

    def _play_if_enough(self) -> None:
        """Play while enough samples are ready for playback without a gap; otherwise show why it is silent."""
        ahead = self.seconds_ahead
        speed = self.speed.get()
        text = ""
        making = self.live_generation
        writer = making.writer
        if not making.job or self.looping.get():
            writer.is_playing = True
        else:
            need = (
                START_BUFFER_SECONDS
                if speed >= FASTER_THAN_REAL_TIME
                else max(JOB_SECONDS * (1 - speed), START_BUFFER_SECONDS)
            )
            ran_dry = self.gap_count > self._gap_noted
            self._gap_noted = self.gap_count
            if ran_dry:
                making.note_gap()
            writer.is_playing = ahead > 0 and not ran_dry if writer.is_playing else ahead >= need
            if not writer.is_playing and speed and need > START_BUFFER_SECONDS:
                left = time_left((need - ahead) / speed)
                gapless = f"then without a gap for {JOB_SECONDS:.0f} s"
                text = f"{speed:.1f} × real time. {self._start_text} in {left}, {gapless}."
            elif not writer.is_playing:
                text = self._buffering_text()
        writer.is_playing = writer.is_playing and self.playing.get()
        self.waiting_reason.set((text or self.card.waiting_reason) if self.playing.get() else "")
        if writer.is_playing:
            self.buffer.stream.play()
        else:
            self.buffer.stream.pause()

    def _buffering_text(self) -> str:
        """Return why the start of playback is not known yet."""
        if self._engine.now == "Starting":
            return f"{self._start_text} when the engine is ready."
        if self.made_seconds <= self.live_generation.begin_seconds:
            return f"{self._start_text} once the model has begun."
        if not self.speed.get():
            return f"First run: preparing the fast version. Then {self._start_text.lower()}."
        return f"{self._start_text} in a moment."

    @property
    def _start_text(self) -> str:
        return "Playing continues" if self.position else "Playing starts"

    def _on_card_lost(self, source: SampleSource, fault: str) -> None:
        if source is not self.buffer.stream:
            return
        self.pause()
        rests = " The model pauses once it is well ahead." if self.live_generation.job else ""
        text = f"{fault.split('. ')[0].rstrip('.')} at {timecode(self.position)}. Playing is paused there.{rests}"
        other = "Play on the system's output" if self.card.device.get() else "Play again"
        again = (other, self._play_on_system_output)
        until = (self.playing.changed, self.leaving)
        self._messages.show_message(f"{text} Nothing is lost.", "failed", again, until=until)

    def _play_on_system_output(self) -> None:
        self.card.device.set("")
        self.play()

    def _on_card_failed(self, source: SampleSource, why: str) -> None:
        if source is self.buffer.stream:
            self.pause()
            again = ("Try again", self.play)
            until = (self.playing.changed, self.leaving)
            self._messages.show_message(why, "warn", again, until=until)

    def _on_card_handed_over(self, source: SampleSource) -> None:
        if source is self.buffer.stream:
            self.pause()

    def _gain(self) -> float:
        return self.level.get() ** 2

    def close(self) -> None:
        """Release the sound card."""
        self.stop()
        self.card.release(self.buffer.stream)
        self._timer.stop()
