"""Compiles loops before they are needed, and prints the name of each as soon as it is stored.

    python -m studio.kernels [--idle | --stay] [LOOP …]

It runs as a process of its own, because compiling would block every thread of the engine. The process that starts it
holds the other end of its standard input. When that end closes, this process ends too, so it never outlives a crashed
parent. With `--stay` it ends like this only while it waits for another compiler. Once it compiles, it finishes its
work at the lowest priority.
"""

import argparse
import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Sequence

from studio.kernels import LOOPS

_NICE_IDLE = 19
"""Nice value for compiling ahead, when nobody waits."""
_NICE_STAYING = 5
"""Nice value for compiling while torch draws instead and the user waits.

With four other programs on two busy cores, 5 leaves an eighth of a core for the compiler.
"""
_LOCKED_BYTE = 2**30
"""Position of the byte that is locked on Windows. It lies beyond the end of this file, so no reader is blocked."""


def main(argv: Sequence[str]) -> int:
    """Compile the named loops in their order and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m studio.kernels", description="Compile loops ahead.")
    parser.add_argument("--idle", action="store_true", help="run at the lowest priority, after other compilers")
    parser.add_argument("--stay", action="store_true", help="finish a loop even if the parent process has ended")
    parser.add_argument("loops", nargs="*", metavar="LOOP", help=f"default: all of {', '.join(LOOPS)}")
    words = parser.parse_args(argv)
    finishes = threading.Event()
    threading.Thread(target=_end_with_input, args=(finishes,), daemon=True).start()
    if words.idle or words.stay:
        _lower_priority(_NICE_IDLE if words.idle else _NICE_STAYING)
        _wait_for_others()
    if words.stay:
        finishes.set()
    for name in words.loops or LOOPS:
        loop = LOOPS[name]
        getattr(importlib.import_module(f"studio.kernels.{loop.file}"), loop.prepare)()
        with contextlib.suppress(OSError):  # the reader has ended
            print(name, flush=True)
    return 0


def _end_with_input(finishes: threading.Event) -> None:
    """Wait until standard input closes, then end the process, or lower its priority if `finishes` is set."""
    while os.read(0, 4096):
        continue
    if not finishes.is_set():
        os._exit(0)
    _lower_priority(_NICE_IDLE)


def _lower_priority(nice: int) -> None:
    """Raise the nice value of the main thread, which compiles. Any thread may call this."""
    if hasattr(os, "setpriority"):  # on Windows the parent process sets the priority
        before = os.getpriority(os.PRIO_PROCESS, os.getpid())
        os.setpriority(os.PRIO_PROCESS, os.getpid(), max(nice, before))  # only root may lower a nice value


def _wait_for_others() -> None:
    """Wait until no other process compiles. What it has compiled is then loaded instead of compiled again."""
    file = os.open(__file__, os.O_RDONLY)  # stays locked until the process ends
    with contextlib.suppress(OSError):  # the file system has no locks: two processes may compile the same loop
        if sys.platform == "win32":
            _wait_on_windows(file)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)


if sys.platform == "win32":
    import msvcrt

    def _wait_on_windows(file: int) -> None:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        for _ in range(60):
            with contextlib.suppress(OSError):  # a call gives up after ten seconds
                return msvcrt.locking(file, msvcrt.LK_LOCK, 1)
else:
    import fcntl


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
