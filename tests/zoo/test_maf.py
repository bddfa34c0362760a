"""Recipes of MAF and IAF work beyond the contract's tiny presets."""

import math

import pytest
import torch

from studio.zoo.iaf import IAF
from studio.zoo.maf import MAF

RECIPES = [
    MAF(layers=2, hidden=(20,), mixture=3, classes=2),
    MAF(layers=2, hidden=(20, 30), degrees="random", seed=5, activation="tanh", batch_norm=False, alpha=None),
    IAF(layers=2, hidden=(20,), classes=3, activation="relu", alpha=0.05),
    IAF(layers=2, hidden=(9,), degrees="random", batch_norm=False, alpha=None),
]


@torch.no_grad()
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("shape", [(24,), (1, 4, 5)], ids=str)
def test_every_option_makes_an_invertible_model(recipe: MAF | IAF, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = recipe.build(shape).double().eval()
    for parameter in model.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    x = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    c = torch.tensor([0, 1, 1, 0, 1]) if recipe.classes else None
    assert torch.equal(model.decode(model.encode(x, c), c), x)
    one = None if c is None else c[1:2]
    h = torch.randn(math.prod(shape), dtype=torch.float64)
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(lambda h: model.bijection(h.view(1, *shape), one)[0].flatten(), h)
    ladj = model.bijection(h.view(1, *shape), one)[1][0]
    assert torch.allclose(torch.linalg.slogdet(jacobian)[1], ladj, atol=1e-9)


@torch.no_grad()
def test_a_recipe_with_random_degrees_builds_the_same_model_again() -> None:
    recipe = RECIPES[1]
    model, other = recipe.build((24,)).eval(), recipe.build((24,)).eval()
    other.load_state_dict(model.state_dict())
    x = torch.randint(0, 256, (2, 24), dtype=torch.uint8)
    assert torch.equal(other.log_prob(x), model.log_prob(x))


@pytest.mark.parametrize("kind", [MAF, IAF])
def test_an_artwork_of_one_entry_is_refused(kind: type[MAF | IAF]) -> None:
    with pytest.raises(ValueError, match="one entry"):
        kind().build((1,))


def test_a_mixture_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="one Gaussian"):
        MAF(mixture=1).build((4,))


def test_the_largest_shipped_model_has_the_size_of_its_file() -> None:
    model = MAF(layers=5, hidden=(720, 720), classes=10).build((1, 28, 28))
    assert 2 * sum(t.numel() for t in model.state_dict().values() if t.is_floating_point()) < 11_700_000
