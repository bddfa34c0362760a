"""Tests the main window: panels, pages, keys, messages, drops, focus, and its restored state."""

from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeySequence,
    QMouseEvent,
    QPaintEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QStyle,
    QWidget,
)
from pytestqt.qtbot import QtBot

from studio.app.app_state import PANELS
from studio.app.core.observable import Value
from studio.app.widgets.action import Action
from studio.app.widgets.controls import Label
from studio.app.window import message_bar
from studio.app.window.geometry_keeper import GeometryKeeper
from studio.app.window.message_bar import FadingCover
from studio.media import export
from studio.wire.messages import Diagnosis, Doctor, Finished
from tests.app.window_fixtures import OpenedWindow, WindowOpener, picture, settle

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier


def act(studio: OpenedWindow, words: str) -> Action:
    return next(one for one in studio.window.current_actions if one.title == words)


def drag_edge(studio: OpenedWindow, *steps: int) -> list[int]:
    """Drag the inspector's edge by these pixels to the right; return where the edge is from the pointer, each time."""
    edge = studio.window.edge
    assert edge.isVisible()
    left = Qt.MouseButton.LeftButton
    at = edge.rect().center().toPointF()
    pointer = edge.mapToGlobal(at)
    QApplication.sendEvent(edge, QMouseEvent(QMouseEvent.Type.MouseButtonPress, at, pointer, left, left, NONE))
    found = []
    for step in steps:
        pointer.setX(pointer.x() + step)
        here = edge.mapFromGlobal(pointer)
        QApplication.sendEvent(edge, QMouseEvent(QMouseEvent.Type.MouseMove, here, pointer, left, left, NONE))
        settle()
        found.append(round(edge.mapToGlobal(at).x() - pointer.x()))
    QTest.mouseRelease(edge, left)
    return found


# ── panels, pages, keys ──────────────────────────────────────────────────────────────────────────


def test_the_rail_shows_only_panels_that_work(studio: OpenedWindow) -> None:
    assert list(studio.window.rail.buttons) == ["generate", "explore", "complete", "sound", "train"]
    assert set(studio.window.entries) <= set(PANELS)
    QTest.mouseClick(studio.window.rail.buttons["explore"], Qt.MouseButton.LeftButton)
    assert studio.state.panel.get() == "explore"
    studio.state.show_panel("generate")
    assert studio.window.rail.buttons["generate"].isChecked()
    assert studio.window.stage.currentWidget() is studio.window.panels["generate"].stage


def test_panels_have_keys(studio: OpenedWindow) -> None:
    for key, panel in ((Qt.Key.Key_1, "generate"), (Qt.Key.Key_2, "explore"), (Qt.Key.Key_3, "complete")):
        studio.state.show_panel("explore" if panel == "generate" else "generate")
        QTest.keyClick(studio.window, key, CONTROL)
        assert studio.state.panel.get() == panel


def test_pages_open_in_the_inspector_and_escape_closes_them(studio: OpenedWindow) -> None:
    for key, modifier, page in (
        (Qt.Key.Key_F1, NONE, "help"),
        (Qt.Key.Key_Comma, CONTROL, "settings"),
        (Qt.Key.Key_J, CONTROL, "queue"),
    ):
        QTest.keyClick(studio.window, key, modifier)
        assert studio.window.inspector.page == page
        QTest.keyClick(studio.window, Qt.Key.Key_Escape)
        assert studio.window.inspector.page == ""


def test_no_key_does_two_things_at_once(studio: OpenedWindow) -> None:
    for panel in studio.window.entries:
        studio.state.show_panel(panel)
        held = [keys for one in studio.window.current_actions for keys in one.keys]
        assert sorted(held) == sorted(set(held)), panel
        assert all(not QKeySequence(keys).isEmpty() for keys in held)


def test_keys_of_a_panel_hold_in_that_panel(studio: OpenedWindow) -> None:
    studio.start_engine()
    studio.state.show_panel("explore")
    QTest.keyClick(studio.window, Qt.Key.Key_Return, CONTROL)
    assert studio.engine.sent == []
    studio.state.show_panel("generate")
    QTest.keyClick(studio.window, Qt.Key.Key_Return, CONTROL)
    assert len(studio.engine.sent) == 1
    QTest.keyClick(studio.window, Qt.Key.Key_Escape, SHIFT)
    assert studio.engine.stopped == [studio.engine.sent[0].job]


