"""Runs the engine's process and reads its pipes, each in its own thread.

Events then arrive while the window draws.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from PySide6.QtCore import QObject, Signal

from studio.wire.frames import BadFrame, event_splitter
from studio.wire.messages import AnyEvent

CHUNK = 2**20
"""The most bytes that are read at once."""
NO_CONSOLE = 0
"""Flags that keep Windows from opening a console for the process."""
if sys.platform == "win32":
    NO_CONSOLE = subprocess.CREATE_NO_WINDOW
LOG_LIMIT = 0.5
"""Seconds to wait for the log of an ended process. Another process may still hold the pipe open."""


class EnginePipe(QObject):
    """Holds one process. Its signals come from other threads, and carry the pipe itself first.

    Signals: `event_received` an event; `unreadable` what is wrong with the output, after which nothing more is read;
    `logged` a line of the log; `ended` why the process could not be started, empty if it was.

    Arguments
        at_once: called with each event before `event_received`, in the thread that reads it
    """

    event_received = Signal(object, object)
    unreadable = Signal(object, str)
    logged = Signal(object, str)
    ended = Signal(object, str)

    def __init__(self, at_once: Callable[[AnyEvent], object]) -> None:
        super().__init__()
        self._at_once = at_once
        self._frames: SimpleQueue[bytes | None] = SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._logging: threading.Thread
        self.program = ""
        """The program that was started, without its arguments."""

    @property
    def exit_status(self) -> int | None:
        """Return the exit status of the process; None if it runs, or did not start."""
        return self._process.returncode if self._process is not None else None

    @property
    def process_id(self) -> int:
        """Return the number of the process; 0 if it could not be started."""
        return self._process.pid if self._process is not None else 0

    def start(self, program: Sequence[str], environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        self.program = program[0]
        try:
            self._process = process = subprocess.Popen(
                program, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, creationflags=NO_CONSOLE
            )
        except (OSError, ValueError) as error:
            self.ended.emit(self, getattr(error, "strerror", None) or str(error))
            return
        self._logging = log = threading.Thread(target=self._log, args=(process,), daemon=True)
        for thread in (
            log,
            threading.Thread(target=self._write, args=(process,), daemon=True),
            threading.Thread(target=self._read, args=(process, log), daemon=True),
        ):
            thread.start()

    def write(self, frame: bytes) -> None:
        """Queue a frame without waiting. It is lost if nobody reads any more."""
        self._frames.put(frame)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def end_input(self) -> None:
        """Let the process end by itself, without waiting for it."""
        self._frames.put(None)

    def close(self) -> None:
        """Let the process save and end.

        Its input ends first. It is asked to end after 2 s, and killed after 3 s.
        """
        self._frames.put(None)
        if (process := self._process) is not None:
            for wait, end_process in ((2.0, process.terminate), (1.0, process.kill), (1.0, process.kill)):
                try:
                    process.wait(wait)
                except subprocess.TimeoutExpired:
                    end_process()
            self._logging.join(LOG_LIMIT)

    # ── its own threads ──────────────────────────────────────────────────────────────────────────

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError), process.stdin as pipe:
            while (frame := self._frames.get()) is not None:
                left = memoryview(frame)
                while left:
                    left = left[pipe.write(left) :]

    def _read(self, process: subprocess.Popen[bytes], log: threading.Thread) -> None:
        assert process.stdout is not None
        splitter = event_splitter()
        with process.stdout as pipe:
            try:
                while data := _read_frames(pipe.fileno()):
                    splitter.feed(data)
                    while (event := splitter.next_message()) is not None:
                        self._at_once(event)
                        self._emit_signal(self.event_received, event)
            except Exception as fault:
                if not isinstance(fault, BadFrame):
                    sys.excepthook(type(fault), fault, fault.__traceback__)
                self._emit_signal(self.unreadable, str(fault))
            process.wait()
        self._frames.put(None)
        log.join(LOG_LIMIT)
        self._emit_signal(self.ended, "")

    def _log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with contextlib.suppress(OSError), process.stderr as pipe:
            for line in pipe:
                self._emit_signal(self.logged, line.decode("utf-8", "replace").rstrip("\r\n"))

    def _emit_signal(self, signal: object, value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the window may be gone by now
            signal.emit(self, value)  # type: ignore[attr-defined]


def _read_frames(source: int) -> bytes:
    try:
        return os.read(source, CHUNK)
    except OSError:  # a broken pipe has ended
        return b""
