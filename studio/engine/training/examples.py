"""Prepare some files as a training does, to show them to the user."""

import contextlib
import random
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from studio.engine.events import EventSteps
from studio.engine.levels import levels_of_sound, sound_of_levels, to_arrays, to_levels
from studio.engine.training.artwork_cache import ArtworkCache
from studio.engine.training.augmentation import NOT_VARIED, SoundVariation, seeded, vary_pictures
from studio.engine.training.batches import mirror_some, variation_of
from studio.engine.training.config import TrainingConfig
from studio.engine.training.loading import load_data, without_reports
from studio.engine.training.palettes import with_palette_of_data
from studio.engine.training.recordings import varied_cut
from studio.engine.training.scanning import is_pack
from studio.media.folder_scan import ListedFile, list_again
from studio.media.preparing import ORIGINAL_SECONDS, FilePreparer, OriginalReader, PreparedFile
from studio.media.shards import find_shards, list_source, scan_source
from studio.wire import messages as wire
from studio.wire.messages import Array

MOST_OF_SHARDS = 2000
"""The most files of shards among which some are chosen."""


class Example(NamedTuple):
    """Names a file and holds its artwork. An artwork of a pack has neither file nor name."""

    file: ListedFile | None
    name: str
    artwork: Array


def preview_examples(command: wire.PreviewExamples) -> EventSteps:
    """Prepare some files at random, vary them, and report them in the model's levels."""
    yield None
    config = msgspec.convert(command.config, TrainingConfig)
    source = Path(command.source)
    config = yield from _with_palette(source, config)
    found: list[Example] = []
    steps = _of_pack if is_pack(source, config.sample_rate) else _of_folder
    with contextlib.closing(steps(source, config, command)) as examples:
        for each in examples:
            found += [each] if each is not None else []
            if len(found) == command.count:
                break
            yield None
    originals: dict[str, PreparedFile] = {}
    files = [each.file for each in found if each.file is not None]
    if command.originals and files:
        originals = yield from _read_originals(source, config, files)
        found = [each for each in found if each.file is not None and each.file.path in originals]  # one may be gone
    read = [originals[each.file.path] for each in found if each.file is not None and each.file.path in originals]
    yield wire.ExamplesPreview(
        job=command.job,
        names=tuple(each.name for each in found),
        examples=tuple(seen_artwork(config, each.artwork) for each in found),
        variations=tuple(
            vary_artwork(config, each.artwork, command.variations, command.seed + number)
            for number, each in enumerate(found)
        )
        if command.variations
        else (),
        sample_rate=config.sample_rate,
        palette=config.palette,
        originals=tuple(each.artwork for each in read),
        original_rates=tuple(each.rate for each in read) if config.sample_rate else (),
    )


def _with_palette(source: Path, config: TrainingConfig) -> Generator[None, None, TrainingConfig]:
    """Return the config with the palette with which a training would begin, if its colours are indexed.

    That takes all artworks, because those held out are left aside.
    """
    if not config.indexed or config.palette:
        return config
    preparer = FilePreparer(config.shown_shape, config.sample_rate, config.preparation)
    with contextlib.closing(ArtworkCache(preparer.options)) as cache:
        steps = load_data(source, config.shown_shape, 0, (), config.preparation, cache)
        data = yield from without_reports(steps)
    return (yield from with_palette_of_data(config, data))


def _of_folder(
    source: Path, config: TrainingConfig, command: wire.PreviewExamples
) -> Generator[Example | None, None, None]:
    files: dict[str, ListedFile] = {}
    with contextlib.closing(list_source(source)) as listing:
        for listed in listing:
            if isinstance(listed, ListedFile):
                files[listed.path] = listed
            else:
                yield None
            if len(files) == MOST_OF_SHARDS and find_shards(source) is not None:
                break
    order = list(files.values())
    random.Random(command.seed).shuffle(order)
    preparer = FilePreparer(config.shown_shape, config.sample_rate, config.preparation)
    with contextlib.closing(ArtworkCache(preparer.options)) as cache:
        for report in scan_source(source, preparer, cache, list_again(order)).steps():
            if report is not None and report.is_used and report.prepared is not None:
                yield Example(files[report.path], report.name, report.prepared.artwork)
            else:
                yield None


def _of_pack(
    source: Path, config: TrainingConfig, command: wire.PreviewExamples
) -> Generator[Example | None, None, None]:
    data = yield from without_reports(load_data(source, config.shown_shape, config.sample_rate, config.label_columns))
    numbers = random.Random(command.seed).sample(range(len(data.train)), min(command.count, len(data.train)))
    yield from (Example(None, "", data.train[number]) for number in numbers)


def _read_originals(
    source: Path, config: TrainingConfig, files: list[ListedFile]
) -> Generator[None, None, dict[str, PreparedFile]]:
    """Return what files hold, by their paths, without those that cannot be read any more."""
    found: dict[str, PreparedFile] = {}
    reader = OriginalReader(config.shown_shape, config.sample_rate, config.preparation)
    with contextlib.closing(scan_source(source, reader, files=list_again(files)).steps()) as reports:
        for report in reports:
            if report is not None and report.prepared is not None:
                found[report.path] = report.prepared
            yield None
    return found


def seen_artwork(config: TrainingConfig, artwork: Array) -> Array:
    """Return an artwork in the model's levels. A long recording is cut."""
    if config.sample_rate:
        wave = artwork[: round(ORIGINAL_SECONDS * config.sample_rate)]
        return sound_of_levels(levels_of_sound(wave, config.levels), config.levels)
    x = to_levels(artwork[None], config.shape, config.levels, config.palette)
    seen: Array = to_arrays(x, config.levels, config.palette)[0]
    return seen


def vary_artwork(config: TrainingConfig, artwork: Array, count: int, seed: int) -> Array:
    """Return variations (count, …) of an artwork as a training draws them. Those of a recording begin at one place."""
    stream = seeded(seed, 0)
    if config.sample_rate:
        samples = config.plan.cut_samples
        begin = int(torch.randint(max(len(artwork) - samples, 0) + 1, (), generator=stream))
        return np.stack([_cut(config, artwork, begin, stream) for _ in range(count)])
    x = to_levels(np.stack([artwork] * count), config.shape, config.levels, config.palette)
    if config.plan.mirror:
        x = mirror_some(x, config.levels, torch.rand(count, generator=stream) < 0.5)
    if len(config.shape) == 3:
        x = vary_pictures(x, config.augmentation, config.levels, stream)
    return to_arrays(x, config.levels, config.palette)


def _cut(config: TrainingConfig, wave: Array, begin: int, stream: torch.Generator) -> Array:
    """Return a cut of a recording as a model sees it, silence after its end, (samples,) int16."""
    silence = int(levels_of_sound(np.zeros(1, np.int16), config.levels)[0])
    variation = variation_of(config) or SoundVariation(NOT_VARIED, config.sample_rate, config.levels)
    samples = config.plan.cut_samples
    row = varied_cut(torch.from_numpy(wave.copy()), begin, samples, 0, silence, variation, stream)
    return sound_of_levels(row, config.levels)
