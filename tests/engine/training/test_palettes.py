"""Models over a palette learn from packs and folders, and everything that they show is in their colours."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from studio import zoo
from studio.engine.device import ComputeDevice
from studio.engine.events import result_of
from studio.engine.jobs import JobStarter
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan, config_to_dict
from studio.library import models
from studio.media.dataset import load_dataset
from studio.media.pictures.image import FileRefused
from studio.media.pictures.palette import changed_pixels, find_palette, indices_if_exact, snap_to_palette
from studio.media.preparation import Palette
from studio.wire import messages as wire
from tests.library.test_models import write_model

CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)
COLOURS: Palette = ((10, 10, 10), (200, 40, 40), (40, 160, 60), (60, 60, 220), (250, 250, 240))
"""Their order is none of lightness."""


def make_config(**fields: Any) -> TrainingConfig:
    plan = TrainingPlan(steps=2, batch=4, evaluate_every=1, warm_up=0)
    recipe = zoo.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=8)
    usual = TrainingConfig(
        name="dots", title="Dots", subject="Dots", training_data="dots", licence="CC0 1.0", shape=(1, 8, 8),
        levels=len(COLOURS), indexed=True, recipe=recipe, plan=plan,
    )  # fmt: skip
    return msgspec.structs.replace(usual, **fields)


def ask(command: wire.AnyCommand) -> list[Any]:
    return [event for event in JobStarter(CPU).start(command) if event is not None]


def train(folder: Path, source: Path, config: TrainingConfig, **asked: Any) -> list[Any]:
    fields = config_to_dict(config)
    return ask(wire.Train(job="t", source=str(source), run_folder=str(folder / "run"), config=fields, **asked))


def indices(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, len(COLOURS), (count, 8, 8, 1)).astype(np.uint8)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "dots.npz"
    np.savez(path, train_x=indices(40, 0), test_x=indices(8, 1), palette=np.array(COLOURS, np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of pictures in many colours."""
    source = tmp_path / "photos"
    source.mkdir()
    for number in range(30):
        generator = np.random.default_rng(number)
        slopes = generator.uniform(0, 255, (3, 3))
        y, x = np.mgrid[:12, :12][..., None] / 12
        picture = slopes[0] * y + slopes[1] * x + slopes[2] * (1 - y) * (1 - x)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(source / f"{number:02}.png")
    return source


def test_a_pack_with_a_palette_makes_a_model_whose_pictures_are_in_it(tmp_path: Path, pack: Path) -> None:
    events = train(tmp_path, pack, make_config(), sample_seeds=(1, 2))
    card = models.find_model("dots").card
    assert (card.palette, card.levels, card.shape, card.shown_shape) == (COLOURS, 5, (1, 8, 8), (3, 8, 8))
    shown = [event.artworks for event in events if isinstance(event, wire.TrainingSamples)]
    compared = [event for event in events if isinstance(event, wire.SamplesCompared)]
    shown += [array for event in compared for array in (event.samples, event.nearest)]
    shown += [models.read_cover(models.find_model("dots").path)]
    shown += [event.pictures for event in ask(wire.Sample(job="s", model="dots", seeds=(1, 2), temperature=(1.0,)))]
    assert len(compared) > 0 and len(shown) > 4
    for pictures in shown:
        assert pictures.shape[1:] == (8, 8, 3)
        assert all(indices_if_exact(picture, COLOURS) is not None for picture in pictures)


def test_an_unseen_picture_comes_back_byte_for_byte_in_the_palette(tmp_path: Path, pack: Path) -> None:
    train(tmp_path, pack, make_config())
    picture = np.random.default_rng(5).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    (found,) = ask(wire.Encode(job="e", model="dots", picture=picture))
    assert found.exact and (found.differing, found.total) == (0, 64)
    (back,) = ask(wire.DecodeLatent(job="d", model="dots", latent=found.latent))
    assert np.array_equal(back.picture, snap_to_palette(picture, COLOURS))
    (scored,) = ask(wire.Score(job="p", model="dots", picture=picture))
    (again,) = ask(wire.Score(job="p", model="dots", picture=back.picture))
    assert scored.bits.shape == (8, 8) and scored.log_prob == again.log_prob
    free = np.zeros((8, 8), np.uint8)
    free[4:] = 1
    ask_of = wire.Inpaint(job="c", model="dots", picture=picture, mask=free, seeds=(1,), temperature=(1.0,))
    completed = ask(ask_of)[-1].pictures[0]
    assert np.array_equal(completed[:4], back.picture[:4])
    assert indices_if_exact(completed, COLOURS) is not None
    (figures,) = [event for event in ask(wire.Evaluate(job="v", model="dots", source=str(pack))) if event.figures]
    assert figures.figures[0][1] == pytest.approx(models.find_model("dots").card.value, abs=1e-3)


