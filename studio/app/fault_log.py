"""Logs faults of the window: uncaught exceptions and Qt's warnings."""

import contextlib
import datetime
import re
import sys
import threading
import traceback
from collections import Counter
from types import TracebackType
from typing import Any

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler

from studio import __version__
from studio.app.app_state import window_log_path
from studio.library import storage

MAX_SIZE = 256 * 1024
"""Maximum size of the log in bytes. One exception takes about 2 kB."""
_LEVELS = {
    QtMsgType.QtWarningMsg: "warning",
    QtMsgType.QtCriticalMsg: "critical",
    QtMsgType.QtFatalMsg: "fatal",
}


class FaultLog(QObject):
    """Writes `window.log` in the folder of logs.

    Exceptions may come from any thread. The handlers that were installed before still receive them.
    """

    fault_logged = Signal()
    """An exception occurred for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.path = window_log_path()
        self._lock = threading.RLock()
        self._times: Counter[str] = Counter()

    def install_hooks(self) -> None:
        """Install the hooks for uncaught exceptions and for Qt's messages, until `remove_hooks`."""
        self._before: tuple[Any, ...] = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        sys.unraisablehook = self._unraisable
        self._qt_before = qInstallMessageHandler(self._qt_message)

    def remove_hooks(self) -> None:
        """Restore the hooks that were installed before."""
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._before
        qInstallMessageHandler(self._qt_before)

    # ── hooks ────────────────────────────────────────────────────────────────────────────────────

    def _uncaught(
        self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None, where: str = ""
    ) -> None:
        if issubclass(kind, Exception):
            self._log_fault(fault, trace, where)
        self._before[0](kind, fault, trace)

    def _uncaught_in_thread(self, args: Any) -> None:
        if args.exc_value is not None and issubclass(args.exc_type, Exception):
            self._log_fault(args.exc_value, args.exc_traceback, f" in {args.thread.name}" if args.thread else "")
        self._before[1](args)

    def _unraisable(self, args: Any) -> None:
        if isinstance(args.exc_value, Exception):
            self._log_fault(args.exc_value, args.exc_traceback, f" in {args.object!r}")
        self._before[2](args)

    def _qt_message(self, level: QtMsgType, context: QMessageLogContext, text: str) -> None:
        """Write Qt's warnings to the log only; the window shows no message for them."""
        if level in _LEVELS:
            self._write(f"Qt {_LEVELS[level]}: {text}", f"Qt {_LEVELS[level]}: {re.sub('[0-9]+', '#', text)}")
        if self._qt_before is not None:
            self._qt_before(level, context, text)
        elif sys.stderr is not None:
            sys.stderr.write(f"{text}\n")

    # ── the log ──────────────────────────────────────────────────────────────────────────────────

    def _log_fault(self, fault: BaseException, trace: TracebackType | None, where: str) -> None:
        steps = traceback.extract_tb(trace)
        place = f"{steps[-1].filename}:{steps[-1].lineno}" if steps else where
        text = "".join(traceback.format_exception(type(fault), fault, trace)).rstrip()
        if self._write(f"Uncaught exception{where}\n{text}", f"{type(fault).__qualname__} at {place}"):
            with contextlib.suppress(RuntimeError):  # the window may be deleted by now
                self.fault_logged.emit()

    def _write(self, text: str, key: str) -> bool:
        """Write a new fault, or how often a known one occurred.

        Returns whether it is new. The count is written at 1, 10, 100 … times, so that a repeated fault does not push
        out the others.
        """
        with self._lock:
            self._times[key] += 1
            times = self._times[key]
            if times > 1:
                text = f"{key}: {times:,} times so far"
            now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            if str(times).strip("0") == "1":
                with contextlib.suppress(storage.NotSaved):  # the user needs no message about a log
                    storage.append_to_log(self.path, f"{now}  Latent Studio {__version__}\n{text}\n\n", MAX_SIZE)
            return times == 1
