"""Tests that the bits of each visible sample of a recording are requested once, and no others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.panels.sound.analysis import MARGIN_SHARE
from studio.wire.messages import (
    CONTEXT_SAMPLES,
    BitsChunk,
    ComputeBits,
    Failed,
    Finished,
    Score,
    SoundChunk,
    Stopped,
    StreamSound,
)
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model

RATE, SECONDS = 8000, 300
PIECE = 8192


class Stage:
    """Holds a recording of five minutes in Sound, with a model of two classes."""

    def __init__(self, window: AppState, engine: FakeEngine) -> None:
        self.window = window
        self.engine = engine
        self.player = window.sound.player
        self.theme = window.sound.recording_bits.set_visible

    @property
    def asked(self) -> list[ComputeBits]:
        return [command for command in self.engine.sent if isinstance(command, ComputeBits)]

    def stretch(self) -> tuple[int, int]:
        """Return the first sample of the newest request, and the one after its last."""
        asked = self.asked[-1]
        samples = self.player.samples
        last = next(end for end in range(len(asked.sound), len(samples) + 1) if self._is_at(asked, end))
        return last - len(asked.sound) + asked.first_sample, last

    def _is_at(self, asked: ComputeBits, end: int) -> bool:
        part = self.player.samples[end - len(asked.sound) : end]
        return bool(part[0] == asked.sound[0] and part[-1] == asked.sound[-1] and np.array_equal(part, asked.sound))

    def tell(self, label: int = 1) -> None:
        """Answer the request for the class."""
        asked = self.asked[-1]
        assert asked.first_sample == len(asked.sound) and asked.label is None
        bits = np.zeros(0, np.float32)
        self.engine.emit_events(
            BitsChunk(job=asked.job, first_sample=asked.first_sample, bits=bits, label=label), Finished(job=asked.job)
        )

    def price(self, samples: int | None = None, height: float = 3.0) -> None:
        """Answer the newest request, for at most so many samples."""
        asked = self.asked[-1]
        end = len(asked.sound) if samples is None else min(asked.first_sample + samples, len(asked.sound))
        for first in range(asked.first_sample, end, PIECE):
            bits = np.full(min(PIECE, end - first), height, np.float32)
            self.engine.emit_events(BitsChunk(job=asked.job, first_sample=first, bits=bits, label=asked.label))
        if end == len(asked.sound):
            self.engine.emit_events(Finished(job=asked.job))

    def known(self) -> tuple[int, int]:
        """Return the numbers of the first sample with bits and of the one after the last."""
        known = np.flatnonzero(np.isfinite(self.player.bits))
        return (int(known[0]), int(known[-1]) + 1) if len(known) else (0, 0)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return noise in which a part tells its position, because no two distant samples are alike."""
    noise = np.random.default_rng(0).integers(-9000, 9000, SECONDS * RATE).astype(np.int16)
    soundfile.write(tmp_path / "talk.wav", noise, RATE, subtype="PCM_16")
    return tmp_path / "talk.wav"


@pytest.fixture
def stage(
    studio_home: Path, opener: Callable[[FakeEngine], AppState], engine: FakeEngine, recording: Path, qtbot: QtBot
) -> Stage:
    for name in ("talk", "talk-too"):
        kinds = {"classes": ("7_george", "7_theo"), "rate": RATE}
        write_model(studio_home / "models", make_card(name, (RATE,), family=("wavenet", "WaveNet"), **kinds))
    window = opener(engine)
    window.show_panel("sound")
    window.sound.choose_model("talk")
    engine.status_changed.emit("Ready")
    window.open_file(recording)
    qtbot.waitUntil(lambda: len(window.sound.player.samples) == SECONDS * RATE)
    return Stage(window, engine)


def test_nothing_is_asked_until_it_is_seen(stage: Stage) -> None:
    assert not stage.engine.sent, "nobody looks at the bits"
    stage.theme((10.0, 20.0))
    assert len(stage.engine.sent) == 1
    stage.theme((10.0, 21.0))
    assert len(stage.engine.sent) == 1, "one question at a time"


