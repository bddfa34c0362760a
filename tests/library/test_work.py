"""A saved picture states exactly how it was made. Nothing in it can do harm."""

import io
import json
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image, PngImagePlugin

from studio.library import work
from studio.library.work import (
    BadWork,
    FixedPixel,
    ModelMixture,
    RedrawnFromRow,
    SoundEdit,
    StoredArray,
    Work,
    decode_sheet,
    encode_png,
    encode_sheet,
    recipe_of_png,
)
from studio.media import export
from studio.media.pictures.enlarging import Enlargement
from studio.media.sounds import audio_file, single_cycle, wavetable

PICTURE = np.random.default_rng(1).integers(0, 256, (8, 6, 3), np.uint8)
WORK = Work(
    model="realnvp-emoji-32",
    model_hash="0123456789abcdef" * 2,
    seed=2**53 - 1,
    temperature=(0.7, 0.1 + 0.2),
    sliders=(-1.25, 0.1, 16.0),
    label=3,
    source="日本語 фото ñ.jpg",
    created="2026-11-23T12:00:00+01:00",
)


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Return a PNG with one more chunk after its header."""
    return data[:33] + chunk(kind, body) + data[33:]


def test_painted_maps_and_mixtures_are_stored_and_summarised() -> None:
    heat = np.linspace(0, 4, 48, dtype=np.float32).reshape(8, 6)
    mix = ModelMixture(model="garden", model_hash="ab", share=0.25, share_map=StoredArray.from_array(heat / 4))
    got = recipe_of_png(
        encode_png(PICTURE, msgspec.structs.replace(WORK, temperature_map=StoredArray.from_array(heat), mix=mix))
    )
    assert got is not None
    assert got.has_live_settings
    assert not WORK.has_live_settings
    assert got.temperature_map is not None
    assert np.array_equal(got.temperature_map.to_array(), heat)
    assert got.mix == mix
    assert "changed from pixel to pixel, mixed with garden, share 0.25, changed from pixel to pixel." in got.summary()
    bad = msgspec.structs.replace(WORK, temperature_map=StoredArray.from_array(np.full((8, 6), np.nan)))
    with pytest.raises(BadWork, match="not every number is finite"):
        recipe_of_png(encode_png(PICTURE, bad))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_saved_work_returns_its_recipe_and_pixels(dtype: type, scale: int) -> None:
    z = np.random.default_rng(2).normal(size=(3, 8, 6)).astype(dtype)
    z[0, 0, 0] = np.nextafter(dtype(1), dtype(2))
    made = Work(
        **{name: getattr(WORK, name) for name in ("model", "model_hash", "seed")}, latent=StoredArray.from_array(z)
    )
    data = encode_png(PICTURE, made, Enlargement(scale))
    got = recipe_of_png(data)
    assert got == made
    assert got is not None
    assert got.latent is not None
    assert got.latent.to_array().tobytes() == z.tobytes()
    assert got.latent.to_array().shape == z.shape
    np.testing.assert_array_equal(pixels(data)[::scale, ::scale], PICTURE)
    assert pixels(data).shape == (8 * scale, 6 * scale, 3)


works = some.builds(
    Work,
    model=some.text(max_size=50).filter(lambda name: name.isprintable()),
    model_hash=some.text("0123456789abcdef", max_size=32),
    seed=some.integers(0, 2**53 - 1),
    temperature=some.lists(some.floats(0, 4), max_size=5).map(tuple),
    sliders=some.lists(some.floats(-16, 16), max_size=12).map(tuple),
    label=some.none() | some.integers(0, 10),
    source=some.text(max_size=50),
    created=some.text(max_size=30),
)


@given(works)
@settings(max_examples=60, deadline=None)
def test_any_recipe_comes_back_unchanged(made: Work) -> None:
    assert recipe_of_png(encode_png(PICTURE, made)) == made


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_a_sheet_returns_every_picture_and_its_recipe(columns: int) -> None:
    pictures = [PICTURE, PICTURE[::-1], PICTURE[:, ::-1]]
    works = [msgspec.structs.replace(WORK, seed=seed) for seed in range(3)]
    data = encode_sheet(pictures, works, columns, Enlargement(4))
    found = decode_sheet(data, pixels(data))
    assert [made for _, made in found] == works
    for (seen, _), picture in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(seen, picture.repeat(4, 0).repeat(4, 1))
    assert recipe_of_png(data) is None
    assert decode_sheet(data, pixels(data)[:-1]) == [], "it was cut since"
    assert decode_sheet(encode_png(PICTURE, WORK), PICTURE) == []


def test_a_smooth_sheet_returns_every_original_picture_unless_it_was_edited() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 6, 3), np.uint8) for _ in range(5)]
    works = [msgspec.structs.replace(WORK, seed=seed) for seed in range(5)]
    data = encode_sheet(pictures, works, 2, Enlargement(4, smooth=True))
    sheet = pixels(data).copy()
    found = decode_sheet(data, sheet)
    assert [made for _, made in found] == works
    for (seen, _), picture in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(seen, picture)
    sheet[4:12, 4:12] = 0
    (first, _), (second, _) = decode_sheet(data, sheet)[:2]
    assert first.shape == (32, 24, 3)
    assert not first[2:10, 2:10].any()
    np.testing.assert_array_equal(second, pictures[1])


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        '{"columns":0,"height":8,"width":6,"works":[{}]}',
        '{"columns":1,"height":8,"width":6,"works":[]}',
        '{"columns":1,"height":8,"width":6,"works":[{}]}',
    ],
)
def test_an_unreadable_sheet_is_refused_in_a_sentence(said: str) -> None:
    array = np.zeros((8 + 4, 6 + 4, 3), np.uint8)
    with pytest.raises(BadWork, match="cannot be read"):
        decode_sheet(export.encode_png_bytes(array, {work.SHEET_RECIPE_KEY: said}), array)


def test_a_grey_picture_is_saved_grey() -> None:
    data = encode_png(PICTURE[..., :1], WORK)
    assert Image.open(io.BytesIO(data)).mode == "L"
    np.testing.assert_array_equal(pixels(data), PICTURE[..., 0])


def test_other_programs_can_read_how_it_was_made() -> None:
    with Image.open(io.BytesIO(encode_png(PICTURE, WORK))) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        texts = image.text
    assert texts["parameters"] == WORK.summary()
    assert "realnvp-emoji-32, seed 9007199254740991, temperature 0.7" in texts["parameters"]
    assert texts["Software"].startswith("Latent Studio")
    assert json.loads(texts[work.RECIPE_KEY])["seed"] == WORK.seed


def test_the_recipe_survives_another_program_that_compresses_it() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(work.RECIPE_KEY, work.work_to_json(WORK), zip=True)
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "PNG", pnginfo=info)
    assert recipe_of_png(buffer.getvalue()) == WORK


def test_a_picture_of_another_program_has_no_recipe() -> None:
    assert recipe_of_png(export.encode_png_bytes(PICTURE)) is None
    assert recipe_of_png(export.encode_png_bytes(PICTURE, {"parameters": "a rose"})) is None
    assert recipe_of_png(b"") is None
    assert recipe_of_png(b"\xff\xd8\xff no PNG") is None


RECIPE = json.loads(work.work_to_json(WORK))
LATENT = {"dtype": "<f4", "shape": [2], "data": "AACAPwAAgD8="}


@pytest.mark.parametrize(
    "recipe",
    [
        "",
        "rubbish",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**RECIPE, "format": 2}),
        json.dumps({**RECIPE, "seed": -1}),
        json.dumps({**RECIPE, "seed": 2**53}),
        json.dumps({**RECIPE, "sliders": [1e300]}),
        json.dumps({**RECIPE, "temperature": [float("nan")]}),
        json.dumps({**RECIPE, "latent": {**LATENT, "shape": [3]}}),
        json.dumps({**RECIPE, "latent": {**LATENT, "shape": [65536] * 9}}),
        json.dumps({**RECIPE, "latent": {**LATENT, "dtype": "|O"}}),
        json.dumps({**RECIPE, "latent": {**LATENT, "data": "no base64"}}),
        json.dumps({**RECIPE, "latent": {**LATENT, "data": "AACAfwAAgD8="}}),
    ],
    ids=lambda recipe: recipe[-40:],
)
def test_a_recipe_that_cannot_be_read_is_reported_and_not_used(recipe: str) -> None:
    data = export.encode_png_bytes(PICTURE, {work.RECIPE_KEY: recipe})
    with pytest.raises(BadWork, match="The picture itself can still be opened"):
        recipe_of_png(data)


def test_a_text_that_unpacks_endlessly_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_TEXT_BYTES", 2**20)
    bomb = zlib.compress(bytes(2**25), 9)
    for kind, body in (
        (b"iTXt", work.RECIPE_KEY.encode() + b"\0\1\0\0\0" + bomb),
        (b"zTXt", work.RECIPE_KEY.encode() + b"\0\0" + bomb),
    ):
        data = with_chunk(export.encode_png_bytes(PICTURE, {"Title": "kept"}), kind, body)
        assert len(data) < 100_000
        tracemalloc.start()
        assert export.png_texts(data) == {"Title": "kept"}
        assert recipe_of_png(data) is None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**23


def damaged(data: bytes) -> Any:
    for cut in range(len(data)):
        yield data[:cut]
    for place in range(len(data)):
        yield data[:place] + bytes([data[place] ^ 0x5A]) + data[place + 1 :]


def test_a_damaged_picture_returns_its_whole_recipe_or_none() -> None:
    data = encode_png(PICTURE[:2, :2], WORK)
    whole = 0
    for changed in damaged(data):
        got = recipe_of_png(changed)
        assert got in (WORK, None)
        whole += got is not None
    assert 0 < whole < 2 * len(data)


# ── sounds ───────────────────────────────────────────────────────────────────────────────────────

SOUND = msgspec.structs.replace(
    WORK, medium="sound", model="maf-wavetables", latent=StoredArray.from_array(np.arange(256) / 7)
)
CYCLE = np.random.default_rng(3).integers(-20_000, 20_000, 256).astype(np.int16)


def test_a_saved_wave_returns_its_recipe_and_samples(tmp_path: Path) -> None:
    data = work.encode_wav(CYCLE, SOUND)
    assert work.recipe_of_wav(data) == SOUND
    (tmp_path / "a.wav").write_bytes(data)
    assert (single_cycle.read_wave(tmp_path / "a.wav", 256).array == CYCLE).all()


def test_a_recording_returns_its_recipe_and_samples_in_any_format(tmp_path: Path) -> None:
    made = msgspec.structs.replace(
        SOUND,
        latent=None,
        sample_rate=16_000,
        edits=(SoundEdit(sample=100, share=0.5), SoundEdit(sample=150, label=3)),
        name="Rain, 雨",
    )
    for bits in (16, 24):
        for data, back, ending in (
            (work.encode_wav(CYCLE, made, bits=bits), work.recipe_of_wav, "wav"),
            (work.encode_flac(CYCLE, made, bits=bits), work.recipe_of_flac, "flac"),
        ):
            assert back(data) == made and made.has_live_settings
            (tmp_path / f"a.{ending}").write_bytes(data)
            heard = audio_file.open_recording(tmp_path / f"a.{ending}", centred=False)
            assert heard.rate == 16_000 and (heard.samples * 32_768 == CYCLE).all()
    assert work.recipe_of_flac(export.encode_flac_bytes(CYCLE, 16_000, {"COMMENT": "recorded at home"})) is None


def test_a_wavetable_is_loaded_as_synthesizers_do(tmp_path: Path) -> None:
    """It has 64 frames of 2,048 samples, one channel of floats, and the frame's length."""
    cycles = np.stack([np.roll(CYCLE, n) // 3 for n in range(64)])
    data = work.encode_wavetable(cycles, SOUND.wavetable_to(WORK))
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert samples.shape == (64 * 2048,) and rate == 44_100
    assert (np.rint(samples.reshape(64, 2048)[:, ::8] * 32_768) == cycles).all()
    parts = single_cycle.riff_chunks(data)
    assert parts[b"clm "].startswith(b"<!>2048 1") and b"smpl" not in parts
    assert list(parts)[-1] == b"data"  # a look at the beginning of the file finds all the rest
    made = work.recipe_of_wav(data)
    assert made is not None and made.wavetable_end is not None and made.wavetable_end.seed == WORK.seed
    assert made.end_work() == msgspec.structs.replace(
        SOUND, latent=None, wavetable_end=None, seed=WORK.seed, sliders=WORK.sliders
    )


def test_a_single_cycle_is_a_loop_with_its_pitch() -> None:
    data = work.encode_wavetable(CYCLE[None] // 3, SOUND)
    loop = struct.unpack("<15I", single_cycle.riff_chunks(data)[b"smpl"])
    note = loop[3] + loop[4] / 2**32
    assert wavetable.note_frequency(note) == pytest.approx(44_100 / 2048, rel=1e-7)
    assert loop[7] == 1 and loop[11:13] == (0, 2047)
    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert samples.shape == (2048,)


def test_a_wave_without_a_recipe_has_none_and_a_broken_recipe_is_refused() -> None:
    assert work.recipe_of_wav(export.encode_wav_bytes(CYCLE, 44_100, {"ICMT": "recorded at home"})) is None
    assert work.recipe_of_wav(b"no sound") is None
    with pytest.raises(BadWork, match="How this sound was made cannot be read"):
        work.recipe_of_wav(export.encode_wav_bytes(CYCLE, 44_100, {"ICMT": f'{work.RECIPE_KEY} {{"kind": "sound"}}'}))
    broken = SOUND.wavetable_to(msgspec.structs.replace(SOUND, latent=StoredArray.from_array(np.full(4, np.nan))))
    with pytest.raises(BadWork, match="not every number is finite"):
        work.recipe_of_wav(work.encode_wav(CYCLE, broken))


def test_the_summary_names_both_ends() -> None:
    assert "seed 9007199254740991 to from 日本語" not in SOUND.summary()
    assert " to seed 9007199254740991," in SOUND.wavetable_to(WORK).summary()
    assert (SOUND.file_suffix, WORK.file_suffix) == (".wav", ".png")


def test_a_picture_redrawn_from_a_row_contains_the_kept_part() -> None:
    rewound = RedrawnFromRow(row=4, fixed_pixels=(FixedPixel(5, 2, (40, 90, 200)), FixedPixel(99, 0, (1, 2, 3))))
    made = msgspec.structs.replace(WORK, redrawn=rewound, ancestors=("ab", "cd"), name="Crown")
    data = encode_png(rewound.impose_on(PICTURE), made)
    got = recipe_of_png(data)
    assert got == made
    assert got is not None
    assert got.redrawn is not None
    free = got.redrawn.drawn_mask(8, 6)
    assert free[:4].sum() == 0
    assert free[4:].sum() == 23  # 4 rows of 6, without one pixel; the other lies outside
    assert tuple(pixels(data)[5, 2]) == (40, 90, 200)
    np.testing.assert_array_equal(pixels(data)[:4], PICTURE[:4])
    assert "on from row 4, seed" in made.summary()


def test_a_work_is_recognised_by_its_hash_under_any_name() -> None:
    assert WORK.identity_hash == msgspec.structs.replace(WORK, name="Crown").identity_hash
    assert WORK.identity_hash != msgspec.structs.replace(WORK, seed=1).identity_hash
    again = work.work_from_json(work.work_to_json(WORK))
    assert again.identity_hash == WORK.identity_hash


def test_guidance_and_top_p_are_stored_and_summarised() -> None:
    sharpened = msgspec.structs.replace(WORK, guidance=1.5, top_p=0.9)
    got = recipe_of_png(encode_png(PICTURE, sharpened))
    assert got == sharpened
    assert got is not None
    assert got.has_live_settings
    assert got.sharpening_text == "guidance 1.5 and top-p 0.9"
    assert "temperature 0.7, 0.3, guidance 1.5 and top-p 0.9. " in got.summary()
    assert len({each.identity_hash for each in (WORK, got, msgspec.structs.replace(WORK, top_p=0.9))}) == 3


def test_recipes_of_the_first_version_are_read() -> None:
    old = {"model": "m", "model_hash": "", "seed": 7, "temperature": [0.7], "made": "2026-11-23T12:00:00+01:00"}
    got = work.work_from_json(json.dumps(old))
    assert (got.seed, got.redrawn, got.ancestors, got.name) == (7, None, (), "")


@pytest.mark.parametrize(
    "rewound",
    [{"row": -1}, {"row": 3, "fixed_pixels": [[0, 0, []]]}, {"row": 3, "fixed_pixels": [[0, 0, [256]]]}, {"row": "3"}],
)
def test_a_row_or_colour_that_makes_no_sense_is_refused(rewound: dict[str, Any]) -> None:
    texts = {work.RECIPE_KEY: json.dumps({"model": "m", "model_hash": "", "seed": 7, "redrawn": rewound})}
    with pytest.raises(BadWork, match="redrawn"):
        recipe_of_png(export.encode_png_bytes(PICTURE, texts))
