"""Opens pictures, waves and recordings, and reads the recipes of the studio's own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studio.app.core.text import duration
from studio.library import work
from studio.library.models import InstalledModel
from studio.library.work import BadWork, Work
from studio.media import decoder
from studio.media.containers.contents import recognise_file
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, OpenedPicture, fit_to_shape, read_bytes
from studio.media.sounds import wavetable
from studio.media.sounds.single_cycle import OpenedWave
from studio.wire.messages import Array

WAVES = (".wav", ".wave")


@dataclass(frozen=True)
class OpenedFile:
    """Holds the picture or wave of a file, and its recipe if it has one."""

    picture: OpenedPicture | OpenedWave
    work: Work | None
    fault: str = ""
    """Why the recipe of the file cannot be read; otherwise empty."""
    sheet: tuple[tuple[Array, Work], ...] = ()
    """All pictures of a sheet with their recipes; the first one is `picture`."""


def read_file(path: Path, samples: int | None = None) -> OpenedFile:
    """Return the picture of a file, or a wave of `samples`, with its recipe.

    Raises FileRefused.
    """
    ending = path.suffix.lower()
    picture = decoder.open_wave_file(path, samples) if recognise_file(path) is not None else decoder.open_picture(path)
    read = _recipe_reader(ending)
    try:
        data = read_bytes(path, picture.name) if read is not None else b""
        sheet = work.decode_sheet(data, picture.array) if isinstance(picture, OpenedPicture) else []
        if sheet and isinstance(picture, OpenedPicture):
            first, recipe = sheet[0]
            return OpenedFile(replace(picture, array=first), recipe, sheet=tuple(sheet))
        return OpenedFile(picture, read(data) if read is not None else None)
    except BadWork as fault:
        return OpenedFile(picture, None, str(fault))
    except FileRefused:  # the file was deleted in between; the picture is read
        return OpenedFile(picture, None)


def _recipe_reader(ending: str) -> Callable[[bytes], Work | None] | None:
    """Return the function that reads the recipe of a file with this ending."""
    if ending in WAVES:
        return work.recipe_of_wav
    return work.recipe_of_png if ending == ".png" else None


def to_model_shape(array: Array, trained: InstalledModel | None) -> Array:
    """Return an artwork in the shape in which the model makes it.

    Every picture file is opened in colour, and may be enlarged.
    """
    if trained is None or array.ndim != len(trained.card.shape):
        return array
    if array.ndim == 1:
        samples = trained.card.shape[0]
        return array if len(array) == samples else wavetable.cycle_of_frame(array / wavetable.FULL, samples)
    channels, height, width = trained.card.shape
    return fit_to_shape(array, (channels, height, width))


MAX_SECONDS = 600
"""The longest recording that is used, in seconds."""

_READERS = {".wav": work.recipe_of_wav, ".wave": work.recipe_of_wav, ".flac": work.recipe_of_flac}


@dataclass(frozen=True, eq=False)
class OpenedSound:
    """Holds a recording that was opened."""

    samples: Array
    """(n,) int16."""
    rate: int
    """Hz."""
    name: str
    description: str
    """`1 min 58 s, stereo; used as 16 kHz mono`."""
    notes: tuple[str, ...]
    """What had to be changed, for the user."""
    work: Work | None = None
    """The recipe of a recording that the studio made."""
    fault: str = ""
    """Why the recipe of the file cannot be read; otherwise empty."""


def read_sound(path: Path, rate: int) -> OpenedSound:
    """Read a sound file at `rate` in Hz. A recording of the studio keeps its own rate.

    Raises FileRefused.
    """
    recipe, fault = read_work(path)
    sound = decoder.open_recording(path, recipe.rate if recipe is not None else rate, centred=recipe is None)
    if sound.quiet and recipe is None:
        raise FileRefused(sound.name, "is silent")
    samples = to_int16(sound.samples[: MAX_SECONDS * sound.rate])
    notes = sound.notes
    if len(samples) < len(sound.samples):
        notes = (f"the first {MAX_SECONDS // 60} minutes are used", *notes)
    channels = {1: "mono", 2: "stereo"}.get(sound.channels, f"{sound.channels} channels")
    description = f"{duration(sound.seconds)}, {channels}; used as {sound.rate / 1000:g} kHz mono"
    return OpenedSound(samples, sound.rate, sound.name, description, notes, recipe, fault)


def read_work(path: Path) -> tuple[Work | None, str]:
    """Return the recipe of a recording that the studio made, and why it is unreadable.

    The recipe is None for any other file.
    """
    reader = _READERS.get(path.suffix.lower())
    try:
        recipe = reader(read_bytes(path, display_name(path.name))) if reader is not None else None
    except BadWork as broken:
        return None, str(broken)
    except FileRefused:  # opening the file shows a better message
        return None, ""
    return (recipe if recipe is not None and recipe.rate else None), ""


def read_own_sound(path: Path, recipe: Work) -> Array:
    """Return the samples (n,) int16 of a recording that the studio made.

    Raises FileRefused.
    """
    return to_int16(decoder.open_recording(path, recipe.rate, centred=False).samples)


def to_int16(wave: Array) -> Array:
    """Convert floats from -1 to 1 to int16."""
    samples: Array = np.rint(wave * 32_768).clip(-32_768, 32_767).astype(np.int16)
    return samples
