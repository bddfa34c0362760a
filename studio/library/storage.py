"""Write files, completely or not at all. No other module writes files.

A file is written under a temporary name in its own folder, brought to the disk, renamed over the old one, and the
folder is brought to the disk too. After a crash, a full disk or a power cut, either the old file or the new one is
left. Deleting means moving to a bin.
"""

import contextlib
import datetime
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import platformdirs

from studio.library.obstacles import describe_obstacle, why_not_a_file
from studio.media.names import display_name

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FolderName = Literal["data", "config", "cache", "log", "models", "works", "runs"]
SaveFailure = Literal["full", "read-only", "missing", "other"]
FOLDER_NAMES: tuple[FolderName, ...] = ("data", "config", "cache", "log", "models", "works", "runs")

_APPLICATION = "latent-studio"
_PREFIX = ".studio-"
_LEFTOVER = re.compile(r"\.studio-(\d{1,10})-[0-9a-f]{12}")
_FOREIGN_LEFTOVER = re.compile(r"\.tmp[A-Za-z0-9]{6}")  # what safetensors' own writer leaves behind when it is killed
_HOUR = 3600.0
_IN_USE = (5, 32, 33)  # Windows: access denied, sharing violation, lock violation; a virus scanner lets go again
_RETRY_SECONDS = 2.5  # seconds; of 4,000 rewrites on Windows 11 that were tried for so long, none had failed
_WHY: dict[int, SaveFailure] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
}
_KEPT = {".png": "The picture is still here.", ".wav": "The sound is still here.", ".flac": "The sound is still here."}

_WRITER_THREADS = 16
"""Threads that write files at the same time, so that the disk serves them together (tests/benchmarks/saving.py)."""

_writing: set[str] = set()


class NotSaved(OSError):
    """Reports that a file could not be written. The earlier file is unchanged."""

    def __init__(self, path: Path, why: SaveFailure, sentence: str, size: int = 0) -> None:
        super().__init__(sentence)
        self.path = path
        self.cause = why
        self.size = size
        """The bytes that the file would have had; 0 if unknown."""
        self.message = sentence


def home_folder(kind: FolderName) -> Path:
    """Return a folder of the studio: $STUDIO_HOME/<kind>, else that of platformdirs. `write_file` creates it."""
    if own := os.environ.get("STUDIO_HOME"):
        return Path(own).absolute() / kind
    match kind:
        case "config":
            return platformdirs.user_config_path(_APPLICATION, False)
        case "cache":
            return platformdirs.user_cache_path(_APPLICATION, False)
        case "log":
            return platformdirs.user_log_path(_APPLICATION, False)
        case "works":
            return platformdirs.user_pictures_path() / "Latent Studio"
    data = platformdirs.user_data_path(_APPLICATION, False)
    return data if kind == "data" else data / kind


