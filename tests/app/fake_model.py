"""A model's file without a trained model: a real card, a real cover, weights that nobody loads."""

from pathlib import Path

import numpy as np
import safetensors.numpy

from studio.library import card as cards
from studio.library.card import Card


def make_card(
    name: str = "tiny",
    shape: tuple[int, ...] = (3, 8, 8),
    scales: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
    family: tuple[str, str] = ("realnvp", "RealNVP"),
    rate: int = 0,
    borderless: bool = False,
) -> Card:
    """Of pictures; with a shape of one number, of waves, or with a rate in Hz of recordings."""
    return Card(
        name=name,
        title=name.title(),
        family=family[0],
        family_title=family[1],
        subject="Squares, 8 × 8" if len(shape) == 3 else "Waves",
        medium="picture" if len(shape) == 3 else "sound",
        shape=shape,
        sample_rate=rate,
        recipe={"family": family[0]} | ({"borderless": True} if borderless else {}),
        training_data="4 squares",
        licence="CC0",
        parameters=8,
        steps=1,
        value=3.0,
        exact=True,
        temperature=0.7,
        scales=scales,
        classes=classes,
        directions=("1", "2", "3"),
        date="2026-11-23",
        version="0.1.0",
    )


def write_model(folder: Path, of: Card, salt: float = 0.0) -> Path:
    """Put a model's file into a folder; `salt` makes it another file with the same card."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{of.name}.safetensors"
    tensors: dict[str, np.ndarray] = {
        "weights.w": np.full((2, 4), salt, np.float32),
        "directions": np.zeros((len(of.directions), *of.shape), np.float32),
        "cover": make_cover(of),
    }
    path.write_bytes(safetensors.numpy.save(tensors, {"card": cards.card_to_json(of)}))
    return path


def make_cover(of: Card) -> np.ndarray:
    """Two pictures of one grey; two sines."""
    if of.medium == "sound":
        at = np.arange(of.shape[0]) / of.shape[0]
        return np.rint(20_000 * np.sin(2 * np.pi * np.outer([1, 3], at))).astype(np.int16)
    channels, height, width = of.shape
    return np.full((2, height, width, channels), 7, np.uint8)
