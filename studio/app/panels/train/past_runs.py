"""Lists the runs of this computer. Their folders are read in another thread."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.observable import State, Value
from studio.library import runs
from studio.library.runs import ComparedSamples, RunSamples, RunSummary

RunArtworks = tuple[list[RunSamples], ComparedSamples | None]
"""All samples of a run, oldest first, and the newest beside their nearest training artworks."""


class PastRuns(State):
    """Holds all runs, the newest save first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.runs: Value[tuple[RunSummary, ...]] = Value((), self)
        self._listing = BackgroundTask(self)
        self._reading = BackgroundTask(self)

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

    def close(self) -> None:
        """Wait until the runs are read."""
        self._listing.wait()
        self._reading.wait()