def test_the_class_is_decided_once_from_the_last_second(stage: Stage) -> None:
    stage.theme((10.0, 20.0))
    told = stage.asked[-1]
    assert np.array_equal(told.sound, stage.player.samples[-RATE:])
    stage.tell(1)
    assert stage.window.sound.recording_bits.status_text.get() == "taken for 7 theo"
    assert stage.asked[-1].label == 1
    stage.price()
    stage.theme((40.0, 50.0))
    assert stage.asked[-1].label == 1 and len(stage.asked[-1].sound) > RATE, "one kind prices all of it"


def test_visible_samples_get_bits_first_then_a_margin_and_none_twice(stage: Stage) -> None:
    stage.theme((100.0, 110.0))
    stage.tell()
    assert stage.stretch() == (100 * RATE, 110 * RATE)
    assert stage.asked[-1].first_sample == CONTEXT_SAMPLES, "as much before it as may matter, and no more"
    stage.price()
    assert stage.known() == (100 * RATE, 110 * RATE) and (stage.player.bits[100 * RATE : 110 * RATE] == 3.0).all()
    more = round(10 * MARGIN_SHARE * RATE)
    for stretch in ((100 * RATE - more, 100 * RATE), (110 * RATE, 110 * RATE + more)):
        assert stage.stretch() == stretch
        stage.price()
    count = len(stage.asked)
    stage.theme((100.5, 109.5))
    stage.theme((102.0, 103.0))
    assert len(stage.asked) == count, "all that is seen is known"
    stage.theme((105.0, 115.0))
    assert stage.stretch() == (110 * RATE + more, 115 * RATE), "only what is missing"


def test_what_is_seen_no_more_is_stopped_at_once(stage: Stage) -> None:
    stage.theme((100.0, 200.0))
    stage.tell()
    stage.price(PIECE)
    job = stage.asked[-1].job
    count = len(stage.asked)
    stage.theme((90.0, 150.0))
    assert not stage.engine.stopped, "what it tells next is still seen"
    for second in (60.0, 30.0, 10.0):  # the user scrolls before the engine answers
        stage.theme((second, second + 10.0))
    assert stage.engine.stopped == [job] and len(stage.asked) == count
    late = BitsChunk(job=job, first_sample=CONTEXT_SAMPLES + PIECE, bits=np.ones(PIECE, np.float32), label=1)
    stage.engine.emit_events(late, Stopped(job=job))
    assert stage.stretch() == (10 * RATE, 20 * RATE)
    assert stage.known() == (100 * RATE, 100 * RATE + PIECE), "what comes too late is not asked for by anybody"
    assert len(stage.asked) == count + 1
    other = stage.asked[-1].job
    stage.theme((10.0, 10.5))
    stage.price(PIECE)  # more than half a second is left beyond the visible part
    assert stage.engine.stopped == [job, other]


@pytest.mark.parametrize("leaves", ["panel", "model", "recording", "kind"])
def test_whatever_takes_its_place_stops_it(stage: Stage, leaves: str, recording: Path, qtbot: QtBot) -> None:
    stage.theme((0.0, 50.0))
    if leaves != "kind":
        stage.tell()
    job = stage.asked[-1].job
    sound = stage.window.sound
    if leaves in ("panel", "kind"):
        stage.theme(None)
    elif leaves == "model":
        sound.choose_model("talk-too")
    else:
        stage.window.open_file(recording)
        qtbot.waitUntil(lambda: bool(stage.engine.stopped))
    assert stage.engine.stopped == [job]
    stage.engine.emit_events(Stopped(job=job))
    if leaves == "model":
        assert stage.asked[-1].model == "talk-too" and stage.asked[-1].label is None
    stage.theme(None)
    count = len(stage.engine.sent)
    stage.engine.status_changed.emit("Ready")
    assert len(stage.engine.sent) == count


