"""An engine that serves another computer ends when its window is gone, and stores what the window sends."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studio.engine.__main__ import JobTable
from studio.library import models, received_files, storage
from studio.library.received_files import DamagedFile, FileReceiver
from studio.wire.frames import encode
from studio.wire.messages import KeepAlive, Sample
from tests.app.fake_model import make_card, write_model
from tests.engine.test_loop import Heard
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
LIGHT = Path(__file__).with_name("light.py")
DATA = np.arange(2500, dtype=np.int64).astype(np.uint8).tobytes()
HASH = storage.hash_bytes(DATA)


def test_an_engine_ends_if_its_window_is_silent_although_the_pipe_stays_open() -> None:
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, LIGHT, "--silence"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as engine:
        assert engine.stdin is not None and engine.stdout is not None
        engine.stdin.write(encode(Sample(job="a", model="batch", seeds=tuple(range(4096)))))
        engine.stdin.flush()
        out = engine.stdout.read()  # to its end, while the input is still open
        assert engine.wait(LIMIT) == 0
    assert b'"stopped"' in out, "the job was ended in good order"


def test_a_sign_of_the_window_has_no_answer() -> None:
    heard = Heard()
    table = JobTable(heard, lambda command: iter(()))  # type: ignore[arg-type]
    table.add_command(KeepAlive(job="k"))
    assert not len(table) and not heard


def test_a_file_in_pieces_is_stored_whole_and_found_by_its_hash() -> None:
    receiver = FileReceiver()
    assert received_files.find_file("rose.safetensors", HASH) is None
    assert receiver.add_piece("rose.safetensors", HASH, 0, 2500, DATA[:1000]) is None
    assert receiver.add_piece("rose.safetensors", HASH, 1000, 2500, DATA[1000:2000]) is None
    path = receiver.add_piece("rose.safetensors", HASH, 2000, 2500, DATA[2000:])
    assert path is not None and path.read_bytes() == DATA
    assert received_files.find_file("rose.safetensors", HASH) == path
    assert received_files.find_file("rose.safetensors", "0" * 32) is None


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([(0, DATA[:1000]), (1500, DATA[1500:])], "was lost"),
        ([(0, DATA[:1000]), (0, DATA[:1000]), (2000, DATA[2000:])], "was lost"),
        ([(0, DATA + b"more")], "was lost"),
        ([(0, DATA[:1000]), (1000, DATA[:1500])], "was damaged"),
    ],
)
def test_a_file_that_does_not_arrive_as_it_was_sent_is_refused(pieces: list[tuple[int, bytes]], words: str) -> None:
    receiver = FileReceiver()
    with pytest.raises(DamagedFile, match=words):
        for first, data in pieces:
            receiver.add_piece("rose.safetensors", HASH, first, 2500, data)
    assert received_files.find_file("rose.safetensors", HASH) is None


def test_a_model_that_is_there_already_is_not_sent(studio_home: Path) -> None:
    path = write_model(studio_home / "models", make_card(name="garden"))
    file_hash = models.find_model("garden").file_hash
    assert received_files.find_file("garden.safetensors", file_hash) == path
    assert received_files.find_file("garden.safetensors", HASH) is None


def test_the_oldest_files_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_files, "MAX_BYTES", 250)
    for number in range(4):
        data = bytes([number]) * 100
        FileReceiver().add_piece("rose.safetensors", storage.hash_bytes(data), 0, 100, data)
    kept = sorted(path.read_bytes()[0] for path in models.received_folder().glob("*/*"))
    assert kept == [2, 3]
