"""Load a folder or a pack as artworks, with a report on every file.

An artwork is a picture, or one cycle of a sound if the shape has a single dimension. Both forms are split into training
artworks and held-out artworks. A pack brings its own split. Of a folder, and of a pack without a split, every tenth is
held out by the hash of its content, so that the split stays the same when files are added, renamed or moved, and
whatever the preparation. Artworks that are equal in the model's shape count once, so none is both in training and held
out.
"""

import contextlib
import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from studio.media import decoder
from studio.media.folder_scan import ArtworkStore, FileReport, ListedFile, walk_files
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, compose_over, fit_to_shape
from studio.media.pictures.palette import colours_of
from studio.media.preparation import AS_USUAL, MAX_COLOURS, MIN_COLOURS, Palette, Preparation
from studio.media.preparing import FilePreparer, Shape, content_hash
from studio.media.shards import Opening, ShardList, class_names, find_shards, scan_source
from studio.media.sounds.single_cycle import cycle_from_wave

_ROUNDING = 8
"""The most steps of 65,536 by which a cycle may differ from itself at another rate or in another 16-bit format."""
MIN_LEARNED = 3
"""The fewest pictures or waves besides those held out: one for validation and two for training.

A single one for training has no deviation from which layers could be initialised.
"""
_PICTURES = "bytes of shape (number, height, width, channels)"


@dataclass(frozen=True)
class ImportReport:
    """Reports the outcome of every file of a folder."""

    used: int
    skipped: tuple[tuple[str, str], ...] = ()
    """Files that cannot be read or are left out: the name within the folder and the reason, which continues from the
    name: `is cut off`."""
    duplicates: int = 0
    """Files with the same content as another file."""
    sounds: bool = False
    similar: int = 0
    """Files of other content that equal another one in the model's shape."""
    damaged: tuple[tuple[str, str], ...] = ()
    """Files that are used although they are cut off or damaged: name within the folder, and what is wrong."""
    texts: int = 0
    """Texts beside the files of shards, which are not learned."""

    @property
    def summary(self) -> str:
        """Return a summary for the user.

        For example: `171 pictures are used. 1 file was skipped: "a.png" is empty. 3 were duplicates.`
        """
        thing = "sound" if self.sounds else "picture"
        parts = [f"{self.used:,} {thing}s are used." if self.used != 1 else f"1 {thing} is used."]
        if self.skipped:
            count = len(self.skipped)
            skipped = f"{count:,} files were skipped" if count != 1 else "1 file was skipped"
            parts.append(f"{skipped}: {_first_reasons(self)}.")
        if self.damaged:
            count = len(self.damaged)
            damaged = f"{count:,} files are" if count != 1 else "1 file is"
            names = _first_three([f'"{name}"' for name, _ in self.damaged])
            parts.append(f"{damaged} used, although cut off or damaged: {names}.")
        if self.duplicates:
            parts.append(f"{self.duplicates:,} were duplicates." if self.duplicates != 1 else "1 was a duplicate.")
        if self.similar:
            were = "were" if self.similar != 1 else "was"
            parts.append(f"{self.similar:,} {were} the same as another at this {'length' if self.sounds else 'size'}.")
        if self.texts:
            parts.append(f"{self.texts:,} texts are not learned." if self.texts != 1 else "1 text is not learned.")
        return " ".join(parts)


class TooFewArtworks(FileRefused):
    """Reports that a folder or a pack holds too few artworks."""


@dataclass(frozen=True)
class Dataset:
    """Holds artworks in a model's size: `train` and `test`, with labels (N,) int64.

    They are (N, H, W, C) uint8 or (N, samples) int16.
    """

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None
    test_labels: np.ndarray | None
    label_names: tuple[str, ...]
    report: ImportReport
    name: str
    licence: str
    """Empty unless NAME.licence.txt lies next to the pack."""
    shards: ShardList | None = None
    """The shards to be read as a stream, if they hold more than was loaded. Then these are the first artworks."""
    train_rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """The row of each training artwork in its pack (N,); empty for a folder."""
    palette: Palette = ()
    """The palette of a pack of indices, whose pictures are given in its colours; empty if there is none."""


class ReportGatherer:
    """Gathers the reports of files for an ImportReport."""

    def __init__(self) -> None:
        self.skipped: list[tuple[str, str]] = []
        self.damaged: list[tuple[str, str]] = []
        self.duplicates = 0

    def add(self, report: FileReport) -> None:
        """Add the report of a file."""
        if report.outcome in ("skipped", "left_out"):
            self.skipped.append((report.name, report.reason))
        elif report.prepared is not None and report.outcome == "damaged":
            self.damaged.append((report.name, report.prepared.damage))
        elif report.outcome == "duplicate":
            self.duplicates += 1


