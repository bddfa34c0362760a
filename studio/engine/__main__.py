"""The engine: reads commands, steps the most urgent job, writes events; ends when nobody asks any more.

Standard input and output carry frames and nothing else. A job is a generator of events; one `next` of
it is a step, and between two steps everything that has arrived is heard.
"""

import argparse
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from studio import streams
from studio.engine.errors import AGAIN, device_lost, explain, out_of_memory, plain
from studio.engine.events import Events, Rest
from studio.engine.stdio import Inbox, Outbox, claim, read
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
    Ready,
    Starting,
    Stop,
    Stopped,
)

PULSE = 0.5
"""Seconds between two pulses."""
GRACE = 1.5
"""Seconds that the step at work may last once the window is gone."""
IDLE = 3.0
"""Seconds without a job after which there is nothing to do: a hand that pauses is not an engine at rest."""

Start = Callable[[AnyCommand], Events]
"""Makes a job of a command. A job yields no ending: the loop sends it."""
Spare = Callable[[], object]
"""Called again and again while there is nothing to do."""
Load = Callable[[Outbox], tuple[Start, Ready, Spare]]
"""What takes seconds before the first job can start; it may say something meanwhile."""


@dataclass(eq=False)
class _Job:
    command: AnyCommand
    steps: Events | None = None
    """None until its first step: a job that is replaced before costs nothing."""
    since: float = field(default_factory=time.monotonic)
    rests_until: float = 0.0


class Table:
    """The jobs without an ending, in the order they arrived; each gets exactly one."""

    def __init__(self, outbox: Outbox, start: Start) -> None:
        self._outbox = outbox
        self._start = start
        self._jobs: dict[str, _Job] = {}
        self.steps = 0
        self.at_work: str | None = None
        self.device_lost = False
        """A job met a fault after which this process can't use its device any more."""

    def __len__(self) -> int:
        return len(self._jobs)

    def hear(self, command: AnyCommand) -> None:
        """Takes a command in. A newer one of the same hand replaces the older."""
        if isinstance(command, Stop):
            if job := self._jobs.get(command.job):
                self._stop(job)
        elif command.job in self._jobs:
            why = f'A second job of the name "{command.job}" was refused. The first goes on.'
            self._outbox.say(Failed(job="", reason=why))
        else:
            for job in [j for j in self._jobs.values() if command.control and j.command.control == command.control]:
                self._stop(job)
            self._jobs[command.job] = _Job(command)

    def refuse(self, fault: BadFrame) -> None:
        """Answers what can't be read. A job at work is not ended by another message that bears its name."""
        job = "" if fault.job in self._jobs else fault.job
        kept = "The engine goes on." if fault.can_continue else "The engine ends, because all that follows is lost too."
        self._outbox.say(Failed(job=job, reason=f"A command was not understood: {plain(str(fault))}.", hint=kept))

    @property
    def rest(self) -> float | None:
        """Seconds until a job wants its next step; None where there is no job."""
        if not self._jobs:
            return None
        return max(min(job.rests_until for job in self._jobs.values()) - time.monotonic(), 0.0)

    def step(self) -> None:
        """One step of the most urgent job that does not rest; among equals of the one that arrived first."""
        now = time.monotonic()
        awake = [job for job in self._jobs.values() if job.rests_until <= now]
        if not awake:
            return
        job = min(awake, key=lambda j: j.command.urgency)
        self.at_work = job.command.job
        ending: Ending | None = None
        try:
            if job.steps is None:
                job.steps = self._start(job.command)
            event = next(job.steps)
            if isinstance(event, Rest):
                job.rests_until = time.monotonic() + event.seconds
                self.at_work = None
            elif event is not None:
                self._outbox.say(_checked(event))
        except StopIteration:
            ending = Finished(job=job.command.job, seconds=round(time.monotonic() - job.since, 3))
        except BaseException as error:  # also SystemExit: a job that raises never ends the engine
            ending = self._failed(job, error)
        self.steps += 1
        if ending:
            self._end(job, ending)

    def finish(self) -> None:
        """Ends every job: they save what they hold as their generators close."""
        for job in list(self._jobs.values()):
            if self.device_lost:
                why = "The graphics device failed under another job."
                self._end(job, Failed(job=job.command.job, reason=why, hint=AGAIN))
            else:
                self._stop(job)

    def _stop(self, job: _Job) -> None:
        self._end(job, Stopped(job=job.command.job))

    def _end(self, job: _Job, ending: Ending) -> None:
        """Closes the job and says how it ended. A fault while it saves turns the ending into a failure."""
        del self._jobs[job.command.job]
        self.at_work = job.command.job
        try:
            if isinstance(job.steps, Generator):
                job.steps.close()
        except BaseException as error:
            ending = self._failed(job, error)
        if isinstance(ending, Failed):
            gc.collect()  # a shortage of memory must not outlast its job in circles of references
        self._outbox.say(ending)
        self.at_work = None

    def _failed(self, job: _Job, error: BaseException) -> Failed:
        if not out_of_memory(error):
            traceback.print_exception(error)
        self.device_lost = self.device_lost or device_lost(error)
        why, hint = explain(error)
        return Failed(job=job.command.job, reason=why, hint=hint)


