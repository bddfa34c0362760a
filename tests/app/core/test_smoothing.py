"""Photographs are shown smooth and other pictures crisp, unless the user chooses otherwise."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from studio.app.app_state import AppState
from studio.wire.messages import Finished, PicturesPreview, Sample
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model


@pytest.fixture(autouse=True)
def photo_model(two_models: Path) -> None:
    """Add `meadow`, whose card says that its pictures are shown smooth."""
    write_model(two_models, msgspec.structs.replace(make_card("meadow"), smooth=True))


def make_pictures(window: AppState, engine: FakeEngine, model: str) -> None:
    """Show a grid of finished pictures by a model."""
    window.generate.choose_model(model)
    window.generate.start_batch()
    command = next(command for command in reversed(engine.sent) if isinstance(command, Sample))
    pictures = np.zeros((len(command.seeds), 8, 8, 3), np.uint8)
    prices = tuple(-1.0 for _ in command.seeds)
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=pictures, done=1, total=1, log_prob=prices))
    engine.emit_events(Finished(job=command.job))


def test_photographs_open_smooth_and_others_crisp(window: AppState) -> None:
    window.generate.choose_model("tiny")
    assert not window.smooth.get()
    window.generate.choose_model("meadow")
    assert window.smooth.get()
    window.generate.choose_model("tones")
    assert not window.smooth.get()


def test_each_panel_shows_its_own_model_as_it_should(window: AppState) -> None:
    window.generate.choose_model("tiny")
    window.explore.choose_model("meadow")
    assert not window.smooth.get()
    window.show_panel("explore")
    assert window.smooth.get()
    window.show_panel("generate")
    assert not window.smooth.get()


def test_the_users_choice_for_a_model_wins_and_is_stored(
    window: AppState, opener: Opener, engine: FakeEngine
) -> None:
    window.generate.choose_model("meadow")
    window.smoothing.choose_smooth(False)
    window.generate.choose_model("tiny")
    window.smoothing.choose_smooth(True)
    window.generate.choose_model("tones")
    assert not window.smooth.get()
    second = opener(FakeEngine())
    assert not second.smooth.get()
    second.generate.choose_model("meadow")
    assert not second.smooth.get()
    second.generate.choose_model("tiny")
    assert second.smooth.get()


def test_pictures_on_the_stage_stay_smooth_while_another_model_is_chosen(
    window: AppState, engine: FakeEngine
) -> None:
    make_pictures(window, engine, "meadow")
    window.generate.choose_model("tiny")
    assert window.smooth.get()
    make_pictures(window, engine, "tiny")
    assert not window.smooth.get()


def test_a_take_is_shown_as_its_model_shows_pictures(window: AppState, engine: FakeEngine) -> None:
    make_pictures(window, engine, "meadow")
    window.generate.choose_cell(0)
    window.generate.keep_take()
    make_pictures(window, engine, "tiny")
    assert not window.smooth.get()
    window.generate.enlarged.show_take(0)
    assert window.smooth.get()
    window.generate.enlarge_cell(None)
    assert not window.smooth.get()
