"""PixelRNN (van den Oord, Kalchbrenner and Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759).

    p(x) = Π_t p(x_t | x_1 … x_{t-1}),  each a softmax over the levels, or a sigmoid where there are two,

by layers of LSTMs whose states go through the picture: from each row to the next (Row LSTM, section 3.1), or along its
diagonals from both sides (Diagonal BiLSTM, section 3.2), with residual connections (section 3.3) and masks for every
colour (section 3.4).
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from studio.density.autoregressive import Autoregressive
from studio.density.conditional import softmax_over
from studio.nets import pixelrnn
from studio.nets.pixel_schedule import ScheduledNetwork
from studio.nets.pixelcnn_schedule import pixelcnn_schedule
from studio.zoo.compiled.pixels import CompiledSteppers


class PixelRNN(msgspec.Struct, frozen=True, kw_only=True, tag="pixelrnn", tag_field="family"):
    """Holds the hyperparameters of a PixelRNN."""

    cells: Annotated[
        pixelrnn.CellName,
        Meta(title="States", description="From row to row, or along diagonals, which see more pixels"),
    ] = "diagonal"
    width: Annotated[
        int,
        Meta(ge=3, le=512, title="Width", description="Number of features in a layer's state; twice as many outside"),
    ] = 48
    layers: Annotated[int, Meta(ge=1, le=32, title="Layers", description="Number of layers, one after another")] = 6
    head: Annotated[
        int, Meta(ge=3, le=2048, title="Head", description="Number of features in the last layer but one")
    ] = 128

    def build(self, shape: tuple[int, ...], levels: int = 256, *, indexed: bool = False) -> Autoregressive:
        """Return the model for pictures (channels, height, width), whose levels may be `indexed` colours.

        Raises ValueError for sounds and over 256 levels.
        """
        if len(shape) != 3:
            raise ValueError("a PixelRNN makes pictures, and sounds were asked for")
        channels = shape[0]
        head = softmax_over(channels, levels, indexed=indexed)
        inputs = channels * head.inputs_per_channel
        net = pixelrnn.PixelRNNNetwork(channels, inputs, head.numbers, self.cells, self.width, self.layers, self.head)
        return Autoregressive(shape, levels, ScheduledNetwork(net, pixelcnn_schedule, CompiledSteppers()), head)


PRESETS = {
    "tiny": PixelRNN(width=12, layers=2, head=32),
    "small": PixelRNN(),
    "large": PixelRNN(width=128, layers=12, head=1024),
    "paper": PixelRNN(width=16, layers=7, head=32),
}
