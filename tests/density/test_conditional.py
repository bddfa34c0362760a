"""Conditionals have probabilities that sum to 1, equal the papers' formulas, and draw the level of any noise."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from studio.density.conditional import MIN_PROBABILITY, BernoulliLevels, Categorical, Conditional, LogisticMixture

EVERY = [
    Categorical(1, 2),
    Categorical(3, 4),
    Categorical(1, 256),
    Categorical(3, 256),
    BernoulliLevels(1),
    BernoulliLevels(3),
    LogisticMixture(1, 2, 3),
    LogisticMixture(3, 4, 3),
    LogisticMixture(1, 256, 5),
    LogisticMixture(3, 256, 10),
]


def name(conditional: object) -> str:
    assert isinstance(conditional, Conditional)
    return f"{type(conditional).__name__}-{conditional.channels}-{conditional.levels}"


@pytest.fixture(params=EVERY, ids=name)
def conditional(request: pytest.FixtureRequest) -> Conditional:
    found: Conditional = request.param
    return found


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def levels(conditional: Conditional, *shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, conditional.levels, shape, generator=generator, dtype=torch.uint8)


def ones(count: int) -> Tensor:
    return torch.ones(count, dtype=torch.float64)


@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_the_probabilities_of_all_levels_sum_to_one(conditional: Conditional, size: float) -> None:
    numbers = size * normal(1, conditional.numbers)
    before = levels(conditional, 1, conditional.channels)
    for k in range(conditional.channels):
        x = before.repeat(conditional.levels, 1)
        x[:, k] = torch.arange(conditional.levels)
        many = numbers[..., None, None].expand(conditional.levels, -1, 1, 1)
        p = conditional.log_prob(x[..., None, None], many)[:, k, 0, 0].exp()
        assert float(p.sum()) == pytest.approx(1, abs=1e-12)
        assert float(p.min()) >= MIN_PROBABILITY * (1 - 1e-12)
        assert torch.allclose(conditional.probabilities(numbers, before[:, :k], ones(1))[0], p, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1.0, 30.0, 1e4])
def test_the_noise_of_a_level_draws_it_again_however_unlikely_it_is(
    conditional: Conditional, size: float, dtype: torch.dtype
) -> None:
    count = conditional.levels + 200
    numbers = size * normal(count, conditional.numbers, dtype=dtype)
    x = levels(conditional, count, conditional.channels)
    x[: conditional.levels] = torch.arange(conditional.levels)[:, None]
    for k, share in itertools.product(range(conditional.channels), (0.0, 0.5, 1.0)):
        z = conditional.noise_of_level(numbers, x[:, :k], x[:, k], torch.full((count,), share))
        assert z.dtype == dtype
        assert float(z.abs().max()) < 5.1
        assert torch.equal(conditional.draw_level(numbers, x[:, :k], z, ones(count)), x[:, k].long())


def test_noise_draws_every_level_as_often_as_it_is_likely() -> None:
    for conditional in (Categorical(3, 5), BernoulliLevels(3), LogisticMixture(3, 5, 3)):
        numbers = normal(1, conditional.numbers)
        before = levels(conditional, 1, 2)
        z = torch.special.ndtri((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
        many = (numbers.expand(20_000, -1), before.expand(20_000, -1))
        drawn = torch.bincount(conditional.draw_level(*many, z, ones(20_000)), minlength=conditional.levels) / 20_000
        assert torch.allclose(drawn.double(), conditional.probabilities(numbers, before, ones(1))[0], atol=1e-4)


def test_any_noise_draws_a_level(conditional: Conditional) -> None:
    z = torch.tensor([-1e30, -40.0, -9.0, 0.0, 9.0, 40.0, 1e30])
    numbers = normal(7, conditional.numbers, dtype=torch.float32)
    x = conditional.draw_level(numbers, levels(conditional, 7, 0), z, torch.ones(7))
    assert x[:3].tolist() == [0, 0, 0]
    assert x[4:].tolist() == [conditional.levels - 1] * 3


def test_lower_temperatures_favour_likely_levels_and_zero_leaves_only_the_likeliest(conditional: Conditional) -> None:
    numbers = 2 * normal(50, conditional.numbers)
    before = levels(conditional, 50, 0)
    warm, mild, cold = (conditional.probabilities(numbers, before, t * ones(50)) for t in (1.0, 0.5, 0.0))
    entropy = [-(p * p.clamp(min=1e-300).log()).sum(1).mean() for p in (warm, mild, cold)]
    assert entropy[0] > entropy[1] > entropy[2]
    drawn = [
        conditional.draw_level(numbers, before, z.expand(50), 0 * ones(50)) for z in torch.tensor([-5.0, 0.3, 5.0])
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    if not isinstance(conditional, LogisticMixture):  # whose mode need not be that of its heaviest component
        assert torch.equal(drawn[0], warm.argmax(1))


@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_entropy_is_the_mean_bits_of_all_levels(conditional: Conditional, size: float) -> None:
    """It is compared with the bits of every level, and at other temperatures with the probabilities."""
    numbers = size * normal(1, conditional.numbers)
    before = levels(conditional, 1, conditional.channels)
    for k in range(conditional.channels):
        x = before.repeat(conditional.levels, 1)
        x[:, k] = torch.arange(conditional.levels)
        many = numbers[..., None, None].expand(conditional.levels, -1, 1, 1)
        nats = conditional.log_prob(x[..., None, None], many)[:, k, 0, 0].tolist()
        _, doubt = conditional.draw_level_with_entropy(numbers, before[:, :k], normal(1), ones(1))
        mean = sum(math.exp(each) * -each / math.log(2) for each in nats)
        assert float(doubt) == pytest.approx(mean, abs=1e-9)
        assert float(doubt) <= math.log2(conditional.levels) + 1e-12
        for heat in (0.3, 1.7):
            p = conditional.probabilities(numbers, before[:, :k], heat * ones(1))[0].tolist()
            _, doubt = conditional.draw_level_with_entropy(numbers, before[:, :k], normal(1), heat * ones(1))
            assert float(doubt) == pytest.approx(sum(-each * math.log2(each) for each in p if each > 0), abs=1e-9)


def test_recording_entropy_changes_no_level_and_at_zero_entropy_is_zero(conditional: Conditional) -> None:
    numbers = normal(50, conditional.numbers)
    before = levels(conditional, 50, 0)
    z = normal(50, seed=2)
    heat = torch.linspace(0, 2, 50, dtype=torch.float64)
    drawn, doubt = conditional.draw_level_with_entropy(numbers, before, z, heat)
    assert torch.equal(drawn, conditional.draw_level(numbers, before, z, heat))
    assert float(doubt[0]) == 0
    assert bool((doubt[25:] > 0).all())


def test_a_temperature_divides_logits_and_stretches_logistics() -> None:
    heat = torch.tensor([0.5, 1.7], dtype=torch.float64)
    categorical = Categorical(1, 7)
    before = torch.empty(2, 0)
    numbers = normal(2, 7)
    expected = torch.softmax(numbers / heat[:, None], 1)
    assert torch.allclose(categorical.probabilities(numbers, before, heat), expected, atol=1e-5)
    mixture = LogisticMixture(1, 256, 4)
    numbers = normal(2, mixture.numbers)
    warmer = torch.cat((numbers[:, :4] / heat[:, None], numbers[:, 4:8], numbers[:, 8:] + heat.log()[:, None]), 1)
    found = mixture.probabilities(numbers, before, heat)
    assert torch.allclose(found, mixture.probabilities(warmer, before, ones(2)), atol=2e-4)  # all but the floor


def test_the_categorical_is_a_softmax_of_each_channels_own_numbers() -> None:
    numbers = normal(2, 3 * 4, 5, 6)
    x = levels(Categorical(3, 4), 2, 3, 5, 6)
    found = Categorical(3, 4).log_prob(x, numbers, floor=False)
    expected = numbers.view(2, 3, 4, 5, 6).log_softmax(2).gather(2, x.long()[:, :, None])[:, :, 0]
    assert torch.allclose(found, expected)


def test_two_levels_are_a_bernoulli_or_a_softmax_of_two() -> None:
    number = normal(3, 1, 4, 4)
    x = levels(BernoulliLevels(1), 3, 1, 4, 4)
    softmax = Categorical(1, 2).log_prob(x, torch.cat((torch.zeros_like(number), number), 1))
    assert torch.allclose(BernoulliLevels(1).log_prob(x, number), softmax)


def _paper_mixture(x: np.ndarray, numbers: np.ndarray, mixture: int) -> tuple[np.ndarray, float]:
    """Return ln q of a pixel's three sub-pixels by the chain rule, and ln q of the pixel as in the paper's loss.

    x: levels (3,); numbers (10 · mixture,). The formulas of sections 2.1 and 2.2, one component after another.
    """
    value = x / 127.5 - 1
    logits = numbers[:mixture]
    rest = numbers[mixture:].reshape(3, 3, mixture)
    weights = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    joint = np.ones((4, mixture))
    for k in range(mixture):
        alpha, beta, gamma = np.tanh(rest[:, 2, k])
        means = (
            rest[0, 0, k],
            rest[1, 0, k] + alpha * value[0],
            rest[2, 0, k] + beta * value[0] + gamma * value[1],
        )
        for c in range(3):
            s = math.exp(max(rest[c, 1, k], -7))
            up_to = 1.0 if x[c] == 255 else 1 / (1 + math.exp(-(value[c] + 1 / 255 - means[c]) / s))
            below = 0.0 if x[c] == 0 else 1 / (1 + math.exp(-(value[c] - 1 / 255 - means[c]) / s))
            joint[c + 1, k] = joint[c, k] * (up_to - below)
    totals = np.log(joint @ weights)
    return np.diff(totals), float(totals[3])


def test_the_mixture_of_logistics_equals_the_papers() -> None:
    mixture = 4
    generator = np.random.default_rng(3)
    head = LogisticMixture(3, 256, mixture)
    assert head.numbers == 10 * mixture
    for _ in range(40):
        x = generator.choice([0, 1, 100, 101, 102, 254, 255], 3)
        numbers = generator.normal(size=10 * mixture)
        each, whole = _paper_mixture(x, numbers, mixture)
        asked = (torch.from_numpy(x).view(1, 3, 1, 1), torch.from_numpy(numbers).view(1, -1, 1, 1))
        bare = head.log_prob(*asked, floor=False)[0, :, 0, 0]
        assert bare.numpy() == pytest.approx(each, abs=1e-9)
        assert float(bare.sum()) == pytest.approx(whole, abs=1e-9)
        floored = np.log((1 - 256 * MIN_PROBABILITY) * np.exp(each) + MIN_PROBABILITY)
        assert head.log_prob(*asked)[0, :, 0, 0].numpy() == pytest.approx(floored, abs=1e-9)


def test_a_pixels_three_colours_sum_to_one() -> None:
    head = LogisticMixture(3, 6, 3)
    every = torch.cartesian_prod(*[torch.arange(6)] * 3)[..., None, None]
    numbers = normal(1, head.numbers, 1, 1).expand(len(every), -1, -1, -1)
    assert float(head.log_prob(every, numbers).sum((1, 2, 3)).exp().sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("floor", [False, True])
def test_prices_and_gradients_are_finite_for_any_numbers_in_float32(conditional: Conditional, floor: bool) -> None:
    for size in (0.0, 1.0, 100.0, 1e4):
        numbers = (size * normal(8, conditional.numbers, 2, 2, dtype=torch.float32)).requires_grad_()
        x = levels(conditional, 8, conditional.channels, 2, 2)
        x[:2, ..., 0] = 0
        x[2:4, ..., 0] = conditional.levels - 1
        price = conditional.log_prob(x, numbers, floor=floor)
        price.sum().backward()
        assert numbers.grad is not None
        assert torch.isfinite(price).all()
        assert torch.isfinite(numbers.grad).all()


def test_network_input_ranges_from_minus_one_to_one(conditional: Conditional) -> None:
    seen = conditional.network_input(torch.arange(conditional.levels, dtype=torch.float32))
    assert seen[0] == -1
    assert seen[-1] == 1
    assert torch.allclose(seen.diff(), torch.tensor(2 / (conditional.levels - 1)), atol=1e-6)


def test_impossible_conditionals_are_refused() -> None:
    with pytest.raises(ValueError, match="2 to 256 levels, and 512 were asked"):
        Categorical(1, 512)
    with pytest.raises(ValueError, match="2 levels, and 16 were asked"):
        BernoulliLevels(1, 16)
    with pytest.raises(ValueError, match="grey or RGB, and 4 channels"):
        LogisticMixture(4, 256)


HEADS = [conditional for conditional in EVERY if isinstance(conditional, LogisticMixture | Categorical)]
"""Conditionals that find the level of a single picture without tensors."""


def alone(head: Conditional, count: int, size: float, seed: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield arguments of `draw_level` for single pictures, for every colour and for temperatures from 0 to 2."""
    numbers = size * normal(count, head.numbers, seed=seed)
    noise = normal(count, seed=seed + 1).float()
    before = levels(head, count, head.channels, seed=seed)
    heat = torch.tensor([0, 1e-3, 0.1, 0.5, 1, 1.3, 2])
    each = range(count)
    return [
        (numbers[i : i + 1].float(), before[i : i + 1, : i % head.channels], noise[i : i + 1], heat[i % 7 : i % 7 + 1])
        for i in each
    ]


