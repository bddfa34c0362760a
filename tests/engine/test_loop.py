"""The engine's loop steps the most urgent job, reads commands in between, and ends every job once."""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine.__main__ import JobTable, run_jobs
from studio.engine.errors import explain_error, is_out_of_memory
from studio.engine.events import Pause
from studio.engine.stdio import Inbox, Outbox, read_commands
from studio.wire.frames import MAX_FRAME_BYTES, BadFrame, encode, event_splitter
from studio.wire.messages import (
    AnyCommand,
    AnyEvent,
    DecodeLatent,
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
    Stop,
    Stopped,
    StreamSound,
    Train,
)
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
LIGHT = Path(__file__).with_name("light.py")
Steps = Iterator[AnyEvent | None]


class Heard(list[Event]):
    """Replaces the pipe: it records all events except heartbeats."""

    closed = False

    def send(self, event: Event) -> None:
        encode(event)
        if not isinstance(event, Heartbeat):
            self.append(event)

    def endings(self) -> list[tuple[str, type]]:
        return [(e.job, type(e)) for e in self if isinstance(e, Ending)]


def sample(job: str, hand: str = "", seeds: int = 1, model: str = "batch") -> Sample:
    return Sample(job=job, model=model, seeds=tuple(range(seeds)), control=hand)


def explore(job: str, hand: str = "slider") -> DecodeLatent:
    return DecodeLatent(job=job, model="m", control=hand)


def train(job: str) -> Train:
    return Train(job=job, source="s", run_folder="r", config={})


def steps_of(job: str, count: int, trace: list[str]) -> Steps:
    for _ in range(count):
        trace.append(job)
        yield None


def worked(commands: list[AnyCommand], count: int = 2) -> tuple[list[str], Heard]:
    """Return the order in which these commands are stepped, each a job of `count` steps."""
    trace: list[str] = []
    heard = Heard()
    table = JobTable(heard, lambda command: steps_of(command.job, count, trace))
    for command in commands:
        table.add_command(command)
    while table:
        table.step_most_urgent()
    return trace, heard


# ── who comes first ──────────────────────────────────────────────────────────────────────────────


def test_controls_overtake_requests_and_requests_overtake_the_queue() -> None:
    trace, heard = worked([train("train"), sample("batch"), explore("drag")])
    assert trace == ["drag", "drag", "batch", "batch", "train", "train"]
    assert heard.endings() == [("drag", Finished), ("batch", Finished), ("train", Finished)]


def test_the_first_of_equal_jobs_is_finished_first() -> None:
    trace, _ = worked([sample("b"), sample("a"), Doctor(job="c")])
    assert trace == ["b", "b", "a", "a", "c", "c"]


def test_a_control_overtakes_a_running_batch_and_the_batch_continues() -> None:
    trace: list[str] = []
    inbox = Inbox()
    heard = Heard()

    def start(command: AnyCommand) -> Steps:
        for number in range(3):
            trace.append(f"{command.job}{number}")
            if trace == ["batch0"]:
                inbox.put(explore("drag"))
            if trace[-1] == "batch2":
                inbox.put(None)
            yield None

    inbox.put(sample("batch"))
    assert run_jobs(inbox, heard, start) == 0
    assert trace == ["batch0", "drag0", "drag1", "drag2", "batch1", "batch2"]


def test_the_latest_command_wins_and_replaced_ones_cost_nothing() -> None:
    trace, heard = worked([explore(f"drag{n}") for n in range(50)])
    assert trace == ["drag49", "drag49"]
    assert heard.endings() == [*((f"drag{n}", Stopped) for n in range(49)), ("drag49", Finished)]


def test_only_a_command_of_the_same_control_is_replaced() -> None:
    trace, heard = worked([explore("left", "l"), explore("right", "r"), sample("x"), sample("y")], count=1)
    assert trace == ["left", "right", "x", "y"]
    assert {kind for _, kind in heard.endings()} == {Finished}


# ── stopping ─────────────────────────────────────────────────────────────────────────────────────


