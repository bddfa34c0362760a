"""Save artworks with their recipes where the user wants them, and show the outcome."""

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Event

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.core.background import BackgroundTask
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import State
from studio.app.files.export_settings import ExportSettings
from studio.app.files.folders import Folders
from studio.library import storage, work
from studio.library.obstacles import MAX_NAME_BYTES
from studio.library.storage import NotSaved
from studio.library.work import Work
from studio.media.names import display_name
from studio.media.pictures.enlarging import UNENLARGED, Enlargement
from studio.wire.messages import Array

BATCH_SIZE = 128
"""The number of artworks in one batch. Smaller batches take longer (tests/benchmarks/saving.py).

Progress is reported between batches, and Stop takes effect there.
"""
LIST_AFTER = 500
"""Milliseconds after which a save appears in the queue."""


class AudioFormat(Enum):
    """Lists the file formats of recordings: title, ending, and bits a sample (0 for floats)."""

    WAV = "WAV, 16 bit", ".wav", 16
    WAV_24 = "WAV, 24 bit", ".wav", 24
    WAV_FLOAT = "WAV, float", ".wav", 0
    FLAC = "FLAC, 16 bit", ".flac", 16
    FLAC_24 = "FLAC, 24 bit", ".flac", 24

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def ending(self) -> str:
        return self.value[1]

    @property
    def bits(self) -> int:
        return self.value[2]


@dataclass(frozen=True, eq=False)
class ExportItem:
    """Holds an artwork to be saved."""

    picture: Array
    """A picture (height, width, channels) uint8, a wave (samples,) int16 or a wavetable (frames, samples) int16."""
    work: Work
    name: str
    """The suggested file name, with its ending."""
    audio_format: AudioFormat = AudioFormat.WAV
    """The file format, if it is a recording."""

    @property
    def ending(self) -> str:
        return self.audio_format.ending if self.work.sample_rate else self.work.file_suffix


@dataclass(frozen=True)
class ExportOutcome:
    """Records the outcome of a save: `count` of `total` pieces were written."""

    count: int
    total: int
    last: Path
    """The last file that was written, or the one that failed."""
    fault: NotSaved | None = None
    """The error that ended the save early; None if all was saved."""
    noun: str = "pictures"
    """The word for the pieces in messages."""
    size: str = ""
    """The size of a wavetable, as synthesizers count it."""
    on_sheet: bool = False
    hint: str = ""
    """The size of pictures on a sheet in words, if it is smaller than requested."""

    def sentence(self) -> str:
        if self.fault is not None:
            before = f" {self.count:,} of {self.total:,} {self.noun} were saved before." if self.count else ""
            return self.fault.message + before
        if self.count < self.total:
            return f"Stopped. {self.count:,} of {self.total:,} {self.noun} are saved."
        if self.on_sheet:
            where = f'on "{display_name(self.last.name)}", each with its recipe inside.'
            return f"Saved {self.total:,} {self.noun} {where} {self.hint}".strip()
        if self.total == 1:
            return f'Saved "{display_name(self.last.name)}"{self.size} with its recipe inside.'
        return (
            f'Saved {self.total:,} {self.noun} in "{display_name(self.last.parent.name)}", each with its recipe inside.'
        )


PathOf = Callable[[ExportItem], Path]
"""Returns the path for a piece."""


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """Holds a request to save pieces."""

    job: str
    items: Sequence[ExportItem]
    path_of: PathOf
    retry: Callable[[Sequence[ExportItem]], object]
    """Saves the remaining pieces in the same place."""
    save_elsewhere: Callable[[Sequence[ExportItem]], object]
    """Asks for another place and saves the remaining pieces there."""
    enlargement: Enlargement
    on_sheet: bool
    stopped: Event


