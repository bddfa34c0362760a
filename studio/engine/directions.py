"""Latent directions that make sliders: where training artworks differ most in latent space."""

import torch
from torch import Tensor

from studio.density.model import Model
from studio.engine.artworks import Examples

COUNT = 12


@torch.no_grad()
def principal(model: Model, examples: Examples, *, batch: int = 32, most: int = 4096) -> Tensor:
    """Principal components of the latents of artworks, `(COUNT, *latent_shape)`, strongest first.

    Each is scaled so that 1 on its slider is one standard deviation of the data along it. The sign
    is set so that the largest entry is positive, which makes the result repeatable.
    """
    parts = examples.part(slice(most)).batches(batch)
    z = torch.cat([model.encode(part.x, part.c).flatten(1) for part in parts])
    z = z - z.mean(0)
    count = min(COUNT, *z.shape)
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)  # svd_lowrank draws its start from the global generator
    _, s, v = torch.svd_lowrank(z, q=min(count + 12, *z.shape), niter=4)
    torch.set_rng_state(generator_state)
    components = v[:, :count].T * (s[:count] / max(len(z) - 1, 1) ** 0.5)[:, None]
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    result: Tensor = (components * largest.sign()).reshape(-1, *model.latent_shape)
    return result
