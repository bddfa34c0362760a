"""The masked affine map and its inverse map have correct gradients, bounds and results in any batch."""

import copy
import gc
import math
import sys
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.density.bijections.masked_affine import AffineSolution, InverseMap, MaskedAffine
from studio.zoo.compiled.made import CompiledAffineSolver, compiled_masked_affine, made_network


def made(entries: int = 6, layer: int = 1, activation: str = "tanh", classes: int = 0) -> MaskedAffine:
    torch.manual_seed(entries)
    net = made_network(entries, layer, (9, 14), "sequential", activation, classes, 0)  # type: ignore[arg-type]
    found = compiled_masked_affine(net, 3.0).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return found


def entries(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1])
def test_the_inverse_is_right_with_and_without_a_solver(layer: int) -> None:
    f = made(layer=layer, classes=2)
    x = entries(5, 6)
    c = torch.tensor([0, 1, 1, 0, 1])
    z, ladj = f(x, c)
    back, of_inverse = f.invert(z, c)
    assert torch.allclose(back, x, atol=1e-12)
    assert torch.allclose(of_inverse, -ladj, atol=1e-12)
    f.solver = None
    back, of_inverse = f.invert(z, c)
    assert torch.allclose(back, x, atol=1e-12)
    assert torch.allclose(of_inverse, -ladj, atol=1e-12)


@torch.no_grad()
def test_log_scales_are_bounded_and_near_zero_equal_the_networks_output() -> None:
    wild = made()
    for parameter in wild.parameters():
        parameter *= 100
    assert float(wild._moves(entries(50, 6), None)[1].abs().max()) <= 3.0
    calm = made()
    for parameter in calm.parameters():
        parameter *= 0.1
    x = entries(5, 6)
    raw = calm.net(x)[:, 1]
    assert torch.allclose(calm._moves(x, None)[1], raw, atol=float(raw.abs().max()) ** 3 / 9)
    calm.bound = None
    assert torch.equal(calm._moves(x, None)[1], raw)


def test_gradients_of_the_solved_inverse_are_right() -> None:
    f = made(classes=2)
    z = entries(3, 6).requires_grad_()
    c = torch.tensor([0, 1, 1])
    assert torch.autograd.gradcheck(lambda z, *_: f.invert(z, c), (z, *f.parameters()), fast_mode=True)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_through_the_solver_equal_those_through_all_passes(activation: str) -> None:
    quick = InverseMap(made(20, activation=activation))
    slow = copy.deepcopy(quick)
    slow.inner.solver = None
    x = entries(7, 20)
    for f in (quick, slow):
        z, ladj = f(x)
        (0.5 * z.square().sum(1) - ladj).mean().backward()
    for a, b in zip(quick.parameters(), slow.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.allclose(a.grad, b.grad, atol=1e-10)


@torch.no_grad()
def test_the_inverse_map_is_the_inverse_with_the_same_weights() -> None:
    f = made()
    other = InverseMap(f)
    x = entries(5, 6)
    z, ladj = f(x)
    assert torch.allclose(other.inverse(x), z, atol=1e-12)
    back, of_inverse = other(z)
    assert torch.allclose(back, x, atol=1e-12)
    assert torch.allclose(of_inverse, -ladj, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_sampled_by_the_inverse_map_is_the_same_in_any_batch(dtype: torch.dtype) -> None:
    net = made_network(150, 0, (90, 170), "sequential", "relu", 3, 0)
    f = InverseMap(compiled_masked_affine(net, 5.0).to(dtype))
    for parameter in f.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    z = entries(21, 150).to(dtype)
    c = torch.arange(21) % 3
    for way in (f.inverse, f.torch_inverse):
        whole = way(z, c)
        assert torch.equal(whole, torch.cat([way(z[i : i + 1], c[i : i + 1]) for i in range(21)]))
        assert torch.equal(whole[3:14], way(z[3:14], c[3:14]))
    assert torch.allclose(
        f.inverse(z, c), f.torch_inverse(z, c), rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-11
    )


@torch.no_grad()
def test_the_density_of_map_and_inverse_map_integrates_to_one() -> None:
    f = made(2)
    axis = torch.linspace(-12, 12, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    for each in (f, InverseMap(f)):
        z, ladj = each(grid)
        density = (ladj - 0.5 * z.square().sum(1) - math.log(2 * math.pi)).exp()
        assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1])
def test_without_a_compiler_torch_takes_the_same_single_pass(layer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    f = made(20, layer, classes=2)
    z = entries(5, 20)
    c = torch.tensor([0, 1, 1, 0, 1])
    compiled = f.invert(z, c)
    other_way = InverseMap(f).inverse(z, c)
    monkeypatch.setitem(sys.modules, "studio.kernels.made", None)
    monkeypatch.delattr("studio.kernels.made")
    for other, one in zip(f.invert(z, c), compiled, strict=True):
        assert torch.allclose(other, one, atol=1e-12)
    assert torch.allclose(InverseMap(f).inverse(z, c), other_way, atol=1e-12)
    with torch.enable_grad():
        assert torch.allclose(f.invert(z.requires_grad_(), c)[0], compiled[0], atol=1e-12)


def test_a_training_step_frees_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    f = made()
    seen = []
    solve = CompiledAffineSolver.inverse

    def watched(self: CompiledAffineSolver, *given: Any) -> AffineSolution | None:
        found = solve(self, *given)
        assert found is not None
        seen.append(weakref.ref(found.adjoint))
        return found

    monkeypatch.setattr(CompiledAffineSolver, "inverse", watched)
    for _ in range(3):
        x, ladj = f.invert(entries(5, 6))
        (x.sum() + ladj.sum()).backward()
    del x, ladj
    gc.collect()
    assert [what() for what in seen] == [None] * 3
