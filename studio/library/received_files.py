"""Keep the files that a window on another computer sent, each in a folder named by the hash of its bytes.

They lie in the cache folder. If all together take more than MAX_BYTES, the oldest are deleted and sent again when they
are needed.
"""

import contextlib
from pathlib import Path

from studio.library import models, storage
from studio.library.model_file import BadModel

MAX_BYTES = 8 * 2**30
"""Bytes of all received files."""


class DamagedFile(ValueError):
    """Reports in a sentence that a file did not arrive as it was sent."""


class FileReceiver:
    """Puts the pieces of files together. A file is stored when its last piece has arrived."""

    def __init__(self) -> None:
        self._pieces: dict[str, bytearray] = {}
        """What has arrived of each file, by its hash."""

    def add_piece(self, name: str, file_hash: str, first_byte: int, size: int, data: bytes) -> Path | None:
        """Add the next piece of a file. Return the file's path after the last piece.

        Raises DamagedFile, and storage.NotSaved if the file cannot be stored.
        """
        arrived = self._pieces.pop(file_hash, bytearray()) if first_byte else bytearray()
        if len(arrived) != first_byte or first_byte + len(data) > size:
            raise DamagedFile(f'A part of "{name}" was lost on its way. Try again.')
        arrived += data
        if len(arrived) < size:
            self._pieces[file_hash] = arrived
            return None
        if storage.hash_bytes(arrived) != file_hash:
            raise DamagedFile(f'"{name}" was damaged on its way. Try again.')
        path = _path_of(name, file_hash)
        storage.write_file(path, arrived)
        _delete_oldest(path)
        return path


def find_file(name: str, file_hash: str) -> Path | None:
    """Return a file with this hash: a received one, or a trained model of that name. None if there is none."""
    received = _path_of(name, file_hash)
    if received.is_file():
        return received
    for folder in (storage.home_folder("models"), models.shipped_folder()):
        path = folder / name
        with contextlib.suppress(BadModel):
            if path.is_file() and models.find_model(str(path)).file_hash == file_hash:
                return path
    return None


def _path_of(name: str, file_hash: str) -> Path:
    return models.received_folder() / file_hash / name


def _delete_oldest(newest: Path) -> None:
    """Delete the oldest files, but never the newest, until all together take at most MAX_BYTES. Never raises."""
    found: list[tuple[int, int, Path]] = []
    with contextlib.suppress(OSError):
        for path in models.received_folder().glob("*/*"):
            state = path.stat()
            found.append((state.st_mtime_ns, state.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= MAX_BYTES:
            return
        if path != newest:
            with contextlib.suppress(OSError):
                storage.delete_file(path)
            storage.remove_if_empty(path.parent)
            total -= size
