"""Runs slow work in another thread, and delivers its outcome in the window's thread."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QThreadPool, Signal

T = TypeVar("T")


class BackgroundTask(QObject):
    """Runs one piece of work at a time in its own thread. While it runs, only the newest request waits."""

    _finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._is_running = False
        self._outcome_wanted = False
        self._on_done: Callable[[Any], object] = _ignore
        self._next: Callable[[], None] | None = None
        # The receiver lives in the window's thread, so Qt delivers the outcome there.
        self._finished.connect(self._deliver)

    @property
    def busy(self) -> bool:
        """Return whether work is running, or its outcome is not delivered yet."""
        return self._is_running

    def run(self, work: Callable[[], T], on_done: Callable[[T | Exception], object]) -> None:
        """Run `work` in the thread, then call `on_done` in the window's thread.

        `on_done` receives what `work` returned, or the exception it raised. It is not called if a newer request
        replaces this one.
        """
        self._outcome_wanted = False
        if self._is_running:
            self._next = lambda: self._start(work, on_done)
        else:
            self._start(work, on_done)

    def discard(self) -> None:
        """Drop the outcome of the running work, and the work that waits."""
        self._outcome_wanted = False
        self._next = None

    def wait(self) -> None:
        """Wait until the running work is done; its outcome is dropped."""
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
            with contextlib.suppress(RuntimeError):  # the window may be deleted by now
                self._finished.emit(outcome)

        self._pool.start(task)

    def _deliver(self, outcome: object) -> None:
        on_done = self._on_done
        wanted = self._outcome_wanted
        following = self._next
        self._is_running = self._outcome_wanted = False
        self._on_done = _ignore
        self._next = None
        if following is not None:
            following()
        elif wanted:
            on_done(outcome)


def _ignore(outcome: object) -> None:
    """Ignore an outcome that nobody waits for."""
