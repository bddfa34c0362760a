"""Tests that a click which comes just after a message moved the window's parts hits nothing else."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from studio.app.widgets.controls import Button
from studio.wire.messages import Sample
from tests.app.window.test_layout import resize
from tests.app.window_fixtures import OpenedWindow, settle

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def drawer(studio: OpenedWindow, two_models: Path) -> OpenedWindow:
    """Open the window with large text and the drawer over the stage."""
    studio.start_engine()
    resize(studio, 1024, 700, 200)
    studio.window.toggle_inspector()
    settle()
    return studio


def middle(studio: OpenedWindow, part: QWidget) -> QPoint:
    """Return the middle of a part in the window."""
    return part.mapTo(studio.window, part.rect().center())


def click(studio: OpenedWindow, place: QPoint) -> None:
    """Click like the system, which knows the window alone."""
    QTest.mouseClick(studio.window.windowHandle(), LEFT, Qt.KeyboardModifier.NoModifier, place)
    settle()


def asked(studio: OpenedWindow) -> int:
    return sum(isinstance(command, Sample) for command in studio.engine.sent)


def wait_for_clicks(studio: OpenedWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not studio.window.late_clicks.is_watching)


def test_the_main_button_stays_where_it_is_when_a_message_ends(drawer: OpenedWindow, qtbot: QtBot) -> None:
    main = drawer.window.panels["generate"].foot.main_button  # type: ignore[attr-defined]
    drawer.state.messages.show_message("Saved.")
    settle()
    wait_for_clicks(drawer, qtbot)
    place = middle(drawer, main)
    drawer.state.messages.dismiss()
    settle()
    assert middle(drawer, main) == place
    click(drawer, place)
    assert asked(drawer) == 1
    height = drawer.window.inspector.height()
    drawer.window.toggle_inspector()
    drawer.window.toggle_inspector()
    settle()
    assert drawer.window.inspector.height() > height, "the next drawer has the room of the message"


def test_a_click_that_is_too_late_hits_nothing_that_came_there(drawer: OpenedWindow, qtbot: QtBot) -> None:
    frame = drawer.window
    main = frame.panels["generate"].foot.main_button  # type: ignore[attr-defined]
    aimed = middle(drawer, main)
    pressed: list[str] = []
    button = ("Undo", lambda: pressed.append("Undo"))
    drawer.state.messages.show_message("Deleted the run.", "info", button)
    settle()
    assert middle(drawer, main) != aimed
    for part in (frame.message.buttons[0], main):
        click(drawer, middle(drawer, part))
    assert (pressed, asked(drawer)) == ([], 0), "both came under the pointer just now"
    wait_for_clicks(drawer, qtbot)
    click(drawer, middle(drawer, main))
    assert asked(drawer) == 1
    assert drawer.state.messages.current.get() is not None
    click(drawer, middle(drawer, frame.message.buttons[0]))
    assert pressed == ["Undo"]


def test_a_click_on_a_part_that_has_not_moved_is_heard(studio: OpenedWindow) -> None:
    studio.start_engine()
    main = studio.window.panels["generate"].foot.main_button  # type: ignore[attr-defined]
    studio.state.messages.show_message("Saved.")
    settle()
    click(studio, middle(studio, main))
    assert asked(studio) == 1


def test_a_button_that_gets_another_meaning_is_not_pressed_by_mistake(studio: OpenedWindow, qtbot: QtBot) -> None:
    pressed: list[str] = []
    first: Button = studio.window.message.buttons[0]
    studio.state.messages.show_message("Deleted the run.", "info", ("Undo", lambda: pressed.append("Undo")))
    settle()
    wait_for_clicks(studio, qtbot)
    studio.state.messages.show_message("It failed.", "failed", ("Again", lambda: pressed.append("Again")))
    settle()
    click(studio, middle(studio, first))
    assert pressed == []
    wait_for_clicks(studio, qtbot)
    click(studio, middle(studio, first))
    assert pressed == ["Again"]
