"""Masked autoregressive maps equal those of zuko, nflows and pyro with the same weights, to 1e-9 in float64."""

import math

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Chain
from studio.density.bijections.linear import BatchNorm
from studio.density.bijections.masked_affine import InverseMap, MaskedAffine
from studio.nets.made import MADE
from studio.zoo.compiled.made import CompiledAffineSolver

zuko = pytest.importorskip("zuko")
pytest.importorskip("nflows")
pyro_transforms = pytest.importorskip("pyro.distributions.transforms")

from nflows.transforms.autoregressive import MaskedAffineAutoregressiveTransform  # noqa: E402
from nflows.transforms.base import CompositeTransform  # noqa: E402
from nflows.transforms.normalization import BatchNorm as PeerBatchNorm  # noqa: E402
from nflows.transforms.permutations import ReversePermutation  # noqa: E402

CLOSE = 1e-9
ENTRIES = 7
HIDDEN = 2 * (ENTRIES - 1)  # every degree twice, as the peers deal them out, too


def entries(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def ours(order: Tensor, seed: int = 0) -> MaskedAffine:
    torch.manual_seed(seed)
    net = MADE(ENTRIES, (HIDDEN, HIDDEN), order=order).double()
    with torch.no_grad():
        net.weights.normal_(std=0.3)
        net.biases.normal_(std=0.3)
    return MaskedAffine(net, order, bound=None, solver=CompiledAffineSolver(net))


@torch.no_grad()
def copy_weights(net: MADE, layers: list[nn.Linear], degrees: list[Tensor], number: Tensor) -> None:
    """Copy our weights into a peer's layers, whose hidden units have these degrees and whose outputs go entry by entry;
    our entry i is the peer's `number[i]`. The peer's own masks must be ours."""
    rows = [d.argsort(stable=True) for d in degrees]
    rows.append(torch.cat((2 * number, 2 * number + 1)))
    columns = [number[net.order], *rows[:-1]]
    biases = net.biases.split([r for r, _ in net.shapes])
    for layer, w, b, row, column in zip(layers, net.matrices(), biases, rows, columns, strict=True):
        assert torch.equal(layer.get_buffer("mask").bool()[row][:, column], w != 0)
        layer.weight[row[:, None], column] = w
        assert layer.bias is not None
        layer.bias[row] = b


class Nflows(MaskedAffineAutoregressiveTransform):
    """Is nflows' map in the paper's parametrisation instead of its softplus of the scale."""

    def __init__(self, net: MADE) -> None:
        super().__init__(ENTRIES, HIDDEN, num_blocks=1, use_residual_blocks=False)
        made = self.autoregressive_net.double()
        layers = [made.initial_layer, made.blocks[0].linear, made.final_layer]
        copy_weights(net, layers, [layer.degrees for layer in layers[:2]], net.order.argsort())

    def _elementwise_forward(self, x: Tensor, o: Tensor) -> tuple[Tensor, Tensor]:
        m, a = o.view(-1, ENTRIES, 2).unbind(-1)
        return (x - m) * torch.exp(-a), -a.sum(1)

    def _elementwise_inverse(self, z: Tensor, o: Tensor) -> tuple[Tensor, Tensor]:
        m, a = o.view(-1, ENTRIES, 2).unbind(-1)
        return z * torch.exp(a) + m, a.sum(1)


def affine(m: Tensor, a: Tensor) -> torch.distributions.Transform:
    return torch.distributions.AffineTransform(-m * torch.exp(-a), torch.exp(-a))


@torch.no_grad()
@pytest.mark.parametrize("turned", [False, True])
def test_a_masked_map_equals_zukos(turned: bool) -> None:
    order = torch.tensor([4, 0, 6, 2, 1, 5, 3]) if turned else torch.arange(ENTRIES)
    f = ours(order)
    assert isinstance(f.net, MADE)
    peer = zuko.flows.autoregressive.MaskedAutoregressiveTransform(
        ENTRIES, order=order.argsort(), univariate=affine, hidden_features=(HIDDEN, HIDDEN)
    ).double()
    layers = [layer for layer in peer.hyper if isinstance(layer, nn.Linear)]
    degrees = layers[0].mask.sum(1)  # its second layer deals them out alike
    copy_weights(f.net, layers, [degrees, degrees], torch.arange(ENTRIES))
    x = entries(5, ENTRIES)
    z, ladj = f(x)
    theirs, their_ladj = peer().call_and_ladj(x)
    assert float((z - theirs).abs().max()) < CLOSE
    assert float((ladj - their_ladj).abs().max()) < CLOSE
    assert float((f.inverse(x) - peer().inv(x)).abs().max()) < CLOSE


@torch.no_grad()
def test_a_whole_maf_equals_nflows() -> None:
    parts: list[MaskedAffine | BatchNorm] = []
    theirs: list[nn.Module] = []
    for layer in range(2):
        order = torch.arange(ENTRIES)
        masked = ours(order.flip(0) if layer else order, layer)
        assert isinstance(masked.net, MADE)
        norm = BatchNorm(ENTRIES, eps=1e-5, affine=True).double()
        assert norm.gamma is not None
        assert norm.beta is not None
        norm.gamma.copy_(0.3 * entries(ENTRIES))
        norm.beta.copy_(entries(ENTRIES))
        norm.mean.copy_(entries(ENTRIES))
        norm.var.copy_(entries(ENTRIES).square() + 0.1)
        parts += [masked, norm]
        peer = PeerBatchNorm(ENTRIES, eps=norm.eps).double()
        peer.unconstrained_weight.copy_(torch.log(torch.expm1(norm.gamma.exp() - norm.eps)))
        peer.bias.copy_(norm.beta)
        peer.running_mean.copy_(norm.mean)
        peer.running_var.copy_(norm.var)
        turn = [ReversePermutation(ENTRIES)] if layer else []  # its masked map knows one order alone
        theirs += [*turn, Nflows(masked.net), *turn, peer]
    maf, composite = Chain(parts).eval(), CompositeTransform(theirs).eval()
    x = entries(5, ENTRIES)
    z, ladj = maf(x)
    other, other_ladj = composite(x)
    assert float((z - other).abs().max()) < CLOSE
    assert float((ladj - other_ladj).abs().max()) < CLOSE
    assert float((maf.inverse(x) - composite.inverse(x)[0]).abs().max()) < CLOSE


class ForPyro(nn.Module):
    """Is our network in pyro's parametrisation x = exp(s) · z + m."""

    def __init__(self, f: MaskedAffine) -> None:
        super().__init__()
        self.f = f
        self.permutation = f.order

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        m, a = self.f.net(z).unbind(1)
        return -m * torch.exp(-a), -a


@torch.no_grad()
def test_an_iaf_equals_pyros() -> None:
    f = ours(torch.arange(ENTRIES).flip(0))
    peer = pyro_transforms.AffineAutoregressive(ForPyro(f), -math.inf, math.inf)
    z = entries(5, ENTRIES)
    x = peer(z)
    assert float((InverseMap(f).inverse(z) - x).abs().max()) < CLOSE
    back, ladj = InverseMap(f)(x)
    assert float((back - z).abs().max()) < CLOSE
    assert float((ladj + peer.log_abs_det_jacobian(z, x)).abs().max()) < CLOSE
