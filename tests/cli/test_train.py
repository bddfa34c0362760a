"""`studio train` prints its progress and then what the user can do with the model."""

import csv
import io
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import cli
from studio.cli import command
from studio.engine.training import clock, run_lock
from studio.library import models


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print progress without waiting between lines."""
    monkeypatch.setattr(command, "PROGRESS_LINE_SECONDS", 0.0)


@pytest.fixture
def argv(rings: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the arguments of a training of four steps, measured only after the last."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    words = ["--name", "roses", "--family", "nice", "--size", "8", "--steps", "4"]  # the family that takes least
    return ["train", str(tmp_path / "rings.npz"), *words]


def commands(said: str) -> list[list[str]]:
    """Return the arguments of the printed commands, without the program's name."""
    prefix = command.shell_command()
    return [shlex.split(line.strip().removeprefix(prefix)) for line in said.splitlines() if prefix in line]


def test_a_log_file_shows_speed_and_time_left_before_the_first_evaluation(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clock, "REPORT_SECONDS", 0.0)
    assert cli.main(argv) == 0
    said = capsys.readouterr()
    shown = [line for line in said.err.splitlines() if line.startswith("step")]
    speed = r"step {} of 4: [\d.]+ bits per dimension, [\d,.]+ pictures a second"
    assert re.fullmatch(speed.format(1), shown[0]), "the first step prepares everything, so it tells nothing"
    assert re.fullmatch(speed.format(3) + r", about \d+ (s|min|h \d+ min) left", shown[2])
    assert re.search(r"^step 4 of 4: [\d.]+ bits per dimension held out, [\d,.]+ pictures a second$", said.out, re.M)
    assert "All steps are done." in said.err
    assert re.search(r"^\d+ of 16 samples are copies of training pictures\.$", said.err, re.M)


def test_every_line_of_output_is_an_object_with_json(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*argv, "--json"]) == 0
    *steps, model = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (steps[0]["step"], steps[0]["held_out"], steps[-1]["step"]) == (1, None, 4)
    assert all(step["rate"] > 0 and step["seconds_left"] >= 0 for step in steps)
    assert steps[-1]["held_out"] > 0
    assert (model["name"], model["steps"], Path(model["file"]).is_file()) == ("roses", 4, True)
    assert 0 <= model["copied"] <= 16


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