def test_stop_acts_between_two_steps_and_the_job_closes_its_files() -> None:
    trace: list[str] = []
    inbox = Inbox()
    heard = Heard()

    def start(command: AnyCommand) -> Steps:
        try:
            for number in range(100):
                trace.append(f"{command.job}{number}")
                if number == 2:
                    inbox.put(Stop(job=command.job))
                    inbox.put(None)
                yield Notice(job=command.job, text=str(number))
        finally:
            trace.append("saved")

    inbox.put(sample("batch"))
    assert run_jobs(inbox, heard, start) == 0
    assert trace == ["batch0", "batch1", "batch2", "saved"]
    assert [type(e) for e in heard] == [Notice, Notice, Notice, Stopped]


def test_a_waiting_job_can_be_stopped_and_a_stop_without_a_job_is_ignored() -> None:
    trace, heard = worked([sample("a"), sample("b"), Stop(job="b"), Stop(job="never was")], count=1)
    assert trace == ["a"]
    assert heard.endings() == [("b", Stopped), ("a", Finished)]


def test_a_fault_while_stopping_is_reported() -> None:
    heard = Heard()

    def start(command: AnyCommand) -> Steps:
        try:
            while True:
                yield None
        finally:
            raise OSError("no space left")

    table = JobTable(heard, start)
    table.add_command(sample("a"))
    table.step_most_urgent()
    table.add_command(Stop(job="a"))
    assert heard.endings() == [("a", Failed)]
    assert "no space left" in heard[0].reason


# ── one ending for every job ─────────────────────────────────────────────────────────────────────


def behaviour(kind: str, length: int, job: str, trace: list[str]) -> Steps:
    """Start jobs that behave, and jobs that break every rule."""
    try:
        for number in range(length):
            trace.append(job)
            yield Notice(job=job, text=str(number)) if number % 2 else None
        if kind == "raises":
            raise ValueError("no")
        if kind == "leaves":
            sys.exit(3)
        if kind == "ends itself":
            yield Finished(job=job)
        if kind == "talks nonsense":
            yield "nonsense"  # type: ignore[misc]
        if kind == "talks too much":
            yield PicturesPreview(job=job, first=0, pictures=np.zeros((1, 1), np.complex64), done=1, total=1)
    except GeneratorExit:
        if kind == "will not stop":
            yield None
        if kind == "raises":
            raise KeyError("at the end") from None


KINDS = ["good", "raises", "leaves", "ends itself", "talks nonsense", "talks too much", "will not stop"]
ACTIONS = st.one_of(
    st.tuples(
        st.just("ask"),
        st.sampled_from(KINDS),
        st.integers(0, 3),
        st.sampled_from(["", "", "l", "r"]),
        st.sampled_from([sample, explore]),
    ),
    st.tuples(st.just("stop"), st.integers(0, 30)),
    st.tuples(st.just("again"), st.integers(0, 30)),
    st.just(("step",)),
    st.just(("step",)),
)


def test_at_the_end_jobs_stop_in_the_order_in_which_they_were_asked_for() -> None:
    heard = Heard()
    table = JobTable(heard, lambda command: steps_of(command.job, 3, []))
    for job in ("first", "second", "third"):
        table.add_command(sample(job))
    table.step_most_urgent()
    table.stop_all()
    assert heard.endings() == [("first", Stopped), ("second", Stopped), ("third", Stopped)]


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=60))
def test_every_job_has_exactly_one_ending_in_all_cases(actions: list) -> None:
    heard = Heard()
    trace = []
    plans = {}
    table = JobTable(heard, lambda command: behaviour(*plans[command.job][:2], command.job, trace))
    for action in actions:
        ended = {job for job, _ in heard.endings()}
        match action:
            case ("ask", kind, length, hand, ask):
                job = f"j{len(plans)}"
                plans[job] = (kind, length, ask(job, hand).urgency, len(plans))
                table.add_command(ask(job, hand))
            case ("again", number) if f"j{number}" in plans and f"j{number}" not in ended:
                table.add_command(sample(f"j{number}"))
            case ("stop", number):
                table.add_command(Stop(job=f"j{number}"))
            case ("step",) if table:
                first = min(set(plans) - ended, key=lambda job: plans[job][2:])
                before = len(trace)
                table.step_most_urgent()
                assert trace[before:] in ([first], []), "another job was more urgent or came first"
    table.stop_all()
    ends = Counter(job for job, _ in heard.endings())
    refused = ends.pop("", 0)
    assert ends == Counter(list(plans))
    assert refused <= sum(a[0] == "again" for a in actions)
    seen: set[str] = set()
    for event in heard:
        assert event.job not in seen, "a job spoke after its end"
        if isinstance(event, Ending) and event.job:
            seen.add(event.job)


