"""Describes a training in one word, by the bits of held-out artworks."""

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
"""The number of successive figures that must agree before the word changes."""
SLOW_SHARE = 0.15
READY_SHARE = 0.02
"""Shares of the whole gain so far. A smaller gain within three figures is slow, or counts as none."""
TROUBLE_BITS = 0.1
"""A rise above the first figure, in bits per dimension."""


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
    """Return the meaning of a word, and what to do. `things` is `pictures` or `sounds`."""
    return ADVICE[verdict].format(things=things)


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
