"""Files that crash, block or overload their reader cost the window only that file."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.generation import run as grid
from studio.app.panels.complete.canvas import OriginalsCache
from studio.library import storage
from studio.media import decoder
from tests.app.fake_engine import FakeEngine
from tests.app.panels.sound.stage import RATE, SoundBench
from tests.limits import LIMIT

__all__ = ["SoundBench"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no limits for a process")
STEMS = ["kills", "hangs", "opens", "raises", *(["grows"] if sys.platform == "linux" else [])]


def photo(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)).save(path)
    return path


def hum(path: Path) -> Path:
    soundfile.write(path, (0.3 * np.sin(np.arange(RATE) / 20)).astype(np.float32), RATE)
    return path


def message_text(window: AppState, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    message = window.messages.current.get()
    assert message is not None
    return message.text


def is_about_file(text: str, name: str) -> bool:
    """Return whether a text is a sentence about this file, without programmers' words."""
    raw = ("Traceback", "Errno", "Error", "0x", "SIG")
    return text.startswith(f'"{name}" ') and "was not opened." in text and not any(word in text for word in raw)


@pytest.mark.usefixtures("planted_readers")
@pytest.mark.parametrize("stem", STEMS)
def test_a_picture_that_kills_its_reader_is_refused_with_a_message(
    stem: str, window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    window.show_panel("explore")
    engine.status_changed.emit("Ready")
    window.explore.open_file(photo(tmp_path / f"{stem}.png"))
    assert is_about_file(message_text(window, qtbot), f"{stem}.png")
    assert not window.explore.busy.get()
    window.explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.crop_preview.get() is not None)


@pytest.mark.usefixtures("planted_readers")
@pytest.mark.parametrize("stem", ["kills", "hangs"])
def test_a_sound_that_kills_its_reader_is_refused_with_a_message(
    stem: str, stage: SoundBench, qtbot: QtBot, tmp_path: Path
) -> None:
    stage.sound.open_file(hum(tmp_path / f"{stem}.wav"))
    assert is_about_file(message_text(stage.window, qtbot), f"{stem}.wav")
    stage.window.messages.dismiss()
    stage.sound.open_file(hum(tmp_path / "hum.wav"))
    assert message_text(stage.window, qtbot).startswith('"hum.wav"')


@pytest.mark.usefixtures("planted_readers")
@pytest.mark.parametrize("panel", ["explore", "sound"])
def test_the_window_closes_while_a_file_is_being_read(
    panel: str, stage: SoundBench, engine: FakeEngine, tmp_path: Path
) -> None:
    """The window gives up a file that blocks its reader after minutes."""
    window = stage.window
    window.show_panel(panel)  # type: ignore[arg-type]
    path = hum(tmp_path / "sleeps.wav") if panel == "sound" else photo(tmp_path / "sleeps.png")
    window.open_dropped([path])
    began = time.monotonic()
    window.close()
    assert time.monotonic() - began < LIMIT


def test_a_pipe_with_the_name_of_a_sound_is_refused_at_once(stage: SoundBench, qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("pipe.wav", "pipe.flac"):
        os.mkfifo(tmp_path / name)
        stage.window.messages.dismiss()
        stage.sound.open_file(tmp_path / name)
        assert "is not a file but a device or a pipe" in message_text(stage.window, qtbot)


def refuse_to_decode(path: Path) -> None:
    raise AssertionError(f"{path.name} is decoded in this process")


def test_pictures_that_the_window_keeps_are_decoded_only_if_no_byte_changed(
    window: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    cells = (grid.Cell(7, picture, 1, 1, -9.0),)
    grid.write_run(grid.BatchRun("tones", "0" * 32, 0.7, None), cells, "painted")
    stored = grid.read_run("painted")
    assert stored is not None and np.array_equal(stored[1][0].picture, picture)
    key = window.complete.canvas.originals.add_picture(picture)
    originals = OriginalsCache(window.messages)
    assert np.array_equal(originals.get_picture(key), picture)
    for path in (storage.home_folder("data") / "painted.png", storage.home_folder("data") / "originals" / f"{key}.png"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    monkeypatch.setattr("studio.app.generation.run.open_picture", refuse_to_decode)
    monkeypatch.setattr("studio.app.panels.complete.canvas.open_picture", refuse_to_decode)
    assert grid.read_run("painted") is None
    assert OriginalsCache(window.messages).get_picture(key) is None


def test_no_reader_of_files_starts_before_the_first_file(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = decoder.FileDecoder()
    monkeypatch.setattr(decoder, "shared_decoder", own)
    window.start()
    window.show_panel("explore")
    engine.status_changed.emit("Ready")
    assert own.process_ids == ()
    window.explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.crop_preview.get() is not None)
    assert len(own.process_ids) == 1
    own.close()
