"""Recognise the format of a sound file by its first bytes, or by its name."""

from typing import NamedTuple


class Container(NamedTuple):
    """Names a file format and says whether the studio reads it."""

    name: str
    """The name that the user sees: `M4A`."""
    read: bool
    """Whether the studio can read it."""

    @property
    def words(self) -> str:
        """Return the format for use in a sentence: `a sound (M4A)`, `a film (MP4)`."""
        return self.name if self.film else f"a sound ({self.name})"

    @property
    def film(self) -> bool:
        """Return whether it is a format of films."""
        return self.name.startswith("a film")


BEGINNING = 16
"""Bytes at the beginning of a file that suffice to recognise its format."""
_BEGINNINGS = {
    b"fLaC": Container("FLAC", True),
    b"OggS": Container("Ogg", True),
    b"ID3": Container("MP3", True),
    b"caff": Container("CAF", True),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": Container("WMA", False),
    b"#!AMR": Container("AMR", False),
    b"MThd": Container("MIDI (notes without a sound)", False),
    b"MAC ": Container("Monkey's Audio", False),
    b"wvpk": Container("WavPack", False),
    b"DSD ": Container("DSD", False),
    b".snd": Container("AU", True),
    b"dns.": Container("AU", True),
    b"riff\x2e\x91\xcf\x11": Container("Wave64", True),
    b"\x1a\x45\xdf\xa3": Container("a film (Matroska or WebM)", False),
}
_IN_FORM = {  # the four bytes after the length in RIFF and FORM files and their kin
    b"WAVE": Container("WAV", True),
    b"AIFF": Container("AIFF", True),
    b"AIFC": Container("AIFF", True),
    b"AVI ": Container("a film (AVI)", False),
}
_PICTURES = (b"heic", b"heix", b"heif", b"avif", b"avis", b"mif1", b"msf1")
"""Brands of picture files that begin as MP4 files do."""
_ENDINGS = {
    "wav": Container("WAV", True),
    "wave": Container("WAV", True),
    "flac": Container("FLAC", True),
    "ogg": Container("Ogg", True),
    "oga": Container("Ogg", True),
    "opus": Container("Ogg", True),
    "mp3": Container("MP3", True),
    "aif": Container("AIFF", True),
    "aiff": Container("AIFF", True),
    "aifc": Container("AIFF", True),
    "caf": Container("CAF", True),
    "m4a": Container("M4A", False),
    "m4b": Container("M4B", False),
    "aac": Container("AAC", False),
    "wma": Container("WMA", False),
    "amr": Container("AMR", False),
    "mka": Container("MKA", False),
    "ape": Container("Monkey's Audio", False),
    "wv": Container("WavPack", False),
    "au": Container("AU", True),
    "w64": Container("Wave64", True),
}


def container(begins: bytes, ending: str = "") -> Container | None:
    """Return the format of a sound or film; None for any other file.

    Arguments
        begins: the first BEGINNING bytes of the file
        ending: the ending of its name, as `.m4a`
    """
    if begins[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"):
        found = _IN_FORM.get(begins[8:12])
    elif begins[4:8] == b"ftyp":
        found = _mp4(begins[8:12], ending)
    elif len(begins) > 1 and begins[0] == 0xFF and begins[1] & 0xE0 == 0xE0:
        found = _frames(begins[1])
    else:
        found = next((each for key, each in _BEGINNINGS.items() if begins.startswith(key)), None)
    return found or _ENDINGS.get(ending.lower().removeprefix("."))


def _mp4(brand: bytes, ending: str) -> Container | None:
    """Return the format of a file of the MP4 family. Phones write the brand of films into sounds, too."""
    if brand in _PICTURES:
        return None
    named = _ENDINGS.get(ending.lower().removeprefix("."))
    if named is not None and not named.read:
        return named
    sound = brand.startswith(b"M4") or named is not None
    return Container("M4A", False) if sound else Container("a film (MP4)", False)


def _frames(second: int) -> Container | None:
    """Return the format of bare MPEG frames from their second byte: layer 0 is AAC."""
    if second & 0xF6 == 0xF0:
        return Container("AAC", False)
    is_layer_3 = second & 0x06 == 0x02
    has_version = second & 0x18 != 0x08
    return Container("MP3", True) if is_layer_3 and has_version else None
