"""Starts the engine again when it ends, and gives every command an ending."""

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal, Slot

from studio import __version__
from studio.app.core.observable import Receiver
from studio.app.engine import ssh
from studio.app.engine.model_sender import ModelSender
from studio.app.engine.process import EnginePipe
from studio.app.engine.process_state import ProcessState
from studio.library import storage
from studio.wire.frames import BadFrame, encode
from studio.wire.messages import (
    PROTOCOL_VERSION,
    URGENCY_QUEUED,
    AnyCommand,
    AnyEvent,
    Ending,
    Failed,
    Heartbeat,
    KeepAlive,
    Ready,
    Starting,
    Stop,
    Stopped,
)

CHECK_INTERVAL = 0.25
"""Seconds between two checks of whether the engine still makes progress."""
START_LIMIT = 120.0
"""Seconds until a loading engine counts as hanging. Torch may come from a cold disk or over a network."""
RESTART_DELAYS = (0.0, 1.0)
"""Seconds before each new start. After one more crash within `forgive_after` the engine stays stopped."""
KEEP_ALIVE_SECONDS = 10.0
"""Seconds between two signs to an engine on another computer. It ends after a minute without one."""
LOG_LINES = 200
"""Lines of the engine's log that are kept."""
WATCHED = 10
"""A step of a watched job may take this many times longer. The first one may compile loops on a busy computer."""
SLOW = 30
"""A step of a queued job may take this many times longer. One step of training does far more."""
TAKES_ARE_SAFE = "Your takes are safe."


def local_program(device: str | None = None, *, background: bool = False) -> list[str]:
    """Return the command line of an engine on this computer, for the given device.

    In the background, every other program goes first. `-P` keeps the folder in which the window was started out of the
    engine's imports.
    """
    subcommand = ["engine"] if getattr(sys, "frozen", False) else ["-P", "-m", "studio", "engine"]
    options = [*(["--device", device] if device else []), *(["--background"] if background else [])]
    return [sys.executable, *subcommand, *options]


