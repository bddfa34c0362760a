"""Describe a training: its config and its plan.

They are read from recipes, made for a user's artworks, and sent in messages.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta

from studio import zoo
from studio.engine.training.attributes import Attribute
from studio.engine.training.augmentation import Augmentation
from studio.library import earlier_keys
from studio.library.card import Card, Group
from studio.media.preparation import AS_USUAL, MAX_COLOURS, Palette, Preparation
from studio.media.shards import named_source


class TrainingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the settings of the loop. Every preset of a family may be trained by any plan."""

    steps: Annotated[int, Meta(ge=1, title="Steps")] = 2000
    batch: Annotated[int, Meta(ge=2, le=4096, title="Batch")] = 32
    learning_rate: Annotated[float, Meta(gt=0, le=0.1, title="Learning rate")] = 1e-3
    final_rate: Annotated[float, Meta(ge=0, le=1, title="Final rate", description="Share of the rate at the end")] = (
        0.05
    )
    warm_up: Annotated[int, Meta(ge=0, title="Warm-up steps")] = 100
    max_gradient_norm: Annotated[float, Meta(gt=0, title="Clip", description="Largest norm of the gradient")] = 100.0
    weight_decay: Annotated[float, Meta(ge=0, le=0.1, title="Weight decay")] = 0.0
    average_decay: Annotated[float, Meta(ge=0, lt=1, title="Average", description="Decay of the weights' average")] = (
        0.999
    )
    cut_samples: Annotated[
        int, Meta(ge=64, le=2**20, title="Cut", description="Samples of a recording in one example")
    ] = 8192
    mirror: Annotated[bool, Meta(title="Mirror", description="Also learn from mirrored artworks")] = False
    evaluate_every: Annotated[int, Meta(ge=1, title="Evaluate every", description="Steps between held-out figures")] = (
        250
    )
    patience: Annotated[
        int, Meta(ge=0, title="Patience", description="Held-out figures without a better one until it stops; 0: never")
    ] = 0
    save_every_seconds: Annotated[float, Meta(gt=0, title="Save every", description="Seconds between checkpoints")] = (
        60.0
    )
    seed: Annotated[int, Meta(ge=0)] = 0


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Describes a training: the recipe of a trained model, as in `models/recipes/`."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
    title: str
    subject: str
    """The subject of the model's artworks, for example `Emoji`."""
    training_data: str
    licence: str
    group: Group = ""
    shown_smooth: bool = False
    """Whether pictures of the model are shown blended at first, like photographs, instead of as squares."""
    data: str = ""
    """The origin of the data, for the user."""
    shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    """(channels, height, width) of pictures, or (samples,) of single cycles. It is the usual length of recordings."""
    levels: Annotated[int, Meta(ge=2, le=65536)] = 256
    """How many values a colour or sample can have: 32 for 5 bits, 4096 for 12 bits. 256 levels of a sound are μ-law."""
    indexed: bool = False
    """Whether the levels of pictures are the numbers of colours in a palette, instead of degrees of brightness."""
    palette: Palette = ()
    """The colours of the levels. It is empty until they are found in a pack or in the pictures to learn from."""
    sample_rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """The sample rate of recordings in Hz; 0 for pictures and single cycles."""
    label_columns: tuple[str, ...] = ()
    """The columns of a pack's index that hold the classes of its recordings; each is a group of classes."""
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.8
    opening_temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """The lowest temperature for the first 2 ms of a new recording.

    Without it, a model that was trained on few beginnings may stay silent before its first note.
    """
    recipe: zoo.Recipe
    plan: TrainingPlan = TrainingPlan()
    preparation: Preparation = AS_USUAL
    """How the files of a folder become artworks; a pack is prepared already."""
    augmentation: Augmentation = Augmentation()
    attributes: Annotated[tuple[Attribute, ...], Meta(max_length=12)] = ()
    """What a pack says of its artworks that becomes sliders, such as the weight of a letter."""

    @property
    def shown_shape(self) -> tuple[int, ...]:
        """Return the shape of an artwork as the user sees it: with a palette, a picture has three channels."""
        return (3, *self.shape[1:]) if self.indexed else self.shape

    @property
    def is_upsampler(self) -> bool:
        """Return whether it trains an upsampler instead of a model of artworks."""
        return isinstance(self.recipe, zoo.UPSAMPLER.recipe)


