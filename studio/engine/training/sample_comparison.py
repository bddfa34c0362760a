"""Find the training artwork nearest to each sample of a trained model, which shows whether it copies its data."""

from collections.abc import Generator, Iterator
from pathlib import Path

import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import DecodingStep
from studio.engine.events import EventSteps, with_progress
from studio.engine.generation.picture_job import GROUP_SIZE
from studio.engine.generation.sampling import LoadedModel, ModelCache, arrays_of_levels, recording_temperatures
from studio.engine.levels import TrainingExamples
from studio.engine.training.loading import load_data, without_reports
from studio.engine.training.nearest import NearestArtworks
from studio.engine.training.nearest_sounds import NearestRecordings
from studio.engine.training.previews import SOUND_SECONDS
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.splits import training_and_test
from studio.library.card import Card
from studio.media.pictures.image import FileRefused
from studio.wire import messages as wire


def compare_samples(command: wire.CompareSamples, model_cache: ModelCache) -> EventSteps:
    """Draw samples of a model and report each with the nearest training artwork.

    A mirrored picture counts as a copy, too. Raises FileRefused if all training artworks look the same.
    """
    yield None
    loaded = model_cache.get_model(command.model)
    card = loaded.card
    source = Path(command.source)
    loading = load_data(source, card.shown_shape, card.sample_rate, card.label_columns, card.preparation)
    data = yield from without_reports(loading)
    learned, held_out = training_and_test(data, loaded.model, card.palette)
    nearest = _search(card, learned, held_out)
    x = yield from with_progress(command.job, _draw(loaded, command.seeds, command.temperature))
    found = yield from nearest.find(x)
    if found is None:
        raise FileRefused(source.name, "all its artworks look the same", "Nothing can be said about copies.")
    drawn = arrays_of_levels(loaded, x)
    artworks, distances = found
    yield wire.SamplesCompared(job=command.job, step=card.steps, samples=drawn, nearest=artworks, distances=distances)


def _search(
    card: Card, learned: TrainingExamples | TrainingRecordings, held_out: TrainingExamples | TrainingRecordings
) -> NearestArtworks | NearestRecordings:
    if isinstance(learned, TrainingRecordings) and isinstance(held_out, TrainingRecordings):
        return NearestRecordings(learned, held_out, card.levels, card.sample_rate, _samples_drawn(card))
    assert isinstance(learned, TrainingExamples), "both sides are of one kind"
    assert isinstance(held_out, TrainingExamples), "both sides are of one kind"
    return NearestArtworks(learned, held_out, card.levels, card.palette, mirrored=True)


def _samples_drawn(card: Card) -> int:
    return min(round(SOUND_SECONDS * card.sample_rate), card.shape[0])


@torch.inference_mode()
def _draw(
    loaded: LoadedModel, seeds: tuple[int, ...], temperature: float
) -> Generator[tuple[int, int], None, torch.Tensor]:
    """Yield (samples finished, in all) after each step, and return all in levels, `(n, *shape)`."""
    groups = list[torch.Tensor]()
    for first in range(0, len(seeds), GROUP_SIZE):
        for step in _steps(loaded, seeds[first : first + GROUP_SIZE], temperature):
            last = step
            yield first, len(seeds)
        groups.append(last.x)
    return torch.cat(groups)


def _steps(loaded: LoadedModel, seeds: tuple[int, ...], temperature: float) -> Iterator[DecodingStep]:
    model = loaded.model
    card = loaded.card
    if not isinstance(model, AutoregressiveSound):
        return model.sample_steps(seeds, temperature=temperature)
    samples = _samples_drawn(card)
    temperatures = recording_temperatures(model, samples, card.sample_rate, temperature, card.opening_temperature)
    return model.sample_steps(seeds, temperature=temperatures, samples=samples)
