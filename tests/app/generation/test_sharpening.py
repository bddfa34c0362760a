"""Guidance and top-p reach the engine, the recipe and the words beside the bits."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.panels.complete.inspector_view import CompleteInspector
from studio.app.panels.generate.view import GenerateInspector, GenerateStage
from studio.app.takes import tree
from studio.wire.messages import Finished, Inpaint, PicturesPreview, Sample
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.panels.generate.test_state import made_of
from tests.app.window_fixtures import OpenedWindow, WindowOpener, drag, settle

NOTE = "Guidance 1.5 and top-p 0.9: not the model's own density. Bits are under the model itself."
PIXELS = ("gated_pixelcnn", "Gated PixelCNN")


@pytest.fixture(autouse=True)
def pixel_models(two_models: Path) -> None:
    """Add `kinds`, which has guidance, and `plain`, which has not. Both draw pixel by pixel and can be mixed."""
    card = make_card("kinds", classes=("dark", "light"), family=PIXELS)
    write_model(two_models, msgspec.structs.replace(card, recipe={"family": PIXELS[0], "class_dropout": 0.1}))
    write_model(two_models, make_card("plain", classes=("dark", "light"), family=PIXELS), salt=1.0)


def draw(window: AppState, engine: FakeEngine) -> Sample:
    """Let Generate draw two pictures, as an engine does; return the command."""
    engine.status_changed.emit("Ready")
    window.generate.parameters.set_number(2)
    window.generate.start_batch()
    command = engine.sent[-1]
    assert isinstance(command, Sample)
    pictures = np.stack([np.full((8, 8, 3), tone, np.uint8) for tone in (10, 20)])
    prices = (-100.0, -200.0)
    engine.emit_events(
        PicturesPreview(job=command.job, first=0, pictures=pictures, done=9, total=9, log_prob=prices, labels=(0, 1)),
        Finished(job=command.job),
    )
    return command


def sharpen(window: AppState) -> None:
    window.generate.choose_model("kinds")
    window.generate.parameters.sharpening.set_guidance(1.5)
    window.generate.parameters.sharpening.set_top_p(0.9)


def test_a_run_is_drawn_with_guidance_and_top_p_and_its_recipes_keep_them(
    opener: Opener, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    window = opener(engine)
    sharpen(window)
    command = draw(window, engine)
    assert (command.guidance, command.top_p) == (1.5, 0.9)
    window.generate.parameters.sharpening.set_guidance(0.5)  # it is for the next pictures
    assert window.generate.batch.caption.get().endswith(NOTE)
    for opened in (window, opener(engine)):  # now, and after a restart
        recipe = made_of(opened, 1, tmp_path, qtbot)
        assert (recipe.guidance, recipe.top_p) == (1.5, 0.9)
    again = opener(engine).generate.parameters.sharpening
    assert (again.guidance.get(), again.top_p.get()) == (0.5, 0.9)


def test_a_model_or_a_mixture_without_guidance_draws_without(opener: Opener, engine: FakeEngine) -> None:
    window = opener(engine)
    sharpen(window)
    generate = window.generate
    generate.parameters.set_mix("plain")
    command = draw(window, engine)
    assert (command.second_model, command.guidance, command.top_p) == ("plain", 0.0, 0.9)
    generate.parameters.set_mix("")
    assert draw(window, engine).guidance == 1.5
    generate.choose_model("plain")
    assert generate.parameters.sharpening.guidance.get() == 0.0, "another model begins without"
    command = draw(window, engine)
    assert (command.guidance, command.top_p) == (0.0, 1.0)
    assert "density" not in generate.batch.caption.get()


def test_a_picture_is_continued_from_a_row_with_its_guidance(opener: Opener, engine: FakeEngine) -> None:
    window = opener(engine)
    sharpen(window)
    draw(window, engine)
    generate = window.generate
    seed = generate.batch.cells.get()[1].seed
    generate.choose_model("plain")
    generate.enlarge_cell(1)
    generate.rewind_actions.move_marker(5)  # the settings of the picture are restored
    generate.parameters.sharpening.set_guidance(2.0)
    generate.rewind_actions.branch_here()
    command = engine.sent[-1]
    assert isinstance(command, Inpaint)
    assert (command.guidance, command.top_p, command.seeds) == (2.0, 0.9, (seed,))
    picture = np.full((1, 8, 8, 3), 7, np.uint8)
    engine.emit_events(
        PicturesPreview(job=command.job, first=0, pictures=picture, done=9, total=9, log_prob=(-5.0,), labels=(1,)),
        Finished(job=command.job),
    )
    parent, child = window.takes.takes.get()
    assert child.work.guidance == 2.0
    assert "guidance 2" in tree.take_caption(child, parent)
    generate.rewind_actions.move_marker(6)
    generate.rewind_actions.branch_here()
    command = engine.sent[-1]
    assert isinstance(command, Inpaint)
    assert command.seeds != (seed,), "the same seed would draw the same picture again"


def test_sliders_are_shown_for_models_that_have_them_and_the_bits_say_whose_they_are(
    window_opener: WindowOpener,
) -> None:
    studio = window_opener()
    studio.start_engine()
    generate = studio.state.generate
    panel = studio.window.panels["generate"]
    stage, inspector = panel.stage, panel.inspector
    assert isinstance(inspector, GenerateInspector)
    assert isinstance(stage, GenerateStage)
    form = inspector.parameters

    def shown() -> tuple[bool, bool]:
        settle()
        return form.guidance.isVisibleTo(inspector), form.top_p.isVisibleTo(inspector)

    generate.choose_model("tiny")
    assert shown() == (False, False)
    generate.choose_model("plain")
    assert shown() == (False, True)
    generate.choose_model("kinds")
    assert shown() == (True, True)
    for slider, value in ((form.guidance, 1.5), (form.top_p, 0.9)):
        drag(slider.slider, [slider.slider._position_of(slider._home), slider.slider._position_of(value)])
        assert slider._value == pytest.approx(value, abs=0.02)
    generate.history.undo()
    assert form.top_p._value == 1.0
    generate.parameters.set_mix("plain")
    assert shown() == (False, True)
    generate.parameters.set_mix("")
    sharpen(studio.state)
    draw(studio.state, studio.engine)
    generate.enlarge_cell(0)
    settle()
    caption = stage.enlarged_caption
    assert caption.words.text().endswith("144 bits")
    assert (caption.note.text(), caption.note.isVisibleTo(stage)) == (NOTE, True)
    assert not caption.note.is_cut
    generate.choose_model("plain")
    draw(studio.state, studio.engine)
    generate.enlarge_cell(0)
    assert not caption.note.isVisibleTo(stage)


def test_completions_are_drawn_with_guidance_and_say_whose_bits_they_have(window_opener: WindowOpener) -> None:
    studio = window_opener()
    studio.start_engine()
    complete = studio.state.complete
    studio.state.show_panel("complete")
    sharpen(studio.state)
    draw(studio.state, studio.engine)
    complete.canvas.open_work(_first_artwork(studio))
    complete.choose_model("kinds")
    complete.parameters.sharpening.set_guidance(1.5)
    complete.parameters.sharpening.set_top_p(0.9)
    complete.canvas.brush.choose_tool("rows")
    complete.canvas.brush.start_stroke((1.0, 4.0))
    complete.canvas.brush.end_stroke()
    complete.parameters.set_number(1)
    complete.start_batch()
    command = studio.engine.sent[-1]
    assert isinstance(command, Inpaint)
    assert (command.guidance, command.top_p) == (1.5, 0.9)
    picture = np.full((1, 8, 8, 3), 7, np.uint8)
    studio.engine.emit_events(
        PicturesPreview(job=command.job, first=0, pictures=picture, done=9, total=9, log_prob=(-50.0,), labels=(1,)),
        Finished(job=command.job),
    )
    complete.choose_completions((0,))
    inspector = studio.window.panels["complete"].inspector
    assert isinstance(inspector, CompleteInspector)
    assert inspector.settings.part.text().endswith(NOTE)
    assert complete.batch.caption.get().endswith(NOTE)


def _first_artwork(studio: OpenedWindow) -> Artwork:
    artwork = studio.state.generate.artwork(0)
    assert artwork is not None
    return artwork
