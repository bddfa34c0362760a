"""Levels of sound found by bisection equal those of the whole list, and none clicks."""

import math

import torch

from studio.density.conditional import CategoricalSample, LogisticMixtureSample


def test_levels_found_by_bisection_equal_those_of_the_whole_list() -> None:
    drawn = LogisticMixtureSample(200, 3)
    numbers = torch.randn(400, drawn.numbers, dtype=torch.float64)
    z = 1.5 * torch.randn(400, dtype=torch.float64)
    heat = torch.linspace(0, 1.5, 400, dtype=torch.float64)
    edges = drawn._edges(numbers, numbers[:, :0], heat)
    u = torch.special.ndtr(z * (heat > 0))
    assert torch.equal(
        drawn.draw_level(numbers, numbers[:, :0], z, heat), torch.searchsorted(edges, u[:, None], right=True)[:, 0]
    )


@torch.no_grad()
def test_sixteen_bits_can_be_predicted_as_surely_as_eight() -> None:
    """With the bound of ln s for 256 levels, every sample would cost at least 6.9 bits."""
    drawn = LogisticMixtureSample(65_536, 1)
    value = float(drawn.network_input(torch.tensor([41_000.0])))
    numbers = torch.tensor([0.0, value, -15.0]).view(1, 3, 1)
    price = drawn.log_prob(torch.tensor([[[41_000]]]), numbers.double())
    assert -float(price) / math.log(2) < 0.01


def test_no_level_clicks() -> None:
    """A level that is possible only by the floor is drawn less than once in ten minutes."""
    for drawn in (CategoricalSample(1, 256), LogisticMixtureSample(65_536)):
        assert drawn.levels * drawn.min_probability * 16_000 * 600 < 1