def test_a_folder_gives_a_palette_of_its_training_pictures_alone(tmp_path: Path, folder: Path) -> None:
    train(tmp_path, folder, make_config(levels=6))
    known = load_dataset(folder, (3, 8, 8))
    found = models.find_model("dots").card.palette
    assert found == result_of(find_palette(known.train, 6)) and len(found) == 6
    assert found != result_of(find_palette(np.concatenate((known.train, known.test)), 6))


def test_pictures_in_fewer_colours_give_a_smaller_palette(tmp_path: Path, pack: Path) -> None:
    train(tmp_path, pack, make_config(levels=16))
    card = models.find_model("dots").card
    assert set(card.palette) == set(COLOURS) and card.levels == 5
    blank = tmp_path / "blank.npz"
    flat = np.full((9, 8, 8, 3), 7, np.uint8)
    flat[:, 0, 0, 0] = 100 + np.arange(9)  # other pictures are held out
    np.savez(blank, train_x=np.full((9, 8, 8, 3), 7, np.uint8), test_x=flat)
    with pytest.raises(BadTrainingConfig, match="All pictures have one colour"):
        train(tmp_path / "other", blank, make_config(name="blank"))


def test_a_resumed_run_keeps_its_palette_when_files_are_added(tmp_path: Path, folder: Path) -> None:
    train(tmp_path, folder, make_config(levels=6))
    before = models.find_model("dots").card.palette
    for number in range(20):
        Image.fromarray(np.full((12, 12, 3), (255, 10 * number, 0), np.uint8)).save(folder / f"new {number}.png")
    more = msgspec.structs.replace(make_config().plan, steps=4)
    train(tmp_path, folder, make_config(levels=6, plan=more), force=True)
    card = models.find_model("dots").card
    assert card.palette == before and card.steps == 4


def test_the_preview_shows_the_palette_with_which_a_training_begins(tmp_path: Path, folder: Path) -> None:
    config = make_config(levels=6)
    (found,) = ask(wire.PreviewExamples(job="p", source=str(folder), config=config_to_dict(config), count=3))
    train(tmp_path, folder, config)
    assert found.palette == models.find_model("dots").card.palette
    assert all(changed_pixels(seen, snap_to_palette(seen, found.palette)) == 0 for seen in found.examples)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"levels": 65}, "A palette has at most 64 colours"),
        ({"recipe": zoo.FAMILIES["glow"].presets["tiny"]}, "Glow needs brightness"),
        ({"augmentation": {"colour": 0.1}}, "cannot be varied"),
    ],
)
def test_a_palette_that_cannot_be_is_refused_in_a_sentence(
    tmp_path: Path, pack: Path, fields: dict[str, Any], sentence: str
) -> None:
    config = msgspec.convert({**config_to_dict(make_config()), **msgspec.to_builtins(fields)}, TrainingConfig)
    with pytest.raises(BadTrainingConfig, match=sentence):
        train(tmp_path, pack, config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"palette": np.zeros((5, 3), np.uint8)}, "2 to 64 different colours"),
        ({"palette": np.array(COLOURS, np.float32)}, "no palette of RGB colours"),
        ({"palette": np.array(COLOURS[:3], np.uint8)}, "no indices of its palette of 3 colours"),
        ({"train_x": np.zeros((4, 8, 8, 3), np.uint8)}, "no indices of its palette"),
    ],
)
def test_a_pack_whose_palette_does_not_fit_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], reason: str
) -> None:
    path = tmp_path / "odd.npz"
    usual = {"train_x": indices(9, 0), "test_x": indices(3, 1), "palette": np.array(COLOURS, np.uint8)}
    np.savez(path, **{**usual, **arrays})
    with pytest.raises(FileRefused, match=reason):
        load_dataset(path, (3, 8, 8))


def test_a_model_in_a_palette_is_no_base_of_a_pyramid(tmp_path: Path, pack: Path) -> None:
    train(tmp_path, pack, make_config())
    of = models.find_model("dots").card
    details = msgspec.structs.replace(of, name="details", title="Details", role="upsampler", palette=())
    write_model(models.find_model("dots").path.with_name("details.safetensors"), details)
    with pytest.raises(models.BadModel, match="has a palette, and details need degrees of brightness"):
        ask(wire.MakePyramid(job="p", base="dots", upsampler="details", source=str(pack), name="large"))
