"""If the engine fails during a command, the user reads one sentence."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import cli
from studio.engine import benchmark
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit

KEPT = 'What was finished is kept. The details are in "{log}".'
OWN = "The engine met a fault of its own: "
FAULTS: dict[str, tuple[Callable[[], BaseException], str]] = {
    "its own": (lambda: RuntimeError("the paint is dry"), f"{OWN}RuntimeError: the paint is dry. {KEPT}"),
    "without words": (AssertionError, f"{OWN}AssertionError. {KEPT}"),
    "the disk": (lambda: OSError(5, "Input/output error"), f"{OWN}OSError: [Errno 5] Input/output error. {KEPT}"),
    "an exit": (lambda: SystemExit(0), f"{OWN}SystemExit: 0. {KEPT}"),
    "memory": (MemoryError, "There was not enough memory. Ask for fewer pictures at a time, or close other programs."),
    "the device": (
        lambda: RuntimeError("CUDA error: device-side assert triggered"),
        "The graphics device failed: CUDA error: device-side assert triggered. Run the command again.",
    ),
    "a misfit": (lambda: DoesNotFit("the picture has three corners"), "The picture has three corners."),
}


def do_instead(monkeypatch: pytest.MonkeyPatch, job: Callable[[], Iterator[Any]]) -> None:
    """Replace every job of the engine, and the measuring of `bench`, which needs none."""
    monkeypatch.setattr(JobStarter, "start", lambda jobs, command: job())
    monkeypatch.setattr(benchmark, "measure_speed", lambda *asked: list(job()))


def test_every_command_reports_the_engines_fault(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def job() -> Iterator[None]:
        yield None
        raise RuntimeError("the paint is dry")

    do_instead(monkeypatch, job)
    if command[0] in ("models", "runs"):
        assert cli.main(command) == 0, "it asks no engine"
        return
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert said.count("met a fault of its own: RuntimeError: the paint is dry.") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_own_sentence(
    fault: str,
    tiny: str,
    tmp_path: Path,
    studio_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, words = FAULTS[fault]

    def job() -> Iterator[None]:
        yield None
        raise make()

    do_instead(monkeypatch, job)
    assert cli.main(["sample", tiny, "--out", str(tmp_path)]) == 1
    log = studio_home / "log" / "terminal.log"
    assert capsys.readouterr().err.strip() == words.format(log=log)
    assert log.exists() == (KEPT in words)
    if log.exists():
        assert "Traceback" in log.read_text("utf-8")


def test_a_job_that_ends_without_a_result_is_reported(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if command[0] in ("models", "runs", "bench"):
        pytest.skip("it runs no job")
    do_instead(monkeypatch, lambda: (event for event in ()))
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert "The engine ended the job without a result. What was finished is kept." in said
    assert "Traceback" not in said


def test_a_library_that_is_missing_is_named(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "studio.engine.jobs", None)
    monkeypatch.delattr("studio.engine.jobs")
    assert cli.main(["sample", tiny, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"The engine could not load: .*studio\.engine\.jobs.*\. Run the set-up again\.\n", said)


def test_a_fault_of_the_command_itself_is_reported_too(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*asked: object) -> bytes:
        raise KeyError("corner")

    monkeypatch.setattr("studio.cli.sample.encode_png", broken)
    assert cli.main(["sample", tiny, "--out", str(tmp_path)]) == 1
    assert "The command met a fault of its own: KeyError: 'corner'." in capsys.readouterr().err
