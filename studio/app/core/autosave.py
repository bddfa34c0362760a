"""How the window is left, written down beside it soon after a change."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.core.background import Later
from studio.app.core.messages import Messages
from studio.app.core.observable import Plain
from studio.library import storage
from studio.library.storage import NotSaved

DEBOUNCE = 1000
"""Milliseconds from a change until it is written down."""


class Settings(Protocol):
    """Where the window's state is kept (studio.app.core.autosave)."""

    def read(self) -> tuple[Plain, str]: ...
    def write(self, plain: Plain) -> None: ...


class Keeping(QObject):
    """Writes what `snapshot` gives. A disk that is full is said once, and not every second."""

    saved = Signal()

    def __init__(
        self, settings: Settings, messages: Messages, snapshot: Callable[[], Plain], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings, self._messages, self._snapshot = settings, messages, snapshot
        self._written: Plain = {}
        self._said_not_saved = False
        self._writing = Later(self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DEBOUNCE)
        self._soon.timeout.connect(self.save)

    def soon(self) -> None:
        """Something changed."""
        if not self._soon.isActive():
            self._soon.start()

    def save(self) -> None:
        """Write the state down; nothing where nothing changed."""
        plain = self._snapshot()
        if plain != self._written:
            self._writing.run(lambda: self._settings.write(plain), lambda outcome: self._wrote(plain, outcome))

    def stop(self) -> None:
        """Nothing more is written soon."""
        self._soon.stop()

    def close(self) -> None:
        """Write the state down for the last time, now."""
        plain = self._snapshot()
        self._writing.wait()
        try:
            self._settings.write(plain)
        except NotSaved as fault:
            self._wrote(plain, fault)

    def _wrote(self, plain: Plain, outcome: Exception | None) -> None:
        if outcome is None:
            self._written, self._said_not_saved = plain, False
            self.saved.emit()
        elif not isinstance(outcome, NotSaved):
            raise outcome
        elif not self._said_not_saved:
            self._said_not_saved = True
            self._messages.say(outcome.message, "warn", ("Try again", self.save), until=(self.saved,))


LARGEST = 32 * 2**20
"""Bytes. Two hundred steps of undo in two panels take less than one megabyte."""


class SettingsFile:
    """Reads and writes `settings.json` in the folder of settings.

    Arguments
        written: whether anything is written. A second window only reads, because the first one writes.
    """

    def __init__(self, path: Path | None = None, written: bool = True) -> None:
        self._path = path or storage.home_folder("config") / "settings.json"
        self._written = written

    def read(self) -> tuple[dict[str, Any], str]:
        """What was kept, and a sentence where the file was damaged (it is kept aside) or cannot be read."""
        storage.delete_leftovers(self._path.parent)
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
                storage.move_to_bin(self._path)
            return {}, f"{damaged} The damaged file is in the bin."
        return plain, ""

    def write(self, plain: dict[str, Any]) -> None:
        """Keep this. Raises NotSaved."""
        if self._written:
            storage.write_file(self._path, json.dumps(plain, ensure_ascii=True, separators=(",", ":")).encode())


_SAFE = "Your takes are safe."
