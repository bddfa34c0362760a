"""Every model that draws pixel by pixel has correct dependencies, probabilities, caches and completions."""

import copy
import functools
import itertools
from collections.abc import Callable, Iterator

import msgspec
import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive import Autoregressive, PixelEntropies, uncached_stepper

SHAPES = [(1, 4, 4), (1, 8, 4), (3, 4, 8), (1, 7, 5), (3, 3, 5)]
SMALLEST = [(1, 3, 3), (1, 3, 4), (1, 4, 4)]


SMALLER = {"pixelcnn_pp": {"filters": 1}}
"""Of the tiny preset, for tests with tens of thousands of pictures."""


@functools.cache
def made(
    family: str, shape: tuple[int, ...], levels: int = 6, classes: int = 0, *, smaller: bool = False
) -> Autoregressive | None:
    """Return a model of the tiny preset as after some training; None if the family makes no such artworks."""
    torch.manual_seed(1)
    recipe = zoo.FAMILIES[family].presets["tiny"]
    recipe = msgspec.structs.replace(recipe, **SMALLER.get(family, {}) if smaller else {})
    if classes and not hasattr(recipe, "classes"):
        return None
    try:
        model = (msgspec.structs.replace(recipe, classes=classes) if classes else recipe).build(shape, levels)
    except ValueError:
        return None
    if not isinstance(model, Autoregressive):
        return None
    with torch.no_grad():
        model.loss(pictures(model, 16), torch.zeros(16, dtype=torch.long) if classes else None)
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.double().eval()


def pictures(model: Autoregressive, count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.levels, (count, *model.shape), generator=generator, dtype=torch.uint8)


FAMILIES = [family for family in zoo.FAMILIES if made(family, (1, 4, 4)) is not None]
CASES = [case for case in itertools.product(FAMILIES, SHAPES) if made(*case) is not None]
SOME = [case for case in CASES if case[1] in ((1, 8, 4), (3, 4, 8))]
ODD = [case for case in CASES if case[1] in ((1, 7, 5), (3, 3, 5))]
LAST = [max((case for case in SOME if case[0] == family), key=lambda case: case[1]) for family in FAMILIES]
"""One of each family, in colour where the family knows colours."""


def model_of(*case: object) -> Autoregressive:
    found = made(*case)  # type: ignore[arg-type]
    assert found is not None
    return found


def past(shape: tuple[int, ...], i: int, j: int) -> Tensor:
    """Return every pixel before (i, j), `(H, W)`."""
    _, height, width = shape
    return torch.arange(height * width).view(height, width) < i * width + j