@pytest.mark.parametrize("head", HEADS, ids=name)
@pytest.mark.parametrize("size", [0.3, 3.0, 30.0])
def test_the_level_of_a_single_picture_equals_the_plain_formula(head: Conditional, size: float) -> None:
    for asked in alone(head, 420, size, seed=5):
        assert torch.equal(head.draw_level(*asked), Conditional.draw_level(head, *asked))


@pytest.mark.parametrize("head", HEADS, ids=name)
def test_rounding_never_decides_the_level_of_a_single_picture(head: Conditional) -> None:
    """The noise lies on an edge between two levels, or as near to it as possible."""
    for numbers, before, _, heat in alone(head, 210, 2.0, seed=7):
        edges = head.probabilities(numbers, before, heat).cumsum(1)[0]
        inside = edges[(edges > 1e-6) & (edges < 1 - 1e-6)]
        for u in inside[:: max(1, len(inside) // 4)]:
            z = torch.special.ndtri(u)
            for near in (z, torch.nextafter(z, z + 1), torch.nextafter(z, z - 1)):
                asked = numbers, before, near[None], heat
                assert torch.equal(head.draw_level(*asked), Conditional.draw_level(head, *asked))


class Calls(TorchFunctionMode):
    """Counts calls of torch."""

    count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("head", [LogisticMixture(3, 256, 5), Categorical(1, 48)], ids=name)
def test_the_level_of_a_single_picture_takes_few_calls_of_torch(head: Conditional) -> None:
    """A call costs far more than its arithmetic for one pixel, and a picture needs 3,072 levels or more."""
    asked = alone(head, 210, 0.3, seed=9)
    with Calls() as calls:
        for each in asked:
            head.draw_level(*each)
    assert calls.count / len(asked) < 30
