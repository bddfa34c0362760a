"""Tests that Ctrl+K finds actions, controls, models and settings, and says if there is none."""

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from studio.app.window.commands.palette import NOTE_ROLE, CommandPalette
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, settle

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(autouse=True)
def a_recorder(two_models: Path) -> None:
    """Add `whistle`, a model of recordings."""
    write_model(two_models, make_card("whistle", (2,), rate=8000))


def search(studio: OpenedWindow, typed: str) -> list[tuple[str, str]]:
    """Return the names that are found, each with the note at its right."""
    finder = studio.window.command_palette
    if not finder.isVisible():
        studio.window.activateWindow()
        QTest.keyClick(studio.window, Qt.Key.Key_K, CONTROL)
    assert finder.isVisible()
    finder.field.clear()
    QTest.keyClicks(finder.field, typed)
    return found(finder)


def found(finder: CommandPalette) -> list[tuple[str, str]]:
    rows = (finder.found.index(row) for row in range(finder.found.rowCount()))
    return [(row.data(), row.data(NOTE_ROLE)) for row in rows]


def choose(studio: OpenedWindow) -> None:
    QTest.keyClick(studio.window.command_palette.field, Qt.Key.Key_Return)
    settle()
    assert not studio.window.command_palette.isVisible()


def focused() -> QWidget:
    now = QApplication.focusWidget()
    assert now is not None
    return now


def test_every_action_is_found_by_its_name(studio: OpenedWindow) -> None:
    assert len(search(studio, "")) > 30
    assert search(studio, "crisp or") == [("Crisp or smooth", "X")]
    choose(studio)
    assert studio.state.smoothing.smooth.get()


def test_escape_gives_the_focus_back(studio: OpenedWindow) -> None:
    button = studio.window.rail.buttons["generate"]
    button.setFocus()
    search(studio, "noth")
    QTest.keyClick(studio.window.command_palette.field, Qt.Key.Key_Escape)
    assert not studio.window.command_palette.isVisible()
    assert focused() is button


def test_a_control_of_the_open_panel_gets_the_focus(studio: OpenedWindow) -> None:
    controls = {"temper": "Temperature", "numb": "Number", "seed": "Seed", "pixels": "Pixels: Crisp"}
    for typed, name in controls.items():
        assert search(studio, typed)[0] == (name.partition(":")[0], "Control")
        choose(studio)
        assert focused().accessibleName() == name


def test_a_control_is_brought_into_view(studio: OpenedWindow) -> None:
    studio.state.show_panel("explore")
    studio.window.resize(1024, 700)
    studio.window.toggle_page("help")  # the page covers the panel
    settle()
    assert search(studio, "fine temperature") == [("Temperature, fine", "Control")]
    choose(studio)
    now = focused()
    assert now.accessibleName() == "Temperature, fine"
    assert now.isVisible() and not now.visibleRegion().isEmpty()
    assert now.visibleRegion().boundingRect() == now.rect()


def test_a_direction_that_is_folded_away_is_unfolded(studio: OpenedWindow, two_models: Path) -> None:
    many = msgspec.structs.replace(make_card("many"), directions=tuple(str(number) for number in range(1, 13)))
    write_model(two_models, many)
    studio.state.models.refresh_models()
    studio.state.show_panel("explore")
    studio.state.explore.choose_model("many")
    studio.state.explore.parameters.rename_direction(11, "Warmth")
    settle()
    assert search(studio, "warmth") == [("Warmth, direction 12 of 12", "Control")]
    choose(studio)
    now = focused()
    assert now.accessibleName() == "Warmth, direction 12 of 12"
    assert now.visibleRegion().boundingRect() == now.rect()


def test_a_closed_inspector_opens_for_a_control(studio: OpenedWindow) -> None:
    studio.state.preferences.text_size.set(200)
    settle()
    assert not studio.window.panels["generate"].inspector.isVisible()
    search(studio, "temperature")
    choose(studio)
    assert focused().accessibleName() == "Temperature"
    assert focused().isVisible()


def test_what_is_hidden_or_belongs_to_another_panel_is_not_found(studio: OpenedWindow) -> None:
    assert ("Share", "Control") not in search(studio, "share")  # without a second model
    names = [name for name, note in search(studio, "") if note == "Control"]
    assert "1, direction 1 of 3" not in names
    assert not any("figure" in name for name in names)
    assert len(names) == len(set(names))


def test_a_model_is_chosen_in_a_panel_that_can_use_it(studio: OpenedWindow) -> None:
    assert ("Tones", "Model") in search(studio, "tones")
    choose(studio)
    chosen = studio.state.generate.model.get()
    assert chosen is not None and chosen.card.name == "tones"
    assert search(studio, "whistle") == [("Whistle", "Model")]
    choose(studio)
    assert studio.state.panel.get() == "sound"
    chosen = studio.state.sound.model.get()
    assert chosen is not None and chosen.card.name == "whistle"
    search(studio, "tiny")
    choose(studio)
    assert studio.state.panel.get() == "generate"


@pytest.mark.parametrize(("typed", "title"), [("text size", "Text size in %"), ("dark", "Theme"), ("nvidia", "Device")])
def test_a_setting_opens_its_page_there(studio: OpenedWindow, typed: str, title: str) -> None:
    assert (title, "Setting") in search(studio, typed)
    choose(studio)
    assert studio.window.inspector.page == "settings"
    dials = dict(studio.window.settings.fields)
    assert focused() is dials[title] or dials[title].isAncestorOf(focused())
    search(studio, typed)
    choose(studio)  # while it is open
    assert studio.window.inspector.page == "settings"


def test_an_empty_search_shows_the_typed_text_and_enter_does_nothing(studio: OpenedWindow) -> None:
    assert search(studio, "sepia tone") == []
    finder = studio.window.command_palette
    assert finder.none.isVisible() and finder.none.text() == 'Nothing here is called "sepia tone".'
    QTest.keyClick(finder.field, Qt.Key.Key_Return)
    assert finder.isVisible()
    search(studio, "seed")
    assert not finder.none.isVisible()
