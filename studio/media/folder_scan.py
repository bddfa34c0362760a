"""Examine the files of a folder one by one, and find the outcome of each in a training.

Two files are read at a time, in other threads, so that a scan can be stopped while a file is read. Nothing is kept of a
file but the hash of its content and its name, so a folder may hold hundreds of thousands.
"""

import contextlib
import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from studio.media import decoder
from studio.media.file_part import FilePart
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.media.preparing import FilePreparer, PreparedFile, content_hash

FileOutcome = Literal["used", "damaged", "duplicate", "left_out", "skipped"]
STEP_SECONDS = 0.02
"""The longest that a step waits for a file."""
_AHEAD = 2
"""Files that are read at the same time."""
_LISTED_AT_ONCE = 1000
_CHANGED = "was changed while it was read"
GONE = "is not there any more"


@dataclass(frozen=True)
class FileReport:
    """Reports the outcome of a file."""

    path: str
    name: str
    """Its name within the folder, made safe to show."""
    outcome: FileOutcome
    reason: str = ""
    """The reason, which continues from the name: `is cut off`. It is empty if the file is used and whole."""
    key: str = ""
    """The hash of its bytes in hexadecimal, by which it can be excluded; empty if it could not be read."""
    prepared: PreparedFile | None = None
    """What it became, if it could be read and was not read before."""
    label: str = ""
    """Its class, if sub-folders are classes."""

    @property
    def is_used(self) -> bool:
        """Return whether it is learned from or held out."""
        return self.outcome in ("used", "damaged")


class ArtworkStore(Protocol):
    """Keeps the results for files. Any thread may call it."""

    def find(self, key: str) -> PreparedFile | None:
        """Return the result for the file with these bytes; None if it is unknown."""

    def add(self, key: str, prepared: PreparedFile) -> None:
        """Keep the result for the file with these bytes."""


class ListedFile(NamedTuple):
    """Names a file of a folder or of a shard, or a folder or a shard that cannot be listed, with the reason."""

    path: str
    fault: str = ""
    part: FilePart | None = None
    """Where its bytes lie in its shard; `path` is then only a name."""
    label: str = ""
    """The class that its shard names."""
    texts: int = 0
    """The texts of its sample, which are not learned."""
    following: int = 0
    """The place in its shard from which the next samples can be listed; 0 within a sample, -1 at the end."""


Listing = Generator[ListedFile | int, None, None]
"""Files to be examined. Numbers say how many more were found."""


class FolderScan:
    """Examines the files of a folder in order.

    Arguments
        source: the folder, which may be a link, or a single file
        preparer: makes artworks of files
        store: keeps the results for files
        files: those to examine, as `walk_files` yields them; None: all in the folder
        keyed: whether the hash of each file's bytes is reported. Then each is read twice
    """

    def __init__(
        self,
        source: Path,
        preparer: FilePreparer,
        store: ArtworkStore | None = None,
        files: Listing | None = None,
        *,
        keyed: bool = True,
    ) -> None:
        self.source = source
        self._files = files
        self.found = 0
        """Files that were found so far."""
        self.done = 0
        """Files that were examined so far."""
        self.texts = 0
        """Texts beside the files of shards, which are not learned."""
        self.labels = set[str]()
        """The classes that shards named so far."""
        self._preparer = preparer
        self._store = store
        self._contents: dict[bytes, str] = {}
        self._artworks: dict[bytes, str] = {}
        self._reasons: dict[str, str] = {}
        self._excluded = frozenset(preparer.preparation.excluded)
        self._is_keyed = keyed or store is not None or bool(self._excluded)

    def steps(self) -> Generator[FileReport | None, None, None]:
        """Yield the report of the next file, or None after a step without one.

        Closing the generator ends the present read. Raises FileRefused if the folder cannot be listed, or vanishes.
        """
        identity = _identity(self.source)
        group = decoder.ReadGroup()
        pool = ThreadPoolExecutor(_AHEAD, "scan")
        reading: deque[tuple[ListedFile, Future[tuple[str, PreparedFile | None]]]] = deque()
        listing = self._listing()
        is_listed = False
        try:
            while True:
                while len(reading) < _AHEAD and not is_listed:
                    listed = next(listing, ListedFile(""))
                    if listed is None:
                        yield None
                    elif listed.path:
                        reading.append((listed, pool.submit(self._examine, listed, group)))
                    else:
                        is_listed = True
                if not reading:
                    return
                listed, future = reading[0]
                if not wait([future], STEP_SECONDS).done:
                    yield None
                    continue
                reading.popleft()
                report = self._report(listed, future)
                if report.reason == GONE and _identity(self.source) != identity:
                    name = _folder_name(self.source)
                    raise FileRefused(name, GONE, "Nothing was changed. Connect or restore it, and start again.")
                self.done += 1
                yield report
        finally:
            listing.close()
            decoder.shared_decoder.end_group(group)
            pool.shutdown(wait=False, cancel_futures=True)

    def _listing(self) -> Generator[ListedFile | None, None, None]:
        with contextlib.closing(walk_files(self.source) if self._files is None else self._files) as files:
            for listed in files:
                if isinstance(listed, int):
                    self.found += listed
                    yield None
                else:
                    yield listed

    def _examine(self, listed: ListedFile, group: decoder.ReadGroup) -> tuple[str, PreparedFile | None]:
        """Return a file's key and its result, None if it is excluded. Raises FileRefused."""
        path, part = listed.path, listed.part
        name = os.path.basename(path)
        if listed.fault:
            raise FileRefused(display_name(name), listed.fault)
        on_disk = path if part is None else os.fsdecode(part.file)
        if name.startswith(".") and not os.path.isdir(path):
            raise FileRefused(display_name(name), "is a hidden file")
        for _ in range(2):
            before = _state(on_disk)
            key = decoder.hash_file(path, self._preparer.max_bytes, group, part) if self._is_keyed else ""
            if key in self._excluded:
                return key, None
            known = self._store.find(key) if self._store is not None else None
            prepared = known or self._preparer.prepare(path, group, part)
            if _state(on_disk) == before:
                if self._store is not None and known is None:
                    self._store.add(key, prepared)
                return key, prepared
        raise FileRefused(display_name(name), _CHANGED, "Start again once it is complete.")

    def _report(self, listed: ListedFile, future: "Future[tuple[str, PreparedFile | None]]") -> FileReport:
        self.texts += listed.texts
        self.labels |= {listed.label} if listed.label else set()
        within = os.path.relpath(listed.path, self.source)
        if listed.part is not None:  # whose name may have dots, which lead nowhere
            within = listed.path.removeprefix(f"{self.source}{os.sep}")
        name = display_name(within)
        try:
            key, prepared = future.result()
        except FileRefused as refusal:
            return FileReport(listed.path, name, "skipped", self._shared(refusal.reason))
        label = ""
        if self._preparer.preparation.folders_as_classes:
            label = listed.label if listed.part is not None else _label(within)
        if prepared is None:
            return FileReport(listed.path, name, "left_out", "is excluded by you", key)
        if prepared.unsuited:
            return FileReport(listed.path, name, "left_out", prepared.unsuited, key, prepared)
        if self._preparer.preparation.folders_as_classes and not label:
            why = "is in no sub-folder, so it has no class" if listed.part is None else "has no class"
            return FileReport(listed.path, name, "left_out", why, key, prepared)
        same = self._same(name, prepared)
        if same:
            return FileReport(listed.path, name, "duplicate", same, key, prepared, label)
        if prepared.damage:
            return FileReport(listed.path, name, "damaged", f"is used: {prepared.damage}", key, prepared, label)
        return FileReport(listed.path, name, "used", "", key, prepared, label)

    def _same(self, name: str, prepared: PreparedFile) -> str:
        """Return that an earlier file shows the same, or nothing."""
        if first := self._contents.get(prepared.content):
            return f'is the same as "{first}"'
        self._contents[prepared.content] = name
        artwork = content_hash(prepared.artwork)
        if first := self._artworks.get(artwork):
            return f'is the same as "{first}" at this {"length" if self._preparer.is_sound else "size"}'
        self._artworks[artwork] = name
        return ""

    def _shared(self, reason: str) -> str:
        """Return one string for all equal reasons."""
        return self._reasons.setdefault(reason, reason)


