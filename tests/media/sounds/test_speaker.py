"""The speaker plays on a sound card of the test, recorded from its other side. There may be no card."""

import builtins
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio.media.sounds import speaker, wavetable
from studio.media.sounds.oscillator import CROSSFADE, RAMP, Oscillator
from studio.media.sounds.speaker import DEFAULT_LATENCY, LATEST, LESS, MORE, NoSoundOutput, Speaker
from studio.media.sounds.wavetable import CEILING, FULL
from tests.limits import LIMIT
from tests.media.sounds.conftest import RATE, Daemon, Recorder, skip_if_gaps

SEVERAL_BURSTS = 3.0
"""Longest interval in seconds; an unused null sink requests sound about once a second."""


def bent(bend: float) -> np.ndarray:
    at = np.arange(256) / 256
    wave = 0.9 * np.sin(2 * np.pi * (at + bend * np.sin(2 * np.pi * at) / 6))
    return np.rint(wave * FULL).astype(np.int16)


class Counter:
    """Plays samples that each carry their own number."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._next = 0
        self.until = 0.0

    def set_card_rate(self, rate: float) -> None:
        self.rate = rate

    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        self.until = until
        out[:] = (np.arange(self._next, self._next + len(out)) % 16_384 + 1) / 32_768
        self._next += len(out)


class Broken(Counter):
    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        raise RuntimeError("an internal error")


class Copied:
    """Plays another source and keeps a copy of what it gave to the card."""

    def __init__(self, source: Oscillator) -> None:
        self._source = source
        self._parts: list[np.ndarray] = []

    def set_card_rate(self, rate: float) -> None:
        self._source.set_card_rate(rate)

    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        self._source.fill(out, until)
        self._parts.append(out.copy())

    def given(self) -> np.ndarray:
        return np.concatenate(self._parts)


NOW = SimpleNamespace(currentTime=7.0, outputBufferDacTime=7.25)
"""The time of a request as PortAudio reports it."""
SAFE = 0.2
"""Seconds of latency: a computer that runs other tests may answer late."""
SETTLED = 0.3
"""Seconds: a null sink whose first stream begins takes back what its monitor has given already."""


def test_no_sample_is_lost(recording: Recorder) -> None:
    player = Speaker()
    source = Counter()
    player.open(source, latency=SAFE)
    time.sleep(1.2)
    assert player.fault() == "" and source.rate == RATE
    player.close()
    skip_if_gaps(player.underruns)
    heard = np.rint(recording() * 32_768).astype(int)
    sounding = np.flatnonzero(heard)
    heard = heard[sounding[0] + round(SETTLED * RATE) : sounding[-1] + 1]
    assert len(heard) > RATE // 2
    assert (np.diff(heard) % 16_384 == 1).all()


def test_a_tone_that_changes_is_heard_without_a_click_or_a_gap(recording: Recorder) -> None:
    """The wave moves every 20 ms, as under a slider. The pitch moves every 200 ms."""
    player = Speaker()
    tone = Oscillator()
    tone.set_level(0.8)
    tone.set_wave(bent(0.0))
    source = Copied(tone)
    player.open(source, latency=SAFE)
    time.sleep(SETTLED)
    tone.play_note(45)
    notes = (45, 57, 52, 64, 48, 69, 50)
    for number in range(70):
        tone.set_wave(bent(0.5 * np.sin(number / 5)))
        if number % 10 == 0:
            tone.play_note(notes[number // 10])
        time.sleep(0.02)
    tone.release_note()
    time.sleep(SAFE + 0.1)
    assert player.fault() == ""
    player.close()
    skip_if_gaps(player.underruns)
    given = sounding_part(source.given())
    heard = sounding_part(recording())
    assert_neither_click_nor_gap(given)
    skip_if_gaps(not is_contained(heard, given))  # the card itself may lose samples on a busy machine
    assert_neither_click_nor_gap(heard)


def sounding_part(samples: np.ndarray) -> np.ndarray:
    """Return samples without the silence before and after them, but for one sample, so that a click there is seen."""
    sounding = np.flatnonzero(np.abs(samples) > 1e-4)
    return samples[max(sounding[0] - 1, 0) : sounding[-1] + 2]


def assert_neither_click_nor_gap(samples: np.ndarray) -> None:
    assert len(samples) > RATE and np.abs(samples).max() <= CEILING + 1e-4
    # No click: no step is steeper than the waves by themselves and the fades between them.
    slope = 0.8 * CEILING * 2 * np.pi * wavetable.note_frequency(69) / RATE * (1 + np.pi / 6)
    assert np.abs(np.diff(samples)).max() < slope + 1.8 / (CROSSFADE * RATE) + 1 / (RAMP * RATE)
    # No gap: these waves are silent only at their two crossings.
    silent = np.abs(samples) < 1e-3
    longest = max((len(run) for run in "".join("x" if s else " " for s in silent).split()), default=0)
    assert longest < RATE * 0.002


def is_contained(heard: np.ndarray, given: np.ndarray) -> bool:
    """Return whether all that was heard was given in the same order, and nothing in between is missing."""
    if len(heard) > len(given):
        return False
    size = 1 << (len(given) + len(heard)).bit_length()
    found = np.fft.irfft(np.fft.rfft(given, size) * np.conj(np.fft.rfft(heard, size)), size)
    at = int(found[: len(given) - len(heard) + 1].argmax())
    return bool(np.abs(given[at : at + len(heard)] - heard).max() < 1e-3)


def test_a_dead_daemon_is_reported_and_another_is_found(sound_card: Daemon) -> None:
    player = Speaker()
    tone = Oscillator()
    tone.set_wave(bent(0.1))
    tone.play_note(57)
    player.open(tone)
    time.sleep(0.2)
    assert player.fault() == ""
    sound_card.kill()
    end = time.monotonic() + LIMIT
    while not player.fault() and time.monotonic() < end:
        time.sleep(0.05)
    assert player.fault() == f'"{player.device}" was removed. Nothing is lost, but the sound stopped.'
    player.close()
    with pytest.raises(NoSoundOutput, match="Everything else works"):
        player.open(tone)
    sound_card.start()
    player.open(tone)
    time.sleep(0.3)
    assert player.fault() == ""
    player.close()


def test_a_fault_of_ours_ends_in_silence_and_a_sentence(sound_card: Daemon) -> None:
    player = Speaker()
    player.open(Broken())
    time.sleep(0.3)
    assert player.fault() == "Playback stopped by an internal error (RuntimeError). Everything else continues."
    player.close()
    assert player.fault() == ""


# ── without a card ───────────────────────────────────────────────────────────────────────────────


def test_a_sentence_says_what_to_install_if_portaudio_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def importing(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", importing)
    for ask in (speaker.outputs, lambda: Speaker().open(Counter())):
        with pytest.raises(NoSoundOutput, match="PortAudio is missing. On Debian or Ubuntu: install libportaudio2."):
            ask()


class Machine:
    """Stands in for sounddevice on a computer that the test describes."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *devices: dict[str, Any], refuses: str = "") -> None:
        self.devices = [
            {"index": n, "hostapi": 0, "default_samplerate": 44_100.0, "max_output_channels": 2, **device}
            for n, device in enumerate(devices)
        ]
        self._refuses = refuses
        self.opened: list[dict[str, Any]] = []
        self.looked = 0

    def query_devices(self, kind: str | None = None) -> Any:
        return self.devices[0] if kind else self.devices

    def query_hostapis(self, index: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def OutputStream(self, **settings: Any) -> "Machine":
        if self._refuses:
            raise self.PortAudioError(f"Error opening OutputStream: {self._refuses} [PaErrorCode -9985]")
        self.opened.append(settings)
        return self

    def _initialize(self) -> None:
        self.looked += 1

    def _terminate(self) -> None: ...

    def start(self) -> None: ...

    def abort(self, ignore_errors: bool) -> None: ...

    def close(self, ignore_errors: bool) -> None: ...


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(*devices: dict[str, Any], refuses: str = "") -> Machine:
        here = Machine(*devices, refuses=refuses)
        monkeypatch.setattr(speaker, "_load_sounddevice", lambda: here)
        return here

    return put


def test_a_missing_device_is_explained_and_the_next_try_searches_again(machine: Any) -> None:
    here = machine({"name": "Microphone", "max_output_channels": 0})
    player = Speaker()
    with pytest.raises(NoSoundOutput, match="No device for sound was found. Everything else works."):
        player.open(Counter())
    here.devices.append({**here.devices[0], "name": "Headphones", "index": 0, "max_output_channels": 1})
    here.devices.pop(0)
    player.open(Counter())
    assert here.looked == 1 and player.device == "Headphones"
    assert here.opened[0]["channels"] == 1 and here.opened[0]["samplerate"] == 44_100


def test_a_device_in_use_is_reported_in_words(machine: Any) -> None:
    machine({"name": "USB headphones"}, refuses="Device unavailable")
    with pytest.raises(NoSoundOutput) as told:
        Speaker().open(Counter())
    assert str(told.value) == (
        '"USB headphones" could not be opened for sound (Device unavailable). Another program may hold it. '
        "Everything else works."
    )


def test_the_sound_server_is_preferred_on_linux(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker.sys, "platform", "linux")
    here = machine({"name": "HDA Intel: HDMI"}, {"name": "default"}, {"name": "pulse"})
    player = Speaker()
    player.open(Counter())
    assert player.device == "pulse" and here.opened[0]["device"] == 2


def test_a_device_is_chosen_by_its_name_and_named_if_missing(machine: Any) -> None:
    here = machine({"name": "pulse"}, {"name": "USB headphones"}, {"name": "Microphone", "max_output_channels": 0})
    assert speaker.outputs() == ("pulse", "USB headphones")
    player = Speaker()
    player.open(Counter(), "USB headphones")
    assert player.device == "USB headphones" and here.opened[0]["device"] == 1
    here.devices.pop(1)
    with pytest.raises(NoSoundOutput, match='"USB headphones" is not there any more'):
        player.open(Counter(), "USB headphones")
    player.open(Counter())
    assert here.looked == 1 and len(here.opened) == 2


def test_a_sink_that_asks_in_bursts_counts_as_present(sound_card: Daemon) -> None:
    """The null sink is unused here, so its requests are as rare as possible: at first more than a second apart."""
    player = Speaker()
    source = Counter()
    asked = list[float]()

    def fill(out: np.ndarray, until: float = 0.0) -> None:
        asked.append(time.monotonic())
        Counter.fill(source, out, until)

    source.fill = fill  # type: ignore[method-assign]
    player.open(source)
    end = time.monotonic() + SEVERAL_BURSTS
    while time.monotonic() < end:
        assert player.fault() == ""
        time.sleep(0.02)
    player.close()
    assert max(np.diff(asked)) > 0.8, "or this sink asks more often than the one that was taken for gone"


def test_two_seconds_without_a_request_are_not_a_fault(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = machine({"name": "pulse"})
    player = Speaker()
    now = time.monotonic()
    monkeypatch.setattr(speaker.time, "monotonic", lambda: now)
    player.open(Counter())
    for _ in range(5):
        for _ in range(20):
            here.opened[0]["callback"](np.zeros((4410, 2), np.float32), 4410, NOW, None)
        for _ in range(20):
            now += 0.1
            assert player.fault() == ""
        assert player.still == pytest.approx(2.0)


def test_an_end_that_portaudio_reports_is_reported_at_once(machine: Any) -> None:
    here = machine({"name": "pulse"})
    player = Speaker()
    player.open(Counter())
    here.opened[0]["finished_callback"]()
    assert '"pulse" was removed' in player.fault()


def test_a_card_that_stops_asking_counts_as_gone(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine({"name": "pulse"})
    player = Speaker()
    player.open(Counter())
    assert player.fault() == ""
    later = time.monotonic() + speaker.STILL + 1
    monkeypatch.setattr(speaker.time, "monotonic", lambda: later)
    assert '"pulse" was removed' in player.fault()


def test_requests_of_any_size_are_filled_on_every_channel(machine: Any) -> None:
    here = machine({"name": "pulse"})
    player = Speaker()
    source = Counter()
    player.open(source)
    out = np.zeros((10_000, 2), np.float32)
    here.opened[0]["callback"](out, len(out), NOW, None)
    assert (out[:, 0] == out[:, 1]).all() and (np.rint(out[:, 0] * 32_768) == np.arange(10_000) + 1).all()
    here.opened[0]["callback"](out, len(out), NOW, "output underflow")
    assert player.underruns == 1 and player.delay == 0.25
    assert source.until - time.monotonic() <= 0.25 - speaker.KEPT, "then the card has nothing left"


def test_the_card_is_asked_earlier_after_a_gap(machine: Any) -> None:
    here = machine({"name": "pulse"})
    player = Speaker()
    for _ in range(4):
        player.open(Counter())
        here.opened[-1]["callback"](np.zeros((64, 2), np.float32), 64, NOW, "output underflow")
    player.open(Counter())
    player.open(Counter())
    latencies = [settings["latency"] for settings in here.opened]
    assert latencies[:4] == pytest.approx(
        [DEFAULT_LATENCY, 1.5 * DEFAULT_LATENCY, 2.25 * DEFAULT_LATENCY, 3.375 * DEFAULT_LATENCY]
    )
    assert latencies[4:] == pytest.approx([LATEST, LESS * LATEST])


def test_the_card_is_asked_later_again_without_gaps(machine: Any) -> None:
    here = machine({"name": "pulse"})
    player = Speaker()
    player.open(Counter())
    here.opened[-1]["callback"](np.zeros((64, 2), np.float32), 64, NOW, "output underflow")
    for _ in range(6):
        player.open(Counter())
    latencies = [settings["latency"] for settings in here.opened]
    assert latencies[1:4] == pytest.approx(
        [MORE * DEFAULT_LATENCY, LESS * MORE * DEFAULT_LATENCY, LESS**2 * MORE * DEFAULT_LATENCY]
    )
    assert latencies[-2:] == [DEFAULT_LATENCY, DEFAULT_LATENCY]


def test_a_chosen_latency_is_kept_despite_gaps(machine: Any) -> None:
    here = machine({"name": "pulse"})
    player = Speaker()
    for latency in (0.02, 0.02, 0.0):
        player.open(Counter(), latency=latency)
        here.opened[-1]["callback"](np.zeros((64, 2), np.float32), 64, NOW, "output underflow")
    player.open(Counter())
    assert [settings["latency"] for settings in here.opened] == [0.02, 0.02, DEFAULT_LATENCY, MORE * DEFAULT_LATENCY]
