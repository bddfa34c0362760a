"""Measure a scan of a folder with very many files: the first result, the speed, the memory, and the time to stop.

python -m tests.benchmarks.many_files 200000
"""

import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import torch

from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.wire import messages as wire

FILES_PER_FOLDER = 2000


def make_files(root: Path, count: int) -> None:
    """Make so many empty files in sub-folders."""
    for number in range(count):
        folder = root / f"folder {number // FILES_PER_FOLDER:03}"
        if number % FILES_PER_FOLDER == 0:
            folder.mkdir()
        (folder / f"picture {number:06}.png").touch()


def resident_megabytes() -> float:
    """Return the memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def scan(source: Path, stop_after: int | None = None) -> None:
    """Scan a folder, stop after so many files, and print the figures."""
    jobs = JobStarter(ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False))
    began = time.perf_counter()
    before = resident_megabytes()
    steps = jobs.start(wire.ScanFolder(job="scan", source=str(source)))
    assert isinstance(steps, Generator)
    done = 0
    for event in steps:
        if isinstance(event, wire.FilesExamined):
            if not done:
                print(f"first result after {time.perf_counter() - began:.2f} s")
            done = event.done
        if stop_after is not None and done >= stop_after:
            stopped = time.perf_counter()
            steps.close()
            print(f"stopped within {time.perf_counter() - stopped:.3f} s, after {done:,} files")
            return
    seconds = time.perf_counter() - began
    grown = resident_megabytes() - before
    print(f"{done:,} files in {seconds:.1f} s, {grown:.1f} MB more memory than before")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), count)
        scan(Path(folder), stop_after=min(2000, count))
        scan(Path(folder))
