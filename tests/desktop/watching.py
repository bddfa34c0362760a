"""What the window does while a test drives it: what it received, what went wrong, how long it was busy at once."""

import contextlib
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import (
    QAbstractEventDispatcher,
    QEvent,
    QMessageLogContext,
    QObject,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QWindow
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from tests.desktop.inventory import address

Kind = QEvent.Type
HAND = {
    Kind.MouseButtonPress: "press",
    Kind.MouseButtonDblClick: "press",
    Kind.MouseButtonRelease: "release",
    Kind.ShortcutOverride: "key",
    Kind.Wheel: "wheel",
}
"""Events that a hand makes. Before a key is pressed, or is a shortcut and never pressed, it asks whether it is one."""
HARMLESS = ("This plugin does not support ",)
"""Beginnings of Qt's warnings that say nothing of the window."""


class Watch(QObject):
    """Keeps a log of faults, counts what a hand did, and measures the longest time without a look at the events."""

    def __init__(self, application: QApplication) -> None:
        super().__init__()
        self._faults: list[str] = []
        self._counts: Counter[str] = Counter()
        self._acts: list[str] = []
        self._receiver: dict[str, str] = {}
        self._fresh: set[str] = set()
        self._busy = Busy()
        self._application = application
        application.installEventFilter(self)
        qInstallMessageHandler(self._heed)

    def begin(self) -> None:
        """Watch from here on; what shows exceptions itself has been put in place."""
        shown = sys.excepthook

        def hook(kind: type[BaseException], fault: BaseException, trace: Any) -> None:
            self._faults.append("".join(traceback.format_exception(kind, fault, trace)))
            shown(kind, fault, trace)

        sys.excepthook = hook
        threading.excepthook = lambda args: hook(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
        sys.unraisablehook = lambda args: hook(type(args.exc_value), args.exc_value or Exception(), args.exc_traceback)
        self._busy.begin()

    def report(self) -> dict[str, Any]:
        """All since the last report: faults, buttons clicked, seconds busy at once, who received the last events."""
        faults, self._faults = self._faults, []
        acts, self._acts = self._acts, []
        return {
            "faults": faults,
            "acts": acts,
            "busy": self._busy.longest(),
            "worked": self._busy.most_work(),
            "receiver": dict(self._receiver),
        }

    def counts(self) -> dict[str, int]:
        """How often a hand has pressed, released, turned the wheel, since the beginning."""
        return dict(self._counts)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time that is not the window's own."""
        self._busy.pause()
        try:
            yield
        finally:
            self._busy.go_on()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self._busy.go_on()
        kind = event.type()
        if kind in HAND:
            what = HAND[kind]
            if isinstance(watched, QWindow):
                self._counts[what] += 1
                self._fresh.add(what)
            elif isinstance(watched, QWidget) and what in self._fresh:
                self._fresh.discard(what)
                self._receiver[what] = address(watched)
        elif kind == Kind.Show and isinstance(watched, QAbstractButton) and not watched.property("watched"):
            watched.setProperty("watched", True)
            watched.clicked.connect(lambda *_, button=watched: self._acts.append(address(button)))
        return False

    def _heed(self, kind: QtMsgType, context: QMessageLogContext, words: str) -> None:
        print(words, file=sys.stderr, flush=True)
        if kind != QtMsgType.QtDebugMsg and kind != QtMsgType.QtInfoMsg and not words.startswith(HARMLESS):
            self._faults.append(f"Qt: {words}")


class Busy:
    """The longest time in which the window's thread took no look at its events, on a machine that has time for it.

    Of the time between two looks, what the threads of the process waited for a processor is left out, because the
    machine and not the window is to blame for it; the thread's own time on a processor never is.
    """

    def __init__(self) -> None:
        self._since: tuple[float, float, float] | None = None
        self._longest = self._most_work = 0.0
        self._files: dict[str, int] = {}
        self._waited: dict[str, int] = {}
        self._looked = 0.0

    def begin(self) -> None:
        """Count a turn of the event loop from its first event, which `Watch` sees, to the next signal of the loop.

        `awake` alone does not tell when a turn begins: timers and the screen's own events come before it.
        """
        dispatcher = QAbstractEventDispatcher.instance()
        dispatcher.awake.connect(self.pause)
        dispatcher.aboutToBlock.connect(self.pause)

    def longest(self) -> float:
        """In seconds, since it was asked last."""
        longest, self._longest = self._longest, 0.0
        return longest

    def most_work(self) -> float:
        """Of the thread alone, in seconds on a processor, since it was asked last.

        If a thread for which the window waits has ended, nobody knows any more what it waited for a processor.
        """
        most, self._most_work = self._most_work, 0.0
        return most

    def go_on(self) -> None:
        if self._since is None:
            if time.monotonic() - self._looked > 1.0:  # to look at each event would take time of the window's own
                self._look_for_threads()
            self._since = time.perf_counter(), time.thread_time(), self._all_waited()

    def pause(self) -> None:
        if self._since is None:
            return
        (began, worked, waited), self._since = self._since, None
        passed = time.perf_counter() - began
        self._most_work = max(self._most_work, time.thread_time() - worked)
        if passed > self._longest:
            self._look_for_threads()  # one that has begun in the meantime may have held Python's lock
            others = self._all_waited() - waited
            self._longest = max(self._longest, time.thread_time() - worked, passed - others)

    def _all_waited(self) -> float:
        """Seconds that all threads together have waited for a processor."""
        for name, file in list(self._files.items()):
            try:
                self._waited[name] = int(os.pread(file, 64, 0).split()[1])
            except OSError:  # the thread has ended
                os.close(self._files.pop(name))
        return sum(self._waited.values()) / 1e9

    def _look_for_threads(self) -> None:
        """Those that have begun since it was done last."""
        self._looked = time.monotonic()
        for name in set(os.listdir("/proc/self/task")) - set(self._files):
            with contextlib.suppress(OSError):
                self._files[name] = os.open(f"/proc/self/task/{name}/schedstat", os.O_RDONLY)
