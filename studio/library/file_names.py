"""Choose names of files that are free and valid on every system."""

import contextlib
import os
import re
import unicodedata
from pathlib import Path

from studio.library.obstacles import MAX_NAME_BYTES
from studio.media.names import display_name

_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}
_LONGEST_ENDING = 12  # bytes; a longer ending is not kept when a file name is shortened


def next_free_path(folder: Path, stem: str, ending: str) -> Path:
    """Return a free path in a folder, valid on every system: `STEM-0001.png`, then `STEM-0002.png` …"""
    ending = "." + ending.lstrip(".")
    stem = clean_name(stem, MAX_NAME_BYTES - len(f"-000000{ending}".encode()))
    taken = re.compile(re.escape(_normalised_name(stem)) + r"-(\d{1,6})" + re.escape(_normalised_name(ending)))
    highest = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        numbers = (taken.fullmatch(_normalised_name(entry.name)) for entry in entries)
        highest = max((int(number[1]) for number in numbers if number), default=0)
    return Path(folder) / f"{stem}-{highest + 1:04d}{ending}"


def clean_name(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return a name of at most `max_bytes` bytes that is valid on every system.

    Its ending is kept.
    """
    name = display_name(unicodedata.normalize("NFC", name)).replace("\ufffd", "_")
    name = re.sub(r'[<>:"/\\|?*]', "_", name).strip(" .")
    if name.split(".")[0].rstrip(" ").upper() in _RESERVED:
        name = "_" + name
    if len(name.encode()) > max_bytes:
        ending = Path(name).suffix if len(Path(name).suffix.encode()) <= _LONGEST_ENDING else ""
        stem = name[: len(name) - len(ending)].encode()[: max_bytes - len(ending.encode())]
        name = stem.decode(errors="ignore").rstrip(" .") + ending
    return name or "untitled"


def _normalised_name(name: str) -> str:
    """Return a key that is equal for names that some file systems cannot distinguish.

    These ignore case and composition.
    """
    return unicodedata.normalize("NFC", name).casefold()
