"""Levels of sounds and pictures equal values that were computed by hand."""

import numpy as np
import torch

from studio.engine.levels import levels_of_sound, sound_of_levels, to_levels


def test_levels_by_mu_law_are_those_of_its_formula() -> None:
    """Of a height s the level is ⌊(1 + sign(s) · ln(1 + 255 |s|) / ln 256) / 2 · 255 + ½⌋ (ITU-T G.711's law)."""
    samples = np.array([-32768, -16384, -3277, -328, 0, 328, 3277, 16384, 32767], np.int16)
    assert levels_of_sound(samples, 256).tolist() == [0, 16, 52, 98, 128, 157, 203, 239, 255]


def test_every_sample_of_16_bits_has_the_level_of_the_formula() -> None:
    every = np.arange(-32_768, 32_768).astype(np.int16)
    height = every / 32_768
    compressed = np.sign(height) * np.log1p(255 * np.abs(height)) / np.log(256)
    levels = levels_of_sound(every, 256)
    assert levels.dtype == torch.uint8
    assert np.array_equal(levels.numpy(), np.floor((1 + compressed) / 2 * 255 + 0.5).astype(np.uint8))


def test_every_level_has_the_sample_of_the_formula() -> None:
    level = np.arange(256)
    compressed = level / 255 * 2 - 1
    height = np.sign(compressed) * np.expm1(np.abs(compressed) * np.log(256)) / 255
    wanted = np.clip(np.round(height * 32_768), -32_768, 32_767)
    assert np.array_equal(sound_of_levels(torch.from_numpy(level), 256), wanted.astype(np.int16))


def test_samples_by_mu_law_are_those_of_its_formula() -> None:
    """Of a level at height c in [-1, 1] the sample is sign(c) · (256^|c| - 1) / 255 · 32,768."""
    assert sound_of_levels(torch.tensor([0, 127, 128, 191, 220, 255]), 256).tolist() == [
        -32768,
        -3,
        3,
        1905,
        7051,
        32767,
    ]


def test_even_levels_divide_the_range_into_equal_parts() -> None:
    samples = np.array([-32768, -16385, -16384, -1, 0, 16383, 16384, 32767], np.int16)
    assert levels_of_sound(samples, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sound_of_levels(torch.arange(4), 4).tolist() == [-24576, -8192, 8192, 24576]


def test_levels_of_pictures_divide_the_greys_into_equal_parts() -> None:
    picture = np.array([0, 63, 64, 127, 128, 191, 192, 255], np.uint8).reshape(1, 2, 4, 1)
    assert to_levels(picture, (1, 2, 4), 4, ()).flatten().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert to_levels(picture, (1, 2, 4), 256, ()).flatten().tolist() == picture.flatten().tolist()
