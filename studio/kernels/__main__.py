"""Compiles loops before anybody waits for them, and says the name of each as soon as it is kept.

    python -m studio.kernels [--idle] [LOOP …]

A process of its own: a compiler at work would hold up every thread of the engine. It ends with its standard input,
whose other end is held by whoever has started it, so that nothing is left of it however that one ends.
"""

import argparse
import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Sequence

from studio.kernels import LOOPS

_BEYOND = 2**30
"""A byte that this file does not have, and nobody reads."""


def main(argv: Sequence[str]) -> int:
    """Compiles the loops that are named, in this order; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m studio.kernels", description="Compiles loops ahead.")
    parser.add_argument("--idle", action="store_true", help="give way to all others, and wait for one that is at it")
    parser.add_argument("loops", nargs="*", metavar="LOOP", help=f"all where none is named: {', '.join(LOOPS)}")
    words = parser.parse_args(argv)
    threading.Thread(target=_leave, daemon=True).start()
    if words.idle:
        _stand_back()
    for name in words.loops or LOOPS:
        loop = LOOPS[name]
        getattr(importlib.import_module(f"studio.kernels.{loop.file}"), loop.prepare)()
        print(name, flush=True)
    return 0


def _leave() -> None:
    """Ends the process with its standard input, whatever it is at."""
    while os.read(0, 4096):
        continue
    os._exit(0)


def _stand_back() -> None:
    """The least of the processor's time, and one process at a time: the next one finds done what the first has done."""
    if hasattr(os, "nice"):  # Windows is told by whoever starts it
        os.nice(19)
    file = os.open(__file__, os.O_RDONLY)  # stays locked until the process ends
    with contextlib.suppress(OSError):  # a file system without locks, where two may do the same work
        if sys.platform == "win32":
            _wait_on_windows(file)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)


if sys.platform == "win32":
    import msvcrt

    def _wait_on_windows(file: int) -> None:
        os.lseek(file, _BEYOND, os.SEEK_SET)
        for _ in range(60):
            with contextlib.suppress(OSError):  # after ten seconds
                return msvcrt.locking(file, msvcrt.LK_LOCK, 1)
else:
    import fcntl


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
