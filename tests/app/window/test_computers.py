"""Settings lists other computers: the user adds, tests, chooses and removes them."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests import fake_ssh
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

LIGHT = Path(__file__).parents[2] / "engine" / "light.py"
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = fake_ssh.install(tmp_path / "bin", tmp_path / "garden")
    for name, value in {**variables, "FAKE_SSH_ENGINE": str(LIGHT)}.items():
        monkeypatch.setenv(name, value)


def add(studio: OpenedWindow, name: str) -> None:
    section = studio.window.settings.computers
    section.name.clear()
    QTest.keyClicks(section.name, name)
    QTest.mouseClick(section.add, LEFT)
    settle()


def test_a_computer_is_added_tested_chosen_kept_and_removed(
    studio: OpenedWindow, window_opener: WindowOpener, qtbot: QtBot
) -> None:
    studio.start_engine()
    studio.window.toggle_page("settings")
    settle()
    section = studio.window.settings.computers
    add(studio, "garden")
    row = section.rows_by_host["garden"]
    assert section.name.text() == "" and row.result.isVisible() and not row.test.isEnabled()
    qtbot.waitUntil(lambda: row.result.text().endswith("Paper."))
    assert row.test.isEnabled()
    add(studio, "nowhere")
    assert section.rows_by_host["garden"].result.text().endswith("Paper.")
    qtbot.waitUntil(lambda: section.rows_by_host["nowhere"].result.text().startswith('"nowhere" was not found.'))

    assert [section.generating.itemText(i) for i in range(3)] == ["This computer", "garden", "nowhere"]
    section.generating.setCurrentIndex(1)
    section.generating.activated.emit(1)
    assert studio.engine.hosts == ["garden"]
    studio.start_engine()
    assert studio.window.engine.status_label.text() == "Ready. On garden. Processor, 2 threads"

    again = window_opener()
    assert again.engine.hosts == ["garden"], "it is used from the first start on"
    section = again.window.settings.computers
    assert section.generating.currentText() == "garden" and set(section.rows_by_host) == {"garden", "nowhere"}
    again.window.toggle_page("settings")
    settle()
    QTest.mouseClick(section.rows_by_host["garden"].remove, LEFT)
    settle()
    assert again.engine.hosts == ["garden", ""] and set(section.rows_by_host) == {"nowhere"}
    assert section.generating.currentText() == "This computer"


def test_a_name_that_is_an_option_is_refused_in_words(studio: OpenedWindow) -> None:
    studio.window.toggle_page("settings")
    settle()
    section = studio.window.settings.computers
    add(studio, "-oProxyCommand=touch x")
    assert section.note.text().startswith("This is not the name of a computer.") and not section.rows_by_host
    QTest.keyClicks(section.name, "y")
    assert not section.note.text().startswith("This is not")


def test_a_computer_that_cannot_be_reached_can_be_left(studio: OpenedWindow) -> None:
    computers = studio.state.computers
    computers.add("nowhere")
    computers.choose("nowhere")
    studio.engine.message_raised.emit('"nowhere" was not found. Your takes are safe.')
    studio.engine.status_changed.emit("Stopped")
    message = studio.state.messages.current.get()
    assert message is not None and [words for words, _ in message.buttons] == ["Connect again", "Use this computer"]
    studio.state.messages.press_button(1)
    assert computers.generating.get() == "" and studio.engine.hosts == ["nowhere", ""]
