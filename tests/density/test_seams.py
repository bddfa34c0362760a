"""Opposite edges of a seamless picture continue each other at the least cost in bits."""

import itertools

import pytest
import torch
from torch import Tensor

from studio.density import seams
from studio.density.autoregressive import Autoregressive
from studio.density.canvas import Canvas
from studio.engine.events import result_of
from studio.zoo.gated_pixelcnn import GatedPixelCNN


@pytest.fixture(scope="module")
def model() -> Autoregressive:
    """Return a model that has learned diagonal stripes of two widths, well enough to see a break in them."""
    torch.manual_seed(0)
    model = GatedPixelCNN(width=8, layers=2, size=3, head=8, classes=2, borderless=True).build((1, 16, 24), 2)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        c = torch.randint(2, (8,))
        model.train().loss(stripes(16, 24, c), c).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval().requires_grad_(False)


def stripes(height: int, width: int, c: Tensor) -> Tensor:
    """Return stripes of 2 or 4 pixels, each picture moved by chance, with some noise."""
    places = torch.arange(height)[:, None] + torch.arange(width) + torch.randint(8, (len(c), 1, 1))
    found = places // (2 + 2 * c[:, None, None]) % 2
    return (found ^ (torch.rand(found.shape) < 0.05))[:, None].to(torch.uint8)


def bits_across_edges(model: Autoregressive, x: Tensor, c: Tensor) -> float:
    return float(seams.wrapped_surprisal(model, model.margin, x, c).sum())


def test_a_seamless_picture_costs_less_across_its_edges_than_one_that_was_only_drawn(model: Autoregressive) -> None:
    saved = []
    for seed in range(4):
        c = torch.tensor([seed % 2])
        *steps, last = Canvas(model, 30, 30, seamless=True).sample_steps([seed], c)
        saved.append(bits_across_edges(model, steps[-1].x, c) - bits_across_edges(model, last.x, c))
    assert min(saved) > 0
    assert sum(saved) > 4 * 20


def test_a_picture_that_already_repeats_is_left_as_it_is(model: Autoregressive) -> None:
    c = torch.tensor([0])
    tile = stripes(32, 32, c)
    x = torch.cat((tile, tile[..., : seams.OVERLAP]), 3)
    assert torch.equal(result_of(seams.wrap_columns(model, model.margin, x, c)), tile)
    x = torch.cat((tile, tile[:, :, : seams.OVERLAP]), 2)
    assert torch.equal(result_of(seams.wrap_rows(model, model.margin, x, c)), tile)


def test_the_cost_of_a_straight_cut_is_what_the_cut_picture_costs_more(model: Autoregressive) -> None:
    """It is compared with the bits of whole pictures, of which one is cut in a straight line."""
    c = torch.tensor([1])
    m = model.margin
    width = 40
    x = stripes(20, width + seams.OVERLAP, c)
    usual = Autoregressive.surprisal(model, x, c)[0, 0]
    r = 7
    costs = result_of(seams.column_costs(model, m, x, c))
    once = torch.cat((x[..., : width + r], x[..., r:]), 3)
    cut = Autoregressive.surprisal(model, once, c)[0, 0]
    beside = usual[:, width + r - m : width + r].sum(1) + usual[:, r : r + m].sum(1)
    assert torch.allclose(costs[:, r], cut[:, width + r - m : width + r + m].sum(1) - beside, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_path_has_the_least_cost_of_all_and_a_ring_closes(seed: int) -> None:
    costs = torch.rand(5, 4, generator=torch.Generator().manual_seed(seed))

    def cost(path: tuple[int, ...]) -> float:
        return sum(float(row[place]) for row, place in zip(costs, path, strict=True))

    every = [p for p in itertools.product(range(4), repeat=5) if all(abs(a - b) <= 1 for a, b in itertools.pairwise(p))]
    assert tuple(seams.cheapest_path(costs).tolist()) == min(every, key=cost)
    rings = [path for path in every if abs(path[0] - path[-1]) <= 1]
    assert tuple(seams.cheapest_ring(costs).tolist()) == min(rings, key=cost)