class Exporter(State):
    """Saves pieces in another thread, one request after another: there may be thousands of files."""

    _progressed = Signal(int)
    """The number of pieces that the current request has saved."""

    def __init__(
        self,
        messages: Messages,
        queue: JobList,
        settings: ExportSettings,
        folders: Folders,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._queue = queue
        self.settings = settings
        self._folders = folders
        self._task = BackgroundTask(self)
        self._requests: deque[ExportRequest] = deque()
        """The requests; the first is being saved."""
        self._done = 0
        """The number of its pieces that are saved."""
        self._jobs = itertools.count(1)
        self._progressed.connect(self._set_done)

    def name_for(self, item: ExportItem) -> str:
        """Propose a file name for a piece."""
        return self._folders.propose_name(
            item.name, replace(item.work, created="", name="", ancestors=()).identity_hash
        )

    def name_for_picture(self, picture: Array, name: str) -> str:
        """Propose a file name for a picture without a recipe."""
        return self._folders.propose_name(name, storage.hash_bytes(picture.tobytes()))

    def name_for_sheet(self, items: Sequence[ExportItem]) -> str:
        """Propose a file name for a sheet."""
        stem = Path(items[0].name).stem
        key = "\n".join(piece.work.identity_hash for piece in items)
        return self._folders.propose_name(f"{stem}-sheet.png", storage.hash_bytes(key.encode()))

    def export_item(self, item: ExportItem, path: Path) -> None:
        """Save a piece under a name that the user chose."""
        self._export_under(item.ending, [item], path, on_sheet=False)

    def export_items(self, items: Sequence[ExportItem], folder: Path) -> None:
        """Save pieces in a folder without replacing any file there."""

        def elsewhere(left: Sequence[ExportItem]) -> None:
            self._messages.folder_requested.emit(lambda other: self.export_items(left, other))

        free = FreeNames(folder)
        self._add_request(
            items, lambda piece: free.free_path(piece.name), lambda left: self.export_items(left, folder), elsewhere
        )

    def export_sheet(self, items: Sequence[ExportItem], path: Path) -> None:
        """Save pictures on one sheet, under a name that the user chose."""
        self._export_under(".png", items, path, on_sheet=True)

    def close(self) -> None:
        """Wait until all requested files are written."""
        self._task.wait()
        for wish in list(self._requests)[1:]:
            write_items(wish, lambda count: None)
        self._requests.clear()

    def _export_under(self, ending: str, pieces: Sequence[ExportItem], path: Path, on_sheet: bool) -> None:
        target = path if path.suffix.lower() == ending else path.with_name(path.name + ending)

        def again(left: Sequence[ExportItem]) -> None:
            self._export_under(ending, left, target, on_sheet)

        def elsewhere(left: Sequence[ExportItem]) -> None:
            self._messages.file_requested.emit(
                target.name, lambda other: self._export_under(ending, left, other, on_sheet)
            )

        self._add_request(pieces, lambda piece: target, again, elsewhere, on_sheet)

    def _add_request(
        self,
        pieces: Sequence[ExportItem],
        place: PathOf,
        again: Callable[[Sequence[ExportItem]], object],
        elsewhere: Callable[[Sequence[ExportItem]], object],
        on_sheet: bool = False,
    ) -> None:
        job = f"save-{next(self._jobs)}"
        size = self.settings.chosen_enlargement
        self._requests.append(ExportRequest(job, tuple(pieces), place, again, elsewhere, size, on_sheet, Event()))
        if len(self._requests) == 1:
            self._start_next()

    def _start_next(self) -> None:
        wish = self._requests[0]
        self._done = 0
        QTimer.singleShot(LIST_AFTER, self, lambda: self._list_job(wish))
        self._task.run(lambda: write_items(wish, self._report_progress), self._show_outcome)

    def _list_job(self, wish: ExportRequest) -> None:
        """Show a save in the queue if it is not finished yet."""
        if wish in self._requests:
            several = f"{len(wish.items):,} {items_noun(wish.items)}"
            title = f"Saving {several if len(wish.items) > 1 else wish.items[0].name}"
            self._queue.add_window_job(wish.job, title, len(wish.items), wish.stopped.set)
            self._queue.set_done(wish.job, self._done)

    def _report_progress(self, count: int) -> None:
        with contextlib.suppress(RuntimeError):  # the window may be gone by now
            self._progressed.emit(count)

    def _set_done(self, count: int) -> None:
        self._done = count
        if self._requests:
            self._queue.set_done(self._requests[0].job, count)

    def _show_outcome(self, saved: ExportOutcome | Exception) -> None:
        wish = self._requests.popleft()
        self._queue.remove_job(wish.job)
        if self._requests:
            self._start_next()
        if isinstance(saved, Exception):
            raise saved
        left = wish.items[saved.count :]
        show = ("Show it", lambda: self._messages.reveal_requested.emit(saved.last))
        if saved.fault is not None:
            self._messages.show_message(
                saved.sentence(), "failed", ("Save elsewhere…", lambda: wish.save_elsewhere(left))
            )
        elif left:
            rest = ("Save the rest", lambda: wish.retry(left))
            self._messages.show_message(saved.sentence(), "info", *((show, rest) if saved.count else (rest,)))
        else:
            self._messages.show_message(saved.sentence(), "info", show)


def items_noun(items: Sequence[ExportItem]) -> str:
    """Return the word for the pieces in messages."""
    if items[0].work.medium == "picture":
        return "pictures"
    return "sounds" if items[0].work.sample_rate else "waves"


def write_items(request: ExportRequest, report_progress: Callable[[int], object]) -> ExportOutcome:
    """Write pieces in batches until one cannot be written or the user stops the save.

    Arguments
        report_progress: receives the number of saved pieces after each batch, in the thread that writes
    """
    pieces = request.items
    what = items_noun(pieces)
    size = f", {len(pieces[0].picture)} frames of 2,048 samples," if pieces[0].picture.ndim == 2 else ""
    if request.on_sheet:
        return _write_sheet(request)
    count = 0
    last = Path()
    while count < len(pieces) and not request.stopped.is_set():
        batch = pieces[count : count + BATCH_SIZE]
        paths = [request.path_of(piece) for piece in batch]
        try:
            storage.write_files(
                [(path, encode_item(piece, request.enlargement)) for path, piece in zip(paths, batch, strict=True)]
            )
        except NotSaved as fault:
            placed = [path.absolute() for path in paths].index(fault.path)
            return ExportOutcome(count + placed, len(pieces), fault.path, fault, what)
        count += len(batch)
        last = paths[-1]
        report_progress(count)
    return ExportOutcome(count, len(pieces), last, None, what, size)


def _write_sheet(wish: ExportRequest) -> ExportOutcome:
    pieces = wish.items
    path = wish.path_of(pieces[0])
    columns = max(1, round(len(pieces) ** 0.5))
    pictures = [piece.picture for piece in pieces]
    works = [piece.work for piece in pieces]
    try:
        storage.write_file(path, work.encode_sheet(pictures, works, columns, wish.enlargement))
    except NotSaved as fault:
        return ExportOutcome(0, len(pieces), path, fault)
    smaller = work.reduced_size_text(wish.enlargement, columns, pictures)
    return ExportOutcome(len(pieces), len(pieces), path, on_sheet=True, hint=smaller)


def encode_item(item: ExportItem, enlargement: Enlargement = UNENLARGED) -> bytes:
    """Encode a picture as PNG, and a wave or wavetable in the form that synthesizers load."""
    if item.work.medium == "picture":
        return work.encode_png(item.picture, item.work, enlargement)
    if item.work.sample_rate:
        return _encode_recording(item)
    return work.encode_wavetable(item.picture if item.picture.ndim == 2 else item.picture[None], item.work)


def _encode_recording(piece: ExportItem) -> bytes:
    samples = piece.picture
    bits = piece.audio_format.bits
    if piece.audio_format.ending == ".flac":
        return work.encode_flac(samples, piece.work, bits=bits)
    return work.encode_wav(samples if bits else samples.astype(np.float32) / np.float32(32_768), piece.work, bits=bits)


class FreeNames:
    """Proposes names that are free in a folder, and never the same name twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._given: set[str] = set()

    def free_path(self, name: str) -> Path:
        """Return a free path for a name, numbered if necessary: `rose.png`, `rose-0001.png` …"""
        wanted = self._folder / storage.clean_name(name)
        stem = storage.clean_name(wanted.stem, MAX_NAME_BYTES - len(f"-000000{wanted.suffix}".encode()))
        paths = (wanted.with_name(f"{stem}-{number:04d}{wanted.suffix}") for number in itertools.count(1))
        path = next(path for path in itertools.chain([wanted], paths) if self._is_free(path))
        self._given.add(path.name.casefold())
        return path

    def _is_free(self, path: Path) -> bool:
        return path.name.casefold() not in self._given and not os.path.lexists(path)
