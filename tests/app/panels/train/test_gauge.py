"""Tests that the gauge describes a training in a word, and that the word does not jump."""

import pytest

from studio.app.panels.train.gauge import VERDICTS, advice, judge

FALLING = [8.0 - 0.5 * n for n in range(8)]
SLOWER = [8.0, 6.0, 5.0, 4.6, 4.5, 4.42, 4.36, 4.31, 4.27, 4.24]


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ([], "Learning"),
        ([8.0, 7.0], "Learning"),
        (FALLING, "Learning"),
        (SLOWER, "Slowing"),
        ([8.0, 6.0, 5.0, 4.0, *[3.99] * 6], "Ready"),
        ([8.0, 6.0, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5], "Memorising"),
        ([4.0, 4.0, 4.0, 4.0, 4.5, 4.4, 4.6, 4.5], "In trouble"),
    ],
)
def test_held_out_figures_become_a_word(figures: list[float], word: str) -> None:
    assert judge(figures) == word


def test_the_word_changes_only_if_three_figures_agree() -> None:
    rising = [4.1, 4.2, 4.3, 4.4]
    words = [judge([8.0, 7.0, 6.0, 5.0, 4.0, *rising, 4.5][:end]) for end in range(1, 11)]
    assert words.count("Memorising") == 1, "it needs three figures, each after three that rise"
    assert judge([*FALLING, FALLING[-1] + 0.3]) == "Learning", "one odd figure changes nothing"


def test_every_word_says_what_it_means() -> None:
    for word in VERDICTS:
        for sentence in advice(word, "pictures").rstrip(".").split(". "):
            assert 2 <= len(sentence.split()) <= 12
        assert "{" not in advice(word, "sounds")
    copied = [True] * 16
    for sentence in advice("Memorising", "pictures", copied).rstrip(".").split(". "):
        assert 2 <= len(sentence.split()) <= 12
    assert advice("Memorising", "pictures", copied) != advice("Memorising", "pictures")


@pytest.mark.parametrize(
    ("copied", "samples", "word"),
    [(0, 16, "Learning"), (3, 16, "Learning"), (4, 16, "Memorising"), (1, 3, "Learning"), (2, 3, "Memorising")],
)
def test_many_copies_mean_that_it_memorises(copied: int, samples: int, word: str) -> None:
    assert judge(FALLING, [place < copied for place in range(samples)]) == word


def test_copies_do_not_hide_trouble() -> None:
    assert judge([4.0, 4.0, 4.0, 4.0, 4.5, 4.4, 4.6, 4.5], [True] * 16) == "In trouble"
