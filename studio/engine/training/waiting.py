"""Wait while the disk takes no files, so that a training loses nothing."""

import contextlib
from collections.abc import Callable, Generator

from studio.engine.events import Pause
from studio.library.storage import NotSaved

RETRY_SECONDS = 2.0
"""Seconds between two attempts to save."""
CONTINUES = "Everything is saved again. The training continues."


def keep_trying(save: Callable[[], object]) -> Generator[str | Pause, None, None]:
    """Call `save` until the disk takes its files.

    Yields a sentence for the user when the disk first refuses, Pauses while it does, and a sentence at the end. Closing
    the generator gives up.
    """
    try:
        save()
        return
    except OSError as error:
        sentence = _describe(error)
    yield sentence
    while True:
        yield Pause(RETRY_SECONDS)
        with contextlib.suppress(OSError):
            save()
            break
    yield CONTINUES


def _describe(error: OSError) -> str:
    """Say why the training waits, and what ends the wait."""
    if isinstance(error, NotSaved) and error.cause == "full":
        megabytes = max(1, -(-error.size // 1_000_000))
        return (
            "The disk is full, so the training waits. Nothing is lost. "
            f"Free about {megabytes:,} MB, and it continues by itself."
        )
    if isinstance(error, NotSaved) and error.cause == "missing":
        return (
            "The folder of the training is gone, so it waits. Nothing is lost. "
            "Bring the folder back, and it continues by itself."
        )
    return (
        "The disk takes no files, so the training waits. Nothing is lost. "
        "Make its folder writable, and it continues by itself."
    )
