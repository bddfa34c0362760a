"""Load whole recordings for training: a folder of sounds of any length, or a pack.

All get one rate and one channel. A pack is a folder with `index.csv`. Of clips, `train.flac` and `test.flac` hold all
one after the other, and a row gives split, start and length of each. Of pieces, a row gives split and file, and
`train/` and `test/` hold the files. Other columns may name classes. In any other folder every tenth recording is held
out, by the hash of its content; of a single one, its last tenth.
"""

import contextlib
import csv
import io
import itertools
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.media import decoder
from studio.media.dataset import (
    ImportReport,
    ReportGatherer,
    TooFewArtworks,
    find_classes,
    labels_of,
    split_keys,
)
from studio.media.folder_scan import ArtworkStore, FileReport
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, read_bytes
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.preparing import FilePreparer, check_recording, damage, to_int16
from studio.media.shards import Opening, ShardList, find_shards, scan_source
from studio.media.sounds.audio_file import Recording

_ROWS = 200_000


@dataclass(frozen=True)
class RecordingDataset:
    """Holds sounds (samples,) int16 of any length, and labels (n,) int64 if classes were requested."""

    train: tuple[np.ndarray, ...]
    test: tuple[np.ndarray, ...]
    train_labels: np.ndarray | None
    test_labels: np.ndarray | None
    class_groups: tuple[tuple[str, ...], ...]
    """The names of the classes in each group; a label counts through the last group first."""
    report: ImportReport
    name: str
    shards: ShardList | None = None
    """The shards to be read as a stream, if they hold more than was loaded. Then these are the first sounds."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return a name for every label: `3 jackson`."""
        return tuple(" ".join(names) for names in itertools.product(*self.class_groups)) if self.class_groups else ()


def load_recordings_in_steps(
    source: Path,
    rate: int,
    columns: Sequence[str] = (),
    preparation: Preparation = AS_USUAL,
    store: ArtworkStore | None = None,
) -> Generator[FileReport | None, None, RecordingDataset]:
    """Load a folder or pack at a rate in Hz, in steps that yield the report of a file, or None.

    Raises FileRefused, with counts, if there is too little to train on or a pack is damaged. The preparation of a pack
    is its own.

    Arguments
        columns: those of a pack's index, each a group of classes
        store: keeps what files became for the next time
    """
    source = Path(source)
    name = display_name(source.resolve().name)
    if not source.is_dir() and find_shards(source) is None:
        raise FileRefused(name, "is not a folder of recordings" if source.exists() else "is not there")
    if (source / "index.csv").is_file():
        return (yield from _load_pack(source, name, rate, columns))
    if columns:
        raise FileRefused(name, "has no index.csv with the classes of its sounds")
    return (yield from _load_folder(source, name, FilePreparer((), rate, preparation), store))


def as_samples(found: Recording) -> np.ndarray:
    """Return a recording as (samples,) int16. Raises FileRefused with the reason if it is too short or too quiet."""
    check_recording(found)
    return to_int16(found.samples)


# ── a folder ─────────────────────────────────────────────────────────────────────────────────────


