"""Writes the window's state to a file soon after a change."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import Record
from studio.library import storage
from studio.library.storage import NotSaved

DEBOUNCE = 1000
"""Milliseconds from a change until it is written."""


class SettingsStore(Protocol):
    """Reads and writes the window's state."""

    def read(self) -> tuple[Record, str]: ...
    def write(self, record: Record) -> None: ...


class Autosave(QObject):
    """Writes the record that `snapshot` returns. Repeated failures show only one message."""

    saved = Signal()

    def __init__(
        self, settings: SettingsStore, messages: Messages, snapshot: Callable[[], Record], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._messages = messages
        self._snapshot = snapshot
        self._written: Record = {}
        self._warned_not_saved = False
        self._task = BackgroundTask(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE)
        self._timer.timeout.connect(self.save)

    def schedule(self) -> None:
        """Save soon, because something changed."""
        if not self._timer.isActive():
            self._timer.start()

    def save(self) -> None:
        """Write the state if it changed since the last time."""
        record = self._snapshot()
        if record != self._written:
            self._task.run(lambda: self._settings.write(record), lambda outcome: self._on_written(record, outcome))

    def stop(self) -> None:
        """Cancel a save that is scheduled."""
        self._timer.stop()

    def close(self) -> None:
        """Write the state for the last time, now."""
        record = self._snapshot()
        self._task.wait()
        try:
            self._settings.write(record)
        except NotSaved as fault:
            self._on_written(record, fault)

    def _on_written(self, record: Record, outcome: Exception | None) -> None:
        if outcome is None:
            self._written = record
            self._warned_not_saved = False
            self.saved.emit()
        elif not isinstance(outcome, NotSaved):
            raise outcome
        elif not self._warned_not_saved:
            self._warned_not_saved = True
            self._messages.show_message(outcome.message, "warn", ("Try again", self.save), until=(self.saved,))


MAX_SIZE = 32 * 2**20
"""Bytes. Two hundred steps of undo in two panels take less than one megabyte."""


class SettingsFile:
    """Reads and writes `settings.json` in the folder of settings.

    Arguments
        writable: whether anything is written. A second window only reads, because the first one writes.
    """

    def __init__(self, path: Path | None = None, writable: bool = True) -> None:
        self._path = path or storage.home_folder("config") / "settings.json"
        self._writable = writable

    def read(self) -> tuple[dict[str, Any], str]:
        """Return the stored state, and a sentence for the user if it is unreadable.

        A damaged file is moved to the bin.
        """
        storage.delete_leftovers(self._path.parent)
        try:
            with open(self._path, "rb") as file:
                data = file.read(MAX_SIZE + 1)
        except FileNotFoundError:
            return {}, ""
        except OSError as error:
            return (
                {},
                f"The settings could not be read ({error.strerror}). The window starts fresh. {_TAKES_ARE_SAFE}",
            )
        try:
            if len(data) > MAX_SIZE:
                raise ValueError("too large")
            record = json.loads(data)
            if not isinstance(record, dict):
                raise ValueError("not a record")
        except (ValueError, RecursionError):
            damaged = f"The settings were damaged. The window starts fresh. {_TAKES_ARE_SAFE}"
            if not self._writable:
                return {}, damaged
            with contextlib.suppress(NotSaved):  # if this fails, the next save replaces the file
                storage.move_to_bin(self._path)
            return {}, f"{damaged} The damaged file is in the bin."
        return record, ""

    def write(self, record: dict[str, Any]) -> None:
        """Write a record. Raises NotSaved."""
        if self._writable:
            storage.write_file(self._path, json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode())


_TAKES_ARE_SAFE = "Your takes are safe."
