"""A finished artwork and all it takes to make it again."""

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from studio import __version__
from studio.media import export

KEY = "studio_recipe"
"""Name of the PNG iTXt chunk or sound tag that holds a work's making."""


class Latent(msgspec.Struct, frozen=True):
    """The start of a picture that was opened: the exact numbers, little-endian, as they are."""

    dtype: Literal["<f4", "<f8"]
    shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    data: bytes

    @classmethod
    def of(cls, z: np.ndarray) -> "Latent":
        """A latent array, kept bit for bit."""
        z = np.ascontiguousarray(z, "<f8" if z.dtype == np.float64 else "<f4")
        return cls("<f8" if z.dtype.itemsize == 8 else "<f4", z.shape, z.tobytes())

    def array(self) -> np.ndarray:
        """The latent again. Raises ValueError where data and shape disagree."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


class Work(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="picture"):
    """The making of a picture: with the same model it gives the same picture again."""

    format: Annotated[int, Meta(ge=1, le=1)] = 1
    software: str = f"Latent Studio {__version__}"
    model: Annotated[str, Meta(max_length=200)]
    model_hash: Annotated[str, Meta(max_length=128)]
    """BLAKE2b (16 bytes, hex) of the model's file."""
    seed: Annotated[int, Meta(ge=0, lt=2**53)]
    temperature: tuple[Annotated[float, Meta(ge=0.0, le=4.0)], ...] = (1.0,)
    """One for all scales, or one each from coarse to fine."""
    sliders: tuple[Annotated[float, Meta(ge=-16.0, le=16.0)], ...] = ()
    label: Annotated[int, Meta(ge=0)] | None = None
    latent: Latent | None = None
    """Set where the start is a picture of the artist's own instead of the seed's noise."""
    source: Annotated[str, Meta(max_length=300)] = ""
    """Name of the file that was opened, for people."""
    made: str = ""
    """Date and time, ISO 8601."""

    def sentence(self) -> str:
        """For galleries that show a PNG's `parameters`."""
        heat = ", ".join(f"{t:g}" for t in self.temperature)
        start = f"from {self.source}" if self.latent else f"seed {self.seed}"
        return f"{self.model}, {start}, temperature {heat}. {self.software}"


def from_json(data: bytes | str) -> Work:
    """A work's making as it stands in a file. Raises msgspec.ValidationError naming the field."""
    return msgspec.json.decode(data, type=Work)


def to_json(work: Work) -> str:
    """A work's making as it goes into a file."""
    return msgspec.json.encode(work).decode()


class BadWork(ValueError):
    """A making that cannot be read; a sentence for people."""


def to_png(picture: np.ndarray, work: Work, scale: int = 1) -> bytes:
    """A picture (height, width, 1 | 3) uint8 as a PNG that carries its making; each pixel a block of `scale`²."""
    texts = {KEY: to_json(work), "Software": work.software, "parameters": work.sentence()}
    return export.png(picture, texts, scale)


def from_png(data: bytes) -> Work | None:
    """The making inside a PNG, or None where it carries none of ours. Raises BadWork where it cannot be understood."""
    recipe = export.texts(data).get(KEY)
    if recipe is None:
        return None
    try:
        work = from_json(recipe)
        if work.latent is not None and not np.isfinite(work.latent.array()).all():
            raise ValueError("latent: not every number is finite")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadWork(
            f"How this picture was made cannot be read ({error}). It is damaged, or comes from a newer version. "
            "The picture itself can still be opened."
        ) from None
    return work
