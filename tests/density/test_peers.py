"""Layers equal independent implementations with the same weights, to 1e-9 in float64."""

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.coupling import (
    Additive,
    Affine,
    ChannelCoupling,
    MaskedCoupling,
    channel_mask,
    checkerboard,
)
from studio.density.bijections.linear import ActNorm, BatchNorm, InvertibleConv, Squeeze
from studio.nets.convolution import ResidualNet

normflows = pytest.importorskip("normflows")
pytest.importorskip("nflows")

from nflows.transforms.coupling import AdditiveCouplingTransform, AffineCouplingTransform  # noqa: E402
from nflows.transforms.normalization import BatchNorm as PeerBatchNorm  # noqa: E402
from nflows.transforms.reshape import SqueezeTransform  # noqa: E402

CLOSE = 1e-9


def entries(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def net(channels_in: int, channels_out: int, mask: Tensor | None = None) -> nn.Module:
    torch.manual_seed(0)
    made = ResidualNet(channels_in, 8, 1, channels_out, mask)
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made.double().eval()


def apart(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


class Half(nn.Module):
    """Returns one half of a coupling's output in the peer's form: only s or only t."""

    def __init__(self, coupling: MaskedCoupling, which: int) -> None:
        super().__init__()
        self.coupling = coupling
        self.which = which

    def forward(self, x: Tensor) -> Tensor:
        return self.coupling.transform(self.coupling.net(x))[self.which]


@torch.no_grad()
@pytest.mark.parametrize("flip", [False, True])
def test_checkerboard_coupling_equals_the_peers(flip: bool) -> None:
    mask = checkerboard(4, 6, flip).double()
    ours = MaskedCoupling(mask, net(3, 6, mask), Affine(0.7)).double()
    peer = normflows.flows.MaskedAffineFlow(mask.expand(3, 4, 6), Half(ours, 1), Half(ours, 0))
    x = entries(5, 3, 4, 6)
    assert apart(ours(x), peer(x)) < CLOSE
    z, _ = ours(x)
    assert float((ours.inverse(z) - peer.inverse(z)[0]).abs().max()) < CLOSE


class WithContext(nn.Module):
    """Accepts a context, as the peer needs it, and ignores it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        result: Tensor = self.inner(x)
        return result


class Peer(AffineCouplingTransform):
    """Is nflows' affine coupling with our bounded tanh instead of its sigmoid."""

    transform_of_ours: Affine

    def _scale_and_shift(self, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.transform_of_ours(params)
        assert s is not None
        return s.exp(), t


@torch.no_grad()
@pytest.mark.parametrize("swap", [False, True])
def test_channel_coupling_equals_the_peers(swap: bool) -> None:
    inner = net(2, 4)
    ours = ChannelCoupling(swap, inner, Affine(1.0)).double()
    peer = Peer(1 - channel_mask(4, flip=swap).flatten(), lambda i, o: WithContext(inner))
    peer.transform_of_ours = ours.transform
    x = entries(3, 4, 5, 5)
    assert apart(ours(x), peer(x)) < CLOSE
    assert float((ours.inverse(x) - peer.inverse(x)[0]).abs().max()) < CLOSE


@torch.no_grad()
def test_additive_coupling_equals_the_peers() -> None:
    inner = net(2, 2)
    ours = ChannelCoupling(False, inner, Additive()).double()
    peer = AdditiveCouplingTransform(1 - channel_mask(4).flatten(), lambda i, o: WithContext(inner))
    x = entries(3, 4, 5, 5)
    assert apart(ours(x), peer(x)) < CLOSE


@torch.no_grad()
def test_batch_norm_equals_the_peers() -> None:
    ours = BatchNorm(3).double().eval()
    ours.mean.copy_(entries(3))
    ours.var.copy_(entries(3).square() + 0.1)
    peer = PeerBatchNorm(3, eps=ours.eps).double().eval()
    peer.running_mean.copy_(ours.mean)
    peer.running_var.copy_(ours.var)
    peer.unconstrained_weight.copy_(torch.log(torch.expm1(torch.ones(3, dtype=torch.float64) - ours.eps)))
    x = entries(7, 3)
    z, ladj = ours(x[:, :, None, None])
    assert apart((z.flatten(1), ladj), peer(x)) < CLOSE


@torch.no_grad()
def test_actnorm_equals_the_peers() -> None:
    ours = ActNorm(3).double()
    ours.b.copy_(entries(3))
    ours.logs.copy_(0.3 * entries(3))
    ours.started.fill_(True)
    peer = normflows.flows.ActNorm((3, 1, 1)).double()
    peer.s.copy_(-3 * ours.logs[:, None, None][None])
    peer.t.copy_(-ours.b[:, None, None][None])
    peer.data_dep_init_done.fill_(1)
    x = entries(4, 3, 5, 5)
    z, ladj = peer.inverse(x)
    assert apart(ours(x), (z, ladj.expand(4))) < CLOSE


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")  # the peer's own call, at its start
@torch.no_grad()
def test_invertible_convolution_equals_the_peers_with_signs() -> None:
    ours = InvertibleConv(4, generator=torch.Generator().manual_seed(2)).double()
    ours.log_s += 0.2 * entries(4)
    assert bool((ours.sign < 0).any()), "the case with negative signs must be among the tested"
    peer = normflows.flows.Invertible1x1Conv(4, use_lu=True).double()
    peer.P.copy_(ours.p)
    peer.L.copy_(ours.lower)
    peer.U.copy_(ours.upper)
    peer.sign_S.copy_(ours.sign)
    peer.log_S.copy_(ours.log_s)
    x = entries(4, 4, 3, 5)
    z, ladj = peer.inverse(x)
    assert apart(ours(x), (z, ladj.expand(4))) < CLOSE
    assert float((ours.inverse(z) - x).abs().max()) < CLOSE


def test_plain_squeeze_equals_the_peers() -> None:
    x = entries(2, 3, 4, 6)
    assert torch.equal(Squeeze()(x)[0], SqueezeTransform()(x)[0])
