"""If memory runs out, a training takes smaller parts of its batches, learns the same, and says so."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.engine.training import checkpoint, evaluation, gradients, loop
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.training_run import TrainingRun
from tests.engine.training.tiny_run import (
    WITH_STATISTICS,
    make_config,
    make_pictures,
    new_run,
    train,
    training_steps,
    weights,
)
from tests.limits import LIMIT

SHORTAGES: dict[str, Callable[[], BaseException]] = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB, max allowed: 9.07 GB)."),
    "cpu": lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    "python": MemoryError,
}


def limit_batch(run: TrainingRun, most: int, error: Callable[[], BaseException]) -> None:
    """Let memory run out whenever the model learns from more than `most` examples at a time."""
    loss = run.model.loss

    def limited(x: Tensor, c: Tensor | None = None) -> Tensor:
        found = loss(x, c)
        if len(x) > most:
            raise error()
        return found

    run.model.loss = limited  # type: ignore[method-assign]


@pytest.mark.parametrize("device", SHORTAGES)
def test_a_shortage_of_memory_halves_the_batch_and_the_curve_stays_the_same(device: str, tmp_path: Path) -> None:
    x = make_pictures()
    whole = new_run(tmp_path / "whole")
    reports, _ = train(whole, x)
    short = new_run(tmp_path / "short")
    limit_batch(short, 5, SHORTAGES[device])
    same, sentences = train(short, x)
    assert short.progress.parts == 4
    assert sentences == ["Memory ran out, so each batch is computed in 4 parts. The result is the same."]
    assert torch.allclose(weights(whole), weights(short), atol=1e-4)
    figures, others = ([one.held_out for one in each if one.held_out] for each in (reports, same))
    assert figures == pytest.approx(others, abs=1e-4) and len(figures) == 3


def test_a_resumed_run_keeps_its_parts_and_continues_bit_for_bit(tmp_path: Path) -> None:
    x = make_pictures()
    whole = new_run(tmp_path / "whole")
    limit_batch(whole, 4, SHORTAGES["cpu"])
    train(whole, x)
    first = new_run(tmp_path / "parts")
    limit_batch(first, 4, SHORTAGES["cpu"])
    steps = training_steps(first, x)
    for _ in range(9):
        next(steps)
    steps.close()
    second = new_run(tmp_path / "parts")
    limit_batch(second, 4, SHORTAGES["cpu"])
    _, sentences = train(second, x)
    assert second.resumed and sentences == [], "it need not run out of memory again"
    assert torch.equal(weights(whole), weights(second))


def test_too_little_memory_for_one_example_ends_the_training_with_a_reason(tmp_path: Path) -> None:
    x = make_pictures()
    run = new_run(tmp_path)
    steps = training_steps(run, x)
    for _ in range(3):
        next(steps)
    kept = weights(run)
    limit_batch(run, 0, SHORTAGES["cpu"])
    with pytest.raises(gradients.NotEnoughMemory, match="even for a single example. What was saved is kept"):
        list(steps)
    again = new_run(tmp_path)
    assert again.progress.step == 3 and torch.equal(weights(again), kept)


def test_little_free_memory_is_noticed_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = make_pictures()
    whole = new_run(tmp_path / "whole")
    train(whole, x)
    monkeypatch.setattr(gradients, "free_memory", lambda device: 20_000)
    short = new_run(tmp_path / "short")
    reports, sentences = train(short, x)
    assert short.progress.parts > 1 and reports[0].step == 1
    assert sentences == [gradients.parts_text("Memory is short", short.progress.parts)]
    assert torch.allclose(weights(whole), weights(short), atol=1e-4)


def test_a_shortage_while_measuring_takes_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = make_pictures()
    expected, _ = train(new_run(tmp_path / "whole", make_config(WITH_STATISTICS)), x)
    evaluate = evaluation.bits_of_each

    def limited(*given: object, batch: int, **more: object) -> Tensor:
        if batch > 8:
            raise MemoryError
        return evaluate(*given, batch=batch, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluation, "bits_of_each", limited)
    reports, _ = train(new_run(tmp_path / "short", make_config(WITH_STATISTICS)), x)
    figures, others = ([one.held_out for one in each if one.held_out] for each in (expected, reports))
    assert figures == pytest.approx(others, abs=1e-5) and len(figures) == 3


def test_weights_are_not_saved_if_memory_runs_out_while_they_are_updated(tmp_path: Path) -> None:
    x = make_pictures()
    run = new_run(tmp_path, make_config(save_every_seconds=1e-9))
    steps = training_steps(run, x)
    for _ in range(3):
        next(steps)
    kept = weights(run)

    def update_half(*_: object) -> None:
        next(run.model.parameters()).data.zero_()
        raise torch.OutOfMemoryError("CUDA out of memory.")

    run.optimiser.step = update_half  # type: ignore[method-assign, assignment]
    with pytest.raises(torch.OutOfMemoryError):
        list(steps)
    again = new_run(tmp_path)
    assert again.progress.step == 3 and torch.equal(weights(again), kept)


def test_parts_of_recordings_count_as_much_as_they_have_samples(tmp_path: Path) -> None:
    config = TrainingConfig(
        name="beeps", title="Beeps", subject="Beeps", training_data="beeps", licence="CC0 1.0", shape=(500,),
        sample_rate=8000, recipe=zoo.wavenet.WaveNet(cycles=1, layers=4, channels=8, skip=8),
        plan=TrainingPlan(steps=6, batch=4, cut_samples=200, evaluate_every=6, warm_up=0),
    )  # fmt: skip
    sounds = TrainingRecordings(tuple((torch.arange(300 + 700 * i) % 90 + 80).to(torch.uint8) for i in range(4)))
    losses = []
    for parts in (1, 4):
        run = TrainingRun(config, tmp_path / str(parts), torch.device("cpu"))
        batch = loop.next_batch(run, sounds)
        losses.append(gradients.compute_gradients(run.model, batch, parts, bf16=False))
        losses.append(float(torch.cat([p.grad.flatten() for p in run.model.parameters() if p.grad is not None]).norm()))
    assert losses[:2] == pytest.approx(losses[2:], rel=1e-4)


def test_a_counter_of_steps_counts_a_batch_once(tmp_path: Path) -> None:
    recipe = zoo.vae_flow.PRESETS["tiny"]
    run = new_run(tmp_path, make_config(recipe))
    gradients.compute_gradients(run.model, make_pictures(16), 4, bf16=False)
    assert int(run.model.steps) == 1


LIMITED = """
import json, resource, sys
from pathlib import Path
import torch
from studio import zoo
from studio.engine.training import gradients, loop
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, train, weights

