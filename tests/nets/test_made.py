"""Networks whose outputs see only what comes before: what they see, what they store."""

import copy

import pytest
import torch
from torch import Tensor

from studio.nets.made import MADE, Activation, Degrees


def made(
    entries: int,
    hidden: tuple[int, ...],
    outputs: int = 2,
    order: Tensor | None = None,
    degrees: Degrees = "sequential",
) -> MADE:
    torch.manual_seed(0)
    net = MADE(entries, hidden, outputs, order, degrees=degrees, activation="tanh", seed=3).double()
    with torch.no_grad():
        net.weights.normal_()
    return net


def jacobian(net: MADE) -> Tensor:
    """Return ∂o_i/∂x_j summed over the outputs of each entry and made positive, `(D, D)`."""
    x = 0.1 * torch.randn(1, net.entries, dtype=torch.float64)
    found = torch.autograd.functional.jacobian(net, x)
    return found[0, :, :, 0].abs().sum(0)


@pytest.mark.parametrize("hidden", [(4,), (7, 7), (20, 11, 30)])
@pytest.mark.parametrize("turned", [False, True])
def test_an_entry_sees_exactly_those_before_it(hidden: tuple[int, ...], turned: bool) -> None:
    order = torch.arange(5).flip(0) if turned else torch.tensor([3, 0, 4, 1, 2])
    found = jacobian(made(5, hidden, 3, order))[order][:, order]
    assert torch.equal(found > 0, torch.ones(5, 5).tril(-1).bool())


def test_degrees_spread_over_all_entries_even_with_fewer_units() -> None:
    degrees = made(101, (10, 20)).degrees
    assert degrees[1].tolist() == [1, 11, 21, 31, 41, 51, 61, 71, 81, 91]
    assert len(set(degrees[2].tolist())) == 20


def test_random_degrees_see_no_later_entry_and_follow_the_seed() -> None:
    net = made(9, (30, 30), degrees="random")
    same = made(9, (30, 30), degrees="random")
    assert not jacobian(net).triu().any()
    assert torch.equal(net.degrees[2], same.degrees[2])
    assert not torch.equal(net.degrees[1], MADE(9, (30,), degrees="random", seed=4).degrees[1])
    assert all(bool((d.diff() >= 0).all()) and int(d.min()) >= 1 and int(d.max()) <= 8 for d in net.degrees[1:])


def test_only_weights_that_masks_keep_exist() -> None:
    net = made(20, (30, 25))
    assert len(net.weights) == sum(int((w != 0).sum()) for w in net.matrices())
    assert len(net.weights) == pytest.approx((20 * 30 + 30 * 25 + 25 * 40) / 2, rel=0.1)
    assert set(net.state_dict()) == {"weights", "biases"}


@torch.no_grad()
def test_the_network_returns_zeros_at_first() -> None:
    assert not MADE(6, (8,))(torch.randn(3, 6)).any()


def test_gradients_reach_the_weights_as_through_dense_matrices() -> None:
    net = made(6, (9, 8))
    x = torch.randn(4, 6, dtype=torch.float64)
    net(x).square().sum().backward()
    assert net.weights.grad is not None
    dense = [w.detach().requires_grad_() for w in net.matrices()]
    b1, b2, b3 = net.biases.detach().split([9, 8, 12])
    h = torch.tanh(x @ dense[0].T + b1)
    h = torch.tanh(h @ dense[1].T + b2)
    (h @ dense[2].T + b3).square().sum().backward()
    kept = [w.grad[w != 0] for w in dense if w.grad is not None]
    assert torch.allclose(net.weights.grad, torch.cat(kept))


@torch.no_grad()
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_saving_copying_and_folding_keep_the_map(activation: Activation) -> None:
    torch.manual_seed(1)
    net = MADE(7, (9, 8), activation=activation, classes=3)
    net.weights.normal_()
    x = torch.randn(4, 7)
    c = torch.tensor([0, 2, 1, 1])
    other = MADE(7, (9, 8), activation=activation, classes=3)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x, c), net(x, c))
    folded = copy.deepcopy(net)
    folded.fold()
    assert torch.equal(folded(x, c), net(x, c))
    assert torch.equal(copy.deepcopy(folded)(x, c), net(x, c))


@torch.no_grad()
def test_a_condition_reaches_all_entries_but_the_first() -> None:
    torch.manual_seed(1)
    net = MADE(7, (30,), classes=2)
    net.weights.normal_()
    x = torch.randn(1, 7)
    moved = (net(x, torch.tensor([0])) - net(x, torch.tensor([1]))).abs().sum((0, 1)) > 0
    assert moved.tolist() == [False, *[True] * 6]
