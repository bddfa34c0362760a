"""Compare the curve of 2 and 4 processes, and of 2 computers, with that of a single process.

Run: python -m tests.benchmarks.processes

The two computers are network namespaces, each with an address, a home folder and an agent of its own. The second one
has no training data, and its process is killed in the middle. They need Linux, the rights of root and iproute2.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from studio.library import runs
from tests.cli.test_train_processes import RECIPE

ROOT = Path(__file__).parents[2]
LAUNCH = [sys.executable, "-m", "torch.distributed.run"]
HOSTS = (("studio-a", "10.87.46.1"), ("studio-b", "10.87.46.2"))
"""The namespaces and their addresses."""
PORT = 29_517
LINK = "studio0"
KILLED_AT = 10
"""The step after which the second computer's process is killed."""


def make_data(folder: Path) -> list[str]:
    """Write pictures of rings and a recipe. Return the words of a training."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8] - 3.5
    inside = (np.hypot(y, x) < generator.uniform(1, 4, 160)[:, None, None])[..., None]
    ground, ink = generator.integers(0, 256, (2, 160, 1, 1, 3))
    rings = np.where(inside, ink, ground).astype(np.uint8)
    np.savez(folder / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    (folder / "recipe.json").write_bytes(msgspec.json.encode(RECIPE))
    return ["-m", "studio", "train", str(folder / "rings.npz"), "--recipe", str(folder / "recipe.json"), "--json"]


def start(words: list[str], home: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start a training with a home folder of its own."""
    home.mkdir()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "STUDIO_HOME": str(home), "OMP_NUM_THREADS": "1", **variables}
    with open(home / "output.txt", "wb") as output:
        return subprocess.Popen(words, env=env, stdout=output, stderr=subprocess.STDOUT, cwd=home)


def finish(name: str, process: subprocess.Popen[bytes], home: Path, began: float) -> list[float]:
    """Wait for a training, and print its held-out figures."""
    status = process.wait()
    if status:
        raise SystemExit(f"{name} failed:\n{(home / 'output.txt').read_text()}")
    run = runs.read_run(home / "runs" / str(RECIPE["name"]))
    assert run is not None
    figures = [held_out for _, _, held_out in run.curve if held_out is not None]
    print(
        f"{name:30} {time.monotonic() - began:6.1f} s  " + "  ".join(f"{figure:.6f}" for figure in figures), flush=True
    )
    return figures


@contextlib.contextmanager
def two_computers() -> Iterator[None]:
    """Provide two network namespaces with a link between them."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    (one, here), (other, there) = HOSTS
    try:
        for name in (one, other):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", one, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", other)
        for name, address in ((one, here), (other, there)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", LINK)
            ip("-n", name, "link", "set", LINK, "up")
        yield
    finally:
        for name in (one, other):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def start_computers(words: list[str], folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start an agent with one process on each computer."""
    started = []
    for number, (name, address) in enumerate(HOSTS):
        launch = [*LAUNCH, "--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "2", "--local-addr", address]
        meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{HOSTS[0][1]}:{PORT}"]
        host = ["--rdzv-conf", f"is_host={int(number == 0)}"]
        own = (
            list(words) if number == 0 else [word.replace(str(folder / "rings.npz"), "/no/data.npz") for word in words]
        )
        full = ["ip", "netns", "exec", name, *launch, *meeting, *host, *own]
        started.append(start(full, folder / name, GLOO_SOCKET_IFNAME=LINK))
    return started


def kill_second_process(folder: Path, name: str) -> None:
    """Kill the process of the second computer once the run has learned a little."""
    while (found := runs.read_run(folder / HOSTS[0][0] / "runs" / name)) is None or found.step < KILLED_AT:
        time.sleep(0.05)
    home = f"STUDIO_HOME={folder / HOSTS[1][0]}".encode()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            number = int(entry.name)
            variables = (entry / "environ").read_bytes().split(b"\0")
            if home in variables and any(each.startswith(b"LOCAL_RANK=") for each in variables):
                os.kill(number, signal.SIGKILL)
                print(f"killed process {number} of the second computer after step {found.step}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = make_data(folder)
        began = time.monotonic()
        alone = finish("1 process", start([sys.executable, *words], folder / "1"), folder / "1", began)
        differences = {}
        for count in (2, 4):
            began = time.monotonic()
            home = folder / str(count)
            process = start([*LAUNCH, "--nproc-per-node", str(count), *words], home)
            differences[f"{count} processes"] = finish(f"{count} processes", process, home, began)
        if sys.platform != "linux" or os.geteuid() or shutil.which("ip") is None:
            print("2 computers: left out, because network namespaces need Linux, root and iproute2")
        else:
            with two_computers():
                began = time.monotonic()
                first, second = start_computers(words, folder)
                kill_second_process(folder, str(RECIPE["name"]))
                found = finish("2 computers, one killed", first, folder / HOSTS[0][0], began)
                differences["2 computers"] = found
                print(f"the second computer's agent ended with {second.wait()}")
        for name, figures in differences.items():
            largest = max(abs(one - other) for one, other in zip(alone, figures, strict=True))
            print(f"{name}: at most {largest:.1e} bits per dimension from 1 process")


if __name__ == "__main__":
    main()
