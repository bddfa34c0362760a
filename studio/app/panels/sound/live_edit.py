"""Where the engine's sound goes, in the thread that hears it: what is heard does not wait for a window that draws."""

from dataclasses import dataclass, field

import numpy as np

from studio.app.panels.sound.buffer import SoundBuffer
from studio.wire.messages import AnyEvent, Ending, Failed, SoundChunk


@dataclass
class PendingEdit:
    """A change on its way, from its being asked to its being there."""

    job: str
    first: int
    """The first sample that it makes anew."""
    lead: int
    """Samples that are not given to the sound card yet, of which there must be as many when it takes over."""
    replaces_late_edit: bool
    """Whether it is asked in place of one that came too late, of which more may be on its way."""
    accepted: bool = False
    """Whether the engine makes it so: what it says from now on is new."""
    applied: bool | None = None
    """Whether it came in time; None as long as that is open."""
    chunks: list[SoundChunk] = field(default_factory=list)


class ChunkWriter:
    """The end of a reel, where one job's sound is added; what a turn makes anew takes over there in time or not at all.

    The window's thread says what is to come, another one hears it come.
    """

    def __init__(self, buffer: SoundBuffer) -> None:
        self.buffer = buffer
        self.is_playing = False
        """Whether the ear follows: what it has got cannot be made anew."""
        self._job, self._begin = "", 0
        self._edit: PendingEdit | None = None

    def open_job(self, job: str) -> int:
        """What a job says follows what there is; from which sample on."""
        with self.buffer.lock:
            self._job, self._begin = job, self.buffer.total_samples
            return self._begin

    def close_job(self) -> None:
        """Nothing more is added."""
        with self.buffer.lock:
            self._job = ""

    def begin_edit(self, edit: PendingEdit) -> None:
        """What there is from its first sample on is to give way to what it makes."""
        with self.buffer.lock:
            self._edit = edit
            self.buffer.begin_replacing(edit.first)

    def cancel_edit(self) -> None:
        """Nothing gives way any more."""
        with self.buffer.lock:
            self._edit = None
            self.buffer.cancel_replacing()

    def handle_event(self, event: AnyEvent) -> None:
        """What the engine says."""
        with self.buffer.lock:
            turn = self._edit
            if isinstance(event, SoundChunk):
                if self._job and event.job == self._job:
                    self._collect_chunk(event, turn)
            elif turn is not None and isinstance(event, Ending) and event.job == turn.job:
                turn.accepted = True
                if isinstance(event, Failed):
                    self.cancel_edit()

    def _collect_chunk(self, event: SoundChunk, edit: PendingEdit | None) -> None:
        if edit is not None and edit.applied is False:
            return
        if edit is not None and edit.accepted and edit.applied is None:
            edit.chunks.append(event)
            self._apply_edit(edit)
        elif self._begin + event.first_sample == self.buffer.total_samples and (
            edit is None or edit.applied or not edit.replaces_late_edit
        ):
            self.buffer.append(event.samples, event.bits)

    def _apply_edit(self, edit: PendingEdit) -> None:
        """Put what is new in its place, once there is enough of it."""
        samples = np.concatenate([event.samples for event in edit.chunks])
        bits = np.concatenate([event.bits for event in edit.chunks])
        free = self.buffer.stream.first_replaceable
        sure = not self.is_playing or edit.first + len(samples) - free >= edit.lead
        if sure and self.buffer.replace_samples(samples, bits):
            edit.applied = True
        elif sure or free > edit.first:
            edit.applied = False
