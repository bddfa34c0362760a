"""While the disk takes no files, a training waits, says so, and continues by itself."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.engine.device import ComputeDevice
from studio.engine.events import Pause
from studio.engine.jobs import JobStarter
from studio.engine.training import checkpoint, waiting
from studio.engine.training.config import config_to_dict
from studio.engine.training.waiting import WaitReport
from studio.library import models, runs, storage
from studio.wire import messages as wire
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, train, training_steps, weights

FULL = WaitReport(
    "space",
    "The disk is full, so the training waits. Nothing is lost. Free about 1 MB, and it continues by itself.",
)
GONE = WaitReport(
    "folder",
    "The folder of the training is gone, so it waits. Nothing is lost. "
    "Bring the folder back, and it continues by itself.",
)
CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Return a function that mounts a disk at a folder; all are unmounted at the end."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root on Linux only")
    places: list[Path] = []

    def mounted(place: Path, *words: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", *words, place], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
        places.append(place)

    yield mounted
    for place in reversed(places):
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to the last byte. Return the file that does so."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (2**16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


def test_a_training_waits_for_a_full_disk_and_then_learns_as_if_nothing_had_happened(
    tmp_path: Path, mount: Callable[..., None]
) -> None:
    x = make_pictures()
    config = make_config(save_every_seconds=1e-9)
    undisturbed = new_run(tmp_path / "undisturbed", config)
    train(undisturbed, x)
    disk = tmp_path / "disk"
    mount(disk, "-t", "tmpfs", "-o", "size=2m", "tmpfs")
    run = new_run(disk / "run", config)
    steps = training_steps(run, x)
    filler: Path | None = None
    waited: list[object] = []
    for result in steps:
        if filler is None and run.progress.step == 5:
            filler = fill(disk)
        elif isinstance(result, WaitReport | Pause):
            waited.append(result)
            assert checkpoint.load_newest(disk / "run") is not None, "what was saved before stays"
            if len(waited) == 4 and filler is not None:
                filler.unlink()
    pause = Pause(waiting.RETRY_SECONDS)
    assert waited == [FULL, pause, pause, pause, waiting.CONTINUES] and pause.seconds <= 10
    assert torch.equal(weights(run), weights(undisturbed))
    assert new_run(disk / "run", config).progress.step == 24
    ours, others = (
        [(one.step, one.training_bits) for one in runs.read_log(folder) if one.held_out_bits]
        for folder in (disk / "run", tmp_path / "undisturbed")
    )
    assert ours == others and len(ours) == 3


def test_a_training_waits_for_a_folder_that_is_unmounted(tmp_path: Path, mount: Callable[..., None]) -> None:
    x = make_pictures()
    config = make_config(save_every_seconds=1e-9, evaluate_every=1)
    stick = tmp_path / "stick"
    stick.mkdir()
    home = tmp_path / "runs" / "rings"
    mount(home, "--bind", str(stick))
    run = new_run(home, config)
    waited: list[object] = []
    is_gone = False
    for result in training_steps(run, x):
        if not is_gone and run.progress.step == 5:
            subprocess.run(["umount", "-l", home], check=True)
            is_gone = True
        elif isinstance(result, WaitReport | Pause):
            waited.append(result)
            if result != waiting.CONTINUES:
                assert list(home.iterdir()) == [], "nothing is written into the empty folder in its place"
            if len(waited) == 3:
                mount(home, "--bind", str(stick))
    assert [one for one in waited if isinstance(one, WaitReport)] == [GONE, waiting.CONTINUES]
    assert new_run(home, config).progress.step == 24
    assert [one.step for one in runs.read_log(home)] == list(range(1, 25))


def test_a_training_that_is_closed_while_it_waits_says_that_it_was_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = make_pictures()
    config = make_config(save_every_seconds=1e-9)
    run = new_run(tmp_path, config)
    steps = training_steps(run, x)
    for _ in range(3):
        next(steps)
    refusal = storage.NotSaved(tmp_path, "full", "The disk is full: it was not saved.")
    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_file", lambda *_: (_ for _ in ()).throw(refusal))
        assert any(isinstance(result, Pause) for result in itertools.islice(steps, 3))
        with pytest.raises(storage.NotSaved, match="not saved"):
            steps.close()
    assert new_run(tmp_path, config).progress.step == 3


@pytest.mark.parametrize(
    ("cause", "reason", "words"),
    [
        ("read-only", "access", "The disk takes no files, so the training waits."),
        ("other", "access", "The disk takes no files, so the training waits."),
        ("missing", "folder", "The folder of the training is gone, so it waits."),
        ("full", "space", "The disk is full, so the training waits. Nothing is lost. Free about 3 MB,"),
    ],
)
def test_each_cause_has_its_own_sentence(cause: Any, reason: str, words: str, tmp_path: Path) -> None:
    answers = iter([storage.NotSaved(tmp_path, cause, "It was not saved.", 2_000_001), OSError(5, "bad"), None])

    def save() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    first, *others = waiting.keep_trying(save)
    assert isinstance(first, WaitReport) and first.reason == reason and first.text.startswith(words)
    assert others == [Pause(waiting.RETRY_SECONDS), Pause(waiting.RETRY_SECONDS), waiting.CONTINUES]


def test_the_engine_and_the_terminal_tell_the_user_and_end_with_the_model(
    tmp_path: Path, mount: Callable[..., None], monkeypatch: pytest.MonkeyPatch, rings: np.ndarray
) -> None:
    """The disk of everything that the program writes is full twice: while it learns, and when the model is written."""
    disk = tmp_path / "disk"
    mount(disk, "-t", "tmpfs", "-o", "size=3m", "tmpfs")
    monkeypatch.setenv("STUDIO_HOME", str(disk))
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    config = make_config(save_every_seconds=1e-9, steps=12)
    command = wire.Train(
        job="t",
        source=str(tmp_path / "rings.npz"),
        run_folder=str(disk / "runs" / "rings"),
        config=config_to_dict(config),
        sample_seeds=(1,),
    )
    said: list[WaitReport] = []
    pauses = 0
    filler: Path | None = None
    for event in JobStarter(CPU).start(command):
        if isinstance(event, wire.TrainingProgress) and event.step in (1, 12):
            filler = fill(disk)
        elif isinstance(event, wire.TrainingWaits):
            said.append(WaitReport(event.reason, event.text))
        elif isinstance(event, Pause) and filler is not None:
            pauses += 1
            filler.unlink()
            filler = None
    assert said.count(FULL) == said.count(waiting.CONTINUES) == pauses == 2
    assert models.find_model("rings").card.steps == 12
    run = runs.read_run(disk / "runs" / "rings")
    assert run is not None and run.outcome is not None and run.step == 12


def test_the_log_of_a_run_has_whole_lines_after_a_full_disk(tmp_path: Path, mount: Callable[..., None]) -> None:
    disk = tmp_path / "disk"
    mount(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    log = disk / "log.jsonl"
    storage.append_lines(log, b'{"a":1}\n')
    filler = fill(disk)
    with pytest.raises(storage.NotSaved, match="disk is full"):  # a part of it would still fit
        storage.append_lines(log, json.dumps({"a": "x" * 10_000}).encode() + b"\n")
    assert log.read_bytes() == b'{"a":1}\n'
    filler.unlink()
    storage.append_lines(log, b'{"a":2}\n')
    assert log.read_bytes() == b'{"a":1}\n{"a":2}\n'
