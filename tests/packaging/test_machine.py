"""Set-up checks the computer before it installs anything."""

import socket
import uuid
from pathlib import Path

import machine
import pytest

GOOD = {"version": (3, 12, 4), "bits": 64, "system": "linux", "machine": "x86_64", "glibc": "glibc 2.36"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"version": (3, 11, 0)},
        {"version": (3, 14, 9)},
        {"system": "darwin", "machine": "arm64", "glibc": ""},
        {"system": "win32", "machine": "AMD64", "glibc": ""},
        {"machine": "aarch64", "glibc": "glibc 2.39"},
        {"glibc": "glibc 2.100"},
    ],
)
def test_a_suitable_computer_is_accepted(change: dict[str, object]) -> None:
    assert machine.python_problem(**{**GOOD, **change}) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"version": (3, 10, 12)}, "3.10.12"),
        ({"version": (3, 15, 0)}, "3.15.0"),
        ({"bits": 32}, "32-bit"),
        ({"system": "darwin", "machine": "x86_64"}, "PyTorch"),
        ({"system": "win32", "machine": "ARM64"}, "PyTorch"),
        ({"glibc": "glibc 2.31"}, "glibc 2.31"),
        ({"glibc": ""}, "another C library"),
        ({"machine": "aarch64", "glibc": "glibc 2.36"}, "glibc 2.39"),
    ],
)
def test_an_unsuitable_computer_is_refused_with_the_reason(change: dict[str, object], word: str) -> None:
    problem = machine.python_problem(**{**GOOD, **change})  # type: ignore[arg-type]
    assert problem is not None and word in problem and problem.endswith(".")


def test_nvidia_is_known_by_its_driver(tmp_path: Path) -> None:
    assert not machine.has_nvidia(tmp_path)
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").touch()
    assert machine.has_nvidia(tmp_path)


def test_nvidia_is_known_in_a_linux_inside_windows(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/wsl/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/wsl/lib/nvidia-smi").touch()
    assert machine.has_nvidia(tmp_path)


@pytest.mark.parametrize(
    ("env", "opens"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"DISPLAY": ":dead"}, False),
        ({"QT_QPA_PLATFORM": "offscreen"}, True),
        ({"QT_QPA_PLATFORM": "vnc:port=5901"}, True),
        ({"QT_QPA_PLATFORM": "xcb"}, False),
        ({"QT_QPA_PLATFORM": "xcb", "DISPLAY": ":0"}, True),
        ({"QT_QPA_PLATFORM": "wayland;xcb"}, False),
        ({"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": "/nowhere"}, False),
    ],
)
def test_a_window_is_opened_only_if_there_is_a_display(env: dict[str, str], opens: bool) -> None:
    problem = machine.display_problem(env, "linux", lambda display: display == ":0")
    assert (problem is None) is opens


def test_a_wayland_session_is_a_display(tmp_path: Path) -> None:
    (tmp_path / "wayland-0").touch()
    session = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert machine.display_problem(session, "linux") is None
    assert machine.display_problem({**session, "QT_QPA_PLATFORM": "xcb"}, "linux") is not None


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_always_have_a_display(system: str) -> None:
    assert machine.display_problem({}, system) is None


def test_a_display_that_does_not_answer_is_named() -> None:
    problem = machine.display_problem({"DISPLAY": ":31997"}, "linux")
    assert problem is not None and ":31997" in problem


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="X11 sockets live on Unix")
def test_an_x_server_that_takes_connections_answers() -> None:
    number = uuid.uuid4().int % 10**8 + 10**6
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        assert machine.server_answers(f":{number}.0")
        assert machine.server_answers(f"unix:{number}")
    assert not machine.server_answers(f":{number}")


def test_an_x_server_behind_ssh_answers() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1] - 6000
        assert machine.server_answers(f"127.0.0.1:{number}.0")
