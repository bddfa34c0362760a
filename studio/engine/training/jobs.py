"""Run the two training jobs: one trains a model, the other evaluates a trained one."""

import contextlib
import math
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.engine.device import ComputeDevice, free_memory
from studio.engine.errors import NeedsForce
from studio.engine.events import EventSteps, Pause, with_progress
from studio.engine.followed_signal import FollowedSignal, followed_signal
from studio.engine.generation.sampling import LoadedModel, ModelCache, followed_signal_of
from studio.engine.levels import TrainingExamples
from studio.engine.training import (
    checkpoint,
    distance,
    evaluation,
    loop,
    model_export,
    packed_artworks,
    run_lock,
    trial,
)
from studio.engine.training.artwork_cache import ArtworkCache
from studio.engine.training.attributes import attribute_values
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, check_palette, with_classes
from studio.engine.training.loading import TrainingData, load_data, without_reports
from studio.engine.training.model_delivery import delivery_of, describe_wait, keep_saving
from studio.engine.training.palettes import with_palette_of_data, with_palette_of_run
from studio.engine.training.previews import RunPreviews
from studio.engine.training.recordings import TrainingRecordings, with_signals
from studio.engine.training.scanning import FileMessages
from studio.engine.training.splits import (
    class_names,
    hash_training_data,
    split_numbers,
    split_validation,
    training_and_test,
)
from studio.engine.training.streaming import STREAMED, StreamReport, open_stream
from studio.engine.training.training_run import TrainingRun
from studio.engine.training.waiting import WaitReport
from studio.library import models, runs, storage
from studio.media import dataset
from studio.media.pictures.image import FileRefused
from studio.media.preparing import FilePreparer
from studio.media.shards import find_shards
from studio.media.sounds import likeness
from studio.wire import messages as wire


@dataclass
class RunRequests:
    """Holds the user's requests to a running training. They are answered after the present step."""

    sample: bool = False
    publish: bool = False
    finish: bool = False


class OtherArtworks(BadTrainingConfig, NeedsForce):
    """Reports that a run was trained on other artworks than those that it would continue with."""


def train_model(command: wire.Train, device: ComputeDevice, requests: RunRequests) -> EventSteps:
    """Train a model and add it to the user's own, saving as it goes.

    Raises run_lock.RunLocked if another process trains the same run.
    """
    source = Path(command.source)
    config = yield from _config_of(command.config, source)
    folder = Path(command.run_folder)
    if command.is_remote:
        folder = storage.home_folder("runs") / folder.name
    if place := runs.read_place(folder):
        raise BadTrainingConfig(f'"{folder.name}" is trained on "{place.computer}". Continue it in the window.')
    run_lock.check_run(folder)
    _check_memory(config, device)
    check_palette(config)
    config = with_palette_of_run(config, folder)
    report = StreamReport(FileMessages(command.job))
    data = yield from _load_training_data(source, config, report)
    config = yield from with_palette_of_data(config, data)
    yield wire.Notice(job=command.job, text=data.report.summary)
    if data.shards is not None:
        yield wire.Notice(job=command.job, text=STREAMED)
    not_used = len(data.report.skipped)
    yield wire.DatasetLoaded(
        job=command.job, used=data.report.used, skipped=not_used, duplicates=data.report.duplicates
    )
    with run_lock.hold_run(folder):
        run = TrainingRun(config, folder, device.torch_device, _start_weights(command))
        varied = config.augmentation.varies_sounds
        known, test = training_and_test(data, run.model, config.palette, varied=varied)
        if config.attributes and isinstance(data, dataset.Dataset) and isinstance(known, TrainingExamples):
            attributes = attribute_values(Path(command.source), data.train_rows, config.attributes)
            known = replace(known, attributes=attributes)
        stream = open_stream(data, config, run, split_numbers(len(data.train))[1])
        known, watch = split_validation(known, data.name)
        followed = followed_signal(config.recipe, config.sample_rate, config.levels)
        learn, watch, test = yield from _with_signals(followed, known, watch, test)
        _set_usual_signal(run, learn)
        is_same = _check_resumed(run, hash_training_data(data), force=command.force)
        sent = learn if stream is None else learn.select(slice(1))
        run.process_group.broadcast_examples(msgspec.json.encode(config), sent)
        run.process_group.broadcast_bytes(b"" if stream is None else msgspec.json.encode(stream.source))
        deliver = delivery_of(command, config.name)
        classes = class_names(data, run.model)
        if command.only_export:
            _prepare_export(run, learn, watch, is_same=is_same)
        else:
            previews = RunPreviews(run, command.sample_seeds, learn, test, only_at_end=command.samples_at_end)
            results = loop.train_run(run, learn, watch, bf16=device.has_bf16, stream=stream)
            export = partial(_export_snapshot, command.job, run, deliver, learn, classes)
            files = None if stream is None else partial(report.report_files, stream)
            yield from _learn(command, run, results, previews, requests, export, files)
        card, file = model_export.make_model(run, learn, watch, test, classes)
        yield from deliver(file)
        outcome = runs.RunOutcome(step=run.progress.step, value=card.value, exact=card.exact)
        yield from keep_saving(command.job, lambda: runs.write_outcome(folder, outcome))
        yield wire.ModelWritten(job=command.job, name=config.name, is_final=True)
    yield wire.Notice(job=command.job, text=f'"{card.name}" is ready: {card.held_out_text} on held-out artworks.')


