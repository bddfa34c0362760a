"""Read the user's picture and sound files, with the recipe if the studio made them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studio.app.core.artwork import Artwork
from studio.app.core.text import duration
from studio.library import work
from studio.library.fitting import fit_to_card
from studio.library.models import InstalledModel
from studio.library.work import BadWork, Work
from studio.media import decoder
from studio.media.containers.contents import recognise_file
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, OpenedPicture, read_bytes
from studio.media.sounds import wavetable
from studio.media.sounds.single_cycle import OpenedWave
from studio.wire.messages import Array

WAVES = (".wav", ".wave")


@dataclass(frozen=True)
class OpenedFile:
    """Holds an opened file: its picture or wave, and the artworks that the studio saved in it."""

    picture: OpenedPicture | OpenedWave
    artworks: tuple[Artwork, ...] = ()
    """Empty if the file was made elsewhere, several if it is a sheet. The first one is `picture`."""
    fault: str = ""
    """Why the recipe in the file cannot be read; empty if it can."""

    @property
    def artwork(self) -> Artwork | None:
        """Return the first artwork, or None if the file was made elsewhere."""
        return self.artworks[0] if self.artworks else None


def read_file(path: Path, samples: int | None = None) -> OpenedFile:
    """Read a picture file, or a wave of `samples` samples, with its recipe if it has one. Raises FileRefused."""
    ending = path.suffix.lower()
    picture = decoder.open_wave_file(path, samples) if recognise_file(path) is not None else decoder.open_picture(path)
    read = None
    if ending in WAVES:
        read = work.recipe_of_wav
    elif ending == ".png":
        read = work.recipe_of_png
    try:
        data = read_bytes(path, picture.name) if read is not None else b""
        sheet = work.decode_sheet(data, picture.array) if isinstance(picture, OpenedPicture) else []
        if sheet and isinstance(picture, OpenedPicture):
            return OpenedFile(replace(picture, array=sheet[0][0]), tuple(Artwork(*each) for each in sheet))
        making = read(data) if read is not None else None
        return OpenedFile(picture, (Artwork(picture.array, making),) if making is not None else ())
    except BadWork as fault:
        return OpenedFile(picture, fault=str(fault))
    except FileRefused:  # the file was removed meanwhile, but the picture is already read
        return OpenedFile(picture)


def to_model_shape(array: Array, trained: InstalledModel | None, canvas_size: tuple[int, int] | None = None) -> Array:
    """Return an artwork in the shape of the model that made it, or in the size (height, width) of its canvas.

    A picture's file is in colour, and may be enlarged.
    """
    if trained is None or array.ndim != len(trained.card.shape):
        return array
    if array.ndim == 1:
        samples = trained.card.shape[0]
        return array if len(array) == samples else wavetable.cycle_of_frame(array / wavetable.FULL, samples)
    return fit_to_card(array, trained.card, size=canvas_size).array


MAX_SECONDS = 600
"""The most seconds of a recording that are used."""

_READERS = {".wav": work.recipe_of_wav, ".wave": work.recipe_of_wav, ".flac": work.recipe_of_flac}


@dataclass(frozen=True, eq=False)
class OpenedSound:
    """Holds an opened sound file."""

    samples: Array
    """(n,) int16."""
    rate: int
    """Hz."""
    name: str
    description: str
    """`1 min 58 s, stereo; used as 16 kHz mono`."""
    notes: tuple[str, ...]
    """Notes for the user on what had to be converted."""
    work: Work | None = None
    """The recipe; None if the studio did not make the recording."""
    fault: str = ""
    """Why the recipe in the file cannot be read; empty if it can."""


def read_sound(path: Path, rate: int) -> OpenedSound:
    """Read a sound file at `rate` in Hz, or at its own rate if the studio made it. Raises FileRefused."""
    making, fault = read_work(path)
    found = decoder.open_recording(path, making.sample_rate if making is not None else rate, centred=making is None)
    if found.quiet and making is None:
        raise FileRefused(found.name, "is silent")
    samples = to_int16(found.samples[: MAX_SECONDS * found.rate])
    notes = found.notes
    if len(samples) < len(found.samples):
        notes = (f"the first {MAX_SECONDS // 60} minutes are used", *notes)
    channels = {1: "mono", 2: "stereo"}.get(found.channels, f"{found.channels} channels")
    words = f"{duration(found.seconds)}, {channels}; used as {found.rate / 1000:g} kHz mono"
    return OpenedSound(samples, found.rate, found.name, words, notes, making, fault)


def read_work(path: Path) -> tuple[Work | None, str]:
    """Return the recipe of a recording, None if it has none, and why it cannot be read, empty if it can."""
    reader = _READERS.get(path.suffix.lower())
    try:
        making = reader(read_bytes(path, display_name(path.name))) if reader is not None else None
    except BadWork as broken:
        return None, str(broken)
    except FileRefused:  # the function that opens the file reports it better
        return None, ""
    return (making if making is not None and making.sample_rate else None), ""


def read_own_sound(path: Path, making: Work) -> Array:
    """Return the samples (n,) int16 of a recording that the studio made. Raises FileRefused."""
    return to_int16(decoder.open_recording(path, making.sample_rate, centred=False).samples)


def to_int16(wave: Array) -> Array:
    """Return floats from -1 to 1 as int16."""
    found: Array = np.rint(wave * 32_768).clip(-32_768, 32_767).astype(np.int16)
    return found
