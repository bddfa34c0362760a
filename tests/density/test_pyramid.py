"""A pyramid adds details to the pictures of any base, and everything about it is the sum of both."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.pyramid import Pyramid
from studio.zoo import upsampler


def trained(family: str = "gated_pixelcnn", levels: int = 16, side: int = 32, doublings: int = 2) -> Pyramid:
    """Return a pyramid in float64 with weights as after some training."""
    torch.manual_seed(1)
    coarse = side >> doublings
    recipe = upsampler.Upsampler(doublings=doublings, width=8, shared=1, passes=1)
    base = zoo.FAMILIES[family].presets["tiny"].build((1, coarse, coarse), levels)
    model = Pyramid(base, recipe.build((1, side, side), levels))
    with torch.no_grad():
        model.loss(pictures(model, 16))
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.double().eval()


def pictures(model: Pyramid, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, model.levels, (count, *model.shape), generator=generator, dtype=torch.uint8)


@torch.no_grad()
def test_the_probabilities_of_all_pictures_of_2_by_2_pixels_in_4_levels_sum_to_one() -> None:
    model = trained(levels=4, side=2, doublings=1)
    every = torch.cartesian_prod(*[torch.arange(4, dtype=torch.uint8)] * 4).view(-1, 1, 2, 2)
    assert float(model.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("family", ["gated_pixelcnn", "glow"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_bits_are_those_of_the_base_and_of_each_plane(family: str, dtype: torch.dtype) -> None:
    model = trained(family).to(dtype)
    x = pictures(model, 3)
    of_base = model.base.log_prob(model.upsampler.coarse(x)).double()
    planes = model.upsampler.log_probs(x).double()
    offsets = [planes[..., i::4, j::4].flatten(1).sum(1) for i, j in itertools.product(range(4), range(4))]
    whole = model.log_prob(x).double()
    close = {"atol": 1e-9, "rtol": 0.0} if dtype == torch.float64 else {"atol": 1e-2, "rtol": 1e-6}
    assert torch.allclose(of_base + sum(offsets, torch.zeros(3)), whole, **close)
    assert torch.allclose(-math.log(2) * model.surprisal(x).double().flatten(1).sum(1), whole, **close)


@torch.no_grad()
def test_a_seed_has_the_coarse_picture_that_its_base_draws() -> None:
    for family in ("gated_pixelcnn", "glow", "vae_flow"):
        model = trained(family)
        assert torch.equal(model.upsampler.coarse(model.sample([1, 2])), model.base.sample([1, 2]))


@torch.no_grad()
def test_a_slider_of_the_base_holds_the_noise_of_the_details() -> None:
    for family in ("glow", "vae_flow"):
        model = trained(family)
        z = model.noise([1])
        move = model.join_latent(torch.randn_like(model.base_latent(z)), torch.zeros(1, *model.shape, dtype=z.dtype))
        assert torch.equal(
            model.detail_latent(z + move)[:, model.is_detail], model.detail_latent(z)[:, model.is_detail]
        )
        moved = model.decode(z + move)
        assert not torch.equal(moved, model.decode(z))
        assert torch.equal(model.upsampler.coarse(moved), model.base.decode(model.base_latent(z + move)))


@torch.no_grad()
def test_each_scale_has_its_own_temperature() -> None:
    model = trained("glow")
    assert model.scales == model.base.scales + 2
    cold = model.temperature_by_scale([0.0] * model.base.scales + [1.0, 1.0])
    coarse = model.upsampler.coarse(model.sample([1, 2], temperature=cold))
    assert torch.equal(coarse[0], coarse[1])
    assert not torch.equal(*model.sample([1, 2], temperature=cold))
    plain = model.temperature_by_scale([1.0] * model.base.scales + [0.0, 0.0])
    z = model.noise([1])
    other = model.join_latent(model.base_latent(z), torch.randn(1, *model.shape, dtype=z.dtype))
    assert torch.equal(model.decode(z, temperature=plain), model.decode(other, temperature=plain))


@torch.no_grad()
def test_kept_pixels_stay_and_whole_kept_squares_reach_the_base() -> None:
    model = trained()
    x = pictures(model, 2)
    keep = x.int()
    keep[:, :, 10:, 3:] = -1
    *_, last = model.decode_steps(model.noise([3, 4]), keep=keep)
    assert torch.equal(last.x[keep >= 0], x[keep >= 0])
    assert not torch.equal(last.x[:, :, 10:, 3:], x[:, :, 10:, 3:])
    assert torch.equal(model.upsampler.coarse(last.x)[..., :2, :], model.upsampler.coarse(x)[..., :2, :])


@torch.no_grad()
def test_a_class_is_the_bases_own() -> None:
    recipe = upsampler.Upsampler(doublings=1, width=8, shared=1, passes=1)
    base = zoo.recipe_from_fields({"family": "gated_pixelcnn", "classes": 3}).build((1, 4, 4), 16)
    model = Pyramid(base, recipe.build((1, 8, 8), 16)).double().eval()
    x = pictures(model, 2)
    each = torch.stack([model.log_prob(x, torch.full((2,), kind)) for kind in range(3)], 1)
    assert torch.allclose(model.log_prob_of_classes(x), each)
    assert torch.allclose(model.log_prob(x), torch.logsumexp(each, 1) - math.log(3))
    assert model.draw_classes([1, 2]) is not None


def test_parts_that_do_not_fit_are_refused() -> None:
    base = zoo.FAMILIES["gated_pixelcnn"].presets["tiny"].build((1, 8, 8), 16)
    with pytest.raises(ValueError, match="16 levels, but the upsampler takes"):
        Pyramid(base, upsampler.Upsampler(doublings=1).build((1, 16, 16), 32))
