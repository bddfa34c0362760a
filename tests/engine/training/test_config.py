"""What is to be learned: recipes that are shipped can be run again, and what a person asks for is checked."""

import json
from pathlib import Path

import pytest

from studio.engine.training.config import BadTrainingConfig, TrainingPlan, config_for_data, config_from_json
from studio.library import models

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", sorted((ROOT / "models" / "recipes").rglob("*.json")), ids=lambda p: p.stem)
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


def test_a_config_with_earlier_keys_is_read_whole() -> None:
    earlier = """{
      "name": "hum", "title": "Hum", "makes": "Hums", "learned_from": "9 hums", "licence": "CC0 1.0", "smooth": true,
      "shape": [8000], "rate": 8000, "labels": ["label"], "opening": 0.5,
      "recipe": {"family": "wavenet", "cycles": 1, "layers": 6, "channels": 16, "skip": 16, "classes": [2]},
      "plan": {"rate": 0.003, "clip": 1, "decay": 0.01, "average": 0.9, "cut": 4096, "flips": true, "evaluate": 500,
               "save_seconds": 30}
    }"""
    found = config_from_json(earlier.encode())
    assert (found.subject, found.training_data, found.shown_smooth, found.sample_rate) == ("Hums", "9 hums", True, 8000)
    assert (found.label_columns, found.opening_temperature) == (("label",), 0.5)
    assert found.plan == TrainingPlan(
        learning_rate=0.003,
        max_gradient_norm=1,
        weight_decay=0.01,
        average_decay=0.9,
        cut_samples=4096,
        mirror=True,
        evaluate_every=500,
        save_every_seconds=30,
    )


def test_what_a_person_asks_for_is_checked(tmp_path: Path) -> None:
    assert config_for_data("roses", tmp_path, "realnvp", "tiny", (3, 32, 32)).name == "roses"
    with pytest.raises(BadTrainingConfig, match="no family"):
        config_for_data("roses", tmp_path, "gan", "tiny", (3, 32, 32))
    with pytest.raises(BadTrainingConfig, match="no preset"):
        config_for_data("roses", tmp_path, "realnvp", "huge", (3, 32, 32))
    with pytest.raises(BadTrainingConfig, match="small letters"):
        config_for_data("My Roses/", tmp_path, "realnvp", "tiny", (3, 32, 32))


@pytest.mark.parametrize("file", sorted((ROOT / "models").glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_shipped_card_says_what_its_recipe_says(file: Path) -> None:
    study = config_from_json((ROOT / "models" / "recipes" / f"{file.stem}.json").read_bytes())
    card = models.find_model(str(file)).card
    for field in ("name", "title", "licence", "group", "shown_smooth", "temperature", "levels", "sample_rate"):
        assert getattr(card, field) == getattr(study, field), field
    assert (card.group_heading == "Studies") == ("MNIST" in card.training_data)
