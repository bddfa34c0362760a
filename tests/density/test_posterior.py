"""Posteriors have correct densities, and an inverse autoregressive step sees only earlier entries."""

import math

import pytest
import torch
from torch import Tensor

from studio.density.posterior import (
    InverseAutoregressivePosterior,
    PlanarPosterior,
    Posterior,
    RadialPosterior,
)
from studio.nets.made import ContextMADE

LATENT = 4


def iaf(steps: int, latent: int = LATENT) -> InverseAutoregressivePosterior:
    torch.manual_seed(0)
    nets = [ContextMADE(latent, 6, 12, reverse=bool(i % 2)) for i in range(steps)]
    made = InverseAutoregressivePosterior(latent, nets, 6).double()
    for parameter in made.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return made


ALL = {
    "diagonal": Posterior(LATENT),
    "planar": PlanarPosterior(LATENT, 3),
    "radial": RadialPosterior(LATENT, 3),
    "iaf": iaf(3),
}


@pytest.fixture(params=ALL)
def posterior(request: pytest.FixtureRequest) -> Posterior:
    return ALL[request.param]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_log_q_is_the_change_of_variables_from_the_noise(posterior: Posterior) -> None:
    h = numbers(5, posterior.numbers)
    eps = numbers(5, LATENT, seed=1)
    _, log_q = posterior(h, eps)
    for row in range(5):
        jacobian = torch.autograd.functional.jacobian(
            lambda e, row=row: posterior(h[row : row + 1], e[None])[0][0], eps[row]
        )
        log_normal = -0.5 * (eps[row].square() + math.log(2 * math.pi)).sum()
        expected = log_normal - torch.linalg.slogdet(jacobian)[1]
        assert float(log_q[row].sum().detach()) == pytest.approx(float(expected), abs=1e-9)


def test_each_row_has_its_own_flow(posterior: Posterior) -> None:
    h = numbers(6, posterior.numbers)
    eps = numbers(1, LATENT, seed=1).expand(6, LATENT)
    z, log_q = posterior(h, eps)
    for row in range(6):
        alone = posterior(h[row : row + 1], eps[:1])
        assert torch.allclose(z[row], alone[0][0], atol=1e-13)
        assert torch.allclose(log_q[row], alone[1][0], atol=1e-13)


def test_no_encoder_makes_a_latent_infinite(posterior: Posterior) -> None:
    if isinstance(posterior, InverseAutoregressivePosterior):
        pytest.skip("m is as large as its network makes it")
    h = torch.full((2, posterior.numbers), -1e4)
    h[1] = 1e4
    z, log_q = posterior(h, torch.ones(2, LATENT))
    assert bool(torch.isfinite(z).all())
    assert bool(torch.isfinite(log_q).all())


@pytest.mark.parametrize("latent", [1, 2, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_outputs_depend_on_earlier_entries_and_on_the_context(latent: int, reverse: bool) -> None:
    torch.manual_seed(3)
    net = ContextMADE(latent, 3, 16, reverse=reverse).double()
    for parameter in net.parameters():
        parameter.data += torch.randn_like(parameter)
    z = numbers(1, latent)
    context = numbers(1, 3, seed=1)
    by_z = torch.autograd.functional.jacobian(lambda v: net(v, context)[0], z)[:, :, 0]  # (latent, 2, latent)
    by_context = torch.autograd.functional.jacobian(lambda v: net(z, v)[0], context)[:, :, 0]
    assert bool((by_context != 0).all())
    before = torch.ones(latent, latent).tril(-1).bool()
    before = before.T if reverse else before
    assert torch.equal((by_z != 0).any(1), before)
    assert torch.equal((by_z != 0).all(1), before)


def test_two_steps_of_opposite_order_connect_all_entries() -> None:
    h = numbers(1, iaf(1).numbers)
    eps = numbers(1, LATENT, seed=1)
    one = torch.autograd.functional.jacobian(lambda e: iaf(1)(h, e)[0][0], eps)[:, 0]
    two = torch.autograd.functional.jacobian(lambda e: iaf(2)(h, e)[0][0], eps)[:, 0]
    assert bool((one.triu(1) == 0).all())
    assert bool((one.tril() != 0).sum() == LATENT * (LATENT + 1) / 2)
    assert bool((two != 0).all())


def test_a_new_gate_keeps_most_of_z() -> None:
    torch.manual_seed(0)
    posterior = InverseAutoregressivePosterior(8, [ContextMADE(8, 6, 32) for _ in range(2)], 6)
    z, _ = posterior(torch.zeros(64, posterior.numbers), torch.ones(64, 8))
    kept = torch.sigmoid(torch.tensor(1.5)) ** 2
    assert torch.allclose(z, kept.expand_as(z), atol=0.1)


@pytest.mark.parametrize("posterior", [Posterior(8), PlanarPosterior(8, 40), RadialPosterior(8, 40)], ids=str)
def test_with_zeros_from_the_encoder_the_posterior_is_the_prior(posterior: Posterior) -> None:
    eps = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    z, log_q = posterior(torch.zeros(5, posterior.numbers), eps)
    assert torch.allclose(z, eps, atol=1e-5)
    log_p = -0.5 * (z.square() + math.log(2 * math.pi))
    assert torch.allclose(log_q.sum(1), log_p.sum(1), atol=1e-4)
