"""Run the job that looks at all files of a folder before a training."""

import contextlib
import itertools
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from studio.engine.events import EventSteps
from studio.engine.training.artwork_cache import ArtworkCache
from studio.engine.training.findings import FolderCounts, Medium, find_out
from studio.engine.training.loading import load_data, without_reports
from studio.media import dataset
from studio.media.containers.recognition import recognise_format
from studio.media.folder_scan import FileReport, FolderScan, ListedFile
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.preparing import THUMBNAIL, FilePreparer
from studio.media.shards import Opening, find_shards, list_source, scan_source
from studio.media.similarity import LikenessIndex
from studio.wire import messages as wire

USUAL_SHAPE = (3, 32, 32)
"""The shape of pictures if the user chose none."""
USUAL_RATE = 16_000
"""Hz of recordings if the user chose none."""
FILES_PER_MESSAGE = 48
SECONDS_PER_MESSAGE = 0.25
"""Seconds after which files are reported even if they are few."""
MORE_THUMBNAILS = 64
"""The most thumbnails of files to look at that are sent at the end."""
_JUDGED_BY_NAME = 2000
"""Pictures and sounds by whose names the medium is chosen."""
_MOST_NAMES = 20_000
"""The most files that are looked at for it."""
_PICTURE_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
_NO_THUMBNAILS = np.zeros((0, THUMBNAIL, THUMBNAIL, 3), np.uint8)


class FileMessages:
    """Gathers the reports of files into messages.

    Arguments
        thumbnails: how many thumbnails are sent, those of the first files
    """

    def __init__(self, job: str, thumbnails: int = 0) -> None:
        self._job = job
        self._left = thumbnails
        self._files: list[wire.ExaminedFile] = []
        self._thumbnails: list[np.ndarray] = []
        self._sent = time.monotonic()

    def add(self, report: FileReport) -> bool:
        """Add a file and return whether its thumbnail is sent."""
        prepared = report.prepared
        shown = prepared is not None and self._left > 0
        if prepared is not None and shown:
            self._left -= 1
            self._thumbnails.append(prepared.thumbnail)
        known: dict[str, Any] = {}
        if prepared is not None:
            known = {name: getattr(prepared, name) for name in ("width", "height", "seconds", "rate", "channels")}
        self._files.append(
            wire.ExaminedFile(
                name=report.name,
                outcome=report.outcome,
                reason=report.reason,
                key=report.key,
                has_thumbnail=shown,
                **known,
            )
        )
        return shown

    def message(self, done: int, total: int, *, is_last: bool = False) -> wire.FilesExamined | None:
        """Return the next message if it is due or the last; None otherwise."""
        now = time.monotonic()
        is_due = len(self._files) >= FILES_PER_MESSAGE or now - self._sent > SECONDS_PER_MESSAGE
        if not self._files or not (is_due or is_last):
            return None
        thumbnails = np.stack(self._thumbnails) if self._thumbnails else _NO_THUMBNAILS
        files = tuple(self._files)
        self._files = []
        self._thumbnails = []
        self._sent = now
        return wire.FilesExamined(job=self._job, files=files, thumbnails=thumbnails, done=done, total=max(done, total))


def scan_folder(command: wire.ScanFolder) -> EventSteps:
    """Report every file of a folder, then the findings about the whole folder."""
    yield None
    source = Path(command.source)
    if not source.exists() and find_shards(source) is None:
        raise FileRefused(display_name(source.name), "is not there", "Connect or restore it, then look again.")
    preparation = msgspec.convert(command.preparation, Preparation)
    shape, rate = command.shape, command.sample_rate
    if bool(shape) == bool(rate):
        shape, rate = choose_medium(source, shape or USUAL_SHAPE, rate or USUAL_RATE)
    if is_pack(source, rate):
        yield from _scan_pack(command.job, source, shape, rate)
        return
    preparer = FilePreparer(shape, rate, preparation)
    with contextlib.closing(ArtworkCache(preparer.options)) as cache:
        yield from _scan_files(command, scan_source(source, preparer, cache), preparer, cache)


