"""Tests the panel Sound in the window, with an engine that a test controls."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from studio.app.panels.sound.inspector_view import SoundInspector
from studio.app.panels.sound.player_view import PlayerView
from studio.app.panels.sound.state import NO_MODEL
from studio.app.panels.sound.view import EMPTY_TEXT, NO_MODEL_TEXT
from studio.wire.messages import (
    BitsChunk,
    ComputeBits,
    FindLoop,
    Finished,
    Heartbeat,
    LoopFound,
    SoundChunk,
    Stopped,
    StreamSound,
)
from tests.app.fake_model import make_card, write_model
from tests.app.window.test_layout import SIZES, check, resize
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

RATE, PIECE = 16_000, 320


class Stage:
    """Holds the window with Sound open."""

    def __init__(self, studio: OpenedWindow, qtbot: QtBot) -> None:
        self.studio, self.qtbot = studio, qtbot
        self.sound, self.frame = studio.state.sound, studio.window
        panel = studio.window.panels["sound"]
        self.page: PlayerView = panel.stage.player  # type: ignore[attr-defined]
        self.inspector: SoundInspector = panel.inspector  # type: ignore[assignment]
        self.lanes, self.transport = self.page.lanes, self.page.transport

    def make(self, seconds: float, speed: float = 3.0, price: float = 2.5) -> None:
        """Let the engine make so much sound."""
        asked = next(each for each in reversed(self.studio.engine.sent) if isinstance(each, StreamSound))
        begun = len(asked.sound_to_continue) if asked.sound_to_continue is not None else 0
        at = len(self.sound.player.samples) - begun
        noise = np.random.default_rng(0).integers(-9000, 9000, PIECE).astype(np.int16)
        for piece in range(round(seconds * RATE / PIECE)):
            bits = np.full(PIECE, price, np.float32)
            self.studio.engine.emit_events(
                SoundChunk(job=asked.job, first_sample=at + piece * PIECE, samples=noise, bits=bits, speed=speed)
            )
        self.show()

    def show(self) -> None:
        self.page.show_frame()
        settle()

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.lanes.playhead.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(self.lanes.playhead, key, keys)


def drawn_at(stage: Stage, seconds: float) -> bool:
    """Return whether the wave's lane shows anything at a moment, a little above its middle."""
    wave = stage.lanes.wave
    at = wave.mapTo(stage.lanes, QPointF(stage.lanes.timeline.x_of(seconds), wave.height() * 0.45).toPoint())
    return stage.lanes.grab().toImage().pixelColor(at) != stage.studio.theme.colour("window")


@pytest.fixture
def stage(two_models: Path, window_opener: WindowOpener, qtbot: QtBot) -> Stage:
    kinds = ("Harp", "Bells")
    write_model(two_models, make_card("hum", (RATE,), family=("wavenet", "WaveNet"), rate=RATE, classes=kinds))
    write_model(two_models, make_card("drone", (RATE,), family=("wavenet", "WaveNet"), rate=RATE))
    studio = window_opener()
    studio.start_engine()
    studio.state.show_panel("sound")
    studio.state.sound.choose_model("hum")
    settle()
    return Stage(studio, qtbot)


def test_without_a_model_only_what_works_is_shown(
    studio: OpenedWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.state.show_panel("sound")
    settle()
    panel = studio.window.panels["sound"]
    assert panel.stage.title.text() == NO_MODEL_TEXT  # type: ignore[attr-defined]
    bar, inspector, foot = studio.window.open_bar, panel.inspector, panel.foot
    dead = (
        bar.surprisal,
        bar.smooth_field,
        panel.stage.begin,
        panel.stage.own,
        inspector.parameters.temperature,
        inspector.change,
    )  # type: ignore[attr-defined]
    assert not any(widget.isVisible() for widget in (*dead, inspector.branch, inspector.output, foot.export, foot.keep))  # type: ignore[attr-defined]
    wave = tmp_path / "waltz.wav"
    soundfile.write(wave, np.zeros(RATE), RATE)
    assert studio.state.drop_text([wave]) == NO_MODEL
    monkeypatch.setattr(studio.window.dialogs, "ask_file", lambda kinds, then: then(tmp_path / "hum.safetensors"))
    write_model(tmp_path, make_card("hum", (RATE,), family=("wavenet", "WaveNet"), rate=RATE))
    panel.stage.add.click()  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: studio.state.sound.model.get() is not None)
    settle()
    assert panel.stage.begin.isVisible() and not panel.stage.add.isVisible()  # type: ignore[attr-defined]
    assert inspector.parameters.temperature.isVisible() and foot.export.isVisible()  # type: ignore[attr-defined]
    assert not inspector.branch.isVisible()  # type: ignore[attr-defined]


