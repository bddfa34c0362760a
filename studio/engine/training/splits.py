"""Split the artworks of a training: those to learn from, those that validate a run, and those held out."""

import hashlib

import msgspec
import numpy as np
import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.density.pyramid import Pyramid
from studio.engine.levels import DoesNotFit, TrainingExamples, examples_in_levels
from studio.engine.training.loading import TrainingData
from studio.engine.training.recordings import TrainingRecordings, to_training_recordings
from studio.media import dataset
from studio.media.preparation import Palette
from studio.media.sounds import audio_dataset
from studio.wire import messages as wire


def training_and_test(
    data: TrainingData, model: Model, palette: Palette, *, varied: bool = False
) -> tuple[TrainingExamples, TrainingExamples] | tuple[TrainingRecordings, TrainingRecordings]:
    """Split data into training and held-out examples, with classes if the model has them.

    Pictures of two greys become random bits. Raises DoesNotFit. `varied`: whether recordings will be varied.
    """
    if isinstance(data, audio_dataset.RecordingDataset):
        if not isinstance(model, AutoregressiveSound):
            raise DoesNotFit(
                "only a WaveNet learns from recordings. Choose it, or leave the rate out for single cycles"
            )
        return to_training_recordings(data, model, varied=varied)
    pairs = ((data.train, data.train_labels), (data.test, data.test_labels))
    sides = [
        examples_in_levels(x, model, _classes(labels, model, data.name), seed, palette)
        for seed, (x, labels) in enumerate(pairs)
    ]
    return sides[0], sides[1]


def _classes(labels: wire.Array | None, model: Model, name: str) -> torch.Tensor | None:
    if not model.classes or isinstance(model, Pyramid):  # a pyramid's pictures may have other classes than its base's
        return None
    if labels is None:
        raise DoesNotFit(f'the recipe needs {model.classes} classes, but "{name}" has no labels')
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < model.classes:
        raise DoesNotFit(
            f'the recipe needs {model.classes} classes, but "{name}" has labels from {labels.min()} to {labels.max()}'
        )
    return torch.from_numpy(labels)


def class_names(data: TrainingData, model: Model) -> tuple[str, ...]:
    """Return the names of a conditional model's classes; their numbers if the data name none."""
    named = data.label_names if len(data.label_names) == model.classes else ()
    return named or tuple(str(number) for number in range(model.classes))


def split_validation(
    known: TrainingExamples | TrainingRecordings, name: str, share: float = 0.05, most: int = 256
) -> tuple[TrainingExamples | TrainingRecordings, TrainingExamples | TrainingRecordings]:
    """Split validation examples from the training examples, so that test artworks choose nothing.

    The end of a single recording validates it. Raises DoesNotFit if there is too little, naming what is needed.
    """
    if isinstance(known, TrainingRecordings) and len(known) == 1:
        (sound,) = known.x
        validated = max(1, int(len(sound) * share))
        learned = tuple(wave[:-validated] for wave in known.waves)
        return (
            TrainingRecordings((sound[:-validated],), known.c, learned),
            TrainingRecordings((sound[-validated:],), known.c),
        )
    if isinstance(known, TrainingExamples) and len(known) < dataset.MIN_LEARNED:
        raise DoesNotFit(
            f'"{name}" has {len(known)} to train on, besides those held out. At least {dataset.MIN_LEARNED} are needed'
        )
    numbers = split_numbers(len(known), share, most)
    return known.select(numbers[0]), known.select(numbers[1])


def split_numbers(count: int, share: float = 0.05, most: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the numbers of the artworks to learn from, and of those that validate, of so many."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    validated = max(1, min(int(count * share), most))
    return order[validated:], order[:validated]


def hash_training_data(data: TrainingData) -> str:
    """Return a hash of the training data, which tells whether they changed. That of a stream is of names and sizes."""
    digest = hashlib.blake2b(digest_size=16)
    if data.shards is not None:
        digest.update(msgspec.json.encode(data.shards.sizes))
        return digest.hexdigest()
    labels = () if data.train_labels is None else (data.train_labels,)
    for array in (*data.train, *labels):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
