"""Adds the engine's samples to the sound buffer in the reader thread, without waiting for the window."""

from dataclasses import dataclass, field

import numpy as np

from studio.app.panels.sound.buffer import SoundBuffer
from studio.wire.messages import AnyEvent, Ending, Failed, SoundChunk


@dataclass
class PendingEdit:
    """Holds an edit from its request until its samples are in the buffer."""

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
    """Adds one job's samples at the end of a buffer, and replaces samples in time or not at all.

    The window's thread announces an edit; the reader thread applies it.
    """

    def __init__(self, buffer: SoundBuffer) -> None:
        self.buffer = buffer
        self.is_playing = False
        """Whether the ear follows: what it has got cannot be made anew."""
        self._job, self._begin = "", 0
        self._edit: PendingEdit | None = None

    def open_job(self, job: str) -> int:
        """Add the samples of a job after the present end; return the number of its first sample."""
        with self.buffer.lock:
            self._job, self._begin = job, self.buffer.total_samples
            return self._begin

    def close_job(self) -> None:
        """Add nothing more."""
        with self.buffer.lock:
            self._job = ""

    def begin_edit(self, edit: PendingEdit) -> None:
        """Mark the samples from the edit's first one on as being replaced."""
        with self.buffer.lock:
            self._edit = edit
            self.buffer.begin_replacing(edit.first)

    def cancel_edit(self) -> None:
        """Keep the samples that were being replaced."""
        with self.buffer.lock:
            self._edit = None
            self.buffer.cancel_replacing()

    def handle_event(self, event: AnyEvent) -> None:
        """Handle an engine event."""
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
        """Replace the samples once enough new ones are there."""
        samples = np.concatenate([event.samples for event in edit.chunks])
        bits = np.concatenate([event.bits for event in edit.chunks])
        free = self.buffer.stream.first_replaceable
        sure = not self.is_playing or edit.first + len(samples) - free >= edit.lead
        if sure and self.buffer.replace_samples(samples, bits):
            edit.applied = True
        elif sure or free > edit.first:
            edit.applied = False
