"""packaging/run.py opens what each word names, with what that needs, also when started as a user does."""

import ast
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environment
import pytest
import run

from studio.library import models
from tests.slow import is_slow

PACKAGING = Path(run.__file__).parent


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Record what main() would provide, set up and open, instead of doing it."""
    notes: list[Any] = []
    monkeypatch.setattr(run, "python_problem", lambda *_: None)
    monkeypatch.setattr(run, "safe_streams", lambda: None)
    monkeypatch.setattr(run, "provide_libraries", lambda uses: notes.append(("libraries", *uses)))
    monkeypatch.setattr(run, "set_up", lambda *parts: notes.append(("set up", *parts)))
    monkeypatch.setattr(run, "become", lambda *words: notes.append(words) or 0)
    monkeypatch.setattr(run, "test", lambda words: notes.append(("tests", *words)) or 0)
    monkeypatch.setattr(run, "first_pictures", lambda why: notes.append("first pictures") or 0)

    def open_with(words: list[str], **env: str) -> list[Any]:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert run.main(words) == 0
        return notes

    return open_with


def test_without_words_the_window_opens_if_there_is_a_display(
    doors: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "display_problem", lambda env: None)
    notes = doors([], DISPLAY=":0")
    assert notes == [("libraries", "window", "sound", "screen"), ("set up", "app"), ("-m", "studio")]


def test_a_platform_chosen_by_the_user_is_respected(doors: Callable[..., list[Any]]) -> None:
    notes = doors([], QT_QPA_PLATFORM="offscreen")
    assert notes == [("libraries", "window", "sound"), ("set up", "app"), ("-m", "studio")]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_the_first_run_makes_pictures_and_needs_no_library_of_the_window(
    doors: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert doors([]) == [("set up", "app"), "first pictures"]
    assert "There is no display here" in capsys.readouterr().err


def test_the_word_test_also_sets_up_the_tools_of_the_tests(doors: Callable[..., list[Any]]) -> None:
    wanted = ("libraries", "window", "screen", "sound", "card", "mouse")
    assert doors(["test", "-k", "x"]) == [wanted, ("set up", "app", "test"), ("tests", "-k", "x")]


def test_the_word_screenshots_takes_screenshots(doors: Callable[..., list[Any]]) -> None:
    assert doors(["screenshots"])[1:] == [("set up", "app"), (str(PACKAGING / "screenshots.py"),)]


def test_all_other_words_go_unchanged_to_the_terminal(doors: Callable[..., list[Any]]) -> None:
    notes = doors(["sample", "realnvp-emoji-32", "--out", "a b"])
    assert notes == [("set up", "app"), ("-m", "studio", "sample", "realnvp-emoji-32", "--out", "a b")]


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Note the arguments of each tool that would run. Those named in `failing` fail."""
    ran: dict[str, list[str]] = {}

    def shell(
        words: list[str], *, env: dict[str, str], stdout: int | None, **_: Any
    ) -> subprocess.CompletedProcess[str]:
        assert "PYTHONDONTWRITEBYTECODE" not in env
        name = words[2]
        failing = ran.get("failing", [])
        ran[name] = words[3:]
        if stdout is None:
            print(f"{name} speaks")
        return subprocess.CompletedProcess(words, int(name in failing), f"{name} speaks\n" if stdout else None)

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(run.subprocess, "run", shell)
    return ran


