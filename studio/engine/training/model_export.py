"""Turn a run into a trained model: the best average with its statistics, figures, card and cover."""

import copy
import math
import time
from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np
import torch
from torch import Tensor

from studio import __version__, zoo
from studio.density.model import Model
from studio.engine.events import result_of
from studio.engine.generation import latent_directions
from studio.engine.levels import TrainingExamples, sound_of_levels, to_arrays
from studio.engine.training import checkpoint, evaluation, temperature_range
from studio.engine.training.config import TrainingConfig
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.training_run import TrainingRun
from studio.library.card import Card
from studio.media.preparation import Palette

COVER_ARTWORKS = 9
"""The number of artworks on a model's cover."""
SNAPSHOT_ARTWORKS = 4
"""The number of artworks on the cover of a model whose training continues."""
BATCH_NORM_ARTWORKS = 4096
"""Training artworks that give averaged weights their statistics."""
COMPARED_ARTWORKS = 64
"""Training artworks that are compared with drawn ones to call these blank or saturated."""
_SAME = 0.002
"""The most bits per dimension by which half floats may change the held-out figure."""


class FiguresNotFinite(ValueError):
    """Reports that a run was not exported, because its figures are not finite; a sentence."""


def make_model(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    watch: TrainingExamples | TrainingRecordings,
    test: TrainingExamples | TrainingRecordings,
    classes: Sequence[str] = (),
) -> tuple[Card, bytes]:
    """Return the card and the file of the best average of a run.

    Raises FiguresNotFinite if artworks that it never saw have no finite bits.

    Arguments
        learn: all training artworks
        watch: validation artworks, which choose between half floats and floats
        test: artworks that the model never saw, for the figures on the card
        classes: the names of the model's classes
    """
    model = _best_model(run)
    if isinstance(learn, TrainingExamples):
        evaluation.update_batch_norm(model, learn.select(slice(BATCH_NORM_ARTWORKS)).to(run.device))
    zoo.plain(model)
    weights = _halved_weights(model, watch.to(run.device))
    whole = model.state_dict()
    model.load_state_dict({k: t.to(whole[k].dtype) for k, t in weights.items()}, strict=False)
    names, found = _directions(run, model, learn)
    zoo.fold(model)
    figures = evaluation.measure_figures(model, test.to(run.device))
    if not all(math.isfinite(value) for _, value, _ in figures):
        raise FiguresNotFinite("held-out artworks have no finite bits yet. Train for more steps, or on more artworks")
    spread = result_of(evaluation.measure_spread(model, test.to(run.device)))
    cover, seconds = draw_cover(model, run.config.temperature, run.config.palette)
    card = msgspec.structs.replace(
        _card(run, model, figures, names, tuple(classes), seconds),
        bits_quantiles=spread,
        temperature_range=_temperature_range(model, run.config, learn),
    )
    return card, checkpoint.encode_model(card, weights, found.half(), torch.from_numpy(cover))


def make_snapshot(
    run: TrainingRun, learn: TrainingExamples | TrainingRecordings, classes: Sequence[str] = ()
) -> tuple[Card, bytes]:
    """Return the card and the file of a model of the newest average, while the run continues.

    Its figure is the best one of the validation artworks so far. The file of `make_model` replaces it at the end.
    """
    model = copy.deepcopy(run.average).eval()
    if isinstance(learn, TrainingExamples):
        evaluation.update_batch_norm(model, learn.select(slice(BATCH_NORM_ARTWORKS)).to(run.device))
    zoo.plain(model)
    weights = {k: t.clone() for k, t in model.state_dict().items() if t.is_floating_point()}
    names, found = _directions(run, model, learn)
    zoo.fold(model)
    best = run.progress.best_held_out
    value = best if math.isfinite(best) else run.progress.loss
    cover, seconds = draw_cover(model, run.config.temperature, run.config.palette, SNAPSHOT_ARTWORKS)
    card = _card(run, model, [("bits per dimension", value, model.exact)], names, tuple(classes), seconds)
    return card, checkpoint.encode_model(card, weights, found.half(), torch.from_numpy(cover))


def _directions(
    run: TrainingRun, model: Model, learn: TrainingExamples | TrainingRecordings
) -> tuple[tuple[str, ...], Tensor]:
    """Return the names and the directions of all sliders: first the attributes of the data, then the components."""
    known = learn.to(run.device)
    principal = latent_directions.principal_directions(model, known)
    numbers = tuple(str(i + 1) for i in range(len(principal)))
    if not isinstance(known, TrainingExamples) or known.attributes is None:
        return numbers, principal
    named = latent_directions.attribute_directions(model, known)
    names = tuple(attribute.name for attribute in run.config.attributes[: len(named)])
    return (*names, *numbers), torch.cat((named, principal))


