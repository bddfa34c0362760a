"""What the engine makes for the ear: a little ahead of it, and from the next moment on as a hand changes it."""

from typing import Protocol

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Record, State, Value
from studio.app.core.request import Request
from studio.app.core.text import timecode
from studio.app.panels.sound.buffer import Reel
from studio.app.panels.sound.live_edit import Landing, Turn
from studio.media.sounds.playback import FASTER_THAN_REAL_TIME
from studio.wire.messages import CHUNK_SECONDS, Adjust, AnyCommand, AnyEvent, Failed, SoundChunk, StreamSound

AHEAD = 0.8
"""Seconds that are made ahead of the ear, where making is faster than hearing."""
SOON, CALM = 0.3, 0.25
"""Seconds that are made ahead just after a change, and how many more for every second that plays after it: a hand that
moves on throws most of it away."""
LIVE = 1.5
"""Seconds ahead of the ear, of which a change throws away what is not heard yet; of more it keeps all."""
SPARED, LEAST_SPARED, MOST_SPARED = 0.02, 0.01, 0.3
"""Seconds after which the engine is counted upon to make what a hand has changed. It begins with the first, and stays
between the others."""
LATER, EARLIER = 1.2, 0.9955
"""What these seconds are multiplied with after a change that came too late, and after one that came in time: one in
forty may be late."""
SURE, MOST_SURE = 0.005, 0.2
"""Seconds that must be there when what is new takes over, where it is made at one and a half times the speed of hearing
or more. So little is enough, since a speaker waits for more while the card has something left. It begins with the
first."""
SURER, FORGOTTEN = 2.0, 0.998
"""What these seconds are multiplied with each time that it ran dry, and after a change that was in time: half of them
are left after 350."""
PART = 20.0
"""Seconds that play without a gap, where it is made slower than it is heard."""


class Change(Protocol):
    """What a hand has changed and is not made yet. A newer one has all that an older one had."""

    def hold(self, seconds: float) -> Record:
        """It holds from a second on; what a Steer says of it."""

    def miss(self) -> None:
        """It came too late: all is as it was before it was held, which it will be from a later second on."""

    def fail(self) -> None:
        """It cannot be: all is as it was before it was held."""


