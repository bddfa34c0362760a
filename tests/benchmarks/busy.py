"""Run the tests several times while other processes keep the processors busy, and count how often they pass.

python tests/benchmarks/busy.py 3                          the whole suite three times, as `run.py test` runs it
python tests/benchmarks/busy.py 20 tests/app/engine/test_client.py -q
"""

import argparse
import contextlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROCESSES = 4


def keep_busy() -> None:
    """Keep one processor busy until the parent process ends."""
    parent = os.getppid()
    while os.getppid() == parent:
        sum(range(100_000))


@contextlib.contextmanager
def keep_busy_beside(count: int = PROCESSES) -> Iterator[None]:
    """Run so many processes that keep processors busy."""
    processes = [multiprocessing.Process(target=keep_busy, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run tests while the machine is busy.")
    parser.add_argument("times", type=int, help="how many times the tests run")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="arguments of pytest; the whole suite if none")
    given = parser.parse_args()
    words = given.words or ["--numprocesses=3", "--dist=loadfile", "-q"]
    env = {"QT_QPA_PLATFORM": "offscreen", **os.environ}
    passed = 0
    with keep_busy_beside():
        for number in range(1, given.times + 1):
            began = time.monotonic()
            status = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, env=env, check=False).returncode
            passed += status == 0
            print(f"{number}: {'passed' if status == 0 else 'FAILED'}, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{passed} of {given.times} passed beside {PROCESSES} busy processes")
    return int(passed < given.times)


if __name__ == "__main__":
    sys.exit(main())
