"""Run commands in forks of one process that has already imported what they need.

A new process takes a second or more for a command, nearly all of it for imports. A fork takes milliseconds. It has
streams of its own, which may be closed or broken as in a shell. It ends as Python ends, but its modules are not taken
down, which takes half a second.

Run as a program, this is that process: it gets one end of a socket, by which requests and file descriptors come in.
"""

import atexit
import contextlib
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
REDIRECTIONS = {
    "<&-": (0, None),
    ">&-": (1, None),
    "2>&-": (2, None),
    ">/dev/full": (1, "/dev/full"),
    "2>/dev/full": (2, "/dev/full"),
}
"""What a shell does to which stream: it closes the stream, or it opens a file as that stream."""


class Fork:
    """Is one running command."""

    def __init__(self, pid: int, answer: Callable[[float], int]) -> None:
        self._pid = pid
        self._answer = answer
        self._status: int | None = None

    def send_signal(self, number: int) -> None:
        """Send a signal to the command, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def wait(self, timeout: float = LIMIT) -> int:
        """Wait for the end of the command; return its exit status, negative after a signal."""
        if self._status is None:
            self._status = self._answer(timeout)
        return self._status

    def kill(self) -> None:
        """End the command if it still runs."""
        if self._status is None:
            self.send_signal(signal.SIGKILL)
            self.wait()


class Forks:
    """Controls the process that forks, from a test. It runs one command at a time."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._socket, other = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.forks", str(other.fileno())],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            pass_fds=[other.fileno()],
        )
        other.close()

    def start(
        self,
        *words: str | Path,
        streams: str = "",
        environment: Mapping[str, str] | None = None,
        module: str = "studio.__main__",
        out: IO[Any],
        err: IO[Any],
    ) -> Fork:
        """Start the `main` of a module with these words. `streams` holds redirections of a shell."""
        request = {
            "module": module,
            "words": [os.fsencode(word).decode("latin-1") for word in words],
            "streams": streams,
            "environment": {**os.environ, **(environment or {})},
        }
        message = json.dumps(request).encode("ascii") + b"\n"
        socket.send_fds(self._socket, [message], [out.fileno(), err.fileno()])
        return Fork(self._answer(LIMIT), self._answer)

    def run(
        self, *words: str | Path, streams: str = "", environment: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, bytes]:
        """Run a command of the terminal; return its exit status and its two outputs."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            fork = self.start(*words, streams=streams, environment=environment, out=out, err=err)
            try:
                status = fork.wait()
            finally:
                fork.kill()
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()

    def close(self) -> None:
        """End the process that forks."""
        self._socket.close()
        self._process.wait(LIMIT)

    def _answer(self, timeout: float) -> int:
        """Read the next line, which is the number of a process or its exit status."""
        self._socket.settimeout(timeout)
        line = b""
        while not line.endswith(b"\n"):
            received = self._socket.recv(1)
            if not received:
                raise EOFError("the process that forks has ended")
            line += received
        return int(line)


def _serve(channel: socket.socket) -> None:
    """Fork for each request until the other end is closed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whoever started the tests may ignore some
        signal.signal(number, signal.SIG_DFL)
    importlib.import_module("studio.cli")
    importlib.import_module("studio.engine.jobs")
    importlib.import_module("studio.engine.device").lower_priority = lambda: None  # tests do not wait for all others
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 2**16, 2)
        if not message:
            return
        while not message.endswith(b"\n"):
            message += channel.recv(2**16)
        child = os.fork()
        if child == 0:
            channel.close()
            _run(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        channel.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(request: dict[str, Any], out: int, err: int) -> NoReturn:
    """Run a command in this process with its own environment and streams, then exit."""
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(source, number)
        os.close(source)
    for redirection in request["streams"].split():
        number, path = REDIRECTIONS[redirection]
        if path is None:
            os.close(number)
            continue
        source = os.open(path, os.O_WRONLY)
        os.dup2(source, number)
        os.close(source)
    streams = [_stream(number) for number in range(3)]
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    words = [os.fsdecode(word.encode("latin-1")) for word in request["words"]]  # bytes, as the system hands them over
    status = 1
    try:
        status = importlib.import_module(request["module"]).main(words)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = 120  # as Python does
    os._exit(status)


def _stream(number: int) -> Any:
    """Return what Python puts in place of a standard stream at its start: None if the stream is closed."""
    try:
        os.fstat(number)
    except OSError:
        return None
    if number == 0:
        return open(0, closefd=False)
    asked = os.environ.get("PYTHONIOENCODING")
    inherited = sys.stdout if number == 1 else sys.stderr
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=asked or inherited.encoding,
        errors="strict" if asked and number == 1 else inherited.errors,
        line_buffering=number == 2,
    )


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
