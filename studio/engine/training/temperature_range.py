"""Find the temperatures at which a model's works are neither blank nor saturated."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.generation.sampling import recording_temperatures
from studio.engine.levels import to_arrays
from studio.engine.training import gradients
from studio.media.preparation import Palette
from studio.wire.messages import Array

TRIED_TEMPERATURES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""The temperatures that are tried: the whole range of the slider, finest near 1."""
WORKS_PER_TEMPERATURE = 8
"""The number of works drawn at each."""
RECORDING_SECONDS = 2.0
"""The seconds of a recording that are drawn, if a model's usual length is not shorter.

Models of music that fall silent at low temperatures do so within the first second.
"""
TemperatureRange = tuple[float, float]


def looks_blank(work: Array) -> bool:
    """Return whether a picture has one colour, or a sound is silent.

    A picture has one colour if 98 % of it lie within 2 % of the range from black to white. A sound is silent if 98 % of
    its second half lie within 0.2 % of the full range: it began, then became silent.
    """
    share = 0.02
    if work.ndim == 1:
        share = 0.002
        work = work[len(work) // 2 :]
    low, high = np.quantile(work, (0.01, 0.99))
    return bool(high - low <= share * _size(work))


def looks_saturated(work: Array) -> bool:
    """Return whether a work is only black and white, or a clipped sound.

    This is so if 90 % of it lie within 1 % of the ends of the range, and it is not blank.
    """
    info = np.iinfo(work.dtype)
    near = 0.01 * _size(work)
    extreme = (work <= info.min + near) | (work >= info.max - near)
    return bool(extreme.mean() >= 0.9) and not looks_blank(work)


def measure_range(
    draw: Callable[[float], Sequence[Array]], home: float, learned: Sequence[Array]
) -> TemperatureRange | None:
    """Return the lowest and the highest temperature that works; None if `home` does not.

    A temperature works if fewer than half of its works are blank, and fewer than half saturated. Learned works may
    have such a share themselves, which is subtracted: letters are black and white.

    Arguments
        draw: draws works at a temperature, always with the same seeds
        home: the model's own temperature
        learned: some works that it has learned from
    """
    usual = _fault_shares(learned)

    def works(temperature: float) -> bool:
        return all(
            before == 1 or share - before < (1 - before) / 2
            for share, before in zip(_fault_shares(draw(temperature)), usual, strict=True)
        )

    if not works(home):
        return None
    lower = _last_that_works([t for t in reversed(TRIED_TEMPERATURES) if t < home], works)
    higher = _last_that_works([t for t in TRIED_TEMPERATURES if t > home], works)
    return (home if lower is None else lower, home if higher is None else higher)


@torch.inference_mode()
def draw_in_parts(model: Model, seeds: Sequence[int], temperature: float, palette: Palette) -> Array:
    """Draw the artworks of some seeds, fewer at a time if memory runs out. Each depends on its seed alone."""

    def draw(size: int) -> torch.Tensor:
        parts = (seeds[first : first + size] for first in range(0, len(seeds), size))
        return torch.cat([model.sample(part, temperature=temperature) for part in parts])

    return to_arrays(gradients.with_smaller_batches(draw, len(seeds), model.scale_of.device), model.levels, palette)


@torch.inference_mode()
def draw_works(
    model: Model, temperature: float, palette: Palette, rate: int = 0, opening: float = 0.0
) -> Sequence[Array]:
    """Draw works of the first seeds; of recordings only the beginning.

    Its first samples are drawn at `opening` or hotter.
    """
    seeds = range(1, WORKS_PER_TEMPERATURE + 1)
    if not isinstance(model, AutoregressiveSound):
        return list(draw_in_parts(model, seeds, temperature, palette))
    samples = min(round(RECORDING_SECONDS * rate), model.shape[0])
    temperatures = recording_temperatures(model, samples, rate, temperature, opening)
    *_, step = model.sample_steps(seeds, temperature=temperatures, samples=samples)
    return list(to_arrays(step.x, model.levels, palette))


def _fault_shares(works: Sequence[Array]) -> tuple[float, float]:
    """Return the share of works that are blank, and the share that are saturated."""
    count = max(1, len(works))
    return sum(map(looks_blank, works)) / count, sum(map(looks_saturated, works)) / count


def _last_that_works(outward: Sequence[float], works: Callable[[float], bool]) -> float | None:
    """Return the last of these temperatures that works, or None. All before it must work."""
    if not outward or works(outward[-1]):
        return outward[-1] if outward else None
    good = -1
    bad = len(outward) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if works(outward[middle]):
            good = middle
        else:
            bad = middle
    return outward[good] if good >= 0 else None


def _size(work: Array) -> int:
    info = np.iinfo(work.dtype)
    return int(info.max) - int(info.min)
