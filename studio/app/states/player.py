"""A sound that is heard while it is made: the engine makes it a little ahead of the ear, the sound card reads it."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.states.messages import Messages
from studio.app.states.queue import about
from studio.app.states.recorded import clock
from studio.app.states.sound_card import SoundCard
from studio.app.states.tone import Output
from studio.app.states.value import Engine, Plain, State, Value
from studio.media.recording import brought
from studio.media.stream import CUSHION, Stream
from studio.wire.messages import PIECE, AnyCommand, AnyEvent, Array, Ending, Failed, Perform, Sounded, Steer

AHEAD = 0.8
"""Seconds that are made ahead of the ear, where making is faster than hearing."""
LIVE = 1.5
"""Seconds ahead of the ear, of which a change throws away what is not heard yet; of more it keeps all."""
SPARED, MOST_SPARED = 0.05, 0.3
"""Seconds after what the card was given that stay as they are when a hand changes something: the time to make more. It
begins with the first, and is half as long again each time that it ran dry, up to the second."""
FAST = 1.1
"""Times real time from which on it is made faster than it is heard."""
PART = 20.0
"""Seconds that play without a gap, where it is made slower than it is heard."""
TICK = 50
"""Milliseconds between two looks at the ear."""

Changes = Callable[[float], Plain]
"""From the second on which they hold to what a Steer says."""


class Player(State):
    """One sound of any length, of which the model makes the end."""

    grew = Signal()
    """Samples came, or were let go of."""
    leaves = Signal()
    """Another sound is about to take its place."""
    ticked = Signal()
    """The ear is elsewhere, or soon will be."""

    def __init__(self, engine: Engine, output: Output, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._messages = engine, messages
        self.card = SoundCard(output, self)
        self.playing: Value[bool] = Value(False, self)
        """Whether it is to be heard; it may still have to wait."""
        self.making: Value[bool] = Value(False, self)
        self.waiting: Value[str] = Value("", self)
        """Why nothing is heard yet though it plays, and how long that will be; empty where that is not so."""
        self.speed: Value[float] = Value(0.0, self)
        """Seconds that are made in a second of work, of late; 0 where that is not known."""
        self.level: Value[float] = Value(0.7, self)
        """0 to 1, as the ear counts; not part of what is exported."""
        self.loop: Value[tuple[float, float] | None] = Value(None, self)
        """Seconds that are repeated while `looping`."""
        self.looping: Value[bool] = Value(False, self)
        self.recording: Value[bool] = Value(False, self)
        """Whether what is heard is kept."""
        self._job, self._begin, self._allowed = "", 0, 0.0
        self._turning, self._next = "", list[Changes]()
        self._held: list[Sounded] = []
        self._dropped = np.zeros(0, np.int16), np.zeros(0, np.float32)
        """What a turn under way is to put something else in place of, and what it cost."""
        self._jobs = itertools.count(1)
        self._status = "Starting"
        self._sounds = False
        self.spared = SPARED
        """What this machine was found to need."""
        self._ticks = QTimer(self)
        self._ticks.setInterval(TICK)
        self._ticks.timeout.connect(self.tick)
        self._dried = 0
        """How often it had run dry at the last look."""
        self.rate, self._stream = 16_000, Stream(16_000)
        self._prices = np.zeros(0, np.float32)
        self.card.refused.connect(self._refused)

    # ── what there is ────────────────────────────────────────────────────────────────────────────

    def load(self, rate: int, samples: Array) -> None:
        """Another sound, at its beginning and silent."""
        self.leaves.emit()
        self.stop()
        self.card.let_go()
        self.rate, self._dried = rate, 0
        self._stream = Stream(rate)
        self._stream.level = self._gain()
        self._stream.write(samples)
        self._prices = np.zeros(0, np.float32)
        self._price(0, np.full(len(samples), np.nan, np.float32))
        self.set_loop(None)
        self.grew.emit()

    def cut(self, first: int) -> None:
        """Nothing more is made, and what there is from a sample on is let go of; what is heard goes on to there."""
        self.halt()
        self._stream.drop(first)
        self._prices[first:] = np.nan
        self.grew.emit()

    @property
    def samples(self) -> Array:
        """(n,) int16, all that there is."""
        return self._stream.made

    @property
    def bits(self) -> Array:
        """(n,) float32: what each sample cost, NaN where that is not known."""
        return self._prices[: len(self._stream.made)]

    @property
    def made(self) -> float:
        """Seconds that there are."""
        return len(self._stream.made) / self.rate

    @property
    def begin(self) -> float:
        """Second from which the model makes it, of what is under way or was last."""
        return self._begin / self.rate

    @property
    def settled(self) -> float:
        """Second up to which nothing that a hand changes now is heard."""
        return (self._begin + self._first_to_change()) / self.rate if self._job else self.made

    @property
    def position(self) -> float:
        """Second that the sound card was given last."""
        return self._stream.position

    @property
    def ahead(self) -> float:
        """Seconds that are made and not given to the sound card yet."""
        return self._stream.ahead

    @property
    def gaps(self) -> int:
        """How often nothing was made in time."""
        return self._stream.gaps

    @property
    def taped(self) -> float:
        """Seconds that are recorded so far."""
        return self._stream.taped

    @property
    def job(self) -> str:
        """What makes it, empty where nothing does."""
        return self._job

    def price(self, first: int, bits: Array) -> None:
        """What samples from number `first` on cost is known now."""
        self._price(first, bits[: max(len(self.samples) - first, 0)])
        self.grew.emit()

    def _price(self, first: int, bits: Array) -> None:
        end = first + len(bits)
        if end > len(self._prices):
            more = np.full(max(end, len(self._prices)) + self.rate, np.nan, np.float32)
            self._prices = np.concatenate((self._prices, more))
        self._prices[first:end] = bits

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def make(self, ask: Perform) -> None:
        """Go on from the end of what there is."""
        if self._job:
            return
        self._begin, self._allowed = len(self.samples), 0.0
        self._job = f"perform-{next(self._jobs)}"
        self._stream.go_on()
        self.making.set(True)
        self._allowed = self._wanted()
        if self._status == "Stopped":  # after too many crashes it waits for a person, who has just asked
            self._engine.start()
        begin = self.samples.copy() if self._begin else None
        self._engine.send(replace(ask, job=self._job, begin=begin, until=self._allowed))
        self._ticks.start()

    def halt(self) -> None:
        """Stop making; what is made stays."""
        if self._job:
            self._engine.stop(self._job)
            self._ended()

    def turn(self, changes: Changes) -> None:
        """Have it made by something else from the next moment that can still be changed. `changes` are asked for then:
        while a turn is under way, the newest waits for its end."""
        if not self._job:
            changes(self.made)
        elif self._turning:
            self._next[:] = [changes]
        else:
            first = self._first_to_change()
            asked = changes((self._begin + first) / self.rate)
            self._turning = f"steer-{next(self._jobs)}"
            self._dropped = self.samples[self._begin + first :].copy(), self.bits[self._begin + first :].copy()
            self._stream.drop(self._begin + first)
            self._prices[self._begin + first :] = np.nan
            self._engine.send(Steer(job=self._turning, running=self._job, again=first, **asked))
            self.grew.emit()

    @property
    def next_to_change(self) -> int:
        """The first sample that can still be made by something else."""
        return self._begin + self._first_to_change()

    def _first_to_change(self) -> int:
        """The first sample of those that are made, in whole pieces: soon after the ear, where that follows closely."""
        made, piece = len(self.samples) - self._begin, round(PIECE * self.rate)
        if self.ahead > LIVE or self.speed.get() < FAST:
            return made
        heard = round(self.position * self.rate)
        if self._sounds:
            heard = max(heard + round(self.spared * self.rate), self._stream.free + round(self.spared / 2 * self.rate))
        return min(max(math.ceil((heard - self._begin) / piece) * piece, 0), made)

    def _wanted(self) -> float:
        """Seconds of what is made that may be made for now."""
        reach = AHEAD if self.speed.get() >= FAST or not self.speed.get() else PART
        return max(self.position - self._begin / self.rate, 0.0) + reach

    # ── what the engine says ─────────────────────────────────────────────────────────────────────

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self._status = status
        self.tick()

    def take(self, event: AnyEvent) -> None:
        job = getattr(event, "job", "")
        if job and job == self._turning and isinstance(event, Ending):
            self._turned(event)
        elif job and job == self._job:
            if isinstance(event, Sounded):
                self._hear(event)
            elif isinstance(event, Ending):
                self._ended()
                if isinstance(event, Failed):
                    said = f"{event.why} What is made is kept. {event.hint}".strip()
                    self._messages.say(said, "failed")

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died: what is made plays on to its end."""
        if self._job and any(command.job == self._job for command in commands):
            self._ended()
            end = clock(self.made)
            said = f"{why} The sound was made up to {end}, which is kept. Play goes on from there."
            self._messages.say(said.strip(), "failed")

    def _hear(self, event: Sounded) -> None:
        if self._turning:
            self._held.append(event)
            return
        first = self._begin + event.first
        if first == len(self.samples):
            self._stream.write(event.samples)
            self._price(first, event.bits)
            self.speed.set(event.speed)
            self.grew.emit()
            self.tick()

    def _turned(self, event: Ending) -> None:
        held, self._held, self._turning = self._held, [], ""
        if isinstance(event, Failed):
            self._messages.say(f"{event.why} It plays on as it was. {event.hint}".strip(), "failed")
            samples, bits = self._dropped
            self._price(len(self.samples), bits)
            self._stream.write(samples)
            for each in held:
                self._hear(each)
        if self._next:
            self.turn(self._next.pop())

    def _ended(self) -> None:
        self._job, self._turning, self._held, wishes = "", "", [], self._next[:]
        self._next.clear()
        for changes in wishes:  # they hold for what is made later
            changes(self.made)
        self._stream.finish()
        self.making.set(False)
        self.tick()

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        """Let it be heard from where it is."""
        self.playing.set(True)
        self._ticks.start()
        self.card.give(self._stream)
        self.tick()

    def pause(self) -> None:
        """Silence; it stays where it is, and making goes on until enough is ahead."""
        self.playing.set(False)
        self.tick()

    def stop(self) -> None:
        """Silence, and nothing more is made."""
        self.halt()
        self.pause()

    def seek(self, seconds: float) -> None:
        """Go on from there, as far as it is made."""
        self._stream.seek(min(max(seconds, 0.0), self.made))
        self.tick()

    def set_level(self, level: float) -> None:
        self.level.set(min(max(float(level), 0.0), 1.0))
        self._stream.level = self._gain()

    def set_loop(self, loop: tuple[float, float] | None, on: bool | None = None) -> None:
        """Which seconds are repeated, and whether they are."""
        self.loop.set(loop)
        self.looping.set(loop is not None and (self.looping.get() if on is None else on))
        begin, end = loop if loop is not None and self.looping.get() else (None, 0.0)
        self._stream.loop(begin, end)
        if begin is not None and not begin <= self.position < end:
            self.seek(begin)

    def record(self) -> None:
        """Keep what is heard from now on, as it is heard: pauses are left out, moves and repeats are in it."""
        self._stream.record()
        self.recording.set(True)

    def recorded(self) -> Array:
        """What was heard since `record` (n,) int16 at the sound's rate."""
        self.recording.set(False)
        heard, rate = self._stream.recorded()
        return brought(heard, rate, self.rate)

    def choose(self, device: str) -> None:
        """Play by another output; empty for the system's own."""
        self.card.device.set(device)
        if self.card.open:
            self.card.let_go()
            if self.playing.get():
                self.play()

    def tick(self) -> None:
        """Look where the ear is: allow more to be made, say why nothing is heard yet, notice a card that is gone."""
        self._wait()
        if self._job:
            wanted = self._wanted()
            if abs(wanted - self._allowed) > 5 * PIECE:  # less, where it has proved to be fast
                self._allowed = wanted
                ahead = f"ahead-{next(self._jobs)}"
                self._engine.send(Steer(job=ahead, running=self._job, until=wanted))
        elif self.playing.get() and self.card.open and (self._stream.over or not self.ahead) and not self.looping.get():
            self.pause()
        self._watch()
        self.ticked.emit()

    def _wait(self) -> None:
        """Whether enough is there to be heard without a gap."""
        ahead, speed, said = self.ahead, self.speed.get(), ""
        if not self._job or self.looping.get():
            self._sounds = True
        else:
            need = CUSHION if speed >= FAST else max(PART * (1 - speed), CUSHION)
            ran_dry, self._dried = self.gaps > self._dried, self.gaps
            if ran_dry:
                self.spared = min(1.5 * self.spared, MOST_SPARED)
            self._sounds = ahead > 0 and not ran_dry if self._sounds else ahead >= need
            if not self._sounds and speed and need > CUSHION:
                left = about((need - ahead) / speed)
                said = f"{speed:.1f} × real time. Playing starts in {left}, then without a gap for {PART:.0f} s."
            elif not self._sounds:
                said = self._soon()
        self._sounds = self._sounds and self.playing.get()
        self.waiting.set(said if self.playing.get() else "")
        if self._sounds:
            self._stream.play()
        else:
            self._stream.pause()

    def _soon(self) -> str:
        """Why it is not known yet when it will be heard."""
        if self._status == "Starting":
            return "Playing starts when the engine is ready."
        if self.made > self.begin:
            return "The fast loop is being prepared, once for this computer. Then playing starts."
        return "Playing starts in a moment."

    def _watch(self) -> None:
        if fault := self.card.watch(self.playing.get()):
            self.pause()
            going = " Making goes on, playing waits." if self._job else ""
            said = f"{fault.split('. ')[0].rstrip('.')} at {clock(self.position)}.{going} Nothing is lost."
            self._messages.say(said, "failed", ("Play on the system's output", lambda: self._elsewhere()))
        if not (self._job or self.playing.get() or self.card.open):
            self._ticks.stop()

    def _elsewhere(self) -> None:
        self.card.device.set("")
        self.play()

    def _refused(self, why: str) -> None:
        self.pause()
        self._messages.say(why, "warn", ("Try again", self.play))

    def let_go(self) -> None:
        """Let another have the sound card."""
        self.pause()
        self.card.let_go()

    def _gain(self) -> float:
        return self.level.get() ** 2

    def close(self) -> None:
        """Let go of the sound card."""
        self.stop()
        self.card.close()
        self._ticks.stop()
