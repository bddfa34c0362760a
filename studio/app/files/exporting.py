"""Save artworks with their recipes where the user wants them, and show the outcome."""

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.core.artwork import Artwork
from studio.app.core.background import BackgroundTask
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import State
from studio.app.files.export_settings import ExportSettings
from studio.app.files.folders import Folders, numbered_names
from studio.library import storage, work
from studio.library.storage import NotSaved
from studio.media import export
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


@dataclass(frozen=True)
class ExportOutcome:
    """Records the outcome of a save: `count` of `total` artworks were written."""

    count: int
    total: int
    last: Path
    """The last file that was written, or the one that failed."""
    fault: NotSaved | None = None
    """The error that ended the save early; None if all was saved."""
    noun: str = "pictures"
    """The word for the artworks in messages."""
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


PathOf = Callable[[Artwork], Path]
"""Returns the path for an artwork."""
Artworks = Sequence[Artwork]


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """Holds a request to save artworks."""

    job: str
    artworks: Artworks
    path_of: PathOf
    retry: Callable[[Artworks], object]
    """Saves the remaining artworks in the same place."""
    save_elsewhere: Callable[[Artworks], object]
    """Asks for another place and saves the remaining artworks there."""
    enlargement: Enlargement
    on_sheet: bool
    audio_format: AudioFormat
    """The file format of recordings."""
    stopped: Event


class Exporter(State):
    """Saves artworks in another thread, one request after another: there may be thousands of files."""

    _progressed = Signal(int)
    """The number of artworks that the current request has saved."""

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
        """The number of its artworks that are saved."""
        self._jobs = itertools.count(1)
        self._progressed.connect(self._set_done)

    def name_for(self, artwork: Artwork) -> str:
        """Propose a file name for an artwork."""
        same = replace(artwork.work, created="", name="", ancestors=())
        return self._folders.propose_name(artwork.name, same.identity_hash)

    def name_for_picture(self, picture: Array, name: str) -> str:
        """Propose a file name for a picture without a recipe."""
        return self._folders.propose_name(name, storage.hash_bytes(picture.tobytes()))

    def name_for_sheet(self, artworks: Artworks) -> str:
        """Propose a file name for a sheet."""
        stem = Path(artworks[0].name).stem
        key = "\n".join(artwork.key for artwork in artworks)
        return self._folders.propose_name(f"{stem}-sheet.png", storage.hash_bytes(key.encode()))

    def ask_path(self, artwork: Artwork, audio_format: AudioFormat = AudioFormat.WAV) -> None:
        """Ask where to save an artwork, and save it there as it is now."""
        export = partial(self.export_artwork, artwork, audio_format=audio_format)
        self._messages.file_requested.emit(self.name_for(artwork), export)

    def ask_folder(self, artworks: Artworks) -> None:
        """Ask for the folder of some artworks, or for the path of their sheet if the user wants one."""
        if self.settings.on_sheet.get() and artworks[0].work.medium == "picture":
            name = self.name_for_sheet(artworks)
            self._messages.file_requested.emit(name, partial(self.export_sheet, artworks))
        else:
            self._messages.folder_requested.emit(partial(self.export_artworks, artworks))

    def export_artwork(self, artwork: Artwork, path: Path, audio_format: AudioFormat = AudioFormat.WAV) -> None:
        """Save an artwork under a name that the user chose; a recording in this format."""
        ending = audio_format.ending if artwork.work.sample_rate else artwork.work.file_suffix
        self._export_under(ending, [artwork], path, audio_format=audio_format)

    def export_artworks(self, artworks: Artworks, folder: Path) -> None:
        """Save artworks in a folder without replacing any file there."""

        def elsewhere(left: Artworks) -> None:
            self._messages.folder_requested.emit(partial(self.export_artworks, left))

        free = FreeNames(folder)
        again = partial(self.export_artworks, folder=folder)
        self._add_request(artworks, lambda artwork: free.free_path(artwork.name), again, elsewhere)

    def export_sheet(self, artworks: Artworks, path: Path) -> None:
        """Save pictures on one sheet, under a name that the user chose."""
        self._export_under(".png", artworks, path, on_sheet=True)

    def close(self) -> None:
        """Wait until all requested files are written."""
        self._task.wait()
        for wish in list(self._requests)[1:]:
            write_artworks(wish, lambda count: None)
        self._requests.clear()

    def _export_under(
        self,
        ending: str,
        artworks: Artworks,
        path: Path,
        on_sheet: bool = False,
        audio_format: AudioFormat = AudioFormat.WAV,
    ) -> None:
        target = path if path.suffix.lower() == ending else path.with_name(path.name + ending)
        export = partial(self._export_under, ending, on_sheet=on_sheet, audio_format=audio_format)

        def elsewhere(left: Artworks) -> None:
            self._messages.file_requested.emit(target.name, partial(export, left))

        self._add_request(
            artworks, lambda artwork: target, lambda left: export(left, target), elsewhere, on_sheet, audio_format
        )

    def _add_request(
        self,
        artworks: Artworks,
        path_of: PathOf,
        again: Callable[[Artworks], object],
        elsewhere: Callable[[Artworks], object],
        on_sheet: bool = False,
        audio_format: AudioFormat = AudioFormat.WAV,
    ) -> None:
        job = f"save-{next(self._jobs)}"
        size = self.settings.chosen_enlargement
        self._requests.append(
            ExportRequest(job, tuple(artworks), path_of, again, elsewhere, size, on_sheet, audio_format, Event())
        )
        if len(self._requests) == 1:
            self._start_next()

    def _start_next(self) -> None:
        wish = self._requests[0]
        self._done = 0
        QTimer.singleShot(LIST_AFTER, self, lambda: self._list_job(wish))
        self._task.run(lambda: write_artworks(wish, self._report_progress), self._show_outcome)

    def _list_job(self, wish: ExportRequest) -> None:
        """Show a save in the queue if it is not finished yet."""
        if wish in self._requests:
            count = len(wish.artworks)
            what = f"{count:,} {plural_noun(wish.artworks)}" if count > 1 else wish.artworks[0].name
            self._queue.add_window_job(wish.job, f"Saving {what}", count, wish.stopped.set)
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
        left = wish.artworks[saved.count :]
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


