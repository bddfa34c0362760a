"""One training holds a run at a time. A lock never outlives its process, and a copied run is free."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.engine.training import run_lock
from studio.library import storage
from tests.limits import LIMIT

HOLD = """
import sys, time
from pathlib import Path
from studio.engine.training import run_lock
with run_lock.hold_run(Path(sys.argv[1])):
    Path(sys.argv[1], "study.json").write_text("{}")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Hold the run in `tmp_path / "run"` by another process."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait(LIMIT)
    process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_lock_ends_with_its_process_even_if_that_is_killed(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with pytest.raises(run_lock.RunLocked, match=str(holder.pid)):
        run_lock.check_run(tmp_path / "run")
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(LIMIT)
    with run_lock.hold_run(tmp_path / "run"):
        assert f'"process":{os.getpid()}' in (tmp_path / "run" / "holder.json").read_text()


def test_a_copy_of_a_run_is_free_while_the_run_is_trained(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    with run_lock.hold_run(tmp_path / "copy"), pytest.raises(run_lock.RunLocked, match='training "run" since'):
        run_lock.check_run(tmp_path / "run")


def test_a_run_reached_by_another_path_is_the_same_run(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(run_lock.RunLocked, match=str(holder.pid)), run_lock.hold_run(tmp_path / "link"):
        pass


def test_without_a_working_lock_a_run_can_still_be_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network folders know no locks."""
    if sys.platform == "win32":
        pytest.skip("there it is another function")

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(storage.fcntl, "flock", refuse)
    with run_lock.hold_run(tmp_path / "run"):
        assert (tmp_path / "run" / "holder.json").exists()
