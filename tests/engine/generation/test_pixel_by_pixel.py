"""Models that draw pixel by pixel, in the engine: trained, drawn row by row, completed, and measured exactly."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from studio import zoo
from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, TrainingExamples, dequantised_levels, to_levels
from studio.engine.training import evaluation
from studio.engine.training.config import BadTrainingConfig, config_for_data, config_to_dict
from studio.engine.training.training_run import TrainingRun
from studio.library import models
from studio.library.card import PIXEL_BY_PIXEL, SAMPLE_BY_SAMPLE
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
RECIPE = {"family": "gated_pixelcnn", "width": 6, "layers": 2, "size": 3, "head": 8}

Ask = Callable[[wire.AnyCommand], list[Any]]


@pytest.fixture
def ask() -> Ask:
    at_work = JobStarter(CPU)
    return lambda command: [event for event in at_work.start(command) if event is not None]


@pytest.fixture(scope="module")
def pack(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make grey rings of 8 × 8 pixels. Two classes have a dark and a light ground."""
    path = tmp_path_factory.mktemp("packs") / "rings.npz"
    grey = rings[..., :1]
    kinds = (rings[:, 0, 0, 0] > 127).astype(np.int64)
    np.savez(path, train_x=grey[:120], train_y=kinds[:120], test_x=grey[120:], test_y=kinds[120:])
    return path


@pytest.fixture(params=[(2, 0), (16, 2)], ids=["bits", "kinds"])
def learned(request: pytest.FixtureRequest, pack: Path, tmp_path: Path, ask: Ask) -> str:
    """Return the name of a model that the real job trained in a moment: bits, or 16 levels in two classes."""
    levels, classes = request.param
    config = config_for_data("pixels", pack, "gated_pixelcnn", "tiny", (1, 8, 8))
    fields = {**config_to_dict(config), "levels": levels, "recipe": {**RECIPE, "classes": classes}}
    fields["plan"] |= {"steps": 12, "batch": 16, "learning_rate": 0.01, "warm_up": 2}
    ask(wire.Train(job="t", source=str(pack), run_folder=str(tmp_path / "run"), config=fields))
    return "pixels"


def drawn(events: list[Any]) -> list[wire.PicturesPreview]:
    return [event for event in events if isinstance(event, wire.PicturesPreview)]


def test_a_model_is_trained_drawn_cooled_opened_and_evaluated(learned: str, ask: Ask, pack: Path) -> None:
    card = models.find_model(learned).card
    bits = card.levels == 2
    assert card.exact
    assert card.metric == ("nats" if bits else "bits per dimension")
    assert 0 < card.value < (64 * math.log(2) * 1.5 if bits else 4.5)
    assert card.directions == ()

    # Draw row by row. Each picture depends on its seed alone, and Explore draws the same at that temperature.
    events = drawn(ask(wire.Sample(job="a", model=learned, seeds=tuple(range(9)), temperature=(0.5,))))
    last = [event for event in events if event.done == event.total]
    assert [(event.first, len(event.pictures)) for event in last] == [(0, 8), (8, 1)]
    assert {event.total for event in events} == {9}, "eight rows and the price"
    (shown,) = ask(wire.DecodeLatent(job="b", model=learned, seed=3, temperature=(0.5,)))
    assert np.array_equal(shown.picture, last[0].pictures[3])
    frames = drawn(ask(wire.Interpolate(job="c", model=learned, begin=_point(3), end=_point(8), frames=3)))
    assert np.array_equal(frames[0].pictures[0], last[0].pictures[3])

    # Any picture of the user decodes back, and its bits are exact.
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 1)).astype(np.uint8)
    for picture in (noise, np.zeros_like(noise)):
        (found,) = ask(wire.Encode(job="d", model=learned, picture=picture))
        assert (found.exact, found.differing, found.is_bound) == (True, 0, False)
        (shown,) = ask(wire.DecodeLatent(job="e", model=learned, latent=found.latent, label=found.label))
        grades = 255 // (card.levels - 1)
        assert np.abs(shown.picture.astype(int) - picture).max() <= (128 if bits else grades)

    # Evaluation computes the figures of the card.
    *_, measured = ask(wire.Evaluate(job="f", model=learned, source=str(pack)))
    names = [(name, exact) for name, _, exact in measured.figures]
    assert names == [(card.metric, True)] if bits else [(card.metric, True), (f"{card.metric} given its kind", True)]
    assert measured.figures[0][1] == pytest.approx(card.value, abs=1e-3)


