"""Check a model's file before it is loaded.

safetensors: u64 length of the header | header: JSON | numbers. The standard library checks every length, name, type and
place in the header first. A pickle is refused under any name.
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

from studio.media.names import display_name

MODEL_SUFFIX = ".safetensors"
DTYPE_SIZES = {
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "|u1",
}  # fmt: skip
"""The numpy type with which each type of a tensor is read. bfloat16 is read as its bits."""
MAX_HEADER_BYTES = 8 * 2**20
MAX_METADATA_BYTES = 64 * 2**10
MAX_FILE_BYTES = 32 * 2**30
MAX_TENSORS = 10_000
MAX_TENSOR_DIMENSIONS = 8
MAX_TENSOR_NAME = 256
PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib")

_PICKLE_BEGINNINGS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_DOWNLOAD_HINT = "Copy it again from where it came."


class BadModel(ValueError):
    """Reports in a sentence for the user that a model is missing or was not opened, and what to do."""


@dataclass(frozen=True)
class TensorEntry:
    """States where the numbers of a tensor lie, in bytes from the file's beginning."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class ModelHeader:
    """Holds the claimed contents of a file."""

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]


@contextlib.contextmanager
def open_checked(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, or a link to one. Raises BadModel.

    It never waits for a pipe or a device.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise _is_pickle(path)
    flags = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise unreadable_error(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadModel(f'"{display_name(path.name)}" is not a file and was not opened.')
    with open(descriptor, "rb") as file:
        yield file


def read_header(file: BinaryIO, path: Path) -> ModelHeader:
    """Return the header of a safetensors file after checking it. Raises BadModel."""
    try:
        size = os.fstat(file.fileno()).st_size
        beginning = file.read(9)
        length = int.from_bytes(beginning[:8], "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8) or beginning[8:] != b"{":
            if beginning.startswith(_PICKLE_BEGINNINGS):
                raise _is_pickle(path)
            raise refusal_error(path, "is not a safetensors file, or is cut off")
        if size > MAX_FILE_BYTES:
            raise refusal_error(path, f"is larger than {MAX_FILE_BYTES >> 30} GB", "")
        head = json.loads(
            b"{" + file.read(length - 1), object_pairs_hook=_refuse_duplicate_keys, parse_constant=_refuse_constant
        )
        return _check_header(head, 8 + length, size)
    except OSError as error:
        raise unreadable_error(path, error) from None
    except BadModel:
        raise
    except (ValueError, RecursionError) as error:  # JSON's own errors and UnicodeDecodeError are ValueErrors
        reason = str(error) if isinstance(error, _HeaderFault) else "its list of contents cannot be read"
        raise refusal_error(path, f"is damaged ({reason})") from None


class _HeaderFault(ValueError):
    """States what is wrong with a header, as part of a sentence."""


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _HeaderFault("a name occurs twice")
    return found


def _refuse_constant(name: str) -> None:
    raise _HeaderFault(f"{name} is no number")


def _check_header(head: object, begin: int, size: int) -> ModelHeader:
    if not isinstance(head, dict) or len(head) > MAX_TENSORS + 1:
        raise _HeaderFault("its list of contents is too long or no list")
    metadata = head.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _HeaderFault("its metadata are not text")
    if sum(len(key) + len(value) for key, value in metadata.items()) > MAX_METADATA_BYTES:
        raise _HeaderFault(f"its metadata are longer than {MAX_METADATA_BYTES >> 10} KB")
    tensors = {name: _check_tensor(name, described, begin) for name, described in head.items()}
    at = begin
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at:
            raise _HeaderFault(f'"{name}" overlaps what is before it, or leaves a hole')
        at = tensor.end
    if at != size or not tensors:
        raise _HeaderFault(f"{size - at:,} bytes too many" if at < size else f"{at - size:,} bytes are missing")
    return ModelHeader(tensors, metadata)


def _check_tensor(name: str, described: object, begin: int) -> TensorEntry:
    if not name.isprintable() or not 1 <= len(name) <= MAX_TENSOR_NAME:
        raise _HeaderFault("a name in it is not allowed")
    if not isinstance(described, dict) or set(described) != {"dtype", "shape", "data_offsets"}:
        raise _HeaderFault(f'"{name}" is not described as it should be')
    dtype = described["dtype"]
    shape = described["shape"]
    offsets = described["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_SIZES:
        raise _HeaderFault(f'"{name}" holds numbers of a type that is not allowed')
    if (
        not _are_whole_numbers(shape)
        or len(shape) > MAX_TENSOR_DIMENSIONS
        or not _are_whole_numbers(offsets)
        or len(offsets) != 2
    ):
        raise _HeaderFault(f'"{name}" has a shape or a place that is not allowed')
    if math.prod(shape) * np.dtype(DTYPE_SIZES[dtype]).itemsize != offsets[1] - offsets[0]:
        raise _HeaderFault(f'"{name}" has a shape that does not match its size')
    return TensorEntry(dtype, tuple(shape), begin + offsets[0], begin + offsets[1])


def _are_whole_numbers(numbers: object) -> TypeGuard[list[int]]:
    return isinstance(numbers, list) and all(
        type(number) is int and 0 <= number <= MAX_FILE_BYTES for number in numbers
    )


def is_finite(data: bytes, tensor: TensorEntry) -> bool:
    """Return whether every number of a tensor is finite."""
    values = np.frombuffer(data, DTYPE_SIZES[tensor.dtype], math.prod(tensor.shape), tensor.begin)
    if tensor.dtype == "BF16":
        return not bool(((values & 0x7F80) == 0x7F80).any())  # an exponent of ones: infinite or NaN
    return bool(np.isfinite(values).all())


def unreadable_error(path: Path, error: OSError | ValueError) -> BadModel:
    """Return the error to raise if the system does not open a file."""
    reason = getattr(error, "strerror", None) or "its name is not valid"
    return BadModel(f'"{display_name(path.name)}" could not be read ({reason}).')


def _is_pickle(path: Path) -> BadModel:
    return BadModel(
        f'"{display_name(path.name)}" is a pickle and was not opened. Pickles can run programs. '
        "Ask for a .safetensors file."
    )


def refusal_error(path: Path, what: str, hint: str = _DOWNLOAD_HINT) -> BadModel:
    """Return the error for a file with wrong contents; `what` continues from its name."""
    return BadModel(f'"{display_name(path.name)}" {what}, so it was not opened. {hint}'.rstrip())
