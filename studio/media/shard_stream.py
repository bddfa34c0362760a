"""Read the artworks of shards as an endless stream, in pieces.

    epoch   all shards once, in an order that the seed and the epoch give
    lane    every LANES-th shard of each epoch; all lanes are read at the same time
    piece   the next artworks of a lane, from a place on, in the order of its shards
    block   a piece of every lane

So the seed and the shards alone decide what a block holds, and not who reads which lane. A place is kept with a
training, which then continues exactly. Held-out artworks are passed over by the hash of their content, as in a folder.
"""

import contextlib
import random
import threading
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec
import numpy as np

from studio.media.dataset import is_held_out
from studio.media.folder_scan import GONE, FileOutcome, FileReport, FolderScan, ListedFile, Listing
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.media.preparing import FilePreparer, content_hash
from studio.media.shards import ShardList, shard_state, walk_shard

LANES = 8
"""Shards that are read at the same time, so that a block holds artworks of several."""
BLOCK_FILES = 4096
"""The most files of a block."""
BLOCK_BYTES = 2**26
"""The most bytes of its artworks, apart from the last one of each piece."""
RETRY_SECONDS = 2.0
"""Seconds between two looks for shards that are gone."""


class StreamedArtwork(msgspec.Struct, frozen=True):
    """Holds an artwork, as bytes, and its class."""

    data: bytes
    dtype: str
    shape: tuple[int, ...]
    label: str

    @property
    def array(self) -> np.ndarray:
        """Return it as in a Dataset."""
        return np.frombuffer(self.data, np.dtype(self.dtype)).reshape(self.shape)


class FileOutcomeLine(msgspec.Struct, frozen=True):
    """Holds the outcome of a file, and the reason, as in FileReport."""

    name: str
    outcome: FileOutcome
    reason: str


class LanePlace(msgspec.Struct, frozen=True):
    """Names a place in a lane: the shards that it has read since the beginning, and a place in the next one."""

    shards: int = 0
    offset: int = 0


class StreamPiece(msgspec.Struct, frozen=True):
    """Holds what was read of a lane."""

    lane: int
    end: LanePlace
    artworks: tuple[StreamedArtwork, ...]
    """Those to learn from."""
    files: tuple[FileOutcomeLine, ...] = ()
    """The outcomes of all files, in the first epoch."""
    notices: tuple[str, ...] = ()
    """Sentences for the user."""


class StreamClosed(Exception):
    """Reports that nobody needs what is read."""


class _ShardsGone(Exception):
    """Reports that no shard was there for a moment."""


