"""Missing system libraries are named, and installed if that is allowed; otherwise a command for it is printed."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import libraries
import pytest


def lacking(*sonames: str) -> Callable[[str], object]:
    """Describe a system that has every library but these."""

    def load(soname: str) -> object:
        if soname in sonames:
            raise OSError(f"{soname}: cannot open shared object file")
        return None

    return load


def rows(*sonames: str) -> list[libraries.Library]:
    return [library for library in libraries.LIBRARIES if library.soname in sonames]


class Shell:
    """Replaces subprocess.run: it records what was run, and returns the given statuses, then 0."""

    def __init__(self, *statuses: int) -> None:
        self.ran: list[str] = []
        self.statuses = list(statuses)

    def __call__(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.ran.append(" ".join(words))
        return subprocess.CompletedProcess(words, self.statuses.pop(0) if self.statuses else 0)


def test_only_libraries_of_the_requested_use_are_checked() -> None:
    nothing = lacking(*(library.soname for library in libraries.LIBRARIES))
    assert {library.use for library in libraries.missing_libraries(["window"], nothing)} == {"window"}
    assert {library.use for library in libraries.missing_libraries(["screen", "sound"], nothing)} == {"screen", "sound"}
    assert libraries.missing_libraries(["window", "screen", "sound"], lacking()) == []


@pytest.mark.parametrize(
    ("tool", "line"),
    [
        (
            "apt-get",
            "apt-get install -y --no-install-recommends libegl1 libxcb-cursor0 libportaudio2 libasound2-plugins",
        ),
        ("dnf", "dnf install -y libglvnd-egl xcb-util-cursor portaudio"),
        ("pacman", "pacman -S --needed libglvnd xcb-util-cursor portaudio"),
        ("zypper", "zypper install libglvnd libxcb-cursor0 libportaudio2"),
    ],  # fmt: skip
)
def test_each_distribution_gets_its_own_one_command(tool: str, line: str) -> None:
    missing = rows("libEGL.so.1", "libxcb-cursor.so.0", "libportaudio.so.2")
    command = libraries.install_command(missing, lambda name: "/usr/bin/" + name if name == tool else None)
    assert " ".join(command) == line


def test_a_package_that_holds_two_libraries_is_named_once() -> None:
    missing = rows("libxcb-shm.so.0", "libxcb-sync.so.1")
    assert libraries.install_command(missing, lambda name: "x" if name == "dnf" else None)[-1] == "libxcb"
    assert libraries.install_command(missing, lambda name: "x" if name == "dnf" else None).count("libxcb") == 1


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the tests see a Linux with apt-get."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(libraries.shutil, "which", lambda name: "/usr/bin/" + name if name == "apt-get" else None)
    return monkeypatch


def test_as_root_on_debian_missing_libraries_are_named_then_installed(
    linux: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([rows("libEGL.so.1"), []])
    shell = Shell()
    linux.setattr(libraries, "missing_libraries", lambda uses: next(answers))
    linux.setattr(os, "geteuid", lambda: 0, raising=False)
    linux.setattr(libraries.subprocess, "run", shell)
    libraries.provide_libraries(["window"])
    assert shell.ran == ["apt-get install -y --no-install-recommends libegl1"]
    assert "libEGL.so.1" in capsys.readouterr().err


def test_a_container_without_package_lists_gets_them_first(linux: pytest.MonkeyPatch) -> None:
    answers = iter([rows("libEGL.so.1"), []])
    shell = Shell(100)
    linux.setattr(libraries, "missing_libraries", lambda uses: next(answers))
    linux.setattr(os, "geteuid", lambda: 0, raising=False)
    linux.setattr(libraries.subprocess, "run", shell)
    libraries.provide_libraries(["window"])
    assert [line.split()[1] for line in shell.ran] == ["install", "update", "install"]


def test_without_the_right_to_install_the_command_is_printed_and_nothing_is_run(linux: pytest.MonkeyPatch) -> None:
    shell = Shell()
    linux.setattr(libraries, "missing_libraries", lambda uses: rows("libEGL.so.1", "libGL.so.1"))
    linux.setattr(os, "geteuid", lambda: 1000, raising=False)
    linux.setattr(libraries.subprocess, "run", shell)
    with pytest.raises(SystemExit) as stopped:
        libraries.provide_libraries(["window"])
    assert "sudo apt-get install -y --no-install-recommends libgl1 libegl1" in str(stopped.value)
    assert shell.ran == []


def test_if_apt_fails_the_start_stops_with_the_command(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(libraries, "missing_libraries", lambda uses: rows("libEGL.so.1"))
    linux.setattr(os, "geteuid", lambda: 0, raising=False)
    linux.setattr(libraries.subprocess, "run", Shell(100, 100, 100))
    with pytest.raises(SystemExit, match=r"libEGL\.so\.1(.|\n)*apt-get install"):
        libraries.provide_libraries(["window"])


def test_without_a_sound_library_the_start_continues(
    linux: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    linux.setattr(libraries, "missing_libraries", lambda uses: rows("libportaudio.so.2"))
    linux.setattr(os, "geteuid", lambda: 1000, raising=False)
    libraries.provide_libraries(["window", "sound"])
    assert "silent" in capsys.readouterr().err


def test_without_a_sound_card_the_tests_continue(linux: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    linux.setattr(libraries.ctypes, "CDLL", lambda name: name)
    linux.setattr(os, "geteuid", lambda: 1000, raising=False)
    libraries.provide_libraries(["window", "sound", "card"])
    said = capsys.readouterr().err
    assert "The tests of the sound card will be skipped: pulseaudio, parec is missing" in said
    assert "sudo apt-get install -y --no-install-recommends pulseaudio pulseaudio-utils" in said


def test_without_a_screen_the_tests_of_the_mouse_are_skipped(
    linux: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    linux.setattr(libraries, "missing_libraries", lambda uses: rows("libxcb-cursor.so.0", "Xvfb", "parec"))
    linux.setattr(os, "geteuid", lambda: 1000, raising=False)
    libraries.provide_libraries(["window", "screen", "sound", "card", "mouse"])
    said = capsys.readouterr().err
    assert "The tests of the real mouse will be skipped: libxcb-cursor.so.0, Xvfb is missing" in said
    assert "The tests of the sound card will be skipped: parec is missing" in said
    assert "sudo apt-get install -y --no-install-recommends libxcb-cursor0 pulseaudio-utils xvfb" in said
    with pytest.raises(SystemExit):
        libraries.provide_libraries(["window", "screen"])


def test_debians_split_venv_is_named(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    linux.setattr(os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(SystemExit, match=rf"sudo apt-get install .*python3\.{sys.version_info[1]}-venv"):
        libraries.provide_venv()
