import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app import app_state as window_module
from studio.app.app_state import PARTLY_READ, SECOND_WINDOW, AppState
from studio.app.core.autosave import SettingsFile
from studio.app.panels.sound.state import NO_MODEL
from studio.app.takes.store import NAMES_ELSEWHERE
from studio.library import storage, work
from studio.library.storage import NotSaved
from studio.library.work import Work
from studio.wire.messages import Decoded, DecodeLatent, Diagnosis, Doctor, Finished, Ready
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.fake_speaker import FakeSpeaker
from tests.app.panels.explore.test_state import tone


@pytest.fixture
def settings(studio_home: Path) -> Path:
    return studio_home / "config" / "settings.json"


def test_comes_back_as_it_was_left(opener: Opener, engine: FakeEngine) -> None:
    first = opener(engine)
    first.show_panel("explore")
    first.theme.set("dark")
    first.contrast.set("high")
    first.smoothing.choose_smooth(True)
    first.geometry.set(bytes(range(256)))
    first.preferences.set_inspector_width(350)
    first.preferences.toggle_tree()
    first.generate.parameters.set_number(9)
    first.generate.parameters.set_seed(4112)
    first.generate.parameters.lock_seed(True)
    second = opener(FakeEngine())
    assert (second.panel.get(), second.theme.get(), second.contrast.get()) == ("explore", "dark", "high")
    assert second.smoothing.smooth.get() and second.geometry.get() == bytes(range(256))
    assert (second.preferences.inspector_width.get(), second.preferences.tree.get()) == (350, True)
    assert (second.generate.parameters.number.get(), second.generate.parameters.seed.get()) == (
        9,
        4112,
    ) and second.generate.parameters.locked.get()
    assert second.messages.current.get() is None
    second.show_panel("generate")
    second.undo()
    second.undo()
    assert second.generate.parameters.number.get() == 16


def test_is_written_down_a_moment_after_a_change(window: AppState, settings: Path, qtbot: QtBot) -> None:
    window.autosave._timer.setInterval(10)
    window.generate.parameters.set_seed(4112)
    qtbot.waitUntil(settings.exists)
    assert json.loads(settings.read_bytes())["generate"]["seed"] == 4112


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"\xff\xfe", b'{"a":' * 100_000, b'{"generate": 1e999'])
def test_a_damaged_file_is_kept_aside_and_said(
    opener: Opener, engine: FakeEngine, settings: Path, studio_home: Path, rubbish: bytes
) -> None:
    settings.parent.mkdir(parents=True)
    settings.write_bytes(rubbish)
    window = opener(engine)
    said = window.messages.current.get()
    assert said is not None and said.text == (
        "The settings were damaged. The window starts fresh. Your takes are safe. The damaged file is in the bin."
    )
    (kept,) = (studio_home / "data" / "bin").rglob("settings.json")
    assert kept.read_bytes() == rubbish
    assert window.generate.model.get() is not None


@pytest.mark.parametrize(
    "plain",
    [
        {"generate": 3},
        {"generate": {"seed": [], "number": {}}},
        {"generate": {"history": {"done": [["x"]]}}},
        {"generate": {"number": float("inf"), "temperature": float("nan"), "chosen": "all", "enlarged": 3}},
        {"sound": {"history": {"done": [["x", {"source": 5}, {"takes": 3, "take_names": 4}]]}}},
        {"complete": {"ranking": "rose", "hole": 3, "tool": [], "mask": 7}},
        {"explore": {"sliders": "rose"}},
        {"explore": {"takes": 5}},
        {"explore": {"starts": {"a": 1}}},
        {"explore": {"current": ["a"], "has_begun": "yes", "model": "tiny"}},
        {"panel": "dungeon", "theme": 7, "geometry": "not base64"},
        {"preferences": 5},
        {"preferences": {"text_size": "huge", "inspector_width": [], "tree": 3, "device": None}},
    ],
)
def test_settings_that_make_no_sense_never_stop_the_window(
    opener: Opener, engine: FakeEngine, settings: Path, plain: dict[str, object]
) -> None:
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(plain))
    window = opener(engine)
    assert window.generate.model.get() is not None
    assert window.panel.get() == "generate" and window.theme.get() == "system"
    engine.status_changed.emit("Starting")
    window.explore.parameters.new_start(5)
    window.generate.start_batch()
    assert len(engine.sent) >= 2


