"""List the artworks in webdataset shards: tar archives that are read as a stream and never unpacked.

    shard-000000.tar    cats/0001.jpg  cats/0001.cls  cats/0001.txt  cats/0002.jpg …

Members that follow each other and have the same name up to the first dot are a sample: a picture or a sound, with its
class in `.cls` or in `.json` ({"label": …} or {"class": …}). Without those, the first folder of its name is the class.
Texts are ignored. (https://github.com/webdataset/webdataset reads members in the program itself and cannot continue at
an exact place, so it is not used.)
"""

import contextlib
import os
import random
import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from studio.media import decoder
from studio.media.file_part import FilePart
from studio.media.folder_scan import STEP_SECONDS, ArtworkStore, FolderScan, ListedFile, Listing, walk_files
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.media.preparing import FilePreparer
from studio.media.tar_headers import LABEL_ENDINGS, TarHeaders, TarMember

ENDING = ".tar"
MAX_SHARDS = 100_000
HEADERS_AT_ONCE = 64
MAX_SAMPLE = 64
"""The most members of a sample, so that frames of a film, named film.0001.png, are not gathered."""
SPREAD = 64
"""Files that are taken from a shard before the next one has its turn, if all are looked into."""
SPREAD_SHARDS = 256
"""The number of shards from which on they are looked into in a random order."""
MAX_OPENED = 10_000
"""The most artworks of shards that are loaded before a training. A tenth of them is held out."""
MAX_OPENED_BYTES = 2**27
"""The most bytes of them."""
LEAST_OPENED = 16
"""The fewest of them, however long, so that some are held out."""
TEXT_ENDINGS = (".txt",)
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_ASIDE = (*LABEL_ENDINGS, *TEXT_ENDINGS)
"""Endings of members that belong to the picture or sound of their sample."""


@dataclass(frozen=True)
class ShardList:
    """Names the shards of a source, in order."""

    folder: str
    """Where they lie."""
    paths: tuple[str, ...]

    @property
    def present(self) -> list[str]:
        """Return those that are there."""
        return [path for path in self.paths if os.path.exists(path)]

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """Return the name and the bytes of each, -1 if it is not there."""
        return [(os.path.basename(path), shard_state(path)[0]) for path in self.paths]


class Opening:
    """Counts the artworks of shards that are loaded before a training, until the others are read as a stream.

    Arguments
        shards: None for a folder, which is loaded whole
    """

    def __init__(self, shards: ShardList | None) -> None:
        self._shards = shards
        self._count = 0
        self._bytes = 0

    def add(self, artwork: np.ndarray) -> None:
        """Count an artwork."""
        self._count += 1
        self._bytes += artwork.nbytes

    @property
    def is_complete(self) -> bool:
        """Return whether enough is loaded to begin with."""
        is_large = self._bytes >= MAX_OPENED_BYTES and self._count >= LEAST_OPENED
        return self._shards is not None and (self._count >= MAX_OPENED or is_large)

    @property
    def rest(self) -> ShardList | None:
        """Return the shards if they hold more than is loaded."""
        return self._shards if self.is_complete else None


def find_shards(source: Path | str) -> ShardList | None:
    """Return the shards that a source names; None if it is something else.

    It is a folder of nothing but .tar files, one such file, or a pattern as `shard-{000000..000009}.tar`.
    """
    path = os.path.abspath(source)
    if os.path.isdir(path):
        names = _shards_in(path)
        return ShardList(path, tuple(os.path.join(path, name) for name in names)) if names else None
    if not _is_shard(path):
        return None
    found = [path] if os.path.lexists(path) else _expand(path)
    return ShardList(os.path.dirname(path), tuple(found))


def named_source(source: Path) -> Path:
    """Return the folder of a pattern of shards, which has a name for people, and any other source as it is."""
    shards = find_shards(source)
    return source if shards is None or os.path.lexists(source) else Path(shards.folder)


def scan_source(
    source: Path, preparer: FilePreparer, store: ArtworkStore | None = None, files: Listing | None = None
) -> FolderScan:
    """Return a scan of a folder or of shards, or of some files of it. Raises FileRefused if no shard is there."""
    shards = find_shards(source)
    root = source if shards is None else Path(shards.folder)
    return FolderScan(root, preparer, store, list_source(source) if files is None else files)


def list_source(source: Path) -> Listing:
    """Return the files of a folder or of shards, as `walk_files` does. Raises FileRefused if no shard is there."""
    shards = find_shards(source)
    if shards is None:
        return walk_files(source)
    if not shards.present:
        raise FileRefused(display_name(source.name), "is not there", "Connect or restore it, then look again.")
    return walk_shards(shards)


