"""State how the files of a folder become artworks: a record of options, stored with a training config."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_EXCLUDED = 10_000
"""The most excluded files: their hashes take 350 kB in a model's card."""
Level = Annotated[int, Meta(ge=0, le=255)]
Colour = tuple[Level, Level, Level]
ContentKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
"""The hash of a file's content in hexadecimal."""
WHITE: Colour = (255, 255, 255)
MIN_COLOURS = 2
MAX_COLOURS = 64
Palette = Annotated[tuple[Colour, ...], Meta(max_length=MAX_COLOURS)]
"""The colours of a model's levels, all different; empty if its levels are degrees of brightness."""


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """States how files become artworks.

    Always so: pictures are upright and in sRGB, 16 bits are scaled to 8, channels of sound are mixed, and the model's
    shape and rate give the size, grey or colour, and the rate. None of the options moves a file from the training
    artworks to the held-out ones or back.
    """

    fitting: Annotated[
        Literal["crop", "fit", "pad"],
        Meta(title="Fitting", description="Cut the middle out, squeeze the whole in, or add margins"),
    ] = "crop"
    ground: Annotated[
        Colour, Meta(title="Ground", description="The colour behind transparent pictures and of margins")
    ] = WHITE
    folders_as_classes: Annotated[
        bool, Meta(title="Sub-folders are classes", description="The model can be asked for each sub-folder")
    ] = False
    trim_silence: Annotated[
        bool, Meta(title="Trim silence", description="Cut silence off both ends of a recording")
    ] = False
    clip_seconds: Annotated[
        float,
        Meta(ge=0.0, le=7200.0, title="Clip", description="Use so many seconds from the beginning of each; 0: all"),
    ] = 0.0
    peak: Annotated[
        float, Meta(ge=0.0, le=1.0, title="Peak", description="Amplify each recording to this peak; 0: as recorded")
    ] = 0.0
    excluded: Annotated[tuple[ContentKey, ...], Meta(max_length=MAX_EXCLUDED)] = ()
    """Files that are left out, by their content, so that a renamed file stays out."""


AS_USUAL = Preparation()
"""The preparation unless the user chooses another."""