def test_stop_holds_until_the_panel_is_shown_again(stage: Stage) -> None:
    stage.theme((0.0, 50.0))
    stage.tell()
    stage.price(2 * PIECE)
    stage.engine.emit_events(Stopped(job=stage.asked[-1].job))
    count = len(stage.engine.sent)
    for seen in ((1.0, 51.0), (90.0, 95.0)):
        stage.theme(seen)
    stage.engine.status_changed.emit("Ready")
    assert len(stage.engine.sent) == count and stage.known() == (0, 2 * PIECE), "what was told is kept"
    stage.theme(None)
    stage.theme((0.0, 50.0))
    assert stage.stretch() == (2 * PIECE, 50 * RATE)


def test_a_stopped_job_resumes_on_request(stage: Stage) -> None:
    pricing = stage.window.sound.recording_bits
    stage.theme((0.0, 50.0))
    stage.tell()
    stage.price(2 * PIECE)
    assert not pricing.stopped.get()
    stage.engine.emit_events(Stopped(job=stage.asked[-1].job))
    assert pricing.stopped.get()
    pricing.resume()
    assert not pricing.stopped.get()
    assert stage.stretch() == (2 * PIECE, 50 * RATE)


def test_stop_holds_although_another_stretch_was_about_to_follow(stage: Stage, qtbot: QtBot) -> None:
    stage.theme((0.0, 50.0))
    stage.tell()
    job = stage.asked[-1].job
    queue = stage.window.jobs
    qtbot.waitUntil(lambda: queue.find_job(job) is not None)
    stage.theme((100.0, 150.0))
    assert [entry.job for entry in queue.jobs.get()] == [job], "one work is one entry"
    queue.stop_job(job)
    count = len(stage.engine.sent)
    stage.engine.emit_events(Stopped(job=job))
    assert len(stage.engine.sent) == count and not queue.jobs.get()


def test_a_failed_request_for_bits_is_sent_once(stage: Stage) -> None:
    stage.theme((0.0, 50.0))
    stage.engine.emit_events(Failed(job=stage.asked[-1].job, reason="No."))
    stage.theme((1.0, 51.0))
    assert len(stage.engine.sent) == 1
    stage.theme(None)
    stage.theme((0.0, 50.0))
    assert len(stage.engine.sent) == 2
    stage.engine.die()
    stage.engine.status_changed.emit("Ready")
    stage.theme((1.0, 51.0))
    assert len(stage.engine.sent) == 2, "it may have been the cause"


def test_sound_made_after_a_cut_keeps_its_bits(stage: Stage) -> None:
    stage.theme((0.0, 50.0))
    stage.tell()
    asked = stage.asked[-1]
    sound = stage.window.sound
    sound.set_cut(10.0)
    sound.play()
    made = next(command for command in reversed(stage.engine.sent) if isinstance(command, StreamSound))
    samples = np.zeros(4000, np.int16)
    bits = np.full(4000, 7.0, np.float32)
    stage.engine.emit_events(SoundChunk(job=made.job, first_sample=0, samples=samples, bits=bits, speed=2.0))
    for first in range(0, 11 * RATE, PIECE):
        bits = np.full(PIECE, 3.0, np.float32)
        stage.engine.emit_events(BitsChunk(job=asked.job, first_sample=first, bits=bits, label=1))
    assert (stage.player.bits[: 10 * RATE] == 3.0).all() and (stage.player.bits[10 * RATE :] == 7.0).all()
    sound.player.stop()


def test_a_restart_with_another_panel_open_asks_nothing(
    stage: Stage, opener: Callable[[FakeEngine], AppState], qtbot: QtBot
) -> None:
    stage.window.show_panel("generate")
    engine = FakeEngine()
    window = opener(engine)
    engine.status_changed.emit("Ready")
    qtbot.waitUntil(lambda: len(window.sound.player.samples) == SECONDS * RATE)
    engine.status_changed.emit("Working")
    assert not [command for command in engine.sent if isinstance(command, ComputeBits | Score)]
