"""Glow's parts and a whole Glow have correct initialisation, determinants, priors, temperatures and classes."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection, Chain
from studio.density.bijections.coupling import ShiftScaleCoupling
from studio.density.bijections.learned_prior import Split, TopPrior
from studio.density.bijections.linear import ActNorm, ChannelMixing, InvertibleConv
from studio.density.flow import Flow
from studio.nets.convolution import channels_last
from studio.nets.glow import CouplingNet, EdgeLayer, ScaledConv
from studio.zoo.glow import Glow

SMALL = Glow(scales=2, depth=2, width=8)


def entries(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def pictures(count: int, shape: tuple[int, ...], levels: int = 256, seed: int = 0) -> Tensor:
    return torch.randint(0, levels, (count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@torch.no_grad()
def learned(module: nn.Module, spread: float = 0.1) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter += spread * torch.randn_like(parameter)
    return module.double().eval()


def model(recipe: Glow = SMALL, shape: tuple[int, ...] = (1, 8, 8), levels: int = 256) -> Flow:
    torch.manual_seed(3)
    made = recipe.build(shape, levels)
    with torch.no_grad():
        made.loss(pictures(32, shape, levels))
    learned(made, 0.05)
    return made


PARTS = {
    "mixing, PLU": lambda: ChannelMixing(ActNorm(4), InvertibleConv(4)),
    "mixing, plain": lambda: ChannelMixing(ActNorm(4), InvertibleConv(4, plu=False)),
    "coupling": lambda: ShiftScaleCoupling(CouplingNet(2, 6, 4)),
    "split": lambda: Split(ChannelMixing(ActNorm(2), InvertibleConv(2)), ScaledConv(2, 4, 3, zero=True)),
    "top": lambda: TopPrior(4, EdgeLayer(8, 2, 3)),
    "top with classes": lambda: TopPrior(4, EdgeLayer(8, 2, 3), classes=3),
}


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_the_inverse_and_the_determinant_are_right(name: str, folded: bool) -> None:
    torch.manual_seed(0)
    part: Bijection = learned(PARTS[name]())  # type: ignore[assignment]
    if folded:
        for module in list(part.modules()):
            if hasattr(module, "fold"):
                module.fold()
    x = entries(2, 4, 2, 3)
    c = torch.tensor([2, 0])
    z, ladj = part(x, c)
    assert float((part.inverse(z, c) - x).detach().abs().max()) < 1e-10
    *_, last = part.inverse_steps(z, c)
    assert torch.equal(last, part.inverse(z, c))
    *_, (ended, price) = part.forward_steps(x, c)
    assert torch.equal(ended, z)
    assert torch.allclose(price, ladj)
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: part(v.view(1, 4, 2, 3), c[i : i + 1])[0].flatten(),  # noqa: B023 - used at once
            x[i].flatten(),
        )
        assert torch.allclose(torch.linalg.slogdet(jacobian)[1], ladj[i], atol=1e-9)


@pytest.mark.parametrize("coupling", ["affine", "additive"])
@pytest.mark.parametrize("mixing", ["plu", "plain"])
def test_every_option_has_a_correct_inverse_and_determinant(coupling: str, mixing: str) -> None:
    flow = model(Glow(scales=2, depth=2, width=8, coupling=coupling, mixing=mixing), (1, 4, 4))  # type: ignore[arg-type]
    h = entries(1, 1, 4, 4)
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.bijection(v)[0].flatten(), h).view(16, 16)
    z, ladj = flow.bijection(h)
    assert torch.allclose(torch.linalg.slogdet(jacobian)[1], ladj[0], atol=1e-9)
    x = pictures(8, (1, 4, 4))
    with torch.no_grad():
        assert torch.equal(flow.decode(flow.encode(x)), x)


@torch.no_grad()
def test_no_coupling_scales_below_its_floor() -> None:
    coupling = ShiftScaleCoupling(lambda x: torch.full((len(x), 4, *x.shape[2:]), -1e9))  # type: ignore[arg-type]
    z, ladj = coupling(torch.ones(1, 4, 1, 1))
    assert float(ladj[0]) == pytest.approx(2 * math.log(0.27), rel=1e-6)
    assert bool(torch.isfinite(coupling.inverse(z)).all())


@torch.no_grad()
def test_priors_stay_finite_for_any_network_output() -> None:
    split = Split(Chain([]), lambda x: torch.full((len(x), 4, *x.shape[2:]), 1e9))  # type: ignore[arg-type]
    z, ladj = split(torch.ones(1, 4, 1, 1))
    assert bool(torch.isfinite(z).all())
    assert float(ladj[0]) == pytest.approx(-10)


# ── the start ───────────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def test_each_actnorm_is_initialised_from_the_output_of_those_before_it() -> None:
    torch.manual_seed(0)
    flow = SMALL.build((3, 8, 8)).train()
    mixings = [m for m in flow.modules() if isinstance(m, ChannelMixing)]
    seen: dict[ChannelMixing, Tensor] = {}
    hooks = [m.register_forward_pre_hook(lambda m, given: seen.update({m: given[0]})) for m in mixings]
    flow.loss(pictures(64, (3, 8, 8)))
    assert len(seen) == 4
    for mixing, x in seen.items():
        z = mixing.norm(x)[0]
        assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(x.shape[1]), atol=1e-4)
        assert torch.allclose(z.std((0, 2, 3)), torch.ones(x.shape[1]), atol=1e-2)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def test_sampling_before_training_initialises_nothing() -> None:
    flow = SMALL.build((1, 8, 8)).eval()
    flow.sample([1, 2])
    flow.log_prob(pictures(4, (1, 8, 8)))
    flow.train()
    flow.decode(flow.noise([1]))
    hidden = [m for m in flow.modules() if isinstance(m, ActNorm) or (isinstance(m, ScaledConv) and m.hidden)]
    assert len(hidden) == 4 + 8
    assert not any(bool(m.started) for m in hidden)


@torch.no_grad()
def test_a_loaded_model_is_not_initialised_again() -> None:
    torch.manual_seed(0)
    flow = SMALL.build((1, 8, 8)).train()
    flow.loss(pictures(32, (1, 8, 8)))
    other = SMALL.build((1, 8, 8)).train()
    other.load_state_dict(flow.state_dict())
    other.loss(pictures(32, (1, 8, 8), seed=1) // 8)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in flow.state_dict().items())


def test_a_plu_weight_keeps_the_signs_it_has() -> None:
    conv = InvertibleConv(6, generator=torch.Generator().manual_seed(2)).double()
    signs = conv.sign.clone()
    assert bool((signs < 0).any())
    for _ in range(20):
        conv.zero_grad()
        (conv.weight() + torch.eye(6)).square().sum().backward()
        with torch.no_grad():
            for parameter in conv.parameters():
                assert parameter.grad is not None
                parameter -= 0.05 * parameter.grad
    assert torch.equal(conv.sign, signs)
    assert torch.equal(torch.linalg.det(conv.weight()).sign(), signs.prod() * torch.linalg.det(conv.p))
    assert torch.linalg.slogdet(conv.weight())[1].item() == pytest.approx(conv.log_s.sum().item())


@pytest.mark.parametrize("shape", [(3, 8, 12), (1, 4, 4), (2, 20, 4)])
@pytest.mark.parametrize(
    "fields",
    [{}, {"coupling": "additive"}, {"mixing": "plain"}, {"classes": 3}, {"classes": 3, "class_in_couplings": True}],
)
def test_products_give_the_same_loss_and_gradients_as_convolutions(
    fields: dict[str, object], shape: tuple[int, ...]
) -> None:
    flow = model(Glow(scales=2, depth=2, width=8, **fields), shape)  # type: ignore[arg-type]
    if shape == (3, 8, 12):
        channels_last(flow)
    x = pictures(5, shape)
    c = torch.arange(5) % 3 if "classes" in fields else None
    u, weight = (torch.rand(n, dtype=torch.float64) for n in (x.shape, (5,)))
    flow.train()
    with torch.no_grad():
        flow.log_prob(x, c, u)  # from here on all know that they have started
    seen = []
    for training in (True, False):
        flow.train(training).zero_grad()
        price = flow.log_prob(x, c, u)
        assert ("LearningStepsBackward" in nodes_of(price)) == training
        (price * weight).sum().backward()
        seen.append([price, *(p.grad.clone() for p in flow.parameters() if p.grad is not None)])
    for one, other in zip(*seen, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11)


def nodes_of(x: Tensor) -> set[str]:
    """Return the names of all nodes in the graph of autograd."""
    found = set()
    todo = [x.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in found:
            found.add(node)
            todo += [before for before, _ in node.next_functions]
    return {node.name() for node in found}


# ── the noise of every level ────────────────────────────────────────────────────────────────────


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0])
def test_a_temperature_scales_the_noise_of_every_level_and_leaves_the_means(temperature: float) -> None:
    flow = model(shape=(1, 8, 8))
    z = flow.noise([4])
    outer = flow.bijection
    *steps, split = outer.inner.parts  # type: ignore[union-attr]
    *inner_steps, top = split.inner.inner.parts
    both = nn.functional.pixel_unshuffle(z, 2)  # (1, 4, 4, 4)
    eps_top = nn.functional.pixel_unshuffle(both[:, :2], 2)
    eps = both[:, 2:]
    mean, log_scale = top.net().chunk(2, 1)
    h = mean + temperature * log_scale.exp() * eps_top
    for step in reversed(inner_steps):
        h = step.inverse(h)
    z1 = nn.functional.pixel_shuffle(h, 2)
    mean, log_scale = split.net(z1).chunk(2, 1)
    assert float(mean.abs().max()) > 0.01
    h = torch.cat((z1, mean + temperature * log_scale.exp() * eps), 1)
    for step in reversed(steps):
        h = step.inverse(h)
    h = nn.functional.pixel_shuffle(h, 2)
    assert torch.allclose(outer.inverse(z * temperature), h, atol=1e-10)
    assert torch.equal(flow.decode(z, temperature=temperature), flow._levels(h))


@torch.no_grad()
def test_latent_entries_keep_their_place_in_the_picture_and_know_their_scale() -> None:
    flow = model(Glow(scales=3, depth=1, width=8), (1, 8, 8))
    assert flow.scales == 3
    assert [int((flow.scale_of == scale).sum()) for scale in range(3)] == [16, 16, 32]
    *steps, split = flow.bijection.inner.parts  # type: ignore[union-attr]

    def before_the_split(z: Tensor) -> Tensor:
        h = nn.functional.pixel_unshuffle(flow.bijection.inverse(z), 2)
        for step in steps:
            h = step(h)[0]
        return h

    # Other noise where the marks say "finest" moves what the split factors out, and nothing else.
    z = flow.encode(pictures(1, (1, 8, 8)))
    (kept, out), (kept_too, out_too) = (
        before_the_split(noise).chunk(2, 1) for noise in (z, torch.where(flow.scale_of == 2, -z, z))
    )
    assert isinstance(split, Split)
    assert torch.allclose(kept, kept_too, atol=1e-9)
    assert bool(((out - out_too).abs() > 1e-6).all())


@torch.no_grad()
def test_the_density_integrates_to_one_over_small_pictures() -> None:
    """Four entries are too many for a grid, so the test takes the mean of p / q over draws of a wide q."""
    flow = model(Glow(scales=1, depth=2, width=8), (1, 2, 2))
    spread = flow.bijection.inverse(entries(4000, 1, 2, 2, seed=5))
    mean = spread.mean(0)
    std = 1.5 * spread.std(0)
    draws = entries(100_000, 1, 2, 2, seed=6)
    z, ladj = flow.bijection(mean + std * draws)
    log_p = ladj - 0.5 * z.square().sum((1, 2, 3))
    log_q = -0.5 * draws.square().sum((1, 2, 3)) - std.log().sum()
    assert float((log_p - log_q).exp().mean()) == pytest.approx(1, abs=0.03)


# ── classes and levels ──────────────────────────────────────────────────────────────────────────


def test_a_class_changes_the_prior_and_a_classifier_adds_to_the_loss() -> None:
    recipe = Glow(scales=2, depth=1, width=8, classes=3)
    torch.manual_seed(0)
    flow = recipe.build((1, 8, 8)).double()
    x = pictures(12, (1, 8, 8))
    c = torch.arange(12) % 3
    with torch.no_grad():
        untold = flow.eval().log_prob_of_classes(x)
    assert torch.allclose(untold, untold[:, :1].expand(-1, 3)), "before training no class is another"
    flow.train().loss(x, c).backward()
    top = next(part for part in flow.modules() if isinstance(part, TopPrior))
    assert top.of_class is not None
    assert float(top.of_class.grad.abs().sum()) > 0  # type: ignore[union-attr]
    assert float(flow.classifier.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]
    flow.zero_grad()
    with torch.no_grad():
        learned(flow, 0.05)
        torch.manual_seed(7)
        with_classifier = flow.loss(x, c)
        bits = -flow.log_prob(x, c).mean() / (64 * math.log(2))
        assert 0 < float(with_classifier - bits) < 0.01 * 3
        top.of_class.copy_(torch.randn(3, 16))
        z = flow.noise([5])
        made = [flow.decode(z, torch.tensor([k])) for k in range(3)]
        assert not torch.equal(made[0], made[1])
        told = flow.log_prob_of_classes(x)
        assert torch.allclose(flow.log_prob(x), torch.logsumexp(told, 1) - math.log(3))
        assert torch.equal(flow.decode(flow.encode(x, c), c), x)


@torch.no_grad()
def test_fewer_levels_decode_back_and_cost_bits_by_their_width() -> None:
    flow = model(levels=32)
    x = pictures(6, (1, 8, 8), 32)
    assert int(x.max()) == 31
    assert torch.equal(flow.decode(flow.encode(x)), x)
    u = torch.full((6, 1, 8, 8), 0.25, dtype=torch.float64)
    h = (x + u) / 32 - 0.5
    z, ladj = flow.bijection(h)
    normal = (-0.5 * (z.square() + math.log(2 * math.pi))).sum((1, 2, 3))
    assert torch.allclose(flow.log_prob(x, u=u), normal + ladj - 64 * math.log(32))


@torch.no_grad()
def test_28_pixels_can_be_halved_twice_but_not_three_times() -> None:
    flow = Glow(scales=2, depth=1, width=8).build((1, 28, 28)).eval()
    x = pictures(2, (1, 28, 28))
    assert torch.equal(flow.decode(flow.encode(x)), x)
    with pytest.raises(ValueError, match="28 × 28 pixels cannot be halved 3 times"):
        Glow(scales=3).build((1, 28, 28))
    with pytest.raises(ValueError, match="pictures only"):
        Glow().build((256,))


@torch.no_grad()
def test_decoding_at_once_equals_the_last_step() -> None:
    flow = copy.deepcopy(model())
    z = flow.noise([1, 2])
    steps = list(flow.decode_steps(z))
    assert len(steps) == 6  # two steps of flow a level, the finest's prior, the top's
    assert torch.equal(flow.decode(z), steps[-1].x)
