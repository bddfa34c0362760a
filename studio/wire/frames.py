"""Convert messages to bytes and back.

    u32 length of the rest | u32 length of the head | head: JSON | arrays as they are

The head is `{"message": …, "arrays": [[dtype, shape], …]}`. In the message, each array is replaced by its index in
that list. All numbers are little-endian. Nothing is trusted: lengths, dtypes and shapes are checked before anything is
read, and the message is validated against its type. Nothing is pickled.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from studio.wire.messages import AnyCommand, AnyEvent, Array, Message, describe_error

MAX_FRAME_BYTES = 256 * 2**20
"""Bytes of one frame: 4,096 pictures of 128 × 128 in colour still fit."""
MAX_HEAD_BYTES = 4 * 2**20
DTYPES = {"|u1": 1, "<i2": 2, "<i4": 4, "<i8": 8, "<f2": 2, "<f4": 4, "<f8": 8}
MAX_DIMENSIONS = 8
MAX_ARRAYS = 64


class BadFrame(ValueError):
    """Reports a frame that cannot be read. `can_continue` is False if the rest of the stream is lost, too."""

    def __init__(self, why: str, *, resync: bool = True, job: str = "") -> None:
        super().__init__(why)
        self.can_continue = resync
        self.job = job


class _Envelope(msgspec.Struct, frozen=True):
    message: msgspec.Raw
    arrays: tuple[tuple[str, tuple[int, ...]], ...] = ()


_envelope = msgspec.json.Decoder(_Envelope)


def encode(message: Message) -> bytes:
    """Return a message as one frame. Raises BadFrame if the other side could not read it."""
    arrays: list[Array] = []

    def take(value: object) -> object:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray) and value.dtype.newbyteorder("<").str in DTYPES:
            arrays.append(np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape))
            return len(arrays) - 1
        raise BadFrame(f"{type(value).__name__} cannot be sent")

    _check_numbers(message)
    try:
        body = msgspec.Raw(msgspec.json.encode(message, enc_hook=take))
    except UnicodeEncodeError:  # the bytes of a file's name that is not UTF-8
        raise BadFrame("a text cannot be sent, because it is not Unicode") from None
    head = msgspec.json.encode(_Envelope(body, tuple((a.dtype.str, a.shape) for a in arrays)))
    head += b" " * (-(4 + len(head)) % 8)  # so that the first array lies at an address that processors read fast
    length = 4 + len(head) + sum(a.nbytes for a in arrays)
    if length > MAX_FRAME_BYTES or len(head) > MAX_HEAD_BYTES:
        raise BadFrame(f"a message of {length:,} bytes is larger than a frame may be")
    return b"".join((struct.pack("<II", length, len(head)), head, *(a.tobytes() for a in arrays)))


def _check_numbers(message: Message) -> None:
    """Refuse infinite numbers. JSON has none: msgspec writes `null`, which the other side would refuse."""
    for field in message.__struct_fields__:
        value = getattr(message, field)
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise BadFrame(f"{field}: not a finite number")


def decode(body: bytes | memoryview, types: Any) -> Any:
    """Return the message in a frame, without its first four bytes. Raises BadFrame with the faulty field."""
    view = memoryview(body)
    if len(view) < 4:
        raise BadFrame("a frame is too short to have a head")
    (size,) = struct.unpack_from("<I", view)
    if size > min(MAX_HEAD_BYTES, len(view) - 4):
        raise BadFrame("a frame's head is longer than the frame")
    try:
        envelope = _envelope.decode(view[4 : 4 + size])
        arrays = _read_arrays(envelope.arrays, view[4 + size :])
        return msgspec.json.decode(envelope.message, type=types, dec_hook=_array_decoder(arrays))
    except msgspec.ValidationError as error:
        raise BadFrame(describe_error(error), job=_job_of_faulty_message(view[4 : 4 + size])) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(f"a frame's head is not readable: {error}") from None


def _read_arrays(described: tuple[tuple[str, tuple[int, ...]], ...], data: memoryview) -> list[Array]:
    arrays = []
    at = 0
    if len(described) > MAX_ARRAYS:
        raise BadFrame(f"{len(described):,} arrays are more than a frame may have")
    for dtype, shape in described:
        wide = math.prod(
            max(n, 1) for n in shape[:MAX_DIMENSIONS]
        )  # an empty array too has sides that numpy multiplies
        if dtype not in DTYPES or len(shape) > MAX_DIMENSIONS or any(n < 0 for n in shape) or wide > MAX_FRAME_BYTES:
            raise BadFrame(f"an array of type {dtype[:20]!r} and shape {shape[:9]} is not allowed")
        size = math.prod(shape) * DTYPES[dtype]
        if size > len(data) - at:
            raise BadFrame("an array is longer than its frame")
        arrays.append(np.frombuffer(data[at : at + size], dtype).reshape(shape))
        at += size
    if at != len(data):
        raise BadFrame(f"{len(data) - at} bytes are left over after the arrays of a frame")
    return arrays


def _array_decoder(arrays: list[Array]) -> Callable[[type, Any], Any]:
    def give(kind: type, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(arrays):
            return arrays[value]
        raise ValueError("Expected the number of an array of this frame")  # msgspec adds the field

    return give


def _job_of_faulty_message(head: bytes | memoryview) -> str:
    """Return the job that a faulty message names, if that can be read."""
    try:
        job = msgspec.json.decode(head)["message"]["job"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError):
        return ""
    return job[:64] if isinstance(job, str) else ""


class FrameSplitter:
    """Cuts a stream of bytes into frames. Pass arrived bytes to `feed`, and read complete messages."""

    def __init__(self, types: Any) -> None:
        self._types = types
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        self._bytes += data

    def next_message(self) -> Any | None:
        """Return the next message, or None until more bytes arrive. Raises BadFrame; then call again."""
        if len(self._bytes) < 4:
            return None
        (length,) = struct.unpack_from("<I", self._bytes)
        if length > MAX_FRAME_BYTES:
            self._bytes.clear()
            raise BadFrame(f"a frame says it is {length:,} bytes long; the stream is lost", resync=False)
        if len(self._bytes) < 4 + length:
            return None
        body = bytes(self._bytes[4 : 4 + length])
        del self._bytes[: 4 + length]
        return decode(body, self._types)


def command_splitter() -> FrameSplitter:
    """Return a splitter for the engine, which accepts only commands."""
    return FrameSplitter(AnyCommand)


def event_splitter() -> FrameSplitter:
    """Return a splitter for the window, which accepts only events."""
    return FrameSplitter(AnyEvent)