def load_dataset(source: Path, shape: Shape, preparation: Preparation = AS_USUAL) -> Dataset:
    """Load a pack (.npz) or a folder in a model's shape. Raises FileRefused, with counts, below two usable artworks."""
    steps = load_dataset_in_steps(source, shape, preparation)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            dataset: Dataset = end.value
            return dataset


def load_dataset_in_steps(
    source: Path, shape: Shape, preparation: Preparation = AS_USUAL, store: ArtworkStore | None = None
) -> Generator[FileReport | None, None, Dataset]:
    """Load as `load_dataset` does, in steps that yield the report of a file, or None.

    So it can be shown and stopped. The preparation of a pack is its own.

    Arguments
        store: keeps what files became for the next time
    """
    source = Path(source)
    if source.is_dir() or find_shards(source) is not None:
        return (yield from _load_folder(source, FilePreparer(shape, 0, preparation), store))
    yield None
    return _load_pack(source, shape)


def list_files(source: Path) -> list[Path]:
    """List everything within a folder that is not a folder, in order; or the file itself.

    The folder may be a link. Links within it, pipes and devices are listed, so that each can be named as refused, but
    never followed or opened. So are hidden folders and folders that may not be read.
    """
    return [Path(listed.path) for listed in walk_files(source) if isinstance(listed, ListedFile)]


