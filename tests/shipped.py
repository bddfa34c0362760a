"""List the shipped models and read their recipes."""

import json
from pathlib import Path
from typing import Any

from studio.library import models
from studio.library.card import Card

MODEL_FILES = sorted(
    path for path in models.shipped_folder().glob("*.safetensors") if models.find_model(str(path)).card.role == "model"
)
"""The files of all shipped models; upsamplers, which make nothing alone, are left out."""


def recipe_of(card: Card) -> dict[str, Any]:
    """Return the recipe that made a shipped model."""
    folder = models.shipped_folder() / "recipes" / ("pyramids" if card.pyramid is not None else "")
    recipe: dict[str, Any] = json.loads((Path(folder) / f"{card.name}.json").read_bytes())
    return recipe
