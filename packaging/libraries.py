"""Find the system libraries that are missing and that no wheel contains, and the one command that installs them."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from saying import say, stop

# Every soname that the Qt libraries in the wheel of PySide6-Essentials name and do not bring along, and PortAudio;
# and the programs that give the tests a sound card, and a screen with a mouse. The use: Qt on any platform, Qt on an
# X11 screen, sound, that sound card, or that mouse. The packages: Debian, Fedora, Arch, openSUSE.
TABLE = """
libGL.so.1             window libgl1              libglvnd-glx        libglvnd            libglvnd
libEGL.so.1            window libegl1             libglvnd-egl        libglvnd            libglvnd
libfontconfig.so.1     window libfontconfig1      fontconfig          fontconfig          fontconfig
libxkbcommon.so.0      window libxkbcommon0       libxkbcommon        libxkbcommon        libxkbcommon0
libglib-2.0.so.0       window libglib2.0-0        glib2               glib2               libglib-2_0-0
libdbus-1.so.3         window libdbus-1-3         dbus-libs           dbus                libdbus-1-3
libX11.so.6            window libx11-6            libX11              libx11              libX11-6
libgssapi_krb5.so.2    window libgssapi-krb5-2    krb5-libs           krb5                krb5
libX11-xcb.so.1        screen libx11-xcb1         libX11-xcb          libx11              libX11-xcb1
libxkbcommon-x11.so.0  screen libxkbcommon-x11-0  libxkbcommon-x11    libxkbcommon-x11    libxkbcommon-x11-0
libxcb-cursor.so.0     screen libxcb-cursor0      xcb-util-cursor     xcb-util-cursor     libxcb-cursor0
libxcb-icccm.so.4      screen libxcb-icccm4       xcb-util-wm         xcb-util-wm         libxcb-icccm4
libxcb-image.so.0      screen libxcb-image0       xcb-util-image      xcb-util-image      libxcb-image0
libxcb-keysyms.so.1    screen libxcb-keysyms1     xcb-util-keysyms    xcb-util-keysyms    libxcb-keysyms1
libxcb-render-util.so.0 screen libxcb-render-util0 xcb-util-renderutil xcb-util-renderutil libxcb-render-util0
libxcb-util.so.1       screen libxcb-util1        xcb-util            xcb-util            libxcb-util1
libxcb-randr.so.0      screen libxcb-randr0       libxcb              libxcb              libxcb-randr0
libxcb-render.so.0     screen libxcb-render0      libxcb              libxcb              libxcb-render0
libxcb-shape.so.0      screen libxcb-shape0       libxcb              libxcb              libxcb-shape0
libxcb-shm.so.0        screen libxcb-shm0         libxcb              libxcb              libxcb-shm0
libxcb-sync.so.1       screen libxcb-sync1        libxcb              libxcb              libxcb-sync1
libxcb-xfixes.so.0     screen libxcb-xfixes0      libxcb              libxcb              libxcb-xfixes0
libxcb-xkb.so.1        screen libxcb-xkb1         libxcb              libxcb              libxcb-xkb1
libportaudio.so.2      sound  libportaudio2,libasound2-plugins portaudio portaudio        libportaudio2
pulseaudio             card   pulseaudio          pulseaudio          pulseaudio          pulseaudio
parec                  card   pulseaudio-utils    pulseaudio-utils    libpulse            pulseaudio-utils
Xvfb                   mouse  xvfb                xorg-x11-server-Xvfb xorg-server-xvfb   xorg-x11-server-Xvfb
openbox                mouse  openbox             openbox             openbox             openbox
xdotool                mouse  xdotool             xdotool             xdotool             xdotool
"""


class Library(NamedTuple):
    """Holds one row of the table."""

    soname: str
    use: str
    debian: str
    fedora: str
    arch: str
    suse: str


LIBRARIES = [Library(*line.split()) for line in TABLE.strip().splitlines()]
INSTALLERS = {  # the distribution's tool: its column above, and its command
    "apt-get": ("debian", "apt-get install -y --no-install-recommends"),
    "dnf": ("fedora", "dnf install -y"),
    "pacman": ("arch", "pacman -S --needed"),
    "zypper": ("suse", "zypper install"),
}


WITHOUT = {
    "sound": "Sound will be silent",
    "card": "The tests of the sound card will be skipped",
    "mouse": "The tests of the real mouse will be skipped",
}
"""What happens if only libraries of this use are missing. The program continues without them."""


def load_or_find(name: str) -> object:
    """Load a library, or find a program. Raises OSError if it is missing."""
    if ".so" in name:
        return ctypes.CDLL(name)
    if shutil.which(name) is None:
        raise OSError(f"{name} is not installed")
    return name


def missing_libraries(uses: Sequence[str], load: Callable[[str], object] = load_or_find) -> list[Library]:
    """Return the rows of LIBRARIES for these uses that this system cannot load."""
    missing = []
    for library in LIBRARIES:
        if library.use in uses:
            try:
                load(library.soname)
            except OSError:
                missing.append(library)
    return missing


def install_command(missing: Sequence[Library], which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Return the words of the command that installs them here; empty if the distribution is unknown."""
    for tool, (column, command) in INSTALLERS.items():
        if which(tool):
            packages = ",".join(getattr(library, column) for library in missing)
            return command.split() + list(dict.fromkeys(packages.split(",")))
    return []


