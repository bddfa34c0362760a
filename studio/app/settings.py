"""The file in which the window keeps how it was left."""

import contextlib
import json
from pathlib import Path
from typing import Any

from studio.library import storage
from studio.library.storage import NotSaved

LARGEST = 32 * 2**20
"""Bytes. Two hundred steps of undo in two panels take less than one megabyte."""


class SettingsFile:
    """Reads and writes `settings.json` in the folder of settings.

    Arguments
        written: whether anything is written. A second window only reads, because the first one writes.
    """

    def __init__(self, path: Path | None = None, written: bool = True) -> None:
        self._path = path or storage.home("config") / "settings.json"
        self._written = written

    def read(self) -> tuple[dict[str, Any], str]:
        """What was kept, and a sentence where the file was damaged (it is kept aside) or cannot be read."""
        storage.sweep(self._path.parent)
        try:
            with open(self._path, "rb") as file:
                data = file.read(LARGEST + 1)
        except FileNotFoundError:
            return {}, ""
        except OSError as error:
            return {}, f"The settings could not be read ({error.strerror}), so the window starts fresh. {_SAFE}"
        try:
            if len(data) > LARGEST:
                raise ValueError("too large")
            plain = json.loads(data)
            if not isinstance(plain, dict):
                raise ValueError("not a record")
        except (ValueError, RecursionError):
            damaged = f"The settings were damaged, so the window starts fresh. {_SAFE}"
            if not self._written:
                return {}, damaged
            with contextlib.suppress(NotSaved):  # then the next save replaces it, which is as good as can be had
                storage.to_bin(self._path)
            return {}, f"{damaged} The damaged file is in the bin."
        return plain, ""

    def write(self, plain: dict[str, Any]) -> None:
        """Keep this. Raises NotSaved."""
        if self._written:
            storage.write(self._path, json.dumps(plain, ensure_ascii=True, separators=(",", ":")).encode())


_SAFE = "Your takes are safe."
