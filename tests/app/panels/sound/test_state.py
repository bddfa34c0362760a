"""Tests playback in Sound, with an engine and a sound card that a test controls."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.panels.sound.live_generation import AHEAD_SECONDS, INITIAL_LEAD, JOB_SECONDS, LEAD_GROWTH
from studio.wire.messages import Adjust, Failed, Finished, Stopped
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.panels.sound.stage import RATE, SoundBench, made, opened


def test_play_is_heard_while_it_is_made_and_never_far_ahead(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.player.set_level(1.0)
    sound.parameters.set_seed(7)
    sound.parameters.set_temperature(0.8)
    sound.play()
    opened(stage, qtbot)
    asked = stage.newest_start()
    assert (asked.seed, asked.sound_to_continue, asked.allowed_seconds) == (7, None, AHEAD_SECONDS)
    assert asked.temperature_curve is not None and asked.temperature_curve.tolist() == [[0.0, 0.8]]
    assert not stage.play_seconds(0.1).any() and sound.player.waiting_reason.get()
    stage.send_samples(0.4)
    heard = stage.play_seconds(0.3)
    assert np.abs(heard[4800:] * 32_768 - 1000).max() < 60 and not sound.player.waiting_reason.get()
    assert sound.player.position == pytest.approx(0.3, abs=0.02)
    assert sound.player.seconds_ahead == pytest.approx(0.1, abs=0.02)
    more = stage.engine.sent[-1]
    assert isinstance(more, Adjust) and more.allowed_seconds == pytest.approx(0.3 + AHEAD_SECONDS, abs=0.03)
    assert (sound.player.bits == 2.5).all() and len(sound.player.bits) == len(sound.player.samples) == 6400


def test_slower_than_real_time_it_waits_until_it_can_play_without_a_gap(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(1.0, speed=0.6)
    assert not stage.play_seconds(0.2).any()
    assert sound.player.waiting_reason.get() == (
        f"0.6 × real time. Playing starts in about {round((JOB_SECONDS * 0.4 - 1) / 0.6)} s,"
        " then without a gap for 20 s."
    )
    for value in (1000, 2000):  # a constant value would be silence
        stage.send_samples((JOB_SECONDS * 0.4 - 1) / 2, value, speed=0.6)
    assert stage.play_seconds(0.2).any() and not sound.player.waiting_reason.get()
    stage.play_seconds(JOB_SECONDS)  # nothing more came: it ran dry, and waits again instead of stuttering on
    stage.send_samples(0.2, speed=0.6)
    assert sound.player.gap_count == 1 and not stage.play_seconds(0.1).any() and sound.player.waiting_reason.get()
    sure = sound.player.live_generation.lead
    assert sure == LEAD_GROWTH * INITIAL_LEAD, "what was too little to go on from is more next time"


def test_a_changed_temperature_replaces_only_unheard_samples(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.parameters.set_temperature(1.0)
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.6)
    stage.play_seconds(0.2)
    sound.parameters.set_temperature(0.5)
    turn = stage.newest_edit()
    assert turn.from_sample is not None
    at = turn.from_sample / RATE
    assert sound.player.position + 0.02 < at < sound.player.position + 0.15
    assert turn.temperature_curve is not None and turn.temperature_curve.tolist() == [[0.0, 1.0], [at, 1.0], [at, 0.5]]
    stage.send_samples(0.1, value=-9, first=9600)  # was on its way already: made by the old temperature
    stage.engine.emit_events(Finished(job=turn.job))
    stage.send_samples(0.2, value=500)
    made = sound.player.samples
    assert (made[: turn.from_sample] == 1000).all() and (made[turn.from_sample :] == 500).all()
    assert len(made) == turn.from_sample + round(0.2 * RATE)


def test_only_the_newest_wish_is_told_while_one_is_on_its_way(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.6)
    stage.play_seconds(0.2)
    before = len(stage.engine.sent)
    for heat in (0.9, 0.8, 0.7):
        sound.parameters.set_temperature(heat)
    turns = [one for one in stage.engine.sent[before:] if isinstance(one, Adjust) and one.from_sample is not None]
    assert len(turns) == 1
    stage.engine.emit_events(Finished(job=turns[0].job))
    stage.send_samples(0.04)
    last = stage.newest_edit()
    assert last.temperature_curve is not None and last.temperature_curve[-1, 1] == 0.7
    assert [heat for _, heat in sound.live_settings.temperature_curve.get()][-1] == 0.7


def test_what_cannot_be_changed_plays_on_as_it_was(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.6)
    stage.play_seconds(0.2)
    before, bits = sound.player.samples.copy(), sound.player.bits.copy()
    sound.parameters.set_temperature(0.5)
    turn = stage.newest_edit()
    assert turn.from_sample is not None and turn.from_sample < len(before)
    stage.send_samples(0.1, value=700, first=len(before))  # nothing has changed for the engine
    stage.engine.emit_events(Failed(job=turn.job, reason="No.", hint=""))
    assert np.array_equal(sound.player.samples[: len(before)], before)
    assert np.array_equal(sound.player.bits[: len(before)], bits)
    assert (sound.player.samples[len(before) :] == 700).all() and len(sound.player.samples) > len(before)
    said = stage.window.messages.current.get()
    assert said is not None and "The sound plays on unchanged" in said.text


def test_an_engine_that_dies_lets_what_is_made_play_out(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.5)
    stage.engine.sent.append(stage.newest_start())
    stage.engine.die()
    assert sound.player.playing.get() and not sound.player.making.get()
    heard = stage.play_seconds(0.7)
    assert heard[:23_000].any() and not heard[25_000:].any()
    assert np.abs(np.diff(heard)).max() < 0.001 and sound.player.gap_count == 0
    assert not sound.player.playing.get()
    said = stage.window.messages.history.get()[-1]
    assert "up to 0:00.5 is kept" in said.text
    sound.play()
    again = stage.newest_start()
    assert again.sound_to_continue is not None and len(again.sound_to_continue) == 8000


def test_a_sound_card_that_goes_away_pauses_and_another_plays_on(stage: SoundBench, qtbot: QtBot) -> None:
    sound, speaker = stage.sound, stage.speaker
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.5)
    stage.play_seconds(0.2)
    speaker.faults = '"Headphones" was removed. Nothing is lost, but the sound stopped.'
    sound.player.card.check_output()
    assert not sound.player.playing.get() and sound.player.making.get() and speaker.source is None
    said = stage.window.messages.current.get()
    assert said is not None and said.text == (
        '"Headphones" was removed at 0:00.2. Playing is paused there. '
        "The model pauses once it is well ahead. Nothing is lost."
    )
    assert [words for words, _ in said.buttons] == ["Play again"], "it was the system's output already"
    speaker.faults = ""
    stage.window.messages.press_button(0)
    opened(stage, qtbot)
    assert stage.play_seconds(0.1).any() and sound.player.position == pytest.approx(0.3, abs=0.02)


def test_a_device_that_was_chosen_and_goes_away_is_replaced_by_the_systems(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    speaker = stage.speaker
    sound.player.choose_output("Headphones")
    sound.play()
    opened(stage, qtbot)
    assert speaker.device == "Headphones"
    speaker.faults = '"Headphones" was removed. Nothing is lost, but the sound stopped.'
    sound.player.card.check_output()
    said = stage.window.messages.current.get()
    assert said is not None
    assert said.text == '"Headphones" was removed at 0:00.0. Playing is paused there. Nothing is lost.'
    assert [words for words, _ in said.buttons] == ["Play on the system's output"]
    speaker.faults = ""
    stage.window.messages.press_button(0)
    opened(stage, qtbot)
    assert speaker.device == "Built-in speakers" and sound.player.playing.get()


def test_waiting_shows_its_reason(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    player = stage.sound.player
    stage.engine.status_changed.emit("Starting")
    sound.play()
    assert player.waiting_reason.get() == "Playing starts when the engine is ready."
    stage.engine.status_changed.emit("Ready")
    assert player.waiting_reason.get() == "Playing starts once the model has begun."
    opened(stage, qtbot)
    stage.send_samples(0.04, speed=0.0)
    said = "First run: preparing the fast version. Then playing starts."
    assert player.waiting_reason.get() == said
    stage.send_samples(0.5)
    assert not player.waiting_reason.get()
    stage.play_seconds(1.0)
    assert player.gap_count == 1 and player.waiting_reason.get() == "Playing continues in a moment.", (
        "the fast loop is there"
    )
    stage.send_samples(0.04, speed=0.5)
    assert player.waiting_reason.get().startswith("0.5 × real time. Playing continues in about ")
    sound.player.pause()
    assert not player.waiting_reason.get(), "nobody waits"


def test_a_card_that_opens_slowly_or_takes_nothing_is_what_is_waited_for(stage: SoundBench, qtbot: QtBot) -> None:
    player = made(stage, qtbot).player
    answers = threading.Event()
    take = stage.speaker.open

    def take_slowly(*args: Any) -> None:
        answers.wait(20)
        take(*args)

    stage.speaker.open = take_slowly  # type: ignore[method-assign]
    player.card.release(player.buffer.stream)
    player.play()
    assert player.waiting_reason.get() == "The output is being opened."
    answers.set()
    qtbot.waitUntil(lambda: not player.waiting_reason.get())
    stage.speaker.still = 4.0
    player.update_playback()
    assert player.waiting_reason.get() == '"Built-in speakers" takes no sound at the moment. Playing waits for it.'
    assert player.playing.get() and stage.window.messages.current.get() is None
    stage.speaker.still = 0.0
    player.update_playback()
    assert not player.waiting_reason.get()


def test_a_speaker_that_asks_in_bursts_of_two_seconds_plays_on(stage: SoundBench, qtbot: QtBot) -> None:
    player = made(stage, qtbot, 4.0).player
    player.play()
    opened(stage, qtbot)
    for burst in (1, 2):
        stage.play_seconds(1.9)
        for still in (0.5, 1.0, 1.5, 2.0):
            stage.speaker.still = still
            player.update_playback()
            assert player.playing.get() and not player.waiting_reason.get()
        assert player.position == pytest.approx(1.9 * burst, abs=0.02)
    assert stage.window.messages.current.get() is None


def test_stop_keeps_the_sound_and_play_continues_from_its_end(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.5)
    sound.player.stop()
    assert stage.engine.stopped == [stage.newest_start().job]
    stage.engine.emit_events(Stopped(job=stage.engine.stopped[0]))
    stage.play_seconds(0.1)
    assert len(sound.player.samples) == 8000 and not sound.player.making.get()
    sound.player.seek(sound.player.made_seconds)
    sound.play()
    asked = stage.newest_start()
    assert asked.sound_to_continue is not None and (asked.sound_to_continue == 1000).all()


def test_another_sound_does_not_show_the_speed_of_the_last(stage: SoundBench, qtbot: QtBot) -> None:
    made(stage, qtbot)
    stage.sound.parameters.new_seed()
    assert stage.sound.player.speed.get() == 0


def test_a_second_model_is_mixed_in_while_it_plays(stage: SoundBench, qtbot: QtBot, studio_home: Path) -> None:
    folder = studio_home / "models"
    write_model(folder, make_card("bells", (RATE,), family=("wavenet", "WaveNet"), rate=RATE), salt=1.0)
    write_model(folder, make_card("slow", (RATE,), family=("wavenet", "WaveNet"), rate=8000))
    stage.window.models.refresh_models()
    sound, player = stage.sound, stage.sound.player
    assert [partner.card.name for partner in sound.parameters.mix.partners.get()] == ["bells"]
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.6)
    stage.play_seconds(0.2)
    sound.parameters.set_mix("bells")
    asked = stage.newest_start()
    assert (asked.second_model, asked.share) == ("bells", 0.5) and asked.sound_to_continue is not None
    begun = len(asked.sound_to_continue) / RATE
    assert player.position < begun < player.position + 0.15 and player.playing.get()
    stage.send_samples(0.4)
    stage.play_seconds(0.2)
    sound.parameters.set_share(0.2)
    turn = stage.newest_edit()
    assert turn.share == 0.2 and turn.running_job == asked.job
    stage.engine.emit_events(Finished(job=turn.job))
    stage.send_samples(0.2)
    sound.keep_take()
    work = stage.window.takes.takes.get()[0].work
    assert work.mix is not None and (work.mix.model, work.mix.share) == ("bells", 0.0)  # it began without
    assert [turn.share for turn in work.edits] == [0.5, 0.2] and work.edits[0].sample == len(asked.sound_to_continue)
    assert work.edits[-1].sample == len(asked.sound_to_continue) + (turn.from_sample or 0)
    sound.show_take(0)
    assert "alone" in sound.recording_bits.status_text.get()  # the second model is not asked what it costs
    sound.parameters.new_seed()
    assert not sound.recording_bits.status_text.get()


def test_a_latency_is_asked_of_the_card_at_once_and_again_after_a_restart(
    stage: SoundBench, qtbot: QtBot, opener: Callable[[FakeEngine], AppState]
) -> None:
    sound, speaker = stage.sound, stage.speaker
    sound.play()
    opened(stage, qtbot)
    assert speaker.latency == 0
    sound.player.set_latency(0.04)
    qtbot.waitUntil(lambda: speaker.latency == 0.04)
    assert sound.player.playing.get() and speaker.opens == 2
    sound.player.set_latency(9.0)
    assert sound.player.card.latency.get() == 0.3
    stage.window.close()
    assert opener(FakeEngine()).sound.player.card.latency.get() == 0.3


def test_minutes_of_live_changes_are_undone_by_few_points(stage: SoundBench, qtbot: QtBot) -> None:
    """A step does not contain the settled part, however long it is."""
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    for number in range(40):
        stage.send_samples(0.3)
        stage.play_seconds(0.15)
        sound.parameters.set_temperature(0.5 + 0.01 * number)
        sound.history.end_gesture()
        stage.engine.emit_events(Finished(job=stage.newest_edit().job))
        stage.send_samples(0.3, first=stage.newest_edit().from_sample)
    assert len(sound.live_settings.temperature_curve.get()) == 81
    most = max(len(record.get("temperature_curve", [])) for record in sound.history.records())
    assert most <= 4
    curve, at = sound.live_settings.temperature_curve.get(), sound.live_settings.settled_seconds
    sound.history.undo()
    settled = [point for point in curve if point[0] < at]
    assert list(sound.live_settings.temperature_curve.get()[: len(settled)]) == settled, (
        "what is made keeps what it was made by"
    )
    stage.engine.emit_events(Finished(job=stage.newest_edit().job))
    assert (
        sound.live_settings.temperature_curve.get()[-1][1] == pytest.approx(0.88)
        and sound.live_settings.temperature_curve.get()[-1][0] >= at
    )


def test_the_temperature_slider_follows_the_drawn_line(
    stage: SoundBench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = stage.sound
    sound.set_temperature_curve([[0.0, 1.0], [2.0, 0.0]])
    assert sound.parameters.temperature.get() == 1.0
    sound.play()
    opened(stage, qtbot)
    now = time.monotonic()
    monkeypatch.setattr("studio.media.sounds.playback.time.monotonic", lambda: now)  # what is settled moves with it
    stage.send_samples(1.0)
    stage.play_seconds(0.8)
    stage.send_samples(0.4)
    at = sound.live_settings.settled_seconds
    assert 0.8 <= at < 1.2 and sound.parameters.temperature.get() == pytest.approx(1.0 - at / 2)


def test_the_seeds_own_class_returns_while_it_plays(stage: SoundBench, qtbot: QtBot, studio_home: Path) -> None:
    kinds = ("Harp", "Bells")
    write_model(
        studio_home / "models", make_card("kit", (RATE,), family=("wavenet", "WaveNet"), rate=RATE, classes=kinds)
    )
    stage.window.models.refresh_models()
    sound = stage.sound
    sound.choose_model("kit")
    sound.parameters.set_label(1)
    sound.play()
    opened(stage, qtbot)
    assert stage.newest_start().label == 1
    stage.send_samples(0.6)
    stage.play_seconds(0.2)
    sound.parameters.set_label(None)
    asked = stage.newest_start()
    assert (
        asked.label is None and asked.sound_to_continue is not None and 0.2 < len(asked.sound_to_continue) / RATE < 0.4
    )
    stage.send_samples(0.2)
    sound.player.stop()
    sound.keep_take()
    sound.parameters.set_label(0)
    sound.show_take(0)
    assert sound.parameters.label.get() is None and stage.window.takes.takes.get()[0].work.label == 1


def test_what_is_being_made_stands_in_the_queue_and_is_stopped_there(stage: SoundBench, qtbot: QtBot) -> None:
    sound, queue = stage.sound, stage.window.jobs
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.6)
    (entry,) = queue.jobs.get()
    assert entry.job == stage.newest_start().job and entry.progress_text == "0:00.6 made · 3.0 × real time"
    queue.stop_job(entry.job)
    assert entry.job in stage.engine.stopped
    stage.engine.emit_events(Stopped(job=entry.job))
    assert not queue.jobs.get() and not sound.player.making.get()


def test_wave_on_the_keys_and_a_sound_take_the_sound_card_from_each_other(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    synth = stage.window.wave_synth
    synth.set_wave(np.rint(20_000 * np.sin(2 * np.pi * np.arange(256) / 256)).astype(np.int16))
    sound.play()
    opened(stage, qtbot)
    synth.hold_note(True)
    assert synth.sounding.get() and not sound.player.playing.get()
    qtbot.waitUntil(lambda: stage.speaker.heard_pitch() == 110)
    position = sound.player.position
    sound.play()
    assert sound.player.playing.get() and not synth.held.get() and not synth.sounding.get()
    opened(stage, qtbot)
    assert stage.play_seconds(0.1).any() and sound.player.position > position
