"""Has the engine make sound a little ahead of playback, and applies edits from the next possible sample on."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.core.text import timecode
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.buffer import SoundBuffer
from studio.app.panels.sound.live_edit import ChunkWriter, Edit, PendingEdit
from studio.media.sounds.playback import FASTER_THAN_REAL_TIME
from studio.wire.messages import CHUNK_SECONDS, Adjust, AnyCommand, AnyEvent, Failed, SoundChunk, StreamSound

AHEAD_SECONDS = 0.8
"""Seconds of sound ahead of playback, if the engine is faster than playback."""
SHORT_DELAY, CALM_SECONDS = 0.3, 0.25
"""Seconds of sound ahead of playback just after a change, and the increase in each second of playback after it.

The engine makes little at first, because the user's next change would discard most of it.
"""
LIVE_SPEED = 1.5
"""If more seconds than this are ready, a change keeps all of them. Otherwise it replaces those not heard yet."""
INITIAL_SPARE, MIN_SPARE, MAX_SPARE = 0.02, 0.01, 0.3
"""The first, the least and the most seconds that the engine gets to make an edit."""
SPARE_GROWTH, SPARE_DECAY = 1.2, 0.9955
"""Factors of these seconds after a late edit and after one in time. About one edit in forty is then late."""
INITIAL_LEAD, MAX_LEAD = 0.005, 0.2
"""The first and the most seconds of new samples that must be ready before an edit is applied.

