"""Loops are compiled ahead: when the engine is idle, or at once for a job. One child works at a time and ends with its
engine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from studio import kernels
from studio.engine import __main__ as engine
from studio.engine.precompile import Precompiler, missing_loops
from studio.engine.stdio import Inbox
from studio.wire.messages import AnyCommand, AnyEvent, Event, Sample
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
CHILD = """
import pathlib, sys, time
log = pathlib.Path(sys.argv[1])
with log.open("a") as file:
    print(*sys.argv[2:], sep=",", file=file)
for word in sys.argv[2:]:
    if word == "slow":
        time.sleep(60)
    if word == "broken":
        sys.exit(1)
    if word != "--idle":
        print(word, flush=True)
"""


class Told(list[tuple[str, ...]]):
    """Records what a Precompiler reported, and what its children were asked for."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"

    def begin(self, *left: str, stays: bool = False) -> Precompiler:
        return Precompiler(left, self.append, [sys.executable, "-c", CHILD, str(self.log)], stays=stays)

    def until(self, left: tuple[str, ...]) -> None:
        until(lambda: self[-1:] == [left])

    @property
    def children(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < end, "waited for in vain"
        time.sleep(0.01)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_one_child_compiles_all_missing_loops_while_the_engine_is_idle(told: Told) -> None:
    ahead = told.begin("a", "b")
    ahead.start_compiling()
    ahead.start_compiling()
    told.until(())
    assert told == [("b",), ()]
    ahead.start_compiling()
    assert told.children == ["--idle,a,b"]
    assert not ahead.is_pending("a")


def test_a_loop_that_a_job_needs_is_compiled_next_and_the_rest_later(told: Told) -> None:
    ahead = told.begin("slow", "b", "c")
    ahead.start_compiling()
    until(lambda: told.children == ["--idle,slow,b,c"])
    assert ahead.is_pending("b")
    assert not ahead.is_pending("d")
    told.until(("slow", "c"))
    assert not ahead.is_pending("b")
    until(lambda: ahead._child is None)
    ahead.start_compiling()
    until(lambda: len(told.children) == 3)
    assert told.children[1:] == ["b", "--idle,slow,c"]
    assert ahead._child is not None
    ahead._child.kill()
    told.until(())


def test_a_job_compiles_its_loop_itself_if_no_child_can(told: Told, tmp_path: Path) -> None:
    ahead = told.begin("a", "broken", "c")
    ahead.start_compiling()
    told.until(())
    assert told == [("broken", "c"), ()]
    assert not ahead.is_pending("c")
    nothing = Precompiler(["a"], told.append, [str(tmp_path / "there is no such program")])
    assert not nothing.is_pending("a")
    assert told[-1] == ()


def test_no_loop_is_compiled_ahead_if_the_folder_is_managed_or_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kernels.CACHE_VARIABLE, str(tmp_path / "kept"))
    assert missing_loops("cpu") == ()
    monkeypatch.setattr(kernels, "OWN_FOLDER", tmp_path / "kept")
    assert missing_loops("cpu") == tuple(kernels.LOOPS)
    assert set(missing_loops("cpu")) - set(missing_loops("cuda")) == {"pixels"}
    (tmp_path / "file").touch()
    monkeypatch.setenv(kernels.CACHE_VARIABLE, str(tmp_path / "file" / "kept"))
    monkeypatch.setattr(kernels, "OWN_FOLDER", tmp_path / "file" / "kept")
    assert missing_loops("cpu") == ()


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc who lives")
def test_the_child_ends_with_an_engine_that_is_killed() -> None:
    compiler = """
import threading
from studio.kernels import __main__ as ahead
ahead.importlib.import_module = lambda _: threading.Event().wait()
ahead.main(["--idle", "pixels"])
"""
    engine = f"""
import sys, time
from studio.engine.precompile import Precompiler
ahead = Precompiler(["pixels"], print, [sys.executable, "-c", {compiler!r}])
ahead.start_compiling()
print(ahead._child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", engine], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert alive(child)
        time.sleep(0.5)
        assert alive(child)
        process.send_signal(signal.SIGKILL)
    until(lambda: not alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc who lives")
@pytest.mark.parametrize("first", [True, False])
def test_the_child_of_a_command_that_has_ended_finishes_unless_it_only_waits(first: bool, tmp_path: Path) -> None:
    compiler = f"""
import pathlib, sys, time
from studio.kernels import __main__ as ahead
class Loop:
    def prepare():
        pathlib.Path({str(tmp_path / "begun")!r}).touch()
        while not pathlib.Path({str(tmp_path / "go")!r}).exists():
            time.sleep(0.01)
        pathlib.Path({str(tmp_path / "done")!r}).touch()