def plural_noun(artworks: Artworks) -> str:
    """Return the word for the artworks in messages."""
    if artworks[0].work.medium == "picture":
        return "pictures"
    return "sounds" if artworks[0].work.sample_rate else "waves"


def write_artworks(request: ExportRequest, report_progress: Callable[[int], object]) -> ExportOutcome:
    """Write artworks in batches until one cannot be written or the user stops the save.

    Arguments
        report_progress: receives the number of saved artworks after each batch, in the thread that writes
    """
    artworks = request.artworks
    what = plural_noun(artworks)
    first = artworks[0].array
    size = f", {len(first)} frames of 2,048 samples," if first.ndim == 2 else ""
    if request.on_sheet:
        return _write_sheet(request)
    count = 0
    last = Path()
    while count < len(artworks) and not request.stopped.is_set():
        batch = artworks[count : count + BATCH_SIZE]
        paths = [request.path_of(artwork) for artwork in batch]
        files = [encode_artwork(artwork, request.enlargement, request.audio_format) for artwork in batch]
        try:
            storage.write_files(list(zip(paths, files, strict=True)))
        except NotSaved as fault:
            placed = [path.absolute() for path in paths].index(fault.path)
            return ExportOutcome(count + placed, len(artworks), fault.path, fault, what)
        count += len(batch)
        last = paths[-1]
        report_progress(count)
    return ExportOutcome(count, len(artworks), last, None, what, size)


def _write_sheet(wish: ExportRequest) -> ExportOutcome:
    artworks = wish.artworks
    path = wish.path_of(artworks[0])
    columns = export.sheet_columns(len(artworks))
    pictures = [artwork.array for artwork in artworks]
    works = [artwork.work for artwork in artworks]
    try:
        storage.write_file(path, work.encode_sheet(pictures, works, columns, wish.enlargement))
    except NotSaved as fault:
        return ExportOutcome(0, len(artworks), path, fault)
    smaller = work.reduced_size_text(wish.enlargement, columns, pictures)
    return ExportOutcome(len(artworks), len(artworks), path, on_sheet=True, hint=smaller)


def encode_artwork(
    artwork: Artwork, enlargement: Enlargement = UNENLARGED, audio_format: AudioFormat = AudioFormat.WAV
) -> bytes:
    """Encode a picture as PNG, a wave or wavetable as synthesizers load it, and a recording in the given format."""
    array = artwork.array
    if artwork.work.medium == "picture":
        return work.encode_png(array, artwork.work, enlargement)
    if not artwork.work.sample_rate:
        return work.encode_wavetable(array if array.ndim == 2 else array[None], artwork.work)
    if audio_format.ending == ".flac":
        return work.encode_flac(array, artwork.work, bits=audio_format.bits)
    samples = array if audio_format.bits else array.astype(np.float32) / np.float32(32_768)
    return work.encode_wav(samples, artwork.work, bits=audio_format.bits)


class FreeNames:
    """Proposes names that are free in a folder, and never the same name twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._given: set[str] = set()

    def free_path(self, name: str) -> Path:
        """Return a free path for a name, numbered if necessary."""
        ungiven = (each for each in numbered_names(name) if each.casefold() not in self._given)
        free = next(each for each in ungiven if not os.path.lexists(self._folder / each))
        self._given.add(free.casefold())
        return self._folder / free
