"""Connect the engine to its two pipes: frames arrive by one and leave by the other."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from studio.wire.frames import BadFrame, command_splitter, encode
from studio.wire.messages import AnyCommand, Event


class Outbox:
    """Writes events to a pipe, each frame in one piece, from any thread."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self.closed = False
        """Whether the pipe has no reader any more; events are then lost."""

    def send(self, event: Event) -> None:
        """Write an event. Raises what `encode` raises, before anything is written."""
        frame = memoryview(encode(event))
        with self._lock:
            try:
                while frame and not self.closed:
                    frame = frame[os.write(self._sink, frame) :]
            except OSError:
                self.closed = True


class Inbox:
    """Holds the arrived items until they are read: commands, faults of the stream, and None at its end."""

    def __init__(self) -> None:
        self.heard_at = time.monotonic()
        """When bytes arrived last, in seconds of the monotonic clock."""
        self._items: SimpleQueue[AnyCommand | BadFrame | None] = SimpleQueue()  # a signal handler may call its put

    def put(self, item: AnyCommand | BadFrame | None) -> None:
        self._items.put(item)

    def get(self, *, timeout: float | None) -> Iterator[AnyCommand | BadFrame | None]:
        """Return all that arrived. It waits so many seconds for the first; None waits without limit."""
        try:
            yield self._items.get(timeout=timeout) if timeout != 0 else self._items.get_nowait()
            while True:
                yield self._items.get_nowait()
        except Empty:
            return


def read_commands(source: int, inbox: Inbox) -> None:
    """Put a pipe's commands in the inbox until the pipe ends or cannot be read."""
    splitter = command_splitter()
    while data := _received(source):
        inbox.heard_at = time.monotonic()
        splitter.feed(data)
        while True:
            try:
                command = splitter.next_message()
            except BadFrame as fault:
                inbox.put(fault)
                if not fault.can_continue:
                    return
            else:
                if command is None:
                    break
                inbox.put(command)
    inbox.put(None)


def _received(source: int) -> bytes:
    try:
        return os.read(source, 2**20)
    except OSError:  # a broken pipe counts as an ended one
        return b""


def claim_standard_streams() -> tuple[int, int]:
    """Reserve standard input and output for frames. From now on prints of Python and C go to the log."""
    source = os.dup(0)
    sink = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        for pipe in (source, sink):
            msvcrt.setmode(pipe, os.O_BINARY)
    else:
        os.set_blocking(sink, True)  # a relay may have left its end in a mode in which long writes fail
    return source, sink
