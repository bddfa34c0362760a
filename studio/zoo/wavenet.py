"""WaveNet (van den Oord, Dieleman, Zen, Simonyan, Vinyals, Graves, Kalchbrenner, Senior and Kavukcuoglu, WaveNet: A
Generative Model for Raw Audio, 2016, arXiv:1609.03499).

    p(x | c) = Π_t p(x_t | x_1 … x_{t-1}, c)

by a stack of dilated causal convolutions with gates (sections 2.1 to 2.4), whose reach doubles from layer to layer and
begins anew with every cycle. Up to 256 levels are a softmax, of sounds in μ-law; finer ones a mixture of logistics
(Parallel WaveNet, 2017, arXiv:1711.10433, section 2.1). A condition is a kind, of one or more sorts, or a signal at a
lower rate (section 2.5).
"""

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.conditional import CategoricalSample, Conditional, LogisticMixtureSample
from studio.nets.wavenet import WaveNetNetwork
from studio.zoo.compiled.wavenet import make_compiled_sampler


class WaveNet(msgspec.Struct, frozen=True, kw_only=True, tag="wavenet", tag_field="family"):
    """The hyperparameters of a WaveNet."""

    cycles: Annotated[int, Meta(ge=1, le=8, title="Cycles", description="Of layers whose reach begins anew")] = 2
    layers: Annotated[
        int, Meta(ge=1, le=14, title="Layers", description="Of a cycle; each reaches twice as far as the one before")
    ] = 11
    channels: Annotated[
        int, Meta(ge=8, le=512, multiple_of=8, title="Channels", description="That go from layer to layer")
    ] = 32
    skip: Annotated[
        int, Meta(ge=8, le=1024, multiple_of=8, title="Skip channels", description="That each layer adds to the sum")
    ] = 64
    mixture: Annotated[
        int, Meta(ge=1, le=64, title="Mixture", description="Logistics a sample is drawn from, above 256 levels")
    ] = 10
    classes: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1000)], ...],
        Meta(max_length=4, title="Kinds", description="Of each sort it can be asked for: 10 digits and 6 speakers"),
    ] = ()
    local: Annotated[int, Meta(ge=0, le=512, title="Signal", description="Numbers of a frame of what it follows")] = 0
    hop: Annotated[int, Meta(ge=1, le=8192, title="Hop", description="Samples that a frame stands for")] = 256

    def build(self, shape: tuple[int, ...], levels: int = 256) -> AutoregressiveSound:
        """The model for sounds (samples,), of that length where none is asked for. Raises ValueError for pictures."""
        if len(shape) != 1:
            raise ValueError("a WaveNet makes sounds, and pictures were asked for")
        drawn: Conditional = (
            CategoricalSample(1, levels) if levels <= 256 else LogisticMixtureSample(levels, self.mixture)
        )
        dilations = [2**layer for layer in range(self.layers)] * self.cycles
        sizes = (self.channels, self.skip, drawn.numbers, self.classes, self.local, self.hop)
        net = WaveNetNetwork(levels, dilations, *sizes)
        kinds = math.prod(self.classes) if self.classes else 0
        return AutoregressiveSound(
            shape,
            levels,
            net,
            drawn,
            classes=kinds,
            follows_signal=self.local > 0,
            make_fast_sampler=make_compiled_sampler,
        )


PRESETS = {
    "tiny": WaveNet(layers=6, channels=16, skip=32),
    "small": WaveNet(),
    "paper": WaveNet(cycles=3, layers=10, channels=128, skip=256),
}
