"""Measure what an engine behind ssh costs more than one on this computer.

    .venv/bin/python -m tests.benchmarks.remote HOST

HOST may be this computer itself, so that only the hop is measured: a small question, a decoded picture, sixteen
pictures and a file of 64 MB.
"""

import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop

from studio.app.core.observable import Receiver
from studio.app.engine.client import EngineClient
from studio.app.engine.file_sender import FileSender, FileToSend
from studio.library import storage
from studio.wire.messages import AnyCommand, AnyEvent, DecodeLatent, Ending, Failed, FindFile, Sample

MODEL = "glow-flowers-32"
REPEATS = 20
FILE_BYTES = 64 * 2**20


class Answer(Receiver):
    """Waits for the ending of one command."""

    def __init__(self) -> None:
        self.ending: AnyEvent | str | None = None

    def receive_at_once(self, event: AnyEvent) -> None:
        """Do nothing in the thread that reads the engine."""

    def receive(self, job: str, event: AnyEvent) -> None:
        if isinstance(event, Ending):
            self.ending = event

    def lose(self, job: str, why: str) -> None:
        self.ending = why


def wait(condition: Callable[[], object]) -> None:
    while not condition():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)


def seconds_of(engine: EngineClient, command: AnyCommand) -> float:
    """Return the seconds from sending a command to its ending."""
    answer = Answer()
    began = time.perf_counter()
    engine.send(command, answer)
    wait(lambda: answer.ending is not None)
    if isinstance(answer.ending, Failed | str):
        raise SystemExit(f"it failed: {answer.ending}")
    return time.perf_counter() - began


def measure(host: str) -> None:
    """Print the measured times, and the speed of a file."""
    engine = EngineClient()
    engine.message_raised.connect(print)
    engine.use_computer(host)
    began = time.perf_counter()
    engine.start()
    wait(lambda: engine.now in ("Ready", "Stopped"))
    place = host or "here"
    print(f"{place}: start {time.perf_counter() - began:.1f} s", flush=True)
    questions: dict[str, Callable[[str], AnyCommand]] = {
        "small question": lambda job: FindFile(job=job, name="none.safetensors", file_hash="0" * 32),
        "decoded picture": lambda job: DecodeLatent(job=job, model=MODEL, seed=1),
        "16 pictures": lambda job: Sample(job=job, model=MODEL, seeds=tuple(range(16))),
    }
    for name, question in questions.items():
        seconds_of(engine, question(f"{name}-first"))  # loads the model, and sends it if it is not there
        times = [seconds_of(engine, question(f"{name}-{number}")) for number in range(REPEATS)]
        print(f"{place}: {name} {1000 * statistics.median(times):.1f} ms", flush=True)
    print(f"{place}: a file with {_speed_of_file(engine):.0f} MB a second")
    engine.close()


def _speed_of_file(engine: EngineClient) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        data = secrets.token_bytes(FILE_BYTES)
        path.write_bytes(data)
        done: list[str] = []
        sender = FileSender(engine, "benchmark")
        began = time.perf_counter()
        sender.send_file(FileToSend(path, "benchmark.safetensors", storage.hash_bytes(data), done.append, done.append))
        wait(lambda: done)
        return FILE_BYTES / 1e6 / (time.perf_counter() - began)


def main() -> None:
    application = QCoreApplication(sys.argv[:1])
    application.setApplicationName("latent-studio")
    for host in ("", sys.argv[1]):
        measure(host)


if __name__ == "__main__":
    main()
