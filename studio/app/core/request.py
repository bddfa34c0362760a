"""Sends one question at a time to the engine and receives its answer."""

import itertools
from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import EngineProtocol, Value
from studio.wire.messages import (
    Adjust,
    AnyCommand,
    AnyEvent,
    Decoded,
    Encoded,
    Ending,
    Failed,
    Finished,
    LoopFound,
    Scored,
    Stopped,
)

Policy = Literal["latest", "queue", "single"]
Question = Callable[[str], AnyCommand | None]
"""Builds the command of a job by its name. Returns None if the question is pointless now."""
WHOLE = (Decoded, Encoded, Scored, LoopFound)
"""Events that are the whole answer of a job. The ending that follows adds nothing."""


class Request(QObject):
    """Asks the engine one question after another and receives only its own answers.

    At most one question is open. The policy says what happens to a question that is asked meanwhile:

    - "latest": the newest one waits for the open one, and replaces any other that waits. The answer of the open one
      still counts: otherwise the user would see nothing during a long drag. If the user stops a question or the engine
      dies, the waiting one is forgotten. After `cancel`, the next one waits until the engine has ended the old one.
    - "queue": each one waits for its turn and is asked, in order. One that is stopped, fails or is lost ends alone.
    - "single": it is ignored.

    A question is built at its turn, so it can use the newest settings. An engine that stopped after too many crashes
    waits for the user. Questions of a "queue" or a "single" are the user's, so they start it; "latest" follows other
    changes and never does.

    All signals are emitted in the window's thread. `progressed` carries a part of the answer. `answered` carries the
    whole answer, or Finished after the last part. `stopped` carries nothing, `failed` the event, and `lost` a sentence
    about the engine. The question is closed before the last four are emitted; the next one is sent after them.

    If its owner is deleted, the request stops its jobs and delivers nothing more.
    """

    progressed = Signal(object)
    answered = Signal(object)
    stopped = Signal()
    failed = Signal(object)
    lost = Signal(str)

    def __init__(
        self,
        engine: EngineProtocol,
        name: str,
        policy: Policy,
        parent: QObject | None = None,
        *,
        at_once: Callable[[AnyEvent], object] | None = None,
    ) -> None:
        """Create a request without a question.

        Arguments
            name: the beginning of its jobs' names; no other request may have the same
            at_once: called with each event of its jobs in the thread that reads the engine, before any signal
        """
        super().__init__(parent)
        self._engine = engine
        self._name = name
        self._policy = policy
        self.receive_at_once = at_once or _ignore
        self.job = ""
        """The name of the open question's job; empty if none is open."""
        self.running: Value[bool] = Value(False, self)
        """Whether a question is open or waits."""
        self._waiting: list[Question] = []
        self._ending = ""
        """The cancelled job whose end the next question waits for."""
        self._unended: set[str] = set()
        """All jobs that the engine has not ended yet."""
        self._numbers = itertools.count(1)
        self._steers = itertools.count(1)
        unended = self._unended
        self.destroyed.connect(lambda *_: _abandon(engine, unended))

    @property
    def ready(self) -> bool:
        """Return whether there is an engine that can answer now."""
        return self._engine.now in ("Ready", "Working")

    def is_named(self, job: str) -> bool:
        """Return whether this is the open job, or the cancelled one that has not ended."""
        return bool(job) and job in (self.job, self._ending)

    # ── questions ────────────────────────────────────────────────────────────────────────────────

    def ask(self, question: Question) -> None:
        """Ask now, or follow the policy."""
        if self._policy == "single" and self.job:
            return
        if self._policy == "latest":
            self._waiting.clear()
        else:
            self.start_engine()
        self._waiting.append(question)
        self.send_next()

    def send_next(self) -> None:
        """Send the next question that waits, unless one is open.

        A receiver of `answered` may call this, so that the engine works while the answer is shown.
        """
        while self._waiting and not self.job and not self._ending:
            self.job = f"{self._name}-{next(self._numbers)}"
            try:
                command = self._waiting.pop(0)(self.job)
            except Exception:
                self.leave()  # otherwise no other question could follow
                raise
            if command is None:
                self.job = ""
            else:
                self._unended.add(self.job)
                self.running.set(True)
                self._engine.send(command, self)
        self.running.set(bool(self.job or self._waiting))

    def start_engine(self) -> None:
        """Start the engine if it stopped after too many crashes.

        It waits for the user then, who has just asked.
        """
        if self._engine.now == "Stopped":
            self._engine.start()

    def steer(self, control: str = "", **changes: Any) -> None:
        """Change the settings of the open job from now on.

        A newer change by the same control may replace an older one of this job, never one of another job.
        """
        if self.job:
            name = f"steer-{next(self._steers)}-{self.job}"
            control = f"{control}-{self.job}" if control else ""
            self._engine.send(Adjust(job=name, control=control, running_job=self.job, **changes))

    def stop(self) -> None:
        """Ask for the end of the open job. Its results until then are still delivered, and `stopped` follows."""
        if self.job:
            self._engine.stop(self.job)

    def leave(self) -> None:
        """Forget the open question and those that wait. The job runs to its end, but nothing more is delivered."""
        self._waiting.clear()
        self.job = ""
        self.running.set(False)

    def cancel(self) -> None:
        """Stop the open job and forget the questions that wait. Nothing more is delivered."""
        job = self.job
        if job and self._policy == "latest":
            self._ending = job
        self.leave()
        if job:
            self._engine.stop(job)

    # ── events of the engine ─────────────────────────────────────────────────────────────────────

    def receive(self, job: str, event: AnyEvent) -> None:
        """Handle an event of a job of this request, in the window's thread."""
        if isinstance(event, Ending):
            self._unended.discard(job)
        if job == self.job:
            self._handle(event)
        elif job == self._ending and isinstance(event, Ending):
            self._ending = ""
            self.send_next()

    def lose(self, job: str, why: str) -> None:
        """Handle the death of the engine. A job of this request then gets no ending."""
        self._unended.discard(job)
        if job == self.job:
            self._close(forget=self._policy == "latest")
            self.lost.emit(why)
            self.send_next()
        elif job == self._ending:
            self._ending = ""
            self._close(forget=True)

    def _handle(self, event: AnyEvent) -> None:
        if not isinstance(event, (*WHOLE, Finished, Stopped, Failed)):
            self.progressed.emit(event)
            return
        self._close(forget=self._policy == "latest" and isinstance(event, Stopped))
        if isinstance(event, Failed):
            self.failed.emit(event)
        elif isinstance(event, Stopped):
            self.stopped.emit()
        else:
            self.answered.emit(event)
        self.send_next()

    def _close(self, forget: bool) -> None:
        """Close the open question. If `forget` is true, forget those that wait as well."""
        if forget:
            self._waiting.clear()
        self.job = ""
        self.running.set(bool(self._waiting))


def _ignore(event: AnyEvent) -> None:
    """Do nothing in the thread that reads the engine."""


def _abandon(engine: EngineProtocol, jobs: set[str]) -> None:
    """Stop jobs whose request is deleted."""
    for job in tuple(jobs):
        engine.abandon(job)
