"""Tiny autoregressive models have correct probabilities, latents, completions and batches."""

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from studio.density.autoregressive import Autoregressive, Stepper, uncached_stepper
from studio.density.conditional import BernoulliLevels, Categorical, Conditional, LogisticMixture

SHAPE = (3, 3, 4)
HEADS = [Categorical(3, 20), BernoulliLevels(3), LogisticMixture(3, 256, 3), LogisticMixture(3, 7, 2)]


class Triangle(nn.Module):
    """Computes numbers as the tanh of a linear map of all earlier sub-pixels."""

    def __init__(
        self, shape: tuple[int, int, int], conditional: Conditional, classes: int = 0, size: float = 1
    ) -> None:
        super().__init__()
        self.shape = shape
        self.each = conditional.numbers
        channels, height, width = shape
        place = torch.arange(height * width).repeat(channels)
        colour = torch.arange(channels).repeat_interleave(height * width)
        asked = torch.arange(height * width).repeat(self.each)
        mask = place < asked[:, None]
        if conditional.colours_by_net:
            own = torch.arange(channels).repeat_interleave(self.each // channels * height * width)
            mask = mask | ((place == asked[:, None]) & (colour < own[:, None]))
        self.weight = nn.Parameter(torch.randn(mask.shape) * mask)
        self.bias = nn.Parameter(torch.randn(len(mask)))
        self.kinds = nn.Parameter(torch.randn(classes, len(mask)))

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        numbers = nn.functional.linear(seen.flatten(1), self.weight, self.bias)
        if c is not None:
            numbers = numbers + self.kinds[c]
        return 2 * torch.tanh(numbers / 4).view(-1, self.each, *self.shape[1:])


class Remembering(Triangle):
    """Has a stepper that records in which order it is called."""

    def stepper(self, seen: Tensor, c: Tensor | None) -> Stepper:
        self.asked: list[tuple[int, int]] = []

        def step(i: int, j: int) -> Tensor:
            self.asked.append((i, j))
            return self.forward(seen, c)[:, :, i, j]

        return step


def made(
    conditional: Conditional, shape: tuple[int, int, int] = SHAPE, classes: int = 0, dtype: torch.dtype = torch.float64
) -> Autoregressive:
    torch.manual_seed(3)
    model = Autoregressive(shape, conditional.levels, Triangle(shape, conditional, classes), conditional, classes)
    return model.to(dtype).eval()


def pictures(model: Autoregressive, count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.levels, (count, *model.shape), generator=generator, dtype=torch.uint8)


def name(conditional: object) -> str:
    assert isinstance(conditional, Conditional)
    return f"{type(conditional).__name__}-{conditional.levels}"


@pytest.fixture(params=[*itertools.product(HEADS, (torch.float32, torch.float64))], ids=lambda p: name(p[0]))
def model(request: pytest.FixtureRequest) -> Autoregressive:
    conditional, dtype = request.param
    return made(conditional, dtype=dtype)


@torch.no_grad()
@pytest.mark.parametrize("head", [Categorical(1, 2), BernoulliLevels(1), LogisticMixture(1, 2, 2)], ids=name)
def test_the_probabilities_of_all_small_pictures_sum_to_one(head: Conditional) -> None:
    model = made(head, (1, 3, 3))
    every = torch.cartesian_prod(*[torch.arange(2)] * 9).view(-1, 1, 3, 3)
    assert float(model.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("head", [Categorical(3, 2), LogisticMixture(3, 2, 2)], ids=name)
def test_the_probabilities_of_all_small_colour_pictures_sum_to_one(head: Conditional) -> None:
    model = made(head, (3, 2, 2))
    every = torch.cartesian_prod(*[torch.arange(2)] * 12).view(-1, 3, 2, 2)
    assert float(model.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)


@torch.no_grad()
def test_encoding_and_decoding_are_inverse_to_each_other(model: Autoregressive) -> None:
    x = torch.cat((pictures(model, 4), model.sample([1, 2])))
    z = model.encode(x)
    assert torch.isfinite(z).all()
    assert torch.equal(model.decode(z), x)


@torch.no_grad()
def test_the_noise_of_a_picture_lies_in_the_intervals_of_its_levels(model: Autoregressive) -> None:
    z = model.noise(range(8))
    x = model.decode(z)
    # Both lie in the interval of the level.
    u = torch.special.ndtr(z.double())
    v = torch.special.ndtr(model.encode(x).double())
    bits = model.surprisal(x).double()
    assert bool(((u - v).abs() <= 2**-bits + 1e-6).all())


@torch.no_grad()
def test_the_latent_of_a_drawn_picture_is_standard_noise() -> None:
    model = made(BernoulliLevels(1), (1, 12, 12))
    model.net.weight *= 4  # so that it is sure of many pixels
    x = model.sample(range(100))
    surprise = model.surprisal(x)
    assert float((surprise < 0.25).double().mean()) > 0.3
    z = model.encode(x)
    assert float(z.mean()) == pytest.approx(0, abs=0.12)
    assert float(z.std()) == pytest.approx(1, abs=0.08)
    assert float(z[surprise < 0.25].std()) > 0.7, "even where it is sure"
    assert torch.allclose(model.encode(x[3:4]), z[3:4]), "a latent depends on its own picture alone"


@torch.no_grad()
def test_log_prob_is_the_sum_of_all_conditionals(model: Autoregressive) -> None:
    x = pictures(model, 3)
    bits = model.surprisal(x)
    assert bits.shape == x.shape
    assert torch.allclose(-bits.flatten(1).sum(1) * math.log(2), model.log_prob(x), rtol=1e-5)
    assert model.exact
    one_by_one = model.log_prob(x[1:2]), model.log_prob(x[2:3])
    *waiting, found = model.log_prob_steps(x)
    assert waiting == [None] * 3
    assert found is not None
    assert torch.allclose(found[1:], torch.cat(one_by_one), rtol=1e-6)


@torch.no_grad()
def test_a_seed_is_the_same_picture_in_any_batch(model: Autoregressive) -> None:
    together = model.sample(range(6))
    assert torch.equal(together, torch.cat([model.sample([seed]) for seed in range(6)]))
    assert torch.equal(together[2:5], model.sample(range(2, 5)))


@torch.no_grad()
def test_previews_grow_row_by_row_and_never_change(model: Autoregressive) -> None:
    steps = list(model.sample_steps([1, 2]))
    assert [(step.done, step.total) for step in steps] == [(i, 3) for i in (1, 2, 3)]
    for step in steps:
        assert torch.equal(step.x[:, :, : step.done], steps[-1].x[:, :, : step.done])
        assert int(step.x[:, :, step.done :].sum()) == 0


@torch.no_grad()
def test_kept_pixels_stay_and_the_rest_is_drawn_given_them(model: Autoregressive) -> None:
    x = pictures(model, 3)
    z = model.noise([1, 2, 3])
    keep = x.long()
    keep[0, :, 2:], keep[1, :, :, 1::2], keep[2] = -1, -1, -1
    *_, last = model.decode_steps(z, keep=keep)
    assert torch.equal(last.x[keep >= 0], x[keep >= 0])
    assert torch.equal(last.x[2], model.decode(z)[2])
    assert not torch.equal(last.x[0], x[0])
    # Kept entries that are what would have been drawn change nothing.
    made = model.decode(z)
    every_other = torch.zeros_like(keep, dtype=torch.bool)
    every_other[..., ::2] = True
    *_, again = model.decode_steps(z, keep=torch.where(every_other, made.long(), -1))
    assert torch.equal(again.x, made)


@torch.no_grad()
def test_a_temperature_may_be_a_number_or_a_map(model: Autoregressive) -> None:
    z = model.noise([1, 2])
    warm = model.decode(z)
    cold = model.decode(z, temperature=0.0)
    heat = torch.ones(model.shape, dtype=model.dtype)
    heat[:, 2:] = 0
    mixed = model.decode(z, temperature=heat)
    assert torch.equal(mixed[:, :, :2], warm[:, :, :2])
    assert torch.equal(cold[0], cold[1])
    assert torch.equal(model.decode(z, temperature=torch.zeros(model.shape)), cold)
    for number in (0.3, 0.8, 1.3):
        whole = model.temperature_by_scale([number])
        assert torch.equal(model.decode(z, temperature=number), model.decode(z, temperature=whole))


@torch.no_grad()
def test_each_class_has_its_own_pictures_and_no_class_means_the_mixture() -> None:
    model = made(Categorical(1, 2), (1, 2, 3), classes=3)
    every = torch.cartesian_prod(*[torch.arange(2)] * 6).view(-1, 1, 2, 3)
    c = torch.arange(3)
    given = torch.stack([model.log_prob(every, kind.expand(64)) for kind in c])
    assert torch.allclose(given.exp().sum(1), torch.ones(3, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(model.log_prob(every).exp(), given.exp().mean(0), atol=1e-12)
    z = model.noise([1]).expand(3, -1, -1, -1)
    x = model.decode(z, c)
    assert not torch.equal(x[0], x[1])
    assert torch.equal(model.decode(model.encode(x, c), c), x)
    for ask in (model.encode, model.decode, model.surprisal):
        with pytest.raises(ValueError, match="3 classes, and none was given"):
            ask(x if ask is not model.decode else z)


@torch.no_grad()
@pytest.mark.parametrize(("head", "times"), [(Categorical(3, 4), 3), (LogisticMixture(3, 4, 2), 1)])
def test_a_networks_own_stepper_is_called_in_order(head: Conditional, times: int) -> None:
    torch.manual_seed(0)
    net = Remembering((3, 2, 3), head).double()
    model = Autoregressive((3, 2, 3), 4, net, head).eval()
    z = model.noise([1, 2])
    x = model.decode(z)
    assert net.asked == [(i, j) for i in range(2) for j in range(3) for _ in range(times)]
    assert torch.equal(model.encode(x), model.encode(x))
    model.stepper = lambda seen, c: uncached_stepper(net, seen, c)  # type: ignore[method-assign]
    assert torch.equal(model.decode(z), x)


class Same(nn.Module):
    """Returns the same numbers at every pixel."""

    def __init__(self, numbers: Sequence[float]) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.tensor(numbers))

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        return self.numbers[:, None, None].expand(len(seen), -1, *seen.shape[2:])


def test_a_nearly_excluded_level_has_a_gradient() -> None:
    model = Autoregressive((1, 2, 2), 2, Same([400.0, -400.0]), Categorical(1, 2))
    x = torch.ones(1, 1, 2, 2, dtype=torch.uint8)
    model.train().loss(x).backward()
    assert model.net.numbers.grad is not None
    assert torch.allclose(model.net.numbers.grad, torch.tensor([1.0, -1.0]) / math.log(2))
    with torch.no_grad():
        assert float(model.loss(x)) == pytest.approx(800 / math.log(2))
        assert float(model.eval().loss(x)) == pytest.approx(21)  # the floor


@torch.no_grad()
def test_levels_that_cannot_be_kept_are_refused() -> None:
    model = made(BernoulliLevels(1), (1, 2, 2))
    z = model.noise([1])
    with pytest.raises(ValueError, match=r"\(1, 1, 3, 2\), but the pictures are \(1, 1, 2, 2\)"):
        list(model.decode_steps(z, keep=torch.full((1, 1, 3, 2), -1)))
    with pytest.raises(ValueError, match="level of 2 is to be kept, but there are 2"):
        list(model.decode_steps(z, keep=torch.full((1, 1, 2, 2), 2)))


def test_levels_are_drawn_in_one_thread_and_other_jobs_get_all_threads() -> None:
    class Watched(Categorical):
        def draw_level(self, *asked: Tensor) -> Tensor:
            within.add(torch.get_num_threads())
            return super().draw_level(*asked)

    within: set[int] = set()
    between: set[int] = set()
    model = made(Watched(1, 4), (1, 3, 4))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in model.decode_steps(model.noise([1])):
            between.add(torch.get_num_threads())
    finally:
        torch.set_num_threads(threads)
    assert (within, between) == ({1}, {2})
