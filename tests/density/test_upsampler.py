"""An upsampler prices and draws the details of a picture exactly."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from studio.density.upsampler import Upsampler
from studio.zoo import upsampler

CASES = [((1, 16, 16), 16, 2, 1), ((3, 8, 16), 5, 1, 2), ((1, 16, 16), 256, 2, 4)]


def trained(shape: tuple[int, ...], levels: int, doublings: int, passes: int) -> Upsampler:
    """Return an upsampler in float64 with weights as after some training."""
    torch.manual_seed(1)
    recipe = upsampler.Upsampler(doublings=doublings, width=8, shared=1, passes=passes)  # type: ignore[arg-type]
    model = recipe.build(shape, levels)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model.double().eval()


def pictures(model: Upsampler, count: int) -> Tensor:
    """Return random pictures. The first is black and the second white."""
    x = torch.randint(0, model.levels, (count, *model.shape), generator=torch.Generator().manual_seed(0))
    x[0] = 0
    x[1] = model.levels - 1
    return x.to(torch.uint8)


@pytest.fixture(params=[*itertools.product(CASES, (torch.float32, torch.float64))], ids=str)
def model(request: pytest.FixtureRequest) -> Upsampler:
    """Return an upsampler of each case, in float32 and in float64."""
    case, dtype = request.param
    return trained(*case).to(dtype)


@torch.no_grad()
@pytest.mark.parametrize("passes", [1, 2, 4])
def test_the_details_of_every_coarse_picture_sum_to_one(passes: int) -> None:
    """All pictures of 2 × 2 pixels in 4 levels, or of 2 × 4 in 2 levels, each repeated to fill the passes."""
    shape, levels = {1: ((1, 2, 2), 4), 2: ((1, 2, 4), 2), 4: ((1, 4, 4), 2)}[passes]
    model = trained(shape, levels, 1, passes)
    entries = math.prod(shape)
    every = torch.cartesian_prod(*[torch.arange(levels, dtype=torch.uint8)] * entries).view(-1, *shape)
    p = torch.cat([model.log_prob(part).exp() for part in every.split(4096)])
    names = model.coarse(every).flatten(1).long() @ levels ** torch.arange(entries // 4)
    sums = torch.zeros(levels ** (entries // 4), dtype=torch.float64).index_add(0, names, p)
    assert torch.allclose(sums, torch.ones_like(sums), atol=1e-9)


@torch.no_grad()
def test_an_encoded_picture_decodes_back_on_its_coarse_one(model: Upsampler) -> None:
    x = pictures(model, 4)
    z = model.encode(x)
    *_, last = model.decode_steps(z, model.coarse(x))
    assert torch.equal(last.x, x)
    assert bool(z.isfinite().all())


@torch.no_grad()
def test_bits_of_planes_and_of_pixels_sum_to_the_whole() -> None:
    for case in CASES:
        model = trained(*case)
        x = pictures(model, 4)
        log_probs = model.log_probs(x)
        planes = [log_probs[:, model.scale_of == scale].sum(1) for scale in range(model.scales)]
        whole = model.log_prob(x)
        assert torch.allclose(sum(planes, torch.zeros(4)), whole, rtol=1e-12, atol=1e-9)
        assert torch.allclose(-math.log(2) * model.surprisal(x).flatten(1).sum(1), whole, rtol=1e-12, atol=1e-9)
        *_, in_steps = model.log_prob_steps(x)
        assert in_steps is not None
        assert torch.allclose(in_steps, whole, rtol=1e-12)


@torch.no_grad()
def test_a_picture_is_drawn_the_same_in_any_batch(model: Upsampler) -> None:
    coarse = model.coarse(pictures(model, 6))
    z = model.noise(range(6))
    together = model.decode(z, coarse)
    assert torch.equal(model.coarse(together), coarse)
    for i in (0, 3, 5):
        assert torch.equal(model.decode(z[i : i + 1], coarse[i : i + 1])[0], together[i])


@torch.no_grad()
def test_kept_pixels_stay_on_any_coarse_picture(model: Upsampler) -> None:
    x = pictures(model, 4)
    some = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    other = model.coarse(x.flip(0))
    *_, last = model.decode_steps(model.noise(range(4)), other, keep=torch.where(some, x.int(), -1))
    assert torch.equal(last.x[some], x[some])
    assert not torch.equal(last.x, x)


@torch.no_grad()
def test_each_doubling_has_its_own_temperature() -> None:
    model = trained(*CASES[0])
    coarse = model.coarse(pictures(model, 4))[2:]
    z = model.noise([1, 2])
    cold = model.decode(z, coarse, model.temperature_by_scale([0.0, 0.0]))
    assert torch.equal(cold, model.decode(model.noise([3, 4]), coarse, 0.0)), "without noise there is one picture"
    fine = model.decode(z, coarse, model.temperature_by_scale([0.0, 1.0]))
    assert not torch.equal(fine, cold)
    assert torch.equal(model._scales(fine)[1], model._scales(cold)[1])


def test_training_estimates_the_bits_from_crops() -> None:
    torch.manual_seed(0)
    model = upsampler.Upsampler(width=8, shared=1, crop=8).build((1, 32, 32), 16)
    x = pictures(model, 8)
    model.train()
    losses = torch.stack([model.loss(x) for _ in range(8)])
    losses[0].backward()
    with torch.no_grad():
        untrained = model.eval().loss(x)
    assert float(losses.detach().mean()) == pytest.approx(float(untrained), rel=0.05), "it begins with even chances"
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="pictures"):
        upsampler.Upsampler().build((256,))
    with pytest.raises(ValueError, match="24 × 20 pixels cannot be halved 2 times"):
        upsampler.Upsampler(passes=4).build((1, 20, 24))
    model = trained(*CASES[0])
    with pytest.raises(ValueError, match="none were given"):
        next(model.decode_steps(model.noise([1])))
    with pytest.raises(ValueError, match="a level of 16 is to be kept"):
        model.bounds_of(torch.full((1, 1, 16, 16), 16))
