"""Tests that a panel's widgets are built when it is first shown, and work as if they had always been there."""

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from studio.app.core.artwork import Artwork
from studio.app.panels.complete.view import CompleteStage
from studio.app.panels.explore.view import ExploreStage
from studio.app.panels.generate.view import GenerateStage
from studio.app.panels.sound.inspector_view import SoundInspector
from studio.app.panels.sound.view import SoundFoot, SoundStageView
from studio.library.work import Work
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, picture, settle

CONTROL = Qt.KeyboardModifier.ControlModifier
STAGES = {"generate": GenerateStage, "explore": ExploreStage, "complete": CompleteStage, "sound": SoundStageView}


@pytest.fixture(autouse=True)
def models(two_models: Path) -> None:
    """Add a model that completes pictures, and one of recordings."""
    write_model(two_models, make_card("rows", classes=("dark", "light"), family=("pixelcnn", "PixelCNN")))
    write_model(two_models, make_card("hum", (16_000,), family=("wavenet", "WaveNet"), rate=16_000))


def built(studio: OpenedWindow) -> list[str]:
    """Return the panels that have widgets."""
    return [panel for panel, stage in STAGES.items() if studio.window.findChildren(stage)]


def test_no_widget_of_a_panel_exists_before_it_is_shown(studio: OpenedWindow) -> None:
    frame = studio.window
    kinds = (SoundStageView, SoundInspector, SoundFoot)
    assert built(studio) == ["generate"]
    assert [frame.findChildren(kind) for kind in kinds] == [[], [], []]
    QTest.mouseClick(frame.rail.buttons["sound"], Qt.MouseButton.LeftButton)
    settle()
    first = [frame.findChildren(kind) for kind in kinds]
    assert [len(found) for found in first] == [1, 1, 1]
    assert first[0][0].isVisible()
    QTest.keyClick(frame, Qt.Key.Key_1, CONTROL)
    QTest.keyClick(frame, Qt.Key.Key_4, CONTROL)
    assert [frame.findChildren(kind) for kind in kinds] == first, "it is built once"
    assert built(studio) == ["generate", "sound"]


def test_the_window_builds_only_the_panel_in_which_it_was_left(
    studio: OpenedWindow, window_opener: WindowOpener
) -> None:
    studio.state.show_panel("complete")
    studio.window.close()
    again = window_opener()
    assert built(again) == ["complete"]
    assert again.window.panels["complete"].stage.isVisible()


def test_what_was_done_before_a_panel_was_shown_is_seen_and_undone_there(studio: OpenedWindow) -> None:
    studio.start_engine()
    state = studio.state
    state.smoothing.choose_smooth(True)
    state.explore.parameters.new_start(7)
    studio.answer_explore()
    state.explore.parameters.set_slider(0, 1.5)
    state.explore.keep_take()
    state.complete.canvas.open_work(Artwork(picture(200), Work(model="rows", model_hash="", seed=4)))
    assert built(studio) == ["generate"] or state.panel.get() == "complete"
    state.show_panel("explore")
    settle()
    panel = studio.window.panels["explore"]
    sliders = panel.inspector.parameters.sliders  # type: ignore[attr-defined]
    view = panel.stage.page.view  # type: ignore[attr-defined]
    assert view.isVisible()
    assert sliders[0].slider.value() == 1500
    assert studio.window.open_bar.smooth_field.checked_button().text() == "Smooth"  # type: ignore[union-attr]
    assert studio.window.strip.takes.chosen == 0
    for _ in ("the take", "the slider"):
        QTest.keyClick(studio.window, Qt.Key.Key_Z, CONTROL)
    assert sliders[0].slider.value() == 0
    state.show_panel("complete")
    settle()
    assert studio.window.panels["complete"].stage.workspace.isVisible()  # type: ignore[attr-defined]


