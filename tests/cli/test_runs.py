"""`studio runs` lists trainings, shows a curve as figures, and writes logs for TensorBoard."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from studio import cli
from studio.engine.training import run_lock
from studio.library import models, runs
from tests.library.run_folders import write_run


def printed(words: list[str], capsys: pytest.CaptureFixture[str], status: int = 0) -> list[str]:
    """Run a command; return the lines of its results."""
    capsys.readouterr()
    assert cli.main(words) == status
    return capsys.readouterr().out.splitlines()


def test_each_run_is_listed_with_its_progress(studio_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    garden = write_run(studio_home, "garden")
    ended = write_run(studio_home, "sea", step=2000)
    runs.write_outcome(ended, runs.RunOutcome(step=2000, value=6.25, exact=False))
    lines = printed(["runs"], capsys)
    assert len(lines) == 2
    (garden_line,) = [line for line in lines if line.startswith("garden ")]
    assert re.search(r"glow +step 30 of 0 +6\.500 bits held out +paused +\d{4}-\d\d-\d\d \d\d:\d\d ", garden_line)
    assert garden_line.endswith(str(garden))
    (sea,) = [line for line in lines if line.startswith("sea ")]
    assert "step 2,000" in sea and " finished " in sea
    with run_lock.hold_run(garden):
        listed = {one["name"]: one for one in map(json.loads, printed(["runs", "--json"], capsys))}
    assert (listed["garden"]["state"], listed["sea"]["state"]) == ("training", "finished")
    assert listed["garden"]["held_out"] == 6.5 and listed["garden"]["seconds"] == 12.5


def test_without_runs_the_user_reads_how_to_begin(studio_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    assert "studio train FOLDER --name NAME" in capsys.readouterr().err


def test_a_damaged_run_is_named(studio_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(studio_home, "garden")
    folder = write_run(studio_home, "sea")
    (folder / "checkpoints" / "manifest.json").write_bytes(b"[]")
    for file in (folder / "checkpoints").glob("step-*"):
        file.write_bytes(b"")
    assert cli.main(["runs"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("garden ") and len(said.out.splitlines()) == 1
    assert said.err == '"sea" cannot be read: its settings or checkpoints are damaged.\n'


def test_an_unknown_run_is_refused(studio_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", "mars"]) == 2
    assert 'There is no run "mars" that can be read.' in capsys.readouterr().err


def test_the_curve_of_a_run_is_shown_as_figures_that_fit_on_a_screen(
    studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = [[step, 9 - step / 100, 8 - step / 100 if step != 330 else 1.5] for step in range(10, 610, 10)]
    write_run(studio_home, "garden", curve=curve)
    head, *lines = printed(["runs", "garden"], capsys)
    assert head.startswith("garden ") and "1.500 bits held out" in head
    assert 10 <= len(lines) <= 21
    assert lines[0] == "step        10     8.900 training     7.900 held out"
    assert [line for line in lines if line.endswith("best")] == [
        "step       330     5.700 training     1.500 held out  best"
    ]
    assert lines[-1].startswith("step       600 ")
    objects = [json.loads(line) for line in printed(["runs", "garden", "--json"], capsys)]
    assert len(objects) == 61 and objects[1] == {"step": 10, "training": 8.9, "held_out": 7.9}


@pytest.fixture
def trained(rings: np.ndarray, tmp_path: Path, studio_home: Path) -> list[str]:
    """Train a small model; return the words that did so."""
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    words = ["train", str(tmp_path / "rings.npz"), "--name", "roses", "--family", "nice", "--size", "8", "--steps", "4"]
    assert cli.main(words) == 0
    return words


def test_a_run_can_be_copied_and_continues_in_its_new_place(
    trained: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tmp_path / "home" / "runs" / "roses", tmp_path / "stick" / "roses")
    (line,) = printed(["runs", str(tmp_path / "stick" / "roses")], capsys)[:1]
    assert line.startswith("roses ") and " finished " in line
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "other"))
    shutil.copytree(tmp_path / "stick" / "roses", tmp_path / "other" / "runs" / "roses")
    assert cli.main([*trained[:-1], "6", "--resume"]) == 0
    assert models.find_model("roses").card.steps == 6
    assert [one.step for one in runs.read_log(tmp_path / "other" / "runs" / "roses")][-1] == 6


def test_the_log_has_a_line_for_each_report(trained: list[str], studio_home: Path) -> None:
    first, *_, last = [json.loads(line) for line in (studio_home / "runs/roses/log.jsonl").read_text().splitlines()]
    assert first["step"] == 1 and first["held_out_bits"] is None and last["step"] == 4
    assert last["training_bits"] > 0 and last["held_out_bits"] > 0 and last["rate"] > 0 and last["learning_rate"] > 0
    assert last["seconds"] >= first["seconds"] > 0 and last["time"] >= first["time"] > 1.6e9
    if sys.platform == "linux":
        assert 10**7 < last["memory"] < 10**12
    assert last["notices"] == []


def test_without_its_library_tensorboard_is_explained(
    studio_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(studio_home, "garden")
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    assert cli.main(["runs", "--tensorboard", str(tmp_path / "logs")]) == 1
    assert "is not installed. Nothing was written. Install it: pip install" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


def test_tensorboard_reads_what_a_run_logged(
    trained: list[str], studio_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard", reason="it is an extra: pip install 'latent-studio[tensorboard]'")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    write_run(studio_home, "old")
    files = printed(["runs", "--tensorboard", str(tmp_path / "logs")], capsys)
    assert {Path(file).parent.name for file in files} == {"roses", "old"}
    found = {}
    for file in files:
        for event in EventFileLoader(file).Load():
            for value in event.summary.value:
                found[Path(file).parent.name, event.step, value.tag] = round(value.tensor.float_val[0], 3)
    assert found["old", 30, "bits per dimension/held out"] == 6.5
    last = runs.read_log(studio_home / "runs" / "roses")[-1]
    assert found["roses", 4, "bits per dimension/held out"] == pytest.approx(last.held_out_bits, abs=0.001)
    assert found["roses", 4, "learning rate"] == pytest.approx(last.learning_rate, abs=0.001)


# ── training that begins with a trained model ────────────────────────────────────────────────────


def test_a_training_can_begin_from_a_trained_model(
    tiny: str, rings: np.ndarray, tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    words = ["train", str(tmp_path / "rings.npz"), "--name", "roses", "--from", tiny, "--steps", "2"]
    assert cli.main(words) == 0
    card, source = models.find_model("roses").card, models.find_model(tiny).card
    assert (card.family, card.recipe, card.shape) == (source.family, source.recipe, source.shape)
    assert "after" in card.training_data
    (log,) = [one for one in runs.read_log(studio_home / "runs" / "roses") if one.step == 2]
    assert log.held_out_bits is not None and log.held_out_bits < source.value + 0.5, "it has learned already"
    models.find_model(tiny).path.unlink()


def test_a_recipe_and_a_model_to_begin_from_exclude_each_other(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    assert cli.main(["train", str(tmp_path), "--recipe", str(tmp_path / "recipe.json"), "--from", tiny]) == 2
    assert "Leave out --recipe or --from." in capsys.readouterr().err
    assert cli.main(["train", str(tmp_path), "--from", "mars", "--name", "roses"]) == 1
    assert "mars" in capsys.readouterr().err
