"""Measure at which temperatures models work, and write that on their cards: `temperatures.py FILE.safetensors …`.

It is for models that were trained before cards had such a range. The weights stay the same, byte for byte. Works that
the models draw are compared with their covers. On one core a model of pictures takes 1 to 60 seconds, and a model of
recordings takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402
import torch  # noqa: E402

from studio.engine.generation import sampling  # noqa: E402
from studio.engine.training import temperature_range  # noqa: E402
from studio.library import models  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Measure models and write their cards; print a line for each. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.safetensors")
    for file in parser.parse_args(argv).files:
        began = time.monotonic()
        found = models.find_model(str(file))
        card = found.card
        measured = range_of(found)
        if measured != card.temperature_range:
            models.write_card(found, msgspec.structs.replace(card, temperature_range=measured))
        words = "not even at its own temperature" if measured is None else "{:g} to {:g}".format(*measured)
        print(f"{card.name:28} {words}, {card.temperature:g} is its own ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def range_of(found: models.InstalledModel) -> temperature_range.TemperatureRange | None:
    """Return the range of temperatures at which a trained model works, compared with its cover."""
    loaded = sampling.load_model(found, torch.device("cpu"))
    card = found.card
    return temperature_range.measure_range(
        lambda temperature: temperature_range.draw_works(
            loaded.model, temperature, card.palette, card.sample_rate, card.opening_temperature
        ),
        card.temperature,
        list(models.read_cover(found.path)),
    )


if __name__ == "__main__":
    sys.exit(main())
