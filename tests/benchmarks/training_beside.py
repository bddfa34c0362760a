"""Measure how the window answers, and whether its sound has gaps, while a training is at work beside it.

    python -m tests.benchmarks.training_beside [FOLDER] [--model wavenet-piano-16k] [--seconds 60] [--processes 0]

The real window, drawn without a screen, trains a tiny Glow on FOLDER, or on pictures of its own, with its second
engine. Meanwhile it plays a WaveNet on a PulseAudio of our own (Linux), whose other side is recorded, and its panels
are opened one after the other. Printed: how late a timer of the event loop was, with the places where the window worked
longest; the gaps of the sound; the speed of the training alone, and beside the sound. `--processes` other programs keep
the processors busy.
"""

import argparse
import collections
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PIL import Image
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from studio.app.main import OpenWindow, assemble
from studio.media.sounds.speaker import Speaker
from tests.benchmarks.busy import keep_busy_beside
from tests.benchmarks.sound import Card, compared

TICK = 0.005
"""Seconds between two ticks of the event loop."""
LATE = 0.06
"""Seconds after which the place where the window works is noted."""
PANELS = ("train", "generate", "explore", "complete", "sound", "library")


class Ticks:
    """Measures how late a timer is, and what the window did in the longest waits."""

    def __init__(self) -> None:
        self.late: list[float] = []
        """Seconds by which each tick was late."""
        self.work: list[float] = []
        """Seconds of processor time of the window's thread in each of these intervals."""
        self.places: collections.Counter[str] = collections.Counter()
        """Where the window was whenever a tick was late."""
        self._last = time.perf_counter()
        self._worked = time.thread_time()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(round(TICK * 1000))
        signal.signal(signal.SIGALRM, self._note_place)
        signal.setitimer(signal.ITIMER_REAL, LATE / 3, LATE / 3)

    def stop(self) -> None:
        self._timer.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def clear(self) -> None:
        self._last = time.perf_counter()
        self._worked = time.thread_time()
        self.late.clear()
        self.work.clear()
        self.places.clear()

    def _tick(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.late.append(now - self._last - TICK)
        self.work.append(worked - self._worked)
        self._last = now
        self._worked = worked

    def _note_place(self, _: int, frame: FrameType | None) -> None:
        """Note where the window's thread works if the next tick is late. A signal is handled in this thread."""
        if frame is not None and time.perf_counter() - self._last > LATE:
            self.places[_place_of(frame)] += 1

    def report(self, what: str) -> None:
        late, work = (np.sort(np.array(values)) * 1000 for values in (self.late, self.work))
        print(
            f"{what}: {len(late):,} ticks, late by {np.quantile(late, 0.5):.0f} ms (median), "
            f"{np.quantile(late, 0.99):.0f} ms (99 %, aim ≤ 50), {late[-1]:.0f} ms at most (aim ≤ 250); "
            f"own work {np.quantile(work, 0.99):.0f} ms (99 %), {work[-1]:.0f} ms at most",
            flush=True,
        )
        for place, times in self.places.most_common(6):
            print(f"    late {times} times at {place}", flush=True)
        self.clear()


def _place_of(frame: FrameType) -> str:
    """Return file, line and function of the innermost frame of the studio, or else of the outermost."""
    known: FrameType | None = frame
    place = ""
    while known is not None and "/studio/" not in place:
        place = f"{known.f_code.co_filename}:{known.f_lineno} {known.f_code.co_name}"
        known = known.f_back
    return place.rpartition("/studio/")[2]


def until(done: Callable[[], object], what: str, seconds: float = 300.0) -> float:
    """Run the window until something is true, and return the seconds that took."""
    loop = QEventLoop()
    began = time.perf_counter()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if done() or time.perf_counter() - began > seconds else None)
    timer.start(10)
    loop.exec()
    if not done():
        sys.exit(f"{what} did not happen within {seconds:.0f} s")
    return time.perf_counter() - began


def rest(seconds: float) -> None:
    end = time.perf_counter() + seconds
    until(lambda: time.perf_counter() > end, "a rest", seconds + 60)


