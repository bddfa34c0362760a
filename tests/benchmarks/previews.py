"""Measure what previews cost while pictures are drawn row by row, and how long an engine's step lasts.

    python tests/benchmarks/previews.py [MODEL]

The engine's own job draws with previews, without, and with entropy reported too, in turns whose order changes.
Processor time counts. A busy computer lengthens it, because other programs use the same caches. So each turn with
previews is compared with the turns without beside it, and the median of these ratios is printed with its spread: first
in this process, then in an engine process behind its pipe. Making, framing and showing the previews alone is measured
too, also in the window, which shares the computer: it reads them, changes its grid and paints. Then the steps of a job
are timed, because a more urgent job must wait until a step ends.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import torch
from PySide6.QtWidgets import QApplication

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.app.widgets.theme import Theme
from studio.app.window.main_window import MainWindow
from studio.engine import jobs
from studio.engine.device import choose_device, keep_freed_memory
from studio.engine.generation import picture_job
from studio.engine.levels import to_arrays
from studio.library import models
from studio.wire import messages as wire
from studio.wire.frames import encode, event_splitter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.app.fake_engine import FakeEngine  # noqa: E402
from tests.app.fake_speaker import FakeSpeaker  # noqa: E402

MODEL = "gated-pixelcnn-fashion-28"
PICTURES = picture_job.GROUP_SIZE
TURNS = 12
NEVER = 1e9


def job(name: str, model: str, count: int = PICTURES, doubt: bool = False) -> wire.Sample:
    return wire.Sample(job=name, model=model, seeds=tuple(range(count)), report_entropy=doubt)


def here(
    at_work: jobs.JobStarter, pause: float, command: wire.Sample
) -> tuple[float, list[float], list[wire.PicturesPreview]]:
    """Return the processor seconds of a job, the seconds of each of its steps, and its events."""
    picture_job._PREVIEW_SECONDS = pause
    steps = []
    said = list[wire.PicturesPreview]()
    began = time.process_time()
    last = time.perf_counter()
    for event in at_work.start(command):
        said += [event] if isinstance(event, wire.PicturesPreview) else []
        now = time.perf_counter()
        steps.append(now - last)
        last = now
    return time.process_time() - began, steps, said


def each(shape: tuple[int, ...], levels: int) -> float:
    """Return the processor seconds of one preview of a group: made of levels, framed."""
    x = torch.randint(0, levels, (PICTURES, *shape), dtype=torch.uint8)
    times = 300
    began = time.thread_time()
    for _ in range(times):
        encode(wire.PicturesPreview(job="each", first=0, pictures=to_arrays(x, levels, ()), done=1, total=33))
    return (time.thread_time() - began) / times


def in_window(model: str, said: list[wire.PicturesPreview]) -> float:
    """Return the window's processor seconds for one of these previews: read from a pipe, put into the grid, painted."""
    application = QApplication.instance() or QApplication(["studio"])
    with tempfile.TemporaryDirectory() as home:
        os.environ["STUDIO_HOME"] = home
        engine = FakeEngine()
        state = AppState(engine, SettingsFile(), FakeSpeaker())
        state.start()
        frame = MainWindow(Theme(), state)
        frame.resize(1440, 900)
        frame.show()
        engine.status_changed.emit("Ready")
        state.generate.choose_model(model)
        state.generate.parameters.set_number(PICTURES)
        state.generate.start_batch()
        asked = next(command for command in engine.sent if isinstance(command, wire.Sample))
        for _ in range(20):
            application.processEvents()
        frames = [encode(_renamed(event, asked.job)) for event in said[:-1]]
        splitter = event_splitter()
        previews = 0
        began = time.process_time()
        for data in frames:
            splitter.feed(data)
            while (event := splitter.next_message()) is not None:
                engine.emit_events(event)
                application.processEvents()
                previews += 1
        seconds = (time.process_time() - began) / previews
        frame.close()
        state.close()
    return seconds


def _renamed(event: wire.PicturesPreview, name: str) -> wire.PicturesPreview:
    return wire.PicturesPreview(
        job=name, first=event.first, pictures=event.pictures, done=event.done, total=event.total
    )


