"""Recordings with `--play` are heard in the terminal, described, and kept."""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from studio import cli
from studio.cli import command, live_playback
from studio.engine.device import ComputeDevice
from studio.engine.events import Pause
from studio.engine.jobs import JobStarter
from studio.library import models
from studio.library.work import Work, recipe_of_wav
from studio.media.sounds.playback import RAMP, limit_level
from studio.media.sounds.resampling import Resampler
from studio.wire import messages as wire
from tests.app.fake_speaker import FakeSpeaker
from tests.limits import LIMIT
from tests.media.sounds.conftest import RATE as CARD
from tests.media.sounds.conftest import Daemon, Recorder, skip_if_gaps

RATE = 8000
EDGE = round(RAMP * RATE) + 1
ROOT = Path(__file__).parents[2]


class Ear(FakeSpeaker):
    """Replaces a sound card of the model's rate, which takes a piece at each look."""

    rate = RATE
    underruns = 0

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[np.ndarray] = []
        self.goes_after: float | None = None
        """Seconds."""

    @property
    def seconds(self) -> float:
        return sum(len(part) for part in self.heard) / self.rate

    def fault(self) -> str:
        self.heard.append(self.play_seconds(wire.CHUNK_SECONDS))
        gone = self.goes_after is not None and self.seconds > self.goes_after
        return '"Headphones" was removed. Nothing is lost, but the sound stopped.' if gone else ""

    @property
    def sound(self) -> np.ndarray:
        """Return int16 samples from the first to the last that is not silent."""
        whole = np.rint(np.concatenate(self.heard) * 32_768).astype(np.int16)
        sounding = np.flatnonzero(whole)
        return whole[sounding[0] : sounding[-1] + 1]


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Ear:
    found = Ear()
    monkeypatch.setattr(live_playback, "Speaker", lambda: found)
    monkeypatch.setattr(live_playback, "POLL_SECONDS", 0.001)
    return found


def told(heard: np.ndarray, wanted: np.ndarray) -> None:
    """Check that all of it was heard, except for the ramps at both ends."""
    inner = np.rint(limit_level(wanted.astype(np.float32) / 32_768) * 32_768).astype(np.int16)[EDGE:-EDGE]
    places = np.flatnonzero(heard == inner[0])
    assert any(np.array_equal(heard[at : at + len(inner)], inner) for at in places)
    assert abs(len(heard) - len(wanted)) <= 2 * EDGE


def samples(path: Path) -> np.ndarray:
    found: np.ndarray = soundfile.read(path, dtype="int16")[0]
    return found


