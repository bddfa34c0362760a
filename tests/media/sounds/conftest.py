"""Provide a sound card for tests: a PulseAudio daemon with a null sink and a recorder."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.limits import LIMIT

RATE = 44_100
"""Hz that PortAudio takes for PulseAudio's own, whatever the sink says."""


class Daemon:
    """Runs a private PulseAudio with its own folder and socket."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.socket = f"unix:{folder}/s"
        self._env = {**os.environ, "XDG_RUNTIME_DIR": folder, "HOME": folder, "PULSE_RUNTIME_PATH": folder}
        self._env.pop("DISPLAY", None)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        modules = (
            f"module-native-protocol-unix auth-anonymous=1 socket={self.folder}/s",
            f"module-null-sink sink_name=ci rate={RATE} channels=2",
        )
        words = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]
        words += ["--log-target=null", *(word for module in modules for word in ("-L", module))]
        self._process = subprocess.Popen(words, env=self._env)
        end = time.monotonic() + LIMIT
        while not os.path.exists(f"{self.folder}/s"):
            if time.monotonic() > end or self._process.poll() is not None:
                pytest.skip("PulseAudio does not start here")
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(LIMIT)
        Path(f"{self.folder}/s").unlink(missing_ok=True)


def _read_devices_anew() -> None:
    import sounddevice

    sounddevice._terminate()
    sounddevice._initialize()


@pytest.fixture
def sound_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Start a sound card, or skip the test if PulseAudio or PortAudio is missing."""
    if not (shutil.which("pulseaudio") and shutil.which("parec")):
        pytest.skip("PulseAudio is not installed (pulseaudio, pulseaudio-utils)")
    try:
        import sounddevice  # noqa: F401
    except OSError:
        pytest.skip("PortAudio is not installed (libportaudio2)")
    folder = tempfile.mkdtemp(prefix="pulse-")  # short: the path of a socket has 107 bytes at most
    daemon = Daemon(folder)
    try:
        daemon.start()
        monkeypatch.setenv("PULSE_SERVER", daemon.socket)
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        _read_devices_anew()
        yield daemon
    finally:
        daemon.kill()
        monkeypatch.undo()
        _read_devices_anew()
        shutil.rmtree(folder, ignore_errors=True)


def skip_if_gaps(*counts: int) -> None:
    """Skip a test of every sample if the computer was too busy to deliver them."""
    if any(counts):
        pytest.skip("this machine was too busy to play: it left gaps, and counted them")


class Recorder:
    """Records what the sound card plays. Calling it stops it and returns the left channel, float64 from -1 to 1."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self._process = process
        self._path = path

    def so_far(self) -> np.ndarray:
        """Return what was recorded until now, without stopping."""
        data = self._path.read_bytes()
        return np.frombuffer(data[: len(data) // 8 * 8], "<f4").reshape(-1, 2)[:, 0].astype(float)

    def __call__(self) -> np.ndarray:
        time.sleep(0.4)
        self._process.terminate()
        self._process.wait(LIMIT)
        return self.so_far()


@pytest.fixture
def recording(sound_card: Daemon, tmp_path: Path) -> Iterator[Recorder]:
    """Record what the sound card plays from now until the returned recorder is called."""
    path = tmp_path / "heard.raw"
    words = ["parec", "-s", sound_card.socket, "-d", "ci.monitor", "--raw", "--format=float32le", f"--rate={RATE}"]
    with open(path, "wb") as file:
        process = subprocess.Popen([*words, "--channels=2", "--latency-msec=20"], stdout=file)
        try:
            end = time.monotonic() + LIMIT
            while not path.stat().st_size and time.monotonic() < end:  # it sends silence once it listens
                time.sleep(0.02)
            yield Recorder(process, path)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(LIMIT)
