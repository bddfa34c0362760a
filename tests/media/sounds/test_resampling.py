"""A wave is resampled to the same samples in any pieces, with little delay."""

import numpy as np
import pytest

from studio.media.sounds.resampling import Resampler


def brought(x: np.ndarray, rate: int, card: int, pieces: int) -> np.ndarray:
    resampler = Resampler(rate, card)
    parts = [resampler.resample(piece) for piece in np.array_split(x, pieces)]
    return np.concatenate((*parts, resampler.resample(x[:0], last=True)))


def sine(hertz: float, count: int, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(count) / rate).astype(np.float32)


@pytest.mark.parametrize(("rate", "card"), [(16_000, 44_100), (8000, 48_000), (48_000, 44_100), (32_000, 16_000)])
def test_a_sine_stays_the_same_up_to_four_fifths_of_half_the_slower_rate(rate: int, card: int) -> None:
    for share in (0.01, 0.3, 0.8):
        hertz = share * min(rate, card) / 2
        found = brought(sine(hertz, rate // 2, rate), rate, card, 50)
        assert len(found) == card // 2
        wanted = sine(hertz, len(found), card)
        assert np.abs(found - wanted)[card // 50 : -card // 50].max() < 1e-5


def test_frequencies_above_half_the_slower_rate_are_left_out() -> None:
    assert np.abs(brought(sine(9000, 16_000, 32_000), 32_000, 16_000, 20))[1000:-1000].max() < 1e-5


@pytest.mark.parametrize("pieces", [1, 7, 900])
def test_resampling_is_the_same_to_the_last_bit_for_any_pieces(pieces: int) -> None:
    x = np.random.default_rng(0).standard_normal(4410).astype(np.float32)
    np.testing.assert_array_equal(brought(x, 44_100, 48_000, pieces), brought(x, 44_100, 48_000, 33))


def test_the_resampler_holds_back_at_most_half_its_filter() -> None:
    resampler = Resampler(16_000, 44_100)
    given = 0
    for piece in range(1, 101):
        given += len(resampler.resample(np.zeros(37, np.float32)))
        assert piece < 3 or abs(piece * 37 - resampler.held - given * 16_000 / 44_100) < 1
