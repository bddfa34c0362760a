"""Measure memory and time that the reader of files needs for a long recording at another rate (Linux).

    python -m tests.benchmarks.long_recording [--minutes 60] [--rate 44100] [--to 16000] [--form FLAC]

The recording is stereo, noise beside tones, of 16 bits. What is measured is the most that the child process had
resident, and the seconds until its samples were there.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from studio.media import decoder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=int, default=44_100)
    parser.add_argument("--to", type=int, default=16_000)
    parser.add_argument("--form", default="FLAC", choices=["FLAC", "WAV", "OGG", "MP3"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"long.{args.form.lower()}"
        write(path, args.minutes, args.rate, args.form)
        began = time.monotonic()
        found = decoder.open_recording(path, args.to)
        seconds = time.monotonic() - began
        size = path.stat().st_size / 1e6
    (child,) = decoder.shared_decoder.process_ids
    lines = Path(f"/proc/{child}/status").read_text("utf-8").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
    print(
        f"{found.seconds / 60:.1f} min of {args.form} at {args.rate:,} Hz ({size:,.0f} MB) to {args.to:,} Hz: "
        f"peak {peak:,.0f} MB, {seconds:.1f} s"
    )
    return 0


def write(path: Path, minutes: int, rate: int, form: str) -> None:
    """Write a recording, one minute after the other."""
    dice = np.random.default_rng(0)
    at = np.arange(60 * rate, dtype=np.float32)[:, None] / rate
    tones = 0.3 * np.sin(2 * np.pi * at * np.array([[440, 660]], np.float32))
    with soundfile.SoundFile(path, "w", rate, 2, format=form) as file:
        for _ in range(minutes):
            file.write(tones + dice.normal(0, 0.02, tones.shape).astype(np.float32))


if __name__ == "__main__":
    sys.exit(main())
