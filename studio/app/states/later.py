"""Slow work done beside the window, its outcome delivered on the window's own thread."""

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, QThreadPool, Signal

T = TypeVar("T")


class Later(QObject):
    """Runs a callable in the thread pool. Only the outcome of the newest call is delivered."""

    _arrived = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._newest = 0
        self._then: Callable[[object], None] | None = None
        # The receiver lives on the window's thread, so Qt carries the outcome over to it.
        self._arrived.connect(self._deliver)

    def run(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """`then` gets what `work` returned, or the exception it raised."""
        self._newest += 1
        turn = self._newest
        self._then = then  # type: ignore[assignment]

        def task() -> None:
            try:
                outcome: object = work()
            except Exception as error:
                outcome = error
            self._arrived.emit(turn, outcome)

        QThreadPool.globalInstance().start(task)

    def forget(self) -> None:
        """Let what is under way come to nothing."""
        self._newest += 1
        self._then = None

    def _deliver(self, turn: int, outcome: object) -> None:
        if turn == self._newest and self._then is not None:
            then, self._then = self._then, None
            then(outcome)
