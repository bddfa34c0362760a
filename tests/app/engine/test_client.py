"""The window's engine: it dies, hangs, is stopped or goes with the window, and nobody waits for ever."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from studio.app.engine import client as module
from studio.app.engine.client import EngineClient, local_program
from studio.wire.frames import encode
from studio.wire.messages import (
    Doctor,
    Ending,
    Event,
    Failed,
    Finished,
    Heartbeat,
    Notice,
    PicturesPreview,
    Ready,
    Sample,
    Starting,
    Stopped,
    Train,
)
from tests.limits import LIMIT

ROOT = Path(__file__).parents[3]
LIGHT = [sys.executable, str(ROOT / "tests" / "engine" / "light.py")]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def sample(job: str, model: str = "batch", seeds: int = 100) -> Sample:
    return Sample(job=job, model=model, seeds=tuple(range(seeds)))


class Window:
    """Notes what an engine says, as a window would show it."""

    def __init__(self, qtbot: QtBot, engine: EngineClient) -> None:
        self.qtbot = qtbot
        self.engine = engine
        self.events: list[Event] = []
        self.status: list[str] = []
        self.lost: list[tuple] = []
        self.said: list[str] = []
        self.pids: set[int] = set()
        engine.event_received.connect(self.events.append)
        engine.status_changed.connect(self.status.append)
        engine.lost.connect(self.lost.append)
        engine.message_raised.connect(self.said.append)
        engine.status_changed.connect(lambda _: self.pids.add(engine.process_id))

    def until(self, true: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(true()))

    def has(self, kind: type, job: str = "") -> list[Event]:
        return [e for e in self.events if isinstance(e, kind) and (not job or e.job == job)]


@pytest.fixture
def opened(qtbot: QtBot) -> Iterator[Callable[..., Window]]:
    """Opens a window on an engine; when the test ends, it closes and no process may be left."""
    windows: list[Window] = []

    def open_(program: list[str] | None = None, **settings: float) -> Window:
        windows.append(Window(qtbot, EngineClient(program or LIGHT, **settings)))
        return windows[-1]

    yield open_
    for window in windows:
        window.engine.close()
        assert window.engine.now == "Stopped"
        assert not [pid for pid in window.pids if pid and alive(pid)]


def test_it_starts_works_and_rests(opened: Callable[..., Window]) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", seeds=3))  # asked before it is ready
    window.until(lambda: window.has(Finished, "a") and window.engine.now == "Ready")
    assert window.status == ["Starting", "Working", "Ready"]
    told = [type(e) for e in window.events if not isinstance(e, Heartbeat)]
    assert told == [Starting, Ready, PicturesPreview, PicturesPreview, PicturesPreview, Finished]
    assert window.engine.ready.device == "Paper"
    assert not window.said


class Receiver:
    """Notes what is delivered to it, and in which thread."""

    def __init__(self, at_once: Callable[[Event], object] = lambda event: None) -> None:
        self.at_once = at_once
        self.heard: list[tuple[Event, threading.Thread]] = []
        self.received: list[Event] = []
        self.lost: list[tuple[str, str]] = []

    def receive_at_once(self, event: Event) -> None:
        self.heard.append((event, threading.current_thread()))
        self.at_once(event)

    def receive(self, job: str, event: Event) -> None:
        assert threading.current_thread() is threading.main_thread() and event.job == job
        self.received.append(event)

    def lose(self, job: str, why: str) -> None:
        self.lost.append((job, why))


def test_each_answer_is_heard_at_once_while_the_window_stands_still(opened: Callable[..., Window]) -> None:
    window, receiver = opened(), Receiver()
    window.engine.start()
    window.engine.send(sample("a", seeds=3), receiver)
    end = time.monotonic() + LIMIT
    while Finished not in [type(event) for event, _ in receiver.heard] and time.monotonic() < end:
        time.sleep(0.01)  # no event of Qt is looked at
    assert [type(event) for event, _ in receiver.heard] == [PicturesPreview, PicturesPreview, PicturesPreview, Finished]
    assert threading.main_thread() not in [thread for _, thread in receiver.heard]
    assert not window.events and not receiver.received
    window.until(lambda: window.has(Finished, "a"))
    assert [type(event) for event in receiver.received] == [PicturesPreview, PicturesPreview, PicturesPreview, Finished]


def test_each_answer_goes_to_the_one_that_asked(opened: Callable[..., Window]) -> None:
    window, one, other = opened(), Receiver(), Receiver()
    announced: list[Event] = []
    window.engine.announced.connect(announced.append)
    window.engine.start()
    window.engine.send(sample("a", seeds=2), one)
    window.engine.send(sample("b", seeds=3), other)
    window.engine.send(sample("c", seeds=1))
    window.until(lambda: window.has(Finished, "c"))
    for receiver, job, count in ((one, "a", 2), (other, "b", 3)):
        assert [event.job for event in receiver.received] == [job] * (count + 1)
        assert [event for event, _ in receiver.heard] == receiver.received
    assert {type(event) for event in announced} >= {Starting, Ready}
    assert not [event for event in announced if not isinstance(event, Heartbeat) and getattr(event, "job", "")]


def test_each_that_asked_is_told_what_is_lost(opened: Callable[..., Window]) -> None:
    window, done, open_, refused = opened(), Receiver(), Receiver(), Receiver()
    window.engine.start()
    window.engine.send(sample("a", seeds=1), done)
    window.engine.send(sample("b", "die"), open_)
    window.until(lambda: window.lost)
    assert open_.lost == [("b", window.said[-1])] and not done.lost
    window.engine.close()
    window.engine.send(sample("c"), refused)
    window.until(lambda: refused.received)
    assert [type(event) for event in refused.received] == [Failed]


def test_an_abandoned_command_is_stopped_and_nobody_hears_of_it(opened: Callable[..., Window]) -> None:
    window, receiver = opened(), Receiver()
    window.engine.start()
    window.engine.send(sample("a", seeds=4096), receiver)
    window.until(lambda: receiver.received)
    window.engine.abandon("a")
    count = len(receiver.received)
    window.until(lambda: window.has(Stopped, "a"))
    assert len(receiver.received) == count


def test_a_fault_in_what_is_done_at_once_ends_that_engine_and_not_the_window(
    opened: Callable[..., Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened()
    faults = ["planted"]
    told: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, fault, trace: told.append(str(fault)))

    def once(event: object) -> None:
        if isinstance(event, PicturesPreview) and faults:
            raise RuntimeError(faults.pop())

    window.engine.start()
    window.engine.send(sample("a", seeds=3), Receiver(once))
    window.until(lambda: window.lost)
    assert "unreadable" in window.said[0] and not window.has(Finished, "a")
    assert told == ["planted"]
    window.until(lambda: window.engine.now == "Ready")
    window.engine.send(sample("b", seeds=3), Receiver(once))
    window.until(lambda: window.has(Finished, "b"))
    assert len(window.has(PicturesPreview, "b")) == 3 and len(window.said) == 1


def test_stop_ends_a_job(opened: Callable[..., Window]) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", seeds=4096))
    window.until(lambda: window.has(PicturesPreview))
    window.engine.stop("a")
    window.until(lambda: window.has(Ending))
    assert window.has(Stopped, "a")
    assert len(window.has(PicturesPreview)) < 1000


@posix
def test_killed_in_the_middle_of_a_batch_ten_times_the_window_lives_and_no_process_is_left(
    opened: Callable[..., Window],
) -> None:
    window = opened(forgive_after=0)
    engine = window.engine
    engine.start()
    for time_ in range(10):
        job = f"batch {time_}"
        engine.send(sample(job, seeds=4096))
        window.until(lambda job=job: window.has(PicturesPreview, job))
        killed = engine.process_id
        os.kill(killed, signal.SIGKILL)
        window.until(lambda time_=time_: len(window.lost) == time_ + 1)
        assert [c.job for c in window.lost[-1]] == [job]
        assert not alive(killed)
    engine.send(sample("last", seeds=2))
    window.until(lambda: window.has(Finished, "last"))
    assert len(window.said) == 10
    assert "Another one is starting" in window.said[0]
    assert len(window.pids - {0}) == 11
    assert [e.job for e in window.events if isinstance(e, Ending)] == ["last"]


@pytest.mark.parametrize("model", ["die", "leave"])
def test_an_end_that_nobody_asked_for_is_a_crash_whatever_its_status(opened: Callable[..., Window], model: str) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", model))
    window.engine.send(sample("b"))
    window.until(lambda: window.lost and window.engine.now == "Ready")
    assert [c.job for c in window.lost[0]] == ["a", "b"]
    assert len(window.lost) == 1
    window.engine.send(sample("a", seeds=2))
    window.until(lambda: window.has(Finished, "a"))


def test_what_arrived_before_a_death_counts(opened: Callable[..., Window]) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("done", seeds=2))
    window.engine.send(sample("deadly", "die"))
    window.until(lambda: window.lost)
    assert window.has(Finished, "done")
    assert [c.job for c in window.lost[0]] == ["deadly"]


def test_a_crash_loop_ends_with_words_and_a_person_can_start_again(opened: Callable[..., Window]) -> None:
    window = opened([*LIGHT, "--broken"])
    window.engine.start()
    window.until(lambda: window.engine.now == "Stopped")
    assert window.has(Failed)
    assert "3 times" in window.said[-1]
    assert "a_library_that_is_not_there" in window.said[-1]
    assert any("Traceback" in line for line in window.engine.log_text)
    window.engine.send(sample("a"))
    window.until(lambda: window.has(Failed, "a"))
    assert "stopped" in window.has(Failed, "a")[0].reason
    window.engine.program = LIGHT
    window.engine.start()
    window.until(lambda: window.engine.now == "Ready")


def test_a_program_that_is_not_there_is_named(opened: Callable[..., Window]) -> None:
    window = opened(["/no/such/engine"])
    window.engine.start()
    window.until(lambda: window.engine.now == "Stopped")
    assert '"/no/such/engine"' in window.said[-1]


def test_what_is_asked_between_two_engines_waits_for_the_next(
    opened: Callable[..., Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTART_DELAYS", (0.3, 0.3))
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", "die"))
    window.until(lambda: window.lost)
    assert window.engine.process_id == 0
    window.engine.send(sample("b", seeds=2))
    window.engine.send(sample("c"))
    window.engine.stop("c")
    window.until(lambda: window.has(Finished, "b"))
    assert window.has(Stopped, "c")
    assert not window.has(PicturesPreview, "c")


@posix
def test_a_frozen_engine_is_noticed_by_the_missing_pulse(opened: Callable[..., Window]) -> None:
    window = opened(hang_after=1.5)
    window.engine.start()
    window.engine.send(sample("a", seeds=4096))
    window.until(lambda: window.has(PicturesPreview))
    os.kill(window.engine.process_id, signal.SIGSTOP)
    window.until(lambda: window.lost)
    assert "stopped answering" in window.said[-1]
    window.until(lambda: window.engine.now == "Ready")


def test_a_step_that_does_not_end_is_noticed_though_the_pulse_goes_on(opened: Callable[..., Window]) -> None:
    window = opened(hang_after=0.8)
    window.engine.start()
    window.engine.send(sample("a", "long step"))
    window.until(lambda: window.lost)
    assert len(window.has(Heartbeat)) >= 3
    assert "stopped answering" in window.said[-1]


def test_a_job_of_the_queue_may_take_its_time(opened: Callable[..., Window]) -> None:
    window = opened(hang_after=1.5)
    window.engine.start()
    window.engine.send(Train(job="t", source="long step", run_folder="r", config={}))
    window.until(lambda: window.has(Notice))
    window.qtbot.wait(5500)
    assert not window.lost


def test_time_in_which_the_window_stood_still_is_not_counted(opened: Callable[..., Window]) -> None:
    window = opened(hang_after=1.5)
    window.engine.start()
    window.until(lambda: window.engine.now == "Ready")
    time.sleep(3)
    window.qtbot.wait(300)
    assert window.engine.now == "Ready"
    assert not window.said


def test_answers_of_an_ended_command_are_not_heard(opened: Callable[..., Window]) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", seeds=2))
    window.until(lambda: window.has(Finished))
    count = len(window.has(PicturesPreview))
    window.engine._deliver_event(window.has(PicturesPreview)[-1])
    window.engine._deliver_event(Finished(job="a"))
    assert len(window.has(PicturesPreview)) == count
    assert len(window.has(Finished)) == 1


def test_a_name_in_use_and_a_command_too_large_are_refused(
    opened: Callable[..., Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a"))
    with pytest.raises(ValueError, match='"a" has no ending'):
        window.engine.send(Doctor(job="a"))
    monkeypatch.setattr("studio.wire.frames.MAX_FRAME_BYTES", 100)
    window.engine.send(sample("b", seeds=50))
    window.until(lambda: window.has(Failed, "b"))
    assert "larger than a frame" in window.has(Failed, "b")[0].reason


def relay(words: str) -> list[str]:
    return [sys.executable, "-c", words]


def test_a_stream_that_makes_no_sense_is_ended(opened: Callable[..., Window]) -> None:
    window = opened(relay("print('Welcome to this machine' * 9, flush=True); import time; time.sleep(60)"))
    window.engine.start()
    window.until(lambda: window.said)
    assert "unreadable" in window.said[0]


def test_an_engine_of_another_version_is_not_started_again(opened: Callable[..., Window]) -> None:
    frame = encode(Starting(protocol=99, version="9.9"))
    window = opened(
        relay(f"import os, time; os.write(1, {frame!r}); time.sleep(60)"),
    )
    window.engine.start()
    window.until(lambda: window.engine.now == "Stopped")
    assert "another version, 9.9" in window.said[0]


RELAY = """
import os, subprocess, sys, threading
far = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
open(sys.argv[1], "w").write(str(far.pid))
def carry(source, sink):
    while data := os.read(source, 700):
        while data:
            data = data[os.write(sink, data):]
    os.close(sink)
