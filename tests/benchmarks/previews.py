"""What previews cost while pictures are drawn row by row, and how long an engine's step lasts.

    python tests/benchmarks/previews.py [MODEL]

Pictures are drawn by the engine's own job, once with previews and once without, in turns: in this process, and in an
engine of its own behind its pipe. What counts is processor time, which a busy machine disturbs, too, so the work of the
previews alone is measured beside it. Then the steps of a job: until one ends, nobody who wants something else is heard.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import torch

from studio.engine import jobs
from studio.engine.artworks import to_arrays
from studio.engine.device import choose, steady_allocator
from studio.wire import messages as wire
from studio.wire.frames import encode, events

MODEL = "pixelcnnpp-tiles-32"
PICTURES = 16
TURNS = 2
NEVER = "1e9"


def job(name: str, model: str, count: int = PICTURES) -> wire.Sample:
    return wire.Sample(job=name, model=model, seeds=tuple(range(count)))


def here(at_work: jobs.Jobs, pause: float, command: wire.Sample) -> tuple[float, list[float], int]:
    """Processor seconds of a job, seconds of each of its steps, and how often it said something."""
    jobs._PREVIEW = pause
    steps, said, began = [], 0, time.process_time()
    last = time.perf_counter()
    for event in at_work.start(command):
        said += event is not None
        now = time.perf_counter()
        steps.append(now - last)
        last = now
    return time.process_time() - began, steps, said


def each() -> float:
    """Processor seconds of one preview of a group: made of levels, framed."""
    x, times = torch.randint(0, 256, (jobs.GROUP, 3, 32, 32), dtype=torch.uint8), 300
    began = time.thread_time()
    for _ in range(times):
        encode(wire.Drawn(job="each", first=0, pictures=to_arrays(x, 256), done=1, total=33))
    return (time.thread_time() - began) / times


class Engine:
    """An engine of its own, with previews as often as said."""

    def __init__(self, pause: str) -> None:
        program = f"from studio.engine import jobs, __main__; jobs._PREVIEW = {pause}; __main__.main([])"
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, bufsize=0)
        self.heard, self.count = self._events(), 0
        self.until(wire.Ready)

    def _events(self) -> Iterator[wire.AnyEvent]:
        splitter, source = events(), self.process.stdout
        assert source is not None, "it was asked for"
        while data := os.read(source.fileno(), 2**16):
            splitter.feed(data)
            while (event := splitter.next()) is not None:
                yield event

    def until(self, kind: type) -> None:
        event = next(event for event in self.heard if isinstance(event, (kind, wire.Failed)))
        assert isinstance(event, kind), event

    def seconds(self) -> float:
        """Processor seconds since it began."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def draw(self, command: wire.Sample) -> float:
        assert self.process.stdin is not None, "it was asked for"
        began = self.seconds()
        self.process.stdin.write(encode(command))
        self.until(wire.Finished)
        return self.seconds() - began


def main(model: str) -> None:
    steady_allocator()
    torch.set_num_threads(1)
    at_work, usual = jobs.Jobs(choose("cpu")), jobs._PREVIEW
    here(at_work, usual, job("warm", model, 1))
    shown, silent, steps = [], [], list[float]()
    for _ in range(TURNS):
        seconds, steps, said = here(at_work, usual, job("here", model))
        shown.append(seconds)
        silent.append(here(at_work, 1e9, job("here", model))[0])
    told("in this process", shown, silent)
    print(f"  {said} events of a job of {len(steps)} steps")
    alone = said * each()
    print(f"  making and framing that many previews alone: {alone:.4f} s, {alone / min(silent):.2%} of the drawing")
    ms = sorted(1000 * step for step in steps)
    print(f"  a step: median {statistics.median(ms):.1f} ms, 95 % {ms[int(len(ms) * 0.95)]:.1f}, longest {ms[-1]:.0f}")
    engines = Engine(str(usual)), Engine(NEVER)
    for engine in engines:
        engine.draw(job("first", model, 1))
    turns = [[engine.draw(job(f"turn-{turn}", model)) for engine in engines] for turn in range(TURNS)]
    told("behind the pipe", *map(list, zip(*turns, strict=True)))
    for engine in engines:
        assert engine.process.stdin is not None, "it was asked for"
        engine.process.stdin.close()
        engine.process.wait(20)


def told(where: str, shown: list[float], silent: list[float]) -> None:
    more = 100 * (min(shown) / min(silent) - 1)
    print(f"{where}: with previews {min(shown):.2f} s, without {min(silent):.2f} s of a processor: {more:+.1f} %")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else MODEL)
