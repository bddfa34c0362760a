"""The engine's trained models draw pictures from seeds, sliders and the user's picture."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from studio import zoo
from studio.engine.generation import encoding, sampling
from studio.engine.generation.sampling import DoesNotFit, ModelCache
from studio.library import models


@pytest.fixture
def shelf() -> ModelCache:
    return ModelCache(torch.device("cpu"))


def drawn(loaded: sampling.LoadedModel, seeds: list[int], temperature: float = 0.8) -> np.ndarray:
    *_, (pictures, done, total) = sampling.draw_artworks(loaded, seeds, temperature)
    assert done == total
    return pictures


def inverse(loaded: sampling.LoadedModel, picture: np.ndarray) -> encoding.EncodedArtwork:
    *waiting, found = encoding.encode_artwork(loaded, picture)
    assert waiting == [None] * len(waiting)
    assert found is not None
    return found


def shaped(
    loaded: sampling.LoadedModel, start: torch.Tensor, sliders: Sequence[float], temperature: Sequence[float]
) -> np.ndarray:
    *_, pictures = sampling.decode_artworks(loaded, sampling.move_latent(loaded, start, sliders, temperature)[None])
    assert pictures is not None
    return pictures[0]


def test_the_card_states_what_the_file_holds(tiny: str, shelf: ModelCache) -> None:
    loaded = shelf.get_model(tiny)
    assert loaded.card.name == tiny
    assert loaded.model.shape == loaded.card.shape == (3, 8, 8)
    assert len(loaded.directions) == len(loaded.card.directions) == 12
    assert len(loaded.card.scales) == loaded.model.scales == 2
    assert models.read_cover(models.find_model(tiny).path).shape == (9, 8, 8, 3)
    assert 0 < loaded.card.value < 9


def test_a_seed_gives_one_picture_in_any_batch(tiny: str, shelf: ModelCache) -> None:
    loaded = shelf.get_model(tiny)
    together = drawn(loaded, list(range(16)))
    assert np.array_equal(together[5], drawn(loaded, [5])[0])
    by_hand = shaped(loaded, sampling.start_latent(loaded, 5, None), (), (0.8,))
    assert np.array_equal(together[5], by_hand)


def test_a_slider_changes_the_picture_and_home_restores_it(tiny: str, shelf: ModelCache) -> None:
    loaded = shelf.get_model(tiny)
    start = sampling.start_latent(loaded, 3, None)
    home = shaped(loaded, start, (), (1.0,))
    assert not np.array_equal(shaped(loaded, start, (2.0,), (1.0,)), home)
    assert np.array_equal(shaped(loaded, start, (0.0,) * 12, (1.0,)), home)


def test_temperature_acts_by_scale(tiny: str, shelf: ModelCache) -> None:
    loaded = shelf.get_model(tiny)
    start = sampling.start_latent(loaded, 3, None)
    both = shaped(loaded, start, (), (0.5, 0.5))
    assert np.array_equal(both, shaped(loaded, start, (), (0.5,)))
    assert not np.array_equal(both, shaped(loaded, start, (), (0.5, 1.0)))
    with pytest.raises(DoesNotFit, match="3 temperatures were given for 2 scales"):
        shaped(loaded, start, (), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("double", [False, True])
def test_pictures_come_back_byte_for_byte(tiny: str, shelf: ModelCache, rings: np.ndarray, double: bool) -> None:
    loaded = shelf.get_model(tiny, double=double)
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    board = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    for picture in (*rings[:4], noise, board, np.zeros_like(noise), np.full_like(noise, 255)):
        found = inverse(loaded, picture)
        assert (found.differing, found.largest_difference) == (0, 0)
        assert math.isfinite(found.bits)
        assert found.latent.dtype == (np.float64 if double else np.float32)
        start = sampling.start_latent(loaded, 0, found.latent)
        assert np.array_equal(shaped(loaded, start, (), (1.0,)), picture)


def test_a_request_that_does_not_fit_is_explained(tiny: str, shelf: ModelCache) -> None:
    loaded = shelf.get_model(tiny)
    with pytest.raises(DoesNotFit, match=r"\(9, 8, 3\)"):
        inverse(loaded, np.zeros((9, 8, 3), np.uint8))
    with pytest.raises(DoesNotFit, match="float32"):
        inverse(loaded, np.zeros((8, 8, 3), np.float32))
    with pytest.raises(DoesNotFit, match="latent has the shape"):
        sampling.start_latent(loaded, 0, np.zeros((3, 4, 4), np.float32))
    with pytest.raises(DoesNotFit, match="not finite"):
        sampling.start_latent(loaded, 0, np.full((3, 8, 8), np.nan, np.float32))
    with pytest.raises(DoesNotFit, match="13 sliders"):
        shaped(loaded, sampling.start_latent(loaded, 0, None), (1.0,) * 13, (1.0,))
    with pytest.raises(models.BadModel, match="no model named"):
        shelf.get_model("nothing")


def test_weights_that_do_not_fit_the_card_are_refused(tiny: str, shelf: ModelCache, studio_home: Path) -> None:
    path = studio_home / "models" / f"{tiny}.safetensors"
    data = path.read_bytes()
    head = int.from_bytes(data[:8], "little")
    card = data[8 : 8 + head].split(b'"card":"')[1].split(b'"},')[0].decode().encode().decode("unicode_escape")
    tensors = load(data)
    name = next(k for k in tensors if k.startswith("weights.") and tensors[k].dim() == 4)
    del tensors[name]
    path.write_bytes(save(tensors, {"card": card}))
    with pytest.raises(models.BadModel, match=r"do not fit its card \(1 missing\)"):
        shelf.get_model(tiny)


def test_a_replaced_file_is_read_again_with_its_card(tiny: str, shelf: ModelCache, studio_home: Path) -> None:
    before = shelf.get_model(tiny)
    path = studio_home / "models" / f"{tiny}.safetensors"
    path.write_bytes(path.read_bytes().replace(b"Rings", b"Discs"))
    after = shelf.get_model(tiny)
    assert after.hash != before.hash
    assert (before.card.title, after.card.title) == ("Rings", "Discs")


def test_only_a_few_models_stay_in_memory(tiny: str) -> None:
    shelf = ModelCache(torch.device("cpu"), most=1)
    first = shelf.get_model(tiny)
    assert shelf.get_model(tiny) is first
    shelf.get_model(tiny, double=True)
    assert shelf.get_model(tiny) is not first


def test_the_way_between_two_latents_turns_evenly_and_ends_correctly() -> None:
    begin, end = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    line = sampling.interpolate_latents(begin, 2 * end, 65)
    assert torch.equal(line[0], begin)
    assert torch.equal(line[-1], 2 * end)
    lengths = line.flatten(1).norm(dim=1)
    assert torch.allclose(lengths, torch.lerp(begin.norm(), 2 * end.norm(), torch.linspace(0, 1, 65)), rtol=1e-4)
    flat = line.flatten(1) / lengths[:, None]
    cosines = (flat[1:] * flat[:-1]).sum(1)
    assert float(cosines.max() - cosines.min()) < 1e-4
    still = sampling.interpolate_latents(begin, begin, 5)
    assert torch.allclose(still, begin.expand_as(still))
    assert torch.isfinite(sampling.interpolate_latents(torch.zeros_like(begin), begin, 5)).all()


def test_a_blend_keeps_the_lengths_of_encoded_latents(tiny: str, tiny_pixels: str, shelf: ModelCache) -> None:
    for name in (tiny, tiny_pixels):
        loaded = shelf.get_model(name)
        made = loaded.model.sample(range(24))
        z = loaded.model.encode(made)
        ends = z.flatten(1).std(1)
        for i in range(0, 24, 2):
            line = sampling.interpolate_latents(z[i], z[i + 1], 9).flatten(1).std(1)
            low, high = sorted(ends[i : i + 2].tolist())
            assert 0.97 * low < float(line.min()) <= float(line.max()) < 1.03 * high
        if loaded.model.can_inpaint:
            assert float(z.std()) == pytest.approx(1, abs=0.05), "what draws pixel by pixel has standard noise"


def test_a_model_is_loaded_by_one_thread(tiny: str, shelf: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ("recipe_from_fields", "plain", "fold", "channels_last")
    seen: dict[str, int] = {}
    for step in steps:
        usual = getattr(zoo, step)

        def watched(given: object, step: str = step, usual: Callable[[object], object] = usual) -> object:
            seen[step] = torch.get_num_threads()
            return usual(given)

        monkeypatch.setattr(zoo, step, watched)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        shelf.get_model(tiny)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(threads)
    assert seen == dict.fromkeys(steps, 1)
    assert after == 2


def test_an_artwork_has_a_latent_for_every_point_of_its_levels(
    tiny: str, shelf: ModelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = shelf.get_model(tiny, double=True)
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2:5] = 255
    picture[6] = 100
    x = sampling.levels_of_artworks(loaded, picture[None]).expand(9, -1, -1, -1)
    u = loaded.model.dequantisation_points(x, 0)
    assert u[x == 0].max() < 0.2 and u[x == 255].min() > 0.8 and bool((u[x == 100] == 0.5).all())
    z = loaded.model.encode(x, None, u)
    assert len(z.flatten(1).unique(dim=0)) == 9
    assert torch.equal(loaded.model.decode(z), x)

    true = loaded.model.encode

    def poor(x: torch.Tensor, c: torch.Tensor | None = None, u: torch.Tensor | None = None) -> torch.Tensor:
        return torch.full(x.shape, 1e9, dtype=torch.float64) if u is None else true(x, c, u)

    monkeypatch.setattr(loaded.model, "encode", poor)
    *_, missed = encoding.encode_artwork(loaded, picture)
    *_, found = encoding.encode_artwork(loaded, picture, search=True)
    assert missed is not None and missed.differing > 0
    assert found is not None and found.differing == 0
