"""The class reaches every coupling's network of Glow and RealNVP."""

import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.bijections.coupling import ChannelCoupling, MaskedCoupling, ShiftScaleCoupling
from studio.density.flow import Flow
from studio.zoo.glow import Glow
from studio.zoo.realnvp import RealNVP

KINDS = 3
RECIPES: dict[str, tuple[Glow | RealNVP, tuple[int, ...]]] = {
    "glow": (Glow(scales=2, depth=2, width=8, classes=KINDS, class_in_couplings=True), (1, 8, 8)),
    "additive glow": (
        Glow(scales=1, depth=2, width=8, coupling="additive", classes=KINDS, class_in_couplings=True),
        (3, 4, 4),
    ),
    "realnvp": (RealNVP(scales=2, width=8, blocks=1, classes=KINDS), (1, 8, 8)),
    "realnvp of sounds": (RealNVP(couplings=3, width=8, blocks=2, classes=KINDS), (10,)),
}


@pytest.fixture(params=RECIPES)
def flow(request: pytest.FixtureRequest) -> Flow:
    """Return a flow with weights as after some training."""
    recipe, shape = RECIPES[request.param]
    torch.manual_seed(1)
    model = recipe.build(shape)
    with torch.no_grad():
        model.loss(artworks(32, shape), torch.arange(32) % KINDS)
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def artworks(count: int, shape: tuple[int, ...]) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def couplings(flow: Flow) -> list[torch.nn.Module]:
    return [m for m in flow.modules() if isinstance(m, ChannelCoupling | MaskedCoupling | ShiftScaleCoupling)]


@torch.no_grad()
def test_every_coupling_moves_entries_by_the_class(flow: Flow) -> None:
    seen: dict[int, Tensor] = {}
    for number, coupling in enumerate(couplings(flow)):
        coupling.register_forward_pre_hook(lambda _, given, number=number: seen.update({number: given[0]}))
    x = artworks(4, flow.shape)
    flow.encode(x, torch.zeros(4, dtype=torch.long))
    assert len(seen) == len(couplings(flow))
    for number, coupling in enumerate(couplings(flow)):
        first, second = (coupling(seen[number], torch.full((4,), kind))[0] for kind in (0, 1))
        assert not torch.equal(first, second)


@torch.no_grad()
def test_artworks_of_every_class_decode_back_folded_and_packed(flow: Flow) -> None:
    x = artworks(6, flow.shape)
    c = torch.arange(6) % KINDS
    z, drawn = flow.encode(x, c), flow.sample(range(6), c)
    for change in (lambda _: None, zoo.fold, zoo.pack):
        change(flow)
        assert torch.equal(flow.decode(flow.encode(x, c), c), x)
        assert torch.allclose(flow.encode(x, c), z, atol=1e-3)
        assert float((flow.sample(range(6), c).int() - drawn.int()).abs().max()) <= 1
        alone = [flow.sample([seed], c[seed : seed + 1])[0] for seed in range(6)]
        assert torch.equal(torch.stack(alone), flow.sample(range(6), c))


def test_the_log_determinant_of_each_class_equals_the_jacobians(flow: Flow) -> None:
    flow.double()
    h = torch.randn(flow.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for kind in range(KINDS):
        c = torch.tensor([kind])
        jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
            lambda v, c=c: flow.bijection(v.view(1, *flow.shape), c)[0].flatten(), h.flatten()
        )
        assert torch.allclose(torch.linalg.slogdet(jacobian)[1], flow.bijection(h[None], c)[1][0], atol=1e-9)


def test_a_glow_without_classes_has_none_to_tell() -> None:
    with pytest.raises(ValueError, match="no class to tell"):
        Glow(class_in_couplings=True).build((1, 8, 8))
