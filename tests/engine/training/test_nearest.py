"""Tests that copies of training artworks are distinguished from others, and that the nearest artwork is found."""

from collections.abc import Generator

import numpy as np
import pytest
import torch

from studio.engine.events import result_of
from studio.engine.levels import TrainingExamples, levels_of_sound
from studio.engine.training.nearest import Found, NearestArtworks
from studio.engine.training.nearest_sounds import NearestRecordings
from studio.engine.training.recordings import TrainingRecordings
from studio.library.runs import COPIED_DISTANCE

RATE = 8000
LENGTH = 12_000


def found_by(steps: Generator[None, None, Found | None]) -> Found:
    found = result_of(steps)
    assert found is not None
    return found


def blots(count: int, seed: int) -> torch.Tensor:
    """Return pictures (count, 3, 16, 16) with a few large shapes, as levels."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 226, (count, 3, 4, 4)).repeat(4, 2).repeat(4, 3)
    return torch.from_numpy((coarse + random.integers(-20, 21, coarse.shape)).astype(np.uint8))


def noisy(x: torch.Tensor, amount: int) -> torch.Tensor:
    noise = torch.randint(-amount, amount + 1, x.shape, generator=torch.Generator().manual_seed(5))
    return (x.int() + noise).clamp(0, 255).to(torch.uint8)


@pytest.fixture
def pictures() -> tuple[TrainingExamples, TrainingExamples]:
    return TrainingExamples(blots(60, 0)), TrainingExamples(blots(12, 1))


def test_copies_of_pictures_are_found_beside_others(pictures: tuple[TrainingExamples, TrainingExamples]) -> None:
    learn, held_out = pictures
    search = NearestArtworks(learn, held_out, 256)
    samples = torch.cat((noisy(learn.x[[7, 41]], 25), blots(3, 9)))
    nearest, distances = found_by(search.find(samples))
    assert [distance < COPIED_DISTANCE for distance in distances] == [True, True, False, False, False]
    np.testing.assert_array_equal(nearest[:2], learn.x[[7, 41]].permute(0, 2, 3, 1).numpy())
    again, _ = found_by(search.find(samples[:1]))
    np.testing.assert_array_equal(again, nearest[:1])


def test_held_out_pictures_are_not_called_copies(pictures: tuple[TrainingExamples, TrainingExamples]) -> None:
    learn, held_out = pictures
    _, distances = found_by(NearestArtworks(learn, held_out, 256).find(held_out.x))
    assert min(distances) > COPIED_DISTANCE and np.median(distances) == pytest.approx(1.0)


def sketches(count: int, seed: int) -> torch.Tensor:
    """Return white pictures (count, 3, 32, 32); every fourth is almost empty, the others have a few black lines."""
    random = np.random.default_rng(seed)
    x = np.full((count, 3, 32, 32), 255, np.uint8)
    for number, sketch in enumerate(x):
        for _ in range(1 if number % 4 == 0 else 7):
            row, column = random.integers(0, 24, 2)
            length = 4 if number % 4 == 0 else 24
            sketch[:, row : row + (1 if number % 4 == 0 else 4), column : column + length] = random.integers(0, 60)
    return torch.from_numpy(x)


def test_almost_empty_pictures_accuse_nobody_but_are_found_if_they_are_copied() -> None:
    learn, held_out = TrainingExamples(sketches(80, 0)), TrainingExamples(sketches(20, 1))
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    grain = noisy(white, 3)
    line = white.clone()
    line[:, :, 30, 28:] = 0
    samples = torch.cat((white, grain, line, learn.x[[4, 5]]))
    _, distances = found_by(NearestArtworks(learn, held_out, 256).find(samples))
    assert [distance < COPIED_DISTANCE for distance in distances] == [False, False, False, True, True]


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_uniform_pictures_accuse_nobody(pictures: tuple[TrainingExamples, TrainingExamples], grey: int) -> None:
    learn, held_out = pictures
    plain = torch.full((1, 3, 16, 16), grey, dtype=torch.uint8)
    with_plain = TrainingExamples(torch.cat((learn.x, plain)))
    _, distances = found_by(NearestArtworks(with_plain, held_out, 256).find(plain))
    assert distances == (1.0,)


@pytest.mark.parametrize(("mirrored", "turned"), [(True, False), (False, True)])
def test_a_copy_is_found_in_every_position_in_which_it_was_learned(
    pictures: tuple[TrainingExamples, TrainingExamples], mirrored: bool, turned: bool
) -> None:
    learn, held_out = pictures
    x = learn.x[3:4].flip(-1) if mirrored else learn.x[3:4].rot90(1, (-2, -1))
    _, seen = found_by(NearestArtworks(learn, held_out, 256, mirrored=mirrored, turned=turned).find(x))
    _, unseen = found_by(NearestArtworks(learn, held_out, 256).find(x))
    assert seen[0] < COPIED_DISTANCE < unseen[0]


def test_pictures_that_are_all_the_same_are_not_compared() -> None:
    same = TrainingExamples(torch.full((9, 1, 8, 8), 40, dtype=torch.uint8))
    steps = NearestArtworks(same, same, 256).find(same.x)
    with pytest.raises(StopIteration) as end:
        while True:
            next(steps)
    assert end.value.value is None


def test_copies_of_waves_are_found() -> None:
    random = np.random.default_rng(2)
    time = np.arange(64) / 64 * 2 * np.pi
    parts = [np.sin(n * time) for n in range(1, 9)]
    waves = (random.normal(0, 1, (80, 8)) @ np.array(parts) * 4000).astype(np.int16)
    x = levels_of_sound(waves, 4096)
    search = NearestArtworks(TrainingExamples(x[:60]), TrainingExamples(x[60:70]), 4096, mirrored=True)
    mirrored = 4095 - x[5:6].flip(-1).roll(1, -1)
    nearest, distances = found_by(search.find(torch.cat((x[3:4], mirrored, x[70:73]))))
    assert [distance < COPIED_DISTANCE for distance in distances] == [True, True, False, False, False]
    assert np.abs(nearest[1].astype(int) - waves[5]).max() < 16, "a twelfth bit is 16"


def strokes(count: int, seed: int, samples: int = LENGTH) -> list[np.ndarray]:
    """Return sounds of filtered noise that fades, no two alike."""
    random = np.random.default_rng(seed)
    fade = np.exp(-np.arange(samples) / 3000)
    smooth = np.ones(5) / 5
    noise = random.normal(0, 1, (count, samples))
    return [(9000 * np.convolve(each, smooth, "same") * fade).astype(np.int16) for each in noise]


def recordings(sounds: list[np.ndarray]) -> TrainingRecordings:
    return TrainingRecordings(tuple(levels_of_sound(sound, 256) for sound in sounds))


def test_a_copied_part_of_a_recording_is_found_at_its_place() -> None:
    long = np.concatenate(strokes(9, 0))
    learned = [*strokes(20, 1, 3000), long, *strokes(3, 2)]
    search = NearestRecordings(recordings(learned), recordings(strokes(4, 3)), 256, RATE, LENGTH)
    random = np.random.default_rng(4)
    copy = long[70_000 : 70_000 + LENGTH] + random.normal(0, 60, LENGTH)
    x = torch.stack([levels_of_sound(sound.astype(np.int16), 256) for sound in (copy, *strokes(2, 6))])
    nearest, distances = found_by(search.find(x))
    assert [distance < COPIED_DISTANCE for distance in distances] == [True, False, False]
    assert nearest.shape == (3, LENGTH)
    correlation = np.corrcoef(nearest[0], copy)[0, 1]
    assert correlation > 0.98, "what is played beside it is the part that it copies"


def test_silence_copies_nothing() -> None:
    learned = [*strokes(5, 1), np.zeros(LENGTH, np.int16)]
    search = NearestRecordings(recordings(learned), recordings(strokes(4, 3)), 256, RATE, LENGTH)
    x = levels_of_sound(np.zeros((1, LENGTH), np.int16), 256)
    nearest, distances = found_by(search.find(x))
    assert distances[0] > COPIED_DISTANCE and nearest.shape == (1, LENGTH)


def test_no_step_transforms_more_than_two_seconds_of_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step must not take more than 20 ms on a slow computer; transforms take most of the time."""
    transformed = [0]

    def count(name: str) -> None:
        transform = getattr(np.fft, name)

        def counted(x: np.ndarray, n: int | None = None) -> np.ndarray:
            transformed[-1] += n or len(x)
            return transform(x, n)

        monkeypatch.setattr(np.fft, name, counted)

    count("rfft")
    count("irfft")
    search = NearestRecordings(recordings(strokes(12, 1)), recordings(strokes(9, 3)), 256, RATE, LENGTH)
    x = torch.stack([levels_of_sound(sound, 256) for sound in strokes(3, 6)])
    for _ in search.find(x):
        transformed.append(0)
    assert len(transformed) > 40 and 0 < max(transformed) <= 2 * 16_000 * 1.1
