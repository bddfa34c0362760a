"""Check and choose names of models that are free and valid on every system."""

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from studio.library import file_names, models, storage
from studio.library.model_file import MODEL_SUFFIX, PICKLE_SUFFIXES

MAX_MODEL_NAME = 100
"""The most characters of a name, as a card allows them."""
_ALLOWED = re.compile(r"[a-z0-9][a-z0-9._-]*")


def name_fault(name: str, folder: Path | None = None) -> str:
    """Return why a model cannot have this name, as the end of a sentence; empty if it can.

    `folder` is where the model's file goes. None stands for the user's own models, where it may not hide a shipped one.
    """
    if not _ALLOWED.fullmatch(name):
        return "is not valid: use small letters, digits, dots, hyphens and underscores"
    if len(name) > MAX_MODEL_NAME:
        return f"is longer than {MAX_MODEL_NAME} characters"
    if name.endswith((MODEL_SUFFIX, *PICKLE_SUFFIXES)):
        return "ends like a file"
    if file_names.clean_name(name) != name:  # a device of Windows, or a dot at the end, which Windows removes
        return "is not a name that Windows allows"
    if name in _stems(models.shipped_folder()) and folder is None:
        return "is the name of a model that comes with the program"
    if name in _stems(storage.home_folder("models") if folder is None else folder):
        return "is the name of a model that is there already"
    return ""


def free_model_name(wanted: str, folder: Path | None = None, taken: Collection[str] = ()) -> str:
    """Return a name like `wanted` that a new model and its run can use. It is none of those in `taken`."""
    plain = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode().lower()
    for ending in (MODEL_SUFFIX, *PICKLE_SUFFIXES):
        plain = plain.removesuffix(ending)
    stem = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("._-")[: MAX_MODEL_NAME - 10].strip("._-") or "model"
    if file_names.clean_name(stem) != stem:
        stem = f"my-{stem}"
    runs = _stems(storage.home_folder("runs"), "")
    number = 1
    name = stem
    while name in runs or name in taken or name_fault(name, folder):
        number += 1
        name = f"{stem}-{number}"
    return name


def _stems(folder: Path, ending: str = MODEL_SUFFIX) -> set[str]:
    """Return the names of files with an ending, without it. Some systems ignore case, so they are in small letters."""
    try:
        names = [name.casefold() for name in os.listdir(folder)]
    except OSError:
        return set()
    return {name.removesuffix(ending) for name in names if name.endswith(ending)}
