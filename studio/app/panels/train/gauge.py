"""Says in a word how a training goes, from the bits of artworks that it never learns from."""

from collections.abc import Sequence
from typing import Literal

Verdict = Literal["Learning", "Slowing", "Ready", "Memorising", "In trouble"]
VERDICTS: tuple[Verdict, ...] = ("Learning", "Slowing", "Ready", "Memorising", "In trouble")
ADVICE: dict[Verdict, str] = {
    "Learning": "Unseen {things} get cheaper to describe. Let it continue.",
    "Slowing": "Unseen {things} still get cheaper, but slowly. It is nearly done.",
    "Ready": "Unseen {things} get no cheaper. You can stop and keep the best.",
    "Memorising": "Unseen {things} got dearer three times in a row. The best model is kept.",
    "In trouble": "Unseen {things} cost more than at the beginning. Stop, and try a lower learning rate.",
}
AGREEING = 3
"""How many figures in a row must say the same before the word changes."""
SLOW_SHARE = 0.15
READY_SHARE = 0.02
"""The share of all that was gained so far: less than it within three figures is slow, or next to nothing."""
TROUBLE_BITS = 0.1
"""Bits per dimension above the first figure."""


def judge(figures: Sequence[float]) -> Verdict:
    """Return the word for held-out figures, oldest first. It changes only if three figures agree."""
    word: Verdict = "Learning"
    raw = [_judge_last(figures[: end + 1]) for end in range(len(figures))]
    for end in range(AGREEING, len(raw) + 1):
        latest = raw[end - AGREEING : end]
        if latest.count(latest[0]) == AGREEING:
            word = latest[0]
    return word


def advice(verdict: Verdict, things: str) -> str:
    """Return what a word means and what to do. `things`: `pictures` or `sounds`."""
    return ADVICE[verdict].format(things=things)


def _judge_last(figures: Sequence[float]) -> Verdict:
    """Return what the last figures alone say."""
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
