"""Guidance and top-p change the levels that are drawn as their formulas say, and nothing else."""

import itertools

import pytest
import torch
from torch import Tensor

from studio.density.autoregressive import Autoregressive, uncached_stepper
from studio.density.canvas import Canvas
from studio.density.conditional import BernoulliLevels, Categorical, Conditional, LogisticMixture
from studio.density.sharpening import GuidedConditional, NucleusConditional, sharpen_model
from studio.zoo.gated_pixelcnn import GatedPixelCNN
from studio.zoo.pixelcnn_pp import PixelCNNPP

KINDS = 2
EVERY: list[Conditional] = [Categorical(3, 5), BernoulliLevels(3), LogisticMixture(3, 5, 3), LogisticMixture(1, 256, 4)]


def gated(shape: tuple[int, ...], levels: int, *, dropout: float = 0.1, borderless: bool = False) -> Autoregressive:
    """Return a model with weights as after some training."""
    recipe = GatedPixelCNN(
        width=6, layers=2, size=3, head=6, classes=KINDS, class_dropout=dropout, borderless=borderless
    )
    return trained(recipe, shape, levels)


def trained(recipe: GatedPixelCNN | PixelCNNPP, shape: tuple[int, ...], levels: int) -> Autoregressive:
    torch.manual_seed(2)
    model = recipe.build(shape, levels)
    with torch.no_grad():
        model.loss(torch.randint(0, levels, (16, *shape), dtype=torch.uint8), torch.zeros(16, dtype=torch.long))
        for parameter in model.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    return model.eval().requires_grad_(False)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ones(count: int) -> Tensor:
    return torch.ones(count, dtype=torch.float64)


# ── the probabilities of one sub-pixel ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("own", EVERY, ids=lambda own: f"{type(own).__name__}-{own.levels}")
def test_guidance_weighs_both_probabilities_by_its_formula(own: Conditional) -> None:
    given, dropped = normal(20, own.numbers), normal(20, own.numbers, seed=1)
    numbers = torch.cat((given, dropped), 1)
    for k, guidance, heat in itertools.product(range(own.channels), (0.5, 3.0), (1.0, 0.4)):
        before = torch.randint(0, own.levels, (20, k), generator=torch.Generator().manual_seed(k))
        found = GuidedConditional(own, guidance).probabilities(numbers, before, heat * ones(20))
        p, p_0 = (own.probabilities(each, before, ones(20)) for each in (given, dropped))
        q = (p ** (1 + guidance) / p_0**guidance) ** (1 / heat)
        assert torch.allclose(found.sum(1), ones(20), atol=1e-12)
        assert torch.allclose(found, q / q.sum(1, keepdim=True), atol=2e-4)  # all but the floor


@pytest.mark.parametrize("own", EVERY, ids=lambda own: f"{type(own).__name__}-{own.levels}")
def test_at_temperature_0_only_the_likeliest_guided_level_is_left(own: Conditional) -> None:
    numbers = normal(30, 2 * own.numbers)
    before = torch.empty(30, 0, dtype=torch.long)
    guided = GuidedConditional(own, 2.0)
    likeliest = guided.probabilities(numbers, before, ones(30)).argmax(1)
    for z in (-4.0, 0.2, 4.0):
        assert torch.equal(guided.draw_level(numbers, before, torch.full((30,), z), 0 * ones(30)), likeliest)


@pytest.mark.parametrize("own", EVERY, ids=lambda own: f"{type(own).__name__}-{own.levels}")
@pytest.mark.parametrize("top_p", [0.0, 0.3, 0.9])
def test_top_p_keeps_the_smallest_set_of_levels_that_is_likely_enough(own: Conditional, top_p: float) -> None:
    numbers = normal(20, own.numbers)
    before = torch.empty(20, 0, dtype=torch.long)
    heat = torch.linspace(0.3, 1.7, 20, dtype=torch.float64)
    found = NucleusConditional(own, top_p).probabilities(numbers, before, heat)
    for q, p in zip(found, own.probabilities(numbers, before, heat), strict=True):
        kept = q > 0
        assert float(q.sum()) == pytest.approx(1, abs=1e-12)
        assert torch.allclose(q[kept], p[kept] / p[kept].sum())
        assert float(p[kept].sum()) >= top_p
        assert float(p[kept].sum() - p[kept].min()) < top_p or int(kept.sum()) == 1
        assert int(kept.sum()) == own.levels or float(p[kept].min()) >= float(p[~kept].max())


