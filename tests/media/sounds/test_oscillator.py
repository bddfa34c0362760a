"""The oscillator has no click, no gap, and no sample above the ceiling.

It is filled block by block as a sound card asks.
"""

import tracemalloc

import numpy as np
import pytest

from studio.media.sounds import wavetable
from studio.media.sounds.oscillator import CROSSFADE, RAMP, Oscillator
from studio.media.sounds.wavetable import CEILING, FULL

RATE = 48_000


def sine(harmonic: int = 1, peak: float = 0.5, shift: float = 0.0) -> np.ndarray:
    at = np.arange(256) / 256
    return np.rint(np.sin(2 * np.pi * (harmonic * at + shift)) * peak * FULL).astype(np.int16)


def saw(peak: float = 0.8) -> np.ndarray:
    return np.rint((np.arange(256) / 128 - 1) * peak * FULL).astype(np.int16)


def heard(tone: Oscillator, seconds: float, block: int = 480) -> np.ndarray:
    out = np.full(round(seconds * RATE), np.nan, np.float32)
    for start in range(0, len(out), block):
        tone.fill(out[start : start + block])
    return out


def jump(samples: np.ndarray) -> float:
    """Return the largest step from one sample to the next."""
    return float(np.abs(np.diff(samples)).max())


@pytest.fixture
def tone() -> Oscillator:
    tone = Oscillator(RATE)
    tone.set_wave(sine())
    return tone


def test_the_oscillator_is_silent_until_a_note_is_played(tone: Oscillator) -> None:
    assert not heard(tone, 0.1).any() and tone.is_silent
    tone.play_note(69)
    heard(tone, 0.1)
    samples = heard(tone, 1.0)
    assert not tone.is_silent
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() == 440 and np.abs(samples).max() == pytest.approx(0.5, abs=1e-3)


def test_a_note_without_a_wave_is_silent() -> None:
    tone = Oscillator(RATE)
    tone.play_note(60)
    assert not heard(tone, 0.1).any()


@pytest.mark.parametrize("block", [37, 480, 5000])
def test_the_size_of_the_blocks_is_inaudible(block: int) -> None:
    one = Oscillator(RATE)
    other = Oscillator(RATE)
    for tone in (one, other):
        tone.set_wave(saw())
        tone.play_note(50)
    np.testing.assert_allclose(heard(one, 0.5, block), heard(other, 0.5, 1024), atol=2e-5)


def test_starting_and_stopping_are_ramps(tone: Oscillator) -> None:
    tone.set_wave(sine(shift=0.25))  # it begins at its crest
    tone.play_note(45)
    start = heard(tone, 0.1)
    tone.release_note()
    end = heard(tone, 0.1)
    assert jump(np.concatenate([[0], start, end])) < 0.5 / (RAMP * RATE) + 2 * np.pi * 110 / RATE
    assert not end[round(RAMP * RATE) + 1 :].any() and tone.is_silent


