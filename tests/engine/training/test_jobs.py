"""The test artworks choose nothing: a run has training and validation data of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load

from studio import zoo
from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, TrainingExamples
from studio.engine.training import run_lock
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan, config_to_dict
from studio.engine.training.jobs import OtherArtworks
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.splits import split_validation
from studio.library import models
from studio.media.dataset import MIN_LEARNED
from studio.media.pictures.image import FileRefused
from studio.wire import messages as wire
from tests.limits import LIMIT

CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)
Z = zoo
FAMILIES: dict[str, tuple[zoo.Recipe, int]] = {
    "nice": (Z.nice.NICE(depth=2, width=8), 256),
    "realnvp": (Z.realnvp.RealNVP(scales=2, width=4, blocks=1), 256),
    "glow": (Z.glow.PRESETS["tiny"], 256),
    "maf": (Z.maf.MAF(layers=2, hidden=(8,)), 256),
    "iaf": (Z.iaf.IAF(layers=2, hidden=(8,)), 256),
    "vae_flow": (Z.vae_flow.PRESETS["tiny"], 2),
    "pixelrnn": (Z.pixelrnn.PRESETS["tiny"], 4),
    "pixelcnn": (Z.pixelcnn.PixelCNN(width=8, blocks=2, head=8), 4),
    "gated_pixelcnn": (Z.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=8), 4),
    "pixelcnn_pp": (Z.pixelcnn_pp.PRESETS["tiny"], 256),
}
WAVES = ("nice", "realnvp", "maf", "iaf")


def make_config(
    recipe: zoo.Recipe, shape: tuple[int, ...] = (1, 8, 8), levels: int = 256, **plan: Any
) -> TrainingConfig:
    fields = {"steps": 2, "batch": 4, "evaluate_every": 1, "warm_up": 0} | plan
    return TrainingConfig(
        name="few", title="Few", subject="Few", training_data="few", licence="CC0 1.0", shape=shape, levels=levels,
        recipe=recipe, plan=msgspec.convert(fields, TrainingPlan),
    )  # fmt: skip


def learn(folder: Path, source: Path, what: TrainingConfig, **asked: Any) -> list[wire.AnyEvent]:
    command = wire.Train(
        job="t", source=str(source), run_folder=str(folder / "run"), config=config_to_dict(what), **asked
    )
    return [event for event in JobStarter(CPU).start(command) if event is not None]


def pack(path: Path, train: np.ndarray, test: np.ndarray, **labels: Any) -> Path:
    np.savez(path, train_x=train, test_x=test, **labels)
    return path


def pictures(count: int, seed: int = 0, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 1)).astype(np.uint8)


# ── the test artworks choose nothing ─────────────────────────────────────────────────────────────


def test_validation_artworks_are_never_used_for_training() -> None:
    x = TrainingExamples(torch.arange(1000).view(-1, 1, 1, 1), torch.arange(1000))
    learn, watch = split_validation(x, "numbers")
    assert isinstance(learn, TrainingExamples) and isinstance(watch, TrainingExamples) and learn.c is not None
    assert len(watch) == 50
    assert sorted(torch.cat((learn.x, watch.x)).flatten().tolist()) == list(range(1000))
    assert torch.equal(learn.x.flatten(), learn.c)
    again = split_validation(x, "numbers")[1]
    assert isinstance(again, TrainingExamples) and torch.equal(again.x, watch.x)


def test_the_test_pictures_do_not_choose_the_best_weights(tmp_path: Path, studio_home: Path) -> None:
    """The loss of training pictures falls with every step, that of noise rises. Each would choose other weights."""
    ramp = np.linspace(0, 255, 8).astype(np.uint8)
    dimmed = np.arange(1, 61, dtype=np.uint8)[:, None, None, None]
    alike = np.broadcast_to(ramp[None, :, None, None], (60, 8, 8, 1)) // dimmed
    near = alike[:8].copy()
    near[:, 0] += 1  # a picture equal to a test picture would not be used for training
    found = {}
    for name, test in {"alike": near, "noise": pictures(8)}.items():
        folder = tmp_path / name
        folder.mkdir()
        what = make_config(FAMILIES["maf"][0], steps=40, learning_rate=0.01, average_decay=0.0)
        events = learn(folder, pack(folder / "p.npz", alike, test), what)
        held_out = [event.held_out for event in events if isinstance(event, wire.TrainingProgress)]
        card = models.find_model("few").card
        found[name] = held_out, card.value, load(models.find_model("few").path.read_bytes())
    assert found["alike"][0] == found["noise"][0], "the run is watched by what it may know, not by the test"
    for key, tensor in found["alike"][2].items():
        assert torch.equal(tensor, found["noise"][2][key]), key
    assert found["noise"][1] > found["alike"][1] + 1, "the figure alone is the test's"


# ── very few examples ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [1, 2, MIN_LEARNED])
def test_very_few_pictures_are_used_or_the_needed_number_is_reported(
    family: str, count: int, tmp_path: Path, studio_home: Path
) -> None:
    recipe, levels = FAMILIES[family]
    source = pack(tmp_path / "p.npz", pictures(count), pictures(1, seed=1))
    check_used_or_refused(tmp_path, source, make_config(recipe, levels=levels), count)


@pytest.mark.parametrize("family", WAVES)
@pytest.mark.parametrize("count", [1, 2, MIN_LEARNED])
def test_very_few_waves_are_used_or_the_needed_number_is_reported(
    family: str, count: int, tmp_path: Path, studio_home: Path
) -> None:
    waves = np.random.default_rng(0).integers(-30_000, 30_000, (count + 1, 16)).astype(np.int16)
    source = pack(tmp_path / "p.npz", waves[1:], waves[:1])
    check_used_or_refused(tmp_path, source, make_config(FAMILIES[family][0], (16,), 4096), count)


def check_used_or_refused(folder: Path, source: Path, what: TrainingConfig, count: int) -> None:
    """Train on so many. If they are too few, the needed number is reported and nothing is left behind."""
    if count < MIN_LEARNED:
        with pytest.raises(DoesNotFit, match=f"{count} to train on.* At least {MIN_LEARNED} are needed"):
            learn(folder, source, what)
        assert not (folder / "run").exists(), "its name is free again"
    else:
        learn(folder, source, what)
        assert np.isfinite(models.find_model("few").card.value)
        models.read_model(models.find_model("few").path)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_a_folder_of_very_few_pictures_is_refused(count: int, tmp_path: Path, studio_home: Path) -> None:
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(pictures(count)):
        Image.fromarray(picture[..., 0]).save(folder / f"{number}.png")
    what = make_config(FAMILIES["maf"][0])
    if count > MIN_LEARNED:
        learn(tmp_path, folder, what)
        assert models.find_model("few").card.steps == 2
        return
    with pytest.raises((FileRefused, DoesNotFit), match=r"At least (3|4) are needed"):
        learn(tmp_path, folder, what)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("family", [name for name, (recipe, _) in FAMILIES.items() if hasattr(recipe, "classes")])
def test_a_class_with_a_single_picture_is_learned(family: str, tmp_path: Path, studio_home: Path) -> None:
    recipe, levels = FAMILIES[family]
    what = make_config(msgspec.structs.replace(recipe, classes=2), levels=levels)
    for only in range(6):  # wherever the single one falls: training or validation
        labels = np.arange(6) == only
        folder = tmp_path / str(only)
        folder.mkdir()
        source = pack(folder / "p.npz", pictures(6), pictures(2, 1), train_y=labels.astype(int), test_y=np.arange(2))
        learn(folder, source, what)
        assert np.isfinite(models.find_model("few").card.value)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seconds", [0.06, 1.0])
def test_very_few_recordings_are_used_for_training(
    count: int, seconds: float, tmp_path: Path, studio_home: Path
) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(count):
        wave = np.sin(np.arange(int(8000 * seconds)) / (3 + number))
        soundfile.write(folder / f"{number}.wav", 0.8 * wave, 8000)
    recipe = zoo.wavenet.WaveNet(cycles=1, layers=4, channels=8, skip=8)
    what = msgspec.structs.replace(make_config(recipe, (500,), cut_samples=200), sample_rate=8000)
    learn(tmp_path, folder, what)
    assert np.isfinite(models.find_model("few").card.value)


def test_the_end_of_a_single_recording_validates_it() -> None:
    sound = torch.arange(1000)
    learn, watch = split_validation(TrainingRecordings((sound,)), "one")
    assert isinstance(learn, TrainingRecordings) and isinstance(watch, TrainingRecordings)
    assert torch.equal(torch.cat((learn.x[0], watch.x[0])), sound)
    assert len(watch.x[0]) == 50


def test_a_run_that_fails_before_its_first_step_leaves_its_name_free(
    tmp_path: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    source = pack(tmp_path / "p.npz", pictures(8), pictures(2, 1))
    with monkeypatch.context() as patch:
        patch.setattr("studio.engine.training.loop.train_step", fail)
        with pytest.raises(RuntimeError, match="planted"):
            learn(tmp_path, source, make_config(FAMILIES["maf"][0]))
    assert not (tmp_path / "run").exists()


# ── one run, once at a time ──────────────────────────────────────────────────────────────────────

HOLD = """
import sys
from pathlib import Path
from studio.engine.training import run_lock
with run_lock.hold_run(Path(sys.argv[1])):
    Path(sys.argv[1], "study.json").write_text("{}")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_training_of_a_run_is_refused_and_the_first_is_named(tmp_path: Path, studio_home: Path) -> None:
    source = pack(tmp_path / "p.npz", pictures(8), pictures(2, 1))
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == "held\n"
        before = sorted(path.name for path in (tmp_path / "run").iterdir())
        with pytest.raises(run_lock.RunLocked, match=rf'Process {child.pid} has been training "run" since \d\d:\d\d'):
            learn(tmp_path, source, make_config(FAMILIES["maf"][0]))
        with pytest.raises(run_lock.RunLocked, match=str(child.pid)), run_lock.hold_run(tmp_path / "run"):
            pass
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
    finally:
        child.stdin.close()
        assert child.wait(LIMIT) == 0
        child.stdout.close()
    learn(tmp_path, source, make_config(FAMILIES["maf"][0]))
    assert models.find_model("few").card.steps == 2


