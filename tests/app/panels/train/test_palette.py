"""A few indexed colours can be chosen in Train, and the preview shows them."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox

from studio.app.panels.train import wording
from studio.media.preparation import Palette
from studio.wire.messages import PrepareTraining, ScanFolder
from tests.app.panels.train.test_preparation_view import choose, prepared
from tests.app.panels.train.test_view import Parts
from tests.app.window_fixtures import OpenedWindow, settle

COLOURS: Palette = ((0, 0, 0), (200, 40, 40), (250, 250, 240))


@pytest.fixture
def parts(studio: OpenedWindow) -> Parts:
    return Parts(studio)


def test_a_palette_is_chosen_with_its_number_of_colours_and_a_family_that_can(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    section, settings = parts.inspector.preparation, parts.state.settings
    parts.click(section.fold)
    colour = section.strengths["colour"]
    assert isinstance(colour, QComboBox)
    choose(colour, 0.1)
    assert settings.family.get() == "glow" and not section.palette_size.isVisible()
    parts.click(section.colours.button_of("palette"))
    assert section.palette_size.isVisible() and section.palette_size.currentText() == "16 colours"
    assert section.summary.text() == "Middle, 32 × 32, palette of 16, turned upright"
    assert settings.family.get() == "gated_pixelcnn" and [f.family for f in settings.family_uses()] == [
        "gated_pixelcnn"
    ]
    assert not colour.isVisible() and section.varied.text() == "Not varied"
    choose(section.palette_size, 48)
    parts.bench.prepare()
    asked = parts.bench.newest(PrepareTraining)
    assert (asked.palette_size, asked.shape, asked.family) == (48, (3, 32, 32), "gated_pixelcnn")
    assert asked.augmentation == {}
    assert parts.bench.newest(ScanFolder).shape == (3, 32, 32)
    parts.click(section.colours.button_of("grey"))
    parts.bench.examine()
    parts.bench.prepare()
    assert parts.bench.newest(PrepareTraining).palette_size == 0 and not section.palette_size.isVisible()
    for _ in range(3):
        parts.state.history.undo()
    settle()
    assert (settings.family.get(), settings.palette_size.get()) == ("glow", 0)
    assert section.colours.button_of("colour").isChecked() and colour.isVisible()


def test_the_preview_shows_the_colours_of_the_palette(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    parts.state.settings.choose_palette(4)
    parts.bench.examine()
    parts.bench.prepare()
    parts.click(parts.inspector.preparation.preview)
    parts.bench.show_examples(palette=COLOURS)
    settle()
    swatches = parts.stage.preview.swatches
    assert swatches.isVisible() and swatches.accessibleName() == "Palette of 3 colours: black, red, white"
    seen = swatches.grab().toImage()
    for number, colour in enumerate(COLOURS):
        middle = swatches.square_of(number).center().toPoint()
        assert seen.pixelColor(middle).getRgb()[:3] == colour
    parts.state.preview.show_others()
    parts.bench.show_examples()
    settle()
    assert not swatches.isVisible()


def test_a_run_names_its_number_of_colours(parts: Parts, folder: Path) -> None:
    assert wording.size_text((1, 64, 64), 0, 48) == "64 × 64 in 48 colours"
