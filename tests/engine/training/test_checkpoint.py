"""A run's list of checkpoints is rebuilt from its folder if it is damaged."""

import json
from pathlib import Path

import pytest
import torch

from studio.engine.training import checkpoint


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
