"""A compiled loop is stored and found again. A fault of a file does no harm."""

import errno
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import platformdirs
import pytest
import torch
from numba.core.caching import IndexDataCacheFile

from studio import kernels, zoo
from studio.density.sound_mixture import MixtureSampler
from studio.kernels import __main__ as program
from studio.kernels import compiler
from studio.zoo.compiled.wavenet import sample_jointly

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).parents[2]


def drawn(recipe: Any, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> None:
    """Draw a picture with a model whose weights are new."""
    with torch.no_grad():
        model = recipe.build(shape, 256).to(dtype).eval()
        model.decode(model.noise([1]))


def learned() -> None:
    """Take one training step of a model whose log-probabilities need an inverse."""
    model = zoo.iaf.IAF(layers=2, hidden=(8,)).build((1, 2, 2), 256).float()
    model.loss(torch.zeros(2, 1, 2, 2, dtype=torch.uint8)).mean().backward()


def played(count: int) -> None:
    """Stream sound with models whose weights are those of a file."""
    recipe = zoo.wavenet.WaveNet(cycles=1, layers=2, channels=8, skip=8)
    models: tuple[Any, ...] = tuple(recipe.build((64,), 256).float().eval() for _ in range(count))
    for parameter in (parameter for model in models for parameter in model.parameters()):
        parameter.data = parameter.data.half().float()
    one = torch.ones(1, 3)
    with torch.no_grad():
        MixtureSampler(models, (None,) * count, sample_jointly).sample(0 * one, one, one, 0.5)


SMALL = zoo.maf.MAF(layers=2, hidden=(8,)), zoo.iaf.IAF(layers=2, hidden=(8,))
ASKED_BY: dict[str, Callable[[], object]] = {
    "masked maps": lambda: [drawn(recipe, (1, 2, 2)) for recipe in SMALL],
    "pixels": lambda: drawn(zoo.pixelcnn_pp.PixelCNNPP(filters=2, resnets=1, mixture=2), (3, 4, 4)),
    "sound": lambda: played(1),
    "two sounds": lambda: played(2),
    "masked maps in float64": lambda: [drawn(recipe, (1, 2, 2), torch.float64) for recipe in SMALL],
    "masked maps that learn": learned,
    "masked mixtures": lambda: drawn(zoo.maf.MAF(layers=1, hidden=(8,), mixture=2), (1, 2, 2)),
}


@pytest.mark.parametrize("name", kernels.LOOPS)
def test_loops_compiled_ahead_are_those_that_models_use(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = kernels.LOOPS[name]
    file = importlib.import_module(f"studio.kernels.{loop.file}")
    for each in kernels.LOOPS.values():  # other tests may have used other loops of its file, or not
        if each.file == loop.file:
            getattr(file, each.prepare)()
    assert name not in kernels.missing_loops()
    last = loop.last.partition(".")[2].partition("-")[0]
    compiled = getattr(file, last)
    before = list(compiled.signatures)
    calls = []

    def watched(*given: Any) -> Any:
        calls.append(given)
        return compiled(*given)

    monkeypatch.setattr(file, last, watched)
    ASKED_BY[name]()
    assert calls
    assert compiled.signatures == before


def place(*, home: str, cache: str | None = None) -> tuple[str, str]:
    """Return where a new process stores loops, and whether it chose that folder itself."""
    env = {**os.environ, "STUDIO_HOME": home}
    env.pop(kernels.CACHE_VARIABLE)
    program = "from studio import kernels; print(kernels.cache_folder(), kernels.is_own_folder(), sep='\\n')"
    env |= {kernels.CACHE_VARIABLE: cache} if cache else {}
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    folder, own = run.stdout.splitlines()
    return folder, own


def test_loops_are_stored_in_the_users_cache_unless_another_folder_is_named(tmp_path: Path) -> None:
    theirs = platformdirs.user_cache_path("latent-studio", False) / "loops" / kernels.sources_digest()
    assert place(home=str(tmp_path)) == (str(theirs), "True")
    assert place(home=str(tmp_path), cache=str(tmp_path / "else")) == (str(tmp_path / "else"), "False")


def test_a_changed_line_in_any_source_changes_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(Path(kernels.__file__).parent, tmp_path / "kernels", ignore=shutil.ignore_patterns("__*__"))
    monkeypatch.setattr(kernels, "__file__", str(copy / "__init__.py"))
    before = kernels.sources_digest()
    assert before == kernels.sources_digest()
    (copy / "dot_products.py").write_text((copy / "dot_products.py").read_text() + "\n")
    assert kernels.sources_digest() != before


@pytest.fixture
def doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Compile a small function as a new process would."""
    source = tmp_path / "small.py"
    source.write_text("def doubled(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    small = importlib.import_module("small")
    yield lambda: compiler.compile_function(small.doubled, True)
    del sys.modules["small"]


def test_a_loop_is_compiled_once(doubled: Callable[[], Any]) -> None:
    first = doubled()
    second = doubled()
    assert first(4) == second(4) == 8
    assert sum(second.stats.cache_hits.values()) == 1
    assert not second.stats.cache_misses


@pytest.mark.parametrize("ending", ["nbc", "nbi"])
def test_a_file_that_was_cut_off_is_made_again(doubled: Callable[[], Any], tmp_path: Path, ending: str) -> None:
    doubled()(4)
    (file,) = (tmp_path / "kept").rglob(f"*.{ending}")
    file.write_bytes(file.read_bytes()[:20])
    assert doubled()(4) == 8
    again = doubled()
    assert again(4) == 8
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_loop_is_compiled_even_if_it_cannot_be_stored(
    doubled: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, path: str) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(IndexDataCacheFile, "_open_for_write", full)
        assert doubled()(4) == 8
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "kept"))
    assert doubled()(4) == 8


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks bytes of a file")
def test_only_one_process_compiles_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "program.py"
    file.touch()
    opened: list[int] = []
    plain = os.open
    monkeypatch.setattr(os, "open", lambda *words: opened.append(plain(*words)) or opened[-1])
    monkeypatch.setattr(program, "__file__", str(file))
    program._wait_for_others()
    with file.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(opened[-1])
