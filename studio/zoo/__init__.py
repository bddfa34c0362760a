"""List the families of models: one paper, one file, one line in this list."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from studio.density.model import Model
from studio.nets.convolution import channels_last, fold, pack, plain
from studio.zoo import (
    gated_pixelcnn,
    glow,
    iaf,
    maf,
    nice,
    pixelcnn,
    pixelcnn_pp,
    pixelrnn,
    realnvp,
    upsampler,
    vae_flow,
    wavenet,
)

__all__ = [
    "FAMILIES",
    "RECIPE_FAMILIES",
    "Family",
    "Recipe",
    "build_model",
    "channels_last",
    "fold",
    "family_forms",
    "pack",
    "paper_of",
    "plain",
    "recipe_from_fields",
]

Flows = nice.NICE | realnvp.RealNVP | maf.MAF | iaf.IAF | glow.Glow | vae_flow.VAEFlow
Pixels = pixelrnn.PixelRNN | pixelcnn.PixelCNN | gated_pixelcnn.GatedPixelCNN | pixelcnn_pp.PixelCNNPP
Recipe = Flows | Pixels | wavenet.WaveNet | upsampler.Upsampler


class Family(NamedTuple):
    """Describes a family of models: its name in the papers, its recipe, its presets and the paper's figure.

    `paper_of` may return a figure that fits a recipe better.
    """

    title: str
    recipe: type[Recipe]
    presets: Mapping[str, Recipe]
    paper: str


FAMILIES = {
    "nice": Family("NICE", nice.NICE, nice.PRESETS, "4.48 bits per dimension on CIFAR-10"),
    "realnvp": Family("RealNVP", realnvp.RealNVP, realnvp.PRESETS, "3.49 bits per dimension on CIFAR-10"),
    "glow": Family("Glow", glow.Glow, glow.PRESETS, "3.35 bits per dimension on CIFAR-10"),
    "vae_flow": Family("VAE with a flow", vae_flow.VAEFlow, vae_flow.PRESETS, "85.1 nats on binarised MNIST"),
    "iaf": Family("IAF", iaf.IAF, iaf.PRESETS, "3.11 bits per dimension on CIFAR-10, inside a VAE"),
    "maf": Family("MAF", maf.MAF, maf.PRESETS, "-1300.5 nats in logit space on MNIST"),
    "pixelrnn": Family("PixelRNN", pixelrnn.PixelRNN, pixelrnn.PRESETS, "79.20 nats on binarised MNIST"),
    "pixelcnn": Family("PixelCNN", pixelcnn.PixelCNN, pixelcnn.PRESETS, "3.14 bits per dimension on CIFAR-10"),
    "gated_pixelcnn": Family(
        "Gated PixelCNN",
        gated_pixelcnn.GatedPixelCNN,
        gated_pixelcnn.PRESETS,
        "3.03 bits per dimension on CIFAR-10",
    ),
    "pixelcnn_pp": Family(
        "PixelCNN++", pixelcnn_pp.PixelCNNPP, pixelcnn_pp.PRESETS, "2.92 bits per dimension on CIFAR-10"
    ),
    "wavenet": Family("WaveNet", wavenet.WaveNet, wavenet.PRESETS, "4.21 of 5 by those who heard it speak English"),
}

UPSAMPLER = Family("Upsampler", upsampler.Upsampler, upsampler.PRESETS, "")
"""The details of pyramids. It is not among the families, because it makes no artworks without another model."""

RECIPE_FAMILIES = {**FAMILIES, "upsampler": UPSAMPLER}
"""The family of every recipe, by the recipe's tag."""


INDEXED = (pixelrnn.PixelRNN, pixelcnn.PixelCNN, gated_pixelcnn.GatedPixelCNN)
"""Recipes with a softmax over levels, for which the order of the levels means nothing."""


def build_model(recipe: Recipe, shape: tuple[int, ...], levels: int, *, indexed: bool) -> Model:
    """Build the model of a recipe, over the `indexed` colours of a palette if so.

    Raises ValueError if the recipe makes no such artworks.
    """
    if not indexed:
        return recipe.build(shape, levels)
    if not isinstance(recipe, INDEXED):
        able = ", ".join(family.title for family in FAMILIES.values() if issubclass(family.recipe, INDEXED))
        raise ValueError(f"{title_of(recipe)} needs brightness, and a palette has none; choose one of {able}")
    if shape[0] != 1:
        raise ValueError(f"a palette has one index for each pixel, and {shape[0]} were asked for")
    return recipe.build(shape, levels, indexed=True)


def title_of(recipe: Recipe) -> str:
    """Return the title of a recipe's family."""
    family: str = msgspec.to_builtins(recipe)["family"]
    return RECIPE_FAMILIES[family].title


def recipe_from_fields(fields: dict[str, Any]) -> Recipe:
    """Return the recipe in plain fields, of which `family` is one. Raises msgspec.ValidationError naming the field."""
    found: Recipe = msgspec.convert(fields, Recipe)
    return found


def paper_of(recipe: Recipe) -> str:
    """Return the paper's figure for the model that is most like a recipe, on the paper's own data.

    With classes, MAF's figure is that of p(x) = Σ p(x | c) / classes (arXiv:1705.07057), and PixelCNN++'s is given the
    class (arXiv:1701.05517). A Row LSTM has its own figure (arXiv:1601.06759), and an inverse autoregressive posterior
    has its own paper (arXiv:1606.04934). No paper has a figure of artworks plus Gaussian noise that compares.
    """
    if getattr(recipe, "noise", 0):
        return ""
    match recipe:
        case upsampler.Upsampler():
            return UPSAMPLER.paper
        case maf.MAF(classes=classes) if classes:
            return "-1302.9 nats in logit space on MNIST, with classes"
        case pixelcnn_pp.PixelCNNPP(classes=classes) if classes:
            return "2.94 bits per dimension on CIFAR-10, given its kind"
        case pixelrnn.PixelRNN(cells="row"):
            return "3.07 bits per dimension on CIFAR-10"
        case vae_flow.VAEFlow(posterior="iaf"):
            return "79.10 nats of 128 weighted draws on binarised MNIST"
    family: str = msgspec.to_builtins(recipe)["family"]
    return FAMILIES[family].paper


def family_forms() -> dict[str, Any]:
    """Return the title, the presets and the JSON schema of the hyperparameters of each family, for forms."""
    return {
        key: {
            "title": family.title,
            "schema": msgspec.json.schema(family.recipe),
            "presets": {name: msgspec.to_builtins(preset) for name, preset in family.presets.items()},
        }
        for key, family in FAMILIES.items()
    }
