"""Tests the lanes of a sound: they compute only new samples, and answer the mouse and keys."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.lanes.lane_view import ruler_time
from studio.app.panels.sound.lanes.lanes_view import LanesView
from studio.app.panels.sound.temperature_curve import add_knot, move_knot, remove_knot
from studio.app.widgets.theme import Theme
from studio.media.sounds import spectrogram
from studio.media.sounds.peaks import MeanTable, PeakPyramid, common_prefix
from studio.media.sounds.spectrogram import Spectrogram
from tests.app.window_fixtures import double_click, settle, shown

RATE = 8000
NOISE = np.random.default_rng(0).integers(-20_000, 20_000, 50_000).astype(np.int16)


# ── computing ────────────────────────────────────────────────────────────────────────────────────


def plain(places: np.ndarray, reduce: Any) -> list[int]:
    ends = places.astype(int)
    return [int(reduce(NOISE[a:b])) for a, b in zip(ends[:-1], ends[1:], strict=True)]


@pytest.mark.parametrize("apart", [2, 16, 64, 512, 4096])
def test_peaks_are_the_lowest_and_highest_at_any_scale(apart: int) -> None:
    peaks = PeakPyramid()
    peaks.set_samples(NOISE, 0)
    places = np.arange(0, 40_961, apart, dtype=float)
    low, high = peaks.between(places)
    assert low.tolist() == plain(places, np.min)
    assert high.tolist() == plain(places, np.max)


def test_peaks_that_grew_are_those_of_the_whole() -> None:
    whole, grown = PeakPyramid(), PeakPyramid()
    whole.set_samples(NOISE, 0)
    for count in (0, 7, 300, 300, 5000, 20_011, len(NOISE)):
        grown.set_samples(NOISE[:count], min(count, len(grown)))
    other = NOISE.copy()
    other[30_000:] = 0
    grown.set_samples(other[:40_000], 30_000)
    grown.set_samples(NOISE, 30_000)
    places = np.linspace(0, 49_000, 200)
    np.testing.assert_array_equal(np.stack(grown.between(places)), np.stack(whole.between(places)))


def test_beyond_the_newest_sample_there_is_no_peak() -> None:
    peaks = PeakPyramid()
    peaks.set_samples(NOISE[:1000], 0)
    low, _ = peaks.between(np.arange(0, 4000, 100.0))
    assert np.isfinite(low[:9]).all()
    assert np.isnan(low[10:]).all()


def test_closer_than_samples_the_wave_is_a_line_without_holes() -> None:
    peaks = PeakPyramid()
    peaks.set_samples(np.array([0, 100, -100, 0], np.int16), 0)
    low, high = peaks.between(np.arange(0, 3.01, 0.25))
    assert high[:3].tolist() == [25, 50, 75]
    assert (low[1:] <= high[:-1]).all()
    assert (high[1:] >= low[:-1]).all()


@pytest.mark.parametrize("apart", [10, 64, 500])
def test_means_count_only_what_is_known(apart: int) -> None:
    numbers = np.random.default_rng(1).random(20_000).astype(np.float32)
    numbers[:6400] = np.nan
    means = MeanTable()
    for count in (0, 100, 7000, 20_000):
        means.set_numbers(numbers[:count], len(means))
    places = np.arange(0, 19_201, apart, dtype=float)
    found = means.between(places)
    assert np.isnan(found[0])
    at = np.flatnonzero(np.isfinite(found))[5]
    step = 64 if apart >= 64 else 1
    first, end = (int(places[at + n]) // step * step for n in (0, 1))
    assert found[at] == pytest.approx(np.nanmean(numbers[first:end]), rel=1e-5)


def tone(hertz: float, rate: int = RATE, seconds: float = 1.0) -> np.ndarray:
    return np.rint(16_000 * np.sin(2 * np.pi * hertz * np.arange(seconds * rate) / rate)).astype(np.int16)


def test_means_of_what_became_known_later_are_those_of_the_whole() -> None:
    numbers = np.full(50_000, np.nan, np.float32)
    found = MeanTable()
    whole = MeanTable()
    found.set_numbers(numbers, 0)
    generator = np.random.default_rng(2)
    for first, end in ((20_000, 28_192), (100, 130), (0, 100), (49_000, 50_000), (28_192, 41_003), (64, 128)):
        numbers[first:end] = generator.uniform(0, 8, end - first)
        found.update_range(numbers, first, end)
        whole.set_numbers(numbers, 0)
        for places in (np.linspace(0, 50_000, 300), np.linspace(41_000, 41_050, 51)):
            np.testing.assert_allclose(found.between(places), whole.between(places), rtol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050])
@pytest.mark.parametrize("part", [0.02, 0.05, 0.1, 0.25, 0.5, 0.95])
def test_a_pure_tone_is_one_bright_row_at_its_place_and_as_bright_at_any(rate: int, part: float) -> None:
    hertz = part * rate / 2
    levels, one = spectrogram.whole_spectrogram(tone(hertz, rate), rate, 10)[5], Spectrogram(rate)
    around = [one.row_of_frequency(max(hertz + sign * rate / one.size, 0)) * spectrogram.ROWS for sign in (-1, 1)]
    assert around[0] - 1 <= levels.argmax() <= around[1] + 1
    assert levels.max() == pytest.approx(
        255 * (1 - 6.2 / -spectrogram.QUIETEST), abs=6
    )  # 1.4 dB between two frequencies
    far = np.abs(np.arange(spectrogram.ROWS) - levels.argmax()) > spectrogram.ROWS / 3
    assert levels[far].max() < 80


def test_octaves_are_further_apart_the_higher_they_are() -> None:
    one = Spectrogram(16_000)
    apart = np.diff([one.row_of_frequency(hertz) for hertz in (0, 125, 250, 500, 1000, 2000, 4000, 8000)])
    assert one.row_of_frequency(8000) == 1 and (np.diff(apart[1:]) > 0).all()
    # Glasberg and Moore's filters are 24.7 (4.37 f / 1000 + 1) Hz wide: equal steps hold equally many.
    edges = 24.7 * (4.37 * np.array([100.0, 1000.0, 6000.0]) / 1000 + 1)
    steps = [
        one.row_of_frequency(f + w / 2) - one.row_of_frequency(f - w / 2)
        for f, w in zip((100, 1000, 6000), edges, strict=True)
    ]
    assert steps == pytest.approx([steps[1]] * 3, rel=0.05)


def test_a_spectrum_that_grew_is_that_of_the_whole() -> None:
    whole, grown = Spectrogram(RATE), Spectrogram(RATE)
    whole.set_samples(NOISE, 0)
    parts, kept = [], 0
    for count in (10, 400, 4000, 4100, len(NOISE)):
        grown.set_samples(NOISE[:count], kept)
        parts += [grown.compute_columns(3), grown.compute_columns(100)]
        kept = count
    while grown.pending_columns:
        parts.append(grown.compute_columns())
    np.testing.assert_array_equal(np.concatenate(parts), whole.compute_columns(10_000))


def test_only_a_changed_end_is_computed_again() -> None:
    one = Spectrogram(RATE)
    one.set_samples(NOISE, 0)
    one.compute_columns(10_000)
    before = one.columns
    one.set_samples(NOISE, 40_000)
    assert 0 < one.pending_columns < before / 4


def test_the_same_memory_is_the_same_and_a_copy_is_looked_at() -> None:
    other = NOISE.copy()
    assert common_prefix(NOISE[:100], NOISE) == 100
    assert common_prefix(NOISE, other) == len(NOISE)
    other[777] += 1
    assert common_prefix(NOISE, other) == 777


def test_a_knot_stays_between_its_neighbours_and_after_what_is_settled() -> None:
    knots = ((0.0, 1.0), (4.0, 0.5), (8.0, 1.5))
    assert move_knot(knots, 1, 9.0, 3.0, 2.0)[1] == (8.0, 2.0)
    assert move_knot(knots, 1, -9.0, -3.0, 2.0)[1] == (2.0, 0.0)
    assert move_knot(knots, 2, 20.0, 1.0, 2.0)[2] == (20.0, 1.0)
    assert add_knot(knots, 5.0, 0.7)[2] == (5.0, 0.7)
    assert remove_knot(knots, 1) == (knots[0], knots[2])


def test_of_a_step_the_line_ends_at_the_earlier_and_begins_at_the_later() -> None:
    knots = ((0.0, 1.0), (4.0, 1.0), (4.0, 0.5))
    assert heats.temperature_at(knots, 4.0) == 0.5
    assert heats.temperature_at(knots, 4.0, before=True) == 1.0


@pytest.mark.parametrize(
    ("seconds", "decimals", "words"),
    [(0, 0, "0:00"), (14.644, 2, "0:14.64"), (59.999, 2, "1:00.00"), (8.21, 3, "0:08.210"), (3723.5, 1, "1:02:03.5")],
)
def test_moments_in_words(seconds: float, decimals: int, words: str) -> None:
    assert ruler_time(seconds, decimals) == words


# ── mouse and keys ───────────────────────────────────────────────────────────────────────────────


class Noted:
    """Holds lanes of ten seconds of noise, of which four were heard, and the signals they sent."""

    def __init__(self, lanes: LanesView) -> None:
        self.lanes, self.told = lanes, list[Any]()
        self.time = time = lanes.timeline
        sound = np.resize(NOISE, 10 * RATE)
        lanes.show_sound(sound, np.full(len(sound), 2.5, np.float32), RATE, 0, 0)
        time.set_cut(2.0)
        time.set_marks(4.0, 10.0, True, True)
        lanes.temperature.show_settled(5.0)
        self.show(((0.0, 1.0), (8.0, 0.5)))
        for name in ("seek_requested", "cut_moved", "loop_moved", "grabbed", "released"):
            getattr(time, name).connect(lambda *said, name=name: self.told.append((name, *said)))
        lanes.playhead.seek_requested.connect(lambda at: self.told.append(("seek_requested", at)))
        lanes.playhead.nudged.connect(lambda up: lanes.temperature.nudge_knot(time.position, up))
        lanes.temperature.curve_drawn.connect(self.show)

    def show(self, knots: Any) -> None:
        self.knots = knots
        self.lanes.temperature.show_curve(knots)

    def press(self, lane: QWidget, *places: tuple[float, float], release: bool = True) -> None:
        """Press at the first (seconds, share of the height), move over the others, release."""
        kinds, left = QMouseEvent.Type, Qt.MouseButton.LeftButton
        for number, (seconds, share) in enumerate(places):
            at = QPointF(self.time.x_of(seconds), share * lane.height())
            kind, button = (kinds.MouseMove, Qt.MouseButton.NoButton) if number else (kinds.MouseButtonPress, left)
            event = QMouseEvent(kind, at, lane.mapToGlobal(at), button, left, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(lane, event)
        if release:
            QTest.mouseRelease(lane, left, pos=at.toPoint())

    def names(self) -> list[str]:
        return [said[0] for said in self.told]


@pytest.fixture
def noted(qtbot: QtBot) -> Iterator[Noted]:
    lanes = LanesView(Theme())
    qtbot.addWidget(lanes)
    shown(lanes, Theme(), 1000, 600)
    yield Noted(lanes)


def test_a_click_goes_there(noted: Noted) -> None:
    noted.press(noted.lanes.wave, (6.0, 0.5))
    assert noted.told == [("seek_requested", pytest.approx(6.0, abs=0.03))]


def test_a_click_behind_the_newest_moment_goes_to_that(noted: Noted) -> None:
    noted.press(noted.lanes.wave, (20.0, 0.5))
    assert noted.told == [("seek_requested", 10.0)]


def test_the_cut_is_dragged_on_any_lane(noted: Noted) -> None:
    for lane in (noted.lanes.wave, noted.lanes.spectrogram, noted.lanes.bits, noted.lanes.ruler):
        noted.told.clear()
        noted.press(lane, (2.1, 0.5), (3.0, 0.5))
        assert noted.told == [("grabbed", "cut"), ("cut_moved", pytest.approx(3.0, abs=0.03)), ("released",)]


def test_a_drag_chooses_a_region_whichever_way(noted: Noted) -> None:
    noted.press(noted.lanes.wave, (8.0, 0.5), (7.0, 0.5), (6.0, 0.4))
    assert noted.told[-2] == ("loop_moved", pytest.approx(6.0, abs=0.03), pytest.approx(8.0, abs=0.03))


def test_an_end_of_the_region_is_dragged_past_the_other(noted: Noted) -> None:
    noted.time.loop_moved.connect(lambda begin, end: noted.time.set_loop((begin, end), True))
    noted.time.set_loop((6.0, 8.0), True)
    noted.press(noted.lanes.wave, (8.0, 0.5), (5.0, 0.5), (4.0, 0.5))
    assert noted.time.loop == (pytest.approx(4.0, abs=0.03), pytest.approx(6.0, abs=0.03))


def test_a_cancelled_drag_sends_nothing_more(noted: Noted) -> None:
    noted.press(noted.lanes.wave, (2.0, 0.5), (3.0, 0.5), release=False)
    assert noted.lanes.cancel_drag() == "cut"
    noted.told.clear()
    noted.press(noted.lanes.wave, (3.0, 0.9), release=False)
    assert noted.lanes.cancel_drag() == ""
    assert noted.told == []


def test_the_wheel_scrolls_in_time_and_zooms_at_the_pointer(noted: Noted) -> None:
    wave, time = noted.lanes.wave, noted.time

    def turn(by: int, keys: Qt.KeyboardModifier) -> None:
        at = QPointF(time.x_of(6.0), 20)
        buttons, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
        event = QWheelEvent(at, wave.mapToGlobal(at), QPoint(), QPoint(0, by), buttons, keys, phase, False)
        QApplication.sendEvent(wave, event)

    under = time.x_of(6.0)
    turn(240, Qt.KeyboardModifier.ControlModifier)
    assert time.length == pytest.approx(24 / 1.25**2)
    assert time.x_of(6.0) == pytest.approx(under, abs=1)
    begin = time.begin
    time.set_marks(4.0, 40.0, False, False)
    turn(-120, Qt.KeyboardModifier.NoModifier)
    assert time.begin > begin
    assert not time.follows


def test_playback_is_followed_until_the_user_scrolls(noted: Noted) -> None:
    time = noted.time
    time.set_marks(23.0, 40.0, True, False)
    assert time.begin < 23.0 < time.begin + 0.7 * time.length
    time.set_begin(0.0)
    time.set_marks(24.0, 40.0, True, False)
    assert time.begin == 0.0


def test_a_click_adds_a_knot_and_a_drag_moves_it(noted: Noted) -> None:
    heat = noted.lanes.temperature
    noted.press(heat.viewport(), (6.0, 0.5), (6.5, 0.25))
    assert len(noted.knots) == 3
    assert noted.knots[1] == (pytest.approx(6.5, abs=0.05), pytest.approx(1.55, abs=0.1))


def test_what_is_settled_cannot_be_drawn(noted: Noted) -> None:
    before = noted.knots
    noted.press(noted.lanes.temperature.viewport(), (3.0, 0.5), (3.5, 0.25))
    assert noted.knots == before


def test_a_double_click_takes_a_knot_away_but_not_the_last(noted: Noted) -> None:
    heat = noted.lanes.temperature
    at = heat.position_of(8.0, 0.5).toPoint()
    double_click(heat.viewport(), at)
    assert noted.knots == ((0.0, 1.0),)
    heat.show_settled(0.0)
    double_click(heat.viewport(), heat.position_of(0.0, 1.0).toPoint())
    assert noted.knots == ((0.0, 1.0),)


def test_knots_are_rows_that_keys_walk_and_move(noted: Noted) -> None:
    heat = noted.lanes.temperature
    assert heat.model().data(heat.model().index(1, 0), Qt.ItemDataRole.AccessibleTextRole) == (
        "Temperature 0.50 at 0:08.0, knot 2 of 2"
    )
    QTest.keyClick(heat, Qt.Key.Key_Right)
    QTest.keyClick(heat, Qt.Key.Key_Up)
    QTest.keyClick(heat, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert noted.knots[1] == (pytest.approx(8.1), pytest.approx(0.52))
    QTest.keyClick(heat, Qt.Key.Key_Delete)
    assert len(noted.knots) == 1


def test_the_cursor_moves_by_keys_and_announces_its_position(noted: Noted) -> None:
    moment = noted.lanes.playhead
    assert moment.accessibleDescription() == "4.0 of 10.0 seconds, temperature 0.75, 2.5 bits a sample"
    QTest.keyClick(moment, Qt.Key.Key_Right)
    QTest.keyClick(moment, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert noted.told == [("seek_requested", 4.1), ("seek_requested", 3.0)]
    QTest.keyClick(moment, Qt.Key.Key_Up)
    assert noted.knots == ((0.0, 1.0), (8.0, pytest.approx(0.52)))


def test_own_heard_and_coming_sound_have_different_colours(noted: Noted) -> None:
    settle()
    picture = noted.lanes.wave.grab().toImage()
    middle = picture.height() // 2 + 4

    def colour(seconds: float) -> str:
        return picture.pixelColor(round(noted.time.x_of(seconds)), middle).name().upper()

    tokens = Theme().tokens
    assert (colour(1.0), colour(3.0), colour(7.0)) == (tokens.faint, tokens.accent, tokens.soft)
    assert colour(18.0) == tokens.window
    noted.time.set_marks(7.5, 10.0, True, False)
    picture = noted.lanes.wave.grab().toImage()
    assert colour(7.0) == tokens.accent


def test_scrolled_and_drawn_bit_by_bit_it_looks_as_drawn_at_once(noted: Noted, qtbot: QtBot) -> None:
    lanes, sound = noted.lanes, np.resize(NOISE, 30 * RATE)
    bits = np.resize(np.random.default_rng(2).random(9999).astype(np.float32) * 6, len(sound))
    for number, position in enumerate(np.arange(4.0, 26.0, 0.35)):
        count = int((position + 2) * RATE)
        kept = 10**9 if number else 0
        lanes.show_sound(sound[:count], bits[:count], RATE, kept, kept)
        noted.time.set_marks(position, count / RATE, True, True)
        QApplication.processEvents()
    qtbot.waitUntil(lambda: lanes.spectrogram.is_complete)
    for lane in (lanes.spectrogram, lanes.wave, lanes.bits, lanes.ruler):
        bitwise = lane.grab().toImage()
        lane.redraw_range()
        assert lane.grab().toImage() == bitwise, lane


def test_the_spectrogram_is_seen(noted: Noted, qtbot: QtBot) -> None:
    lane = noted.lanes.spectrogram
    qtbot.waitUntil(lambda: lane.is_complete)
    picture = lane.grab().toImage()
    here = picture.pixelColor(round(noted.time.x_of(5.0)), lane.height() // 2)
    assert here.red() > 60
    assert picture.pixelColor(round(noted.time.x_of(15.0)), lane.height() // 2).name() == "#000000"


@pytest.mark.parametrize(("rate", "highest"), [(16_000, "8 kHz"), (8000, "4 kHz"), (22_050, "8 kHz")])
def test_frequency_labels_stand_beside_their_tones(noted: Noted, qtbot: QtBot, rate: int, highest: str) -> None:
    lanes = noted.lanes
    lane, hertz = lanes.spectrogram, lanes.frequency_axis
    two = tone(1000, rate, 5.0) // 2 + tone(250, rate, 5.0) // 2
    lanes.show_sound(two, np.full(len(two), np.nan, np.float32), rate, 0, 0)
    qtbot.waitUntil(lambda: lane.is_complete)
    figures = {words: y for y, words in hertz.tick_labels()}
    assert next(iter(figures)) == highest and "500 Hz" in figures
    apart = np.diff([*figures.values()])
    assert (apart >= 18).all(), "none is written over another"
    picture = lane.grab().toImage()
    column = [picture.pixelColor(round(noted.time.x_of(2.5)), y).red() for y in range(lane.height())]
    middle = round((figures["1"] + figures["250"]) / 2)
    assert int(np.argmax(column[:middle])) == pytest.approx(figures["1"], abs=4)
    assert middle + int(np.argmax(column[middle:])) == pytest.approx(figures["250"], abs=6)
    assert f"up to {rate / 2000:g} kilohertz" in lane.accessibleDescription()


def seen(noted: Noted, qtbot: QtBot, sound: np.ndarray, begin: float, length: float) -> np.ndarray:
    """Return the reds (height, width) of the spectrogram of some seconds of a sound."""
    lane = noted.lanes.spectrogram
    noted.lanes.show_sound(sound, np.full(len(sound), np.nan, np.float32), RATE, 0, 0)
    noted.time.set_marks(0.0, len(sound) / RATE, False, False)
    noted.time.zoom(noted.time.length / length, 0.0)
    noted.time.set_begin(begin)
    qtbot.waitUntil(lambda: lane.is_complete)
    picture = lane.grab().toImage()
    return np.array([[picture.pixelColor(x, y).red() for x in range(lane.width())] for y in range(lane.height())])


@pytest.mark.parametrize("length", [2.0, 24.0, 48.0])
def test_a_click_is_seen_from_near_and_from_far(noted: Noted, qtbot: QtBot, length: float) -> None:
    sound = np.zeros(60 * RATE, np.int16)
    sound[31 * RATE] = 32_767
    reds = seen(noted, qtbot, sound, 30.0, length)
    there = np.flatnonzero(reds.max(0) > 60)
    assert noted.time.seconds_at(there.mean() + 0.5) == pytest.approx(31.0, abs=0.03)
    assert len(there) >= max(0.04 * noted.lanes.spectrogram.width() / length - 2, 1), "as long as a window of it"


def test_a_tone_is_even_from_column_to_column(noted: Noted, qtbot: QtBot) -> None:
    reds = seen(noted, qtbot, tone(1000, RATE, 12.0), 4.0, 0.5)
    assert np.ptp(reds, axis=1).max() <= 4
    assert reds.max() > 150
