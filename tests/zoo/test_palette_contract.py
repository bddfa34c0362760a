"""Every model over a palette draws, encodes and prices indices whose order means nothing."""

import copy
import functools
import math

import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive import Autoregressive, uncached_stepper
from studio.density.canvas import Canvas
from studio.density.picture_mixture import mix_models

SOFTMAX = ("pixelrnn", "pixelcnn", "gated_pixelcnn")
COLOURS = 5
"""No layer has as many features, so that a side of this length belongs to the colours."""


@functools.cache
def made(family: str, size: int = 5, colours: int = COLOURS) -> Autoregressive:
    """Return a model of the tiny preset over a palette, as after some training."""
    torch.manual_seed(1)
    recipe = zoo.FAMILIES[family].presets["tiny"]
    model = zoo.build_model(recipe, (1, size, size), colours, indexed=True)
    assert isinstance(model, Autoregressive)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.double().eval()


def pictures(model: Autoregressive, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, model.levels, (count, *model.shape), generator=generator, dtype=torch.uint8)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("family", SOFTMAX)
def test_pictures_decode_back_index_for_index_and_are_the_same_in_any_batch(family: str, dtype: torch.dtype) -> None:
    model = copy.deepcopy(made(family)).to(dtype)
    x = pictures(model, 6)
    assert torch.equal(model.decode(model.encode(x)), x)
    seeds = range(9)
    together = model.sample(seeds)
    assert torch.equal(together[4:5], model.sample([4]))
    assert int(together.max()) < COLOURS and len(together.unique()) == COLOURS
    assert torch.equal(model.decode(model.encode(together)), together)


@torch.no_grad()
@pytest.mark.parametrize("family", SOFTMAX)
def test_stepping_equals_the_whole_network(family: str) -> None:
    model = made(family)
    z = model.noise([1, 2])
    x = model.decode(z)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "stepper", functools.partial(uncached_stepper, model.net))
        assert torch.equal(model.decode(z), x)


@torch.no_grad()
@pytest.mark.parametrize("family", SOFTMAX)
def test_all_pictures_of_four_pixels_in_four_colours_sum_to_one(family: str) -> None:
    model = made(family, 2, 4)
    every = torch.cartesian_prod(*[torch.arange(4, dtype=torch.uint8)] * 4).view(-1, 1, 2, 2)
    assert float(model.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("family", SOFTMAX)
def test_surprisal_sums_to_the_log_probability_and_knows_only_what_came_before(family: str) -> None:
    model = made(family)
    x = pictures(model, 3)
    bits = model.surprisal(x)
    assert torch.allclose(bits.flatten(1).sum(1) * -math.log(2), model.log_prob(x), atol=1e-9)
    other = x.clone()
    other[:, 0, 3, 1] = (x[:, 0, 3, 1] + 1) % COLOURS
    moved = (model.surprisal(other) - bits).abs() > 1e-12
    place = 3 * model.shape[2] + 1
    assert not bool(moved.flatten(1)[:, :place].any())
    assert bool(moved.flatten(1)[:, place].all())


@torch.no_grad()
@pytest.mark.parametrize("family", SOFTMAX)
def test_kept_pixels_stay_and_temperature_zero_takes_the_likeliest(family: str) -> None:
    model = made(family)
    keep = pictures(model, 2).int()
    keep[..., 2:, :] = -1
    *_, last = model.decode_steps(model.noise([1, 2]), temperature=0.0, keep=keep)
    assert torch.equal(last.x[..., :2, :].int(), keep[..., :2, :])
    at = last.x.clone()
    least = model.surprisal(last.x)[:, 0, 2, 0]
    for colour in range(COLOURS):
        at[:, 0, 2, 0] = colour
        assert bool((model.surprisal(at)[:, 0, 2, 0] >= least - 1e-9).all())


@torch.no_grad()
@pytest.mark.parametrize("family", SOFTMAX)
def test_the_order_of_the_palette_changes_nothing(family: str) -> None:
    """A model whose weights are permuted with the palette gives every picture the same bits."""
    model = made(family)
    order = torch.tensor([3, 0, 4, 1, 2])
    other = copy.deepcopy(model)
    weights = {
        name: functools.reduce(lambda w, side: w.index_select(side, order) if w.shape[side] == COLOURS else w,
                               range(min(w.dim(), 2)), w)
        for name, w in model.state_dict().items()
    }  # fmt: skip
    other.load_state_dict(weights)
    x = pictures(model, 4)
    assert torch.allclose(other.surprisal(order.argsort()[x.long()].byte()), model.surprisal(x), atol=1e-9)


@pytest.mark.parametrize("family", [family for family in zoo.FAMILIES if family not in SOFTMAX])
def test_a_family_without_a_softmax_refuses_in_a_sentence(family: str) -> None:
    recipe = zoo.FAMILIES[family].presets["tiny"]
    with pytest.raises(ValueError, match="needs brightness.*PixelRNN, PixelCNN, Gated PixelCNN"):
        zoo.build_model(recipe, (1, 8, 8), 8, indexed=True)


@torch.no_grad()
@pytest.mark.parametrize(("size", "seamless"), [((9, 14), False), ((26, 26), True)])
def test_a_model_without_borders_draws_canvases_in_its_palette(size: tuple[int, int], seamless: bool) -> None:
    torch.manual_seed(1)
    recipe = zoo.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=8, borderless=True)
    model = zoo.build_model(recipe, (1, 12, 12), COLOURS, indexed=True).double().eval()
    assert isinstance(model, Autoregressive)
    canvas = Canvas(model, *size, seamless=seamless).eval()
    x = canvas.sample([1, 2])
    assert x.shape == (2, 1, *size) and int(x.max()) < COLOURS
    assert torch.equal(canvas.sample([2]), x[1:])
    assert torch.allclose(canvas.surprisal(x).flatten(1).sum(1) * -math.log(2), canvas.log_prob(x), atol=1e-9)
    keep = x.int()
    keep[..., 4:, :] = -1
    *_, last = canvas.decode_steps(canvas.noise([3, 4]), keep=keep)
    assert torch.equal(last.x[..., :4, :], x[..., :4, :])


@torch.no_grad()
def test_two_models_over_one_palette_can_be_mixed_and_others_cannot() -> None:
    one, other = made("pixelcnn", 2, 4), made("gated_pixelcnn", 2, 4)
    mixture = mix_models(one, other, 0.25)
    every = torch.cartesian_prod(*[torch.arange(4, dtype=torch.uint8)] * 4).view(-1, 1, 2, 2)
    assert float(mixture.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)
    x = mixture.sample([1, 2, 3])
    assert torch.equal(mixture.decode(mixture.encode(x)), x)
    grey = zoo.FAMILIES["pixelcnn"].presets["tiny"].build((1, 2, 2), 4).double().eval()
    assert isinstance(grey, Autoregressive)
    with pytest.raises(ValueError, match="cannot be mixed"):
        mix_models(one, grey, 0.25)