They hold for an engine at one and a half times the speed of playback or more. So few are enough, because a speaker
waits for more while the card still has samples.
"""
LEAD_GROWTH, LEAD_DECAY = 2.0, 0.998
"""Factors of these seconds after a gap and after an edit in time. 350 edits in time halve them."""
JOB_SECONDS = 20.0
"""Seconds of sound ahead of playback, if the engine is slower than playback."""


class LiveGeneration(State):
    """Makes new samples at the end of a sound with a model, a little ahead of playback.

    Samples that an edit replaces play on until the new ones are there. If those come too late, `edit_late` hands the
    edit back, to be submitted again from a later sample on. One edit at a time is under way.
    """

    ended = Signal()
    """Another sound replaces this one, so messages about this one are dismissed."""
    grew = Signal()
    """Samples were added or removed."""
    progressed = Signal()
    """Emitted when new samples were added, or when the last sample was made."""
    edit_ready = Signal()
    """Emitted when an edit can be submitted."""
    edit_late = Signal(object)
    """Emitted with an Edit that came too late, or that the job ended before. It must be submitted again."""
    edit_failed = Signal(object)
    """Emitted with an Edit that the engine refused."""

    def __init__(
        self, engine: EngineProtocol, messages: Messages, buffer: SoundBuffer, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self.writer = ChunkWriter(buffer)
        """The writer, which adds the generated samples at the end of the buffer."""
        self._request = Request(engine, "perform", "single", self, at_once=self.writer.handle_event)
        self._request.progressed.connect(self._use_part)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        for ended in (self._request.answered, self._request.stopped):
            ended.connect(self._ended)
        self._steers = Request(engine, "steer", "single", self, at_once=self.writer.handle_event)
        self._steers.failed.connect(self._fail)
        self.making: Value[bool] = Value(False, self)
        self.speed: Value[float] = Value(0.0, self)
        """Seconds of sound that the engine lately made in a second; 0 if unknown."""
        self.spare = INITIAL_SPARE
        """The seconds that the engine gets to make an edit, adapted to its recent speed."""
        self.lead = INITIAL_LEAD
        """The seconds of new samples that must be ready before an edit is applied, adapted to recent gaps."""
        self._first_sample = 0
        self._allowed = 0.0
        self._edited_from = 0.0
        """The second from which the last edit applies; 0 if there was none."""
        self._late = False
        """Whether the last edit came too late."""
        self._pending: PendingEdit | None = None

    @property
    def job(self) -> str:
        """Return the engine's job; empty if there is none."""
        return self._request.job

    @property
    def buffer(self) -> SoundBuffer:
        """Return the buffer at whose end it makes sound."""
        return self.writer.buffer

    # ── from where to where ──────────────────────────────────────────────────────────────────────

    @property
    def begin_seconds(self) -> float:
        """Return the second at which the samples of the present or last job begin."""
        return self._first_sample / self.buffer.rate

    @property
    def settings_from(self) -> float:
        """Return the second after which all samples were made with the present settings."""
        return max(self.begin_seconds, self._edited_from)

    @property
    def is_waiting(self) -> bool:
        """Return whether the engine has reached its limit and waits for playback to catch up."""
        return bool(self.job) and self.buffer.seconds - self.begin_seconds > self._allowed - CHUNK_SECONDS - 1e-6

    @property
    def settled_seconds(self) -> float:
        """Return the second before which no change by the user can be heard."""
        pending = self._pending
        first = pending.edit.first_sample if pending is not None else self.next_editable_sample
        return first / self.buffer.rate

    @property
    def next_editable_sample(self) -> int:
        """Return the first sample that can still change: soon after playback, and not before the last edit.

        If too little would remain to try again after a late edit, all samples are kept.
        """
        stream, rate = self.buffer.stream, self.buffer.rate
        if not self.job or stream.buffered_seconds > LIVE_SPEED or self.speed.get() < FASTER_THAN_REAL_TIME:
            return self.buffer.total_samples
        if not self.writer.is_playing:
            return max(round(stream.position * rate), self._first_sample)
        lead = round(self._edit_delay * rate)
        whole = self.buffer.total_samples
        first = max(
            stream.first_replaceable_after(self._edit_delay), round(self._edited_from * rate), self._first_sample
        )
        return first if whole - first >= lead else whole

    @property
    def _edit_delay(self) -> float:
        """Return the seconds from playback to the first sample that can still change."""
        return (self.spare + self._lead_seconds / self.speed.get()) * (2 if self._late else 1)

    @property
    def accepts_edit(self) -> bool:
        """Return whether an edit can be submitted: none is under way, and enough samples lie ahead to try again.

        It may take a while in the first moments, after a gap, and while the user changes settings without a pause.
        """
        if not self.job:
            return True
        ahead = (self.buffer.total_samples - self.buffer.stream.first_replaceable) / self.buffer.rate
        return self._pending is None and (
            not self.writer.is_playing
            or self.speed.get() < FASTER_THAN_REAL_TIME
            or ahead >= min(2 * self._edit_delay, SHORT_DELAY / 2)
        )

    @property
    def _lead_seconds(self) -> float:
        """Return the seconds of new samples that an edit needs: a slower engine needs more."""
        return min(self.lead / min(max(2 * (self.speed.get() - 1), 0.01), 1.0), MAX_LEAD)

    def _allowed_seconds(self) -> float:
        """Return the length in seconds up to which the engine may generate: a little ahead of playback."""
        position = self.buffer.stream.position
        fast = self.speed.get() >= FASTER_THAN_REAL_TIME or not self.speed.get()
        soon = max(SHORT_DELAY, 3 * self._lead_seconds)
        calm = CALM_SECONDS * max(position - self._edited_from, 0.0) if self._edited_from else AHEAD_SECONDS
        reach = min(soon + calm, AHEAD_SECONDS) if fast else JOB_SECONDS
        return max(position - self.begin_seconds, 0.0) + reach

    # ── requests to the engine ───────────────────────────────────────────────────────────────────

    def start_job(self, command: StreamSound) -> None:
        """Start a job that continues the sound at its end."""

        def question(job: str) -> AnyCommand:
            self._first_sample = self.writer.open_job(job)
            self._edited_from = 0.0
            self.buffer.stream.mark_incomplete()
            self.making.set(True)
            self._allowed = self._allowed_seconds()
            begin = self.buffer.samples.copy() if self._first_sample else None
            return replace(command, job=job, sound_to_continue=begin, allowed_seconds=self._allowed)

        self._request.ask(question)

    def stop_job(self) -> None:
        """Stop the job. Samples that were generated stay."""
        if self.job:
            self._request.cancel()
            self._ended()

    def truncate(self, first: int) -> None:
        """Stop the job and remove all samples from this one on. Playback continues up to it."""
        self.writer.close_job()
        self.buffer.truncate(first)
        self.stop_job()
        self.grew.emit()

    def update_allowance(self) -> None:
        """Raise the engine's limit to what playback needs soon: less for a fast engine."""
        wanted = self._allowed_seconds()
        if self.job and abs(wanted - self._allowed) > 5 * CHUNK_SECONDS:
            self._allowed = wanted
            self._request.steer(allowed_seconds=wanted)

    def submit(self, edit: Edit) -> None:
        """Ask the engine to replace the samples from an edit's first one on. Without a job, replace none."""
        if not self.job:
            return
        lead = round(self._lead_seconds * self.buffer.rate)

        def question(job: str) -> AnyCommand:
            self._pending = PendingEdit(job, edit, lead)
            self.writer.begin_edit(self._pending)
            self._edited_from = edit.first_sample / self.buffer.rate
            self._allowed = self._allowed_seconds()
            return Adjust(
                job=job,
                running_job=self.job,
                from_sample=edit.first_sample - self._first_sample,
                allowed_seconds=self._allowed,
                replaces_late_edit=edit.replaces_late_edit,
                temperature_curve=heats.curve_array(edit.after.temperature_curve, self.begin_seconds),
                label=edit.changes.get("label"),
                share=edit.changes.get("share"),
                seed=edit.changes.get("seed"),
            )

        self._steers.ask(question)
        self.grew.emit()

    def note_gap(self) -> None:
        """Note a gap in playback: too few new samples were ready."""
        self.lead = min(LEAD_GROWTH * self.lead, MAX_LEAD)

    # ── events of the engine ─────────────────────────────────────────────────────────────────────

    def _use_part(self, event: AnyEvent) -> None:
        """Handle the event of new samples, which are in the buffer already."""
        if isinstance(event, SoundChunk):
            self.speed.set(event.speed)
            self._check_edit()
            self.grew.emit()
            self.progressed.emit()

    def _show_failure(self, event: Failed) -> None:
        self._ended()
        said = f"{event.reason} The sound so far is kept. {event.hint}".strip()
        self._messages.show_message(said, "failed", until=(self.making.changed, self.ended))

    def _show_loss(self, why: str) -> None:
        """Handle the death of the engine. Playback continues to the last sample that was generated."""
        self._ended()
        end = timecode(self.buffer.seconds)
        said = f"{why} The sound up to {end} is kept. Play continues from there."
        self._messages.show_message(said.strip(), "failed", until=(self.making.changed, self.ended))

    def _check_edit(self) -> None:
        """Check whether the pending edit was applied or came too late, and whether another one can be submitted."""
        pending = self._pending
        if pending is not None and pending.applied:
            self._end_edit()
            self._late = False
            self.spare = max(SPARE_DECAY * self.spare, MIN_SPARE)
            self.lead = max(LEAD_DECAY * self.lead, INITIAL_LEAD)
        elif pending is not None and pending.applied is False:
            self._late = True
            self.spare = min(SPARE_GROWTH * self.spare, MAX_SPARE)
            self._end_edit()
            self.edit_late.emit(pending.edit)
        if self.accepts_edit:
            self.edit_ready.emit()

    def _fail(self, event: Failed) -> None:
        pending = self._pending
        assert pending is not None, "the engine refuses only what it was asked"
        self._end_edit()
        self.edit_failed.emit(pending.edit)
        said = f"{event.reason} The sound plays on unchanged. {event.hint}".strip()
        self._messages.show_message(said, "failed", until=(self.making.changed, self.ended))
        self.grew.emit()
        if self.accepts_edit:
            self.edit_ready.emit()

    def _end_edit(self) -> None:
        """Keep the samples that were being replaced; no edit is under way any more."""
        self._pending = None
        self._steers.leave()
        self.writer.cancel_edit()

    def _ended(self) -> None:
        self.writer.close_job()
        pending = self._pending
        if pending is not None:
            self._end_edit()
            self.edit_late.emit(pending.edit)
        self.edit_ready.emit()
        self.buffer.stream.mark_complete()
        self.making.set(False)
        self.progressed.emit()
