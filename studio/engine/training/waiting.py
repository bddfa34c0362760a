"""Wait while the disk takes no files, so that a training loses nothing."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass

from studio.engine.events import Pause
from studio.library.storage import NotSaved
from studio.wire.messages import WaitReason

RETRY_SECONDS = 2.0
"""Seconds between two attempts to save."""


@dataclass(frozen=True)
class WaitReport:
    """Holds why a training waits, and what the user is told."""

    reason: WaitReason
    """Empty if it continues."""
    text: str


CONTINUES = WaitReport("", "Everything is saved again. The training continues.")


def keep_trying(save: Callable[[], object]) -> Generator[WaitReport | Pause, None, None]:
    """Call `save` until the disk takes its files.

    Yields a report when the disk first refuses, Pauses while it does, and `CONTINUES` at the end. Closing the generator
    gives up.
    """
    try:
        save()
        return
    except OSError as error:
        report = _describe(error)
    yield report
    while True:
        yield Pause(RETRY_SECONDS)
        with contextlib.suppress(OSError):
            save()
            break
    yield CONTINUES


def _describe(error: OSError) -> WaitReport:
    """Say why the training waits, and what ends the wait."""
    if isinstance(error, NotSaved) and error.cause == "full":
        megabytes = max(1, -(-error.size // 1_000_000))
        text = (
            "The disk is full, so the training waits. Nothing is lost. "
            f"Free about {megabytes:,} MB, and it continues by itself."
        )
        return WaitReport("space", text)
    if isinstance(error, NotSaved) and error.cause == "missing":
        text = (
            "The folder of the training is gone, so it waits. Nothing is lost. "
            "Bring the folder back, and it continues by itself."
        )
        return WaitReport("folder", text)
    text = (
        "The disk takes no files, so the training waits. Nothing is lost. "
        "Make its folder writable, and it continues by itself."
    )
    return WaitReport("access", text)
