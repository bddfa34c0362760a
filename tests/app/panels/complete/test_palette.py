"""A picture that is opened with a model over a palette takes its colours, and the panel says how many changed."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.app.core import colours
from studio.app.files.exporting import encode_artwork
from studio.app.panels.complete.inspector_view import CompleteInspector
from studio.app.panels.generate.colour_popup_view import ColourPopup
from studio.media.pictures.palette import indices_if_exact, snap_to_palette
from studio.media.preparation import Palette
from studio.wire import messages as wire
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

COLOURS: Palette = ((10, 10, 10), (200, 40, 40), (40, 160, 60), (60, 60, 220), (250, 250, 240))


@pytest.fixture
def studio(window_opener: WindowOpener, two_models: Path) -> OpenedWindow:
    """Open Complete with `dots`, 8 × 8 in five colours."""
    card = make_card("dots", (1, 8, 8), family=("gated_pixelcnn", "Gated PixelCNN"))
    write_model(two_models, msgspec.structs.replace(card, levels=len(COLOURS), palette=COLOURS))
    studio = window_opener()
    studio.start_engine()
    studio.state.show_panel("complete")
    studio.state.complete.choose_model("dots")
    settle()
    return studio


@pytest.fixture
def inspector(studio: OpenedWindow) -> CompleteInspector:
    found = studio.window.panels["complete"].inspector
    assert isinstance(found, CompleteInspector)
    return found


def picture_in(path: Path, size: int = 8) -> np.ndarray:
    """Write a picture of many colours, and return it."""
    picture = np.random.default_rng(3).integers(0, 256, (size, size, 3)).astype(np.uint8)
    Image.fromarray(picture).save(path)
    return picture


def test_an_opened_picture_is_mapped_and_the_panel_says_how_much(
    studio: OpenedWindow, inspector: CompleteInspector, tmp_path: Path, qtbot: QtBot
) -> None:
    canvas = studio.state.complete.canvas
    note = inspector.settings.colours
    own = picture_in(tmp_path / "mine.png")
    assert not note.isVisible()
    studio.state.open_dropped([tmp_path / "mine.png"])
    qtbot.waitUntil(lambda: canvas.picture.get() is not None)
    settle()
    seen = snap_to_palette(own, COLOURS)
    assert np.array_equal(canvas.picture.get(), seen)
    assert note.isVisible()
    assert note.text() == "64 of 64 pixels took the nearest of 5 colours. Your file is untouched."
    Image.fromarray(seen).save(tmp_path / "exact.png")
    studio.state.open_file(tmp_path / "exact.png")
    qtbot.waitUntil(lambda: canvas.source.get() == "exact.png")
    settle()
    assert np.array_equal(canvas.picture.get(), seen) and not note.isVisible()
    studio.state.undo()
    settle()
    assert note.isVisible() and canvas.source.get() == "mine.png"


def test_the_crop_shows_the_colours_that_the_model_will_see(
    studio: OpenedWindow, inspector: CompleteInspector, tmp_path: Path, qtbot: QtBot
) -> None:
    canvas = studio.state.complete.canvas
    picture_in(tmp_path / "wide.png", 40)
    studio.state.open_dropped([tmp_path / "wide.png"])
    qtbot.waitUntil(lambda: canvas.importing.preview.get() is not None)
    preview = canvas.importing.preview.get()
    assert preview is not None and indices_if_exact(preview.model_input, COLOURS) is not None
    assert preview.note == "64 of 64 pixels took the nearest of 5 colours"
    canvas.use_preview()
    settle()
    assert canvas.colour_note.get() == preview.note and np.array_equal(canvas.picture.get(), preview.model_input)


def test_a_completion_is_saved_with_the_palette(studio: OpenedWindow, tmp_path: Path, qtbot: QtBot) -> None:
    complete = studio.state.complete
    picture_in(tmp_path / "mine.png")
    studio.state.open_dropped([tmp_path / "mine.png"])
    qtbot.waitUntil(lambda: complete.canvas.picture.get() is not None)
    brush = complete.canvas.brush
    brush.choose_tool("rows")
    brush.start_stroke((1.0, 4.0))
    brush.end_stroke()
    complete.parameters.set_number(1)
    complete.start_batch()
    asked = studio.engine.sent[-1]
    assert isinstance(asked, wire.Inpaint) and np.array_equal(asked.picture, complete.canvas.picture.get())
    picture = asked.picture[None]
    done = wire.PicturesPreview(job=asked.job, first=0, pictures=picture, done=9, total=9, log_prob=(-1.0,))
    studio.engine.emit_events(done, wire.Finished(job=asked.job))
    run = complete.batch.run
    assert run is not None
    artwork = run.artwork_of(complete.ranking.cells.get()[0])
    assert artwork is not None and artwork.work.palette == COLOURS
    (tmp_path / "out.png").write_bytes(encode_artwork(artwork))
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "P" and image.getpalette() == [channel for colour in COLOURS for channel in colour]


def test_a_pixel_can_only_have_colours_of_the_palette(studio: OpenedWindow) -> None:
    assert colours.nearest_model_colour((190, 50, 50), 5, COLOURS) == COLOURS[1]
    picture = np.full((8, 8, 3), 250, np.uint8)
    popup = ColourPopup(studio.theme, studio.window, picture, 0, [], COLOURS)
    model = popup.swatches.model()
    assert [model.index(row, 0).data(Qt.ItemDataRole.ToolTipRole) for row in range(model.rowCount())] == [
        f"{colours.colour_name(colour)}, {colours.to_hex(colour)}" for colour in COLOURS
    ]
    popup.deleteLater()
    QApplication.processEvents()