def walk_files(source: Path | str) -> Listing:
    """Yield everything within a folder that is not a folder, in order; or the file itself.

    A number says how many more files were found; it is also yielded while a long folder is being listed. Links, pipes
    and devices are yielded, so that each can be named as refused, but never followed. So are hidden folders, and
    folders that cannot be listed, with the reason. The folder itself may be a link.
    """
    if not os.path.isdir(source):
        yield 1
        yield ListedFile(os.fspath(source))
        return
    waiting = [(os.fspath(source), [""])]  # names in reverse order; those of folders end with a slash
    while waiting:
        folder, names = waiting[-1]
        if not names:
            waiting.pop()
            continue
        name = names.pop()
        if name and not name.endswith("/"):
            yield ListedFile(os.path.join(folder, name))
            continue
        path = os.path.join(folder, name[:-1]) if name else folder
        inner: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    down = not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
                    inner.append(f"{entry.name}/" if down else entry.name)
                    if len(inner) % _LISTED_AT_ONCE == 0:
                        yield 0
        except OSError as error:
            fault = "may not be opened by you" if isinstance(error, PermissionError) else "cannot be opened"
            if path == os.fspath(source):
                raise FileRefused(_folder_name(path), fault) from None
            yield 1
            yield ListedFile(path, fault)
            continue
        inner.sort(key=os.fsencode, reverse=True)
        yield sum(not name.endswith("/") for name in inner)
        waiting.append((path, inner))


def list_again(files: Sequence[ListedFile]) -> Listing:
    """Yield files that are known, in this order."""
    yield len(files)
    yield from files


def _folder_name(folder: Path | str) -> str:
    """Return the name of a folder, also of `.`, made safe to show."""
    return display_name(os.path.basename(os.path.abspath(folder)))


def _identity(source: Path) -> tuple[int, int] | None:
    """Return the identity of a folder, whatever its name; None if it is missing."""
    with contextlib.suppress(OSError):
        found = os.stat(source)
        return found.st_dev, found.st_ino
    return None


def _state(path: str) -> tuple[int, int, int] | None:
    """Return values that differ after a file was changed; None if it is missing."""
    with contextlib.suppress(OSError, ValueError):
        found = os.lstat(path)
        return found.st_size, found.st_mtime_ns, found.st_ino
    return None


def _label(within: str) -> str:
    """Return the class of a file: the first folder of its path within the source; empty if it lies in none."""
    folder, _, rest = within.partition(os.sep)
    return display_name(folder) if rest else ""