def test_single_keys_act_on_the_stage_only_and_can_be_switched_off(studio: OpenedWindow) -> None:
    studio.window.activateWindow()
    grid = studio.window.panels["generate"].stage
    studio.start_engine()
    studio.state.generate.start_batch()
    studio.draw_pictures()
    seed = studio.state.generate.parameters.seed.get()
    target = grid.currentWidget().findChild(type(grid.grid))  # type: ignore[attr-defined]
    target.setFocus()
    QTest.keyClick(target, Qt.Key.Key_X)
    assert studio.state.smoothing.smooth.get()
    QTest.keyClick(target, Qt.Key.Key_R)
    assert studio.state.generate.parameters.seed.get() != seed
    QTest.keyClick(target, Qt.Key.Key_L)
    assert studio.state.generate.parameters.locked.get()
    number = studio.window.panels["generate"].inspector.findChild(QAbstractSpinBox)
    number.setFocus()
    QTest.keyClick(number, Qt.Key.Key_X)
    assert studio.state.smoothing.smooth.get()
    studio.state.preferences.single_keys.set(False)
    target.setFocus()
    QTest.keyClick(target, Qt.Key.Key_X)
    assert studio.state.smoothing.smooth.get()


def test_the_inspector_is_hidden_and_comes_back_while_the_main_button_stays(studio: OpenedWindow) -> None:
    frame = studio.window
    wide = frame.stage.width()
    act(studio, "Show or hide the inspector").run()
    assert frame.stage.width() > wide
    assert frame.panels["generate"].foot.isVisible()
    assert not frame.panels["generate"].inspector.isVisible()
    act(studio, "Show or hide the inspector").run()
    assert (frame.stage.width(), frame.panels["generate"].inspector.isVisible()) == (wide, True)


def test_f6_goes_round_the_regions(studio: OpenedWindow) -> None:
    frame = studio.window
    frame.activateWindow()
    frame.rail.buttons["generate"].setFocus()
    been = []
    for _ in range(7):
        QTest.keyClick(frame, Qt.Key.Key_F6)
        now = QApplication.focusWidget()
        been.append(next(p for p in (frame.rail, frame.bars, frame.stage, frame.inspector, frame.strip)
                         if p.isAncestorOf(now)))  # fmt: skip
    assert been[:4] == [frame.bars, frame.stage, frame.inspector, frame.strip]
    assert frame.rail in been


def test_zoom_and_full_screen(studio: OpenedWindow) -> None:
    studio.state.show_panel("explore")
    studio.start_engine()
    studio.state.explore.parameters.new_start(3)
    studio.answer_explore()
    settle()
    view = studio.window.panels["explore"].stage.page.view  # type: ignore[attr-defined]
    fit = view.pixel_size()
    act(studio, "Zoom in").run()
    assert view.pixel_size() == fit + 1
    act(studio, "Fit").run()
    assert view.pixel_size() == fit
    act(studio, "Full screen").run()
    assert studio.window.isFullScreen()
    QTest.keyClick(studio.window, Qt.Key.Key_Escape)
    assert not studio.window.isFullScreen()


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


