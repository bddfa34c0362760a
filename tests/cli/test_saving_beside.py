"""Results are saved while the next ones are made, and none is lost."""

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studio.cli import sample
from studio.library import storage
from studio.library.work import Work
from studio.media.pictures.enlarging import UNENLARGED
from tests.limits import LIMIT

Files = Sequence[tuple[Path, bytes]]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sample.ResultSaver:
    """Use a clock that shows another minute at each look."""
    minutes = iter(range(0, 60_000, 60))
    monkeypatch.setattr(sample, "time", SimpleNamespace(monotonic=lambda: next(minutes)))
    return sample.ResultSaver(argparse.Namespace(json=False), tmp_path, UNENLARGED)


def add(kept: sample.ResultSaver, *seeds: int) -> None:
    for seed in seeds:
        kept.add_result(np.zeros((2, 2, 1), np.uint8), Work(model="tiny", model_hash="", seed=seed))


def seeds(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("tiny-")) for path in folder.glob("*.png"))


def test_a_slow_disk_delays_only_the_first_result(
    kept: sample.ResultSaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all = storage.write_files
    open_again = threading.Event()
    add(kept, 1)
    kept.save_soon()
    assert seeds(tmp_path) == [1], "the first lies on the disk before anything else is made"

    def slow(files: Files) -> None:
        assert open_again.wait(LIMIT)
        write_all(files)

    monkeypatch.setattr(storage, "write_files", slow)
    for seed in (2, 3, 4):
        add(kept, seed)
        kept.save_soon()
    kept.add_prices([-1.0] * 4)
    assert seeds(tmp_path) == [1]
    assert capsys.readouterr().out.split() == [str(tmp_path / "tiny-1.png")]
    open_again.set()
    kept.save_rest()
    assert seeds(tmp_path) == [1, 2, 3, 4]
    assert capsys.readouterr().out.split() == [str(tmp_path / f"tiny-{seed}.png") for seed in (2, 3, 4)]


def test_a_fault_of_the_thread_that_saves_ends_the_command(
    kept: sample.ResultSaver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny-3.png").mkdir()
    add(kept, 1)
    kept.save_soon()
    add(kept, 2, 3)
    kept.save_soon()
    with pytest.raises(storage.NotSaved, match=r'"tiny-3.png" was not saved: a folder has this name'):
        kept.save_rest()
    assert [Path(line).stem for line in capsys.readouterr().out.split()] == ["tiny-1", "tiny-2"]
