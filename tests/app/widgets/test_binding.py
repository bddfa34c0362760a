"""Ties go both ways, never in a circle, and end with the view."""

import gc
import sys

from PySide6.QtWidgets import QSpinBox
from pytestqt.qtbot import QtBot

from studio.app.core.observable import Value
from studio.app.widgets.binding import bind


def test_value_and_control_follow_each_other(qtbot: QtBot) -> None:
    value: Value[int] = Value(3)
    asked: list[int] = []
    box = QSpinBox()
    qtbot.addWidget(box)
    bind(box, value, box.setValue, box.valueChanged, lambda number: (asked.append(number), value.set(number)))
    assert box.value() == 3
    value.set(7)
    assert (box.value(), asked) == (7, [])
    box.setValue(9)
    assert (value.get(), asked) == (9, [9])


def test_a_view_that_is_gone_hears_nothing_more(qtbot: QtBot) -> None:
    value: Value[int] = Value(3)
    box = QSpinBox()
    heard = []
    bind(box, value, heard.append)
    box.deleteLater()
    qtbot.wait(1)
    value.set(4)
    assert heard == [3]


def test_three_thousand_changes_leave_nothing_behind(qtbot: QtBot) -> None:
    """One PySide6 dropped a reference of True at every signal: after 3000 the interpreter fell."""
    value: Value[object] = Value(None)
    box = QSpinBox()
    qtbot.addWidget(box)
    heard: list[object] = []
    bind(box, value, lambda now: heard.__setitem__(slice(None), [now]))
    gc.collect()
    before = sys.getrefcount(True)
    objects = len(gc.get_objects())
    for number in range(3000):
        value.set(bool(number % 2))
    gc.collect()
    assert heard == [True]
    # One for each change would be 3000; what other tests left behind goes in between.
    assert abs(sys.getrefcount(True) - before) < 1500
    assert len(gc.get_objects()) - objects < 1500
