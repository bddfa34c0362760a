"""The shipped models have correct covers, percentiles, paper figures and latents."""

import math
import os
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio import zoo
from studio.density.autoregressive import Autoregressive
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.flow import Flow
from studio.density.model import Model
from studio.density.pyramid import Pyramid
from studio.density.variational import Variational
from studio.engine.device import choose_device
from studio.engine.generation import sampling
from studio.engine.jobs import JobStarter
from studio.engine.levels import to_arrays
from studio.engine.training.evaluation import SPREAD_ARTWORKS
from studio.engine.training.recordings import TrainingRecordings
from studio.library import models
from studio.library.models import InstalledModel
from studio.media import dataset
from studio.media.sounds import audio_dataset
from studio.wire import messages as wire
from tests.shipped import MODEL_FILES, recipe_of

PACKS = Path(__file__).parents[1] / "../shared/data"
COVERED = 9
FIRST = 3
"""The first artworks of a cover, or of those held out, that stand for all if a model draws entry by entry."""
HEARD = 2000
"""Samples at the beginning of a cover that a model of recordings makes again."""
WORK = 4 * 10**10
"""Multiplications, about, that the prices of a model's test artworks may take: some four seconds."""
FEWEST, MOST = 9, 400
"""Artworks that are priced, however long or short they take. Of nine, a mean of 50 may be wrong by 29."""
WHOLE = "STUDIO_WHOLE_FIGURES" in os.environ
"""Whether as many are priced as the card knows, under the mixture of all classes. It takes an hour."""
SPREADS: dict[type[Model], tuple[float, float]] = {
    Autoregressive: (0.9, 1.1),
    AutoregressiveSound: (0.85, 1.5),  # a piece may begin within a tone, which is unlikely
    Variational: (0.5, 0.7),
    Flow: (0.4, 1.1),
    Pyramid: (0.9, 1.1),
}
"""Between what the standard deviation of encoded test artworks lies, by family."""


@pytest.fixture(params=MODEL_FILES, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest) -> InstalledModel:
    return models.find_model(str(request.param))


@pytest.fixture(scope="module")
def loaded_models() -> sampling.ModelCache:
    return sampling.ModelCache(torch.device("cpu"))


