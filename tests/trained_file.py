"""Write the file of a trained model, as the job that trains does."""

from pathlib import Path
from typing import Any

from studio.engine.training import model_export
from studio.library import storage
from studio.library.card import Card


def write_trained_model(path: Path, *run_and_examples: Any) -> Card:
    """Write the best average of a run and return its card. The arguments are those of `model_export.make_model`."""
    card, data = model_export.make_model(*run_and_examples)
    storage.write_file(path, data)
    return card
