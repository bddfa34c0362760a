"""Gated PixelCNN (van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu, Conditional Image Generation
with PixelCNN Decoders, 2016, arXiv:1606.05328).

    p(x | c) = Π_t p(x_t | x_1 … x_{t-1}, c),  each a softmax over the levels, or a sigmoid where there are two,

by two stacks of gated convolutions, which together see every pixel before (section 2.2); a class enters every gate
(section 2.3).
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


class GatedPixelCNN(msgspec.Struct, frozen=True, kw_only=True, tag="gated_pixelcnn", tag_field="family"):
    """Holds the hyperparameters of a Gated PixelCNN."""

    width: Annotated[
        int, Meta(ge=3, le=1024, title="Width", description="Number of features in each of the two stacks")
    ] = 96
    layers: Annotated[int, Meta(ge=2, le=32, title="Layers", description="Number of layers, one after another")] = 10
    size: Annotated[
        int,
        Meta(ge=3, le=9, title="Kernel", description="Side of the square that a layer reads, an odd number of pixels"),
    ] = 5
    head: Annotated[
        int, Meta(ge=3, le=2048, title="Head", description="Number of features in the last layer but one")
    ] = 256
    classes: Annotated[
        int, Meta(ge=0, le=1000, title="Classes", description="Number of classes that the model knows")
    ] = 0
    class_dropout: Annotated[
        float,
        Meta(
            ge=0,
            le=0.9,
            title="Class dropout",
            description="Share of training pictures whose class is dropped, for guidance",
        ),
    ] = 0.0
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
            raise ValueError("a Gated PixelCNN makes pictures, and sounds were asked for")
        channels = shape[0]
        head = softmax_over(channels, levels, indexed=indexed)
        inputs = channels * head.inputs_per_channel
        told = self.classes + (self.class_dropout > 0)  # a dropped class is one more
        net = pixelcnn.GatedPixelCNNNetwork(
            channels, inputs, head.numbers, self.width, self.layers, self.size, self.head, told
        )
        scheduled = ScheduledNetwork(net, pixelcnn_schedule, CompiledSteppers())
        margin = net.reach if self.borderless else 0
        return Autoregressive(shape, levels, scheduled, head, self.classes, margin, self.class_dropout)


PRESETS = {
    "tiny": GatedPixelCNN(width=24, layers=5, size=3, head=32),
    "small": GatedPixelCNN(),
    "large": GatedPixelCNN(width=192, layers=15, size=5, head=512),
    "paper": GatedPixelCNN(width=384, layers=20, size=5, head=1024),
}
