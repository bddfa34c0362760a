"""The job list shows every job that takes long, and Stop ends it."""

import typing

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core import jobs as queues
from studio.app.core.jobs import NOTICE_AFTER, JobStatus
from studio.app.window.job_list import progress_text
from studio.wire import messages as wire
from studio.wire.messages import (
    AnyCommand,
    AnyEvent,
    ComputeBits,
    DecodeLatent,
    Failed,
    FindLoop,
    Finished,
    PicturesPreview,
    Score,
    Stopped,
    StreamSound,
)
from tests.app.fake_engine import FakeEngine

PICTURE = np.zeros((8, 8, 3), np.uint8)
SOUND = np.zeros(4000, np.int16)
JOBS: dict[type[AnyCommand], AnyCommand] = {
    wire.Sample: wire.Sample(job="draw-1", model="tiny", seeds=(1, 2)),
    DecodeLatent: DecodeLatent(job="explore-1", model="tiny"),
    wire.Interpolate: wire.Interpolate(
        job="path-1", model="tiny", begin=wire.LatentPoint(), end=wire.LatentPoint(seed=1)
    ),
    wire.Encode: wire.Encode(job="encode-1", model="tiny", picture=PICTURE),
    wire.Inpaint: wire.Inpaint(job="fill-1", model="tiny", seeds=(1,), picture=PICTURE, mask=PICTURE[..., 0]),
    ComputeBits: ComputeBits(job="price-1", model="tiny", sound=SOUND, first_sample=2000),
    FindLoop: FindLoop(job="join-1", model="tiny", sound=SOUND, begin=0, end=2000),
    StreamSound: StreamSound(job="perform-1", model="tiny", seed=1),
    Score: Score(job="surprise-1", model="tiny", picture=PICTURE),
    wire.ScanFolder: wire.ScanFolder(job="scan-1", source=""),
    wire.PrepareTraining: wire.PrepareTraining(job="prepare-1", source="", family="", preset="", shape=(3, 8, 8)),
    wire.PreviewExamples: wire.PreviewExamples(job="examples-1", source="", config={}),
    wire.PackArtworks: wire.PackArtworks(job="packing-1", source="", config={}),
    wire.MeasureTraining: wire.MeasureTraining(job="measure-1", config={}),
    wire.Train: wire.Train(job="train-1", source="", run_folder="", config={}),
    wire.MakePyramid: wire.MakePyramid(job="pyramid-1", base="tiny", upsampler="ink", source="", name="large"),
    wire.DecodeClasses: wire.DecodeClasses(job="classes-1", model="tiny", point=wire.LatentPoint()),
    wire.CompareSamples: wire.CompareSamples(job="copies-1", model="tiny", source="", seeds=(1,), temperature=1.0),
    wire.Evaluate: wire.Evaluate(job="evaluate-1", model="tiny", source=""),
    wire.Doctor: wire.Doctor(job="doctor-1"),
}


class Clock:
    """Replaces the clock of the job list. A test advances it, and the list notices at once."""

    def __init__(self, window: AppState) -> None:
        self.now = 100.0
        self._queue = window.jobs
        window.jobs._clock = lambda: self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self._queue._add_noticed_jobs()


@pytest.fixture
def clock(window: AppState) -> Clock:
    return Clock(window)


def entries(window: AppState) -> list[JobStatus]:
    return list(window.jobs.jobs.get())


def test_every_command_is_tested() -> None:
    """Every command has a title, except those that belong to other jobs."""
    belong_to_others = {wire.Adjust, wire.SteerTraining, wire.Stop, wire.FindFile, wire.StoreFile, wire.KeepAlive}
    assert set(JOBS) == set(typing.get_args(AnyCommand)) - belong_to_others == set(queues.TITLES)


@pytest.mark.parametrize("command", JOBS.values(), ids=lambda command: type(command).__name__)
def test_work_of_half_a_second_is_listed_and_can_be_stopped(
    window: AppState, engine: FakeEngine, clock: Clock, command: AnyCommand
) -> None:
    engine.send(command)
    clock.advance(NOTICE_AFTER - 0.01)
    assert not entries(window), "short work is no news"
    clock.advance(0.02)
    (entry,) = entries(window)
    assert entry.job == command.job and entry.title[0].isupper() and "waits" in progress_text(entry)
    engine.emit_events(wire.Heartbeat(steps=1, job=command.job))
    assert progress_text(entries(window)[0]) == "at work"
    window.jobs.stop_job(command.job)
    assert engine.stopped == [command.job] and entries(window), "it stands there until it has ended"
    engine.emit_events(Stopped(job=command.job))
    assert not entries(window)
    clock.advance(9.0)
    assert not entries(window)


@pytest.mark.parametrize("ending", [Finished(job="join-1"), Failed(job="join-1", reason="No.")])
def test_a_job_leaves_the_list_when_it_ends(
    window: AppState, engine: FakeEngine, clock: Clock, ending: AnyEvent
) -> None:
    engine.send(JOBS[FindLoop])
    engine.emit_events(ending)
    clock.advance(1.0)
    assert not entries(window), "what ended soon is never shown"
    engine.send(JOBS[FindLoop])
    clock.advance(1.0)
    assert entries(window)
    engine.emit_events(ending)
    assert not entries(window)


