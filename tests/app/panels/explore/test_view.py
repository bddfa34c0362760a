"""Tests Explore: sliders, temperatures, starts, the user's own pictures, takes; controls and the state."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from studio.app.panels.explore.view import PICTURE_FOLLOWS, ExploreFoot, ExploreInspector, ExploreStage
from studio.media import export
from studio.media.pictures.image import OpenedPicture
from studio.wire.messages import DecodeLatent, Encode
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, drag, picture, settle


def parts(studio: OpenedWindow) -> tuple[ExploreStage, ExploreInspector, ExploreFoot]:
    panel = studio.window.panels["explore"]
    assert isinstance(panel.stage, ExploreStage)
    assert isinstance(panel.inspector, ExploreInspector)
    assert isinstance(panel.foot, ExploreFoot)
    return panel.stage, panel.inspector, panel.foot


@pytest.fixture
def exploring(studio: OpenedWindow) -> OpenedWindow:
    """Open Explore with a picture on the stage."""
    studio.state.show_panel("explore")
    studio.start_engine()
    studio.state.explore.parameters.new_start(7)
    studio.answer_explore()
    settle()
    return studio


def bring(studio: OpenedWindow, qtbot: QtBot, tmp_path: Path, name: str = "rose.png") -> None:
    path = tmp_path / name
    path.write_bytes(export.encode_png_bytes(picture(50, (20, 30, 3))))
    studio.state.open_dropped([path])
    qtbot.waitUntil(lambda: studio.state.explore.importing.preview.get() is not None)


def test_an_empty_stage_explains_how_to_begin(studio: OpenedWindow) -> None:
    stage, _, foot = parts(studio)
    studio.state.show_panel("explore")
    assert stage.currentIndex() == 0
    assert not foot.keep.isEnabled()
    assert not foot.export.isEnabled()
    studio.state.explore.parameters.new_start(7)
    studio.start_engine()
    studio.answer_explore()
    assert stage.currentWidget() is stage.page
    assert foot.keep.isEnabled()
    assert stage.badge.detail.text() == "Seed 7, every slider at home"


def test_a_picture_follows_only_if_one_was_asked_for(studio: OpenedWindow) -> None:
    stage, _, _ = parts(studio)
    studio.state.show_panel("explore")
    for said in (False, True):
        visible = [label.text() for label in stage.findChildren(QLabel) if label.isVisible()]
        assert (PICTURE_FOLLOWS in visible) is said
        studio.state.explore.parameters.new_start(7)


@pytest.fixture
def alone(two_models: Path) -> None:
    """Add `alone`, which has no directions, as the first model."""
    write_model(two_models, replace(make_card("alone", classes=("a", "b")), directions=()))


def test_an_empty_stage_explains_why_it_skips_the_first_model(alone: None, window_opener: WindowOpener) -> None:
    studio = window_opener()
    stage, _, _ = parts(studio)
    studio.state.show_panel("explore")
    said = [label.text() for label in stage.findChildren(QLabel) if label.isVisible()]
    assert 'Explore begins with "Tiny": "Alone" draws at once and has no sliders.' in said
    studio.state.explore.choose_model("tones")
    assert not any("begins with" in label.text() for label in stage.findChildren(QLabel) if label.isVisible())


def test_the_list_of_models_marks_those_without_sliders(alone: None, window_opener: WindowOpener) -> None:
    studio = window_opener()
    for panel, said in (("explore", ["No sliders", ""]), ("generate", ["", ""])):
        studio.state.show_panel(panel)
        studio.window.open_bar.picker.open_list()
        popup = studio.window.open_bar.picker.model_popup
        assert popup is not None
        names = [popup.cards.index_of(name).data(Qt.ItemDataRole.AccessibleTextRole) for name in ("alone", "tiny")]
        assert ["No sliders" if "No sliders" in name else "" for name in names] == said
        popup.close()


def test_a_model_without_directions_shows_a_note_and_no_empty_section(alone: None, window_opener: WindowOpener) -> None:
    studio = window_opener()
    stage, inspector, _ = parts(studio)
    studio.state.show_panel("explore")
    studio.state.explore.choose_model("alone")
    studio.state.explore.parameters.new_start(7)
    studio.start_engine()
    studio.answer_explore()
    words = [label.text() for label in inspector.parameters.findChildren(QLabel) if label.isVisible()]
    assert '"Alone" draws at once and has no sliders. Its start and temperature can be changed.' in words
    assert not inspector.parameters.fold.isVisible()
    assert not inspector.parameters.all_home.isVisible()
    assert stage.badge.detail.text() == "Seed 7"
    assert inspector.parameters.replacement.text() == 'Explore with "Tiny"'
    inspector.parameters.replacement.click()
    assert studio.state.explore.model.get().card.name == "tiny"
    assert inspector.parameters.all_home.isVisible() and not inspector.parameters.replacement.isVisible()


def test_a_dragged_slider_asks_and_the_state_moves_the_slider(exploring: OpenedWindow) -> None:
    _, inspector, _ = parts(exploring)
    state, slider = exploring.state.explore, inspector.parameters.sliders[1]
    drag(slider.slider, [slider.slider._position_of(0), slider.slider._position_of(1), slider.slider._position_of(2)])
    assert state.parameters.sliders.get()[1] == pytest.approx(2, abs=0.03)
    asked = exploring.engine.sent[-1]
    assert isinstance(asked, DecodeLatent)
    assert asked.sliders[1] > 0
    state.parameters.set_slider(0, -1.5)
    assert inspector.parameters.sliders[0].value.text() == "−1.50"
    QTest.mouseClick(inspector.parameters.all_home, Qt.MouseButton.LeftButton)
    assert state.parameters.sliders.get() == (0.0, 0.0, 0.0)
    assert not inspector.parameters.all_home.isEnabled()


def test_a_drag_is_undone_in_one_step(exploring: OpenedWindow) -> None:
    _, inspector, _ = parts(exploring)
    state, slider = exploring.state.explore, inspector.parameters.sliders[0]
    drag(slider.slider, [slider.slider._position_of(value) for value in (0, 0.5, 1, 1.5, 2)])
    assert exploring.window.open_bar.undo.toolTip().startswith("Undo direction 1")
    QTest.keyClick(exploring.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert state.parameters.sliders.get()[0] == 0
    exploring.state.redo()
    assert state.parameters.sliders.get()[0] == pytest.approx(2, abs=0.03)


def test_each_scale_has_its_temperature(exploring: OpenedWindow) -> None:
    _, inspector, _ = parts(exploring)
    state, dials = exploring.state.explore, inspector.parameters.temperatures
    assert [dial.name.text() for dial in dials] == ["Coarse", "Middle", "Fine"]
    assert dials[2].slider.accessibleName() == "Temperature, fine"
    assert dials[2].slider.toolTip() == "Set how far details differ from the typical"
    drag(dials[2].slider, [dials[2].slider._position_of(0.7), dials[2].slider._position_of(1.4)])
    assert state.parameters.temperatures.get()[2] == pytest.approx(1.4, abs=0.05)
    assert state.parameters.temperatures.get()[:2] == (0.7, 0.7)
    assert inspector.parameters.temperatures_home.text() == "0.70 everywhere"
    QTest.mouseClick(inspector.parameters.temperatures_home, Qt.MouseButton.LeftButton)
    assert state.parameters.temperatures.get() == (0.7, 0.7, 0.7)
    state.parameters.set_temperature(0, 1.1)
    assert dials[0].value.text() == "1.10"


def test_another_model_brings_its_own_sliders(exploring: OpenedWindow) -> None:
    _, inspector, _ = parts(exploring)
    exploring.state.explore.choose_model("tones")
    settle()
    assert [dial.name.text() for dial in inspector.parameters.temperatures] == ["Temperature"]
    assert inspector.parameters.temperatures_home.text() == "0.70 again"


def test_quieter_directions_are_folded_until_one_is_moved(window_opener: WindowOpener, two_models: Path) -> None:
    import msgspec

    many = msgspec.structs.replace(make_card("many"), directions=tuple(str(n + 1) for n in range(12)))
    write_model(two_models, many)
    studio = window_opener()
    studio.state.show_panel("explore")
    studio.state.explore.choose_model("many")
    _, inspector, _ = parts(studio)
    directions = inspector.parameters
    assert [slider.isVisible() for slider in directions.sliders] == [True] * 8 + [False] * 4
    assert directions.fold.text().strip() == "4 quieter directions"
    QTest.mouseClick(directions.fold, Qt.MouseButton.LeftButton)
    assert all(slider.isVisible() for slider in directions.sliders)
    QTest.mouseClick(directions.fold, Qt.MouseButton.LeftButton)
    studio.state.explore.parameters.set_slider(10, 1.0)
    assert directions.sliders[10].isVisible()


def test_a_direction_gets_a_name(exploring: OpenedWindow) -> None:
    _, inspector, _ = parts(exploring)
    slider = inspector.parameters.sliders[0]
    QTest.keyClick(slider.slider, Qt.Key.Key_F2)
    field = next(f for f in slider.findChildren(QLineEdit) if f.accessibleName() == "Name of 1")
    field.selectAll()
    QTest.keyClicks(field, "Warmth")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert exploring.state.explore.parameters.names.get()[0] == "Warmth"
    assert slider.name.text() == "Warmth"
    assert slider.slider.accessibleName() == "Warmth, direction 1 of 3"


def test_a_photo_is_cropped_with_a_preview_and_comes_back_exactly(
    exploring: OpenedWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    stage, inspector, foot = parts(exploring)
    bring(exploring, qtbot, tmp_path)
    settle()
    assert stage.currentIndex() == 2
    assert inspector.currentWidget() is inspector.import_section
    assert stage.crop.caption.text().startswith("rose.png · 30 × 20")
    assert inspector.import_section.seen.shown_picture is not None
    assert inspector.import_section.seen.shown_picture.shape == (8, 8, 3)
    QTest.mouseClick(foot.use, Qt.MouseButton.LeftButton)
    assert isinstance(exploring.engine.sent[-1], Encode)
    assert (foot.use.text(), foot.use.isEnabled()) == ("Checking", False)
    exploring.answer_encoding()
    exploring.answer_explore()
    settle()
    assert stage.currentWidget() is stage.page
    assert stage.badge.text.text() == "Exact"
    assert stage.badge.detail.text().endswith("rose.png comes back byte for byte")
    assert stage.badge.accessibleName().startswith("Exact: with every slider at home")


def test_values_that_differ_are_counted(exploring: OpenedWindow, qtbot: QtBot, tmp_path: Path) -> None:
    stage, _, foot = parts(exploring)
    bring(exploring, qtbot, tmp_path)
    QTest.mouseClick(foot.use, Qt.MouseButton.LeftButton)
    exploring.answer_encoding(differing=12)
    assert stage.badge.text.text() == "12 of 192 values differ by 1"
    assert stage.badge.text.property("role") == "warn"
    assert stage.badge.detail.text() == "with every slider at home. Your file is untouched"


@pytest.mark.parametrize(("farthest", "is_said"), [(9.0, False), (9e5, False), (3e9, True)])
def test_a_picture_that_is_too_unlike_the_training_data_says_so(
    exploring: OpenedWindow, qtbot: QtBot, tmp_path: Path, farthest: float, is_said: bool
) -> None:
    stage, _, foot = parts(exploring)
    bring(exploring, qtbot, tmp_path)
    QTest.mouseClick(foot.use, Qt.MouseButton.LeftButton)
    exploring.answer_encoding(differing=12, farthest=farthest)
    why = "because this picture is too unlike the training data" if is_said else "with every slider at home"
    assert stage.badge.detail.text() == f"{why}. Your file is untouched"


def test_the_frame_is_dragged_and_how_it_is_cut_is_chosen(
    exploring: OpenedWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    stage, inspector, foot = parts(exploring)
    bring(exploring, qtbot, tmp_path)
    settle()
    crop = stage.crop.view
    left, _, right, _ = crop.crop_box
    assert (left, right) == pytest.approx((1 / 6, 5 / 6))
    QTest.keyClick(crop, Qt.Key.Key_Left, Qt.KeyboardModifier.NoModifier)
    qtbot.waitUntil(lambda: exploring.state.explore.importing.preview.get().box is not None)
    assert exploring.state.explore.importing.preview.get().box[0] == pytest.approx(1 / 6 - 0.05)
    frame = crop._crop_rect()
    at = QPointF(frame.center())
    QTest.mousePress(crop, Qt.MouseButton.LeftButton, pos=at.toPoint())
    QTest.mouseMove(crop, at.toPoint().__class__(crop.width(), at.toPoint().y()))
    QTest.mouseRelease(crop, Qt.MouseButton.LeftButton)
    assert crop.crop_box[2] == pytest.approx(1.0)
    for how in ("fit", "pad", "crop"):
        QTest.mouseClick(inspector.import_section.fit_field.button_of(how), Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda how=how: exploring.state.explore.importing.preview.get().mode == how)
    QTest.mouseClick(foot.cancel, Qt.MouseButton.LeftButton)
    assert exploring.state.explore.importing.preview.get() is None
    assert stage.currentWidget() is stage.page


def test_a_huge_photo_is_thinned_before_it_is_drawn(exploring: OpenedWindow, qtbot: QtBot) -> None:
    stage, _, _ = parts(exploring)
    tall = np.zeros((9000, 300, 3), np.uint8)
    exploring.state.explore.importing.set_preview(OpenedPicture(tall, "tall.png", ()))
    qtbot.waitUntil(lambda: exploring.state.explore.importing.preview.get() is not None)
    assert max(stage.crop.view._image.width(), stage.crop.view._image.height()) <= 2250


def test_takes_are_kept_shown_and_taken_off(exploring: OpenedWindow) -> None:
    _, _, foot = parts(exploring)
    strip = exploring.window.strip
    QTest.mouseClick(foot.keep, Qt.MouseButton.LeftButton)
    exploring.state.explore.parameters.set_slider(0, 1.0)
    exploring.answer_explore(120)
    QTest.keyClick(exploring.window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    settle()
    assert strip.list.rows.rowCount() == 2
    assert strip.list.currentIndex().row() == 1
    place = strip.list.visualRect(strip.list.rows.index(0)).center()
    QTest.mouseClick(strip.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert exploring.state.explore.parameters.sliders.get()[0] == 0
    assert (
        strip.list.rows.data(strip.list.rows.index(0), Qt.ItemDataRole.AccessibleTextRole) == "Take 1, seed 7, chosen"
    )
    strip.list.setCurrentIndex(strip.list.rows.index(1))
    QTest.keyClick(strip.list, Qt.Key.Key_Delete)
    assert len(exploring.state.explore.selection.takes.get()) == 1
    exploring.state.undo()
    assert strip.list.rows.rowCount() == 2


def test_export_saves_to_the_chosen_file(exploring: OpenedWindow, qtbot: QtBot, tmp_path: Path) -> None:
    _, _, foot = parts(exploring)
    QTest.mouseClick(foot.export, Qt.MouseButton.LeftButton)
    dialog = exploring.window.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.selectedFiles()[0].endswith("tiny-7.png")
    dialog.fileSelected.emit(str(tmp_path / "rose.png"))
    dialog.reject()
    qtbot.waitUntil(lambda: exploring.state.messages.current.get() is not None)
    assert exploring.window.message.first.text() == 'Saved "rose.png" with its recipe inside.'
    assert (tmp_path / "rose.png").read_bytes().startswith(b"\x89PNG")


def test_captions_stand_below_the_picture(exploring: OpenedWindow) -> None:
    stage, _, _ = parts(exploring)
    view, badge = stage.page.view, stage.badge
    bottom = view.y() + view.shown_rect().bottom()
    assert badge.y() > bottom
    assert badge.geometry().bottom() <= stage.height()
    assert badge.x() == pytest.approx(view.shown_rect().x(), abs=1)
    assert badge.scale.text() == f"{view.pixel_size()}×"
    assert QApplication.focusWidget() is not badge
