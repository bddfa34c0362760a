"""Read packs of artworks (.npz, zips of arrays) piece by piece, to save memory."""

import math
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from studio.media.names import display_name
from studio.media.pictures.image import FileRefused

MAX_PACK_BYTES = 16 * 2**30
"""The most bytes of a pack, unpacked."""
MEMBERS = ("train_x", "train_y", "test_x", "test_y", "label_names", "palette")
UNPACK_HINT = "Unpack it first, then name the folder."
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
)
"""First bytes of zip, gzip, bzip2, xz, Zstandard, 7-Zip and RAR."""
_TAR = slice(257, 262)
"""The bytes at which a tar archive has its signature."""
_BLOCK = 2**20
_NUMBER_KINDS = "biufc"
"""Kinds of numpy's types of numbers."""
_TEXT_KINDS = "SU"
"""Kinds of numpy's types of text."""
_DIMENSIONS = 8
_ARCHIVE = ("is an archive", UNPACK_HINT)


class PackMember:
    """Describes an array of a pack that is not read yet.

    Arguments
        blocks: its bytes, row by row; raises FileRefused
    """

    def __init__(self, dtype: np.dtype, shape: tuple[int, ...], blocks: Iterator[bytes]) -> None:
        self.dtype = dtype
        self.shape = shape
        self.blocks = blocks


def read_members(path: Path | str, names: Sequence[str] = MEMBERS) -> dict[str, PackMember | np.ndarray]:
    """Return the arrays of a pack that have one of these names. Raises FileRefused."""
    name = display_name(os.path.basename(path))
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FileRefused(name, "is neither a folder nor a pack (.npz)")
        if not zipfile.is_zipfile(path):
            if is_archive(path):
                raise FileRefused(name, *_ARCHIVE)
            raise FileRefused(name, "is not a pack of pictures (.npz), or is damaged")
        archive = zipfile.ZipFile(path)  # open until the last block is read
        held = archive.namelist()
        if not any(each.endswith(".npy") for each in held):
            raise FileRefused(name, *_ARCHIVE)
        size = sum(each.file_size for each in archive.infolist())
        if size > MAX_PACK_BYTES:
            raise FileRefused(name, f"would need {size / 2**30:,.0f} GB once unpacked")
        return {each: _read_member(archive, f"{each}.npy", name) for each in names if f"{each}.npy" in held}
    except Exception as error:
        raise _refusal(name, error) from None


def is_archive(path: Path | str) -> bool:
    """Return whether a file begins as an archive does."""
    with open(path, "rb") as file:
        begins = file.read(512)
    return begins.startswith(_ARCHIVES) or begins[_TAR] == b"ustar"


def _read_member(archive: zipfile.ZipFile, entry: str, name: str) -> PackMember | np.ndarray:
    file = archive.open(entry)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of version {version}")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = header(file)
    if dtype.hasobject:
        raise FileRefused(name, "holds Python objects, which can run programs")
    if dtype.kind not in _NUMBER_KINDS + _TEXT_KINDS or not dtype.itemsize or len(shape) > _DIMENSIONS:
        raise FileRefused(name, f"holds neither pictures nor sounds ({entry} is {dtype} of shape {shape})")
    if by_columns and len(shape) > 1:
        with archive.open(entry) as again:
            return np.ascontiguousarray(np.lib.format.read_array(again, allow_pickle=False))
    size = math.prod(shape) * dtype.itemsize
    if size > archive.getinfo(entry).file_size:
        raise FileRefused(name, "is damaged")
    return PackMember(dtype, shape, _read_blocks(file, size, name))


def _read_blocks(file: IO[bytes], size: int, name: str) -> Iterator[bytes]:
    """Yield the bytes of an array. zipfile compares the checksum at the end."""
    try:
        with file:
            left = size
            while left:
                block = file.read(min(left, _BLOCK))
                if not block:
                    raise EOFError
                left -= len(block)
                if not left:
                    file.read(1)  # so that the checksum is compared
                yield block
    except Exception as error:
        raise _refusal(name, error) from None


def _refusal(name: str, error: Exception) -> FileRefused:
    """Return why a pack is not read. zipfile and numpy raise many types: ValueError, EOFError, LZMAError and more."""
    match error:
        case FileRefused():
            return error
        case FileNotFoundError():
            return FileRefused(name, "is not there")
        case PermissionError():
            return FileRefused(name, "may not be read by you")
        case MemoryError():
            return FileRefused(name, "does not fit into memory")
        case RuntimeError() if "password" in str(error):
            return FileRefused(name, "is locked with a password", UNPACK_HINT)
        case _:
            return FileRefused(name, "is damaged")
