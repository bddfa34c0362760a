"""At which temperatures a model draws works that are neither blank nor saturated, found by drawing some."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from studio.density.model import Model
from studio.density.sound import AutoregressiveSound
from studio.engine.artworks import to_arrays
from studio.wire.messages import Array

TRIED = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""The temperatures among which the ends of the range are looked for: all of the dial, finest near 1."""
WORKS = 8
"""How many works are drawn at each."""
SECONDS = 2.0
"""How much of a recording is drawn, if a model makes as much at once. Models of music that fall silent when cold do so
within the first second."""
Range = tuple[float, float]


def blank(work: Array) -> bool:
    """Whether 98 % of a picture lies within 2 % of what there is between black and white; whether a sound is silent.

    A sound is silent if 98 % of its second half lies within 0.2 % of the whole height: it began, and went out.
    """
    if work.ndim == 1:
        work, share = work[len(work) // 2 :], 0.002
    else:
        share = 0.02
    low, high = np.quantile(work, (0.01, 0.99))
    return bool(high - low <= share * _size(work))


def saturated(work: Array) -> bool:
    """Whether 90 % of a work lies within 1 % of an end, but it is not blank: black with white, a clipped sound."""
    info, near = np.iinfo(work.dtype), 0.01 * _size(work)
    extreme = (work <= info.min + near) | (work >= info.max - near)
    return bool(extreme.mean() >= 0.9) and not blank(work)


def measured(draw: Callable[[float], Sequence[Array]], home: float, learned: Sequence[Array]) -> Range | None:
    """The lowest and the highest temperature that works; None if not even the model's own does.

    A temperature works if fewer than half of its works are blank, and fewer than half saturated. What learned works
    are themselves does not count: letters are black and white.

    Arguments
        draw: draws works at a temperature, always with the same seeds
        home: the model's own temperature
        learned: some works that it has learned from
    """
    usual = _shares(learned)

    def works(temperature: float) -> bool:
        return all(
            before == 1 or share - before < (1 - before) / 2
            for share, before in zip(_shares(draw(temperature)), usual, strict=True)
        )

    if not works(home):
        return None
    lower = _last([t for t in reversed(TRIED) if t < home], works)
    higher = _last([t for t in TRIED if t > home], works)
    return (home if lower is None else lower, home if higher is None else higher)


@torch.inference_mode()
def drawn(model: Model, temperature: float, rate: int = 0, opening: float = 0.0) -> Sequence[Array]:
    """Works of the first seeds; of a recording its beginning, whose first 2 ms are at `opening` or hotter."""
    seeds = range(1, WORKS + 1)
    if not isinstance(model, AutoregressiveSound):
        return list(to_arrays(model.sample(seeds, temperature=temperature), model.levels))
    samples = min(round(SECONDS * rate), model.shape[0])
    heat = torch.full((samples,), temperature, device=model.scale_of.device, dtype=model.dtype)
    heat[: round(0.002 * rate)] = max(temperature, opening)
    *_, step = model.sample_steps(seeds, temperature=heat, samples=samples)
    return list(to_arrays(step.x, model.levels))


def _shares(works: Sequence[Array]) -> tuple[float, float]:
    """The shares of works that are blank, and that are saturated."""
    return tuple(sum(map(fault, works)) / max(1, len(works)) for fault in (blank, saturated))  # type: ignore[return-value]


def _last(outward: Sequence[float], works: Callable[[float], bool]) -> float | None:
    """The last of these temperatures that works, if all before it do; None if none does."""
    if not outward or works(outward[-1]):
        return outward[-1] if outward else None
    good, bad = -1, len(outward) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if works(outward[middle]) else (good, middle)
    return outward[good] if good >= 0 else None


def _size(work: Array) -> int:
    info = np.iinfo(work.dtype)
    return int(info.max) - int(info.min)
