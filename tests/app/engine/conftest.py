"""Real engines work with the models that are shipped."""

import pytest


@pytest.fixture(autouse=True)
def two_models() -> None:
    """Keep the shipped models, which the other tests of the window hide."""
