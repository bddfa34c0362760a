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

    A model that draws entry by entry has no directions: each entry depends on those before it, so a change of the first
    few changes all that follow. An upsampler has none, because its latent holds only noise of details.
    """
    if isinstance(model, Autoregressive | AutoregressiveSound | Upsampler) or isinstance(examples, TrainingRecordings):
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