torch.set_num_threads(1)
config = make_config(zoo.glow.Glow(scales=1, depth=3, width=32), steps=2, batch=4096, evaluate_every=2)
x = make_pictures(160)
x = type(x)(x.x[:128].repeat(32, 1, 1, 1))
folder = Path(sys.argv[1])

def trained(name, limit):
    run = new_run(folder / name, config)
    draw = loop.next_batch
    def limited(*given):
        loop.next_batch = draw
        used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + limit, -1))
        return draw(*given)
    if limit:
        loop.next_batch = limited
    sentences = []
    for result in loop.train_run(run, x, x.select(slice(32)), bf16=False):
        sentences += [result.notice] if result and result.notice else []
    return run, sentences

whole, _ = trained("whole", 0)
short, sentences = trained("short", 60_000_000)
difference = float((weights(whole) - weights(short)).abs().max())
print(json.dumps([short.progress.parts, short.progress.step, sentences, difference]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_process_whose_memory_is_really_limited_learns_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True, text=True, timeout=LIMIT, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    parts, step, sentences, difference = json.loads(done.stdout)
    assert parts > 1 and step == 2
    assert sentences[-1] == f"Memory ran out, so each batch is computed in {parts} parts. The result is the same."
    assert difference < 1e-6


def test_a_checkpoint_from_before_has_no_parts(tmp_path: Path) -> None:
    x = make_pictures()
    run = new_run(tmp_path, make_config(steps=4))
    train(run, x)
    found = checkpoint.load_newest(tmp_path)
    assert found is not None
    tensors, state = found
    del state["progress"]["parts"]
    checkpoint.add_checkpoint(tmp_path, tensors, state)
    assert new_run(tmp_path, make_config(steps=4)).progress.parts == 1
