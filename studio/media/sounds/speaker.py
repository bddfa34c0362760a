"""Play a source of samples on the sound card, or report in a sentence why that fails.

The card asks for samples in a thread of its own, and the source writes them without waiting. A note that is held is one
source. Sound that plays while it is generated (studio.media.sounds.playback) is another.
"""

import contextlib
import sys
import threading
import time
from typing import Any, Protocol

import numpy as np

DEFAULT_LATENCY = 0.07
"""Seconds from a change to the ear, as requested of the sound system. It asks for samples when a quarter of it is free,
so it survives a computer that stalls for 50 ms, as a virtual one does when its host is busy."""
MORE = 1.5
LESS = 0.9
LATEST = 0.3
"""The factors of the latency after a stream with gaps, and after one without, and its largest value in seconds."""
LATENCIES = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3)
"""Seconds that the user can choose."""
KEPT = 0.03
"""Seconds that the card still has when a source stops waiting for new samples."""
STILL = 10.0
"""Seconds without a request from the card after which it counts as gone, even if PortAudio does not report its end.
PortAudio reports the end within 0.25 s if PulseAudio is killed. PulseAudio's null sink requests 2 s of sound at once,
then nothing for that time."""
BLOCK = 4096
"""The number of samples for which there is room, until more are requested at once."""
_PREFERRED = ("pipewire", "pulse", "default")
"""The first device on Linux is often a monitor's socket without a speaker, so these are preferred."""


class NoSoundOutput(RuntimeError):
    """Reports in a sentence that sound cannot be played, and what to do."""


class SampleSource(Protocol):
    """Defines a source of sound."""

    def set_card_rate(self, rate: float) -> None:
        """Prepare for a card that reads `rate` samples a second, from silence. It is called before the first `fill`."""

    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        """Write the next samples into `out`, (n,) float32 from -1 to 1.

        It runs in the card's thread. It waits only for samples that are being generated, and not beyond `until` in
        time.monotonic(), before which the card has enough.
        """


def outputs() -> tuple[str, ...]:
    """Return the names of the devices that can play. Raises NoSoundOutput if the sound library is missing."""
    return tuple(str(d["name"]) for d in _load_sounddevice().query_devices() if d["max_output_channels"] > 0)


