"""Run the jobs that look at a folder before a training: one scans its files, the other previews examples."""

import contextlib
import itertools
import random
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from studio.engine.events import EventSteps
from studio.engine.levels import artwork_shape, levels_of_sound, sound_of_levels, to_arrays, to_levels
from studio.engine.training.artwork_cache import ArtworkCache
from studio.engine.training.augmentation import NOT_VARIED, SoundVariation, seeded, vary_pictures
from studio.engine.training.batches import mirror_some, variation_of
from studio.engine.training.config import TrainingConfig
from studio.engine.training.findings import FolderCounts, Medium, find_out
from studio.engine.training.loading import load_data, without_reports
from studio.engine.training.recordings import varied_cut
from studio.media import dataset
from studio.media.containers.recognition import recognise_format
from studio.media.folder_scan import FileReport, FolderScan, ListedFile, walk_files
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.preparing import THUMBNAIL, FilePreparer
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
        """Return the next message if there is enough for one, or if it is the last; None otherwise."""
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
    preparation = msgspec.convert(command.preparation, Preparation)
    shape, rate = command.shape, command.sample_rate
    if not shape and not rate:
        shape, rate = choose_medium(source)
    if is_pack(source, rate):
        yield from _scan_pack(command.job, source, shape, rate)
        return
    preparer = FilePreparer(shape, rate, preparation)
    with contextlib.closing(ArtworkCache(preparer.options)) as cache:
        yield from _scan_files(command, FolderScan(source, preparer, cache), preparer, cache)


def _scan_files(command: wire.ScanFolder, scan: FolderScan, preparer: FilePreparer, cache: ArtworkCache) -> EventSteps:
    counts = FolderCounts(_medium(preparer))
    if preparer.preparation.folders_as_classes:
        counts.classes.update(dict.fromkeys(dataset.class_folders(scan.source), 0))
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
                    index.add(number, report.prepared.thumbnail)
                    held_out += dataset.is_held_out(report.prepared.content)
                    if not shown:
                        unseen[number] = report.key
            yield messages.message(scan.done, scan.found)
    yield messages.message(scan.done, scan.found, is_last=True)
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
    counts.unsuited += report.outcome == "left_out" and report.prepared is not None
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
        findings=find_out(counts),
        thumbnails=_NO_THUMBNAILS,
    )


def is_pack(source: Path, rate: int) -> bool:
    """Return whether a source is a pack of prepared artworks, or no folder at all."""
    return not source.is_dir() or (rate > 0 and (source / "index.csv").is_file())


def choose_medium(source: Path) -> tuple[tuple[int, ...], int]:
    """Return the usual shape of pictures, or the usual rate of recordings, by the names of the first files."""
    if not source.is_dir():
        return USUAL_SHAPE, 0
    if (source / "index.csv").is_file():
        return (), USUAL_RATE
    pictures = sounds = 0
    files = (listed for listed in walk_files(source) if isinstance(listed, ListedFile))
    for listed in itertools.islice(files, _MOST_NAMES):
        ending = Path(listed.path).suffix.lower()
        found = recognise_format(b"", ending)
        pictures += ending in _PICTURE_ENDINGS
        sounds += found is not None
        if pictures + sounds >= _JUDGED_BY_NAME:
            break
    return ((), USUAL_RATE) if sounds > pictures else (USUAL_SHAPE, 0)


def _medium(preparer: FilePreparer) -> Medium:
    if preparer.rate:
        return "recordings"
    return "cycles" if preparer.is_sound else "pictures"


# ── a preview ────────────────────────────────────────────────────────────────────────────────────


def preview_examples(command: wire.PreviewExamples) -> EventSteps:
    """Prepare some files at random, augment them, and report them in the model's levels."""
    yield None
    config = msgspec.convert(command.config, TrainingConfig)
    source = Path(command.source)
    found: list[tuple[str, np.ndarray]] = []
    if is_pack(source, config.sample_rate):
        steps = _artworks_of_pack(source, config, command)
    else:
        steps = _artworks_of_folder(source, config, command)
    with contextlib.closing(steps):
        for each in steps:
            found += [each] if each is not None else []
            if len(found) == command.count:
                break
            yield None
    examples = augmented(config, [artwork for _, artwork in found], command.seed)
    yield wire.ExamplesPreview(
        job=command.job, names=tuple(name for name, _ in found), examples=examples, sample_rate=config.sample_rate
    )


def _artworks_of_folder(
    source: Path, config: TrainingConfig, command: wire.PreviewExamples
) -> Generator[tuple[str, np.ndarray] | None, None, None]:
    files: list[str] = []
    for listed in walk_files(source):
        if isinstance(listed, ListedFile):
            files.append(listed.path)
        else:
            yield None
    random.Random(command.seed).shuffle(files)
    preparer = FilePreparer(config.shape, config.sample_rate, config.preparation)
    with contextlib.closing(ArtworkCache(preparer.options)) as cache:
        for report in FolderScan(source, preparer, cache, files).steps():
            if report is not None and report.is_used and report.prepared is not None:
                yield report.name, report.prepared.artwork
            else:
                yield None


def _artworks_of_pack(
    source: Path, config: TrainingConfig, command: wire.PreviewExamples
) -> Generator[tuple[str, np.ndarray] | None, None, None]:
    data = yield from without_reports(load_data(source, config.shape, config.sample_rate, config.label_columns))
    numbers = random.Random(command.seed).sample(range(len(data.train)), min(command.count, len(data.train)))
    yield from (("", data.train[number]) for number in numbers)


def augmented(config: TrainingConfig, artworks: list[np.ndarray], seed: int) -> wire.Array:
    """Return artworks as a model sees them in a training: in its levels, mirrored and varied.

    Recordings are cut at random places.
    """
    stream = seeded(seed, 0)
    if config.sample_rate:
        return np.stack([_cut(config, wave, stream) for wave in artworks]) if artworks else np.zeros((0, 1), np.int16)
    if not artworks:
        return np.zeros((0, *artwork_shape(config.shape)), np.int16 if len(config.shape) == 1 else np.uint8)
    x = to_levels(np.stack(artworks), config.shape, config.levels)
    if config.plan.mirror:
        x = mirror_some(x, config.levels, torch.rand(len(x), generator=stream) < 0.5)
    if len(config.shape) == 3:
        x = vary_pictures(x, config.augmentation, config.levels, stream)
    return to_arrays(x, config.levels)


def _cut(config: TrainingConfig, wave: np.ndarray, stream: torch.Generator) -> np.ndarray:
    """Return a cut of a recording as a model sees it, silence after its end, (samples,) int16."""
    samples = config.plan.cut_samples
    begin = int(torch.randint(max(len(wave) - samples, 0) + 1, (), generator=stream))
    silence = int(levels_of_sound(np.zeros(1, np.int16), config.levels)[0])
    variation = variation_of(config) or SoundVariation(NOT_VARIED, config.sample_rate, config.levels)
    row = varied_cut(torch.from_numpy(wave.copy()), begin, samples, 0, silence, variation, stream)
    return sound_of_levels(row, config.levels)
