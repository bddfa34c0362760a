"""Records what the window does during a test: received events, faults, and how long it was busy at a time."""

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
"""Events of pointer and keys. Qt sends ShortcutOverride before each key press, even if the key is a shortcut."""
HARMLESS = ("This plugin does not support ",)
"""Beginnings of Qt's warnings that are no fault of the window."""


class Watch(QObject):
    """Records faults, counts events of pointer and keys, and measures the longest time without handling events."""

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
        """Begin to watch. Call it after the window has installed its own hooks for exceptions."""
        shown = sys.excepthook

        def hook(kind: type[BaseException], fault: BaseException, trace: Any) -> None:
            self._faults.append("".join(traceback.format_exception(kind, fault, trace)))
            shown(kind, fault, trace)

        sys.excepthook = hook
        threading.excepthook = lambda args: hook(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
        sys.unraisablehook = lambda args: hook(type(args.exc_value), args.exc_value or Exception(), args.exc_traceback)
        self._busy.begin()

    def report(self) -> dict[str, Any]:
        """Return what happened since the last report: faults, clicked buttons, longest busy time, receivers."""
        faults = self._faults
        self._faults = []
        acts = self._acts
        self._acts = []
        return {
            "faults": faults,
            "acts": acts,
            "busy": self._busy.longest(),
            "worked": self._busy.most_work(),
            "receiver": dict(self._receiver),
        }

    def counts(self) -> dict[str, int]:
        """Return how many events of each sort the window has received since the beginning."""
        return dict(self._counts)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time of the test's own questions."""
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
    """Measures the longest time for which the window's thread handled no other events.

    Time in which the threads of the process waited for a processor is left out, because the machine causes it. The
    thread's own processor time always counts.
    """

    def __init__(self) -> None:
        self._since: tuple[float, float, float] | None = None
        self._longest = self._most_work = 0.0
        self._files: dict[str, int] = {}
        self._waited: dict[str, int] = {}
        self._looked = 0.0

    def begin(self) -> None:
        """Begin to measure. A turn of the event loop lasts from its first event, seen by `Watch`, to the next signal.

        The signal `awake` does not mark its beginning, because timers and events of the screen come before it.
        """
        dispatcher = QAbstractEventDispatcher.instance()
        dispatcher.awake.connect(self.pause)
        dispatcher.aboutToBlock.connect(self.pause)

    def longest(self) -> float:
        """Return the longest time in seconds since the last call."""
        longest = self._longest
        self._longest = 0.0
        return longest

    def most_work(self) -> float:
        """Return the thread's processor seconds since the last call.

        If a thread for which the window waits has ended, nobody knows any more what it waited for a processor.
        """
        most = self._most_work
        self._most_work = 0.0
        return most

    def go_on(self) -> None:
        if self._since is None:
            if time.monotonic() - self._looked > 1.0:  # to look at each event would take time of the window's own
                self._look_for_threads()
            self._since = time.perf_counter(), time.thread_time(), self._all_waited()

    def pause(self) -> None:
        if self._since is None:
            return
        (began, worked, waited) = self._since
        self._since = None
        passed = time.perf_counter() - began
        self._most_work = max(self._most_work, time.thread_time() - worked)
        if passed > self._longest:
            self._look_for_threads()  # one that has begun in the meantime may have held Python's lock
            others = self._all_waited() - waited
            self._longest = max(self._longest, time.thread_time() - worked, passed - others)

    def _all_waited(self) -> float:
        """Return the seconds for which all threads together have waited for a processor."""
        for name, file in list(self._files.items()):
            try:
                self._waited[name] = int(os.pread(file, 64, 0).split()[1])
            except OSError:  # the thread has ended
                os.close(self._files.pop(name))
        return sum(self._waited.values()) / 1e9

    def _look_for_threads(self) -> None:
        """Find the threads that began since the last look."""
        self._looked = time.monotonic()
        for name in set(os.listdir("/proc/self/task")) - set(self._files):
            with contextlib.suppress(OSError):
                self._files[name] = os.open(f"/proc/self/task/{name}/schedstat", os.O_RDONLY)