class PieceReader:
    """Reads pieces of lanes. A thread may read while another one closes it.

    Arguments
        shards: all of the stream
        preparer: makes artworks of files
        seed: decides the order of the shards
        left_out: the hashes of artworks that are never learned, as `content_hash` gives them
        least_files: a block has room for at least so many files
        least_bytes: and for so many bytes of artworks
    """

    def __init__(
        self,
        shards: ShardList,
        preparer: FilePreparer,
        seed: int,
        left_out: frozenset[bytes],
        least_files: int = 0,
        least_bytes: int = 0,
    ) -> None:
        self._shards = shards
        self._preparer = preparer
        self._seed = seed
        self._left_out = left_out
        self._piece_files = max(BLOCK_FILES, least_files) / self.lanes
        self._piece_bytes = max(BLOCK_BYTES, least_bytes) / self.lanes
        self._states = {path: shard_state(path) for path in shards.paths}
        self._named_gone = set[str]()
        self._order: tuple[int, list[str]] = (-1, [])
        """The shards of an epoch in its order."""
        self._closed = threading.Event()
        self.is_waiting = False
        """Whether all shards are gone, so that it waits for them."""

    @property
    def lanes(self) -> int:
        """Return the number of lanes."""
        return min(LANES, len(self._shards.paths))

    def close(self) -> None:
        """End the present read, which then raises StreamClosed."""
        self._closed.set()

    def epoch_of(self, lane: int, place: LanePlace) -> int:
        """Return how often a lane was read whole."""
        return place.shards // self._shards_of(lane)

    def read_piece(self, lane: int, begin: LanePlace) -> StreamPiece:
        """Read a lane from a place on, up to the end of its epoch at most. Raises StreamClosed.

        If all shards are gone, wait for them, and begin the piece again.
        """
        while True:
            with contextlib.suppress(_ShardsGone, FileRefused):  # FileRefused: their folder was replaced
                return self._read_piece(lane, begin)
            while not self._shards.present:
                self.is_waiting = True
                if self._closed.wait(RETRY_SECONDS):
                    raise StreamClosed
            self.is_waiting = False

    def _read_piece(self, lane: int, begin: LanePlace) -> StreamPiece:
        place = begin
        artworks: list[StreamedArtwork] = []
        files: list[FileOutcomeLine] = []
        notices: list[str] = []
        is_first_epoch = self.epoch_of(lane, begin) == 0
        count = size = 0
        is_full = False
        while not is_full and self.epoch_of(lane, place) == self.epoch_of(lane, begin):
            path = self._shard_at(lane, place.shards)
            notices += self._note_change(path)
            following = LanePlace(place.shards + 1)
            listing = _PieceListing(path, place.offset, self._piece_files - count)
            with contextlib.closing(self._reports(listing)) as reports:
                for report, stop in reports:
                    if report.reason == GONE and self._is_passing(path):
                        raise _ShardsGone
                    count += 1
                    artwork = self._artwork_to_learn(report)
                    if artwork is not None:
                        artworks.append(artwork)
                        size += len(artwork.data)
                    if is_first_epoch:
                        files.append(FileOutcomeLine(report.name, report.outcome, report.reason))
                    is_full = count >= self._piece_files or size >= self._piece_bytes
                    if is_full and stop > 0:
                        following = LanePlace(place.shards, stop)
                        listing.is_complete = True
                        break
            place = following
        return StreamPiece(lane, place, tuple(artworks), tuple(files), tuple(notices))

    def _reports(self, listing: "_PieceListing") -> Generator[tuple[FileReport, int], None, None]:
        """Yield the outcome of each file, and the place after it in its shard if a piece can end there.

        Files that are being read when it is closed are read to their end: the child that reads them lives on.
        """
        scan = FolderScan(Path(self._shards.folder), self._preparer, files=listing.files(), keyed=False)
        with contextlib.closing(scan.steps()) as steps:
            try:
                for report in self._until_closed(steps):
                    yield report, listing.stops.popleft()
            except GeneratorExit:
                for _ in self._until_closed(steps):
                    pass
                raise

    def _until_closed(self, steps: Iterator[FileReport | None]) -> Iterator[FileReport]:
        for report in steps:
            if self._closed.is_set():
                raise StreamClosed
            if report is not None:
                yield report

    def _artwork_to_learn(self, report: FileReport) -> StreamedArtwork | None:
        prepared = report.prepared
        if not report.is_used or prepared is None or is_held_out(prepared.content):
            return None
        artwork = np.ascontiguousarray(prepared.artwork)
        if content_hash(artwork) in self._left_out:
            return None
        return StreamedArtwork(artwork.tobytes(), artwork.dtype.str, artwork.shape, report.label)

    def _note_change(self, path: str) -> list[str]:
        """Return a sentence if a shard is gone or changed since it was last looked at."""
        state = shard_state(path)
        known = self._states[path]
        self._states[path] = state
        name = display_name(Path(path).name)
        if state[0] < 0:
            if not self._shards.present:
                raise _ShardsGone
            is_known = path in self._named_gone
            self._named_gone.add(path)
            return [] if is_known else [f'"{name}" is gone. The training continues with the other shards.']
        self._named_gone.discard(path)
        if state == known:
            return []
        return [f'"{name}" was changed. It is learned as it is now.' if known[0] >= 0 else f'"{name}" is back.']

    def _is_passing(self, path: str) -> bool:
        """Return whether a missing shard is no fault of its own: all are gone, or it is back already."""
        return shard_state(path)[0] >= 0 or not self._shards.present

    def _shards_of(self, lane: int) -> int:
        """Return how many shards of an epoch a lane has."""
        return len(range(lane, len(self._shards.paths), self.lanes))

    def _shard_at(self, lane: int, number: int) -> str:
        epoch, index = divmod(number, self._shards_of(lane))
        known, order = self._order
        if known != epoch:
            order = list(self._shards.paths)
            random.Random(f"{self._seed}/{epoch}").shuffle(order)
            self._order = epoch, order
        return order[lane + index * self.lanes]


class _PieceListing:
    """Lists files of a shard from a place on, and notes the place after each.

    Arguments
        most: the number of files after which it ends, with the sample
    """

    def __init__(self, path: str, begin: int, most: float) -> None:
        self._path = path
        self._begin = begin
        self._most = most
        self.stops: deque[int] = deque()
        self.is_complete = False
        """Whether no more files are needed."""

    def files(self) -> Listing:
        count = 0
        with contextlib.closing(walk_shard(self._path, self._begin)) as listing:
            for listed in listing:
                if self.is_complete:
                    return
                if isinstance(listed, ListedFile):
                    count += 1
                    self.stops.append(listed.following)
                yield listed
                if isinstance(listed, ListedFile) and listed.following > 0 and count >= self._most:
                    return
