"""Describe a trained model: its card states what it is, what it was trained on, and how good it is.

The card lies inside the model's file.
"""

import bisect
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

ShortText = Annotated[str, Meta(max_length=500)]
PIXEL_BY_PIXEL = frozenset({"pixelrnn", "pixelcnn", "gated_pixelcnn", "pixelcnn_pp"})
"""Families of the zoo that draw row by row, and so can keep a part and continue from there."""
SAMPLE_BY_SAMPLE = frozenset({"wavenet"})
"""Families of the zoo that make a sound sample by sample."""
Group = Literal["", "study"]
"""The groups of models. A study is trained on a data set on which papers compare models, such as MNIST."""
GROUP_HEADINGS = ("Pictures", "Sound", "Studies")
"""The headings in lists of models, in this order."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Holds everything known about a trained model without loading its weights."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
    """The file's stem, for example `realnvp-emoji-32`."""
    title: ShortText
    """The title for the user, for example `Stickers`."""
    family: ShortText
    """A key of the zoo, for example `realnvp`."""
    family_title: ShortText
    """The family's name in the paper, for example `RealNVP`."""
    makes: ShortText
    """What it makes, for example `Emoji, 32 × 32 colour`."""
    kind: Literal["picture", "sound"] = "picture"
    group: Group = ""
    smooth: bool = False
    """Whether its pictures are first shown blended, as photographs are, instead of as squares."""
    shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    """(channels, height, width) of a picture, (samples,) of one cycle of a sound."""
    levels: Annotated[int, Meta(ge=2, le=65536)] = 256
    rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """The rate of recordings in Hz; 0 for pictures and single cycles."""
    recipe: dict[str, Any]
    learned_from: ShortText
    """The training data, for example `2,832 emoji (Noto, Fluent)`."""
    licence: ShortText
    """The licence of the training data."""
    parameters: Annotated[int, Meta(ge=0)]
    steps: Annotated[int, Meta(ge=0)]
    metric: ShortText = "bits per dimension"
    value: float
    """The held-out figure."""
    exact: bool
    """False if the figure is a bound."""
    figures: tuple[tuple[ShortText, float, bool], ...] = ()
    """All held-out figures that papers give for such a model: what is counted, its value, whether it is exact."""
    spread: tuple[float, ...] = ()
    """Bits per dimension of held-out artworks as they are opened, under the even mixture of the classes: the least, the
    most, and the quantiles at equal distances between them. For recordings: bits per sample of pieces as long as
    `shape`, given their class. Empty if the file does not state it."""
    paper: ShortText = ""
    """The paper's figure on its own data, for example `3.49 on CIFAR-10`."""
    temperature: float = 1.0
    """The temperature at which its pictures look best: the dial's home."""
    temperature_range: tuple[float, float] | None = None
    """The lowest and the highest temperature at which most works are neither blank nor saturated. They are measured
    after training. None if the file does not state them."""
    opening: float = 0.0
    """The least temperature of the first 2 ms of a new recording; 0 if the dial's own is best."""
    scales: tuple[str, ...] = ()
    """Names of the latent's scales, coarse to fine."""
    directions: tuple[str, ...] = ()
    """Names of the latent directions in the file."""
    classes: tuple[str, ...] = ()
    labels: tuple[ShortText, ...] = ()
    """The columns of a pack's index that its classes were read from, one group of classes each."""
    seconds_each: float = 0.0
    """Seconds to make one picture of sixteen on the computer that trained it."""
    date: ShortText
    version: ShortText
    """The version of the application that trained it."""
    former: tuple[ShortText, ...] = ()
    """Hashes that the file had with earlier cards and the same parameters."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of its classes, for the user."""
        return tuple(name.replace("_", " ") for name in self.classes)

    @property
    def class_groups(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the name of each group of classes with its classes, the last varying fastest.

        Classes of two groups (`7 george`) are separated if every one of the first group occurs with every one of the
        second. Otherwise all classes are one group.
        """
        pairs = [name.partition(" ") for name in self.class_names]
        first, second = (tuple(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 2))
        if len(self.labels) == 2 and self.class_names == tuple(f"{one} {other}" for one in first for other in second):
            one, other = (column.replace("_", " ").capitalize() for column in self.labels)
            return (one if one != "Label" else "Kind", first), (other, second)
        return (("Kind", self.class_names),) if self.class_names else ()

    @property
    def size_text(self) -> str:
        """Return the size for the user: `32 × 32 colour`, `256 samples`, `16 kHz`."""
        if self.rate:
            return f"{self.rate / 1000:g} kHz"
        if self.kind == "sound":
            return f"{self.shape[-1]} samples"
        channels, height, width = self.shape
        return f"{width} × {height} {'colour' if channels == 3 else 'grey'}"

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Return (height, width) of its pictures; None for sounds."""
        return (self.shape[1], self.shape[2]) if self.kind == "picture" else None

    @property
    def can_inpaint(self) -> bool:
        """Return whether the model can keep a part of a picture and draw the rest."""
        return self.family in PIXEL_BY_PIXEL

    @property
    def group_heading(self) -> str:
        """Return the one of GROUP_HEADINGS below which lists show the model."""
        if self.kind == "sound":
            return "Sound"
        return "Studies" if self.group == "study" else "Pictures"

    @property
    def sampling_text(self) -> str:
        """Return in words how the model makes an artwork: `draws pixel by pixel`."""
        verb = "draws" if self.kind == "picture" else "makes sound"
        if self.family in SAMPLE_BY_SAMPLE:
            return f"{verb} sample by sample"
        return f"{verb} {'pixel by pixel' if self.can_inpaint else 'at once'}"

    @property
    def round_trip_text(self) -> str:
        """Return how exactly an artwork decodes back, if the model has all of its levels.

        For example: `byte for byte`, `in the model's 16 levels`.
        """
        full, words = (256, "byte for byte") if self.kind == "picture" else (65536, "sample for sample")
        return words if self.levels == full else f"in the model's {self.levels:,} levels"

    def strangeness_percentile(self, bits: float) -> float | None:
        """Return how many in a hundred held-out artworks have more bits per dimension.

        It is None if the card does not state that.
        """
        if len(self.spread) < 2:
            return None
        below = bisect.bisect_right(self.spread, bits) - 1
        if below < 0 or below >= len(self.spread) - 1:
            return 100.0 if below < 0 else 0.0
        low, high = self.spread[below : below + 2]
        place = (below + (bits - low) / (high - low)) / (len(self.spread) - 1)
        return round(100 * (1 - place), 1)

    def temperature_warning(self, temperature: float) -> str:
        """Return a warning for the user about a temperature outside the range; empty within it."""
        if self.temperature_range is None:
            return ""
        low, high = self.temperature_range
        if low <= temperature <= high:
            return ""
        return f"At {temperature:g} most works are blank or saturated. This model works from {low:g} to {high:g}."

    @property
    def held_out_text(self) -> str:
        """Return the held-out figure for the user: `2.61 bits per dimension, bound`."""
        return f"{self.value:,.2f} {self.metric}, {'exact' if self.exact else 'bound'}"


def card_from_json(data: bytes | str) -> Card:
    """Read a card from a file's JSON. Raises msgspec.ValidationError naming the field."""
    return msgspec.json.decode(data, type=Card)


def card_to_json(card: Card) -> str:
    """Return a card as JSON for a file."""
    return msgspec.json.encode(card).decode()
