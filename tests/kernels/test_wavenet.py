"""The compiled loop gives the same sounds, numbers and latents as torch's steps, for any number of voices."""

import math
from typing import Any

import numba
import numpy as np
import pytest
import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.sound_stream import StreamSampler, TorchSampler
from studio.kernels import wavenet
from studio.kernels.dot_products import add_products, lay_out_weights
from studio.zoo.compiled.wavenet import make_compiled_sampler
from studio.zoo.wavenet import WaveNet

CASES: list[tuple[int, dict[str, Any]]] = [
    (256, {}),
    (65_536, {}),
    (7, {"classes": (3, 2)}),
    (65_536, {"classes": (4,), "follows_loudness": True, "hop": 7}),
]


def made(levels: int, words: dict[str, Any]) -> AutoregressiveSound:
    """Return a model with weights as after some training."""
    torch.manual_seed(0)
    model = WaveNet(cycles=2, layers=4, channels=16, skip=24, mixture=3, **words).build((64,), levels)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.eval()


def condition(words: dict[str, Any], count: int) -> Tensor | None:
    """Return classes, and if it is followed a signal of 9 frames, which begins again within every test."""
    kinds = torch.arange(count) % 4 if "classes" in words else None
    if "follows_loudness" not in words:
        return kinds
    assert kinds is not None
    signal = torch.randn(count, 1, 9, generator=torch.Generator().manual_seed(0))
    return torch.cat((kinds[:, None, None].expand(-1, 1, 9), signal), 1)


def players(model: AutoregressiveSound, c: Tensor | None, count: int) -> tuple[StreamSampler, StreamSampler]:
    quick = make_compiled_sampler(model.net, model.conditional, c, count)
    assert quick is not None
    return quick, TorchSampler(model.net, model.conditional, c, count)


@torch.no_grad()
@pytest.mark.parametrize(("levels", "words"), CASES)
def test_the_loop_finds_torchs_latents_and_log_probabilities(levels: int, words: dict[str, Any]) -> None:
    model = made(levels, words)
    x = torch.randint(0, levels, (3, 90), generator=torch.Generator().manual_seed(2))
    for primed in (0, 31):
        latents = []
        for player in players(model, condition(words, 3), 3):
            if primed:
                player.append(x[:, :primed])
            latents.append(
                player.noise_of_levels(x[:, primed:], torch.linspace(0, 1, 90 - primed, dtype=torch.float64))
            )
            prices = -model.surprisal(x, condition(words, 3))[:, primed:] * math.log(2)
            assert torch.allclose(player.log_prob.float(), prices, rtol=1e-3, atol=1e-3)
        assert torch.allclose(*latents, atol=2e-5)


@torch.no_grad()
@pytest.mark.parametrize(("levels", "words"), CASES)
@pytest.mark.parametrize("anew", [20, 70])
def test_dropped_samples_are_generated_again_and_can_be_restored(levels: int, words: dict[str, Any], anew: int) -> None:
    """The result is as if nothing had been dropped, shorter or longer."""
    model = made(levels, words)
    c = condition(words, 1)
    z = model.noise([1], 400)
    heat = torch.ones_like(z)
    whole, player = (make_compiled_sampler(model.net, model.conditional, c, 1, 64) for _ in range(2))
    assert whole is not None and player is not None
    x = whole.sample(z, heat)
    found = player.sample(z[:, :300], heat[:, :300])
    assert torch.equal(found, x[:, :300])
    last = found[:, 300 - 51]
    assert player.undo(50, last)
    other = player.sample(-z[:, 250 : 250 + anew], heat[:, :anew])
    assert not torch.equal(other[:, :50], x[:, 250 : 250 + min(anew, 50)])
    assert player.redo() and not player.redo()
    assert player.undo(10, found[:, 300 - 11])
    assert torch.equal(player.sample(z[:, 290:], heat[:, 290:]), x[:, 290:])


@torch.no_grad()
def test_samples_too_far_back_are_not_dropped_and_nothing_changes() -> None:
    model = made(256, {})
    z = model.noise([1], 120)
    whole, player = (make_compiled_sampler(model.net, model.conditional, None, 1, 32) for _ in range(2))
    assert whole is not None and player is not None
    x = whole.sample(z, torch.ones_like(z))
    player.append(x[:, :20])
    player.sample(z[:, 20:30], torch.ones(1, 10))
    assert not player.undo(11, x[:, 18]), "what is heard at once leaves only what is needed to go on"
    player.sample(z[:, 30:100], torch.ones(1, 70))
    assert not player.undo(33, x[:, 66])
    assert torch.equal(player.sample(z[:, 100:], torch.ones(1, 20)), x[:, 100:])
    assert player.undo(32, x[:, 87])
    assert torch.equal(player.sample(z[:, 88:], torch.ones(1, 32)), x[:, 88:])
    assert not player.undo(33, x[:, 86])


@torch.no_grad()
@pytest.mark.parametrize(("levels", "words"), CASES)
def test_the_loop_draws_what_torch_draws_in_chunks_of_any_size(levels: int, words: dict[str, Any]) -> None:
    model = made(levels, words)
    z = model.noise([1, 2], 90)
    given = torch.full((2, 90), -1)
    given[1, 40:44] = 3
    for temperature in (1.0, 0.0, 0.7):
        heat = torch.full_like(z, temperature)
        drawn = []
        for player, sizes in zip(players(model, condition(words, 2), 2), ((90,), (1, 50, 39)), strict=True):
            chunks = zip(z.split(sizes, 1), heat.split(sizes, 1), given.split(sizes, 1), strict=True)
            drawn.append(torch.cat([player.sample(*chunk) for chunk in chunks], 1))
        assert drawn[0][1, 40:44].tolist() == [3] * 4
        # A number of finest levels may round to another side; then everything after it may differ.
        same = int((drawn[0] == drawn[1]).all(0).cumprod(0).sum())
        assert same >= (90 if levels <= 256 else 3)