def test_recordings_are_heard_one_after_the_other_as_they_are_kept(
    ear: Ear, tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sample", tiny_recordings, "-n", "2", "--seed", "5", "--seconds", "0.6", "--play", "--out", str(tmp_path)]
    assert cli.main(argv) == 0
    made = [samples(tmp_path / f"{tiny_recordings}-{seed}.wav") for seed in (5, 6)]
    told(ear.sound, np.concatenate((made[0], np.zeros(round(live_playback.PAUSE_SECONDS * RATE), np.int16), made[1])))
    said = capsys.readouterr().err.splitlines()
    first, second = (said.index(f'Playing "Recordings", seed {seed}.') for seed in (5, 6))
    assert first < second
    assert said[-1].startswith("Heard 1.7 s, ") and said[-1].endswith(" × real time, no gaps.")


def test_a_recording_that_is_only_played_leaves_no_file(
    ear: Ear, tiny_recordings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = ["sample", tiny_recordings, "--seed", "5", "--seconds", "0.3", "--play", "--json"]
    assert cli.main(argv) == 0
    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (line["file"], line["seed"]) == (None, 5) and line["log_prob"] < 0
    assert len(ear.sound) > 0.2 * RATE and not [*tmp_path.glob("*.wav")]


def test_a_continued_sound_is_played_from_its_end_on(
    ear: Ear, tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.wav"
    out = tmp_path / "more.wav"
    soundfile.write(mine, 0.3 * np.sin(np.arange(3 * RATE) / 9), RATE, subtype="PCM_16")
    argv = ["continue", tiny_recordings, str(mine), "--seconds", "0.4", "--seed", "3", "--play", "--out", str(out)]
    assert cli.main(argv) == 0
    whole = samples(out)
    assert len(whole) == 3.4 * RATE
    told(ear.sound, whole[RATE:])
    said = capsys.readouterr().err
    assert 'Playing the end of "mine.wav" and what follows, seed 3.' in said and "Heard 2.4 s" in said
    assert "Its class is High. Use --label" in said or "Its class is Low. Use --label" in said
    work = recipe_of_wav(out.read_bytes())
    assert work is not None and work.label in (0, 1), "the kind that it was taken for, so that it can be made again"


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_fades_out_and_keeps_what_was_made(
    ear: Ear,
    tiny_recordings: str,
    kept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = ["sample", tiny_recordings, "--seed", "5", "--play"]
    assert cli.main([*argv, "--seconds", "2", "--out", str(tmp_path / "whole")]) == 0
    answers = command.run_job

    def stopped(jobs: Any, command: wire.AnyCommand) -> Iterator[wire.AnyEvent]:
        for number, event in enumerate(answers(jobs, command)):
            if number == 60:
                raise KeyboardInterrupt
            yield event

    monkeypatch.setattr(command, "run_job", stopped)
    capsys.readouterr()
    assert cli.main([*argv, "--seconds", "2", *(["--out", str(tmp_path / "part")] if kept else [])]) == 130
    said = capsys.readouterr().err
    assert ear.source is None, "the card is free again"
    if not kept:
        assert "Stopped. Seed 5 makes it again." in said
        return
    assert "Stopped. The 1.2 s that were made are kept." in said
    (whole,), (part,) = ([*(tmp_path / name).iterdir()] for name in ("whole", "part"))
    np.testing.assert_array_equal(samples(part), samples(whole)[: round(1.2 * RATE)])


def test_ctrl_c_while_it_is_only_heard_loses_nothing(
    ear: Ear, tiny_recordings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def impatient(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live_playback, "POLL_SECONDS", 0.123)
    sleep = live_playback.time.sleep
    monkeypatch.setattr(live_playback.time, "sleep", lambda s: impatient(s) if s == 0.123 else sleep(s))
    argv = ["sample", tiny_recordings, "--seed", "5", "--seconds", "2", "--play", "--out", str(tmp_path)]
    assert cli.main(argv) == 130
    assert "Stopped. All was made" in capsys.readouterr().err
    assert len(samples(next(tmp_path.glob("*.wav")))) == 2 * RATE


def test_the_files_are_made_even_without_a_sound_card(
    ear: Ear, tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ear.refuses = "No device for sound was found."
    argv = ["sample", tiny_recordings, "--seconds", "0.2", "--play"]
    assert cli.main([*argv, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "No device for sound was found." in said and "Add --out" not in said
    assert len([*tmp_path.glob("*.wav")]) == 1
    assert cli.main(argv) == 1, "there is nobody to make it for"
    made, said = capsys.readouterr()
    assert "Nothing was made, because it cannot be played. Add --out DIR to save it instead." in said and not made


def test_a_removed_card_ends_only_the_sound(
    ear: Ear, tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ear.goes_after = 1.0
    argv = ["sample", tiny_recordings, "--seconds", "3", "--play", "--out", str(tmp_path)]
    assert cli.main(argv) == 1
    said = capsys.readouterr().err
    assert said.count("was removed") == 1 and "Heard" not in said
    assert len(samples(next(tmp_path.glob("*.wav")))) == 3 * RATE


def piece(number: int, speed: float) -> wire.SoundChunk:
    count = round(wire.CHUNK_SECONDS * RATE)
    wave = np.full(count, 1000, np.int16)
    return wire.SoundChunk(
        job="a", first_sample=number * count, samples=wave, bits=np.zeros(count, np.float32), speed=speed
    )


@pytest.mark.parametrize(("pace", "begins"), [(2.0, 0.5), (0.5, 2.2)])
def test_a_slow_recording_is_played_once_no_gap_can_follow(
    pace: float, begins: float, ear: Ear, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four seconds are made at half the playback speed. So a little more than two must be made first."""
    now = [0.0]
    step = wire.CHUNK_SECONDS / pace
    monkeypatch.setattr(live_playback.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(live_playback.time, "sleep", lambda seconds: None)
    ear.heard = []
    asked = ear.play_seconds
    monkeypatch.setattr(ear, "play_seconds", lambda seconds: asked(step))

    def made(jobs: Any, ask: wire.StreamSound) -> Iterator[wire.SoundChunk]:
        for number in range(200):
            now[0] += step
            yield piece(number, pace)

    monkeypatch.setattr(command, "run_job", made)
    with live_playback.LivePlayback(RATE, 4.0) as listening:
        listening.start_recording("it")
        listening.stream_sound(None, wire.StreamSound(job="a", model="m", seed=1, seconds=4.0))
        listening.wait_until_heard()
    silent = np.flatnonzero(np.concatenate(ear.heard))[0] / RATE
    assert silent == pytest.approx(begins / pace, abs=0.15)
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"Heard 4.0 s, {pace} × real time, no gaps."
    assert ("0.5 × real time. Playing starts in about 3 s, then without a gap." in said) == (pace < 1)
    assert len(ear.sound) == pytest.approx(4 * RATE, abs=2 * EDGE)


def test_playback_starts_only_after_the_fast_loop_is_compiled(
    ear: Ear, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(live_playback.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(live_playback.time, "sleep", lambda seconds: None)

    def made(jobs: Any, ask: wire.StreamSound) -> Iterator[wire.SoundChunk]:
        for number in range(200):
            slow = number < 80
            now[0] += 0.3 if slow else 0.01
            yield piece(number, 0.0 if slow else 2.0)
            assert (not np.concatenate(ear.heard).any()) or not slow

    monkeypatch.setattr(command, "run_job", made)
    with live_playback.LivePlayback(RATE, 4.0) as listening:
        listening.start_recording("it")
        listening.stream_sound(None, wire.StreamSound(job="a", model="m", seed=1, seconds=4.0))
        listening.wait_until_heard()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "First run on this computer: preparing the fast version. Then playing starts."
    assert said[1] == "Playing it." and said[-1] == "Heard 4.0 s, 2.0 × real time, no gaps."


def test_a_generator_that_slows_down_pauses_playback_and_counts_the_gap(
    ear: Ear, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(live_playback.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(live_playback.time, "sleep", lambda seconds: None)
    step = [0.01]
    asked = ear.play_seconds
    monkeypatch.setattr(ear, "play_seconds", lambda seconds: asked(step[0]))

    def made(jobs: Any, ask: wire.StreamSound) -> Iterator[wire.SoundChunk]:
        for number in range(200):
            step[0] = 0.01 if number < 50 else 0.06
            now[0] += step[0]
            yield piece(number, 1.0)

    monkeypatch.setattr(command, "run_job", made)
    with live_playback.LivePlayback(RATE, 4.0) as listening:
        listening.start_recording("it")
        listening.stream_sound(None, wire.StreamSound(job="a", model="m", seed=1, seconds=4.0))
        listening.wait_until_heard()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "Playing it." and said[-1].endswith(" 1 gap.")
    assert "Playing continues in about" in said[1]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sample", "tiny", "--play"], "makes pictures, which have no sound. Leave --play out."),
        (["sample", "tiny-waves", "--play"], "makes single cycles, which the window plays as notes. Leave --play out."),
        (["sample", "tiny-recordings"], "Add --out to say where it is saved."),
        (["sample", "tiny"], "Add --out to say where it is saved."),
        (["continue", "tiny-recordings", "a.wav"], "Add --out to say where it is saved."),
        (["continue", "tiny", "a.wav", "--play"], "makes no recordings and cannot continue one"),
    ],
)
def test_options_that_play_or_keep_nothing_are_wrong_use(
    argv: list[str], words: str, tiny: str, tiny_waves: str, tiny_recordings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"tiny": tiny, "tiny-waves": tiny_waves, "tiny-recordings": tiny_recordings}
    assert cli.main([named.get(word, word) for word in argv]) == 2
    assert words in capsys.readouterr().err


def test_a_seed_sounds_the_same_in_the_terminal_and_in_the_window(tiny_recordings: str, tmp_path: Path) -> None:
    """The window asks without an end, and allows a little more from time to time."""
    argv = ["sample", tiny_recordings, "--seed", "5", "--temperature", "0.9", "--label", "Low", "--seconds", "0.5"]
    assert cli.main([*argv, "--out", str(tmp_path)]) == 0
    jobs = JobStarter(ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False))
    ask = wire.StreamSound(job="a", model=tiny_recordings, seed=5, temperature=0.9, label=1, allowed_seconds=0.1)
    parts = list[np.ndarray]()
    allowed = 0.1
    for event in jobs.start(ask):
        if isinstance(event, wire.SoundChunk):
            parts.append(event.samples)
        elif isinstance(event, Pause) and parts:
            allowed += 0.1
            list(jobs.start(wire.Adjust(job="b", running_job="a", allowed_seconds=allowed)))
        if len(parts) == 25:
            break
    np.testing.assert_array_equal(np.concatenate(parts), samples(tmp_path / f"{tiny_recordings}-5.wav"))


def test_a_recording_at_an_unsafe_temperature_causes_one_warning(
    tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = models.find_model(tiny_recordings)
    models.write_card(trained, msgspec.structs.replace(trained.card, temperature_range=(0.5, 1.5)))
    argv = ["sample", tiny_recordings, "--temperature", "3", "--seconds", "0.1", "--out", str(tmp_path)]
    assert cli.main(argv) == 0
    assert capsys.readouterr().err.count("At 3 most works are blank or saturated.") == 1


def test_two_models_of_sound_are_mixed_and_the_file_names_both(tiny_recordings: str, tmp_path: Path) -> None:
    argv = ["sample", tiny_recordings, "--seed", "5", "--seconds", "0.2", "--mix", tiny_recordings, "--share", "0.3"]
    assert cli.main([*argv, "--out", str(tmp_path)]) == 0
    work = recipe_of_wav((tmp_path / f"{tiny_recordings}-5.wav").read_bytes())
    assert work is not None and work.mix is not None
    assert (work.mix.model, work.mix.share) == (tiny_recordings, 0.3)


@pytest.mark.timeout(120)
def test_a_real_sound_card_plays_the_sound_and_ctrl_c_fades_it_out(
    recording: Recorder, sound_card: Daemon, tiny_recordings: str, tmp_path: Path
) -> None:
    argv = ["sample", tiny_recordings, "--seed", "5", "--label", "Low", "--seconds", "30", "--play", "--out", tmp_path]
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", *map(str, argv)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    while "Playing" not in (line := process.stderr.readline()):
        assert line, "it ended without a sound"
    end = time.monotonic() + LIMIT
    while np.count_nonzero(np.abs(recording.so_far()) > 1e-4) < 2 * CARD and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "Stopped." in err
    heard = recording()
    sounding = np.flatnonzero(np.abs(heard) > 1e-4)
    heard = heard[sounding[0] : sounding[-1] + 1]
    assert 1 < len(heard) / CARD < 29, "Ctrl+C ends it before the 30 seconds are over"
    made = samples(tmp_path / f"{tiny_recordings}-5.wav").astype(np.float32) / 32_768
    given = limit_level(Resampler(RATE, CARD).resample(made))
    # A null sink whose first stream begins takes back what its monitor has already received. So the middle is compared.
    middle = heard[CARD // 2 : -round(0.1 * CARD)]
    silence = "".join("x" if loud else " " for loud in np.abs(middle) > 1e-6)
    skip_if_gaps(silence.count(" " * round(0.005 * CARD)))
    size = 1 << (len(given) + len(middle)).bit_length()
    found = np.fft.irfft(np.fft.rfft(given, size) * np.conj(np.fft.rfft(middle, size)), size)
    at = int(found[: len(given) - len(middle)].argmax())
    assert np.abs(given[at : at + len(middle)] - middle).max() < 1e-3


@pytest.mark.parametrize("heard", [0, RATE])
def test_a_sound_that_falls_silent_keeps_its_length_and_is_reported(
    heard: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = np.concatenate((np.full(RATE // 2, 900), np.full(RATE // 2, -900), np.full(9 * RATE, 3))).astype(np.int16)
    work = Work(medium="sound", sample_rate=RATE, model="hum", model_hash="", seed=5, continued_samples=heard)
    live_playback.save_recording(
        argparse.Namespace(json=False), tmp_path / "a.wav", live_playback.MadeRecording(made, -1.0, True), work
    )
    said = "It is silent from 1.0 s on. Try another seed or a higher temperature."
    assert said in capsys.readouterr().err
    assert len(samples(tmp_path / "a.wav")) == 10 * RATE
    live_playback.save_recording(
        argparse.Namespace(json=False), None, live_playback.MadeRecording(made[: 8 * RATE], -1.0, True), work
    )
    assert "silent" not in capsys.readouterr().err, "a rest is none"
