"""Adds the engine's samples to the sound buffer in the reader thread, without waiting for the window."""

from dataclasses import dataclass, field

import numpy as np

from studio.app.core.observable import Record
from studio.app.panels.sound.buffer import SoundBuffer
from studio.app.panels.sound.temperature_curve import Points
from studio.library.work import ModelMixture, SoundEdit
from studio.wire.messages import AnyEvent, Ending, Failed, SoundChunk


@dataclass(frozen=True)
class SettingsRecord:
    """Records the settings that make a sound, from the cut to its end."""

    cut: float
    """Second from which the model makes the sound."""
    temperature_curve: Points
    label: int | None
    """The class at the cut."""
    mix: ModelMixture | None
    """The second model at the cut."""
    edits: tuple[SoundEdit, ...]
    """Later changes of class and share."""


@dataclass(frozen=True)
class Edit:
    """Describes a change of the settings, from one sample on."""

    first_sample: int
    changes: Record
    """The new values of "temperature", "temperature_curve", "label", "share" and "seed" that the user set."""
    before: SettingsRecord
    """The settings to return to if the edit is late or fails."""
    after: SettingsRecord
    replaces_late_edit: bool = False
    """Whether it replaces an edit that came too late, whose chunks may still arrive."""


@dataclass
class PendingEdit:
    """Holds an edit from its request until its samples are in the buffer."""

    job: str
    edit: Edit
    lead: int
    """The number of new samples that must lie ahead of the sound card before the edit is applied."""
    accepted: bool = False
    """Whether the engine has accepted the edit. All later chunks contain the new sound."""
    applied: bool | None = None
    """Whether it came in time; None until that is known."""
    chunks: list[SoundChunk] = field(default_factory=list)


class ChunkWriter:
    """Adds one job's samples at the end of a buffer, and replaces samples in time or not at all.

    The window's thread announces an edit; the reader thread applies it.
    """

    def __init__(self, buffer: SoundBuffer) -> None:
        self.buffer = buffer
        self.is_playing = False
        """Whether the sound is playing. Samples that the sound card has already cannot be replaced."""
        self._job = ""
        self._begin = 0
        self._pending: PendingEdit | None = None

    def open_job(self, job: str) -> int:
        """Add the samples of a job after the present end; return the number of its first sample."""
        with self.buffer.lock:
            self._job = job
            self._begin = self.buffer.total_samples
            return self._begin

    def close_job(self) -> None:
        """Stop adding samples."""
        with self.buffer.lock:
            self._job = ""

    def begin_edit(self, pending: PendingEdit) -> None:
        """Mark the samples from the edit's first one on as being replaced."""
        with self.buffer.lock:
            self._pending = pending
            self.buffer.begin_replacing(pending.edit.first_sample)

    def cancel_edit(self) -> None:
        """Keep the samples that were being replaced."""
        with self.buffer.lock:
            self._pending = None
            self.buffer.cancel_replacing()

    def handle_event(self, event: AnyEvent) -> None:
        """Handle an engine event."""
        with self.buffer.lock:
            pending = self._pending
            if isinstance(event, SoundChunk):
                if self._job and event.job == self._job:
                    self._collect_chunk(event, pending)
            elif pending is not None and isinstance(event, Ending) and event.job == pending.job:
                pending.accepted = True
                if isinstance(event, Failed):
                    self.cancel_edit()

    def _collect_chunk(self, event: SoundChunk, pending: PendingEdit | None) -> None:
        if pending is not None and pending.applied is False:
            return
        if pending is not None and pending.accepted and pending.applied is None:
            pending.chunks.append(event)
            self._apply_edit(pending)
        elif self._begin + event.first_sample == self.buffer.total_samples and (
            pending is None or pending.applied or not pending.edit.replaces_late_edit
        ):
            self.buffer.append(event.samples, event.bits)

    def _apply_edit(self, pending: PendingEdit) -> None:
        """Replace the samples once enough new ones are there."""
        samples = np.concatenate([event.samples for event in pending.chunks])
        bits = np.concatenate([event.bits for event in pending.chunks])
        first = pending.edit.first_sample
        free = self.buffer.stream.first_replaceable
        sure = not self.is_playing or first + len(samples) - free >= pending.lead
        if sure and self.buffer.replace_samples(samples, bits):
            pending.applied = True
        elif sure or free > first:
            pending.applied = False
