"""The models that the README names are installed."""

from studio.app.model_browser.explorable import first_with_sliders
from studio.library import models
from tests import readme


def test_the_models_of_the_readmes_first_steps_are_installed() -> None:
    shelf = models.list_models()[0]
    first = first_with_sliders(shelf)
    assert shelf[0].card.title == readme.FIRST, "the window begins with the first model"
    assert first is not None and first.card.title == readme.WITH_SLIDERS, "Explore begins with the first of these"
