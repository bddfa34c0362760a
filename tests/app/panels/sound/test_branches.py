"""Tests loops and branches of a sound, which repeat a stretch or continue from any moment."""

from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from studio.wire.messages import FindLoop, Finished, LoopFound
from tests.app.panels.sound.stage import RATE, SoundBench, made, opened


def test_a_loop_is_repeated_without_end_and_its_best_join_can_be_taken_back(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    before = len(stage.engine.sent)
    sound.set_loop((0.2, 0.5))
    sound.set_looping(True)
    sound.play()
    opened(stage, qtbot)
    assert len(stage.engine.sent) == before  # repeating makes no new samples
    assert stage.play_seconds(2.0)[1000:].all() and 0.2 <= sound.player.position < 0.5
    sound.find_loop()
    asked = stage.engine.sent[-1]
    assert isinstance(asked, FindLoop) and (asked.begin, asked.end, len(asked.sound)) == (3200, 8000, RATE)
    assert sound.loop_finder.busy.get()
    found = LoopFound(job=asked.job, begin=3100, end=8050, join_bits=3.4, join_bits_before=20.0, tried_count=400)
    stage.engine.emit_events(found, Finished(job=asked.job))
    assert sound.player.loop.get() == (3100 / RATE, 8050 / RATE) and sound.player.looping.get()
    assert sound.loop_finder.status_text.get() == "The join costs 3.4 bits, least of 400 tried"
    stage.window.undo()
    assert sound.player.loop.get() == (0.2, 0.5) and not sound.loop_finder.status_text.get()
    sound.set_looping(False)
    stage.play_seconds(1.0)
    assert sound.player.position == pytest.approx(1.0) and not sound.player.playing.get()


def test_a_loop_that_changes_while_its_join_is_looked_for_stops_the_look(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.set_loop((0.2, 0.5))
    sound.find_loop()
    job = stage.engine.sent[-1].job
    sound.set_loop((0.3, 0.6))
    assert stage.engine.stopped[-1] == job and not sound.loop_finder.busy.get()
    stage.engine.emit_events(LoopFound(job=job, begin=0, end=10, join_bits=0.0, join_bits_before=0.0, tried_count=1))
    assert sound.player.loop.get() == (0.3, 0.6)


def test_the_best_join_of_a_loop_starts_a_stopped_engine(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.set_loop((0.2, 0.5))
    stage.engine.status_changed.emit("Stopped")
    sound.find_loop()
    assert stage.engine.starts == 1 and isinstance(stage.engine.sent[-1], FindLoop)


def test_a_paused_branch_continues_from_its_moment(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.branch_at(0.25)
    assert sound.live_settings.cut.get() == 0.25 and len(sound.player.samples) == 4000 and not sound.player.making.get()
    sound.play()
    asked = stage.newest_start()
    assert (
        asked.seed == sound.parameters.seed.get()
        and asked.sound_to_continue is not None
        and len(asked.sound_to_continue) == 4000
    )


def test_a_branch_keeps_the_old_sound_and_continues_at_once(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    player = stage.sound.player
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(1.0)
    stage.play_seconds(0.5)
    seed = sound.parameters.seed.get()
    job = stage.newest_start().job
    sound.branch_at()
    assert (
        sound.parameters.seed.get() != seed and not stage.engine.stopped
    )  # there is no gap: the running job is steered
    turn = stage.newest_edit()
    at = sound.live_settings.cut.get()
    assert turn.seed == sound.parameters.seed.get() and turn.from_sample == round(at * RATE) and turn.running_job == job
    assert player.position < at < player.position + 0.15 and player.playing.get() and player.making.get()
    stage.engine.emit_events(Finished(job=turn.job))
    (left,) = stage.window.takes.takes.get()
    assert len(left.array) == RATE and left.work.seed == seed
    stage.send_samples(0.5, value=-1000)
    sound.keep_take()
    assert stage.window.takes.takes.get()[1].work.ancestors == (left.key,)
    heard = stage.play_seconds(0.2)
    assert heard[-4800:].max() < 0  # it continues with the new samples
    stage.window.undo()
    stage.window.undo()
    assert sound.parameters.seed.get() == seed and (player.samples == 1000).all() and len(player.samples) == RATE


def test_a_branch_in_a_pause_stops_making_and_waits_at_its_moment(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    player = stage.sound.player
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(1.0)
    stage.play_seconds(0.5)
    job = stage.newest_start().job
    at = player.position
    sound.player.pause()
    sound.branch_at()
    assert not player.making.get() and stage.engine.stopped == [job] and not stage.window.jobs.jobs.get()
    assert player.seconds_ahead == 0 and player.made_seconds == sound.live_settings.cut.get() == pytest.approx(
        at, abs=1 / RATE
    )
    assert len(stage.window.takes.takes.get()[0].array) == RATE


def test_a_branch_plays_on_although_more_is_made_while_its_take_is_written(
    stage: SoundBench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples arrive in another thread, whatever the window does."""
    sound = stage.sound
    player = stage.sound.player
    takes = stage.window.takes
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(1.0)
    stage.play_seconds(0.5)
    keep = takes.add_take

    def keep_slowly(*args: Any) -> str:
        name = keep(*args)
        stage.send_samples(0.1)
        return name

    monkeypatch.setattr(takes, "add_take", keep_slowly)
    sound.branch_at()
    assert player.playing.get() and player.making.get() and not stage.engine.stopped
    assert player.position == pytest.approx(0.5, abs=0.02) and len(takes.takes.get()) == 1
