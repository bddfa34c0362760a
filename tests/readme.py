"""The models that the steps of the README name, for the tests that follow these steps."""

import re
from pathlib import Path

STEPS = (Path(__file__).parents[1] / "README.md").read_text("utf-8").partition("## The first ten minutes")[2]
_NAMED = re.findall(r"(?:model|choose) \*([^*]+)\*", STEPS.partition("\n## ")[0])
FIRST, WITH_SLIDERS = _NAMED[:2]
"""Titles: of the model with which the window begins, and of that which is taken into Explore."""
