"""Find latent directions for sliders: how training artworks differ most, as seen in their latents."""

import math

import torch
from torch import Tensor

from studio.density.autoregressive import Autoregressive
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.density.upsampler import Upsampler
from studio.engine.levels import TrainingExamples
from studio.engine.training.recordings import TrainingRecordings

DIRECTION_COUNT = 12
RIDGE = 1.0
"""The weight of zero beside the artworks. As much as one artwork, it decides only between attributes that are alike."""


@torch.no_grad()
def attribute_directions(model: Model, examples: TrainingExamples, *, batch: int = 32, most: int = 4096) -> Tensor:
    """Return a direction for each attribute of the artworks, `(attributes, *latent_shape)`.

        D = (AᵀA + RIDGE · I)⁻¹ Aᵀ Z

    with the attributes A, of variance 1, and the latents Z, both less the means of their class. If an artwork exceeds
    another of its class by one standard deviation of an attribute, and all else is equal, its latent differs by the
    attribute's row of D on average. A constant attribute has a direction of zeros.
    """
    if examples.attributes is None or not _has_directions(model):
        return torch.zeros(0, *model.latent_shape)
    known = examples.select(slice(most))
    z = torch.cat([model.encode(part.x, part.c).flatten(1) for part in known.batches(batch)])
    assert known.attributes is not None, "they were selected with the artworks"
    a = known.attributes.to(z)
    a = (a - a.mean(0)) / a.std(0, correction=0).clamp(min=1e-6)
    c = torch.zeros(len(z), dtype=torch.long, device=z.device) if known.c is None else known.c
    a, z = _without_class_means(a, c), _without_class_means(z, c)
    found: Tensor = torch.linalg.solve(a.T @ a + RIDGE * torch.eye(a.shape[1]).to(a), a.T @ z)
    return found.reshape(-1, *model.latent_shape)


def _without_class_means(values: Tensor, c: Tensor) -> Tensor:
    """Return values `(n, columns)` less the mean of their class."""
    sums = values.new_zeros(int(c.max()) + 1, values.shape[1]).index_add_(0, c, values)
    counts = torch.bincount(c).clamp(min=1).to(values)
    return values - (sums / counts[:, None])[c]


def _has_directions(model: Model) -> bool:
    """Return whether sliders can move a model's latents.

    A model that draws entry by entry has no directions: each entry depends on those before it, so a change of the first
    few changes all that follow. An upsampler has none, because its latent holds only noise of details.
    """
    return not isinstance(model, Autoregressive | AutoregressiveSound | Upsampler)


@torch.no_grad()
def principal_directions(
    model: Model, examples: TrainingExamples | TrainingRecordings, *, batch: int = 32, most: int = 4096
) -> Tensor:
    """Return directions `(COUNT, *latent_shape)`, one for each principal component, strongest first.

        d = E[(z - E z) · s]

    with s the artworks' scores along the component, of variance 1. If an artwork differs from the mean by one standard
    deviation along the component, its latent differs by d on average. The latents of a good flow are noise, so their
    own principal components mean nothing. For a linear flow, d moves the artwork exactly along its component. The sign
    makes the component's largest entry positive, so that the result is repeatable.
    """
    if isinstance(examples, TrainingRecordings) or not _has_directions(model):
        return torch.zeros(0, *model.latent_shape)
    known = examples.select(slice(most))
    z = torch.cat([model.encode(part.x, part.c).flatten(1) for part in known.batches(batch)])
    x = known.x.flatten(1).to(z.dtype) / model.levels
    z = z - z.mean(0)
    x = x - x.mean(0)
    count = min(DIRECTION_COUNT, *x.shape)
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)  # svd_lowrank draws its start from the global generator
    u, _, v = torch.svd_lowrank(x, q=min(count + 12, *x.shape), niter=4)
    torch.set_rng_state(generator_state)
    largest = v[:, :count].T.gather(1, v[:, :count].T.abs().argmax(1, keepdim=True))
    scores = u[:, :count] * math.sqrt(len(x)) * largest[:, 0].sign()
    result: Tensor = (scores.T @ z / len(z)).reshape(-1, *model.latent_shape)
    return result