def test_a_batch_that_runs_is_seen_in_a_panel_that_is_built_meanwhile(
    studio: OpenedWindow, window_opener: WindowOpener
) -> None:
    studio.state.show_panel("complete")
    studio.window.close()
    again = window_opener()
    again.start_engine()
    again.state.generate.parameters.set_number(4)
    again.state.generate.start_batch()
    again.draw_pictures(1, 4)
    assert built(again) == ["complete"]
    again.state.show_panel("generate")
    settle()
    foot = again.window.panels["generate"].foot
    assert foot.main_button.text().strip() == "Stop"  # type: ignore[attr-defined]
    again.draw_pictures(4, 4)
    assert len(again.window.panels["generate"].stage.grid.places) == 4  # type: ignore[attr-defined]
    assert foot.main_button.text().strip() == "Generate"  # type: ignore[attr-defined]


class ShownWindows(QObject):
    """Records the windows that are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.names.add(type(watched).__name__)
        return False


@pytest.mark.parametrize("model", ["tiny", "cycles", "rows"])
def test_no_part_of_a_panel_flashes_as_a_window_while_it_is_built(
    two_models: Path, studio: OpenedWindow, window_opener: WindowOpener, model: str
) -> None:
    write_model(two_models, make_card("cycles", (32,), classes=("dark", "light")))
    studio.state.models.refresh_models()
    for panel in ("generate", "explore", "complete"):
        studio.state.show_panel(panel)
        studio.window.panels[panel].choose_model(model)
    shown = ShownWindows()
    again = window_opener()
    again.window.activateWindow()
    for panel in ("generate", "explore", "complete", "sound"):
        again.state.show_panel(panel)
        settle()
    assert shown.names == {"MainWindow"}
    assert again.window.isActiveWindow()


def region_of(studio: OpenedWindow, widget: QWidget) -> str:
    frame = studio.window
    regions = {"rail": frame.rail, "bar": frame.bars, "stage": frame.stage, "inspector": frame.inspector,
               "strip": frame.strip, "queue": frame.job_box, "message": frame.message}  # fmt: skip
    return next(name for name, region in regions.items() if region.isAncestorOf(widget))


@pytest.mark.parametrize("page", ["", "settings"])
def test_tab_goes_through_the_regions_in_order_in_a_panel_that_was_built_late(
    studio: OpenedWindow, qtbot: QtBot, page: str
) -> None:
    frame = studio.window
    frame.activateWindow()
    for panel in ("sound", "explore", "complete", "generate"):
        studio.state.show_panel(panel)
        if page:
            frame.toggle_page(page)
        settle()
        start = frame.rail.buttons[panel]
        start.setFocus(Qt.FocusReason.TabFocusReason)
        passed = ["rail"]
        for _ in range(200):
            QTest.keyClick(frame.windowHandle(), Qt.Key.Key_Tab)
            now = QApplication.focusWidget()
            assert now is not None
            if now is start:
                break
            if region_of(studio, now) != passed[-1]:
                passed.append(region_of(studio, now))
        assert now is start, "Tab goes round"
        order = ["rail", "bar", "stage", "inspector", "strip", "queue", "message"]
        assert passed == [name for name in order if name in passed], panel
        assert {"rail", "bar", "inspector", "strip"} <= set(passed), (panel, passed)


def test_larger_text_leaves_a_bar_that_was_built_late_as_one_that_was_there(
    studio: OpenedWindow, window_opener: WindowOpener
) -> None:
    def seen(opened: OpenedWindow) -> list[tuple[str, int]]:
        opened.state.show_panel("complete")
        settle()
        bar = opened.window.open_bar
        return [(part.accessibleName(), part.width()) for part in bar.findChildren(QWidget) if part.isVisible()]

    studio.window.resize(1024, 700)
    seen(studio)
    studio.state.preferences.text_size.set(150)
    settle()
    grown = seen(studio)
    studio.state.show_panel("generate")
    again = window_opener()
    again.window.resize(1024, 700)
    settle()
    assert seen(again) == grown
