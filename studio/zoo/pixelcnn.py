"""PixelCNN (van den Oord, Kalchbrenner and Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759).

    p(x) = Π_t p(x_t | x_1 … x_{t-1}),  each a softmax over the levels, or a sigmoid where there are two,

by masked convolutions (sections 3.3 to 3.5, table 1): 7×7 with mask A, residual blocks of 3×3 with mask B, two 1×1.
A pixel never sees a region above it to the right, the blind spot, which Gated PixelCNN does not have.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from studio.density.autoregressive import Autoregressive
from studio.density.conditional import softmax_over
from studio.nets import pixelcnn
from studio.nets.pixel_schedule import ScheduledNetwork
from studio.nets.pixelcnn_schedule import pixelcnn_schedule
from studio.zoo.compiled.pixels import CompiledSteppers


class PixelCNN(msgspec.Struct, frozen=True, kw_only=True, tag="pixelcnn", tag_field="family"):
    """Holds the hyperparameters of a PixelCNN."""

    width: Annotated[
        int, Meta(ge=3, le=512, title="Width", description="Number of features inside a block; twice as many outside")
    ] = 64
    blocks: Annotated[
        int, Meta(ge=1, le=32, title="Blocks", description="Number of residual blocks, one after another")
    ] = 10
    size: Annotated[
        int,
        Meta(ge=3, le=9, title="Kernel", description="Side of the square that a block reads, an odd number of pixels"),
    ] = 3
    head: Annotated[
        int, Meta(ge=3, le=2048, title="Head", description="Number of features in the last layer but one")
    ] = 256
    borderless: Annotated[
        bool,
        Meta(
            title="Without borders",
            description="Learn from the inside of pictures, to draw endless materials of any size",
        ),
    ] = False

    def build(self, shape: tuple[int, ...], levels: int = 256, *, indexed: bool = False) -> Autoregressive:
        """Return the model for pictures (channels, height, width), whose levels may be `indexed` colours.

        Raises ValueError for sounds, over 256 levels, and if a model without borders sees farther than the pictures are
        wide.
        """
        if len(shape) != 3:
            raise ValueError("a PixelCNN makes pictures, and sounds were asked for")
        channels = shape[0]
        head = softmax_over(channels, levels, indexed=indexed)
        inputs = channels * head.inputs_per_channel
        net = pixelcnn.PixelCNNNetwork(channels, inputs, head.numbers, self.width, self.blocks, self.size, self.head)
        scheduled = ScheduledNetwork(net, pixelcnn_schedule, CompiledSteppers())
        return Autoregressive(shape, levels, scheduled, head, margin=net.reach if self.borderless else 0)


PRESETS = {
    "tiny": PixelCNN(width=16, blocks=4, head=32),
    "small": PixelCNN(),
    "large": PixelCNN(width=96, blocks=15, head=256),
    "paper": PixelCNN(width=128, blocks=15, head=1024),
}