def test_one_value_that_makes_no_sense_costs_only_itself(
    opener: Opener, engine: FakeEngine, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opener(engine)
    first.generate.parameters.set_seed(4112)
    first.generate.parameters.set_temperature(0.5)
    first.generate.parameters.lock_seed(True)
    first.complete.canvas.brush.set_size(9)
    first.close()
    monkeypatch.setattr(first, "close", lambda: None)  # it is closed, and what it wrote is changed now
    plain = json.loads(settings.read_bytes())
    plain["generate"]["number"] = {}
    plain["complete"]["tool"] = "chisel"
    plain["preferences"] |= {"text_size": 101, "inspector_width": 9999, "single_keys": "no", "tree": True}
    settings.write_text(json.dumps(plain))
    second = opener(FakeEngine())
    dials = second.generate.parameters
    assert (dials.seed.get(), dials.temperature.get(), dials.locked.get()) == (4112, 0.5, True)
    assert dials.number.get() == 16 and second.generate.history.undo_name.get() == "temperature"
    assert second.complete.canvas.brush.size.get() == 9
    preferences = second.preferences
    assert (preferences.text_size.get(), preferences.single_keys.get(), preferences.tree.get()) == (100, True, True)
    assert preferences.inspector_width.get() == 420
    said = second.messages.current.get()
    assert said is not None and said.text == PARTLY_READ


def test_what_an_older_version_left_is_opened_without_a_fault(
    opener: Opener, engine: FakeEngine, settings: Path, studio_home: Path, qtbot: QtBot
) -> None:
    """It kept takes in Explore, whole lists of them in its steps, and fields that are unknown today."""
    takes = studio_home / "data" / "takes"
    takes.mkdir(parents=True)
    names = ["000001.png", "000002.png"]
    for name in names:
        (takes / name).write_bytes(work.encode_png(tone(1), Work(model="tiny", model_hash="", seed=int(name[:6]))))
    step = ["take off", {"takes": names, "seed": 7}, {"takes": names[:1], "brightness": 3}]
    explore = {"takes": names, "starts": {}, "seed": 8, "history": {"done": [step], "undone": []}, "brightness": 3}
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"explore": explore, "brightness": 1}))
    window = opener(engine)
    qtbot.waitUntil(lambda: len(window.takes.takes.get()) == 2)
    assert window.messages.current.get() is None and window.explore.parameters.seed.get() == 8
    window.explore.history.undo()
    window.explore.history.redo()
    window.explore.history.undo()
    assert window.explore.parameters.seed.get() == 7 and len(window.takes.takes.get()) == 2


def test_damaged_settings_do_not_lose_takes(
    opener: Opener, engine: FakeEngine, settings: Path, qtbot: QtBot, studio_home: Path
) -> None:
    takes = studio_home / "data" / "takes"
    takes.mkdir(parents=True)
    for n in (1, 2):
        (takes / f"{n:06d}.png").write_bytes(work.encode_png(tone(n), Work(model="tiny", model_hash="", seed=n)))
    (takes / "000003.png").write_bytes(b"no picture")
    window = opener(engine)
    qtbot.waitUntil(lambda: len(window.explore.selection.takes.get()) == 2)
    assert [take.work.seed for take in window.explore.selection.takes.get()] == [1, 2]


