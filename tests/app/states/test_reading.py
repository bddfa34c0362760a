"""Files that crash, hang or blow up their reader cost the window that file alone."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.states.window import Window
from studio.media import decoder
from tests.app.fake_engine import FakeEngine
from tests.app.states.sound_stage import RATE, Stage

__all__ = ["Stage"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no limits for a process")
STEMS = ["kills", "hangs", "opens", "raises", *(["grows"] if sys.platform == "linux" else [])]


def photo(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)).save(path)
    return path


def hum(path: Path) -> Path:
    soundfile.write(path, (0.3 * np.sin(np.arange(RATE) / 20)).astype(np.float32), RATE)
    return path


def told(window: Window, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    message = window.messages.current.get()
    assert message is not None
    return message.text


def wanted(text: str, name: str) -> bool:
    """Whether it is a sentence about this file, without words of a programmer."""
    raw = ("Traceback", "Errno", "Error", "0x", "SIG")
    return text.startswith(f'"{name}" ') and "was not opened." in text and not any(word in text for word in raw)


@pytest.mark.usefixtures("planted_readers")
@pytest.mark.parametrize("stem", STEMS)
def test_a_picture_that_its_reader_does_not_survive_is_refused_in_words(
    stem: str, window: Window, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    window.show_panel("explore")
    engine.status.emit("Ready")
    window.explore.open(photo(tmp_path / f"{stem}.png"))
    assert wanted(told(window, qtbot), f"{stem}.png")
    assert not window.explore.busy.get()
    window.explore.open(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.photo.get() is not None)


@pytest.mark.usefixtures("planted_readers")
@pytest.mark.parametrize("stem", ["kills", "hangs"])
def test_a_sound_that_its_reader_does_not_survive_is_refused_in_words(
    stem: str, stage: Stage, qtbot: QtBot, tmp_path: Path
) -> None:
    stage.sound.open(hum(tmp_path / f"{stem}.wav"))
    assert wanted(told(stage.window, qtbot), f"{stem}.wav")
    stage.window.messages.dismiss()
    stage.sound.open(hum(tmp_path / "hum.wav"))
    assert told(stage.window, qtbot).startswith('"hum.wav"')


def test_a_pipe_with_the_name_of_a_sound_is_refused_at_once(stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("pipe.wav", "pipe.flac"):
        os.mkfifo(tmp_path / name)
        stage.window.messages.dismiss()
        stage.sound.open(tmp_path / name)
        assert "is not a file but a device or a pipe" in told(stage.window, qtbot)


def test_no_reader_of_files_starts_before_the_first_file(
    window: Window, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = decoder.Decoder()
    monkeypatch.setattr(decoder, "shared", own)
    window.begin()
    window.show_panel("explore")
    engine.status.emit("Ready")
    assert own.process_ids == ()
    window.explore.open(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.photo.get() is not None)
    assert len(own.process_ids) == 1
    own.close()