def _learn(
    command: wire.Train,
    run: TrainingRun,
    results: Generator[loop.StepResult, None, None],
    previews: RunPreviews,
    requests: RunRequests,
    export_snapshot: Callable[[], EventSteps],
    report_files: Callable[[], EventSteps] | None,
) -> EventSteps:
    """Train a run to its end, report its progress, draw its samples, and answer the user's requests."""
    runs.forget_outcome(run.folder)
    source = os.path.abspath(command.source)
    is_known = False
    with contextlib.closing(results):
        for result in results:
            if not is_known:  # only now it is certain that the run is kept
                yield from keep_saving(command.job, lambda: runs.write_source(run.folder, source))
                is_known = True
            yield from _report_progress(command.job, run.config, result)
            if report_files is not None:
                yield from report_files()
            run.ends_early = requests.finish
            if requests.sample or previews.is_due:
                requests.sample = False
                yield from previews.draw_and_keep(command.job)
            if requests.publish:
                requests.publish = False
                yield from export_snapshot()
    if previews.is_outdated:
        yield from previews.draw_and_keep(command.job)


def _export_snapshot(
    job: str,
    run: TrainingRun,
    deliver: Callable[[bytes], EventSteps],
    learn: TrainingExamples | TrainingRecordings,
    classes: tuple[str, ...],
) -> EventSteps:
    """Write the newest weights as a model, and report it."""
    _, file = model_export.make_snapshot(run, learn, classes)
    yield from deliver(file)
    yield wire.ModelWritten(job=job, name=run.config.name, is_final=False)


def _prepare_export(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    watch: TrainingExamples | TrainingRecordings,
    *,
    is_same: bool,
) -> None:
    """Keep the newest average if it is the best. Figures of other artworks than before cannot be compared.

    Raises BadTrainingConfig if the run has learned nothing.
    """
    if not run.progress.step:
        raise BadTrainingConfig(f'"{run.folder.name}" has learned nothing yet.')
    if is_same:
        loop.keep_if_best(run, learn, watch)


