"""A training that is killed at any moment loses little, and continues as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.engine.training import checkpoint
from tests.limits import LIMIT

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no forks")
def test_thirty_kills_at_random_moments_leave_a_run_that_continues_bit_for_bit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.training.killed_runs", str(tmp_path), "30", "1"],
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["kills"], seen["unreadable"], seen["doubled_lines"], seen["leftovers"]) == (30, 0, 0, 0)
    assert seen["most_seconds_lost"] <= 60
    assert seen["same_weights"] and seen["same_curve"]


ABANDON = """
import sys
from pathlib import Path
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, training_steps
run = new_run(Path(sys.argv[1]), make_config(save_every_seconds=1e9))
steps = training_steps(run, make_pictures())
for _ in range(3):
    next(steps)
"""


def test_a_program_that_ends_while_it_trains_saves_first(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABANDON, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = checkpoint.load_newest(tmp_path)
    assert found is not None and found[1]["step"] == 3
