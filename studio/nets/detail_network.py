"""Compute the numbers of a doubling's differences with residual networks, without masks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class DetailBlock(nn.Module):
    """Computes x + conv(relu(conv(relu(x)))) (He et al., 2016, arXiv:1603.05027), without normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        _start_at_zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.second(torch.relu(self.first(torch.relu(x))))
        return result


class DetailNetwork(nn.Module):
    """Returns the logits of every split of a doubling. All splits share the first layers, which see the coarse picture.

    A split's own layers also see all that is known before it. Together a split has 2 + 2 · (shared + own) convolutions
    of 3 × 3 and one of 1 × 1. If every split had layers of its own alone, the same depth would take twice as long.

    Arguments
        coarse: number of channels of the coarse picture, with a channel for each pass
        known: for each split, how many channels are known before it
        numbers: how many logits an entry has
        width: number of filters in every layer
        shared, own: number of residual blocks that all splits share, and of each split
    """

    def __init__(
        self, coarse: int, known: Sequence[int], numbers: int, *, width: int = 48, shared: int = 2, own: int = 1
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(coarse, width, 3, padding=1)
        self.shared = nn.Sequential(*(DetailBlock(width) for _ in range(shared)))
        self.entries = nn.ModuleList(nn.Conv2d(count, width, 3, padding=1) for count in known)
        self.own = nn.ModuleList(nn.Sequential(*(DetailBlock(width) for _ in range(own))) for _ in known)
        self.lasts = nn.ModuleList(nn.Conv2d(width, numbers, 1) for _ in known)
        for last in self.lasts:
            _start_at_zero(last)

    def context(self, coarse: Tensor) -> Tensor:
        """Return what all splits share, `(B, width, h, w)`, from the coarse picture `(B, coarse, h, w)` in [-1, 1]."""
        # Channels are innermost from here on, so that no convolution has to transpose its input first.
        result: Tensor = self.shared(self.first(coarse.contiguous(memory_format=torch.channels_last)))
        return result

    def forward(self, split: int, context: Tensor, known: Tensor) -> Tensor:
        """Return the logits `(B, numbers, h, w)` of a split, given what is known `(B, known[split], h, w)`."""
        h = context + self.entries[split](known.contiguous(memory_format=torch.channels_last))
        result: Tensor = self.lasts[split](torch.relu(self.own[split](h)))
        return result


def _start_at_zero(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
