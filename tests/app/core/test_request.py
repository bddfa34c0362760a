"""A request asks one question at a time and receives only its own answers."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from pytestqt.qtbot import QtBot

from studio.app.core.observable import EngineProtocol as EngineProtocol
from studio.app.core.request import Policy, Request
from studio.app.engine.client import EngineClient
from studio.wire.messages import (
    Adjust,
    AnyCommand,
    AnyEvent,
    Decoded,
    Encoded,
    Failed,
    Finished,
    PicturesPreview,
    Sample,
    Stopped,
)
from tests.app.fake_engine import DIED, FakeEngine
from tests.limits import LIMIT

PICTURES = np.zeros((1, 2, 2, 3), np.uint8)
LIGHT = [sys.executable, str(Path(__file__).parents[2] / "engine" / "light.py")]
EACH: tuple[Policy, ...] = ("latest", "queue", "single")


class Asker(QObject):
    """Owns a request, and notes its signals."""

    def __init__(self, engine: EngineProtocol, policy: Policy, name: str = "draw") -> None:
        super().__init__()
        self.signals: list[tuple[str, object]] = []
        self.at_once: list[tuple[AnyEvent, threading.Thread]] = []
        self.request = Request(engine, name, policy, self, at_once=self._note_at_once)
        self.request.progressed.connect(lambda event: self.signals.append(("progressed", event)))
        self.request.answered.connect(lambda event: self.signals.append(("answered", event)))
        self.request.stopped.connect(lambda: self.signals.append(("stopped", None)))
        self.request.failed.connect(lambda event: self.signals.append(("failed", event)))
        self.request.lost.connect(lambda why: self.signals.append(("lost", why)))

    def _note_at_once(self, event: AnyEvent) -> None:
        self.at_once.append((event, threading.current_thread()))

    def ask(self, model: str = "tiny", seeds: int = 1) -> None:
        self.request.ask(lambda job: Sample(job=job, model=model, seeds=tuple(range(seeds))))

    @property
    def signal_names(self) -> list[str]:
        return [what for what, _ in self.signals]


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.status_changed.emit("Ready")
    return engine


def models(engine: FakeEngine) -> list[str]:
    """Return the models of the sent commands, in order."""
    return [command.model for command in engine.sent if isinstance(command, Sample)]


def last_job(engine: FakeEngine) -> str:
    return engine.sent[-1].job


def make_preview(job: str) -> PicturesPreview:
    return PicturesPreview(job=job, first=0, pictures=PICTURES, done=1, total=1)


# ── delivery ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policy", EACH)
def test_an_event_reaches_only_the_request_that_asked(engine: FakeEngine, policy: Policy) -> None:
    one = Asker(engine, policy)
    other = Asker(engine, policy, "paint")
    one.ask()
    other.ask()
    part = make_preview(one.request.job)
    end = Finished(job=one.request.job)
    engine.emit_events(part, end, make_preview("stranger"))
    assert one.signals == [("progressed", part), ("answered", end)] and not other.signals
    assert [event for event, _ in one.at_once] == [part, end] and not other.at_once
    assert not one.request.running.get() and other.request.running.get()


def test_a_whole_answer_closes_the_question_and_the_ending_after_it_ends_no_other(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    asker.ask()
    first = last_job(engine)
    engine.emit_events(Decoded(job=first, picture=PICTURES[0]))
    assert asker.signal_names == ["answered"] and not asker.request.running.get()
    asker.ask()
    engine.emit_events(Finished(job=first))
    assert asker.signal_names == ["answered"] and asker.request.running.get()
    engine.emit_events(Stopped(job=last_job(engine)))
    assert asker.signal_names == ["answered", "stopped"]


def test_a_failure_carries_its_reason(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    asker.ask()
    failure = Failed(job=last_job(engine), reason="Memory ran out.")
    engine.emit_events(failure)
    assert asker.signals == [("failed", failure)]


def test_names_of_jobs_are_never_used_twice(engine: FakeEngine) -> None:
    one = Asker(engine, "single")
    other = Asker(engine, "single", "paint")
    for asker in (one, other, one, other):
        asker.ask()
        asker.request.cancel()
    jobs = [command.job for command in engine.sent]
    assert len(set(jobs)) == 4 and engine.stopped == jobs


def test_a_change_names_the_open_job_and_is_sent_for_no_other(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    asker.request.steer(report_entropy=True)
    assert not engine.sent
    asker.ask()
    job = last_job(engine)
    asker.request.steer("dials", share=0.5)
    asker.request.steer(report_entropy=True)
    changes = [command for command in engine.sent if isinstance(command, Adjust)]
    assert [(change.running_job, change.control) for change in changes] == [(job, f"dials-{job}"), (job, "")]
    assert changes[0].share == 0.5 and len({change.job for change in changes}) == 2
    engine.emit_events(Finished(job=job))
    asker.request.steer(report_entropy=False)
    assert len(engine.sent) == 3


# ── policies ─────────────────────────────────────────────────────────────────────────────────────


def test_latest_asks_the_newest_waiting_question(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    for model in ("a", "b", "c"):
        asker.ask(model)
    assert models(engine) == ["a"] and not engine.stopped, "a long drag still shows answers"
    engine.emit_events(
        Encoded(
            job=last_job(engine),
            latent=PICTURES,
            exact=True,
            differing=0,
            total=1,
            largest_difference=0,
            bits=1,
            is_bound=0,
        )
    )
    assert models(engine) == ["a", "c"] and asker.signal_names == ["answered"]
    engine.emit_events(Finished(job=last_job(engine)))
    assert models(engine) == ["a", "c"] and asker.signal_names == ["answered", "answered"]


def test_latest_forgets_waiting_questions_after_a_stop_and_continues_after_a_failure(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    asker.ask("a")
    asker.ask("b")
    engine.emit_events(Stopped(job=last_job(engine)))
    assert models(engine) == ["a"] and not asker.request.running.get()
    asker.ask("c")
    asker.ask("d")
    engine.emit_events(Failed(job=last_job(engine), reason="No."))
    assert models(engine) == ["a", "c", "d"]


def test_latest_waits_for_the_end_of_a_cancelled_job(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    asker.ask("a")
    cancelled = last_job(engine)
    asker.request.cancel()
    asker.ask("b")
    assert engine.stopped == [cancelled] and models(engine) == ["a"]
    assert asker.request.is_named(cancelled) and not asker.request.is_named("")
    engine.emit_events(make_preview(cancelled))
    assert models(engine) == ["a"]
    engine.emit_events(Stopped(job=cancelled))
    assert models(engine) == ["a", "b"] and not asker.signals
    assert not asker.request.is_named(cancelled)


def test_a_question_is_built_at_its_turn_and_dropped_if_it_is_pointless(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    wanted = ["first"]

    def question(job: str) -> AnyCommand | None:
        return Sample(job=job, model=wanted[0], seeds=(1,)) if wanted else None

    asker.request.ask(question)
    asker.request.ask(question)
    wanted[0] = "newer"
    engine.emit_events(Finished(job=last_job(engine)))
    assert models(engine) == ["first", "newer"]
    asker.request.ask(question)
    wanted.clear()
    engine.emit_events(Finished(job=last_job(engine)))
    assert len(engine.sent) == 2 and not asker.request.running.get() and not asker.request.job


@pytest.mark.parametrize("policy", EACH)
def test_a_question_that_cannot_be_built_does_not_block_others(engine: FakeEngine, policy: Policy) -> None:
    asker = Asker(engine, policy)

    def question(job: str) -> AnyCommand:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        asker.request.ask(question)
    assert not asker.request.running.get()
    asker.ask("a")
    assert models(engine) == ["a"]


def test_the_next_question_can_be_sent_before_the_answer_is_shown(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    seen = list[list[str]]()
    asker.request.answered.connect(lambda event: (asker.request.send_next(), seen.append(models(engine))))
    asker.ask("a")
    asker.ask("b")
    engine.emit_events(Finished(job=last_job(engine)))
    assert seen == [["a", "b"]] and models(engine) == ["a", "b"]


def test_a_queue_asks_all_in_order_whatever_the_answers(engine: FakeEngine) -> None:
    asker = Asker(engine, "queue")
    for model in ("a", "b", "c", "d"):
        asker.ask(model)
    assert models(engine) == ["a"]
    engine.emit_events(Stopped(job=last_job(engine)))
    assert models(engine) == ["a", "b"]
    engine.emit_events(Failed(job=last_job(engine), reason="No."))
    assert models(engine) == ["a", "b", "c"]
    engine.die()
    assert models(engine) == ["a", "b", "c", "d"]
    assert asker.request.running.get()
    engine.emit_events(Finished(job=last_job(engine)))
    assert asker.signal_names == ["stopped", "failed", "lost", "answered"] and not asker.request.running.get()


def test_a_single_question_ignores_others_while_it_is_open(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    asker.ask("a")
    asker.ask("b")
    engine.emit_events(Finished(job=last_job(engine)))
    assert models(engine) == ["a"]
    asker.ask("c")
    assert models(engine) == ["a", "c"]


# ── endings ──────────────────────────────────────────────────────────────────────────────────────


def test_stop_delivers_the_parts_that_are_finished(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    asker.ask()
    asker.request.stop()
    assert engine.stopped == [last_job(engine)]
    engine.emit_events(make_preview(last_job(engine)), Stopped(job=last_job(engine)))
    assert asker.signal_names == ["progressed", "stopped"]
    asker.request.stop()
    assert len(engine.stopped) == 1, "nothing is open"


@pytest.mark.parametrize("policy", EACH)
def test_late_answers_of_a_cancelled_job_are_not_delivered(engine: FakeEngine, policy: Policy) -> None:
    asker = Asker(engine, policy)
    asker.ask("a")
    asker.ask("b")
    job = last_job(engine)
    asker.request.cancel()
    assert not asker.request.running.get()
    engine.emit_events(make_preview(job), Decoded(job=job, picture=PICTURES[0]), Stopped(job=job))
    assert not asker.signals and models(engine) == ["a"], "what waited is forgotten"
    asker.ask("c")
    engine.emit_events(Finished(job=last_job(engine)))
    assert asker.signal_names == ["answered"]


def test_a_question_that_is_left_ends_without_signals(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    asker.ask("a")
    left = last_job(engine)
    asker.request.leave()
    asker.ask("b")
    engine.emit_events(make_preview(left), Failed(job=left, reason="No."))
    assert not asker.signals and not engine.stopped and models(engine) == ["a", "b"]
    engine.emit_events(Finished(job=last_job(engine)))
    assert asker.signal_names == ["answered"]


def test_the_request_of_a_deleted_owner_stops_its_jobs_without_signals(engine: FakeEngine) -> None:
    asker = Asker(engine, "single")
    signals = asker.signals
    asker.ask("a")
    engine.emit_events(Finished(job=last_job(engine)))
    asker.ask("b")
    job = last_job(engine)
    asker.deleteLater()
    QCoreApplication.sendPostedEvents(asker, QEvent.Type.DeferredDelete)
    assert engine.abandoned == [job]
    engine.emit_events(make_preview(job), Stopped(job=job))
    engine.die()
    assert [what for what, _ in signals] == ["answered"]


# ── the engine dies ──────────────────────────────────────────────────────────────────────────────


def test_the_death_of_the_engine_is_reported_and_nothing_is_asked_again(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    idle = Asker(engine, "latest", "paint")
    asker.ask("a")
    asker.ask("b")
    engine.die()
    assert asker.signals == [("lost", DIED)] and not idle.signals
    assert models(engine) == ["a"] and not asker.request.running.get()
    engine.status_changed.emit("Ready")
    assert models(engine) == ["a"]
    asker.ask("c")
    assert models(engine) == ["a", "c"]


def test_a_job_that_was_cancelled_before_the_engine_died_blocks_nothing(engine: FakeEngine) -> None:
    asker = Asker(engine, "latest")
    asker.ask("a")
    asker.request.cancel()
    asker.ask("b")
    engine.die()
    assert not asker.signals and models(engine) == ["a"]
    asker.ask("c")
    assert models(engine) == ["a", "c"]


@pytest.mark.parametrize(("policy", "starts"), [("latest", 0), ("queue", 1), ("single", 1)])
def test_an_engine_that_waits_for_the_user_starts_if_the_user_asks(
    engine: FakeEngine, policy: Policy, starts: int
) -> None:
    asker = Asker(engine, policy)
    engine.status_changed.emit("Stopped")
    assert not asker.request.ready
    asker.ask()
    assert engine.starts == starts
    asker.request.start_engine()
    assert engine.starts == starts + 1
    engine.status_changed.emit("Starting")
    asker.request.start_engine()
    assert engine.starts == starts + 1 and not asker.request.ready
    engine.status_changed.emit("Working")
    assert asker.request.ready


# ── the real engine ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def real(qtbot: QtBot) -> Iterator[Callable[..., EngineClient]]:
    """Creates an engine's client, and closes it when the test ends."""
    engines: list[EngineClient] = []

    def create(program: list[str], **settings: float) -> EngineClient:
        engines.append(EngineClient(program, **settings))
        return engines[-1]

    yield create
    for engine in engines:
        engine.close()


