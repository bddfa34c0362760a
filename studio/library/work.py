"""Describe a finished artwork and everything needed to make it again."""

import math
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from studio import __version__
from studio.library import earlier_keys, storage
from studio.media import decoder, export
from studio.media.pictures import enlarging
from studio.media.pictures.enlarging import UNENLARGED, Enlargement
from studio.media.pictures.image import MAX_PIXELS
from studio.media.preparation import WHITE, Palette
from studio.media.sounds import single_cycle, wavetable

RECIPE_KEY = "studio_recipe"
"""The name of the PNG iTXt chunk or sound tag that holds a work's recipe."""
SHEET_RECIPE_KEY = "studio_sheet"
"""The name of the PNG text with the recipes of all pictures on a sheet, row by row."""
SHEET_PIXELS_KEY = "studio_sheet_pixels"
"""The name of the PNG text with a smooth sheet before its pictures were enlarged."""


class StoredArray(msgspec.Struct, frozen=True):
    """Holds the exact numbers of an array, little-endian: an opened picture's latent, or a painted map."""

    dtype: Literal["<f4", "<f8"]
    shape: tuple[Annotated[int, Meta(ge=1, le=2**27)], ...]
    data: bytes

    @classmethod
    def from_array(cls, z: np.ndarray) -> "StoredArray":
        """Store an array bit for bit."""
        z = np.ascontiguousarray(z, "<f8" if z.dtype == np.float64 else "<f4")
        return cls("<f8" if z.dtype.itemsize == 8 else "<f4", z.shape, z.tobytes())

    def to_array(self) -> np.ndarray:
        """Return the array. Raises ValueError if data and shape disagree."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


FAR = 1e6
"""Standard deviations from the middle of the latents. Training artworks lie within about 10."""


def is_beyond_precision(latent: np.ndarray) -> bool:
    """Return whether a latent lies too far out for the model to decode it exactly.

    At 2·10⁸ one step of float64 in the latent of a MAF moves 102 of 256 samples, and at 3·10⁹ 250 of them.
    """
    return float(np.abs(latent).max()) > FAR


SecondsValue = Annotated[float, Meta(ge=0.0, le=1e6)]
TemperatureValue = Annotated[float, Meta(ge=0.0, le=4.0)]
CanvasSide = Annotated[int, Meta(ge=1, le=65_535)]


def sharpening_text(guidance: float, top_p: float) -> str:
    """Return guidance and top-p for the user: `guidance 1.5 and top-p 0.9`; empty if they change nothing."""
    said = [f"guidance {round(guidance, 2):g}"] if guidance else []
    return " and ".join(said + ([f"top-p {round(top_p, 2):g}"] if top_p < 1 else []))


def density_note(guidance: float, top_p: float) -> str:
    """Return what the user must know about the bits of pictures drawn so; empty if these follow the model's density."""
    said = sharpening_text(guidance, top_p)
    return f"{said.capitalize()}: not the model's own density. Bits are under the model itself." if said else ""


class WavetableEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the other end of a path: the settings that differ from its beginning, with the same model."""

    seed: Annotated[int, Meta(ge=0, lt=2**53)]
    temperature: tuple[Annotated[float, Meta(ge=0.0, le=4.0)], ...] = (1.0,)
    sliders: tuple[Annotated[float, Meta(ge=-16.0, le=16.0)], ...] = ()
    label: Annotated[int, Meta(ge=0)] | None = None
    latent: StoredArray | None = None
    source: Annotated[str, Meta(max_length=300)] = ""


class FixedPixel(msgspec.Struct, frozen=True, array_like=True):
    """Holds a pixel whose colour the user chose."""

    row: Annotated[int, Meta(ge=0, le=65535)]
    column: Annotated[int, Meta(ge=0, le=65535)]
    colour: Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], Meta(min_length=1, max_length=3)]
    """The colour: one grey, or red, green and blue, from 0 to 255."""


class RedrawnFromRow(msgspec.Struct, frozen=True, kw_only=True):
    """States that a picture continues from a row of another one.

    Its first `row` rows are the other picture's. The rest was drawn with the work's seed, except for the imposed
    pixels. The picture itself contains what was kept, so its file is enough to make it again.
    """

    row: Annotated[int, Meta(ge=0, le=65535)]
    fixed_pixels: tuple[FixedPixel, ...] = ()

    def drawn_mask(self, height: int, width: int) -> np.ndarray:
        """Return a mask (height, width) uint8, 1 where the model draws."""
        free = np.ones((height, width), np.uint8)
        free[: self.row] = 0
        for pixel in self._within(height, width):
            free[pixel.row, pixel.column] = 0
        return free

    def impose_on(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture (height, width, channels) uint8 with the imposed pixels on it."""
        seen = picture.copy()
        for pixel in self._within(*picture.shape[:2]):
            seen[pixel.row, pixel.column] = pixel.colour
        return seen

    def _within(self, height: int, width: int) -> list[FixedPixel]:
        return [pixel for pixel in self.fixed_pixels if pixel.row < height and pixel.column < width]


