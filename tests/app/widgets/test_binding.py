"""Bindings work both ways, never in a circle, and end with the view."""

import gc
import sys

from PySide6.QtWidgets import QSpinBox
from pytestqt.qtbot import QtBot

from studio.app.core.observable import Value
from studio.app.widgets.binding import bind


def test_value_and_control_follow_each_other(qtbot: QtBot) -> None:
    value: Value[int] = Value(3)
    set_values: list[int] = []
    box = QSpinBox()
    qtbot.addWidget(box)
    bind(box, value, box.setValue, box.valueChanged, lambda number: (set_values.append(number), value.set(number)))
    assert box.value() == 3
    value.set(7)
    assert (box.value(), set_values) == (7, [])
    box.setValue(9)
    assert (value.get(), set_values) == (9, [9])


def test_a_deleted_view_receives_nothing_more(qtbot: QtBot) -> None:
    value: Value[int] = Value(3)
    box = QSpinBox()
    heard = []
    bind(box, value, heard.append)
    box.deleteLater()
    qtbot.wait(1)
    value.set(4)
    assert heard == [3]


def test_three_thousand_changes_leak_nothing(qtbot: QtBot) -> None:
    """PySide6 dropped a reference to True at every signal, which ended Python after 3000."""
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
    # 3000 would be one for each change; garbage of other tests is collected meanwhile
    assert abs(sys.getrefcount(True) - before) < 1500
    assert len(gc.get_objects()) - objects < 1500
