#!/usr/bin/env python3
"""Start the studio from a clone. This sets everything up by itself, then opens what was requested.

    run.py                 the window; without a display, a first sheet of pictures
    run.py test            ruff, mypy and pytest; with more words, only pytest with these words
    run.py test --fast     the same without the slow tests
    run.py screenshots     pictures of the window, for the README
    run.py WORDS           the terminal: models, sample, invert, train, doctor …

This file and what it imports need only the standard library of Python 3.8 or newer, until they have reported that 3.11
is needed. After that they use studio.streams, which needs nothing else either.
"""

from __future__ import annotations

import errno
import os
import platform
import shlex
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also where PYTHONSAFEPATH keeps it out

from environment import HERE, PYTHON, clean_env, set_up
from libraries import provide_libraries
from machine import display_problem, glibc, python_problem
from saying import say, stop

DEFAULT_MODEL = "pixelcnnpp-brush-32"
"""The first model in the lists."""


def started_by() -> str:
    """Return the command that starts this file again from the current folder, for the user to copy."""
    return f"{shlex.quote(Path(sys.executable).name)} {shlex.quote(os.path.relpath(__file__))}"


CLOSED = [number for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)) if stream is None]
"""Which standard streams were closed when this program started."""


def become(*words: str) -> int:
    """Replace this process by our Python with these words, so that signals and status are those of the command."""
    command = [str(PYTHON), *words]
    env = {**clean_env(os.environ), "STUDIO_STARTED_BY": started_by()}
    if os.name == "posix":
        sys.stdout.flush()
        for number in CLOSED:  # the command reports itself what it cannot print
            os.close(number)
        os.execve(command[0], command, env)
    return subprocess.run(command, env=env, check=False).returncode


def test(words: Sequence[str]) -> int:
    """Run ruff, mypy and pytest, even if the first ones fail; or only pytest with the given words.

    With `--fast` alone, pytest leaves out the slow tests. mypy works beside pytest and is heard after it. Three
    processes run tests even on two processors, because many tests wait for a window, an engine or a sound.
    """
    tools = {"ruff": ["ruff", "check"], "mypy": ["mypy"], "pytest": ["pytest", "--numprocesses=3", "--dist=loadfile"]}
    if list(words) == ["--fast"]:
        tools["pytest"] += ["-m", "not slow"]
    elif words:
        tools = {"pytest": ["pytest", *words]}
    with ThreadPoolExecutor() as beside:
        mypy = beside.submit(run_tool, tools["mypy"], heard=False) if "mypy" in tools else None
        done = {name: run_tool(command) for name, command in tools.items() if name != "mypy"}
    if mypy is not None:
        done["mypy"] = mypy.result()
        print("\n" + done["mypy"].output, end="", flush=True)
    print("\n" + "\n".join(f"{name:7} {done[name].words}" for name in tools), flush=True)
    return int(any(tool.failed for tool in done.values()))


class Ended(NamedTuple):
    """Describes how a tool of the tests ended."""

    failed: bool
    seconds: float
    output: str

    @property
    def words(self) -> str:
        return f"{'FAILED' if self.failed else 'passed'} {self.seconds:7.1f} s"


def run_tool(command: list[str], *, heard: bool = True) -> Ended:
    """Run a tool of the tests. If it is not heard, its output is returned instead of printed.

    Python keeps the bytecode that it compiles, whatever the user's environment says. Otherwise each of hundreds of
    processes would compile the same files.
    """
    env = {"QT_QPA_PLATFORM": "offscreen", **clean_env(os.environ)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.monotonic()
    pipe = None if heard else subprocess.PIPE
    done = subprocess.run([str(PYTHON), "-m", *command], cwd=HERE, env=env, check=False, stdout=pipe,
                          stderr=None if heard else subprocess.STDOUT, text=True, errors="replace")  # fmt: skip
    return Ended(done.returncode != 0, time.monotonic() - began, done.stdout or "")


def first_pictures(why: str) -> int:
    """Make a sheet of pictures, because there is no display, and print the commands with which to continue."""
    folder = Path.cwd() / "first-pictures"
    door = started_by()
    sample = [DEFAULT_MODEL, "-n", "16", "--seed", "1", "--sheet", "--out", str(folder)]
    command = [str(PYTHON), "-m", "studio", "sample", *sample]
    status = subprocess.run(command, env=clean_env(os.environ), stdout=subprocess.DEVNULL, check=False).returncode
    if status:
        say(f"{why}, and the first pictures were not made. The line above says why.")
        return status
    print(f"{why}, so the window stays closed.\n"
          f"Sixteen pictures by {DEFAULT_MODEL} lie on one sheet:\n\n"
          f"  {folder / f'{DEFAULT_MODEL}-1-sheet.png'}\n\nGo on with:\n\n"
          f"  {door} models\n"
          f"  {door} sample {DEFAULT_MODEL} -n 4 --seed 7 --temperature 0.8 --out DIR\n"
          f"  {door} invert {DEFAULT_MODEL} PICTURE... --out DIR\n"
          f"  {door} doctor\n\n"
          "In a desktop session, or over `ssh -X`, the same command opens the window.")  # fmt: skip
    return 0


def safe_streams() -> None:
    """Drop output that cannot be printed, because a stream is closed or its disk is full, instead of failing."""
    sys.path.append(str(HERE))
    from studio import streams

    streams.prepare_streams()


def ended(status: int) -> int:
    """Report it if results could not be printed, and return the exit status."""
    from studio import streams

    fault = streams.stream_fault()
    if fault is None:
        return status
    if fault.errno != errno.EPIPE:  # whoever reads may leave, as `| head` does
        say(f"The results could not be printed: {(fault.strerror or 'no reason given').lower()}.")
    return status or 1


def main(words: list[str]) -> int:
    """Set up and open what the first word names: window, tests, screenshots or terminal. Return the exit status."""
    bits = struct.calcsize("P") * 8
    problem = python_problem(sys.version_info[:3], bits, sys.platform, platform.machine(), glibc())
    if problem:
        raise stop(problem)
    safe_streams()
    door = "terminal" if words else "window"
    if words[:1] in (["test"], ["screenshots"]):
        door = words[0]
    why = display_problem(os.environ) if door == "window" else None
    if why:
        say(f"{why}: making a first sheet of pictures instead of opening the window.")
    if door == "window" and not why:
        on_x11 = os.environ.get("QT_QPA_PLATFORM", "xcb") == "xcb" and not os.environ.get("WAYLAND_DISPLAY")
        provide_libraries(["window", "sound", *(["screen"] if on_x11 else [])])
    elif door != "terminal" and not why:
        provide_libraries(["window", "screen", "sound", "card", "mouse"] if door == "test" else ["window"])
    set_up(*(["app", "test"] if door == "test" else ["app"]))
    if door == "test":
        return test(words[1:])
    if door == "screenshots":
        return become(str(HERE / "packaging" / "screenshots.py"), *words[1:])
    return first_pictures(why) if why else become("-m", "studio", *words)


if __name__ == "__main__":
    try:
        sys.exit(ended(main(sys.argv[1:])))
    except KeyboardInterrupt:
        say("\nStopped. An unfinished set-up is done again at the next start.")
        sys.exit(130)
