"""Compiles loops before anybody waits for them, and says the name of each as soon as it is kept.

    python -m studio.kernels [--idle | --stay] [LOOP …]

A process of its own: a compiler at work would hold up every thread of the engine. It ends with its standard input,
whose other end is held by whoever has started it, so that nothing is left of it however that one ends. With `--stay`
it does so only while it waits for another; once it compiles, it finishes at the lowest priority.
"""

import argparse
import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Sequence

from studio.kernels import LOOPS

_LAST, _BESIDE = 19, 5
"""How nice it is: at leisure, and while somebody draws by torch and waits for it. Beside four programs that keep two
processors busy, 5 leaves an eighth of one for it."""
_BEYOND = 2**30
"""A byte that this file does not have, and nobody reads."""


def main(argv: Sequence[str]) -> int:
    """Compiles the loops that are named, in this order; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m studio.kernels", description="Compiles loops ahead.")
    parser.add_argument("--idle", action="store_true", help="give way to all others, and wait for one that is at it")
    parser.add_argument("--stay", action="store_true", help="finish what was begun when whoever started it has ended")
    parser.add_argument("loops", nargs="*", metavar="LOOP", help=f"all where none is named: {', '.join(LOOPS)}")
    words = parser.parse_args(argv)
    finishes = threading.Event()
    threading.Thread(target=_leave, args=(finishes,), daemon=True).start()
    if words.idle or words.stay:
        _step_back(_LAST if words.idle else _BESIDE)
        _wait_for_others()
    if words.stay:
        finishes.set()
    for name in words.loops or LOOPS:
        loop = LOOPS[name]
        getattr(importlib.import_module(f"studio.kernels.{loop.file}"), loop.prepare)()
        with contextlib.suppress(OSError):  # nobody listens any more
            print(name, flush=True)
    return 0


def _leave(finishes: threading.Event) -> None:
    """Ends the process with its standard input, whatever it is doing, unless it finishes what it has begun."""
    while os.read(0, 4096):
        continue
    if not finishes.is_set():
        os._exit(0)
    _step_back(_LAST)


def _step_back(nice: int) -> None:
    """Less of the processor's time for the thread that compiles, whichever thread calls this."""
    if hasattr(os, "setpriority"):  # Windows is told by whoever starts it
        before = os.getpriority(os.PRIO_PROCESS, os.getpid())
        os.setpriority(os.PRIO_PROCESS, os.getpid(), max(nice, before))  # nobody may become less nice


def _wait_for_others() -> None:
    """One process at a time: the next one finds done what the first has done."""
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
