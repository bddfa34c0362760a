"""Settings that change while a sound plays: several changes become one edit, and a refused one is undone."""

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.state import SoundState
from studio.wire.messages import Failed, Finished
from tests.app.panels.sound.stage import RATE, SoundBench, opened

DRAWN = [[0.0, 1.0], [5.0, 0.0]]


@pytest.fixture
def playing(stage: SoundBench, qtbot: QtBot) -> SoundBench:
    """Open Sound with 0.6 seconds of sound, of which 0.2 are heard."""
    stage.sound.parameters.set_temperature(1.0)
    stage.sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.6)
    stage.play_seconds(0.2)
    return stage


def come_late(stage: SoundBench) -> None:
    """Let playback pass the first sample of the newest edit before its samples arrive."""
    late = stage.newest_edit()
    stage.play_seconds(0.3)
    stage.engine.emit_events(Finished(job=late.job))
    stage.send_samples(0.04, first=late.from_sample)


def come_in_time(stage: SoundBench) -> None:
    edit = stage.newest_edit()
    stage.engine.emit_events(Finished(job=edit.job))
    stage.send_samples(0.04, first=edit.from_sample)


def draw(sound: SoundState) -> None:
    sound.set_temperature_curve(DRAWN)


def turn_and_draw(sound: SoundState) -> None:
    sound.parameters.set_temperature(0.9)
    draw(sound)


@pytest.mark.parametrize(("begin", "outcome"), [(draw, come_late), (turn_and_draw, come_in_time)])
def test_temperature_set_after_drawing_a_curve_keeps_the_rest_of_the_curve(
    playing: SoundBench, begin: Callable[[SoundState], None], outcome: Callable[[SoundBench], None]
) -> None:
    sound = playing.sound
    begin(sound)
    first = playing.newest_edit()
    sound.parameters.set_temperature(0.5)
    assert playing.newest_edit() is first  # one edit at a time is under way
    outcome(playing)
    edit = playing.newest_edit()
    assert edit is not first and edit.from_sample is not None and edit.temperature_curve is not None
    assert edit.temperature_curve.tolist() == [list(point) for point in sound.live_settings.temperature_curve.get()]
    curve = sound.live_settings.temperature_curve.get()
    assert curve[-1] == (5.0, 0.0)
    assert heats.temperature_at(curve, edit.from_sample / RATE) == sound.parameters.temperature.get() == 0.5


def test_curve_drawn_after_setting_the_temperature_replaces_it(playing: SoundBench) -> None:
    sound = playing.sound
    sound.parameters.set_temperature(0.5)
    draw(sound)
    come_late(playing)
    curve = sound.live_settings.temperature_curve.get()
    assert curve[-1] == (5.0, 0.0) and all(temperature != 0.5 for _, temperature in curve)


def test_refused_edit_gives_the_settings_from_before_back(playing: SoundBench) -> None:
    sound = playing.sound
    curve = sound.live_settings.temperature_curve.get()
    sound.parameters.set_temperature(0.5)
    assert sound.live_settings.temperature_curve.get() != curve
    playing.engine.emit_events(Failed(job=playing.newest_edit().job, reason="No.", hint=""))
    assert sound.live_settings.temperature_curve.get() == curve and sound.parameters.temperature.get() == 1.0


def test_edit_refused_while_another_change_waits_leaves_only_the_newer_one(playing: SoundBench) -> None:
    sound = playing.sound
    draw(sound)
    refused = playing.newest_edit()
    sound.parameters.set_temperature(0.5)
    playing.engine.emit_events(Failed(job=refused.job, reason="No.", hint=""))
    edit = playing.newest_edit()
    assert edit is not refused and not edit.replaces_late_edit and edit.from_sample is not None
    at = edit.from_sample / RATE
    assert sound.live_settings.temperature_curve.get() == ((0.0, 1.0), (at, 1.0), (at, 0.5))


def test_edit_describes_a_change_without_making_it(playing: SoundBench) -> None:
    sound, settings = playing.sound, playing.sound.live_settings
    sound.parameters.set_temperature(0.9)
    sound.parameters.set_temperature(0.5)  # waits
    curve, sent = sound.live_settings.temperature_curve.get(), len(playing.engine.sent)
    edit = settings.edit_at(RATE)
    assert edit == settings.edit_at(RATE)
    assert edit.changes == {"temperature": 0.5} and edit.before.temperature_curve == curve
    assert edit.after.temperature_curve == (*curve, (1.0, 0.9), (1.0, 0.5))
    assert sound.live_settings.temperature_curve.get() == curve and len(playing.engine.sent) == sent
