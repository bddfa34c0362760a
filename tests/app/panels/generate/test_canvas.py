"""Generate draws pictures of any size with a model without borders, and shows copies of seamless ones."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.panels.generate.view import GenerateInspector, GenerateStage
from studio.wire.messages import Array, Finished, Inpaint, PicturesPreview, Sample, Score
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

SIDE = 40


@pytest.fixture
def materials(window_opener: WindowOpener, two_models: Path) -> OpenedWindow:
    """Open the window with a model without borders, which draws 3 × 40 × 48 pixels."""
    write_model(two_models, make_card("materials", family=("gated_pixelcnn", "Gated PixelCNN"), borderless=True))
    studio = window_opener()
    studio.start_engine()
    studio.state.generate.choose_model("materials")
    return studio


def parts(studio: OpenedWindow) -> tuple[GenerateStage, GenerateInspector]:
    panel = studio.window.panels["generate"]
    assert isinstance(panel.stage, GenerateStage)
    assert isinstance(panel.inspector, GenerateInspector)
    return panel.stage, panel.inspector


def click(studio: OpenedWindow, choice: str) -> None:
    _, inspector = parts(studio)
    QTest.mouseClick(inspector.canvas.edges.button_of(choice), Qt.MouseButton.LeftButton)


def start_run(studio: OpenedWindow, number: int = 2) -> Sample:
    studio.state.generate.parameters.set_number(number)
    studio.state.generate.start_batch()
    asked = studio.engine.sent[-1]
    assert isinstance(asked, Sample)
    return asked


def draw(studio: OpenedWindow, asked: Sample, done: int = 0) -> Array:
    """Answer a run, finished or as far as a row; return its pictures."""
    assert asked.canvas_size is not None
    height, width = asked.canvas_size
    total = height + 19 if asked.seamless else height + 1
    noise = np.random.default_rng(0)
    pictures = noise.integers(0, 256, (len(asked.seeds), height, width, 3)).astype(np.uint8)
    prices = tuple(-100.0 for _ in asked.seeds)
    studio.engine.emit_events(
        PicturesPreview(
            job=asked.job,
            first=0,
            pictures=pictures,
            done=done or total,
            total=total,
            log_prob=None if done else prices,
        )
    )
    if not done:
        studio.engine.emit_events(Finished(job=asked.job))
    settle()
    return pictures


def test_size_and_edges_are_shown_for_a_model_without_borders_alone(materials: OpenedWindow) -> None:
    _, inspector = parts(materials)
    assert inspector.canvas.isVisible()
    materials.state.generate.choose_model("tiny")
    settle()
    assert not inspector.canvas.isVisible()
    assert start_run(materials).canvas_size is None


def test_the_size_of_saved_pictures_is_that_of_the_canvas(materials: OpenedWindow) -> None:
    _, inspector = parts(materials)
    materials.state.exporter.settings.choose_times(4)
    inspector.canvas.size_row.width_field.setValue(64)
    assert inspector.export.note.text().startswith("256 × 512 pixels")
    materials.state.generate.choose_model("tiny")
    assert inspector.export.note.text().startswith("32 × 32 pixels")


def test_pictures_form_in_the_size_that_was_set(materials: OpenedWindow) -> None:
    stage, inspector = parts(materials)
    inspector.canvas.size_row.width_field.setValue(48)
    inspector.canvas.size_row.height_field.setValue(SIDE)
    click(materials, "seamless")
    asked = start_run(materials)
    assert (asked.canvas_size, asked.seamless) == ((SIDE, 48), True)
    draw(materials, asked, done=9)
    assert materials.state.generate.batch.caption.get().startswith("Row \N{FIGURE SPACE}9 of 40.")
    draw(materials, asked, done=50)
    assert materials.state.generate.batch.caption.get().startswith("Row 40 of 40.")
    pictures = draw(materials, asked)
    materials.state.generate.enlarge_cell(1)
    settle()
    assert np.array_equal(stage.page.view.shown_picture, pictures[1])
    artwork = materials.state.generate.artwork(1)
    assert artwork is not None
    assert (artwork.work.canvas_size, artwork.work.seamless) == ((SIDE, 48), True)


def test_size_and_edges_are_undone_one_after_the_other(materials: OpenedWindow) -> None:
    _, inspector = parts(materials)
    canvas = materials.state.generate.parameters.canvas
    inspector.canvas.size_row.width_field.setValue(48)
    click(materials, "seamless")
    history = materials.state.generate.history
    history.undo()
    assert (canvas.size.get(), canvas.seamless.get()) == ((128, 48), False)
    assert inspector.canvas.edges.button_of("plain").isChecked()
    history.undo()
    assert canvas.size.get() == (128, 128)
    assert inspector.canvas.size_row.width_field.value() == 128


def test_a_seamless_picture_is_shown_beside_its_copies(materials: OpenedWindow) -> None:
    stage, inspector = parts(materials)
    materials.state.generate.parameters.canvas.set_seamless(True)
    pictures = draw(materials, start_run(materials))
    assert not inspector.copies.isVisible()
    materials.state.generate.enlarge_cell(0)
    settle()
    assert inspector.copies.isVisible()
    assert stage.marker.isVisible()
    for copies in (2, 3):
        QTest.mouseClick(inspector.copies.button_of(str(copies)), Qt.MouseButton.LeftButton)
        settle()
        assert np.array_equal(stage.page.view.shown_picture, np.tile(pictures[0], (copies, copies, 1)))
        assert not stage.marker.isVisible()
    artwork = materials.state.generate.artwork()
    assert artwork is not None
    assert np.array_equal(artwork.array, pictures[0]), "it is saved once"
    QTest.mouseClick(inspector.copies.button_of("1"), Qt.MouseButton.LeftButton)
    settle()
    assert np.array_equal(stage.page.view.shown_picture, pictures[0])
    assert stage.marker.isVisible()


def test_a_canvas_comes_back_after_a_restart_and_as_a_take(
    materials: OpenedWindow, window_opener: WindowOpener, qtbot: QtBot
) -> None:
    materials.state.generate.parameters.canvas.set_seamless(True)
    materials.state.generate.parameters.canvas.set_height(SIDE)
    pictures = draw(materials, start_run(materials))
    materials.state.generate.keep_take(0)
    again = window_opener()
    state = again.state.generate
    assert state.batch.run is not None
    assert (state.batch.run.canvas_size, state.batch.run.seamless) == ((SIDE, 128), True)
    assert state.parameters.canvas.size.get() == (SIDE, 128)
    cell = state.batch.cells.get()[0].picture
    assert cell is not None
    assert np.array_equal(cell, pictures[0])
    qtbot.waitUntil(lambda: len(state.selection.takes.get()) == 1)
    state.enlarged.show_take(0)
    settle()
    large = state.enlarged.item.get()
    assert large is not None
    assert large.picture is not None
    assert np.array_equal(large.picture, pictures[0])
    assert large.is_seamless


def test_a_canvas_is_continued_from_a_row_in_its_own_size(materials: OpenedWindow) -> None:
    state = materials.state.generate
    state.parameters.canvas.set_seamless(True)
    draw(materials, start_run(materials))
    state.enlarge_cell(0)
    state.rewind_actions.move_marker(30)
    state.rewind_actions.branch_here()
    asked = materials.engine.sent[-1]
    assert isinstance(asked, Inpaint)
    assert asked.picture.shape == (128, 128, 3)
    assert asked.mask[:30].sum() == 0
    forming = state.rewind.rewound.get()
    assert forming is not None
    assert (forming.artwork.work.canvas_size, forming.artwork.work.seamless) == ((128, 128), False)


def test_surprise_is_asked_for_the_whole_canvas(materials: OpenedWindow) -> None:
    pictures = draw(materials, start_run(materials))
    materials.state.surprisal.set_on(True)
    materials.state.generate.enlarge_cell(0)
    settle()
    asked = next(each for each in reversed(materials.engine.sent) if isinstance(each, Score))
    assert np.array_equal(asked.picture, pictures[0])
