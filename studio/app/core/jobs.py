"""Lists running and waiting jobs, with their progress and the time they still take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QTimer, Signal

from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.text import time_left
from studio.wire.messages import (
    URGENCY_CONTROL,
    AnyCommand,
    AnyEvent,
    BitsChunk,
    CompareSamples,
    ComputeBits,
    DecodeClasses,
    DecodeLatent,
    Doctor,
    Encode,
    Evaluate,
    EvaluationProgress,
    Failed,
    FilesExamined,
    FindLoop,
    Finished,
    Heartbeat,
    Inpaint,
    Interpolate,
    MakePyramid,
    MeasureTraining,
    PackArtworks,
    PicturesPreview,
    PrepareTraining,
    PreviewExamples,
    Sample,
    ScanFolder,
    Score,
    Stopped,
    StreamSound,
    Train,
    TrainingProgress,
)

NOTICE_AFTER = 0.5
"""Seconds after which a job that was not added with `add_job` appears in the list."""

TITLES: dict[type[AnyCommand], str] = {
    Sample: "Pictures",
    Inpaint: "Completions",
    DecodeLatent: "Drawing for Explore",
    DecodeClasses: "Drawing all classes",
    Interpolate: "Wavetable",
    Encode: "Finding the latent",
    Score: "Maps of surprise",
    ComputeBits: "Bits of the recording",
    FindLoop: "Best join of the loop",
    StreamSound: "Sound",
    ScanFolder: "Examining a folder",
    PrepareTraining: "Trying a few steps",
    PreviewExamples: "Preview of examples",
    PackArtworks: "Preparing artworks",
    MeasureTraining: "Trying a few steps",
    Train: "Training",
    Evaluate: "Measuring a model",
    CompareSamples: "Looking for copies",
    MakePyramid: "Making a pyramid",
    Doctor: "Checking this computer",
}
"""Titles of jobs that were not added with `add_job`.

Adjust and SteerTraining belong to the job that they change, files are sent for a job, and Stop is no job.
"""


@dataclass(frozen=True)
class JobStatus:
    """Describes one job.

    `done` of `total` pictures are finished; `total` is 0 if the job has no end. `share`, 0 to 1, also counts half-drawn
    pictures.
    """

    job: str
    title: str
    done: int
    total: int
    share: float
    started: float | None
    """Seconds of the list's clock at its first event, None while it waits."""
    seconds_left: float | None
    """An estimate, None until there is one."""
    share_at_start: float = 0.0
    """The share at its first event. Speed is measured from there, not from the time it waited."""
    progress_text: str = ""
    """The progress of a job without an end, in words."""
    counts_pictures: bool = True
    """Whether `done` and `total` count pictures. If not, only `share` holds the progress; 0 if it is unknown."""
    is_background: bool = False
    """Whether it works beside all other jobs, which are listed before it."""
    queue_place: int = 0
    """The place in the queue of trainings, from 1; 0 if it is in none. These jobs are listed last."""
    can_start: bool = False
    """Whether it waits in the queue until the user starts it."""


