"""Sound on an engine that says what a test tells it to, and a sound card that gives what it was given."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.states.player import AHEAD, PART
from studio.app.states.sound import Sound
from studio.app.states.window import Window
from studio.wire.messages import Failed, Finished, Perform, Sounded, Steer, Stopped
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
    qtbot.waitUntil(lambda: stage.speaker.source is not None)


def test_play_is_heard_while_it_is_made_and_never_far_ahead(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.player.set_level(1.0)
    sound.set_seed(7)
    sound.set_temperature(0.8)
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
    stage.make(PART * 0.4 - 1, speed=0.6)
    assert stage.hear(0.2).any() and not sound.player.waiting.get()


def test_a_turned_dial_throws_away_what_is_not_heard_yet_and_no_more(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.set_temperature(1.0)
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    stage.hear(0.2)
    sound.set_temperature(0.5)
    turn = stage.turned()
    assert turn.again is not None and turn.again % PIECE == 0
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
        sound.set_temperature(heat)
    turns = [one for one in stage.engine.sent[before:] if isinstance(one, Steer) and one.again is not None]
    assert len(turns) == 1
    stage.engine.say(Finished(job=turns[0].job))
    last = stage.turned()
    assert last.curve is not None and last.curve[-1, 1] == 0.7
    assert [heat for _, heat in sound.heat.get()][-1] == 0.7


def test_what_cannot_be_changed_plays_on_as_it_was(stage: Stage, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.make(0.6)
    stage.hear(0.2)
    sound.set_temperature(0.5)
    turn = stage.turned()
    assert turn.again is not None
    stage.make(0.1, value=700, first=turn.again)
    stage.engine.say(Failed(job=turn.job, why="No.", hint=""))
    assert (sound.player.samples[turn.again :] == 700).all()
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
    assert said is not None and said.text.startswith('"Headphones" went away at 0:00.2. Making goes on')
    speaker.faults = ""
    stage.window.messages.act(0)
    opened(stage, qtbot)
    assert stage.hear(0.1).any() and sound.player.position == pytest.approx(0.3, abs=0.02)


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
    sound.to_newest()
    sound.play()
    asked = stage.asked()
    assert asked.begin is not None and (asked.begin == 1000).all()