def test_a_second_job_of_the_same_name_is_refused_and_the_first_continues() -> None:
    trace, heard = worked([sample("a"), sample("a")], count=1)
    assert trace == ["a"]
    assert heard.endings() == [("", Failed), ("a", Finished)]


def test_a_job_that_raises_fails_with_words_and_the_next_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    heard = Heard()

    def start(command: AnyCommand) -> Steps:
        if command.job == "bad":
            raise RuntimeError("the paint is dry.\nAnd more")
        yield None

    table = JobTable(heard, start)
    table.add_command(sample("bad"))
    table.add_command(sample("good"))
    while table:
        table.step_most_urgent()
    assert heard.endings() == [("bad", Failed), ("good", Finished)]
    assert heard[0].reason == "The engine met a fault of its own: RuntimeError: the paint is dry."
    assert "the paint is dry" in capsys.readouterr().err


def test_losing_the_graphics_device_fails_all_jobs_and_needs_a_new_engine() -> None:
    inbox = Inbox()
    heard = Heard()

    def start(command: AnyCommand) -> Steps:
        yield None
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    inbox.put(sample("a"))
    inbox.put(sample("b"))
    assert run_jobs(inbox, heard, start) == 1
    assert heard.endings() == [("a", Failed), ("b", Failed)]
    assert "restarts by itself" in heard[0].hint


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's own error."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_a_shortage_of_memory_is_recognised_and_comes_with_advice(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert explain_error(error) == (
        "There was not enough memory.",
        "Ask for fewer pictures at a time, or close other programs.",
    )
    assert not is_out_of_memory(ValueError("out of memory is not what this is"))


def test_a_failure_about_a_file_whose_name_is_not_text_can_be_sent() -> None:
    why, _ = explain_error(OSError(os.fsdecode(b"r\xffse.png")))
    assert "r?se.png" in why
    encode(Failed(job="a", reason=why))


# ── the pipe, inside this process ────────────────────────────────────────────────────────────────


class Line:
    """Holds both ends of an engine that runs in a thread of this process."""

    def __init__(self, start: Callable[[AnyCommand], Steps]) -> None:
        source, self.to = os.pipe()
        self.back, sink = os.pipe()
        self.inbox = Inbox()
        outbox = Outbox(sink)
        self.status: list[int] = []
        self.splitter = event_splitter()

        def live() -> None:
            self.status.append(run_jobs(self.inbox, outbox, start))
            os.close(sink)

        def listen() -> None:
            read_commands(source, self.inbox)
            os.close(source)

        self.threads = [threading.Thread(target=live), threading.Thread(target=listen)]
        for thread in self.threads:
            thread.start()

    def write(self, *frames: bytes) -> None:
        os.write(self.to, b"".join(frames))

    def end(self) -> list[AnyEvent]:
        """Close the input and return all events except heartbeats."""
        os.close(self.to)
        return self.rest()

    def rest(self) -> list[AnyEvent]:
        while data := os.read(self.back, 2**16):
            self.splitter.feed(data)
        for thread in self.threads:
            thread.join(LIMIT)
            assert not thread.is_alive()
        os.close(self.back)
        said = list(iter(self.splitter.next_message, None))
        return [event for event in said if not isinstance(event, Heartbeat)]

    def until(self, kind: type, job: str) -> list[AnyEvent]:
        """Return the events up to one of this type for that job."""
        said: list[AnyEvent] = []
        while True:
            while (event := self.splitter.next_message()) is not None:
                said.append(event)
                if isinstance(event, kind) and event.job == job:
                    return [e for e in said if not isinstance(e, Heartbeat)]
            self.splitter.feed(os.read(self.back, 2**16))