def test_a_part_of_a_picture_is_drawn_again_and_the_rest_is_kept(tiny_pixels: str, ask: Ask, rings: np.ndarray) -> None:
    picture = rings[130, ..., :1] // 16 * 17
    free = np.zeros((8, 8), np.uint8)
    free[4:, 2:6] = 1
    command = wire.Inpaint(job="a", model=tiny_pixels, picture=picture, mask=free, seeds=tuple(range(10)))
    events = drawn(ask(command))
    done = [event for event in events if event.done == event.total]
    made = np.concatenate([event.pictures for event in done])
    assert [len(event.pictures) for event in done] == [8, 2]
    assert np.array_equal(made[:, free == 0], np.broadcast_to(picture[free == 0], (10, 48, 1)))
    assert len({each.tobytes() for each in made}) > 5
    assert all(np.array_equal(event.pictures[:, free == 0], made[: len(event.pictures), free == 0]) for event in events)
    (scored,) = ask(wire.Score(job="b", model=tiny_pixels, picture=made[9]))
    assert scored.log_prob == pytest.approx((done[1].log_prob or ())[1], rel=1e-5)


def test_other_jobs_run_while_explore_draws_pixel_by_pixel(tiny_pixels: str) -> None:
    steps = list(JobStarter(CPU).start(wire.DecodeLatent(job="a", model=tiny_pixels, seed=3)))
    assert sum(step is None for step in steps) >= 8, "a step a row"
    assert isinstance(steps[-1], wire.Decoded)
    ends = {"begin": wire.LatentPoint(), "end": wire.LatentPoint(seed=3)}
    steps = list(JobStarter(CPU).start(wire.Interpolate(job="a", model=tiny_pixels, frames=2, **ends)))
    assert sum(step is None for step in steps) > 8


def test_a_completion_is_scored_by_what_follows_the_hole(tiny_pixels: str, ask: Ask, rings: np.ndarray) -> None:
    picture = rings[130, ..., :1] // 16 * 17
    free = np.zeros((8, 8), np.uint8)
    free[4:, 2:6] = 1
    (last,) = [e for e in drawn(ask(_complete(tiny_pixels, picture, free))) if e.done == e.total]
    for made, price in zip(last.pictures, last.following_log_prob or (), strict=True):
        (scored,) = ask(wire.Score(job="b", model=tiny_pixels, picture=made))
        known_after = np.zeros((8, 8), bool)
        known_after[4:] = free[4:] == 0
        known_after[4, :2] = False  # before the hole, in the row in which it begins
        assert price == pytest.approx(-scored.bits[known_after].sum() * math.log(2), rel=1e-4)
    free[4:] = 1
    (last,) = [e for e in drawn(ask(_complete(tiny_pixels, picture, free))) if e.done == e.total]
    assert last.following_log_prob is None, "no kept pixel follows"


def _complete(model: str, picture: np.ndarray, free: np.ndarray) -> wire.Inpaint:
    return wire.Inpaint(job="a", model=model, picture=picture, mask=free, seeds=(1, 2, 3))


def test_an_impossible_completion_is_reported(tiny_pixels: str, tiny: str, ask: Ask, rings: np.ndarray) -> None:
    picture = rings[0, ..., :1]
    none = np.zeros((8, 8), np.uint8)
    faults = {
        "nothing is marked": (tiny_pixels, picture, none),
        "everything is marked": (tiny_pixels, picture, none + 1),
        r"the mask is \(8, 4\), but the picture is \(8, 8\)": (tiny_pixels, picture, none[:, :4]),
        "works on": (tiny_pixels, rings[0], none),
        "Choose a model that draws pixel by pixel": (tiny, rings[0], none),
    }
    for words, (model, given, free) in faults.items():
        with pytest.raises(DoesNotFit, match=words):
            ask(wire.Inpaint(job="a", model=model, picture=given, mask=free, seeds=(1,)))


