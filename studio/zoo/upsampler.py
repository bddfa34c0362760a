"""Upsampler: the details of a pyramid (Mahajan and Roth, PixelPyramids: Exact Inference Models from Lossless Image
Pyramids, 2021, arXiv:2110.08787).

    p(x) = p(coarse) Π p(δ | coarser, planes drawn before)

An upsampler is not a model of pictures. It draws the planes of differences δ on the pictures of any model that makes
the coarse ones, with residual networks without masks. A plane may be drawn in interleaved passes (Reed et al., Parallel
Multiscale Autoregressive Density Estimation, 2017, arXiv:1703.03664).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from studio.density import upsampler as details
from studio.density.differences import Differences
from studio.density.pyramid_planes import SplitOrder
from studio.nets.detail_network import DetailNetwork


class Upsampler(msgspec.Struct, frozen=True, kw_only=True, tag="upsampler", tag_field="family"):
    """Holds the hyperparameters of an upsampler."""

    doublings: Annotated[
        int, Meta(ge=1, le=4, title="Doublings", description="How often the coarse picture's sides are doubled")
    ] = 2
    width: Annotated[int, Meta(ge=1, le=512, title="Width", description="Number of filters in every layer")] = 48
    shared: Annotated[
        int, Meta(ge=0, le=16, title="Shared blocks", description="Residual blocks that see the coarse picture alone")
    ] = 2
    own: Annotated[
        int, Meta(ge=1, le=16, title="Own blocks", description="Residual blocks that see what was drawn before, too")
    ] = 1
    passes: Annotated[
        Literal[1, 2, 4],
        Meta(title="Passes", description="Interleaved parts in which a plane of differences is drawn"),
    ] = 1
    """After equal time on ink, 1, 2 and 4 passes had 0.166, 0.167 and 0.187 held-out bits per dimension."""
    crop: Annotated[
        int, Meta(ge=8, le=4096, title="Crop", description="Side of the squares that training takes from pictures")
    ] = 64

    def build(self, shape: tuple[int, ...], levels: int = 256) -> details.Upsampler:
        """Return the upsampler to pictures (channels, height, width). Raises ValueError for anything else."""
        if len(shape) != 3:
            raise ValueError("an upsampler makes pictures, and sounds were asked for")
        if levels > 256:
            raise ValueError(f"an upsampler takes 2 to 256 levels, and {levels} were asked for")
        order = SplitOrder.of_passes(shape[0], self.passes)
        nets = [
            DetailNetwork(
                len(order.coarse_places),
                [len(split.known) for split in order.splits],
                Differences(levels).numbers,
                width=self.width,
                shared=self.shared,
                own=self.own,
            )
            for _ in range(self.doublings)
        ]
        return details.Upsampler(shape, levels, nets, order, self.crop)


PRESETS = {
    "tiny": Upsampler(width=16, shared=1),
    "small": Upsampler(width=32),
    "paper": Upsampler(width=64, shared=3, own=2),
}
