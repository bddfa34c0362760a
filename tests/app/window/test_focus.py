"""Tests that the focus goes to the clicked widget, or near a hidden one, and never to the rail."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from studio.app.widgets.controls import Label
from studio.app.widgets.value_slider import ValueSlider
from studio.app.window.commands.shortcuts import takes_focus
from studio.media import export
from tests.app.fake_model import make_card, write_model
from tests.app.window.test_layout import resize
from tests.app.window_fixtures import OpenedWindow, double_click, picture, settle

LEFT = Qt.MouseButton.LeftButton
KEYS = Qt.FocusReason.ShortcutFocusReason


@pytest.fixture
def exploring(studio: OpenedWindow) -> OpenedWindow:
    """Show Explore with a picture on the stage and a take."""
    studio.window.activateWindow()
    studio.start_engine()
    studio.state.show_panel("explore")
    studio.state.explore.parameters.new_start(3)
    studio.answer_explore()
    studio.state.explore.keep_take()
    settle()
    return studio


def focused() -> QWidget:
    found = QApplication.focusWidget()
    assert found is not None
    return found


def slider(studio: OpenedWindow) -> ValueSlider:
    found: ValueSlider = studio.window.panels["explore"].inspector.parameters.sliders[1]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_after_a_direction_is_named_its_slider_has_the_focus(exploring: OpenedWindow, key: Qt.Key) -> None:
    one = slider(exploring)
    double_click(one.name)
    field = focused()
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "Warmth")
    QTest.keyClick(field, key)
    settle()
    assert focused() is one.slider
    assert one.name.text() == ("Warmth" if key == Qt.Key.Key_Return else "2")
    QTest.keyClicks(focused(), "e x ")
    assert exploring.state.panel.get() == "explore"


def test_a_click_elsewhere_ends_naming_and_takes_the_focus(exploring: OpenedWindow) -> None:
    one = slider(exploring)
    one.edit_name()
    seed = exploring.window.panels["explore"].inspector.parameters.seed.field  # type: ignore[attr-defined]
    seed.setFocus(Qt.FocusReason.MouseFocusReason)
    settle()
    assert focused() is seed


def test_a_click_on_a_name_gives_the_focus_to_what_it_names(exploring: OpenedWindow) -> None:
    one = slider(exploring)
    QTest.mouseClick(one.name, LEFT)
    assert focused() is one.slider
    exploring.window.toggle_page("settings")
    exploring.state.show_panel("generate")
    settle()
    dials = exploring.window.panels["generate"].inspector.parameters  # type: ignore[attr-defined]
    names = {label.text(): label for label in dials.findChildren(Label) if label.isVisible()}
    for name, field in (("Number", dials.number), ("Seed", dials.seed.field)):
        QTest.mouseClick(names[name], LEFT)
        assert focused() is field


def by_finder(studio: OpenedWindow) -> None:
    studio.window.open_palette()
    QTest.keyClick(studio.window.command_palette.field, Qt.Key.Key_Escape)


def by_page(studio: OpenedWindow) -> None:
    studio.window.toggle_page("settings")
    settle()
    studio.window.settings.device.setFocus(KEYS)
    studio.window.close_or_leave()


def by_message(studio: OpenedWindow) -> None:
    studio.state.messages.show_message("It failed.", "failed", ("Try again", lambda: None))
    settle()
    studio.window.message.buttons[0].setFocus(KEYS)
    QTest.keyClick(studio.window.message.buttons[0], Qt.Key.Key_Space)


def by_message_cross(studio: OpenedWindow) -> None:
    studio.state.messages.show_message("It failed.", "failed")
    settle()
    studio.window.message._close.setFocus(KEYS)
    QTest.keyClick(studio.window.message._close, Qt.Key.Key_Space)


def by_take(studio: OpenedWindow) -> None:
    studio.window.strip.edit_name(0)
    QTest.keyClick(studio.window.strip.field, Qt.Key.Key_Return)


def by_picker(studio: OpenedWindow) -> None:
    studio.window.open_bar.picker.open_list()
    settle()
    assert studio.window.open_bar.picker.model_popup is not None
    QTest.keyClick(studio.window.open_bar.picker.model_popup, Qt.Key.Key_Escape)


def by_inspector(studio: OpenedWindow) -> None:
    slider(studio).slider.setFocus(KEYS)
    studio.window.toggle_inspector()


def by_panel(studio: OpenedWindow) -> None:
    slider(studio).slider.setFocus(KEYS)
    studio.state.show_panel("generate")


def by_last_take(studio: OpenedWindow) -> None:
    studio.window.strip.list.setFocus(KEYS)
    studio.state.explore.selection.delete_take(0)


@pytest.mark.parametrize(
    "put_away",
    [by_finder, by_page, by_message, by_message_cross, by_take, by_picker, by_inspector, by_panel, by_last_take],
)
def test_what_is_put_away_leaves_the_focus_out_of_the_rail(
    exploring: OpenedWindow, put_away: Callable[[OpenedWindow], None]
) -> None:
    stage = exploring.window.panels["explore"].stage.page.view  # type: ignore[attr-defined]
    stage.setFocus(KEYS)
    put_away(exploring)
    settle()
    assert not exploring.window.rail.isAncestorOf(focused()), focused()
    assert focused().isVisible()
    assert not isinstance(focused(), QAbstractButton), "the next key would press it"
    if put_away in (by_finder, by_picker):
        assert focused() is stage


def test_a_crop_that_is_left_gives_the_focus_to_the_stage(
    exploring: OpenedWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "rose.png"
    path.write_bytes(export.encode_png_bytes(picture(90, (20, 10, 3))))
    exploring.state.explore.open_file(path)
    qtbot.waitUntil(lambda: exploring.state.explore.importing.preview.get() is not None)
    settle()
    stage = exploring.window.panels["explore"].stage
    assert stage.isAncestorOf(focused())
    exploring.window.close_or_leave()
    settle()
    assert stage.isAncestorOf(focused())


@pytest.mark.parametrize(("width", "height", "text"), [(1024, 700, 175), (1440, 900, 200)])
def test_a_drawer_is_opened_and_shut_by_the_mouse(studio: OpenedWindow, width: int, height: int, text: int) -> None:
    resize(studio, width, height, text)
    for panel in studio.window.entries:
        studio.state.show_panel(panel)
        settle()
        button = studio.window.open_bar.inspector_button
        inspector = studio.window.panels[panel].inspector
        assert not inspector.isVisible()
        for shown in (True, False):
            place = button.mapTo(studio.window, button.rect().center())
            assert studio.window.childAt(place) is button
            QTest.mouseClick(studio.window.windowHandle(), LEFT, pos=QPoint(place))
            settle()
            assert inspector.isVisible() == shown


def test_an_inspector_that_is_shut_has_a_button_and_one_that_is_open_has_none(studio: OpenedWindow) -> None:
    side = studio.window.open_bar.inspector_button
    assert not side.isVisible()
    studio.window.toggle_inspector()
    settle()
    assert side.isVisible()
    QTest.mouseClick(side, LEFT)
    settle()
    assert studio.window.panels["generate"].inspector.isVisible()
    assert not side.isVisible()


# ── keys that no widget uses ─────────────────────────────────────────────────────────────────────


def inspector_of(studio: OpenedWindow, panel: str) -> QWidget:
    return studio.window.panels[panel].inspector  # type: ignore[attr-defined, no-any-return]


def choose_in_list(studio: OpenedWindow, row: int) -> None:
    studio.window.open_bar.picker.open_list()
    settle()
    assert studio.window.open_bar.picker.model_popup is not None
    cards = studio.window.open_bar.picker.model_popup.cards
    cards.open_model(cards.model().index(row, 0))
    settle()


@pytest.fixture
def first_model(two_models: Path) -> None:
    """Add a model with classes as the first one."""
    write_model(two_models, make_card("kinds", scales=("Coarse", "Fine"), classes=("Discs", "Squares")))


@pytest.mark.parametrize("panel", ["generate", "explore"])
def test_what_another_model_hides_below_its_list_leaves_the_focus_in_the_window(
    first_model: None, exploring: OpenedWindow, panel: str
) -> None:
    """The list receives the keys, so Qt does not move the focus of a hidden widget."""
    exploring.state.show_panel(panel)
    settle()
    choose_in_list(exploring, 1)
    hidden = []
    for part in [part for part in inspector_of(exploring, panel).findChildren(QWidget) if takes_focus(part)]:
        part.setFocus(KEYS)
        choose_in_list(exploring, 3)
        hidden += [part] if not part.isVisible() else []
        assert focused().isVisible()
        assert not exploring.window.rail.isAncestorOf(focused())
        choose_in_list(exploring, 1)
    assert hidden, "the other model has fewer controls"


def disable(box: QWidget, part: QWidget) -> None:
    box.setEnabled(False)


def delete(box: QWidget, part: QWidget) -> None:
    part.deleteLater()
    QCoreApplication.sendPostedEvents(part, QEvent.Type.DeferredDelete)


@pytest.mark.parametrize("lose", [disable, delete])
def test_a_control_that_is_lost_leaves_the_focus_near(
    exploring: OpenedWindow, lose: Callable[[QWidget, QWidget], None]
) -> None:
    box = slider(exploring)
    part = QLineEdit(box)
    part.show()
    part.setFocus(KEYS)
    assert focused() is part
    lose(box, part)
    settle()
    assert inspector_of(exploring, "explore").isAncestorOf(focused())
    assert focused().isEnabled()


def test_a_window_that_is_not_the_active_one_takes_no_focus(exploring: OpenedWindow) -> None:
    slider(exploring).slider.setFocus(KEYS)
    other = QWidget()
    other.show()
    other.activateWindow()
    settle()
    assert QApplication.focusWidget() is None
    other.close()
