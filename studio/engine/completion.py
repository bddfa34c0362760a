"""What a model says of an artwork that is there: what could stand where it is to be new, and what each part costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.engine import sampling
from studio.engine.artworks import Misfit, to_arrays
from studio.engine.sampling import Loaded
from studio.wire.messages import Array


def kept(loaded: Loaded, picture: Array, free: Array) -> Tensor:
    """Levels `(C, H, W)` of a picture, -1 where `free` `(H, W)` is above 0: there it is made anew.

    Raises Misfit where the model can keep nothing, or where picture or part do not fit.
    """
    if not loaded.model.keeps:
        raise Misfit(
            f'"{loaded.card.title}" makes the whole artwork at once and can keep no part of it; '
            "take a model that draws pixel by pixel"
        )
    x = sampling.levels_of(loaded, picture[None])[0].int()
    if free.shape != tuple(x.shape[1:]):
        height, width = x.shape[1:]
        raise Misfit(f"what is to be made anew is marked on {free.shape}, but the picture is {(height, width)}")
    if not free.any():
        raise Misfit("nothing is marked to be made anew, so the picture stays as it is; mark a part of it")
    if free.all():
        raise Misfit("all is marked to be made anew, so nothing of the picture is kept; make new pictures instead")
    return x.masked_fill(torch.from_numpy(free.astype(bool)).to(x.device), -1)


@torch.inference_mode()
def draw(
    loaded: Loaded, keep: Tensor, seeds: Sequence[int], temperature: Sequence[float], label: int | None = None
) -> Iterator[tuple[Array, int, int]]:
    """Completions for seeds `(n, *outward shape)`, with the steps done and in all, after each step."""
    model, heat = loaded.model, sampling.temperature_of(loaded.model, temperature)
    c = sampling.classes_for(loaded, seeds, label)
    for step in model.decode_steps(model.noise(seeds), c, heat, keep.expand(len(seeds), *keep.shape)):
        yield to_arrays(step.x, model.levels), step.done, step.total


@dataclass(frozen=True)
class Score:
    """ln p of an artwork in nats, the bits of each place `(H, W)` or `(samples,)`, and the class it was taken for."""

    log_prob: float
    bits: Array
    label: int | None


@torch.inference_mode()
def scored(loaded: Loaded, array: Array, label: int | None = None) -> Iterator[Score | None]:
    """What an artwork costs: None after each small step, then the result."""
    x = sampling.levels_of(loaded, array[None])
    c = yield from sampling.class_of(loaded, x, label)
    bits = loaded.model.surprisal(x, c)[0].double()
    log_prob = float("nan")
    for found in loaded.model.log_prob_steps(x, c):
        yield None
        log_prob = log_prob if found is None else float(found[0])
    places = bits.sum(0) if bits.dim() == 3 else bits
    yield Score(log_prob, places.float().cpu().numpy(), None if c is None else int(c[0]))
