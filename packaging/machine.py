"""Find out what this computer is: whether packages exist for it, it can open a window, and it has an NVIDIA card.

Like everything that set-up needs before there is an environment, it uses only the standard library and the syntax of
Python 3.8. So an old Python can report that it is too old.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def python_problem(version: tuple[int, ...], bits: int, system: str, machine: str, glibc: str) -> str | None:
    """Return in a sentence why the packages have no build for this Python or computer; None if they have."""
    if not (3, 11) <= version[:2] <= (3, 14) or bits != 64:
        here = ".".join(map(str, version))
        return (f"Latent Studio needs a 64-bit Python 3.11, 3.12, 3.13 or 3.14. This is a {bits}-bit Python {here} "
                f"({sys.executable}). Install a newer one and start this file with it.")  # fmt: skip
    if (system, machine.lower()) in {("darwin", "x86_64"), ("win32", "arm64")}:
        return f"PyTorch makes no builds for this kind of computer ({system} {machine}), so the studio cannot run here."
    needed = (2, 39) if machine == "aarch64" else (2, 34)
    if system == "linux" and tuple(int(n) for n in re.findall(r"\d+", glibc)[:2]) < needed:
        return (f"Qt needs glibc {needed[0]}.{needed[1]} or newer; this system has {glibc or 'another C library'}. "
                "Debian 12, Ubuntu 22.04 and Fedora 35 have it, and everything newer.")  # fmt: skip
    return None


def glibc() -> str:
    """Return the version of glibc: `glibc 2.36`; empty if the C library is another one."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    return ""


def has_nvidia(root: Path = Path("/")) -> bool:
    """Return whether a driver of NVIDIA is loaded, also in a Linux inside Windows (WSL)."""
    return (root / "proc/driver/nvidia/version").exists() or (root / "usr/lib/wsl/lib/nvidia-smi").exists()


def server_answers(display: str) -> bool:
    """Return whether an X server accepts a connection at `:0`, `host:0.0` and the like. Unknown forms count as yes."""
    form = re.fullmatch(r"(unix)?([^:/]*):(\d+)(\.\d+)?", display)
    if form is None:
        return True
    host = form[2]
    number = int(form[3])
    places: list[Any] = [f"\0/tmp/.X11-unix/X{number}", f"/tmp/.X11-unix/X{number}"]
    if host:
        places = [(host, 6000 + number)]
    for place in places:
        with socket.socket(socket.AF_INET if host else socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(2)
            probe.connect(place)
            return True
    return False


def display_problem(
    env: Mapping[str, str], system: str = sys.platform, answers: Callable[[str], bool] = server_answers
) -> str | None:
    """Return why no window can be opened here, as the beginning of a sentence; None if one can."""
    if not system.startswith("linux"):
        return None
    wanted = {name.split(":")[0] for name in env.get("QT_QPA_PLATFORM", "").split(";") if name}
    if wanted - {"xcb", "wayland", "wayland-egl"}:
        return None  # offscreen, vnc, linuxfb …: Qt needs no display, and the person has said so
    wayland = env.get("WAYLAND_DISPLAY", "")
    if wayland and wanted != {"xcb"} and (Path(env.get("XDG_RUNTIME_DIR", "")) / wayland).exists():
        return None
    display = env.get("DISPLAY", "")
    if not display:
        return "There is no display here (DISPLAY and WAYLAND_DISPLAY are not set)"
    return None if answers(display) else f"The display {display} does not answer"
