"""Lock the folder of a run, so that only one training writes to it."""

import contextlib
import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from studio.library import storage
from studio.library.runs import LOCK_FILE


class LockHolder(msgspec.Struct, frozen=True):
    """Names the training that holds a run."""

    process: int
    since: str
    """The time of day when it began, for example `14:02`."""


class RunLocked(ValueError):
    """Reports that another training holds the run, in a sentence that names it."""


@contextlib.contextmanager
def hold_run(run: Path) -> Iterator[None]:
    """Hold a run. At the end, remove its folder if it is unused, so that its name is free.

    Raises RunLocked if another training holds the run, and storage.NotSaved if the folder cannot be made.
    """
    lock = storage.lock_file(run / LOCK_FILE)
    if lock is None:
        raise _refusal(run)
    try:
        mine = LockHolder(os.getpid(), datetime.datetime.now().strftime("%H:%M"))
        storage.write_file(run / "holder.json", msgspec.json.encode(mine))
        yield
    finally:
        os.close(lock)
        if not (run / "study.json").exists():
            for name in ("holder.json", LOCK_FILE):
                storage.delete_file(run / name)
            storage.remove_if_empty(run)


def check_run(run: Path) -> None:
    """Raise RunLocked if another training holds a run, without taking it."""
    if not (run / LOCK_FILE).exists():
        return
    lock = storage.lock_file(run / LOCK_FILE)
    if lock is None:
        raise _refusal(run)
    os.close(lock)


def _refusal(run: Path) -> RunLocked:
    try:
        first = msgspec.json.decode((run / "holder.json").read_bytes(), type=LockHolder)
    except (OSError, msgspec.MsgspecError):  # that training has only just begun
        return RunLocked(f'Another process is training "{run.name}". Wait until it ends, or choose another name.')
    return RunLocked(
        f'Process {first.process} has been training "{run.name}" since {first.since}. '
        "Wait until it ends, or choose another name."
    )
