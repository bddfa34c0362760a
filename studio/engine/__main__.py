"""Run the engine: read commands, step the most urgent job, write events. It ends when its input ends.

Standard input and output carry frames and nothing else. A job is a generator of events. One `next` of it is a step.
Between two steps the engine reads all commands that have arrived.
"""

import argparse
import faulthandler
import gc
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from studio import streams
from studio.engine.errors import (
    RETRY_HINT,
    NeedsForce,
    explain_error,
    is_device_lost,
    is_out_of_memory,
    strip_control_characters,
)
from studio.engine.events import EventSteps, Pause
from studio.engine.stdio import Inbox, Outbox, claim_standard_streams, read_commands
from studio.wire.frames import BadFrame
from studio.wire.messages import (
    AnyCommand,
    Command,
    CompilingLoops,
    Ending,
    Event,
    Failed,
    Finished,
    Heartbeat,
    KeepAlive,
    Ready,
    Starting,
    Stop,
    Stopped,
)

HEARTBEAT_SECONDS = 0.5
"""Seconds between two heartbeats."""
GRACE_SECONDS = 1.5
"""Seconds that the running step may last after the window has closed."""
SILENCE_SECONDS = 60.0
"""Seconds without a sign of a window on another computer after which the connection counts as lost."""
IDLE_SECONDS = 3.0
"""Seconds without a job after which the engine counts as idle. A user who pauses for a moment does not make it idle."""

StartJob = Callable[[AnyCommand], EventSteps]
"""Makes a job of a command. A job yields no ending: the loop sends it."""
IdleTask = Callable[[], object]
"""The engine calls it repeatedly while no job runs."""
LoadEngine = Callable[[Outbox], tuple[StartJob, Ready, IdleTask]]
"""Prepares the engine before the first job, which takes seconds. It may send events meanwhile."""


@dataclass(eq=False)
class _Job:
    command: AnyCommand
    steps: EventSteps | None = None
    """The events of the job; None before its first step, so that a job that is replaced earlier costs nothing."""
    since: float = field(default_factory=time.monotonic)
    rests_until: float = 0.0


class JobTable:
    """Holds the running jobs in the order they arrived. Each gets exactly one ending."""

    def __init__(self, outbox: Outbox, start: StartJob) -> None:
        self._outbox = outbox
        self._start = start
        self._jobs: dict[str, _Job] = {}
        self.steps = 0
        self.running_job: str | None = None
        self.device_lost = False
        """Whether a job met a fault after which this process cannot use its device any more."""

    def __len__(self) -> int:
        return len(self._jobs)

    def add_command(self, command: AnyCommand) -> None:
        """Add a command. It replaces an older command with the same control."""
        if isinstance(command, KeepAlive):
            return
        if isinstance(command, Stop):
            if job := self._jobs.get(command.job):
                self._stop(job)
        elif command.job in self._jobs:
            why = f'A second job of the name "{command.job}" was refused. The first continues.'
            self._outbox.send(Failed(job="", reason=why))
        else:
            for job in [j for j in self._jobs.values() if command.control and j.command.control == command.control]:
                self._stop(job)
            self._jobs[command.job] = _Job(command)

    def refuse_frame(self, fault: BadFrame) -> None:
        """Report a frame that cannot be read. A running job is not ended by a faulty message that bears its name."""
        job = "" if fault.job in self._jobs else fault.job
        kept = (
            "The engine continues." if fault.can_continue else "The engine ends, because later commands are lost too."
        )
        self._outbox.send(
            Failed(job=job, reason=f"A command could not be read: {strip_control_characters(str(fault))}.", hint=kept)
        )

    @property
    def seconds_until_next_step(self) -> float | None:
        """Return the seconds until a job wants its next step. It is None without a job."""
        if not self._jobs:
            return None
        return max(min(job.rests_until for job in self._jobs.values()) - time.monotonic(), 0.0)

    def step_most_urgent(self) -> None:
        """Take one step of the most urgent job that is not paused.

        Among equals, the job that arrived first is stepped.
        """
        now = time.monotonic()
        awake = [job for job in self._jobs.values() if job.rests_until <= now]
        if not awake:
            return
        job = min(awake, key=lambda j: j.command.urgency)
        self.running_job = job.command.job
        ending: Ending | None = None
        try:
            if job.steps is None:
                job.steps = self._start(job.command)
            event = next(job.steps)
            if isinstance(event, Pause):
                job.rests_until = time.monotonic() + event.seconds
                self.running_job = None
            elif event is not None:
                self._outbox.send(_check_event(event))
        except StopIteration:
            ending = Finished(job=job.command.job, seconds=round(time.monotonic() - job.since, 3))
        except BaseException as error:  # also SystemExit: an error in a job never ends the engine
            ending = self._end_with_error(job, error)
        self.steps += 1
        if ending:
            self._end(job, ending)

    def stop_all(self) -> None:
        """End every job. Their generators save what they hold when they are closed."""
        for job in list(self._jobs.values()):
            if self.device_lost:
                why = "The graphics device failed under another job."
                self._end(job, Failed(job=job.command.job, reason=why, hint=RETRY_HINT))
            else:
                self._stop(job)

    def _stop(self, job: _Job) -> None:
        self._end(job, Stopped(job=job.command.job))

    def _end(self, job: _Job, ending: Ending) -> None:
        """Close the job and report how it ended. A fault while it saves turns the ending into a failure."""
        del self._jobs[job.command.job]
        self.running_job = job.command.job
        try:
            if isinstance(job.steps, Generator):
                job.steps.close()
        except BaseException as error:
            ending = self._end_with_error(job, error)
        if isinstance(ending, Failed):
            gc.collect()  # cyclic references must not keep memory in use after their job failed for lack of it
        self._outbox.send(ending)
        self.running_job = None

    def _end_with_error(self, job: _Job, error: BaseException) -> Failed:
        if not is_out_of_memory(error):
            traceback.print_exception(error)
        self.device_lost = self.device_lost or is_device_lost(error)
        why, hint = explain_error(error)
        return Failed(job=job.command.job, reason=why, hint=hint, can_force=isinstance(error, NeedsForce))