def test_a_full_disk_is_said_once_not_every_second(
    window: AppState, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    writing = window.autosave._task

    def full(path: Path, data: bytes) -> None:
        tried.append(path)
        raise NotSaved(path, "full", "The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_file", full)
        for count in (1, 2, 3):
            window.generate.parameters.set_number(count)
            window.autosave.save()
            qtbot.waitUntil(lambda count=count: len(tried) >= count and not writing._is_running)  # type: ignore[misc]
            if count == 1:
                window.messages.dismiss()
    assert [said.text for said in window.messages.history.get()] == ["The disk is full."]
    assert window.messages.current.get() is None
    window.autosave.save()
    window.autosave._task.wait()
    assert SettingsFile().read()[0]["generate"]["number"] == 3


def test_nothing_is_written_where_nothing_changed(window: AppState, settings: Path, qtbot: QtBot) -> None:
    window.autosave.save()
    qtbot.waitUntil(lambda: bool(window.autosave._written))
    before = settings.stat().st_ino
    window.autosave.save()
    window.autosave._task.wait()
    assert settings.stat().st_ino == before


def test_words_before_the_mouse_is_released(window: AppState, tmp_path: Path) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "rose.png")
    Image.new("RGB", (5, 5)).save(tmp_path / "photo.JPG")
    (tmp_path / "work.png").write_bytes(work.encode_png(tone(1), Work(model="tiny", model_hash="", seed=1)))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "old.pt").write_bytes(b"\x80\x04")
    (tmp_path / "x.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    model = write_model(tmp_path, make_card("extra"))
    would = {name: window.drop_text([tmp_path / name]) for name in os.listdir(tmp_path) if name != "home"}
    assert (would["rose.png"], would["photo.JPG"]) == ("Open in Explore", "Open in Explore")
    assert (would["work.png"], would[model.name]) == ("Restore this work", "Add this model")
    assert would["notes.txt"].startswith('"notes.txt" is no picture, sound or model')
    (tmp_path / "song.flac").write_bytes(b"fLaC" + bytes(40))
    made = Work(medium="sound", model="waves", model_hash="", seed=1)
    (tmp_path / "made.wav").write_bytes(work.encode_wav(np.zeros(256, np.int16), made))
    assert "pickle" in would["old.pt"] and would["x.wav"] == "Open in Explore"
    assert window.drop_text([tmp_path / "song.flac"]) == NO_MODEL
    assert window.drop_text([tmp_path / "made.wav"]) == "Restore this work"
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert window.drop_text([tmp_path]) == "Train on this folder" and "no file" in window.drop_text([])
    assert window.drop_text([tmp_path / "link"]) == "Train on this folder"
    assert window.drop_text([tmp_path / "gone.png"]).startswith('"gone.png"')


ALIEN = {  # the bytes of real programs, and the words shown for them
    "memo.m4a": (b"\0\0\0 ftypM4A \0\0\0\0", "is M4A, which cannot be read here"),
    "phone.m4a": (b"\0\0\0 ftypmp42\0\0\0\0", "is M4A, which cannot be read here"),
    "clip.mp4": (b"\0\0\0 ftypisom\0\0\2\0", "is a film (MP4), which cannot be read here"),
    "clip.webm": (b"\x1a\x45\xdf\xa3" + bytes(20), "is a film (Matroska or WebM), which cannot be read here"),
    "old.wma": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "is WMA, which cannot be read here"),
    "stream.aac": (b"\xff\xf1\x50\x80", "is AAC, which cannot be read here"),
    "song.mid": (b"MThd\0\0\0\6", "is MIDI (notes without a sound), which cannot be read here"),
}


@pytest.mark.parametrize("name", list(ALIEN))
def test_a_sound_that_cannot_be_read_is_told_as_a_sound(window: AppState, tmp_path: Path, name: str) -> None:
    begins, reason = ALIEN[name]
    (tmp_path / name).write_bytes(begins + bytes(100))
    words = window.drop_text([tmp_path / name])
    assert words.startswith(f'"{name}" {reason} and was not opened. Save i')
    assert words.endswith("as WAV or FLAC.")
    for bring in (lambda: window.open_dropped([tmp_path / name]), lambda: window.open_file(tmp_path / name)):
        window.messages.dismiss()
        bring()
        said = window.messages.current.get()
        assert said is not None and said.text == words


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the file system here")
@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_neither_waited_for_nor_read(window: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png"):
        assert "is no picture, sound or model" in window.drop_text([tmp_path / name])
        window.open_dropped([tmp_path / name])
        assert window.explore.importing.preview.get() is None and not window.explore.importing.busy.get()


@pytest.fixture
def with_waves(window: AppState, two_models: Path) -> AppState:
    """Explore uses a model of waves, and Generate uses "tones"."""
    write_model(two_models, make_card("cycles", (32,)))
    window.models.refresh_models()
    window.generate.choose_model("tones")
    window.explore.choose_model("cycles")
    return window


def chosen(window: AppState) -> str:
    trained = window.explore.model.get()
    assert trained is not None
    return trained.card.name


@pytest.mark.parametrize(("panel", "model"), [("generate", "tones"), ("explore", "tones"), ("sound", "tones")])
def test_a_photo_goes_to_a_model_of_pictures(
    with_waves: AppState, tmp_path: Path, qtbot: QtBot, panel: str, model: str
) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "rose.png")
    with_waves.show_panel(panel)
    with_waves.open_dropped([tmp_path / "rose.png"])
    qtbot.waitUntil(lambda: with_waves.explore.importing.preview.get() is not None)
    assert chosen(with_waves) == model
    assert with_waves.panel.get() == "explore"
    assert [said.text for said in with_waves.messages.history.get()] == [
        'Explore opens it with "Tones". Undo brings "Cycles" back.'
    ]
    with_waves.explore.history.undo()
    assert chosen(with_waves) == "cycles"


