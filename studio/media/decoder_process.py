"""The child process that reads files of the user: `studio decode`. Its parent is studio.media.decoder.

It may use 64 descriptors and write no file. Each request says how much memory and processor time it may take. It ends
with its parent: a thread waits for the end of its input, whatever a reader is doing. (Linux can send a signal when a
parent dies. But it sends it as soon as the *thread* that started the child ends, as threads of the window do.)
"""

import contextlib
import ctypes
import math
import os
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np

from studio.media import pack, tar_headers
from studio.media.decoder_messages import (
    BLOCK_BYTES,
    LENGTH,
    MAX_HEAD_BYTES,
    SAVE_AGAIN_HINT,
    ChildReady,
    DecodeAnswer,
    DecodeFault,
    DecodeRequest,
)
from studio.media.names import display_name
from studio.media.pictures import enlarging, image
from studio.media.sounds import audio_file, single_cycle

if sys.platform != "win32":
    import resource

MAX_DESCRIPTORS = 64
_NO_NEW_PRIVILEGES = 38
"""PR_SET_NO_NEW_PRIVS of Linux: no program that a reader might start gets more rights."""


def _read_text(path: Path, text: str, within: list[int]) -> np.ndarray | None:
    """Unpack a picture from the text of another file; `path` is empty."""
    return enlarging.unpack_picture_text(text, tuple(within))


FILE_READERS: dict[str, Callable[..., Any]] = {
    "picture": image.open_picture,
    "hash": image.hash_file,
    "recording": audio_file.open_recording,
    "wave": single_cycle.read_wave,
    "cycle": single_cycle.read_cycle,
    "pack": pack.read_members,
    "text": _read_text,
    "tar": tar_headers.read_headers,
}


def main() -> int:
    """Read files until the input ends; return the exit status."""
    if sys.stdout is None or sys.stdout.isatty():
        print("This command is for the studio only. Try: studio --help", file=sys.stderr)
        return 2
    source, sink = _claim_standard_streams()
    requests: SimpleQueue[DecodeRequest] = SimpleQueue()
    threading.Thread(target=_listen, args=(source, requests), daemon=True).start()
    _limit_process()
    _send(sink, ChildReady())
    while True:
        request = requests.get()
        _set_limits(request)
        _answer(sink, request)


def _claim_standard_streams() -> tuple[int, int]:
    """Take standard input and output for the frames. What a library reads or prints goes nowhere."""
    source = os.dup(0)
    sink = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return source, sink


def _listen(source: int, requests: "SimpleQueue[DecodeRequest]") -> None:
    """Pass requests on. When the input ends, end the process, whatever it is doing."""
    with contextlib.suppress(OSError, EOFError, msgspec.MsgspecError), open(source, "rb") as file:
        while True:
            (length,) = LENGTH.unpack(_read_exactly(file.read(LENGTH.size), LENGTH.size))
            requests.put(msgspec.json.decode(_read_exactly(file.read(length), length), type=DecodeRequest))
    os._exit(0)


def _read_exactly(body: bytes, length: int) -> bytes:
    if len(body) < length:
        raise EOFError
    return body


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


def _limit_process() -> None:
    """Limit what a reader can do to the computer. Limits that the system lacks are left out."""
    sys.dont_write_bytecode = True
    if sys.platform == "win32":
        return
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _set_limits(request: DecodeRequest) -> None:
    """Grant the processor time and the memory of a request. Beyond that time the system ends the process."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set_soft_limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + request.seconds)
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:
            size, resident = (int(pages) * resource.getpagesize() for pages in file.read().split()[:2])
        # Memory that libraries reserve and never use does not count.
        _set_soft_limit(resource.RLIMIT_AS, request.memory + size - resident)


def _set_soft_limit(what: int, most: int) -> None:
    """Set a limit that the next request may raise again."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


def _answer(sink: int, request: DecodeRequest) -> None:
    arrays: list[np.ndarray | pack.PackMember] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            words = request.words if request.part is None else {**request.words, "part": request.part}
            found = FILE_READERS[request.reader](Path(os.fsdecode(request.path)), **words)
        value = msgspec.Raw(msgspec.json.encode(found, enc_hook=lambda each: _collect_arrays(each, arrays)))
        _send(sink, DecodeAnswer(tuple((array.dtype.str, array.shape) for array in arrays), value))
    except Exception as error:
        _send(sink, _fault_of(request, error))
        return
    try:
        for array in arrays:
            for block in _blocks_of(array):
                _write(sink, LENGTH.pack(len(block)))
                _write(sink, block)
    except Exception as error:
        _write(sink, LENGTH.pack(0))
        _send(sink, _fault_of(request, error))


def _collect_arrays(value: object, arrays: list[np.ndarray | pack.PackMember]) -> object:
    """Collect an array, which is sent after the head, and return its number."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | pack.PackMember):
        arrays.append(value)
        return len(arrays) - 1
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _blocks_of(array: np.ndarray | pack.PackMember) -> Iterable[bytes | memoryview]:
    if isinstance(array, pack.PackMember):
        return array.blocks
    whole = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    return (whole[at : at + BLOCK_BYTES] for at in range(0, len(whole), BLOCK_BYTES))


def _fault_of(request: DecodeRequest, error: Exception) -> DecodeFault:
    path = os.fsdecode(request.path)
    name = display_name(os.path.basename(path))
    match error:
        case image.FileRefused() if request.reader not in ("pack", "tar") and _is_archive(path):
            return DecodeFault(error.name, "is an archive", pack.UNPACK_HINT)
        case image.FileRefused():
            return DecodeFault(error.name, error.reason, error.hint)
        case MemoryError():
            return DecodeFault(name, "needs too much memory to read", "", "memory")
        case _:
            return DecodeFault(name, "could not be read", SAVE_AGAIN_HINT, "reader")


def _is_archive(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and pack.is_archive(path)
    except (OSError, ValueError):
        return False


def _send(sink: int, message: ChildReady | DecodeAnswer | DecodeFault) -> None:
    body = msgspec.json.encode(message)
    if len(body) > MAX_HEAD_BYTES:
        raise ValueError("what was read has too many words")
    _write(sink, LENGTH.pack(len(body)) + body)


def _write(sink: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(sink, left) :]
    except OSError:  # the parent does not read any more
        os._exit(0)
