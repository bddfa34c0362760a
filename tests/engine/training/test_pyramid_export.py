"""A pyramid is made of a trained model and an upsampler, and is then a model like any other."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from studio import cli, zoo
from studio.density.pyramid import Pyramid
from studio.engine.device import choose_device
from studio.engine.generation import encoding, inpainting, sampling
from studio.engine.generation.sampling import ModelCache
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint
from studio.engine.training.pyramid_export import make_pyramid
from studio.engine.training.splits import training_and_test
from studio.library import models
from studio.media.dataset import load_dataset
from studio.media.pictures.image import FileRefused
from studio.wire import messages as wire


@pytest.fixture
def pack(rings: np.ndarray, tmp_path: Path) -> Path:
    """Return a pack of the pictures from which `tiny-upsampler` learned, with two classes."""
    path = tmp_path / "rings32.npz"
    x = (rings[..., :1] // 16 * 17).repeat(4, 1).repeat(4, 2)
    y = np.arange(160) % 2
    np.savez(path, train_x=x[:144], train_y=y[:144], test_x=x[144:], test_y=y[144:], label_names=["odd", "even"])
    return path


@pytest.fixture
def pyramid(tiny_pixels: str, tiny_upsampler: str, pack: Path) -> str:
    """Return the name of a pyramid among the user's own models."""
    made = wire.MakePyramid(job="p", base=tiny_pixels, upsampler=tiny_upsampler, source=str(pack), name="large")
    *_, last = (event for event in make_pyramid(made, choose_device("cpu")) if event is not None)
    assert isinstance(last, wire.ModelWritten)
    return last.name


@pytest.fixture
def shelf() -> ModelCache:
    return ModelCache(torch.device("cpu"))


def drawn(loaded: sampling.LoadedModel, seeds: list[int]) -> np.ndarray:
    *_, (pictures, done, total) = sampling.draw_artworks(loaded, seeds, 1.0)
    assert done == total
    return pictures


def test_a_pyramid_is_listed_and_its_upsampler_is_not(pyramid: str, tiny_pixels: str, tiny_upsampler: str) -> None:
    found = {each.card.name: each for each in models.list_models()[0]}
    assert tiny_upsampler not in found
    card = found[pyramid].card
    base, details = (models.find_model(name).card for name in (tiny_pixels, tiny_upsampler))
    assert (card.shape, card.levels, card.family, card.title) == ((1, 32, 32), 16, base.family, base.title)
    assert card.parameters == base.parameters + details.parameters
    assert card.scales == ("Coarse", "Middle", "Fine")
    assert card.exact
    assert 0 < card.value < 1, "the squares of 4 × 4 pixels cost little"
    assert card.sampling_text == "draws 8 × 8 pixel by pixel, then details"
    assert card.can_inpaint
    assert not card.draws_by_rows
    assert models.read_cover(found[pyramid].path).shape == (9, 32, 32, 1)


