"""A shipped recipe can be run again, and a user's settings are checked."""

import json
from pathlib import Path

import pytest

from studio.engine.training.config import BadTrainingConfig, config_for_data, config_from_json
from studio.library import models
from tests.shipped import recipe_of

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "models" / "recipes"
TRAININGS = sorted(path for path in RECIPES.rglob("*.json") if path.parent.name != "pyramids")


@pytest.mark.parametrize("path", TRAININGS, ids=lambda p: p.stem)
def test_the_shipped_recipes_can_be_run_again(path: Path) -> None:
    found = config_from_json(path.read_bytes())
    assert found.name == path.stem
    model = found.recipe.build(found.shape)
    assert model.shape == found.shape


def test_a_bad_recipe_names_its_field() -> None:
    path = next((ROOT / "models" / "recipes").glob("*.json"))
    fields = json.loads(path.read_bytes())
    fields["plan"]["learning_rate"] = -1
    with pytest.raises(BadTrainingConfig, match="plan.learning_rate"):
        config_from_json(json.dumps(fields).encode())


def test_the_users_settings_are_checked(tmp_path: Path) -> None:
    assert config_for_data("roses", tmp_path, "realnvp", "tiny", (3, 32, 32)).name == "roses"
    with pytest.raises(BadTrainingConfig, match="no family"):
        config_for_data("roses", tmp_path, "gan", "tiny", (3, 32, 32))
    with pytest.raises(BadTrainingConfig, match="no preset"):
        config_for_data("roses", tmp_path, "realnvp", "huge", (3, 32, 32))
    with pytest.raises(BadTrainingConfig, match="small letters"):
        config_for_data("My Roses/", tmp_path, "realnvp", "tiny", (3, 32, 32))


@pytest.mark.parametrize("file", sorted((ROOT / "models").glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_shipped_card_agrees_with_its_recipe(file: Path) -> None:
    card = models.find_model(str(file)).card
    assert (card.group_heading == "Studies") == ("MNIST" in card.training_data)
    if card.pyramid is not None:
        pyramid = recipe_of(card)
        upsampler = models.find_model(pyramid["upsampler"])
        assert (card.name, card.title) == (pyramid["name"], pyramid["title"])
        assert (card.pyramid.upsampler, card.pyramid.upsampler_hash) == (upsampler.card.name, upsampler.file_hash)
        return
    config = config_from_json((ROOT / "models" / "recipes" / f"{file.stem}.json").read_bytes())
    for field in ("name", "title", "licence", "group", "shown_smooth", "temperature", "levels", "sample_rate"):
        assert getattr(card, field) == getattr(config, field), field
