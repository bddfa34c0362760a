"""Mixtures of Gaussians map to standard normal scores and back, in the middle and in both tails."""

import math

import pytest
import torch
from torch import Tensor

from studio.density.bijections.masked_mixture import MaskedMixture
from studio.nets.made import MADE
from studio.zoo.compiled.made import CompiledMixtureSolver


def made(
    entries: int = 6, gaussians: int = 3, classes: int = 0, activation: str = "tanh", size: float = 0.4
) -> MaskedMixture:
    torch.manual_seed(entries)
    order = torch.randperm(entries)
    net = MADE(entries, (9, 14), 3 * gaussians, order, classes=classes, activation=activation).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += size * torch.randn_like(parameter)
    return MaskedMixture(net, order, 3.0, CompiledMixtureSolver(net))


def entries(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("gaussians", [2, 5])
def test_the_compiled_inverse_equals_the_plain_one(gaussians: int, activation: str) -> None:
    f = made(8, gaussians, classes=2, activation=activation)
    x = 3 * entries(7, 8)
    c = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    z, _ = f(x, c)
    assert torch.allclose(f.inverse(z, c), x, atol=1e-9)
    assert torch.allclose(f.torch_inverse(z, c), x, atol=1e-9)
    noise = 4 * entries(7, 8, seed=1)
    assert torch.allclose(f(f.inverse(noise, c), c)[0], noise, atol=1e-9)


def test_the_log_determinant_equals_the_jacobians() -> None:
    f = made()
    x = 2 * entries(4, 6)
    for row in x:
        jacobian = torch.autograd.functional.jacobian(lambda v: f(v[None])[0][0], row)
        expected = torch.linalg.slogdet(jacobian)[1]
        assert torch.allclose(f(row[None])[1][0], expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_stay_finite_in_the_tails(dtype: torch.dtype) -> None:
    f = made().to(dtype)
    x = torch.tensor([-1e4, -300.0, -40.0, 40.0, 300.0, 1e4], dtype=dtype).repeat(2, 1).requires_grad_()
    z, ladj = f(x)
    (z.square().sum() - ladj.sum()).backward()
    assert bool(torch.isfinite(z).all())
    assert bool(torch.isfinite(ladj).all())
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in (x, *f.parameters()))


@torch.no_grad()
def test_with_one_gaussian_scores_equal_its_own() -> None:
    f = made(2, 2, size=0.0)
    assert isinstance(f.net, MADE)
    f.net.biases[-12:-8] = torch.tensor(
        [50.0, 50.0, -50.0, -50.0]
    )  # log π of the first, with mean -1, for both entries
    x = torch.tensor([[-31.0, 29.0]], dtype=torch.float64)
    z, ladj = f(x)
    assert torch.allclose(z, x + 1, atol=1e-9)
    assert float(ladj.abs()) < 1e-9


def test_gradients_are_right() -> None:
    f = made(3, 2)
    x = entries(2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: f(x), (x, *f.parameters()), fast_mode=True)


@torch.no_grad()
def test_the_density_integrates_to_one() -> None:
    f = made(2)
    axis = torch.linspace(-12, 12, 401, dtype=torch.float64)
    z, ladj = f(torch.cartesian_prod(axis, axis))
    density = (ladj - 0.5 * z.square().sum(1) - math.log(2 * math.pi)).exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-3)


@torch.no_grad()
def test_a_row_is_the_same_in_any_batch() -> None:
    f = made(20).float()
    noise = entries(9, 20).float()
    whole = f.inverse(noise)
    assert torch.equal(whole, torch.cat([f.inverse(noise[i : i + 1]) for i in range(9)]))
    assert float((f.double().inverse(noise.double()) - whole).abs().max()) < 1e-3