def _check_event(event: Event) -> Event:
    if not isinstance(event, Event) or isinstance(event, Ending):
        raise TypeError(f"a job must not yield {type(event).__name__}")
    return event


def run_jobs(inbox: Inbox, outbox: Outbox, start: StartJob, idle_task: IdleTask = lambda: None) -> int:
    """Answer commands until the inbox ends, and return the exit status.

    It is 0, or 1 if a new engine process is needed.
    """
    table = JobTable(outbox, start)
    over = threading.Event()
    threading.Thread(target=_send_heartbeats, args=(table, inbox, outbox, over), daemon=True).start()
    try:
        while not table.device_lost:
            received = False
            for item in inbox.get(timeout=table.seconds_until_next_step if table else IDLE_SECONDS):
                received = True
                if isinstance(item, Command):
                    table.add_command(item)
                elif item is None:
                    return 0
                else:
                    table.refuse_frame(item)
                    if not item.can_continue:
                        return 1
            if table:
                table.step_most_urgent()
            elif not received:
                idle_task()
        return 1
    finally:
        table.stop_all()
        over.set()


def _send_heartbeats(table: JobTable, inbox: Inbox, outbox: Outbox, over: threading.Event) -> None:
    while not outbox.closed:
        outbox.send(Heartbeat(steps=table.steps, job=table.running_job))
        if over.wait(HEARTBEAT_SECONDS):
            return
    inbox.put(None)


def run_engine(load: LoadEngine, silence_seconds: float = math.inf) -> int:
    """Run an engine process: claim the pipes, send Starting, load, send Ready, then serve.

    It also ends after so many seconds in which nothing arrives.
    """
    if sys.stdout.isatty():
        print("This command is for the window only. Try: studio --help", file=sys.stderr)
        return 2
    faulthandler.enable()
    source, sink = claim_standard_streams()
    inbox = Inbox()
    outbox = Outbox(sink)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the window too, and the window decides
    for name in {"SIGTERM", "SIGHUP"} & {known.name for known in signal.Signals}:
        signal.signal(signal.Signals[name], lambda *_: inbox.put(None))
    outbox.send(Starting())
    threading.Thread(target=_read_commands, args=(source, inbox), daemon=True).start()
    if math.isfinite(silence_seconds):
        threading.Thread(target=_end_after_silence, args=(inbox, silence_seconds), daemon=True).start()
    try:
        start, ready, idle_task = load(outbox)
        outbox.send(ready)
    except Exception as error:
        traceback.print_exception(error)
        what = f"{type(error).__name__}: {strip_control_characters(str(error)).strip()}"
        outbox.send(Failed(job="", reason=f"The engine could not load: {what}.", hint="Run the set-up again."))
        return 1
    return run_jobs(inbox, outbox, start, idle_task)


def _read_commands(source: int, inbox: Inbox) -> None:
    """Read commands to the end, then end the process, whatever its current step is doing."""
    try:
        read_commands(source, inbox)
    except Exception:
        traceback.print_exc()
        inbox.put(None)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _end_after_silence(inbox: Inbox, seconds: float) -> None:
    """End the process, like at the end of its input, if nothing has arrived for so long.

    A network that breaks does not end the input: the system waits for hours, and nobody could resume a training.
    """
    while (left := inbox.heard_at + seconds - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))
    inbox.put(None)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `studio engine [--device cpu|cuda|mps] [--background] [--remote]` and return the exit status."""
    parser = argparse.ArgumentParser(prog="studio engine", description="The child process of the window.")
    parser.add_argument("--device", help="cpu, cuda or mps (the best one that works)")
    parser.add_argument("--background", action="store_true", help="let every other program go first, for training")
    parser.add_argument("--remote", action="store_true", help="end when the window has sent no sign for a minute")
    chosen = parser.parse_args(argv)
    silence_seconds = SILENCE_SECONDS if chosen.remote else math.inf
    return run_engine(lambda outbox: _load_engine(chosen.device, chosen.background, outbox), silence_seconds)


def _load_engine(device_name: str | None, background: bool, outbox: Outbox) -> tuple[StartJob, Ready, IdleTask]:
    """Load torch and all that needs it. If the requested device is missing, the engine uses another one."""
    from studio.engine.device import NoDevice, choose_device, keep_freed_memory, lower_priority

    if background:
        lower_priority()
    keep_freed_memory()
    from studio import kernels, zoo
    from studio.engine.jobs import JobStarter
    from studio.engine.precompile import Precompiler, missing_loops

    try:
        device = choose_device(device_name)
    except NoDevice as error:
        device = choose_device()
        outbox.send(Failed(job="", reason=str(error), hint=f"The engine continues with: {device.description}."))
    ahead = Precompiler(missing_loops(device.torch_device.type), lambda left: outbox.send(CompilingLoops(loops=left)))
    kernels.compiled_elsewhere.is_pending = ahead.is_pending
    gc.freeze()  # the garbage collector need not check long-lived objects again and again
    ready = Ready(device=device.description, families=zoo.family_forms(), uncompiled_loops=ahead.remaining)
    return JobStarter(device).start, ready, ahead.start_compiling


if __name__ == "__main__":
    streams.prepare_streams()
    sys.exit(main())