class JobList(State):
    """Lists the jobs of this window: the running one first, then those that wait.

    Long work is added with `add_job`. Any other job appears once it has taken half a second, until it ends. A series of
    jobs for the same purpose counts as one piece of work. Trainings work beside the others, and have a queue of their
    own, which `set_queue` shows.
    """

    stopped = Signal(str)
    """Emitted when the user stops a job of the list."""
    start_requested = Signal(str)
    """Emitted when the user starts a job of the queue."""
    move_requested = Signal(str, int)
    """Emitted when the user moves a job of the queue by a number of places."""
    removal_requested = Signal(str)
    """Emitted when the user removes a job of the queue."""

    def __init__(self, engine: EngineProtocol, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self.jobs: Value[tuple[JobStatus, ...]] = Value((), self)
        self._stops: dict[str, Callable[[], object]] = {}
        """The function that stops each job of the window itself, by job."""
        self._engines: list[EngineProtocol] = []
        self._unlisted: dict[str, AnyCommand] = {}
        """Unfinished commands without an entry, by job."""
        self._listed: dict[str, AnyCommand] = {}
        """Unfinished commands with an entry, by job."""
        self._since: dict[str, float] = {}
        """The clock's seconds when work began, by the name of the work."""
        self._notice_timer = QTimer(self)
        self._notice_timer.setInterval(100)
        self._notice_timer.timeout.connect(self._add_noticed_jobs)
        self.follow_engine(engine)

    def follow_engine(self, engine: EngineProtocol) -> None:
        """List the jobs of one more engine. No two engines have jobs of the same name."""
        self._engines.append(engine)
        engine.command_sent.connect(self._on_command_sent)
        engine.event_received.connect(self._follow)
        engine.lost.connect(self._on_commands_lost)

    def add_window_job(self, job: str, title: str, total: int, stop: Callable[[], object]) -> None:
        """Add a job that the window does itself.

        Call `set_done` with its progress, and `remove_job` at its end.
        """
        self._stops[job] = stop
        self.add_job(job, title, total)

    def set_done(self, job: str, done: int) -> None:
        """Set the progress of a job of the window itself."""
        self._advance(job, done, float(done))

    def add_job(self, job: str, title: str, total: int) -> None:
        """Add a job that was just sent."""
        self._set_entries(*self.jobs.get(), JobStatus(job, title, 0, total, 0.0, None, None))

    def add_training(self, job: str, title: str, total: int, stop: Callable[[], object]) -> None:
        """Add a training that was just sent. `stop` is called if the user stops it."""
        self._stops[job] = stop
        entry = JobStatus(job, title, 0, total, 0.0, None, None, counts_pictures=False, is_background=True)
        self._set_entries(*self.jobs.get(), entry)

    def set_queue(self, entries: Sequence[JobStatus]) -> None:
        """Replace the entries of the queue of trainings."""
        self._set_entries(*(entry for entry in self.jobs.get() if not entry.queue_place), *entries)

    def add_endless_job(self, job: str, title: str) -> None:
        """Add a job without an end, before all jobs that have one."""
        self._set_entries(JobStatus(job, title, 0, 0, 0.0, None, None), *self.jobs.get())

    def set_progress_text(self, job: str, text: str) -> None:
        """Describe the progress of a job without an end in words."""
        self.jobs.set(tuple(replace(e, progress_text=text) if e.job == job else e for e in self.jobs.get()))

    def stop_job(self, job: str) -> None:
        """Stop a job for the user. Its entry goes when the job has ended."""
        entry = self.find_job(job)
        if job in self._stops:
            self._stops[job]()
        elif entry is not None and entry.queue_place:
            self.removal_requested.emit(job)
        elif entry is not None:
            self.stopped.emit(job)
            for engine in self._engines:  # one that does not know the job ignores it
                engine.stop(job)

    def remove_job(self, job: str) -> None:
        """Remove a job that ended or that was lost with its engine."""
        self._stops.pop(job, None)
        self._unlisted.pop(job, None)
        self._listed.pop(job, None)
        QTimer.singleShot(0, self, self._forget_finished_work)  # first let the next job of the same work arrive
        self.jobs.set(tuple(entry for entry in self.jobs.get() if entry.job != job))

    def _set_entries(self, *entries: JobStatus) -> None:
        """Show these entries: those at work, then trainings, then the queue of trainings."""
        self.jobs.set(tuple(sorted(entries, key=lambda entry: (entry.queue_place, entry.is_background))))

    def find_job(self, job: str) -> JobStatus | None:
        return next((entry for entry in self.jobs.get() if entry.job == job), None)

    def time_left(self, job: str) -> str:
        """Return the time that a job still takes, for the user. It is empty if unknown."""
        entry = self.find_job(job)
        return time_left(entry.seconds_left) if entry is not None and entry.seconds_left is not None else ""

    def _follow(self, event: AnyEvent) -> None:
        match event:
            case Heartbeat(job=str(job)):
                self._advance(job)
            case PicturesPreview(job=job, first=first, pictures=pictures, done=done, total=total):
                finished = first + len(pictures) if done == total else first
                self._advance(job, finished, first + len(pictures) * done / max(total, 1))
            case FilesExamined(job=job, done=done, total=total) if isinstance(self._listed.get(job), ScanFolder):
                self._advance(job, done, done, total)
            case BitsChunk(job=job, first_sample=first, bits=bits):
                command = self._listed.get(job)
                if isinstance(command, ComputeBits):
                    self._advance(job, None, first + len(bits) - command.first_sample)
            case Finished(job=job) | Stopped(job=job) | Failed(job=job):
                self.remove_job(job)
            case (
                TrainingProgress(job=job, step=done, steps=total) | EvaluationProgress(job=job, done=done, total=total)
            ):
                self._advance(job, done, done, total)
            case _:
                pass

    def _advance(
        self, job: str, finished: int | None = None, drawn: float | None = None, total: int | None = None
    ) -> None:
        entry = self.find_job(job)
        if entry is None:
            return
        entry = entry if total is None else replace(entry, total=total)
        share = entry.share if drawn is None else min(1.0, drawn / max(entry.total, 1))
        if entry.started is None:
            entry = replace(entry, started=self._clock(), share_at_start=share)
        entry = replace(entry, share=share, done=entry.done if finished is None else finished)
        entry = replace(entry, seconds_left=self._seconds_left(entry))
        self.jobs.set(tuple(entry if old.job == job else old for old in self.jobs.get()))

    def _seconds_left(self, entry: JobStatus) -> float | None:
        passed = self._clock() - (entry.started if entry.started is not None else self._clock())
        gained = entry.share - entry.share_at_start
        return passed * (1.0 - entry.share) / gained if gained > 0 and passed > 0 else entry.seconds_left

    # ── jobs that were not added ─────────────────────────────────────────────────────────────────

    def _on_command_sent(self, command: AnyCommand) -> None:
        """Note a command that was sent to an engine."""
        if type(command) not in TITLES:
            return
        self._unlisted[command.job] = command
        self._since.setdefault(_work_name(command), self._clock())
        self._add_noticed_jobs()

    def _add_noticed_jobs(self) -> None:
        """Add an entry for each job whose work has taken at least NOTICE_AFTER seconds."""
        now = self._clock()
        entries = self.jobs.get()
        for job, command in list(self._unlisted.items()):
            if self.find_job(job) is None and now - self._since[_work_name(command)] < NOTICE_AFTER:
                continue
            self._listed[job] = self._unlisted.pop(job)
            if self.find_job(job) is None:
                entry = JobStatus(
                    job, TITLES[type(command)], 0, _total(command), 0.0, None, None, counts_pictures=False
                )
                entries = (*entries, entry)
        self._set_entries(*entries)
        if not self._unlisted:
            self._notice_timer.stop()
        elif not self._notice_timer.isActive():
            self._notice_timer.start()

    def _on_commands_lost(self, commands: Sequence[AnyCommand]) -> None:
        """Remove the unanswered commands of an engine that died."""
        for command in commands:
            self.remove_job(command.job)

    def _forget_finished_work(self) -> None:
        """Forget the start times of work that has no job left."""
        unfinished = {_work_name(command) for command in (*self._unlisted.values(), *self._listed.values())}
        self._since = {name: since for name, since in self._since.items() if name in unfinished}


def _work_name(command: AnyCommand) -> str:
    """Return the name of the work that a job is part of. Each picture of a moving slider counts separately."""
    return command.job if command.urgency == URGENCY_CONTROL else command.job.rpartition("-")[0] or command.job


def _total(command: AnyCommand) -> int:
    """Return the amount of work in a command; 0 if it is unknown."""
    match command:
        case Sample() | Inpaint():
            return len(command.seeds)
        case Interpolate():
            return command.frames
        case ComputeBits():
            return len(command.sound) - command.first_sample
        case _:
            return 0
