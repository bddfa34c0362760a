"""A model's file without a trained model: a real card, a real cover, weights that nobody loads."""

from pathlib import Path

import numpy as np
import safetensors.numpy

from studio.library import card as cards
from studio.library.card import Card


def card(name: str = "tiny", shape: tuple[int, int, int] = (3, 8, 8), scales: tuple[str, ...] = ()) -> Card:
    return Card(
        name=name,
        title=name.title(),
        family="realnvp",
        family_title="RealNVP",
        makes="Squares, 8 × 8",
        shape=shape,
        recipe={"family": "realnvp"},
        learned_from="4 squares",
        licence="CC0",
        parameters=8,
        steps=1,
        value=3.0,
        exact=True,
        temperature=0.7,
        scales=scales,
        directions=("1", "2", "3"),
        date="2026-11-23",
        version="0.1.0",
    )


def write_model(folder: Path, of: Card, salt: float = 0.0) -> Path:
    """Put a model's file into a folder; `salt` makes it another file with the same card."""
    channels, height, width = of.shape
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{of.name}.safetensors"
    tensors: dict[str, np.ndarray] = {
        "weights.w": np.full((2, 4), salt, np.float32),
        "directions": np.zeros((len(of.directions), *of.shape), np.float32),
        "cover": np.full((2, height, width, channels), 7, np.uint8),
    }
    path.write_bytes(safetensors.numpy.save(tensors, {"card": cards.to_json(of)}))
    return path
