"""If no loop is compiled yet, the first command draws with torch and tells the user why it is slow."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import cli, kernels
from studio.library.work import from_png

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
    """Begin without compiled loops; return a file in which the child process notes the loops it was asked for."""
    file = tmp_path / "asked"
    monkeypatch.setattr(kernels.elsewhere, "asked", None)
    monkeypatch.setattr("studio.engine.ahead.wanted", lambda device: tuple(kernels.LOOPS))
    monkeypatch.setattr("studio.engine.ahead.here", lambda: [sys.executable, "-c", CHILD, str(file)])
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
    for compiled in ("pixels.row", "made.inverse", "made.forward"):
        monkeypatch.setattr(f"studio.kernels.{compiled}", None)
    assert cli.main(["sample", name, "-n", "2", "--seed", "1", "--json", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert all(from_png(Path(json.loads(line)["file"]).read_bytes()) for line in said.out.splitlines())
    assert said.err.count(SLOW) == 1
    while not asked.exists():  # the test's own time limit ends this
        time.sleep(0.01)
    assert asked.read_text() == f"--stay {loop}"


def test_what_measures_speed_compiles_first_and_what_needs_no_loop_says_nothing(
    asked: Path, tiny_pixels: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", tiny_pixels]) == 0
    assert cli.main(["sample", tiny, "--out", str(tmp_path)]) == 0
    assert SLOW not in capsys.readouterr().err
    assert not asked.exists()
