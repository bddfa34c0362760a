"""Keep the artworks of files in the user's cache folder, so that a file is decoded once for the same options.

    block  MAGIC | u32 length of the head | head: JSON | BLAKE2b of the head | the entries' bytes, one after the other

A head names for each entry the hash of its file, its place and the hash of its bytes. There is a folder for each set of
options. A block with a wrong hash is deleted, and its files are decoded again. If all blocks take more than MAX_BYTES,
the oldest are deleted. The cache is never needed: if the disk is full, nothing more is kept.
"""

import contextlib
import os
import secrets
import struct
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from studio.library import storage
from studio.media.preparing import THUMBNAIL, PreparedFile

MAX_BYTES = 2 * 2**30
"""Bytes of the whole cache."""
BLOCK_BYTES = 16 * 2**20
"""Bytes of entries that are written together."""
MAX_ENTRY_BYTES = 64 * 2**20
"""Bytes of the largest entry: half an hour of sound at 16 kHz."""
MAX_HEAD_BYTES = 64 * 2**20
MAGIC = b"studio-artworks1"
_LENGTH = struct.Struct("<I")
_HASH_BYTES = 32
_THUMBNAIL_SHAPE = (THUMBNAIL, THUMBNAIL, 3)
_TYPES = {"|u1": np.uint8, "<i2": np.int16}


class CachedFile(msgspec.Struct, frozen=True, array_like=True):
    """Describes an entry: the result for a file, without its arrays."""

    key: str
    content: str
    dtype: str
    shape: tuple[int, ...]
    length: int
    """Bytes of the artwork and its thumbnail."""
    checksum: str
    unsuited: str
    damage: str
    width: int
    height: int
    seconds: float
    rate: int
    channels: int


class _Place(NamedTuple):
    entry: CachedFile
    block: Path
    offset: int


class ArtworkCache:
    """Finds and keeps the results for files with certain options. Any thread may call it. `close` writes the rest.

    Arguments
        options: all settings on which the results depend
    """

    def __init__(self, options: dict[str, Any]) -> None:
        name = storage.hash_bytes(msgspec.json.encode(options, order="sorted"))
        self._folder = cache_folder() / name
        self._places: dict[str, _Place] = {}
        self._new: dict[str, tuple[CachedFile, bytes]] = {}
        self._new_bytes = 0
        self._can_write = True
        self._lock = threading.Lock()
        storage.delete_leftovers(self._folder)
        for block in _blocks(self._folder):
            self._read_head(block)

    def find(self, key: str) -> PreparedFile | None:
        """Return the result for the file with these bytes; None if there is none or it is damaged."""
        with self._lock:
            new = self._new.get(key)
            place = self._places.get(key)
        if new is not None:
            return _to_prepared(*new)
        if place is None:
            return None
        data = _read(place.block, place.offset, place.entry.length)
        if storage.hash_bytes(data) == place.entry.checksum:
            return _to_prepared(place.entry, data)
        self._forget(place.block)
        return None

    def add(self, key: str, prepared: PreparedFile) -> None:
        """Keep the result for the file with these bytes."""
        entry, data = _to_entry(key, prepared)
        with self._lock:
            if not self._can_write or len(data) > MAX_ENTRY_BYTES or key in self._new or key in self._places:
                return
            self._new[key] = entry, data
            self._new_bytes += len(data)
            if self._new_bytes >= BLOCK_BYTES:
                self._write_block()

    def close(self) -> None:
        """Write the remaining entries, and delete the oldest blocks if there are too many."""
        with self._lock:
            if self._new:
                self._write_block()
        delete_oldest(MAX_BYTES)

    def _write_block(self) -> None:
        block = self._folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.block"
        head = msgspec.json.encode([entry for entry, _ in self._new.values()])
        parts = [MAGIC, _LENGTH.pack(len(head)), head, storage.hash_bytes(head).encode()]
        parts += [data for _, data in self._new.values()]
        try:
            storage.write_file(block, b"".join(parts))
        except storage.NotSaved:
            self._can_write = False
        else:
            self._add_places(block, [entry for entry, _ in self._new.values()], sum(map(len, parts[:4])))
        self._new = {}
        self._new_bytes = 0

    def _read_head(self, block: Path) -> None:
        begins = len(MAGIC) + _LENGTH.size
        start = _read(block, 0, begins)
        entries: list[CachedFile] | None = None
        offset = 0
        if start.startswith(MAGIC) and len(start) == begins:
            (length,) = _LENGTH.unpack(start[len(MAGIC) :])
            if length <= MAX_HEAD_BYTES:
                rest = _read(block, begins, length + _HASH_BYTES)
                head = rest[:length]
                offset = begins + len(rest)
                if storage.hash_bytes(head).encode() == rest[length:]:
                    with contextlib.suppress(msgspec.MsgspecError):
                        entries = msgspec.json.decode(head, type=list[CachedFile])
        if entries is None:
            self._forget(block)
        else:
            self._add_places(block, entries, offset)

    def _add_places(self, block: Path, entries: list[CachedFile], offset: int) -> None:
        for entry in entries:
            self._places[entry.key] = _Place(entry, block, offset)
            offset += entry.length

    def _forget(self, block: Path) -> None:
        """Delete a damaged block. Its files are decoded again."""
        with self._lock:
            self._places = {key: place for key, place in self._places.items() if place.block != block}
        with contextlib.suppress(OSError):
            storage.delete_file(block)


