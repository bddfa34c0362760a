"""Held-out figures, as the papers count them."""

import math

import torch
from torch import Tensor

from studio.density.flow import Flow
from studio.density.linear import BatchNorm
from studio.density.model import Model


@torch.no_grad()
def bits_of_each(model: Model, x: Tensor, *, batch: int = 32, draws: int = 1, seed: int = 0) -> Tensor:
    """Bits of each artwork, `(n,)`. A flow's price is averaged over `draws` of the dequantising noise."""
    generator = torch.Generator().manual_seed(seed)
    prices = []
    for part in torch.split(x, batch):
        total = torch.zeros(len(part), device=part.device)
        for _ in range(draws):
            if isinstance(model, Flow):
                u = torch.rand(part.shape, generator=generator).to(part.device, model.dtype)
                total += model.log_prob(part, u=u)
            else:
                total += model.log_prob(part)
        prices.append(-total / draws / math.log(2))
    return torch.cat(prices)


def bits_per_dimension(model: Model, x: Tensor, *, batch: int = 32, draws: int = 1) -> float:
    """Mean bits of each entry over artworks x `(n, *shape)`."""
    return float(bits_of_each(model, x, batch=batch, draws=draws).double().mean()) / math.prod(model.shape)


@torch.no_grad()
def settle(model: Model, x: Tensor, *, batch: int = 64) -> None:
    """Gives averaged weights the batch-norm statistics that belong to them, from training data x.

    Averages of statistics are not the statistics of averaged weights (Izmailov et al., 2018,
    arXiv:1803.05407, section 3.2), and a flow's likelihood depends on them directly.
    """
    norms = [m for m in model.modules() if isinstance(m, BatchNorm | torch.nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
        if isinstance(norm, BatchNorm):
            norm.batches.zero_()
        else:
            norm.reset_running_stats()
    model.train()
    for part in torch.split(x, batch):
        if len(part) > 1:
            model.log_prob(part)
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