def cone(shape: tuple[int, ...], i: int, j: int) -> Tensor:
    """Return what a PixelCNN of the tiny preset sees from (i, j): all but its blind spot, up to the right."""
    recipe = zoo.FAMILIES["pixelcnn"].presets["tiny"]
    reached = {(i, j)}
    for layer, side in reversed(list(enumerate([3, *[recipe.size // 2] * recipe.blocks]))):  # type: ignore[union-attr]
        steps = [(-a, b) for a in range(1, side + 1) for b in range(-side, side + 1)]
        steps += [(0, -b) for b in range(1 if layer == 0 else 0, side + 1)]
        reached = {(y + a, x + b) for y, x in reached for a, b in steps}
    return torch.tensor([[(y, x) in reached for x in range(shape[2])] for y in range(shape[1])])


def diagonals(shape: tuple[int, ...], i: int, j: int) -> Tensor:
    """Return what a Diagonal BiLSTM sees: all but the last sub-pixel of the row above.

    No feature of that row knows it, so the states from the right do not carry it down. The first convolution reaches
    three columns.
    """
    sees = past(shape, i, j).repeat(shape[0], 1, 1)
    if i > 0 and j + 3 < shape[2] - 1:
        sees[-1, i - 1, -1] = False
    return sees


def shifted(shape: tuple[int, ...], i: int, j: int) -> Tensor:
    """Return what a PixelCNN++ of the tiny preset sees.

    A square of pixels is one place at a smaller size. There, its lower row learns what its upper left corner has seen.
    The rest it sees at its own size, six columns around.
    """
    sees = past(shape, i, j)
    if i % 2:
        sees[i - 1, j + 7 :] = False
        sees[i, : max(j - 6, 0)] = False
    return sees


REACH: dict[str, Callable[[tuple[int, ...], int, int], Tensor]] = {
    "pixelcnn": cone,
    "pixelrnn": diagonals,
    "pixelcnn_pp": shifted,
}
"""Of families that do not see all that comes before."""


def numbers_of_each(model: Autoregressive) -> Iterator[tuple[int, int, int, slice]]:
    """Yield every sub-pixel, and which of its pixel's numbers belong to it; red's if all colours share them."""
    channels, height, width = model.shape
    each = model.conditional.numbers // channels
    for i, j in itertools.product(range(height), range(width)):
        if model.conditional.colours_by_net:
            yield from ((k, i, j, slice(k * each, (k + 1) * each)) for k in range(channels))
        else:
            yield 0, i, j, slice(None)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numbers_depend_on_all_earlier_pixels_and_on_nothing_else(case: tuple[str, tuple[int, ...]]) -> None:
    model = model_of(*case)
    generator = torch.Generator().manual_seed(0)
    seen = 2 * torch.rand(4, *model.shape, dtype=torch.float64, generator=generator) - 1
    numbers = model.net(seen.requires_grad_(), None)
    weights = torch.randn(numbers.shape, dtype=torch.float64, generator=generator)
    for k, i, j, own in numbers_of_each(model):
        total = (numbers * weights)[:, own, i, j].sum()
        (slopes,) = torch.autograd.grad(total, seen, retain_graph=True, allow_unused=True)
        felt = torch.zeros(model.shape).bool() if slopes is None else slopes.abs().amax(0) > 0  # (C, H, W)
        wanted = REACH.get(case[0], past)(model.shape, i, j).expand(felt.shape).clone()
        wanted[:, i, j] = torch.arange(len(felt)) < k
        assert torch.equal(felt, wanted), f"sub-pixel {k} at row {i}, column {j}"


@torch.no_grad()
@pytest.mark.parametrize("case", CASES, ids=str)
def test_later_levels_change_no_conditional(case: tuple[str, tuple[int, ...]]) -> None:
    model = model_of(*case)
    x = pictures(model, 1)
    before = model.surprisal(x)
    for k, i, j in ((0, 0, 0), (model.shape[0] - 1, 1, 2), (0, model.shape[1] - 1, 1)):
        other = x.clone()
        other[:, k, i, j] = (x[:, k, i, j] + model.levels // 2) % model.levels  # for neighbours may both cost the floor
        place = torch.tensor([k + model.shape[0] * (i * model.shape[2] + j)])
        order = torch.arange(x.numel()).view(*model.shape[1:], model.shape[0]).permute(2, 0, 1)[None]
        moved = (model.surprisal(other) - before).abs() > 1e-12
        assert not bool(moved[order < place].any())
        assert bool(moved[order == place].all())


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_the_probabilities_of_all_pictures_of_two_levels_sum_to_one(family: str) -> None:
    model = next(found for shape in SMALLEST if (found := made(family, shape, 2, smaller=True)) is not None)
    entries = model.shape[1] * model.shape[2]
    every = torch.cartesian_prod(*[torch.arange(2, dtype=torch.uint8)] * entries).view(-1, *model.shape)
    total = sum(float(model.log_prob(part).exp().sum()) for part in torch.split(every, 4096))
    assert total == pytest.approx(1, abs=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("case", ODD, ids=str)
def test_cached_steps_give_the_whole_networks_numbers(case: tuple[str, tuple[int, ...]]) -> None:
    model = model_of(*case)
    target = model.conditional.network_input(pictures(model, 3).double())
    seen = torch.zeros_like(target)
    whole = model.net(target, None)
    cached = model.stepper(seen, None)
    plain = uncached_stepper(model.net, seen, None)
    last = -1, -1
    for k, i, j, own in numbers_of_each(model):
        if last not in ((-1, -1), (i, j)):
            seen[:, :, last[0], last[1]] = target[:, :, last[0], last[1]]
        last = i, j
        numbers = cached(i, j)[:, own]
        assert torch.allclose(numbers, whole[:, own, i, j], atol=1e-9, rtol=0)
        if j == model.shape[2] - 1:
            assert torch.allclose(numbers, plain(i, j)[:, own], atol=1e-9, rtol=0)
        seen[:, k, i, j] = target[:, k, i, j]


@torch.no_grad()
@pytest.mark.parametrize("case", SOME, ids=str)
def test_cached_decoding_equals_plain_decoding(case: tuple[str, tuple[int, ...]]) -> None:
    classes = 3 if hasattr(zoo.FAMILIES[case[0]].presets["tiny"], "classes") else 0
    model = model_of(*case, 6, classes)
    z = model.noise([1, 2])
    c = torch.tensor([0, 2]) if classes else None
    x = model.decode(z, c)
    assert torch.equal(model.decode(model.encode(x, c), c), x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "stepper", functools.partial(uncached_stepper, model.net))
        assert torch.equal(model.decode(z, c), x)
    if classes:
        assert not torch.equal(model.decode(z, torch.tensor([1, 1])), x)


@torch.no_grad()
@pytest.mark.parametrize("case", LAST, ids=str)
def test_kept_pixels_stay_and_influence_later_ones(case: tuple[str, tuple[int, ...]]) -> None:
    model = model_of(*case)
    x = pictures(model, 2)
    z = model.noise([3, 3])
    keep = x.int()
    keep[:, :, 2:, 1:] = -1
    *_, last = model.decode_steps(z, keep=keep)
    assert torch.equal(last.x[keep >= 0], x[keep >= 0])
    assert not torch.equal(last.x[0, :, 2:, 1:], last.x[1, :, 2:, 1:])  # the same noise below other tops


@torch.no_grad()
def test_a_step_draws_a_few_pixels_and_shows_and_counts_complete_rows() -> None:
    model = model_of("gated_pixelcnn", (1, 3, 10), 2)
    steps = list(model.sample_steps([1, 2]))
    assert [(step.done, step.total) for step in steps] == [(n // 3, 3) for n in range(1, 10)]
    for step in steps:
        drawn = 10 * step.done
        assert torch.equal(step.x.flatten(1)[:, :drawn], steps[-1].x.flatten(1)[:, :drawn])
        assert not bool(step.x.flatten(1)[:, drawn:].any())
    assert len(list(model.encode_steps(steps[-1].x))) == 9 + 1


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_a_pixel_is_drawn_at_its_own_temperature_even_if_it_changed_meanwhile(family: str) -> None:
    model = copy.deepcopy(next(m for shape in SMALLEST if (m := made(family, shape, 6)) is not None)).float()
    z = model.noise([1, 2, 3, 4])
    (_, height, width) = model.shape
    ramp = torch.linspace(0, 2, height * width).view(height, width)
    painted = model.decode(z, temperature=ramp)
    cold = model.decode(z, temperature=0.0)
    even = model.decode(z)
    assert torch.equal(painted[..., 0, :1], cold[..., 0, :1])
    assert not torch.equal(painted, cold)
    heat = torch.ones(model.shape)
    steps = model.decode_steps(z, temperature=heat)
    assert torch.equal(next(steps).x[..., 0, :], even[..., 0, :])
    heat[:, 1:] = 0
    *_, last = steps
    turned = torch.ones(height, width)
    turned[1:] = 0
    assert torch.equal(last.x, model.decode(z, temperature=turned))
    assert torch.equal(last.x[..., 0, :], even[..., 0, :])


@torch.no_grad()
@pytest.mark.parametrize("case", LAST, ids=str)
def test_recorded_entropies_equal_those_of_the_whole_network(case: tuple[str, tuple[int, ...]]) -> None:
    """They are compared with the whole network on the finished picture, for every level of every sub-pixel."""
    model = model_of(*case)
    (channels, height, width) = model.shape
    z = model.noise([1, 2])
    heat = torch.linspace(0.2, 2, height * width, dtype=torch.float64).view(height, width).expand(z.shape)
    doubts = PixelEntropies(torch.full((2, height, width), torch.nan, dtype=torch.float64))
    *_, last = model.decode_steps(z, temperature=heat, entropies=doubts)
    assert torch.equal(last.x, model.decode(z, temperature=heat)), "watched, the same is drawn"
    numbers = model.net(model.conditional.network_input(last.x.double()), None)
    for i, j in itertools.product(range(height), range(width)):
        each = [
            model.conditional.probabilities(numbers[:, :, i, j], last.x[:, :k, i, j], heat[:, k, i, j])
            for k in range(channels)
        ]
        expected = sum(-(p * p.log2()).sum(1) for p in each)
        assert torch.allclose(doubts.bits[:, i, j], torch.as_tensor(expected), atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_only_pixels_drawn_while_recording_have_an_entropy(family: str) -> None:
    model = next(found for shape in SMALLEST if (found := made(family, shape, 6)) is not None)
    x = pictures(model, 2)
    z = model.noise([3, 4])
    (_, height, width) = model.shape
    keep = x.int()
    keep[:, :, 1:, 1:] = -1
    doubts = PixelEntropies(torch.full((2, height, width), torch.nan, dtype=torch.float64), is_recorded=False)
    for step in model.decode_steps(z, keep=keep, entropies=doubts):
        doubts.is_recorded = step.done >= 2
    known = doubts.bits.isfinite()
    assert torch.equal(known[:, 2:, 1:], torch.ones_like(known[:, 2:, 1:]))
    assert int(known.sum()) == 2 * (height - 2) * (width - 1)


@torch.no_grad()
@pytest.mark.parametrize("levels", [2, 256])
@pytest.mark.parametrize("family", FAMILIES)
def test_any_picture_decodes_back_in_float32(family: str, levels: int) -> None:
    model = copy.deepcopy(next(m for shape in SMALLEST if (m := made(family, shape, levels)) is not None)).float()
    x = torch.cat((pictures(model, 5), torch.zeros(1, *model.shape), torch.full((1, *model.shape), levels - 1))).byte()
    assert torch.equal(model.decode(model.encode(x)), x)
    assert bool(torch.isfinite(model.log_prob(x)).all())


@pytest.mark.parametrize("family", FAMILIES)
def test_what_cannot_be_made_is_said(family: str) -> None:
    recipe = zoo.FAMILIES[family].presets["tiny"]
    with pytest.raises(ValueError, match="pictures"):
        recipe.build((16,))
    with pytest.raises(ValueError, match="2 to 256 levels, and 512 were asked for"):
        recipe.build((1, 4, 4), 512)
