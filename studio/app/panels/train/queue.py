"""Begins one training after another, and holds those that wait."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.core.jobs import JobList, JobStatus
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value, of_type
from studio.app.panels.train import wording
from studio.app.panels.train.names import with_free_name
from studio.app.panels.train.run import Phase, TrainingProcess

JOB = "queued-"
"""The beginning of the names of waiting trainings in the list of jobs."""


@dataclass(frozen=True)
class QueuedTraining:
    """Describes a training that can begin at any time."""

    config: dict[str, Any]
    """The training config, as the engine takes it."""
    source: str
    """The folder to learn from."""
    start_model: str = ""
    """The trained model to start from; empty to begin from nothing."""
    computer: str = ""
    """The other computer that trains it; empty for this one."""

    @property
    def name(self) -> str:
        return str(self.config["name"])

    @property
    def title(self) -> str:
        return str(self.config["title"])

    def is_like(self, other: "QueuedTraining") -> bool:
        """Return whether both learn the same from the same folder, whatever their names are."""
        unnamed = {"name": "", "title": ""}
        mine, theirs = ({**one.config, **unnamed} for one in (self, other))
        mine_of = (self.source, self.start_model, self.computer)
        return (mine, mine_of) == (theirs, (other.source, other.start_model, other.computer))


class TrainingQueue(State):
    """Holds the waiting trainings in their order. The next one begins when the one at work has ended.

    After a pause, or a restart of the window, it waits until the user starts it.
    """

    begins = Signal()
    """Emitted before a training begins."""

    def __init__(
        self,
        run: TrainingProcess,
        engine: EngineProtocol,
        jobs: JobList,
        messages: Messages,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._run = run
        self._engine = engine
        self._jobs = jobs
        self._messages = messages
        self.waiting: Value[tuple[QueuedTraining, ...]] = Value((), self)
        """The waiting trainings, the next one first."""
        self.is_held: Value[bool] = Value(True, self)
        """Whether the next one waits until the user starts it."""
        self.is_restored = True
        """Whether the queue of the last session is restored. Of several windows, only the first one restores it."""
        self._is_restore_reported = True
        self._beginning: QueuedTraining | None = None
        """The training that was taken from the queue last, until its first step. A restart puts it back."""
        for value in (self.waiting, self.is_held):
            value.changed.connect(lambda _: self._show_in_jobs())
        run.began.connect(self._follow_start)
        for news in (run.progress, run.wait):
            news.changed.connect(lambda _: self._show_progress())
        run.step.changed.connect(self._note_step)
        run.ended.connect(self._follow_end)
        jobs.removal_requested.connect(lambda job: self.remove(job.removeprefix(JOB)))
        jobs.move_requested.connect(lambda job, by: self.move(job.removeprefix(JOB), by))
        jobs.start_requested.connect(lambda job: self.begin_next(job.removeprefix(JOB)))

    @property
    def taken_names(self) -> frozenset[str]:
        """Return the names that the waiting trainings will use."""
        return frozenset(training.name for training in self.waiting.get())

    def contains(self, training: QueuedTraining) -> bool:
        """Return whether a training that learns the same from the same folder waits already."""
        return any(one.is_like(training) for one in self.waiting.get())

    # ── changes by the user ──────────────────────────────────────────────────────────────────────

    def add(self, training: QueuedTraining) -> None:
        """Add a training at the end. No other one may have its name."""
        self.waiting.set((*self.waiting.get(), training))
        self._messages.show_message(f'"{training.title}" is in the queue. It begins by itself.')

    def remove(self, name: str) -> None:
        """Remove a training, and offer to put it back."""
        removed = self._take_out(name)
        if removed is not None:
            training, place = removed
            self._messages.show_message(
                f'"{training.title}" was removed from the queue.',
                "info",
                ("Undo", lambda: self._put_in(training, place)),
            )

    def move(self, name: str, by: int) -> None:
        """Move a training by a number of places."""
        removed = self._take_out(name)
        if removed is not None:
            training, place = removed
            self._put_in(training, max(0, place + by))

    # ── the order of trainings ───────────────────────────────────────────────────────────────────

    def begin(self, training: QueuedTraining) -> None:
        """Begin a training. None may be at work."""
        self.begins.emit()
        self._run.start(training.config, training.source, training.start_model, training.computer)

    def begin_next(self, name: str = "") -> None:
        """Begin a waiting training, by default the next one, unless another is at work."""
        waiting = self.waiting.get()
        removed = self._take_out(name or (waiting[0].name if waiting else "")) if not self._run.is_active else None
        if removed is not None:
            training, _ = removed
            config = with_free_name(training.config, training.title, self.taken_names)
            self._beginning = QueuedTraining(config, training.source, training.start_model, training.computer)
            self.begin(self._beginning)

    def _follow_start(self) -> None:
        shown = self._run.shown.get()
        if shown is not None:
            self._jobs.add_training(self._run.job, f"{shown.title} learns", shown.steps, self._run.pause)
        self.is_held.set(False)

    def _show_progress(self) -> None:
        text = wording.job_text(self._run)
        if text:
            self._jobs.set_progress_text(self._run.job, text)

    def _follow_end(self) -> None:
        """Begin the next training a moment later, because a dead engine first reports whether it is started again."""
        phase = self._run.phase.get()
        QTimer.singleShot(0, self, lambda: self._begin_after(phase))

    def _begin_after(self, phase: Phase) -> None:
        """Begin the next training after one has ended in a phase. A pause also holds the queue."""
        if self._run.is_active:  # the user was faster
            return
        beginning = self._beginning
        self._beginning = None
        if phase in ("paused", "none") or (self._run.is_lost and self._engine.now == "Stopped"):
            self.is_held.set(True)
            if beginning is not None:
                self._put_in(beginning, 0)
        elif not self.is_held.get():
            self.begin_next()
        self.is_held.set(not self._run.is_active)

    def _note_step(self, step: int) -> None:
        if step:
            self._beginning = None

    def _take_out(self, name: str) -> tuple[QueuedTraining, int] | None:
        """Remove a training. Return it and its place; None if it does not wait any more."""
        waiting = self.waiting.get()
        for place, training in enumerate(waiting):
            if training.name == name:
                self.waiting.set(waiting[:place] + waiting[place + 1 :])
                return training, place
        return None

    def _put_in(self, training: QueuedTraining, place: int) -> None:
        waiting = self.waiting.get()
        self.waiting.set((*waiting[:place], training, *waiting[place:]))

    def _show_in_jobs(self) -> None:
        held = self.is_held.get()
        self._jobs.set_queue(
            [
                JobStatus(f"{JOB}{one.name}", one.title, 0, 0, 0.0, None, None, queue_place=place, can_start=held)
                for place, one in enumerate(self.waiting.get(), 1)
            ]
        )

    # ── plain data: restart ──────────────────────────────────────────────────────────────────────

    def record(self) -> list[dict[str, Any]]:
        """Return the waiting trainings as plain data, with one that began but has not taken a step."""
        begun = () if self._beginning is None else (self._beginning,)
        return [
            {
                "config": training.config,
                "source": training.source,
                "start_model": training.start_model,
                "computer": training.computer,
            }
            for training in (*begun, *self.waiting.get())
        ]

    def restore_record(self, record: Any) -> None:
        """Let the trainings of a record wait for the user. Those that make no sense are left out."""
        if self.is_restored:
            stored = of_type(list, record)
            self.waiting.set(tuple(found for one in stored if (found := _read(one)) is not None))
            self._is_restore_reported = False

    def report_restored(self) -> None:
        """Show once that trainings of the last session wait, because none starts unasked."""
        waiting = self.waiting.get()
        if self._is_restore_reported or not waiting:
            return
        self._is_restore_reported = True
        one = len(waiting) == 1
        text = (
            f'"{waiting[0].title}" still waits in the queue. Start it when you like.'
            if one
            else f"{len(waiting)} trainings still wait in the queue. Start the first when you like."
        )
        until = (self.waiting.changed, self.is_held.changed)
        self._messages.show_message(text, "info", ("Start", self.begin_next), until=until)


def _read(stored: Any) -> QueuedTraining | None:
    """Return a stored training; None if it makes no sense."""
    try:
        config = of_type(dict, stored["config"])
        family = config["recipe"]["family"]
        figures = (*config["shape"], config["sample_rate"], config["plan"]["steps"])
        computer = stored.get("computer", "")
        texts = (config["name"], config["title"], family, stored["source"], stored["start_model"], computer)
        for kind, values in ((int, figures), (str, texts)):
            for value in values:
                of_type(kind, value)
    except (KeyError, TypeError):
        return None
    return QueuedTraining(config, stored["source"], stored["start_model"], computer)