def test_a_pyramid_draws_and_restores_pictures(pyramid: str, rings: np.ndarray, shelf: ModelCache) -> None:
    loaded = shelf.get_model(pyramid)
    together = drawn(loaded, [1, 2, 3])
    assert together.shape == (3, 32, 32, 1)
    assert np.array_equal(drawn(loaded, [2])[0], together[1])
    for picture in (together[0], (rings[150, ..., :1] // 16 * 17).repeat(4, 0).repeat(4, 1)):
        *_, found = encoding.encode_artwork(loaded, picture)
        assert found is not None
        assert (found.differing, found.latent.shape) == (0, (1, 32, 32))
        *_, score = inpainting.score_artwork(loaded, picture)
        assert score is not None
        assert score.bits.sum() == pytest.approx(found.bits, rel=1e-4)
        assert score.log_prob == pytest.approx(-found.bits * math.log(2), rel=1e-4)


def test_a_pyramid_completes_a_picture(pyramid: str, shelf: ModelCache) -> None:
    loaded = shelf.get_model(pyramid)
    picture = drawn(loaded, [1])[0]
    free = np.zeros((32, 32), np.uint8)
    free[9:, 5:] = 1
    keep = inpainting.levels_to_keep(loaded, picture, free)
    *_, (made, _, _) = (step for step in inpainting.draw_completions(loaded, keep, [5, 6], 1.0) if step is not None)
    assert all(np.array_equal(each[free == 0], picture[free == 0]) for each in made)
    assert not np.array_equal(made[0], made[1])
    *_, (whole, following) = (s for s in inpainting.score_completions(loaded, keep, made, [5, 6]) if s is not None)
    assert all(map(math.isfinite, whole))
    assert following is None


def test_a_slider_of_the_base_moves_the_pyramid_and_holds_its_details(
    pyramid: str, studio_home: Path, shelf: ModelCache
) -> None:
    torch.manual_seed(0)
    recipe = zoo.realnvp.RealNVP(scales=1, width=4, blocks=1)
    base = recipe.build((1, 8, 8), 16)
    zoo.plain(base)
    fields = msgspec.to_builtins(recipe)
    card = msgspec.structs.replace(
        models.find_model(pyramid).card, name="flowing", family="realnvp", recipe=fields, directions=("1",), exact=False
    )
    weights = {name: t for name, t in base.state_dict().items() if t.is_floating_point()}
    cover = torch.zeros(1, 32, 32, 1, dtype=torch.uint8)
    path = studio_home / "models" / "flowing.safetensors"
    path.write_bytes(checkpoint.encode_model(card, weights, torch.randn(1, 1, 8, 8), cover))
    loaded = shelf.get_model("flowing")
    model = loaded.model
    assert isinstance(model, Pyramid)
    start = sampling.start_latent(loaded, 1, None)
    moved = sampling.move_latent(loaded, start, (2.0,), (1.0,))
    assert torch.equal(model.detail_latent(moved)[..., model.is_detail[0]], start[..., model.is_detail[0]])
    assert not torch.equal(model.base_latent(moved), model.base_latent(start))
    before, after = (model.upsampler.coarse(model.decode(z[None])) for z in (start, moved))
    assert not torch.equal(before, after)
    assert torch.equal(after, model.base.decode(model.base_latent(moved[None])))


def test_the_upsampler_is_found_by_its_hash_and_a_missing_one_is_named(pyramid: str, tiny_upsampler: str) -> None:
    path = models.find_model(tiny_upsampler).path
    moved = path.with_name("other-name.safetensors")
    path.rename(moved)
    assert ModelCache(torch.device("cpu")).get_model(pyramid).model.shape == (1, 32, 32)
    moved.unlink()
    with pytest.raises(models.BadModel) as missing:
        ModelCache(torch.device("cpu")).get_model(pyramid)
    assert str(missing.value) == (
        '"Pixels" draws its details with the upsampler "tiny-upsampler", which is missing. Add its file to your models.'
    )


def test_an_upsampler_makes_nothing_alone(tiny_upsampler: str, shelf: ModelCache) -> None:
    with pytest.raises(models.BadModel, match='"Upsampler" is an upsampler. It makes nothing alone'):
        shelf.get_model(tiny_upsampler)


def test_parts_that_do_not_fit_are_refused(tiny: str, tiny_pixels: str, tiny_upsampler: str, pack: Path) -> None:
    for base, upsampler, words in (
        (tiny, tiny_upsampler, "does not fit"),
        (tiny_pixels, tiny_pixels, "is no upsampler"),
        (tiny_upsampler, tiny_upsampler, "cannot be the base"),
    ):
        made = wire.MakePyramid(job="p", base=base, upsampler=upsampler, source=str(pack), name="large")
        with pytest.raises(models.BadModel, match=words):
            list(make_pyramid(made, choose_device("cpu")))


def test_classes_of_the_data_are_not_taken_for_those_of_the_base(pack: Path) -> None:
    """The data of a pyramid may show other classes than those from which its base learned."""
    base = zoo.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=8, classes=5).build((1, 8, 8), 16)
    model = Pyramid(base, zoo.upsampler.Upsampler(width=8, shared=1).build((1, 32, 32), 16))
    for each in training_and_test(load_dataset(pack, model.shape), model, ()):
        assert isinstance(each, TrainingExamples)
        assert each.c is None


def test_one_class_of_the_data_may_be_measured(
    tiny_pixels: str, tiny_upsampler: str, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["pyramid", str(pack), "--base", tiny_pixels, "--upsampler", tiny_upsampler, "--only", "even"]
    assert cli.main([*parts, "--name", "even-rings", "--title", "Even rings"]) == 0
    assert "bits per dimension, exact" in capsys.readouterr().out
    assert models.find_model("even-rings").card.title == "Even rings"
    assert cli.main([*parts, "--name", "even-rings"]) == 2
    made = wire.MakePyramid(
        job="p", base=tiny_pixels, upsampler=tiny_upsampler, source=str(pack), name="large", label="round"
    )
    with pytest.raises(FileRefused, match='has no class "round"'):
        list(make_pyramid(made, choose_device("cpu")))


def test_a_recipe_makes_the_same_pyramid_as_the_options(
    tiny_pixels: str, tiny_upsampler: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "large.json"
    recipe.write_text(f'{{"name": "large", "base": "{tiny_pixels}", "upsampler": "{tiny_upsampler}", "only": "even"}}')
    assert cli.main(["pyramid", str(pack), "--recipe", str(recipe)]) == 0
    options = ["--base", tiny_pixels, "--upsampler", tiny_upsampler, "--only", "even", "--name", "other"]
    assert cli.main(["pyramid", str(pack), *options]) == 0
    one, other = models.find_model("large").card, models.find_model("other").card
    assert (one.value, one.figures, one.bits_quantiles) == (other.value, other.figures, other.bits_quantiles)
    assert cli.main(["pyramid", str(pack), "--recipe", str(recipe)]) == 2, "the name is taken now"
    recipe.write_text('{"name": "large", "base": "b", "upsampler": "u", "width": 3}')
    capsys.readouterr()
    assert cli.main(["pyramid", str(pack), "--recipe", str(recipe)]) == 2
    assert '"large.json" is no recipe of a pyramid: Object contains unknown field `width`' in capsys.readouterr().err
    assert cli.main(["pyramid", str(pack), "--name", "third", "--base", "b"]) == 2
    assert "Add --upsampler, or give a recipe." in capsys.readouterr().err
