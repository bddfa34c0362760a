"""Write the log of a run: what it learned and what happened, one JSON object a line."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from studio.library import runs, storage


class RunLog:
    """Appends to the log in a run's folder.

    Every line is whole or missing. What the disk refuses is kept here and written with the next line.

    Arguments
        check_folder: raises storage.NotSaved if the folder is not there
    """

    def __init__(self, folder: Path, check_folder: Callable[[], object]) -> None:
        self._path = folder / runs.LOG_FILE
        self._check_folder = check_folder
        self._unwritten = b""

    def forget_after(self, step: int) -> None:
        """Remove the lines after a step, because the run continues from there. Raises storage.NotSaved."""
        self._unwritten = b""
        kept = [line for line in runs.read_log(self._path.parent) if line.step <= step]
        data = b"".join(map(_encode, kept))
        with contextlib.suppress(OSError):
            if self._path.read_bytes() == data:
                return
        if kept or self._path.exists():
            storage.write_file(self._path, data)

    def add(self, line: runs.LogLine) -> None:
        """Append a line. Never raises, because the training itself waits for the disk."""
        self._unwritten += _encode(line)
        with contextlib.suppress(storage.NotSaved):
            self._check_folder()
            storage.append_lines(self._path, self._unwritten)
            self._unwritten = b""


def _encode(line: runs.LogLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"
