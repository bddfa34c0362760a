"""Tests the shared sound card: the newest source plays, and the card is released after a while of silence."""

import pytest
from pytestqt.qtbot import QtBot

from studio.app.audio.sound_card import RELEASE_AFTER, SoundCard
from studio.media.sounds.oscillator import Oscillator
from tests.app.fake_speaker import FakeSpeaker


class Bench:
    """Holds a card on a fake speaker, two sources, and the signals of the card."""

    def __init__(self) -> None:
        self.speaker = FakeSpeaker()
        self.card = SoundCard(self.speaker)
        self.one = Oscillator()
        self.other = Oscillator()
        self.said: list[tuple[str, object]] = []
        self.card.opened.connect(lambda source: self.said.append(("opened", source)))
        self.card.failed.connect(lambda source, why: self.said.append((why, source)))
        self.card.lost.connect(lambda source, why: self.said.append((why, source)))
        self.card.handed_over.connect(lambda source: self.said.append(("handed over", source)))


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    """The first source plays."""
    bench = Bench()
    bench.card.play_source(bench.one)
    qtbot.waitUntil(lambda: bench.said == [("opened", bench.one)])
    return bench


def test_source_that_plays_last_takes_the_card_from_the_other(bench: Bench, qtbot: QtBot) -> None:
    bench.card.play_source(bench.one)  # has it already
    bench.card.play_source(bench.other, "Headphones", 0.1)
    assert bench.card.source is bench.other
    qtbot.waitUntil(lambda: bench.said[1:] == [("handed over", bench.one), ("opened", bench.other)])
    assert bench.speaker.source is bench.other and (bench.speaker.device, bench.speaker.latency) == ("Headphones", 0.1)
    assert (bench.speaker.opens, bench.speaker.closes) == (2, 1)


def test_source_without_the_card_cannot_release_or_rest_it(bench: Bench) -> None:
    bench.card.release(bench.other)
    bench.card.rest(bench.other)
    for _ in range(RELEASE_AFTER):
        bench.card.check_output()
    assert bench.card.source is bench.speaker.source is bench.one


def test_silent_card_is_released_unless_its_source_plays_again(bench: Bench) -> None:
    bench.card.rest(bench.one)
    for _ in range(RELEASE_AFTER - 1):
        bench.card.check_output()
    bench.card.play_source(bench.one)
    bench.card.check_output()
    bench.card.rest(bench.one)
    for _ in range(RELEASE_AFTER - 1):
        bench.card.check_output()
    assert bench.speaker.source is bench.one
    bench.card.check_output()
    assert bench.speaker.source is None and bench.card.source is None


def test_card_that_goes_away_is_noticed_by_itself_and_told_to_its_source(bench: Bench, qtbot: QtBot) -> None:
    bench.speaker.faults = '"Headphones" went away.'
    qtbot.waitUntil(lambda: bench.said[1:] == [('"Headphones" went away.', bench.one)])
    assert bench.card.source is None and bench.speaker.source is None


def test_source_of_a_card_that_cannot_be_opened_is_told_why(bench: Bench, qtbot: QtBot) -> None:
    bench.speaker.refuses = "No device for sound was found."
    bench.card.play_source(bench.other)
    qtbot.waitUntil(lambda: bench.said[-1] == ("No device for sound was found.", bench.other))
    assert bench.card.source is None
