"""The one-pass inverse and its adjoint equal plain ones that compute everything D times."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from studio.density.bijections.masked_affine import MaskedAffine
from studio.kernels import made, made_plan
from studio.nets.made import MADE, Degrees

CASES = [
    (2, (1,), "sequential", False, torch.float64),
    (7, (20,), "sequential", True, torch.float64),
    (30, (12, 40), "sequential", False, torch.float32),
    (30, (12, 40), "random", False, torch.float64),
    (41, (50, 60, 17), "random", True, torch.float32),
]
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-11}


class Case:
    """Holds a map with random weights, and the arguments of its kernel."""

    def __init__(
        self, entries: int, hidden: tuple[int, ...], degrees: Degrees, tanh: bool, dtype: torch.dtype, classes: int = 0
    ) -> None:
        torch.manual_seed(entries)
        order = torch.randperm(entries)
        activation = "tanh" if tanh else "relu"
        net = MADE(entries, hidden, order=order, degrees=degrees, activation=activation, classes=classes).to(dtype)
        with torch.no_grad():
            net.weights += 0.1 * torch.randn_like(net.weights)
            net.biases += 0.3 * torch.randn_like(net.biases)
        self.net = net
        self.map = MaskedAffine(net, order, bound=2.0)
        self.dtype = dtype
        self.plan = made_plan.plan_network(order.numpy(), [d.numpy() for d in net.degrees[1:]], 2)
        self.weights = net.weights.detach().numpy()
        self.biases = net.biases.detach().numpy()
        self.form = made.MapOptions(2.0, tanh, 1)

    def noise(self, rows: int, seed: int = 0) -> torch.Tensor:
        return torch.randn(rows, self.net.entries, generator=torch.Generator().manual_seed(seed)).to(self.dtype)

    def solve(self, z: torch.Tensor, threads: int = 1, more: NDArray[np.float32] | None = None) -> made.InverseSolution:
        return made.inverse(self.plan, self.weights, self.biases, z.numpy(), more, self.form._replace(threads=threads))


@torch.no_grad()
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("rows", [1, 4, 19])
def test_the_kernel_equals_the_plain_inverse(case: tuple, rows: int) -> None:  # type: ignore[type-arg]
    made_map = Case(*case)
    z = made_map.noise(rows)
    found = made_map.solve(z)
    plain = made_map.map.torch_inverse(z)
    assert np.abs(found.x - plain.numpy()).max() < ROUNDING[made_map.dtype]
    assert np.abs(made_map.map(plain)[1].numpy() + found.a.sum(1)).max() < 10 * ROUNDING[made_map.dtype]


@torch.no_grad()
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_forward_pass_equals_the_network(case: tuple) -> None:  # type: ignore[type-arg]
    made_map = Case(*case)
    x = made_map.noise(7)
    z = made.forward(made_map.plan, made_map.weights, made_map.biases, x.numpy(), None, made_map.form)
    assert np.abs(z - made_map.map(x)[0].numpy()).max() < 10 * ROUNDING[made_map.dtype]


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_is_the_same_bit_for_bit_in_any_batch_and_with_any_threads(dtype: torch.dtype) -> None:
    case = Case(60, (70, 50), "sequential", False, dtype)
    z = case.noise(256)
    whole = case.solve(z).x
    assert np.array_equal(case.solve(z, threads=2).x, whole)
    assert np.array_equal(case.solve(z[:3], threads=5).x, whole[:3])
    for start, stop in [(0, 1), (5, 6), (3, 12), (250, 256), (17, 49)]:
        assert np.array_equal(case.solve(z[start:stop]).x, whole[start:stop])
    again = case.noise(9)
    again[4] = z[100]
    assert np.array_equal(case.solve(again).x[4], whole[100])


@torch.no_grad()
def test_numbers_that_are_not_finite_stay_in_their_row() -> None:
    case = Case(20, (30,), "sequential", False, torch.float32)
    z = case.noise(4)
    whole = case.solve(z).x
    z[2, 3] = torch.nan
    broken = case.solve(z).x
    assert np.isnan(broken[2]).any()
    assert np.array_equal(broken[[0, 1, 3]], whole[[0, 1, 3]])


@torch.no_grad()
def test_a_condition_adds_to_the_bias_of_the_first_layer() -> None:
    case = Case(12, (20, 9), "sequential", True, torch.float64, classes=3)
    z = case.noise(5)
    c = torch.tensor([0, 2, 1, 2, 0])
    assert case.net.kinds is not None
    found = case.solve(z, more=case.net.kinds.detach()[c].numpy())
    assert np.abs(found.x - case.map.torch_inverse(z, c).numpy()).max() < 1e-11


@pytest.mark.parametrize("case", [c for c in CASES if c[-1] == torch.float64], ids=str)
def test_the_adjoint_is_the_gradient_through_the_plain_inverse(case: tuple) -> None:  # type: ignore[type-arg]
    made_map = Case(*case)
    z = made_map.noise(9).requires_grad_()
    of_x = made_map.noise(9, seed=1)
    of_a = made_map.noise(9, seed=2)
    x = made_map.map.torch_inverse(z)
    a = made_map.map._moves(x, None)[1]
    (plain,) = torch.autograd.grad((x * of_x).sum() + (a * of_a).sum(), z)
    z = z.detach()
    every = (made_map.plan, made_map.weights, made_map.solve(z), z.numpy(), of_x.numpy(), of_a.numpy())
    for threads in (1, 2):
        v = made.adjoint(*every, made_map.form._replace(threads=threads))
        assert np.abs(v - plain.numpy()).max() < 1e-9
