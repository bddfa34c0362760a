"""Describe a trained model: its card states what it is, what it was trained on, and how good it is.

The card lies inside the model's file.
"""

import bisect
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from studio.library import earlier_keys
from studio.media.preparation import AS_USUAL, Palette, Preparation

ShortText = Annotated[str, Meta(max_length=500)]
PIXEL_BY_PIXEL = frozenset({"pixelrnn", "pixelcnn", "gated_pixelcnn", "pixelcnn_pp"})
"""Families of the zoo that draw row by row, and so can keep a part and continue from there."""
CLASS_IN_EVERY_NETWORK = frozenset({"maf", "iaf", "realnvp"})
"""Families of flows that tell the class to each of their networks."""
SAMPLE_BY_SAMPLE = frozenset({"wavenet"})
"""Families of the zoo that make a sound sample by sample."""
Group = Literal["", "study"]
"""The groups of models. A study is trained on a data set on which papers compare models, such as MNIST."""
GROUP_HEADINGS = ("Pictures", "Sound", "Studies")
"""The headings in lists of models, in this order."""


class PyramidParts(msgspec.Struct, frozen=True, kw_only=True):
    """Names the upsampler of a pyramid, whose own file holds the base alone."""

    upsampler: ShortText
    """The name of the upsampler when the pyramid was made."""
    upsampler_hash: ShortText
    """The hash of the upsampler's file."""
    coarse_shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    """(channels, height, width) of the pictures that the base draws."""


class CopyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Holds how near a model's samples come to the artworks that it learned from.

    Distances are in shares of the usual one, of held-out artworks to their nearest training artworks.
    """

    samples: Annotated[int, Meta(ge=1)]
    copied: Annotated[int, Meta(ge=0)]
    """How many samples lie below `runs.COPIED_DISTANCE`."""
    least: float
    """The smallest distance of all."""
    median: float

    @property
    def text(self) -> str:
        """Return the verdict for the user: `0 of 64 samples copied`."""
        return f"{self.copied} of {self.samples} samples copied"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Holds everything known about a trained model without loading its weights."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
    """The file's stem, for example `realnvp-emoji-32`."""
    title: ShortText
    """The title for the user, for example `Stickers`."""
    family: ShortText
    """A key of the zoo, for example `realnvp`; of a pyramid that of its base."""
    family_title: ShortText
    """The family's name in its paper, for example `RealNVP`."""
    subject: ShortText
    """The artworks of the model, for example `Emoji, 32 × 32 colour`."""
    medium: Literal["picture", "sound"] = "picture"
    group: Group = ""
    shown_smooth: bool = False
    """Whether pictures of the model are shown blended at first, like photographs, instead of as squares."""
    shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    """The shape of an artwork: (channels, height, width) of a picture, (samples,) of one cycle of a sound."""
    levels: Annotated[int, Meta(ge=2, le=65536)] = 256
    palette: Palette = ()
    """The colours of the levels, which then have no order; empty if levels are degrees of brightness."""
    sample_rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """The sample rate of recordings in Hz; 0 for pictures and for single cycles."""
    recipe: dict[str, Any]
    training_data: ShortText
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
    bits_quantiles: tuple[float, ...] = ()
    """The bits per dimension of held-out artworks: the lowest, quantiles at equal distances, the highest.

    Pictures are priced under the even mixture of all classes. Recordings are cut into pieces of the length in `shape`,
    and each piece is priced given its class, in bits per sample. The field is empty in files without these figures.
    """
    copy_check: CopyCheck | None = None
    """How near its samples come to what it learned from; None if that was not measured."""
    paper_figure: ShortText = ""
    """The paper's figure on its own data, for example `3.49 on CIFAR-10`."""
    temperature: float = 1.0
    """The temperature at which the model's pictures look best, and to which a double click resets the slider."""
    temperature_range: tuple[float, float] | None = None
    """The lowest and the highest temperature at which most works are neither blank nor saturated.

    They are measured after training. None in files without this figure.
    """
    opening_temperature: float = 0.0
    """The lowest temperature for the first 2 ms of a new recording; 0 if it needs no limit."""
    scales: tuple[str, ...] = ()
    """Names of the latent's scales, from coarse to fine."""
    directions: tuple[str, ...] = ()
    """Names of the latent directions in the file."""
    classes: tuple[str, ...] = ()
    label_columns: tuple[ShortText, ...] = ()
    """The columns of a pack's index from which the classes were read; each is a group of classes."""
    preparation: Preparation = AS_USUAL
    """How the files of the folder were prepared, so that others can be measured in the same way."""
    seconds_each: float = 0.0
    """Seconds to make one picture of sixteen on the computer that trained it."""
    date: ShortText
    version: ShortText
    """The version of the application that trained the model."""
    former_hashes: tuple[ShortText, ...] = ()
    """Hashes that the file had with earlier cards and the same parameters."""
    role: Literal["model", "upsampler"] = "model"
    """An upsampler makes no artworks alone: it draws details on those of models."""
    pyramid: PyramidParts | None = None
    """The upsampler that draws the details of the base's pictures; None if the model draws whole pictures itself."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of its classes, for the user."""
        return tuple(name.replace("_", " ") for name in self.classes)

    @property
    def has_alphabet(self) -> bool:
        """Return whether one latent is one style in every class, because the class reaches every network of a flow."""
        reaches_all = self.family in CLASS_IN_EVERY_NETWORK or bool(self.recipe.get("class_in_couplings"))
        return bool(self.classes) and self.medium == "picture" and reaches_all

    @property
    def class_groups(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the name of each group of classes with its classes, the last varying fastest.

        Classes of two groups (`7 george`) are separated if every one of the first group occurs with every one of the
        second. Otherwise all classes are one group.
        """
        pairs = [name.partition(" ") for name in self.class_names]
        first, second = (tuple(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 2))
        if len(self.label_columns) == 2 and self.class_names == tuple(
            f"{one} {other}" for one in first for other in second
        ):
            one, other = (column.replace("_", " ").capitalize() for column in self.label_columns)
            return (one if one != "Label" else "Class", first), (other, second)
        return (("Class", self.class_names),) if self.class_names else ()

    @property
    def shown_shape(self) -> tuple[int, ...]:
        """Return the shape of an artwork as the user sees it: with a palette, a picture has three channels."""
        return (3, *self.shape[1:]) if self.palette else self.shape

    @property
    def size_text(self) -> str:
        """Return the size of an artwork for the user: `32 × 32 colour`, `256 samples`, `16 kHz`."""
        if self.sample_rate:
            return f"{self.sample_rate / 1000:g} kHz"
        if self.medium == "sound":
            return f"{self.shape[-1]} samples"
        channels, height, width = self.shape
        if self.palette:
            return f"{width} × {height} in {len(self.palette)} colours"
        return f"{width} × {height} {'colour' if channels == 3 else 'grey'}"

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Return the (height, width) of the model's pictures; None for sounds."""
        return (self.shape[1], self.shape[2]) if self.medium == "picture" else None

    @property
    def can_inpaint(self) -> bool:
        """Return whether the model can keep a part of a picture and draw the rest."""
        return self.family in PIXEL_BY_PIXEL

    @property
    def draws_by_rows(self) -> bool:
        """Return whether the model draws the rows of a picture one after another; a pyramid does not."""
        return self.can_inpaint and self.pyramid is None

    @property
    def draws_any_size(self) -> bool:
        """Return whether the model draws pictures of other sizes, too: it learned without borders."""
        return self.draws_by_rows and bool(self.recipe.get("borderless"))

    @property
    def has_guidance(self) -> bool:
        """Return whether the model can sharpen towards a class: it also learned with its class dropped."""
        return self.can_inpaint and bool(self.classes) and bool(self.recipe.get("class_dropout"))

    @property
    def group_heading(self) -> str:
        """Return the one of HEADINGS below which lists show the model."""
        if self.medium == "sound":
            return "Sound"
        return "Studies" if self.group == "study" else "Pictures"

    @property
    def sampling_text(self) -> str:
        """Return in words how the model makes an artwork: `draws pixel by pixel`."""
        verb = "draws" if self.medium == "picture" else "makes sound"
        if self.family in SAMPLE_BY_SAMPLE:
            follows = f" and follows {self.followed_text}" if self.followed_text else ""
            return f"{verb} sample by sample{follows}"
        how = "pixel by pixel" if self.can_inpaint else "at once"
        if self.pyramid is not None:
            _, height, width = self.pyramid.coarse_shape
            return f"{verb} {width} × {height} {how}, then details"
        return f"{verb} {how}"

    @property
    def followed_text(self) -> str:
        """Return what the model follows of another recording: `pitch and loudness`; empty for nothing."""
        return " and ".join(what for what in ("pitch", "loudness") if self.recipe.get(f"follows_{what}"))

    @property
    def round_trip_text(self) -> str:
        """Return how exactly the model restores an encoded artwork: `byte for byte`, `in the model's 16 levels`."""
        if self.palette:
            return f"byte for byte in the model's {len(self.palette)} colours"
        full, words = (256, "byte for byte") if self.medium == "picture" else (65536, "sample for sample")
        return words if self.levels == full else f"in the model's {self.levels:,} levels"

    def strangeness_percentile(self, bits: float) -> float | None:
        """Return the percentage of held-out artworks that cost more bits per dimension than `bits`.

        It is None if the card has no such figures.
        """
        if len(self.bits_quantiles) < 2:
            return None
        below = bisect.bisect_right(self.bits_quantiles, bits) - 1
        if below < 0 or below >= len(self.bits_quantiles) - 1:
            return 100.0 if below < 0 else 0.0
        low, high = self.bits_quantiles[below : below + 2]
        place = (below + (bits - low) / (high - low)) / (len(self.bits_quantiles) - 1)
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
    def noise(self) -> float:
        """Return σ of the noise of a density of pictures plus noise, for pixels from 0 to 1; 0 for other models."""
        return float(self.recipe.get("noise", 0))

    @property
    def noise_text(self) -> str:
        """Return whose density prices are: `density of the picture plus noise 0.1`; empty for the artwork's own."""
        return f"density of the {self.medium} plus noise {self.noise:g}" if self.noise else ""

    @property
    def held_out_text(self) -> str:
        """Return the held-out figure for the user: `2.61 bits per dimension, bound`."""
        return self.figure_text(self.metric, self.value, self.exact)

    @property
    def short_held_out_text(self) -> str:
        """Return the same for lists, which have little room: `7.03 bits per dimension, with noise 0.1`."""
        return f"{self.value:,.2f} {self.metric}, with noise {self.noise:g}" if self.noise else self.held_out_text

    def figure_text(self, metric: str, value: float, exact: bool) -> str:
        """Return one of the card's figures for the user."""
        return f"{value:,.2f} {metric}, {self.noise_text or ('exact' if exact else 'bound')}"


def card_from_json(data: bytes | str) -> Card:
    """Return the card in a file's text. Raises msgspec.ValidationError, which names the faulty field."""
    return msgspec.convert(earlier_keys.CARD.to_present(msgspec.json.decode(data)), Card)


def card_to_json(card: Card) -> str:
    """Return a card as JSON for a file."""
    return msgspec.json.encode(card).decode()