def test_top_p_draws_no_level_that_it_left_out() -> None:
    own = LogisticMixture(1, 16, 3)
    numbers = normal(1, own.numbers).expand(4000, -1)
    nucleus = NucleusConditional(own, 0.7)
    asked = (torch.empty(4000, 0, dtype=torch.long), normal(4000, seed=3), ones(4000))
    drawn = set(nucleus.draw_level(numbers, *asked).tolist())
    kept = nucleus.probabilities(numbers[:1], asked[0][:1], ones(1))[0] > 0
    assert drawn == set(kept.nonzero()[:, 0].tolist())
    assert len(drawn) < 16


# ── whole pictures ───────────────────────────────────────────────────────────────────────────────


def every_picture(channels: int, levels: int) -> Tensor:
    """Return all pictures of 2 × 2 pixels. Those with the same first entries in the order of drawing are neighbours."""
    entries = torch.cartesian_prod(*[torch.arange(levels, dtype=torch.uint8)] * (4 * channels))
    return entries.view(-1, 2, 2, channels).permute(0, 3, 1, 2)


def in_order(x: Tensor) -> Tensor:
    """Return entries `(B, C, H, W)` in the order of drawing, `(B, n)`."""
    return x.permute(0, 2, 3, 1).flatten(1)


@pytest.mark.parametrize(("channels", "levels"), [(1, 3), (1, 2), (3, 2)])
def test_tiny_guided_pictures_are_drawn_as_the_models_own_bits_say(channels: int, levels: int) -> None:
    """The table of q is made of the model's bits of all pictures. It sums to 1, and noise finds its picture in it."""
    model = gated((channels, 2, 2), levels)
    x = every_picture(channels, levels)
    kind, guidance = 1, 1.5
    p, p_0 = (
        in_order(2 ** -model.surprisal(x, torch.full((len(x),), c)).double()) for c in (kind, model.dropped_class)
    )
    q = p ** (1 + guidance) / p_0**guidance
    count = q.shape[1]
    for t in range(count):  # neighbours share the entries before t, and each level has an equal part of them
        parts = q[:, t].view(levels**t, levels, -1)
        q[:, t] = (parts / parts.sum(1, keepdim=True)).flatten()
    assert float(q.prod(1).sum()) == pytest.approx(1, abs=1e-9)
    guided = sharpen_model(model, guidance)
    z = guided.noise(range(40))
    u = torch.special.ndtr(in_order(z).double())
    drawn = guided.decode(z, torch.full((40,), kind))
    for row in range(40):
        begin, size = 0, len(x)
        for t in range(count):
            size //= levels
            up_to = q[begin : begin + levels * size : size, t].cumsum(0)
            begin += size * int((up_to[:-1] <= u[row, t]).sum())
        assert torch.equal(drawn[row], x[begin])


PLUS = PixelCNNPP(filters=8, resnets=1, mixture=3, dropout=0, classes=KINDS, class_dropout=0.1)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 4, 4)])
@pytest.mark.parametrize("family", ["gated_pixelcnn", "pixelcnn_pp"])
def test_fast_steps_draw_the_same_and_a_seed_is_the_same_in_any_batch(family: str, shape: tuple[int, ...]) -> None:
    model = gated(shape, 6) if family == "gated_pixelcnn" else trained(PLUS, shape, 6)
    sharpened = sharpen_model(model, 1.0, 0.9)
    c = torch.tensor([0, 1, 1])
    drawn = sharpened.sample([1, 2, 3], c)
    assert torch.equal(drawn, sharpened.sample([1, 2, 3], c))
    for n in range(3):
        assert torch.equal(sharpened.sample([n + 1], c[n : n + 1])[0], drawn[n])
    assert not torch.equal(drawn, model.sample([1, 2, 3], c))
    sharpened.stepper = lambda seen, c: uncached_stepper(sharpened.net, seen, c)  # type: ignore[method-assign]
    assert torch.equal(sharpened.sample([1, 2, 3], c), drawn)


