"""Open files of the user in a child process. If a file crashes its reader, only that file is lost.

The child is `studio decode` (studio.media.decoder_process); it limits its own memory, processor time and descriptors,
and ends with its parent. It starts with the first file and waits for the next one. What is sent: decoder_messages.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np

from studio.media import pack
from studio.media.decoder_messages import (
    LENGTH,
    ChildDied,
    ChildReady,
    DecodeAnswer,
    DecodeFault,
    DecodeRequest,
    arrays,
    fault_of_dead_child,
    interrupted,
    message,
    unexpected,
    unstartable,
)
from studio.media.file_part import FilePart
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, OpenedPicture
from studio.media.sounds.audio_file import Recording
from studio.media.sounds.single_cycle import OpenedWave
from studio.media.tar_headers import TarHeaders

BASE_CPU_SECONDS = 10
"""Seconds of processor time for a file: 64 megapixels of PNG take 2 s."""
SECONDS_PER_MEGABYTE = 1
"""More seconds for each megabyte of a file."""
A_COMPRESSED_MEGABYTE = 10
"""More seconds for each megabyte of a recording: two hours in 5 MB of Opus take 28 s."""
BASE_MEMORY_BYTES = 2**30
"""Bytes that may be resident in the child."""
BASE_WALL_SECONDS = 120.0
"""Seconds by the clock for a file, even if it takes no processor time."""
WALL_PER_CPU_SECOND = 10
"""The ratio of clock time to processor time that a file may take: on a busy computer it took 8 times."""
MEGABYTES_A_SECOND = 1.0
"""The speed of a slow network drive, by which a large file gets more time."""
START_SECONDS = 120.0
"""Seconds that the child may take to start, for example from a slow disk."""
MAX_CHILDREN = 2
"""Children at once: a long recording does not delay a picture."""
MAX_AUDIO_MEMORY = 5 * 2**30
"""Bytes more for a long recording, whose samples are kept at its own rate first: two hours at 48 kHz need 1.4 GB."""
COMPRESSED = 1000
"""Bytes more for each byte of a recording, up to MAX_AUDIO_MEMORY, so that a small file never gets much."""
MAX_ANSWER_BYTES = 4 * 2**30
"""Bytes of all arrays of one file: two hours of a recording fit at 96 kHz, but not at 384 kHz."""

_HIDDEN = 0
if sys.platform == "win32":  # otherwise Windows opens a console window
    _HIDDEN = subprocess.CREATE_NO_WINDOW
_OUT_OF_TIME = -signal.SIGXCPU if hasattr(signal, "SIGXCPU") else 0

T = TypeVar("T")


class ReadGroup:
    """Names reads that may be ended together, such as those of one scan."""

    def __init__(self) -> None:
        self.has_ended = False


class FileDecoder:
    """Reads files in child processes, at most CHILDREN at once. Any thread may call it.

    Arguments
        program: what is started; this program's own child if left out
        seconds: of processor time for a small file
        patience: seconds by the clock for a small file that takes no processor time
    """

    def __init__(
        self,
        program: Sequence[str] | None = None,
        *,
        seconds: int = BASE_CPU_SECONDS,
        patience: float = BASE_WALL_SECONDS,
    ) -> None:
        self._program = list(program) if program is not None else _own_program()
        self._seconds = seconds
        self._patience = patience
        self._idle: list[_Child] = []
        self._busy: dict[_Child, ReadGroup | None] = {}
        self._interruptions = 0
        self._refuses = False
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(MAX_CHILDREN)

    def read_file(
        self,
        reader: str,
        path: Path | str,
        kind: type[T],
        *,
        max_bytes: int = MAX_ANSWER_BYTES,
        memory: int = BASE_MEMORY_BYTES,
        seconds_per_megabyte: int = SECONDS_PER_MEGABYTE,
        group: ReadGroup | None = None,
        part: FilePart | None = None,
        **words: Any,
    ) -> T:
        """Return the contents of a file as a reader in the child decodes them. Raises FileRefused with the reason.

        Arguments
            kind: type of the result
            max_bytes: bytes of all arrays in it
            memory: bytes that may be resident in the child
            seconds_per_megabyte: seconds of processor time for each megabyte of the file; 0: it is not read as a whole
            group: the reads that it ends with
            part: where the bytes are if `path` is only a name
            words: further arguments of the reader
        """
        name = display_name(os.path.basename(path))
        megabytes = _size(path, part) / 1e6 if seconds_per_megabyte else 0.0
        seconds = self._seconds + int(seconds_per_megabyte * megabytes)
        request = DecodeRequest(reader, os.fsencode(_absolute(path)), seconds, memory, words, part)
        call = _Call(self._interruptions, group)
        with self._free:
            patience = self._patience + WALL_PER_CPU_SECOND * seconds + megabytes / MEGABYTES_A_SECOND
            found = self._answer(request, patience, kind, max_bytes, name, call)
        if isinstance(found, DecodeFault):
            raise FileRefused(found.name, found.reason, found.hint)
        return found

    @contextlib.contextmanager
    def interrupted(self) -> Iterator[None]:
        """Inside this context, end all running and waiting reads, and refuse others."""
        with self._lock:
            self._interruptions += 1
            self._refuses = True
            for child in self._busy:
                child.kill()
        try:
            yield
        finally:
            self._refuses = False

    def end_group(self, group: ReadGroup) -> None:
        """End all running and waiting reads of a group, and refuse later ones."""
        with self._lock:
            group.has_ended = True
            for child, owner in self._busy.items():
                if owner is group:
                    child.kill()

    def close(self) -> None:
        """End the children that wait for a file."""
        with self._lock:
            idle = self._idle
            self._idle = []
        for child in idle:
            child.end()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the process ids of the children that wait for a file."""
        return tuple(child.process_id for child in self._idle)

    def _answer(
        self, request: DecodeRequest, patience: float, kind: type[T], most: int, name: str, call: "_Call"
    ) -> T | DecodeFault:
        child, fresh = self._child(name, call)
        try:
            found = child.ask(request, patience, kind, most)
        except ChildDied:
            verdict = self._end(child)
            if self._is_interrupted(call):
                raise interrupted(name) from None
            # an earlier file may have damaged the child, so this one gets a new child
            if verdict == "crash" and not fresh:
                return self._answer(request, patience, kind, most, name, call)
            return fault_of_dead_child(name, verdict)
        except MemoryError:
            self._end(child)
            return DecodeFault(name, "needs too much memory", "", "memory")
        except BaseException:  # also Ctrl-C: half an answer is still on its way
            self._end(child)
            raise
        if isinstance(found, DecodeFault) and found.cause != "file":
            self._end(child)
            return found if fresh else self._answer(request, patience, kind, most, name, call)
        with self._lock:
            self._busy.pop(child, None)
            self._idle.append(child)
        return found

    def _is_interrupted(self, call: "_Call") -> bool:
        return call.begun != self._interruptions or (call.group is not None and call.group.has_ended)

    def _child(self, name: str, call: "_Call") -> tuple["_Child", bool]:
        """Return a child, and whether it is a new one. Raises FileRefused."""
        with self._lock:
            if self._refuses or self._is_interrupted(call):
                raise interrupted(name)
            waiting = self._waiting()
            try:
                child = waiting or _Child(self._program)
            except OSError:
                raise unstartable(name) from None
            self._busy[child] = call.group
        if waiting is not None:
            return waiting, False
        try:
            child.load()
        except ChildDied:
            self._end(child)
            raise (interrupted(name) if self._is_interrupted(call) else unstartable(name)) from None
        except BaseException:
            self._end(child)
            raise
        return child, True

    def _waiting(self) -> "_Child | None":
        """Take a child that waits for a file."""
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            child.end()
        return None

    def _end(self, child: "_Child") -> Literal["crash", "time"]:
        with self._lock:
            self._busy.pop(child, None)
        return child.end()


