"""A training can be stopped by signals at any moment. It saves, and shows no traceback."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from studio.engine.training import checkpoint
from tests.cli.forks import Fork, Forks
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals to a single process")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


class Training:
    """Holds a running training and what it prints."""

    def __init__(self, start: "Callable[[IO[str], IO[str]], Fork | subprocess.Popen[bytes]]") -> None:
        self._err = tempfile.TemporaryFile("w+")  # noqa: SIM115  `close` closes it
        reader, writer = os.pipe()
        self._out = open(reader)  # noqa: SIM115
        with open(writer, "w") as out:
            self._running = start(out, self._err)

    def send_signal(self, number: int) -> None:
        self._running.send_signal(number)

    def wait_for(self, text: str) -> None:
        """Read the lines up to the one that begins with this text."""
        for line in self._out:
            if line.startswith(text):
                return
        raise AssertionError(self._messages())

    def ended(self, status: int) -> tuple[str, str]:
        """Wait for the end with this status; return the remaining lines and messages."""
        found = self._running.wait(LIMIT)
        out = self._out.read()
        err = self._messages()
        assert found == status, err
        assert "Traceback" not in err and "Error" not in err and "Exception" not in err, err
        return out, err

    def close(self) -> None:
        """End it if it still runs."""
        self._running.kill()
        self._running.wait(LIMIT)
        self._out.close()
        self._err.close()

    def _messages(self) -> str:
        self._err.seek(0)
        return self._err.read()


Begin = Callable[..., Training]


@pytest.fixture
def argv(rings: np.ndarray, tmp_path: Path) -> list[str]:
    """Return the arguments of a training that would take hours."""
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    recipe = {
        "name": "roses", "title": "Roses", "subject": "Rings", "training_data": "rings", "licence": "CC0 1.0",
        "shape": [3, 8, 8], "recipe": {"family": "realnvp", "scales": 2, "width": 4, "blocks": 1},
        "plan": {"steps": 100_000, "evaluate_every": 100_000, "save_every_seconds": 3600.0},
    }  # fmt: skip
    (tmp_path / "roses.json").write_text(json.dumps(recipe))
    return ["train", str(tmp_path / "rings.npz"), "--recipe", str(tmp_path / "roses.json")]


def listen() -> None:
    """Let signals end this process again. `nohup`, for example, ignores some."""
    for number in STATUS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def begin(argv: list[str], forks: Forks) -> Iterator[Begin]:
    """Start a training, which pauses at a moment. One that a failed test leaves is ended.

    It is a process of its own if the moment is part of a process's start, and a fork otherwise.
    """
    trainings = []

    def process(out: IO[str], err: IO[str], *words: str) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-m", "tests.cli.paused", *words]
        return subprocess.Popen(program, cwd=ROOT, stdout=out, stderr=err, preexec_fn=listen)

    def started(moment: str, *more: str) -> Training:
        words = (moment, *argv, *more)
        if moment in ("starting", "importing"):
            training = Training(lambda out, err: process(out, err, *words))
        else:
            training = Training(lambda out, err: forks.start(*words, module="tests.cli.paused", out=out, err=err))
        trainings.append(training)
        return training

    yield started
    for training in trainings:
        training.close()


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("starting", signal.SIGINT),
        ("importing", signal.SIGTERM),
        ("importing", signal.SIGINT),
        ("loading", signal.SIGINT),
        ("publishing", signal.SIGTERM),
    ],
)
def test_signals_end_a_training_at_once_if_there_is_nothing_to_save(
    moment: str, number: signal.Signals, begin: Begin, studio_home: Path
) -> None:
    more = ("--steps", "3") if moment == "publishing" else ()
    training = begin(moment, *more)
    training.wait_for(moment)
    training.send_signal(number)
    training.send_signal(number)
    _, err = training.ended(STATUS[number])
    run = studio_home / "runs" / "roses"
    if moment == "publishing":
        assert "What it learned is saved. The same command with --resume continues." in err
        training = begin("", *more, "--resume")
        out, _ = training.ended(0)
        assert Path(out.splitlines()[-1]).is_file()
    else:
        assert not run.exists(), "its name is free"
        assert moment == "starting" or "Stopped before training began." in err


@pytest.mark.parametrize("number", STATUS)
def test_signals_during_training_save_first_and_lose_no_step(
    number: signal.Signals, begin: Begin, studio_home: Path
) -> None:
    training = begin("learning")
    training.wait_for("step 5")
    training.send_signal(number)
    training.send_signal(number)
    out, err = training.ended(STATUS[number])
    assert "Stopping after this step and saving." in err
    assert "Stopped. What it learned is saved. The same command with --resume continues." in err
    last = max((int(step) for step in re.findall(r"^step (\d+)$", out, re.M)), default=5)
    found = checkpoint.load_newest(studio_home / "runs" / "roses")
    assert found is not None and found[1]["step"] == last


def test_signals_during_saving_do_not_disturb_it(begin: Begin, studio_home: Path) -> None:
    training = begin("saving")
    training.wait_for("step 5")
    training.send_signal(signal.SIGINT)
    training.wait_for("saving")
    for _ in range(5):
        training.send_signal(signal.SIGINT)
        training.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    training.ended(130)
    found = checkpoint.load_newest(studio_home / "runs" / "roses")
    assert found is not None and found[1]["step"] >= 5


def test_a_signal_that_was_ignored_for_good_stays_ignored(begin: Begin) -> None:
    training = begin("deaf", "--steps", "30")
    training.wait_for("step 2")
    training.send_signal(signal.SIGHUP)
    out, _ = training.ended(0)
    assert Path(out.splitlines()[-1]).is_file()
