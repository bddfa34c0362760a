"""Two mixed models are exact at any share, and equal one model to the last bit at 0 and 1."""

import functools

import msgspec
import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive import Autoregressive, uncached_stepper
from studio.density.picture_mixture import mix_models

PAIRS = [("pixelcnn", "gated_pixelcnn"), ("gated_pixelcnn", "pixelcnn_pp"), ("pixelcnn_pp", "pixelrnn")]
CASES = [(*pair, shape, levels) for pair in PAIRS for shape, levels in (((1, 4, 4), 2), ((3, 4, 4), 6))]


@functools.cache
def made(family: str, shape: tuple[int, ...], levels: int, classes: int = 0) -> Autoregressive:
    torch.manual_seed(len(family))
    recipe = zoo.FAMILIES[family].presets["tiny"]
    model = (msgspec.structs.replace(recipe, classes=classes) if classes else recipe).build(shape, levels)
    assert isinstance(model, Autoregressive)
    x = torch.randint(0, levels, (16, *shape), dtype=torch.uint8)
    with torch.no_grad():
        model.loss(x, torch.zeros(16, dtype=torch.long) if classes else None)
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.eval().requires_grad_(False)


def pair(case: tuple[str, str, tuple[int, ...], int]) -> tuple[Autoregressive, Autoregressive]:
    one, other, shape, levels = case
    return made(one, shape, levels), made(other, shape, levels)


def pictures(model: Autoregressive, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, model.levels, (count, *model.shape), generator=generator, dtype=torch.uint8)


@torch.no_grad()
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_share_of_0_or_1_gives_one_model_to_the_last_bit(case: tuple[str, str, tuple[int, ...], int]) -> None:
    a, b = pair(case)
    z = a.noise([1, 2, 3])
    x = pictures(a)
    for share, alone in ((0.0, a), (1.0, b)):
        both = mix_models(a, b, share)
        assert torch.equal(both.decode(z, temperature=0.7), alone.decode(z, temperature=0.7))
        assert torch.equal(both.surprisal(x), alone.surprisal(x))
        assert torch.equal(both.encode(x), alone.encode(x))


@torch.no_grad()
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_picture_decodes_back_and_has_the_mixed_probability(
    case: tuple[str, str, tuple[int, ...], int],
) -> None:
    a, b = pair(case)
    ramp = torch.linspace(0, 1, 16).view(4, 4)
    both = mix_models(a, b, ramp)
    x = pictures(a)
    z = both.encode(x)
    assert torch.equal(both.decode(z), x)
    of_a, of_b = (2 ** -model.surprisal(x).double() for model in (a, b))
    wanted = torch.lerp(of_a, of_b, ramp.double())
    assert torch.allclose(2 ** -both.surprisal(x).double(), wanted, rtol=1e-4, atol=1e-9)
    assert torch.allclose(both.log_prob(x).double(), wanted.log().flatten(1).sum(1), rtol=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(both, "stepper", functools.partial(uncached_stepper, both.net))
        noise = both.noise([4, 5])
        assert torch.equal(both.decode(noise), mix_models(a, b, ramp).decode(noise))


@torch.no_grad()
def test_the_probabilities_of_all_pictures_sum_to_one() -> None:
    a, b = made("pixelcnn", (1, 3, 3), 2), made("gated_pixelcnn", (1, 3, 3), 2)
    every = torch.cartesian_prod(*[torch.arange(2, dtype=torch.uint8)] * 9).view(-1, 1, 3, 3)
    for share in (0.3, 0.8):
        assert float(mix_models(a, b, share).log_prob(every).double().exp().sum()) == pytest.approx(1, abs=1e-5)


@torch.no_grad()
def test_a_share_that_changes_while_drawing_applies_from_there_on() -> None:
    a, b = made("pixelcnn", (1, 4, 4), 6), made("gated_pixelcnn", (1, 4, 4), 6)
    share = torch.zeros(4, 4)
    z = a.noise([1, 2, 3, 4])
    steps = mix_models(a, b, share).decode_steps(z)
    top = next(steps).x[..., 0, :]
    share[1:] = 1
    *_, last = steps
    turned = torch.ones(4, 4)
    turned[0] = 0
    assert torch.equal(last.x, mix_models(a, b, turned).decode(z))
    assert torch.equal(last.x[..., 0, :], top)
    assert torch.equal(top, a.decode(z)[..., 0, :])


@torch.no_grad()
@pytest.mark.parametrize(("kinds_a", "kinds_b"), [(2, 3), (2, 0), (0, 3)])
def test_each_model_gets_its_own_class(kinds_a: int, kinds_b: int) -> None:
    a, b = (made("gated_pixelcnn", (1, 4, 4), 6, kinds) for kinds in (kinds_a, kinds_b))
    both = mix_models(a, b, 0.4)
    x = pictures(a, 1)
    assert both.classes == max(kinds_a, 1) * max(kinds_b, 1)
    for c in range(both.classes):
        of_a, of_b = divmod(c, max(kinds_b, 1))
        prices = [
            2 ** -model.surprisal(x, torch.tensor([kind]) if model.classes else None).double()
            for model, kind in ((a, of_a), (b, of_b))
        ]
        found = 2 ** -both.surprisal(x, torch.tensor([c])).double()
        assert torch.allclose(found, torch.lerp(*prices, 0.4), rtol=1e-4)
    with pytest.raises(ValueError, match="classes"):
        both.decode(both.noise([1]))


def test_only_models_of_equal_shape_and_levels_can_be_mixed() -> None:
    one = made("pixelcnn", (1, 4, 4), 6)
    for other in (made("pixelcnn", (1, 3, 3), 6), made("pixelcnn", (1, 4, 4), 2)):
        with pytest.raises(ValueError, match="cannot be mixed"):
            mix_models(one, other, 0.5)
