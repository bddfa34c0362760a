"""The S-transform is a bijection of whole numbers, and a doubling draws every difference once."""

import itertools

import pytest
import torch

from studio.density import pyramid_planes as planes
from studio.density.pyramid_planes import DOWN, UP, SplitOrder


@pytest.mark.parametrize("r", [DOWN, UP])
@pytest.mark.parametrize("levels", [2, 3, 16])
def test_the_possible_differences_are_those_of_all_pairs(levels: int, r: int) -> None:
    pairs = torch.cartesian_prod(torch.arange(levels), torch.arange(levels))
    m, delta = planes.halve_pairs(pairs[:, 0], pairs[:, 1], r)
    a, b = planes.split_pairs(m, delta, r)
    assert torch.equal(torch.stack((a, b), 1), pairs)
    found = {middle: {int(d) for d in delta[m == middle]} for middle in range(levels)}
    largest = planes.largest_difference(torch.arange(levels), levels, r).tolist()
    assert found == {middle: set(range(-d, d + 1)) for middle, d in enumerate(largest)}


def test_rounding_one_way_and_back_keeps_the_brightness() -> None:
    x = torch.randint(0, 16, (64, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    coarse = planes.halve_picture(planes.halve_picture(x)[0])[0]
    assert abs(float(coarse.float().mean() - x.float().mean())) < 0.15
    a, b = x[..., ::2], x[..., 1::2]
    darker, _ = planes.halve_pairs(a, b, DOWN)
    assert float(x.float().mean() - darker.float().mean()) > 0.2, "one halving loses more"


@pytest.mark.parametrize(("colours", "passes"), [*itertools.product((1, 3), (1, 2, 4))])
def test_every_pixel_is_drawn_once_from_what_is_known(colours: int, passes: int) -> None:
    order = SplitOrder.of_passes(colours, passes)
    assert len(order.splits) == 3 * colours * passes
    known = list(order.coarse_places)
    for split in order.splits:
        assert split.first in known
        assert split.second not in known
        assert split.known == tuple(known)
        known.append(split.second)
    rows, columns = order.cell
    assert len(known) == len(set(known)) == colours * rows * columns


@pytest.mark.parametrize("passes", [1, 2, 4])
def test_splits_of_a_picture_build_it_up_from_its_coarse_one(passes: int) -> None:
    x = torch.randint(0, 16, (2, 3, 8, 12), generator=torch.Generator().manual_seed(0))
    order = SplitOrder.of_passes(3, passes)
    coarse, _ = planes.halve_picture(x)
    built = torch.zeros_like(x)
    built[..., ::2, ::2] = coarse
    for split, known, a, b in planes.split_steps(x, order):
        assert torch.equal(order.values_at_all(known, split.known), order.values_at_all(built, split.known))
        m = order.values_at(built, split.first)
        upper, lower = planes.split_pairs(m, a - b, split.r)
        order.values_at(built, split.first).copy_(upper)
        order.values_at(built, split.second).copy_(lower)
    assert torch.equal(built, x)
