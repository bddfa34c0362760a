"""Finds the models that Explore can use, and says why it cannot use the others."""

from collections.abc import Iterable

from studio.library.card import Card
from studio.library.models import InstalledModel

NO_SLIDERS = "No sliders"


def has_sliders(trained: InstalledModel) -> bool:
    """Return whether a model has sliders.

    It then makes whole pictures or waves and has directions, each of which is a slider.
    """
    return bool(trained.card.directions) and not trained.card.rate


def first_with_sliders(models: Iterable[InstalledModel]) -> InstalledModel | None:
    """Return the first model that has sliders."""
    return next(filter(has_sliders, models), None)


def find_replacement(
    models: Iterable[InstalledModel], trained: InstalledModel | None, preferred: InstalledModel | None = None
) -> InstalledModel | None:
    """Return a model with sliders that can show an artwork of a model without.

    Returns None if the model has sliders itself, or if no other one is installed. Models of the same size come first,
    and `preferred` comes first among equals.
    """
    if trained is None or has_sliders(trained):
        return None
    able = [each for each in models if has_sliders(each) and each.card.kind == trained.card.kind]
    return min(able, key=lambda each: (each.card.shape != trained.card.shape, each != preferred), default=None)


def no_sliders_reason(card: Card) -> str:
    """Return the reason why a model cannot be explored, without the full stop."""
    return f'"{card.title}" {card.sampling_text} and has no sliders'
