"""Recognise the format of a sound file by its first bytes, or by its name."""

from typing import NamedTuple


class FileFormat(NamedTuple):
    """Names a file format and states whether the studio reads it."""

    name: str
    """The name that the user sees: `M4A`."""
    can_be_read: bool
    """True if the studio can read it."""

    @property
    def description(self) -> str:
        """Return the format for use in a sentence: `a sound (M4A)`, `a film (MP4)`."""
        return self.name if self.is_video else f"a sound ({self.name})"

    @property
    def is_video(self) -> bool:
        """Return whether it is a format of films."""
        return self.name.startswith("a film")


BEGINNING = 16
"""Bytes at the beginning of a file that suffice to recognise its format."""
_BEGINNINGS = {
    b"fLaC": FileFormat("FLAC", True),
    b"OggS": FileFormat("Ogg", True),
    b"ID3": FileFormat("MP3", True),
    b"caff": FileFormat("CAF", True),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": FileFormat("WMA", False),
    b"#!AMR": FileFormat("AMR", False),
    b"MThd": FileFormat("MIDI (notes without a sound)", False),
    b"MAC ": FileFormat("Monkey's Audio", False),
    b"wvpk": FileFormat("WavPack", False),
    b"DSD ": FileFormat("DSD", False),
    b".snd": FileFormat("AU", True),
    b"dns.": FileFormat("AU", True),
    b"riff\x2e\x91\xcf\x11": FileFormat("Wave64", True),
    b"\x1a\x45\xdf\xa3": FileFormat("a film (Matroska or WebM)", False),
}
_IN_FORM = {  # the four bytes after the length in RIFF and FORM files and their kin
    b"WAVE": FileFormat("WAV", True),
    b"AIFF": FileFormat("AIFF", True),
    b"AIFC": FileFormat("AIFF", True),
    b"AVI ": FileFormat("a film (AVI)", False),
}
_PICTURES = (b"heic", b"heix", b"heif", b"avif", b"avis", b"mif1", b"msf1")
"""Brands of picture files that begin as MP4 files do."""
_ENDINGS = {
    "wav": FileFormat("WAV", True),
    "wave": FileFormat("WAV", True),
    "flac": FileFormat("FLAC", True),
    "ogg": FileFormat("Ogg", True),
    "oga": FileFormat("Ogg", True),
    "opus": FileFormat("Ogg", True),
    "mp3": FileFormat("MP3", True),
    "aif": FileFormat("AIFF", True),
    "aiff": FileFormat("AIFF", True),
    "aifc": FileFormat("AIFF", True),
    "caf": FileFormat("CAF", True),
    "m4a": FileFormat("M4A", False),
    "m4b": FileFormat("M4B", False),
    "aac": FileFormat("AAC", False),
    "wma": FileFormat("WMA", False),
    "amr": FileFormat("AMR", False),
    "mka": FileFormat("MKA", False),
    "ape": FileFormat("Monkey's Audio", False),
    "wv": FileFormat("WavPack", False),
    "au": FileFormat("AU", True),
    "w64": FileFormat("Wave64", True),
}


def recognise_format(begins: bytes, ending: str = "") -> FileFormat | None:
    """Return the format of a sound or film; None for any other file.

    Arguments
        begins: the first BEGINNING bytes of the file
        ending: the ending of its name, as `.m4a`
    """
    if begins[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"):
        found = _IN_FORM.get(begins[8:12])
    elif begins[4:8] == b"ftyp":
        found = _mp4_format(begins[8:12], ending)
    elif len(begins) > 1 and begins[0] == 0xFF and begins[1] & 0xE0 == 0xE0:
        found = _mpeg_format(begins[1])
    else:
        found = next((each for key, each in _BEGINNINGS.items() if begins.startswith(key)), None)
    return found or _ENDINGS.get(ending.lower().removeprefix("."))


def _mp4_format(brand: bytes, ending: str) -> FileFormat | None:
    """Return the format of a file of the MP4 family. Phones write the brand of films into sounds, too."""
    if brand in _PICTURES:
        return None
    named = _ENDINGS.get(ending.lower().removeprefix("."))
    if named is not None and not named.can_be_read:
        return named
    sound = brand.startswith(b"M4") or named is not None
    return FileFormat("M4A", False) if sound else FileFormat("a film (MP4)", False)


def _mpeg_format(second: int) -> FileFormat | None:
    """Return the format of bare MPEG frames from their second byte: layer 0 is AAC."""
    if second & 0xF6 == 0xF0:
        return FileFormat("AAC", False)
    is_layer_3 = second & 0x06 == 0x02
    has_version = second & 0x18 != 0x08
    return FileFormat("MP3", True) if is_layer_3 and has_version else None
