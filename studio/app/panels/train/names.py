"""Chooses a free name for a training."""

import re
from collections.abc import Collection
from typing import Any

from studio.library import model_names


def with_free_name(config: dict[str, Any], title: str, taken: Collection[str]) -> dict[str, Any]:
    """Return a training config with a free name. If the name was numbered, the title has the same number.

    `taken` holds the names of trainings that are not on the disk yet.
    """
    name = model_names.free_model_name(title, taken=taken)
    number = re.fullmatch(r".*-(\d+)", name)
    if number is not None and not title.endswith(number[1]):
        title = f"{title} {number[1]}"
    return {**config, "name": name, "title": title}
