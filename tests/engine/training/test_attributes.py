"""What a pack says of its artworks becomes sliders of that name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from studio import cli
from studio.density.model import Model
from studio.engine.generation.latent_directions import attribute_directions
from studio.engine.generation.sampling import ModelCache
from studio.engine.levels import DoesNotFit, TrainingExamples
from studio.engine.training.attributes import Attribute, attribute_values
from studio.library import models
from studio.media.dataset import load_dataset
from studio.zoo.nice import NICE

WEIGHT = Attribute(name="Weight", column="font_weight", index="font")
SERIF = Attribute(name="Serif", column="font_category", index="font", value="serif")
OWN = Attribute(name="Grain", column="grain")
FONTS = 24


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Save 192 letters of 24 fonts: ink of the upper half tells the weight, and of the lower half the serif."""
    generator = np.random.default_rng(0)
    font = np.arange(192) % FONTS
    weight = 100 * (1 + generator.integers(0, 9, FONTS)).astype(np.uint16)
    category = np.array(["serif", "sans-serif", "display"])[generator.integers(0, 3, FONTS)]
    x = generator.integers(60, 100, (192, 4, 4, 1))
    x[:, :2] += (weight[font] // 10)[:, None, None, None]
    x[:, 2:] += 60 * (category[font] == "serif")[:, None, None, None]
    path = tmp_path / "letters.npz"
    grain = generator.normal(size=176).astype(np.float32)
    np.savez(
        path, train_x=x[:176].astype(np.uint8), train_font=font[:176], test_x=x[176:].astype(np.uint8),
        train_grain=grain, font_weight=weight, font_category=category,
    )  # fmt: skip
    return path


def test_attributes_follow_their_artworks_through_the_splits(pack: Path) -> None:
    parts = np.load(pack)
    arrays = {key: parts[key] for key in parts.files}
    arrays["test_x"] = np.concatenate((arrays["test_x"], arrays["train_x"][3:5]))  # so that two are not learned
    np.savez(pack, **arrays)
    data = load_dataset(pack, (1, 4, 4))
    assert len(data.train) == 174
    values = attribute_values(pack, data.train_rows, (WEIGHT, SERIF, OWN))
    font = np.delete(arrays["train_font"], [3, 4])
    assert torch.equal(values[:, 0], torch.from_numpy(arrays["font_weight"][font].astype(np.float32)))
    assert values[:, 1].tolist() == (arrays["font_category"][font] == "serif").tolist()
    assert torch.equal(values[:, 2], torch.from_numpy(np.delete(arrays["train_grain"], [3, 4])))
    known = TrainingExamples(torch.from_numpy(data.train).permute(0, 3, 1, 2), attributes=values)
    order = torch.randperm(174)
    assert torch.equal(known.select(order).to(torch.device("cpu")).attributes, values[order])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        (Attribute(name="Age", column="font_age", index="font"), 'no array "font_age"'),
        (Attribute(name="Age", column="age"), 'no array "train_age"'),
        (Attribute(name="Kind", column="font_category", index="font"), "has no numbers"),
        (Attribute(name="Weight", column="label_names", index="font", value="a"), 'no array "label_names"'),
    ],
)
def test_a_missing_attribute_is_named(pack: Path, attribute: Attribute, words: str) -> None:
    with pytest.raises(DoesNotFit, match=words):
        attribute_values(pack, np.arange(3), (attribute,))


def test_a_direction_moves_one_attribute_and_leaves_the_other(pack: Path) -> None:
    data = load_dataset(pack, (1, 4, 4))
    x = torch.from_numpy(data.train).permute(0, 3, 1, 2)
    model: Model = NICE(depth=1, width=8, prior="normal").build((1, 4, 4)).double()  # linear until it has learned
    with torch.no_grad():
        model.loss(x)
    known = TrainingExamples(x, attributes=attribute_values(pack, data.train_rows, (WEIGHT, SERIF)))
    weight, serif = attribute_directions(model.eval(), known).view(2, 1, 4, 4)
    assert float(weight[:, :2].mean()) > 8 * float(weight[:, 2:].mean().abs())
    assert float(serif[:, 2:].mean()) > 8 * float(serif[:, :2].mean().abs())


def test_a_trained_file_has_sliders_of_these_names(pack: Path, studio_home: Path, tmp_path: Path) -> None:
    recipe = {
        "name": "tiny-fonts", "title": "Fonts", "subject": "Letters", "training_data": "letters", "licence": "CC0",
        "shape": [1, 4, 4], "recipe": {"family": "nice", "depth": 1, "width": 8, "prior": "normal"},
        "plan": {"steps": 2, "evaluate_every": 2},
        "attributes": [
            {"name": "Weight", "column": "font_weight", "index": "font"},
            {"name": "Serif", "column": "font_category", "index": "font", "value": "serif"},
        ],
    }  # fmt: skip
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    out = tmp_path / "out"
    assert cli.main(["train", str(pack), "--recipe", str(tmp_path / "recipe.json"), "--out", str(out)]) == 0
    path = out / "tiny-fonts.safetensors"
    assert models.direction_names(models.find_model(str(path)))[:3] == ("Weight", "Serif", "1")
    loaded = ModelCache(torch.device("cpu")).get_model(str(path))
    with torch.no_grad():
        z = loaded.model.noise(range(8))
        calm = loaded.model.decode(z).float()
        heavy = loaded.model.decode(z + 2 * loaded.directions[0]).float()
    moved = (heavy - calm).mean((0, 1, 3))
    assert float(moved[:2].mean()) > 20
    assert float(moved[2:].abs().mean()) < 8
