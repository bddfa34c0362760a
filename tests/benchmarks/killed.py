"""Kill a training 200 times at random moments. Run: python tests/benchmarks/killed.py [COUNT] [SEED]

It prints how many of the runs that were left could not be read, how many seconds of learning were lost at most, and
whether the curve and the weights at the end are those of a training that was not disturbed. A checkpoint is written
every 0.02 seconds, so that many kills come while one is being written. Usually it is every 60 seconds.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.engine.training.killed_runs import kill_and_resume

if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(kill_and_resume(Path(folder), count, seed), indent=2))