class _Call(NamedTuple):
    """Holds how many interruptions there were when a read began, and what it ends with."""

    begun: int
    group: ReadGroup | None


class _Child:
    """Runs one process, which reads one file at a time."""

    def __init__(self, program: Sequence[str]) -> None:
        self._too_slow = False
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            program,
            bufsize=0,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,  # libraries print messages there, in words for programmers
            env=_environment(),
            creationflags=_HIDDEN,
            start_new_session=True,  # so that Ctrl-C in a terminal reaches the parent alone
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._sink = self._process.stdin
        self._source = self._process.stdout

    def load(self) -> None:
        """Wait until it has started. Raises ChildDied."""
        with self._limit(START_SECONDS):
            if not isinstance(message(self._source), ChildReady):
                raise ChildDied

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: DecodeRequest, patience: float, kind: type[T], most: int) -> T | DecodeFault:
        """Let the child read a file. Raises ChildDied; `end` then holds the reason."""
        with self._limit(patience):
            self._send(msgspec.json.encode(request))
            answer = message(self._source)
            if not isinstance(answer, DecodeAnswer):
                return answer if isinstance(answer, DecodeFault) else unexpected()
            received = arrays(self._source, answer.arrays, most)
        if isinstance(received, DecodeFault):
            return received
        try:
            return msgspec.json.decode(answer.value, type=kind, dec_hook=lambda _, number: received[number])
        except (msgspec.MsgspecError, IndexError, TypeError):
            raise ChildDied from None

    def kill(self) -> None:
        """End the process from another thread; the one that reads from it then raises ChildDied."""
        self._process.kill()

    def end(self) -> Literal["crash", "time"]:
        """End the process. Return "time" if it took too long, otherwise "crash"."""
        for pipe in (self._sink, self._source):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            status = self._process.wait(1.0)  # it ends by the end of its input
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        was_stopped = _OUT_OF_TIME != 0 and status == _OUT_OF_TIME
        return "time" if self._too_slow or was_stopped else "crash"

    def _send(self, body: bytes) -> None:
        try:
            left = memoryview(LENGTH.pack(len(body)) + body)
            while left:
                left = left[self._sink.write(left) :]
        except OSError:
            raise ChildDied from None

    @contextlib.contextmanager
    def _limit(self, seconds: float) -> Iterator[None]:
        """Kill the process if this takes longer. The thread that reads from it then raises ChildDied."""

        def kill() -> None:
            self._too_slow = True
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


