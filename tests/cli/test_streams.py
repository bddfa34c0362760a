"""Commands finish their work even if nobody can read their output.

Most of them are forks of one process, because imports take far longer than the commands. Those for which the start
itself matters are processes of their own.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.forks import Forks
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
MANY = 64
C_LOCALE = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "c": C_LOCALE,
}
CLOSED = [" ".join(some) for n in (1, 2, 3) for some in itertools.combinations(("<&-", ">&-", "2>&-"), n)]
RAW = ("Traceback", "Errno", "Error", "Exception ignored")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")


@pytest.fixture(scope="module")
def ascii_forks() -> Iterator[Forks]:
    """Return a process that was started in the C locale, where paths are ASCII, too."""
    process = Forks(C_LOCALE)
    yield process
    process.close()


def studio(*argv: str | Path, streams: str = "", env: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Start a command as a process of its own from a shell, with its redirections."""
    words = [sys.executable, "-m", "studio", *map(str, argv)]
    shell = ["sh", "-c", f'exec "$@" {streams}', "sh", *words]
    environment = {**os.environ, **(env or {})}
    pipe = subprocess.PIPE
    return subprocess.Popen(shell, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment)


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, bytes, str]:
    """Wait for the end of a process; return its status and what it printed."""
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, in_words(err)


def ran(
    forks: Forks, *argv: str | Path, streams: str = "", env: dict[str, str] | None = None
) -> tuple[int, bytes, str]:
    """Run a command in a fork; return its status and what it printed."""
    status, out, err = forks.run(*argv, streams=streams, environment=env)
    return status, out, in_words(err)


def in_words(err: bytes) -> str:
    """Return messages as text, after checking that they hold nothing only a programmer understands."""
    said = err.decode("utf-8", "replace")
    assert not any(word in said for word in RAW), said
    return said


def files(folder: Path) -> list[str]:
    """Return the files that a command made, without its arguments."""
    mine = {"é.png", "mask.png", "ö.wav", "rings.npz"}
    home = folder / "home" / "models"
    found = [*folder.glob("*.*"), *folder.glob("out/*"), *home.glob("roses*")]
    return sorted(path.name for path in found if path.name not in mine)


def test_every_command_works_in_ascii_without_input_and_messages(command: list[str], ascii_forks: Forks) -> None:
    status, out, said = ran(ascii_forks, *command, streams="<&- 2>&-", env=C_LOCALE)
    assert (status, said) == (0, "")
    assert out.decode("ascii").strip()


def test_every_command_without_output_makes_its_files_and_reports_that(
    command: list[str], tmp_path: Path, forks: Forks
) -> None:
    status, out, said = ran(forks, *command, "--json", streams=">&-")
    assert (status, out) == (1, b"")
    assert said.splitlines()[-1] == "The results could not be printed: standard output is closed."
    makes = {"sample": 3, "invert": 1, "complete": 1, "continue": 1, "score": 1, "blend": 1, "train": 1, "grow": 1}
    assert len(files(tmp_path)) == makes.get(command[0], 0)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "words", [["models"], ["models", "--json"], ["models", "--markdown"], ["train", "--help"], ["dance"]]
)
def test_characters_that_an_encoding_lacks_are_replaced(
    encoding: str, words: list[str], tiny: str, forks: Forks, ascii_forks: Forks
) -> None:
    status, out, said = ran(ascii_forks if encoding == "c" else forks, *words, env=ENCODINGS[encoding])
    assert status == (2 if words == ["dance"] else 0)
    printed = out.decode("ascii" if encoding == "c" else encoding)
    if words == ["models"]:
        assert ("28 × 28 grey" if encoding in ("latin-1", "cp1252") else "28 x 28 grey") in printed
    elif words == ["models", "--json"]:
        assert {json.loads(line)["name"] for line in printed.splitlines()} >= {tiny}