def _scan_files(command: wire.ScanFolder, scan: FolderScan, preparer: FilePreparer, cache: ArtworkCache) -> EventSteps:
    source = Path(command.source)
    opening = Opening(find_shards(source))
    counts = FolderCounts(_medium(preparer))
    folders = dataset.class_folders(source) if find_shards(source) is None else ()
    if preparer.preparation.folders_as_classes:
        counts.classes.update(dict.fromkeys(folders, 0))
    index = LikenessIndex()
    messages = FileMessages(command.job, command.thumbnails)
    held_out = 0
    unseen: dict[int, str] = {}  # keys of files without a thumbnail
    with contextlib.closing(scan.steps()) as steps:
        for report in steps:
            if report is not None:
                number = counts.files
                _count(counts, report)
                shown = messages.add(report)
                if report.is_used and report.prepared is not None:
                    opening.add(report.prepared.artwork)
                    index.add(number, report.prepared.thumbnail)
                    held_out += dataset.is_held_out(report.prepared.content)
                    if not shown:
                        unseen[number] = report.key
            yield messages.message(scan.done, scan.found)
            if opening.is_complete:
                counts.is_opening = True
                break
    yield messages.message(scan.done, scan.found, is_last=True)
    counts.texts = scan.texts
    if preparer.preparation.folders_as_classes and not counts.is_opening:
        counts.classes.update(dict.fromkeys(scan.labels, 0))
    alike: list[tuple[int, ...]] = []
    for group in index.find_alike():
        alike += [group] if group is not None else []
        yield None
    odd = index.find_odd()
    counts.alike = sum(map(len, alike))
    counts.odd = len(odd)
    shown_now: dict[int, np.ndarray] = {}
    wanted = [number for number in dict.fromkeys((*odd, *itertools.chain(*alike))) if number in unseen]
    for number in wanted[:MORE_THUMBNAILS]:
        if (known := cache.find(unseen[number])) is not None:
            shown_now[number] = known.thumbnail
    yield wire.FolderExamined(
        job=command.job,
        medium=counts.medium,
        files=counts.files,
        used=counts.used,
        damaged=counts.outcomes["damaged"],
        duplicates=counts.outcomes["duplicate"],
        left_out=counts.outcomes["left_out"],
        skipped=counts.outcomes["skipped"],
        held_out=dataset.held_out_count(held_out, counts.used) if counts.used else 0,
        needed=counts.needed,
        sub_folders=len(folders or scan.labels),
        classes=tuple(sorted(counts.classes.items())),
        alike=tuple(alike),
        odd=odd,
        findings=find_out(counts),
        thumbnail_files=tuple(shown_now),
        thumbnails=np.stack(list(shown_now.values())) if shown_now else _NO_THUMBNAILS,
    )


def _count(counts: FolderCounts, report: FileReport) -> None:
    counts.outcomes[report.outcome] += 1
    if report.is_used:
        counts.seconds += report.prepared.seconds if report.prepared is not None else 0.0
        if report.label:
            counts.classes[report.label] += 1
        return
    counts.excluded += report.outcome == "left_out" and report.prepared is None
    if report.outcome == "left_out" and report.prepared is not None:
        counts.unsuited += bool(report.prepared.unsuited)
        counts.unclassed += not report.prepared.unsuited
    counts.first_reason = counts.first_reason or f'"{report.name}" {report.reason}'


def _scan_pack(job: str, source: Path, shape: tuple[int, ...], rate: int) -> EventSteps:
    """Sum up a pack, whose artworks are prepared already."""
    data = yield from without_reports(load_data(source, shape, rate))
    counts = FolderCounts(_medium(FilePreparer(shape, rate, AS_USUAL)))
    counts.outcomes["used"] = data.report.used
    counts.seconds = sum(map(len, (*data.train, *data.test))) / rate if rate else 0.0
    yield wire.FolderExamined(
        job=job,
        medium=counts.medium,
        files=1,
        used=counts.used,
        damaged=0,
        duplicates=0,
        left_out=0,
        skipped=0,
        held_out=len(data.test),
        needed=counts.needed,
        findings=find_out(counts),
        thumbnails=_NO_THUMBNAILS,
    )


def is_pack(source: Path, rate: int) -> bool:
    """Return whether a source is a pack of prepared artworks, or neither a folder nor shards."""
    if find_shards(source) is not None:
        return False
    return not source.is_dir() or (rate > 0 and (source / "index.csv").is_file())


def choose_medium(source: Path, shape: tuple[int, ...], rate: int) -> tuple[tuple[int, ...], int]:
    """Return the shape of pictures and 0, or no shape and the rate of recordings.

    The names of the first files decide.
    """
    if is_pack(source, 0):
        return shape, 0
    if (source / "index.csv").is_file():
        return (), rate
    pictures = sounds = 0
    files = (listed for listed in list_source(source) if isinstance(listed, ListedFile))
    for listed in itertools.islice(files, _MOST_NAMES):
        ending = Path(listed.path).suffix.lower()
        found = recognise_format(b"", ending)
        pictures += ending in _PICTURE_ENDINGS
        sounds += found is not None
        if pictures + sounds >= _JUDGED_BY_NAME:
            break
    return ((), rate) if sounds > pictures else (shape, 0)


def _medium(preparer: FilePreparer) -> Medium:
    if preparer.rate:
        return "recordings"
    return "cycles" if preparer.is_sound else "pictures"
