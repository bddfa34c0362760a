"""Set up every test: no screen, no folder of the user, one application object."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from studio import kernels
from studio.media import decoder
from tests.limits import LIMIT
from tests.slow import is_slow, place_in_run

for wait in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitSignals):
    wait.__kwdefaults__["timeout"] = round(1000 * LIMIT)

# Before there is an application. Whoever wants to watch sets QT_QPA_PLATFORM=xcb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.pop("STUDIO_HOME", None)

# One thread for torch, here and in every engine a test starts: on a busy machine of two processors small
# tensors wait longest for the second.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
CASES = ROOT / "../shared/cases/inputs.py"

# Compiled loops are shared by all tests of this clone, whatever home a test has, and no engine compiles ahead.
LOOPS = ROOT / ".pytest_cache" / "loops" / kernels.sources_digest()
os.environ[kernels.CACHE_VARIABLE] = str(LOOPS)
for old in LOOPS.parent.glob("*"):
    if old != LOOPS:
        shutil.rmtree(old, ignore_errors=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the loops before processes share the slow tests, which would all compile the same at once."""
    option = session.config.option
    if getattr(option, "dist", "no") == "no" or option.markexpr == "not slow" or not kernels.missing_loops():
        return
    session.config.get_terminal_writer().line("The loops of studio/kernels are compiled …")
    command = [sys.executable, "-m", "studio.kernels", *kernels.missing_loops()]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as compiler:
        compiler.wait()  # its input stays open, because it ends with that


PLANTED = [sys.executable, "-m", "tests.planted_readers"]
"""The program of a child whose readers misbehave at files of certain names."""

WINDOW_TESTS = ROOT / "tests" / "app"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, which `packaging/run.py test --fast` leaves out, and put the longest first."""
    for item in items:
        if is_slow(item.path):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: place_in_run(item.path))  # stable, so that the order stays random otherwise


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the slow files out of the fast run without importing them, which loads torch and builds models."""
    return True if config.option.markexpr == "not slow" and is_slow(collection_path) else None