@torch.no_grad()
@pytest.mark.parametrize(("levels", "words"), CASES)
def test_a_voice_is_the_same_among_any_number_of_voices(levels: int, words: dict[str, Any]) -> None:
    model = made(levels, words)
    count = 11
    z = model.noise(range(count), 40)
    c = condition(words, count)
    heat = torch.ones_like(z)
    together, _ = players(model, c, count)
    places = torch.linspace(0, 1, 9, dtype=torch.float64)
    all_of_them = together.sample(z, heat)
    latents = together.noise_of_levels(torch.full((count, 9), 2), places)
    for some in (slice(0, 1), slice(3, 5), slice(2, 10)):
        few, _ = players(model, None if c is None else c[some], len(z[some]))
        assert torch.equal(few.sample(z[some], heat[some]), all_of_them[some])
        assert torch.equal(few.noise_of_levels(torch.full((len(z[some]), 9), 2), places), latents[some])


@torch.no_grad()
@pytest.mark.parametrize("levels", [256, 65_536])
def test_a_sound_decodes_back(levels: int) -> None:
    model = made(levels, {})
    x = torch.randint(0, levels, (2, 400), generator=torch.Generator().manual_seed(3))
    assert torch.equal(model.decode(model.encode(x)), x)
    keep = x.clone()
    keep[:, 333:] = -1
    *_, last = model.decode_steps(model.noise([1, 2], 400), keep=keep)
    assert torch.equal(last.x[:, :333].long(), x[:, :333])
    assert not torch.equal(last.x[:, 333:].long(), x[:, 333:])


@torch.no_grad()
def test_voices_change_their_class_between_two_chunks() -> None:
    model = made(*CASES[2])
    z = model.noise([1, 2], 90)
    drawn = []
    for turned in (True, False):
        for player in players(model, torch.tensor([0, 1]), 2):
            first = player.sample(z[:, :41], torch.ones(2, 41))
            if turned:
                player.set_condition(torch.tensor([5, 3]))
            drawn.append(torch.cat((first, player.sample(z[:, 41:], torch.ones(2, 49))), 1))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0][:, :41], drawn[2][:, :41])
    assert not torch.equal(drawn[0], drawn[2])


@torch.no_grad()
def test_torch_uses_one_thread_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = list[int]()
    normal = torch.special.ndtr
    before = torch.get_num_threads()

    def watched(z: Tensor) -> Tensor:
        counted.append(torch.get_num_threads())
        return normal(z)

    monkeypatch.setattr(torch.special, "ndtr", watched)
    quick, _ = players(made(256, {}), None, 1)
    torch.set_num_threads(2)
    try:
        quick.sample(torch.zeros(1, 4), torch.ones(1, 4))
        assert counted == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def test_half_floats_of_a_model_file_are_read_directly_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(256, {})
    model.half().float()
    z = model.noise([1, 2, 3], 60)
    packed, _ = players(model, None, 3)
    assert wavenet.widens_halves() == (packed.weights.layers.dtype == np.uint16)  # type: ignore[attr-defined]
    monkeypatch.setattr(wavenet, "widens_halves", lambda: False)
    whole, _ = players(model, None, 3)
    assert whole.weights.layers.dtype == np.float32  # type: ignore[attr-defined]
    assert torch.equal(packed.sample(z, torch.ones_like(z)), whole.sample(z, torch.ones_like(z)))


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 8])
def test_products_equal_numpys_for_any_number_of_rows(rows: int) -> None:
    generator = np.random.default_rng(0)
    for n, m in ((3, 8), (16, 24), (32, 96), (64, 256)):
        x, out = (generator.standard_normal((rows + 1, size)).astype(np.float32) for size in (n + 2, m + 5))
        w = generator.standard_normal((n, m)).astype(np.float16)
        halves = np.concatenate((np.zeros(7, np.float16), lay_out_weights(w, rows)))
        found = [out.copy(), out.copy()]
        products(found[0], 1, x, 0, rows, halves.astype(np.float32), 7, n, m)
        products(found[1], 1, x, 0, rows, halves.view(np.uint16), 7, n, m)
        expected = out[1:, :m] + x[:rows, :n] @ w.astype(np.float32)
        np.testing.assert_allclose(found[0][1:, :m], expected, atol=1e-4)
        assert np.array_equal(found[0][:, m:], out[:, m:]) and np.array_equal(found[0][0], out[0])
        assert np.array_equal(found[0], found[1])
        for row in range(rows):
            alone = out.copy()
            products(alone, row + 1, x, row, 1, lay_out_weights(w, 1).astype(np.float32), 0, n, m)
            assert np.array_equal(alone[row + 1], found[0][row + 1])


@numba.njit
def products(out: Any, o: int, x: Any, i: int, rows: int, w: Any, at: int, n: int, m: int) -> None:
    add_products(out, o, x, i, rows, w, at, n, m)


@torch.no_grad()
def test_given_levels_may_lie_in_memory_in_any_order() -> None:
    model = made(256, {})
    z = model.noise([1, 2], 20)
    given = torch.full((2, 20), -1)
    given[1, 4:9] = 3
    turned = given.t().contiguous().t()
    drawn = [players(model, None, 2)[0].sample(z, torch.ones_like(z), levels) for levels in (given, turned)]
    assert drawn[0].min() >= 0
    assert torch.equal(drawn[0], drawn[1])