class Speaker:
    """Plays one source on one sound card. Opening may take a while, so never open it in the thread that draws."""

    def __init__(self) -> None:
        self._latency = DEFAULT_LATENCY
        """The latency that this computer was found to need."""
        self._chosen = False
        """Whether the user chose another latency."""
        self._stream: Any = None
        self._source: SampleSource | None = None
        self._at_library = threading.Lock()
        """PortAudio forgets its devices while it lists them again, so no device may be opened then."""
        self._look_again = False
        """Whether PortAudio must list its devices again: it does so only once by itself."""
        self._asked = 0.0
        self._delay = 0.0
        """Seconds to the ear at the last request; 0 or less if the sound system does not report it."""
        self._ended = False
        self._failed = ""
        self._mono = np.zeros(BLOCK, np.float32)
        self.device = ""
        """The name of the device that plays, or played last."""
        self.underruns = 0
        """The number of times that the card received no samples since it was opened."""

    @property
    def delay(self) -> float:
        """Return the seconds from the source to the ear, as the sound system reports them.

        It is 0 if nothing is open.
        """
        stream = self._stream
        if stream is None:
            return 0.0
        return self._delay if self._delay > 0 else float(stream.latency)

    @property
    def still(self) -> float:
        """Return the seconds since the card's last request; 0 if it is not open."""
        return time.monotonic() - self._asked if self._stream is not None else 0.0

    def outputs(self) -> tuple[str, ...]:
        """Return the names of the devices that can play. Raises NoSoundOutput.

        The list may be out of date while a device plays.
        """
        with self._at_library:
            if self._stream is None:
                _list_devices_again(_load_sounddevice())
                self._look_again = False
            return outputs()

    def open(self, source: SampleSource, device: str = "", latency: float = 0.0) -> None:
        """Play a source until `close`, on a device of `outputs` or the system's own. Raises NoSoundOutput.

        `latency`: in seconds; 0 lets this computer choose. It chooses more after underruns.
        """
        with self._at_library:
            self._open(source, device, latency)

    def _open(self, source: SampleSource, device: str, latency: float) -> None:
        self.close()
        if not self._chosen and self.device:
            self._latency = min(max((MORE if self.underruns else LESS) * self._latency, DEFAULT_LATENCY), LATEST)
        self._chosen = latency > 0
        sd = _load_sounddevice()
        if self._look_again:
            _list_devices_again(sd)
        self._look_again = True  # unless opening succeeds
        found = _choose_device(sd, device)
        self.device = str(found["name"])
        rate = float(found["default_samplerate"])
        self._source = source
        self._ended = False
        self._failed = ""
        self.underruns = 0
        self._delay = 0.0
        source.set_card_rate(rate)
        self._asked = time.monotonic()
        try:
            self._stream = sd.OutputStream(
                samplerate=rate,
                channels=min(2, int(found["max_output_channels"])),
                dtype="float32",
                device=int(found["index"]),
                latency=latency or self._latency,
                callback=self._fill_buffer,
                finished_callback=self._note_end,
                extra_settings=_device_settings(sd, found),
            )
            self._asked = time.monotonic()
            self._stream.start()
        except (sd.PortAudioError, ValueError, OSError) as error:
            self.close()
            raise NoSoundOutput(
                f'"{self.device}" could not be opened for sound ({_plain_reason(error)}). Another program may hold it. '
                "Everything else works."
            ) from None
        self._look_again = False

    def close(self) -> None:
        """Stop at once; do nothing if nothing plays."""
        stream = self._stream
        self._stream = None
        if stream is not None:
            with contextlib.suppress(Exception):  # of a device that was removed
                stream.abort(ignore_errors=True)
            with contextlib.suppress(Exception):
                stream.close(ignore_errors=True)

    def fault(self) -> str:
        """Return why playback failed, as a sentence; empty if it works. Call it from time to time."""
        if self._stream is None:
            return ""
        if self._failed:
            return f"Playback stopped by an internal error ({self._failed}). Everything else continues."
        if self._ended or self.still > STILL:
            self._look_again = True
            return f'"{self.device}" was removed. Nothing is lost, but the sound stopped.'
        return ""

    # ── the sound card's thread ──────────────────────────────────────────────────────────────────

    def _fill_buffer(self, out: np.ndarray, count: int, when: Any, status: Any) -> None:
        """Fill the card's buffer. An exception must not leave this: PortAudio would end the stream silently."""
        self._asked = time.monotonic()
        if status:
            self.underruns += 1
        try:
            self._delay = when.outputBufferDacTime - when.currentTime
            until = self._asked + self._delay - KEPT
            assert self._source is not None
            if count > len(self._mono):
                self._mono = np.zeros(count, np.float32)
            self._source.fill(self._mono[:count], until)
            out[:] = self._mono[:count, None]
        except Exception as error:
            out.fill(0)
            self._failed = type(error).__name__

    def _note_end(self) -> None:
        self._ended = True


def _load_sounddevice() -> Any:
    """Return sounddevice. Raises NoSoundOutput."""
    try:
        import sounddevice  # its import fails if PortAudio is not installed
    except (OSError, ImportError):
        raise NoSoundOutput(
            "The sound library PortAudio is missing. On Debian or Ubuntu: install libportaudio2."
        ) from None
    return sounddevice


def _list_devices_again(sd: Any) -> None:
    with contextlib.suppress(Exception):
        sd._terminate()
    try:
        sd._initialize()
    except sd.PortAudioError as error:
        raise NoSoundOutput(
            f"The system's sound does not answer ({_plain_reason(error)}). Everything else works."
        ) from None


def _choose_device(sd: Any, wanted: str = "") -> Any:
    """Return the device of that name, or the default one. Raises NoSoundOutput if there is none."""
    none = NoSoundOutput("No device for sound was found. Everything else works. Plug one in, and play again.")
    try:
        able = [device for device in sd.query_devices() if device["max_output_channels"] > 0]
        if wanted:
            error = NoSoundOutput(
                f'"{wanted}" is not there any more. Everything else works. Choose another device for sound.'
            )
            return next((device for device in able if device["name"] == wanted), None) or _raise_error(error)
        if sys.platform.startswith("linux"):
            for name in _PREFERRED:
                for device in able:
                    if device["name"] == name:
                        return device
        return sd.query_devices(kind="output") if able else _raise_error(none)
    except (sd.PortAudioError, ValueError):
        raise none from None


def _raise_error(error: Exception) -> Any:
    raise error


def _device_settings(sd: Any, device: Any) -> Any:
    """Return the settings of a device. Windows refuses any rate but the card's unless it may convert."""
    if "WASAPI" in str(sd.query_hostapis(device["hostapi"])["name"]):
        return sd.WasapiSettings(auto_convert=True)
    return None


def _plain_reason(error: Exception) -> str:
    """Return PortAudio's message without its numbers."""
    return str(error).partition(" [")[0].removeprefix("Error opening OutputStream: ") or type(error).__name__