def _load_folder(
    source: Path, name: str, preparer: FilePreparer, store: ArtworkStore | None
) -> Generator[FileReport | None, None, RecordingDataset]:
    opening = Opening(find_shards(source))
    classes = (yield from find_classes(source)) if preparer.preparation.folders_as_classes else ()
    found: dict[bytes, tuple[np.ndarray, str]] = {}
    gathered = ReportGatherer()
    scan = scan_source(source, preparer, store)
    with contextlib.closing(scan.steps()) as reports:
        for report in reports:
            if report is not None:
                if report.is_used and report.prepared is not None:
                    found[report.prepared.content] = report.prepared.artwork, report.label
                    opening.add(report.prepared.artwork)
                gathered.add(report)
            yield report
            if opening.is_complete:
                break
    counts = ImportReport(
        len(found),
        tuple(gathered.skipped),
        gathered.duplicates,
        sounds=True,
        damaged=tuple(gathered.damaged),
        texts=scan.texts,
    )
    if not found:
        reason = f"has no sounds to learn from (0 usable, {len(gathered.skipped)} skipped)"
        raise TooFewArtworks(name, reason)
    kept, held = split_keys(found)
    train, test = (tuple(found[key][0] for key in keys) for keys in (kept, held))
    labels = [found[key][1] for key in (*kept, *held)]
    if len(found) == 1:  # the end of a single recording is held out
        cut = max(len(train[0]) * 9 // 10, 1)
        train, test = (train[0][:cut],), (train[0][cut:],)
        labels *= 2
    numbers = labels_of(labels, classes, name, is_whole=opening.rest is None)
    train_labels, test_labels = (None, None) if numbers is None else (numbers[: len(train)], numbers[len(train) :])
    groups = (classes,) if classes else ()
    return RecordingDataset(train, test, train_labels, test_labels, groups, counts, name, opening.rest)


# ── a pack ───────────────────────────────────────────────────────────────────────────────────────


def _load_pack(source: Path, name: str, rate: int, columns: Sequence[str]) -> Generator[None, None, RecordingDataset]:
    rows = _read_index(source / "index.csv", name)
    missing = [column for column in ("split", *columns) if column not in rows[0]]
    if missing:
        raise FileRefused(name, f'has no column "{display_name(missing[0])}" in its index.csv')
    sorts = tuple(tuple(sorted({row[column] for row in rows})) for column in columns)
    clips = {"start", "length"} <= rows[0].keys()
    sides: list[tuple[tuple[np.ndarray, ...], np.ndarray | None]] = []
    damaged: list[tuple[str, str]] = []

    def read(path: Path) -> np.ndarray:
        opened = decoder.open_recording(path, rate, centred=False)
        wrong = damage(opened.notes)
        damaged.extend([(display_name(os.path.relpath(path, source)), wrong)] if wrong else [])
        return as_samples(opened)

    for side in ("train", "test"):
        mine = [row for row in rows if row["split"] == side]
        waves = []
        whole = read(source / f"{side}.flac") if clips else np.zeros(0, np.int16)
        for done, row in enumerate(mine, 1):
            if clips:
                waves.append(_cut_clip(whole, row, name))
            else:
                waves.append(read(_file_of_row(source, side, row, name)))
            if not clips or done == len(mine):
                yield None
        numbers = [[sort.index(row[c]) for sort, c in zip(sorts, columns, strict=True)] for row in mine]
        sizes = [len(sort) for sort in sorts]
        labels = np.array([np.ravel_multi_index(n, sizes) for n in numbers], np.int64) if columns else None
        sides.append((tuple(waves), labels))
    (train, train_labels), (test, test_labels) = sides
    if not train or not test:
        raise TooFewArtworks(name, f"has too few sounds to learn from ({len(train)} and {len(test)} held out)")
    named = tuple(tuple(display_name(kind.replace("_", " ")) for kind in sort) for sort in sorts)
    report = ImportReport(len(train) + len(test), sounds=True, damaged=tuple(damaged))
    return RecordingDataset(train, test, train_labels, test_labels, named, report, name)


def _read_index(path: Path, name: str) -> list[dict[str, str]]:
    try:
        text = read_bytes(path, name).decode("utf-8-sig")
        rows = list(itertools.islice(csv.DictReader(io.StringIO(text), strict=True, restval=""), _ROWS))
    except (csv.Error, UnicodeDecodeError):
        raise FileRefused(name, "has an index.csv that cannot be read") from None
    if not rows:
        raise FileRefused(name, "has an index.csv without rows")
    return rows


def _cut_clip(whole: np.ndarray, row: dict[str, str], name: str) -> np.ndarray:
    try:
        start = int(row["start"])
        length = int(row["length"])
    except ValueError:
        raise FileRefused(name, "has an index.csv that cannot be read") from None
    if not 0 <= start < start + length <= len(whole):
        raise FileRefused(
            name, f"has a clip in its index.csv that ends at {start + length:,} of {len(whole):,} samples"
        )
    return whole[start : start + length]


def _file_of_row(source: Path, side: str, row: dict[str, str], name: str) -> Path:
    """Return a row's file, which must lie in the folder of its side."""
    file = row.get("file", "")
    if not file or file != os.path.basename(file) or file.startswith("."):
        raise FileRefused(name, "has an index.csv that names no file of its own")
    return source / side / file
