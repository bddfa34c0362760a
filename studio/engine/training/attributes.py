"""Read what a pack says about its artworks, such as the weight of a letter's font, for sliders of that name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
from msgspec import Meta
from torch import Tensor

from studio.engine.levels import DoesNotFit
from studio.media import decoder
from studio.media.names import display_name

Array = np.ndarray[Any, Any]


class Attribute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names a number that a pack has for each artwork."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    """The name of its slider, such as `Weight`."""
    column: Annotated[str, Meta(min_length=1)]
    """The array of numbers: `COLUMN` if there is an index, else `train_COLUMN`."""
    index: str = ""
    """`train_INDEX` has the row of each artwork in the column, such as its font; empty if they have a row each."""
    value: str = ""
    """If the column holds texts: the one that counts as 1, while all others are 0."""

    @property
    def arrays(self) -> tuple[str, ...]:
        """Return the names of the arrays: the column's, then the index's if there is one."""
        return (self.column, f"train_{self.index}") if self.index else (f"train_{self.column}",)


def attribute_values(source: Path, rows: Array, attributes: Sequence[Attribute]) -> Tensor:
    """Return the attributes of artworks of a pack, `(n, attributes)`. Raises FileRefused and DoesNotFit.

    Arguments
        rows: the row of each artwork in its pack, `(n,)`
    """
    name = display_name(source.name)
    if source.suffix.lower() != ".npz":
        raise DoesNotFit(f'"{name}" has no attributes, which the recipe names. Choose a pack (.npz)')
    wanted = {key for each in attributes for key in each.arrays}
    tables = decoder.open_pack(os.path.realpath(source), sorted(wanted))
    missing = sorted(wanted - tables.keys())
    if missing:
        raise DoesNotFit(f'"{name}" has no array "{missing[0]}", which the recipe names')
    return torch.from_numpy(np.stack([_values(tables, each, name)[rows] for each in attributes], 1).astype(np.float32))


def _values(tables: Mapping[str, Array], attribute: Attribute, name: str) -> Array:
    """Return the number of each row of the pack."""
    column_key, *index_key = attribute.arrays
    column = tables[column_key] == attribute.value if attribute.value else tables[column_key]
    if column.dtype.kind not in "iufb" or column.ndim != 1:
        raise DoesNotFit(f'"{name}" has no numbers in "{column_key}" for "{attribute.name}"')
    if not index_key:
        return column
    index = tables[index_key[0]]
    if index.dtype.kind not in "iu" or not 0 <= int(index.min()) <= int(index.max()) < len(column):
        raise DoesNotFit(f'"{name}" has rows in "{index_key[0]}" that "{column_key}" has not')
    return column[index]