SOUND_LEVELS = 4096
"""The levels of a user's own sounds: their noise is 72 dB below them, and densities can still be learned."""


class BadTrainingConfig(ValueError):
    """Reports in a sentence that a training config is not possible."""


def config_from_json(data: bytes) -> TrainingConfig:
    """Read a config from the JSON of a file in `models/recipes/`. Raises BadTrainingConfig with the field's name."""
    try:
        fields = earlier_keys.TRAINING_CONFIG.to_present(msgspec.json.decode(data))
        return msgspec.convert(fields, TrainingConfig)
    except msgspec.MsgspecError as error:
        raise BadTrainingConfig(f"The recipe cannot be used: {error}.") from None


PATIENCE = 8
"""The patience for a user's own artworks. Recipes of shipped models state their steps instead."""
PICTURES_PLAN = {"evaluate_every": 100, "patience": PATIENCE}
"""The plan for a user's own pictures and waves: a few hundred learn most in the first hundreds of steps."""
RECORDINGS_PLAN = {
    "steps": 4000,
    "batch": 2,
    "learning_rate": 0.003,
    "final_rate": 0.02,
    "warm_up": 200,
    "max_gradient_norm": 1,
    "average_decay": 0.998,
    "patience": PATIENCE,
}
"""The plan for a user's own recordings: an hour on one core with the small preset of a WaveNet."""


def config_for_data(
    name: str, source: Path, family: str, preset: str, shape: tuple[int, ...], rate: int = 0
) -> TrainingConfig:
    """Return a config for a user's artworks with a preset of a family.

    Single cycles have 12 bits; recordings have a `rate` in Hz and 8 bits by μ-law. Raises BadTrainingConfig.
    """
    known = zoo.RECIPE_FAMILIES.get(family)
    if known is None:
        raise BadTrainingConfig(f'There is no family "{family}". There are: {", ".join(zoo.FAMILIES)}.')
    if preset not in known.presets:
        raise BadTrainingConfig(f'There is no preset "{preset}". There are: {", ".join(known.presets)}.')
    source = named_source(source)
    fields = {
        "name": name,
        "title": _title(name),
        "subject": f"Like {source.stem}",
        "training_data": source.name,
        "licence": "your own",
        "data": source.name,
        "shape": shape,
        "levels": SOUND_LEVELS if len(shape) == 1 and not rate else 256,
        "sample_rate": rate,
        "plan": RECORDINGS_PLAN if rate else PICTURES_PLAN,
        "recipe": msgspec.to_builtins(known.presets[preset]),
    }
    try:
        return msgspec.convert(fields, TrainingConfig)
    except msgspec.ValidationError as error:
        raise BadTrainingConfig(
            f'The name "{name}" is not usable ({error}): use small letters, digits and hyphens.'
        ) from None


FINE_TUNING_RATE = 0.3
"""The share of the usual learning rate for a model that has learned already."""


