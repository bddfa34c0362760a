"""How set-up speaks: on standard error, because standard output belongs to the command that follows it."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line for the person."""
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> SystemExit:
    """Ends the program with a sentence and status 1: `raise stop(…)`."""
    return SystemExit("\n" + text)
