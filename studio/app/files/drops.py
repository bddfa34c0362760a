"""Recognises dropped files by their first bytes, and describes the effect of the drop."""

import contextlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from studio.library.model_file import MODEL_SUFFIX, PICKLE_SUFFIXES
from studio.library.work import RECIPE_KEY, SHEET_RECIPE_KEY
from studio.media import shards
from studio.media.containers.recognition import recognise_format
from studio.media.names import display_name
from studio.media.sounds.audio_file import refusal_reason
from studio.media.sounds.single_cycle import may_be_cycles

FileKind = Literal[
    "picture",
    "wave",
    "work",
    "recording",
    "recorded work",
    "unread sound",
    "model",
    "pickle",
    "folder",
    "shards",
    "other",
    "nothing",
]
READ_BYTES = 65_536
"""Bytes that are read. In our files the recipe stands before the pixels or samples."""
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_DROP_TEXTS: dict[FileKind, str] = {
    "picture": "Open in Explore",
    "wave": "Open in Explore",
    "work": "Restore this work",
    "recording": "Continue this sound",
    "recorded work": "Restore this work",
    "model": "Add this model",
    "folder": "Train on this folder",
    "shards": "Train on these shards",
}

__all__ = ["FileKind", "file_kind", "display_name", "drop_text"]
_SAMPLE_RATE = re.compile(rb'"(sample_)?rate":[1-9]')
"""Finds the sample rate in a recipe, under its earlier key too; only recordings have one."""


def file_kind(paths: Sequence[Path]) -> FileKind:
    """Return the kind of the first file. It never waits for a pipe or a device."""
    if not paths:
        return "nothing"
    ending = paths[0].suffix.lower()
    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISDIR(os.stat(paths[0]).st_mode):
            return "folder"
        if ending in (MODEL_SUFFIX, *PICKLE_SUFFIXES):
            return "model" if ending == MODEL_SUFFIX else "pickle"
        if ending == shards.ENDING:
            return "shards"
    begins = _first_bytes(paths[0])
    if begins.startswith(_PICTURES) or (begins.startswith(b"RIFF") and begins[8:12] == b"WEBP"):
        has_recipe_key = any(key.encode() + b"\0" in begins for key in (RECIPE_KEY, SHEET_RECIPE_KEY))
        return "work" if begins.startswith(b"\x89PNG") and has_recipe_key else "picture"
    form = recognise_format(begins, ending)
    if form is None:
        return "other"
    if not form.can_be_read:
        return "unread sound"
    if RECIPE_KEY.encode() + b" " in begins:
        cycle = form.name == "WAV" and _SAMPLE_RATE.search(begins) is None
        return "work" if cycle else "recorded work"
    return "wave" if may_be_cycles(paths[0]) else "recording"


def drop_text(kind: FileKind, paths: Sequence[Path]) -> str:
    """Return the effect of a drop in a few words, or the reason why it has none."""
    if kind in _DROP_TEXTS:
        return _DROP_TEXTS[kind]
    name = display_name(paths[0].name) if paths else ""
    match kind:
        case "nothing":
            return "There is no file in what was dropped. Drop a picture, or a model."
        case "pickle":
            return f'"{name}" is a pickle, which can run programs when opened. Ask for a {MODEL_SUFFIX} file.'
        case "unread sound":
            return str(refusal_reason(name, recognise_format(_first_bytes(paths[0]), paths[0].suffix)))
        case _:
            reason = f'"{name}" is no picture, sound or model. It was not opened.'
            return f"{reason} PNG, JPEG, WAV and MP3 can be opened."


def _first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file; none if it cannot be read. Opening it will show the reason."""
    flags = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
        with open(os.open(path, flags), "rb") as file:
            return file.read(READ_BYTES)
    except (OSError, ValueError):
        return b""