def pack_artworks(command: wire.PackArtworks) -> EventSteps:
    """Prepare the artworks of a training, and make one file of them. Raises what a training would raise."""
    source = Path(command.source)
    config = yield from _config_of(command.config, source)
    data = yield from _load_training_data(source, config, StreamReport(FileMessages(command.job)))
    yield wire.DatasetLoaded(
        job=command.job, used=data.report.used, skipped=len(data.report.skipped), duplicates=data.report.duplicates
    )
    if data.shards is not None:
        raise BadTrainingConfig(f'"{data.name}" is too large to be sent. Train on this computer.')
    file = packed_artworks.pack_artworks(data)
    path = packed_artworks.write_packed(file)
    yield wire.ArtworksPacked(job=command.job, path=str(path), file_hash=storage.hash_bytes(file), size=len(file))


def _config_of(fields: dict[str, Any], source: Path) -> Generator[None, None, TrainingConfig]:
    """Return the config of a message, with as many classes as the folder has now."""
    config = msgspec.convert(fields, TrainingConfig)
    if config.preparation.folders_as_classes and not packed_artworks.is_packed(source):
        classes = yield from dataset.find_classes(source)
        return with_classes(config, len(classes))
    return config


Examples = TrainingExamples | TrainingRecordings


def _with_signals(follow: FollowedSignal | None, *sides: Examples) -> Generator[None, None, tuple[Examples, ...]]:
    """Return examples with the signal of each recording, if one is followed."""
    if follow is None:
        return sides
    found = list[Examples]()
    for side in sides:
        assert isinstance(side, TrainingRecordings), "only recordings are followed"
        found.append((yield from with_signals(side, follow)))
    return tuple(found)


def _set_usual_signal(run: TrainingRun, learn: Examples) -> None:
    """Let a new model follow a recording that it learns from, if no other is given."""
    if run.resumed or not isinstance(learn, TrainingRecordings) or learn.follow is None:
        return
    for model in (run.model, run.average):
        assert isinstance(model, AutoregressiveSound), "others follow no signal"
        usual = model.net.usual_signal
        usual.copy_(learn.usual_signal(usual.shape[1]))


def _start_weights(command: wire.Train) -> dict[str, torch.Tensor] | None:
    """Return the weights of the model to start from; None for none. Raises models.BadModel."""
    if not command.start_model:
        return None
    weights, _ = checkpoint.open_model(models.read_model(models.find_model(command.start_model).path))
    return weights


def _check_memory(config: TrainingConfig, device: ComputeDevice) -> None:
    """Raise BadTrainingConfig if a model is too large to train in memory."""
    needed = trial.WEIGHT_COPIES * trial.measure_weights(config)
    free = free_memory(device.torch_device)
    if needed > free:
        raise BadTrainingConfig(
            f"Training this model needs {needed / 1e9:,.0f} GB of memory, but {free / 1e9:,.1f} GB are free. "
            "Choose a smaller size or preset."
        )


def _load_training_data(
    source: Path, config: TrainingConfig, gathered: StreamReport
) -> Generator[wire.AnyEvent | Pause | None, None, TrainingData]:
    """Load the artworks of a config and report each file.

    Raises FileRefused, with the number that is needed, if there are too few.
    """
    is_remembered = find_shards(source) is not None
    preparer = FilePreparer(config.shown_shape, config.sample_rate, config.preparation)
    with contextlib.closing(ArtworkCache(preparer.options)) as cache:
        steps = load_data(
            source, config.shown_shape, config.sample_rate, config.label_columns, config.preparation, cache
        )
        try:
            while True:
                report = next(steps)
                if report is not None:
                    gathered.add(report, is_remembered=is_remembered)
                yield gathered.message()
        except StopIteration as end:
            yield gathered.message(is_last=True)
            found: TrainingData = end.value
            return found
        except dataset.TooFewArtworks as refusal:
            yield gathered.message(is_last=True)
            needed = (
                "At least 1 is needed." if config.sample_rate else f"At least {dataset.MIN_LEARNED + 1} are needed."
            )
            raise FileRefused(refusal.name, refusal.reason, needed) from None
        except FileRefused:
            yield gathered.message(is_last=True)
            raise
        finally:
            steps.close()


