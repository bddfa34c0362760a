"""Explore refuses models without sliders, says why, and offers another."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.media import export
from studio.wire.messages import Encode, Finished, PicturesPreview
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model

REFUSED = '"Brush" draws pixel by pixel and has no sliders. Your picture stays here.'


@pytest.fixture(autouse=True)
def more_models(two_models: Path) -> None:
    """Add `brush` without sliders before `glow`, 4 × 4, and `tiny` of the brush's size."""
    pixels = make_card("brush", family=("pixelcnn_pp", "PixelCNN++"))
    write_model(two_models, replace(pixels, directions=()))
    write_model(two_models, make_card("glow", (1, 4, 4)))


def name_in(window: AppState, panel: str) -> str:
    trained = {"generate": window.generate, "explore": window.explore, "complete": window.complete}[panel].model.get()
    assert trained is not None
    return trained.card.name


def make_picture(window: AppState, engine: FakeEngine) -> None:
    """Make one picture with the brush in Generate."""
    engine.status_changed.emit("Ready")
    window.generate.parameters.set_number(1)
    window.generate.start_batch()
    job = engine.sent[-1].job
    picture = np.full((1, 8, 8, 3), 40, np.uint8)
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=picture, done=5, total=5, log_prob=(-1.0,)), Finished(job=job)
    )


def test_a_panel_begins_with_the_first_model_that_it_can_use(window: AppState) -> None:
    assert [name_in(window, panel) for panel in ("generate", "explore", "complete")] == ["brush", "glow", "brush"]


def test_explore_uses_the_first_model_if_none_has_sliders(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    for name in ("glow", "tiny", "tones"):
        (two_models / f"{name}.safetensors").unlink()
    window = opener(engine)
    assert name_in(window, "explore") == "brush" and window.explore.replacement.get() is None


def test_a_chosen_model_without_sliders_survives_a_restart(window: AppState, opener: Opener) -> None:
    window.explore.choose_model("brush")
    assert name_in(opener(FakeEngine()), "explore") == "brush"


def test_a_picture_of_a_model_without_sliders_stays_and_says_why(window: AppState, engine: FakeEngine) -> None:
    make_picture(window, engine)
    window.generate.open_in_explore(0)
    message = window.messages.current.get()
    assert message is not None and message.text == REFUSED
    assert ['"Tiny"' in words for words, _ in message.buttons] == [True], "of the same size, not the first"
    assert window.panel.get() == "generate" and name_in(window, "explore") == "glow"
    window.show_panel("sound")
    assert window.messages.current.get() is None


def test_a_picture_is_explored_with_the_offered_model(window: AppState, engine: FakeEngine) -> None:
    make_picture(window, engine)
    window.generate.open_in_explore(0)
    window.messages.press_button(0)
    command = engine.sent[-1]
    assert isinstance(command, Encode) and command.model == "tiny" and set(np.ravel(command.picture)) == {40}
    assert window.panel.get() == "explore" and name_in(window, "explore") == "tiny"
    assert name_in(window, "generate") == "brush", "the model of another panel stays"


def test_a_completion_without_sliders_is_refused_with_an_offer(
    window: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "mine.png"
    path.write_bytes(export.encode_png_bytes(np.full((8, 8, 3), 90, np.uint8)))
    window.show_panel("complete")
    window.open_dropped([path])
    complete = window.complete
    qtbot.waitUntil(lambda: complete.canvas.picture.get() is not None)
    complete.canvas.brush.choose_tool("rows")
    complete.canvas.brush.start_stroke((1.0, 4.0))
    complete.canvas.brush.end_stroke()
    complete.parameters.set_number(1)
    complete.start_batch()
    job = engine.sent[-1].job
    picture = np.full((1, 8, 8, 3), 40, np.uint8)
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=picture, done=5, total=5, log_prob=(-1.0,)), Finished(job=job)
    )
    complete.choose_completions((0,))
    count = len(engine.sent)
    complete.open_in_explore()
    message = window.messages.current.get()
    assert message is not None and message.text == REFUSED and len(engine.sent) == count, "nothing has to be computed"
    window.messages.press_button(0)
    command = engine.sent[-1]
    assert isinstance(command, Encode) and command.model == "tiny" and set(np.ravel(command.picture)) == {40}
    assert window.panel.get() == "explore" and name_in(window, "complete") == "brush"


def test_a_take_without_sliders_can_be_continued_with_a_model_that_has_them(
    window: AppState, engine: FakeEngine
) -> None:
    make_picture(window, engine)
    window.generate.keep_take(0)
    window.show_panel("explore")
    window.explore.choose_take(0)
    assert name_in(window, "explore") == "brush"
    offered = window.explore.replacement.get()
    assert offered is not None and offered.card.name == "tiny"
    window.explore.choose_replacement()
    command = engine.sent[-1]
    assert isinstance(command, Encode) and command.model == "tiny" and set(np.ravel(command.picture)) == {40}
    assert window.explore.replacement.get() is None and len(window.takes.takes.get()) == 1


def test_the_offered_model_is_only_chosen_if_there_is_no_picture(window: AppState, engine: FakeEngine) -> None:
    window.explore.choose_model("brush")
    window.explore.choose_replacement()
    assert name_in(window, "explore") == "tiny" and engine.sent == []


def test_a_dropped_photo_uses_a_model_with_sliders(window: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "rose.png"
    path.write_bytes(export.encode_png_bytes(np.full((20, 30, 3), 90, np.uint8)))
    window.open_dropped([path])
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    assert name_in(window, "explore") == "glow" and window.messages.current.get() is None


def test_a_photo_uses_the_model_that_the_user_chose_in_explore(window: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    window.show_panel("explore")
    window.explore.choose_model("brush")
    path = tmp_path / "rose.png"
    path.write_bytes(export.encode_png_bytes(np.full((20, 30, 3), 90, np.uint8)))
    window.open_dropped([path])
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    assert name_in(window, "explore") == "brush"
