"""Lists the runs of this computer. Their folders are read in another thread."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import State, Value
from studio.library import runs, storage
from studio.library.runs import ComparedSamples, RunInUse, RunSamples, RunSummary
from studio.library.storage import NotSaved

RunArtworks = tuple[list[RunSamples], ComparedSamples | None]
"""All samples of a run, oldest first, and the newest beside their nearest training artworks."""


class PastRuns(State):
    """Holds all runs, the newest save first."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.runs: Value[tuple[RunSummary, ...]] = Value((), self)
        self._listing = BackgroundTask(self)
        self._reading = BackgroundTask(self)
        self._moving = BackgroundTask(self)

    def refresh(self, on_done: Callable[[], object] = lambda: None) -> None:
        """Read the folder of runs again."""

        def listed(found: list[RunSummary] | Exception) -> None:
            if isinstance(found, Exception):
                raise found
            self.runs.set(tuple(found))
            on_done()

        self._listing.run(runs.list_runs, listed)

    def find(self, name: str) -> RunSummary | None:
        """Return the run of a name, if it is here."""
        return next((run for run in self.runs.get() if run.folder.name == name), None)

    def read_samples(self, run: RunSummary, on_read: Callable[[RunArtworks], object]) -> None:
        """Read the samples of a run, then call `on_read`."""

        def read(found: RunArtworks | Exception) -> None:
            if isinstance(found, Exception):
                raise found
            on_read(found)

        self._reading.run(lambda: (runs.read_samples(run.folder), runs.read_compared(run.folder)), read)

    def delete(self, run: RunSummary) -> None:
        """Move a run to the bin. Undo in the message brings it back."""
        self._moving.run(lambda: runs.move_to_bin(run.folder), lambda outcome: self._report_deletion(run, outcome))

    def _report_deletion(self, run: RunSummary, outcome: Path | Exception) -> None:
        self.refresh()
        if isinstance(outcome, NotSaved | RunInUse):
            self._messages.show_message(str(outcome), "failed")
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            kept = "Its model is kept." if run.outcome is not None else "It is in the bin."
            if run.place is not None:
                kept = f"{kept} Its checkpoints stay on {run.place.computer}."
            text = f'Deleted the run "{run.config.title}". {kept}'
            self._messages.show_message(text, "info", ("Undo", lambda: self._bring_back(outcome, run)))

    def _bring_back(self, path: Path, run: RunSummary) -> None:
        """Move a run out of the bin."""
        self._moving.run(lambda: storage.move_from_bin(path, run.folder), self._report_return)

    def _report_return(self, outcome: None | Exception) -> None:
        self.refresh()
        if isinstance(outcome, NotSaved):
            self._messages.show_message(str(outcome), "failed")
        elif outcome is not None:
            raise outcome

    def close(self) -> None:
        """Wait until the runs are read."""
        self._listing.wait()
        self._reading.wait()
        self._moving.wait()
