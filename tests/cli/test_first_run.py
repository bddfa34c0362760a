"""A command without compiled loops draws with torch and explains why it is slow."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import cli, kernels
from studio.engine.generation import sampling
from studio.library.work import recipe_of_png

SLOW = "First run on this computer: preparing the fast version."
CHILD = """
import pathlib, sys, time
asked = pathlib.Path(sys.argv[1])
asked.write_text(" ".join(sys.argv[2:]))
while not asked.with_suffix(".end").exists():
    time.sleep(0.01)
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Begin without compiled loops. Return a file in which the child process notes the loops that it compiles."""
    file = tmp_path / "asked"
    monkeypatch.setattr(kernels.compiled_elsewhere, "is_pending", None)
    monkeypatch.setattr("studio.engine.precompile.missing_loops", lambda device: tuple(kernels.LOOPS))
    monkeypatch.setattr("studio.engine.precompile.compile_command", lambda: [sys.executable, "-c", CHILD, str(file)])
    yield file
    file.with_suffix(".end").touch()


@pytest.mark.parametrize(("model", "loop"), [("tiny_pixels", "pixels"), ("tiny_kinds", "masked maps")])
def test_a_picture_does_not_wait_for_a_compiler(
    model: str,
    loop: str,
    asked: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = request.getfixturevalue(model)
    for compiled in ("pixels.run_row", "made.inverse", "made.forward"):
        monkeypatch.setattr(f"studio.kernels.{compiled}", None)
    assert cli.main(["sample", name, "-n", "2", "--seed", "1", "--json", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert all(recipe_of_png(Path(json.loads(line)["file"]).read_bytes()) for line in said.out.splitlines())
    assert said.err.count(SLOW) == 1
    while not asked.exists() or not asked.read_text():  # it may exist and not yet be written
        time.sleep(0.01)
    assert asked.read_text() == f"--stay {loop}"


def test_speed_measurement_compiles_first_and_commands_without_loops_print_nothing(
    asked: Path, tiny_pixels: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", tiny_pixels]) == 0
    assert cli.main(["sample", tiny, "--out", str(tmp_path)]) == 0
    assert SLOW not in capsys.readouterr().err
    assert not asked.exists()


@pytest.fixture
def pricing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call something whenever bits of pictures are about to be computed."""

    def happens(act: Callable[[], object]) -> None:
        price = sampling.score_artworks

        def acted(*asked: Any) -> Iterator[tuple[list[float], None] | None]:
            act()
            yield from price(*asked)

        monkeypatch.setattr(sampling, "score_artworks", acted)

    return happens


@pytest.mark.parametrize("model", ["tiny", "tiny_pixels", "tiny_kinds", "tiny_waves"])
def test_the_first_artwork_is_on_the_disk_before_its_bits_are_known(
    model: str, pricing: Callable[[Callable[[], object]], None], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = request.getfixturevalue(model)
    out = tmp_path / "out"
    there = []
    pricing(lambda: there.append(sorted(path.stem for path in out.iterdir())))
    assert cli.main(["sample", name, "--seed", "1", "--out", str(out)]) == 0
    assert there == [[f"{name}-1"]]


def test_pictures_without_bits_are_named_when_a_command_is_stopped(
    tiny: str,
    pricing: Callable[[Callable[[], object]], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    pricing(stop)
    assert cli.main(["sample", tiny, "-n", "3", "--seed", "1", "--json", "--out", str(tmp_path)]) == 130
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["seed"], line["log_prob"]) for line in told] == [(1, None), (2, None), (3, None)]
    assert all(recipe_of_png(Path(line["file"]).read_bytes()) for line in told)


def test_pictures_whose_score_needs_too_much_memory_are_saved_and_named_once(
    tiny: str,
    pricing: Callable[[Callable[[], object]], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tries: list[None] = []

    def run_out_once() -> None:
        tries.append(None)
        if len(tries) == 1:
            raise MemoryError

    pricing(run_out_once)
    assert cli.main(["sample", tiny, "-n", "5", "--seed", "1", "--json", "--out", str(tmp_path)]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seed"] for line in told] == [1, 2, 3, 4, 5]
    assert all(isinstance(line["log_prob"], float) for line in told)
    assert len(tries) > 2, "the groups became smaller"


FIRST = """
import sys
from studio import cli
from studio.engine import precompile

precompile.missing_loops = lambda device: ("pixels",)
precompile.compile_command = lambda: [sys.executable, "-c", "import sys; sys.stdin.read()"]
status = cli.main(sys.argv[1:])
print(status, *(name for name in ("numba", "llvmlite", "PySide6", "torchaudio", "sounddevice") if name in sys.modules))
"""


def test_a_first_picture_loads_neither_a_compiler_nor_what_plays_or_shows(tiny_pixels: str, tmp_path: Path) -> None:
    argv = ["sample", tiny_pixels, "--seed", "1", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", FIRST, *argv], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
