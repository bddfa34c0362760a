"""Saves a table with the outcome of every file in the folder."""

from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import State
from studio.app.panels.train.folder import FolderScan
from studio.library import storage
from studio.library.storage import NotSaved
from studio.media.file_table import make_file_table
from studio.media.names import display_name

ENDING = ".csv"


class FileReport(State):
    """Asks where to save the table, and writes it in another thread: there may be many thousands of files."""

    def __init__(self, folder: FolderScan, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._messages = messages
        self._task = BackgroundTask(self)

    def ask_path(self) -> None:
        """Ask where to save the table of the files that were examined so far."""
        self._messages.file_requested.emit(f"{self._folder.name} files{ENDING}", self.save)

    def save(self, path: Path) -> None:
        """Save the table under a name that the user chose."""
        target = path if path.suffix.lower() == ENDING else path.with_name(path.name + ENDING)
        files = list(self._folder.files)
        rows = [(file.name, *self._folder.outcome_of(file)) for file in files]
        self._task.run(
            lambda: storage.write_file(target, make_file_table(rows)), lambda outcome: self._show(target, outcome)
        )

    def _show(self, target: Path, outcome: object) -> None:
        if isinstance(outcome, NotSaved):
            self._messages.show_message(outcome.message, "failed", ("Save elsewhere…", self.ask_path))
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            reveal = ("Show it", lambda: self._messages.reveal_requested.emit(target))
            self._messages.show_message(f'Saved "{display_name(target.name)}".', "info", reveal)

    def close(self) -> None:
        """Wait until the table is written."""
        self._task.wait()
