"""Tests Generate: controls change the state, the state changes the controls, in every state of the panel."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from studio.app.panels.generate.view import GenerateFoot, GenerateInspector, GenerateStage
from studio.wire.messages import Failed, PicturesPreview, Ready, Sample, Stopped
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, drag, right_click, settle


def parts(studio: OpenedWindow) -> tuple[GenerateStage, GenerateInspector, GenerateFoot]:
    panel = studio.window.panels["generate"]
    assert isinstance(panel.stage, GenerateStage)
    assert isinstance(panel.inspector, GenerateInspector)
    assert isinstance(panel.foot, GenerateFoot)
    return panel.stage, panel.inspector, panel.foot


def sent(studio: OpenedWindow) -> Sample:
    asked = studio.engine.sent[-1]
    assert isinstance(asked, Sample)
    return asked


def test_the_first_picture_is_two_clicks_away(studio: OpenedWindow) -> None:
    stage, inspector, foot = parts(studio)
    studio.start_engine()
    assert stage.currentWidget() is stage.first_launch
    assert inspector.card.title.text() == "Tiny"
    cards = stage.first_launch.cards
    QTest.mouseClick(
        cards.viewport(), Qt.MouseButton.LeftButton, pos=cards.visualRect(cards.model().index(1, 0)).center()
    )
    assert studio.state.generate.model.get().card.name == "tones"
    assert inspector.card.title.text() == "Tones"
    QTest.mouseClick(foot.main_button, Qt.MouseButton.LeftButton)
    assert sent(studio).model == "tones"


def test_controls_and_state_follow_each_other(studio: OpenedWindow) -> None:
    _, inspector, _ = parts(studio)
    state = studio.state.generate
    inspector.parameters.number.setValue(24)
    assert state.parameters.number.get() == 24
    state.parameters.set_number(9)
    assert inspector.parameters.number.value() == 9
    groove = inspector.parameters.temperature.slider
    drag(groove, [groove._position_of(0.7), groove._position_of(1.5)])
    assert state.parameters.temperature.get() == pytest.approx(1.5, abs=0.02)
    state.parameters.set_temperature(0.25)
    assert inspector.parameters.temperature.value.text() == "0.25"
    QTest.keyClick(groove, Qt.Key.Key_Delete)
    assert state.parameters.temperature.get() == 0.7
    before = state.parameters.seed.get()
    QTest.mouseClick(inspector.parameters.seed.dice, Qt.MouseButton.LeftButton)
    assert state.parameters.seed.get() != before
    QTest.mouseClick(inspector.parameters.seed.lock, Qt.MouseButton.LeftButton)
    assert state.parameters.locked.get()
    state.parameters.lock_seed(False)
    assert not inspector.parameters.seed.lock.isChecked()


def test_a_seed_is_typed_and_a_bad_one_is_refused(studio: OpenedWindow) -> None:
    _, inspector, _ = parts(studio)
    field = inspector.parameters.seed.field
    field.selectAll()
    QTest.keyClicks(field, "4112")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert studio.state.generate.parameters.seed.get() == 4112
    assert field.text() == "4\u202f112"
    field.selectAll()
    QTest.keyClicks(field, "no such seed")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert studio.state.generate.parameters.seed.get() == 4112
    assert inspector.parameters.seed.error.isVisible()
    assert "4112 is kept" in inspector.parameters.seed.error.text()
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert not inspector.parameters.seed.error.isVisible()
    assert field.text() == "4\u202f112"


def test_a_drag_of_the_temperature_is_one_step_of_undo(studio: OpenedWindow) -> None:
    _, inspector, _ = parts(studio)
    groove = inspector.parameters.temperature.slider
    drag(
        groove, [groove._position_of(0.7), groove._position_of(1.0), groove._position_of(1.2), groove._position_of(1.6)]
    )
    QTest.mouseClick(studio.window.open_bar.undo, Qt.MouseButton.LeftButton)
    assert studio.state.generate.parameters.temperature.get() == 0.7
    assert not studio.window.open_bar.undo.isEnabled()
    assert studio.window.open_bar.redo.toolTip().startswith("Redo temperature")


def test_pictures_form_and_stop_is_the_main_button(studio: OpenedWindow) -> None:
    stage, _, foot = parts(studio)
    studio.state.generate.parameters.set_number(4)
    QTest.mouseClick(foot.main_button, Qt.MouseButton.LeftButton)
    assert (foot.main_button.text().strip(), foot.main_button.isEnabled()) == ("Starts when ready", False)
    assert stage.caption.first.text() == "The engine is starting"
    studio.start_engine()
    assert (foot.main_button.text().strip(), foot.main_button.property("role")) == ("Stop", "stop")
    studio.draw_pictures(2, 5)
    assert stage.caption.first.text() == "Step 2 of 5"
    assert [place.cell.done for place in stage.grid.places] == [2] * 4
    assert studio.window.job_box.first_job.isVisible()
    QTest.mouseClick(foot.main_button, Qt.MouseButton.LeftButton)
    assert studio.engine.stopped == [sent(studio).job]
    studio.engine.emit_events(Stopped(job=sent(studio).job))
    assert foot.main_button.text() == "Generate"
    assert "4 half-drawn" in studio.window.message.first.text() + studio.window.message.rest.text()
    assert stage.caption.continue_link.isVisibleTo(stage.currentWidget())
    QTest.mouseClick(stage.caption.continue_link, Qt.MouseButton.LeftButton)
    studio.draw_pictures()
    assert all(place.cell.finished for place in stage.grid.places)
    assert not stage.caption.continue_link.isVisible()
    assert not studio.window.job_box.first_job.isVisible()


def test_rows_appear_above_a_line_and_nothing_jumps(window_opener: WindowOpener, two_models: Path) -> None:
    write_model(two_models, make_card("rows", (3, 12, 8), family=("pixelcnn", "PixelCNN")))
    studio = window_opener()
    studio.state.generate.choose_model("rows")
    stage, _, _ = parts(studio)
    studio.start_engine()
    studio.state.generate.parameters.set_number(4)
    studio.state.generate.start_batch()
    settle()
    empty = [stage.grid.visualRect(stage.grid.model().index(row, 0)) for row in range(4)]
    pictures = np.full((4, 12, 8, 3), 200, np.uint8)
    studio.engine.emit_events(PicturesPreview(job=sent(studio).job, first=0, pictures=pictures, done=3, total=13))
    settle()
    assert [stage.grid.visualRect(stage.grid.model().index(row, 0)) for row in range(4)] == empty
    assert stage.caption.first.text() == "Row \N{FIGURE SPACE}3 of 12"
    seen, cell = stage.grid.viewport().grab().toImage(), stage.grid.cell_size()
    middle = empty[0].center()
    top = middle.y() - cell.height() // 2
    colours = [seen.pixelColor(middle.x(), top + round(cell.height() * row / 12) + 1).name() for row in (2, 3, 5, 11)]
    assert colours == ["#c8c8c8", studio.theme.tokens.accent.lower(), *[studio.theme.tokens.window.lower()] * 2]


def test_a_failure_keeps_drawn_pictures_and_shows_a_message(studio: OpenedWindow) -> None:
    stage, _, _ = parts(studio)
    studio.start_engine()
    studio.state.generate.start_batch()
    studio.draw_pictures(1, 5)
    studio.engine.emit_events(
        Failed(job=sent(studio).job, reason="Memory ran out.", hint="Make fewer pictures at once.")
    )
    assert studio.window.message.isVisible()
    assert studio.window.message.first.text() == "Memory ran out."
    assert studio.window.message.rest.text() == "Make fewer pictures at once."
    assert studio.window.message.buttons[0].text() == "Try again"
    assert all(place.cell.picture is not None for place in stage.grid.places)
    QTest.mouseClick(studio.window.message.buttons[0], Qt.MouseButton.LeftButton)
    assert not studio.window.message.isVisible()
    assert len(studio.engine.sent) == 2


def test_a_picture_is_chosen_enlarged_and_left(studio: OpenedWindow) -> None:
    stage, _, _ = parts(studio)
    studio.start_engine()
    studio.state.generate.parameters.set_number(4)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    settle()
    place = stage.grid.visualRect(stage.grid.model().index(2, 0)).center()
    QTest.mouseClick(stage.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert studio.state.generate.chosen.get() == 2
    QTest.keyClick(stage.grid, Qt.Key.Key_Return)
    assert stage.currentWidget() is stage.page
    assert stage.enlarged_caption.words.text().startswith("Picture 3 of 4 · seed")
    assert stage.enlarged_caption.words.text().endswith("1,443 bits")
    stage.show_next(1)
    assert studio.state.generate.enlarged.index.get() == 3
    studio.window.activateWindow()
    stage.page.view.setFocus()
    QTest.keyClick(stage.page.view, Qt.Key.Key_Escape)
    assert studio.state.generate.enlarged.index.get() is None
    assert stage.currentIndex() == 1


@pytest.mark.parametrize(("width", "number"), [(1440, 4), (1800, 6), (1024, 16)])
def test_a_right_click_takes_the_cell_under_the_pointer(studio: OpenedWindow, width: int, number: int) -> None:
    studio.window.resize(width, 900)
    stage, _, _ = parts(studio)
    studio.start_engine()
    studio.state.generate.parameters.set_number(number)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    settle()
    grid = stage.grid
    if width > 1024:
        assert grid.viewport().x() > 40, "the grid has a margin at its side"
    for place in range(number):
        at = grid.visualRect(grid.model().index(place, 0)).center()
        menu = right_click(grid, at)
        assert menu is not None
        assert studio.state.generate.chosen.get() == place
        menu.close()


def test_an_open_menu_is_enabled_when_its_picture_is_finished(studio: OpenedWindow) -> None:
    stage, _, _ = parts(studio)
    studio.start_engine()
    studio.state.generate.parameters.set_number(1)
    studio.state.generate.start_batch()
    studio.draw_pictures(done=1, total=2)
    settle()
    menu = right_click(stage.grid, stage.grid.visualRect(stage.grid.model().index(0, 0)).center())
    assert menu is not None
    keep = next(action for action in menu.actions() if action.text() == "Keep as take")
    assert not keep.isEnabled()
    studio.draw_pictures()
    assert keep.isEnabled()
    menu.close()


def test_the_time_below_generate_mentions_a_longer_first_run(two_models: Path, window_opener: WindowOpener) -> None:
    rows = make_card("rows", (3, 16, 8), family=("pixelcnn", "PixelCNN"))
    write_model(two_models, msgspec.structs.replace(rows, seconds_each=0.5))
    studio = window_opener()
    _, _, foot = parts(studio)
    studio.engine.emit_events(Ready(device="Paper", uncompiled_loops=("pixels",)))
    studio.state.generate.choose_model("rows")
    assert foot.time.text().endswith("takes longer.")
    studio.engine.emit_events(Ready(device="Paper"))
    assert foot.time.text()
    assert "longer" not in foot.time.text()


def test_a_right_click_on_a_take_opens_its_menu_at_the_pointer(studio: OpenedWindow) -> None:
    studio.start_engine()
    studio.state.generate.start_batch()
    studio.draw_pictures()
    for index in (0, 1):
        studio.state.generate.keep_take(index)
    settle()
    takes = studio.window.strip.list
    at = takes.visualRect(takes.model().index(1, 0)).topLeft() + QPoint(9, 7)
    menu = right_click(takes, at)
    assert menu is not None
    menu.close()


def test_save_all_asks_for_a_folder_and_saves(studio: OpenedWindow, tmp_path: Path) -> None:
    stage, _, foot = parts(studio)
    assert not foot.save_all.isVisible()
    studio.start_engine()
    studio.state.generate.parameters.set_number(3)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    assert foot.save_all.isVisible()
    QTest.mouseClick(foot.save_all, Qt.MouseButton.LeftButton)
    dialog = studio.window.findChild(QFileDialog)
    assert dialog is not None
    (tmp_path / "rose").mkdir()
    dialog.fileSelected.emit(str(tmp_path / "rose"))
    dialog.reject()
    studio.state.exporter.close()
    assert len(list((tmp_path / "rose").glob("tiny-*.png"))) == 3
    assert studio.state.folders.for_saving() == tmp_path / "rose"


def test_keeping_a_picture_lays_it_on_the_strip(studio: OpenedWindow) -> None:
    studio.start_engine()
    studio.state.generate.start_batch()
    studio.draw_pictures()
    studio.state.generate.choose_cell(1)
    assert studio.window.strip.hint.isVisible()
    QTest.mouseClick(studio.window.strip.keep, Qt.MouseButton.LeftButton)
    assert len(studio.state.explore.selection.takes.get()) == 1
    assert not studio.window.strip.hint.isVisible()
    assert studio.state.panel.get() == "generate"
    studio.window.strip.take_chosen.emit(0)
    assert studio.state.panel.get() == "generate"
    assert parts(studio)[0].enlarged_caption.words.text().startswith("Take 1 · seed")
    studio.state.show_panel("explore")
    studio.window.strip.take_chosen.emit(0)
    assert studio.state.explore.render.picture.get() is not None


def test_classes_bring_a_choice_of_class(window_opener: WindowOpener, two_models: Path) -> None:
    import msgspec

    write_model(two_models, msgspec.structs.replace(make_card("kinds"), classes=("Monster", "dark_flower")))
    studio = window_opener()
    _, inspector, _ = parts(studio)
    assert studio.state.generate.model.get().card.name == "kinds"
    assert inspector.parameters.class_field.isVisible()
    inspector.parameters.class_field.setCurrentIndex(2)
    assert inspector.parameters.class_field.currentText() == "dark flower"
    inspector.parameters.class_field.activated.emit(2)
    assert studio.state.generate.parameters.label.get() == 1
    studio.state.generate.parameters.set_label(None)
    assert inspector.parameters.class_field.currentText() == "Any"
    studio.state.generate.choose_model("tiny")
    assert not inspector.parameters.class_field.isVisible()


def test_without_a_model_the_stage_explains_what_to_do(window_opener: WindowOpener, two_models: Path) -> None:
    for path in two_models.glob("*.safetensors"):
        path.unlink()
    studio = window_opener()
    stage, inspector, foot = parts(studio)
    assert not foot.main_button.isEnabled()
    assert not stage.first_launch.cards.isVisible()
    assert stage.first_launch.add.isVisible()
    assert inspector.card.title.text() == "No model is here yet"
    assert studio.window.open_bar.picker.accessibleName() == "No model"


def test_a_second_model_is_mixed_in_if_one_fits(studio: OpenedWindow, studio_home: Path) -> None:
    _, inspector, _ = parts(studio)
    generate = studio.state.generate
    for name in ("dots", "dashes"):
        write_model(studio_home / "models", make_card(name, family=("pixelcnn", "PixelCNN")))
    studio.state.models.refresh_models()
    assert inspector.parameters.mix.isHidden() or not inspector.parameters.mix.isVisibleTo(inspector)
    generate.choose_model("dots")
    assert [inspector.parameters.mix.itemText(place) for place in range(inspector.parameters.mix.count())] == [
        "None",
        "Dashes",
    ]
    assert not inspector.parameters.share.isVisibleTo(inspector)
    inspector.parameters.mix.activated.emit(1)
    assert generate.parameters.mix.name.get() == "dashes"
    assert inspector.parameters.share.isVisibleTo(inspector)
    groove = inspector.parameters.share.slider
    drag(groove, [groove._position_of(0.5), groove._position_of(0.9)])
    assert generate.parameters.mix.share.get() == pytest.approx(0.9, abs=0.02)
    generate.history.undo()
    assert generate.parameters.mix.share.get() == 0.5
    generate.history.undo()
    assert (inspector.parameters.mix.currentText(), inspector.parameters.mix.count()) == ("None", 2)
