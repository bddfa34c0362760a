"""A perceptron computes what it should, and a row never depends on others."""

import pytest
import torch
from torch import Tensor, nn

from studio.nets.mlp import MLP, BatchInvariantLinear

DTYPES = [torch.float32, torch.float64]


def rows(count: int, entries: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, entries, dtype=dtype, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("tanh", [False, True])
def test_a_row_is_the_same_bit_for_bit_in_any_batch_and_at_any_place(dtype: torch.dtype, tanh: bool) -> None:
    torch.manual_seed(1)
    net = MLP(37, 96, 2, 50, tanh=tanh).to(dtype).eval()
    x = rows(256, 37, dtype)
    alone = torch.cat([net(x[i : i + 1]) for i in range(256)])
    for count in [*range(2, 18), 100, 255, 256]:
        assert torch.equal(net(x[:count]), alone[:count])
    order = torch.randperm(256, generator=torch.Generator().manual_seed(2))
    assert torch.equal(net(x[order]), alone[order])


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
def test_products_in_blocks_are_the_same(count: int) -> None:
    layer = BatchInvariantLinear(5, 3).double()
    x = rows(count, 5)
    expected = x @ layer.weight.T + layer.bias
    assert torch.allclose(layer.eval()(x), expected, atol=1e-12)
    assert torch.allclose(layer.train()(x), expected, atol=1e-12)


def test_the_gradient_is_the_same_in_blocks() -> None:
    layer = BatchInvariantLinear(5, 3).double()
    x = rows(11, 5)
    gradients = []
    for training in (True, False):
        layer.train(training).zero_grad()
        torch.autograd.backward(layer(x).square().sum())
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-12)


def test_layers_follow_the_settings_and_a_zero_start_returns_zeros() -> None:
    net = MLP(4, 6, 3, 2, zero=True)
    assert [type(layer) for layer in net] == [BatchInvariantLinear, nn.ReLU] * 3 + [BatchInvariantLinear]
    assert [tuple(layer.weight.shape) for layer in net if isinstance(layer, nn.Linear)] == [
        (6, 4),
        (6, 6),
        (6, 6),
        (2, 6),
    ]
    assert not bool(net(rows(9, 4, torch.float32)).any())
    assert isinstance(MLP(4, 6, 1, 2, tanh=True)[1], nn.Tanh)


@torch.no_grad()
def test_dropout_leaves_units_out_only_in_training() -> None:
    torch.manual_seed(3)
    net = MLP(4, 50, 2, 2, dropout=0.5).double()
    x = rows(6, 4)
    assert not torch.equal(net.train()(x), net(x))
    plain = MLP(4, 50, 2, 2).double()
    for theirs, ours in zip(plain.parameters(), net.parameters(), strict=True):
        theirs.copy_(ours)
    assert torch.equal(net.eval()(x), plain.eval()(x))