def frame(head: object, arrays: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<II", 4 + len(text) + len(arrays), len(text)) + text + arrays


def one_drawing(command: AnyCommand) -> Steps:
    yield PicturesPreview(job=command.job, first=0, pictures=np.zeros((1, 2, 2, 3), np.uint8), done=1, total=1)


@pytest.mark.parametrize(
    ("bad", "job", "words"),
    [
        (b"\x08\x00\x00\x00\x04\x00\x00\x00!!!!", "", "not readable"),
        (b"\x00\x00\x00\x00", "", "too short"),
        (frame({"message": {"is": "paint", "job": "x"}}), "x", "paint"),
        (frame({"message": {"is": "sample", "job": "x", "model": "m"}}), "x", "seeds"),
        (frame({"message": {"is": "sample", "job": "x", "model": "m", "seeds": [-1]}}), "x", "seeds[0]"),
        (frame({"message": {"is": "doctor", "job": "x", "more": 1}}), "x", "more"),
        (frame({"message": {"is": "doctor", "job": "x"}, "arrays": [["<f4", [0, 2**28, 2**28]]]}), "", "not allowed"),
        (frame({"message": {"is": "doctor", "job": "x"}, "arrays": [["<f4", [9]]]}, b"short"), "", "longer than"),
    ],
)
def test_an_unreadable_command_is_reported_and_the_next_one_runs(bad: bytes, job: str, words: str) -> None:
    line = Line(one_drawing)
    line.write(bad, encode(sample("good")))
    said = line.until(Finished, "good")
    line.end()
    assert [type(e) for e in said] == [Failed, PicturesPreview, Finished]
    assert said[0].job == job
    assert words in said[0].reason
    assert said[0].hint == "The engine continues."
    assert line.status == [0]


def test_a_faulty_message_does_not_end_the_job_whose_name_it_bears() -> None:
    go = threading.Event()

    def start(command: AnyCommand) -> Steps:
        yield Notice(job=command.job, text="begun")
        while not go.wait(0.01):
            yield None

    line = Line(start)
    line.write(encode(sample("x")))
    line.until(Notice, "x")
    line.write(frame({"message": {"is": "stop", "job": "x", "why": "because"}}))
    said = line.until(Failed, "")
    go.set()
    assert [type(e) for e in said] == [Failed]
    assert [type(e) for e in line.until(Finished, "x")] == [Finished]
    line.end()


def test_a_frame_larger_than_allowed_ends_the_engine_after_saying_so() -> None:
    line = Line(one_drawing)
    line.write(struct.pack("<II", MAX_FRAME_BYTES + 1, 10), b"x" * 100)
    said = line.rest()
    assert [type(e) for e in said] == [Failed]
    assert "the stream is lost" in said[0].reason
    assert line.status == [1]
    os.close(line.to)


def test_a_command_in_many_pieces_is_one_command() -> None:
    line = Line(one_drawing)
    for byte in encode(sample("slow")):
        os.write(line.to, bytes([byte]))
    assert [type(e) for e in line.until(Finished, "slow")] == [PicturesPreview, Finished]
    line.end()


def test_the_end_of_input_stops_the_running_job_and_it_saves() -> None:
    saved = threading.Event()

    def start(command: AnyCommand) -> Steps:
        try:
            yield Notice(job=command.job, text="begun")
            while True:
                time.sleep(0.001)
                yield None
        finally:
            saved.set()

    line = Line(start)
    line.write(encode(sample("a")), encode(sample("waits")))
    line.until(Notice, "a")
    said = line.end()
    assert saved.is_set()
    assert sorted((e.job, type(e)) for e in said) == [("a", Stopped), ("waits", Stopped)]
    assert line.status == [0]


def test_an_engine_whose_output_is_not_read_ends() -> None:
    line = Line(one_drawing)
    os.close(line.back)
    line.threads[0].join(LIMIT)
    assert line.status == [0]
    os.close(line.to)


def test_heartbeats_count_steps_and_name_the_job() -> None:
    def start(command: AnyCommand) -> Steps:
        for _ in range(3):
            time.sleep(0.4)
            yield None

    line = Line(start)
    line.write(encode(sample("a")))
    pulses = []
    while len(pulses) < 4:
        while (event := line.splitter.next_message()) is not None:
            pulses += [event] if isinstance(event, Heartbeat) else []
        line.splitter.feed(os.read(line.back, 2**16))
    line.end()
    counts = [pulse.steps for pulse in pulses]
    assert counts == sorted(counts)
    assert counts[-1] > 0
    assert "a" in [pulse.job for pulse in pulses]


# ── the process ──────────────────────────────────────────────────────────────────────────────────


class Process(subprocess.Popen):
    """Runs the light engine as a process."""

    def __init__(self, *words: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        super().__init__(
            [sys.executable, str(LIGHT), *words], stdin=pipe, stdout=pipe, stderr=pipe, env=environment, bufsize=0
        )
        self.splitter = event_splitter()

    def ask(self, *commands: AnyCommand) -> None:
        for command in commands:
            self.stdin.write(encode(command))

    def until(self, kind: type) -> list[AnyEvent]:
        said: list[AnyEvent] = []
        while True:
            while (event := self.splitter.next_message()) is not None:
                said += [] if isinstance(event, Heartbeat) else [event]
                if isinstance(event, kind):
                    return said
            data = self.stdout.read(2**16)
            assert data, f"the engine ended: {self.stderr.read().decode()}"
            self.splitter.feed(data)


@pytest.fixture
def process() -> Iterator[Process]:
    with Process() as process:
        yield process
        process.kill()


def test_the_engine_sends_starting_then_ready_then_answers(process: Process) -> None:
    process.ask(sample("a", seeds=2))  # sent before the engine is ready
    assert [type(e) for e in process.until(Finished)] == [Starting, Ready, PicturesPreview, PicturesPreview, Finished]


def test_stray_prints_do_not_harm_the_stream(process: Process) -> None:
    process.ask(sample("a", model="print", seeds=3))
    assert [type(e) for e in process.until(Finished)][2:] == [
        PicturesPreview,
        PicturesPreview,
        PicturesPreview,
        Finished,
    ]
    process.stdin.close()
    log = process.stderr.read()
    assert log.count(b"a stray word") == 3
    assert log.count(b"for the log") == 3


@pytest.mark.parametrize("model", ["batch", "long step"])
def test_the_end_of_input_ends_the_process(process: Process, model: str) -> None:
    process.ask(sample("a", model=model, seeds=1000))
    process.until(Notice if model == "long step" else PicturesPreview)
    process.stdin.close()
    assert process.wait(LIMIT) in (0, 1)  # between two steps, or after the time that a step is given


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_engine_ends_in_order_on_request_and_ignores_ctrl_c(process: Process, name: str) -> None:
    process.until(Ready)
    process.send_signal(signal.SIGINT)
    process.ask(sample("a", seeds=1000))
    process.until(PicturesPreview)
    process.send_signal(signal.Signals[name])
    assert process.until(Stopped)[-1].job == "a"
    assert process.wait(LIMIT) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_idle_engine_ends_on_request(process: Process) -> None:
    process.until(Ready)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 0


def test_an_engine_that_can_not_load_says_why() -> None:
    with Process("--broken") as process:
        said = process.until(Failed)
        assert process.wait(LIMIT) == 1
        process.stdin.close()
    assert "a_library_that_is_not_there" in said[-1].reason
    assert said[-1].job == ""


def test_an_answer_too_large_to_send_fails_its_job_and_nothing_else() -> None:
    heard = Heard()

    def start(command: AnyCommand) -> Steps:
        raise BadFrame("a message of 300,000,000 bytes is larger than a frame may be")
        yield None

    table = JobTable(heard, start)
    table.add_command(sample("a"))
    table.step_most_urgent()
    assert heard.endings() == [("a", Failed)]
    assert heard[0].reason == "A message of 300,000,000 bytes is larger than a frame may be."


def test_a_paused_job_lets_others_work_and_keeps_no_processor_busy() -> None:
    """The first job is more urgent and pauses after each step; the second finishes meanwhile."""
    looked: list[str] = []

    def start(command: AnyCommand) -> Iterator[AnyEvent | Pause | None]:
        for _ in range(4):
            looked.append(command.job)
            yield Pause(0.05) if command.job == "a" else None

    heard = Heard()
    inbox = Inbox()
    inbox.put(Stop(job="none"))
    table = JobTable(heard, start)
    table.add_command(StreamSound(job="a", model="m", seed=1))
    table.add_command(Sample(job="b", model="m", seeds=(1,)))
    began = time.monotonic()
    turns = 0
    while table:
        turns += 1
        list(inbox.get(timeout=table.seconds_until_next_step))
        table.step_most_urgent()
    assert looked[:5] == ["a", "b", "b", "b", "b"] and looked.count("a") == 4
    assert time.monotonic() - began >= 0.2 and turns < 20
