"""What may be believed of a model's file before it is loaded.

safetensors: u64 length of the header | header: JSON | numbers. Every length, name, kind and place in the
header is checked here with the standard library first. A pickle is refused whatever it calls itself.
"""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np

from studio.media.names import shown

ENDING = ".safetensors"
DTYPES = {
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "|u1",
}  # fmt: skip
"""What a tensor may hold, and how numpy reads it; bfloat16 as its bits."""
LARGEST_HEADER = 8 * 2**20
LARGEST_METADATA = 64 * 2**10
LARGEST_FILE = 32 * 2**30
MOST_TENSORS = 10_000
MOST_DIMENSIONS = 8
LONGEST_NAME = 256
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib")

_PICKLE_BEGINNINGS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_AGAIN = "Copy it again from where it came."


class BadModel(ValueError):
    """A model that is not there or was not opened; a sentence for people that names it and what to do."""


@dataclass(frozen=True)
class Tensor:
    """Where in the file the numbers of a tensor lie, in bytes from its beginning."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says that it holds."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, or a link to one; never waits for a pipe or a device. Raises BadModel."""
    if path.suffix.lower() in PICKLES:
        raise _pickle(path)
    flags = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadModel(f'"{shown(path.name)}" is not a file and was not opened.')
    with open(descriptor, "rb") as file:
        yield file


def header(file: BinaryIO, path: Path) -> Header:
    """The checked header of a safetensors file. Raises BadModel."""
    try:
        size = os.fstat(file.fileno()).st_size
        beginning = file.read(9)
        length = int.from_bytes(beginning[:8], "little")
        if not 2 <= length <= min(LARGEST_HEADER, size - 8) or beginning[8:] != b"{":
            if beginning.startswith(_PICKLE_BEGINNINGS):
                raise _pickle(path)
            raise refusal(path, "is not a safetensors file, or is cut off")
        if size > LARGEST_FILE:
            raise refusal(path, f"is larger than {LARGEST_FILE >> 30} GB", "")
        head = json.loads(b"{" + file.read(length - 1), object_pairs_hook=_unique, parse_constant=_no_constant)
        return _checked(head, 8 + length, size)
    except OSError as error:
        raise unreadable(path, error) from None
    except BadModel:
        raise
    except (ValueError, RecursionError) as error:  # JSON's own errors and UnicodeDecodeError are ValueErrors
        reason = str(error) if isinstance(error, _Fault) else "its list of contents cannot be read"
        raise refusal(path, f"is damaged ({reason})") from None


class _Fault(ValueError):
    """What is wrong with a header, as part of a sentence."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Fault("a name occurs twice")
    return found


def _no_constant(name: str) -> None:
    raise _Fault(f"{name} is no number")


def _checked(head: object, begin: int, size: int) -> Header:
    if not isinstance(head, dict) or len(head) > MOST_TENSORS + 1:
        raise _Fault("its list of contents is too long or no list")
    metadata = head.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _Fault("its metadata are not text")
    if sum(len(key) + len(value) for key, value in metadata.items()) > LARGEST_METADATA:
        raise _Fault(f"its metadata are longer than {LARGEST_METADATA >> 10} KB")
    tensors = {name: _tensor(name, described, begin) for name, described in head.items()}
    at = begin
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at:
            raise _Fault(f'"{name}" overlaps what is before it, or leaves a hole')
        at = tensor.end
    if at != size or not tensors:
        raise _Fault(f"{size - at:,} bytes too many" if at < size else f"{at - size:,} bytes are missing")
    return Header(tensors, metadata)


def _tensor(name: str, described: object, begin: int) -> Tensor:
    if not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        raise _Fault("a name in it is not allowed")
    if not isinstance(described, dict) or set(described) != {"dtype", "shape", "data_offsets"}:
        raise _Fault(f'"{name}" is not described as it should be')
    dtype, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _Fault(f'"{name}" holds numbers of a kind that is not allowed')
    if not _whole(shape) or len(shape) > MOST_DIMENSIONS or not _whole(offsets) or len(offsets) != 2:
        raise _Fault(f'"{name}" has a shape or a place that is not allowed')
    if math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize != offsets[1] - offsets[0]:
        raise _Fault(f'"{name}" has a shape that does not match its size')
    return Tensor(dtype, tuple(shape), begin + offsets[0], begin + offsets[1])


def _whole(numbers: object) -> TypeGuard[list[int]]:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number <= LARGEST_FILE for number in numbers)


def finite(data: bytes, tensor: Tensor) -> bool:
    """Whether every number of a tensor is one."""
    values = np.frombuffer(data, DTYPES[tensor.dtype], math.prod(tensor.shape), tensor.begin)
    if tensor.dtype == "BF16":
        return not bool(((values & 0x7F80) == 0x7F80).any())  # an exponent of ones: infinite or not a number
    return bool(np.isfinite(values).all())


def unreadable(path: Path, error: OSError | ValueError) -> BadModel:
    """What to raise where the system does not hand out a file."""
    reason = getattr(error, "strerror", None) or "its name is not valid"
    return BadModel(f'"{shown(path.name)}" could not be read ({reason}).')


def _pickle(path: Path) -> BadModel:
    return BadModel(
        f'"{shown(path.name)}" is a pickle, which can run programs when opened, so it was not opened. '
        "Ask for a .safetensors file."
    )


def refusal(path: Path, what: str, hint: str = _AGAIN) -> BadModel:
    """What to raise where a file is not what it should be; `what` goes on from its name."""
    return BadModel(f'"{shown(path.name)}" {what}, so it was not opened. {hint}'.rstrip())
