"""What holds for every test: no screen, no folder of the person's, one application object."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

# Before anything imports Qt. Whoever wants to watch sets QT_QPA_PLATFORM=xcb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.pop("STUDIO_HOME", None)

# One thread for torch, here and in every engine a test starts: on a busy machine of two processors small
# tensors wait longest for the second.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
WINDOW_TESTS = ROOT / "tests" / "app"


@pytest.fixture(autouse=True)
def studio_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for all of the person's folders, here and in every process a test starts."""
    home = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def one_application(request: pytest.FixtureRequest) -> Iterator[None]:
    """A process has one application object for ever, and a QCoreApplication can't become a QApplication.

    So every test of the window, whichever comes first in random order, gets pytest-qt's QApplication.
    """
    if WINDOW_TESTS in request.path.parents:
        request.getfixturevalue("qapp")
    yield


@pytest.fixture(scope="session")
def rings() -> np.ndarray:
    """160 small colour pictures (160, 8, 8, 3) uint8 to learn from: rings of some size on some ground."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8] - 3.5
    radius = generator.uniform(1, 4, 160)[:, None, None]
    inside = (np.hypot(y, x) < radius)[..., None]
    ground, ink = generator.integers(0, 256, (2, 160, 1, 1, 3))
    return np.where(inside, ink, ground).astype(np.uint8)


@pytest.fixture(scope="session")
def trained_file(rings: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a trained model, `tiny-rings`: 8 × 8, learned by the real loop in a second."""
    import torch

    from studio import zoo
    from studio.engine import publishing, training
    from studio.engine.artworks import Examples

    folder = tmp_path_factory.mktemp("trained")
    study = training.Study(
        name="tiny-rings",
        title="Rings",
        makes="Rings",
        learned_from="160 rings",
        licence="CC0 1.0",
        shape=(3, 8, 8),
        recipe=zoo.realnvp.RealNVP(scales=2, width=8, blocks=1),
        plan=training.Plan(steps=40, batch=32, evaluate=20, warm_up=5),
    )
    run = training.Run(study, folder / "run", torch.device("cpu"))
    x = Examples(torch.from_numpy(rings).permute(0, 3, 1, 2))
    learn, watch, test = (x.part(slice(*ends)) for ends in ((0, 128), (128, 144), (144, 160)))
    for _ in training.train(run, learn, watch, bf16=False):
        continue
    path = folder / "tiny-rings.safetensors"
    publishing.publish(run, path, learn, test)
    return path


@pytest.fixture
def tiny(trained_file: Path, studio_home: Path) -> str:
    """The name of a small trained model among the person's own, in the home of this test."""
    folder = studio_home / "models"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(trained_file, folder)
    return trained_file.stem
