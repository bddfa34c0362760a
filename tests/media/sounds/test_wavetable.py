"""Cycles are resampled, played and measured, compared with sums of sines written one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.media.sounds import wavetable
from studio.media.sounds.wavetable import CEILING, FRAME_SAMPLES, FULL, TABLE_SAMPLES


def wave(seed: int = 0, samples: int = 256, peak: float = 0.7) -> np.ndarray:
    """Make a cycle with every harmonic, the one at half the rate included."""
    x = np.random.default_rng(seed).standard_normal(samples).cumsum()
    x -= np.linspace(0, x[-1], samples)
    return np.asarray(np.rint(x / np.abs(x).max() * peak * FULL), np.int16)


def sines(cycle: np.ndarray, at: np.ndarray, most: int) -> np.ndarray:
    """Sum a cycle's harmonics at phases `at` from 0 to 1, one by one."""
    spectrum = np.fft.rfft(cycle.astype(float)) / len(cycle)
    total = np.full(len(at), spectrum[0].real)
    for k in range(1, most + 1):
        weight = 1.0 if 2 * k == len(cycle) else 2.0
        total += weight * (spectrum[k] * np.exp(2j * np.pi * k * at)).real
    return total


@pytest.mark.parametrize("samples", [256, 257, 600])
def test_a_resampled_cycle_is_the_sum_of_its_harmonics(samples: int) -> None:
    cycle = wave(1, samples)
    expected = sines(cycle, np.arange(FRAME_SAMPLES) / FRAME_SAMPLES, samples // 2)
    np.testing.assert_allclose(wavetable.resample_cycle(cycle), expected, atol=1e-7)


@given(st.integers(0, 10_000))
def test_resampling_up_and_down_returns_the_same_cycle(seed: int) -> None:
    cycle = wave(seed)
    assert (wavetable.resample_cycle(cycle)[::8].round().astype(np.int16) == cycle).all()
    assert (wavetable.cycle_of_frame(wavetable.resample_cycle(cycle) / FULL, 256) == cycle).all()


def test_resampling_downwards_has_no_aliases() -> None:
    places = np.arange(2048) / 2048
    fast = np.sin(2 * np.pi * 200 * places)  # a harmonic that 256 samples cannot hold
    slow = np.sin(2 * np.pi * 5 * places)
    np.testing.assert_allclose(wavetable.resample_cycle(fast + slow, 256), slow[::8], atol=1e-12)


def test_frames_are_the_cycles_from_minus_one_to_one() -> None:
    cycles = np.stack([wave(seed) for seed in range(64)])
    table = wavetable.wavetable_frames(cycles)
    assert table.shape == (64, 2048) and table.dtype == np.float32
    assert (np.rint(table[:, ::8] * FULL) == cycles).all()


def test_a_table_that_would_pass_one_is_quieter_as_a_whole() -> None:
    square = np.where(np.arange(256) < 128, 32767, -32768).astype(np.int16)
    table = wavetable.wavetable_frames(np.stack([square, square // 2]))
    assert np.abs(table).max() == pytest.approx(1.0)
    assert np.abs(table[0]).max() / np.abs(table[1]).max() == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("note", [24, 45, 69, 93, 120])
def test_a_note_has_no_harmonic_beyond_half_the_rate(note: int) -> None:
    rate = 48_000
    hertz = wavetable.note_frequency(note)
    table = wavetable.band_limited_table(wave(3), hertz, rate)
    spectrum = np.abs(np.fft.rfft(table[:-1]))
    k = np.arange(len(spectrum))
    assert spectrum[k * hertz >= rate / 2].max(initial=0.0) < 1e-4 * spectrum.max()
    audible = (k > 0) & (k <= 128) & (k * hertz < rate / 2)
    own = np.abs(np.fft.rfft(wave(3).astype(float)))
    own[128] *= 0.5
    ratio = spectrum[audible] / own[k[audible]]
    assert ratio.max() / ratio.min() == pytest.approx(1, abs=1e-3)


def test_a_note_stays_below_the_ceiling_and_has_no_mean() -> None:
    square = np.where(np.arange(256) < 64, 32767, -32768).astype(np.int16)
    table = wavetable.band_limited_table(square, 110.0, 48_000)
    assert len(table) == TABLE_SAMPLES + 1 and table[0] == table[-1]
    assert np.abs(table).max() <= CEILING * (1 + 1e-6)
    assert abs(table[:-1].mean()) < 1e-6
    quiet = wavetable.band_limited_table(square // 100, 110.0, 48_000)
    assert np.abs(quiet).max() < 0.02


def test_a_table_is_interpolated_inaudibly() -> None:
    """It interpolates the hardest cycle: its 127th harmonic alone."""
    cycle = np.rint(np.sin(2 * np.pi * 127 * np.arange(256) / 256) * 30_000).astype(np.int16)
    table = wavetable.band_limited_table(cycle, 100.0, 48_000)
    at = np.random.default_rng(0).uniform(0, 1, 5000)
    read = np.interp(at * TABLE_SAMPLES, np.arange(TABLE_SAMPLES + 1), table)
    expected = sines(cycle, at, 127) * (
        np.abs(table).max() / np.abs(sines(cycle, np.arange(TABLE_SAMPLES) / TABLE_SAMPLES, 127)).max()
    )
    assert 20 * np.log10(np.abs(read - expected).max() / np.abs(expected).max()) < -66


def test_silence_and_nan_stay_silent() -> None:
    assert not wavetable.band_limited_table(np.zeros(256, np.int16), 110.0, 48_000).any()
    broken = np.full(256, np.nan)
    broken[3] = np.inf
    assert np.isfinite(wavetable.band_limited_table(broken, 110.0, 48_000)).all()
    assert not wavetable.cycle_of_frame(broken, 256).any()


def test_harmonics_are_measured_in_decibels() -> None:
    places = 2 * np.pi * np.arange(256) / 256
    cycle = np.rint(16_384 * np.sin(places) + 1_638.4 * np.sin(3 * places)).astype(np.int16)
    loud = wavetable.harmonic_amplitudes(cycle, 64)
    assert loud[0] == pytest.approx(-6.02, abs=0.05) and loud[2] == pytest.approx(-26.02, abs=0.05)
    assert loud[1] < -90 and len(wavetable.harmonic_amplitudes(cycle, 200)) == 200


def test_notes_have_the_pitch_of_the_keyboard() -> None:
    assert wavetable.note_frequency(69) == 440 and wavetable.note_frequency(57) == 220
    assert wavetable.note_frequency(60) == pytest.approx(261.626, abs=1e-3)
