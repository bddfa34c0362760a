"""Tests changes of a sound during playback: there is no gap, and the heard sound equals the kept one."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from studio.app.core.messages import Messages
from studio.app.panels.sound.buffer import SoundBuffer
from studio.app.panels.sound.live_edit import Edit, SettingsRecord
from studio.app.panels.sound.live_generation import INITIAL_SPARE, MAX_LEAD, SPARE_DECAY, SPARE_GROWTH, LiveGeneration
from studio.media.sounds.playback import RAMP
from studio.wire.messages import Adjust, Failed, Finished, SoundChunk, StreamSound
from tests.app.fake_engine import FakeEngine

RATE = 16_000
MOMENT = 0.01
BLOCK = RATE // 50
EDGE = round(RAMP * RATE)
SETTINGS = SettingsRecord(0.0, ((0.0, 1.0),), None, None, ())


class Hand:
    """Submits one seed after another. `held` has each with the second from which it is heard."""

    def __init__(self, generation: LiveGeneration) -> None:
        self.generation = generation
        self.seed = 0
        self.waits = False
        self.held: list[tuple[float, int]] = []
        self.missed = 0
        self.failed = 0
        generation.edit_ready.connect(self.submit)
        generation.edit_late.connect(self.submit_again)
        generation.edit_failed.connect(self.take_back)

    def change_seed(self, seed: int) -> None:
        self.seed = seed
        self.waits = True
        self.submit()

    def submit(self, replaces_late_edit: bool = False) -> None:
        if self.waits and (replaces_late_edit or self.generation.accepts_edit):
            self.waits = False
            first = self.generation.next_editable_sample
            self.held.append((first / RATE, self.seed))
            self.generation.submit(Edit(first, {"seed": self.seed}, SETTINGS, SETTINGS, replaces_late_edit))

    def submit_again(self, late: Edit) -> None:
        assert late.changes == {"seed": self.held.pop()[1]}
        self.missed += 1
        self.waits = True
        self.submit(replaces_late_edit=True)

    def take_back(self, failed: Edit) -> None:
        assert failed.changes == {"seed": self.held.pop()[1]}
        self.failed += 1


class Desk:
    """Holds a live generation without a window, with a fake engine, and hears it block by block."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.messages = Messages()
        self.reel = SoundBuffer(RATE, np.zeros(0, np.int16))
        self.performing = LiveGeneration(self.engine, self.messages, self.reel)
        self.hand = Hand(self.performing)
        self.reel.stream.set_card_rate(RATE)
        self.heard: list[np.ndarray] = []
        self.performing.start_job(StreamSound(job="", model="hum", seed=0))
        self.performing.writer.is_playing = True

    @property
    def steer(self) -> Adjust:
        return next(c for c in reversed(self.engine.sent) if isinstance(c, Adjust) and c.from_sample is not None)

    def change_seed(self, seed: int) -> None:
        self.hand.change_seed(seed)

    def generate(self, first: int, seconds: float, height: int, speed: float = 2.5) -> None:
        """Let the engine make this many seconds of sound."""
        for at in range(first, first + round(seconds * RATE), BLOCK // 2):
            samples = np.full(BLOCK // 2, height, np.int16)
            bits = np.full(BLOCK // 2, height, np.float32)
            event = SoundChunk(job=self.performing.job, first_sample=at, samples=samples, bits=bits, speed=speed)
            self.engine.emit_events(event)

    def hear(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.heard.append(np.zeros(BLOCK, np.float32))
            self.reel.stream.fill(self.heard[-1])

    def whole(self) -> np.ndarray:
        return np.rint(np.concatenate(self.heard) * 32_768).astype(np.int16)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """0.6 seconds of 100 are made, and 0.2 of them are heard. Time stands still between two questions of the card."""
    monkeypatch.setattr("studio.media.sounds.playback.time.monotonic", lambda: 100.0)
    desk = Desk()
    desk.generate(0, 0.6, 100)
    desk.reel.stream.play()
    desk.hear(10)
    return desk


def assert_heard_equals_kept(desk: Desk) -> None:
    """Check that the heard sound equals the kept one, without a gap."""
    heard = desk.whole()
    np.testing.assert_array_equal(heard[EDGE:], desk.reel.samples[EDGE : len(heard)])
    np.testing.assert_array_equal(desk.reel.bits, desk.reel.samples)
    assert desk.reel.stream.underruns == 0


def test_what_is_new_takes_over_where_it_was_asked_for(desk: Desk) -> None:
    desk.change_seed(200)
    again = desk.steer.from_sample or 0
    assert again / RATE < desk.reel.stream.position + 0.06 and not desk.steer.replaces_late_edit
    assert len(desk.reel.samples) == again and desk.performing.settled_seconds == again / RATE
    desk.hear()
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(again, 0.2, 200)
    desk.hear(5)
    assert_heard_equals_kept(desk)
    assert (desk.reel.samples[again:] == 200).all() and desk.hand.held == [(again / RATE, 200)]
    assert desk.performing.spare == SPARE_DECAY**1 * INITIAL_SPARE


def test_until_enough_is_new_what_was_before_plays_on(desk: Desk) -> None:
    desk.performing.lead = 0.025
    desk.change_seed(200)
    again = desk.steer.from_sample or 0
    desk.hear()
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(again, MOMENT, 200)
    assert len(desk.reel.samples) == again  # 10 ms would run dry at once
    desk.generate(again + BLOCK // 2, 2 * MOMENT, 200)
    assert len(desk.reel.samples) == again + 3 * BLOCK // 2
    assert_heard_equals_kept(desk)


def test_what_comes_too_late_is_asked_again_and_leaves_no_gap(desk: Desk) -> None:
    desk.change_seed(200)
    late = desk.steer.from_sample or 0
    desk.hear(6)  # beyond it
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(late, 2 * MOMENT, 200)
    assert desk.steer.replaces_late_edit and (desk.steer.from_sample or 0) > desk.reel.stream.first_replaceable > late
    assert desk.performing.spare == SPARE_GROWTH * INITIAL_SPARE and desk.hand.missed == 1
    desk.generate(late + BLOCK, 2 * MOMENT, 200)  # was on its way
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(desk.steer.from_sample or 0, 0.2, 200)
    desk.hear(5)
    assert_heard_equals_kept(desk)
    again = desk.steer.from_sample or 0
    assert (desk.reel.samples[:again] == 100).all() and (desk.reel.samples[again:] == 200).all()
    assert desk.hand.held == [(again / RATE, 200)]


def test_the_newest_of_two_changes_waits_for_the_first(desk: Desk) -> None:
    desk.change_seed(200)
    desk.change_seed(250)
    desk.change_seed(300)
    first = desk.steer
    desk.engine.emit_events(Finished(job=first.job))
    desk.generate(first.from_sample or 0, 0.04, 200)
    assert desk.steer.seed == 300 and desk.steer.job != first.job and not desk.steer.replaces_late_edit
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(desk.steer.from_sample or 0, 0.2, 300)
    desk.hear(5)
    assert_heard_equals_kept(desk)
    assert [seed for _, seed in desk.hand.held] == [200, 300]


def test_of_two_changes_of_which_the_first_comes_too_late_the_newest_is_asked_at_once(desk: Desk) -> None:
    desk.change_seed(200)
    late = desk.steer.from_sample or 0
    desk.change_seed(300)
    desk.hear(6)
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(late, MOMENT, 200)
    assert desk.steer.replaces_late_edit and desk.steer.seed == 300
    desk.engine.emit_events(Finished(job=desk.steer.job))
    count = len(desk.engine.sent)
    desk.generate(desk.steer.from_sample or 0, 0.2, 300)
    assert len(desk.engine.sent) == count
    assert_heard_equals_kept(desk)
    assert [seed for _, seed in desk.hand.held] == [300]


def test_what_the_engine_refuses_leaves_all_as_it_was(desk: Desk) -> None:
    desk.change_seed(200)
    desk.generate(desk.reel.total_samples, 0.1, 100)
    desk.engine.emit_events(Failed(job=desk.steer.job, reason="No.", hint=""))
    desk.hear(10)
    assert_heard_equals_kept(desk)
    assert (desk.reel.samples == 100).all() and desk.reel.seconds == pytest.approx(0.7)
    assert desk.hand.failed == 1 and not desk.hand.held


def by_halt(desk: Desk) -> None:
    desk.performing.stop_job()


def by_death(desk: Desk) -> None:
    desk.engine.die()


@pytest.mark.parametrize("end", [by_halt, by_death])
def test_a_change_that_is_on_its_way_when_it_ends_holds_for_what_is_made_later(
    desk: Desk, end: Callable[[Desk], None]
) -> None:
    desk.change_seed(200)
    end(desk)
    desk.hear(10)
    assert_heard_equals_kept(desk)
    assert desk.reel.seconds == 0.6 and desk.hand.held == [(0.6, 200)] and not desk.performing.making.get()


def test_a_cut_while_a_change_is_on_its_way_leaves_what_is_before_it(desk: Desk) -> None:
    desk.change_seed(200)
    at = (desk.steer.from_sample or 0) + 3 * BLOCK
    desk.performing.truncate(at)
    desk.hear(4)
    assert_heard_equals_kept(desk)
    assert len(desk.reel.samples) == at and desk.hand.held == [(at / RATE, 200)]


def test_while_the_window_stands_still_what_is_made_and_what_a_change_makes_anew_are_heard(desk: Desk) -> None:
    """Only the thread that hears the engine works; the window hears of all of it later."""
    desk.engine.stand_still()
    desk.change_seed(200)
    again = desk.steer.from_sample or 0
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(again, 0.3, 200)
    desk.hear(15)
    assert_heard_equals_kept(desk)
    assert (desk.reel.samples[again:] == 200).all() and desk.reel.seconds == pytest.approx(again / RATE + 0.3)
    before = len(desk.engine.sent)
    desk.engine.go_on()
    assert desk.performing.settled_seconds > again / RATE and desk.performing.spare < INITIAL_SPARE
    assert len(desk.engine.sent) == before


def test_in_the_first_moments_a_change_waits_until_there_is_enough_to_ask_twice() -> None:
    desk = Desk()
    desk.generate(0, 0.06, 100)
    desk.reel.stream.play()
    desk.hear()
    desk.change_seed(200)
    assert not [c for c in desk.engine.sent if isinstance(c, Adjust) and c.from_sample is not None]
    desk.generate(round(0.06 * RATE), 0.08, 100)
    again = desk.steer.from_sample or 0
    assert desk.steer.seed == 200
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(again, 0.2, 200)
    desk.hear(5)
    assert (desk.reel.samples[again:] == 200).all() and desk.hand.held == [(again / RATE, 200)]


def test_a_machine_that_ran_dry_often_makes_more_ahead_than_it_wants_to_be_sure(desk: Desk) -> None:
    """Or it would wait for ever for what it does not allow to be made."""
    for _ in range(20):
        desk.performing.note_gap()
    desk.change_seed(200)
    until, again = desk.steer.allowed_seconds, desk.steer.from_sample or 0
    assert until is not None and until > again / RATE + MAX_LEAD
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(again, until - again / RATE, 200)
    assert (desk.reel.samples[again:] == 200).all() and len(desk.reel.samples) > again
    assert_heard_equals_kept(desk)


def test_slower_than_it_is_heard_nothing_is_thrown_away(desk: Desk) -> None:
    desk.generate(desk.reel.total_samples, 0.02, 100, speed=1.05)
    desk.change_seed(200)
    assert desk.steer.from_sample == desk.reel.total_samples


def test_in_a_pause_it_begins_at_the_ear(desk: Desk) -> None:
    desk.performing.writer.is_playing = False
    desk.reel.stream.pause()
    desk.hear(2)
    desk.change_seed(200)
    again, position = desk.steer.from_sample or 0, desk.reel.stream.position * RATE
    assert again == round(position) and again < desk.reel.stream.first_replaceable
    desk.engine.emit_events(Finished(job=desk.steer.job))
    desk.generate(again, 0.2, 200)
    assert (desk.reel.samples[again:] == 200).all()
    before = len(desk.heard)
    desk.reel.stream.play()
    desk.hear(6)
    after = np.rint(np.concatenate(desk.heard[before:]) * 32_768)
    place = round(position)
    wanted = desk.reel.samples[place : place + len(after)]
    np.testing.assert_array_equal(after[EDGE : len(wanted)], wanted[EDGE:])


@pytest.mark.parametrize("seed", range(8))
def test_however_long_its_answers_take_there_is_no_gap_and_no_sample_is_another(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine at twice the speed of hearing that hears what is asked after 0 to 50 ms, a hand that hardly rests."""
    chance, desk = random.Random(seed), Desk()
    engine, moment = Engine(desk, chance), 0
    monkeypatch.setattr("studio.media.sounds.playback.time.monotonic", lambda: moment / 100)
    for moment in range(1500):
        if moment == 20:
            desk.reel.stream.play()
        if moment > 30 and chance.random() < 0.1:
            desk.change_seed(100 + moment)
        engine.work()
        if moment % 2:
            desk.hear()
    while desk.performing._pending is not None:
        engine.work()
    heard, reel = desk.whole(), desk.reel
    begin = int(np.flatnonzero(heard)[0]) - 1
    np.testing.assert_array_equal(heard[begin + EDGE :], reel.samples[EDGE : len(heard) - begin])
    assert reel.stream.underruns == 0 and desk.hand.missed
    heights = np.zeros(len(reel.samples), np.int16) + 100
    for second, height in desk.hand.held:
        heights[round(second * RATE) :] = height
    np.testing.assert_array_equal(reel.samples, heights)  # `held` names the right second of every seed
    np.testing.assert_array_equal(reel.bits, heights)


class Engine:
    """Goes back, and takes a change back, as the real one does; 20 ms of sound in a step of 10 ms. What is asked takes
    a while to come to it."""

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self.desk, self.chance = desk, chance
        self.made, self.height, self.left = 0, 100, (0, 100)
        self.due, self.seen = 0, 0

    def work(self) -> None:
        if (command := self._next()) is not None:
            if command.replaces_late_edit:
                self.made, self.height = self.left
            self.left = self.made, self.height
            assert command.from_sample is not None and command.from_sample <= self.made
            self.made, self.height = command.from_sample, command.seed or 0
            self.desk.engine.emit_events(Finished(job=command.job))
        if self.made < self.desk.reel.stream.position * RATE + 0.8 * RATE:
            first, self.made = self.made, self.made + BLOCK
            self.desk.generate(first, 0.02, self.height)

    def _next(self) -> Adjust | None:
        """What was asked, once it has come."""
        asked = [c for c in self.desk.engine.sent[self.seen :] if isinstance(c, Adjust) and c.from_sample is not None]
        self.due = max(self.due - 1, 0)
        if not asked or self.due:
            return None
        self.seen, self.due = len(self.desk.engine.sent), self.chance.choice((0, 0, 1, 2, 5))
        return asked[0]
