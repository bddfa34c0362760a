"""Run folders are read as plain data, and a damaged one costs only itself."""

import json
from pathlib import Path

import numpy as np
import safetensors.numpy

from studio.library import runs
from tests.library.run_folders import write_run


def test_a_run_is_read_from_its_newest_checkpoint(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    run = runs.read_run(folder)
    assert run is not None and (run.step, run.seconds, run.config.title) == (30, 12.5, "Garden")
    assert run.curve == ((10, 7.0, None), (30, 6.0, 6.5)) and run.outcome is None and run.source == ""


def test_what_a_run_learned_from_and_how_it_ended_come_back(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    runs.write_source(folder, "/pictures/Sommer ☀")
    runs.write_outcome(folder, runs.RunOutcome(step=30, value=6.5, exact=False))
    run = runs.read_run(folder)
    assert run is not None and run.source == "/pictures/Sommer ☀" and run.outcome == runs.RunOutcome(30, 6.5, False)
    runs.forget_outcome(folder)
    assert runs.read_outcome(folder) is None


def test_damaged_runs_are_left_out(studio_home: Path) -> None:
    write_run(studio_home, "good")
    for name, damage in (("a", b""), ("b", b"\xff" * 40), ("c", (2**60).to_bytes(8, "little") + b"{}")):
        for checkpoint in (write_run(studio_home, name) / "checkpoints").iterdir():
            checkpoint.write_bytes(damage)
    (write_run(studio_home, "d") / "study.json").write_text("[]")
    (studio_home / "runs" / "e").mkdir()
    (studio_home / "runs" / "f.txt").write_text("no folder")
    assert [run.folder.name for run in runs.list_runs()] == ["good"]


def test_a_run_with_earlier_keys_is_read(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    state = {"progress": {"step": 30, "seconds": 3.0, "curve": [[10, 7.0, None]], "best": 6.0}}
    data = safetensors.numpy.save({"a": np.zeros(2, np.float32)}, {"state": json.dumps(state)})
    (folder / "checkpoints" / "step-00000030.safetensors").write_bytes(data)
    run = runs.read_run(folder)
    assert run is not None and run.curve == ((10, 7.0, None),) and run.seconds == 3.0


def test_a_damaged_checkpoint_is_skipped(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    (folder / "checkpoints" / "step-00000030.safetensors").write_bytes(b"cut")
    run = runs.read_run(folder)
    assert run is not None and run.step == 30, "the one before says so, too"


def test_damaged_samples_cost_only_themselves(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    (folder / "samples").mkdir()
    good = safetensors.numpy.save({"artworks": np.full((1, 8, 8, 3), 9, np.uint8)}, {"seconds": "4.5"})
    (folder / "samples" / "00000010.safetensors").write_bytes(good)
    (folder / "samples" / "00000020.safetensors").write_bytes(good[:20])
    (folder / "samples" / "notes.txt").write_text("mine")
    (one,) = runs.read_samples(folder)
    assert (one.step, one.seconds, one.artworks.shape) == (10, 4.5, (1, 8, 8, 3))


def test_there_may_be_no_runs_at_all(studio_home: Path) -> None:
    assert runs.list_runs() == []


def test_compared_samples_come_back_and_a_damaged_file_costs_only_itself(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    assert runs.read_compared(folder) is None
    pictures = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    runs.write_compared(folder, runs.ComparedSamples(30, pictures, pictures[::-1].copy(), (0.25, 1.5)))
    found = runs.read_compared(folder)
    assert found is not None and found.step == 30 and found.copied == (True, False)
    np.testing.assert_array_equal(found.nearest, pictures[::-1])
    path = folder / "nearest.safetensors"
    good = path.read_bytes()
    for damage in (b"", good[:50], good[:-5], b"\xff" * 90):
        path.write_bytes(damage)
        assert runs.read_compared(folder) is None


def test_a_damaged_config_is_read_from_the_newest_checkpoint(studio_home: Path) -> None:
    folder = write_run(studio_home, "garden")
    config = json.loads((folder / "study.json").read_bytes())
    state = {"progress": {"step": 30, "seconds": 3.0, "loss_curve": []}, "config": config}
    data = safetensors.numpy.save({"a": np.zeros(2, np.float32)}, {"state": json.dumps(state)})
    (folder / "checkpoints" / "step-00000030.safetensors").write_bytes(data)
    for damage in (b"", b"[]", b'{"name": 5}', b"\xff\xfe"):
        (folder / "study.json").write_bytes(damage)
        assert runs.read_config(folder) == config
        run = runs.read_run(folder)
        assert run is not None and (run.config.title, run.step) == ("Garden", 30)


def log_line(step: int, bits: float = 5.0) -> bytes:
    return json.dumps(
        {"time": 1.0, "step": step, "seconds": 2.0, "training_bits": bits, "learning_rate": 0.1, "rate": 9.0}
    ).encode()


def test_a_log_is_read_while_it_grows_and_after_damage(tmp_path: Path) -> None:
    assert runs.read_log(tmp_path) == []
    lines = [log_line(1), log_line(2), b"\xff\xfe{", b"{}", log_line(5), log_line(6)[:30]]
    (tmp_path / runs.LOG_FILE).write_bytes(b"\n".join(lines))
    assert [line.step for line in runs.read_log(tmp_path)] == [1, 2, 5]


def test_a_log_forgets_the_steps_that_were_taken_again(tmp_path: Path) -> None:
    lines = [*map(log_line, range(1, 8)), log_line(4, 3.0), log_line(5, 2.0)]
    (tmp_path / runs.LOG_FILE).write_bytes(b"\n".join(lines))
    log = runs.read_log(tmp_path)
    assert [line.step for line in log] == [1, 2, 3, 4, 5] and log[-1].training_bits == 2
