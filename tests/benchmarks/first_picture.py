"""Measure how long a new user waits for the first picture: `studio sample` in an empty home, without compiled loops.

    python tests/benchmarks/first_picture.py [MODEL …] [--beside FOLDER] [--idle]

Without models, all that we ship. Four processes keep the processors busy meanwhile, unless `--idle`. With `--beside`
another checkout makes the same picture just before, so that both meet the same machine, and both must be equal.
For every model: the seconds from the start of the command until the file lies on the disk; how many of them its main
thread ran, and how many it stood in the queue for a processor, which is what a crowded machine adds; and what would be
left beside four busy processes alone, where two of five have a processor. Needs Linux, whose /proc tells all this.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))  # it is run by its path

from studio.library import models
from tests.benchmarks.busy import PROCESSES, keep_busy_beside

ROOT = Path(__file__).parents[2]
AIM = 10.0
"""Seconds."""
SEED = "1"


class First(NamedTuple):
    """Holds a first picture: seconds until it was saved, seconds of work, seconds in the queue, and its pixels."""

    seconds: float
    worked: float
    queued: float
    made: Any

    @property
    def beside_four(self) -> float:
        """Return the seconds that it would have taken with two processors for five processes."""
        return self.worked * (PROCESSES + 1) / 2 + self.seconds - self.worked - self.queued

    def __str__(self) -> str:
        return " | ".join(f"{each:.1f}" for each in (self.seconds, self.worked, self.queued, self.beside_four))


def first(root: Path, model: str) -> First:
    """Make the first picture of a model with the studio in the folder `root`."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        env = {**os.environ, "STUDIO_HOME": f"{name}/home", "XDG_CACHE_HOME": f"{name}/cache"}
        env.pop("NUMBA_CACHE_DIR", None)
        words = [sys.executable, "-m", "studio", "sample", model, "--seed", SEED, "--out", str(out)]
        began = time.monotonic()
        command = subprocess.Popen(words, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (files := _finished(out)) and command.poll() is None:
            time.sleep(0.02)
        seconds = time.monotonic() - began
        worked, queued, _ = (int(each) / 1e9 for each in Path(f"/proc/{command.pid}/schedstat").read_text().split())
        command.wait()
        _end_compiling(f"XDG_CACHE_HOME={name}/cache")
        files = files or _finished(out)
        if command.returncode or not files:
            raise SystemExit(f"{model} made no picture: the command ended with {command.returncode}")
        return First(seconds, worked, queued, _made(files[0]))


def _made(path: Path) -> Any:
    return np.asarray(Image.open(path)) if path.suffix == ".png" else soundfile.read(path)[0]


def _finished(folder: Path) -> list[Path]:
    return [path for ending in ("png", "wav") for path in folder.glob(f"[!.]*.{ending}")]


def _end_compiling(ours: str) -> None:
    """End the child process that a command left, because it would slow the next one down."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if ours.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the first picture of models.")
    parser.add_argument("models", nargs="*", help="by name; all that we ship if there are none")
    parser.add_argument("--beside", type=Path, help="another checkout of the studio, measured in the same run")
    parser.add_argument("--idle", action="store_true", help="without four busy processes")
    given = parser.parse_args()
    names = given.models or sorted(path.stem for path in models.shipped_folder().glob("*.safetensors"))
    print("model | seconds | at work | in the queue | beside four alone | load")
    missed = []
    with contextlib.nullcontext() if given.idle else keep_busy_beside():
        time.sleep(0 if given.idle else 2)  # until they are busy
        for name in names:
            before = first(given.beside, name) if given.beside else None
            if before is not None:
                print(f"{name}, before | {before} | {os.getloadavg()[0]:.1f}")
            now = first(ROOT, name)
            print(f"{name} | {now} | {os.getloadavg()[0]:.1f}", flush=True)
            if before is not None and not np.array_equal(before.made, now.made):
                raise SystemExit(f"{name}: another picture of the same seed")
            missed += [name] * (now.beside_four > AIM)
    print(f"{len(names) - len(missed)} of {len(names)} within {AIM:g} s beside four busy processes alone")


if __name__ == "__main__":
    main()
