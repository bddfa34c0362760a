"""The device, its memory, and what the user and the jobs are told about them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from studio.engine import device
from studio.engine.device import ComputeDevice, NoDevice, batch_that_fits, choose_device, free_memory
from tests.limits import LIMIT

CPU = ComputeDevice(torch.device("cpu"), "Processor, 2 threads", 2, has_bf16=False)


def test_the_processor_is_always_available_and_named_in_words() -> None:
    found = choose_device("cpu")
    assert found.torch_device.type == "cpu"
    assert found.description.startswith(f"Processor, {found.threads} thread")
    assert torch.get_num_threads() == found.threads


def test_the_best_working_device_is_chosen_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        assert choose_device().torch_device.type == "cuda"
    monkeypatch.setattr(device, "_device_works", lambda wish: wish == "cpu")
    assert choose_device().torch_device.type == "cpu"


@pytest.mark.parametrize("wish", ["banana", "meta", "cuda:99", "<b>cuda"])
def test_a_missing_device_is_refused_with_a_list_of_devices(wish: str) -> None:
    with pytest.raises(NoDevice, match=r"no device .* It has: .*cpu"):
        choose_device(wish)


def test_free_memory_is_less_than_the_total_and_more_than_this_test_needs() -> None:
    assert 10 * 2**20 < free_memory(CPU.torch_device) < 2**50


def test_a_container_limits_threads_and_memory(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert device._quota(tmp_path / "cpu.max") == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert device._quota(tmp_path / "cpu.max") == sys.maxsize
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200\n")
    assert device._free_container_memory(tmp_path) == 500
    (tmp_path / "memory.max").write_text("max\n")
    assert device._free_container_memory(tmp_path) == sys.maxsize


def test_a_batch_is_cut_to_what_fits_and_one_is_always_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "free_memory", lambda _: 1000)
    assert batch_that_fits(CPU, 64, 1) == 64
    assert batch_that_fits(CPU, 64, 50) == 10
    assert batch_that_fits(CPU, 64, 10**9) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has classes of priority")
def test_a_training_lets_others_go_first_but_still_gets_its_share() -> None:
    words = "import sys; from studio.engine.device import lower_priority; lower_priority(); sys.stdin.read()"
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE) as training:
        end = time.monotonic() + LIMIT
        while os.getpriority(os.PRIO_PROCESS, training.pid) != min(usual + 10, 19):
            assert time.monotonic() < end and training.poll() is None
            time.sleep(0.01)
        if sys.platform == "linux":
            assert os.sched_getscheduler(training.pid) == os.SCHED_OTHER, "at idle priority it may get no time at all"
        training.kill()
    assert os.getpriority(os.PRIO_PROCESS, 0) == usual, "the tests are another process"


KEPT = """
import sys, torch
from studio.engine.device import keep_freed_memory
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
def given_back():
    x = torch.ones(2**26, dtype=torch.uint8)
    before = held()
    del x
    return before - held()
print(given_back())
if not keep_freed_memory():
    sys.exit(77)
print(given_back())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the knob is glibc's")
def test_freed_memory_is_kept_for_the_next_tensor() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this C library has no such knob")
    plain, steady = map(int, done.stdout.split())
    assert plain > 2**25
    assert steady < 2**20
