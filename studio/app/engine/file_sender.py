"""Sends files to an engine on another computer, piece by piece, unless they are there already."""

import itertools
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from studio.app.core.observable import Receiver
from studio.wire.messages import MAX_PIECE_BYTES, AnyCommand, AnyEvent, Ending, Failed, FileFound, FindFile, StoreFile

PIECES_AHEAD = 4
"""Pieces that are sent before the first of them is confirmed, so that a slow answer does not halve the speed."""


class FileToSend(NamedTuple):
    """Names a file on this computer, and what happens when it has been sent."""

    path: Path
    name: str
    """Its name there, which ends with `.safetensors`."""
    file_hash: str
    on_sent: Callable[[str], object]
    """Called with the path there."""
    on_failed: Callable[[str], object]
    """Called with a sentence for the user."""
    on_progress: Callable[[int, int], object] = lambda sent, size: None
    """Called with the bytes that have arrived, and all bytes."""


class SendingEngine(Protocol):
    """Defines the part of an engine's client that a sender of files uses."""

    def send(self, command: AnyCommand, receiver: Receiver | None = None) -> None: ...


class FileSender:
    """Sends one file after another through one connection.

    A few pieces are under way at a time; the next follows when the other computer has confirmed one. So nothing piles
    up here, and other commands are not delayed.
    """

    def __init__(self, engine: SendingEngine, prefix: str) -> None:
        """Create a sender.

        Arguments
            prefix: the beginning of its jobs' names; no two senders of an engine have the same
        """
        self._engine = engine
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._files: deque[FileToSend] = deque()
        self._open: set[str] = set()
        """The jobs of the present file without an ending."""
        self._place = ""
        """The path of the present file there; empty until it is known."""
        self._sent = 0
        self._arrived = 0
        self._size = 0
        self._is_sending = False
        """Whether the present file is not there, so that its pieces are sent."""

    def send_file(self, file: FileToSend) -> None:
        """Send a file after those before it, unless it is there already."""
        self._files.append(file)
        if len(self._files) == 1:
            self._begin()

    def cancel(self) -> None:
        """Forget all files. Pieces that are under way are ignored there, because the rest does not follow."""
        self._files.clear()
        self._open.clear()

    # ── the present file ─────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        if not self._files:
            return
        file = self._files[0]
        self._place = ""
        self._sent = self._arrived = self._size = 0
        self._is_sending = False
        self._send(FindFile(job=self._next_job(), name=file.name, file_hash=file.file_hash))

    def _send(self, command: FindFile | StoreFile) -> None:
        self._open.add(command.job)
        self._engine.send(command, self)

    def _next_job(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"

    def _send_pieces(self) -> None:
        """Send the next pieces, as many as may be under way."""
        file = self._files[0]
        try:
            with open(file.path, "rb") as source:
                self._size = self._size or source.seek(0, 2)
                if not self._size:
                    raise OSError("it is empty")
                source.seek(self._sent)
                while self._sent < self._size and len(self._open) < PIECES_AHEAD:
                    data = source.read(MAX_PIECE_BYTES)
                    if not data:
                        raise OSError("it is shorter than before")
                    first = self._sent
                    self._sent += len(data)
                    piece = np.frombuffer(data, np.uint8)
                    self._send(
                        StoreFile(
                            job=self._next_job(),
                            name=file.name,
                            file_hash=file.file_hash,
                            first_byte=first,
                            size=self._size,
                            data=piece,
                        )
                    )
        except OSError as error:
            self._end_with_failure(f'"{file.name}" could not be read: {error.strerror or error}.')

    def _end_with_failure(self, why: str) -> None:
        file = self._files.popleft()
        self._open.clear()
        file.on_failed(why)
        self._begin()

    # ── events of the engine ─────────────────────────────────────────────────────────────────────

    def receive_at_once(self, event: AnyEvent) -> None:
        """Do nothing in the thread that reads the engine."""

    def receive(self, job: str, event: AnyEvent) -> None:
        """Handle the answer to a question or a piece."""
        if job not in self._open:
            return
        if isinstance(event, FileFound):
            self._place = event.path
        elif isinstance(event, Failed):
            self._end_with_failure(f"{event.reason} {event.hint}".strip())
        elif isinstance(event, Ending):
            self._open.discard(job)
            self._continue()

    def lose(self, job: str, why: str) -> None:
        """Handle the loss of the connection. Its client reports the loss to those who wait for the file."""
        self.cancel()

    def _continue(self) -> None:
        """Send more of the present file after a confirmed piece, or end it if it is there."""
        file = self._files[0]
        if self._is_sending:
            self._arrived = min(self._arrived + MAX_PIECE_BYTES, self._size)
            file.on_progress(self._arrived, self._size)
        self._is_sending = True
        if self._place:
            self._files.popleft()
            file.on_sent(self._place)
            if not self._open:
                self._begin()
        else:
            self._send_pieces()
