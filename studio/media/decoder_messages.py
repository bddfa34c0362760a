"""Define the messages between a process and the child that reads the user's files.

    request  u32 length | JSON
    answer   u32 length | JSON | the arrays in blocks, each u32 length | bytes; a block of length 0 breaks off: a fault
             follows, as after a request

All numbers are little-endian. Lengths, types and shapes of what arrives are checked before there is room for it.
Nothing is pickled.
"""

import math
import struct
from typing import IO, Any, Literal

import msgspec
import numpy as np

from studio.media.file_part import FilePart
from studio.media.pictures.image import FileRefused

BLOCK_BYTES = 2**20
"""Bytes of an array that are sent at once."""
MAX_HEAD_BYTES = 4 * 2**20
LENGTH = struct.Struct("<I")
SAVE_AGAIN_HINT = "Try saving it again from where it came."
_DIMENSIONS = 8
_KINDS = "biufcSU"
"""Kinds of numpy's types that hold no Python objects."""


class DecodeRequest(msgspec.Struct, frozen=True):
    """Asks for one file."""

    reader: str
    path: bytes
    seconds: int
    """Seconds of processor time."""
    memory: int
    """Bytes that may be resident."""
    words: dict[str, Any]
    """Further arguments of the reader."""
    part: FilePart | None = None
    """Where the bytes are if they lie within another file; `path` is then only a name."""


class ChildReady(msgspec.Struct, frozen=True, tag=True):
    """Says that the child has started."""


class DecodeAnswer(msgspec.Struct, frozen=True, tag=True):
    """Holds the contents of a file. In `value`, each array is replaced by its number; the arrays follow."""

    arrays: tuple[tuple[str, tuple[int, ...]], ...]
    value: msgspec.Raw


class DecodeFault(msgspec.Struct, frozen=True, tag=True):
    """States why a file was not read."""

    name: str
    reason: str
    hint: str
    cause: Literal["file", "memory", "reader"] = "file"
    """`memory`: there was too little. `reader`: it raised an unexpected error."""


class ChildDied(Exception):
    """Reports that the child ended, or sent something unknown, before its answer was complete."""


def message(source: IO[bytes]) -> ChildReady | DecodeAnswer | DecodeFault:
    """Receive a message of the child. Raises ChildDied."""
    (length,) = LENGTH.unpack(_receive_exactly(source, LENGTH.size))
    if length > MAX_HEAD_BYTES:
        raise ChildDied
    try:
        found: ChildReady | DecodeAnswer | DecodeFault = msgspec.json.decode(
            _receive_exactly(source, length), type=ChildReady | DecodeAnswer | DecodeFault
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ChildDied from None
    return found


def unexpected() -> Any:
    """Raise ChildDied. It is a function so that an expression can raise it."""
    raise ChildDied


def arrays(
    source: IO[bytes], described: tuple[tuple[str, tuple[int, ...]], ...], most: int
) -> list[np.ndarray] | DecodeFault:
    """Receive the arrays of an answer, or the fault with which it breaks off. Raises MemoryError or ChildDied."""
    received: list[np.ndarray] = []
    for text, shape in described:
        dtype, size = _type_and_bytes(text, shape)
        most -= size
        if most < 0:
            raise ChildDied
        array = np.empty(shape, dtype)
        left = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        while left:
            (length,) = LENGTH.unpack(_receive_exactly(source, LENGTH.size))
            if length == 0:
                fault = message(source)
                return fault if isinstance(fault, DecodeFault) else unexpected()
            if length > min(BLOCK_BYTES, len(left)):
                raise ChildDied
            _fill(source, left[:length])
            left = left[length:]
        received.append(array)
    return received


def _type_and_bytes(text: str, shape: tuple[int, ...]) -> tuple[np.dtype, int]:
    """Return the type of an array and its bytes. Raises ChildDied if no reader returns such an array."""
    try:
        dtype = np.dtype(text)
    except (TypeError, ValueError):
        raise ChildDied from None
    if dtype.kind not in _KINDS or dtype.itemsize == 0 or len(shape) > _DIMENSIONS or any(n < 0 for n in shape):
        raise ChildDied
    return dtype, math.prod(shape) * dtype.itemsize


def _receive_exactly(source: IO[bytes], length: int) -> bytearray:
    body = bytearray(length)
    _fill(source, memoryview(body))
    return body


def _fill(source: IO[bytes], room: memoryview) -> None:
    while room:
        try:
            count = source.readinto(room)  # type: ignore[attr-defined]
        except (OSError, ValueError):  # ValueError: it was closed
            count = 0
        if not count:
            raise ChildDied
        room = room[count:]


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def fault_of_dead_child(name: str, verdict: Literal["crash", "time"]) -> DecodeFault:
    """Return the fault of a file whose child ended."""
    if verdict == "time":
        return DecodeFault(name, "takes too long to read", SAVE_AGAIN_HINT)
    return DecodeFault(name, "crashed the program that reads files", SAVE_AGAIN_HINT)


def interrupted(name: str) -> FileRefused:
    """Return the refusal of a file whose read was ended."""
    return FileRefused(name, "was not read to its end", "Open it again.")


def unstartable(name: str) -> FileRefused:
    """Return the refusal of a file if no child can be started."""
    return FileRefused(
        name, "could not be read", "The program that reads files does not start. Install the studio again."
    )