# ── a run goes on ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def begun(tmp_path: Path, studio_home: Path) -> Callable[..., list[wire.AnyEvent]]:
    """Return a function that continues a run of two steps with other pictures and steps."""
    source = pack(tmp_path / "p.npz", pictures(8), pictures(2, 1))
    learn(tmp_path, source, make_config(FAMILIES["maf"][0]))

    def go_on(train: np.ndarray, steps: int, **asked: Any) -> list[wire.AnyEvent]:
        other = pack(tmp_path / "q.npz", train, pictures(2, 1))
        return learn(tmp_path, other, make_config(FAMILIES["maf"][0], steps=steps), **asked)

    return go_on


def test_a_run_does_not_continue_with_other_pictures_unless_forced(begun: Callable[..., list[wire.AnyEvent]]) -> None:
    for others in (pictures(8, seed=5), pictures(9), pictures(8)[::-1].copy()):
        with pytest.raises(OtherArtworks, match=r"other artworks. Nothing was changed. Restore the files as they were"):
            begun(others, 3)
    assert models.find_model("few").card.steps == 2
    begun(pictures(8, seed=5), 3, force=True)
    assert models.find_model("few").card.steps == 3
    begun(pictures(8, seed=5), 4)
    assert models.find_model("few").card.steps == 4
    with pytest.raises(BadTrainingConfig, match="other artworks"):
        begun(pictures(8), 5)


