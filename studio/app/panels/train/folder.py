"""Examines the folder to learn from, and holds the outcome of every file."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.media.names import display_name
from studio.media.shards import ENDING
from studio.wire.messages import (
    AnyEvent,
    Array,
    ExaminedFile,
    Failed,
    FilesExamined,
    FolderExamined,
    ScanFolder,
)

FileFilter = Literal["all", "alike", "odd", "unused", "list"]
FILTERS: tuple[FileFilter, ...] = get_args(FileFilter)
_NO_THUMBNAILS: Array = np.zeros((0, 0, 0, 3), np.uint8)
"""Replaces the thumbnails in a stored report, because two reports with arrays cannot be compared."""
USED = ("used", "damaged")
"""The outcomes of files that are learned from or held out."""
THINGS = {"pictures": "pictures", "recordings": "sounds", "cycles": "waves"}
"""The word for the artworks of a medium."""


class ScanOptions(NamedTuple):
    """Holds the options of a scan, as in ScanFolder. If there are both a shape and a rate, the engine chooses one."""

    shape: tuple[int, ...]
    rate: int
    preparation: dict[str, Any]


class _Examined:
    """Gathers what the engine reports on the files of a folder."""

    def __init__(self) -> None:
        self.files: list[ExaminedFile] = []
        self.thumbnails: dict[int, Array] = {}
        self.unused: list[int] = []
        self.total = 0

    def add(self, event: FilesExamined) -> None:
        first = len(self.files)
        self.files += event.files
        self.unused += [number for number, file in enumerate(event.files, first) if file.outcome != "used"]
        shown = (number for number, file in enumerate(event.files, first) if file.has_thumbnail)
        self.thumbnails |= dict(zip(shown, event.thumbnails, strict=False))
        self.total = event.total


class FolderScan(State):
    """Holds the engine's report on a folder. `grew` is emitted when more files were examined.

    If the folder is examined again, the earlier report stays until the new one is complete.
    """

    grew = Signal()

    def __init__(
        self, engine: EngineProtocol, options: Callable[[], ScanOptions], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._options = options
        self.source: Value[str] = Value("", self)
        """The path of the folder; empty if none is chosen."""
        self.excluded: Value[frozenset[str]] = Value(frozenset(), self)
        """The keys of files that the user leaves out."""
        self.report: Value[FolderExamined | None] = Value(None, self)
        """The summary; None until all files are examined."""
        self.busy: Value[bool] = Value(False, self)
        self.fault: Value[str] = Value("", self)
        """Why the folder could not be examined."""
        self.filter: Value[FileFilter] = Value("all", self)
        """Which files the page shows."""
        self._shown = _Examined()
        self._incoming = self._shown
        """The findings of the present scan so far."""
        self._asked: ScanOptions | None = None
        """The options of the scan at work; None if none is."""
        self._reported: ScanOptions | None = None
        """The options of the scan that gave the present report."""
        self._is_awake = False
        """Whether the panel was shown. Before that, no folder is examined, so no engine has to start."""
        self._request = Request(engine, "scan", "latest", self)
        self._request.progressed.connect(self._receive)
        self._request.answered.connect(lambda _: self._end())
        self._request.stopped.connect(self.cancel)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)

    @property
    def name(self) -> str:
        """Return the name of the folder, or of the shard without its ending, for the user."""
        return display_name(Path(self.source.get()).name.removesuffix(ENDING)) if self.source.get() else ""

    @property
    def files(self) -> list[ExaminedFile]:
        """Return the files that were examined so far, in order."""
        return self._shown.files

    @property
    def thumbnails(self) -> dict[int, Array]:
        """Return thumbnails (64, 64, 3) uint8, by the number of the file."""
        return self._shown.thumbnails

    @property
    def unused(self) -> list[int]:
        """Return the numbers of files that are not used, or used although damaged."""
        return self._shown.unused

    @property
    def total(self) -> int:
        """Return the number of files that were found so far."""
        return self._shown.total

    @property
    def left_out_count(self) -> int:
        """Return how many of the used files the user leaves out."""
        excluded = self.excluded.get()
        return sum(_is_left_out(file, excluded) for file in self.files) if excluded else 0

    @property
    def class_counts(self) -> dict[str, int]:
        """Return how many artworks each class has, without those that the user leaves out."""
        report = self.report.get()
        if report is None:
            return {}
        counts = Counter(dict(report.classes))
        if counts and (excluded := self.excluded.get()):
            mine = (file for file in self.files if _is_left_out(file, excluded))
            folders = (file.name.replace("\\", "/").partition("/")[0] for file in mine)
            counts.subtract(Counter(name for name in folders if name in counts))
        return dict(counts)

    @property
    def shortage(self) -> str:
        """Return a sentence if the user leaves out too many files; empty otherwise."""
        report = self.report.get()
        if report is None or not self.excluded.get():
            return ""
        left = report.used - self.left_out_count
        if left < report.needed <= report.used:
            return f"Only {left:,} {THINGS[report.medium]} are left. Take back some: {report.needed} are needed."
        empty = [name for name, count in self.class_counts.items() if count <= 0]
        return f'Nothing is left of class "{empty[0]}". Take back a file of it.' if empty else ""

    @property
    def is_usable(self) -> bool:
        """Return whether a training can start, by all that is known of the folder."""
        report = self.report.get()
        stops = report is not None and any(finding.weight == "stop" for finding in report.findings)
        return not (self.fault.get() or stops or self.shortage)

    def outcome_of(self, file: ExaminedFile) -> tuple[str, str]:
        """Return the outcome of a file and the reason, which continues from its name."""
        if _is_left_out(file, self.excluded.get()):
            return "left_out", "is left out by you"
        return file.outcome, file.reason

    # ── scans ────────────────────────────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Examine the folder if that was not done yet."""
        if not self._is_awake:
            self.examine_again()

    def open_folder(self, source: str, excluded: frozenset[str] = frozenset()) -> None:
        """Examine a folder once the panel has been shown; an empty path means no folder."""
        self.source.set(source)
        self.excluded.set(excluded)
        self.filter.set("all")
        self._begin()

    def examine_again(self) -> None:
        """Examine the folder from the beginning, now that the user looks at it."""
        self._is_awake = True
        self._begin()

    def follow_options(self) -> None:
        """Examine the folder with other options, if they differ. The earlier report stays until then."""
        known = self._asked or self._reported
        if known is not None and known != self._options():
            self._begin(keeps_report=True)

    def cancel(self) -> None:
        """Stop examining the folder. `examine_again` begins from the first file."""
        self._request.cancel()
        self._end()

    def _begin(self, keeps_report: bool = False) -> None:
        self._request.cancel()
        self._incoming = _Examined()
        if not keeps_report or self.report.get() is None:
            self._shown = self._incoming
            self._reported = None
            self.report.set(None)
        self.fault.set("")
        source = self.source.get()
        begins = bool(source) and self._is_awake
        self._asked = self._options() if begins else None
        self.busy.set(begins)
        self.grew.emit()
        if begins:
            self._request.start_engine()
            self._request.ask(self._question)

    def _question(self, job: str) -> ScanFolder:
        options = self._asked or self._options()
        return ScanFolder(
            job=job,
            control="scan",
            source=self.source.get(),
            shape=options.shape,
            sample_rate=options.rate,
            preparation=options.preparation,
        )

    def _receive(self, event: AnyEvent) -> None:
        incoming = self._incoming
        match event:
            case FilesExamined():
                incoming.add(event)
                if incoming is self._shown:
                    self.grew.emit()
            case FolderExamined(thumbnail_files=numbers, thumbnails=thumbnails):
                incoming.thumbnails |= dict(zip(numbers, thumbnails, strict=False))
                self._shown = incoming
                self._reported = self._asked
                self.report.set(msgspec.structs.replace(event, thumbnails=_NO_THUMBNAILS))
                self.grew.emit()
            case _:
                pass

    def _show_failure(self, event: Failed) -> None:
        self._fail(f"{event.reason} {event.hint}".strip())

    def _show_loss(self, why: str) -> None:
        self._fail(f'{why} Click "Look again".')

    def _fail(self, fault: str) -> None:
        """Show why the folder could not be examined. Files that the user leaves out stay left out."""
        self._reported = None
        self.fault.set(fault)
        self.report.set(None)
        self._end()
        self.grew.emit()

    def _end(self) -> None:
        self._asked = None
        self.busy.set(False)


def _is_left_out(file: ExaminedFile, excluded: frozenset[str]) -> bool:
    """Return whether the user leaves out a file that would be used."""
    return file.outcome in USED and file.key in excluded
