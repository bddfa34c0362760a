"""`studio train` prints its progress and then what the user can do with the model."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import cli
from studio.cli import ground


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print progress without waiting between lines, and train in this process."""
    monkeypatch.setattr(ground, "LINE_EVERY", 0.0)
    monkeypatch.setattr("studio.engine.device.step_back", lambda: None)


@pytest.fixture
def argv(rings: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the arguments of a training of four steps; it is measured only after the last one."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    return ["train", str(tmp_path / "rings.npz"), "--name", "roses", "--size", "8", "--steps", "4"]


def commands(said: str) -> list[list[str]]:
    """Return the arguments of the printed commands, without the program's name."""
    prefix = ground.shell()
    return [shlex.split(line.strip().removeprefix(prefix)) for line in said.splitlines() if prefix in line]


def test_a_log_file_says_speed_and_time_left_before_anything_is_measured(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 0
    said = capsys.readouterr()
    first = next(line for line in said.err.splitlines() if line.startswith("step"))
    assert re.fullmatch(
        r"step 1 of 4: [\d.]+ bits per dimension, [\d,.]+ pictures a second, about \d+ (s|min|h \d+ min) left", first
    )
    assert re.search(r"^step 4 of 4: [\d.]+ bits per dimension held out, [\d,.]+ pictures a second$", said.out, re.M)
    assert "All steps are done." in said.err


def test_with_json_every_line_on_standard_output_is_an_object(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*argv, "--json"]) == 0
    *steps, model = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (steps[0]["step"], steps[0]["held_out"], steps[-1]["step"]) == (1, None, 4)
    assert all(step["rate"] > 0 and step["seconds_left"] >= 0 for step in steps)
    assert steps[-1]["held_out"] > 0
    assert (model["name"], model["steps"], Path(model["file"]).is_file()) == ("roses", 4, True)


@pytest.mark.parametrize("out", [None, "my models"])
def test_the_end_says_where_the_model_lies_and_a_command_that_samples_it(
    out: str | None, argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*argv, *(["--out", out] if out else [])]) == 0
    said = capsys.readouterr()
    file = Path(said.out.splitlines()[-1])
    assert file.is_file() and file.name == "roses.safetensors"
    sample, window = commands(said.err)
    assert window == [], "the program alone opens the window"
    assert ('choose "Roses"' if out is None else "drop the file") in said.err
    assert cli.main(sample) == 0
    sheet = Path(capsys.readouterr().out.splitlines()[-1])
    assert sheet.parent.name == "roses-samples" and np.asarray(Image.open(sheet)).shape[1] > 4 * 8


def test_ctrl_c_says_that_it_is_saved_and_how_to_continue(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(words: str) -> None:
        if words.startswith("step"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ground, "progress", stop)
        assert cli.main(argv) == 130
    said = capsys.readouterr().err
    assert "Stopped. What it learned is saved. The same command with --resume continues." in said
    assert cli.main([*argv, "--resume"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).is_file()


def test_any_long_command_shows_in_a_log_file_that_it_is_at_work(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sample", tiny, "-n", "9", "--out", str(tmp_path / "o")]) == 0
    assert re.search(r"^\d of 9 finished$", capsys.readouterr().err, re.M)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 s"),
        (80, "about 80 s"),
        (90, "about 2 min"),
        (5300, "about 88 min"),
        (7200, "about 2 h 0 min"),
        (22_000, "about 6 h 7 min"),
    ],
)
def test_a_time_left_has_two_figures_that_matter(seconds: float, words: str) -> None:
    assert ground.about(seconds) == words


@pytest.mark.parametrize(
    ("started", "program", "words"),
    [("python3 packaging/run.py", "/x/__main__.py", "python3 packaging/run.py"), (None, "/usr/bin/studio", "studio")],
)
def test_a_command_to_copy_begins_as_the_user_began(
    started: str | None, program: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ground.STARTED_BY, raising=False)
    if started is not None:
        monkeypatch.setenv(ground.STARTED_BY, started)
    monkeypatch.setattr("sys.argv", [program])
    assert ground.shell("sample", "a b") == f"{words} sample 'a b'"