def test_a_photo_goes_to_the_model_in_front_before_the_one_chosen_last(
    with_waves: AppState, tmp_path: Path, qtbot: QtBot
) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "rose.png")
    with_waves.explore.choose_model("tiny")
    with_waves.show_panel("generate")
    with_waves.open_file(tmp_path / "rose.png")
    qtbot.waitUntil(lambda: with_waves.explore.importing.preview.get() is not None)
    assert chosen(with_waves) == "tones"
    with_waves.explore.importing.cancel_preview()
    with_waves.explore.choose_model("tiny")
    with_waves.generate.choose_model("cycles")
    with_waves.show_panel("generate")
    with_waves.open_file(tmp_path / "rose.png")
    qtbot.waitUntil(lambda: with_waves.explore.importing.preview.get() is not None)
    assert chosen(with_waves) == "tiny"


def test_a_wave_goes_to_a_model_of_waves(with_waves: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    soundfile.write(tmp_path / "sine.wav", np.sin(np.arange(64) * np.pi / 32), 8000)
    with_waves.explore.choose_model("tiny")
    with_waves.open_dropped([tmp_path / "sine.wav"])
    qtbot.waitUntil(lambda: chosen(with_waves) == "cycles")
    qtbot.waitUntil(lambda: with_waves.panel.get() == "explore")


@pytest.mark.parametrize(("panel", "shown"), [("explore", "explore"), ("sound", "generate"), ("complete", "generate")])
def test_a_model_that_is_added_is_chosen_where_it_is_seen(
    window: AppState, tmp_path: Path, qtbot: QtBot, panel: str, shown: str
) -> None:
    window.show_panel(panel)
    window.open_dropped([write_model(tmp_path / "stick", make_card("garden"))])
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    assert window.panel.get() == shown
    trained = {"explore": window.explore, "generate": window.generate}[shown].model.get()
    assert trained is not None
    assert trained.card.name == "garden"


def test_an_upsampler_dropped_is_added_and_nothing_else_is_chosen(
    window: AppState, tmp_path: Path, qtbot: QtBot, two_models: Path
) -> None:
    before = window.generate.model.get()
    details = msgspec.structs.replace(make_card("details"), role="upsampler")
    window.open_dropped([write_model(tmp_path / "stick", details)])
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.text == '"Details" was added. It draws details for other models.'
    assert window.generate.model.get() == before
    assert window.models.find_model("details") is None
    assert (two_models / "details.safetensors").exists()


def test_a_model_dropped_is_added_and_chosen(window: AppState, tmp_path: Path, qtbot: QtBot, two_models: Path) -> None:
    window.open_dropped([write_model(tmp_path / "stick", make_card("garden"))])
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said, chosen = window.messages.current.get(), window.generate.model.get()
    assert said is not None and said.text == '"Garden" was added to your models.'
    assert chosen is not None and chosen.card.name == "garden" and (two_models / "garden.safetensors").exists()
    cover = window.models.read_cover("garden")
    assert cover is not None and cover.shape == (2, 8, 8, 3)


@pytest.mark.parametrize("name", ["evil.pt", "evil.safetensors"])
def test_a_model_that_could_run_programs_is_refused(window: AppState, tmp_path: Path, qtbot: QtBot, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n")
    window.open_dropped([tmp_path / name])
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.severity == "failed" and f'"{name}"' in said.text
    assert len(window.models.cards.get()) == 2


def test_of_several_pictures_the_first_is_opened_and_that_is_said(
    window: AppState, tmp_path: Path, qtbot: QtBot
) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    window.open_dropped([tmp_path / "a.png", tmp_path / "b.png"])
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    said = window.messages.current.get()
    shown = window.explore.importing.preview.get()
    assert said is not None and said.text.startswith('Only "a.png" was opened')
    assert shown is not None and shown.picture.name == "a.png" and window.panel.get() == "explore"


def test_each_panel_undoes_its_own_steps(window: AppState) -> None:
    window.generate.parameters.set_number(5)
    window.explore.parameters.set_slider(0, 1.0)
    window.undo()
    assert window.generate.parameters.number.get() == 16 and window.explore.parameters.sliders.get()[0] == 1.0
    window.show_panel("explore")
    window.undo()
    assert window.explore.parameters.sliders.get()[0] == 0.0
    window.show_panel("library")
    window.undo()
    window.redo()
    assert window.generate.parameters.number.get() == 16


def test_says_on_what_the_engine_works(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Ready")
    engine.emit_events(Ready(device="Processor, 2 threads"))
    assert window.engine_status.get() == "Ready" and window.device.get() == "Processor, 2 threads"
    window.run_doctor()
    command = engine.sent[-1]
    assert isinstance(command, Doctor)
    engine.emit_events(Diagnosis(job=command.job, findings=(("space", True, "12 GB free"),)), Finished(job=command.job))
    assert window.findings.get() == (("space", True, "12 GB free"),)


def test_an_engine_that_stays_stopped_can_be_started_again(window: AppState, engine: FakeEngine) -> None:
    engine.message_raised.emit("The engine stopped unexpectedly. It was not started again. Your takes are safe.")
    engine.status_changed.emit("Stopped")
    said = window.messages.current.get()
    assert said is not None and [label for label, _ in said.buttons] == ["Start it again"]
    assert len(window.messages.history.get()) == 1
    window.messages.press_button(0)
    assert engine.starts == 1 and window.messages.current.get() is None


def test_the_last_fifty_messages_are_kept(window: AppState) -> None:
    for n in range(60):
        window.messages.show_message(f"message {n}")
    assert [said.text for said in window.messages.history.get()] == [f"message {n}" for n in range(10, 60)]
    window.messages.dismiss()
    assert window.messages.current.get() is None and len(window.messages.history.get()) == 50


def test_refused_models_are_said(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    (two_models / "bad.safetensors").write_bytes(b"rubbish")
    window = opener(engine)
    assert len(window.models.cards.get()) == 2
    said = window.messages.current.get()
    assert said is not None and '"bad.safetensors"' in said.text


def test_panels_that_do_not_exist_are_not_shown(window: AppState) -> None:
    window.show_panel("dungeon")
    assert window.panel.get() in window_module.PANELS


# ── two windows ──────────────────────────────────────────────────────────────────────────────────


def everything(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def draw(engine: FakeEngine, colour: int) -> None:
    """Answer the newest question of Explore."""
    asked = next(command for command in reversed(engine.sent) if isinstance(command, DecodeLatent))
    engine.emit_events(Decoded(job=asked.job, picture=tone(colour)), Finished(job=asked.job))


def test_a_second_window_says_so_and_changes_nothing_of_the_first(
    window: AppState, engine: FakeEngine, studio_home: Path
) -> None:
    engine.status_changed.emit("Ready")
    window.generate.parameters.set_number(2)
    window.generate.start_batch()
    window.explore.parameters.new_start(3)
    draw(engine, 9)
    window.explore.keep_take()
    original = window.complete.canvas.originals.add_picture(tone(7))
    window.autosave.save()
    window.autosave._task.wait()
    before = everything(studio_home)

    other_engine = FakeEngine()
    second = AppState(other_engine, SettingsFile(writable=False), FakeSpeaker(), is_first=False)
    second.start()
    said = second.messages.current.get()
    assert said is not None
    assert said.text == SECOND_WINDOW
    other_engine.status_changed.emit("Ready")
    second.generate.parameters.set_number(5)
    second.generate.start_batch()
    second.explore.parameters.new_start(4)
    draw(other_engine, 8)
    second.takes._loading.wait()
    second.explore.keep_take()
    second.close()

    after = everything(studio_home)
    assert {name: after.get(name) for name in before} == before
    assert [Path(name).parent.name for name in after.keys() - before.keys()] == ["takes"]
    assert window.complete.canvas.originals.get_picture(original) is not None


def test_a_second_window_renames_nothing_and_says_so(
    window: AppState, engine: FakeEngine, studio_home: Path, qtbot: QtBot
) -> None:
    engine.status_changed.emit("Ready")
    window.explore.parameters.new_start(3)
    draw(engine, 9)
    window.explore.keep_take()
    window.explore.selection.rename_take(0, "Rose")
    window.explore.parameters.rename_direction(0, "Warmth")
    window.autosave.save()
    window.autosave._task.wait()
    window.explore.history.undo()  # the settings on the disk know another name now
    window.autosave.stop()
    before = everything(studio_home)

    second = AppState(FakeEngine(), SettingsFile(writable=False), FakeSpeaker(), is_first=False)
    second.start()
    qtbot.waitUntil(lambda: bool(second.takes.takes.get()))
    for rename in (
        second.explore.selection.rename_take,
        second.generate.selection.rename_take,
        second.explore.parameters.rename_direction,
    ):
        second.messages.dismiss()
        steps = second.explore.history.undo_name.get()
        rename(0, "Thorn")
        said = second.messages.current.get()
        assert said is not None
        assert said.text == NAMES_ELSEWHERE
        assert second.explore.history.undo_name.get() == steps, "nothing was done that could be undone"
    for _ in range(4):
        second.explore.history.undo()
    second.close()
    assert {name: data for name, data in everything(studio_home).items() if name in before} == before


def test_a_second_window_leaves_damaged_settings_where_they_are(studio_home: Path) -> None:
    path = studio_home / "config" / "settings.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    plain, said = SettingsFile(writable=False).read()
    assert plain == {}
    assert said == "The settings were damaged. The window starts fresh. Your takes are safe."
    assert path.read_text() == "{"