def write_file(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Write a file, completely or not at all. Raises NotSaved.

    Its folder must exist, unless it is one of `home_folder`.
    """
    path = Path(path).absolute()
    try:
        _create_home_folder(path.parent)
        _replace(path, data)
    except OSError as error:
        raise _write_error(path, error, len(data)) from error


def write_files(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write many files, each completely or not at all. Raises NotSaved at the first that cannot be written.

    It is much faster than one `write_file` after another. When it returns, all files are on the disk. Folders are
    created as by `write_file`. After an error the files before the faulty one are written, this one and those after it
    are not.
    """
    paths = [Path(path).absolute() for path, _ in files]
    temporaries = [_temporary_path(path) for path in paths]
    _writing.update(temporary.name for temporary in temporaries)
    placed = 0
    try:
        with ThreadPoolExecutor(_WRITER_THREADS) as threads:
            faults = list(threads.map(_write_temporary, paths, temporaries, (data for _, data in files)))
        for path, temporary, fault in zip(paths, temporaries, faults, strict=True):
            if fault is not None:
                raise fault
            _rename(temporary, path)
            placed += 1
    except OSError as error:
        raise _write_error(paths[placed], error, len(files[placed][1])) from error
    finally:
        _writing.difference_update(temporary.name for temporary in temporaries)
        for temporary in temporaries[placed:]:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        _sync_folders_of(paths[:placed])


def append_to_log(path: Path, text: str, max_bytes: int) -> None:
    """Append text to a log. Raises NotSaved.

    If the log would grow beyond `max_bytes`, it is renamed to `NAME.old.log` and a new one begins.
    """
    path = Path(path).absolute()
    data = text.encode("utf-8", "replace")[-max_bytes:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        _create_folders(path.parent)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_size + len(data) > max_bytes:
                _rename(path, path.with_suffix(f".old{path.suffix}"))
        file = os.open(path, flags, 0o644)
        try:
            os.write(file, data)
        finally:
            os.close(file)
    except OSError as error:
        kept = "What was saved before is unchanged."
        raise _storage_error(path, error, "saved", kept, len(data), describe_obstacle(path, error)) from error


def append_lines(path: Path, data: bytes) -> None:
    """Append whole lines to a file that only this process writes. Raises NotSaved, and then nothing was appended."""
    path = Path(path).absolute()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        file = os.open(path, flags, 0o644)
        try:
            size = os.fstat(file).st_size
            if os.write(file, data) != len(data):  # a full disk takes a part
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        finally:
            os.close(file)
    except OSError as error:
        raise _write_error(path, error, len(data)) from error


def lock_file(path: Path) -> int | None:
    """Lock a file for this process; return None if another process holds the lock. Raises NotSaved.

    Returns the descriptor of the open file; closing it releases the lock. The system releases the lock when the
    process ends, even by a crash, so a lock is never stale. On a file system without locks every process gets one.
    """
    path = Path(path).absolute()
    try:
        _create_folders(path.parent)
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise _storage_error(path, error, "made", "Nothing was changed.", 0, describe_obstacle(path, error)) from error
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            os.close(file)
            return None
    return file


def create_folder(path: Path) -> Path:
    """Create a folder with all its parents if it does not exist. Raises NotSaved.

    A file is written there and removed, so that a long job does not end in a folder that takes no files.
    """
    path = Path(path).absolute()
    try:
        _create_folders(path)
    except OSError as error:
        reason = describe_obstacle(path, error, folder=True)
        raise _storage_error(path, error, "made", "Nothing was changed.", 0, reason) from error
    temporary = _temporary_path(path / "file")
    try:
        _write_new(temporary, b"")
        os.unlink(temporary)
    except OSError as error:
        raise _storage_error(
            path, error, "used", "Nothing was changed.", 0, describe_obstacle(temporary, error)
        ) from error
    return path


def create_parent(path: Path) -> Path:
    """Create the folder of a file that is to be written, and return it.

    Raises NotSaved, also if the path cannot be a file.
    """
    path = Path(path).absolute()
    if reason := why_not_a_file(path):
        raise NotSaved(path, "other", f'"{display_name(path.name)}" was not saved: {reason}. Choose another place.')
    return create_folder(path.parent)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty. Never raises."""
    with contextlib.suppress(OSError):  # not empty, or already removed
        os.rmdir(folder)


def move_to_bin(path: Path) -> Path:
    """Move a file or folder into today's bin, and return its new path.

    The bin is in the data folder. Raises NotSaved.
    """
    path = Path(path).absolute()
    today = home_folder("data") / "bin" / datetime.date.today().isoformat()
    try:
        _create_folders(today)
    except OSError as error:
        reason = describe_obstacle(today, error, folder=True)
        raise _storage_error(path, error, "moved to the bin", "It is where it was.", 0, reason) from error
    try:
        target = today / path.name
        for number in range(2, 10_000):
            if not os.path.lexists(target):
                break
            target = today / f"{number} {path.name}"
        shutil.move(path, target)
        _sync_folder(path.parent)
        _sync_folder(today)
    except OSError as error:
        reason = describe_obstacle(path, error) if os.path.lexists(path) else "it is not there"
        raise _storage_error(path, error, "moved to the bin", "It is where it was.", 0, reason) from error
    return target


def move_from_bin(path: Path, target: Path) -> None:
    """Move a file or folder out of the bin to where it was. Raises NotSaved, also if something else is there now."""
    target = Path(target).absolute()
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        _create_folders(target.parent)
        shutil.move(path, target)
        _sync_folder(target.parent)
    except OSError as error:
        reason = "its name is in use again" if error.errno == errno.EEXIST else describe_obstacle(path, error)
        raise _storage_error(target, error, "taken from the bin", "It is still there.", 0, reason) from error


def delete_file(path: Path) -> None:
    """Remove a file of the studio that nothing refers to any more. For the user's files use `move_to_bin`."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def delete_leftovers(folder: Path) -> int:
    """Remove files that killed processes left half-written in a folder; return their number. Never raises."""
    deleted = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if _is_leftover(entry):
                    os.unlink(entry.path)
                    deleted += 1
    return deleted


def keep_newest(folder: Path, count: int) -> None:
    """Keep only the newest `count` subfolders of a cache folder. Never raises."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found = [(entry.stat().st_mtime, entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        for _, old in sorted(found, reverse=True)[count:]:
            shutil.rmtree(old, ignore_errors=True)


def hash_bytes(data: bytes | bytearray | memoryview) -> str:
    """Return the BLAKE2b hash (16 bytes) in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


# ── details ──────────────────────────────────────────────────────────────────────────────────────


def _temporary_path(path: Path) -> Path:
    """Return the name under which a file is written before it is renamed."""
    return path.parent / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}"


def _replace(path: Path, data: bytes | bytearray | memoryview) -> None:
    _check_file(path)
    temporary = _temporary_path(path)
    _writing.add(temporary.name)
    try:
        _write_new(temporary, data)
        _rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        _writing.discard(temporary.name)
    _sync_folder(path.parent)


def _write_temporary(path: Path, temporary: Path, data: bytes) -> OSError | None:
    """Write a file to the disk under its temporary name; return the error, if any. Runs in any thread."""
    try:
        _create_home_folder(path.parent)
        _check_file(path)
        _write_new(temporary, data)
    except OSError as error:
        return error
    return None


def _check_file(path: Path) -> None:
    """Raise OSError if a folder, a device or a pipe has this name: a file must not replace a device."""
    if why_not_a_file(path):
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _write_new(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Write a new file and wait until it is on the disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.open(path, flags, 0o644)
    try:
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)  # if this fails, the file counts as failed: a second fsync would wrongly succeed
    finally:
        os.close(file)


def _rename(temporary: Path, path: Path) -> None:
    patience = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            return os.replace(temporary, path)
        except OSError as error:
            if getattr(error, "winerror", None) not in _IN_USE or time.monotonic() > patience:
                raise
            time.sleep(0.05)


def _create_home_folder(folder: Path) -> None:
    """Create a folder if it is one of `home_folder` or inside one."""
    if any(folder.is_relative_to(home_folder(kind)) for kind in FOLDER_NAMES):
        _create_folders(folder)


def _create_folders(folder: Path) -> None:
    """Create a folder and its parents, and bring each new name to the disk."""
    if os.path.isdir(folder):
        return
    if folder.parent != folder:
        _create_folders(folder.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders, and its journal keeps the order of renames
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot sync a folder
            raise
    finally:
        os.close(file)


def _sync_folders_of(paths: Sequence[Path]) -> None:
    """Sync the folders of renamed files, so that their new names are on the disk. Raises NotSaved."""
    for folder in dict.fromkeys(path.parent for path in paths):
        try:
            _sync_folder(folder)
        except OSError as error:
            last = next(path for path in paths if path.parent == folder)
            raise _write_error(last, error, 0) from error


def _is_leftover(entry: os.DirEntry[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        return False
    if ours := _LEFTOVER.fullmatch(entry.name):
        return entry.name not in _writing and not _is_running(int(ours[1]))
    return bool(_FOREIGN_LEFTOVER.fullmatch(entry.name)) and time.time() - found.st_mtime > _HOUR


def _is_running(process: int) -> bool:
    """Return whether another process has this number. In a container, our own may have been that of a dead one."""
    if process == os.getpid():
        return False
    if os.name == "nt":  # Windows does not remove files in use, and signal 0 would end the process
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _write_error(path: Path, error: OSError, size: int) -> NotSaved:
    kept = _KEPT.get(path.suffix.lower(), "What was saved before is unchanged.")
    return _storage_error(path, error, "saved", kept, size, describe_obstacle(path, error))


def _storage_error(path: Path, error: OSError, done: str, kept: str, size: int, reason: str) -> NotSaved:
    why = _WHY.get(error.errno or 0, "other")
    name = display_name(path.name)
    if why == "full":
        needed = max(1, -(-size // 1_000_000))
        cause = "Your share of the disk is used up" if error.errno == errno.EDQUOT else "The disk is full"
        what = f'{cause}: "{name}" was not {done}.'
        hint = f"Free about {needed} MB or choose another place."
    else:
        what = f'"{name}" was not {done}: {reason}.'
        hint = "Choose another place."
    return NotSaved(path, why, f"{what} {kept} {hint}", size)
