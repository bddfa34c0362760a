"""The variational model has correct bounds, losses and noise."""

import math

import pytest
import torch
from torch import Tensor, nn

from studio.density import variational
from studio.density.decoder_likelihood import BernoulliLikelihood, LogisticLikelihood
from studio.density.posterior import InverseAutoregressivePosterior, PlanarPosterior, Posterior, RadialPosterior
from studio.density.variational import Variational
from studio.nets.made import ContextMADE

SHAPE = (1, 2, 2)


class Silent(nn.Module):
    """Is an encoder that returns zeros, so that a diagonal posterior equals the prior."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(numbers))

    def forward(self, x: Tensor) -> Tensor:
        return self.bias.expand(len(x), -1)


def posterior_of(name: str, latent: int = 2) -> Posterior:
    match name:
        case "planar":
            return PlanarPosterior(latent, 3)
        case "radial":
            return RadialPosterior(latent, 3)
        case "iaf":
            nets = [ContextMADE(latent, 4, 8, reverse=bool(i % 2)) for i in range(2)]
            return InverseAutoregressivePosterior(latent, nets, 4)
    return Posterior(latent)


def small(posterior: str = "diagonal", *, levels: int = 256, logistic: bool = False) -> Variational:
    """Return a model of 2×2 pixels with a latent of two numbers, in float64. Its posterior is wider than the prior, so
    that no latent that matters is drawn too seldom."""
    torch.manual_seed(5)
    made = posterior_of(posterior)
    observation = LogisticLikelihood(levels) if logistic else BernoulliLikelihood(levels)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, made.numbers))
    numbers = observation.numbers
    decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4 * numbers), nn.Unflatten(1, (numbers, 2, 2)))
    model = Variational(SHAPE, levels, encoder, decoder, made, observation).double().eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for parameter in decoder.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    encoder[-1].bias.data[2:4] = 1.0
    return model


def silent(**settings: float) -> Variational:
    """Return a model whose posterior is the prior, so every divergence is zero; the decoder returns one half."""
    decoder = nn.Sequential(nn.Linear(3, 4), nn.Unflatten(1, SHAPE))
    nn.init.zeros_(decoder[0].weight)
    nn.init.zeros_(decoder[0].bias)
    return Variational(SHAPE, 256, Silent(6), decoder, Posterior(3), BernoulliLikelihood(256), **settings)  # type: ignore[arg-type]


def pictures(count: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def every_black_and_white() -> Tensor:
    return 255 * torch.cartesian_prod(*[torch.tensor([0, 1], dtype=torch.uint8)] * 4).view(-1, *SHAPE)


@torch.no_grad()
def true_log_prob(model: Variational, x: Tensor) -> Tensor:
    """Return ln p(x) by summing over a grid of all likely latents."""
    axis = torch.linspace(-8, 8, 321, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    log_prior = -0.5 * z.square().sum(1) - math.log(2 * math.pi) + 2 * math.log(float(axis[1] - axis[0]))
    numbers = model.decoder(z)
    prices = [model.observation.log_prob(one[None].double(), numbers).flatten(1).sum(1) for one in x]
    return torch.stack([torch.logsumexp(log_prior + price, 0) for price in prices])


@torch.no_grad()
@pytest.mark.parametrize("posterior", ["diagonal", "planar", "radial", "iaf"])
def test_many_draws_agree_with_the_likelihood_integrated_over_the_latent(posterior: str) -> None:
    model = small(posterior)
    x = every_black_and_white()
    exact = true_log_prob(model, x)
    assert float(exact.exp().sum()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(model.importance_log_prob(x, 4000), exact, atol=0.08)


@torch.no_grad()
def test_with_levels_too_many_draws_agree_with_the_likelihood() -> None:
    model = small(levels=4, logistic=True)
    x = pictures(6) % 4
    model.decoder.get_parameter("2.bias")[4:] = -1.0  # wide logistics, so that many latents matter
    assert torch.allclose(model.importance_log_prob(x, 30_000), true_log_prob(model, x), atol=0.1)


@torch.no_grad()
@pytest.mark.parametrize("posterior", ["diagonal", "planar", "iaf"])
def test_bounds_lie_below_the_likelihood_and_tighten_with_draws(posterior: str) -> None:
    model = small(posterior)
    x = every_black_and_white()
    generator = torch.Generator().manual_seed(2)

    def mean(draws: int) -> float:
        return float(model.importance_log_prob(x.repeat(2000 // draws, 1, 1, 1), draws, generator).mean())

    exact = float(true_log_prob(model, x).mean())
    one, four, many = mean(1), mean(4), mean(100)
    assert one < four < many <= exact + 0.01
    assert exact - one > 0.05, "the posterior must miss the true one for this to say anything"
    model.train()
    elbo = float(model.log_prob(x.repeat(2000, 1, 1, 1)).mean())
    assert elbo == pytest.approx(one, abs=0.05)


@torch.no_grad()
def test_one_draw_is_the_lower_bound() -> None:
    model = small("planar")
    x = pictures(1).expand(500, *SHAPE)
    bits = torch.Generator().manual_seed(3)
    latent = model.eps[:1].double()
    price = model.importance_log_prob(x[:1], 1, bits)
    bits = torch.Generator().manual_seed(3)
    u = torch.rand(1, *SHAPE, generator=bits).double()
    eps = torch.randn(1, 1, 2, generator=bits)[0].double()
    reconstruction, log_q, log_p = model._terms(x[:1], eps, u)
    assert torch.allclose(price, reconstruction.sum() + (log_p - log_q).sum())
    assert not torch.equal(eps, latent)


@torch.no_grad()
def test_decoding_few_draws_at_a_time_gives_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small("iaf")
    x = pictures(3)
    at_once = model.importance_log_prob(x, 50)
    monkeypatch.setattr(variational, "LATENTS_AT_ONCE", 7)
    assert torch.allclose(model.importance_log_prob(x, 50), at_once)


@torch.no_grad()
def test_a_generator_draws_new_bits_and_latents_repeatably() -> None:
    model = small()
    x = torch.full((1, *SHAPE), 128, dtype=torch.uint8)
    again = [model.importance_log_prob(x, 5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(again[0], again[1])
    assert not torch.equal(again[0], again[2])
    assert torch.equal(model.importance_log_prob(x, 5), model.importance_log_prob(x, 5))


def test_a_divergence_below_the_free_bits_does_not_lower_the_loss() -> None:
    x = pictures(64)
    free = silent(free_bits=0.25)
    paid = silent()
    nats = 4 * math.log(2)
    assert float(paid.loss(x).detach()) * nats == pytest.approx(nats)  # ln 2 for each of four even coins
    assert float(free.loss(x).detach()) * nats == pytest.approx(nats + 3 * 0.25, rel=1e-5)
    free.loss(x).backward()
    bias = free.encoder.get_parameter("bias")
    assert bias.grad is not None
    assert bool((bias.grad == 0).all())
    with torch.no_grad():
        bias[0] = 2.0  # the mean of one entry: its divergence is 2 nats, above what is free
    bias.grad = None
    loss = free.loss(x)
    loss.backward()
    assert float(loss.detach()) * nats == pytest.approx(nats + 2 + 2 * 0.25, abs=1.0)
    assert bool((bias.grad != 0)[0]) and not bool((bias.grad != 0)[1:3].any())


def test_annealing_multiplies_the_log_joint_and_ends() -> None:
    x = pictures(512)
    nats = 4 * math.log(2)
    model = silent(anneal=10)
    entropy = 1.5 * math.log(2 * math.pi * math.e)  # of three standard normal numbers: E ln q = -entropy
    for step in range(15):
        beta = min(1.0, 0.01 + step / 10)
        expected = -entropy + beta * entropy + beta * nats
        assert float(model.loss(x).detach()) * nats == pytest.approx(expected, abs=0.25)
    assert int(model.state_dict()["steps"]) == 15
    assert float(model.loss(x).detach()) * nats == pytest.approx(nats)


@torch.no_grad()
def test_held_out_figures_are_never_annealed_and_have_no_free_bits() -> None:
    x = pictures(8)
    model = silent(anneal=1000, free_bits=1.0).eval()
    assert float(model.loss(x)) == pytest.approx(float(-model.log_prob(x).mean()) / (4 * math.log(2)))
    assert float(model.loss(x)) == pytest.approx(1)
    assert int(model.steps) == 0


@torch.no_grad()
def test_training_draws_new_bits_and_latents() -> None:
    model = small().train()
    x = torch.full((4, *SHAPE), 128, dtype=torch.uint8)
    assert not torch.equal(model.log_prob(x), model.log_prob(x))
    model.eval()
    assert torch.equal(model.log_prob(x), model.log_prob(x))


@torch.no_grad()
def test_the_noise_of_log_prob_depends_only_on_the_picture() -> None:
    model = small()
    x = pictures(40)
    assert torch.equal(model.log_prob(x), model.log_prob(x.flip(0)).flip(0))
    eps, _ = model._noise(x)
    assert len(eps.unique(dim=0)) > 10, "other pictures have other noise"
    white = model.log_prob(torch.full((2, *SHAPE), 255, dtype=torch.uint8))
    assert torch.equal(white[:1], white[1:])


@torch.no_grad()
@pytest.mark.parametrize("posterior", ["diagonal", "planar", "radial", "iaf"])
def test_the_latent_of_a_picture_is_the_centre_of_its_posterior(posterior: str) -> None:
    model = small(posterior)
    x = pictures(3)
    z = model.encode(x)
    assert torch.equal(z, model.encode(x))
    h = model.encoder(model.observation.network_input(x.double()))
    assert torch.equal(z, model.posterior(h, torch.zeros(3, 2, dtype=torch.float64))[0])
    assert not model.invertible


@torch.no_grad()
def test_a_latent_is_decoded_to_the_rounded_mean() -> None:
    model = small()
    z = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    expected = (255 * torch.sigmoid(model.decoder(0.5 * z))).round()
    x = model.decode(z, temperature=0.5)
    assert x.dtype == torch.uint8
    assert torch.equal(x.double(), expected)
    with pytest.raises(ValueError, match="cannot keep part"):
        next(model.decode_steps(z, keep=x))