def test_another_wave_is_faded_in_at_the_same_phase(tone: Oscillator) -> None:
    tone.play_note(57)
    heard(tone, 0.1)
    tone.set_wave(-sine())  # a cut from one to the other would jump by up to 1
    samples = heard(tone, 0.2)
    steepest = 0.5 * 2 * np.pi * 220 / RATE + 1.0 / (CROSSFADE * RATE)
    assert jump(samples) < steepest
    middle = samples[round(CROSSFADE * RATE / 2) - 20 : round(CROSSFADE * RATE / 2) + 20]
    assert np.abs(middle).max() < 0.05  # half of each: they cancel
    late = samples[round(CROSSFADE * RATE) :]
    fit = np.fft.rfft(late[: RATE // 10])
    assert np.abs(late).max() == pytest.approx(0.5, abs=1e-3) and np.abs(fit).argmax() == 22


def test_only_the_newest_wave_is_kept_during_a_fade(tone: Oscillator) -> None:
    tone.play_note(57)
    heard(tone, 0.05)
    for harmonic in (2, 3, 4, 5):
        tone.set_wave(sine(harmonic))
        heard(tone, 0.004)
    heard(tone, 3 * CROSSFADE)
    spectrum = np.abs(np.fft.rfft(heard(tone, 1.0)))
    assert spectrum.argmax() == 5 * 220
    assert spectrum[[220, 440, 660, 880]].max() < 1e-3 * spectrum.max()


def test_another_pitch_continues_from_the_phase(tone: Oscillator) -> None:
    tone.play_note(45)
    before = heard(tone, 0.1)
    for note in (57, 81, 40, 69):
        tone.play_note(note)
        after = heard(tone, 0.0731)
        steepest = 0.5 * 2 * np.pi * wavetable.note_frequency(81) / RATE
        assert abs(after[0] - before[-1]) < steepest and jump(after) < steepest * 1.01
        before = after


def test_a_slider_that_moves_while_keys_change_never_clicks() -> None:
    """It plays two hundred waves in four seconds and a new note every 90 ms. No step exceeds the waves' own slopes."""
    generator = np.random.default_rng(0)
    at = np.arange(256) / 256
    tone = Oscillator(RATE)
    tone.set_level(0.8)
    parts = []
    for number in range(200):
        bend = generator.uniform(-0.5, 0.5)
        wave = 0.9 * np.sin(2 * np.pi * (at + bend * np.sin(2 * np.pi * at) / 6))
        tone.set_wave(np.rint(wave * FULL).astype(np.int16))
        if number % 9 == 0:
            tone.play_note(int(generator.integers(40, 70)))
        if number % 50 == 49:
            tone.release_note()
        parts.append(heard(tone, 0.02, 441))
    samples = np.concatenate(parts)
    slope = 0.8 * CEILING * (2 * np.pi * wavetable.note_frequency(70) / RATE) * (1 + 0.5 * 2 * np.pi / 6)
    assert jump(samples) < slope + 1.8 / (CROSSFADE * RATE) + 1 / (RAMP * RATE)
    assert np.isfinite(samples).all() and np.abs(samples).max() <= CEILING


def test_nothing_is_louder_than_the_ceiling_and_everything_is_a_number() -> None:
    tone = Oscillator(RATE)
    tone.set_level(7.0)
    tone.play_note(30)
    square = np.where(np.arange(256) < 128, 32767, -32768).astype(np.int16)
    samples = []
    for wave in (square, -square, np.full(256, np.nan), saw(1.0), square):
        tone.set_wave(wave)
        samples.append(heard(tone, 0.013))
    together = np.concatenate(samples)
    assert np.isfinite(together).all() and np.abs(together).max() <= CEILING + 1e-6


def test_a_new_stream_begins_from_silence(tone: Oscillator) -> None:
    tone.set_wave(sine(shift=0.25))
    tone.play_note(45)
    heard(tone, 0.1)  # the device is removed here
    tone.set_card_rate(RATE)
    assert abs(heard(tone, 0.1)[0]) < 0.5 / (RAMP * RATE) * 1.01


def test_the_loudness_changes_without_a_step(tone: Oscillator) -> None:
    tone.play_note(33)
    heard(tone, 0.1)
    tone.set_level(0.1)
    samples = heard(tone, 0.1)
    assert jump(samples) < 0.5 / (RAMP * RATE) + 0.01
    assert np.abs(samples[2400:]).max() == pytest.approx(0.05, abs=2e-3)


def test_another_rate_keeps_the_pitch(tone: Oscillator) -> None:
    tone.set_card_rate(16_000)
    tone.play_note(69)
    out = np.empty(16_000, np.float32)
    tone.fill(out)
    assert np.abs(np.fft.rfft(out)).argmax() == 440
    tone.set_wave(saw())
    assert aliased_share(tone) < 2e-3


def test_a_slower_card_hears_no_aliasing_of_the_wave_that_was_set_before(tone: Oscillator) -> None:
    tone.set_wave(saw())
    tone.play_note(69)
    tone.set_card_rate(16_000)
    assert aliased_share(tone) < 2e-3


def aliased_share(tone: Oscillator) -> float:
    """Return the loudest frequency between the harmonics of 440 Hz, over the loudest of all, in a second at 16 kHz."""
    out = np.empty(16_000, np.float32)
    tone.fill(out)  # the first one begins with a ramp
    tone.fill(out)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    between = np.ones(len(spectrum), bool)
    for harmonic in range(0, 8001, 440):
        between[max(0, harmonic - 4) : harmonic + 5] = False
    return float(spectrum[between].max() / spectrum.max())


def test_filling_allocates_no_memory(tone: Oscillator) -> None:
    tone.play_note(57)
    out = np.empty(480, np.float32)
    tone.fill(out)
    kept = []
    most = []
    for _ in range(5):  # other threads of this process allocate now and then; filling would do so each time
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(200):
            tone.fill(out)
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        kept.append(now - before)
        most.append(peak - before)
    assert min(most) < 20_000 and min(kept) < 4_000