def _report_progress(job: str, config: TrainingConfig, result: loop.StepResult) -> EventSteps:
    """Yield the state of a run as messages."""
    if result is None or isinstance(result, Pause):
        yield result
        return
    if isinstance(result, WaitReport):
        yield describe_wait(job, result)
        return
    if result.notice:
        yield wire.Notice(job=job, text=result.notice)
    yield wire.TrainingProgress(
        job=job,
        step=result.step,
        steps=config.plan.steps,
        loss=result.loss,
        held_out=result.held_out,
        rate=result.rate,
        seconds_left=result.seconds_left,
        seconds=result.seconds,
        unsaved_seconds=result.unsaved_seconds,
    )


def _check_resumed(run: TrainingRun, data: str, *, force: bool) -> bool:
    """Compare a resumed run with the present training data, and store their hash. Return whether they are the same.

    Raises BadTrainingConfig, or OtherArtworks unless `force` is true.
    """
    progress = run.progress
    name = run.folder.name
    if progress.step > run.config.plan.steps:
        raise BadTrainingConfig(
            f'"{name}" has learned for {progress.step:,} steps already, more than {run.config.plan.steps:,}. '
            "Nothing was changed. Ask for more steps."
        )
    is_same = progress.data_fingerprint in ("", data)
    if not is_same:
        if not force:
            raise OtherArtworks(
                f'"{name}" was trained on other artworks. Nothing was changed. '
                "Restore the files as they were, or begin a new training."
            )
        progress.best_held_out = math.inf  # the best figure so far belongs to other artworks
        progress.stream = None
    progress.data_fingerprint = data
    return is_same


def evaluate_model(command: wire.Evaluate, model_cache: ModelCache, device: ComputeDevice) -> EventSteps:
    """Compute every figure of a trained model on held-out artworks."""
    yield None
    loaded = model_cache.get_model(command.model)
    card = loaded.card
    loading = load_data(Path(command.source), card.shown_shape, card.sample_rate, card.label_columns, card.preparation)
    data = yield from without_reports(loading)
    learned, test = training_and_test(data, loaded.model, card.palette)
    if command.max_artworks is not None:
        test = test.select(slice(command.max_artworks))
    (test,) = yield from _with_signals(followed_signal_of(loaded), test)
    held_out = test.to(device.torch_device)
    total = len(test)
    if command.report_spread:
        spread = yield from with_progress(command.job, evaluation.measure_spread(loaded.model, held_out))
        yield wire.EvaluationProgress(job=command.job, done=total, total=total, spread=spread)
        return
    unlike = _unlike_training(data, total)
    steps = evaluation.measure_figures_in_steps(loaded.model, held_out, draws=command.draws, unlike=unlike)
    figures = yield from with_progress(command.job, steps)
    distances = yield from _distances_of_recordings(loaded, learned, held_out)
    yield wire.EvaluationProgress(job=command.job, done=total, total=total, figures=figures, distances=distances)


def _distances_of_recordings(
    loaded: LoadedModel, learned: Examples, held_out: Examples
) -> Generator[None, None, distance.Distances | None]:
    """Return the distances to held-out recordings; None if the model makes no recordings."""
    if not isinstance(held_out, TrainingRecordings) or not isinstance(learned, TrainingRecordings):
        return None
    assert isinstance(loaded.model, AutoregressiveSound), "it was checked when the recordings were loaded"
    temperatures = (loaded.card.temperature, loaded.card.opening_temperature)
    rate = loaded.card.sample_rate
    return (yield from distance.measure_distances(loaded.model, learned, held_out, rate, temperatures))


def _unlike_training(data: TrainingData, count: int) -> torch.Tensor | None:
    """Return which held-out sounds resemble no training sound, `(count,)`; None for pictures."""
    if data.test[0].ndim > 1:
        return None
    cycles = isinstance(data, dataset.Dataset)
    return torch.from_numpy(likeness.unlike_training(list(data.test[:count]), list(data.train), cycles=cycles))
