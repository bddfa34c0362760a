"""Compile loops ahead in a child process: while the engine is idle, or at once for a job.

The engine continues meanwhile, and torch replaces the loop. A compiler in this process would hold up all of its threads
for seconds.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from studio import kernels
from studio.library import storage

KEPT_VERSIONS = 8
"""Folders of compiled loops that are kept. There is one for each version of the studio, 5 MB large."""
_LOWEST = getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)  # of Windows; elsewhere the child lowers its own priority


def compile_command() -> list[str]:
    """Return the command that compiles."""
    return [sys.executable, "-P", "-m", "studio.kernels"]


def loops_for_device(device: str) -> tuple[str, ...]:
    """Return the loops that a device needs.

    A graphics card draws pixel by pixel by itself.
    """
    return tuple(name for name in kernels.LOOPS if device == "cpu" or name != "pixels")


def missing_loops(device: str) -> tuple[str, ...]:
    """Return the loops that are to be compiled ahead; None if none can be.

    That is so if another process fills the folder, if nothing can be stored there, or if the studio is one frozen
    program without a Python that could run another.
    """
    if not kernels.is_own_folder() or getattr(sys, "frozen", False):
        return ()
    try:
        kept = storage.create_folder(kernels.cache_folder())
    except storage.NotSaved:
        return ()
    missing = kernels.missing_loops() if os.access(kept, os.W_OK) else ()
    return tuple(name for name in loops_for_device(device) if name in missing)


def compile_meanwhile(device: str, explain: Callable[[], object]) -> None:
    """Compile missing loops in a child process for a command that ends soon. Torch is used until they are ready.

    `explain` is called once, when the first loop is needed.
    """
    ahead = Precompiler(missing_loops(device), lambda left: None, stays=True)
    explained = False

    def asked(loop: str) -> bool:
        nonlocal explained
        missing = ahead.is_pending(loop)
        if missing and not explained:
            explained = True
            explain()
        return missing

    kernels.compiled_elsewhere.is_pending = asked


class Precompiler:
    """Compiles missing loops in a child process, one at a time.

    Arguments
        remaining: the loops that are not compiled yet
        tell: called with the loops still missing if they change, from any thread
        program: the child's command; it prints the name of each loop on a line as soon as the loop is stored
        stays: this process may end soon, as a terminal command does. A child that is compiling then finishes
            by itself at the lowest priority, so that the next command finds the loop.
    """

    def __init__(
        self,
        left: Sequence[str],
        tell: Callable[[tuple[str, ...]], object],
        program: Sequence[str] = (),
        *,
        stays: bool = False,
    ) -> None:
        self._left = list(left)
        self._tell = tell
        self._program = program or compile_command()
        self._stays = stays
        self._hurried: list[str] = []
        """Loops that a running job waits for."""
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.RLock()

    @property
    def remaining(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._left)

    def start_compiling(self) -> None:
        """Start compiling, because the engine is idle. It may be called any number of times."""
        with self._lock:
            if self._left and self._child is None:
                self._start("--idle", *self._left)

    def is_pending(self, loop: str) -> bool:
        """Return whether a loop is missing. If so, compile it next; torch must be used until then."""
        with self._lock:
            if loop in self._left and loop not in self._hurried:
                self._hurried.append(loop)
                self._start(*self._hurried)
            return loop in self._left

    def _start(self, *words: str) -> None:
        """Start a child that replaces the present one. Loops that are already stored are not compiled again."""
        if self._child is not None:
            self._child.kill()
        if self._stays:
            words = ("--stay", *words)
        root = str(Path(kernels.__file__).parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            self._child = subprocess.Popen(
                [*self._program, *words],
                stdin=subprocess.PIPE,  # nothing is written: the child ends when this process does
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if self._stays else None,  # this process may have ended
                text=True,
                env={**os.environ, "PYTHONPATH": path},
                creationflags=_LOWEST if "--idle" in words else 0,
                start_new_session=self._stays,  # Ctrl+C in the terminal must not end it
            )
        except OSError:
            self._give_up()
        else:
            threading.Thread(target=self._read_output, args=(self._child,), daemon=True).start()

    def _read_output(self, child: "subprocess.Popen[str]") -> None:
        with child:
            assert child.stdout is not None, "it is a pipe"
            for line in child.stdout:
                self._strike(line.strip())
        with self._lock:
            if child is not self._child:
                return
            self._child = None
            if child.returncode or set(self._hurried) & set(self._left):
                self._give_up()
            elif not self._left:
                storage.keep_newest(kernels.cache_folder().parent, KEPT_VERSIONS)

    def _strike(self, loop: str) -> None:
        with self._lock:
            if loop in self._left:
                self._left.remove(loop)
                self._tell(tuple(self._left))

    def _give_up(self) -> None:
        """Stop compiling ahead. A job that needs a loop compiles it itself."""
        self._left.clear()
        self._tell(())
