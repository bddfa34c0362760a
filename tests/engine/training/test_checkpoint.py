"""A damaged checkpoint or list of checkpoints costs at most the last save."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
import torch

from studio.engine.training import checkpoint
from studio.library import runs
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, train, training_steps, weights


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a run with checkpoints after 3, 4 and 5 steps. The best one is that after 4."""
    (tmp_path / "checkpoints").mkdir()
    for step in (3, 4, 5):
        checkpoint.add_checkpoint(tmp_path, {"model.w": torch.full((4,), float(step))}, {"step": step})
        if step == 4:
            checkpoint.add_checkpoint(tmp_path, {"average.w": torch.full((4,), 0.5)}, {"step": step}, best=True)
    return tmp_path


def manifest(run: Path) -> Path:
    return run / "checkpoints" / "manifest.json"


DAMAGED = {
    "empty": b"",
    "cut": b'[{"file":"step-00000003.safetensors","size":1',
    "zeros": bytes(200),
    "no text": b"\xff\xfe[]",
    "of another form": b'{"file": "step-00000003.safetensors"}',
    "without a field": b'[{"file": "step-00000003.safetensors"}]',
    "names what is no checkpoint": json.dumps(
        [{"file": "../study.json", "size": 0, "hash": "", "step": 9, "best": False}]
    ).encode(),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_manifest_is_rebuilt_from_the_checkpoints(data: bytes, run: Path) -> None:
    before = checkpoint.list_checkpoints(run)
    manifest(run).write_bytes(data)
    assert sorted(checkpoint.list_checkpoints(run), key=str) == sorted(before, key=str)
    newest = checkpoint.load_newest(run)
    best = checkpoint.load_newest(run, best=True)
    assert newest is not None and newest[1]["step"] == 5
    assert best is not None and float(best[0]["average.w"][0]) == 0.5
    checkpoint.add_checkpoint(run, {"model.w": torch.zeros(4)}, {"step": 6})
    assert [e.step for e in checkpoint.list_checkpoints(run) if not e.best] == [4, 5, 6]
    assert json.loads(manifest(run).read_bytes())


def test_a_deleted_manifest_is_rebuilt(run: Path) -> None:
    manifest(run).unlink()
    found = checkpoint.load_newest(run)
    assert found is not None and found[1]["step"] == 5


def test_a_rebuilt_manifest_leaves_out_incomplete_files(run: Path) -> None:
    folder = run / "checkpoints"
    manifest(run).write_bytes(b"")
    newest = folder / "step-00000005.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3])
    (folder / "step-00000004.safetensors").write_bytes(b"")
    (folder / "step-00000009.safetensors").write_bytes(b"\x10" + bytes(7) + b'{"a":1}')
    (folder / "notes.safetensors").write_bytes(newest.read_bytes())
    found = checkpoint.load_newest(run)
    assert found is not None and found[1]["step"] == 3


def test_a_manifest_never_removes_a_file_outside_its_folder(run: Path) -> None:
    precious = run / "precious.safetensors"
    precious.write_bytes(b"x")
    entry = {"file": "../precious.safetensors", "size": 1, "hash": "", "step": 1, "best": False}
    manifest(run).write_bytes(json.dumps([entry]).encode())
    for step in (6, 7, 8, 9):
        checkpoint.add_checkpoint(run, {"model.w": torch.zeros(4)}, {"step": step})
    assert precious.exists()


def test_an_unreadable_checkpoint_is_replaced_by_the_one_before(run: Path) -> None:
    checkpoint.add_checkpoint(run, {"model.w": torch.zeros(4)}, {"step": 6})
    folder = run / "checkpoints"
    path = folder / "step-00000006.safetensors"
    data = path.read_bytes().replace(b'{\\"step\\": 6}', b'{\\"step\\"; 6}')
    path.write_bytes(data)
    listed = checkpoint.list_checkpoints(run)
    listed[-1] = checkpoint.CheckpointEntry(path.name, len(data), checkpoint.storage.hash_bytes(data), 6)
    manifest(run).write_bytes(checkpoint.msgspec.json.encode(listed))
    found = checkpoint.load_newest(run)
    assert found is not None and found[1]["step"] == 5


def test_any_flipped_bit_in_a_run_is_noticed_and_the_checkpoint_before_is_used(tmp_path: Path) -> None:
    """A bit of any file is flipped, two hundred times. What is loaded is always a checkpoint as it was saved."""
    config = make_config(save_every_seconds=1e-9, steps=6, evaluate_every=3)
    run = new_run(tmp_path, config)
    saved: dict[int, torch.Tensor] = {}
    for _ in training_steps(run, make_pictures()):
        saved[run.progress.step] = weights(run)
    files = [tmp_path / "study.json", *sorted((tmp_path / "checkpoints").iterdir())]
    assert len(files) == 6, "its config, three checkpoints, the best and the manifest"
    stream = random.Random(0)
    steps = Counter[int]()
    for number in range(200):
        path = files[number % len(files)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[stream.randrange(len(whole))] ^= 1 << stream.randrange(8)
        path.write_bytes(damaged)
        again = new_run(tmp_path, config)
        assert again.resumed and torch.equal(weights(again), saved[again.progress.step])
        assert bool(again.notices) == (again.progress.step < 6) or path.name == "manifest.json"
        assert runs.read_run(tmp_path) is not None
        steps[again.progress.step] += 1
        path.write_bytes(whole)
    assert steps[5] >= 30 and set(steps) == {5, 6}


def test_any_flipped_bit_in_the_manifest_of_a_short_run_costs_nothing(tmp_path: Path) -> None:
    """A run of less than a minute has a single checkpoint, so none before it can be used."""
    (tmp_path / "checkpoints").mkdir()
    checkpoint.add_checkpoint(tmp_path, {"model.w": torch.arange(4.0)}, {"step": 3})
    whole = manifest(tmp_path).read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        manifest(tmp_path).write_bytes(damaged)
        found = checkpoint.load_newest(tmp_path)
        assert found is not None and found[1] == {"step": 3}, damaged
        assert found[0]["model.w"].tolist() == [0, 1, 2, 3]


def test_any_flipped_bit_in_a_checkpoint_is_noticed_even_without_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    checkpoint.add_checkpoint(tmp_path, {"model.w": torch.arange(4.0)}, {"step": 3})
    manifest(tmp_path).unlink()
    path = tmp_path / "checkpoints" / "step-00000003.safetensors"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = checkpoint.load_newest(tmp_path)
        assert found is None or (found[1], found[0]["model.w"].tolist()) == ({"step": 3}, [0, 1, 2, 3]), bit
    path.write_bytes(whole)
    assert checkpoint.load_newest(tmp_path) is not None


def test_the_user_is_told_that_the_last_save_was_damaged(tmp_path: Path) -> None:
    config = make_config(save_every_seconds=1e-9, steps=6)
    run = new_run(tmp_path, config)
    steps = training_steps(run, make_pictures())
    for _ in range(3):
        next(steps)
    steps.close()
    newest = tmp_path / "checkpoints" / "step-00000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    reports, sentences = train(new_run(tmp_path, config), make_pictures())
    assert sentences == ["The last save was damaged. The one before is used, so it continues from step 2."]
    assert reports[-1].step == 6 and runs.read_log(tmp_path)[0].notices == ()
    assert sentences[0] in [notice for line in runs.read_log(tmp_path) for notice in line.notices]
