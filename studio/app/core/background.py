"""Slow work done beside the window, its outcome delivered on the window's own thread."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QThreadPool, Signal

T = TypeVar("T")


class BackgroundTask(QObject):
    """One thing at a time, in a thread of its own. While it is at work only the newest wish is kept."""

    _finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._is_running = False
        self._outcome_wanted = False
        self._on_done: Callable[[Any], object] = _ignore
        self._next: Callable[[], None] | None = None
        # The receiver lives on the window's thread, so Qt carries the outcome over to it.
        self._finished.connect(self._deliver)

    @property
    def busy(self) -> bool:
        """Whether work is under way, or its outcome is still to be delivered."""
        return self._is_running

    def run(self, work: Callable[[], T], on_done: Callable[[T | Exception], object]) -> None:
        """`then` gets what `work` returned, or the exception it raised; nothing, where a newer wish came."""
        self._outcome_wanted = False
        if self._is_running:
            self._next = lambda: self._start(work, on_done)
        else:
            self._start(work, on_done)

    def discard(self) -> None:
        """Let what is under way come to nothing."""
        self._outcome_wanted = False
        self._next = None

    def wait(self) -> None:
        """Until what is under way is done; its outcome comes to nothing."""
        self.discard()
        self._pool.waitForDone()

    def _start(self, work: Callable[[], Any], on_done: Callable[[Any], object]) -> None:
        self._is_running = self._outcome_wanted = True
        self._on_done = on_done

        def task() -> None:
            try:
                outcome: object = work()
            except Exception as error:
                outcome = error
            with contextlib.suppress(RuntimeError):  # the window may be gone by now
                self._finished.emit(outcome)

        self._pool.start(task)

    def _deliver(self, outcome: object) -> None:
        then = self._on_done
        wanted = self._outcome_wanted
        following = self._next
        self._is_running = self._outcome_wanted = False
        self._on_done = _ignore
        self._next = None
        if following is not None:
            following()
        elif wanted:
            then(outcome)


def _ignore(outcome: object) -> None:
    """Where no outcome is awaited."""
