"""Print messages of set-up to standard error, because standard output belongs to the command that follows."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print one line for the user."""
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> SystemExit:
    """Return the exception that ends the program with a sentence and status 1: `raise stop(…)`."""
    return SystemExit("\n" + text)