@pytest.fixture(autouse=True)
def studio_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that replaces all of the user's folders, here and in every process that a test starts."""
    home = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def one_application(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give every test of the window pytest-qt's QApplication, and check that it releases all mouse buttons.

    A process can have only one application object, and a QCoreApplication cannot become a QApplication. A button that
    stays down would change later tests, because a message is not shown while one is down.
    """
    if WINDOW_TESTS not in request.path.parents:
        yield
        return
    request.getfixturevalue("qapp")
    yield
    down = QApplication.mouseButtons()
    for button in Qt.MouseButton:
        if button & down:
            QTest.mouseRelease(QWidget(), button)
    assert down == Qt.MouseButton.NoButton, "the test leaves a mouse button down, for all tests after it"


@pytest.fixture
def planted_readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read files of the user by a child process whose readers misbehave at files of certain names."""
    own = decoder.FileDecoder(PLANTED, seconds=1)
    monkeypatch.setattr(decoder, "shared_decoder", own)
    yield
    own.close()


@pytest.fixture(scope="session")
def rings() -> np.ndarray:
    """Return 160 colour pictures (160, 8, 8, 3) uint8 for training: rings of some size on some ground."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8] - 3.5
    radius = generator.uniform(1, 4, 160)[:, None, None]
    inside = (np.hypot(y, x) < radius)[..., None]
    ground, ink = generator.integers(0, 256, (2, 160, 1, 1, 3))
    return np.where(inside, ink, ground).astype(np.uint8)


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the input files that `../shared/cases/inputs.py` makes, in `pictures` and `sounds`."""
    if not CASES.is_file():
        pytest.skip("the inputs of ../shared/cases are not here")
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(CASES), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def trained_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a model that the real loop trained in a second, `tiny-rings`: 8 × 8."""
    from studio import zoo

    recipe = zoo.realnvp.RealNVP(scales=2, width=8, blocks=1)
    return _trained(tmp_path_factory, rings.transpose(0, 3, 1, 2), None, name="tiny-rings", recipe=recipe)


@pytest.fixture(scope="session")
def trained_kinds_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-kinds`: 4 × 4 grey. Its classes Dark and Light differ only in the lower half."""
    from studio import zoo

    grey = rings[:, ::2, ::2, :1].transpose(0, 3, 1, 2).astype(int)
    light = np.arange(160) % 2
    grey[:, :, 2:] = grey[:, :, 2:] // 4 + 180 * light[:, None, None, None]
    x = grey.astype(np.uint8)
    recipe = zoo.maf.MAF(layers=2, hidden=(32,), classes=2, alpha=0.05)
    return _trained(
        tmp_path_factory, x, light, name="tiny-kinds", recipe=recipe, classes=("Dark", "Light"), steps=150, rate=0.01
    )


@pytest.fixture(scope="session")
def trained_noise_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-noise`: 8 × 8 grey plus noise. Every coupling knows the classes Dark and Light."""
    from studio import zoo

    grey = rings[..., :1].transpose(0, 3, 1, 2) // 2
    light = np.arange(160) % 2
    x = (grey + 128 * light[:, None, None, None]).astype(np.uint8)
    recipe = zoo.glow.Glow(scales=1, depth=2, width=16, classes=2, class_in_couplings=True, noise=0.1)
    return _trained(
        tmp_path_factory, x, light, name="tiny-noise", recipe=recipe, classes=("Dark", "Light"), steps=80, rate=0.01
    )


@pytest.fixture(scope="session")
def trained_waves_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-waves`: single cycles of 32 samples, 1,024 levels."""
    from studio import zoo

    generator = np.random.default_rng(1)
    phase = np.arange(32) * 2 * np.pi / 32
    loud = generator.uniform(0, 1, (160, 1, 3)) / (1, 2, 3)
    waves = (loud * np.sin(phase[None, :, None] * (1, 2, 3))).sum(2)
    x = ((waves / np.abs(waves).max(1, keepdims=True) * 30_000 + 32_768) * 1024 // 65_536).astype(np.int32)
    recipe = zoo.maf.MAF(layers=2, hidden=(48,), alpha=None)
    return _trained(tmp_path_factory, x, None, name="tiny-waves", recipe=recipe, levels=1024)


@pytest.fixture(scope="session")
def trained_pixels_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-pixels`: 8 × 8 grey of 16 levels, drawn pixel by pixel."""
    from studio import zoo

    x = (rings[..., :1].transpose(0, 3, 1, 2) // 16).astype(np.uint8)
    recipe = zoo.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=16)
    return _trained(tmp_path_factory, x, None, name="tiny-pixels", recipe=recipe, levels=16, rate=0.01)


@pytest.fixture(scope="session")
def trained_materials_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-materials`: without borders, with guidance, rings of the classes Dark and Light."""
    from studio import zoo

    x = (rings[..., :1].transpose(0, 3, 1, 2) // 64).astype(np.uint8)
    recipe = zoo.gated_pixelcnn.GatedPixelCNN(
        width=8, layers=2, size=3, head=16, classes=2, class_dropout=0.1, borderless=True
    )
    return _trained(
        tmp_path_factory,
        np.tile(x, (1, 1, 2, 2)),
        (x[:, 0, 0, 0] > 1).astype(np.int64),
        name="tiny-materials",
        recipe=recipe,
        levels=4,
        classes=("Dark", "Light"),
        rate=0.01,
    )


@pytest.fixture(scope="session")
def trained_others_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-others`: as `tiny-pixels`, with light and dark exchanged, and of another family."""
    from studio import zoo

    x = (15 - rings[..., :1].transpose(0, 3, 1, 2) // 16).astype(np.uint8)
    recipe = zoo.pixelcnn.PixelCNN(width=8, blocks=2, head=16)
    return _trained(tmp_path_factory, x, None, name="tiny-others", recipe=recipe, levels=16, rate=0.01)


@pytest.fixture(scope="session")
def trained_upsampler_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-upsampler`: from 8 × 8 grey of 16 levels to 32 × 32."""
    from studio import zoo

    x = (rings[..., :1].transpose(0, 3, 1, 2) // 16).astype(np.uint8)
    recipe = zoo.upsampler.Upsampler(width=8, shared=1, crop=16)
    return _trained(
        tmp_path_factory, x.repeat(4, 2).repeat(4, 3), None, name="tiny-upsampler", recipe=recipe, levels=16, rate=0.01
    )


def _trained(
    folders: pytest.TempPathFactory,
    x: np.ndarray,
    c: np.ndarray | None,
    *,
    name: str,
    recipe: Any,
    levels: int = 256,
    classes: tuple[str, ...] = (),
    steps: int = 40,
    rate: float = 0.001,
) -> Path:
    import torch

    from studio.engine.levels import TrainingExamples
    from studio.engine.training import loop
    from studio.engine.training.config import TrainingConfig, TrainingPlan
    from studio.engine.training.training_run import TrainingRun
    from tests.trained_file import write_trained_model

    folder = folders.mktemp("trained")
    path = _shared(folders, name)
    if path.exists():
        return path
    title = name.removeprefix("tiny-").capitalize()
    config = TrainingConfig(
        name=name,
        title=title,
        subject=title,
        training_data=f"160 {title.lower()}",
        licence="CC0 1.0",
        shape=x.shape[1:],
        levels=levels,
        recipe=recipe,
        plan=TrainingPlan(steps=steps, batch=32, learning_rate=rate, evaluate_every=20, warm_up=5),
    )
    run = TrainingRun(config, folder / "run", torch.device("cpu"))
    known = TrainingExamples(torch.from_numpy(x.copy()), None if c is None else torch.from_numpy(c.copy()))
    learn, watch, test = (known.select(slice(*ends)) for ends in ((0, 128), (128, 144), (144, 160)))
    for _ in loop.train_run(run, learn, watch, bf16=False):
        continue
    made = folder / path.name
    write_trained_model(made, run, learn, watch, test, classes)
    made.replace(path)
    return path


def _shared(folders: pytest.TempPathFactory, name: str) -> Path:
    """Return where the processes of a run share a model's file. The first that needs it trains the model."""
    base = folders.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.safetensors"


@pytest.fixture(scope="session")
def trained_recordings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of `tiny-recordings`: sounds of 8 kHz of the classes Low and High, drawn sample by sample."""
    import torch

    from studio import zoo
    from studio.engine.training import loop
    from studio.engine.training.config import TrainingConfig, TrainingPlan
    from studio.engine.training.recordings import TrainingRecordings
    from studio.engine.training.training_run import TrainingRun
    from tests.trained_file import write_trained_model

    config = TrainingConfig(
        name="tiny-recordings",
        title="Recordings",
        subject="Beeps",
        training_data="8 beeps",
        licence="CC0 1.0",
        shape=(500,),
        sample_rate=8000,
        label_columns=("pitch",),
        recipe=zoo.wavenet.WaveNet(cycles=1, layers=4, channels=8, skip=8, classes=(2,)),
        plan=TrainingPlan(steps=20, batch=4, cut_samples=200, learning_rate=0.01, evaluate_every=20, warm_up=5),
    )
    folder = tmp_path_factory.mktemp("recordings")
    path = _shared(tmp_path_factory, config.name)
    if path.exists():
        return path
    run = TrainingRun(config, folder / "run", torch.device("cpu"))
    waves = [(torch.arange(400 + i) // (4 + 8 * (i % 2)) % 2 * 60 + 98).to(torch.uint8) for i in range(8)]
    sounds = TrainingRecordings(tuple(waves), torch.arange(8) % 2)
    for _ in loop.train_run(run, sounds, sounds.select(slice(2)), bf16=False):
        continue
    made = folder / path.name
    write_trained_model(made, run, sounds, sounds.select(slice(2)), sounds.select(slice(2)), ("High", "Low"))
    made.replace(path)
    return path


@pytest.fixture(autouse=True)
def no_stepping_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a training from lowering the priority of the process that runs the tests, for all tests after it."""
    monkeypatch.setattr("os.nice", lambda increment: 0, raising=False)


@pytest.fixture
def tiny_recordings(trained_recordings_file: Path, studio_home: Path) -> str:
    """Return the name of a model that makes recordings, like `tiny`."""
    return _at_home(trained_recordings_file, studio_home)


@pytest.fixture
def tiny(trained_file: Path, studio_home: Path) -> str:
    """Return the name of a small trained model among the user's own, in the home of this test."""
    return _at_home(trained_file, studio_home)


@pytest.fixture
def tiny_kinds(trained_kinds_file: Path, studio_home: Path) -> str:
    """Return the name of a model with classes, like `tiny`."""
    return _at_home(trained_kinds_file, studio_home)


@pytest.fixture
def tiny_noise(trained_noise_file: Path, studio_home: Path) -> str:
    """Return the name of a model of pictures plus noise, like `tiny`."""
    return _at_home(trained_noise_file, studio_home)


@pytest.fixture
def tiny_waves(trained_waves_file: Path, studio_home: Path) -> str:
    """Return the name of a model that makes single cycles of sound, like `tiny`."""
    return _at_home(trained_waves_file, studio_home)


@pytest.fixture
def tiny_pixels(trained_pixels_file: Path, studio_home: Path) -> str:
    """Return the name of a model that draws pixel by pixel and can keep a part of a picture, like `tiny`."""
    return _at_home(trained_pixels_file, studio_home)


@pytest.fixture
def tiny_materials(trained_materials_file: Path, studio_home: Path) -> str:
    """Return the name of a model without borders, like `tiny`."""
    return _at_home(trained_materials_file, studio_home)


@pytest.fixture
def tiny_others(trained_others_file: Path, studio_home: Path) -> str:
    """Return the name of a model that can be mixed with `tiny_pixels`, like `tiny`."""
    return _at_home(trained_others_file, studio_home)


@pytest.fixture
def tiny_upsampler(trained_upsampler_file: Path, studio_home: Path) -> str:
    """Return the name of an upsampler for `tiny_pixels`, like `tiny`."""
    return _at_home(trained_upsampler_file, studio_home)


def _at_home(file: Path, home: Path) -> str:
    folder = home / "models"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, folder)
    return file.stem
