"""Sound plays while it is generated: every sample once, no clicks, after any seek and any delay."""

import threading
import time

import numpy as np
import pytest
import soxr

from studio.media.sounds.playback import KNEE, RAMP, START_BUFFER_SECONDS, PlaybackBuffer, limit_level
from studio.media.sounds.speaker import NoSoundOutput, Speaker
from studio.media.sounds.wavetable import CEILING
from tests.limits import LIMIT
from tests.media.sounds.conftest import RATE, Daemon, Recorder, skip_if_gaps

CARD = 48_000
EDGE = round(RAMP * RATE)


def sine(seconds: float, rate: int = RATE, hertz: float = 100.0) -> np.ndarray:
    return np.rint(20_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def heard(stream: PlaybackBuffer, seconds: float, block: int = 441, card: int = RATE) -> np.ndarray:
    """Return what a card that asks in blocks receives."""
    out = np.zeros(round(seconds * card) // block * block, np.float32)
    for start in range(0, len(out), block):
        stream.fill(out[start : start + block])
    return out


def opened(stream: PlaybackBuffer, card: int = RATE) -> PlaybackBuffer:
    stream.set_card_rate(card)
    stream.play()
    return stream


STEEPEST = 20_000 / 32_768 * 2 * np.pi * 100 / RATE + 1 / EDGE
"""The steepest step of the sine above under a ramp. Anything steeper is a click."""


@pytest.mark.parametrize("block", [1, 64, 441, 4096])
def test_every_sample_comes_once_between_two_ramps(block: int) -> None:
    stream = opened(PlaybackBuffer(RATE))
    wave = sine(0.5)
    stream.append(wave)
    stream.mark_complete()
    out = heard(stream, 0.6, block)
    np.testing.assert_array_equal(out[EDGE : len(wave) - EDGE] * 32_768, wave[EDGE:-EDGE])
    assert not out[len(wave) :].any() and np.abs(np.diff(out)).max() < STEEPEST
    assert stream.has_ended and stream.underruns == 0 and stream.position == pytest.approx(0.5)


def test_sound_at_another_rate_is_resampled_without_seams() -> None:
    """It also holds after a minute: made in pieces of 20 ms, nothing drifts."""
    stream = PlaybackBuffer(16_000)
    wave = sine(60, 16_000)
    opened(stream, CARD)
    parts = []
    for piece in np.array_split(wave, 3_001):
        stream.append(piece)
        if stream.buffered_seconds > 0.2:
            parts.append(heard(stream, 0.03, 480, CARD))
    stream.mark_complete()
    out = np.concatenate([*parts, heard(stream, 1.2, 480, CARD)])
    wanted = soxr.resample(wave.astype(np.float32) / 32_768, 16_000, CARD)
    edge = round(RAMP * CARD)
    assert stream.underruns == 0
    assert np.abs(out[edge : len(wanted) - edge] - wanted[edge:-edge]).max() < 3e-6  # 100 dB below the sine


def test_an_underrun_fades_out_waits_for_samples_and_continues() -> None:
    stream = opened(PlaybackBuffer(RATE))
    wave = sine(1)
    half = len(wave) // 2
    stream.append(wave[:half])
    first = heard(stream, 0.7)
    assert stream.underruns == 1 and stream.is_silent and not first[half:].any()
    stream.append(wave[half : half + round(START_BUFFER_SECONDS * RATE / 2)])
    assert not heard(stream, 0.1).any()
    stream.append(wave[half + round(START_BUFFER_SECONDS * RATE / 2) :])
    stream.mark_complete()
    second = heard(stream, 0.7)
    np.testing.assert_array_equal(second[EDGE : half - EDGE] * 32_768, wave[half + EDGE : -EDGE])
    assert max(np.abs(np.diff(part)).max() for part in (first, second)) < STEEPEST
    assert stream.underruns == 1 and stream.has_ended


def test_playback_ends_if_less_than_a_ramp_is_left_after_a_gap() -> None:
    stream = opened(PlaybackBuffer(16_000), CARD)
    stream.append(sine(0.5, 16_000))
    heard(stream, 0.7, 480, CARD)
    assert stream.underruns == 1 and stream.is_silent and not stream.has_ended
    stream.mark_complete()  # a little of what was held back for resampling comes now
    assert not heard(stream, 0.1, 480, CARD).any()
    assert stream.has_ended


def test_pausing_and_seeking_never_click() -> None:
    stream = opened(PlaybackBuffer(RATE))
    stream.append(sine(2))
    out = [heard(stream, 0.2)]
    stream.pause()
    out.append(heard(stream, 0.1))
    assert stream.is_silent and stream.position == pytest.approx(0.2 + RAMP, abs=0.001)
    stream.play()
    out.append(heard(stream, 0.1))
    stream.seek(1.5)
    assert stream.position == 1.5
    out.append(heard(stream, 0.1))
    assert stream.position == pytest.approx(1.6 - RAMP, abs=0.001)
    stream.seek(99)
    out.append(heard(stream, 0.1))
    assert stream.position == 2
    whole = np.concatenate(out)
    assert np.abs(np.diff(whole)).max() < STEEPEST and np.abs(whole[-RATE // 50 :]).max() == 0


def test_replaced_samples_are_heard_from_their_place_on_without_a_seam() -> None:
    stream = opened(PlaybackBuffer(RATE))
    wave = sine(1)
    stream.append(wave)
    before = heard(stream, 0.2)
    first = stream.first_replaceable + 100
    assert stream.replace_from(first, -wave[first : first + 5000])
    assert len(stream.samples) == first + 5000
    after = heard(stream, 0.1)
    wanted = np.concatenate((wave[:first], -wave[first:]))
    out = np.rint(np.concatenate((before, after)) * 32_768)
    np.testing.assert_array_equal(out[EDGE:], wanted[EDGE : len(out)])
    assert stream.underruns == 0


def test_samples_that_the_card_received_are_not_replaced() -> None:
    stream = opened(PlaybackBuffer(RATE))
    wave = sine(1)
    stream.append(wave)
    heard(stream, 0.2)
    assert not stream.replace_from(stream.first_replaceable - 1, -wave[:5000])
    np.testing.assert_array_equal(stream.samples, wave)
    stream.pause()
    heard(stream, 0.1)
    first = round(stream.position * RATE)
    assert first < stream.first_replaceable and stream.replace_from(first, -wave[:5000]), (
        "in silence nothing of it was heard"
    )
    stream.play()
    out = heard(stream, 0.1)
    np.testing.assert_array_equal(np.rint(out[EDGE:] * 32_768), -wave[EDGE : len(out)])


@pytest.mark.parametrize("late", [0.0, 0.01])
def test_the_card_waits_for_new_samples_as_long_as_it_has_enough(late: float) -> None:
    stream = opened(PlaybackBuffer(RATE))
    wave = sine(1)
    half = len(wave) // 2
    stream.append(wave[:half])
    before = heard(stream, 0.48)

    def more() -> None:
        time.sleep(late)
        for piece in np.array_split(wave[half:], 20):
            stream.append(piece)
        stream.mark_complete()

    maker = threading.Thread(target=more)
    maker.start()
    out = np.zeros(round(0.1 * RATE), np.float32)
    stream.fill(out, time.monotonic() + 60)
    maker.join()
    whole = np.rint(np.concatenate((before, out)) * 32_768)
    np.testing.assert_array_equal(whole[EDGE:], wave[EDGE : len(whole)])
    assert stream.underruns == 0


def test_the_card_never_waits_before_the_start_after_a_pause_or_at_the_end() -> None:
    """Otherwise this would take minutes."""
    out = np.zeros(round(0.2 * RATE), np.float32)
    for end in (PlaybackBuffer.pause, PlaybackBuffer.mark_complete, lambda stream: stream.seek(0.15)):
        stream = opened(PlaybackBuffer(RATE))
        stream.fill(out, time.monotonic() + 600)
        assert not out.any()
        stream.append(sine(0.15))
        heard(stream, 0.05)
        end(stream)
        stream.fill(out, time.monotonic() + 600)
        assert out.any() and stream.underruns == 0


def test_samples_that_will_soon_be_resampled_are_known_from_the_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("studio.media.sounds.playback.time.monotonic", lambda: now)
    stream = opened(PlaybackBuffer(16_000), CARD)
    assert stream.first_replaceable_after(1.0) == 0, "no card has asked"
    stream.append(sine(1, 16_000))
    heard(stream, 0.1, 960, CARD)
    free = stream.first_replaceable
    for seconds, blocks in ((0.0, 0), (0.019, 0), (0.021, 1), (0.041, 2)):
        assert stream.first_replaceable_after(seconds) == free + 320 * blocks
    now += 0.015
    assert stream.first_replaceable_after(0.01) == free + 320
    now += 1.0  # it is late, so it may ask at once
    assert stream.first_replaceable_after(0.019) == free + 320
    heard(stream, 0.02, 960, CARD)
    assert stream.first_replaceable == free + 320


def test_resampling_holds_back_a_few_milliseconds() -> None:
    """Samples that are held back cannot be changed any more."""
    stream = opened(PlaybackBuffer(16_000), RATE)
    stream.append(sine(1, 16_000))
    for _ in range(20):
        heard(stream, 0.02, RATE // 50)
        assert 0 < stream.first_replaceable / 16_000 - stream.position < 0.012


def test_nan_and_too_loud_samples_never_reach_the_card() -> None:
    stream = opened(PlaybackBuffer(RATE))
    wave = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5], np.float32)
    stream.append(np.tile(wave, 4000))
    out = heard(stream, 0.4)
    assert np.isfinite(out).all()
    assert 0.8 < np.abs(out).max() <= CEILING
    up = np.linspace(-1, 1, 2001, dtype=np.float32)
    bent = limit_level(up)
    assert (np.diff(bent) > 0).all() and np.abs(bent).max() <= CEILING
    assert np.array_equal(bent[np.abs(up) <= KNEE], up[np.abs(up) <= KNEE])


def test_playback_continues_on_another_card_at_the_same_place() -> None:
    stream = opened(PlaybackBuffer(RATE))
    stream.append(sine(2))
    heard(stream, 0.5)
    stream.set_card_rate(CARD)
    assert stream.position == pytest.approx(0.5, abs=0.001)
    assert heard(stream, 0.1, 480, CARD).any()
    assert stream.position == pytest.approx(0.6, abs=0.001)


# ── on a sound card of our own ───────────────────────────────────────────────────────────────────


def test_sound_generated_during_playback_is_heard_sample_for_sample(recording: Recorder) -> None:
    """A thread makes it in pieces of 20 ms at twice the playback speed."""
    stream = PlaybackBuffer(RATE)
    player = Speaker()
    wave = (np.arange(round(1.5 * RATE)) % 15_000 + 5_000).astype(np.int16)

    def make() -> None:
        for piece in np.split(wave, 75):
            stream.append(piece)
            time.sleep(0.01)
        stream.mark_complete()

    maker = threading.Thread(target=make)
    player.open(stream, latency=0.2)
    time.sleep(0.3)  # a null sink whose first stream begins takes back what its monitor has already received
    maker.start()
    stream.play()
    end = time.monotonic() + LIMIT
    while not stream.has_ended and time.monotonic() < end:
        time.sleep(0.02)
    maker.join()
    time.sleep(0.3)
    assert player.fault() == ""
    player.close()
    skip_if_gaps(player.underruns, stream.underruns)
    out = np.rint(recording() * 32_768).astype(int)
    at = int(np.flatnonzero(out)[0]) - 1 + EDGE  # the first sample of a ramp is silent
    told = out[at : at + len(wave) - 2 * EDGE]
    np.testing.assert_array_equal(told, wave[EDGE:-EDGE])


def test_ten_seconds_at_another_rate_are_played_unchanged(recording: Recorder) -> None:
    """An engine makes it in pieces of 20 ms, a little ahead of playback.

    What equals the original has no gap and no click.
    """
    seconds = 10
    rate = 16_000
    ahead = 0.5
    stream = PlaybackBuffer(rate)
    player = Speaker()
    generator = np.random.default_rng(0)
    at = np.arange(seconds * rate) / rate
    wave = sum(
        np.sin(2 * np.pi * (hertz * at + np.sin(at * slow))) for hertz, slow in generator.uniform(1, 400, (4, 2))
    )
    wave = np.rint(5_000 * np.asarray(wave)).astype(np.int16)
    player.open(stream, latency=0.3)
    stream.play()
    for piece in np.split(wave, seconds * 50):
        stream.append(piece)
        while stream.buffered_seconds > ahead:
            time.sleep(0.005)
    stream.mark_complete()
    while not stream.has_ended and not player.fault():
        time.sleep(0.02)
    time.sleep(0.5)
    fault = player.fault()
    gaps = player.underruns
    player.close()
    skip_if_gaps(gaps, stream.underruns)
    out = np.rint(recording() * 32_768)
    wanted = np.rint(soxr.resample(wave.astype(np.float32) / 32_768, rate, RATE) * 32_768)
    assert fault == "" and len(out) > len(wanted)
    second = wanted[RATE : 2 * RATE]
    size = 2 * len(out)
    found = np.fft.irfft(np.conj(np.fft.rfft(second, size)) * np.fft.rfft(out, size))
    begin = int(found.argmax()) - RATE
    start = RATE // 10  # until the card and its recorder both run
    differs = np.abs(out[begin + start : begin + len(wanted) - EDGE] - wanted[start:-EDGE]) > 1
    assert not differs.any(), f"{differs.sum()} samples from {np.flatnonzero(differs)[0] / RATE:.2f} s on"


def test_a_removed_card_pauses_playback_and_another_card_continues(sound_card: Daemon) -> None:
    stream = PlaybackBuffer(16_000)
    player = Speaker()
    stream.append(sine(60, 16_000))
    stream.play()
    for _ in range(3):
        player.open(stream)
        before = stream.position
        end = time.monotonic() + LIMIT
        while stream.position <= before + 0.05 and time.monotonic() < end:
            time.sleep(0.01)
        assert player.fault() == "" and stream.position > before
        sound_card.kill()
        gone = time.monotonic()
        while not player.fault() and time.monotonic() < gone + LIMIT:
            time.sleep(0.02)
        assert "was removed" in player.fault()
        player.close()
        with pytest.raises(NoSoundOutput, match="Everything else works"):
            player.open(stream)
        sound_card.start()
