"""WaveNet (van den Oord, Dieleman, Zen, Simonyan, Vinyals, Graves, Kalchbrenner, Senior and Kavukcuoglu, WaveNet: A
Generative Model for Raw Audio, 2016, arXiv:1609.03499).

    p(x | c) = Π_t p(x_t | x_1 … x_{t-1}, c)

by a stack of dilated causal convolutions with gates (sections 2.1 to 2.4). The dilation doubles from layer to layer and
starts at 1 again with every cycle. Up to 256 levels are a softmax, for sounds in μ-law; more levels are a mixture of
logistics (Parallel WaveNet, 2017, arXiv:1711.10433, section 2.1). A condition is a class, of one group or several, or a
signal at a lower rate (section 2.5): the pitch or the loudness of the sound, or both.
"""

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.conditional import CategoricalSample, Conditional, LogisticMixtureSample
from studio.nets.wavenet import WaveNetNetwork
from studio.zoo.compiled.wavenet import make_compiled_sampler

FOLLOWED_NOTES = range(36, 97)
"""The MIDI numbers of the notes whose pitches can be followed, from 65 to 2,093 Hz. Each is a number of a frame."""
LOUDNESS_NUMBERS = 1
"""How many numbers of a frame hold its loudness."""


class WaveNet(msgspec.Struct, frozen=True, kw_only=True, tag="wavenet", tag_field="family"):
    """Holds the hyperparameters of a WaveNet."""

    cycles: Annotated[
        int, Meta(ge=1, le=8, title="Cycles", description="Number of cycles; in each, dilations start at 1 again")
    ] = 2
    layers: Annotated[
        int,
        Meta(ge=1, le=14, title="Layers", description="Number of layers in a cycle; each reaches twice as far back"),
    ] = 11
    channels: Annotated[
        int, Meta(ge=8, le=512, multiple_of=8, title="Channels", description="Number of channels between layers")
    ] = 32
    skip: Annotated[
        int,
        Meta(
            ge=8,
            le=1024,
            multiple_of=8,
            title="Skip channels",
            description="Number of channels that each layer adds to the output",
        ),
    ] = 64
    mixture: Annotated[
        int, Meta(ge=1, le=64, title="Mixture", description="Number of logistics for a sample of more than 256 levels")
    ] = 10
    classes: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1000)], ...],
        Meta(max_length=4, title="Classes", description="Number of classes in each group, as 10 digits and 6 speakers"),
    ] = ()
    follows_pitch: Annotated[
        bool, Meta(title="Follow pitch", description="Play the pitches of another recording or of a hummed melody")
    ] = False
    follows_loudness: Annotated[
        bool, Meta(title="Follow loudness", description="Play as loud as another recording at each moment")
    ] = False
    hop: Annotated[
        int, Meta(ge=16, le=8192, title="Hop", description="Number of samples with one pitch and one loudness")
    ] = 256

    @property
    def local(self) -> int:
        """Return how many numbers a frame of the followed signal has; 0 if none is followed."""
        pitches = len(FOLLOWED_NOTES) if self.follows_pitch else 0
        return pitches + (LOUDNESS_NUMBERS if self.follows_loudness else 0)

    def build(self, shape: tuple[int, ...], levels: int = 256) -> AutoregressiveSound:
        """Return the model for sounds of the usual shape (samples,). Raises ValueError for pictures."""
        if len(shape) != 1:
            raise ValueError("a WaveNet makes sounds, and pictures were asked for")
        drawn: Conditional = (
            CategoricalSample(1, levels) if levels <= 256 else LogisticMixtureSample(levels, self.mixture)
        )
        dilations = [2**layer for layer in range(self.layers)] * self.cycles
        sizes = (self.channels, self.skip, drawn.numbers, self.classes, self.local, self.hop)
        net = WaveNetNetwork(levels, dilations, *sizes, frames=-(-shape[0] // self.hop))
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
    "large": WaveNet(cycles=3, layers=10, channels=64, skip=256),
    "paper": WaveNet(cycles=3, layers=10, channels=128, skip=256),
}