class Engine:
    """Runs an engine process with previews at the given interval."""

    def __init__(self, pause: float) -> None:
        program = (
            "from studio.engine import __main__; from studio.engine.generation import picture_job; "
            f"picture_job._PREVIEW_SECONDS = {pause}; __main__.main([])"
        )
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, bufsize=0)
        self.heard = self._events()
        self.until(wire.Ready)

    def _events(self) -> Iterator[wire.AnyEvent]:
        splitter = event_splitter()
        source = self.process.stdout
        assert source is not None, "it was asked for"
        while data := os.read(source.fileno(), 2**16):
            splitter.feed(data)
            while (event := splitter.next_message()) is not None:
                yield event

    def until(self, kind: type) -> None:
        event = next(event for event in self.heard if isinstance(event, (kind, wire.Failed)))
        assert isinstance(event, kind), event

    def seconds(self) -> float:
        """Return the processor seconds of all threads of the process since they began."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def draw(self, command: wire.Sample) -> float:
        assert self.process.stdin is not None, "it was asked for"
        began = self.seconds()
        self.process.stdin.write(encode(command))
        self.until(wire.Finished)
        return self.seconds() - began

    def close(self) -> None:
        assert self.process.stdin is not None, "it was asked for"
        self.process.stdin.close()
        self.process.wait(20)


def in_turns(draws: dict[str, Callable[[int], float]]) -> dict[str, list[float]]:
    """Return the processor seconds of each, turn by turn; the order is reversed in every second turn."""
    found: dict[str, list[float]] = {name: [] for name in draws}
    for turn in range(TURNS):
        for name in list(draws)[:: -1 if turn % 2 else 1]:
            found[name].append(draws[name](turn))
    return found


def told(where: str, found: dict[str, list[float]], silent: str) -> None:
    for name in [name for name in found if name != silent]:
        shares = [100 * (one / other - 1) for one, other in zip(found[name], found[silent], strict=True)]
        low, _, high = statistics.quantiles(shares, n=4)
        least = 100 * (min(found[name]) / min(found[silent]) - 1)
        print(
            f"{where}, {name}: {statistics.median(shares):+.1f} % of {statistics.median(found[silent]):.2f} s of a "
            f"processor {silent}; half of {TURNS} turns between {low:+.1f} and {high:+.1f}; of the least {least:+.1f}"
        )


def main(model: str) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    at_work = jobs.JobStarter(choose_device("cpu"))
    usual = picture_job._PREVIEW_SECONDS
    card = models.find_model(model).card
    print(f"{model}, {PICTURES} pictures at once, load {os.getloadavg()[0]:.1f}")
    here(at_work, usual, job("warm", model, 1))
    _, steps, said = here(at_work, usual, job("warm", model))

    def draws(pause: float, **more: Any) -> Callable[[int], float]:
        return lambda turn: here(at_work, pause, job("here", model, **more))[0]

    found = in_turns(
        {"without previews": draws(NEVER), "with previews": draws(usual), "with doubt": draws(usual, doubt=True)}
    )
    told("in this process", found, "without previews")
    silent = statistics.median(found["without previews"])
    alone = each(card.shape, card.levels)
    shown = in_window(model, said)
    print(f"  {len(said)} previews of a job of {len(steps)} steps; one takes {1000 * alone:.2f} ms to make and frame,")
    print(f"  {len(said) * alone / silent:.2%} of the drawing, and the window {1000 * shown:.1f} ms to read and paint,")
    print(f"  {len(said) * shown / silent:.2%}")
    ms = sorted(1000 * step for step in steps)
    print(f"  a step: median {statistics.median(ms):.1f} ms, 95 % {ms[int(len(ms) * 0.95)]:.1f}, longest {ms[-1]:.0f}")
    engines = {"without previews": Engine(NEVER), "with previews": Engine(usual)}
    for engine in engines.values():
        engine.draw(job("first", model, 1))

    def asks(engine: Engine) -> Callable[[int], float]:
        return lambda turn: engine.draw(job(f"turn-{turn}", model))

    told("behind the pipe", in_turns({name: asks(engine) for name, engine in engines.items()}), "without previews")
    for engine in engines.values():
        engine.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else MODEL)
