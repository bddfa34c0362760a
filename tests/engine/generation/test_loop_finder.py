"""The likeliest of many joins is found, and its bits are computed."""

from typing import Any

import numpy as np
import pytest
import torch

from studio.density.autoregressive_sound import StreamingLogProb
from studio.engine.generation import loop_finder
from studio.engine.levels import DoesNotFit, levels_of_sound
from tests.engine.generation.test_sound_job import HUM, MODEL, RATE


def beat(seconds: float) -> np.ndarray:
    """Make a wave whose loudness changes, so that its periods differ."""
    at = np.arange(round(seconds * RATE)) / RATE
    return np.rint(12_000 * np.sin(2 * np.pi * 110 * at) * (1 + 0.5 * np.sin(2 * np.pi * 3 * at))).astype(np.int16)


def found(sound: np.ndarray, begin: int, end: int, label: int | None = 1) -> loop_finder.LoopCandidate:
    *steps, last = loop_finder.find_best_loop(HUM, sound, begin, end, 5, label)
    assert isinstance(last, loop_finder.LoopCandidate) and len(steps) > loop_finder.TRIED_ENDS and not any(steps)
    return last


def cost(sound: np.ndarray, begin: int, end: int) -> float:
    """Compute the cost as defined in studio/engine/generation/loop_finder.py, from whole sounds."""
    x = levels_of_sound(sound, 256)[None].long()
    c = torch.tensor([1])
    count = round(loop_finder.SCORED_SECONDS * RATE)
    after = torch.cat((x[:, :end], x[:, begin : begin + count]), 1)
    joined, stands = (StreamingLogProb(MODEL, c, 1).bits(each)[0] for each in (after, x[:, : begin + count]))
    return float((joined[-count:] - stands[-count:]).sum())


def test_the_best_join_has_no_more_bits_than_the_requested_one() -> None:
    sound = beat(1.0)
    join = found(sound, 2000, 6011)
    assert 300 < join.tried <= 401 and join.bits < join.bits_before
    assert join.bits == pytest.approx(cost(sound, join.begin, join.end), abs=0.05)
    assert join.bits_before == pytest.approx(cost(sound, 2000, 6011), abs=0.05)
    reach = round(loop_finder.SEARCH_SECONDS * RATE)
    assert abs(join.begin - 2000) <= reach and abs(join.end - 6011) <= reach


def test_the_wave_before_both_ends_is_similar() -> None:
    sound = beat(1.0)
    pairs = loop_finder.loop_candidates(sound, 2000, 7344, RATE)
    assert pairs[0] == (2000, 7344) and len(set(pairs)) == len(pairs)
    ends_then_begins = [(b, a) for a, b in pairs[1:]]
    assert ends_then_begins == sorted(ends_then_begins)  # of joins that cost the same, the first is taken
    wide = round(loop_finder.COMPARED_SECONDS * RATE)
    apart = [float(np.abs(sound[a - wide : a].astype(int) - sound[b - wide : b]).mean()) for a, b in pairs]
    assert min(apart) < 200 < apart[0]


@pytest.mark.parametrize(("begin", "end"), [(0, 4000), (2000, 8000)])
def test_a_loop_may_reach_from_the_first_sample_to_the_last(begin: int, end: int) -> None:
    sound = beat(1.0)
    join = found(sound, begin, end)
    assert 0 <= join.begin < join.end <= len(sound)


@pytest.mark.parametrize(("begin", "end"), [(100, 90), (100, 200), (0, 9000)])
def test_an_impossible_loop_is_refused(begin: int, end: int) -> None:
    with pytest.raises(DoesNotFit, match="a loop has at least"):
        list(loop_finder.find_best_loop(HUM, beat(1.0), begin, end, 5, 1))


def test_a_file_that_is_not_a_sound_is_refused(tiny: str) -> None:
    wrong: Any = np.zeros((2, 8000), np.int16)
    with pytest.raises(DoesNotFit, match="16-bit samples"):
        list(loop_finder.find_best_loop(HUM, wrong, 0, 4000, 5, 1))
