"""The window reports a deleted model and shows no other model's sliders in its place."""

from pathlib import Path

import numpy as np

from studio.app.app_state import AppState
from studio.library.work import Work
from studio.wire.messages import Decoded, DecodeLatent, Finished
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model


def answer_explore(engine: FakeEngine) -> None:
    """Answer the newest question of Explore."""
    command = next(command for command in reversed(engine.sent) if isinstance(command, DecodeLatent))
    engine.emit_events(Decoded(job=command.job, picture=np.full((8, 8, 3), 9, np.uint8)), Finished(job=command.job))


def test_choosing_a_deleted_model_says_so_and_changes_nothing(window: AppState, two_models: Path) -> None:
    explore = window.explore
    explore.parameters.rename_direction(0, "Warmth")
    (two_models / "tones.safetensors").unlink()
    for panel in (explore, window.generate):
        before = panel.model.get()
        panel.choose_model("tones")
        assert panel.model.get() == before
    assert explore.parameters.names.get()[0] == "Warmth"
    message = window.messages.current.get()
    assert message is not None
    assert message.text.startswith('"Tones" is missing')
    assert [trained.card.name for trained in window.models.cards.get()] == ["tiny"]


def test_the_sliders_of_a_deleted_model_in_use_stay(window: AppState, engine: FakeEngine, two_models: Path) -> None:
    write_model(two_models, make_card("other", scales=("Only",)))
    window.models.refresh_models()
    explore = window.explore
    explore.choose_model("other")
    explore.parameters.new_start(3)
    answer_explore(engine)
    explore.parameters.set_slider(0, 1.5)
    answer_explore(engine)
    explore.keep_take()
    (two_models / "other.safetensors").unlink()
    explore.choose_model("tiny")
    assert explore.parameters.scales.get() == ("Coarse", "Middle", "Fine")
    explore.history.undo()
    trained = explore.model.get()
    assert trained is not None
    assert trained.card.name == "other"
    assert explore.parameters.scales.get() == ("Only",)
    assert explore.parameters.sliders.get() == (1.5, 0.0, 0.0)
    explore.parameters.set_slider(1, 0.5)
    answer_explore(engine)
    explore.keep_take()
    explore.choose_take(0)


def test_naming_a_direction_of_a_deleted_model_is_refused_with_a_message(window: AppState, two_models: Path) -> None:
    (two_models / "tiny.safetensors").unlink()
    window.explore.parameters.rename_direction(0, "Warmth")
    message = window.messages.current.get()
    assert message is not None
    assert message.text.startswith('"tiny.safetensors" could not be read')
    assert window.explore.parameters.names.get()[0] == "1"


def test_an_artwork_without_a_recipe_is_not_attributed_to_a_deleted_model(window: AppState, two_models: Path) -> None:
    (two_models / "tones.safetensors").unlink()
    assert window.models.find_maker(Work(model="elsewhere", model_hash="", seed=4)) is None