def test_a_job_leaves_the_list_when_the_engine_dies(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    engine.send(JOBS[Score])
    clock.advance(1.0)
    assert entries(window)
    engine.die()
    assert not entries(window)


def test_an_adjustment_of_a_job_is_not_listed(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    engine.send(JOBS[StreamSound])
    engine.send(wire.Adjust(job="steer-1", running_job="perform-1", allowed_seconds=1.0))
    clock.advance(1.0)
    assert [entry.job for entry in entries(window)] == ["perform-1"]


def test_a_job_that_is_added_has_one_entry(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    window.generate.parameters.set_number(2)
    window.generate.start_batch()
    clock.advance(3.0)
    assert [entry.title for entry in entries(window)] == ["Tiny: 2 pictures"]
    job = engine.sent[-1].job
    engine.emit_events(Stopped(job=job))
    clock.advance(3.0)
    assert not entries(window)


def test_many_short_jobs_in_a_row_are_one_work(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    """Each of many surprisal maps takes less than half a second."""
    window.generate.parameters.set_number(9)
    window.generate.start_batch()
    job = engine.sent[-1].job
    pictures = np.stack([np.full((8, 8, 3), n, np.uint8) for n in range(9)])
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=pictures, done=1, total=1, log_prob=(0.0,) * 9), Finished(job=job)
    )
    window.surprisal.set_on(True)
    engine.status_changed.emit("Ready")
    seen = []
    for _ in range(3):
        command = engine.sent[-1]
        assert isinstance(command, Score)
        clock.advance(0.3)
        seen.append([entry.title for entry in entries(window)])
        bits = np.zeros((8, 8), np.float32)
        engine.emit_events(
            wire.Scored(job=command.job, log_prob=-1.0, bits=bits, is_bound=False), Finished(job=command.job)
        )
    assert seen == [[], ["Maps of surprise"], ["Maps of surprise"]]
    (entry,) = entries(window)
    window.jobs.stop_job(entry.job)
    count = len(engine.sent)
    engine.emit_events(Stopped(job=entry.job))
    assert not entries(window) and len(engine.sent) == count, "Stop ends the work, not one of its jobs"
    window.surprisal.set_on(False)
    window.surprisal.set_on(True)
    assert len(engine.sent) == count + 1, "the overlay continues when switched on again"


def test_a_moving_control_is_not_one_long_work(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    for number in range(5):
        engine.send(DecodeLatent(job=f"explore-{number}", model="tiny"))
        clock.advance(0.3)
        engine.emit_events(Finished(job=f"explore-{number}"))
        assert not entries(window)


def test_progress_is_shown_if_it_is_known(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    events: dict[type[AnyCommand], AnyEvent] = {
        ComputeBits: wire.BitsChunk(job="price-1", first_sample=2000, bits=np.zeros(500, np.float32)),
        wire.Interpolate: PicturesPreview(
            job="path-1", first=0, pictures=np.zeros((16, 8, 8, 3), np.uint8), done=1, total=1
        ),
        wire.Train: wire.TrainingProgress(job="train-1", step=25, steps=100, loss=3.0),
        wire.Evaluate: wire.EvaluationProgress(job="evaluate-1", done=50, total=200),
    }
    for kind, event in events.items():
        command = JOBS[kind]
        engine.send(command)
        clock.advance(1.0)
        engine.emit_events(wire.Heartbeat(steps=1, job=command.job))
        clock.advance(2.0)
        engine.emit_events(event)
        (entry,) = entries(window)
        assert entry.share == 0.25 and "25 %" in progress_text(entry) and "6 s" in progress_text(entry)
        engine.emit_events(Stopped(job=command.job))


def test_the_job_list_updates_by_itself(window: AppState, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.send(JOBS[wire.Encode])
    qtbot.waitUntil(lambda: bool(entries(window)))
    engine.emit_events(Stopped(job="encode-1"))
    assert not window.jobs._notice_timer.isActive() or not window.jobs._unlisted


def test_jobs_of_a_second_engine_are_listed_and_stopped(window: AppState, engine: FakeEngine, clock: Clock) -> None:
    trainer = FakeEngine()
    window.jobs.follow_engine(trainer)
    trainer.send(JOBS[wire.ScanFolder])
    clock.advance(NOTICE_AFTER + 0.01)
    files = tuple(wire.ExaminedFile(name=f"{n}.png", outcome="used") for n in range(5))
    trainer.emit_events(
        wire.FilesExamined(job="scan-1", files=files, thumbnails=np.zeros((0, 64, 64, 3), np.uint8), done=5, total=20)
    )
    (entry,) = entries(window)
    assert entry.title == "Examining a folder" and "25 %" in progress_text(entry)
    window.jobs.stop_job("scan-1")
    assert trainer.stopped == ["scan-1"]
    trainer.emit_events(Stopped(job="scan-1"))
    assert not entries(window)


def test_trainings_and_their_queue_are_listed_after_all_other_jobs(window: AppState, engine: FakeEngine) -> None:
    jobs = window.jobs
    jobs.set_queue([JobStatus("queued-a", "A", 0, 0, 0.0, None, None, queue_place=1)])
    jobs.add_training("training-1", "Garden learns", 2000, lambda: None)
    jobs.add_job("draw-1", "Tiny: 2 pictures", 2)
    assert [entry.title for entry in entries(window)] == ["Tiny: 2 pictures", "Garden learns", "A"]
