"""Encode an artwork as a latent that decodes back to it, given its likeliest class."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.flow import Flow
from studio.density.model import Model
from studio.density.pyramid import Pyramid
from studio.engine.generation.sampling import LoadedModel, classes_for, condition_of, levels_of_artworks
from studio.wire.messages import Array

LATENT_SEARCHES = 16
"""The most batches of other latents that are tried if an artwork does not decode back."""
LATENTS_AT_ONCE = 16
"""Latents that are tried at a time: a MAF decodes 16 in little more time than one."""
CLASS_SECONDS = 1.0
"""Length in seconds of the end of a recording that decides its class."""


def likeliest_class(loaded: LoadedModel, x: Tensor, label: int | None) -> Generator[None, None, Tensor | None]:
    """Return the class (1,) of one artwork x, in small steps: the given one, or the one under which it is likeliest.

    Of a recording only the last second is priced, because that takes long under each class. Of a pyramid the
    coarse picture decides, because its details do not depend on the class.
    """
    c = classes_for(loaded, [0], label)
    if label is not None or c is None:
        return c
    model, x = _base_of(loaded.model, x)
    if isinstance(loaded.model, AutoregressiveSound) and loaded.card.sample_rate:
        x = x[:, -round(CLASS_SECONDS * loaded.card.sample_rate) :]
    log_probs = []
    for number in range(model.classes):
        log_prob = torch.zeros(1)
        for found in model.log_prob_steps(x, condition_of(loaded, torch.full_like(c, number), x)):
            yield None
            log_prob = log_prob if found is None else found
        log_probs.append(float(log_prob))
    return torch.full_like(c, log_probs.index(max(log_probs)))


def _base_of(model: Model, x: Tensor) -> tuple[Model, Tensor]:
    """Return the base of a pyramid and the coarse pictures of x; for other models, the model and x."""
    return (model.base, model.upsampler.coarse(x)) if isinstance(model, Pyramid) else (model, x)


def _level_differences(model: Model, x: Tensor, z: Tensor, c: Tensor | None) -> Generator[None, None, Tensor]:
    """Return how many levels each entry of artworks x differs from its decoded latent z."""
    differences = torch.zeros_like(x, dtype=torch.int32)
    for step in model.decode_steps(z, c):
        yield None
        differences = (step.x.int() - x.int()).abs()
    return differences


def _best_latent(model: Flow, x: Tensor, c: Tensor | None, seed: int) -> Generator[None, None, Tensor]:
    """Find the latent that decodes best to an artwork x `(1, *shape)`, in small steps."""
    many = x.expand(LATENTS_AT_ONCE, *x.shape[1:])
    classes = None if c is None else c.expand(LATENTS_AT_ONCE)
    z = model.encode(many, classes, model.dequantisation_points(many, seed))
    yield None
    differences = yield from _level_differences(model, many, z, classes)
    best = int((differences > 0).flatten(1).sum(1).argmin())
    return z[best : best + 1]


@dataclass(frozen=True)
class EncodedArtwork:
    """Holds an artwork's latent `latent_shape`, its class, and how exactly it decodes back."""

    latent: Array
    label: int | None
    differing: int
    total: int
    largest_difference: int
    bits: float


@torch.inference_mode()
def encode_artwork(
    loaded: LoadedModel, array: Array, label: int | None = None, *, search: bool = False
) -> Iterator[EncodedArtwork | None]:
    """Encode an artwork, decode it again and compare: yield None after each small step, then the result.

    If the latent does not decode to the artwork, `search` tries other ones: a flow has a latent for every point of
    the artwork's levels.
    """
    model = loaded.model
    x = levels_of_artworks(loaded, array[None])
    classes = yield from likeliest_class(loaded, x, label)
    c = condition_of(loaded, classes, x)
    z = torch.zeros(1)
    for latent in model.encode_steps(x, c):
        yield None
        z = z if latent is None else latent
    differences = yield from _level_differences(model, x, z, c)
    base, coarse = _base_of(model, x)
    if search and isinstance(base, Flow):
        for seed in range(LATENT_SEARCHES):
            if not differences.any():
                break
            other = yield from _best_latent(base, coarse, c, seed)
            if isinstance(model, Pyramid):
                other = model.join_latent(other, model.detail_latent(z))
            differs = yield from _level_differences(model, x, other, c)
            if not differs.any():
                z = other
                differences = differs
    finite = bool(torch.isfinite(z).all())
    log_prob = torch.tensor([math.nan])
    for found in model.log_prob_steps(x, c):
        yield None
        log_prob = log_prob if found is None else found
    bits = -float(log_prob[0]) / math.log(2)
    yield EncodedArtwork(
        z[0].cpu().numpy(),
        None if classes is None else int(classes[0]),
        int((differences > 0).sum()) if finite else differences.numel(),
        differences.numel(),
        int(differences.max()),
        bits if math.isfinite(bits) else 0.0,
    )
