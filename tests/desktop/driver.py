"""Runs the real window and answers questions of a test about it: `python -m tests.desktop.driver`.

It calls `studio.app.main.main` with three additions: a silent sound card, Qt's own file dialogs, and a reader of
standard input. A question is one line of JSON, and its answer is one line on standard output.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, QPoint, QSocketNotifier, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication
from screenshots import Silence

from studio.app import main as door
from studio.app.core.background import BackgroundTask
from studio.app.core.observable import State, Value
from tests.desktop import inventory
from tests.desktop.watching import Watch


class Answers(QObject):
    """Answers what a test asks of the open window, in the window's own thread and event loop."""

    def __init__(self, studio: door.OpenWindow, watch: Watch, answers: int) -> None:
        super().__init__()
        self._studio = studio
        self._watch = watch
        self._answers = answers
        self._unread = b""
        self._shown: list[str] = []
        QDesktopServices.setUrlHandler("file", self, "reveal")
        self._ear = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read, self)
        self._ear.activated.connect(self._read)

    @Slot(QUrl)
    def reveal(self, url: QUrl) -> None:
        """Remember a folder that the system would have shown."""
        self._shown.append(url.toLocalFile())

    def _read(self) -> None:
        with self._watch.paused():
            data = os.read(sys.stdin.fileno(), 1 << 16)
            if not data:
                self._ear.setEnabled(False)
                return
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                os.write(self._answers, json.dumps(self._try(json.loads(line))).encode() + b"\n")

    def _try(self, question: dict[str, Any]) -> Any:
        """Return the answer, or a record of the error."""
        try:
            return self._answer(question)
        except Exception as fault:
            return {"refused": f"{type(fault).__name__}: {fault}"}

    def _answer(self, question: dict[str, Any]) -> Any:
        verbs: dict[str, Callable[..., Any]] = {
            "ping": lambda: True,
            "report": self._watch.report,
            "counts": self._watch.counts,
            "parts": inventory.parts,
            "at": inventory.part_at,
            "focus": inventory.focused,
            "focus_in_words": inventory.focus_in_words,
            "open": inventory.opened,
            "value": self._value,
            "reading": self._reading,
            "place": self._place,
            "placed": self._placed,
            "enlarge": self._enlarge,
            "reveal": inventory.reveal,
            "revealed": lambda: self._shown,
            "fail": self._fail,
            "hold": self._hold,
            "ignores_clicks": lambda: self._studio.window.late_clicks.is_watching,
        }
        return verbs[question.pop("ask")](**question)

    def _reading(self) -> bool:
        """Return whether a file or the clipboard is read or written, the outcome of which comes later."""
        window = self._studio.state
        states = [window, *(part for part in vars(window).values() if isinstance(part, State))]
        return any(later.busy for state in states for later in state.findChildren(BackgroundTask))

    def _value(self, of: str) -> Any:
        """Return what a dotted name below the window's state holds."""
        found: Any = self._studio.state
        for name in of.split("."):
            found = getattr(found, name)
            found = found.get() if isinstance(found, Value) else found
        return plain(found)

    def _place(self, width: int, height: int) -> None:
        """Move the window to the corner of the screen and resize it."""
        if self._studio.window.isFullScreen():
            self._studio.window.showNormal()
        self._studio.window.move(0, 0)
        self._studio.window.resize(width, height)

    def _enlarge(self, percent: int) -> None:
        """Give the text a size."""
        self._studio.state.preferences.text_size.set(percent)

    def _placed(self, width: int, height: int) -> bool:
        """Return whether the window is there and its title bar is known; before that, positions are wrong."""
        frame = self._studio.window
        there = frame.frameGeometry().topLeft() == QPoint(0, 0) and frame.geometry().y() > 0
        return there and (frame.width(), frame.height()) == (width, height)

    @staticmethod
    def _fail() -> None:
        """Raise an exception that is not caught, like a fault of the window."""

        def fail() -> None:
            raise RuntimeError("a fault that a test asked for")

        QTimer.singleShot(0, fail)

    @staticmethod
    def _hold(seconds: float) -> None:
        """Keep the window's thread busy for so many seconds."""

        def work() -> None:
            end = time.thread_time() + seconds
            while time.thread_time() < end:
                pass

        QTimer.singleShot(0, work)


def digest(array: "np.ndarray[Any, Any]") -> str:
    """Return a hash of an array's numbers."""
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=8).hexdigest()


def plain(value: Any) -> Any:
    """Convert a value to JSON: an array to its digest and the sums of its rows, a record to its fields."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        rows = value.reshape(len(value), -1).astype(np.float64).sum(1) if value.ndim > 1 else value[:0]
        return {"shape": list(value.shape), "digest": digest(value), "rows": rows.tolist()}
    if isinstance(value, dict):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [plain(held) for held in value]
    fields = getattr(type(value), "__dataclass_fields__", None) or getattr(type(value), "__struct_fields__", ())
    return {name: plain(getattr(value, name)) for name in fields} if fields else str(value)


def main() -> int:
    """Open the window and answer questions until it is closed; return its exit status."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever else is printed is part of the log
    kept: list[object] = []
    assemble = door.assemble

    def assembled(
        application: QApplication, program: Sequence[str] | None = None, output: Any = None
    ) -> door.OpenWindow:
        watch = Watch(application)
        studio = assemble(application, program, output or Silence())
        watch.begin()
        kept.extend([watch, Answers(studio, watch, answers)])
        return studio

    door.assemble = assembled
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    return door.main([])


if __name__ == "__main__":
    sys.exit(main())