def test_information_goes_by_itself_and_failures_stay(
    studio: OpenedWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = studio.window.message
    monkeypatch.setattr(message_bar, "STAY_TIMES", {"info": 30, "warn": 30})
    for kind in ("info", "warn"):
        studio.state.messages.show_message("Saved.", kind)
        assert line.isVisible()
        qtbot.waitUntil(lambda: not line.isVisible())
    done = []
    studio.state.messages.show_message(
        "It failed. The picture is kept.", "failed", ("Try again", lambda: done.append(1))
    )
    qtbot.wait(80)
    assert line.isVisible()
    QTest.mouseClick(line.buttons[0], Qt.MouseButton.LeftButton)
    assert done == [1]
    assert not line.isVisible()


def test_a_message_with_a_button_waits_for_its_answer(
    studio: OpenedWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = studio.window.message
    monkeypatch.setattr(message_bar, "STAY_TIMES", {"info": 30, "warn": 30})
    done: list[str] = []
    for severity in ("info", "warn"):
        button = ("Undo", partial(done.append, severity))
        studio.state.messages.show_message("Deleted the run. Its model is kept.", severity, button)
        qtbot.wait(80)
        assert line.isVisible(), severity
        QTest.mouseClick(line.buttons[0], Qt.MouseButton.LeftButton)
        assert not line.isVisible()
    assert done == ["info", "warn"]
    studio.state.messages.show_message("Deleted the run.", "info", ("Undo", lambda: None))
    studio.state.messages.show_message("Saved.")
    qtbot.waitUntil(lambda: not line.isVisible())


def test_a_message_comes_softly_unless_nothing_may_move(studio: OpenedWindow, qtbot: QtBot) -> None:
    line = studio.window.message
    cover = line.findChild(FadingCover)
    pressed: list[int] = []
    studio.state.messages.show_message("Saved.", "warn", ("Show", lambda: pressed.append(1)))
    settle()
    assert cover.isVisible() and cover.geometry() == line.rect()
    QTest.mouseClick(line.childAt(line.buttons[0].geometry().center()), Qt.MouseButton.LeftButton)
    assert pressed == [1], "a message that still fades in can be answered"
    assert not line.isVisible()
    studio.state.messages.show_message("Saved.")
    assert cover.isVisible()
    qtbot.waitUntil(lambda: not cover.isVisible())
    assert line.isVisible()
    studio.state.preferences.reduced_motion.set(True)
    studio.state.messages.show_message("Saved again.")
    assert line.isVisible()
    assert not cover.isVisible()


def test_no_widget_has_an_effect_of_qt(studio: OpenedWindow) -> None:
    """A window with a fading effect crashed when it was resized."""
    for name in PANELS:
        studio.state.show_panel(name)
        settle()
    assert not [widget for widget in studio.window.findChildren(QWidget) if widget.graphicsEffect() is not None]


def test_the_engine_state_is_shown_and_its_messages_are_kept(studio: OpenedWindow) -> None:
    frame = studio.window
    assert frame.rail.engine_button.accessibleName() == "Engine, Starting"
    studio.start_engine()
    assert frame.rail.engine_button.accessibleName() == "Engine, Ready"
    QTest.mouseClick(frame.rail.engine_button, Qt.MouseButton.LeftButton)
    assert frame.inspector.page == "engine"
    assert frame.engine.status_label.text() == "Ready. Processor, 2 threads"
    assert studio.engine.sent
    studio.engine.die()
    studio.engine.status_changed.emit("Stopped")
    assert frame.engine.look_again.text() == "Start the engine"
    QTest.mouseClick(frame.engine.look_again, Qt.MouseButton.LeftButton)
    assert studio.engine.starts == 1


def test_buttons_of_doctor_do_not_move_when_findings_arrive(studio: OpenedWindow) -> None:
    studio.start_engine()
    studio.window.toggle_page("engine")
    settle()
    page = studio.window.engine
    kept = (page.status_label, page.look_again, page.log, page.show_log)
    before = [part.geometry() for part in kept]

    def answer() -> list[Label]:
        asked = studio.engine.sent[-1]
        assert isinstance(asked, Doctor)
        findings = tuple((f"part {number}", True, "fine") for number in range(12))
        studio.engine.emit_events(Diagnosis(job=asked.job, findings=findings), Finished(job=asked.job))
        settle()
        return [label for label in page.findChildren(Label) if label.text().startswith("part ")]

    found = answer()
    assert len(found) == 12
    assert [part.geometry() for part in kept] == before
    found[3].setSelection(0, 4)
    QTest.mouseClick(page.look_again, Qt.MouseButton.LeftButton)
    assert answer() == found
    assert found[3].selectedText() == "part"


# ── drops ────────────────────────────────────────────────────────────────────────────────────────


def data_of(path: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def test_a_drop_is_announced_before_it_happens(studio: OpenedWindow, qtbot: QtBot, tmp_path: Path) -> None:
    frame, path = studio.window, tmp_path / "rose.png"
    path.write_bytes(export.encode_png_bytes(picture()))
    data, copy = data_of(path), Qt.DropAction.CopyAction
    left = Qt.MouseButton.LeftButton
    QApplication.sendEvent(frame, QDragEnterEvent(frame.rect().center(), copy, data, left, NONE))
    assert frame.drop_overlay.isVisible()
    assert (frame.drop_overlay.words, frame.drop_overlay.name) == ("Open in Explore", "rose.png")
    frame.grab()
    QApplication.sendEvent(frame, QDragLeaveEvent())
    assert not frame.drop_overlay.isVisible()
    # Qt delivers a drop only to the target of a drag that it is leading itself.
    frame.drop_target.eventFilter(frame, QDropEvent(QPointF(frame.rect().center()), copy, data, left, NONE))
    qtbot.waitUntil(lambda: studio.state.explore.importing.preview.get() is not None)
    assert studio.state.panel.get() == "explore"


def test_a_refused_drop_shows_its_reason(studio: OpenedWindow, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("a note")
    data = data_of(path)  # the event does not hold it
    event = QDragEnterEvent(
        studio.window.rect().center(), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, NONE
    )
    QApplication.sendEvent(studio.window, event)
    assert studio.window.drop_overlay.words.startswith('"notes.txt" is no picture, sound or model')
    studio.window.grab()


MOVE, COPY = Qt.DropAction.MoveAction, Qt.DropAction.CopyAction


def drag(studio: OpenedWindow, event: QDropEvent) -> tuple[bool, Qt.DropAction]:
    """Return what the source of a drag learns: whether the drop is accepted, and with which action."""
    event.setDropAction(MOVE)
    event.ignore()
    studio.window.drop_target.eventFilter(studio.window, event)
    return event.isAccepted(), event.dropAction()


def test_a_file_is_copied_even_if_the_source_would_rather_move_it(
    studio: OpenedWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "rose.png"
    path.write_bytes(export.encode_png_bytes(picture()))
    data = data_of(path)
    at = studio.window.rect().center()
    left = Qt.MouseButton.LeftButton
    for event in (
        QDragEnterEvent(at, MOVE | COPY, data, left, NONE),
        QDragMoveEvent(at, MOVE | COPY, data, left, NONE),
        QDropEvent(QPointF(at), MOVE | COPY, data, left, NONE),
    ):
        assert drag(studio, event) == (True, COPY)
    qtbot.waitUntil(lambda: studio.state.explore.importing.preview.get() is not None)


def test_a_file_that_can_only_be_moved_is_not_taken(studio: OpenedWindow, tmp_path: Path) -> None:
    path = tmp_path / "rose.png"
    path.write_bytes(export.encode_png_bytes(picture()))
    data = data_of(path)
    at = studio.window.rect().center()
    left = Qt.MouseButton.LeftButton
    for event in (
        QDragEnterEvent(at, MOVE, data, left, NONE),
        QDragMoveEvent(at, MOVE, data, left, NONE),
        QDropEvent(QPointF(at), MOVE, data, left, NONE),
    ):
        assert not drag(studio, event)[0]
    assert not studio.window.drop_overlay.isVisible()
    assert not studio.state.explore.importing.busy.get()


def test_nothing_but_the_window_itself_takes_a_drop(studio: OpenedWindow) -> None:
    studio.state.show_panel("explore")
    studio.window.panels["explore"].inspector.parameters.sliders[0].edit_name()  # type: ignore[attr-defined]
    settle()
    assert studio.window.acceptDrops()
    assert [part for part in studio.window.findChildren(QWidget) if part.acceptDrops()] == []


def test_a_first_window_leaves_room_for_its_title(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    GeometryKeeper(window, Value(b""))
    title = window.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
    assert 0 < title <= window.screen().availableGeometry().height() - window.height()


# ── theme, names, focus ──────────────────────────────────────────────────────────────────────────


def test_settings_change_the_window_and_are_kept(studio: OpenedWindow, window_opener: WindowOpener) -> None:
    settings = studio.window.settings
    studio.window.toggle_page("settings")
    for segments, choice in (
        (settings.theme, "light"), (settings.contrast, "high"), (settings.text_size, "125"),
        (settings.motion, "less"), (settings.letters, "off"),
    ):  # fmt: skip
        QTest.mouseClick(segments.button_of(choice), Qt.MouseButton.LeftButton)
    settings.device.activated.emit(1)
    assert (studio.theme.tokens.canvas, studio.theme.scale, studio.theme.reduced_motion) == ("#FFFFFF", 1.25, True)
    studio.state.show_panel("explore")
    again = window_opener()
    assert (again.state.theme.get(), again.theme.scale, again.state.panel.get()) == ("light", 1.25, "explore")
    assert again.state.preferences.device.get() == "cpu"
    assert again.window.settings.device.currentText() == "Processor"
    assert not again.state.preferences.single_keys.get()


def test_the_window_restores_its_place_and_state(studio: OpenedWindow, window_opener: WindowOpener) -> None:
    drag_edge(studio, -60)
    studio.window.resize(1024, 720)  # the offscreen screen is 800 high, and Qt keeps windows on the screen
    settle()
    studio.state.generate.parameters.set_number(9)
    studio.window.close()
    again = window_opener(resize=False)
    assert (again.window.width(), again.window.height()) == (1024, 720)
    assert again.state.preferences.inspector_width.get() == 380
    assert again.state.generate.parameters.number.get() == 9


@pytest.mark.parametrize("text", [100, 200])
def test_the_edge_of_the_inspector_follows_the_pointer_within_its_limits(studio: OpenedWindow, text: int) -> None:
    studio.state.preferences.text_size.set(text)
    if text == 200:
        studio.window.toggle_inspector()
    settle()
    wide = studio.window.inspector.width()
    stage = studio.window.stage.width()
    assert max(map(abs, drag_edge(studio, -20, -10, 24))) <= 1  # at 200 %, every width is even
    assert studio.window.inspector.width() == wide + 6
    assert studio.window.stage.width() == stage - (6 if text == 100 else 0), "a drawer takes nothing from the stage"
    beyond = drag_edge(studio, 600, -590, -10)
    assert beyond[0] < -1, "it stays at its least width"
    assert abs(beyond[2]) <= 1, "the pointer finds it again where it left it"


class EdgePaints(QObject):
    """Records where a button is whenever the left edge of the rail is painted beside it."""

    def __init__(self, rail: QWidget, button: QWidget) -> None:
        super().__init__(rail)
        self._button = button
        self.places: list[QRect] = []
        rail.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        place = self._button.geometry()
        if isinstance(event, QPaintEvent) and event.region().contains(QPoint(1, place.center().y())):
            self.places.append(place)
        return False


def test_the_mark_of_the_open_panel_is_painted_beside_its_button(studio: OpenedWindow) -> None:
    rail = studio.window.rail
    studio.state.show_panel("sound")
    settle()
    button = rail.buttons["sound"]
    paints = EdgePaints(rail, button)
    for size in ((1024, 700), (1440, 900)):
        paints.places.clear()
        studio.window.resize(*size)
        settle()
        assert paints.places[-1] == button.geometry()


def test_a_narrow_window_has_no_edge_to_drag(studio: OpenedWindow) -> None:
    drag_edge(studio, -30)
    assert studio.window.inspector.width() == 350
    studio.window.resize(1024, 700)
    settle()
    assert (studio.window.inspector.width(), studio.window.edge.isVisible()) == (288, False)
    studio.window.resize(1440, 900)
    settle()
    assert (studio.window.inspector.width(), studio.window.edge.isVisible()) == (350, True)


def test_everything_that_takes_the_focus_has_a_name_and_most_a_sentence(studio: OpenedWindow) -> None:
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
    for panel in studio.window.entries:
        studio.state.show_panel(panel)
        settle()
        controls = [w for kind in kinds for w in studio.window.findChildren(kind) if w.isVisible()]
        own = [
            w for w in controls if not isinstance(w.parent(), QAbstractSpinBox) and "ScrollBar" not in type(w).__name__
        ]
        assert len(own) > 10
        assert [w for w in own if not w.accessibleName()] == []


def test_a_ring_is_drawn_after_keys_only(studio: OpenedWindow) -> None:
    frame = studio.window
    frame.activateWindow()
    handle = frame.windowHandle()
    number = frame.panels["generate"].inspector.parameters.number  # type: ignore[attr-defined]
    place = number.mapTo(frame, number.rect().center())
    QTest.mouseClick(handle, Qt.MouseButton.LeftButton, NONE, place)
    settle()
    assert QApplication.focusWidget() is number
    assert frame.ring.focused_widget is None
    QTest.keyClick(handle, Qt.Key.Key_Tab)
    settle()
    now = QApplication.focusWidget()
    assert now is not number
    assert frame.ring.focused_widget is not None
    assert frame.ring.geometry().contains(now.mapTo(frame, now.rect().center()))