@pytest.mark.parametrize("kind", ["pixels", "flow", "kinds", "waves"])
def test_a_score_shows_where_the_bits_are(
    kind: str, tiny_pixels: str, tiny: str, tiny_kinds: str, tiny_waves: str, ask: Ask, rings: np.ndarray
) -> None:
    name, artwork, places = {
        "pixels": (tiny_pixels, rings[0, ..., :1], (8, 8)),
        "flow": (tiny, rings[0], (8, 8)),
        "kinds": (tiny_kinds, rings[0, ::2, ::2, :1], (4, 4)),
        "waves": (tiny_waves, (20_000 * np.sin(np.arange(32) * np.pi / 16)).astype(np.int16), (32,)),
    }[kind]
    (found,) = ask(wire.Score(job="a", model=name, picture=artwork))
    assert found.bits.shape == places
    assert found.bits.dtype == np.float32
    assert found.bits.sum() == pytest.approx(-found.log_prob / math.log(2), rel=1e-4)
    assert found.is_bound is (kind != "pixels")
    assert (found.label in (0, 1)) is (kind == "kinds")


def _point(seed: int) -> wire.LatentPoint:
    return wire.LatentPoint(seed=seed, temperature=(0.5,))


def _conditional() -> zoo.Recipe:
    return zoo.recipe_from_fields({**RECIPE, "classes": 2})


def test_the_mixture_of_classes_is_exact_if_it_is_cheap_else_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = _conditional().build((1, 4, 4), 8).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    x = torch.randint(0, 8, (6, 1, 4, 4), dtype=torch.uint8)
    c = torch.tensor([0, 1, 1, 0, 1, 0])
    test = TrainingExamples(x, c)
    (name, mixed, exact), (given_name, given, given_exact) = evaluation.measure_figures(model, test)
    assert (name, given_name) == ("bits per dimension", "bits per dimension given its kind")
    assert exact
    assert given_exact
    with torch.no_grad():
        unit = 16 * math.log(2)
        assert mixed == pytest.approx(-float(model.log_prob(x).mean()) / unit, rel=1e-5)
        assert given == pytest.approx(-float(model.log_prob(x, c).mean()) / unit, rel=1e-5)
    monkeypatch.setattr(evaluation, "MAX_CLASS_PRICES", 11)
    (name, bounded, exact), _ = evaluation.measure_figures(model, test)
    assert not exact
    assert mixed < bounded == pytest.approx(given + 1 / 16, rel=1e-5)
    ((name, alone, exact),) = evaluation.measure_figures(model, TrainingExamples(x))
    assert (name, exact, alone) == ("bits per dimension", True, pytest.approx(mixed, rel=1e-5))


def test_training_bits_are_drawn_once_with_the_greys_as_probabilities() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, None, :, None], 2000, 0)
    bits = dequantised_levels(ramp, (1, 1, 256), 0)
    assert bits.dtype == torch.uint8
    share = bits.double().mean((0, 1, 2))
    assert share[0] == 0
    assert share[255] == 1
    assert torch.allclose(share, torch.linspace(0, 1, 256).double(), atol=0.05)
    assert torch.equal(bits, dequantised_levels(ramp, (1, 1, 256), 0))
    assert not torch.equal(bits, dequantised_levels(ramp, (1, 1, 256), 1))
    black_and_white = np.where(ramp > 90, 255, 0).astype(np.uint8)
    assert torch.equal(
        dequantised_levels(black_and_white, (1, 1, 256), 0), to_levels(black_and_white, (1, 1, 256), 2, ())
    )


def test_the_settings_of_a_stream_are_checked(pack: Path) -> None:
    config = config_for_data("pixels", pack, "pixelcnn", "tiny", (1, 8, 8))
    bad = msgspec.structs.replace(config, recipe=msgspec.structs.replace(config.recipe, size=4))
    with pytest.raises(BadTrainingConfig, match="4 pixels has no middle; use an odd number"):
        TrainingRun(bad, pack.parent / "run", torch.device("cpu"))


def test_a_card_knows_which_families_keep_a_part() -> None:
    def shape(family: str) -> tuple[int, ...]:
        return (64,) if family == "wavenet" else (1, 8, 8)

    keeping = {key for key, one in zoo.FAMILIES.items() if one.presets["tiny"].build(shape(key)).can_inpaint}
    assert {key for key in keeping if shape(key) == (64,)} == SAMPLE_BY_SAMPLE
    assert keeping - SAMPLE_BY_SAMPLE == PIXEL_BY_PIXEL