@pytest.mark.parametrize("streams", CLOSED)
@pytest.mark.parametrize("words", [["models"], ["--help"], ["dance"]])
def test_closed_streams_are_not_a_fault_of_the_program(streams: str, words: list[str], tiny: str, forks: Forks) -> None:
    status, out, said = ran(forks, *words, streams=streams)
    lost = ">&-" in streams.split()
    expected = 1 if lost else 0
    assert status == (2 if words == ["dance"] else expected)
    assert bool(out) == (not lost and words != ["dance"])
    if "2>&-" not in streams and words != ["dance"]:
        assert said == ("The results could not be printed: standard output is closed.\n" if lost else "")


@pytest.mark.parametrize("words", [["models"], ["models", "--json"], ["models", "--markdown"], ["--help"], ["doctor"]])
def test_a_full_disk_is_reported_and_fails(words: list[str], tiny: str, forks: Forks) -> None:
    status, _, said = ran(forks, *words, streams=">/dev/full")
    assert status == 1
    assert said.splitlines()[-1] == "The results could not be printed: no space left on device."
    assert ran(forks, *words, streams="2>/dev/full")[0] == 0


@pytest.mark.parametrize("streams", [">&-", ">/dev/full", ">&- 2>&- <&-", "2>/dev/full"])
def test_all_files_are_made_despite_any_fault_of_the_output(
    streams: str, tiny: str, tmp_path: Path, forks: Forks
) -> None:
    ran(forks, "sample", tiny, "-n", str(MANY), "--seed", "1", "--out", tmp_path, streams=streams)
    assert len(list(tmp_path.glob("*.png"))) == MANY


def test_all_files_are_made_after_the_reader_has_left(tiny: str, tmp_path: Path) -> None:
    process = studio("sample", tiny, "-n", str(MANY), "--seed", "1", "--out", tmp_path, streams="| head -1")
    _, out, _ = ended(process)
    assert out.decode().splitlines() == [str(tmp_path / f"{tiny}-1.png")]
    assert len(list(tmp_path.glob("*.png"))) == MANY


def test_a_command_that_only_prints_ends_once_its_reader_leaves(tiny: str, tmp_path: Path, rings: np.ndarray) -> None:
    for number, ring in enumerate(rings[:3]):
        Image.fromarray(ring).save(tmp_path / f"{number}.png")
    process = studio("score", tiny, tmp_path, "no such file", streams="> /dev/full")
    status, _, said = ended(process)
    assert status == 1
    assert said == "The results could not be printed: no space left on device.\n", "the last file is not looked at"


def test_a_new_file_never_replaces_a_closed_stream(tiny: str, tmp_path: Path) -> None:
    """Otherwise printed text would be written into that file."""
    status, _, _ = ended(studio("sample", tiny, "--seed", "1", "--out", tmp_path, streams="<&- >&- 2>&-"))
    assert status == 1
    (made,) = tmp_path.glob("*.png")
    with Image.open(made) as picture:
        picture.load()


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("engine", [["engine"], ["engine", "--help"]])
def test_an_engine_without_its_pipes_ends(streams: str, engine: list[str], forks: Forks) -> None:
    status, _, said = ran(forks, *engine, streams=streams)
    assert status in (0, 1)


def test_a_new_process_without_streams_ends_in_the_same_way(tiny: str) -> None:
    """Python itself, not a fork, finds closed streams and a locale without most characters."""
    status, out, said = ended(studio("models", streams="<&- 2>&-", env=C_LOCALE))
    assert (status, said) == (0, "")
    assert "28 x 28 grey" in out.decode("ascii")
    assert ended(studio("engine", streams="<&- >&- 2>&-"))[0] in (0, 1)


@pytest.mark.parametrize("streams", [">&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_the_window_opens_without_streams(streams: str, studio_home: Path) -> None:
    window = studio(streams=streams, env={"QT_QPA_PLATFORM": "offscreen"})
    try:
        settings = studio_home / "config" / "settings.json"
        end = time.monotonic() + LIMIT
        while not settings.exists() and window.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert settings.exists()
        window.send_signal(signal.SIGTERM)
        assert ended(window)[0] == 0
    finally:
        window.kill()