threading.Thread(target=carry, args=(0, far.stdin.fileno()), daemon=True).start()
carry(far.stdout.fileno(), 1)
os._exit(255)
"""


@posix
def test_behind_a_relay_as_ssh_is_one_nothing_changes(opened: Callable[..., Window], tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    window = opened([*relay(RELAY), str(pid), *LIGHT])
    window.engine.start()
    window.engine.send(sample("a", seeds=5))
    window.until(lambda: window.has(Finished, "a"))
    window.engine.send(sample("b", seeds=4096))
    window.until(lambda: window.has(PicturesPreview, "b"))
    os.kill(int(pid.read_text()), signal.SIGKILL)  # the far engine dies, and the relay with it
    window.until(lambda: window.lost)
    window.engine.send(sample("c", seeds=5))
    window.until(lambda: window.has(Finished, "c"))
    far = int(pid.read_text())
    os.kill(window.engine.process_id, signal.SIGKILL)  # the relay dies: the far engine has nobody left
    window.until(lambda: len(window.said) == 2 and not alive(far))
    window.until(lambda: window.engine.now == "Ready")
    far = int(pid.read_text())
    window.engine.close()
    assert not alive(far)


@posix
def test_pipes_of_the_shell_relay_as_well(opened: Callable[..., Window]) -> None:
    window = opened(["sh", "-c", f"cat | '{LIGHT[0]}' '{LIGHT[1]}' | cat"])
    window.engine.start()
    window.engine.send(sample("a", seeds=5))
    window.until(lambda: window.has(Finished, "a"))
    process = window.engine.process_id
    window.engine.close()
    assert not alive(process) and not window.said


@posix
def test_closing_ends_even_a_frozen_engine(opened: Callable[..., Window]) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", "long step"))
    window.until(lambda: window.has(Notice))
    process = window.engine.process_id
    os.kill(process, signal.SIGSTOP)
    window.engine.close()
    assert not alive(process)


def test_closing_ends_an_engine_in_good_order(opened: Callable[..., Window], studio_home: Path) -> None:
    window = opened()
    window.engine.start()
    window.engine.send(sample("a", "print", seeds=1))
    window.until(lambda: window.has(Finished))
    window.engine.close()
    assert not window.said
    assert "a stray word" in (studio_home / "log" / "engine.log").read_text()


OWNER = """
import sys
from PySide6.QtCore import QCoreApplication
from studio.app.engine.client import EngineClient
from studio.wire.messages import Notice, PicturesPreview, Sample
application = QCoreApplication(sys.argv)
engine = EngineClient(sys.argv[2:])
def tell(event):
    if isinstance(event, (Notice, PicturesPreview)):
        print(engine.process_id, flush=True)