class Performing(State):
    """The end of a reel, which a model makes. What a change does away with plays on until what is new is there; where
    that comes too late, the change is asked for again, from a later moment on."""

    left = Signal()
    """Another sound replaces this one, so messages about this one are dismissed."""
    grew = Signal()
    """Samples were added or removed."""
    moved = Signal()
    """The ear may have more to hear, or is to be told that there is no more."""

    def __init__(self, engine: EngineProtocol, messages: Messages, reel: Reel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages, self._landing = messages, Landing(reel)
        self._request = Request(engine, "perform", "single", self, at_once=self._landing.hear)
        self._request.progressed.connect(self._use_part)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        for ended in (self._request.answered, self._request.stopped):
            ended.connect(self._ended)
        self._steers = Request(engine, "steer", "single", self, at_once=self._landing.hear)
        self._steers.failed.connect(self._fail)
        self.making: Value[bool] = Value(False, self)
        self.speed: Value[float] = Value(0.0, self)
        """Seconds that are made in a second of work, of late; 0 where that is not known."""
        self.spared, self.sure = SPARED, SURE
        """What this machine was found to need, of late."""
        self._begin, self._allowed = 0, 0.0
        self._turned = 0.0
        """Second from which the last change holds, 0 where there was none."""
        self._late = False
        """Whether the last change came too late."""
        self._turn: Turn | None = None
        self._change: Change | None = None
        """What the turn makes so."""
        self._next: Change | None = None

    @property
    def job(self) -> str:
        """What makes it, empty where nothing does."""
        return self._request.job

    @property
    def reel(self) -> Reel:
        """What it makes the end of."""
        return self._landing.reel

    @reel.setter
    def reel(self, reel: Reel) -> None:
        self._landing.reel = reel

    @property
    def sounds(self) -> bool:
        """Whether the ear follows: what it has got cannot be made anew."""
        return self._landing.sounds

    @sounds.setter
    def sounds(self, sounds: bool) -> None:
        self._landing.sounds = sounds

    # ── from where to where ──────────────────────────────────────────────────────────────────────

    @property
    def begin(self) -> float:
        """Second from which the model makes it, of what is under way or was last."""
        return self._begin / self.reel.rate

    @property
    def changed(self) -> float:
        """The second from which all samples are made with the present settings."""
        return max(self.begin, self._turned)

    @property
    def resting(self) -> bool:
        """Whether the engine has made all that it may and waits for playing to catch up."""
        return bool(self.job) and self.reel.seconds - self.begin > self._allowed - CHUNK_SECONDS - 1e-6

    @property
    def settled(self) -> float:
        """Second up to which nothing that a hand changes now is heard."""
        if not self.job:
            return self.reel.seconds
        return (self._turn.first if self._turn is not None else self.next_to_change) / self.reel.rate

    @property
    def next_to_change(self) -> int:
        """The first sample that can still be made by something else: soon after the ear, where that follows closely,
        and not before the last change.

        What would not last until it can be asked again, should it come too late, is all kept.
        """
        stream, rate = self.reel.stream, self.reel.rate
        if stream.buffered_seconds > LIVE or self.speed.get() < FASTER_THAN_REAL_TIME:
            return self.reel.whole
        if not self.sounds:
            return max(round(stream.position * rate), self._begin)
        lead, whole = round(self._soon * rate), self.reel.whole
        first = max(stream.first_replaceable_after(self._soon), round(self._turned * rate), self._begin)
        return first if whole - first >= lead else whole

    @property
    def _soon(self) -> float:
        """Seconds from the ear to what can still be made by something else."""
        return (self.spared + self._sure / self.speed.get()) * (2 if self._late else 1)

    @property
    def _able(self) -> bool:
        """Whether a change can be asked for: enough is there to ask once more, should it come too late. In the first
        moments, after a gap and under a hand that never rests it waits until that is so."""
        ahead = (self.reel.whole - self.reel.stream.first_replaceable) / self.reel.rate
        return not self.sounds or self.speed.get() < FASTER_THAN_REAL_TIME or ahead >= min(2 * self._soon, SOON / 2)

    @property
    def _sure(self) -> float:
        """Seconds of what is new that must be there: the more, the slower more comes."""
        return min(self.sure / min(max(2 * (self.speed.get() - 1), 0.01), 1.0), MOST_SURE)

    def _wanted(self) -> float:
        """How many seconds of what it makes the engine may have made: a little more than the ear will want soon."""
        position, fast = self.reel.stream.position, self.speed.get() >= FASTER_THAN_REAL_TIME or not self.speed.get()
        soon = max(SOON, 3 * self._sure)
        calm = CALM * max(position - self._turned, 0.0) if self._turned else AHEAD
        reach = min(soon + calm, AHEAD) if fast else PART
        return max(position - self.begin, 0.0) + reach

    # ── what is asked ────────────────────────────────────────────────────────────────────────────

    def make(self, ask: StreamSound) -> None:
        """Go on from the end of what there is."""

        def question(job: str) -> AnyCommand:
            self._begin, self._turned = self._landing.open(job), 0.0
            self.reel.stream.mark_incomplete()
            self.making.set(True)
            self._allowed = self._wanted()
            begin = self.reel.samples.copy() if self._begin else None
            return replace(ask, job=job, sound_to_continue=begin, allowed_seconds=self._allowed)

        self._request.ask(question)

    def halt(self) -> None:
        """Stop making; what is made stays."""
        if self.job:
            self._request.cancel()
            self._ended()

    def cut(self, first: int) -> None:
        """Nothing more is made, and what there is from a sample on is let go of; what is heard goes on to there."""
        self._miss()
        self._landing.close()
        self.reel.drop(first)
        self.halt()
        self.grew.emit()

    def allow(self) -> None:
        """Let as much be made as the ear will want soon: less, where it has proved to be fast."""
        wanted = self._wanted()
        if self.job and abs(wanted - self._allowed) > 5 * CHUNK_SECONDS:
            self._allowed = wanted
            self._request.steer(until=wanted)

    def turn(self, change: Change) -> None:
        """Have it made by something else from the next moment that can still be changed. While one change is under way,
        the newest waits for it."""
        if not self.job:
            change.hold(self.reel.seconds)
        elif self._turn is not None or not self._able:
            self._next = change
        else:
            self._ask(change)

    def dry(self) -> None:
        """There was a gap: what took over was not enough."""
        self.sure = min(SURER * self.sure, MOST_SURE)

    def _ask(self, change: Change, instead: bool = False) -> None:
        first = self.next_to_change
        asked = change.hold(first / self.reel.rate)
        sure = round(self._sure * self.reel.rate)

        def question(job: str) -> AnyCommand:
            self._turn, self._change = Turn(job, first, sure, instead), change
            self._landing.await_turn(self._turn)
            self._turned = first / self.reel.rate
            self._allowed = self._wanted()
            again = first - self._begin
            ask = Adjust(
                job=job,
                running_job=self.job,
                from_sample=again,
                allowed_seconds=self._allowed,
                replaces_late_edit=instead,
            )
            return replace(ask, **asked)

        self._steers.ask(question)
        self.grew.emit()

    # ── what is answered ─────────────────────────────────────────────────────────────────────────

    def _use_part(self, event: AnyEvent) -> None:
        """Note what the engine has made; it has landed already."""
        if isinstance(event, SoundChunk):
            self.speed.set(event.speed)
            self._look()
            self.grew.emit()
            self.moved.emit()

    def _show_failure(self, event: Failed) -> None:
        self._ended()
        said = f"{event.reason} What is made is kept. {event.hint}".strip()
        self._messages.show_message(said, "failed", until=(self.making.changed, self.left))

    def _show_loss(self, why: str) -> None:
        """The engine died: what is made plays on to its end."""
        self._ended()
        end = timecode(self.reel.seconds)
        said = f"{why} The sound was made up to {end}, which is kept. Play goes on from there."
        self._messages.show_message(said.strip(), "failed", until=(self.making.changed, self.left))

    def _look(self) -> None:
        """Whether what is new has taken over, or came too late for that and is asked for again."""
        if self._turn is not None and self._turn.landed:
            self._over()
            self._late = False
            self.spared = max(EARLIER * self.spared, LEAST_SPARED)
            self.sure = max(FORGOTTEN * self.sure, SURE)
            self._go_on()
        elif self._turn is None:
            self._go_on()
        elif self._turn.landed is False:
            self._late = True
            self.spared = min(LATER * self.spared, MOST_SPARED)
            self._miss()
            self._go_on(instead=True)

    def _fail(self, event: Failed) -> None:
        change = self._over()
        change.fail()
        said = f"{event.reason} It plays on as it was. {event.hint}".strip()
        self._messages.show_message(said, "failed", until=(self.making.changed, self.left))
        self.grew.emit()
        self._go_on()

    def _over(self) -> Change:
        """Nothing gives way any more; what was on its way."""
        change = self._change
        assert change is not None, "there is one while something turns"
        self._turn = self._change = None
        self._steers.leave()
        self._landing.forget_turn()
        return change

    def _miss(self) -> None:
        """What is on its way waits to be asked again."""
        if self._turn is not None:
            change = self._over()
            change.miss()
            self._next = self._next or change

    def _go_on(self, instead: bool = False) -> None:
        """Ask what waits."""
        if self._next is not None and (instead or self._able):
            change, self._next = self._next, None
            self._ask(change, instead)

    def _ended(self) -> None:
        self._landing.close()
        self._miss()
        change, self._next = self._next, None
        if change is not None:  # it holds for what is made later
            change.hold(self.reel.seconds)
        self.reel.stream.mark_complete()
        self.making.set(False)
        self.moved.emit()
