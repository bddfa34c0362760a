"""Likelihoods of a decoder have probabilities that sum to 1, correct means and draws."""

import math

import pytest
import torch

from studio.density.decoder_likelihood import BernoulliLikelihood, LogisticLikelihood


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_discretised_logistic_sums_to_one_over_all_levels(levels: int) -> None:
    every = torch.arange(levels, dtype=torch.float64).view(-1, 1, 1, 1)
    for mu in (-3.0, -0.5, 0.0, 0.123, 0.5, 2.0):
        for log_s in (-9.0, -0.5, 0.0, 1.0, 9.0):
            numbers = torch.tensor([mu, log_s], dtype=torch.float64).view(1, 2, 1, 1).expand(levels, 2, 1, 1)
            total = LogisticLikelihood(levels).log_prob(every, numbers).exp().sum()
            assert float(total) == pytest.approx(1, abs=1e-12)


def test_the_discretised_logistic_is_the_difference_of_two_sigmoids() -> None:
    x = torch.arange(256, dtype=torch.float64).view(-1, 1, 1, 1)
    mu, raw = 0.03, 0.2
    s = math.exp(-7 / (1 + math.exp(1 - raw)))
    numbers = torch.tensor([mu, raw], dtype=torch.float64).view(1, 2, 1, 1).expand(256, 2, 1, 1)
    above = torch.sigmoid(((x + 1) / 256 - 0.5 - mu) / s)
    below = torch.sigmoid((x / 256 - 0.5 - mu) / s)
    above[-1], below[0] = 1, 0
    assert torch.allclose(LogisticLikelihood(256).log_prob(x, numbers).exp(), above - below, atol=1e-13)


@pytest.mark.parametrize(
    "observation", [BernoulliLikelihood(256), LogisticLikelihood(256)], ids=["bernoulli", "logistic"]
)
def test_prices_and_their_gradients_are_finite_for_any_numbers_in_float32(
    observation: BernoulliLikelihood | LogisticLikelihood,
) -> None:
    x = torch.tensor([0.0, 255.0]).view(2, 1, 1, 1).expand(2, 1, 1, 9)
    sizes = torch.tensor([-1e4, -100, -8, -1, 0, 1, 8, 100, 1e4])
    for second in sizes:
        numbers = torch.stack((sizes, second.expand(9)))[None, : observation.numbers, None].expand(2, -1, 1, 9)
        numbers = numbers.clone().requires_grad_()
        price = observation.log_prob(x, numbers)
        price.sum().backward()
        assert numbers.grad is not None
        assert bool(torch.isfinite(price).all())
        assert bool(torch.isfinite(numbers.grad).all())


def test_a_grey_is_the_probability_of_white() -> None:
    observation = BernoulliLikelihood(256)
    x = torch.tensor([0.0, 51.0, 255.0]).repeat(20000, 1)
    u = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    drawn = observation.draw_artwork(x, u)
    assert set(drawn.unique().tolist()) == {0.0, 255.0}
    white = (drawn == 255).double().mean(0)
    assert float(white[0]) == 0
    assert float(white[1]) == pytest.approx(0.2, abs=0.01)
    assert float(white[2]) == 1


def test_both_probabilities_of_a_bit_sum_to_one() -> None:
    numbers = torch.linspace(-5, 5, 11, dtype=torch.float64).view(1, 1, 1, 11)
    black, white = (torch.full_like(numbers, level) for level in (0.0, 255.0))
    observation = BernoulliLikelihood(256)
    total = observation.log_prob(black, numbers).exp() + observation.log_prob(white, numbers).exp()
    assert torch.allclose(total, torch.ones_like(total))
    assert torch.allclose(observation.mean_artwork(numbers) / 255, observation.log_prob(white, numbers).exp())


def test_the_mean_of_a_logistic_is_the_level_around_mu() -> None:
    x = torch.arange(256, dtype=torch.float64).view(1, 1, 1, 256)
    numbers = torch.cat(((x + 0.5) / 256 - 0.5, torch.zeros_like(x)), 1)
    observation = LogisticLikelihood(256)
    assert torch.allclose(observation.mean_artwork(numbers), x)
    outside = torch.tensor([-9.0, 9.0], dtype=torch.float64).view(1, 1, 1, 2)
    assert observation.mean_artwork(torch.cat((outside, outside), 1)).flatten().tolist() == [0, 255]


@pytest.mark.parametrize(
    "observation", [BernoulliLikelihood(256), LogisticLikelihood(256)], ids=["bernoulli", "logistic"]
)
def test_encoder_input_ranges_from_minus_one_to_one(observation: BernoulliLikelihood | LogisticLikelihood) -> None:
    seen = observation.network_input(torch.arange(256.0))
    assert float(seen[0]) == pytest.approx(-1, abs=1 / 256)
    assert float(seen[-1]) == pytest.approx(1, abs=1 / 256)
    assert bool((seen.diff() > 0).all())
