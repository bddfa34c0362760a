"""Each part imports only what it may, without circles or banned calls. Planted faults are found."""

import functools
import subprocess
import sys

import pytest

from tests import architecture

SOURCES = architecture.sources()


def test_all_files_obey_the_import_table_and_the_bans() -> None:
    found = {name: architecture.faults(name, source) for name, source in SOURCES.items()}
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_test_asks_a_layout_for_its_items() -> None:
    """A test that does so makes later tests of the same process fail."""
    tests = architecture.ROOT / "tests"
    found = {path: architecture.layout_items(path.read_text("utf-8")) for path in sorted(tests.rglob("*.py"))}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_no_imports_form_a_circle() -> None:
    assert architecture.circle(SOURCES) == []


@functools.cache
def loaded_by(module: str) -> set[str]:
    """Return the names of all modules that a new process has loaded once it has imported this one."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=architecture.ROOT, stdout=subprocess.PIPE, check=True)
    return set(done.stdout.decode().split())


@pytest.mark.parametrize(
    ("first", "never"),
    [
        ("studio.app.main", "torch"),
        ("studio.app.main", "studio.engine"),
        ("studio.cli", "torch"),
        ("studio.cli", "PySide6"),
        ("studio.engine.__main__", "PySide6"),
        ("studio.engine.__main__", "torch"),
        ("studio.media.decoder_process", "torch"),
        ("studio.media.decoder_process", "PySide6"),
        ("studio.media.decoder_process", "numba"),
        ("studio.media.decoder_process", "soundfile"),
        ("studio.media.decoder_process", "studio.library"),
    ],
)
def test_each_process_loads_only_its_own_libraries(first: str, never: str) -> None:
    """The engine sends Starting before it imports torch, so its entry point loads no torch."""
    assert never not in loaded_by(first)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("studio.density.flow", "import numpy"),
        ("studio.density.flow", "from studio.nets import convolution"),
        ("studio.nets.mlp", "from studio.zoo import realnvp"),
        ("studio.wire.frames", "import torch"),
        ("studio.wire.frames", "from ..library import card"),
        ("studio.media.pictures.image", "from PySide6.QtGui import QImage"),
        ("studio.library.models", "def late():\n    import torch"),
        ("studio.library.card", "import PIL.Image"),
        ("studio.zoo.nice", "from studio.engine import jobs"),
        ("studio.engine.jobs", "from studio.app.states import value"),
        ("studio.engine.jobs", "import PySide6"),
        ("studio.cli", "import torch"),
        ("studio.app.main", "import torch"),
        ("studio.app.main", "from studio.engine import device"),
        ("studio.app.core.observable", "from PySide6 import QtWidgets"),
        ("studio.app.core.observable", "from studio.app.views import theme"),
        ("studio.app.core.request", "from studio.app.states import window"),
        ("studio.app.core.request", "from PySide6 import QtWidgets"),
        ("studio.app.window.main_window", "from studio.library import storage"),
        ("studio.app.window.main_window", "import studio.app.main"),
        ("studio.app.core.jobs", "from PySide6.QtGui import QColor"),
        ("studio.app.core.jobs", "from studio.app.takes.store import TakeStore"),
        ("studio.app.takes.store", "from studio.app.widgets.theme import Theme"),
        ("studio.app.takes.store", "from studio.app.takes import strip_view"),
        ("studio.app.widgets.slider", "from studio.app.takes.store import TakeStore"),
        ("studio.app.panels.sound.view", "from studio.app.panels.generate.state import GenerateState"),
        ("studio.app.panels.sound.lanes.lane_view", "from studio.app.app_state import AppState"),
        ("studio.app.panels.generate.view", "from studio.app.app_state import AppState"),
        ("studio.app.audio.wave_page_view", "from studio.app.app_state import AppState"),
        ("studio.app.files.import_view", "from studio.app.panels.explore.state import ExploreState"),
        ("studio.app.maps.overlay_view", "from studio.app.panels.generate.grid_view import GridView"),
        ("studio.app.panels.sound.view", "from studio.app.window import rail"),
        ("studio.media.pictures.image", "import pickle"),
        ("studio.engine.jobs", "from multiprocessing import connection"),
        ("studio.library.models", "import urllib.request"),
        ("studio.library.models", "import some_new_package"),
        ("studio.engine.jobs", "import torchaudio"),
        ("studio.engine.training.augmentation", "from torchaudio.transforms import Vol"),
        ("studio.engine.levels", "import_torchaudio().functional.lfilter(x, a, b)"),
        ("studio.engine.jobs", "torch.load(path)"),
        ("studio.engine.jobs", "torch.save(state, path)"),
        ("studio.media.dataset", "np.load(path, allow_pickle=True)"),
        ("studio.media.dataset", "numpy.load(path, allow_pickle=trusted)"),
        ("studio.zoo.nice", "eval('1 + 1')"),
        ("studio.zoo.nice", "exec(text)"),
        ("studio.app.core.autosave", "subprocess.run(command, shell=True)"),
        ("studio.app.core.autosave", "open(path, 'w')"),
        ("studio.app.core.autosave", "open(path, mode='ab')"),
        ("studio.app.core.autosave", "path.open('x')"),
        ("studio.app.core.autosave", "os.open(path, os.O_WRONLY | os.O_CREAT)"),
        ("studio.app.core.autosave", "Path('a').write_text('b')"),
        ("studio.library.models", "os.replace(a, b)"),
        ("studio.library.models", "path.unlink()"),
        ("studio.media.export", "image.save(path)"),
        ("studio.media.sounds.single_cycle", "soundfile.write(path, samples, 44100)"),
        ("studio.engine.training.checkpoint", "safetensors.torch.save_file(state, path)"),
        ("studio.engine.jobs", "try:\n    go()\nexcept:\n    pass"),
        ("studio.app.panels.generate.grid_view", "class Grid(QWidget):\n    def paintEvent(self, event): ..."),
        (
            "studio.app.panels.generate.grid_view",
            "class Rows(QAbstractListModel):\n    def data(self, index, role): ...",
        ),
        ("studio.app.panels.generate.grid_view", "p = QPainter(self)"),
        ("studio.app.panels.generate.grid_view", "cells.addItem(QListWidgetItem('1'))"),
        ("studio.app.window.pages", "layout.itemAt(0).widget()"),
        ("studio.app.window.pages", "layout.takeAt(0)"),
        ("studio.app.panels.complete.state", "from studio.media.pictures.image import open_picture"),
        ("studio.app.panels.complete.state", "from studio.media.pictures import image\nimage.open_picture(path)"),
        ("studio.cli.arguments", "audio_file.open_recording(path)"),
        ("studio.cli.arguments", "studio.media.sounds.single_cycle.read_cycle(path, 256)"),
        ("studio.engine.training.jobs", "from studio.media.sounds.single_cycle import read_wave"),
        ("studio.library.work", "enlarging.unpack_picture_text(text, (8, 8))"),
        ("studio.media.dataset", "from studio.media.pack import read_members"),
        ("studio.media.dataset", "np.load(path, allow_pickle=False)"),
        ("studio.library.work", "Image.open(path)"),
        ("studio.engine.training.recordings", "soundfile.SoundFile(path)"),
        ("studio.media.sounds.audio_dataset", "soundfile.read(path)"),
        ("studio.app.files.crop_view", "QImageReader(path)"),
    ],
)
def test_a_planted_fault_is_found(name: str, line: str) -> None:
    assert architecture.faults(name, line) != []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("studio.zoo.nice", "import torch\nfrom studio.density.flow import Flow"),
        ("studio.wire.messages", "from studio import __version__"),
        ("studio.app.core.observable", "from PySide6.QtCore import QObject"),
        ("studio.library.storage", "os.replace(a, b)"),
        ("studio.library.models", "open(path, 'rb')\npath.open()"),
        ("studio.library.models", "os.open(path, os.O_RDONLY | os.O_NOFOLLOW)"),
        ("studio.cli", "os.open(os.devnull, os.O_WRONLY)"),
        ("studio.library.models", "name.replace('a', 'w')"),
        ("studio.media.dataset", "decoder.open_picture(path)"),
        ("studio.cli.arguments", "from studio.media.decoder import open_picture"),
        ("studio.media.export", "into = io.BytesIO()\nimage.save(into, 'PNG')"),
        (
            "studio.app.panels.generate.grid_view",
            "class Grid(QWidget):\n    @guarded(None)\n    def paintEvent(self, event): ...",
        ),
        ("studio.engine.generation.sampling", "model.eval()\nre.compile('a')"),
        ("studio.app.panels.generate.grid_view", "with QPainter(self) as p:\n    p.end()"),
    ],
)
def test_allowed_code_is_accepted(name: str, line: str) -> None:
    assert architecture.faults(name, line) == []


def test_a_planted_circle_is_found() -> None:
    house = {
        "studio.media": "",
        "studio.media.pictures": "",
        "studio.media.pictures.image": "from studio.media.export import png",
        "studio.media.export": "def late():\n    from .pictures import image",
    }
    assert set(architecture.circle(house)) == {"studio.media.pictures.image", "studio.media.export"}
    assert architecture.circle({**house, "studio.media.export": ""}) == []