def cache_folder() -> Path:
    """Return the folder of all blocks."""
    return storage.home_folder("cache") / "artworks"


def delete_oldest(most: int) -> None:
    """Delete the oldest blocks until all together take at most so many bytes. Never raises."""
    found: list[tuple[str, int, Path]] = []
    with contextlib.suppress(OSError):
        for folder in sorted(cache_folder().iterdir()):
            for block in _blocks(folder):
                with contextlib.suppress(OSError):
                    found.append((block.name, block.stat().st_size, block))
    total = sum(size for _, size, _ in found)
    for _, size, block in sorted(found):
        if total <= most:
            return
        with contextlib.suppress(OSError):
            storage.delete_file(block)
        storage.remove_if_empty(block.parent)
        total -= size


def _blocks(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".block")
    except OSError:
        return []


def _read(block: Path, offset: int, length: int) -> bytes:
    """Return bytes of a block; fewer if it is missing or shorter."""
    try:
        with open(block, "rb") as file:
            if offset + length > os.fstat(file.fileno()).st_size:
                return b""
            file.seek(offset)
            return file.read(length)
    except OSError:
        return b""


def _to_entry(key: str, prepared: PreparedFile) -> tuple[CachedFile, bytes]:
    artwork = np.ascontiguousarray(prepared.artwork, prepared.artwork.dtype.newbyteorder("<"))
    data = artwork.tobytes() + np.ascontiguousarray(prepared.thumbnail).tobytes()
    entry = CachedFile(
        key=key,
        content=prepared.content.hex(),
        dtype=artwork.dtype.str,
        shape=artwork.shape,
        length=len(data),
        checksum=storage.hash_bytes(data),
        unsuited=prepared.unsuited,
        damage=prepared.damage,
        width=prepared.width,
        height=prepared.height,
        seconds=prepared.seconds,
        rate=prepared.rate,
        channels=prepared.channels,
    )
    return entry, data


def _to_prepared(entry: CachedFile, data: bytes) -> PreparedFile | None:
    """Return the contents of an entry; None if an array does not have the stated size."""
    dtype = _TYPES.get(entry.dtype)
    size = int(np.prod(entry.shape, dtype=np.int64)) * (np.dtype(dtype).itemsize if dtype else 0)
    if dtype is None or len(data) != size + int(np.prod(_THUMBNAIL_SHAPE)):
        return None
    return PreparedFile(
        content=bytes.fromhex(entry.content),
        artwork=np.frombuffer(data[:size], dtype).reshape(entry.shape),
        thumbnail=np.frombuffer(data[size:], np.uint8).reshape(_THUMBNAIL_SHAPE),
        unsuited=entry.unsuited,
        damage=entry.damage,
        width=entry.width,
        height=entry.height,
        seconds=entry.seconds,
        rate=entry.rate,
        channels=entry.channels,
    )
