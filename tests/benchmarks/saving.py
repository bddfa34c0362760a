"""Measure how long 1,024 pictures take to be written to the disk, one after another and in batches.

Run: python tests/benchmarks/saving.py [FOLDER] [NUMBER]

FOLDER is on the disk to be measured (at first the system's folder for temporary files). The files are removed again.
The time for encoding the PNGs, which is the same in both cases, is printed separately.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from studio.library import storage
from studio.library.work import Work, encode_png

SIDE = 28
BATCH = 128
"""Pictures in one batch, as in the window."""


def timed(words: str, act: Callable[[], object]) -> float:
    """Call a function, print how long it takes, and return the seconds."""
    began = time.perf_counter()
    act()
    seconds = time.perf_counter() - began
    print(f"{words}: {seconds:.2f} s")
    return seconds


def one_by_one(folder: Path, pictures: list[bytes]) -> None:
    for number, data in enumerate(pictures):
        storage.write_file(folder / f"single-{number}.png", data)


def together(folder: Path, pictures: list[bytes], batch: int) -> None:
    files = [(folder / f"batch-{batch}-{number}.png", data) for number, data in enumerate(pictures)]
    for first in range(0, len(files), batch):
        storage.write_files(files[first : first + batch])


def main(where: str | None = None, number: int = 1024) -> None:
    generator = np.random.default_rng(0)
    arrays = generator.integers(0, 256, (number, SIDE, SIDE, 1), dtype=np.uint8)
    pictures: list[bytes] = []

    def encode() -> None:
        pictures.extend(
            encode_png(array, Work(model="maf-mnist-28", model_hash="0" * 32, seed=seed))
            for seed, array in enumerate(arrays)
        )

    timed(f"{number:,} pictures to PNG", encode)
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        slow = timed("one by one", lambda: one_by_one(folder, pictures))
        for batch in (16, BATCH, number):
            fast = timed(f"{batch:,} together", lambda batch=batch: together(folder, pictures, batch))  # type: ignore[misc]
            print(f"  {slow / fast:.0f} times as fast")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None, int(sys.argv[2]) if len(sys.argv) > 2 else 1024)
