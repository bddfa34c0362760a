"""Which models Explore moves a picture with, and what it says of the others."""

from collections.abc import Iterable

from studio.library.card import Card
from studio.library.models import Trained

NO_SLIDERS = "No sliders"


def has_sliders(trained: Trained) -> bool:
    """Whether a model makes whole pictures or waves and has directions to move them along."""
    return bool(trained.card.directions) and not trained.card.rate


def first_with_sliders(models: Iterable[Trained]) -> Trained | None:
    """The first model that Explore can move a picture with."""
    return next(filter(has_sliders, models), None)


def replacement(models: Iterable[Trained], trained: Trained | None, present: Trained | None) -> Trained | None:
    """The model with sliders that takes over an artwork of one without: of the same size before others of its kind.

    Returns None if the model needs no other one, or if none is here. `present` comes first among equals.
    """
    if trained is None or has_sliders(trained):
        return None
    able = [each for each in models if has_sliders(each) and each.card.kind == trained.card.kind]
    return min(able, key=lambda each: (each.card.shape != trained.card.shape, each != present), default=None)


def no_sliders(card: Card) -> str:
    """Why a model cannot be explored, without the full stop."""
    return f'"{card.title}" {card.way} and has no sliders'
