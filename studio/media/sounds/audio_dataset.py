"""Load whole recordings for training: a folder of sounds of any length, or a pack.

All get one rate and one channel. A pack is a folder with `index.csv`. Of clips, `train.flac` and `test.flac` hold all
one after the other, and a row gives split, start and length of each. Of pieces, a row gives split and file, and
`train/` and `test/` hold the files. Other columns may name classes. In any other folder every tenth recording is held
out, by the hash of its content; of a single one, its last tenth.
"""

import csv
import hashlib
import io
import itertools
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.media import decoder
from studio.media.dataset import ImportReport, TooFewArtworks, damage, list_files
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, read_bytes
from studio.media.sounds import audio_file

SHORTEST = 0.05
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

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return a name for every label: `3 jackson`."""
        return tuple(" ".join(names) for names in itertools.product(*self.class_groups)) if self.class_groups else ()


def load_recordings_in_steps(
    source: Path, rate: int, columns: Sequence[str] = ()
) -> Generator[tuple[int, int], None, RecordingDataset]:
    """Load a folder or pack at a rate in Hz. The steps yield (done, total) files.

    `columns`: those of a pack's index, each a group of classes. Raises FileRefused, with counts, if there is too little
    to train on or a pack is damaged.
    """
    source = Path(source)
    name = display_name(source.resolve().name)
    if not source.is_dir():
        raise FileRefused(name, "is not a folder of recordings" if source.exists() else "is not there")
    if (source / "index.csv").is_file():
        return (yield from _load_pack(source, name, rate, columns))
    if columns:
        raise FileRefused(name, "has no index.csv with the classes of its sounds")
    return (yield from _load_folder(source, name, rate))


def open_for_training(path: Path, rate: int, *, silent: bool = False, centred: bool = True) -> np.ndarray:
    """Open a sound file as (samples,) int16 at a rate in Hz. Channels are mixed. Raises FileRefused with the reason.

    `silent`: whether silence is allowed, too. `centred`: whether an offset is removed; a pack is used as it is.
    """
    return as_samples(decoder.open_recording(path, rate, centred=centred), silent=silent)


def as_samples(found: audio_file.Recording, *, silent: bool = False, seconds: float = SHORTEST) -> np.ndarray:
    """Return a recording as (samples,) int16. Raises FileRefused with the reason if it is too short or too quiet.

    Arguments
        silent: whether silence is allowed, too
        seconds: the least duration
    """
    if len(found.samples) < seconds * found.rate:
        raise FileRefused(found.name, f"is shorter than {seconds:g} seconds")
    if not silent and found.quiet:
        raise FileRefused(found.name, "is silent")
    wave: np.ndarray = np.round(np.clip(found.samples * 32_768, -32_768, 32_767)).astype(np.int16)
    return wave


# ── a folder ─────────────────────────────────────────────────────────────────────────────────────


def _load_folder(source: Path, name: str, rate: int) -> Generator[tuple[int, int], None, RecordingDataset]:
    found: dict[bytes, np.ndarray] = {}
    skipped: list[tuple[str, str]] = []
    damaged: list[tuple[str, str]] = []
    paths = list_files(source)
    duplicates = 0
    for done, path in enumerate(paths, 1):
        within = display_name(os.path.relpath(path, source))
        try:
            if path.name.startswith("."):
                raise FileRefused(within, "is a hidden file")
            opened = decoder.open_recording(path, rate)
            wave = as_samples(opened)
            wrong = damage(opened.notes)
            key = hashlib.blake2b(wave.tobytes(), digest_size=16).digest()
            if key in found:
                duplicates += 1
            else:
                found[key] = wave
                damaged += [(within, wrong)] if wrong else []
        except FileRefused as refusal:
            skipped.append((within, refusal.reason))
        yield done, len(paths)
    report = ImportReport(len(found), tuple(skipped), duplicates, sounds=True, damaged=tuple(damaged))
    if not found:
        raise TooFewArtworks(name, f"has no sounds to learn from (0 usable, {len(skipped)} skipped)", report)
    train, test = _hold_out_tenth(found)
    return RecordingDataset(train, test, None, None, (), report, name)


def _hold_out_tenth(found: dict[bytes, np.ndarray]) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Hold out a tenth by hash, in the order of the hashes. Each side gets at least one."""
    keys = sorted(found)
    if len(keys) == 1:
        cut = max(len(found[keys[0]]) * 9 // 10, 1)
        return (found[keys[0]][:cut],), (found[keys[0]][cut:],)
    held = [key for key in keys if int.from_bytes(key, "big") % 10 == 0] or keys[:1]
    held = held[: len(keys) - 1]
    return tuple(found[key] for key in keys if key not in held), tuple(found[key] for key in held)


# ── a pack ───────────────────────────────────────────────────────────────────────────────────────


def _load_pack(
    source: Path, name: str, rate: int, columns: Sequence[str]
) -> Generator[tuple[int, int], None, RecordingDataset]:
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
                yield done, len(mine)
        numbers = [[sort.index(row[c]) for sort, c in zip(sorts, columns, strict=True)] for row in mine]
        sizes = [len(sort) for sort in sorts]
        labels = np.array([np.ravel_multi_index(n, sizes) for n in numbers], np.int64) if columns else None
        sides.append((tuple(waves), labels))
    (train, train_labels), (test, test_labels) = sides
    if not train or not test:
        raise FileRefused(name, f"has too few sounds to learn from ({len(train)} and {len(test)} held out)")
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
