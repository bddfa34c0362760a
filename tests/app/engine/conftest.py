"""Real engines work with the models that are shipped."""

import pytest


@pytest.fixture(autouse=True)
def two_models() -> None:
    """Leave the shipped models where they are; the other tests of the window hide them."""
