"""Runs an invisible screen with a window manager, a pointer and keys: Xvfb, openbox, xdotool."""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SIZE = (1600, 1000)
PATIENCE = 60.0
"""Seconds to wait for anything, far above the usual time, because the machine may have other work."""

LONG = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not os.environ.get("STUDIO_LONG_HAND"), reason="takes minutes: STUDIO_LONG_HAND=1 runs it"),
]
"""Marks of tests that touch every control. With them the suite would take more than ten minutes."""


def read_line(process: "subprocess.Popen[bytes]", what: str, patience: float = PATIENCE) -> str:
    """Return the next line of a process. Raises TimeoutError if there is none, EOFError if the process has ended."""
    assert process.stdout is not None
    line = bytearray()
    while not line.endswith(b"\n"):
        if not select.select([process.stdout], [], [], patience)[0]:
            raise TimeoutError(f"{what} did not answer within {patience:.0f} s")
        data = os.read(process.stdout.fileno(), 1 << 20)
        if not data:
            raise EOFError(f"{what} has ended")
        line += data
    return line.decode()


class Screen:
    """Runs an X server on a free number, a window manager, and xdotool for the pointer and the keys."""

    def __init__(self, folder: Path) -> None:
        """Start the programs. `folder` receives the logs and the screenshots."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        size = f"{SIZE[0]}x{SIZE[1]}x24"
        words = ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
        self._server = self._start(words, "server")
        self.name = f":{read_line(self._server, 'The X server').strip()}"
        self._manager = self._start(["openbox", "--sm-disable"], "manager")
        self._hand = self._start(["xdotool", "-"], "hand", stdin=subprocess.PIPE)
        self._file_manager: subprocess.Popen[bytes] | None = None
        self.at = (0, 0)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment for a program on this screen."""
        known = {key: value for key, value in os.environ.items() if key not in ("WAYLAND_DISPLAY", "XAUTHORITY")}
        return {**known, "DISPLAY": getattr(self, "name", ""), "QT_QPA_PLATFORM": "xcb"}

    def do(self, words: str) -> None:
        """Run a command of xdotool, and wait for the server: it answers the question that follows the command."""
        assert self._hand.stdin is not None
        self._hand.stdin.write(f"{words}\nget_num_desktops\n".encode())
        self._hand.stdin.flush()
        read_line(self._hand, "The hand")

    def move(self, x: float, y: float) -> None:
        self.at = (round(x), round(y))
        self.do(f"mousemove {self.at[0]} {self.at[1]}")

    def drop(self, file: Path, at: tuple[int, int]) -> str:
        """Drag a file out of a file manager and drop it; return CopyAction, MoveAction or LinkAction."""
        self._end_file_manager()
        words = [sys.executable, str(Path(__file__).with_name("file_manager.py")), str(SIZE[0] - 110), "10", str(file)]
        self._file_manager = self._start(words, "files")
        read_line(self._file_manager, "The file manager")
        self.move(SIZE[0] - 60, 40)
        self.do("mousedown 1")
        for share in (0.05, 0.1, 0.5, 0.9, 1.0, 1.0):
            across = SIZE[0] - 60
            down = 40
            self.move(across + share * (at[0] - across), down + share * (at[1] - down))
            time.sleep(0.1)  # the two windows exchange messages during a drag
        read_line(self._file_manager, "A window that takes the file")
        self.do("mouseup 1")
        return read_line(self._file_manager, "The file manager").strip()

    def _end_file_manager(self) -> None:
        """End the file manager. Call it only before the next drop, because it must still deliver the dropped file."""
        if self._file_manager is not None:
            end(self._file_manager)
            self._file_manager = None

    def screenshot(self, name: str) -> Path | None:
        """Save a screenshot; return None if no program for it is installed."""
        path = self._folder / f"{name}.png"
        if shutil.which("import") is None:
            return None
        subprocess.run(["import", "-window", "root", str(path)], env=self.environment, timeout=PATIENCE, check=False)
        return path if path.exists() else None

    def focused(self) -> str:
        """Return the title of the window to which the X server sends keys, with its number."""
        words = ["xdotool", "getwindowfocus", "getwindowname", "getwindowfocus"]
        done = subprocess.run(words, env=self.environment, timeout=PATIENCE, check=False, stdout=subprocess.PIPE)
        return " ".join(done.stdout.decode().split())

    def close(self) -> None:
        self._end_file_manager()
        for process in (self._hand, self._manager, self._server):
            end(process)

    def _start(self, words: list[str], name: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        with open(self._folder / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                words, env=self.environment, stdin=stdin, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )


def end(process: "subprocess.Popen[bytes]") -> int:
    """Ask a process to end, wait for it and return its exit status."""
    process.terminate()
    status = process.wait(PATIENCE)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    return status


def until(true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Wait until `true` returns something true. Raises TimeoutError.

    The longer it waits, the more rarely it asks: the window must answer each question beside its work.
    """
    end = time.monotonic() + patience
    pause = 0.01
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {patience:.0f} s")
        time.sleep(pause)
        pause = min(1.5 * pause, 0.1)