def test_it_begins_with_one_click(stage: Stage) -> None:
    begin = stage.frame.panels["sound"].stage
    assert begin.title.text() == EMPTY_TEXT  # type: ignore[attr-defined]
    begin.begin.click()  # type: ignore[attr-defined]
    settle()
    assert stage.page.isVisible()
    stage.make(2.0)
    assert stage.transport.time.text() == "0:00.00"
    assert stage.transport.made.text() == "of 0:02.00 made"
    assert stage.transport.speed.text() == "3.0 × real time"
    assert stage.transport.meter.accessibleName() == "Speed, 3.0 times real time, 2.0 seconds ahead"


def test_a_slow_computer_shows_when_it_will_play(stage: Stage) -> None:
    stage.sound.play()
    stage.make(2.0, speed=0.5)
    assert stage.transport.speed.text() == "0.5 × real time"
    assert stage.transport.speed.property("role") == "warn"
    assert stage.transport.ahead.text().startswith("Playing starts in about ")


def test_space_plays_and_pauses_from_the_lanes_and_presses_a_button_that_has_the_focus(stage: Stage) -> None:
    stage.sound.play()
    stage.make(1.0)
    stage.key(Qt.Key.Key_Space)
    assert not stage.sound.player.playing.get()
    assert stage.transport.play.accessibleName() == "Play"
    stage.key(Qt.Key.Key_Space)
    assert stage.sound.player.playing.get()
    stage.transport.loop.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(stage.transport.loop, Qt.Key.Key_Space)
    assert stage.sound.player.looping.get()
    assert stage.sound.player.playing.get()


def test_home_end_and_clicks_seek(stage: Stage) -> None:
    stage.sound.play()
    stage.make(4.0)
    stage.sound.player.pause()
    stage.key(Qt.Key.Key_End)
    assert stage.sound.player.position == pytest.approx(4.0)
    assert stage.transport.time.text() == "0:04.00"
    stage.key(Qt.Key.Key_Left)
    assert stage.sound.player.position == pytest.approx(3.9)
    stage.key(Qt.Key.Key_Home)
    assert stage.sound.player.position == 0.0
    at = QPointF(stage.lanes.timeline.x_of(2.0), 10).toPoint()
    QTest.mouseClick(stage.lanes.wave, Qt.MouseButton.LeftButton, pos=at)
    assert stage.sound.player.position == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("name", ["ruler", "spectrogram", "wave", "bits"])
def test_keys_of_the_sound_hold_after_a_click_on_a_lane(stage: Stage, name: str) -> None:
    stage.sound.play()
    stage.make(4.0)
    stage.sound.player.stop()
    stage.frame.rail.buttons["generate"].setFocus(Qt.FocusReason.OtherFocusReason)
    lane = getattr(stage.lanes, name)
    QTest.mouseClick(lane, Qt.MouseButton.LeftButton, pos=QPointF(stage.lanes.timeline.x_of(2.0), 8).toPoint())
    assert stage.lanes.playhead.hasFocus()
    QTest.keyClick(stage.frame.focusWidget(), Qt.Key.Key_K)
    assert stage.sound.live_settings.cut.get() == pytest.approx(2.0, abs=0.05)
    assert stage.studio.state.panel.get() == "sound"


def test_the_button_of_the_strip_keeps_what_is_made_and_a_take_comes_back(stage: Stage) -> None:
    stage.sound.play()
    stage.make(3.0)
    stage.sound.player.stop()
    stage.frame.strip.keep.click()
    assert len(stage.studio.state.takes.takes.get()) == 1
    stage.sound.parameters.new_seed()
    settle()
    assert not stage.page.isVisible()
    stage.frame.strip.take_chosen.emit(0)
    stage.show()
    assert stage.page.isVisible()
    assert stage.sound.player.made_seconds == pytest.approx(3.0)
    assert stage.studio.state.panel.get() == "sound"


