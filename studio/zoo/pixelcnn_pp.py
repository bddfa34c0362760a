"""PixelCNN++ (Salimans, Karpathy, Chen and Kingma, PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
Likelihood and Other Modifications, 2017, arXiv:1701.05517).

    p(x | c) = Π_pixels Σ_k π_k q_k(r) q_k(g | r) q_k(b | r, g),  all of them from the pixels before, and c

by two shifted streams of gated resnets at three sizes (section 2.4). All colours of a pixel are drawn at once (section
2.2), and levels are intervals of a continuous axis (section 2.1). A model file holds the averaged weights.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from studio.density.autoregressive import Autoregressive
from studio.density.conditional import LogisticMixture
from studio.nets.pixel_schedule import ScheduledNetwork
from studio.nets.pixelcnn_pp import PixelCNNPPNetwork
from studio.nets.pixelcnn_pp_schedule import pixelcnn_pp_schedule
from studio.zoo.compiled.pixels import CompiledSteppers


class PixelCNNPP(msgspec.Struct, frozen=True, kw_only=True, tag="pixelcnn_pp", tag_field="family"):
    """Holds the hyperparameters of a PixelCNN++."""

    filters: Annotated[int, Meta(ge=1, le=512, title="Filters", description="Number of filters in every layer")] = 64
    resnets: Annotated[
        int, Meta(ge=1, le=12, title="Resnets", description="Number of resnets in each stream at each of three sizes")
    ] = 2
    mixture: Annotated[
        int, Meta(ge=1, le=64, title="Mixture", description="Number of logistics from which a pixel is drawn")
    ] = 10
    dropout: Annotated[
        float, Meta(ge=0, le=0.9, title="Dropout", description="Share of each resnet's values that training drops")
    ] = 0.5
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

    def build(self, shape: tuple[int, ...], levels: int = 256) -> Autoregressive:
        """Return the model for pictures (channels, height, width), grey or RGB. Raises ValueError for any other."""
        if len(shape) != 3:
            raise ValueError("a PixelCNN++ makes pictures, and sounds were asked for")
        channels, height, width = shape
        if height % 4 or width % 4:
            raise ValueError(f"{width} × {height} pixels cannot be halved twice; take whole multiples of 4")
        mixture = LogisticMixture(channels, levels, self.mixture)
        told = self.classes + (self.class_dropout > 0)  # a dropped class is one more
        net = PixelCNNPPNetwork(channels, self.filters, self.resnets, mixture.numbers, self.dropout, told)
        scheduled = ScheduledNetwork(net, pixelcnn_pp_schedule, CompiledSteppers())
        model = Autoregressive(shape, levels, scheduled, mixture, self.classes, class_dropout=self.class_dropout)
        model.initialisation_count = 64  # pixels by the thousand each, which is plenty for means and variances
        return model


PRESETS = {
    "tiny": PixelCNNPP(filters=16, resnets=1, mixture=5, dropout=0.1),
    "small": PixelCNNPP(),
    "large": PixelCNNPP(filters=80, resnets=3),
    "paper": PixelCNNPP(filters=192, resnets=5),
}
