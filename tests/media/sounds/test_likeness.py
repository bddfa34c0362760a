"""A copy is found however loud or shifted it is, and another sound is not."""

from pathlib import Path

import numpy as np
import pytest

from studio.media.sounds import audio_dataset, likeness

AKWF = Path(__file__).parents[3] / "../shared/data/packs/akwf256.npz"
DRUMS = Path(__file__).parents[3] / "../shared/data/packs/drums16k"


def strokes(count: int, seed: int) -> list[np.ndarray]:
    """Make noise that dies away, each stroke of its own length."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(3000, 9000, count)
    return [(8000 * generator.standard_normal(n) * np.exp(-np.arange(n) / 500)).astype(np.int16) for n in sizes]


def test_a_cycle_resembles_itself_at_any_loudness_but_not_with_a_tenth_changed() -> None:
    phase = np.arange(256) * 2 * np.pi / 256
    learned = [(20_000 * np.sin(k * phase)).astype(np.int16) for k in (1, 2, 3)]
    near = 0.5 * learned[1] + 0.03 * learned[0]
    test = [learned[2] // 3, near.astype(np.int16), (0.9 * learned[0] + 0.1 * learned[2]).astype(np.int16)]
    test.append(np.zeros(256, np.int16))
    assert likeness.unlike_training(test, learned, cycles=True).tolist() == [False, False, True, True]
    # sin a and 0.06 sin b of it: the correlation is 1 / √(1 + 0.06²)
    assert likeness.max_correlation(test, learned, (0,))[1] == pytest.approx((1 + 0.06**2) ** -0.5, abs=1e-5)


def test_a_stroke_resembles_itself_2_ms_later_in_some_noise() -> None:
    learned = strokes(12, 0)
    others = strokes(6, 1)
    noise = np.random.default_rng(2).normal(0, 300, 4000)
    later = np.concatenate((np.zeros(24), learned[7] / 2))[:4000]
    earlier = learned[3][12:]
    test = [*others, (later[: len(noise)] + noise[: len(later)]).astype(np.int16), earlier]
    assert likeness.unlike_training(test, learned, cycles=False).tolist() == [True] * 6 + [False] * 2


@pytest.mark.skipif(not AKWF.exists(), reason="the packs of ../shared/data are not here")
def test_as_many_cycles_of_the_packs_are_alike_as_the_readme_says() -> None:
    with np.load(AKWF) as pack:
        alike = ~likeness.unlike_training(list(pack["test_x"]), list(pack["train_x"]), cycles=True)
    assert (int(alike.sum()), len(alike)) == (68, 408)
    steps = audio_dataset.load_recordings_in_steps(DRUMS, 16_000, ("label",))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            drums = end.value
            break
    alike = ~likeness.unlike_training(drums.test, drums.train, cycles=False)
    assert (int(alike.sum()), len(alike)) == (81, 161)