def config_from_model(name: str, source: Path, card: Card) -> TrainingConfig:
    """Return a config for a user's artworks that begins with the weights of a trained model.

    Raises BadTrainingConfig if the model has classes, because a folder names none.
    """
    if card.classes:
        raise BadTrainingConfig(f'"{card.title}" has classes, and a folder has none. Choose another model.')
    family = card.recipe["family"]
    preset = next(iter(zoo.FAMILIES[family].presets))
    usual = config_for_data(name, source, family, preset, card.shape, card.sample_rate)
    rate = usual.plan.learning_rate * FINE_TUNING_RATE
    return msgspec.structs.replace(
        usual,
        training_data=f"{usual.training_data}, after {card.training_data}"[:500],
        licence=f"your own, after {card.licence}"[:500],
        levels=card.levels,
        indexed=bool(card.palette),
        palette=card.palette,
        temperature=card.temperature,
        opening_temperature=card.opening_temperature,
        shown_smooth=card.shown_smooth,
        recipe=zoo.recipe_from_fields(card.recipe),
        plan=msgspec.structs.replace(usual.plan, learning_rate=rate),
    )


def with_palette_size(config: TrainingConfig, count: int) -> TrainingConfig:
    """Return the config for pictures in so many indexed colours. Raises BadTrainingConfig if the model has none."""
    if len(config.shape) != 3:
        raise BadTrainingConfig("Sounds have no colours. Leave the palette out.")
    indexed = msgspec.structs.replace(config, shape=(1, *config.shape[1:]), levels=count, indexed=True)
    check_palette(indexed)
    return indexed


def check_palette(config: TrainingConfig) -> None:
    """Raise BadTrainingConfig if a config asks for a palette that cannot be."""
    if not config.indexed:
        return
    if config.levels > MAX_COLOURS:
        raise BadTrainingConfig(f"A palette has at most {MAX_COLOURS} colours, and {config.levels} were asked for.")
    if config.augmentation.colour:
        raise BadTrainingConfig("The colours of a palette cannot be varied. Turn the variation of colour off.")
    try:
        with torch.device("meta"):
            zoo.build_model(config.recipe, config.shape, config.levels, indexed=True)
    except ValueError as error:
        raise BadTrainingConfig(f"{error}.") from None


def with_changes(
    config: TrainingConfig,
    recipe: dict[str, Any],
    plan: dict[str, Any],
    preparation: dict[str, Any],
    augmentation: dict[str, Any],
) -> TrainingConfig:
    """Return the config with other values of some fields of its parts.

    Raises BadTrainingConfig, which names the field, if one is out of its range.
    """
    fields = config_to_dict(config)
    fields["recipe"] |= recipe
    fields["plan"] |= plan
    fields["preparation"] |= preparation
    fields["augmentation"] |= augmentation
    try:
        return msgspec.convert(fields, TrainingConfig)
    except msgspec.ValidationError as error:
        raise BadTrainingConfig(f"This setting cannot be used: {error}.") from None


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """Return a config as it is sent in a message."""
    fields: dict[str, Any] = msgspec.to_builtins(config)
    return fields


def with_name(config: TrainingConfig, name: str, *, retitle: bool) -> TrainingConfig:
    """Return the config under another name, with the title that follows from it if `retitle`.

    Raises BadTrainingConfig.
    """
    title = _title(name) if retitle else config.title
    return config_from_json(msgspec.json.encode(msgspec.structs.replace(config, name=name, title=title)))


def with_classes(config: TrainingConfig, count: int) -> TrainingConfig:
    """Return the config with this number of classes. Raises BadTrainingConfig if the model can have none."""
    if not hasattr(config.recipe, "classes"):
        family = zoo.RECIPE_FAMILIES[msgspec.to_builtins(config.recipe)["family"]].title
        having = ", ".join(each.title for each in zoo.FAMILIES.values() if hasattr(each.recipe, "classes"))
        raise BadTrainingConfig(f"{family} has no classes. Train without them, or choose one of: {having}.")
    classes: object = (count,) if config.sample_rate else count
    fields = {**msgspec.to_builtins(config.recipe), "classes": classes}
    return msgspec.structs.replace(config, recipe=zoo.recipe_from_fields(fields))


def with_steps(config: TrainingConfig, steps: int) -> TrainingConfig:
    """Return the config with another number of steps."""
    return msgspec.structs.replace(config, plan=msgspec.structs.replace(config.plan, steps=steps))
