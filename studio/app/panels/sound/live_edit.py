"""Where the engine's sound goes, in the thread that hears it: what is heard does not wait for a window that draws."""

from dataclasses import dataclass, field

import numpy as np

from studio.app.panels.sound.buffer import Reel
from studio.wire.messages import AnyEvent, Ending, Failed, SoundChunk


@dataclass
class Turn:
    """A change on its way, from its being asked to its being there."""

    job: str
    first: int
    """The first sample that it makes anew."""
    sure: int
    """Samples that are not given to the sound card yet, of which there must be as many when it takes over."""
    instead: bool
    """Whether it is asked in place of one that came too late, of which more may be on its way."""
    taken: bool = False
    """Whether the engine makes it so: what it says from now on is new."""
    landed: bool | None = None
    """Whether it came in time; None as long as that is open."""
    new: list[SoundChunk] = field(default_factory=list)


class Landing:
    """The end of a reel, where one job's sound is added; what a turn makes anew takes over there in time or not at all.

    The window's thread says what is to come, another one hears it come.
    """

    def __init__(self, reel: Reel) -> None:
        self.reel = reel
        self.sounds = False
        """Whether the ear follows: what it has got cannot be made anew."""
        self._job, self._begin = "", 0
        self._turn: Turn | None = None

    def open(self, job: str) -> int:
        """What a job says follows what there is; from which sample on."""
        with self.reel.lock:
            self._job, self._begin = job, self.reel.whole
            return self._begin

    def close(self) -> None:
        """Nothing more is added."""
        with self.reel.lock:
            self._job = ""

    def await_turn(self, turn: Turn) -> None:
        """What there is from its first sample on is to give way to what it makes."""
        with self.reel.lock:
            self._turn = turn
            self.reel.give_way(turn.first)

    def forget_turn(self) -> None:
        """Nothing gives way any more."""
        with self.reel.lock:
            self._turn = None
            self.reel.stay()

    def hear(self, event: AnyEvent) -> None:
        """What the engine says."""
        with self.reel.lock:
            turn = self._turn
            if isinstance(event, SoundChunk):
                if self._job and event.job == self._job:
                    self._land(event, turn)
            elif turn is not None and isinstance(event, Ending) and event.job == turn.job:
                turn.taken = True
                if isinstance(event, Failed):
                    self.forget_turn()

    def _land(self, event: SoundChunk, turn: Turn | None) -> None:
        if turn is not None and turn.landed is False:
            return
        if turn is not None and turn.taken and turn.landed is None:
            turn.new.append(event)
            self._swap(turn)
        elif self._begin + event.first_sample == self.reel.whole and (turn is None or turn.landed or not turn.instead):
            self.reel.add(event.samples, event.bits)

    def _swap(self, turn: Turn) -> None:
        """Put what is new in its place, once there is enough of it."""
        samples = np.concatenate([event.samples for event in turn.new])
        bits = np.concatenate([event.bits for event in turn.new])
        free = self.reel.stream.first_replaceable
        sure = not self.sounds or turn.first + len(samples) - free >= turn.sure
        if sure and self.reel.swap(samples, bits):
            turn.landed = True
        elif sure or free > turn.first:
            turn.landed = False