def shard_state(path: str) -> tuple[int, int, int]:
    """Return numbers that differ after a shard was changed: its bytes first, -1 if it is not there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ino


def walk_shards(shards: ShardList) -> Listing:
    """Yield the artworks of all shards and their faults, some of each shard in turn.

    So the first ones stand for all, even if the shards are sorted.
    """
    paths = list(shards.paths)
    if len(paths) > SPREAD_SHARDS:
        random.Random(0).shuffle(paths)
    estimate = _FileEstimate(paths)
    waiting = [(path, walk_shard(path)) for path in paths]
    try:
        while waiting:
            for path, listing in list(waiting):
                found = 0
                for listed in listing:
                    if isinstance(listed, int):
                        yield 0
                        continue
                    yield listed
                    yield estimate.add(path, listed)
                    found += 1
                    if found == SPREAD:
                        break
                else:
                    waiting.remove((path, listing))
        yield estimate.finish()
    finally:
        for _, listing in waiting:
            listing.close()


def walk_shard(path: str, begin: int = 0) -> Listing:
    """Yield the artworks of a shard from a place on, and its faults."""
    sample: list[TarMember] = []
    key = ""
    with contextlib.closing(_members(path, begin)) as members:
        for member in members:
            if member is None:
                yield 0
                continue
            following = _sample_key(member.name)
            if sample and (not member.name or following != key or len(sample) == MAX_SAMPLE):
                yield from _files_of_sample(path, sample, member.header)
                sample = []
            key = following
            if member.name:
                sample.append(member)
            else:
                yield 1
                yield ListedFile(path, member.fault)
    if sample:
        yield from _files_of_sample(path, sample, -1)


def class_names(shards: ShardList) -> Generator[None, None, tuple[str, ...]]:
    """Return the names of all classes, in small steps; numbers are in their order. Only headers are read."""
    found: set[str] = set()
    for path in shards.paths:
        for listed in walk_shard(path):
            if isinstance(listed, ListedFile) and listed.part is not None and listed.label:
                found.add(listed.label)
            yield None
    return tuple(sorted(found, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)))


class _FileEstimate:
    """Estimates the number of files in shards by the bytes of those that were listed."""

    def __init__(self, paths: list[str]) -> None:
        self._total = sum(max(shard_state(path)[0], 0) for path in paths)
        self._places = dict.fromkeys(paths, 0)
        self._listed = 0
        self._count = 0
        self._known = 0

    def add(self, path: str, listed: ListedFile) -> int:
        """Count a file; return by how much the estimate changes."""
        self._count += 1
        if listed.part is not None:
            place = min(listed.part.begin + listed.part.size, self._total)
            self._listed += place - self._places[path]
            self._places[path] = place
        return self._change_to(max(self._count, min(self._count * self._total // max(self._listed, 1), MAX_OPENED)))

    def finish(self) -> int:
        """Return by how much the estimate changes now that all files are listed."""
        return self._change_to(self._count)

    def _change_to(self, estimate: int) -> int:
        change = estimate - self._known
        self._known = estimate
        return change


def _is_shard(name: str) -> bool:
    return name.lower().endswith(ENDING)


def _shards_in(folder: str) -> list[str]:
    """Return the names of the shards in a folder, in order; none if it holds anything else that is not hidden."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:  # the first one tells in most folders, however large
                if not _is_shard(entry.name) and not entry.name.startswith("."):
                    return []
                names.append(entry.name)
    except OSError:
        return []
    return sorted((name for name in names if not name.startswith(".")), key=os.fsencode)


def _expand(path: str) -> list[str]:
    """Return the paths that a pattern stands for, in order. Raises FileRefused if there are too many."""
    found = [path]
    while ranges := _RANGE.search(found[0]):
        first, last = ranges[1], ranges[2]
        count = abs(int(last) - int(first)) + 1
        if count * len(found) > MAX_SHARDS:
            raise FileRefused(display_name(os.path.basename(path)), f"names more than {MAX_SHARDS:,} shards")
        width = len(first) if first.startswith("0") or last.startswith("0") else 0
        numbers = [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
        found = [_RANGE.sub(number, each, count=1) for each in found for number in numbers]
        if not found:
            raise FileRefused(display_name(os.path.basename(path)), "names no shards")
    return found


def _members(path: str, at: int) -> Generator[TarMember | None, None, None]:
    """Yield the members of a shard from a place on, and None while headers are read."""
    group = decoder.ReadGroup()
    pool = ThreadPoolExecutor(1, "headers")
    try:
        while at >= 0:
            reading = pool.submit(decoder.read_tar_headers, path, at, HEADERS_AT_ONCE, group)
            while not wait([reading], STEP_SECONDS).done:
                yield None
            try:
                headers: TarHeaders = reading.result()
            except FileRefused as refusal:
                yield TarMember("", at, fault=refusal.reason)
                return
            yield from headers.members
            at = headers.following
    finally:
        decoder.shared_decoder.end_group(group)
        pool.shutdown(wait=False, cancel_futures=True)


def _sample_key(name: str) -> str:
    """Return the name of a member up to the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition('.')[0]}"


def _files_of_sample(path: str, sample: list[TarMember], following: int) -> Iterator[ListedFile | int]:
    """Yield the files of a sample to be examined, with their class."""
    aside = [member for member in sample if member.name.lower().endswith(_ASIDE) and not member.fault]
    files = [member for member in sample if member not in aside] or aside
    label = next((member.label for member in aside if member.label), "")
    texts = sum(member.name.lower().endswith(TEXT_ENDINGS) for member in aside) if files is not aside else 0
    yield len(files)
    names: set[str] = set()
    for number, member in enumerate(files, 1):
        fault = member.fault or _fault_of(member, is_aside=member in aside, is_known=member.name in names)
        names.add(member.name)
        first, slash, _ = member.name.partition("/")
        yield ListedFile(
            os.path.join(path, *PurePosixPath(member.name).parts),
            fault,
            FilePart(os.fsencode(path), member.begin, member.size),
            label or (display_name(first) if slash else ""),
            texts if number == 1 else 0,
            following if number == len(files) else 0,
        )


def _fault_of(member: TarMember, *, is_aside: bool, is_known: bool) -> str:
    if any(part.startswith(".") for part in member.name.split("/")):
        return "is a hidden file"
    if is_known:
        return "has the same name as another in its shard"
    if is_aside:
        return "is text, which is not learned, and belongs to no picture or sound"
    return ""
