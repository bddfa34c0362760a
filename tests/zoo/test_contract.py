"""Every model of the zoo keeps one contract.

Everything is tested in float64. Round trips, batches and foldings are also tested in float32, in which models run.
"""

import copy
import functools
import math

import msgspec
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from studio import zoo
from studio.density.flow import Flow
from studio.density.model import Model
from studio.density.pyramid import Pyramid
from studio.engine.levels import TrainingExamples
from studio.engine.training.evaluation import update_batch_norm
from studio.nets.convolution import fold
from studio.zoo.upsampler import Upsampler

SHAPES = [(1, 8, 8), (3, 8, 4), (10,)]
PYRAMIDS = {f"pyramid on {family}": family for family in ("glow", "maf", "pixelcnn_pp", "vae_flow")}
"""A pyramid on each kind of base, by its name: one with scales, a flat one, pixel by pixel, and a bound."""
PYRAMID_SHAPE = (1, 16, 16)
NOISY = {f"{family} with noise": family for family in ("nice", "realnvp", "maf", "iaf", "glow")}
"""A flow of each family that learns artworks plus noise, by its name."""
NOISY_SHAPE = (1, 8, 8)
ALONE = (0, 7, 15)
"""Seeds of a batch of 16 that are also drawn alone: the first, one in the middle and the last."""


def takes(family: str, shape: tuple[int, ...]) -> bool:
    """Return whether a family makes such artworks. A family of pictures refuses sounds in a sentence."""
    try:
        zoo.FAMILIES[family].presets["tiny"].build(shape)
    except ValueError:
        return False
    return True


CASES = [(f, s) for f in zoo.FAMILIES for s in SHAPES if takes(f, s)]
CASES += [(name, PYRAMID_SHAPE) for name in PYRAMIDS] + [(name, NOISY_SHAPE) for name in NOISY]