def _checked(event: Event) -> Event:
    if not isinstance(event, Event) or isinstance(event, Ending):
        raise TypeError(f"a job may not say {type(event).__name__}")
    return event


def serve(inbox: Inbox, outbox: Outbox, start: Start, spare: Spare = lambda: None) -> int:
    """Answers what comes in until the inbox ends; the exit status: 0, or 1 where another engine is needed."""
    table = Table(outbox, start)
    over = threading.Event()
    threading.Thread(target=_pulse, args=(table, inbox, outbox, over), daemon=True).start()
    try:
        while not table.device_lost:
            heard = False
            for item in inbox.take(wait=table.rest if table else IDLE):
                heard = True
                if isinstance(item, Command):
                    table.hear(item)
                elif item is None:
                    return 0
                else:
                    table.refuse(item)
                    if not item.can_continue:
                        return 1
            if table:
                table.step()
            elif not heard:
                spare()
        return 1
    finally:
        table.finish()
        over.set()


def _pulse(table: Table, inbox: Inbox, outbox: Outbox, over: threading.Event) -> None:
    while not outbox.gone:
        outbox.say(Heartbeat(steps=table.steps, job=table.at_work))
        if over.wait(PULSE):
            return
    inbox.put(None)


def run(load: Load) -> int:
    """The whole life of an engine process: takes the pipes, says Starting, loads, says Ready, serves."""
    if sys.stdout.isatty():
        print("The engine speaks to the window and not to people. Try: studio --help", file=sys.stderr)
        return 2
    faulthandler.enable()
    source, sink = claim()
    inbox, outbox = Inbox(), Outbox(sink)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the window too, and the window decides
    for name in {"SIGTERM", "SIGHUP"} & {known.name for known in signal.Signals}:
        signal.signal(signal.Signals[name], lambda *_: inbox.put(None))
    outbox.say(Starting())
    threading.Thread(target=_listen, args=(source, inbox), daemon=True).start()
    try:
        start, ready, spare = load(outbox)
        outbox.say(ready)
    except Exception as error:
        traceback.print_exception(error)
        what = f"{type(error).__name__}: {plain(str(error)).strip()}"
        outbox.say(Failed(job="", reason=f"The engine could not load: {what}.", hint="Run the set-up again."))
        return 1
    return serve(inbox, outbox, start, spare)


def _listen(source: int, inbox: Inbox) -> None:
    """Reads to the end, and then sees to it that the process ends, whatever its step is doing."""
    try:
        read(source, inbox)
    except Exception:
        traceback.print_exc()
        inbox.put(None)
    time.sleep(GRACE)
    os._exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """`studio engine [--device cpu|cuda|mps]`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="studio engine", description="The child process of the window.")
    parser.add_argument("--device", help="cpu, cuda or mps; the best one that works where this is left out")
    wish = parser.parse_args(argv).device
    return run(lambda outbox: _load(wish, outbox))


def _load(wish: str | None, outbox: Outbox) -> tuple[Start, Ready, Spare]:
    """Torch and all that needs it. A wish for a device that is gone does not keep the engine from working."""
    from studio.engine.device import NoDevice, choose, steady_allocator

    steady_allocator()
    from studio import kernels, zoo
    from studio.engine.jobs import Jobs
    from studio.engine.precompile import Ahead, wanted

    try:
        device = choose(wish)
    except NoDevice as error:
        device = choose()
        outbox.say(Failed(job="", reason=str(error), hint=f"The engine goes on with: {device.name_for_people}."))
    ahead = Ahead(wanted(device.torch_device.type), lambda left: outbox.say(CompilingLoops(loops=left)))
    kernels.compiled_elsewhere.is_pending = ahead.asked
    gc.freeze()  # what stays for good is not looked through again and again while something is made
    ready = Ready(device=device.name_for_people, families=zoo.family_forms(), uncompiled_loops=ahead.left)
    return Jobs(device).start, ready, ahead.begin


if __name__ == "__main__":
    streams.prepare()
    sys.exit(main())