engine.event_received.connect(tell)
engine.start()
engine.send(Sample(job="a", model=sys.argv[1], seeds=tuple(range(4096))))
application.exec()
"""


@posix
@pytest.mark.parametrize("model", ["batch", "long step"])
def test_no_engine_survives_a_killed_window(model: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    owner = subprocess.Popen([*relay(OWNER), model, *LIGHT], stdout=subprocess.PIPE, env=environment)
    with owner:
        process = int(owner.stdout.readline())
        assert alive(process)
        owner.kill()
        owner.wait()
        end = time.monotonic() + LIMIT
        while alive(process):
            assert time.monotonic() < end
            time.sleep(0.01)


def test_the_engine_of_this_machine_is_started_with_the_wished_device() -> None:
    assert local_program()[-4:] == ["-P", "-m", "studio", "engine"]
    assert local_program("cpu")[-2:] == ["--device", "cpu"]


@posix
def test_the_real_engine_is_killed_and_another_answers(opened: Callable[..., Window]) -> None:
    pytest.importorskip("studio.engine.jobs")
    window = opened(local_program("cuda:99"), forgive_after=0)
    window.engine.start()
    window.until(lambda: window.engine.now == "Ready")
    window.engine.send(Doctor(job="lost"))
    os.kill(window.engine.process_id, signal.SIGKILL)
    window.until(lambda: window.lost)
    window.engine.send(Doctor(job="doctor"))
    window.engine.send(Sample(job="none", model="no-such-model", seeds=(1,)))
    window.until(lambda: window.has(Finished, "doctor") and window.has(Failed, "none"))
    assert "no-such-model" in window.has(Failed, "none")[0].reason
    assert 'no device "cuda:99"' in window.said[-1]
    assert window.engine.ready.families["realnvp"]