ahead.importlib.import_module = lambda _: Loop
if not {first}:
    ahead._wait_for_others = lambda: time.sleep(600)
ahead.main(sys.argv[1:])
"""
    command = f"""
import sys
from studio.engine.precompile import Precompiler
ahead = Precompiler(["pixels"], print, [sys.executable, "-c", {compiler!r}], stays=True)
assert ahead.is_pending("pixels")
print(ahead._child.pid, flush=True)
sys.stdin.read()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", command], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        until(lambda: (tmp_path / "begun").exists() if first else alive(child))
    if first:
        assert alive(child)
        (tmp_path / "go").touch()
        until((tmp_path / "done").exists)
    until(lambda: not alive(child))
    assert (tmp_path / "done").exists() == first


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_an_engine_is_idle_if_no_job_came_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0.2)
    inbox = Inbox()
    trace = []

    class Outbox:
        closed = False

        def send(self, event: Event) -> None: ...

    def start(command: AnyCommand) -> Iterator[AnyEvent | None]:
        for _ in range(30):
            time.sleep(0.02)
            trace.append("step")
            yield None

    def spare() -> None:
        trace.append("spare")
        inbox.put(None)

    inbox.put(Sample(job="a", model="m", seeds=(1,)))
    assert engine.run_jobs(inbox, Outbox(), start, spare) == 0  # type: ignore[arg-type]
    assert trace == ["step"] * 30 + ["spare"]


def test_torch_draws_the_same_pictures_while_another_process_compiles(
    tiny_pixels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.engine.generation.sampling import ModelCache

    model = ModelCache(torch.device("cpu")).get_model(tiny_pixels).model
    asked = []
    compiled = model.sample([1, 2, 3])
    threads = torch.get_num_threads()

    def answer(loop: str) -> bool:
        asked.append(loop)
        return True

    monkeypatch.setattr(kernels.compiled_elsewhere, "is_pending", answer)
    monkeypatch.setattr("studio.kernels.pixels.run_row", None)
    assert torch.equal(model.sample([1, 2, 3]), compiled)
    assert set(asked) == {"pixels"}
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", ["tiny_kinds", "tiny_waves"])
def test_torch_makes_the_same_artworks_in_any_batch_while_masked_maps_compile(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.engine.generation.sampling import ModelCache

    model = request.getfixturevalue(name)
    seeds = list(range(20))
    with torch.inference_mode():
        compiled = ModelCache(torch.device("cpu")).get_model(model).model.sample(seeds)
    asked: list[str] = []
    monkeypatch.setattr(kernels.compiled_elsewhere, "is_pending", lambda loop: asked.append(loop) or True)
    for loop in ("inverse", "forward"):
        monkeypatch.setattr(f"studio.kernels.made.{loop}", None)
    twin = ModelCache(torch.device("cpu")).get_model(model).model
    assert set(asked) == {"masked maps"}, "it is asked for when the model is opened"
    with torch.inference_mode():
        by_torch = twin.sample(seeds)
        part = twin.sample(seeds[5:8])
    apart = (by_torch.int() - compiled.int()).abs()
    assert int(apart.max()) <= 1 and int((apart > 0).sum()) <= 1, "a number at a border may be rounded otherwise"
    assert torch.equal(part, by_torch[5:8])


def test_a_training_waits_for_loops_with_compiled_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    from studio import zoo

    asked: list[str] = []
    monkeypatch.setattr(kernels.compiled_elsewhere, "is_pending", lambda loop: asked.append(loop) or True)
    model = zoo.iaf.IAF(layers=2, hidden=(8,)).build((1, 2, 2), 256).float()
    model.loss(torch.zeros(2, 1, 2, 2, dtype=torch.uint8)).mean().backward()
    assert not asked


@pytest.mark.skipif(sys.platform != "linux", reason="torch brings GNU's OpenMP along on Linux alone")
def test_threads_that_wait_for_each_other_do_not_spin() -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    program = [sys.executable, "-c", "import studio.engine.device"]
    done = subprocess.run(
        program, cwd=ROOT, env={**env, "OMP_DISPLAY_ENV": "VERBOSE"}, capture_output=True, text=True, check=True
    )
    for setting in ("GOMP_SPINCOUNT = '0'", "OMP_WAIT_POLICY = 'PASSIVE'"):
        assert setting in done.stderr, "OpenMP reports the setting"