def class_folders(source: Path) -> tuple[str, ...]:
    """Return the names of a folder's sub-folders, which can serve as classes. Raises FileRefused."""
    try:
        with os.scandir(source) as entries:
            names = [
                display_name(entry.name)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        raise FileRefused(display_name(source.name), "is not a folder that can be opened") from None
    return tuple(sorted(set(names)))


def find_classes(source: Path) -> Generator[None, None, tuple[str, ...]]:
    """Return the classes that a folder's sub-folders or the samples of shards name, in small steps.

    Raises FileRefused.
    """
    shards = find_shards(source)
    return class_folders(source) if shards is None else (yield from class_names(shards))


def labels_of(names: list[str], classes: tuple[str, ...], name: str, *, is_whole: bool = True) -> np.ndarray | None:
    """Return the number of each class name (n,) int64, or None without classes.

    Raises FileRefused if the folder `name` has classes without artworks, or none.

    Arguments
        names: the class of each artwork
        classes: all classes
        is_whole: whether these are all artworks
    """
    if not classes:
        return None
    numbers = {each: number for number, each in enumerate(classes)}
    empty = sorted(numbers.keys() - set(names))
    if empty and is_whole:
        reason = f'has a sub-folder without anything to learn from, "{empty[0]}"'
        raise FileRefused(name, reason, "Fill it, move it elsewhere, or train without classes.")
    return np.array([numbers[each] for each in names], np.int64)


# ── a folder ─────────────────────────────────────────────────────────────────────────────────────


def _load_folder(
    source: Path, preparer: FilePreparer, store: ArtworkStore | None
) -> Generator[FileReport | None, None, Dataset]:
    name = display_name(source.resolve().name)
    shards = find_shards(source)
    classes = (yield from find_classes(source)) if preparer.preparation.folders_as_classes else ()
    opening = Opening(shards)
    artworks: dict[bytes, np.ndarray] = {}  # in the model's shape, by the hash of their content
    labels: dict[bytes, str] = {}
    gathered = ReportGatherer()
    scan = scan_source(source, preparer, store)
    with contextlib.closing(scan.steps()) as reports:
        for report in reports:
            if report is not None:
                prepared = report.prepared
                if prepared is not None and report.outcome != "left_out" and prepared.content not in artworks:
                    artworks[prepared.content] = prepared.artwork
                    labels[prepared.content] = report.label
                    gathered.duplicates -= report.outcome == "duplicate"  # it is another file, and similar
                    opening.add(prepared.artwork)
                gathered.add(report)
            yield report
            if opening.is_complete:
                break
    different = _drop_duplicates(artworks)
    similar = len(artworks) - len(different)
    report_of_all = ImportReport(
        len(different), tuple(gathered.skipped), gathered.duplicates, preparer.is_sound, similar,
        tuple(gathered.damaged), scan.texts,
    )  # fmt: skip
    if report_of_all.used < 2:
        thing = "sounds" if preparer.is_sound else "pictures"
        reason = f"has too few {thing} to learn from ({_counts_text(report_of_all)})"
        raise TooFewArtworks(display_name(source.name), reason)
    kept, held = split_keys(different)
    numbers = labels_of([labels[key] for key in (*kept, *held)], classes, name, is_whole=opening.rest is None)
    sides = [np.stack([different[key] for key in keys]) for keys in (kept, held)]
    train_labels, test_labels = (None, None) if numbers is None else (numbers[: len(kept)], numbers[len(kept) :])
    return Dataset(sides[0], sides[1], train_labels, test_labels, classes, report_of_all, name, "", opening.rest)


def _drop_duplicates(artworks: dict[bytes, np.ndarray]) -> dict[bytes, np.ndarray]:
    """Keep one of all equal artworks: the one with the lowest digest."""
    places = {key: _rounded_key(array) for key, array in artworks.items()}
    groups: list[list[bytes]] = []  # by the places of their first
    for key in sorted(artworks, key=lambda key: (places[key], key)):
        array = artworks[key]
        furthest = places[key] - (_ROUNDING * len(array) if array.ndim == 1 else 0)
        for group in reversed(groups):
            if places[group[0]] < furthest:
                groups.append([key])
                break
            if _are_equal(array, artworks[group[0]]):
                group.append(key)
                break
        else:
            groups.append([key])
    return {min(group): artworks[min(group)] for group in groups}


def _rounded_key(artwork: np.ndarray) -> int:
    """Return a number that equal pictures share. Waves that differ only by rounding have nearly the same number."""
    if artwork.ndim > 1:
        return int.from_bytes(content_hash(artwork), "big")
    return int(np.abs(artwork.astype(np.int64)).sum())


def _are_equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two artworks are equal.

    Waves may differ by rounding, which may also shift one by a sample.
    """
    if one.ndim > 1:
        return np.array_equal(one, other)
    wave = one.astype(np.int32)
    return any(int(np.abs(np.roll(wave, shift) - other).max()) <= _ROUNDING for shift in (0, -1, 1))


def _first_reasons(report: ImportReport) -> str:
    """Return the first skipped files, each with its reason, and how many more there are."""
    return _first_three([f'"{name}" {reason}' for name, reason in report.skipped])


def _first_three(words: list[str]) -> str:
    """Join the first three, and say how many more there are."""
    more = len(words) - 3
    return ", ".join([*words[:3], f"and {more:,} more"] if more > 0 else words)


def _counts_text(report: ImportReport) -> str:
    """Return counts for the user, with the first reasons.

    For example: `1 usable, 2 skipped: "a.png" is empty, "b.txt" is cut off`.
    """
    reasons = _first_reasons(report)
    duplicates = f", {report.duplicates} duplicates" if report.duplicates else ""
    size = "length" if report.sounds else "size"
    similar = f", {report.similar} the same as another at this {size}" if report.similar else ""
    counts = f"{report.used} usable{duplicates}{similar}, {len(report.skipped)} skipped"
    return f"{counts}: {reasons}" if reasons else counts


def is_held_out(key: bytes) -> bool:
    """Return whether the artwork with this hash is one of the tenth that is held out."""
    return int.from_bytes(key, "big") % 10 == 0


def held_out_count(chosen: int, total: int) -> int:
    """Return how many of `total` artworks are held out if the hashes choose so many.

    At least one is, unless there is only one, and MIN_LEARNED are left to learn from if possible.
    """
    return min(max(chosen, 1), max(total - MIN_LEARNED, 1), total - 1)


def split_keys(keys: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Split hashes into those to train on and those to hold out, each in order."""
    ordered = sorted(keys)
    held = [key for key in ordered if is_held_out(key)] or ordered[:1]
    held = held[: held_out_count(len(held), len(ordered))]
    kept = sorted(set(ordered) - set(held))
    return kept, held


# ── a pack ───────────────────────────────────────────────────────────────────────────────────────


def _load_pack(source: Path, shape: Shape) -> Dataset:
    name = display_name(source.name)
    parts = decoder.open_pack(os.path.realpath(source))  # if the user names a link, this is its target
    sounds = len(shape) == 1
    palette = _read_palette(parts, name)
    for side in ("train_x", "test_x") if palette else ():
        if side in parts:
            parts[side] = _in_colours(parts[side], palette, name)
    train, train_labels = _checked_side(parts, "train", name, sounds)
    rows = np.arange(len(train))
    if "test_x" in parts:
        test, test_labels = _checked_side(parts, "test", name, sounds)
    else:
        held = np.array([is_held_out(content_hash(x)) for x in train], bool)
        held[:1] |= not held.any()
        test, test_labels = _select(train, train_labels, held)
        train, train_labels = _select(train, train_labels, ~held)
        rows = rows[~held]
    train = _resize_all(train, shape)
    test = _resize_all(test, shape)
    learned = ~_is_among(train, test)
    similar = int(len(learned) - learned.sum())
    train, train_labels = _select(train, train_labels, learned)
    report = ImportReport(len(train) + len(test), sounds=sounds, similar=similar)
    if len(train) < 1 or len(test) < 1:
        thing = "sounds" if sounds else "pictures"
        raise TooFewArtworks(name, f"has too few {thing} to learn from ({_counts_text(report)})")
    names = parts.get("label_names", np.array([], str)).reshape(-1)
    labels = tuple(display_name(str(label)) for label in names)
    return Dataset(
        train,
        test,
        train_labels,
        test_labels,
        labels,
        report,
        display_name(source.stem),
        _read_licence(source),
        train_rows=rows[learned],
        palette=palette,
    )


def _read_palette(parts: dict[str, np.ndarray], name: str) -> Palette:
    """Return the palette of a pack; empty if it has none. Raises FileRefused if it is no palette."""
    colours = parts.get("palette")
    if colours is None:
        return ()
    if colours.dtype != np.uint8 or colours.ndim != 2 or colours.shape[1] != 3:
        raise FileRefused(name, f"has no palette of RGB colours (palette is {colours.dtype} of shape {colours.shape})")
    if not MIN_COLOURS <= len(colours) <= MAX_COLOURS or len(np.unique(colours, axis=0)) < len(colours):
        raise FileRefused(name, f"has a palette of other than {MIN_COLOURS} to {MAX_COLOURS} different colours")
    return tuple((red, green, blue) for red, green, blue in colours.tolist())


def _in_colours(x: np.ndarray, palette: Palette, name: str) -> np.ndarray:
    """Return pictures of indices (n, height, width, 1) in the colours of a palette. Raises FileRefused."""
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] != 1 or (x.size and int(x.max()) >= len(palette)):
        raise FileRefused(name, f"has pictures that are no indices of its palette of {len(palette)} colours")
    return colours_of(x[..., 0], palette)


