"""Make the private environment of a clone: `.venv`, in which pip installs what `constraints.txt` allows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from libraries import provide_venv
from machine import has_nvidia
from saying import say, stop

HERE = Path(__file__).resolve().parents[1]
ENV = HERE / ".venv"
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = HERE / "packaging" / "constraints.txt"
UNFINISHED = ENV / "unfinished"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
SPACE_NEEDED = 2.5e9  # bytes: 1.3 GB of packages, and what pip unpacks and keeps on the way


def clean_env(env: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment without the variables that make Python or pip use other folders.

    PYTHONSAFEPATH keeps a file named `torch.py` in the current folder from being run in torch's place.
    """
    lost = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    return {**{k: v for k, v in env.items() if k not in lost}, "PYTHONSAFEPATH": "1", "PIP_USER": "0"}


def project() -> dict[str, Any]:
    """Return the contents of pyproject.toml."""
    import tomllib

    with open(HERE / "pyproject.toml", "rb") as file:
        return tomllib.load(file)


def requirements(part: str) -> dict[str, Any]:
    """Return everything that decides what is installed. If it has changed, set-up runs again."""
    table = project()
    wanted = {
        "build": table["build-system"],
        "dependencies": table["project"]["dependencies"],
        "scripts": table["project"]["scripts"],
        "constraints": CONSTRAINTS.read_text("utf-8"),
        "python": [sys.version, sys.base_prefix],
        "folder": str(HERE),
    }
    return wanted if part == "app" else {**wanted, "groups": table["dependency-groups"]}


def stamp(part: str) -> Path:
    """Return the file that is written when set-up of `app` or `test` is done. It holds `key(part)`."""
    return ENV / f"ready.{part}"


def key(part: str) -> str:
    """Return a short digest of `requirements(part)`."""
    return hashlib.sha256(json.dumps(requirements(part), sort_keys=True).encode()).hexdigest()


def is_current(part: str) -> bool:
    """Return whether this part was installed from the same requirements."""
    return stamp(part).is_file() and stamp(part).read_text("utf-8") == key(part)


def is_ready(part: str) -> bool:
    """Return whether an earlier set-up was completed, and nothing that decides it has changed."""
    return PYTHON.exists() and not UNFINISHED.exists() and is_current(part)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let only one set-up run in this folder. The lock is on an existing file, and ends with the process."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(CONSTRAINTS, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another start is setting up; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def works() -> bool:
    """Return whether the environment's Python starts, has this program's version, and has pip."""
    program = f"import pip, sys; sys.exit(sys.version != {sys.version!r})"
    command = [str(PYTHON), "-c", program]
    env = clean_env(os.environ)
    return PYTHON.exists() and subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


def make_environment() -> None:
    """Make a new `.venv`, unless there is one that works and whose last set-up was not interrupted."""
    if works() and not UNFINISHED.exists():
        return
    if ENV.exists():
        say("The last set-up was interrupted or is for another Python. It begins again.")
    free = shutil.disk_usage(HERE).free
    if free < SPACE_NEEDED:
        raise stop(f"Set-up needs about {SPACE_NEEDED / 1e9:.1f} GB in {HERE}; {free / 1e9:.1f} GB are free. "
                   "Nothing was installed. Make room and start again.")  # fmt: skip
    try:
        shutil.rmtree(ENV, ignore_errors=True)
        ENV.mkdir(exist_ok=True)
        UNFINISHED.touch()
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(ENV)
    except (OSError, subprocess.CalledProcessError) as error:
        raise stop(f"{ENV} could not be made: {error}. Nothing else was changed. "
                   "See that its folder can be written, and start again.") from error  # fmt: skip


UNREACHABLE = re.compile(
    "Name or service not known|Temporary failure in name resolution|Failed to establish a new connection"
    "|Network is unreachable|Connection refused|timed out|getaddrinfo failed|nodename nor servname"
    "|Cannot connect to proxy|Failed to resolve|NameResolutionError|NewConnectionError"
)