class ModelMixture(msgspec.Struct, frozen=True, kw_only=True):
    """Describes a second model that was mixed with the first one, pixel by pixel or sample by sample."""

    model: Annotated[str, Meta(max_length=200)]
    model_hash: Annotated[str, Meta(max_length=128)]
    share: Annotated[float, Meta(ge=0.0, le=1.0)]
    """The share of the second model, from 0 to 1."""
    share_map: StoredArray | None = None
    """The share at each pixel (height, width); None if it was the same everywhere."""


class SoundEdit(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the settings that the user changed while a sound was generated, from one sample on.

    Fields that are None stayed unchanged.
    """

    sample: Annotated[int, Meta(ge=0, lt=2**53)]
    label: Annotated[int, Meta(ge=0)] | None = None
    share: Annotated[float, Meta(ge=0.0, le=1.0)] | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the recipe of an artwork: with the same model it gives the same artwork again."""

    medium: Literal["picture", "sound"] = "picture"
    sample_rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """The sample rate of a recording in Hz; 0 for pictures and for single cycles."""
    format: Annotated[int, Meta(ge=1, le=1)] = 1
    software: str = f"Latent Studio {__version__}"
    model: Annotated[str, Meta(max_length=200)]
    model_hash: Annotated[str, Meta(max_length=128)]
    """The hash of the model's file (BLAKE2b, 16 bytes, hexadecimal)."""
    seed: Annotated[int, Meta(ge=0, lt=2**53)]
    temperature: tuple[Annotated[float, Meta(ge=0.0, le=4.0)], ...] = (1.0,)
    """One temperature for all scales of the latent, or one for each, from coarse to fine."""
    sliders: tuple[Annotated[float, Meta(ge=-16.0, le=16.0)], ...] = ()
    label: Annotated[int, Meta(ge=0)] | None = None
    palette: Palette = ()
    """The palette of the model; empty if it has none."""
    temperature_map: StoredArray | None = None
    """The temperature of each pixel (height, width), if it was painted or changed while drawing; else None."""
    mix: ModelMixture | None = None
    latent: StoredArray | None = None
    """The latent from which the work starts, if it is a picture of the user; None if it is the seed's noise."""
    source: Annotated[str, Meta(max_length=300)] = ""
    """The name of the file that was opened, for the user."""
    continued_samples: Annotated[int, Meta(ge=0)] = 0
    """The number of samples that were opened from another file and continued. The work's own file contains them."""
    temperature_curve: Annotated[tuple[tuple[SecondsValue, TemperatureValue], ...], Meta(max_length=10_000)] = ()
    """The points (seconds, temperature) of a sound's temperature curve; empty if the temperature stayed the same.

    Straight lines join the points. Two points at the same second are a step.
    """
    wavetable_end: WavetableEnd | None = None
    """The work to which the frames of a wavetable lead; None if the work is no wavetable."""
    edits: Annotated[tuple[SoundEdit, ...], Meta(max_length=100_000)] = ()
    """The user's changes while a sound was generated, in order. The length of the sound is that of its file."""
    canvas_size: tuple[CanvasSide, CanvasSide] | None = None
    """(height, width) of a picture that was not drawn in its model's own size; else None."""
    seamless: bool = False
    """Whether opposite edges of a canvas continue each other."""
    grown_from: tuple[CanvasSide, CanvasSide] | None = None
    """(height, width) of the picture that was continued to the right and downwards. The work's own file contains it."""
    guidance: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.0
    """How much the drawing was sharpened towards the class; 0 for not at all."""
    top_p: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    """The least probability of the levels that each pixel was drawn from; 1 for all levels."""
    redrawn: RedrawnFromRow | None = None
    """The row of another picture from which this one continues; None if the whole picture was drawn."""
    ancestors: Annotated[tuple[Annotated[str, Meta(max_length=128)], ...], Meta(max_length=64)] = ()
    """The `identity_hash` of each kept work from which this one was made, the nearest first."""
    created: str = ""
    """The date and time of creation, ISO 8601."""
    name: Annotated[str, Meta(max_length=80)] = ""
    """The user's name for the work."""

    @property
    def identity_hash(self) -> str:
        """Return a hash that identifies a work, whatever its name.

        It is the hash of the recipe with the earliest keys, because stored works name their ancestors by it. The
        palette belongs to the model, which the recipe names.
        """
        recipe = msgspec.to_builtins(msgspec.structs.replace(self, name=""))
        del recipe["palette"]
        if self.canvas_size is None:  # works are older than canvases
            del recipe["canvas_size"], recipe["seamless"], recipe["grown_from"]
        if not self.sharpening_text:  # they are older than guidance, too
            del recipe["guidance"], recipe["top_p"]
        return storage.hash_bytes(msgspec.json.encode(earlier_keys.WORK.to_earlier(recipe)))

    @property
    def has_live_settings(self) -> bool:
        """Return whether more than a seed, a temperature, a class and sliders determines the work."""
        return bool(self.temperature_map or self.mix or self.edits or self.temperature_curve or self.sharpening_text)

    @property
    def sharpening_text(self) -> str:
        """Return how the drawing was sharpened, for the user; empty if it was not."""
        return sharpening_text(self.guidance, self.top_p)

    @property
    def density_note(self) -> str:
        """Return what the user must know about the bits of the work; empty if nothing was sharpened."""
        return density_note(self.guidance, self.top_p)

    @property
    def file_suffix(self) -> str:
        """Return the suffix of the file that holds the work."""
        return ".wav" if self.medium == "sound" else ".png"

    def end_work(self) -> "Work | None":
        """Return the work at the end of a wavetable; None if the work is no wavetable."""
        return (
            None
            if self.wavetable_end is None
            else msgspec.structs.replace(self, wavetable_end=None, **_end_fields(self.wavetable_end))
        )

    def wavetable_to(self, other: "Work") -> "Work":
        """Return the recipe of the wavetable from this work to another one of the same model."""
        return msgspec.structs.replace(self, wavetable_end=WavetableEnd(**_end_fields(other)))

    def summary(self) -> str:
        """Return a summary for galleries that show a PNG's `parameters`."""
        temperature = ", ".join(f"{t:g}" for t in self.temperature)
        start = f"from {self.source}" if self.latent else f"seed {self.seed}"
        if self.redrawn is not None:
            start = f"on from row {self.redrawn.row}, seed {self.seed}"
        if self.grown_from is not None:
            start = f"grown from {self.source}, seed {self.seed}"
        if self.canvas_size is not None:
            height, width = self.canvas_size
            start += f", {width} × {height}{' seamless' if self.seamless else ''}"
        end = self.wavetable_end
        until = ""
        if end is not None:
            until = f" to from {end.source}" if end.latent else f" to seed {end.seed}"
        temperature += ", changed from pixel to pixel" if self.temperature_map else ""
        mix = f", mixed with {self.mix.model}, share {self.mix.share:g}" if self.mix else ""
        mix += ", changed from pixel to pixel" if self.mix and self.mix.share_map else ""
        sharpened = f", {self.sharpening_text}" if self.sharpening_text else ""
        return f"{self.model}, {start}{until}, temperature {temperature}{sharpened}{mix}. {self.software}"


def _end_fields(of: WavetableEnd | Work) -> dict[str, Any]:
    """Return the fields of a work that an end holds."""
    return {name: getattr(of, name) for name in WavetableEnd.__struct_fields__}


def work_from_json(data: bytes | str) -> Work:
    """Return the recipe in a file's text. Raises msgspec.ValidationError, which names the faulty field."""
    return msgspec.convert(earlier_keys.WORK.to_present(msgspec.json.decode(data)), Work)


def work_to_json(work: Work) -> str:
    """Return a recipe as JSON for a file."""
    return msgspec.json.encode(work).decode()


class BadWork(ValueError):
    """Reports in a sentence for the user that a recipe cannot be read."""


def encode_png(picture: np.ndarray, work: Work, enlargement: Enlargement = UNENLARGED) -> bytes:
    """Encode a picture (height, width, 1 | 3) uint8 as a PNG with its recipe, and with its palette if it has one."""
    texts = {RECIPE_KEY: work_to_json(work), "Software": work.software, "parameters": work.summary()}
    return export.encode_png_bytes(enlargement.enlarge(picture), texts | enlargement.png_texts(picture), work.palette)


class SheetRecipe(msgspec.Struct, frozen=True):
    """Describes a sheet: its recipes, row by row, and the size of each picture in pixels."""

    columns: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]
    width: Annotated[int, Meta(ge=1)]
    works: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=4096)]