def test_an_upsampler_is_trained_and_the_end_says_how_to_make_a_pyramid(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = argv[1]
    words = ["train", pack, "--upsampler", "--name", "details", "--size", "8", "--grey", "--steps", "2"]
    assert cli.main(words) == 0
    (pyramid,) = commands(capsys.readouterr().err)
    assert pyramid == ["pyramid", pack, "--base", "MODEL", "--upsampler", "details", "--name", "NAME"]
    card = models.find_model("details").card
    assert (card.role, card.metric, card.exact) == ("upsampler", "bits per dimension, details alone", True)
    recipe = tmp_path / "model.json"
    recipe.write_bytes((models.shipped_folder() / "recipes" / "glow-emoji-32.json").read_bytes())
    assert cli.main(["train", pack, "--upsampler", "--recipe", str(recipe), "--name", "other"]) == 2
    assert 'The recipe "glow-emoji-32" trains a model. Leave --upsampler out.' in capsys.readouterr().err


def test_ctrl_c_says_that_it_is_saved_and_how_to_continue(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(words: str) -> None:
        if words.startswith("step"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "show_progress", stop)
        assert cli.main(argv) == 130
    said = capsys.readouterr().err
    assert "Stopped. What it learned is saved. The same command with --resume continues." in said
    assert cli.main([*argv, "--resume"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).is_file()


def test_any_long_command_shows_its_progress_in_a_log_file(
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
def test_a_time_left_has_two_significant_figures(seconds: float, words: str) -> None:
    assert command.time_left_text(seconds) == words


@pytest.mark.parametrize(
    ("started", "program", "words"),
    [("python3 packaging/run.py", "/x/__main__.py", "python3 packaging/run.py"), (None, "/usr/bin/studio", "studio")],
)
def test_a_command_to_copy_begins_as_the_user_began(
    started: str | None, program: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(command.STARTED_BY_VARIABLE, raising=False)
    if started is not None:
        monkeypatch.setenv(command.STARTED_BY_VARIABLE, started)
    monkeypatch.setattr("sys.argv", [program])
    assert command.shell_command("sample", "a b") == f"{words} sample 'a b'"


# ── checks before training ───────────────────────────────────────────────────────────────────────


def said(argv: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that ends with this status, and return its messages."""
    capsys.readouterr()
    assert cli.main(argv) == status
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words", "free"),
    [
        ("glow-emoji-32", "comes with the program", "glow-emoji-32-2"),
        ("Glow-Emoji-32", "small letters", "glow-emoji-32-2"),
        ("con", "Windows", "my-con"),
        ("lpt1.roses", "Windows", "my-lpt1.roses"),
        ("roses.", "Windows", "roses"),
        ("", "small letters", "model"),
        ("../../roses", "small letters", "roses"),
        ("r" * 300, "longer", "r" * 90),
    ],
)
def test_an_invalid_name_is_refused_and_the_offered_one_works(
    name: str, words: str, free: str, argv: list[str], studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv[argv.index("roses")] = name
    message = said(argv, 2, capsys)
    assert words in message and message.endswith(f"This one is free: --name {free}\n")
    assert not (studio_home / "runs").exists()
    argv[argv.index("--name") + 1] = free
    assert cli.main(argv) == 0
    assert models.find_model(free).card.name == free


def test_the_name_of_a_users_model_is_refused_except_for_its_run(
    argv: list[str], studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 0
    assert "choose another name: --name roses-2" in said(argv, 2, capsys)
    assert cli.main([*argv, "--resume", "--steps", "5"]) == 0
    shutil.rmtree(studio_home / "runs")
    before = models.find_model("roses").file_hash
    assert "there already. This one is free: --name roses-2" in said(argv, 2, capsys)
    assert models.find_model("roses").file_hash == before


def test_a_config_accepts_another_name(argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 0
    recipe = tmp_path / "roses.json"
    shutil.copy(tmp_path / "home" / "runs" / "roses" / "study.json", recipe)
    again = ["train", argv[1], "--recipe", str(recipe), "--steps", "2"]
    assert "--name roses-2" in said(again, 2, capsys)
    assert cli.main([*again, "--name", "roses-2"]) == 0
    assert models.find_model("roses-2").card.title == "Roses", "a recipe has a title of its own"


def test_resuming_without_a_run_is_refused(
    argv: list[str], studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = said([*argv, "--resume"], 2, capsys)
    assert message == 'There is no run named "roses" to resume. Leave --resume out to begin it.\n'
    assert not (studio_home / "runs").exists()


def test_resuming_with_fewer_steps_or_other_pictures_is_refused(
    argv: list[str], rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 0
    resume = [*argv, "--resume"]
    assert "has learned for 4 steps already, more than 3" in said([*resume, "--steps", "3"], 1, capsys)
    np.savez(tmp_path / "rings.npz", train_x=255 - rings[:120], test_x=rings[120:])
    message = said([*resume, "--steps", "5"], 1, capsys)
    assert "other artworks" in message and "Add --force" in message
    assert models.find_model("roses").card.steps == 4
    assert cli.main([*resume, "--steps", "5", "--force"]) == 0
    assert models.find_model("roses").card.steps == 5


def test_resuming_without_a_number_of_steps_uses_that_of_the_run(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 0
    assert cli.main([*argv[:-2], "--resume"]) == 0
    assert models.find_model("roses").card.steps == 4


def test_a_run_that_is_being_trained_is_refused_with_the_process(
    argv: list[str], studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with run_lock.hold_run(studio_home / "runs" / "roses"):
        for more in ([], ["--resume"]):
            assert f'Process {os.getpid()} has been training "roses" since' in said([*argv, *more], 1, capsys)
    assert not (studio_home / "runs" / "roses").exists()


# ── files that are not used for training ─────────────────────────────────────────────────────────


@pytest.fixture
def folder(rings: np.ndarray, tmp_path: Path) -> list[str]:
    """Return the arguments of a training with unreadable files, one named like a formula."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        Image.fromarray(rings[number]).save(pictures / f"{number:02}.png")
    for name in ("=1+1.png", "-2.png", "@SUM(A1).png", "+3.png", " =4.png", 'quo"te, comma.png'):
        (pictures / name).write_bytes(b"")
    (pictures / "cut.png").write_bytes((pictures / "00.png").read_bytes()[:40])
    return ["train", str(pictures), "--name", "roses", "--family", "nice", "--size", "8", "--steps", "2"]


def test_skipped_files_are_listed_if_the_user_asks(folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert '"cut.png"' not in said(folder, 0, capsys), "three are named, and how many more"
    message = said([*folder[:-4], "--size", "8", "--steps", "2", "--name", "tulips", "--list-skipped"], 0, capsys)
    assert '"=1+1.png" is empty.\n' in message and '"cut.png" is' in message


def test_skipped_files_are_listed_in_json(folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*folder, "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["used"], first["duplicates"], len(first["skipped"])) == (12, 0, 7)
    assert {"file": "=1+1.png", "reason": "is empty"} in first["skipped"]


def test_skipped_files_are_a_table_that_runs_no_formula(folder: list[str], tmp_path: Path) -> None:
    report = tmp_path / "skipped.csv"
    assert cli.main([*folder, "--report", str(report)]) == 0
    head, *rows = list(csv.reader(io.StringIO(report.read_bytes().decode("utf-8-sig"))))
    assert head == ["file", "outcome", "reason"]
    assert len(rows) == 19, "every file has a row"
    assert {outcome for _, outcome, _ in rows} == {"used", "skipped"}
    found = {name: reason for name, outcome, reason in rows if outcome == "skipped"}
    assert found.keys() == {
        "'=1+1.png", "'-2.png", "'@SUM(A1).png", "'+3.png", "' =4.png", 'quo"te, comma.png', "cut.png",
    }  # fmt: skip
    assert found["'=1+1.png"] == "is empty"


def damaged(path: Path) -> None:
    """Make the checksum of a PNG's pixels wrong."""
    data = bytearray(path.read_bytes())
    data[-13] ^= 1
    path.write_bytes(data)


CHECKSUM = "a checksum in it is wrong, but its pixels are whole"


def test_files_that_are_used_although_damaged_are_named(
    folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        damaged(tmp_path / "pictures" / f"{number:02}.png")
    report = tmp_path / "files.csv"
    message = said([*folder, "--list-skipped", "--report", str(report)], 0, capsys)
    names = '"00.png", "01.png", "02.png", and 2 more'
    assert f"5 files are used, although cut off or damaged: {names}." in message
    assert f'"04.png" is used: {CHECKSUM}.\n' in message
    _, *rows = list(csv.reader(io.StringIO(report.read_bytes().decode("utf-8-sig"))))
    damaged_ones = [[f"{n:02}.png", "damaged", f"is used: {CHECKSUM}"] for n in range(5)]
    assert [row for row in rows if row[1] == "damaged"] == damaged_ones


def test_files_that_are_used_although_damaged_are_listed_in_json(
    folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged(tmp_path / "pictures" / "03.png")
    assert cli.main([*folder, "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["damaged"] == [{"file": "03.png", "reason": f"is used: {CHECKSUM}"}]


def test_a_report_replaces_no_file_of_another_kind(
    folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "pictures" / "00.png"
    before = precious.read_bytes()
    assert "does not end in .csv" in said([*folder, "--report", str(precious)], 2, capsys)
    assert precious.read_bytes() == before


@pytest.mark.parametrize("family", ["realnvp", "wavenet"])
def test_skipped_files_are_listed_if_too_few_are_left_for_training(
    family: str, tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    report = tmp_path / "skipped.csv"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(b"")
    argv = ["train", str(folder), "--name", "roses", "--family", family, "--report", str(report), "--list-skipped"]
    message = said(argv, 1, capsys)
    assert message.count("is empty") >= 5 or message.count(".png") >= 5
    assert len(report.read_bytes().splitlines()) == 6
    assert f"At least {1 if family == 'wavenet' else 4}" in message
    assert not (studio_home / "runs").exists()
