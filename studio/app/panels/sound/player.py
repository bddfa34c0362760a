"""A sound that is heard while it is made: the engine makes it a little ahead of the ear, the sound card reads it."""

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.audio.sound_card import OutputProtocol, SoundCard
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value, within
from studio.app.core.text import time_left, timecode
from studio.app.panels.sound.buffer import Reel
from studio.app.panels.sound.live_generation import PART, Performing
from studio.media.sounds.audio_file import resample_whole
from studio.media.sounds.playback import FASTER_THAN_REAL_TIME, START_BUFFER_SECONDS
from studio.media.sounds.speaker import LATENCIES
from studio.wire.messages import Array, StreamSound

TICK = 50
"""Milliseconds between two looks at the ear."""


class Player(State):
    """One sound of any length, of which the model makes the end."""

    grew = Signal()
    """Samples were added or removed."""
    repriced = Signal(int, int)
    """Prices arrived: the number of the first sample, and of the one after the last."""
    leaves = Signal()
    """Another sound is about to take its place."""
    ticked = Signal()
    """The ear is elsewhere, or soon will be."""

    def __init__(
        self, engine: EngineProtocol, output: OutputProtocol, messages: Messages, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine, self._messages = engine, messages
        self.reel = Reel(16_000, np.zeros(0, np.int16))
        self.performing = Performing(engine, messages, self.reel, self)
        """How the model makes more of it."""
        self.card = SoundCard(output, self)
        self.playing: Value[bool] = Value(False, self)
        """Whether it is to be heard; it may still have to wait."""
        self.waiting: Value[str] = Value("", self)
        """Why nothing is heard yet though it plays, and how long that will be; empty where that is not so."""
        self.level: Value[float] = Value(0.7, self)
        """0 to 1, as the ear counts; not part of what is exported."""
        self.loop: Value[tuple[float, float] | None] = Value(None, self)
        """Seconds that are repeated while `looping`."""
        self.looping: Value[bool] = Value(False, self)
        self.recording: Value[bool] = Value(False, self)
        """Whether what is heard is kept."""
        self._ticks = QTimer(self)
        self._ticks.setInterval(TICK)
        self._ticks.timeout.connect(self.tick)
        self._dried = 0
        """How often it had run dry at the last look."""
        self.card.failed.connect(self._refused)
        engine.status_changed.connect(self.tick)
        self.performing.grew.connect(self.grew)
        self.leaves.connect(self.performing.left)
        self.performing.moved.connect(self.tick)

    # ── what there is ────────────────────────────────────────────────────────────────────────────

    def load(self, rate: int, samples: Array) -> None:
        """Another sound, at its beginning and silent."""
        self.leaves.emit()
        self.stop()
        self.card.release()
        self._dried = 0
        self.speed.set(0.0)
        self.reel = self.performing.reel = Reel(rate, samples)
        self.reel.stream.level = self._gain()
        self.set_loop(None)
        self.grew.emit()

    @property
    def rate(self) -> int:
        """Of the sound, in Hz."""
        return self.reel.rate

    @property
    def samples(self) -> Array:
        """(n,) int16, all that there is."""
        return self.reel.samples

    @property
    def bits(self) -> Array:
        """(n,) float32: what each sample cost, NaN where that is not known."""
        return self.reel.bits

    @property
    def made(self) -> float:
        """Seconds that there are."""
        return self.reel.seconds

    @property
    def position(self) -> float:
        """Second that the sound card was given last."""
        return self.reel.stream.position

    @property
    def ahead(self) -> float:
        """Seconds that are made and not given to the sound card yet."""
        return self.reel.stream.buffered_seconds

    @property
    def gaps(self) -> int:
        """How often nothing was made in time."""
        return self.reel.stream.underruns

    @property
    def taped(self) -> float:
        """Seconds that are recorded so far."""
        return self.reel.stream.recorded_seconds

    def price(self, first: int, bits: Array) -> None:
        """What samples from number `first` on cost is known now."""
        known = bits[: max(len(self.samples) - first, 0)]
        self.reel.price(first, known)
        self.repriced.emit(first, first + len(known))

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    @property
    def making(self) -> Value[bool]:
        """Whether more is made."""
        return self.performing.making

    @property
    def speed(self) -> Value[float]:
        """Seconds that are made in a second of work, of late; 0 where that is not known."""
        return self.performing.speed

    def make(self, ask: StreamSound) -> None:
        """Go on from the end of what there is."""
        self.performing.make(ask)
        self._ticks.start()

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        """Let it be heard from where it is."""
        self.playing.set(True)
        self._ticks.start()
        self.card.play_source(self.reel.stream)
        self.tick()

    def pause(self) -> None:
        """Silence; it stays where it is, and making goes on until enough is ahead."""
        self.playing.set(False)
        self.tick()

    def stop(self) -> None:
        """Silence, and nothing more is made."""
        self.performing.halt()
        self.pause()

    def seek(self, seconds: float) -> None:
        """Go on from there, as far as it is made."""
        self.reel.stream.seek(min(max(seconds, 0.0), self.made))
        self.tick()

    def set_level(self, level: float) -> None:
        self.level.set(within(level, 0.0, 1.0))
        self.reel.stream.level = self._gain()

    def set_loop(self, loop: tuple[float, float] | None, on: bool | None = None) -> None:
        """Which seconds are repeated, and whether they are."""
        self.loop.set(loop)
        self.looping.set(loop is not None and (self.looping.get() if on is None else on))
        begin, end = loop if loop is not None and self.looping.get() else (None, 0.0)
        self.reel.stream.set_loop(begin, end)
        if begin is not None and not begin <= self.position < end:
            self.seek(begin)

    def record(self) -> None:
        """Keep what is heard from now on, as it is heard: pauses are left out, moves and repeats are in it."""
        self.reel.stream.start_recording()
        self.recording.set(True)

    def recorded(self) -> Array:
        """What was heard since `record` (n,) int16 at the sound's rate."""
        self.recording.set(False)
        heard, rate = self.reel.stream.stop_recording()
        return resample_whole(heard, rate, self.rate)

    def choose(self, device: str) -> None:
        """Play by another output; empty for the system's own."""
        self.card.device.set(device)
        self._open_anew()

    def set_latency(self, seconds: float) -> None:
        """How long the sound card may keep what it is given; 0 for what this machine needs."""
        self.card.latency.set(min(max(seconds, LATENCIES[0]), LATENCIES[-1]) if seconds else 0.0)
        self._open_anew()

    def _open_anew(self) -> None:
        if self.card.open:
            self.card.release()
            if self.playing.get():
                self.play()

    def tick(self) -> None:
        """Look where the ear is: allow more to be made, say why nothing is heard yet, notice a card that is gone."""
        self._wait()
        if self.performing.job:
            self.performing.allow()
        elif self.playing.get() and self.card.open and not self.looping.get() and self._over():
            self.pause()
        self._watch()
        self.ticked.emit()

    def _over(self) -> bool:
        """Whether it is heard to its end."""
        return self.reel.stream.has_ended or not self.ahead

    def _wait(self) -> None:
        """Whether enough is there to be heard without a gap."""
        ahead, speed, said, making = self.ahead, self.speed.get(), "", self.performing
        if not making.job or self.looping.get():
            making.sounds = True
        else:
            need = (
                START_BUFFER_SECONDS
                if speed >= FASTER_THAN_REAL_TIME
                else max(PART * (1 - speed), START_BUFFER_SECONDS)
            )
            ran_dry, self._dried = self.gaps > self._dried, self.gaps
            if ran_dry:
                making.dry()
            making.sounds = ahead > 0 and not ran_dry if making.sounds else ahead >= need
            if not making.sounds and speed and need > START_BUFFER_SECONDS:
                left = time_left((need - ahead) / speed)
                said = f"{speed:.1f} × real time. {self._begins} in {left}, then without a gap for {PART:.0f} s."
            elif not making.sounds:
                said = self._soon()
        making.sounds = making.sounds and self.playing.get()
        self.waiting.set((said or self.card.waiting_reason) if self.playing.get() else "")
        if making.sounds:
            self.reel.stream.play()
        else:
            self.reel.stream.pause()

    def _soon(self) -> str:
        """Why it is not known yet when it will be heard."""
        if self._engine.now == "Starting":
            return f"{self._begins} when the engine is ready."
        if self.made <= self.performing.begin:
            return f"{self._begins} once the model has begun."
        if not self.speed.get():
            return f"First run on this computer: preparing the fast version. Then {self._begins.lower()}."
        return f"{self._begins} in a moment."

    @property
    def _begins(self) -> str:
        return "Playing continues" if self.position else "Playing starts"

    def _watch(self) -> None:
        if fault := self.card.check_output(self.playing.get()):
            self.pause()
            rests = " The model pauses once it is well ahead." if self.performing.job else ""
            said = f"{fault.split('. ')[0].rstrip('.')} at {timecode(self.position)}. Playing is paused there.{rests}"
            other = "Play on the system's output" if self.card.device.get() else "Play again"
            again, until = (other, lambda: self._elsewhere()), (self.playing.changed, self.leaves)
            self._messages.show_message(f"{said} Nothing is lost.", "failed", again, until=until)
        if not (self.performing.job or self.playing.get() or self.card.open):
            self._ticks.stop()

    def _elsewhere(self) -> None:
        self.card.device.set("")
        self.play()

    def _refused(self, why: str) -> None:
        self.pause()
        self._messages.show_message(why, "warn", ("Try again", self.play), until=(self.playing.changed, self.leaves))

    def let_go(self) -> None:
        """Let another have the sound card."""
        self.pause()
        self.card.release()

    def _gain(self) -> float:
        return self.level.get() ** 2

    def close(self) -> None:
        """Let go of the sound card."""
        self.stop()
        self.card.close()
        self._ticks.stop()
