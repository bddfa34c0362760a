"""Glow's parts equal those of normflows with the same weights, to 1e-9 in float64."""

import math

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection
from studio.density.bijections.coupling import Additive, ChannelCoupling, ShiftScaleCoupling
from studio.density.bijections.linear import ActNorm, ChannelMixing, InvertibleConv, Squeeze
from studio.nets.glow import CouplingNet
from studio.zoo.glow import Glow

normflows = pytest.importorskip("normflows")

CLOSE = 1e-9


def entries(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def learned(module: nn.Module, spread: float = 0.1) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data += spread * torch.randn_like(parameter)
    return module.double().eval()


def mixing(channels: int) -> ChannelMixing:
    made = ChannelMixing(ActNorm(channels), InvertibleConv(channels, generator=torch.Generator().manual_seed(2)))
    assert bool((made.conv.sign < 0).any()), "the case with negative signs must be among the tested"
    learned(made)
    return made


def peers_of(ours: ChannelMixing) -> tuple[nn.Module, nn.Module]:
    channels = len(ours.norm.b)
    norm = normflows.flows.ActNorm((channels, 1, 1)).double()
    norm.s.copy_(-3 * ours.norm.logs[:, None, None][None])
    norm.t.copy_(-ours.norm.b[:, None, None][None])
    norm.data_dep_init_done.fill_(1)
    conv = normflows.flows.Invertible1x1Conv(channels, use_lu=True).double()
    for theirs, mine in zip(("P", "L", "U", "sign_S", "log_S"), ("p", "lower", "upper", "sign", "log_s"), strict=True):
        getattr(conv, theirs).copy_(getattr(ours.conv, mine))
    return norm, conv


class Negated(nn.Module):
    """Returns our network's output in the peer's form: the negated shift, then h, channel by channel.

    Its coupling takes (z2 - shift) · sigmoid(h + 2). `floor`: h where our σ is at its floor.
    """

    def __init__(self, net: nn.Module, floor: float | None) -> None:
        super().__init__()
        self.net = net
        self.floor = floor

    def forward(self, x: Tensor) -> Tensor:
        h, t = self.net(x).chunk(2, 1)
        if self.floor is not None:
            h = torch.where((h + 2).sigmoid() < self.floor, math.log(self.floor / (1 - self.floor)) - 2, h)
        return torch.stack((-t, h), 2).flatten(1, 2)


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")  # the peer's own call, at its start
@torch.no_grad()
@pytest.mark.parametrize("folded", [False, True])
def test_the_merged_actnorm_and_convolution_equal_the_peers_two_layers(folded: bool) -> None:
    ours = mixing(6)
    norm, conv = peers_of(ours)
    if folded:
        ours.fold()
    x = entries(4, 6, 3, 5)
    h, first = norm.inverse(x)
    expected, second = conv.inverse(h)
    z, ladj = ours(x)
    assert float((z - expected).abs().max()) < CLOSE
    assert float((ladj - (first + second)).abs().max()) < CLOSE
    assert float((ours.inverse(z) - norm(conv(expected)[0])[0]).abs().max()) < CLOSE


@torch.no_grad()
@pytest.mark.parametrize("gain", [1.0, 30.0], ids=["usual", "some at the floor"])
def test_the_affine_coupling_equals_the_peers(gain: float) -> None:
    net = learned(CouplingNet(3, 8, 6))
    list(net)[-1].logs += torch.log(torch.tensor(gain)) / 3
    ours = ShiftScaleCoupling(net)
    at_floor = (net(entries(4, 3, 4, 5)).chunk(2, 1)[0] + 2).sigmoid() < ours.FLOOR
    assert bool(at_floor.any()) == (gain > 1)
    peer = normflows.flows.AffineCouplingBlock(
        Negated(net, ours.FLOOR if gain > 1 else None), True, "sigmoid", "channel"
    )
    x = torch.cat((entries(4, 3, 4, 5), entries(4, 3, 4, 5).flip(0)), 1)
    z, ladj = ours(x)
    expected, theirs = peer.inverse(x)
    assert float((z - expected).abs().max()) < CLOSE
    assert float((ladj - theirs).abs().max()) < CLOSE
    assert float((ours.inverse(z) - peer(z)[0]).abs().max()) < CLOSE


@torch.no_grad()
def test_the_additive_coupling_equals_the_peers() -> None:
    net = learned(CouplingNet(3, 8, 3))
    ours = ChannelCoupling(False, net, Additive())
    peer = normflows.flows.AffineCouplingBlock(net, False, split_mode="channel")
    x = entries(4, 6, 4, 5)
    z, ladj = ours(x)
    assert float((z - peer(x)[0]).abs().max()) < CLOSE
    assert not bool(ladj.any())


def test_the_squeeze_equals_the_peers() -> None:
    x = entries(2, 3, 4, 6)
    assert torch.equal(Squeeze()(x)[0], normflows.flows.Squeeze().inverse(x)[0])


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@torch.no_grad()
def test_a_whole_level_equals_the_peers_layers() -> None:
    flow = Glow(scales=1, depth=3, width=8).build((3, 4, 4))
    with torch.no_grad():
        flow.loss(torch.randint(0, 256, (16, 3, 4, 4)))
    learned(flow, 0.03)
    level: Bijection = flow.bijection
    x = 0.3 * entries(4, 3, 4, 4)
    h, price = normflows.flows.Squeeze().inverse(x)
    *steps, top = level.inner.parts  # type: ignore[union-attr]
    for step in steps:
        norm, conv = peers_of(step.mixing)
        coupling = normflows.flows.AffineCouplingBlock(
            Negated(step.coupling.net, ShiftScaleCoupling.FLOOR), True, "sigmoid", "channel"
        )
        for peer in (norm, conv, coupling):
            h, ladj = peer.inverse(h)
            price = price + ladj
    mean, log_scale = top.net().chunk(2, 1)
    prior = torch.distributions.Normal(mean, log_scale.exp())
    theirs = price + prior.log_prob(h).sum((1, 2, 3))
    z, ladj = level(x)
    ours = ladj + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum((1, 2, 3))
    assert float((ours - theirs).abs().max()) < CLOSE
