"""The clock of a training counts only the time in which it can learn."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.engine.training import clock
from studio.engine.training.clock import TrainingClock

STOPPED_SECONDS = 3.0
PROGRAM = """
import json, sys, time
from pathlib import Path
from studio.engine.training import clock, loop
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, training_steps

clock.STANDSTILL_SECONDS = clock.REPORT_SECONDS = 0.5
x = make_pictures()
run = new_run(Path(sys.argv[1]), make_config(steps=10**6, evaluate_every=10**6))
for result in training_steps(run, x):
    time.sleep(0.01)
    if result is not None:
        print(json.dumps([time.monotonic(), result.step, result.seconds, result.seconds_left]), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process")
def test_a_training_that_was_stopped_for_a_while_does_not_count_that_time(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
    ) as training:
        assert training.stdout is not None
        try:
            before = [json.loads(training.stdout.readline()) for _ in range(4)][-1]
            training.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED_SECONDS)
            training.send_signal(signal.SIGCONT)
            after = [json.loads(training.stdout.readline()) for _ in range(4)][-1]
        finally:
            training.kill()
    passed = after[0] - before[0]
    assert after[2] - before[2] <= passed - STOPPED_SECONDS + 1


def test_a_stop_is_not_spread_over_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now, still = [100.0], [0.0]
    monkeypatch.setattr(clock.StandstillWatch, "seconds", property(lambda watch: still[0]))
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    ours = TrainingClock(0.0)
    for step in range(20):
        now[0] += 1
        if step == 10:
            now[0] += 3600
            still[0] += 3600
        seconds = ours.count_step()
        ours.note_report()
    assert seconds == pytest.approx(20) and ours.seconds_left(100) == pytest.approx(100)
    ours.close()


def test_waiting_for_the_disk_says_nothing_about_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(clock.StandstillWatch, "seconds", 0.0)
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    ours = TrainingClock(0.0)
    for step in range(20):
        now[0] += 1
        seconds = ours.count_step()
        ours.note_report()
        if step == 10:
            with ours.wait():
                now[0] += 3600
        ours.pause()
        now[0] += 0.5  # other jobs
        ours.resume()
    assert seconds == pytest.approx(20)
    assert ours.seconds_left(100) == pytest.approx(150), "as long as steps and other jobs took"
    ours.close()


def test_a_checkpoint_is_saved_before_it_is_older_than_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(clock.StandstillWatch, "seconds", 0.0)
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    ours = TrainingClock(0.0)
    ages: list[float] = []
    saved = 0.0
    for _ in range(200):
        now[0] += 2.5  # a step
        if ours.is_save_due(60):
            now[0] += 4  # saving
            ages.append(now[0] - saved)
            ours.note_save()
            saved = now[0]
    ours.close()
    assert len(ages) > 5 and max(ages[1:]) <= 60, "the first save is not yet known to take 4 seconds"
