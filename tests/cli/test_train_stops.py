"""A training can be stopped by signals at any moment. It saves, and shows no traceback."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from studio.engine import checkpoint
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals to a single process")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

CHILD = '''
"""Run the terminal; at the moment that is named first, say so and stay there for a while."""
import functools, importlib.abc, signal, sys, time

moment, *argv = sys.argv[1:]
sys.argv = ["studio", *argv]

def pause(text):
    print(text, flush=True)
    for _ in range(600):
        time.sleep(0.01)

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {"starting": "studio.cli", "importing": "torch"}.get(moment):
            pause(moment)
        if name == "studio.engine.learning":
            sys.meta_path.remove(self)
            change()
        return None

def change():
    from studio.engine import checkpoint, device, publishing, training
    from studio.media import dataset

    device.step_back = lambda: None
    keep, publish, step, loading = checkpoint.keep, publishing.publish, training._step, dataset.loading

    def kept(run, tensors, state, **how):
        if moment == "saving" and state["step"] > 2:
            pause("saving")
        keep(run, tensors, state, **how)

    def published(*args):
        if moment == "publishing":
            pause("publishing")
        return publish(*args)

    def stepped(run, *args, **how):
        found = step(run, *args, **how)
        if moment in ("learning", "saving"):
            print("step", run.progress.step + 1, flush=True)
            time.sleep(0.01)
        return found

    def loaded(*args):
        if moment == "loading":
            pause("loading")
        return loading(*args)

    checkpoint.keep, publishing.publish, training._step, dataset.loading = kept, published, stepped, loaded

sys.meta_path.insert(0, Watch())
from studio.__main__ import main
sys.exit(main())
'''
Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def argv(rings: np.ndarray, tmp_path: Path) -> list[str]:
    """Return the arguments of a training that would take hours."""
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    recipe = {
        "name": "roses", "title": "Roses", "makes": "Rings", "learned_from": "rings", "licence": "CC0 1.0",
        "shape": [3, 8, 8], "recipe": {"family": "realnvp", "scales": 2, "width": 4, "blocks": 1},
        "plan": {"steps": 100_000, "evaluate": 100_000, "save_seconds": 3600.0},
    }  # fmt: skip
    (tmp_path / "roses.json").write_text(json.dumps(recipe))
    return ["train", str(tmp_path / "rings.npz"), "--recipe", str(tmp_path / "roses.json")]


def listen() -> None:
    """Let signals end this process again. `nohup`, for example, ignores some."""
    for number in STATUS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def begin(argv: list[str]) -> Iterator[Begin]:
    """Start a training, which stays at a moment for a while. One that a failed test leaves is ended."""
    processes = []

    def started(moment: str, *more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, moment, *argv, *more],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=listen,
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_for(process: "subprocess.Popen[str]", text: str) -> None:
    """Read the lines of a process up to the one that begins so."""
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if line.startswith(text):
            return
    raise AssertionError(process.stderr.read())


def ended(process: "subprocess.Popen[str]", status: int) -> tuple[str, str]:
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == status, err
    assert "Traceback" not in err and "Error" not in err and "Exception" not in err, err
    return out, err


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
def test_signals_where_there_is_nothing_to_save_end_it_at_once(
    moment: str, number: signal.Signals, begin: Begin, studio_home: Path
) -> None:
    more = ("--steps", "3") if moment == "publishing" else ()
    process = begin(moment, *more)
    wait_for(process, moment)
    process.send_signal(number)
    process.send_signal(number)
    _, err = ended(process, STATUS[number])
    run = studio_home / "runs" / "roses"
    if moment == "publishing":
        assert "What it learned is saved. The same command with --resume continues." in err
        process = begin("", *more, "--resume")
        out, _ = ended(process, 0)
        assert Path(out.splitlines()[-1]).is_file()
    else:
        assert not run.exists(), "its name is free"
        assert moment == "starting" or "Stopped before it began to learn." in err


@pytest.mark.parametrize("number", STATUS)
def test_signals_while_it_learns_save_first_and_lose_no_step(
    number: signal.Signals, begin: Begin, studio_home: Path
) -> None:
    process = begin("learning")
    wait_for(process, "step 5")
    process.send_signal(number)
    process.send_signal(number)
    out, err = ended(process, STATUS[number])
    assert "Stopping after this step and saving." in err
    assert "Stopped. What it learned is saved. The same command with --resume continues." in err
    last = max((int(step) for step in re.findall(r"^step (\d+)$", out, re.M)), default=5)
    found = checkpoint.newest(studio_home / "runs" / "roses")
    assert found is not None and found[1]["step"] == last


def test_signals_while_it_saves_do_not_disturb_that(begin: Begin, studio_home: Path) -> None:
    process = begin("saving")
    wait_for(process, "step 5")
    process.send_signal(signal.SIGINT)
    wait_for(process, "saving")
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    ended(process, 130)
    found = checkpoint.newest(studio_home / "runs" / "roses")
    assert found is not None and found[1]["step"] >= 5


def test_a_signal_that_was_ignored_for_good_stays_ignored(begin: Begin, argv: list[str]) -> None:
    argv += ["--steps", "30"]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, "learning", *argv],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # as `nohup` does
    )
    wait_for(process, "step 2")
    process.send_signal(signal.SIGHUP)
    out, _ = ended(process, 0)
    assert Path(out.splitlines()[-1]).is_file()
