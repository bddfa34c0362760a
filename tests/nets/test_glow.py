"""Glow's networks see the edge, start as they should, and stay the same when folded."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from studio.nets.convolution import fold, pack
from studio.nets.glow import CouplingNet, EdgeLayer, ScaledConv


def entries(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def learned(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module with weights as after some training, in float64."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return module.double().eval()


@torch.no_grad()
@pytest.mark.parametrize("channels", [(3, 8), (8, 3)], ids=["edge as a channel", "edge added behind"])
def test_the_edge_is_one_more_channel_that_is_1_around_the_picture(channels: tuple[int, int]) -> None:
    conv = learned(ScaledConv(*channels, 3, zero=True))
    x = entries(2, channels[0], 5, 4)
    margin = pad(torch.zeros(2, 1, 5, 4, dtype=torch.float64), (1, 1, 1, 1), value=1.0)
    seen = torch.cat((pad(x, (1, 1, 1, 1)), margin), 1)
    plain = conv2d(seen, torch.cat((conv.weight, conv.edge), 1))
    expected = (plain + conv.b[:, None, None]) * torch.exp(3 * conv.logs)[:, None, None]
    assert torch.allclose(conv(x), expected, atol=1e-12)


@torch.no_grad()
def test_a_last_layer_returns_zeros_at_first_for_any_input() -> None:
    net = CouplingNet(2, 8, 4).train()
    assert not bool(net(torch.randn(6, 2, 4, 4)).any())


@torch.no_grad()
def test_hidden_layers_start_one_after_the_other_from_the_first_batch_and_once() -> None:
    torch.manual_seed(0)
    net = CouplingNet(2, 8, 4).train()
    x = 5 * torch.randn(64, 2, 4, 4) + 3
    net(x)
    seen = x
    for layer in list(net)[:2]:
        layer.hidden = False  # so that its values before the relu can be seen
        h = layer(seen)
        assert torch.allclose(h.mean((0, 2, 3)), torch.zeros(8), atol=1e-4)
        assert torch.allclose(h.std((0, 2, 3)), torch.ones(8), atol=1e-2)
        layer.hidden = True
        seen = torch.relu(h)
    before = copy.deepcopy(net.state_dict())
    net(torch.randn(64, 2, 4, 4))
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("size", [(5, 4), (8, 8)])
def test_folding_and_packing_keep_the_map(size: tuple[int, int]) -> None:
    net = learned(CouplingNet(3, 16, 6))
    x = entries(4, 3, *size)
    expected = net(x)
    folded = copy.deepcopy(net)
    fold(folded)
    assert torch.allclose(folded(x), expected, atol=1e-12)
    single = copy.deepcopy(net).float()
    fold(single)
    pack(single)
    assert torch.allclose(single(x.float()).double(), expected, rtol=1e-4, atol=1e-4)
    other = entries(2, 3, 6, 6)
    assert torch.allclose(single(other.float()).double(), net(other), rtol=1e-4, atol=1e-4), "after another size, too"


@torch.no_grad()
def test_a_layer_without_a_picture_equals_the_layer_on_zeros() -> None:
    edges = learned(EdgeLayer(6, 4, 5))
    conv = ScaledConv(2, 6, 3, zero=True).double()
    for name in ("edge", "b", "logs"):
        getattr(conv, name).copy_(getattr(edges, name))
    assert torch.allclose(edges(), conv(torch.zeros(1, 2, 4, 5, dtype=torch.float64)), atol=1e-12)
    middle = edges()[0, :, 1:3, 2]
    corner = edges()[0, :, 0, 0]
    assert torch.equal(middle[:, 0], middle[:, 1])
    assert not torch.allclose(corner, middle[:, 0])
