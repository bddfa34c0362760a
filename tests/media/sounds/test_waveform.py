"""Drawings of single cycles follow the wave."""

import numpy as np

from studio.media.sounds import waveform
from studio.media.sounds.wavetable import FULL


def line_of(picture: np.ndarray) -> np.ndarray:
    """Return the middle row of the line in every column."""
    dark = picture[..., 0] < 128
    rows = np.arange(len(dark))[:, None]
    return np.asarray((rows * dark).sum(0) / dark.sum(0))


def test_the_line_follows_the_wave_from_left_to_right() -> None:
    phase = np.arange(256) / 256 * 2 * np.pi
    picture = waveform.draw_cycle((np.sin(phase) * 0.8 * FULL).astype(np.int16))
    assert (picture.shape, picture.dtype) == ((waveform.HEIGHT, waveform.WIDTH, 1), np.uint8)
    x = np.arange(waveform.WIDTH) / waveform.WIDTH * 2 * np.pi
    expected = waveform.HEIGHT / 2 * (1 - 0.8 * waveform.ROOM * np.sin(x))
    assert np.abs(line_of(picture) - expected).max() < 2


def test_a_silent_wave_is_a_line_through_the_middle_and_the_loudest_stays_inside() -> None:
    silent = waveform.draw_cycle(np.zeros(64, np.int16))
    assert np.abs(line_of(silent) - waveform.HEIGHT / 2).max() < 1
    loud = waveform.draw_cycle(np.repeat(np.array([FULL - 1, -FULL], np.int16), 128))
    assert loud.min() < 128