def pip_problem(words: str) -> str:
    """Return what pip's last lines mean for the user, and what to do."""
    if "No space left on device" in words:
        return "The disk is full. Make room (set-up takes about 2 GB) and start again."
    if UNREACHABLE.search(words):
        return "No package server could be reached. Connect this computer to the network and start again."
    telling = [line.strip() for line in words.splitlines() if re.search("error|could not|no matching", line, re.I)]
    last = "\n".join("  " + line for line in telling[-6:])
    return f"pip could not install the packages. Its last words:\n{last}\nMend what they name and start again."


def pip_failed(words: str) -> SystemExit:
    """Return the error that ends the program with a plain explanation of pip's message.

    pip downloads everything before it changes anything. So after a failed download the earlier installation is intact,
    and the next start continues from it. After any other fault the next start begins again.
    """
    if UNREACHABLE.search(words):
        UNFINISHED.unlink(missing_ok=True)
    return stop("Set-up stopped. " + pip_problem(words))


def pip(*words: str) -> str | None:
    """Run pip in our environment. Return None if it succeeded, else its output."""
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *quiet, "-c", str(CONSTRAINTS)]
    done = subprocess.run([*command, *words], env=clean_env(os.environ), stdout=sys.stderr, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", check=False)  # fmt: skip
    return done.stderr if done.returncode else None


def pin_of(package: str, constraints: str) -> str:
    """Return the version of a package in the constraints: `torch==2.13.0`."""
    return next(line.split(";")[0].strip() for line in constraints.splitlines() if line.startswith(f"{package}=="))


def cpu_build(pin: str, system: str, nvidia: bool) -> list[str]:
    """Return pip's arguments for a build of PyTorch without CUDA; none if the ordinary build is right.

    Only on Linux the ordinary build includes CUDA. `+cpu` matches only the build without CUDA, whether it comes from
    PyTorch's index, from a mirror in pip.conf or from a folder of wheels. Dependencies are left out, so that this
    index serves torch alone. One retry is enough, so that a closed network causes no long wait.
    """
    if system != "linux" or nvidia:
        return []
    return ["--no-deps", "--retries", "1", "--timeout", "20", "--extra-index-url", CPU_WHEELS, f"{pin}+cpu"]


def install_app() -> None:
    """Install PyTorch first, so that later packages find the build that suits this computer.

    Installing torchaudio's build may fail: its ordinary build is small and is imported without its part for CUDA
    (studio/engine/audio.py).
    """
    pins = [pin_of(package, CONSTRAINTS.read_text("utf-8")) for package in ("torch", "torchaudio")]
    torch, torchaudio = (cpu_build(pin, sys.platform, has_nvidia()) for pin in pins)
    say("1 of 2: PyTorch")
    if torch and pip(*torch) is not None:
        say("PyTorch's build without CUDA was not found, so pip's own sources decide. "
            "They may include several GB of CUDA, unused on this computer.")  # fmt: skip
    elif torchaudio:
        pip(*torchaudio)
    say("2 of 2: the window, pictures and sound")
    problem = pip("--editable", str(HERE))
    if problem is not None:
        raise pip_failed(problem)


def install_tests() -> None:
    """Install the tools, and the peer libraries without their dependencies (pyproject.toml says why)."""
    groups = project()["dependency-groups"]
    say("The tests' own tools")
    for words in (groups["dev"], ["--no-deps", *groups["peers"]]):
        problem = pip(*words)
        if problem is not None:
            raise pip_failed(problem)


INSTALLS = {"app": install_app, "test": install_tests}


def set_up(*parts: str) -> None:
    """Make the environment for these parts unless it is ready. An interrupted set-up begins again at the next start."""
    if all(is_ready(part) for part in parts):
        return
    with alone():
        if all(is_ready(part) for part in parts):  # the start that we waited for has done it
            return
        provide_venv()
        say(f"Setting up in {ENV} (once, and after updates; about 1.3 GB).")
        make_environment()
        UNFINISHED.touch()
        for part in parts:
            if not is_current(part):
                INSTALLS[part]()
                stamp(part).write_text(key(part), "utf-8")
        UNFINISHED.unlink()
