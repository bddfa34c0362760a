"""Two processes learn as one. `process_group_program.py` compares them for every kind of model that needs it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from studio.engine.followed_signal import FollowedSignal
from studio.engine.training import distributed
from studio.engine.training.config import BadTrainingConfig
from studio.engine.training.example_tensors import to_examples, to_tensors
from studio.engine.training.recordings import TrainingRecordings
from tests.engine.training.process_group_program import EXCHANGE, RECIPES
from tests.limits import LIMIT

ROOT = Path(__file__).parents[3]


def test_two_processes_compute_the_loss_gradient_and_statistics_of_one() -> None:
    program = str(Path(__file__).with_name("process_group_program.py"))
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", program]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = subprocess.run(words, capture_output=True, text=True, env=env, timeout=LIMIT * 5)
    assert found.returncode == 0, found.stderr
    assert "Warning" not in found.stderr
    differences = json.loads(found.stdout)
    assert set(differences) == {*RECIPES, EXCHANGE}
    assert {name: number for name, number in differences.items() if number > 1e-5} == {}


def test_all_processes_have_the_same_recordings_and_what_is_followed_of_them() -> None:
    x = (torch.arange(40), torch.arange(100))
    signals = tuple(torch.randn(1, -(-len(sound) // 16)) for sound in x)
    follow = FollowedSignal(False, True, 16, 8000, 4096)
    sent = TrainingRecordings(x, torch.tensor([1, 0]), (x[0].short(), x[1].short()), signals, follow)
    for whole in (sent, replace(sent, c=None, waves=(), signals=(), follow=None)):
        found = to_examples(to_tensors(whole))
        assert isinstance(found, TrainingRecordings)
        assert found.follow == whole.follow
        for name in ("x", "waves", "signals"):
            pairs = zip(getattr(found, name), getattr(whole, name), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)


def test_a_batch_has_a_row_for_every_process() -> None:
    group = distributed.ProcessGroup(rank=1, world_size=3)
    rows = [distributed.ProcessGroup(rank, 3).rows_of(8) for rank in range(3)]
    assert [number for part in rows for number in range(8)[part]] == list(range(8))
    with pytest.raises(BadTrainingConfig, match="A batch of 2 cannot be shared by 3 processes"):
        group.rows_of(2)


def test_each_process_of_a_computer_has_a_graphics_card_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed.device_of_process(None) is None
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.device_of_process(None) == distributed.device_of_process("cuda") == "cuda:1"
    assert distributed.device_of_process("cpu") == "cpu"