def test_the_best_model_of_a_run_is_kept_without_a_step(begun: Callable[..., list[wire.AnyEvent]]) -> None:
    best = models.find_model("few")
    before = load(best.path.read_bytes())
    best.path.unlink()
    with pytest.raises(OtherArtworks):
        begun(pictures(8, seed=5), 9, only_export=True)
    for asked in ({"train": pictures(8)}, {"train": pictures(8, seed=5), "force": True}):
        events = begun(steps=9, only_export=True, **asked)
        assert [event.is_final for event in events if isinstance(event, wire.ModelWritten)] == [True]
        assert not [event for event in events if isinstance(event, wire.TrainingProgress)]
        kept = models.find_model("few")
        assert kept.card.steps == 2
        for name, tensor in load(kept.path.read_bytes()).items():
            if name.startswith("weights.") and not name.endswith((".mean", ".var")):  # statistics have noise in them
                assert torch.equal(tensor, before[name])
        kept.path.unlink()
    begun(pictures(8), 3)  # the run itself is as it was
    assert models.find_model("few").card.steps == 3


def test_nothing_is_kept_of_a_run_that_has_not_begun(tmp_path: Path, studio_home: Path) -> None:
    source = pack(tmp_path / "p.npz", pictures(8), pictures(2, 1))
    with pytest.raises(BadTrainingConfig, match="has learned nothing yet"):
        learn(tmp_path, source, make_config(FAMILIES["maf"][0]), only_export=True)
    assert not (tmp_path / "run").exists(), "its name stays free"


