"""Couplings of odd and even entries, and scales, equal independent implementations to 1e-9 in float64."""

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import OnPart
from studio.density.bijections.coupling import Additive, Affine, ChannelCoupling
from studio.density.bijections.vector_transforms import DiagonalScale, OddEven, Whitening
from studio.nets.mlp import MLP

normflows = pytest.importorskip("normflows")
pytest.importorskip("nflows")

from nflows.transforms.coupling import AdditiveCouplingTransform, AffineCouplingTransform  # noqa: E402

CLOSE = 1e-9


def entries(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def apart(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def learned(net: nn.Module) -> nn.Module:
    """Return a network as after some training: its last layer no longer returns zeros."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return net.double().eval()


class WithContext(nn.Module):
    """Accepts a context, as the peer needs it, and ignores it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        result: Tensor = self.inner(x)
        return result


def moved(size: int, swap: bool) -> Tensor:
    """Return the peer's mask, 1 if an entry changes: the second, fourth … entry, or the first, third … if `swap`."""
    return (torch.arange(size) + int(swap)) % 2


@torch.no_grad()
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("size", [8, 9])
def test_nices_coupling_equals_the_peers(size: int, swap: bool) -> None:
    free = int(moved(size, swap).sum())
    net = learned(MLP(size - free, 16, 2, free))
    ours = OnPart(OddEven(), ChannelCoupling(swap, net, Additive()))
    peer = AdditiveCouplingTransform(moved(size, swap), lambda i, o: WithContext(net))
    x = entries(5, size)
    assert apart(ours(x), peer(x)) < CLOSE
    assert float((ours.inverse(x) - peer.inverse(x)[0]).abs().max()) < CLOSE


class Peer(AffineCouplingTransform):
    """Is nflows' affine coupling with our bounded tanh instead of its sigmoid."""

    transform_of_ours: Affine

    def _scale_and_shift(self, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.transform_of_ours(params)
        assert s is not None
        return s.exp(), t


@torch.no_grad()
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("size", [8, 9])
def test_the_coupling_of_realnvp_for_sounds_equals_the_peers(size: int, swap: bool) -> None:
    free = int(moved(size, swap).sum())
    net = learned(MLP(size - free, 16, 2, 2 * free))
    transform = Affine(1.0)
    ours = OnPart(OddEven(), ChannelCoupling(swap, net, transform)).double()
    peer = Peer(moved(size, swap), lambda i, o: WithContext(net))
    peer.transform_of_ours = transform
    x = entries(5, size)
    assert apart(ours(x), peer(x)) < CLOSE
    assert float((ours.inverse(x) - peer.inverse(x)[0]).abs().max()) < CLOSE


@torch.no_grad()
def test_nices_scale_equals_the_peers() -> None:
    ours = DiagonalScale(6).double()
    ours.s.copy_(entries(6))
    ours.started.fill_(True)
    peer = normflows.flows.AffineConstFlow((6,), shift=False).double()
    peer.s.copy_(ours.s[None])
    x = entries(4, 6)
    z, ladj = peer(x)
    assert apart(ours(x), (z, ladj.expand(4))) < CLOSE
    assert float((ours.inverse(x) - peer.inverse(x)[0]).abs().max()) < CLOSE


@torch.no_grad()
def test_whitening_has_the_likelihood_of_torchs_gaussian() -> None:
    whitening = Whitening(5).double()
    x = entries(400, 5) @ entries(5, 5) + 2
    z, ladj = whitening.train()(x)
    gaussian = torch.distributions.MultivariateNormal(whitening.mean, scale_tril=whitening.factor)
    standard = torch.distributions.Normal(0.0, 1.0)
    assert torch.allclose(standard.log_prob(z).sum(1) + ladj, gaussian.log_prob(x), atol=CLOSE)