class EngineClient(QObject):
    """Starts the engine, sends commands, notices when it dies or hangs, and starts another.

    The events of a command are delivered to the receiver that sent it, and to no other.

    Signals: `command_sent` each command; `event_received` each event, before it is delivered; `announced` each event
    that answers no command; `status_changed` one of Starting, Ready, Working, Stopped; `lost` a tuple of the commands
    that a dead engine leaves without an ending, never sent again by itself; `message_raised` a sentence for the user.
    """

    command_sent = Signal(object)
    event_received = Signal(object)
    announced = Signal(object)
    status_changed = Signal(str)
    lost = Signal(object)
    message_raised = Signal(str)

    def __init__(
        self,
        program: Sequence[str] | None = None,
        *,
        background: bool = False,
        hang_after: float = 20.0,
        forgive_after: float = 300.0,
        parent: QObject | None = None,
    ) -> None:
        """Create a client without a process.

        Arguments
            program: the command line of an engine on this computer
            background: whether an engine on another computer lets every other program go first
            hang_after: seconds without a heartbeat after which the engine counts as hanging; a step may take longer
            forgive_after: seconds that a crash is remembered
        """
        super().__init__(parent)
        self.program = list(program) if program else local_program()
        self.host = ""
        """The computer on which the engine runs, as `ssh` takes it; empty for this one."""
        self._background = background
        self._is_wanted = False
        """Whether the engine was started and does not rest."""
        self.now = "Stopped"
        """The last `status_changed`."""
        self.ready: Ready | None = None
        """The last Ready event of the engine."""
        self._hang_after = hang_after
        self._forgive_after = forgive_after
        self._process: ProcessState | None = None
        self._open: dict[str, AnyCommand] = {}
        self._receivers: dict[str, Receiver] = {}
        """The receiver of each job in `_open` whose sender receives events. The reading thread uses it, too."""
        self._crashes: list[float] = []
        self._reason = ""
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._restart = QTimer(self)
        self._restart.setSingleShot(True)
        self._restart.timeout.connect(self._launch)
        self._watch = QTimer(self)
        self._watch.setInterval(round(CHECK_INTERVAL * 1000))
        self._watch.timeout.connect(self._check_process)
        self._last_check = 0.0
        self._keep_alive = QTimer(self)
        self._keep_alive.setInterval(round(KEEP_ALIVE_SECONDS * 1000))
        self._keep_alive.timeout.connect(self._send_sign)

    @property
    def log_text(self) -> tuple[str, ...]:
        """Return the last lines of the engine's log."""
        return tuple(self._log)

    @property
    def process_id(self) -> int:
        """Return the number of the running process; 0 if there is none."""
        return self._process.pipe.process_id if self._process else 0

    def start(self) -> None:
        """Start the engine if none runs. A start by the user forgives all crashes."""
        if self._process is None:
            self._crashes.clear()
            self._reason = ""
            self._restart.stop()  # or the scheduled start would follow
            self._launch()

    def use_computer(self, host: str) -> None:
        """Work on another computer from now on; an empty host is this one. Open commands are stopped."""
        if host == self.host:
            return
        self.host = host
        for job in list(self._open):
            self._deliver_later(Stopped(job=job))
        self._leave_process()
        self._crashes.clear()
        self._reason = ""
        self._restart.stop()
        if self._is_wanted:
            self._launch()
        self._update_status()

    def send(self, command: AnyCommand, receiver: Receiver | None = None) -> None:
        """Send a command, which then gets an ending or is lost.

        While the engine starts, the command waits for it. Raises ValueError for a name that is in use.
        """
        if command.job in self._open:
            raise ValueError(f'a command of the name "{command.job}" has no ending yet')
        self._open[command.job] = command
        if receiver is not None:
            self._receivers[command.job] = receiver
        self.command_sent.emit(command)
        if self._process:
            self._write(command)
        elif not self._restart.isActive():
            self._refuse_command(command, "The engine is stopped.", "Start it again, then ask again.")
        self._update_status()

    def stop(self, job: str) -> None:
        """Ask for the end of a command. Without a process it ends at once."""
        if job in self._open:
            sender = self._process.sender if self._process else None
            if self._process and not (sender and sender.forget(job)):
                self._process.pipe.write(encode(Stop(job=job)))
            else:
                self._deliver_later(Stopped(job=job))
                self._update_status()

    def abandon(self, job: str) -> None:
        """Stop a command whose receiver is deleted, and deliver nothing more of it."""
        self._receivers.pop(job, None)
        self.stop(job)

    def rest(self) -> None:
        """End the process if it has nothing to do, so that its memory is free. `start` starts another."""
        if self._process is not None and not self._open:
            self._is_wanted = False
            self._leave_process()
            self._update_status()

    def close(self) -> None:
        """Let the engine save and end.

        Its input ends first. It is asked to end after 2 s, and killed after 3 s.
        """
        self._restart.stop()
        self._watch.stop()
        self._keep_alive.stop()
        process_state = self._process
        self._process = None
        self._open.clear()
        self._receivers.clear()
        if process_state:
            if process_state.sender:
                process_state.sender.close()
            process_state.pipe.close()
            QCoreApplication.sendPostedEvents(self, QEvent.Type.MetaCall)  # the last lines of its log
            self._save_log()
        self._update_status()

    def _leave_process(self) -> None:
        """Let the process end by itself, and forget it."""
        process_state = self._process
        self._process = None
        self._watch.stop()
        self._keep_alive.stop()
        if process_state:
            process_state.pipe.end_input()
            if process_state.sender:
                process_state.sender.close()

    def _launch(self) -> None:
        self._is_wanted = True
        root = str(Path(__file__).parents[3])
        known = os.environ.get("PYTHONPATH")
        pipe = EnginePipe(self._deliver_at_once)
        for signal, slot in (
            (pipe.event_received, self._on_event),
            (pipe.unreadable, self._on_unreadable),
            (pipe.logged, self._keep_log),
            (pipe.ended, self._on_process_died),
        ):
            signal.connect(slot, Qt.ConnectionType.QueuedConnection)
        sender = ModelSender(self, "file", self._write_frame, self._refuse_unsent, self) if self.host else None
        self._process = ProcessState(pipe, self.host, sender)
        program = ssh.remote_program(self.host, background=self._background) if self.host else self.program
        pipe.start(program, {**os.environ, "PYTHONPATH": os.pathsep.join([root, known] if known else [root])})
        if self.host:
            self._keep_alive.start()
        for command in list(self._open.values()):  # sent while no process ran
            self._write(command)
        self._last_check = time.monotonic()
        self._watch.start()
        self._update_status()

    def _write(self, command: AnyCommand) -> None:
        """Write a command; on another computer, once its models are there."""
        if self._process and self._process.sender:
            self._process.sender.send_command(command)
        else:
            self._write_frame(command)

    def _write_frame(self, command: AnyCommand) -> None:
        try:
            frame = encode(command)
        except BadFrame as fault:
            self._refuse_command(command, f"This could not be asked: {fault}.", "")
        else:
            if self._process:
                self._process.pipe.write(frame)

    def _refuse_unsent(self, command: AnyCommand, why: str) -> None:
        """Refuse a command whose model cannot be sent to another computer."""
        if command.job in self._open:
            self._refuse_command(command, why, "")
            self._update_status()

    def _send_sign(self) -> None:
        """Tell an engine on another computer that the window is still there."""
        if self._process:
            self._process.pipe.write(encode(KeepAlive(job="keep-alive")))

    def _refuse_command(self, command: AnyCommand, why: str, hint: str) -> None:
        self._deliver_later(Failed(job=command.job, reason=why, hint=hint))

    def _deliver_later(self, ending: Ending) -> None:
        """Deliver an ending that the client made itself.

        It arrives a moment later, because no sender expects an answer before `send` returns.
        """
        del self._open[ending.job]
        QTimer.singleShot(0, self, partial(self._deliver, ending, self._receivers.pop(ending.job, None)))

    def _process_of(self, pipe: EnginePipe) -> ProcessState | None:
        """Return the state of the process with this pipe, unless it is an older one."""
        return self._process if self._process is not None and self._process.pipe is pipe else None

    @Slot(object, object)
    def _on_event(self, pipe: EnginePipe, event: AnyEvent) -> None:
        if process_state := self._process_of(pipe):
            process_state.silent = 0.0
            process_state.has_begun = True
            self._update_process(process_state, event)
            self._deliver_event(event)

    @Slot(object, str)
    def _on_unreadable(self, pipe: EnginePipe, fault: str) -> None:
        self._log.append(f"unreadable: {fault}")
        if process_state := self._process_of(pipe):
            self._kill_process(process_state, "The engine sent something unreadable and was ended.")

    def _update_process(self, process_state: ProcessState, event: AnyEvent) -> None:
        """Update the state of the process from an event."""
        match event:
            case Starting(protocol=protocol, version=version) if (protocol, version) != (PROTOCOL_VERSION, __version__):
                process_state.hopeless = True
                self._kill_process(process_state, self._version_text(version))
            case Ready():
                process_state.ready = True
                self.ready = event
            case Heartbeat(steps=steps, job=job):
                process_state.open_commands = job
                if steps != process_state.steps or job is None:
                    process_state.steps = steps
                    process_state.stuck = 0.0
            case Failed(job="", reason=why, hint=hint):
                self._reason = "" if process_state.ready else why
                self.message_raised.emit(f"{why} {hint}".strip())

    def _version_text(self, version: str) -> str:
        if self.host:
            return ssh.explain_version(self.host, version, __version__)
        return f"The engine has another version, {version}. Install the same version on both computers."

    def _deliver_event(self, event: AnyEvent) -> None:
        """Deliver an event, unless its command has had an ending already."""
        job = _command_of(event)
        if job and job not in self._open:
            return
        receiver = self._receivers.get(job)
        if isinstance(event, Ending):
            self._open.pop(job, None)
            self._receivers.pop(job, None)
        self._deliver(event, receiver)
        self._update_status()

    def _deliver_at_once(self, event: AnyEvent) -> None:
        """Deliver an event in the thread that reads the pipe.

        Sound then does not wait for a window that is drawing.
        """
        receiver = self._receivers.get(_command_of(event))
        if receiver is not None:
            receiver.receive_at_once(event)

    def _deliver(self, event: AnyEvent, receiver: Receiver | None) -> None:
        """Deliver an event to its receiver, after the list of all jobs."""
        self.event_received.emit(event)
        if receiver is not None:
            receiver.receive(_command_of(event), event)
        elif not _command_of(event):
            self.announced.emit(event)

    def _check_process(self) -> None:
        """End an engine that hangs. Time in which the window itself was blocked does not count."""
        now = time.monotonic()
        passed = min(now - self._last_check, 2 * CHECK_INTERVAL)
        self._last_check = now
        if process_state := self._process:
            process_state.silent += passed
            process_state.stuck += passed if process_state.open_commands else 0.0
            patience = self._hang_after if process_state.ready else max(START_LIMIT, self._hang_after)
            command = self._open.get(process_state.open_commands or "")
            slow = SLOW if command and command.urgency == URGENCY_QUEUED else WATCHED
            if process_state.silent > patience or process_state.stuck > patience * slow:
                self._kill_process(
                    process_state,
                    process_state.verdict if self.host else "The engine stopped answering and was ended.",
                )

    def _kill_process(self, process_state: ProcessState, verdict: str) -> None:
        process_state.verdict = verdict
        process_state.pipe.kill()

    @Slot(object, str)
    def _on_process_died(self, pipe: EnginePipe, why: str) -> None:
        """Report a process that ended unasked, start another, and report the lost commands."""
        process_state = self._process_of(pipe)
        if process_state is None:
            return
        if why:
            process_state.verdict = f'The engine could not be started: "{pipe.program}": {why}.'
        if self.host and not process_state.has_begun:
            process_state.hopeless = True  # it would be refused again
            if not why:
                process_state.verdict = ssh.explain_failure(self.host, process_state.log, pipe.exit_status)
        self._save_log()
        self._leave_process()
        now = time.monotonic()
        self._crashes = [crash_time for crash_time in self._crashes if now - crash_time < self._forgive_after] + [now]
        lost = tuple(self._open.values())
        self._open = {}
        receivers = self._receivers
        self._receivers = {}
        if len(self._crashes) <= len(RESTART_DELAYS) and not process_state.hopeless:
            self._restart.start(round(RESTART_DELAYS[len(self._crashes) - 1] * 1000))
            following = "It is being restored." if self.host else "Another one is starting."
            sentence = f"{process_state.verdict} {following} {TAKES_ARE_SAFE}"
        else:
            often = "" if process_state.hopeless else f" It stopped {len(self._crashes)} times within a short while."
            reason = self._reason and f"{self._reason} "
            following = f"{reason}{TAKES_ARE_SAFE}"
            if not self.host:
                following = f"No other is starting. {following} Doctor says more."
            sentence = f"{process_state.verdict}{often} {following}"
        self.message_raised.emit(sentence)
        if lost:
            self.lost.emit(lost)
        for job, receiver in receivers.items():
            receiver.lose(job, sentence)
        self._update_status()

    @Slot(object, str)
    def _keep_log(self, pipe: EnginePipe, line: str) -> None:
        self._log.append(line)
        process_state = self._process_of(pipe)
        if process_state is not None and not process_state.has_begun:
            process_state.log.append(line)

    def _save_log(self) -> None:
        """Write the log for those who look into why an engine ended.

        A log that cannot be saved is worth no message.
        """
        if self._log:
            with contextlib.suppress(storage.NotSaved):
                storage.write_file(storage.home_folder("log") / "engine.log", "\n".join((*self._log, "")).encode())

    def _update_status(self) -> None:
        if self._process is None:
            now = "Starting" if self._restart.isActive() else "Stopped"
        elif not self._process.ready:
            now = "Starting"
        else:
            now = "Working" if self._open else "Ready"
        if now != self.now:
            self.now = now
            self.status_changed.emit(now)


def _command_of(event: AnyEvent) -> str:
    """Return the name of the command that an event answers; empty if it answers none."""
    return "" if isinstance(event, Heartbeat) else getattr(event, "job", "")
