"""Models of sound have correct probabilities and latents, and continue kept beginnings."""

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive_sound import SAMPLES_PER_STEP, SHORT_SEGMENT_SAMPLES, AutoregressiveSound
from studio.density.conditional import CategoricalSample, LogisticMixtureSample
from studio.zoo.wavenet import WaveNet

SMALL = {"cycles": 2, "layers": 3, "channels": 8, "skip": 8}


def made(
    levels: int = 256, dtype: torch.dtype = torch.float64, samples: int = 12, **words: object
) -> AutoregressiveSound:
    """Return a small model as after some training."""
    torch.manual_seed(3)
    model = WaveNet(**SMALL, **words).build((samples,), levels)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        model.net.b_bias[: model.conditional.numbers // 2] += 0.5
    return model.to(dtype).eval()


def sounds(model: AutoregressiveSound, count: int, samples: int, seed: int = 0) -> Tensor:
    return torch.randint(0, model.levels, (count, samples), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("drawn", [CategoricalSample, LogisticMixtureSample])
def test_probabilities_of_all_short_sounds_sum_to_one(drawn: type) -> None:
    model = made(4)
    if drawn is LogisticMixtureSample:
        model.conditional = LogisticMixtureSample(4, 2)
        model.net.b = torch.nn.Parameter(torch.randn(6, 8, dtype=torch.float64))
        model.net.b_bias = torch.nn.Parameter(torch.randn(6, dtype=torch.float64))
    every = torch.tensor(list(itertools.product(range(4), repeat=5)))
    assert float(model.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(("levels", "samples"), [(256, 1), (256, SAMPLES_PER_STEP + 1), (65_536, 7)])
def test_a_sound_of_any_length_decodes_back(levels: int, samples: int) -> None:
    model = made(levels, classes=(3, 2))
    x = sounds(model, 2, samples)
    c = torch.tensor([5, 1])
    z = model.encode(x, c)
    assert torch.equal(model.decode(z, c), x)
    assert model.surprisal(x, c).shape == (2, samples)
    *_, price = model.log_prob_steps(x, c)
    assert price is not None
    assert torch.allclose(price, model.log_prob(x, c))
    *_, price = model.log_prob_steps(x)
    assert price is not None
    assert torch.allclose(price, model.log_prob(x))


@torch.no_grad()
@pytest.mark.parametrize("steps_of", [AutoregressiveSound.log_prob_steps, AutoregressiveSound.surprisal_steps])
def test_each_step_prices_one_segment(
    steps_of: Callable[..., Iterator[Tensor | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    priced = list[int]()
    plain = AutoregressiveSound.log_prob_of_samples

    def counted(self: AutoregressiveSound, x: Tensor, numbers: Tensor) -> Tensor:
        priced.append(x.shape[1])
        return plain(self, x, numbers)

    monkeypatch.setattr(AutoregressiveSound, "log_prob_of_samples", counted)
    model = made(dtype=torch.float32)
    steps = steps_of(model, sounds(model, 1, 2 * SHORT_SEGMENT_SAMPLES + 9))
    done = [sum(priced) for _ in steps]
    assert done == [SHORT_SEGMENT_SAMPLES, 2 * SHORT_SEGMENT_SAMPLES, *[2 * SHORT_SEGMENT_SAMPLES + 9] * 2]


@torch.no_grad()
def test_a_longer_sound_of_a_seed_begins_like_the_shorter_one() -> None:
    model = made()
    *_, short = model.sample_steps([4, 5], samples=SAMPLES_PER_STEP)
    *_, long = model.sample_steps([5], samples=SAMPLES_PER_STEP + 9)
    assert torch.equal(long.x[0, :SAMPLES_PER_STEP], short.x[1])
    assert model.sample([4]).shape == (1, 12)


@torch.no_grad()
def test_a_kept_beginning_is_continued_as_if_it_had_been_drawn() -> None:
    model = made(follows_loudness=True, hop=16)
    c = torch.randn(2, 1, 25, dtype=torch.float64)
    samples = SAMPLES_PER_STEP + 40
    *_, whole = model.decode_steps(model.noise([1, 2], samples), c)
    for heard in (1, SAMPLES_PER_STEP + 5, samples):
        keep = whole.x.long().clone()
        keep[:, heard:] = -1
        steps = list(model.decode_steps(model.noise([1, 2], samples), c, keep=keep))
        assert torch.equal(steps[-1].x, whole.x)
        assert [step.done for step in steps] == list(range(1, steps[0].total + 1))
    keep = torch.full_like(keep, -1)
    keep[0, 3], keep[1, 20:30] = 7, 9  # also where it is no beginning
    *_, last = model.decode_steps(model.noise([1, 2], samples), c, keep=keep)
    assert int(last.x[0, 3]) == 7
    assert last.x[1, 20:30].tolist() == [9] * 10


@torch.no_grad()
def test_the_past_has_the_same_effect_however_it_was_appended() -> None:
    """Appending in one piece, in pieces, or sample by sample leads to the same next sample."""
    model = made()
    x = sounds(model, 2, 50)
    z = model.noise([1, 2], 8)
    ways = []
    for cuts in ((50,), (20, 30)):
        player = model.make_sampler(None, 2)
        for part in x.split(cuts, 1):
            player.append(part)
        ways.append(player.sample(z, torch.ones_like(z)))
    player = model.make_sampler(None, 2)
    player.noise_of_levels(x, torch.rand(50))
    ways.append(player.sample(z, torch.ones_like(z)))
    assert torch.equal(ways[0], ways[1])
    assert torch.equal(ways[0], ways[2])


@torch.no_grad()
def test_a_part_has_the_same_bits_as_in_the_whole_sound() -> None:
    model = made(classes=(2,))
    x = sounds(model, 2, 40)
    c = torch.tensor([0, 1])
    field = model.receptive_field
    parts = torch.full((2, field + 10), -1)
    parts[0, field - 12 :] = x[0, :22]
    parts[1, field : field + 6] = x[1, :6]  # the sound ends there
    bits = model.surprisal(x, c)
    expected = (bits[0, 12:22].sum() + bits[1, :6].sum()) / 16
    assert float(model.loss_of_cuts(parts, c)) == pytest.approx(float(expected), rel=1e-6)


@torch.no_grad()
def test_a_part_that_follows_a_signal_has_the_same_bits_as_in_the_whole_sound() -> None:
    model = made(follows_loudness=True, follows_pitch=True, classes=(2,), hop=16, samples=160)
    signal = torch.randn(2, 62, 10, dtype=torch.float64)
    c = model.condition(torch.tensor([1, 0]), signal, 2)
    assert c is not None
    x = sounds(model, 2, 160)
    field = model.receptive_field
    frames = model.net.context_frames
    parts = torch.full((2, field + 20), -1)
    parts[0] = x[0, 96 - field : 116]
    parts[1, field:] = x[1, :20]
    cuts = torch.stack([c[0, :, 6 - frames : 8], torch.nn.functional.pad(c[1, :, :2], (frames, 0))])
    bits = model.surprisal(x, c)
    expected = torch.stack([bits[0, 96:116], bits[1, :20]]).mean()
    assert float(model.loss_of_cuts(parts, cuts)) == pytest.approx(float(expected), rel=1e-6)


@torch.no_grad()
def test_a_sound_without_a_signal_follows_the_usual_one_and_begins_it_again() -> None:
    model = made(follows_loudness=True, hop=16, samples=32)
    model.net.usual_signal[:] = torch.tensor([[-2.0, 3.0]])
    *_, usual = model.sample_steps([1, 2], samples=90)
    loop = torch.tensor([-2.0, 3.0, -2.0, 3.0, -2.0, 3.0], dtype=torch.float64).expand(2, 1, 6)
    *_, whole = model.sample_steps([1, 2], loop, samples=90)
    *_, other = model.sample_steps([1, 2], -loop, samples=90)
    assert torch.equal(usual.x, whole.x)
    assert not torch.equal(usual.x, other.x)


@torch.no_grad()
def test_what_cannot_be_made_is_said() -> None:
    recipe = zoo.FAMILIES["wavenet"].presets["tiny"]
    with pytest.raises(ValueError, match="sounds, and pictures were asked for"):
        recipe.build((1, 8, 8))
    with pytest.raises(ValueError, match="follows a signal, and none was given"):
        made(follows_loudness=True).surprisal(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="6 classes, and none was given"):
        made(classes=(3, 2)).surprisal(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="to be kept is"):
        list(made().decode_steps(torch.zeros(1, 4), keep=torch.zeros(1, 5)))