@pytest.mark.parametrize(("failing", "status"), [([], 0), (["ruff"], 1), (["pytest"], 1), (["ruff", "mypy"], 1)])
def test_all_three_checks_run_and_the_summary_comes_last(
    failing: list[str], status: int, tools: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    tools["failing"] = failing
    assert run.test([]) == status
    *said, _, ruff, mypy, pytest_ = capsys.readouterr().out.splitlines()
    assert [line for line in said if line] == ["ruff speaks", "pytest speaks", "mypy speaks"]
    summary = {"ruff": ruff, "mypy": mypy, "pytest": pytest_}
    for name, line in summary.items():
        assert line.split()[:2] == [name, "FAILED" if name in failing else "passed"]


def test_words_after_test_run_only_pytest(tools: dict[str, list[str]]) -> None:
    assert run.test(["tests/media", "-x"]) == 0
    assert tools == {"pytest": ["tests/media", "-x"]}


@pytest.mark.parametrize("words", [[], ["--fast"]])
def test_fast_runs_all_three_checks_without_the_slow_tests(words: list[str], tools: dict[str, list[str]]) -> None:
    assert run.test(words) == 0
    assert set(tools) == {"ruff", "mypy", "pytest"}
    assert (tools["pytest"][-2:] == ["-m", "not slow"]) == bool(words)


def test_engines_compiled_loops_and_the_zoo_are_slow_and_states_are_not() -> None:
    tests = PACKAGING.parent / "tests"
    for name in ("engine/test_loop.py", "kernels/test_made.py", "zoo/test_contract.py", "cli/test_streams.py"):
        assert is_slow(tests / name), name
    for name in ("app/core/test_undo.py", "media/pictures/test_png.py", "wire/test_frames.py", "packaging/test_run.py"):
        assert (tests / name).is_file()
        assert not is_slow(tests / name), name


@pytest.mark.parametrize("status", [0, 1])
def test_the_place_of_the_first_pictures_or_their_failure_is_printed(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        run.subprocess, "run", lambda words, **_: ran.extend(words) or subprocess.CompletedProcess(words, status)
    )
    assert run.first_pictures("There is no display here") == status
    out, err = capsys.readouterr()
    sheet = tmp_path / "first-pictures" / f"{run.DEFAULT_MODEL}-1-sheet.png"
    met = next(name for name in models.SHIPPED_ORDER if (models.shipped_folder() / f"{name}.safetensors").is_file())
    assert met == run.DEFAULT_MODEL  # with a display or without one
    assert {"sample", run.DEFAULT_MODEL, "--sheet", str(sheet.parent)} <= set(ran)
    assert (str(sheet) in out and "invert" in out) if status == 0 else (out == "" and "were not made" in err)


@pytest.mark.parametrize("name", ["run", "environment", "libraries", "machine", "saying"])
def test_an_old_python_can_read_set_up_far_enough_to_say_that_it_is_too_old(name: str) -> None:
    assert ast.parse((PACKAGING / f"{name}.py").read_text("utf-8"), feature_version=(3, 8)).body


# ── the real file ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """Copy what set-up reads into a folder with a space in its name."""
    clone = tmp_path / "a clone"
    shutil.copytree(PACKAGING, clone / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PACKAGING.parent / name, clone)
    (clone / "studio").mkdir()
    for name in ("__init__.py", "streams.py"):
        shutil.copy(PACKAGING.parent / "studio" / name, clone / "studio")
    return clone


def start(clone: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(clone / "packaging" / "run.py"), *words]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)


def stand_in(clone: Path, script: str) -> None:
    """Put a shell script in place of a clone's Python, as if the set-up had run."""
    python = clone / ".venv" / environment.PYTHON.relative_to(environment.ENV)
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    stamp = "import environment as e; e.stamp('app').write_text(e.key('app'))"
    path = {**os.environ, "PYTHONPATH": str(clone / "packaging")}
    subprocess.run([sys.executable, "-c", stamp], env=path, check=True)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_a_later_start_installs_nothing_and_passes_on_words_and_status(stranger: Path) -> None:
    stand_in(stranger, 'printf "%s|" "$@"\nexit 7')
    done = start(stranger, "sample", "a b", PYTHONSAFEPATH="1")
    assert (done.returncode, done.stdout, done.stderr) == (7, "-m|studio|sample|a b|", "")


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_the_started_program_knows_the_users_command(
    stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(stranger, 'printf "%s" "$STUDIO_STARTED_BY"')
    monkeypatch.chdir(tmp_path)
    first, second = shlex.split(start(stranger, "models").stdout)
    assert first == Path(sys.executable).name
    assert (tmp_path / second).samefile(stranger / "packaging" / "run.py")


STREAMS = [">&-", "> /dev/full", "2>&-", "2> /dev/full", "<&-", "<&- >&- 2>&-", "| head -c 1 >&2"]


def piped(clone: Path, *words: str, streams: str) -> subprocess.CompletedProcess[str]:
    """Start packaging/run.py from a shell, with redirections."""
    door = [sys.executable, str(clone / "packaging" / "run.py"), *words]
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env.pop("QT_QPA_PLATFORM", None)
    shell = ["sh", "-c", f'"$@" {streams}', "sh", *door]
    return subprocess.run(shell, cwd=clone, env=env, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a shell, and the device that is always full")
@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("words", [[], ["models"]])
def test_any_kind_of_output_causes_no_traceback(words: list[str], streams: str, stranger: Path) -> None:
    stand_in(stranger, "exit 0")
    done = piped(stranger, *words, streams=streams)
    assert not any(word in done.stderr for word in ("Traceback", "Errno", "Exception ignored")), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a shell, and the device that is always full")
@pytest.mark.parametrize(
    ("streams", "reason"), [(">&-", "standard output is closed"), ("> /dev/full", "no space left on device")]
)
def test_first_pictures_are_made_even_if_their_place_cannot_be_printed(
    streams: str, reason: str, stranger: Path
) -> None:
    stand_in(stranger, "exit 0")
    done = piped(stranger, streams=streams)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"The results could not be printed: {reason}."


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_closed_stream_is_closed_for_the_command_too(number: int, stranger: Path) -> None:
    stand_in(stranger, f"test -e /proc/self/fd/{number} && exit 7\nexit 8")
    assert piped(stranger, "models", streams=f"{number}>&-").returncode == 8
    assert piped(stranger, "models", streams="").returncode == 7


def test_a_missing_network_is_reported_with_advice(stranger: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    nowhere |= {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = start(stranger, "models", **nowhere)
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "Set-up stopped. No package server could be reached. Connect this computer to the network and start again."
    )
