"""Check that a model's file holds what its card describes, before memory is taken.

A file may come from a stranger, and its card may describe a model of any size. So the model is first built without
memory, on torch's `meta` device, and compared with the file's list of contents.
"""

from collections.abc import Mapping

import msgspec
import torch

from studio import zoo
from studio.density.model import Model
from studio.engine.levels import artwork_shape
from studio.library import models
from studio.library.card import Card
from studio.media.names import display_name

MAX_SIZE_RATIO = 8
"""The factor by which a model in memory may be larger than its file. The shipped ones are 1 to 3 times larger."""
SPARE_BYTES = 32 * 2**20
"""Bytes that any model may take: a small one is mostly masks, which no file holds."""
_AGAIN = "It was not opened. Fetch it again."

Sizes = Mapping[str, tuple[int, ...]]


def check_model(found: models.InstalledModel) -> None:
    """Compare a card with what its file holds. Raises models.BadModel in less time and memory than loading takes."""
    card = found.card
    name = found.path.name
    contents = models.list_tensors(found.path)
    size = max(tensor.end for tensor in contents.values())
    with torch.device("meta"):
        model = build_described(card, name)
        zoo.plain(model)
    sizes = {key.removeprefix("weights."): t.shape for key, t in contents.items() if key.startswith("weights.")}
    compare_weights(model, sizes, name)
    needed = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    if needed > MAX_SIZE_RATIO * size + SPARE_BYTES:
        raise unfit_error(name, f"describes a model of {needed >> 20:,} MB, and the whole file has {size >> 20:,} MB")
    compare_directions(model, card, contents["directions"].shape if "directions" in contents else None, name)
    cover = contents.get("cover")
    seen = [artwork_shape(shape, card.palette) for shape in (card.shape, model.shape)]
    if cover is not None and cover.shape[1:] not in seen:
        raise unfit_error(name, "describes artworks of another size than those on its cover")


def build_described(card: Card, name: str) -> Model:
    """Build the model of a card, on torch's default device; of a pyramid the base.

    Raises models.BadModel if there is no such model.
    """
    shape = card.shape if card.pyramid is None else card.pyramid.coarse_shape
    try:
        model = zoo.build_model(zoo.recipe_from_fields(card.recipe), shape, card.levels, indexed=bool(card.palette))
    except (msgspec.ValidationError, ValueError, RuntimeError, OverflowError) as error:  # torch: a size out of range
        raise unfit_error(name, f"describes no model ({str(error).partition(chr(10))[0]})") from None
    if model.classes != len(card.classes):
        raise unfit_error(name, f"names {len(card.classes)} classes of {model.classes}")
    return model


def compare_weights(model: Model, sizes: Sizes, name: str) -> None:
    """Compare the sizes of weights with those of a model. Raises models.BadModel, with counts, if they differ."""
    wanted = model.state_dict()
    needed = {k for k, t in wanted.items() if t.is_floating_point()}
    odd = {k for k in needed & sizes.keys() if sizes[k] != tuple(wanted[k].shape)}
    counts = {"missing": needed - sizes.keys(), "unknown": sizes.keys() - wanted.keys(), "of another size": odd}
    faults = ", ".join(f"{len(keys):,} {what}" for what, keys in counts.items() if keys)
    if faults:
        raise models.BadModel(f'The weights in "{display_name(name)}" do not fit its card ({faults}). {_AGAIN}')


def compare_directions(model: Model, card: Card, size: tuple[int, ...] | None, name: str) -> None:
    """Compare the size of a file's directions, None if it has none, with its card. Raises models.BadModel."""
    wanted = (len(card.directions), *model.latent_shape)
    if size is None:
        raise unfit_error(name, f"describes {wanted[0]} directions, but the file does not hold them")
    if size != wanted:
        have, want = (" × ".join(map(str, numbers)) for numbers in (size, wanted))
        raise unfit_error(name, f"describes directions of the size {want}, but those in the file are {have}")


def unfit_error(name: str, fault: str) -> models.BadModel:
    """Return the error for a card that does not fit its file. `fault` ends its sentence."""
    return models.BadModel(f'The card in "{display_name(name)}" {fault}. {_AGAIN}')