@pytest.mark.parametrize("family", ["gated_pixelcnn", "pixelcnn_pp"])
def test_without_guidance_at_a_top_p_of_1_no_bit_changes(family: str) -> None:
    model = gated((3, 4, 4), 6) if family == "gated_pixelcnn" else trained(PLUS, (3, 4, 4), 6)
    for heat in (1.0, 0.6):
        plain = model.sample(range(6), temperature=heat)
        assert torch.equal(sharpen_model(model, 0.0, 1.0).sample(range(6), temperature=heat), plain)


def test_models_over_the_colours_of_a_palette_are_sharpened() -> None:
    torch.manual_seed(3)
    recipe = GatedPixelCNN(width=6, layers=2, size=3, head=6, classes=KINDS, class_dropout=0.1)
    model = recipe.build((1, 5, 5), 7, indexed=True).eval().requires_grad_(False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    sharpened = sharpen_model(model, 2.0, 0.8)
    drawn = sharpened.sample(range(4))
    assert not torch.equal(drawn, model.sample(range(4)))
    sharpened.stepper = lambda seen, c: uncached_stepper(sharpened.net, seen, c)  # type: ignore[method-assign]
    assert torch.equal(sharpened.sample(range(4)), drawn)


def test_a_sharpened_model_keeps_pixels_and_draws_canvases() -> None:
    model = gated((1, 12, 14), 4, borderless=True)
    sharpened = sharpen_model(model, 2.0, 0.8)
    keep = torch.full((1, 1, 12, 14), -1)
    keep[..., :5, :] = 3
    *_, last = sharpened.decode_steps(sharpened.noise([1]), torch.tensor([1]), keep=keep)
    assert bool((last.x[..., :5, :] == 3).all())
    canvas = Canvas(sharpened, 7, 9)
    drawn = canvas.sample([1, 2], torch.tensor([0, 1]))
    assert drawn.shape == (2, 1, 7, 9)
    assert not torch.equal(drawn, Canvas(model, 7, 9).sample([1, 2], torch.tensor([0, 1])))


def test_a_sharpened_model_has_no_bits_and_no_latents_of_its_own() -> None:
    sharpened = sharpen_model(gated((1, 4, 4), 4), 1.0)
    x, c = torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.tensor([0])
    with pytest.raises(ValueError, match="model itself computes"):
        sharpened.log_prob(x, c)
    with pytest.raises(ValueError, match="model itself encodes"):
        sharpened.encode(x, c)


# ── training ─────────────────────────────────────────────────────────────────────────────────────


def test_training_drops_the_class_of_its_share_of_pictures() -> None:
    model = gated((1, 4, 4), 4, dropout=0.25)
    told: list[Tensor] = []
    model.net.register_forward_pre_hook(lambda _, given: told.append(given[1]))
    x, c = torch.zeros(4000, 1, 4, 4, dtype=torch.uint8), torch.arange(4000) % KINDS
    model.loss(x, c)
    assert torch.equal(told.pop(), c)  # not in an evaluation
    model.train().loss(x, c)
    dropped = told[0] == model.dropped_class
    assert float(dropped.double().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(told[0][~dropped], c[~dropped])


def test_a_class_dropout_changes_nothing_in_models_without_it() -> None:
    plain, dropping = gated((1, 4, 4), 4, dropout=0.0), gated((1, 4, 4), 4)
    assert plain.state_dict().keys() == dropping.state_dict().keys()
    assert all(len(value) == KINDS for key, value in plain.state_dict().items() if "kinds" in key)
    assert all(len(value) == KINDS + 1 for key, value in dropping.state_dict().items() if "kinds" in key)
    assert dropping.classes == plain.classes == KINDS
    with pytest.raises(ValueError, match="no guidance"):
        sharpen_model(plain, 1.0)
    with pytest.raises(ValueError, match="no class to drop"):
        GatedPixelCNN(class_dropout=0.1).build((1, 8, 8))
