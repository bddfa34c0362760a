"""Every family has the presets that the window and the terminal offer."""

import pytest
import torch

from studio import zoo

SHAPES = {"wavenet": (16_000,), "pixelrnn": (1, 28, 28), "vae_flow": (1, 28, 28)}


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_presets_have_the_same_names_and_grow(family: str) -> None:
    presets = zoo.FAMILIES[family].presets
    assert list(presets) == ["tiny", "small", "large", "paper"]
    sizes = {}
    for name, recipe in presets.items():
        with torch.device("meta"):
            model = recipe.build(SHAPES.get(family, (3, 32, 32)))
        sizes[name] = sum(parameter.numel() for parameter in model.parameters())
    assert sizes["tiny"] < sizes["small"] < sizes["large"], "a paper may be about a smaller data set"
