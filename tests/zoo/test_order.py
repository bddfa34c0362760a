"""Layers of every flow change the parts of an artwork in turn."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Chain, Flattened
from studio.density.bijections.coupling import ChannelCoupling, MaskedCoupling
from studio.density.flow import Flow
from studio.density.variational import Variational
from studio.zoo.iaf import IAF
from studio.zoo.maf import MAF
from studio.zoo.nice import NICE
from studio.zoo.realnvp import RealNVP
from studio.zoo.vae_flow import VAEFlow


def disturb(parts: list[nn.Module]) -> None:
    generator = torch.Generator().manual_seed(0)
    for part in parts:
        for parameter in part.parameters():
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def influence(model: Flow) -> Tensor:
    """Return which entry of the artwork (column) changes which of the latent (row), `(D, D)` of booleans."""
    entries = model.scale_of.numel()
    h = torch.randn(entries, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def latent(h: Tensor) -> Tensor:
        return model.bijection(h.view(1, *model.shape), None)[0].flatten()

    jacobian: Tensor = torch.autograd.functional.jacobian(latent, h)
    return jacobian.abs() > 1e-9


def couplings(model: Flow, kind: type[nn.Module]) -> list[nn.Module]:
    return [part.net for part in model.modules() if isinstance(part, kind) and isinstance(part.net, nn.Module)]


CASES: dict[str, tuple[Callable[[], Flow], type[nn.Module]]] = {
    "RealNVP, checkerboards": (lambda: RealNVP(scales=1, width=4, blocks=1).build((1, 4, 4)), MaskedCoupling),
    "RealNVP, channels": (lambda: RealNVP(scales=2, width=4, blocks=1).build((1, 4, 4)), ChannelCoupling),
    "RealNVP, sound": (lambda: RealNVP(couplings=2, width=8, blocks=1).build((8,)), ChannelCoupling),
    "NICE": (lambda: NICE(couplings=3, depth=1, width=8).build((1, 4, 2)), ChannelCoupling),
}


@pytest.mark.parametrize("case", CASES)
def test_couplings_change_every_entry_by_others(case: str) -> None:
    torch.manual_seed(0)  # with some first weights no unit of a small network is awake
    make, kind = CASES[case]
    model = make().double().eval()
    disturb(couplings(model, kind))
    by_others = influence(model)
    by_others.fill_diagonal_(False)
    assert bool(by_others.any(1).all()), "an entry passes through all couplings as it was"
    assert bool(by_others.any(0).all()), "an entry moves no other"


def test_the_checkerboards_of_a_scale_alternate() -> None:
    model = RealNVP(scales=2, width=4, blocks=1).build((1, 4, 4))
    masks = [part.mask.flatten() for part in model.modules() if isinstance(part, MaskedCoupling)]
    assert [len(mask) for mask in masks] == [16] * 3 + [4] * 4
    for scale in (masks[:3], masks[3:]):
        assert all(torch.equal(after, 1 - before) for before, after in zip(scale, scale[1:], strict=False))
        assert sorted({float(value) for mask in scale for value in mask}) == [0, 1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: MAF(layers=2, hidden=(16,), batch_norm=False),
        lambda: IAF(layers=2, hidden=(16,), batch_norm=False),
        lambda: MAF(layers=1, hidden=(16,), batch_norm=False, mixture=2),
    ],
    ids=["MAF", "IAF", "MAF with a mixture"],
)
def test_the_order_of_the_entries_is_reversed_from_layer_to_layer(make: Callable[[], MAF | IAF]) -> None:
    torch.manual_seed(0)
    model = make().build((6,)).double().eval()
    disturb([model])
    moved = influence(model)
    assert bool(moved[0, -1]), "the last entry moves the first"
    assert bool(moved[-1, 0]), "the first entry moves the last"


def test_the_order_of_a_posteriors_latent_is_reversed_from_step_to_step() -> None:
    torch.manual_seed(0)
    recipe = VAEFlow(latent=6, posterior="iaf", flows=2, made_hidden=16, net="mlp", hidden=8)
    model: Variational = recipe.build((1, 4, 4)).double().eval()
    disturb([model.posterior])
    h = torch.zeros(1, model.posterior.numbers, dtype=torch.float64)
    jacobian: Tensor = torch.autograd.functional.jacobian(
        lambda eps: model.posterior(h, eps[None])[0][0], torch.zeros(6, dtype=torch.float64)
    )
    assert abs(float(jacobian[0, -1])) > 1e-9
    assert abs(float(jacobian[-1, 0])) > 1e-9


@pytest.mark.parametrize("kind", [MAF, IAF])
def test_the_first_network_reads_the_entries_forwards_and_the_second_backwards(kind: type[MAF | IAF]) -> None:
    torch.manual_seed(0)
    model = kind(layers=2, hidden=(16,), batch_norm=False).build((6,)).double().eval()
    disturb([model])
    assert isinstance(model.bijection, Flattened)
    assert isinstance(model.bijection.inner, Chain)
    first, second = (
        torch.autograd.functional.jacobian(lambda h, part=part: part(h[None])[0][0], torch.zeros(6).double())
        for part in model.bijection.inner.parts
    )
    assert not first.triu(1).any(), "an entry depends on a later one"
    assert not second.tril(-1).any(), "an entry depends on an earlier one"
    assert abs(float(first[-1, 0])) > 1e-9
    assert abs(float(second[0, -1])) > 1e-9
