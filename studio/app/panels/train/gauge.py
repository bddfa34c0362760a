"""Describes a training in one word.

The bits of held-out artworks and the copies among its samples decide."""

from collections.abc import Sequence
from typing import Literal

Verdict = Literal["Learning", "Slowing", "Ready", "Memorising", "In trouble"]
VERDICTS: tuple[Verdict, ...] = ("Learning", "Slowing", "Ready", "Memorising", "In trouble")
ADVICE: dict[Verdict, str] = {
    "Learning": "It gets better at unseen {things}. Let it continue.",
    "Slowing": "It still gets better at unseen {things}, but slowly. It is nearly done.",
    "Ready": "It gets no better at unseen {things}. You can stop and keep the best.",
    "Memorising": "It got worse at unseen {things} three times in a row. The best model is kept.",
    "In trouble": "It is worse at unseen {things} than at the beginning. Stop, and try a lower learning rate.",
}
COPYING_ADVICE = "Samples are copies of training {things}. Stop and keep the best, or add {things}."
AGREEING = 3
"""The number of successive figures that must agree before the word changes."""
SLOW_SHARE = 0.15
READY_SHARE = 0.02
"""Shares of the whole gain so far. A smaller gain within three figures is slow, or counts as none."""
TROUBLE_BITS = 0.1
"""A rise above the first figure, in bits per dimension."""
COPIED_SHARE = 0.25
"""A model memorises if at least this share of its samples are copies.

One held-out emoji in ten also counts as a copy, because the model learned the same emoji in another style.
"""
LEAST_COPIED = 2
"""The least number of copies by which a model memorises, however few samples there are."""


def judge(figures: Sequence[float], copied: Sequence[bool] = ()) -> Verdict:
    """Return the word for held-out figures, oldest first. It changes only if three figures agree.

    Arguments
        copied: whether each of the newest samples is a copy of a training artwork
    """
    word: Verdict = "Learning"
    raw = [_judge_last(figures[: end + 1]) for end in range(len(figures))]
    for end in range(AGREEING, len(raw) + 1):
        latest = raw[end - AGREEING : end]
        if latest.count(latest[0]) == AGREEING:
            word = latest[0]
    return "Memorising" if word != "In trouble" and is_copying(copied) else word


def is_copying(copied: Sequence[bool]) -> bool:
    """Return whether too many samples are copies for it to be chance."""
    return sum(copied) >= max(LEAST_COPIED, COPIED_SHARE * len(copied))


def advice(verdict: Verdict, things: str, copied: Sequence[bool] = ()) -> str:
    """Return the meaning of a word, and what to do. `things` is `pictures` or `sounds`."""
    is_copy = verdict == "Memorising" and is_copying(copied)
    return (COPYING_ADVICE if is_copy else ADVICE[verdict]).format(things=things)


def _judge_last(figures: Sequence[float]) -> Verdict:
    """Return the word for the last figures alone."""
    if len(figures) <= AGREEING:
        return "Learning"
    first, last, best = figures[0], figures[-1], min(figures)
    before = figures[-1 - AGREEING]
    if last > first + TROUBLE_BITS:
        return "In trouble"
    if all(later > earlier for earlier, later in zip(figures[-4:], figures[-3:], strict=False)):
        return "Memorising"
    gained = first - best
    recent = before - min(figures[-AGREEING:])
    if recent <= READY_SHARE * gained:
        return "Ready"
    return "Slowing" if recent < SLOW_SHARE * gained else "Learning"
