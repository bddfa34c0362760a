"""Measure sound that plays while it is generated: gaps, clicks, and how long the user waits.

    python -m tests.benchmarks.sound [MODEL] [--minutes 10] [--trainings 1] [--removals 50]

MODEL is the file of a trained WaveNet. The real window, drawn where no screen is, plays it with its engine on a
PulseAudio of our own (Linux), whose other side is recorded, while so many trainings run beside, as `studio train`
begins them. Then the waits: from Play to the first sound, from a turned temperature to its being heard, from a device
that goes away to the word about it; and an engine that is killed while its sound plays.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import soundfile
from PySide6.QtWidgets import QApplication

from studio.app.core.observable import Receiver
from studio.app.main import assemble
from studio.media.sounds.playback import RAMP, limit_level
from studio.media.sounds.resampling import Resampler
from studio.media.sounds.speaker import Speaker
from studio.wire.messages import Adjust, AnyCommand
from tests.media.sounds.conftest import RATE, Daemon

TRIES = 20
MODEL = "models/wavenet-piano-16k.safetensors"


class Desk:
    """Runs the window of 1440 × 900 pixels with its engine and a sound card, without a screen."""

    def __init__(self, application: QApplication, model: str) -> None:
        self.speaker = Speaker()
        studio = assemble(application, output=self.speaker)
        self.engine = studio.engine
        self.sound = studio.state.sound
        self._studio = studio
        self.player = self.sound.player
        self.messages = studio.state.messages
        studio.window.resize(1440, 900)
        studio.window.show()
        studio.state.show_panel("sound")
        self.sound.choose_model(model)
        self.again = 0
        """Number of edits that were requested again."""
        self.longest = 0.0
        """The longest time in seconds for which the window stood still."""
        send = self.engine.send
        self.seed = 0

        def counted(command: AnyCommand, receiver: Receiver | None = None) -> None:
            self.again += isinstance(command, Adjust) and command.replaces_late_edit
            send(command, receiver)

        self.engine.send = counted  # type: ignore[method-assign]
        self.until(lambda: self.engine.now == "Ready")

    def until(self, true: Callable[[], object], seconds: float = 180) -> float:
        """Wait until something is true, and return the seconds, to a millisecond."""
        began = time.monotonic()
        while not true():
            if (now := time.monotonic()) - began > seconds:
                player = self.player
                said = self.messages.current.get()
                words = (
                    f"waited for {seconds} s in vain; engine {self.engine.now}, at {player.position:.2f} of "
                    f"{player.made_seconds:.2f} s, speed {player.speed.get():.2f}, playing {player.playing.get()}, "
                    f"making {player.making.get()}, waiting {player.waiting_reason.get()!r}, "
                    f"said {said.text if said else ''!r}"
                )
                self.close()  # last: after it every engine is Stopped
                sys.exit(words)
            QApplication.processEvents()
            self.longest = max(self.longest, time.monotonic() - now)
            time.sleep(0.001)
        return time.monotonic() - began

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, seconds + 60)

    def clear(self) -> None:
        """Prepare a new sound, of which nothing is generated."""
        self.sound.player.stop()
        self.seed += 1
        self.sound.parameters.set_seed(self.seed)

    def begin(self) -> float:
        """Play a new sound, and return the seconds until the card gets its first samples."""
        self.clear()
        began = time.monotonic()
        self.sound.play()
        self.until(lambda: self.player.position > 0, 180)
        return time.monotonic() - began

    def turn(self, temperature: float) -> float:
        """Return the seconds from a change of temperature until its first sample is heard."""
        began = time.monotonic()
        performing = self.player.live_generation
        given = [self.player.position]
        self.sound.parameters.set_temperature(temperature)

        def turned() -> bool:
            """Return whether the card has received the changed samples, from `given[-1]` on."""
            given.append(self.player.position)
            return performing._pending is None and given[-1] >= self.sound.live_settings.temperature_curve.get()[-1][0]

        self.until(turned)
        later = self.sound.live_settings.temperature_curve.get()[-1][0] - given[-2]
        return time.monotonic() - began + later + self.player.card.delay

    def close(self) -> None:
        self._studio.close_window()


class Card:
    """Runs a sound card: a null sink that is as prompt as a real one because its other side is recorded, on the
    left as int16 into a file."""

    def __init__(self, folder: Path) -> None:
        self.daemon = Daemon(str(folder))
        self.path = folder / "heard.raw"
        self.put_in()

    def put_in(self) -> None:
        self.daemon.start()
        words = ["parec", "-s", self.daemon.socket, "-d", "ci.monitor", "--raw", "--format=s16le", f"--rate={RATE}"]
        with self.path.open("wb") as file:
            self._recorder = subprocess.Popen([*words, "--channels=2", "--latency-msec=20"], stdout=file)
        while not self.path.stat().st_size:
            time.sleep(0.02)

    def pull_out(self) -> None:
        self.daemon.kill()
        self._recorder.kill()
        self._recorder.wait()

    def heard(self) -> np.ndarray:
        return np.frombuffer(self.path.read_bytes(), "<i2")[::2].astype(int)


def long(desk: Desk, card: Card, seconds: float) -> None:
    """Play for long while the temperature changes, and compare recorded samples with sent and generated ones."""
    turned = list[float]()
    number = 0
    load = os.getloadavg()[0]
    player = desk.player
    desk.clear()
    desk.again = 0
    desk.longest = 0.0
    player.set_level(1.0)
    stream = player.buffer.stream
    stream.start_recording()
    desk.sound.play()
    desk.until(lambda: player.position > 0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number += 1
        turned.append(desk.turn(1.0 + 0.2 * float(np.sin(number / 3))))
        desk.rest(0.5)
    performing = player.live_generation
    longest = desk.longest
    speed = player.speed.get()
    performing.stop_job()
    desk.until(lambda: stream.has_ended)
    desk.rest(1)
    given, rate = stream.stop_recording()
    words = f"{len(turned)} changes of temperature, {desk.again} of which had to be asked again"
    print(f"{len(given) / rate:.0f} s heard, {words}, load {load:.1f} before and {os.getloadavg()[0]:.1f} after")
    print(
        f"  made at {speed:.1f} times real time; at the end {1000 * performing.spare:.0f} ms were spared and "
        f"{1000 * performing.lead:.0f} wanted; the window stood still for {1000 * longest:.0f} ms at most"
    )
    print(f"  gaps: {stream.underruns} of the making, {desk.speaker.underruns} that the card tells of")
    made = limit_level(
        Resampler(player.rate, round(rate)).resample(player.samples.astype(np.float32) / 32_768, last=True)
    )
    edge = round(RAMP * rate)
    if len(given) == len(made):
        differing = np.abs(given[edge:-edge] - made[edge:-edge])
        print(
            f"  what was given to the card is what was made: {(differing > 0).sum()} of {len(made):,} samples differ, "
            f"by {differing.max():.1e} at most"
        )
    else:
        print(f"  the card was given {len(given):,} samples, and {len(made):,} were made")
    lost, differing, steps = compared(np.rint(given * 32_768).astype(int), card.heard())
    print(
        f"  what was heard is what was given: lost or inserted in {lost} places, {differing} samples differ by more "
        f"than 1 of 32,768, {steps} steps steeper than any that was made"
    )
    waits("from a change of temperature to its being heard", turned, desk.player.card.delay)


def compared(given: np.ndarray, heard: np.ndarray) -> tuple[int, int, int]:
    """Return places with missing or extra samples, samples that differ elsewhere, and clicks."""
    pieces = len(given) // RATE
    size = RATE
    at = None
    lost = 0
    differing = 0
    for number in range(pieces):
        piece = given[number * size : (number + 1) * size]
        if at is None or at + size > len(heard) or np.abs(heard[at : at + size] - piece).max() > 1:
            found = _place(piece, heard, at)
            lost += at is not None and found != at
            at = found
        differing += int((np.abs(heard[at : at + size] - piece) > 1).sum())
        at += size
    assert at is not None
    first = at - pieces * size
    heard = heard[max(first, 0) : at]
    return lost, differing, int((np.abs(np.diff(heard)) > np.abs(np.diff(given)).max() + 2).sum())


def _place(piece: np.ndarray, heard: np.ndarray, near: int | None) -> int:
    """Return where a piece correlates best with the recording, within 2 s of its expected place."""
    begin, end = (0, len(heard)) if near is None else (max(near - 2 * RATE, 0), near + 3 * RATE)
    around = heard[begin:end].astype(float)
    size = 1 << (len(around) + len(piece)).bit_length()
    found = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece.astype(float), size)), size)
    return begin + int(found[: len(around) - len(piece) + 1].argmax())


def waits(what: str, seconds: Sequence[float], delay: float = 0.0) -> None:
    ms = sorted(1000 * each for each in seconds)
    most = ms[int(0.95 * (len(ms) - 1))]
    of_it = f", {1000 * delay:.0f} of them the card's" if delay else ""
    print(f"  {what}: median {statistics.median(ms):.0f} ms, 95 % {most:.0f}, longest {ms[-1]:.0f}{of_it}")


def started(desk: Desk) -> None:
    for again, words in ((True, "with the card at hand"), (False, "with a card that must be opened")):
        seconds = []
        for _ in range(TRIES):
            began = desk.begin()
            delay = desk.player.card.delay
            seconds.append(began + delay)
            desk.rest(0.3)
            desk.player.stop()
            desk.until(lambda: not desk.player.making.get() and desk.engine.now == "Ready")
            if not again:
                desk.player.card.release(desk.player.buffer.stream)
        waits(f"from Play to the first sound, {words}", seconds, delay)


def gone(desk: Desk, card: Card, times: int) -> None:
    """End the sound server during playback, again and again."""
    seconds = []
    desk.longest = 0.0
    for _ in range(times):
        desk.begin()
        desk.rest(0.2)
        card.pull_out()
        seconds.append(desk.until(lambda: not desk.player.playing.get(), 20))
        desk.player.stop()
        card.put_in()
        desk.until(lambda: not desk.player.making.get())
    waits(f"from a device that went away, {times} times, to the word about it", seconds)
    print(f"    in ms: {' '.join(f'{1000 * each:.0f}' for each in seconds)}")
    print(f"    the window stood still for {1000 * desk.longest:.0f} ms at most")


def killed(desk: Desk) -> None:
    """Kill the engine while its sound plays."""
    player = desk.player
    desk.begin()
    desk.rest(1.5)
    stream = player.buffer.stream
    ahead = player.seconds_ahead
    stream.start_recording()
    os.kill(desk.engine.process_id, signal.SIGKILL)
    took = desk.until(lambda: stream.has_ended)
    last = abs(float(stream.stop_recording()[0][-1]))
    print(
        f"  engine killed with {ahead:.2f} s ahead: {took:.2f} s played on, up to "
        f"{1000 * abs(player.position - player.made_seconds):.1f} ms from the end, the last sample {last:.4f}"
    )
    desk.engine.start()  # by itself it starts anew only twice within five minutes; Play starts it as a person does
    desk.until(lambda: desk.engine.now == "Ready", 120)


def training(folder: Path, number: int) -> subprocess.Popen[bytes]:
    """Start a training as a user does in a terminal, on noise that fades."""
    sounds = folder / "sounds"
    sounds.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    for each in range(20):
        wave = 0.3 * generator.standard_normal(64_000) * np.linspace(1, 0, 64_000)
        soundfile.write(sounds / f"{each}.wav", wave.clip(-1, 1), 16_000)
    words = ["train", str(sounds), "--family", "wavenet", "--preset", "small", "--name", f"beside-{number}"]
    return subprocess.Popen(
        [sys.executable, "-m", "studio", *words, "--steps", "100000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main(model: str, minutes: float, trainings: int, removals: int) -> None:
    application = QApplication([])
    folder = Path(tempfile.mkdtemp(prefix="sound-"))
    os.environ |= {"STUDIO_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    (folder / "models").mkdir()
    shutil.copy(model, folder / "models")
    card = Card(folder)
    os.environ["PULSE_SERVER"] = card.daemon.socket
    beside = [training(folder, number) for number in range(trainings)]
    desk = Desk(application, Path(model).stem)
    try:
        print(f"first sound of a new engine: {desk.begin():.1f} s")
        desk.rest(3)
        desk.player.stop()
        long(desk, card, 60 * minutes)
        desk.player.stop()
        for _ in range(2):  # a third within five minutes, and no other engine starts
            killed(desk)
        started(desk)
        if removals:
            gone(desk, card, removals)
        if beside:
            print(f"  {sum(each.poll() is None for each in beside)} of {len(beside)} trainings ran to here")
    finally:
        desk.close()
        for process in beside:
            process.kill()
        card.pull_out()
        shutil.rmtree(folder)
        application.quit()


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("model", nargs="?", default=MODEL)
    words.add_argument("--minutes", type=float, default=10)
    words.add_argument("--trainings", type=int, default=1)
    words.add_argument("--removals", type=int, default=50)
    main(**vars(words.parse_args()))
