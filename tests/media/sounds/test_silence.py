"""Silence at the end of a sound is measured."""

import numpy as np
import pytest

from studio.media.sounds.silence import SILENT_RANGE, silent_tail


@pytest.mark.parametrize("height", [0, 3, -3000, 32_767, -32_768])
def test_a_constant_sound_is_silent(height: int) -> None:
    loud = np.array([-20_000, 20_000] * 50, np.int16)
    assert silent_tail(np.concatenate((loud, np.full(300, height, np.int16)))) >= 300
    assert silent_tail(np.full(300, height, np.int16)) == 300


def test_the_quietest_levels_are_silent_and_a_quiet_tone_is_not() -> None:
    levels = np.random.default_rng(0).choice(np.array([-9, -3, 3, 9], np.int16), 1000)
    assert levels.max() - levels.min() == SILENT_RANGE and silent_tail(levels) == 1000
    tone = np.rint(30 * np.sin(np.arange(1000) / 10)).astype(np.int16)
    assert silent_tail(tone) < 100
    assert silent_tail(np.concatenate((tone, levels))) == pytest.approx(1000, abs=100)


def test_an_empty_sound_has_no_silent_tail() -> None:
    assert silent_tail(np.zeros(0, np.int16)) == 0