def fit_enlargement(enlargement: Enlargement, places: int, shape: tuple[int, ...]) -> Enlargement:
    """Return an enlargement that keeps a sheet of `places` pictures small enough to open here.

    Arguments
        shape: height and width of each picture
    """
    longest = math.isqrt(MAX_PIXELS // places) - export.SHEET_GAP
    high, wide = enlargement.enlarged_size(shape[0], shape[1])
    return enlargement if max(high, wide) <= longest else Enlargement(pixels=longest, smooth=enlargement.smooth)


def reduced_size_text(enlargement: Enlargement, columns: int, pictures: Sequence[np.ndarray]) -> str:
    """Return the size of pictures on a sheet, if it is smaller than requested."""
    columns = min(columns, len(pictures))
    shape = pictures[0].shape[:2]
    asked = enlargement.enlarged_size(shape[0], shape[1])
    high, wide = fit_enlargement(enlargement, -(-len(pictures) // columns) * columns, shape).enlarged_size(
        shape[0], shape[1]
    )
    if (high, wide) == asked:
        return ""
    return f"Each is {wide:,} × {high:,} pixels. At {asked[1]:,} × {asked[0]:,} the sheet would be too large."


def encode_sheet(
    pictures: Sequence[np.ndarray], works: Sequence[Work], columns: int, enlargement: Enlargement = UNENLARGED
) -> bytes:
    """Encode pictures of one size as one PNG, in rows, with the recipe of each.

    They are enlarged as given, but less if the studio could not open a sheet of that size.
    """
    columns = min(columns, len(pictures))
    places = -(-len(pictures) // columns) * columns
    enlargement = fit_enlargement(enlargement, places, pictures[0].shape[:2])
    seen = [enlargement.enlarge(picture) for picture in pictures]
    height, width = seen[0].shape[:2]
    sheet_recipe = SheetRecipe(columns, height, width, [msgspec.Raw(work_to_json(each).encode()) for each in works])
    texts = {
        SHEET_RECIPE_KEY: msgspec.json.encode(sheet_recipe).decode(),
        "Software": works[0].software,
        "parameters": "\n".join(work.summary() for work in works),
    }
    if enlargement.png_texts(pictures[0]):
        texts[SHEET_PIXELS_KEY] = enlarging.pack_picture(export.arrange_sheet(pictures, columns))
    palette = tuple(dict.fromkeys((*works[0].palette, WHITE))) if works[0].palette else ()  # gaps are white
    return export.encode_png_bytes(export.arrange_sheet(seen, columns), texts, palette)


def decode_sheet(data: bytes, array: np.ndarray) -> list[tuple[np.ndarray, Work]]:
    """Return the pictures of a sheet with their recipes. Sheets of other programs have none.

    Pictures that were enlarged smoothly are returned as their model made them, others as they are on the sheet. Raises
    BadWork if a recipe cannot be read.

    Arguments
        array: the pixels of the sheet (height, width, channels) uint8
    """
    texts = export.png_texts(data)
    text = texts.get(SHEET_RECIPE_KEY)
    if text is None:
        return []
    try:
        sheet_recipe = msgspec.json.decode(text, type=SheetRecipe)
    except msgspec.MsgspecError as error:
        raise _recipe_error(error, "sheet") from None
    rows = -(-len(sheet_recipe.works) // sheet_recipe.columns)
    gap = export.SHEET_GAP
    high = sheet_recipe.height
    wide = sheet_recipe.width
    if array.shape[:2] != (rows * (high + gap) + gap, sheet_recipe.columns * (wide + gap) + gap):
        return []  # it was cropped or scaled in another program
    works = [_decode_recipe(bytes(recipe).decode(), "picture") for recipe in sheet_recipe.works]
    seen = _split_sheet(array, sheet_recipe.columns, rows)[: len(works)]
    small = decoder.unpack_picture(texts[SHEET_PIXELS_KEY], array.shape[:2]) if SHEET_PIXELS_KEY in texts else None
    if small is not None and small.shape[0] > rows * (gap + 1) and small.shape[1] > sheet_recipe.columns * (gap + 1):
        originals = _split_sheet(small, sheet_recipe.columns, rows)
        seen = [old if enlarging.is_blended(new, old) else new for new, old in zip(seen, originals, strict=False)]
    return list(zip(seen, works, strict=True))


def _split_sheet(sheet: np.ndarray, columns: int, rows: int) -> list[np.ndarray]:
    """Return the pictures on a sheet, row by row."""
    gap = export.SHEET_GAP
    high = (sheet.shape[0] - gap) // rows - gap
    wide = (sheet.shape[1] - gap) // columns - gap
    found = []
    for row in range(rows):
        for column in range(columns):
            y = gap + row * (high + gap)
            x = gap + column * (wide + gap)
            found.append(sheet[y : y + high, x : x + wide])
    return found


def recipe_of_png(data: bytes) -> Work | None:
    """Return the recipe in a PNG; None if it has none. Raises BadWork if it cannot be read."""
    recipe = export.png_texts(data).get(RECIPE_KEY)
    return _decode_recipe(recipe, "picture") if recipe is not None else None


def encode_wav(sound: np.ndarray, work: Work, *, bits: int = 0) -> bytes:
    """Encode a cycle or a recording (samples,) as a WAV with its recipe.

    It is int16 or float32; `export.encode_wav_bytes` describes the forms.
    """
    return export.encode_wav_bytes(sound, work.sample_rate or wavetable.FILE_RATE, _recipe_comments(work), bits=bits)


def encode_flac(sound: np.ndarray, work: Work, *, bits: int = 16) -> bytes:
    """Encode a recording as a FLAC of 16 or 24 bits with its recipe."""
    words = {"SOFTWARE": work.software, "TITLE": work.summary(), "COMMENT": f"{RECIPE_KEY} {work_to_json(work)}"}
    return export.encode_flac_bytes(sound, work.sample_rate, words, bits=bits)


def recipe_of_flac(data: bytes) -> Work | None:
    """Return the recipe in a FLAC; None if it has none. Raises BadWork if it cannot be read."""
    return _recipe_in_comment(export.flac_comments(data).get("COMMENT", ""))


def encode_wavetable(cycles: np.ndarray, work: Work) -> bytes:
    """Encode int16 cycles (n, samples) as frames of 2,048 samples, as synthesizers load them.

    The chunk `clm ` states the length of a frame, and its 1 asks for linear fades between frames (Serum and Surge read
    it; Vital always assumes 2,048). A single cycle is also a loop with its pitch, for samplers.
    """
    table = wavetable.wavetable_frames(cycles)
    chunks = {"clm ": f"<!>{wavetable.FRAME_SAMPLES} 10000000 wavetable (latent-studio)".encode()}
    if len(cycles) == 1:
        chunks["smpl"] = _loop_chunk(wavetable.FRAME_SAMPLES, wavetable.FILE_RATE)
    return export.encode_wav_bytes(table.reshape(-1), wavetable.FILE_RATE, _recipe_comments(work), chunks)


def recipe_of_wav(data: bytes) -> Work | None:
    """Return the recipe in a WAV; None if it has none. Raises BadWork if it cannot be read."""
    return _recipe_in_comment(single_cycle.riff_texts(data).get("ICMT", ""))


def _recipe_in_comment(comment: str) -> Work | None:
    return (
        _decode_recipe(comment.removeprefix(f"{RECIPE_KEY} "), "sound")
        if comment.startswith(f"{RECIPE_KEY} ")
        else None
    )


def _recipe_comments(work: Work) -> dict[str, str]:
    return {"ISFT": work.software, "INAM": work.summary(), "ICMT": f"{RECIPE_KEY} {work_to_json(work)}"}


def _loop_chunk(samples: int, rate: int) -> bytes:
    """Return a `smpl` chunk that repeats the whole sound as one cycle.

    Its pitch is a MIDI note and a fraction.
    """
    note, part = divmod(69 + 12 * math.log2(rate / samples / 440), 1)
    head = struct.pack("<9I", 0, 0, round(1e9 / rate), int(note), int(part * 2**32), 0, 0, 1, 0)
    return head + struct.pack("<6I", 0, 0, 0, samples - 1, 0, 0)


def _decode_recipe(recipe: str, what: str) -> Work:
    """Read a recipe from a file's text. Raises BadWork."""
    try:
        work = work_from_json(recipe)
        end, mix = work.wavetable_end, work.mix
        for latent in (work.latent, work.temperature_map, end.latent if end else None, mix.share_map if mix else None):
            if latent is not None and not np.isfinite(latent.to_array()).all():
                raise ValueError("latent: not every number is finite")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _recipe_error(error, what) from None
    return work


def _recipe_error(error: Exception, what: str) -> BadWork:
    return BadWork(
        f"How this {what} was made cannot be read ({error}). It is damaged, or comes from a newer version. "
        f"The {what} itself can still be opened."
    )
