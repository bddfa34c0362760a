"""Planar and radial maps have correct determinants, stay invertible, and use their own parameters for each row."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from studio.density.bijections.planar import planar_flow, radial_flow

Map = Callable[..., tuple[Tensor, Tensor]]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def parameters(which: Map, rows: int, maps: int, entries: int) -> tuple[Tensor, ...]:
    vector = numbers(rows, maps, entries, seed=1)
    if which is planar_flow:
        return vector, numbers(rows, maps, entries, seed=2), numbers(rows, maps, seed=3)
    return vector, numbers(rows, maps, seed=2), numbers(rows, maps, seed=3)


@pytest.mark.parametrize("which", [planar_flow, radial_flow])
@pytest.mark.parametrize("maps", [1, 4])
def test_the_log_determinant_is_the_jacobians(which: Map, maps: int) -> None:
    z = numbers(6, 5)
    given = parameters(which, 6, maps, 5)
    _, ladj = which(z, *given)
    for row in range(6):
        own = [p[row : row + 1] for p in given]
        jacobian = torch.autograd.functional.jacobian(lambda v, own=own: which(v[None], *own)[0][0], z[row])
        sign, expected = torch.linalg.slogdet(jacobian)
        assert float(sign) == 1
        assert float(ladj[row]) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("which", [planar_flow, radial_flow])
def test_each_row_has_its_own_maps(which: Map) -> None:
    z = numbers(7, 3)
    given = parameters(which, 7, 2, 3)
    together = which(z, *given)
    for row in range(7):
        alone = which(z[row : row + 1], *[p[row : row + 1] for p in given])
        assert torch.allclose(together[0][row], alone[0][0], atol=1e-14)
        assert torch.allclose(together[1][row], alone[1][0], atol=1e-14)


@pytest.mark.parametrize("which", [planar_flow, radial_flow])
def test_several_maps_are_applied_one_after_another(which: Map) -> None:
    z = numbers(4, 3)
    given = parameters(which, 4, 3, 3)
    expected = z
    total = torch.zeros(4, dtype=torch.float64)
    for k in range(3):
        expected, ladj = which(expected, *[p[:, k : k + 1] for p in given])
        total = total + ladj
    found, ladj = which(z, *given)
    assert torch.allclose(found, expected, rtol=1e-13)
    assert torch.allclose(ladj, total, atol=1e-14)


@pytest.mark.parametrize("wu", [200.0, -200.0, 1e4, -1e4])
@pytest.mark.parametrize("b", [0.0, 1.0, 50.0])
def test_planar_is_finite_for_any_w_times_u_in_float32(wu: float, b: float) -> None:
    w = torch.full((1, 1, 4), 2.0, requires_grad=True)
    u = torch.full((1, 1, 4), wu / 8, requires_grad=True)
    z, ladj = planar_flow(torch.zeros(1, 4), u, w, torch.full((1, 1), b))
    (z.sum() + ladj.sum()).backward()
    for tensor in (z, ladj, u.grad, w.grad):
        assert tensor is not None
        assert bool(torch.isfinite(tensor).all())


def test_planar_is_finite_without_a_direction() -> None:
    w = torch.zeros(1, 1, 4, requires_grad=True)
    z, ladj = planar_flow(torch.ones(1, 4), torch.ones(1, 1, 4), w, torch.ones(1, 1))
    (z.sum() + ladj.sum()).backward()
    assert torch.allclose(z, 1 + torch.tanh(torch.ones(1, 4)))
    assert w.grad is not None
    assert bool(torch.isfinite(torch.cat((ladj, w.grad.flatten()))).all())


def undone(y: Tensor, u: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Return z of one planar map by bisection of a = w·z, in which w·f(z) grows."""
    wu = (w * u).sum(-1)
    u = u + ((torch.nn.functional.softplus(wu) - 1 - wu) / w.square().sum(-1))[..., None] * w
    u, w, b = u[:, 0], w[:, 0], b[:, 0]
    goal = (w * y).sum(1)
    low = torch.full_like(b, -1e3)
    high = torch.full_like(b, 1e3)
    for _ in range(80):
        middle = (low + high) / 2
        below = middle + (w * u).sum(1) * torch.tanh(middle + b) < goal
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return y - u * torch.tanh(low + b)[:, None]


def test_a_planar_map_can_be_inverted_even_if_u_points_against_w() -> None:
    z = 3 * numbers(200, 4)
    (u, w, b) = parameters(planar_flow, 200, 1, 4)
    u = 5 * u
    assert bool(((u * w).sum(-1) < -1).any()), "rows that the constraint turns must be among the tested"
    y, _ = planar_flow(z, u, w, b)
    assert float((undone(y, u, w, b) - z).abs().max()) < 1e-9


def test_a_radial_map_may_contract_as_far_as_alpha_allows() -> None:
    z = 0.01 * numbers(50, 3)
    center = torch.zeros(50, 1, 3, dtype=torch.float64)
    alpha, beta = torch.full((50, 1), 1.0, dtype=torch.float64), torch.full((50, 1), -30.0, dtype=torch.float64)
    inner, ladj = radial_flow(z, center, alpha, beta)
    assert float(inner.norm(dim=1).max()) < float(z.norm(dim=1).max()) / 10
    assert bool(torch.isfinite(ladj).all())
    assert bool((inner * z >= 0).all()), "nothing is carried past the centre"
    same, none = radial_flow(z, center, alpha, alpha)
    assert torch.equal(same, z)
    assert torch.equal(none, torch.zeros_like(none))