def test_a_run_continues_with_the_same_pictures_from_another_place(begun: Callable[..., list[wire.AnyEvent]]) -> None:
    begun(pictures(8), 3)
    assert models.find_model("few").card.steps == 3


def test_fewer_steps_than_done_are_refused(begun: Callable[..., list[wire.AnyEvent]]) -> None:
    with pytest.raises(BadTrainingConfig, match="has learned for 2 steps already, more than 1. Nothing was changed"):
        begun(pictures(8), 1)
    begun(pictures(8), 2)  # the same number: it is measured and saved again
    assert models.find_model("few").card.steps == 2


def test_skipped_files_are_reported_one_by_one(tmp_path: Path, studio_home: Path) -> None:
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(pictures(6)):
        Image.fromarray(picture[..., 0]).save(folder / f"{number}.png")
    for number in range(700):
        (folder / f"x{number:03}.png").write_bytes(b"")
    events = learn(tmp_path, folder, make_config(FAMILIES["maf"][0]))
    files = [file for event in events if isinstance(event, wire.FilesExamined) for file in event.files]
    assert [file.name for file in files if file.outcome == "used"] == [f"{number}.png" for number in range(6)]
    skipped = [file for file in files if file.outcome == "skipped"]
    assert [file.name for file in skipped] == [f"x{number:03}.png" for number in range(700)]
    assert {file.reason for file in skipped} == {"is empty"}
    (gathered,) = [event for event in events if isinstance(event, wire.DatasetLoaded)]
    assert (gathered.used, gathered.skipped, gathered.duplicates) == (6, 700, 0)


@pytest.mark.parametrize(
    ("recipe", "shape"),
    [
        (zoo.maf.PRESETS["paper"], (3, 2048, 2048)),
        (zoo.nice.NICE(depth=4, width=1000), (3, 2048, 2048)),
        (zoo.iaf.PRESETS["small"], (1, 4096, 4096)),
    ],
    ids=["maf", "nice", "iaf"],
)
def test_a_model_that_cannot_fit_into_memory_is_refused_before_it_takes_any(
    recipe: zoo.Recipe, shape: tuple[int, ...], tmp_path: Path, studio_home: Path
) -> None:
    source = pack(tmp_path / "p.npz", pictures(8), pictures(2, 1))
    with pytest.raises(BadTrainingConfig, match=r"needs [\d,]+ GB of memory, but [\d.,]+ GB are free"):
        learn(tmp_path, source, make_config(recipe, shape))
    assert not (tmp_path / "run").exists()
