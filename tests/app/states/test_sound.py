"""Sound on an engine that says what a test tells it to, and a sound card that gives what it was given."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from studio.app.states.performing import AHEAD, PART, SURE, SURER
from studio.app.states.saving import Form
from studio.app.states.sound import Sound
from studio.app.states.window import Window
from studio.media.silence import LONG
from studio.wire.messages import (
    Failed,
    Finished,
    Join,
    Joined,
    Perform,
    Price,
    Priced,
    Sounded,
    Steer,
    Stopped,
)
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import card, write_model
from tests.app.fake_speaker import FakeSpeaker

RATE = 16_000
PIECE = 320


class Stage:
    """The panel's state, the engine that makes the sound, and the speaker that plays it."""

    def __init__(self, window: Window, engine: FakeEngine) -> None:
        self.window, self.engine = window, engine
        self.sound: Sound = window.sound
        self.speaker: FakeSpeaker = window.tone._output  # type: ignore[assignment]

    def asked(self) -> Perform:
        return next(command for command in reversed(self.engine.sent) if isinstance(command, Perform))

    def turned(self) -> Steer:
        """The newest change that makes anew what is not heard yet."""
        steers = (command for command in reversed(self.engine.sent) if isinstance(command, Steer))
        return next(steer for steer in steers if steer.again is not None)

    def make(self, seconds: float, value: int = 1000, speed: float = 3.0, first: int | None = None) -> None:
        """Let the engine say so many seconds of one height."""
        asked = self.asked()
        begun = len(asked.begin) if asked.begin is not None else 0
        at = len(self.sound.player.samples) - begun if first is None else first
        for piece in range(round(seconds * RATE / PIECE)):
            event = Sounded(
                job=asked.job, first=at + piece * PIECE, samples=np.full(PIECE, value, np.int16),
                bits=np.full(PIECE, 2.5, np.float32), speed=speed,
            )  # fmt: skip
            self.engine.say(event)

    def hear(self, seconds: float) -> np.ndarray:
        heard = self.speaker.hear(seconds)
        self.sound.player.tick()
        return heard


@pytest.fixture
def stage(studio_home: Path, opener: Callable[[FakeEngine], Window], engine: FakeEngine) -> Stage:
    write_model(studio_home / "models", card("hum", (RATE,), family=("wavenet", "WaveNet"), rate=RATE))
    window = opener(engine)
    window.show_panel("sound")
    engine.status.emit("Ready")
    return Stage(window, engine)


def opened(stage: Stage, qtbot: QtBot) -> None:
    card = stage.sound.player.card
    qtbot.waitUntil(lambda: stage.speaker.source is not None and not card.waiting)


