"""Examines the folder to learn from, and lists the files that are not used, with the reasons."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.media.names import display_name
from studio.wire.messages import (
    AnyEvent,
    Array,
    ExaminedFile,
    Failed,
    FilesExamined,
    FolderExamined,
    ScanFolder,
)

MAX_LISTED = 5000
"""The most files that are listed by name."""


class FolderScan(State):
    """Holds the engine's report on a folder. `grew` is emitted when more files were examined."""

    grew = Signal()

    def __init__(self, engine: EngineProtocol, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.source: Value[str] = Value("", self)
        """The path of the folder; empty if none is chosen."""
        self.excluded: Value[frozenset[str]] = Value(frozenset(), self)
        """The keys of files that the user leaves out."""
        self.report: Value[FolderExamined | None] = Value(None, self)
        """The summary; None until all files are examined."""
        self.busy: Value[bool] = Value(False, self)
        self.fault: Value[str] = Value("", self)
        """Why the folder could not be examined."""
        self.files: list[ExaminedFile] = []
        self.thumbnails: dict[int, Array] = {}
        """Thumbnails (64, 64, 3) uint8, by the number of the file."""
        self.unused: list[str] = []
        """The first files that are unused, or used although damaged, each with the reason."""
        self.total = 0
        """The number of files that were found so far."""
        self._is_awake = False
        """Whether the panel was shown. Before that, no folder is examined, so no engine has to start."""
        self._request = Request(engine, "scan", "latest", self)
        self._request.progressed.connect(self._receive)
        self._request.answered.connect(lambda _: self.busy.set(False))
        self._request.stopped.connect(lambda: self.busy.set(False))
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)

    @property
    def name(self) -> str:
        """Return the folder's name for the user."""
        return display_name(Path(self.source.get()).name) if self.source.get() else ""

    def wake(self) -> None:
        """Examine the folder if that was not done yet."""
        if not self._is_awake:
            self.examine_again()

    def open_folder(self, source: str, excluded: frozenset[str] = frozenset()) -> None:
        """Examine a folder once the panel has been shown; an empty path means no folder."""
        self.source.set(source)
        self.excluded.set(excluded)
        self._begin()

    @property
    def is_usable(self) -> bool:
        """Return whether nothing that is known of the folder stops a training."""
        report = self.report.get()
        stops = report is not None and any(finding.weight == "stop" for finding in report.findings)
        return not self.fault.get() and not stops

    @property
    def left_out_count(self) -> int:
        """Return how many files the user leaves out."""
        excluded = self.excluded.get()
        return sum(file.key in excluded for file in self.files) if excluded else 0

    def examine_again(self) -> None:
        """Examine the folder from the beginning, now that the user looks at it."""
        self._is_awake = True
        self._begin()

    def cancel(self) -> None:
        """Stop examining the folder. `examine_again` begins from the first file."""
        self._request.cancel()
        self.busy.set(False)

    def _begin(self) -> None:
        self._request.cancel()
        self.files = []
        self.thumbnails = {}
        self.unused = []
        self.total = 0
        self.fault.set("")
        self.report.set(None)
        source = self.source.get()
        self.busy.set(bool(source) and self._is_awake)
        self.grew.emit()
        if source and self._is_awake:
            self._request.start_engine()
            self._request.ask(lambda job: ScanFolder(job=job, control="scan", source=source))

    def _receive(self, event: AnyEvent) -> None:
        match event:
            case FilesExamined(files=files, thumbnails=thumbnails, total=total):
                first = len(self.files)
                self.files += files
                reasons = [f'"{file.name}" {file.reason}' for file in files if file.outcome != "used"]
                self.unused += reasons[: MAX_LISTED - len(self.unused)]
                shown = (number for number, file in enumerate(files, first) if file.has_thumbnail)
                self.thumbnails |= dict(zip(shown, thumbnails, strict=False))
                self.total = total
                self.grew.emit()
            case FolderExamined(thumbnail_files=numbers, thumbnails=thumbnails):
                self.thumbnails |= dict(zip(numbers, thumbnails, strict=False))
                self.report.set(event)
                self.grew.emit()
            case _:
                pass

    def _show_failure(self, event: Failed) -> None:
        self.fault.set(f"{event.reason} {event.hint}".strip())
        self.busy.set(False)

    def _show_loss(self, why: str) -> None:
        self.fault.set(f"{why} Choose the folder again.")
        self.busy.set(False)