def _is_among(artworks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which artworks are equal to one of the others: (n,) bool."""
    known = {content_hash(other) for other in others}
    return np.array([content_hash(artwork) in known for artwork in artworks], bool)


def _select(
    artworks: np.ndarray, labels: np.ndarray | None, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    if chosen.all():
        return artworks, labels
    return artworks[chosen], labels[chosen] if labels is not None else None


def _checked_side(
    parts: dict[str, np.ndarray], side: str, name: str, sounds: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the artworks of one side and their labels, after checking them."""
    things, form = ("sounds", "16-bit numbers of shape (number, samples)") if sounds else ("pictures", _PICTURES)
    x = parts.get(f"{side}_x")
    if x is None:
        raise FileRefused(name, f"has no {things} named {side}_x")
    pictures = x.dtype == np.uint8 and x.ndim == 4 and x.shape[3] in (1, 3, 4)
    waves = x.dtype == np.int16 and x.ndim == 2
    if not (waves if sounds else pictures) or 0 in x.shape[1:]:
        raise FileRefused(name, f"does not hold {things} ({side}_x is {x.dtype} of shape {x.shape}, not {form})")
    labels = parts.get(f"{side}_y")
    if labels is None:
        return x, None
    if labels.shape != (len(x),) or labels.dtype.kind not in "iu":
        raise FileRefused(name, f"has labels that do not belong to its {things} ({side}_y)")
    return x, labels.astype(np.int64)


def _resize_all(pictures: np.ndarray, shape: Shape) -> np.ndarray:
    """Return pictures (N, h, w, c) in the shape (C, H, W).

    It is the exact mean of blocks if the sizes divide, else Lanczos. Waves of another length are resampled by their
    Fourier series.
    """
    if len(shape) == 1:
        if pictures.shape[1:] == shape:
            return pictures
        return np.stack([cycle_from_wave(wave.astype(float), shape[0], "a wave") for wave in pictures])
    channels, height, width = shape
    pictures = compose_over(pictures) if pictures.shape[3] == 4 else pictures
    block = pictures.shape[1] // height
    if block < 1 or pictures.shape[1:3] != (height * block, width * block):
        return np.stack([_fit_artwork(picture, shape) for picture in pictures])
    if block > 1:
        total = np.zeros((len(pictures), height, width, pictures.shape[3]), np.uint32)
        for y in range(block):
            for x in range(block):
                total += pictures[:, y::block, x::block]
        pictures = ((total + block * block // 2) // (block * block)).astype(np.uint8)
    if pictures.shape[3] == channels:
        return np.ascontiguousarray(pictures)
    if channels == 3:
        return np.repeat(pictures, 3, axis=3)
    return np.stack([np.asarray(Image.fromarray(picture).convert("L"))[..., None] for picture in pictures])


def _fit_artwork(picture: np.ndarray, shape: Shape) -> np.ndarray:
    channels, height, width = shape
    return fit_to_shape(picture, (channels, height, width))


def _read_licence(source: Path) -> str:
    """Return the first line of NAME.licence.txt next to the pack; empty if there is none."""
    try:
        with open(source.with_name(f"{source.stem}.licence.txt"), encoding="utf-8", errors="replace") as file:
            return file.readline(500).strip()
    except OSError:
        return ""