def may_install(command: Sequence[str]) -> bool:
    """Return whether set-up may install system packages by itself: as root on Debian or a distribution like it."""
    return bool(command) and command[0] == "apt-get" and hasattr(os, "geteuid") and os.geteuid() == 0


def apt_install(command: Sequence[str]) -> None:
    """Run apt-get, and if that fails, again with updated package lists. The caller checks what is still missing."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (command, ["apt-get", "update"], command):
        # A fresh container has no lists at all, and old lists name packages that are gone from the server.
        done = subprocess.run(words, env=env, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False).returncode == 0
        if done and words is command:
            return


def provide_libraries(uses: Sequence[str]) -> None:
    """Install Qt's missing system libraries if permitted; else print the command for it and stop.

    A missing sound library does not stop anything: the window stays silent, and tests of sound are skipped. Only the
    tests of the real mouse need a screen.
    """
    spared = {**WITHOUT, "screen": WITHOUT["mouse"]} if "mouse" in uses else WITHOUT
    missing = missing_libraries(uses) if sys.platform.startswith("linux") else []
    command = install_command(missing) if missing else []
    if missing and may_install(command):
        say("These system libraries are missing: " + ", ".join(library.soname for library in missing) + ".")
        say("Installing them: " + " ".join(command))
        apt_install(command)
        missing = missing_libraries(uses)
    if not missing:
        return
    names = ", ".join(library.soname for library in missing)
    sudo = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["sudo"]
    how = "  " + " ".join(sudo + command) if command else "  (look for the packages that hold them)"
    if all(library.use in spared for library in missing):
        for loss in dict.fromkeys(spared[library.use] for library in missing):
            say(f"{loss}: {', '.join(one.soname for one in missing if spared[one.use] == loss)} is missing.")
        say(f"Install it with:\n{how}")
        return
    raise stop(f"The window needs system libraries that are missing: {names}.\nInstall them with:\n{how}")


def provide_venv() -> None:
    """Install Debian's package with the part of `venv` that provides pip, or stop with the command for it."""
    if importlib.util.find_spec("ensurepip"):
        return
    command = [*INSTALLERS["apt-get"][1].split(), f"python3.{sys.version_info[1]}-venv"]
    if shutil.which("apt-get") and may_install(command):
        say("Python's venv module is incomplete. Installing it: " + " ".join(command))
        apt_install(command)
        importlib.invalidate_caches()
        if importlib.util.find_spec("ensurepip"):
            return
    how = "Install it, on Debian or Ubuntu with:\n  sudo " + " ".join(command)
    raise stop(f"Python's venv module is incomplete here (ensurepip is missing).\n{how}")
