"""`studio train` on webdataset shards: as on a folder, and as a stream if they hold more than is loaded."""

import csv
import os
from pathlib import Path

import pytest

from studio import cli
from studio.engine.training import shard_blocks
from studio.library import models
from studio.media import shard_stream, shards
from tests.media.shard_files import picture, write_pictures, write_shard

OPTIONS = ["--name", "mine", "--family", "nice", "--size", "8"]


def test_shards_read_as_a_stream_are_reported_file_by_file(
    tmp_path: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shards, "MAX_OPENED", 24)
    monkeypatch.setattr(shard_stream, "BLOCK_FILES", 30)
    monkeypatch.setattr(shard_blocks, "SMALLEST_BLOCK", 1)
    write_pictures(tmp_path, 50, 2)
    late = [(f"{number}.png", picture(number)) for number in range(200, 212)]
    write_shard(tmp_path / "shard-000002.tar", [*late, ("torn.png", picture(300)[:-40]), ("a.png", b"")])
    report = tmp_path / "report.csv"
    words = ["train", str(tmp_path / "shard-{000000..000003}.tar"), *OPTIONS, "--report", str(report), "--list-skipped"]
    assert cli.main([*words, "--steps", "8"]) == 0
    said = capsys.readouterr().err
    assert "The shards hold more than was read so far. The others are read while it learns." in said
    assert '"shard-000003.tar" is not there any more.' in said
    assert f'"{os.path.join("shard-000002.tar", "a.png")}" is empty.' in said
    with open(report, encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    assert len({row["file"] for row in rows}) == len(rows) == 65
    assert models.find_model("mine").card.training_data == tmp_path.name


def test_one_tar_is_trained_on_as_its_files_are(
    tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(
        tmp_path / "cats.tar",
        [(f"{n}.{end}", data) for n in range(9) for end, data in (("txt", b"a cat"), ("png", picture(n)))],
    )
    assert cli.main(["train", str(tmp_path / "cats.tar"), *OPTIONS, "--steps", "2"]) == 0
    assert "9 pictures are used. 9 texts are not learned." in capsys.readouterr().err


def test_shards_that_are_not_there_start_nothing(
    tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("shard-{0..3}.tar", "one.tar"):
        assert cli.main(["train", str(tmp_path / name), *OPTIONS]) == 1
        assert "is not there" in capsys.readouterr().err
    assert not (studio_home / "runs").exists()
