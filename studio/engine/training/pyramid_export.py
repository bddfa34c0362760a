"""Make a pyramid of two trained models: a base, which draws coarse pictures, and an upsampler, which adds details."""

from datetime import date
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load

from studio import __version__
from studio.engine.device import ComputeDevice
from studio.engine.events import EventSteps, with_progress
from studio.engine.generation import sampling
from studio.engine.levels import TrainingExamples, to_arrays, to_levels
from studio.engine.training import checkpoint, evaluation, model_export, temperature_range
from studio.engine.training.loading import TrainingData, load_data, without_reports
from studio.library import models, storage
from studio.library.card import Card, PyramidParts
from studio.library.models import BadModel, InstalledModel
from studio.media import dataset
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.wire import messages as wire


def make_pyramid(command: wire.MakePyramid, device: ComputeDevice) -> EventSteps:
    """Write a pyramid as a model: the base's weights, and a card that names the upsampler by the hash of its file.

    Its figures are measured on held-out pictures of the pyramid's size. Raises BadModel if the parts do not fit, and
    FileRefused if there are no such pictures.
    """
    yield None
    base, details = models.find_model(command.base), models.find_model(command.upsampler)
    described = _card(command, base, details)
    loaded = sampling.load_model(InstalledModel(described, base.path), device.torch_device)
    model = loaded.model
    data = yield from without_reports(load_data(Path(command.source), model.shape, 0, (), base.card.preparation))
    learned, held_out = _pictures(data, command.label)
    test = TrainingExamples(to_levels(held_out, model.shape, model.levels, ())).to(device.torch_device)
    figures = yield from with_progress(command.job, evaluation.measure_figures_in_steps(model, test, batch=8))
    spread = yield from with_progress(command.job, evaluation.measure_spread(model, test))
    cover, seconds = model_export.draw_cover(model, described.temperature, ())
    some = to_levels(learned[: model_export.COMPARED_ARTWORKS], model.shape, model.levels, ())
    known = to_arrays(some, model.levels, ())
    works = temperature_range.measure_range(
        lambda temperature: temperature_range.draw_works(model, temperature, ()), described.temperature, list(known)
    )
    rounded = tuple((metric, round(value, 4), exact) for metric, value, exact in figures)
    metric, value, exact = rounded[0]
    card = msgspec.structs.replace(
        described,
        scales=model_export.scale_names(model.scales),
        metric=metric,
        value=value,
        exact=exact,
        figures=rounded,
        bits_quantiles=spread,
        temperature_range=works,
        seconds_each=round(seconds, 4),
    )
    output = Path(command.output_folder) if command.output_folder else storage.home_folder("models")
    stored = load(models.read_model(base.path))
    weights = {key.removeprefix("weights."): t for key, t in stored.items() if key.startswith("weights.")}
    path = output / f"{card.name}.safetensors"
    file = checkpoint.encode_model(card, weights, stored["directions"], torch.from_numpy(cover))
    storage.write_file(path, file)
    yield wire.ModelWritten(job=command.job, name=card.name, is_final=True)


def _card(command: wire.MakePyramid, base: InstalledModel, details: InstalledModel) -> Card:
    """Return the card of a pyramid before anything is measured. Raises BadModel if the parts cannot be one."""
    if details.card.role != "upsampler":
        raise BadModel(f'"{details.card.title}" is no upsampler. Train one with `studio train --upsampler`.')
    if base.card.role == "upsampler" or base.card.pyramid is not None or base.card.medium != "picture":
        raise BadModel(f'"{base.card.title}" cannot be the base of a pyramid. Choose a model of small pictures.')
    if base.card.palette:
        raise BadModel(f'"{base.card.title}" has a palette, and details need degrees of brightness. Choose another.')
    return msgspec.structs.replace(
        base.card,
        name=command.name,
        title=command.title or base.card.title,
        shape=details.card.shape,
        pyramid=PyramidParts(
            upsampler=details.card.name, upsampler_hash=details.file_hash, coarse_shape=base.card.shape
        ),
        training_data=_joined(base.card.training_data, details.card.training_data),
        licence=_joined(base.card.licence, details.card.licence),
        parameters=base.card.parameters + details.card.parameters,
        date=date.today().isoformat(),
        version=__version__,
        former_hashes=(),
    )


def _joined(of_base: str, of_details: str) -> str:
    """Return the text about the base, with that about the details if it differs."""
    return of_base if of_base == of_details else f"{of_base}; details: {of_details}"[:500]


def _pictures(data: TrainingData, label: str) -> tuple[wire.Array, wire.Array]:
    """Return training and held-out pictures, of one class if a label is given. Raises FileRefused if there are none."""
    assert isinstance(data, dataset.Dataset), "pictures have no rate"
    train, test = data.train, data.test
    if label:
        names = list(data.label_names)
        if label not in names or data.train_labels is None or data.test_labels is None:
            there = f"It has: {', '.join(names)}." if names else "It has no classes."
            raise FileRefused(data.name, f'has no class "{display_name(label)}"', there)
        number = names.index(label)
        train, test = train[data.train_labels == number], test[data.test_labels == number]
    if not len(test) or not len(train):
        raise FileRefused(data.name, "holds out no such pictures", "Choose other data.")
    return train, test