def finished(steps: Generator[object, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def held_out(trained: InstalledModel) -> tuple[list[np.ndarray], list[int] | None]:
    """Return the test artworks of a model's pack as a user would open them, recordings in pieces; and their classes."""
    card = trained.card
    recipe = recipe_of(card)
    pack = PACKS / recipe["data"].split(",")[0]
    if not pack.exists():
        pytest.skip("the packs of ../shared/data are not here")
    if not card.sample_rate:
        return pictures_of(pack, card.shown_shape, recipe.get("only", ""))
    return pieces_of(pack, card.shape[0], card.sample_rate, card.label_columns)


@cache
def pictures_of(pack: Path, shape: tuple[int, ...], only: str) -> tuple[list[np.ndarray], list[int] | None]:
    """Read the test pictures of a pack, or of one class of it, once for all models that learned from it."""
    pictures = dataset.load_dataset(pack, shape)
    if only:
        assert pictures.test_labels is not None
        return list(pictures.test[pictures.test_labels == pictures.label_names.index(only)]), None
    return list(pictures.test), None if pictures.test_labels is None else pictures.test_labels.tolist()


@cache
def pieces_of(
    pack: Path, samples: int, rate: int, labels: tuple[str, ...]
) -> tuple[list[np.ndarray], list[int] | None]:
    """Read the test recordings of a pack once, in pieces of so many samples."""
    sounds = finished(audio_dataset.load_recordings_in_steps(pack, rate, labels))
    classes = None if sounds.test_labels is None else torch.from_numpy(sounds.test_labels)
    pieces = TrainingRecordings(
        tuple(torch.from_numpy(np.array(wave)) for wave in sounds.test), classes
    ).cut_into_pieces(samples)
    return [piece.numpy() for piece in pieces.x], None if pieces.c is None else pieces.c.tolist()


@torch.inference_mode()
def test_the_cover_is_the_artworks_of_the_first_seeds(
    shipped: InstalledModel, loaded_models: sampling.ModelCache
) -> None:
    card = shipped.card
    model = loaded_models.get_model(card.name).model
    count = FIRST if model.can_inpaint and not WHOLE else COVERED
    cover = models.read_cover(shipped.path)[:count].astype(int)
    seeds = range(1, count + 1)
    if isinstance(model, AutoregressiveSound):
        *_, last = model.sample_steps(seeds, temperature=card.temperature, samples=HEARD)
        assert np.array_equal(to_arrays(last.x, model.levels, card.palette), cover[:, :HEARD])
        return
    made = to_arrays(model.sample(seeds, temperature=card.temperature), model.levels, card.palette).astype(int)
    if model.can_inpaint:
        assert np.array_equal(made, cover)
        return
    # A value may lie so near to the edge of a level that another processor rounds it to the next one: in the cover of
    # glow-flowers-32 one of 27,648 does, 0.000004 of a level away.
    level = 65_536 // model.levels if card.medium == "sound" else 1
    assert np.abs(made - cover).max() <= level
    assert np.count_nonzero(made != cover) <= cover.size / 5000


@torch.inference_mode()
def test_held_out_artworks_are_at_a_percentile_of_50_on_average(
    shipped: InstalledModel, loaded_models: sampling.ModelCache
) -> None:
    card = shipped.card
    loaded = loaded_models.get_model(shipped.card.name)
    assert len(card.bits_quantiles) >= 2, "the card does not say how prices are spread"
    artworks, classes = held_out(shipped)
    elements = math.prod(card.shape[-2:] if card.medium == "picture" else card.shape)
    drawn = elements if loaded.model.can_inpaint else 1
    count = min(len(artworks), MOST, max(WORK // (card.parameters * drawn), FEWEST))
    if WHOLE:
        count = min(len(artworks), SPREAD_ARTWORKS)
        classes = None
    places = np.unique(np.linspace(0, len(artworks) - 1, count).round().astype(int))
    found = list[float]()
    for some in np.array_split(places, count if card.sample_rate else -(-count // 16)):
        x = sampling.levels_of_artworks(loaded, np.stack([artworks[place] for place in some]))
        # Given its class an artwork costs log2(classes) bits less at most, and is priced so many times faster.
        c = None if classes is None or not loaded.model.classes else torch.tensor([classes[place] for place in some])
        for nats in loaded.model.log_prob(x, c).tolist():
            percentile = card.strangeness_percentile(-nats / math.log(2) / x[0].numel())
            assert percentile is not None
            found.append(percentile)
    # Of a few, three standard errors of a mean over [0, 100].
    most = 3 if count >= min(len(artworks), MOST) else 3 * 100 / math.sqrt(12 * count)
    assert np.mean(found) == pytest.approx(50, abs=most), f"of {count} artworks"


def test_the_spread_of_black_and_white_models_fits_reported_bits(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    greys = generator.integers(60, 200, (9, 28, 28, 1)).astype(np.uint8)
    np.savez(tmp_path / "greys.npz", train_x=255 - greys, test_x=greys)
    jobs = JobStarter(choose_device("cpu"))
    name = "pixelcnn-mnist-28"
    told = []
    for grey in greys:
        events = list(jobs.start(wire.Score(job="a", model=name, picture=grey)))
        told += [-event.log_prob / math.log(2) / 784 for event in events if isinstance(event, wire.Scored)]
    *_, last = jobs.start(wire.Evaluate(job="b", model=name, source=str(tmp_path / "greys.npz"), report_spread=True))
    assert isinstance(last, wire.EvaluationProgress)
    assert (last.spread[0], last.spread[-1]) == pytest.approx((min(told), max(told)), abs=1e-3)


def test_the_papers_figure_beside_ours_is_of_the_same_model(shipped: InstalledModel) -> None:
    assert shipped.card.paper_figure == zoo.paper_of(zoo.recipe_from_fields(shipped.card.recipe))


def test_each_row_of_a_papers_table_belongs_to_its_model() -> None:
    papers = {path.stem: models.find_model(str(path)).card.paper_figure for path in MODEL_FILES}
    assert papers["maf-mnist-28"] == "-1302.9 nats in logit space on MNIST, with classes"
    assert papers["maf-wavetables"] == "-1300.5 nats in logit space on MNIST"
    assert papers["pixelcnn-mnist-28"] == "3.14 bits per dimension on CIFAR-10"
    assert papers["pixelrnn-row-mnist-28"] == "3.07 bits per dimension on CIFAR-10"
    assert papers["pixelrnn-diagonal-mnist-28"] == "79.20 nats on binarised MNIST"
    assert papers["pixelcnnpp-emoji-32"] == "2.94 bits per dimension on CIFAR-10, given its kind"
    assert papers["vae-iaf-fashion-28"] == "79.10 nats of 128 weighted draws on binarised MNIST"
    assert papers["vae-planar-mnist-28"] == "85.1 nats on binarised MNIST"


@torch.inference_mode()
def test_encoded_latents_have_the_documented_deviation(
    shipped: InstalledModel, loaded_models: sampling.ModelCache
) -> None:
    loaded = loaded_models.get_model(shipped.card.name)
    artworks, classes = held_out(shipped)
    least = HEARD if shipped.card.sample_rate else 1
    some = [i for i, artwork in enumerate(artworks) if len(artwork) >= least]
    some = some[: FIRST if loaded.model.can_inpaint else 6]
    x = sampling.levels_of_artworks(
        loaded, np.stack([artworks[i][: HEARD if shipped.card.sample_rate else None] for i in some])
    )
    c = torch.tensor([classes[i] for i in some]) if classes is not None and loaded.model.classes else None
    if c is None and loaded.model.classes:  # the data of a pyramid have other classes than its base
        each = [loaded.model.log_prob(x, torch.full((len(x),), label)) for label in range(loaded.model.classes)]
        c = torch.stack(each).argmax(0)
    z = loaded.model.encode(x, c)
    low, high = next(each for kind, each in SPREADS.items() if isinstance(loaded.model, kind))
    assert low < float(z.std()) < high
    lengths = z.flatten(1).norm(dim=1)
    middle = torch.stack([sampling.interpolate_latents(a, b, 3)[1] for a, b in zip(z, z[1:], strict=False)])
    assert torch.allclose(middle.flatten(1).norm(dim=1), (lengths[1:] + lengths[:-1]) / 2, rtol=1e-3)
    if len(loaded.directions):
        noise = math.sqrt(z[0].numel())
        for slider in (-3.0, 3.0):
            moved = (
                torch.stack([sampling.move_latent(loaded, one, (slider,), (1.0,)) for one in z]).flatten(1).norm(dim=1)
            )
            assert bool((moved < 1.15 * lengths.clamp(min=noise)).all()), "a slider leads beyond noise"
