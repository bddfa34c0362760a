"""Sound cards: which there are, and why there may be none."""


class NoSound(RuntimeError):
    """Sound cannot be played here; a sentence that says what to do."""


def outputs() -> tuple[str, ...]:
    """Names of the devices that can play. Raises NoSound where the sound library itself is missing."""
    try:
        import sounddevice  # its import fails where PortAudio is not installed
    except OSError:
        raise NoSound("The sound library PortAudio is missing. On Debian or Ubuntu: install libportaudio2.") from None
    return tuple(str(d["name"]) for d in sounddevice.query_devices() if d["max_output_channels"] > 0)