# ── the child's process ──────────────────────────────────────────────────────────────────────────


def _own_program() -> list[str]:
    """Return the program of the child. `-P` keeps the current folder out of its imports."""
    door = ["decode"] if getattr(sys, "frozen", False) else ["-P", "-m", "studio", "decode"]
    return [sys.executable, *door]


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([root, known] if known else [root])
    # OpenBLAS reserves memory for each of its threads, and here they have nothing to do.
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


def _absolute(path: Path | str) -> str:
    """Return an absolute path, because the child has another folder. Links in it are not resolved."""
    return str(path) if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def _size(path: Path | str, part: FilePart | None) -> int:
    if part is not None:
        return part.size
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):  # the reader will report it better
        return 0


# ── readers ──────────────────────────────────────────────────────────────────────────────────────

shared_decoder = FileDecoder()
"""The decoder that everything in this process uses."""
atexit.register(lambda: shared_decoder.close())


def open_picture(
    path: Path | str,
    *,
    ground: tuple[int, int, int] | None = None,
    group: ReadGroup | None = None,
    part: FilePart | None = None,
) -> OpenedPicture:
    """Open a picture as `image.open_picture` does, in the child. Raises FileRefused."""
    words: dict[str, Any] = {} if ground is None else {"ground": ground}
    return shared_decoder.read_file("picture", path, OpenedPicture, group=group, part=part, **words)


def hash_file(path: Path | str, max_bytes: int, group: ReadGroup | None = None, part: FilePart | None = None) -> str:
    """Return the hash of a file's bytes as `image.hash_file` does, in the child. Raises FileRefused."""
    return shared_decoder.read_file("hash", path, str, group=group, part=part, most=max_bytes)


def open_recording(
    path: Path | str,
    rate: int | None = None,
    *,
    centred: bool = True,
    group: ReadGroup | None = None,
    part: FilePart | None = None,
) -> Recording:
    """Open a recording as `audio_file.open_recording` does, in the child. Raises FileRefused."""
    memory = BASE_MEMORY_BYTES + min(MAX_AUDIO_MEMORY, COMPRESSED * _size(path, part))
    return shared_decoder.read_file(
        "recording",
        path,
        Recording,
        memory=memory,
        seconds_per_megabyte=A_COMPRESSED_MEGABYTE,
        group=group,
        part=part,
        rate=rate,
        centred=centred,
    )


def open_wave_file(path: Path | str, samples: int | None = None, part: FilePart | None = None) -> OpenedWave:
    """Open a wave as `single_cycle.read_wave` does, in the child. Raises FileRefused."""
    return shared_decoder.read_file("wave", path, OpenedWave, part=part, samples=samples)


def open_cycle(
    path: Path | str, samples: int, group: ReadGroup | None = None, part: FilePart | None = None
) -> np.ndarray:
    """Open a cycle (samples,) int16 as `single_cycle.read_cycle` does, in the child. Raises FileRefused."""
    return shared_decoder.read_file("cycle", path, np.ndarray, group=group, part=part, samples=samples)


def open_pack(path: Path | str, names: Sequence[str] = pack.MEMBERS) -> dict[str, np.ndarray]:
    """Read the arrays of a pack as `pack.read_members` does, in the child. Raises FileRefused."""
    return shared_decoder.read_file(
        "pack", path, dict[str, np.ndarray], max_bytes=pack.MAX_PACK_BYTES, names=list(names)
    )


def read_tar_headers(path: Path | str, begin: int, count: int, group: ReadGroup | None = None) -> TarHeaders:
    """Read headers of a tar archive as `tar_headers.read_headers` does, in the child. Raises FileRefused."""
    return shared_decoder.read_file(
        "tar", path, TarHeaders, seconds_per_megabyte=0, group=group, begin=begin, count=count
    )


def unpack_picture(text: str, most: tuple[int, ...]) -> np.ndarray | None:
    """Unpack a picture in a text as `enlarging.unpack_picture_text` does, in the child. Return None if that fails."""
    try:
        return shared_decoder.read_file("text", "", np.ndarray | None, text=text, within=list(most))  # type: ignore[arg-type]
    except FileRefused:
        return None
