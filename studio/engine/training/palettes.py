"""Choose the palette of a training in indexed colours."""

from collections.abc import Generator
from pathlib import Path

import msgspec

from studio.engine.training.config import BadTrainingConfig, TrainingConfig, config_from_json
from studio.engine.training.loading import TrainingData
from studio.media import dataset
from studio.media.pictures.palette import find_palette
from studio.media.preparation import MIN_COLOURS, Palette


def with_palette_of_run(config: TrainingConfig, folder: Path) -> TrainingConfig:
    """Return the config with the palette of its run, if that has begun. It stays even if files are added."""
    if not config.indexed or config.palette:
        return config
    try:
        begun = config_from_json((folder / "study.json").read_bytes())
    except (BadTrainingConfig, OSError):
        return config
    return _with_palette(config, begun.palette) if begun.palette else config


def with_palette_of_data(config: TrainingConfig, data: TrainingData) -> Generator[None, None, TrainingConfig]:
    """Return the config with a palette: its own, that of a pack, or one of the training pictures alone.

    A palette has fewer colours if the pictures have no more. Raises BadTrainingConfig if they have a single one.
    """
    if not config.indexed or config.palette:
        return config
    if not isinstance(data, dataset.Dataset):
        raise BadTrainingConfig("Sounds have no colours. Leave the palette out.")
    if len(data.palette) == config.levels:
        return _with_palette(config, data.palette)
    palette = yield from find_palette(data.train, config.levels)
    if len(palette) < MIN_COLOURS:
        raise BadTrainingConfig("All pictures have one colour. A palette needs at least 2.")
    return _with_palette(config, palette)


def _with_palette(config: TrainingConfig, palette: Palette) -> TrainingConfig:
    return msgspec.structs.replace(config, levels=len(palette), palette=palette)