def test_a_branch_shows_its_source(stage: Stage) -> None:
    stage.sound.play()
    stage.make(3.0)
    stage.sound.player.pause()
    stage.page.seek(1.5)
    stage.key(Qt.Key.Key_K)
    stage.show()
    assert stage.inspector.from_.text() == "Continues from take 1 at 0:01.5"
    assert stage.lanes.timeline.cut == pytest.approx(1.5)
    assert stage.lanes.timeline.made == pytest.approx(1.5)


def test_a_branch_in_a_pause_shows_nothing_made_or_ahead(stage: Stage) -> None:
    stage.sound.play()
    stage.make(3.0)
    stage.page.seek(2.0)
    stage.sound.player.pause()
    stage.show()
    assert "s ahead" in stage.transport.ahead.text()
    assert drawn_at(stage, 2.5)
    stage.key(Qt.Key.Key_K)
    stage.show()
    assert not drawn_at(stage, 2.5) and drawn_at(stage, 1.5), "what is after the branch is gone"
    assert not stage.lanes.timeline.making, "the wave says: being made"
    assert stage.transport.ahead.text() == "No gaps so far"
    assert "ahead" not in stage.transport.meter.accessibleName()
    assert stage.studio.state.jobs.jobs.get() == ()


def test_being_made_is_only_shown_while_sound_is_made(stage: Stage) -> None:
    stage.sound.play()
    stage.make(0.2)
    stage.sound.player.pause()
    stage.show()
    assert stage.lanes.timeline.making and stage.page._frames.isActive()
    stage.make(1.0)  # further ahead than allowed, so the engine waits
    assert stage.sound.player.making.get() and not stage.lanes.timeline.making
    assert not stage.page._frames.isActive()
    stage.sound.play()
    stage.show()
    assert stage.lanes.timeline.making


@pytest.mark.parametrize("seconds", [5, 60])
def test_an_opened_recording_is_seen_whole_wherever_the_lanes_were(stage: Stage, tmp_path: Path, seconds: int) -> None:
    stage.sound.play()
    stage.make(40.0)
    stage.sound.player.stop()
    time = stage.lanes.timeline
    time.zoom(8.0, 0.0)
    time.scroll_by(30.0)
    assert time.begin > 20
    soundfile.write(tmp_path / "waltz.wav", 0.1 * np.sin(np.arange(seconds * RATE) / 10), RATE)
    stage.studio.state.open_dropped([tmp_path / "waltz.wav"])
    stage.qtbot.waitUntil(lambda: stage.sound.source.recording.get() is not None)
    stage.show()
    assert time.begin == 0 and time.cut == seconds < time.end, "all of it is seen, and where the model goes on"


def test_lanes_that_show_nothing_any_more_go_back_to_the_sound(stage: Stage) -> None:
    stage.sound.play()
    stage.make(40.0)
    stage.sound.player.stop()
    time = stage.lanes.timeline
    time.zoom(8.0, 0.0)
    time.scroll_by(30.0)
    stage.sound.branch_at(2.0)
    stage.show()
    assert time.begin <= 2.0 <= time.end