def _best_model(run: TrainingRun) -> Model:
    """Return the average with the best held-out figure, or the newest if none was measured."""
    model = copy.deepcopy(run.average)
    found = checkpoint.load_newest(run.folder, best=True)
    if found is not None:
        tensors = {k.removeprefix("average."): t for k, t in found[0].items() if k.startswith("average.")}
        model.load_state_dict(tensors)
    return model.eval()


def _halved_weights(model: Model, watch: TrainingExamples | TrainingRecordings) -> dict[str, Tensor]:
    """Return the weights in half the bytes if the validation figure stays the same.

    So the test artworks choose nothing. Statistics stay whole. Counters of training steps, which are not floating-point
    numbers, are left out.
    """
    full = {k: t for k, t in model.state_dict().items() if t.is_floating_point()}
    half = {k: t if k.endswith(("mean", "var")) else t.half() for k, t in full.items()}
    rounded = copy.deepcopy(model)
    rounded.load_state_dict({k: t.to(full[k].dtype) for k, t in half.items()}, strict=False)
    if not all(bool(t.isfinite().all()) for t in half.values()):  # half floats end at 65,504
        return full
    before, after = (evaluation.bits_per_dimension(m, watch) for m in (model, rounded))
    return half if after <= before + _SAME else full


def draw_cover(model: Model, temperature: float, palette: Palette, count: int = 16) -> tuple[np.ndarray, float]:
    """Draw artworks of the first seeds, and measure the seconds that each of `count` took."""
    began = time.perf_counter()
    artworks = temperature_range.draw_in_parts(model, range(1, count + 1), temperature, palette)
    seconds = (time.perf_counter() - began) / count
    return artworks[:COVER_ARTWORKS], seconds


def _temperature_range(
    model: Model, config: TrainingConfig, learn: TrainingExamples | TrainingRecordings
) -> temperature_range.TemperatureRange | None:
    """Return the temperatures between which the model works, compared with its training data."""
    some = learn.select(slice(COMPARED_ARTWORKS))
    if isinstance(some, TrainingExamples):
        learned = list(to_arrays(some.x, model.levels, config.palette))
    else:
        learned = [sound_of_levels(x, model.levels) for x in some.x]
    return temperature_range.measure_range(
        lambda temperature: temperature_range.draw_works(
            model, temperature, config.palette, config.sample_rate, config.opening_temperature
        ),
        config.temperature,
        learned,
    )


def _card(
    run: TrainingRun,
    model: Model,
    figures: Sequence[evaluation.Figure],
    directions: tuple[str, ...],
    classes: tuple[str, ...],
    seconds: float,
) -> Card:
    config = run.config
    rounded = tuple((metric, round(value, 4), exact) for metric, value, exact in figures)
    metric, value, exact = rounded[0]
    fields = msgspec.to_builtins(config.recipe)
    family = zoo.RECIPE_FAMILIES[fields["family"]]
    return Card(
        name=config.name,
        title=config.title,
        family=fields["family"],
        family_title=family.title,
        role="upsampler" if config.is_upsampler else "model",
        subject=config.subject,
        medium="sound" if len(config.shape) == 1 else "picture",
        group=config.group,
        shown_smooth=config.shown_smooth,
        shape=config.shape,
        levels=config.levels,
        palette=config.palette,
        sample_rate=config.sample_rate,
        recipe=fields,
        training_data=config.training_data,
        licence=config.licence,
        parameters=sum(p.numel() for p in run.average.parameters()),
        steps=run.progress.step,
        metric=metric,
        value=value,
        exact=exact,
        figures=rounded,
        paper_figure=zoo.paper_of(config.recipe),
        temperature=config.temperature,
        opening_temperature=config.opening_temperature,
        scales=scale_names(model.scales),
        directions=directions,
        classes=classes,
        label_columns=config.label_columns,
        preparation=config.preparation,
        seconds_each=round(seconds, 4),
        date=date.today().isoformat(),
        version=__version__,
    )


def scale_names(count: int) -> tuple[str, ...]:
    """Return names of scales from coarse to fine, for the user."""
    names = {1: ("All",), 2: ("Coarse", "Fine"), 3: ("Coarse", "Middle", "Fine")}
    return names.get(count, tuple(f"Scale {i + 1}" for i in range(count)))
