"""Slow work done beside the window, its outcome delivered on the window's own thread."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QThreadPool, Signal

T = TypeVar("T")


class Later(QObject):
    """One thing at a time, in a thread of its own. While it is at work only the newest wish is kept."""

    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._at_work = False
        self._wanted = False
        self._then: Callable[[Any], object] = _nothing
        self._next: Callable[[], None] | None = None
        # The receiver lives on the window's thread, so Qt carries the outcome over to it.
        self._arrived.connect(self._deliver)

    @property
    def busy(self) -> bool:
        """Whether work is under way, or its outcome is still to be delivered."""
        return self._at_work

    def run(self, work: Callable[[], T], then: Callable[[T | Exception], object]) -> None:
        """`then` gets what `work` returned, or the exception it raised; nothing, where a newer wish came."""
        self._wanted = False
        if self._at_work:
            self._next = lambda: self._start(work, then)
        else:
            self._start(work, then)

    def forget(self) -> None:
        """Let what is under way come to nothing."""
        self._wanted, self._next = False, None

    def wait(self) -> None:
        """Until what is under way is done; its outcome comes to nothing."""
        self.forget()
        self._pool.waitForDone()

    def _start(self, work: Callable[[], Any], then: Callable[[Any], object]) -> None:
        self._at_work = self._wanted = True
        self._then = then

        def task() -> None:
            try:
                outcome: object = work()
            except Exception as error:
                outcome = error
            with contextlib.suppress(RuntimeError):  # the window may be gone by now
                self._arrived.emit(outcome)

        self._pool.start(task)

    def _deliver(self, outcome: object) -> None:
        then, wanted, following = self._then, self._wanted, self._next
        self._at_work = self._wanted = False
        self._then, self._next = _nothing, None
        if following is not None:
            following()
        elif wanted:
            then(outcome)


def _nothing(outcome: object) -> None:
    """Where no outcome is awaited."""
