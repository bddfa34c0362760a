"""What is to be learned: recipes that are shipped can be run again, and what a person asks for is checked."""

import json
from pathlib import Path

import pytest

from studio.engine.training.config import BadStudy, study_in, study_of
from studio.library import models

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", sorted((ROOT / "models" / "recipes").rglob("*.json")), ids=lambda p: p.stem)
def test_the_shipped_recipes_can_be_run_again(path: Path) -> None:
    found = study_in(path.read_bytes())
    assert found.name == path.stem
    model = found.recipe.build(found.shape)
    assert model.shape == found.shape


def test_a_bad_recipe_names_its_field() -> None:
    path = next((ROOT / "models" / "recipes").glob("*.json"))
    fields = json.loads(path.read_bytes())
    fields["plan"]["rate"] = -1
    with pytest.raises(BadStudy, match="plan.rate"):
        study_in(json.dumps(fields).encode())


def test_what_a_person_asks_for_is_checked(tmp_path: Path) -> None:
    assert study_of("roses", tmp_path, "realnvp", "tiny", (3, 32, 32)).name == "roses"
    with pytest.raises(BadStudy, match="no family"):
        study_of("roses", tmp_path, "gan", "tiny", (3, 32, 32))
    with pytest.raises(BadStudy, match="no preset"):
        study_of("roses", tmp_path, "realnvp", "huge", (3, 32, 32))
    with pytest.raises(BadStudy, match="small letters"):
        study_of("My Roses/", tmp_path, "realnvp", "tiny", (3, 32, 32))


@pytest.mark.parametrize("file", sorted((ROOT / "models").glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_shipped_card_says_what_its_recipe_says(file: Path) -> None:
    study = study_in((ROOT / "models" / "recipes" / f"{file.stem}.json").read_bytes())
    card = models.find_model(str(file)).card
    for field in ("name", "title", "licence", "group", "smooth", "temperature", "levels", "rate"):
        assert getattr(card, field) == getattr(study, field), field
    assert (card.group_heading == "Studies") == ("MNIST" in card.learned_from)