def built(family: str, shape: tuple[int, ...]) -> Model:
    """Build the tiny preset of a family, also with noise, or a pyramid on it: one doubling in two passes."""
    if family in NOISY:
        return msgspec.structs.replace(zoo.FAMILIES[NOISY[family]].presets["tiny"], noise=0.1).build(shape)
    if family not in PYRAMIDS:
        return zoo.FAMILIES[family].presets["tiny"].build(shape)
    channels, height, width = shape
    base = zoo.FAMILIES[PYRAMIDS[family]].presets["tiny"].build((channels, height // 2, width // 2))
    return Pyramid(base, Upsampler(doublings=1, width=8, shared=1, passes=2).build(shape))


@functools.cache
def made(family: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Model:
    """Return a model of the tiny preset with weights as after some training: nothing is zero, statistics are set."""
    torch.manual_seed(1)
    model = built(family, shape)
    spread = 0.05 if "glow" in family else 0.1  # the gains of a Glow's last layers are exp(3 · parameter)
    with torch.no_grad():
        model.loss(pictures(32, shape))  # what starts from the first batch has started
        for parameter in model.parameters():
            parameter += spread * torch.randn_like(parameter)
    update_batch_norm(model, TrainingExamples(pictures(32, shape)))
    return model.to(dtype).eval()


def pictures(count: int, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[str, tuple[int, ...]]:
    """Return each family with each of the shapes that it takes."""
    found: tuple[str, tuple[int, ...]] = request.param
    return found


@pytest.fixture
def model(case: tuple[str, tuple[int, ...]]) -> Model:
    """Return a model of each case in float64, which the test may change."""
    return copy.deepcopy(made(*case))


@pytest.fixture
def single(case: tuple[str, tuple[int, ...]]) -> Model:
    """Return a model of each case in float32, which the test may change."""
    return copy.deepcopy(made(*case, torch.float32))


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def either(request: pytest.FixtureRequest, case: tuple[str, tuple[int, ...]]) -> Model:
    """Return a model of each case, in float32 and in float64."""
    return copy.deepcopy(made(*case, request.param))


@torch.no_grad()
def test_shapes(model: Model) -> None:
    x = pictures(3, model.shape)
    assert model.encode(x).shape == (3, *model.latent_shape)
    assert model.surprisal(x).shape == (3, *model.shape)
    assert model.log_prob(x).shape == (3,)
    assert model.loss(x).shape == ()
    assert model.noise([1, 2]).shape == (2, *model.latent_shape)
    assert model.sample([1, 2]).shape == (2, *model.shape)
    assert model.scale_of.shape == model.latent_shape
    assert set(model.scale_of.unique().tolist()) == set(range(model.scales))


@torch.no_grad()
def test_an_encoded_artwork_decodes_back(either: Model) -> None:
    if not either.invertible:
        pytest.skip("the latent is smaller than the picture")
    x = torch.cat((pictures(4, either.shape), torch.zeros(1, *either.shape), torch.full((1, *either.shape), 255))).to(
        torch.uint8
    )
    assert torch.equal(either.decode(either.encode(x)), x)


@torch.no_grad()
def test_previews_grow_and_end_in_the_result(model: Model) -> None:
    steps = list(model.sample_steps([5, 6]))
    done = [step.done for step in steps]
    (total,) = {step.total for step in steps}
    assert done == sorted(done)
    assert set(done) - {0} == set(range(1, total + 1))
    assert all(step.x.shape == (2, *model.shape) for step in steps)
    assert torch.equal(steps[-1].x, model.sample([5, 6]))


@torch.no_grad()
def test_a_seed_is_the_same_artwork_in_any_batch(either: Model) -> None:
    together = either.sample(range(16))
    for seed in ALONE:
        assert torch.equal(together[seed], either.sample([seed])[0])
    assert torch.equal(together[3:9], either.sample(range(3, 9)))
    assert not torch.equal(together[0], together[1])


@torch.no_grad()
def test_surprisal_sums_to_log_prob(model: Model) -> None:
    x = pictures(4, model.shape)
    bits = model.surprisal(x).flatten(1).sum(1)
    assert torch.allclose(-bits * math.log(2), model.log_prob(x), rtol=1e-5)


@torch.no_grad()
def test_log_prob_in_small_steps_is_the_same(model: Model) -> None:
    x = pictures(4, model.shape)
    *waiting, found = model.log_prob_steps(x)
    assert waiting == [None] * len(waiting)
    assert found is not None
    assert torch.allclose(found, model.log_prob(x), rtol=1e-6)


def test_every_parameter_gets_a_gradient(model: Model) -> None:
    model.train()
    model.loss(pictures(8, model.shape)).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    # A bias before a batch norm is taken out by it: such a gradient is zero, and nothing else's may be.
    assert all(name.endswith("bias") for name in still)


@torch.no_grad()
def test_log_prob_does_not_depend_on_the_rest_of_the_batch(either: Model) -> None:
    x = pictures(6, either.shape)
    alone = torch.cat([either.log_prob(x[i : i + 1]) for i in range(6)])
    assert torch.allclose(either.log_prob(x), alone, rtol=1e-6)


@torch.no_grad()
def test_temperature_zero_is_one_picture_and_each_scale_has_its_own(model: Model) -> None:
    calm = model.sample([1, 2], temperature=0.0)
    assert torch.equal(calm[0], calm[1])
    heat = model.temperature_by_scale([0.5] * model.scales)
    assert torch.equal(model.sample([1], temperature=heat), model.sample([1], temperature=0.5))
    with pytest.raises(ValueError, match="temperatures were given"):
        model.temperature_by_scale([0.5] * (model.scales + 1))


@torch.no_grad()
def test_folding_for_inference_keeps_the_map(either: Model) -> None:
    x = pictures(4, either.shape)
    before, z = either.log_prob(x), either.encode(x)
    fold(either)
    exact = either.dtype == torch.float64
    assert torch.allclose(either.log_prob(x), before, rtol=1e-10 if exact else 1e-5)
    assert torch.allclose(either.encode(x), z, atol=1e-9 if exact else 1e-3)
    assert torch.equal(either.decode(either.encode(x)), x) or not either.invertible


@torch.no_grad()
def test_a_packed_model_makes_the_same_pictures_in_any_batch(single: Model) -> None:
    zoo.fold(single)
    x = pictures(4, single.shape)
    before = single.sample(range(16))
    z = single.encode(x)
    zoo.pack(single)
    assert torch.allclose(single.encode(x), z, atol=1e-3)
    packed = single.sample(range(16))
    assert float((packed.int() - before.int()).abs().max()) <= 1
    for seed in ALONE:
        assert torch.equal(packed[seed], single.sample([seed])[0])
    assert torch.equal(single.decode(single.encode(x)), x) or not single.invertible


@torch.no_grad()
def test_a_loaded_model_equals_the_saved_one(model: Model) -> None:
    other = copy.deepcopy(model)
    for tensor in other.state_dict().values():
        tensor.zero_()
    x = pictures(2, model.shape)
    assert not torch.equal(other.log_prob(x), model.log_prob(x))
    other.load_state_dict(load(save(model.state_dict())))
    assert torch.equal(other.log_prob(x), model.log_prob(x))


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_the_log_determinant_equals_the_jacobians(family: str) -> None:
    model = made(family, (1, 4, 4)) if takes(family, (1, 4, 4)) else None
    if not isinstance(model, Flow):
        pytest.skip("only a flow has a Jacobian")
    h = torch.randn(1, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    jacobian = torch.autograd.functional.jacobian(
        lambda v: model.bijection(v.view(1, 1, 4, 4))[0].flatten(), h.flatten()
    )
    _, ladj = model.bijection(h)
    assert torch.allclose(torch.linalg.slogdet(jacobian)[1], ladj[0], atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_inverse_in_float64_is_exact_to_1e_9(family: str) -> None:
    model = made(family, (3, 8, 8)) if takes(family, (3, 8, 8)) else None
    if not isinstance(model, Flow):
        pytest.skip("only a flow is a continuous bijection")
    h = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    z, _ = model.bijection(h)
    assert float((model.bijection.inverse(z) - h).abs().max()) < 1e-9
    steps = list(model.bijection.inverse_steps(z))
    assert len(steps) == model.bijection.steps
    assert torch.equal(steps[-1], model.bijection.inverse(z))


@torch.no_grad()
@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_the_density_integrates_to_one_in_two_dimensions(family: str) -> None:
    if family == "glow":
        pytest.skip("a squeeze takes four entries; its own tests integrate over these")
    recipe = zoo.FAMILIES[family].presets["tiny"]
    if not takes(family, (1, 1, 2)):
        pytest.skip("it takes larger pictures")
    torch.manual_seed(2)
    smaller = {"realnvp": {"scales": 1, "width": 8, "blocks": 1}, "nice": {"width": 8}, "maf": {"hidden": (8,)}}
    model = msgspec.structs.replace(recipe, **smaller.get(family, {})).build((1, 1, 2))
    if not isinstance(model, Flow):
        pytest.skip("only a flow has a density")
    for parameter in model.parameters():
        parameter += 0.2 * torch.randn_like(parameter)
    model.double().eval()
    axis = torch.linspace(-10, 10, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).view(-1, 1, 1, 2)
    z, ladj = model.bijection(grid)
    density = (ladj - 0.5 * z.square().sum((1, 2, 3)) - math.log(2 * math.pi)).exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=2e-3)
