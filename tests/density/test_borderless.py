"""A model without borders sees the same everywhere, as far as its reach, and learns from what sees all of it."""

import itertools

import pytest
import torch
from torch import Tensor

from studio.density.autoregressive import EDGE_SHARE, Autoregressive
from studio.zoo.gated_pixelcnn import GatedPixelCNN
from studio.zoo.pixelcnn import PixelCNN

RECIPES = {
    "gated_pixelcnn": GatedPixelCNN(width=6, layers=2, size=3, head=6, borderless=True),
    "pixelcnn": PixelCNN(width=4, blocks=2, size=3, head=6, borderless=True),
}


def model_of(family: str, shape: tuple[int, int, int], levels: int = 4) -> Autoregressive:
    """Return a model with weights as after some training, in float64."""
    torch.manual_seed(2)
    model = RECIPES[family].build(shape, levels)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.double().eval()


def pictures(model: Autoregressive, count: int = 1, seed: int = 0) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.levels, (count, *model.shape), generator=stream, dtype=torch.uint8)


@pytest.mark.parametrize("family", RECIPES)
def test_a_pixel_depends_on_pixels_as_far_as_the_reach_and_no_farther(family: str) -> None:
    model = model_of(family, (1, 17, 25))
    seen = torch.rand(1, 1, 17, 25, dtype=torch.float64, requires_grad=True)
    model.net(seen)[..., 12, 12].sum().backward()
    rows, columns = (seen.grad[0, 0] != 0).nonzero(as_tuple=True)  # type: ignore[index]
    assert 12 - int(rows.min()) == model.margin
    assert max(12 - int(columns.min()), int(columns.max()) - 12) <= model.margin


@torch.no_grad()
@pytest.mark.parametrize("family", RECIPES)
def test_a_pixel_that_sees_all_in_its_reach_costs_the_same_at_every_place(family: str) -> None:
    large = model_of(family, (1, 24, 30))
    m = large.margin
    x = pictures(large)
    bits = large.surprisal(x)
    for down, right in itertools.product((0, 3), (0, 5)):
        part = x[..., down : down + 18, right : right + 22]
        inside = large.surprisal(part)[..., m:, m:-m]
        assert torch.allclose(inside, bits[..., down + m : down + 18, right + m : right + 22 - m])


@torch.no_grad()
def test_the_probabilities_of_all_pictures_in_a_given_frame_sum_to_one() -> None:
    model = model_of("gated_pixelcnn", (1, 12, 14), levels=2)
    m = model.margin
    framed = pictures(model)[..., : m + 2, : 2 * m + 3].repeat(2**6, 1, 1, 1)
    every = torch.tensor(list(itertools.product((0, 1), repeat=6)), dtype=torch.uint8)
    framed[:, 0, m:, m:-m] = every.view(-1, 2, 3)
    bits = model.surprisal(framed)[..., m:, m:-m].flatten(1).sum(1)
    assert torch.exp2(-bits).sum() == pytest.approx(1, abs=1e-4)  # the floor of a level's probability is 2⁻²¹


def test_it_learns_from_the_inside_and_a_little_from_the_whole_picture() -> None:
    model = model_of("gated_pixelcnn", (1, 12, 14)).train()
    m = model.margin
    x = pictures(model, 3)
    bits = model.surprisal(x)
    inside = bits[..., m:, m:-m].mean()
    assert inside != bits.mean()
    assert torch.isclose(model.loss(x), (1 - EDGE_SHARE) * inside + EDGE_SHARE * bits.mean())
    model.loss(x).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("family", RECIPES)
def test_pictures_that_are_all_margin_are_refused_with_the_least_size(family: str) -> None:
    model = model_of(family, (1, 20, 20))
    m = model.margin
    with pytest.raises(ValueError, match=f"{2 * m + 1} × {m + 1} pixels or more, and {2 * m} × 20 were given"):
        RECIPES[family].build((1, 20, 2 * m), 4)
