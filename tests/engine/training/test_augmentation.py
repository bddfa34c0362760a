"""Training examples are varied as the settings say, and in the same way for the same seed."""

import time

import numpy as np
import pytest
import torch

from studio.engine.levels import TrainingExamples, levels_of_sound, sound_of_levels
from studio.engine.training import batches
from studio.engine.training.augmentation import Augmentation, SoundVariation, seeded, vary_pictures
from studio.engine.training.config import TrainingPlan
from studio.engine.training.recordings import TrainingRecordings, varied_cut

RATE = 8000


def picture(size: tuple[int, int] = (8, 8), channels: int = 3) -> torch.Tensor:
    return torch.randint(256, (channels, *size), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def varied(x: torch.Tensor, count: int = 40, levels: int = 256, **how: object) -> torch.Tensor:
    many = x.expand(count, *x.shape)
    return vary_pictures(many, Augmentation(**how), levels, seeded(0, 0))  # type: ignore[arg-type]


def kinds(x: torch.Tensor) -> set[bytes]:
    return {each.numpy().tobytes() for each in x}


def test_pictures_are_turned_by_quarters() -> None:
    x = picture()
    assert kinds(varied(x, quarter_turns=True)) == kinds(torch.stack([x.rot90(n, (1, 2)) for n in range(4)]))
    wide = picture((4, 8))
    assert kinds(varied(wide, quarter_turns=True)) == kinds(torch.stack([wide, wide.rot90(2, (1, 2))]))


def test_pictures_are_shifted_by_at_most_so_many_pixels_and_edges_are_extended() -> None:
    x = picture()
    padded = torch.nn.functional.pad(x[None].float(), (2, 2, 2, 2), mode="replicate")[0].to(torch.uint8)
    shifted = {padded[:, a : a + 8, b : b + 8].numpy().tobytes() for a in range(5) for b in range(5)}
    found = kinds(varied(x, 300, shift=2))
    assert found == shifted


def test_colours_vary_around_the_original() -> None:
    x = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    x[0] = 140
    found = varied(x, 300, colour=0.2).double()
    assert found.mean() == pytest.approx(x.double().mean(), abs=3)
    brightness = found.mean((1, 2, 3))
    assert 10 < brightness.max() - brightness.min() <= 2 * 0.1 * 255 + 1
    saturation = (found[:, 0] - found[:, 1]).mean((1, 2))
    assert saturation.min() < 36 and saturation.max() > 44
    assert kinds(varied(x[:1] * 0, 20, levels=2, colour=0.2)) == kinds((x[:1] * 0)[None]), "two levels stay"


def test_the_same_step_is_varied_in_the_same_way_and_the_next_in_another() -> None:
    examples = TrainingExamples(torch.stack([picture()] * 8))
    plan = TrainingPlan(batch=8)
    how = Augmentation(shift=3, quarter_turns=True, colour=0.1)
    first, again, other = (batches.batch_of_step(examples, step, plan, 256, how).x for step in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(batches.batch_of_step(examples, 5, plan).x, examples.x)


# ── sounds ───────────────────────────────────────────────────────────────────────────────────────


def tone(hertz: float = 500.0, seconds: float = 2.0) -> torch.Tensor:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return torch.from_numpy((wave * 32_767).astype(np.int16))


def cut(wave: torch.Tensor, seed: int = 0, begin: int = 4000, samples: int = 4000, **how: object) -> np.ndarray:
    variation = SoundVariation(Augmentation(**how), RATE, 256)  # type: ignore[arg-type]
    row = varied_cut(wave, begin, samples, 0, 128, variation, seeded(seed, 0))
    return sound_of_levels(row, 256).astype(float) / 32_768


def pitch(wave: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave))


def test_a_cut_that_is_not_varied_is_the_same_as_without() -> None:
    wave = tone()
    recordings = TrainingRecordings((levels_of_sound(wave.numpy(), 256),), None, (wave,))
    nothing = SoundVariation(Augmentation(), RATE, 256)
    for step in range(6):
        plain, same = (recordings.cuts_of_step(step, 4, 1000, 300, 128, 0, how) for how in (None, nothing))
        assert torch.equal(plain.x, same.x)


def test_speed_changes_pitch_and_gain_only_loudness() -> None:
    pitches = [pitch(cut(tone(), seed, speed=0.2)) for seed in range(30)]
    assert 400 <= min(pitches) < 430 and 570 < max(pitches) <= 600
    assert len(set(pitches)) > 10
    peaks = [np.abs(cut(tone(), seed, gain=12.0)).max() for seed in range(20)]
    assert 0.12 <= min(peaks) < 0.2 and 0.4 < max(peaks) <= 0.51
    assert {round(pitch(cut(tone(), seed, gain=12.0))) for seed in range(3)} == {500}


@pytest.mark.parametrize("share", [0.03, 0.1234])
def test_any_speed_costs_a_training_little(share: float) -> None:
    """A speed that is no simple fraction once took seconds: its filter had thousands of outputs."""
    began = time.process_time()
    for seed in range(10):
        cut(tone(), seed, speed=share)
    assert time.process_time() - began < 1


def test_noise_is_as_far_below_the_sound_as_asked() -> None:
    wave = torch.from_numpy((0.5 * np.ones(16_000) * 32_767).astype(np.int16))
    noise = cut(wave, noise=20.0) - cut(wave)
    assert 20 * np.log10(0.5 / noise.std()) == pytest.approx(20, abs=1)


def test_fades_begin_and_end_in_silence() -> None:
    loud = torch.full((16_000,), 16_000, dtype=torch.int16)
    faded = [cut(loud, seed, fade=0.2) for seed in range(10)]
    assert all(abs(each[0]) < 0.1 and abs(each[-1]) < 0.1 for each in faded)
    assert all(each[2000] == pytest.approx(16_000 / 32_768, abs=0.02) for each in faded)


def test_context_is_varied_with_its_cut_and_entries_without_sound_stay_empty() -> None:
    variation = SoundVariation(Augmentation(speed=0.1, gain=6.0), RATE, 256)
    row = varied_cut(tone(seconds=0.5), -100, 600, 300, 7, variation, seeded(3, 0))
    assert row.shape == (900,)
    assert (row[:400] == -1).all() and (row[400:] >= 0).all()
    end = varied_cut(tone(seconds=0.5), 3800, 600, 300, 7, variation, seeded(3, 0))
    assert (end[-300:] == 7).all()
