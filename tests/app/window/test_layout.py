"""Tests that at every size nothing is cut without a tooltip, and nothing overlaps its neighbour."""

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QLabel,
    QLayout,
    QLayoutItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import Shiboken

from studio.app.widgets.controls import ElidedLabel, clear_layout, widgets_of
from tests.app.window_fixtures import OpenedWindow, settle

SIZES = [(1024, 700, 100), (1440, 900, 100), (1440, 900, 150), (1024, 700, 150), (1440, 900, 200), (1024, 700, 200)]


def cut(frame: QWidget) -> list[str]:
    """Return the texts that are visible but cut, and have no tooltip."""
    found = []
    for label in frame.findChildren(QLabel):
        if label.isVisible() and label.text() and not label.toolTip():
            metrics, room = QFontMetrics(label.font()), label.contentsRect()
            if label.wordWrap():
                too_much = label.heightForWidth(label.width()) > label.height() + 1
            else:
                too_much = metrics.horizontalAdvance(label.text()) > room.width() + 1
            if too_much or metrics.height() > label.height() + 1:
                found.append(f"{label.text()!r} in {label.width()} × {label.height()}")
    for button in frame.findChildren(QAbstractButton):
        if button.isVisible() and button.text():
            needed = QFontMetrics(button.font()).horizontalAdvance(button.text().strip())
            if needed > button.width() and not button.toolTip():
                found.append(f"{button.text()!r} in {button.width()}")
            if QFontMetrics(button.font()).height() > button.height() + 1:
                found.append(f"{button.text()!r} is {button.height()} high")
    return found


def overlaps(frame: QWidget) -> list[str]:
    """Return visible neighbours in one parent that overlap."""
    found = []
    for parent in [frame, *frame.findChildren(QWidget)]:
        if parent is frame or isinstance(parent, QStackedWidget) or parent.layout() is None:
            continue
        shown = [w for w in widgets_of(parent.layout()) if w.isVisible() and w.width() > 0]
        for place, one in enumerate(shown):
            for other in shown[place + 1 :]:
                over = one.geometry() & other.geometry()
                if over.width() > 1 and over.height() > 1:
                    found.append(f"{name(one)} over {name(other)} by {over.width()} × {over.height()}")
    return found


def python_objects_of_layout_items() -> list[object]:
    found = Shiboken.getAllValidWrappers()
    return [each for each in found if isinstance(each, QLayoutItem) and not isinstance(each, QLayout)]


def test_a_look_at_a_layout_leaves_no_object_for_an_item_that_is_gone(qtbot: QtBot) -> None:
    """Python would mistake the next C++ object at the same address for the deleted item."""
    frame = QWidget()
    qtbot.addWidget(frame)
    inner = QWidget(frame)
    column = QVBoxLayout(inner)
    label, other = QLabel("one"), QLabel("two")
    column.addWidget(label)
    column.addWidget(other)
    frame.show()
    before = python_objects_of_layout_items()
    assert overlaps(frame) == []
    label.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert column.count() == 1
    third = QLabel("three")
    column.addWidget(third)
    settle()
    assert overlaps(frame) == []
    third.setGeometry(other.geometry())
    assert overlaps(frame) == ["QLabel 'two' over QLabel 'three' by " + f"{other.width()} × {other.height()}"]
    clear_layout(column)
    assert column.count() == 0
    known = {id(each) for each in before}  # what earlier tests left may go meanwhile
    assert [each for each in python_objects_of_layout_items() if id(each) not in known] == []


def name(widget: QWidget) -> str:
    words = widget.text() if isinstance(widget, QLabel | QAbstractButton) else widget.accessibleName()
    return f"{type(widget).__name__} {words!r}"


def regions(studio: OpenedWindow) -> dict[str, QRect]:
    frame = studio.window
    parts = {"rail": frame.rail, "bar": frame.bars, "stage": frame.stage, "inspector": frame.inspector,
             "strip": frame.strip, "queue": frame.job_box}  # fmt: skip
    return {key: part.geometry() for key, part in parts.items() if part.isVisible()}


def check(studio: OpenedWindow) -> None:
    settle()
    assert cut(studio.window) == []
    assert overlaps(studio.window) == []
    for label in studio.window.findChildren(ElidedLabel):
        assert not label.is_cut or label.toolTip(), label.text()


def resize(studio: OpenedWindow, width: int, height: int, text: int) -> None:
    studio.window.resize(width, height)
    studio.state.preferences.text_size.set(text)
    settle()
    assert (studio.window.width(), studio.window.height()) == (width, height)


