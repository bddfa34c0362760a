"""The parts of NICE and of RealNVP for sounds are correct: logistic prior, scales, whitening, harmonics."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from studio.density.bijections.bijection import Bijection, sum_entries
from studio.density.bijections.coupling import Additive, ChannelCoupling
from studio.density.bijections.logistic_prior import LogisticScores
from studio.density.bijections.vector_transforms import DiagonalScale, HarmonicTransform, OddEven, Whitening
from studio.nets.mlp import MLP
from studio.zoo.nice import NICE
from studio.zoo.realnvp import RealNVP


def entries(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def correlated(count: int, size: int) -> Tensor:
    return entries(count, size) @ entries(size, size, seed=1) + 3


def log_normal(z: Tensor) -> Tensor:
    return sum_entries(-0.5 * (z.square() + math.log(2 * math.pi)))


def log_logistic(z: Tensor) -> Tensor:
    """Return -softplus(z) - softplus(-z) in full precision (torch's softplus cuts its tail)."""
    return sum_entries(-z.abs() - 2 * torch.log1p(torch.exp(-z.abs())))


def started(bijection: Bijection, x: Tensor) -> Bijection:
    bijection = bijection.double()
    bijection.train()(x)
    return bijection.eval()


MAKERS: dict[str, Callable[[int], Bijection]] = {
    "logistic": lambda size: LogisticScores(),
    "scale": lambda size: started(DiagonalScale(size), correlated(50, size)),
    "whitening": lambda size: started(Whitening(size), correlated(50, size)),
    "spectrum": lambda size: HarmonicTransform(),
    "odd and even": lambda size: OddEven(),
}


@pytest.mark.parametrize("size", [2, 6, 7])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_log_determinant_equals_the_jacobians_and_the_inverse_is_right(
    make: Callable[[int], Bijection], size: int
) -> None:
    bijection = make(size)
    x = 2 * entries(1, size, seed=4)
    jacobian = torch.autograd.functional.jacobian(lambda v: bijection(v[None])[0][0], x[0])
    z, ladj = bijection(x)
    assert torch.allclose(torch.linalg.slogdet(jacobian)[1], ladj[0].detach(), atol=1e-9)
    assert float((bijection.inverse(z) - x).detach().abs().max()) < 1e-9


@torch.no_grad()
def test_the_logistic_likelihood_is_nices_own_formula() -> None:
    z = torch.cat((8 * entries(20, 30), torch.linspace(-600, 600, 600, dtype=torch.float64).view(20, 30)), 1)
    score, ladj = LogisticScores()(z)
    expected = log_logistic(z)
    assert torch.allclose(log_normal(score) + ladj, expected, rtol=1e-12, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=str)
def test_logistic_scores_can_be_inverted_in_both_tails(dtype: torch.dtype, near: float) -> None:
    z = torch.linspace(-60, 60, 4001, dtype=dtype)[:, None]
    score, _ = LogisticScores()(z)
    assert float((LogisticScores().inverse(score) - z).abs().max()) < near
    assert bool((score[1:] > score[:-1]).all())
    assert torch.equal(LogisticScores()(-z)[0], -score)
    far = torch.tensor([[300.0, -600.0, 600.5, -3000.0, 1e6]], dtype=dtype)
    score, ladj = LogisticScores()(far)
    assert torch.allclose(LogisticScores().inverse(score), far, rtol=1e-6)
    assert bool(ladj.isfinite().all())


def test_the_gradient_of_the_logistic_likelihood_is_the_formulas() -> None:
    z = torch.tensor([[-700.0, -40.0, -3.0, 0.0, 0.5, 20.0, 300.0]], dtype=torch.float64, requires_grad=True)
    score, ladj = LogisticScores()(z)
    torch.autograd.backward((log_normal(score) + ladj).sum())
    assert z.grad is not None
    assert torch.allclose(z.grad, -torch.tanh(z.detach() / 2), atol=1e-9)


@torch.no_grad()
def test_the_scores_of_logistic_noise_are_normal() -> None:
    p = (torch.arange(20001, dtype=torch.float64)[:, None] + 0.5) / 20001
    score, _ = LogisticScores()(torch.logit(p))
    assert float(score.mean().abs()) < 1e-12
    assert float(score.var()) == pytest.approx(1, abs=1e-3)
    assert float(score.pow(4).mean()) == pytest.approx(3, abs=0.01)


@torch.no_grad()
def test_a_scale_is_initialised_once_from_the_first_training_batch() -> None:
    scale = DiagonalScale(5, deviation=2.0).double()
    x = entries(200, 5) * torch.tensor([1e-3, 0.1, 1.0, 10.0, 1e3], dtype=torch.float64)
    scale.eval()(x)
    assert not bool(scale.started)
    scale.train()
    assert torch.allclose(scale(x)[0].std(0, correction=0), torch.full((5,), 2.0, dtype=torch.float64), rtol=2e-3)
    before = scale.s.clone()
    scale(5 * x)
    assert torch.equal(scale.s, before)


@torch.no_grad()
def test_whitening_whitens_and_is_saved_with_the_model() -> None:
    x = correlated(20_000, 4)
    whitening = started(Whitening(4), x)
    z, _ = whitening(x)
    assert torch.allclose(torch.cov(z.T), torch.eye(4, dtype=torch.float64), atol=0.02)
    assert torch.allclose(z.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-9)
    other = Whitening(4).double().eval()
    assert torch.equal(other(x)[0], x), "before it has started it does nothing"
    other.load_state_dict(whitening.state_dict())
    assert torch.equal(other(x)[0], z)


@torch.no_grad()
def test_whitening_works_with_few_artworks_and_with_constant_entries() -> None:
    x = correlated(5, 12)
    x[:, 3] = 7.0
    whitening = started(Whitening(12), x)
    z, ladj = whitening(x)
    assert bool(z.isfinite().all() and ladj.isfinite().all())
    assert float((whitening.inverse(z) - x).abs().max()) < 1e-9


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_inverses_of_whitening_and_harmonics_are_the_same_in_any_batch(dtype: torch.dtype) -> None:
    z = entries(64, 48).to(dtype)
    for bijection in (started(Whitening(48), correlated(200, 48)).to(dtype), HarmonicTransform()):
        alone = torch.cat([bijection.inverse(z[i : i + 1]) for i in range(64)])
        for count in (2, 3, 7, 16, 64):
            assert torch.equal(bijection.inverse(z[:count]), alone[:count])


@torch.no_grad()
def test_harmonics_are_those_of_the_cycle() -> None:
    time = torch.arange(16, dtype=torch.float64) / 16
    wave = 0.5 + torch.cos(2 * math.pi * time) - 3 * torch.sin(2 * math.pi * 5 * time) + torch.cos(16 * math.pi * time)
    z, ladj = HarmonicTransform()(wave[None])
    expected = torch.zeros(16, dtype=torch.float64)
    expected[0] = 0.5 * 4
    expected[1] = math.sqrt(8)
    expected[10] = 3 * math.sqrt(8)
    expected[15] = 4
    assert torch.allclose(z[0], expected, atol=1e-12)
    assert float(ladj) == 0


@torch.no_grad()
def test_nice_keeps_volume_but_for_its_scale() -> None:
    torch.manual_seed(0)
    for swap in (False, True):
        coupling = ChannelCoupling(swap, MLP(4 - swap, 8, 1, 3 + swap), Additive()).double()
        _, ladj = coupling(entries(3, 7))
        assert torch.equal(ladj, torch.zeros(3, dtype=torch.float64))
    model = NICE(depth=1, width=8, prior="normal").build((1, 3, 3)).double().eval()
    for name, parameter in model.named_parameters():
        parameter += 0.3 * torch.randn_like(parameter)
        if name.endswith(".s"):
            expected = parameter.sum()
    _, ladj = model.bijection(entries(5, 1, 3, 3))
    assert torch.allclose(ladj, expected.expand(5), atol=1e-12)


@torch.no_grad()
def test_the_determinant_of_whitening_counts_in_the_likelihood() -> None:
    """An untrained NICE with whitening is the Gaussian of the data."""
    x = torch.randint(0, 256, (500, 6), generator=torch.Generator().manual_seed(0))
    model = NICE(depth=1, width=8, prior="normal", whitening=True).build((6,)).double()
    model.train().log_prob(x)
    model.eval()
    u = torch.full(x.shape, 0.5, dtype=torch.float64)
    whitening = next(m for m in model.modules() if isinstance(m, Whitening))
    scale = next(m for m in model.modules() if isinstance(m, DiagonalScale)).s.exp()
    deviation = OddEven().inverse(1 / scale[None])[0]
    gaussian = torch.distributions.MultivariateNormal(
        whitening.mean, scale_tril=whitening.factor @ torch.diag(deviation), validate_args=False
    )
    expected = gaussian.log_prob((x + u) / 256 - 0.5) - 6 * math.log(256)
    assert torch.allclose(model.log_prob(x, u=u), expected, atol=1e-9)


def test_impossible_sizes_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="no odd and even part"):
        NICE().build((1, 1, 1))
    with pytest.raises(ValueError, match="no odd and even part"):
        RealNVP().build((1,))


@torch.no_grad()
@pytest.mark.parametrize("spectrum", [False, True])
def test_a_sound_of_12_bits_decodes_back(spectrum: bool) -> None:
    torch.manual_seed(0)
    model = RealNVP(couplings=4, width=16, blocks=1, spectrum=spectrum, alpha=None).build((32,), 4096)
    x = torch.randint(0, 4096, (64, 32), generator=torch.Generator().manual_seed(1))
    model.train().log_prob(x)
    for parameter in model.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    model.eval()
    x[0], x[1] = 0, 4095
    assert torch.equal(model.decode(model.encode(x)), x)
