"""Complete continues a picture to the right and downwards with a model without borders."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.panels.complete.inspector_view import CompleteInspector, CompleteSettings
from studio.wire import messages as wire
from studio.wire.messages import Array
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle


@pytest.fixture
def own() -> Array:
    return np.random.default_rng(3).integers(0, 256, (30, 20, 3)).astype(np.uint8)


@pytest.fixture
def studio(window_opener: WindowOpener, two_models: Path, own: Array, tmp_path: Path, qtbot: QtBot) -> OpenedWindow:
    """Open Complete with a model without borders and a picture of the user of another size."""
    write_model(two_models, make_card("materials", family=("gated_pixelcnn", "Gated PixelCNN"), borderless=True))
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    Image.fromarray(own).save(tmp_path / "scan.png")
    studio = window_opener()
    studio.start_engine()
    studio.state.show_panel("complete")
    studio.state.complete.choose_model("materials")
    studio.state.open_dropped([tmp_path / "scan.png"])
    qtbot.waitUntil(lambda: studio.state.complete.canvas.picture.get() is not None)
    settle()
    return studio


def settings(studio: OpenedWindow) -> CompleteSettings:
    inspector = studio.window.panels["complete"].inspector
    assert isinstance(inspector, CompleteInspector)
    return inspector.settings


def grow(studio: OpenedWindow, width: int, height: int) -> None:
    form = settings(studio)
    form.size_row.width_field.setValue(width)
    form.size_row.height_field.setValue(height)
    QTest.mouseClick(form.grow, Qt.MouseButton.LeftButton)
    settle()


def said(studio: OpenedWindow) -> str:
    current = studio.state.messages.current.get()
    return current.text if current is not None else ""


def test_a_scan_keeps_its_size_and_grows_around_its_pixels(studio: OpenedWindow, own: Array) -> None:
    canvas = studio.state.complete.canvas
    assert np.array_equal(canvas.picture.get(), own)
    grow(studio, 48, 40)
    mask = canvas.brush.mask.get()
    assert mask.shape == (40, 48)
    assert not mask[:30, :20].any()
    assert mask[30:].all()
    assert mask[:, 20:].all()
    studio.state.complete.parameters.set_number(1)
    studio.state.complete.start_batch()
    asked = studio.engine.sent[-1]
    assert isinstance(asked, wire.Inpaint)
    assert np.array_equal(asked.picture[:30, :20], own)
    assert np.array_equal(asked.mask, mask)
    grown = np.full((1, 40, 48, 3), 85, np.uint8)
    studio.engine.emit_events(
        wire.PicturesPreview(job=asked.job, first=0, pictures=grown, done=12, total=41),
    )
    assert studio.state.complete.batch.caption.get().startswith("Row 12 of 40.")
    studio.engine.emit_events(
        wire.PicturesPreview(job=asked.job, first=0, pictures=grown, done=41, total=41, log_prob=(-50.0,)),
        wire.Finished(job=asked.job),
    )
    studio.state.complete.choose_completions([0])
    before = len(studio.engine.sent)
    studio.state.complete.keep_takes()
    (take,) = studio.state.complete.selection.takes.get()
    assert np.array_equal(take.array[:30, :20], own), "kept pixels are not those of the model's levels"
    assert (take.array[30:] == 85).all()
    assert take.work.canvas_size == (40, 48)
    assert not any(isinstance(each, wire.Encode) for each in studio.engine.sent[before:])


def test_a_scan_keeps_its_colours_although_the_model_draws_in_a_palette(
    studio: OpenedWindow, own: Array, two_models: Path
) -> None:
    card = make_card("paints", (1, 8, 8), family=("gated_pixelcnn", "Gated PixelCNN"), borderless=True)
    card = msgspec.structs.replace(card, levels=2, palette=((0, 0, 0), (250, 250, 250)))
    write_model(two_models, card)
    studio.state.models.refresh_models()
    studio.state.complete.choose_model("paints")
    assert studio.state.complete.model.get().card.name == "paints"  # type: ignore[union-attr]
    assert np.array_equal(studio.state.complete.canvas.picture.get(), own)


def test_growing_is_undone_in_one_step(studio: OpenedWindow, own: Array) -> None:
    grow(studio, 48, 40)
    studio.state.complete.history.undo()
    assert np.array_equal(studio.state.complete.canvas.picture.get(), own)
    assert not studio.state.complete.canvas.brush.mask.get().any()


def test_a_size_that_is_not_larger_changes_nothing(studio: OpenedWindow, own: Array) -> None:
    grow(studio, 48, 16)
    assert np.array_equal(studio.state.complete.canvas.picture.get(), own)
    assert said(studio) == "The picture has 20 × 30 pixels already. It is kept. Choose a larger size to grow it."


def test_a_model_with_borders_shows_no_size_and_brings_the_picture_to_its_own(studio: OpenedWindow) -> None:
    assert settings(studio).grow.isVisible()
    studio.state.complete.choose_model("rows")
    settle()
    assert not settings(studio).grow.isVisible()
    picture = studio.state.complete.canvas.picture.get()
    assert picture is not None
    assert picture.shape == (8, 8, 3)
    assert studio.state.complete.canvas.brush.mask.get().shape == (8, 8)
