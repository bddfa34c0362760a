"""Tests the widgets of Train: one click for each control, in every state of the panel."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from studio.app.panels.train.bar_view import TrainBar
from studio.app.panels.train.inspector_view import TrainInspector
from studio.app.panels.train.runs_view import RunRow, SamplePicture, SmallCurve
from studio.app.panels.train.view import TrainFoot, TrainStage
from studio.app.widgets.controls import ElidedLabel, SegmentedControl
from studio.app.window.job_list import progress_text
from studio.library import runs, storage
from studio.wire.messages import PrepareTraining, SteerTraining, Train, TrainingSamples
from tests.app.fake_model import make_card, write_model
from tests.app.panels.train import bench
from tests.app.panels.train.bench import TrainBench
from tests.app.window.test_layout import SIZES, cut, overlaps, resize
from tests.app.window_fixtures import OpenedWindow, settle

LEFT = Qt.MouseButton.LeftButton


class Parts:
    """Holds the widgets of the panel, and answers as the engine."""

    def __init__(self, studio: OpenedWindow) -> None:
        self.studio = studio
        self.bench = TrainBench(studio.state, studio.engine)
        self.state = studio.state.train
        studio.start_engine()
        studio.state.show_panel("train")
        settle()
        panel = studio.window.panels["train"]
        assert isinstance(panel.stage, TrainStage) and isinstance(panel.inspector, TrainInspector)
        assert isinstance(panel.foot, TrainFoot) and isinstance(panel.bar, TrainBar)
        self.stage = panel.stage
        self.inspector = panel.inspector
        self.foot = panel.foot
        self.bar = panel.bar

    def click(self, widget: QWidget) -> None:
        """Click a widget that can be seen."""
        assert widget.isVisible() and widget.isEnabled()
        QTest.mouseClick(widget, LEFT)
        settle()


@pytest.fixture
def parts(studio: OpenedWindow) -> Parts:
    return Parts(studio)


def test_an_empty_panel_asks_for_a_folder(parts: Parts, folder: Path) -> None:
    assert parts.stage.currentWidget() is parts.stage.empty
    assert not parts.foot.main_button.isEnabled()
    parts.click(parts.stage.choose)
    (dialog,) = parts.studio.window.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(folder))
    dialog.reject()
    parts.bench.examine()
    settle()
    assert parts.stage.currentWidget() is parts.stage.folder
    assert parts.bar.facts.text() == "from garden"


def test_the_folder_is_shown_with_counts_sentences_and_thumbnails(parts: Parts, folder: Path, qtbot: QtBot) -> None:
    parts.bench.open_folder(folder)
    page = parts.stage.folder
    qtbot.waitUntil(lambda: page.title.text() == "20 pictures to learn from")
    assert len(page.thumbnails.numbers) == 20
    parts.click(page.filter.button_of("alike"))
    assert page.thumbnails.numbers == [1, 2]
    parts.click(page.filter.button_of("odd"))
    assert page.thumbnails.numbers == [3]
    parts.click(page.filter.button_of("unused"))
    shown = page.files.model()
    assert [shown.index(0, column).data() for column in (0, 1)] == ["notes.txt", "skipped: is not a picture"]
    assert page.filter.button_of("all").text() == "Thumbnails"
    assert page.filter.button_of("list").text() == "Table"
    parts.click(page.filter.button_of("all"))
    index = page.thumbnails.model().index(5, 0)
    QTest.mouseClick(page.thumbnails.viewport(), LEFT, pos=page.thumbnails.visualRect(index).center())
    assert parts.state.folder.left_out_count == 1
    qtbot.waitUntil(lambda: page.title.text() == "19 pictures to learn from")


def test_three_clicks_lead_from_a_folder_to_a_running_training(parts: Parts, folder: Path) -> None:
    parts.bench.open_folder(folder)  # the drop is the first
    parts.click(parts.foot.main_button)  # the second, even before anything was measured
    parts.bench.prepare()
    parts.bench.learn(1, 8.0)
    settle()
    assert parts.bench.count(Train) == 1
    assert parts.stage.currentWidget() is parts.stage.watch
    assert parts.foot.main_button.text().strip() == "Pause"


def test_each_setting_has_a_control(parts: Parts, folder: Path) -> None:
    parts.bench.open_folder(folder)
    parts.bench.prepare()
    settle()
    model = parts.inspector.model
    preparation = parts.inspector.preparation
    settings = parts.state.settings
    parts.click(model.preset.button_of("small"))
    assert settings.preset.get() == "small"
    parts.click(preparation.fold)
    parts.click(preparation.colours.button_of("grey"))
    assert settings.grey.get()
    preparation.picture_size.setCurrentIndex(preparation.picture_size.findData(64))
    preparation.picture_size.activated.emit(preparation.picture_size.currentIndex())
    assert settings.size.get() == 64
    model.family.setCurrentIndex(model.family.findData("pixelcnn_pp"))
    model.family.activated.emit(model.family.currentIndex())
    assert settings.family.get() == "pixelcnn_pp"
    assert model.family.currentText() == "Complete and grow: PixelCNN++"
    QTest.keyClicks(model.name, "Roses")
    QTest.keyClick(model.name, Qt.Key.Key_Return)
    assert settings.title.get() == "Roses"
    parts.click(model.ending.button_of("steps"))
    assert not settings.stops_early.get()
    parts.bench.prepare()
    asked = parts.bench.newest(PrepareTraining)
    assert (asked.family, asked.preset, asked.shape) == ("pixelcnn_pp", "small", (1, 64, 64))
    assert asked.plan == {"patience": 0}


def test_the_costs_are_shown(parts: Parts, folder: Path) -> None:
    parts.bench.open_folder(folder)
    parts.bench.prepare(seconds=0.3)
    settle()
    assert parts.inspector.model.cost.text() == "about 10 min · 20 MB memory · 9 MB disk"
    parts.state.settings.choose_preset("paper")
    parts.bench.prepare(memory=9 * 10**9)
    settle()
    assert "Choose a smaller size" in parts.inspector.model.measured.text()


def test_advanced_settings_know_their_ranges(parts: Parts, folder: Path) -> None:
    parts.bench.open_folder(folder)
    parts.bench.prepare()
    settle()
    recipe = parts.inspector.model.recipe
    assert recipe.form.isHidden()
    parts.studio.window.focus_control(recipe.field_of("recipe", "depth"))
    settle()
    depth = recipe.field_of("recipe", "depth")
    assert isinstance(depth, QLineEdit) and depth.isVisible() and depth.text() == "2"
    assert depth.accessibleDescription() == "Set depth from 1 to 64"
    for typed, wrong in (("99", True), ("many", True), ("3", False)):
        depth.selectAll()
        QTest.keyClicks(depth, typed)
        QTest.keyClick(depth, Qt.Key.Key_Return)
        assert bool(depth.property("wrong")) is wrong
    assert parts.state.settings.recipe.get() == {"depth": 3}
    switch = recipe.field_of("recipe", "learned")
    assert isinstance(switch, SegmentedControl)
    switch.button_of("on").click()
    rate = recipe.field_of("plan", "learning_rate")
    assert isinstance(rate, QLineEdit)
    rate.selectAll()
    QTest.keyClicks(rate, "0.01")
    QTest.keyClick(rate, Qt.Key.Key_Return)
    assert parts.state.settings.recipe.get() == {"depth": 3, "learned": True}
    assert parts.state.settings.plan.get() == {"learning_rate": 0.01}
    parts.click(recipe.fold)
    assert recipe.form.isHidden()


def test_a_model_to_start_from_replaces_family_and_size(parts: Parts, folder: Path, studio_home: Path) -> None:
    write_model(studio_home / "models", make_card("flowers", (3, 16, 16), family=("glow", "Glow")))
    parts.studio.state.models.refresh_models()
    parts.bench.open_folder(folder)
    settle()
    model = parts.inspector.model
    model.start.setCurrentIndex(model.start.findData("flowers"))
    model.start.activated.emit(model.start.currentIndex())
    settle()
    assert parts.state.settings.start_model.get().card.name == "flowers"  # type: ignore[union-attr]
    assert not model.preset.isVisible() and not model.family.isEnabled()


def test_a_run_is_watched(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    for step in range(100, 1100, 100):
        parts.bench.learn(step, 8 - step / 200, 8 - step / 250)
    for step in (100, 400, 800):
        parts.bench.draw(step)
    settle()
    watch = parts.stage.watch
    assert watch.title.text() == "Learning"
    assert [figure.text() for figure, _ in watch.figures] == ["4.00", "2 min", "2 min", "210"]
    assert watch.figures[2][1].text() == "so far, saved 20 s ago"
    assert watch.figures[1][1].text().startswith("left, done at about ")
    assert not watch.show_copied.isVisible(), "no samples were compared yet"
    assert watch.curve is not None and watch.curve.isVisible()
    assert len(watch.timeline.samples) == 3 and watch.samples_text.text() == "after 80 s, step 800"
    index = watch.timeline.model().index(0, 0)
    QTest.mouseClick(watch.timeline.viewport(), LEFT, pos=watch.timeline.visualRect(index).center())
    assert parts.state.samples.scrubbed.get() == 0 and watch.samples_text.text() == "after 10 s, step 100"
    QTest.keyClick(watch.timeline, Qt.Key.Key_Right)
    assert parts.state.samples.scrubbed.get() == 1
    parts.click(watch.log)
    parts.click(watch.fit)
    assert parts.bar.title.text() == "Garden" and parts.bar.facts.text() == "Glow · 32 × 32 colour"


def test_every_button_of_a_run_does_what_it_says(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    settle()
    run = parts.inspector.run
    parts.click(run.sample)
    assert parts.bench.newest(SteerTraining).action == "sample" and not run.sample.isEnabled()
    parts.click(run.play)
    assert parts.bench.newest(SteerTraining).action == "publish" and parts.state.run.publishing.get() == "explore"
    parts.bench.write_model(is_final=False)
    parts.studio.state.show_panel("train")
    settle()
    parts.click(run.generate)
    assert parts.state.run.publishing.get() == "generate"
    parts.click(parts.foot.main_button)
    assert parts.studio.engine.stopped[-1] == parts.bench.newest(Train).job
    parts.bench.stop()
    settle()
    assert parts.stage.watch.title.text() == "Paused"
    assert parts.foot.main_button.text().strip() == "Resume"
    parts.click(parts.inspector.run.leave)
    assert parts.stage.currentWidget() is parts.stage.folder


def test_stop_and_keep_is_beside_pause(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    parts.bench.learn(100, 7.0, 7.0)
    settle()
    assert parts.foot.second.text() == "Stop and keep"
    parts.click(parts.foot.second)
    assert parts.bench.newest(SteerTraining).action == "finish"
    assert parts.stage.watch.title.text() == "Finishing"
    parts.bench.finish()
    settle()
    assert parts.stage.watch.title.text() == "Finished"
    assert not parts.foot.second.isVisible()
    parts.click(parts.foot.main_button)
    assert parts.stage.currentWidget() is parts.stage.folder


def test_past_runs_can_be_looked_at(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    parts.state.past.refresh()
    qtbot.waitUntil(lambda: "old" in parts.inspector.past.run_rows)
    settle()
    parts.click(parts.inspector.past.run_rows["old"].show_run)
    qtbot.waitUntil(lambda: parts.stage.currentWidget() is parts.stage.watch)
    assert parts.bar.title.text() == "Old" and parts.stage.watch.title.text() == "Paused"
    assert len(parts.stage.watch.timeline.samples) == 1


def test_ctrl_o_asks_for_a_folder(parts: Parts) -> None:
    parts.studio.window.ask_file()
    (dialog,) = parts.studio.window.findChildren(QFileDialog)
    assert dialog.fileMode() == QFileDialog.FileMode.Directory
    dialog.reject()


def test_keys_steer_a_run(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    settle()
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(parts.studio.window, Qt.Key.Key_G, both)
    assert parts.bench.newest(SteerTraining).action == "sample"
    QTest.keyClick(parts.studio.window, Qt.Key.Key_P, both)
    assert parts.state.run.phase.get() == "pausing"


@pytest.mark.parametrize("size", [(1440, 900), (1024, 700)])
def test_nothing_is_cut_at_the_right(parts: Parts, folder: Path, size: tuple[int, int]) -> None:
    window = parts.studio.window
    window.resize(*size)
    parts.bench.open_folder(folder)
    parts.bench.prepare()
    settle()
    _check_inside(parts.inspector)
    parts.state.press_main()
    parts.bench.learn(100, 7.0, 7.0)
    settle()
    _check_inside(parts.inspector)
    _check_inside(parts.stage.watch)


def _check_inside(page: QWidget) -> None:
    frame = page.window()
    right = page.parentWidget().mapTo(frame, page.parentWidget().rect().topRight()).x()
    for widget in page.findChildren(QWidget):
        if widget.isVisible() and widget.parentWidget() is not None and not widget.isWindow():
            end = widget.mapTo(frame, widget.rect().topRight()).x()
            assert end <= min(right, frame.width()) + 1, f"{widget} {widget.accessibleName()} ends at {end}"


def test_samples_of_the_same_step_replace_each_other(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    settle()
    for _ in range(2):  # the last step draws when it is due, and again at the end
        parts.bench.draw(30)
    settle()
    assert parts.stage.watch.timeline.samples == tuple(parts.state.run.samples)
    assert len(parts.stage.watch.timeline.samples) == 1


def test_a_drag_over_the_timeline_shows_it_like_a_film(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    for step in (10, 20, 30, 40, 50):
        parts.bench.draw(step)
    settle()
    timeline = parts.stage.watch.timeline
    seen: list[int | None] = []
    chosen: list[tuple[int, int]] = []
    parts.state.samples.scrubbed.changed.connect(seen.append)
    timeline.chosen.connect(lambda place, row: chosen.append((place, row)))
    middles = [timeline.visualRect(timeline.model().index(place, 0)).center() for place in range(5)]
    QTest.mousePress(timeline.viewport(), LEFT, pos=middles[3])
    for place in (2, 1, 0):
        QTest.mouseMove(timeline.viewport(), middles[place])
    QTest.mouseRelease(timeline.viewport(), LEFT, pos=middles[0])
    assert seen == [3, 2, 1, 0] and not chosen, "a drag plays nothing"
    QTest.mouseClick(timeline.viewport(), LEFT, pos=middles[2])
    assert chosen == [(2, 1)], "the middle of three"
    QTest.keyClick(timeline, Qt.Key.Key_Space)
    assert chosen[1:] == [(2, 0)]
    assert parts.stage.watch.film.isVisible()


def test_copies_are_shown_beside_what_they_copy(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    parts.bench.compare(100, tuple(0.7 + n / 100 for n in range(16)))
    settle()
    watch = parts.stage.watch
    assert watch.copied.text() == "0 of 16" and watch.show_copied.text() == "samples copied"
    assert parts.studio.state.messages.current.get() is None
    parts.bench.compare(200, (0.9, 0.8, 0.3, 0.2, *[0.1] * 2, *[1.1] * 10))
    settle()
    assert watch.copied.text() == "4 of 16" and watch.title.text() == "Memorising"
    said = parts.studio.state.messages.current.get()
    assert said is not None and said.text == "4 of 16 samples are copies of training pictures."
    parts.click(watch.show_copied)
    assert watch.pairs.isVisible() and watch.curve is not None and not watch.curve.isVisible()
    assert [pair.distance for pair in watch.pairs.pairs[:5]] == [0.1, 0.1, 0.2, 0.3, 0.8]
    first = watch.pairs.pairs[0]
    assert (first.nearest == first.sample + 5).all() and first.caption == "Copy, 10 % of usual"
    assert watch.pairs_text.text() == "4 of 16 are copies, far nearer to training pictures than unseen ones."
    QTest.keyClick(parts.studio.window, Qt.Key.Key_Escape)
    settle()
    assert watch.curve.isVisible() and not watch.pairs.isVisible()


def test_a_run_of_before_has_its_copies(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    pictures = np.full((4, 8, 8, 3), 50, np.uint8)
    runs.write_compared(finished_run, runs.ComparedSamples(30, pictures, pictures, (0.1, 0.2, 0.9, 1.0)))
    parts.state.past.refresh()
    qtbot.waitUntil(lambda: "old" in parts.inspector.past.run_rows)
    settle()
    parts.click(parts.inspector.past.run_rows["old"].show_run)
    qtbot.waitUntil(lambda: parts.stage.watch.copied.text() == "2 of 4")
    parts.click(parts.stage.watch.show_copied)
    assert len(parts.stage.watch.pairs.pairs) == 4


def test_a_thumbnail_under_the_pointer_may_belong_to_the_folder_before(
    parts: Parts, folder: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    parts.bench.open_folder(folder)
    thumbnails = parts.stage.folder.thumbnails
    qtbot.waitUntil(lambda: len(thumbnails.numbers) == 20)
    index = thumbnails.model().index(5, 0)
    assert index.data(Qt.ItemDataRole.ToolTipRole) == "5.png"
    other = tmp_path / "other"
    other.mkdir()
    parts.studio.state.open_dropped([other])
    assert index.data(Qt.ItemDataRole.ToolTipRole) is None
    qtbot.waitUntil(lambda: not thumbnails.numbers)


def open_runs(parts: Parts, qtbot: QtBot) -> dict[str, RunRow]:
    """Read the list of runs again, and return its rows."""
    parts.state.past.refresh()
    qtbot.waitUntil(lambda: "old" in parts.inspector.past.run_rows)
    settle()
    return parts.inspector.past.run_rows


def test_a_past_run_is_compared_while_another_learns(
    parts: Parts, folder: Path, finished_run: Path, qtbot: QtBot
) -> None:
    parts.bench.start(folder)
    parts.click(open_runs(parts, qtbot)["old"].compare)
    (compared,) = parts.state.comparison.curves.get()
    assert compared.title == "Old" and compared.points.tolist() == [[10, 7.5], [20, 6.5], [30, 6.75]]
    row = parts.inspector.past.run_rows["old"]
    assert row.compare.text() == "Do not compare" and not row.show_run.isEnabled()
    parts.click(row.compare)
    assert not parts.state.comparison.curves.get()


def test_only_runs_with_the_same_unit_are_compared(
    parts: Parts, folder: Path, finished_run: Path, qtbot: QtBot
) -> None:
    parts.click(open_runs(parts, qtbot)["old"].compare)
    assert parts.state.comparison.names == ("old",)
    parts.bench.start(folder, medium="recordings")
    settle()
    assert parts.state.comparison.names == (), "bits per dimension share no axis with bits per sample"
    row = parts.inspector.past.run_rows["old"]
    assert not row.compare.isEnabled()
    assert row.compare.toolTip() == "Cannot be compared: it has bits per dimension, not bits per sample"
    parts.state.compare_run("old")
    assert parts.state.comparison.names == ()


def test_a_run_on_other_files_is_compared_and_says_so(
    parts: Parts, folder: Path, finished_run: Path, qtbot: QtBot
) -> None:
    parts.bench.start(folder)
    row = open_runs(parts, qtbot)["old"]
    assert [label.text() for label in row.findChildren(ElidedLabel)][0].endswith("· other files")
    parts.click(row.compare)
    parts.bench.learn(20, 7.0)
    settle()
    assert parts.stage.watch.caption.text() == "step 20 · Old 6.500 on other files"


def test_the_run_at_work_is_marked_and_not_deleted(
    parts: Parts, folder: Path, finished_run: Path, qtbot: QtBot
) -> None:
    parts.click(open_runs(parts, qtbot)["old"].show_run)
    qtbot.waitUntil(lambda: parts.stage.currentWidget() is parts.stage.watch)
    settle()
    assert parts.inspector.past.run_rows["old"].delete.isVisibleTo(parts.inspector)
    parts.state.run.resume()
    settle()
    row = parts.inspector.past.run_rows["old"]
    assert [label.text() for label in row.findChildren(ElidedLabel)] == ["running"]
    assert not row.delete.isVisible() and not row.show_run.isEnabled()


def test_a_run_that_is_shown_is_not_compared_with_itself(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    parts.click(open_runs(parts, qtbot)["old"].compare)
    parts.click(parts.inspector.past.run_rows["old"].show_run)
    qtbot.waitUntil(lambda: parts.stage.currentWidget() is parts.stage.watch)
    assert not parts.state.comparison.curves.get()
    assert not parts.inspector.past.run_rows["old"].compare.isEnabled()


def test_a_past_run_shows_its_newest_sample_and_its_curve(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    row = open_runs(parts, qtbot)["old"]
    sample, curve = row.findChild(SamplePicture), row.findChild(SmallCurve)
    assert sample is not None and curve is not None
    colours = [widget.grab().toImage() for widget in (sample, curve)]
    assert colours[0].pixelColor(colours[0].rect().center()).red() == 50
    width, height = colours[1].width(), colours[1].height()
    drawn = {colours[1].pixel(x, y) for x in range(width) for y in range(height)}
    assert len(drawn) > 2, "the curve is drawn"


def test_a_deleted_run_comes_back_with_undo(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    parts.click(open_runs(parts, qtbot)["old"].show_run)
    qtbot.waitUntil(lambda: parts.stage.currentWidget() is parts.stage.watch)
    settle()
    parts.click(parts.inspector.past.run_rows["old"].delete)
    qtbot.waitUntil(lambda: not parts.inspector.past.run_rows)
    assert parts.stage.currentWidget() is not parts.stage.watch and not finished_run.exists()
    qtbot.waitUntil(lambda: parts.studio.state.messages.current.get() is not None)
    said = parts.studio.state.messages.current.get()
    assert said is not None and said.text == 'Deleted the run "Old". It is in the bin.'
    parts.studio.state.messages.press_button(0)
    qtbot.waitUntil(lambda: "old" in parts.inspector.past.run_rows)
    assert (finished_run / "study.json").exists()


def test_a_run_that_another_program_trains_is_not_deleted(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    lock = storage.lock_file(finished_run / runs.LOCK_FILE)
    assert lock is not None
    try:
        parts.click(open_runs(parts, qtbot)["old"].delete)
        qtbot.waitUntil(lambda: parts.studio.state.messages.current.get() is not None)
    finally:
        os.close(lock)
    said = parts.studio.state.messages.current.get()
    assert said is not None and said.text == '"old" is being trained. Wait until it ends.'
    assert finished_run.exists()


@pytest.mark.parametrize("size", [(1440, 900), (1024, 700)])
def test_a_run_needs_no_scrolling_with_usual_text(parts: Parts, folder: Path, size: tuple[int, int]) -> None:
    parts.studio.window.resize(*size)
    parts.bench.start(folder)
    parts.bench.learn(100, 7.0, 7.0)
    settle()
    assert parts.stage.watch.verticalScrollBar().maximum() == 0


def test_the_curve_keeps_its_height_with_large_text(parts: Parts, folder: Path) -> None:
    parts.studio.state.preferences.text_size.set(200)
    parts.studio.window.resize(1440, 900)
    parts.bench.start(folder)
    parts.bench.learn(100, 7.0, 7.0)
    settle()
    watch = parts.stage.watch
    assert watch.curve is not None and watch.curve.height() >= 200
    assert watch.timeline.rows == 1
    watch.ensureWidgetVisible(watch.timeline)
    settle()
    assert not watch.timeline.visibleRegion().isEmpty()


@pytest.mark.parametrize(("width", "height", "text"), SIZES)
def test_a_run_fits_its_page_with_a_message(parts: Parts, folder: Path, width: int, height: int, text: int) -> None:
    parts.studio.state.preferences.text_size.set(text)
    parts.studio.window.resize(width, height)
    parts.bench.start(folder)
    for step in (100, 200, 300):
        parts.bench.learn(step, 7.0 - step / 1000, 7.0 - step / 1000)
    parts.bench.draw(300)
    parts.bench.compare(300, (0.3, 0.9))
    parts.studio.state.messages.show_message("Deleted the run. Its model is kept.", "info", ("Undo", lambda: None))
    settle()
    watch = parts.stage.watch
    for shows_pairs in (False, True):
        parts.state.samples.show_pairs(shows_pairs)
        settle()
        assert watch.widget().width() <= watch.viewport().width()
        assert cut(watch) == []
        assert overlaps(watch) == []
        _check_inside(watch.widget())


def test_the_wheel_scrolls_a_high_page_until_the_curve_is_clicked(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    parts.bench.learn(100, 7.0, 7.0)
    settle()
    watch = parts.stage.watch
    assert watch.curve is not None and not watch.curve.scrolls_page
    parts.studio.state.preferences.text_size.set(200)
    settle()
    shown = watch.curve.getPlotItem().getViewBox().viewRange()[0]
    parts.stage.setFocus()
    turn_wheel(watch.curve.viewport())
    assert watch.verticalScrollBar().value() > 0
    assert watch.curve.getPlotItem().getViewBox().viewRange()[0] == shown
    watch.curve.setFocus()
    before = watch.verticalScrollBar().value()
    turn_wheel(watch.curve.viewport(), by=120)
    assert watch.verticalScrollBar().value() == before
    assert watch.curve.getPlotItem().getViewBox().viewRange()[0] != shown


def turn_wheel(widget: QWidget, by: int = -120) -> None:
    """Turn the wheel over the middle of a widget. Like Qt, hand an event that is ignored to the parent."""
    at = QPointF(widget.rect().center())
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(at, widget.mapToGlobal(at), QPoint(), QPoint(0, by), *none, False)
    place: QWidget | None = widget
    while place is not None and not (QApplication.sendEvent(place, event) and event.isAccepted()):
        place = place.parentWidget()
    settle()


def test_the_button_delete_stays_in_its_place(parts: Parts, finished_run: Path, qtbot: QtBot) -> None:
    """A second click at `Do not compare` must not delete the run."""
    row = open_runs(parts, qtbot)["old"]
    before = row.delete.geometry()
    parts.click(row.compare)
    row = parts.inspector.past.run_rows["old"]
    assert row.delete.geometry() == before
    assert not row.compare.geometry().intersects(before)


def test_a_training_that_begins_shows_pause(parts: Parts, folder: Path) -> None:
    parts.bench.open_folder(folder)
    parts.bench.prepare()
    assert parts.foot.main_button.text() == "Start"
    parts.state.press_main()
    settle()
    assert parts.state.run.phase.get() == "starting"
    assert parts.foot.main_button.text().strip() == "Pause" and not parts.foot.main_button.isEnabled()


def test_the_progress_of_a_training_fits_into_the_queue(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    parts.bench.learn(1900, 7.0, 7.0, left=59 * 60)
    settle()
    label = parts.studio.window.job_box.first_job.progress_label
    assert label.text() == "Step 1,900 · about 59 min left" and not label.is_cut


def test_files_that_are_skipped_are_named_alike(parts: Parts, folder: Path) -> None:
    parts.bench.open_folder(folder)
    settle()
    words = [label.text() for label in parts.inspector.folder.findChildren(QLabel)]
    assert "skipped: cannot be used" in words


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 700)])
def test_no_control_moves_while_a_run_learns(parts: Parts, folder: Path, width: int, height: int) -> None:
    resize(parts.studio, width, height, 100)
    parts.bench.start(folder)
    settle()
    bench = parts.bench
    watch, message = parts.stage.watch, parts.studio.window.message
    places: dict[str, QPoint] = {}
    happening: list[Callable[[], object]] = [
        *(partial(bench.learn, step, 8 - step / 400, 8 - step / 500) for step in range(100, 900, 100)),
        partial(bench.draw, 800),
        partial(bench.compare, 800, (0.9,) * 16),
        partial(bench.compare, 810, (0.1,) * 16),
        *(partial(bench.learn, 900 + step, 4.0, 6.5 + step / 100) for step in range(5)),
        partial(bench.compare, 910, (0.9,) * 16),
        parts.state.run.sample_now,
        partial(bench.draw, 920),
        parts.state.stop_and_keep,
    ]
    for happen in happening:
        happen()
        settle()
        for page in (parts.stage.watch, parts.inspector, parts.foot):
            for control in page.findChildren(QWidget):
                if control.isVisible() and control.focusPolicy() and control.accessibleName():
                    place = control.mapTo(parts.studio.window, QPoint())
                    name = f"{type(control).__name__} {id(control)} {control.accessibleName()}"
                    known = places.setdefault(name, place)
                    is_below = control in (watch.log, watch.fit, watch.film, watch.timeline)
                    shift = QPoint(0, -44) if is_below and height < 800 and message.isVisible() else QPoint()
                    assert place == known + shift, (name, happen)


FULL = "The disk is full, so the training waits. Nothing is lost. Free about 310 MB, and it continues by itself."


def test_a_run_that_waits_for_the_disk_says_so_until_it_continues(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    for step in range(100, 600, 100):
        parts.bench.learn(step, 8 - step / 200, 8 - step / 250)
    parts.bench.wait("space", FULL)
    settle()
    watch, window = parts.stage.watch, parts.studio.window
    assert (watch.title.text(), watch.advice.text()) == ("Waiting", FULL)
    assert watch.gauge.accessibleDescription() == FULL, "no word of the gauge is lit"
    assert watch.figures[1][0].text() == "", "nobody knows when it is done"
    (entry,) = parts.studio.state.jobs.jobs.get()
    assert progress_text(entry) == "Waits for space on the disk"
    assert not parts.inspector.run.sample.isEnabled()
    parts.click(parts.inspector.run.leave)
    assert parts.inspector.at_work.progress.text() == "Waits for space on the disk"
    parts.click(parts.inspector.at_work.show_run)
    parts.state.messages.dismiss()
    window.toggle_page("queue")
    parts.bench.wait("", "Everything is saved again. The training continues.")
    settle()
    assert watch.title.text() == "Learning" and watch.figures[1][0].text() == "2 min"
    (entry,) = parts.studio.state.jobs.jobs.get()
    assert progress_text(entry).startswith("Step 500")


def test_a_run_that_waits_can_be_paused(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    parts.bench.wait("folder", "The folder of the training is gone, so it waits.")
    settle()
    assert parts.foot.main_button.text().strip() == "Pause"
    parts.click(parts.foot.main_button)
    assert parts.studio.engine.stopped[-1] == parts.bench.newest(Train).job
    parts.bench.stop()
    settle()
    assert parts.stage.watch.title.text() == "Paused"


def test_samples_that_memory_did_not_allow_can_be_asked_for_again(parts: Parts, folder: Path) -> None:
    parts.bench.start(folder)
    settle()
    parts.click(parts.inspector.run.sample)
    assert parts.inspector.run.sample.text() == "Drawing …"
    none = np.zeros((0, 32, 32, 3), np.uint8)
    job = parts.bench.newest(Train).job
    parts.studio.engine.emit_events(TrainingSamples(job=job, step=1, seconds=0.1, artworks=none))
    settle()
    assert parts.inspector.run.sample.text() == "Sample now" and not parts.stage.watch.timeline.samples


def test_one_control_says_what_a_wavenet_follows(parts: Parts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switches = {f"follows_{what}": {"type": "boolean", "title": f"Follow {what}"} for what in ("pitch", "loudness")}
    monkeypatch.setattr(
        bench, "RECIPE_SCHEMA", {"properties": {**switches, "hop": {"type": "integer", "title": "Hop"}}}
    )
    parts.bench.open_folder(folder, medium="recordings")
    parts.bench.prepare()
    settle()
    recipe = parts.inspector.model.recipe
    parts.click(recipe.fold)
    assert recipe.followed.isVisible()
    assert [recipe.followed.itemText(n) for n in range(4)] == ["Nothing", "Pitch", "Loudness", "Pitch and loudness"]
    assert recipe.followed.currentText() == "Nothing"
    for place, asked in enumerate([(False, False), (True, False), (False, True), (True, True)]):
        recipe.followed.activated.emit(place)
        parts.bench.prepare()
        settle()
        sent = parts.bench.newest(PrepareTraining).recipe
        assert (sent["follows_pitch"], sent["follows_loudness"]) == asked
        assert recipe.followed.currentIndex() == place
    parts.studio.state.undo()
    settle()
    parts.bench.prepare()
    settle()
    assert recipe.followed.currentText() == "Loudness"
