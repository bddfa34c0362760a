"""Measure how fast a trained model makes artworks, and how long the naive way takes."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from studio.density.autoregressive import Autoregressive
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.bijections.masked_affine import InverseMap, MaskedAffine
from studio.density.bijections.masked_mixture import MaskedMixture
from studio.density.flow import Flow
from studio.density.model import Model

TRIES = 3
ENOUGH = 2.0
"""Runs of which the median counts, and seconds after which no further run is started."""
PART = 0.25
"""Seconds of a recording that are made; the speed is the same throughout."""


def _now() -> float:
    """Return the time in seconds, after a graphics device has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()
    return time.perf_counter()


@dataclass(frozen=True)
class SpeedReport:
    """Holds how many seconds a batch of artworks takes. For recordings, one second of each is made.

    Attributes
        first_seconds: seconds until the first row of pixels is ready; None if pictures are not drawn row by row
        work_seconds: processor seconds for the whole batch; None if pictures are not drawn row by row
        naive_seconds: seconds if the whole network were computed for every entry, estimated from a few measured passes;
            None if one pass makes the whole artwork
    """

    count: int
    total_seconds: float
    first_seconds: float | None
    naive_seconds: float | None
    work_seconds: float | None = None


@torch.inference_mode()
def measure_speed(model: Model, count: int, rate: int = 0) -> SpeedReport:
    """Measure the speed of a batch, and of the naive way in the same run.

    Recordings have a `rate` in Hz.
    """
    if isinstance(model, AutoregressiveSound):
        return _time_recordings(model, count, rate)
    seeds = range(count)
    next(model.sample_steps(seeds))  # compiles the loop and touches its memory
    if not isinstance(model, Autoregressive):
        return SpeedReport(count, _median_time(lambda: model.sample(seeds)), None, _time_naive_flow(model, count))
    first, whole, worked = _time_rows(model, seeds)
    steps = len(model.scale_of[0].flatten()) * (model.shape[0] if model.conditional.colours_by_net else 1)
    seen = torch.zeros_like(model.noise(seeds))
    c = model.draw_classes(seeds)
    return SpeedReport(count, whole, first, steps * _time_once(lambda: model.net(seen, c)), worked)


def _time_rows(model: Autoregressive, seeds: Sequence[int]) -> tuple[float, float, float]:
    """Return the seconds until the first row, until the last row, and of processor time."""
    began = _now()
    working = time.process_time()
    first = 0.0
    for step in model.sample_steps(seeds):
        if step.done and not first:
            first = _now() - began
    return first, _now() - began, time.process_time() - working


def _time_recordings(model: AutoregressiveSound, count: int, rate: int) -> SpeedReport:
    """Measure one second of recordings at a rate in samples a second."""
    samples = round(PART * rate)
    c = model.condition(model.draw_classes(range(count)), count=count)
    z = model.noise(range(count), 2 * samples)
    sampler = model.make_sampler(c, count)
    temperature = torch.ones_like(z[:, :samples])
    sampler.sample(z[:, :samples], temperature)
    began = _now()
    sampler.sample(z[:, samples:], temperature)
    whole = (_now() - began) / PART
    x = torch.full((count, model.receptive_field + 1), model.silence_level, device=z.device)
    return SpeedReport(count, whole, None, rate * _time_once(lambda: model.net.numbers_after_context(x, c)))


def _time_naive_flow(model: Model, count: int) -> float | None:
    """Estimate the naive way: each inverted masked layer takes one pass of its network for every entry."""
    if not isinstance(model, Flow):
        return None
    quick = {id(layer.inner) for layer in model.modules() if isinstance(layer, InverseMap)}
    layers = [layer for layer in model.modules() if isinstance(layer, MaskedAffine | MaskedMixture)]
    slow = [layer for layer in layers if id(layer) not in quick]
    entries = model.scale_of.numel()
    c = model.draw_classes(range(count))
    x = torch.zeros(count, entries, device=model.scale_of.device, dtype=model.dtype)
    passes = [_time_once(lambda layer=layer: layer.net(x, c)) for layer in slow]  # type: ignore[misc]
    return entries * sum(passes) if slow else None


def _time_once(act: Callable[[], object]) -> float:
    """Return the seconds of one pass of a network. An earlier pass is not counted."""
    act()
    return _median_time(act)


def _median_time(act: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < TRIES and sum(times) < ENOUGH:
        began = _now()
        act()
        times.append(_now() - began)
    return statistics.median(times)
