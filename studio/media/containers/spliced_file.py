"""Join bytes and pieces of another file into one file, without copying them."""

import bisect
import io
import itertools
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

ByteRange = bytes | tuple[int, int]
"""Bytes as they are, or where a piece of the other file begins and ends."""
_BLOCK = 2**20


class SplicedFile(io.RawIOBase):
    """Reads pieces one after the other as if they were one file. The other file must stay open."""

    def __init__(self, file: BinaryIO, pieces: Sequence[ByteRange]) -> None:
        super().__init__()
        self._file = file
        self._pieces = [piece for piece in pieces if _piece_length(piece)]
        self._starts = list(itertools.accumulate(map(_piece_length, self._pieces), initial=0))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._starts[-1]}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the pieces go; return the number of bytes."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._at < self._starts[-1]:
            index = bisect.bisect_right(self._starts, self._at) - 1
            got = self._read_piece(self._pieces[index], self._at - self._starts[index], len(view) - done)
            if not got:  # the file became shorter
                break
            view[done : done + len(got)] = got
            done += len(got)
            self._at += len(got)
        return done

    def _read_piece(self, piece: ByteRange, skip: int, most: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[skip : skip + most]
        start, stop = piece
        return read_bytes_at(self._file, start + skip, min(most, stop - start - skip))


def read_bytes_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Return at most `count` bytes of a file from a place on. From 2**40 on, there are none."""
    if not 0 <= at < 2**40:
        return b""
    file.seek(at)
    return file.read(max(count, 0))


def file_size(file: BinaryIO) -> int:
    """Return the bytes of a file, which may also be a part of another one."""
    return file.seek(0, os.SEEK_END)


def find_bytes(file: BinaryIO, words: bytes, start: int, stop: int) -> int:
    """Return the first place of these bytes between two places of a file, or -1."""
    while start < stop:
        block = read_bytes_at(file, start, min(_BLOCK, stop - start))
        place = block.find(words)
        if place >= 0:
            return start + place
        if len(block) < _BLOCK:
            return -1
        start += len(block) - len(words) + 1
    return -1


def add_range(ranges: list[tuple[int, int]], start: int, stop: int) -> None:
    """Add a piece of a file. If it follows the last piece, lengthen that."""
    if ranges and ranges[-1][1] == start:
        ranges[-1] = (ranges[-1][0], stop)
    else:
        ranges.append((start, stop))


def _piece_length(piece: ByteRange) -> int:
    return len(piece) if isinstance(piece, bytes) else max(piece[1] - piece[0], 0)
