"""Exceptions in overrides never reach Qt: on CPython 3.11 they are segmentation faults."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject

import studio.app
from studio.app.core import guard

ROOT = Path(__file__).parents[3]


def overrides() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in pkgutil.walk_packages(studio.app.__path__, "studio.app."):
        for owner in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(owner) and issubclass(owner, QObject) and owner.__module__ == module.name:
                yield from (
                    (f"{owner.__qualname__}.{name}", method)
                    for name, method in vars(owner).items()
                    if getattr(method, "guarded", False)
                )


OVERRIDES = dict(overrides())


class Bomb:
    """Raises an exception whatever is done with it."""

    def _burst(self, *_: object) -> Any:
        raise ValueError("burst")

    __getattribute__ = __setattr__ = __eq__ = __bool__ = __int__ = __lt__ = __call__ = _burst
    __hash__ = object.__hash__


def test_there_are_overrides_to_guard() -> None:
    assert len(OVERRIDES) > 60


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_that_raises_returns_its_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, fault, trace: reported.append(fault))
    monkeypatch.setattr(guard, "_last_reports", {})
    method = OVERRIDES[name]
    arity = len(inspect.signature(inspect.unwrap(method)).parameters)
    method(None, *[Bomb() for _ in range(arity - 1)])
    assert reported or "return QSize(" in inspect.getsource(inspect.unwrap(method))


PROGRAM = """
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from PySide6.QtCore import QAbstractListModel, QEvent, QSize
from PySide6.QtTest import QTest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QListView, QWidget
from studio.app.core.guard import guarded
reported = []
sys.excepthook = lambda kind, fault, trace: reported.append(str(fault))

class Rows(QAbstractListModel):
    @guarded(0)
    def rowCount(self, parent): return 3
    @guarded(None)
    def data(self, index, role): raise ValueError("data")

class Surface(QWidget):
    @guarded(None)
    def paintEvent(self, event): raise ValueError("paint")
    @guarded(None)
    def mousePressEvent(self, event): raise ValueError("press")
    @guarded(False)
    def event(self, event):
        if event.type() == QEvent.Type.User: raise ValueError("event")
        return super().event(event)
    @guarded(QSize(1, 1))
    def sizeHint(self): raise ValueError("hint")

app = QApplication([])
rows, view, surface = Rows(), QListView(), Surface()
view.setModel(rows); view.show(); surface.show(); surface.adjustSize(); surface.resize(50, 50)
for _ in range(20): app.processEvents()
surface.grab(); view.grab()
QTest.mouseClick(surface, Qt.MouseButton.LeftButton)
QApplication.sendEvent(surface, QEvent(QEvent.Type.User))
print(sorted(set(reported)))
"""


def test_a_shown_window_survives_overrides_that_raise() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "['data', 'event', 'hint', 'paint', 'press']"), done.stderr


def test_a_repeated_fault_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, fault, trace: reported.append(fault))
    monkeypatch.setattr(guard, "_last_reports", {})

    @guard.guarded(5)
    def paint() -> int:
        raise ValueError("again")

    assert [paint() for _ in range(100)] == [5] * 100
    assert len(reported) == 1