def test_play_is_heard_while_it_is_made_and_never_far_ahead(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.player.set_level(1.0)
    sound.dials.set_seed(7)
    sound.dials.set_temperature(0.8)
    sound.play()
    opened(stage, qtbot)
    asked = stage.asked()
    assert (asked.seed, asked.begin, asked.until) == (7, None, AHEAD)
    assert asked.curve is not None and asked.curve.tolist() == [[0.0, 0.8]]
    assert not stage.hear(0.1).any() and sound.player.waiting.get()
    stage.make(0.4)
    heard = stage.hear(0.3)
    assert np.abs(heard[4800:] * 32_768 - 1000).max() < 60 and not sound.player.waiting.get()
    assert sound.player.position == pytest.approx(0.3, abs=0.02)
    assert sound.player.ahead == pytest.approx(0.1, abs=0.02)
    more = stage.engine.sent[-1]
    assert isinstance(more, Steer) and more.until == pytest.approx(0.3 + AHEAD, abs=0.03)
    assert (sound.player.bits == 2.5).all() and len(sound.player.bits) == len(sound.player.samples) == 6400


def test_slower_than_real_time_it_waits_until_it_can_play_without_a_gap(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.make(1.0, speed=0.6)
    assert not stage.hear(0.2).any()
    assert sound.player.waiting.get() == (
        f"0.6 × real time. Playing starts in about {round((PART * 0.4 - 1) / 0.6)} s, then without a gap for 20 s."
    )
    for value in (1000, 2000):  # one height all along would be silence
        stage.make((PART * 0.4 - 1) / 2, value, speed=0.6)
    assert stage.hear(0.2).any() and not sound.player.waiting.get()
    stage.hear(PART)  # nothing more came: it ran dry, and waits again instead of stuttering on
    stage.make(0.2, speed=0.6)
    assert sound.player.gaps == 1 and not stage.hear(0.1).any() and sound.player.waiting.get()
    sure = sound.player.performing.sure
    assert sure == SURER * SURE, "what was too little to go on from is more next time"


def test_a_turned_dial_throws_away_what_is_not_heard_yet_and_no_more(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.dials.set_temperature(1.0)
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    stage.hear(0.2)
    sound.dials.set_temperature(0.5)
    turn = stage.turned()
    assert turn.again is not None
    at = turn.again / RATE
    assert sound.player.position + 0.02 < at < sound.player.position + 0.15
    assert turn.curve is not None and turn.curve.tolist() == [[0.0, 1.0], [at, 1.0], [at, 0.5]]
    stage.make(0.1, value=-9, first=9600)  # was on its way already: made by the old temperature
    stage.engine.say(Finished(job=turn.job))
    stage.make(0.2, value=500)
    made = sound.player.samples
    assert (made[: turn.again] == 1000).all() and (made[turn.again :] == 500).all()
    assert len(made) == turn.again + round(0.2 * RATE)


def test_only_the_newest_wish_is_told_while_one_is_on_its_way(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    stage.hear(0.2)
    before = len(stage.engine.sent)
    for heat in (0.9, 0.8, 0.7):
        sound.dials.set_temperature(heat)
    turns = [one for one in stage.engine.sent[before:] if isinstance(one, Steer) and one.again is not None]
    assert len(turns) == 1
    stage.engine.say(Finished(job=turns[0].job))
    stage.make(0.04)
    last = stage.turned()
    assert last.curve is not None and last.curve[-1, 1] == 0.7
    assert [heat for _, heat in sound.heat.get()][-1] == 0.7


def test_what_cannot_be_changed_plays_on_as_it_was(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    stage.hear(0.2)
    before, bits = sound.player.samples.copy(), sound.player.bits.copy()
    sound.dials.set_temperature(0.5)
    turn = stage.turned()
    assert turn.again is not None and turn.again < len(before)
    stage.make(0.1, value=700, first=len(before))  # nothing has changed for the engine
    stage.engine.say(Failed(job=turn.job, why="No.", hint=""))
    assert np.array_equal(sound.player.samples[: len(before)], before)
    assert np.array_equal(sound.player.bits[: len(before)], bits)
    assert (sound.player.samples[len(before) :] == 700).all() and len(sound.player.samples) > len(before)
    said = stage.window.messages.current.get()
    assert said is not None and "It plays on as it was" in said.text


def test_an_engine_that_dies_lets_what_is_made_play_out(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.make(0.5)
    stage.engine.sent.append(stage.asked())
    stage.engine.die()
    assert sound.player.playing.get() and not sound.player.making.get()
    heard = stage.hear(0.7)
    assert heard[:23_000].any() and not heard[25_000:].any()
    assert np.abs(np.diff(heard)).max() < 0.001 and sound.player.gaps == 0
    assert not sound.player.playing.get()
    said = stage.window.messages.history.get()[-1]
    assert "up to 0:00.5, which is kept" in said.text
    sound.play()
    again = stage.asked()
    assert again.begin is not None and len(again.begin) == 8000


def test_a_sound_card_that_goes_away_pauses_and_another_plays_on(stage: Stage, qtbot: QtBot) -> None:
    sound, speaker = stage.sound, stage.speaker
    sound.play()
    opened(stage, qtbot)
    stage.make(0.5)
    stage.hear(0.2)
    speaker.faults = '"Headphones" went away. Nothing is lost; only the sound stopped.'
    for _ in range(5):
        sound.player.tick()
    assert not sound.player.playing.get() and sound.player.making.get() and speaker.source is None
    said = stage.window.messages.current.get()
    assert said is not None and said.text == (
        '"Headphones" went away at 0:00.2. Playing is paused there. '
        "Making rests once it is well ahead. Nothing is lost."
    )
    assert [words for words, _ in said.actions] == ["Play again"], "it was the system's output already"
    speaker.faults = ""
    stage.window.messages.act(0)
    opened(stage, qtbot)
    assert stage.hear(0.1).any() and sound.player.position == pytest.approx(0.3, abs=0.02)


def test_a_device_that_was_chosen_and_goes_away_is_replaced_by_the_systems(stage: Stage, qtbot: QtBot) -> None:
    sound, speaker = made(stage, qtbot), stage.speaker
    sound.player.choose("Headphones")
    sound.play()
    opened(stage, qtbot)
    assert speaker.device == "Headphones"
    speaker.faults = '"Headphones" went away. Nothing is lost; only the sound stopped.'
    for _ in range(5):
        sound.player.tick()
    said = stage.window.messages.current.get()
    assert said is not None
    assert said.text == '"Headphones" went away at 0:00.0. Playing is paused there. Nothing is lost.', "nothing is made"
    assert [words for words, _ in said.actions] == ["Play on the system's output"]
    speaker.faults = ""
    stage.window.messages.act(0)
    opened(stage, qtbot)
    assert speaker.device == "Built-in speakers" and sound.player.playing.get()


def test_while_it_waits_it_says_for_what(stage: Stage, qtbot: QtBot) -> None:
    sound, player = stage.sound, stage.sound.player
    stage.engine.status.emit("Starting")
    sound.play()
    assert player.waiting.get() == "Playing starts when the engine is ready."
    stage.engine.status.emit("Ready")
    assert player.waiting.get() == "Playing starts once the model has begun."
    opened(stage, qtbot)
    stage.make(0.04, speed=0.0)
    said = "First run on this computer: preparing the fast version. Then playing starts."
    assert player.waiting.get() == said
    stage.make(0.5)
    assert not player.waiting.get()
    stage.hear(1.0)
    assert player.gaps == 1 and player.waiting.get() == "Playing continues in a moment.", "the fast loop is there"
    stage.make(0.04, speed=0.5)
    assert player.waiting.get().startswith("0.5 × real time. Playing continues in about ")
    sound.pause()
    assert not player.waiting.get(), "nobody waits"


def test_a_card_that_opens_slowly_or_takes_nothing_is_what_is_waited_for(stage: Stage, qtbot: QtBot) -> None:
    player = made(stage, qtbot).player
    answers, take = threading.Event(), stage.speaker.open

    def take_slowly(*args: Any) -> None:
        answers.wait(20)
        take(*args)

    stage.speaker.open = take_slowly  # type: ignore[method-assign]
    player.card.let_go()
    player.play()
    assert player.waiting.get() == "The output is being opened."
    answers.set()
    qtbot.waitUntil(lambda: not player.waiting.get())
    stage.speaker.still = 4.0
    player.tick()
    assert player.waiting.get() == '"Built-in speakers" takes no sound at the moment. Playing waits for it.'
    assert player.playing.get() and stage.window.messages.current.get() is None
    stage.speaker.still = 0.0
    player.tick()
    assert not player.waiting.get()


def test_a_speaker_that_asks_in_bursts_of_two_seconds_plays_on(stage: Stage, qtbot: QtBot) -> None:
    player = made(stage, qtbot, 4.0).player
    player.play()
    opened(stage, qtbot)
    for burst in (1, 2):
        stage.hear(1.9)
        for still in (0.5, 1.0, 1.5, 2.0):
            stage.speaker.still = still
            player.tick()
            assert player.playing.get() and not player.waiting.get()
        assert player.position == pytest.approx(1.9 * burst, abs=0.02)
    assert stage.window.messages.current.get() is None


def test_stop_keeps_what_is_made_and_play_goes_on_from_its_end(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.make(0.5)
    sound.stop()
    assert stage.engine.stopped == [stage.asked().job]
    stage.engine.say(Stopped(job=stage.engine.stopped[0]))
    stage.hear(0.1)
    assert len(sound.player.samples) == 8000 and not sound.player.making.get()
    sound.player.seek(sound.player.made)
    sound.play()
    asked = stage.asked()
    assert asked.begin is not None and (asked.begin == 1000).all()


def made(stage: Stage, qtbot: QtBot, seconds: float = 1.0) -> Sound:
    """A sound of so many seconds, that is at rest."""
    stage.sound.play()
    opened(stage, qtbot)
    stage.make(seconds)
    stage.sound.stop()
    stage.engine.say(Stopped(job=stage.asked().job))
    stage.hear(0.05)
    return stage.sound


def test_a_loop_is_repeated_without_end_and_its_best_join_can_be_taken_back(stage: Stage, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    before = len(stage.engine.sent)
    sound.set_loop((0.2, 0.5))
    sound.repeat(True)
    sound.play()
    opened(stage, qtbot)
    assert len(stage.engine.sent) == before  # nothing more is made for it
    assert stage.hear(2.0)[1000:].all() and 0.2 <= sound.player.position < 0.5
    sound.find_join()
    asked = stage.engine.sent[-1]
    assert isinstance(asked, Join) and (asked.begin, asked.end, len(asked.sound)) == (3200, 8000, RATE)
    assert sound.joining.busy.get()
    found = Joined(job=asked.job, begin=3100, end=8050, bits=3.4, before=20.0, tried=400)
    stage.engine.say(found, Finished(job=asked.job))
    assert sound.player.loop.get() == (3100 / RATE, 8050 / RATE) and sound.player.looping.get()
    assert sound.joining.said.get() == "The join costs 3.4 bits, least of 400 tried"
    stage.window.undo()
    assert sound.player.loop.get() == (0.2, 0.5) and not sound.joining.said.get()
    sound.repeat(False)
    stage.hear(1.0)
    assert sound.player.position == pytest.approx(1.0) and not sound.player.playing.get()


def test_a_loop_that_changes_while_its_join_is_looked_for_stops_the_look(stage: Stage, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.set_loop((0.2, 0.5))
    sound.find_join()
    job = stage.engine.sent[-1].job
    sound.set_loop((0.3, 0.6))
    assert stage.engine.stopped[-1] == job and not sound.joining.busy.get()
    stage.engine.say(Joined(job=job, begin=0, end=10, bits=0.0, before=0.0, tried=1))
    assert sound.player.loop.get() == (0.3, 0.6)


def test_a_recording_is_cut_gone_on_from_and_priced(stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    at = np.arange(2 * 44_100) / 44_100
    stereo = np.stack((0.4 * np.sin(2 * np.pi * 220 * at), 0.2 * np.sin(2 * np.pi * 220 * at)), 1)
    soundfile.write(tmp_path / "waltz.flac", stereo, 44_100)
    sound, player = stage.sound, stage.sound.player
    assert stage.window.would([tmp_path / "waltz.flac"]) == "Go on from this sound"
    stage.window.drop([tmp_path / "waltz.flac"])
    qtbot.waitUntil(lambda: len(player.samples) == 2 * RATE)
    recording, said = sound.recording.get(), stage.window.messages.current.get()
    assert recording is not None and recording.name == "waltz.flac" and sound.cut.get() == 2.0
    assert said is not None and "2.0 s, stereo; used as 16 kHz mono" in said.text
    sound.pricing.look((0.0, 24.0))
    asked = stage.engine.sent[-1]
    assert isinstance(asked, Price) and len(asked.sound) == 2 * RATE and np.isnan(player.bits).all()
    stage.engine.say(Priced(job=asked.job, first=0, bits=np.full(2 * RATE, 3.0, np.float32)), Finished(job=asked.job))
    assert (player.bits == 3.0).all()
    before, stream = len(stage.engine.sent), player.reel.stream
    for second in (1.5, 1.0, 0.75):
        sound.set_cut(second)
    assert len(stage.engine.sent) == before and player.reel.stream is stream  # a hand that drags it does not wait
    assert sound.cut.get() == 0.75 and len(player.samples) == 2 * RATE  # all of it, to choose the cut on
    whole = player.samples.copy()
    sound.play()
    opened(stage, qtbot)
    asked_for = stage.asked()
    assert asked_for.begin is not None and np.array_equal(asked_for.begin, whole[:12_000])
    stage.make(0.5)
    assert len(player.samples) == 20_000 and np.array_equal(player.samples[:12_000], whole[:12_000])
    sound.keep_take()
    takes = stage.window.takes.list.get()
    assert [take.work.heard for take in takes] == [2 * RATE, 12_000]
    assert takes[1].work.source == "waltz.flac" and takes[1].work.came_from == (takes[0].key,)
    sound.set_cut(1.0)  # what was made stays among the steps
    assert sound.cut.get() == 1.0 and len(player.samples) == 2 * RATE
    stage.window.undo()
    assert len(player.samples) == 20_000 and sound.cut.get() == 0.75


def test_a_recording_begins_with_a_fresh_temperature_and_is_put_away_again(
    stage: Stage, qtbot: QtBot, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "waltz.wav", 0.1 * np.sin(np.arange(2 * RATE) / 10), RATE)
    sound, player = made(stage, qtbot), stage.sound.player
    curve = ((0.0, 1.0), (0.5, 0.25))
    sound.set_heat(curve)
    before = sound.heat.get()
    stage.window.drop([tmp_path / "waltz.wav"])
    qtbot.waitUntil(lambda: len(player.samples) == 2 * RATE)
    assert sound.heat.get() == ((0.0, 0.7),) and sound.dials.temperature.get() == 0.7, "the card's own"
    stage.window.undo()
    assert sound.heat.get() == before and len(player.samples) == RATE and sound.recording.get() is None
    stage.window.redo()
    assert sound.heat.get() == ((0.0, 0.7),) and sound.recording.get() is not None
    sound.play()
    stage.make(0.5)
    sound.set_heat([[0.0, 0.7], [3.0, 0.2]])
    sound.put_away()
    assert sound.recording.get() is None and not len(player.samples) and not player.making.get()
    assert sound.cut.get() == 0 and sound.heat.get() == ((0.0, 0.7),)
    assert len(stage.window.takes.list.get()) == 1, "it stays among the takes"
    sound.play()
    assert stage.asked().begin is None, "the model begins by itself"
    sound.stop()
    stage.window.undo()
    assert sound.recording.get() is not None and len(player.samples) == 2.5 * RATE and sound.cut.get() == 2.0


BROKEN = {  # files that are called sounds
    "cut.mp3": (b"ID3\4\0\0\0\0\0\0" + bytes(500), "holds no MP3 sound that can be read"),
    "noise.mp3": (bytes(range(256)) * 8, "holds no MP3 sound that can be read"),
    "page.flac": (b"<html>Not found</html>", "holds no FLAC sound that can be read"),
    "hollow.wav": (b"<html>Not found</html>", "holds no WAV sound that can be read"),
    "none.mp3": (b"", "is empty"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_sound_is_told_as_a_sound_in_any_panel(stage: Stage, qtbot: QtBot, tmp_path: Path, name: str) -> None:
    contents, reason = BROKEN[name]
    (tmp_path / name).write_bytes(contents)
    for panel in ("sound", "explore", "complete"):
        stage.window.show_panel(panel)
        for bring in (lambda: stage.window.drop([tmp_path / name]), lambda: stage.window.open(tmp_path / name)):
            stage.window.messages.dismiss()
            bring()
            qtbot.waitUntil(lambda: stage.window.messages.current.get() is not None)
            said = stage.window.messages.current.get()
            assert said is not None and said.text.startswith(f'"{name}" {reason} and was not opened.')


def test_a_branch_at_rest_goes_on_from_its_moment(stage: Stage, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.branch(0.25)
    assert sound.cut.get() == 0.25 and len(sound.player.samples) == 4000 and not sound.player.making.get()
    sound.play()
    asked = stage.asked()
    assert asked.seed == sound.dials.seed.get() and asked.begin is not None and len(asked.begin) == 4000


def test_a_branch_keeps_what_it_leaves_and_goes_on_at_once(stage: Stage, qtbot: QtBot) -> None:
    sound, player = stage.sound, stage.sound.player
    sound.play()
    opened(stage, qtbot)
    stage.make(1.0)
    stage.hear(0.5)
    seed, job = sound.dials.seed.get(), stage.asked().job
    sound.branch()
    assert sound.dials.seed.get() != seed and not stage.engine.stopped  # no gap: what plays takes another way
    turn, at = stage.turned(), sound.cut.get()
    assert turn.seed == sound.dials.seed.get() and turn.again == round(at * RATE) and turn.running == job
    assert player.position < at < player.position + 0.15 and player.playing.get() and player.making.get()
    stage.engine.say(Finished(job=turn.job))
    (left,) = stage.window.takes.list.get()
    assert len(left.picture) == RATE and left.work.seed == seed
    stage.make(0.5, value=-1000)
    sound.keep_take()
    assert stage.window.takes.list.get()[1].work.came_from == (left.key,)
    heard = stage.hear(0.2)
    assert heard[-4800:].max() < 0  # it plays on, on the other way
    stage.window.undo()
    stage.window.undo()
    assert sound.dials.seed.get() == seed and (player.samples == 1000).all() and len(player.samples) == RATE


def test_a_branch_in_a_pause_stops_making_and_waits_at_its_moment(stage: Stage, qtbot: QtBot) -> None:
    sound, player = stage.sound, stage.sound.player
    sound.play()
    opened(stage, qtbot)
    stage.make(1.0)
    stage.hear(0.5)
    job, at = stage.asked().job, player.position
    sound.pause()
    sound.branch()
    assert not player.making.get() and stage.engine.stopped == [job] and not stage.window.queue.entries.get()
    assert player.ahead == 0 and player.made == sound.cut.get() == pytest.approx(at, abs=1 / RATE)
    assert len(stage.window.takes.list.get()[0].picture) == RATE


def test_a_branch_plays_on_although_more_is_made_while_its_take_is_written(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples land in another thread, whatever the window does."""
    sound, player, takes = stage.sound, stage.sound.player, stage.window.takes
    sound.play()
    opened(stage, qtbot)
    stage.make(1.0)
    stage.hear(0.5)
    keep = takes.keep

    def keep_slowly(*args: Any) -> str:
        name = keep(*args)
        stage.make(0.1)
        return name

    monkeypatch.setattr(takes, "keep", keep_slowly)
    sound.branch()
    assert player.playing.get() and player.making.get() and not stage.engine.stopped
    assert player.position == pytest.approx(0.5, abs=0.02) and len(takes.list.get()) == 1


def test_another_sound_is_not_said_to_be_as_fast_as_the_last(stage: Stage, qtbot: QtBot) -> None:
    made(stage, qtbot)
    stage.sound.dials.new_seed()
    assert stage.sound.player.speed.get() == 0


def let_fall_silent(stage: Stage, seconds: float, value: int = 3) -> None:
    """The engine makes silence and the ear follows, for so long or until making stops."""
    for _ in range(round(seconds / 0.5)):
        if stage.sound.player.making.get():
            stage.make(0.5, value)
            stage.hear(0.5)


def test_a_model_that_has_fallen_silent_stops_by_itself_and_says_so(stage: Stage, qtbot: QtBot) -> None:
    sound, player = stage.sound, stage.sound.player
    sound.play()
    opened(stage, qtbot)
    stage.make(1.0)
    let_fall_silent(stage, LONG - 0.5)
    assert player.making.get(), "music may rest"
    let_fall_silent(stage, 30.0)
    assert not player.making.get() and player.made <= 1.0 + LONG + 0.5
    said = stage.window.messages.current.get()
    assert said is not None and said.text == (
        '"Hum" has been silent for 8 s, so making stopped. Try another seed, or raise the temperature earlier.'
    )
    stage.hear(10.0)
    assert not player.playing.get(), "and it is heard to its end"
    seed, job = sound.dials.seed.get(), stage.asked().job
    stage.window.messages.act(0)
    assert sound.dials.seed.get() != seed and stage.asked().job != job and player.playing.get()


def test_sound_that_is_heard_never_stops_by_itself(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    for _ in range(8):
        let_fall_silent(stage, LONG - 1)
        stage.make(0.1, 200)
        assert sound.player.making.get()


def test_a_hand_that_changes_it_gives_it_time_again(stage: Stage, qtbot: QtBot) -> None:
    sound, player = stage.sound, stage.sound.player
    sound.play()
    opened(stage, qtbot)
    let_fall_silent(stage, LONG - 0.5)
    sound.dials.set_temperature(2.0)
    stage.engine.say(Finished(job=stage.turned().job))
    let_fall_silent(stage, LONG - 0.5)
    assert player.making.get()
    let_fall_silent(stage, 2.0)
    assert not player.making.get()


def test_a_higher_temperature_that_is_drawn_ahead_is_waited_for(stage: Stage, qtbot: QtBot) -> None:
    sound, player = stage.sound, stage.sound.player
    sound.set_heat([[0.0, 0.1], [15.0, 0.1], [15.0, 1.0]])
    sound.play()
    opened(stage, qtbot)
    let_fall_silent(stage, 15.0 + LONG - 1)
    assert player.making.get()
    let_fall_silent(stage, 2.0)
    assert not player.making.get()


def test_after_a_silent_recording_the_model_may_yet_begin(stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    wave = 0.1 * np.sin(np.arange(4 * RATE) / 10)
    wave[2 * RATE :] = 0
    soundfile.write(tmp_path / "rest.wav", wave, RATE)
    sound, player = stage.sound, stage.sound.player
    sound.open(tmp_path / "rest.wav")
    qtbot.waitUntil(lambda: len(player.samples) == 4 * RATE)
    sound.play()
    opened(stage, qtbot)
    stage.hear(3.5)
    let_fall_silent(stage, 2 * LONG)
    assert player.making.get()
    let_fall_silent(stage, 30.0)
    said = stage.window.messages.current.get()
    assert not player.making.get() and said is not None and "silent for 20 s" in said.text


@pytest.mark.parametrize("form", list(Form))
def test_a_saved_sound_brings_back_everything(stage: Stage, qtbot: QtBot, tmp_path: Path, form: Form) -> None:
    sound, player = stage.sound, stage.sound.player
    sound.dials.set_seed(77)
    sound.set_heat([[0.0, 1.0], [0.5, 0.25]])
    made(stage, qtbot)
    path = tmp_path / sound.name_of(form)
    assert path.name == f"hum-77{form.ending}"
    sound.export(path, form)
    qtbot.waitUntil(path.exists)
    before, curve = player.samples.copy(), sound.heat.get()
    sound.dials.new_seed()
    assert not len(player.samples)
    sound.dials.set_temperature(3.0)
    assert stage.window.would([path]) == "Restore this work"
    stage.window.drop([path])
    qtbot.waitUntil(lambda: len(player.samples) == RATE)
    assert np.array_equal(player.samples, before) and (sound.dials.seed.get(), sound.heat.get()) == (77, curve)
    info = soundfile.info(str(path))
    wanted = {16: "PCM_16", 24: "PCM_24", 0: "FLOAT"}[form.bits]
    assert (info.samplerate, info.subtype) == (RATE, wanted)


def test_what_was_made_is_there_after_a_restart(
    stage: Stage, opener: Callable[[FakeEngine], Window], qtbot: QtBot
) -> None:
    made(stage, qtbot).set_loop((0.25, 0.5))
    again = opener(FakeEngine())
    qtbot.waitUntil(lambda: len(again.sound.player.samples) == RATE)
    assert (again.sound.player.samples == 1000).all() and again.sound.dials.seed.get() == stage.sound.dials.seed.get()
    assert again.sound.player.loop.get() == (0.25, 0.5)
    again.sound.dials.new_seed()
    assert not len(again.sound.player.samples) and again.sound.player.loop.get() is None
    again.undo()
    assert len(again.sound.player.samples) == RATE and again.sound.player.loop.get() == (0.25, 0.5)
    assert not again.takes.list.get()  # nobody laid it on the strip


def test_models_of_recordings_are_for_this_panel_alone(stage: Stage) -> None:
    assert stage.sound.model.get() is not None and stage.sound.model.get().card.name == "hum"
    for panel in (stage.window.generate.dials, stage.window.explore):
        assert panel.model.get() is not None and panel.model.get().card.name != "hum"


def test_what_is_heard_can_be_recorded_with_its_moves(stage: Stage, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.player.seek(0.5)
    sound.record(True)
    sound.play()
    opened(stage, qtbot)
    stage.hear(0.2)
    sound.player.seek(0.1)
    stage.hear(0.3)
    sound.pause()
    stage.hear(1.0)
    sound.record(False)
    (take,) = stage.window.takes.list.get()
    assert len(take.picture) / RATE == pytest.approx(0.5, abs=0.03) and take.work.heard == len(take.picture)
    loud = np.abs(take.picture[400:-400].astype(int) - 1000) < 30
    assert loud.mean() > 0.9 and np.abs(np.diff(take.picture.astype(int))).max() < 100  # ramps where it went elsewhere
    sound.record(True)
    sound.record(False)
    said = stage.window.messages.current.get()
    assert said is not None and said.text.startswith("Nothing was heard")
    assert len(stage.window.takes.list.get()) == 1


def test_a_second_model_is_mixed_in_while_it_plays(stage: Stage, qtbot: QtBot, studio_home: Path) -> None:
    folder = studio_home / "models"
    write_model(folder, card("bells", (RATE,), family=("wavenet", "WaveNet"), rate=RATE), salt=1.0)
    write_model(folder, card("slow", (RATE,), family=("wavenet", "WaveNet"), rate=8000))
    stage.window.models.refresh()
    sound, player = stage.sound, stage.sound.player
    assert [partner.card.name for partner in sound.dials.mixing.partners.get()] == ["bells"]
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    stage.hear(0.2)
    sound.dials.set_mix("bells")
    asked = stage.asked()
    assert (asked.mix, asked.share) == ("bells", 0.5) and asked.begin is not None
    begun = len(asked.begin) / RATE
    assert player.position < begun < player.position + 0.15 and player.playing.get()
    stage.make(0.4)
    stage.hear(0.2)
    sound.dials.set_share(0.2)
    turn = stage.turned()
    assert turn.share == 0.2 and turn.running == asked.job
    stage.engine.say(Finished(job=turn.job))
    stage.make(0.2)
    sound.keep_take()
    work = stage.window.takes.list.get()[0].work
    assert work.mix is not None and (work.mix.model, work.mix.share) == ("bells", 0.0)  # it began without
    assert [turn.share for turn in work.turns] == [0.5, 0.2] and work.turns[0].at == len(asked.begin)
    assert work.turns[-1].at == len(asked.begin) + (turn.again or 0)
    sound.show_take(0)
    assert "alone" in sound.pricing.said.get()  # the second model is not asked what it costs
    sound.dials.new_seed()
    assert not sound.pricing.said.get()


def test_a_latency_is_asked_of_the_card_at_once_and_again_after_a_restart(
    stage: Stage, qtbot: QtBot, opener: Callable[[FakeEngine], Window]
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


def test_minutes_of_live_changes_are_undone_by_few_points(stage: Stage, qtbot: QtBot) -> None:
    """What is settled is not in a step, however much of it there is."""
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    for number in range(40):
        stage.make(0.3)
        stage.hear(0.15)
        sound.dials.set_temperature(0.5 + 0.01 * number)
        sound.history.seal()
        stage.engine.say(Finished(job=stage.turned().job))
        stage.make(0.3, first=stage.turned().again)
    assert len(sound.heat.get()) == 81
    most = max(len(record.get("heat", [])) for record in sound.history.records())
    assert most <= 4
    curve, at = sound.heat.get(), sound.making.settled
    sound.history.undo()
    settled = [point for point in curve if point[0] < at]
    assert list(sound.heat.get()[: len(settled)]) == settled, "what is made keeps what it was made by"
    stage.engine.say(Finished(job=stage.turned().job))
    assert sound.heat.get()[-1][1] == pytest.approx(0.88) and sound.heat.get()[-1][0] >= at


def test_the_dial_follows_the_line_that_was_drawn(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.set_heat([[0.0, 1.0], [2.0, 0.0]])
    assert sound.dials.temperature.get() == 1.0
    sound.play()
    opened(stage, qtbot)
    stage.make(1.0)
    stage.hear(0.8)
    stage.make(0.4)
    at = sound.making.settled
    assert 0.8 <= at < 1.2 and sound.dials.temperature.get() == pytest.approx(1.0 - at / 2)


def test_the_seeds_own_kind_comes_back_while_it_plays(stage: Stage, qtbot: QtBot, studio_home: Path) -> None:
    kinds = ("Harp", "Bells")
    write_model(studio_home / "models", card("kit", (RATE,), family=("wavenet", "WaveNet"), rate=RATE, classes=kinds))
    stage.window.models.refresh()
    sound = stage.sound
    sound.choose_model("kit")
    sound.dials.set_label(1)
    sound.play()
    opened(stage, qtbot)
    assert stage.asked().label == 1
    stage.make(0.6)
    stage.hear(0.2)
    sound.dials.set_label(None)
    asked = stage.asked()
    assert asked.label is None and asked.begin is not None and 0.2 < len(asked.begin) / RATE < 0.4
    stage.make(0.2)
    sound.stop()
    sound.keep_take()
    sound.dials.set_label(0)
    sound.show_take(0)
    assert sound.dials.label.get() is None and stage.window.takes.list.get()[0].work.label == 1


def test_what_is_being_made_stands_in_the_queue_and_is_stopped_there(stage: Stage, qtbot: QtBot) -> None:
    sound, queue = stage.sound, stage.window.queue
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    (entry,) = queue.entries.get()
    assert entry.job == stage.asked().job and entry.said == "0:00.6 made · 3.0 × real time"
    queue.stop(entry.job)
    assert entry.job in stage.engine.stopped
    stage.engine.say(Stopped(job=entry.job))
    assert not queue.entries.get() and not sound.player.making.get()


def test_a_recording_that_is_forgotten_ends_by_itself_and_says_so(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.app.states.taping.LONGEST", 0.4)
    sound = made(stage, qtbot)
    sound.record(True)
    sound.player.seek(0.0)
    sound.play()
    opened(stage, qtbot)
    stage.hear(0.3)
    assert sound.player.recording.get()
    stage.hear(0.2)
    said = stage.window.messages.current.get()
    assert not sound.player.recording.get() and said is not None and "at most" in said.text
    assert len(stage.window.takes.list.get()) == 1