def test_a_cross_and_a_key_put_the_recording_away(stage: Stage, tmp_path: Path) -> None:
    cross = stage.inspector.close_recording
    inspector = stage.inspector
    assert not cross.isVisible()
    soundfile.write(tmp_path / "waltz.wav", 0.1 * np.sin(np.arange(5 * RATE) / 10), RATE)
    stage.studio.state.open_dropped([tmp_path / "waltz.wav"])
    stage.qtbot.waitUntil(lambda: stage.sound.source.recording.get() is not None)
    settle()
    assert cross.isVisible() and cross.accessibleName() == "Put the recording away" and "Ctrl+W" in cross.toolTip()
    QTest.mouseClick(cross, Qt.MouseButton.LeftButton)
    settle()
    assert inspector.name.text() == "None: the model begins by itself" and not cross.isVisible()
    assert not stage.page.isVisible(), "how to begin is shown again"
    stage.studio.state.undo()
    settle()
    assert inspector.name.text() == "waltz.wav" and cross.isVisible() and stage.page.isVisible()
    stage.key(Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    assert stage.sound.source.recording.get() is None


def test_the_temperature_slider_and_the_drawn_line_agree(stage: Stage) -> None:
    stage.sound.play()
    stage.make(1.0)
    stage.inspector.parameters.temperature.moved.emit(0.4)
    assert stage.sound.parameters.temperature.get() == 0.4
    assert stage.lanes.temperature.shown_knots[-1][1] == 0.4
    stage.sound.player.stop()
    stage.show()
    stage.key(Qt.Key.Key_T)
    stage.lanes.temperature.nudge_knot(0.0, 5)
    assert stage.lanes.temperature.shown_knots[-1][1] == stage.sound.parameters.temperature.get() == pytest.approx(0.5)
    assert stage.lanes.temperature.shown_knots[-2][1] == 0.7, "what was made keeps what it was made by"
    assert stage.studio.state.sound.history.undo_name.get() == "temperature over time"


def test_class_and_mix_are_offered_if_there_are_some(stage: Stage) -> None:
    inspector = stage.inspector
    assert inspector.parameters.class_field.isVisible()
    inspector.parameters.class_field.setCurrentIndex(2)
    inspector.parameters.class_field.activated.emit(2)
    assert stage.sound.parameters.label.get() == 1
    assert stage.frame.open_bar.picker.isVisible()
    stage.sound.choose_model("drone")
    settle()
    assert not inspector.parameters.class_field.isVisible()


def test_classes_of_two_sorts_have_two_lists(stage: Stage, two_models: Path) -> None:
    said = make_card(
        "digits", (RATE,), family=("wavenet", "WaveNet"), rate=RATE, classes=("0 ann", "0 bob", "1 ann", "1 bob")
    )
    write_model(two_models, replace(said, label_columns=("label", "speaker")))
    stage.studio.state.models.refresh_models()
    stage.sound.choose_model("digits")
    settle()
    dials, label = stage.inspector.parameters, stage.sound.parameters.label
    assert [dials.second_class_field.itemText(place) for place in range(3)] == ["Any", "ann", "bob"]
    dials.second_class_field.activated.emit(2)
    assert label.get() == 1 and (dials.class_field.currentText(), dials.second_class_field.currentText()) == (
        "0",
        "bob",
    )
    dials.class_field.activated.emit(2)
    assert label.get() == 3
    dials.class_field.activated.emit(0)
    assert label.get() is None and dials.second_class_field.currentIndex() == 0
    stage.sound.choose_model("hum")
    settle()
    assert dials.class_field.isVisible() and not dials.second_class_field.isVisible()


def test_a_region_is_repeated_and_shown(stage: Stage) -> None:
    stage.sound.play()
    stage.make(5.0)
    time = stage.lanes.timeline
    time.loop_moved.emit(1.0, 3.25)
    assert stage.inspector.region.text() == "0:01.000 to 0:03.250"
    stage.key(Qt.Key.Key_G)
    assert stage.sound.player.looping.get()
    assert stage.transport.loop.isChecked()
    stage.key(Qt.Key.Key_G)
    assert not stage.transport.loop.isChecked()
    assert time.loop == (1.0, 3.25)


def test_escape_takes_a_drag_back(stage: Stage) -> None:
    stage.sound.play()
    stage.make(5.0)
    stage.sound.player.set_loop((1.0, 3.0))
    wave, x = stage.lanes.wave, stage.lanes.timeline.x_of
    QTest.mousePress(wave, Qt.MouseButton.LeftButton, pos=QPointF(x(3.0), 10).toPoint())
    stage.lanes.timeline.loop_moved.emit(1.0, 4.0)
    stage.frame.close_or_leave()
    QTest.mouseRelease(wave, Qt.MouseButton.LeftButton)
    assert stage.sound.player.loop.get() == (1.0, 3.0)


def test_the_output_is_chosen_among_those_there_are(stage: Stage) -> None:
    output = stage.inspector.output
    stage.qtbot.waitUntil(lambda: output.count() == 3)
    assert [output.itemText(place) for place in range(3)] == ["The system's own", "Built-in speakers", "Headphones"]
    output.activated.emit(2)
    assert stage.sound.player.card.device.get() == "Headphones"


def test_the_latency_is_as_needed_or_as_chosen(stage: Stage) -> None:
    latency, card = stage.inspector.latency, stage.sound.player.card
    assert latency.currentText() == "Latency as needed"
    latency.activated.emit(latency.findText("Latency 20 ms"))
    assert card.latency.get() == 0.02 and latency.currentText() == "Latency 20 ms"
    latency.activated.emit(0)
    assert card.latency.get() == 0 and latency.currentText() == "Latency as needed"


def test_export_offers_every_form(stage: Stage) -> None:
    foot = stage.frame.panels["sound"].foot
    assert not foot.export.isEnabled()  # type: ignore[attr-defined]
    stage.sound.play()
    stage.make(1.0)
    asked: list[str] = []
    stage.studio.state.messages.file_requested.disconnect(stage.frame.dialogs.ask_save_path)
    stage.studio.state.messages.file_requested.connect(lambda name, then: asked.append(name))
    foot.export.click()  # type: ignore[attr-defined]
    (menu,) = foot.findChildren(QMenu)
    assert [act.text() for act in menu.actions()][0::3] == ["WAV, 16 bit…", "FLAC, 16 bit…"]
    menu.actions()[3].trigger()
    menu.close()
    assert [name.rsplit(".")[-1] for name in asked] == ["flac"]


def test_regenerated_sound_is_drawn_again(stage: Stage) -> None:
    """Removed and new samples lie in the same memory."""
    stage.sound.play()
    stage.make(4.0, price=6.0)
    stage.show()
    assert stage.lanes.bits.bits_at(3.9) == pytest.approx(6.0)
    stage.sound.player.live_generation.truncate(RATE)
    stage.sound.player.seek(1.0)
    stage.sound.play()
    stage.make(4.0, price=1.0)
    assert stage.lanes.bits.bits_at(3.9) == pytest.approx(1.0)
    assert stage.lanes.bits.bits_at(0.9) == pytest.approx(6.0)


def test_no_frames_are_drawn_while_nothing_moves(stage: Stage) -> None:
    stage.sound.play()
    stage.make(1.0)
    assert stage.page._frames.isActive()
    stage.sound.player.stop()
    stage.show()
    assert not stage.page._frames.isActive()


@pytest.mark.parametrize(("width", "height", "text"), SIZES)
def test_nothing_of_it_is_cut(stage: Stage, width: int, height: int, text: int) -> None:
    resize(stage.studio, width, height, text)
    check(stage.studio)
    stage.sound.play()
    stage.make(2.0)
    check(stage.studio)
    stage.make(1.0, speed=0.5)
    check(stage.studio)


def test_what_is_heard_is_recorded_by_a_button_and_by_its_key(stage: Stage) -> None:
    stage.sound.play()
    stage.make(1.0)
    stage.transport.record.click()
    assert stage.sound.player.recording.get()
    assert stage.transport.record.accessibleName() == "End the recording"
    stage.key(Qt.Key.Key_Q)
    assert not stage.sound.player.recording.get()
    assert not stage.transport.record.isChecked()


def test_the_best_join_is_found_and_shown(stage: Stage) -> None:
    stage.sound.play()
    stage.make(3.0)
    assert not stage.inspector.best.isVisible()
    stage.sound.set_loop((0.5, 2.5))
    settle()
    stage.inspector.best.click()
    asked = stage.studio.engine.sent[-1]
    assert isinstance(asked, FindLoop)
    assert not stage.inspector.best.isEnabled()
    stage.studio.engine.emit_events(
        LoopFound(job=asked.job, begin=8320, end=40_320, join_bits=3.4, join_bits_before=9.0, tried_count=400)
    )
    assert stage.inspector.region.text() == "0:00.520 to 0:02.520"
    assert stage.inspector.join.text() == "The join costs 3.4 bits, least of 400 tried"
    assert stage.inspector.best.isEnabled()


# ── bits of a recording ──────────────────────────────────────────────────────────────────────────


def recorded(stage: Stage, tmp_path: Path, seconds: float = 60.0) -> None:
    """Open a recording of noise, and let the engine decide its class."""
    noise = np.random.default_rng(0).integers(-9000, 9000, round(seconds * RATE)).astype(np.int16)
    soundfile.write(tmp_path / "rain.wav", noise, RATE, subtype="PCM_16")
    stage.studio.start_engine()
    stage.studio.state.open_file(tmp_path / "rain.wav")
    stage.qtbot.waitUntil(lambda: len(stage.sound.player.samples) == len(noise))
    stage.show()
    asked = prices(stage)[-1]
    told = BitsChunk(job=asked.job, first_sample=asked.first_sample, bits=np.zeros(0, np.float32), label=0)
    stage.studio.engine.emit_events(told, Finished(job=asked.job))


def prices(stage: Stage) -> list[ComputeBits]:
    return [command for command in stage.studio.engine.sent if isinstance(command, ComputeBits)]


def answer(stage: Stage, samples: int, height: float = 4.0) -> None:
    """Let the engine send the bits of so many samples of the newest request."""
    asked = prices(stage)[-1]
    bits = np.full(samples, height, np.float32)
    stage.studio.engine.emit_events(
        BitsChunk(job=asked.job, first_sample=asked.first_sample, bits=bits, label=asked.label)
    )


def test_bits_are_asked_for_what_the_lanes_show_while_they_show_it(stage: Stage, tmp_path: Path) -> None:
    recorded(stage, tmp_path)
    time = stage.lanes.timeline
    engine = stage.studio.engine
    time.show_all()
    time.zoom(time.length / 10.0, 0.0)
    time.set_begin(30.0)
    engine.emit_events(Stopped(job=engine.stopped[-1]))
    asked = prices(stage)[-1]
    begin, end = round(time.begin * RATE), round(time.end * RATE)
    assert len(asked.sound) - asked.first_sample == end - begin, "what is seen, and nothing else"
    assert np.array_equal(asked.sound[asked.first_sample :], stage.sound.player.samples[begin:end])
    stage.studio.state.show_panel("generate")
    settle()
    assert engine.stopped[-1] == asked.job
    engine.emit_events(Stopped(job=asked.job))
    count = len(prices(stage))
    time.set_begin(10.0)
    assert len(prices(stage)) == count, "nobody sees them"
    stage.studio.state.show_panel("sound")
    settle()
    assert len(prices(stage)) == count + 1
    stage.lanes.bits.hide()
    settle()
    assert engine.stopped[-1] == prices(stage)[-1].job, "the lane is not there"
    engine.emit_events(Stopped(job=engine.stopped[-1]))
    stage.lanes.bits.show()
    settle()
    assert len(prices(stage)) == count + 2
    stage.frame.showMinimized()
    stage.qtbot.waitUntil(lambda: engine.stopped[-1] == prices(stage)[-1].job)


def test_bits_appear_at_their_samples_as_they_arrive(stage: Stage, tmp_path: Path) -> None:
    recorded(stage, tmp_path)
    time = stage.lanes.timeline
    bits = stage.lanes.bits
    time.show_all()
    before = bits.grab().toImage()
    answer(stage, 20 * RATE)
    stage.show()
    assert bits.bits_at(10.0) == 4.0 and bits.bits_at(30.0) is None
    after = bits.grab().toImage()
    left = int(time.x_of(5.0))
    right = int(time.x_of(40.0))
    high = bits.height()
    below = high - 4  # below the line at four of eight bits
    assert after.pixel(left, below) != before.pixel(left, below)
    assert after.pixel(right, below) == before.pixel(right, below)


def test_pricing_stands_in_the_queue_and_is_stopped_there(stage: Stage, tmp_path: Path, qtbot: QtBot) -> None:
    recorded(stage, tmp_path)
    box = stage.frame.job_box.first_job
    job = prices(stage)[-1].job
    engine = stage.studio.engine
    qtbot.waitUntil(box.isVisible)
    engine.emit_events(Heartbeat(steps=1, job=job))
    answer(stage, len(prices(stage)[-1].sound) // 4)
    assert box.title.text() == "Bits of the recording" and box.progress_label.text().startswith("25 % done")
    assert box.bar.isVisible() and box.bar.value() == 250
    QTest.mouseClick(box.stop, Qt.MouseButton.LeftButton)
    assert engine.stopped == [job]
    count = len(prices(stage))
    engine.emit_events(Stopped(job=job))
    settle()
    assert not box.isVisible() and len(prices(stage)) == count
    stage.sound.play()  # the panel still exists
    stage.make(0.2)
    assert len(stage.sound.player.samples) == 60 * RATE + 3200


def test_the_stop_key_stops_computing_bits_if_nothing_plays(stage: Stage, tmp_path: Path, qtbot: QtBot) -> None:
    recorded(stage, tmp_path)
    qtbot.waitUntil(stage.frame.job_box.first_job.isVisible)
    stage.frame.state.stop_job()
    job = prices(stage)[-1].job
    assert stage.studio.engine.stopped == [job]
    stage.studio.engine.emit_events(Finished(job=job))


def test_bits_that_were_stopped_come_back_by_a_button_beside_the_words(stage: Stage, tmp_path: Path) -> None:
    recorded(stage, tmp_path)
    inspector, engine = stage.inspector, stage.studio.engine
    stage.lanes.timeline.show_all()
    settle()
    assert not inspector.show_bits.isVisible()
    answer(stage, RATE)
    engine.emit_events(Stopped(job=prices(stage)[-1].job))
    settle()
    assert "stopped" in inspector.priced.text()
    assert inspector.show_bits.isVisible()
    count = len(prices(stage))
    QTest.mouseClick(inspector.show_bits, Qt.MouseButton.LeftButton)
    settle()
    assert len(prices(stage)) == count + 1
    assert not inspector.show_bits.isVisible()
    assert "stopped" not in inspector.priced.text()


def test_a_model_follows_a_recording_that_the_user_chooses(
    stage: Stage, two_models: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    inspector, sound = stage.inspector, stage.sound
    assert not inspector.choose_followed.isVisible(), "this model follows nothing"
    recipe = {"family": "wavenet", "follows_pitch": True, "follows_loudness": False}
    card = replace(make_card("flute", (RATE,), family=("wavenet", "WaveNet"), rate=RATE), recipe=recipe)
    write_model(two_models, card)
    sound.models.refresh_models()
    sound.choose_model("flute")
    stage.show()
    assert inspector.choose_followed.isVisible() and not inspector.clear_followed.isVisible()
    assert inspector.followed_name.text() == "A recording that it learned from"
    assert inspector.followed_note.text() == "The sound takes pitch from it, again and again."
    hummed = np.rint(9000 * np.sin(np.arange(2 * RATE) * 0.1)).astype(np.int16)
    soundfile.write(tmp_path / "hummed.wav", hummed, RATE, subtype="PCM_16")
    QTest.mouseClick(inspector.choose_followed, Qt.MouseButton.LeftButton)
    (dialog,) = stage.frame.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "hummed.wav"))
    dialog.reject()
    qtbot.waitUntil(lambda: inspector.followed_name.text() == "hummed.wav")
    sound.play()
    stage.make(1.0)
    asked = [each for each in stage.studio.engine.sent if isinstance(each, StreamSound)][-1]
    assert asked.followed_sound is not None and len(asked.followed_sound) == 2 * RATE
    settle()
    QTest.mouseClick(inspector.clear_followed, Qt.MouseButton.LeftButton)
    assert not len(sound.player.samples), "another sound begins"
    sound.play()
    asked = [each for each in stage.studio.engine.sent if isinstance(each, StreamSound)][-1]
    assert asked.followed_sound is None
    sound.choose_model("drone")
    sound.followed.open_file(tmp_path / "hummed.wav", RATE)
    qtbot.waitUntil(lambda: sound.followed.opened.get() is not None)
    sound.play()
    asked = [each for each in stage.studio.engine.sent if isinstance(each, StreamSound)][-1]
    assert (asked.model, asked.followed_sound) == ("drone", None), "others would refuse it"
