"""Encode a picture to a few numbers and decode it with convolutional networks.

The picture must be divisible by two twice. It is halved by moving each 2×2 block into channels and doubled by moving
channels out again, so every convolution keeps its size.
"""

import torch
from torch import Tensor, nn


class AutoencoderBlock(nn.Module):
    """Computes x + conv(elu(conv(elu(x)))) (He et al., 2016, arXiv:1603.05027).

    The second convolution starts at zero.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(maps, maps, 3, padding=1)
        self.second = nn.Conv2d(maps, maps, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(nn.functional.elu(x))
        result: Tensor = x + self.second(nn.functional.elu(h))
        return result


class EncoderNetwork(nn.Module):
    """Maps pictures `(B, C, H, W)` to `(B, numbers)`. There are `blocks` at half and at a quarter of the size.

    Arguments
        maps: feature maps at half the size, twice as many at a quarter
        hidden: units of the dense layer after the convolutions

    The last layer returns zeros at first.
    """

    def __init__(self, shape: tuple[int, int, int], maps: int, blocks: int, hidden: int, numbers: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, maps, 3, padding=1),
            *[AutoencoderBlock(maps) for _ in range(blocks)],
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * maps, 2 * maps, 1),
            *[AutoencoderBlock(2 * maps) for _ in range(blocks)],
            nn.ELU(),
        )
        last = nn.Linear(hidden, numbers)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(2 * maps * height * width // 16, hidden), nn.ELU(), last)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x.contiguous(memory_format=torch.channels_last))
        result: Tensor = self.dense(h)
        return result


class DecoderNetwork(nn.Module):
    """Maps latents `(B, latent)` to `(B, channels_out, H, W)`, reversing the encoder."""

    def __init__(
        self, latent: int, hidden: int, maps: int, blocks: int, channels_out: int, height: int, width: int
    ) -> None:
        super().__init__()
        self.dense = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.ELU(),
            nn.Linear(hidden, 2 * maps * height * width // 16),
            nn.Unflatten(1, (2 * maps, height // 4, width // 4)),
        )
        self.body = nn.Sequential(
            *[AutoencoderBlock(2 * maps) for _ in range(blocks)],
            nn.Conv2d(2 * maps, 4 * maps, 1),
            nn.PixelShuffle(2),
            *[AutoencoderBlock(maps) for _ in range(blocks)],
            nn.ELU(),
            nn.Conv2d(maps, 4 * channels_out, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, z: Tensor) -> Tensor:
        result: Tensor = self.body(self.dense(z).contiguous(memory_format=torch.channels_last))
        return result