def make_pictures(folder: Path, count: int = 200) -> Path:
    """Make a folder of pictures with soft spots."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((480, 360), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def begin_training(studio: OpenWindow, folder: Path, ticks: Ticks) -> None:
    """Drop a folder, and press Start."""
    train = studio.state.train
    began = time.perf_counter()
    studio.state.open_dropped([folder])
    until(lambda: train.settings.cost.get() is not None or train.settings.fault.get(), "the trial")
    train.press_main()
    ticks.report("From the drop to Start")
    until(lambda: train.run.phase.get() == "running", "the first step")
    until(lambda: train.run.samples, "the first sample")
    print(f"first sample {time.perf_counter() - began:.1f} s after the drop (aim ≤ 120)", flush=True)
    ticks.report("From Start to the first sample")


def speed(studio: OpenWindow, seconds: float) -> float:
    """Return the steps of the training in a second, during so many seconds."""
    step = studio.state.train.run.step
    until(lambda: step.get() > 1, "a second report")
    before, began = step.get(), time.perf_counter()
    rest(seconds)
    return (step.get() - before) / (time.perf_counter() - began)


def open_panels(studio: OpenWindow, ticks: Ticks, *, seconds: float) -> None:
    """Open one panel after the other: built for the first time, then again and again."""
    for panel in PANELS:
        studio.state.show_panel(panel)
        rest(0.5)
    ticks.report("Each panel opened for the first time")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for panel in PANELS:
            studio.state.show_panel(panel)
            rest(0.3)
    ticks.report("Panels opened again")


def play(studio: OpenWindow, card: Card, ticks: Ticks, model: str, seconds: float) -> None:
    """Play a WaveNet, and count the gaps."""
    sound = studio.state.sound
    sound.choose_model(model)
    sound.player.set_level(1.0)
    studio.state.show_panel("sound")
    sound.play()
    waited = until(lambda: sound.player.position > 0, "the first sound")
    stream = sound.player.buffer.stream
    stream.start_recording()
    ticks.clear()
    before = studio.state.train.run.step.get()
    rest(seconds)
    ticks.report("While a WaveNet plays")
    gaps, card_gaps = stream.underruns, speaker_of(studio).underruns
    steps = studio.state.train.run.step.get() - before
    given, rate = stream.stop_recording()
    sound.player.stop()
    lost, differing, clicks = compared(np.rint(given * 32_768).astype(int), card.heard())
    print(
        f"{len(given) / rate:.0f} s of sound after {waited:.1f} s, made at {sound.player.speed.get():.1f} times real "
        f"time: {gaps} gaps of the making, {card_gaps} of the card; heard: {lost} places lost or inserted, "
        f"{differing} samples differ, {clicks} clicks; {steps / seconds:.2f} steps of training a second",
        flush=True,
    )
    ticks.clear()


def speaker_of(studio: OpenWindow) -> Speaker:
    output = studio.state.sound_card._output
    assert isinstance(output, Speaker)
    return output


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the window beside a training.")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="wavenet-piano-16k")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--sound", action="store_true", help="do not open the other panels")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="beside-"))
    os.environ |= {"STUDIO_HOME": str(place / "home"), "XDG_RUNTIME_DIR": str(place)}
    card = Card(place)
    os.environ["PULSE_SERVER"] = card.daemon.socket
    application = QApplication(sys.argv[:1])
    studio = assemble(application, output=Speaker())
    studio.window.resize(1440, 900)
    studio.window.show()
    until(lambda: studio.engine.now == "Ready", "the engine")
    ticks = Ticks()
    try:
        begin_training(studio, given.folder or make_pictures(place / "pictures"), ticks)
        print(f"{speed(studio, given.seconds / 2):.2f} steps of training a second, watched", flush=True)
        ticks.report("While the curve grows")
        with keep_busy_beside(given.processes):
            if given.processes:
                busy = speed(studio, given.seconds)
                print(f"{busy:.2f} steps of training a second beside {given.processes} busy programs", flush=True)
                ticks.report("While other programs are busy")
            if not given.sound:
                open_panels(studio, ticks, seconds=given.seconds / 3)
            play(studio, card, ticks, given.model, given.seconds)
        studio.state.train.run.pause()
        until(lambda: not studio.state.train.run.is_active, "the pause")
        ticks.report("Pause")
    finally:
        ticks.stop()
        studio.close_window()
        card.pull_out()


if __name__ == "__main__":
    main()
