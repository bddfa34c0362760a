"""After a twentieth of a run, the estimate of the remaining time is right within a fifth."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from studio import zoo
from studio.engine.levels import TrainingExamples
from studio.engine.training import clock as training_clock
from studio.engine.training import loop
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.loop import train_run
from studio.engine.training.pace import WINDOW_SECONDS, Pace
from studio.engine.training.training_run import TrainingRun

STEPS = 400


class Clock:
    """Replaces the clock. A test moves it forward by the time that work takes."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class NeverStill:
    """Replaces StandstillWatch, which looks at the real clock."""

    seconds = 0.0

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("step_seconds", "measure_seconds"), [(0.5, 4.0), (3.0, 20.0), (0.02, 0.2)])
def test_the_time_left_is_right_within_a_fifth_after_a_twentieth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_seconds: float, measure_seconds: float
) -> None:
    clock = Clock()

    def step(run: TrainingRun, batch: object, *, bf16: bool) -> str:
        clock.now += step_seconds * (40 if run.progress.step == 0 else 1)  # the first one prepares everything
        return ""

    def measure(*_: object) -> float:
        clock.now += measure_seconds
        return 5.0

    monkeypatch.setattr(training_clock, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(training_clock, "StandstillWatch", NeverStill)
    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(loop, "_measure", measure)
    plan = TrainingPlan(steps=STEPS, batch=4, evaluate_every=10, save_every_seconds=1e9)
    config = TrainingConfig(
        name="few", title="Few", subject="Few", training_data="few", licence="CC0 1.0", shape=(1, 8, 8),
        recipe=zoo.maf.MAF(layers=1, hidden=(4,)), plan=plan,
    )  # fmt: skip
    x = TrainingExamples(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8))
    run = TrainingRun(config, tmp_path / "run", torch.device("cpu"))
    told: list[tuple[int, float, float]] = []
    for report in train_run(run, x, x, bf16=False):
        if report is not None:
            told.append((report.step, clock.now, report.seconds_left))
        if run.progress.step in (1, 100, 200, 300):  # samples are drawn between two steps
            clock.now += 10 * step_seconds
    end = clock.now
    known = [(number, at, left) for number, at, left in told if left]
    assert known[0][0] <= STEPS / 20
    for _, at, left in (report for report in known if report[0] >= STEPS / 20):
        if at < 0.9 * end:
            assert left == pytest.approx(end - at, rel=0.2)


def test_no_time_is_reported_before_it_is_known() -> None:
    pace = Pace()
    assert pace.seconds_for(100) == 0.0
    pace.add_mark(1, 50.0)
    pace.add_mark(2, 60.0)
    assert pace.seconds_for(100) == 0.0, "the first step and the time just after it do not count"
    pace.add_mark(12, 80.0)
    assert pace.seconds_for(100) == pytest.approx(200.0)


def test_a_computer_that_becomes_busy_is_noticed() -> None:
    pace = Pace()
    now, steps = 0.0, 0
    for step_seconds in (1.0, 3.0):
        for _ in range(round(3 * WINDOW_SECONDS / step_seconds)):
            now += step_seconds
            steps += 1
            pace.add_mark(steps, now)
    assert pace.seconds_for(100) == pytest.approx(300.0, rel=0.05)