@pytest.mark.parametrize(("width", "height", "text"), SIZES)
def test_nothing_is_cut_and_nothing_overlaps(studio: OpenedWindow, width: int, height: int, text: int) -> None:
    resize(studio, width, height, text)
    check(studio)
    studio.start_engine()
    studio.state.generate.parameters.set_number(16)
    studio.state.generate.start_batch()
    studio.draw_pictures(2, 5)
    check(studio)
    studio.draw_pictures()
    studio.state.generate.enlarge_cell(3)
    check(studio)
    studio.state.show_panel("explore")
    check(studio)
    studio.state.explore.parameters.new_start(7)
    studio.answer_explore()
    studio.state.explore.parameters.set_slider(0, 2.6)
    studio.state.explore.parameters.rename_direction(0, "How warm the light of the evening is in this garden")
    studio.state.explore.keep_take()
    check(studio)
    for page in ("settings", "help", "engine", "queue"):
        studio.window.toggle_page(page)
        check(studio)
    studio.window.close_or_leave()
    studio.state.messages.show_message("It failed. The picture is kept.", "failed", ("Try again", lambda: None))
    check(studio)


def test_the_regions_fill_the_window_without_lying_over_each_other(studio: OpenedWindow) -> None:
    for width, height, text in SIZES:
        resize(studio, width, height, text)
        found = regions(studio)
        for one, place in found.items():
            assert studio.window.rect().contains(place), one
            for other, second in found.items():
                assert one == other or not place.intersects(second), (one, other)
        main = studio.window.panels["generate"].foot.main_button  # type: ignore[attr-defined]
        corner = main.mapTo(studio.window, QPoint(0, 0))
        assert main.isVisible()
        assert studio.window.rect().contains(QRect(corner, main.size()))


def test_the_inspector_is_a_drawer_if_text_is_large(studio: OpenedWindow) -> None:
    frame = studio.window
    resize(studio, 1024, 700, 175)
    wide = frame.stage.width()
    assert wide == frame.width() - frame.rail.width()
    assert not frame.panels["generate"].inspector.isVisible()
    frame.toggle_inspector()
    settle()
    assert frame.panels["generate"].inspector.isVisible()
    assert frame.stage.width() == wide
    frame.close_or_leave()
    assert not frame.panels["generate"].inspector.isVisible()


def test_a_drawer_that_a_larger_text_closed_is_closed_with_its_page(studio: OpenedWindow) -> None:
    frame = studio.window
    frame.toggle_page("settings")
    resize(studio, 1024, 700, 200)
    inspector = frame.panels["generate"].inspector
    frame.inspector.close_page()
    settle()
    assert not inspector.isVisible()
    frame.toggle_inspector()
    settle()
    assert inspector.isVisible(), "the first click opens it"


@pytest.mark.parametrize(("width", "height", "text"), SIZES)
def test_no_setting_is_cut_at_the_right(studio: OpenedWindow, width: int, height: int, text: int) -> None:
    resize(studio, width, height, text)
    studio.window.toggle_page("settings")
    settle()
    inspector = studio.window.inspector
    for title, field in studio.window.settings.fields:
        right = field.mapTo(inspector, field.rect().topRight()).x()
        assert right < inspector.width(), title


def test_explore_keeps_a_stage_for_64_pixels_at_8_times(studio: OpenedWindow) -> None:
    resize(studio, 1024, 700, 100)
    stage = studio.window.stage
    assert stage.width() >= 688
    assert stage.height() >= 572
    assert studio.window.rail.width() == 48
    assert studio.window.inspector.width() == 288
    assert studio.window.strip.height() == 80


@pytest.mark.parametrize(("width", "height", "text"), SIZES[1::2])
def test_the_newest_take_is_seen_whole_beside_the_plus(
    studio: OpenedWindow, width: int, height: int, text: int
) -> None:
    resize(studio, width, height, text)
    studio.start_engine()
    studio.state.generate.parameters.set_number(16)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    strip = studio.window.strip
    for index in range(16):
        studio.state.generate.choose_cell(index)
        QTest.mouseClick(strip.keep, Qt.MouseButton.LeftButton)
        settle()
        place = strip.list.visualRect(strip.list.rows.index(index)).adjusted(2, 2, -2, -2)  # within its margin
        assert len(studio.state.takes.takes.get()) == index + 1
        assert strip.list.viewport().rect().contains(place), index
        at = QRect(strip.list.viewport().mapTo(strip, place.topLeft()), place.size())
        assert strip.rect().contains(at), index
        assert not at.intersects(strip.keep.geometry()), index
        assert not strip.tree_button.isVisible() or not at.intersects(strip.tree_button.geometry()), index


def test_a_strip_that_was_scrolled_stays_there_until_another_take_is_kept_or_shown(studio: OpenedWindow) -> None:
    studio.start_engine()
    studio.state.generate.parameters.set_number(16)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    for index in range(15):
        studio.state.generate.choose_cell(index)
        studio.state.generate.keep_take()
    settle()
    strip = studio.window.strip
    bar = strip.list.horizontalScrollBar()
    assert bar.value() >= bar.maximum() - 1 > 0
    bar.setValue(0)
    studio.state.generate.selection.rename_take(0, "First")
    studio.state.messages.show_message("Something happened.")
    settle()
    assert bar.value() == 0
    studio.state.generate.choose_cell(15)
    studio.state.generate.keep_take()
    settle()
    assert bar.value() >= bar.maximum() - 1
