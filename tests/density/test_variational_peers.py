"""The maps of posteriors equal independent implementations with the same weights, to 1e-9 in float64."""

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.planar import planar_flow, radial_flow
from studio.density.posterior import InverseAutoregressivePosterior
from studio.nets.made import ContextMADE

normflows = pytest.importorskip("normflows")
pyro = pytest.importorskip("pyro.distributions.transforms")

CLOSE = 1e-9
ENTRIES = 5


def entries(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def apart(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


@torch.no_grad()
@pytest.mark.parametrize("size", [0.3, 3.0])
def test_planar_flows_equal_the_peers(size: float) -> None:
    u = size * entries(ENTRIES, seed=2)
    w = size * entries(ENTRIES, seed=3)
    b = entries(1, seed=4)
    z = entries(20, ENTRIES)
    ours = planar_flow(z, *[p.expand(20, 1, -1) for p in (u, w)], b.expand(20, 1))
    flow = normflows.flows.Planar((ENTRIES,), u=u[None], w=w[None], b=b)
    assert apart(ours, flow(z)) < CLOSE
    transform = pyro.Planar(ENTRIES).double()
    for parameter, value in ((transform.u, u), (transform.w, w), (transform.bias, b)):
        parameter.copy_(value)
    y = transform(z)
    assert apart(ours, (y, transform.log_abs_det_jacobian(z, y))) < CLOSE


@torch.no_grad()
def test_radial_flows_equal_the_peers() -> None:
    center = entries(ENTRIES, seed=2)
    alpha = entries(1, seed=3)
    beta = entries(1, seed=4)
    z = entries(20, ENTRIES)
    ours = radial_flow(z, center.expand(20, 1, -1), alpha.expand(20, 1), beta.expand(20, 1))
    transform = pyro.Radial(ENTRIES).double()
    for parameter, value in ((transform.x0, center), (transform.alpha_prime, alpha), (transform.beta_prime, beta)):
        parameter.copy_(value)
    y = transform(z)
    assert apart(ours, (y, transform.log_abs_det_jacobian(z, y))) < CLOSE


class AsPeersNet(nn.Module):
    """Returns our network's output in the peer's form: with its order, m and s apart, each `(B, entries)`.

    The peer's inverse starts from zeros in float32.
    """

    def __init__(self, net: ContextMADE, context: Tensor, order: Tensor) -> None:
        super().__init__()
        self.net = net
        self.context = context
        self.permutation = order

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        m, s = self.net(z.double(), self.context).unbind(-1)
        return m, s


@torch.no_grad()
@pytest.mark.parametrize("reverse", [False, True])
def test_the_gate_of_an_inverse_autoregressive_step_equals_the_peers(reverse: bool) -> None:
    torch.manual_seed(0)
    net = ContextMADE(ENTRIES, 3, 16, reverse=reverse).double()
    for parameter in net.parameters():
        parameter += 0.5 * torch.randn_like(parameter)
    z = entries(20, ENTRIES)
    context = entries(20, 3, seed=2)
    ours = InverseAutoregressivePosterior(ENTRIES, [net], 3).transform(z, context)
    order = torch.arange(ENTRIES).flip(0) if reverse else torch.arange(ENTRIES)
    transform = pyro.AffineAutoregressive(AsPeersNet(net, context, order), stable=True, sigmoid_bias=1.5)
    y = transform(z)
    assert apart((ours[0], ours[1].sum(1)), (y, transform.log_abs_det_jacobian(z, y))) < CLOSE
    assert float((transform._inverse(y) - z).abs().max()) < CLOSE