def test_at_once_runs_in_the_reading_thread_and_signals_in_the_windows(
    real: Callable[..., EngineClient], qtbot: QtBot
) -> None:
    engine = real(LIGHT)
    threads = set[threading.Thread]()
    asker = Asker(engine, "single")
    asker.request.progressed.connect(lambda event: threads.add(threading.current_thread()))
    engine.start()
    asker.ask("batch", 3)
    end = time.monotonic() + LIMIT
    while len(asker.at_once) < 4 and time.monotonic() < end:
        time.sleep(0.01)  # the window is blocked
    assert [type(event) for event, _ in asker.at_once] == [
        PicturesPreview,
        PicturesPreview,
        PicturesPreview,
        Finished,
    ] and not asker.signals
    assert threading.main_thread() not in {thread for _, thread in asker.at_once}
    qtbot.waitUntil(lambda: not asker.request.running.get())
    assert asker.signal_names == ["progressed"] * 3 + ["answered"] and threads == {threading.main_thread()}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_engine_is_replaced_and_the_request_asks_the_new_one(
    real: Callable[..., EngineClient], qtbot: QtBot
) -> None:
    engine = real(LIGHT)
    messages = list[str]()
    engine.message_raised.connect(messages.append)
    asker = Asker(engine, "single")
    engine.start()
    asker.ask("batch", 4096)
    qtbot.waitUntil(lambda: bool(asker.signals))
    os.kill(engine.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not asker.request.running.get())
    assert asker.signals[-1] == ("lost", messages[-1])
    asker.ask("batch", 2)
    qtbot.waitUntil(lambda: asker.signal_names[-1] == "answered")
    assert asker.signal_names[-3:] == ["progressed", "progressed", "answered"]


def test_after_too_many_crashes_only_the_users_question_starts_another(
    real: Callable[..., EngineClient], qtbot: QtBot
) -> None:
    engine = real([*LIGHT, "--broken"])
    live = Asker(engine, "latest", "live")
    asker = Asker(engine, "single")
    engine.start()
    qtbot.waitUntil(lambda: engine.now == "Stopped")
    live.ask("batch")
    qtbot.waitUntil(lambda: live.signal_names == ["failed"])
    assert engine.now == "Stopped"
    engine.program = LIGHT
    asker.ask("batch", 1)
    qtbot.waitUntil(lambda: asker.signal_names == ["progressed", "answered"])
    assert engine.now == "Ready"
