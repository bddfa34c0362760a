"""Works, models and training runs that were saved with earlier keys still open, with all that they hold."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest

from studio.library import card as cards
from studio.library import earlier_keys, models, work
from studio.library.earlier_keys import KeyTable
from studio.library.work import (
    FixedPixel,
    ModelMixture,
    RedrawnFromRow,
    SoundEdit,
    StoredArray,
    WavetableEnd,
    Work,
)
from studio.media import export
from studio.media.preparation import AS_USUAL

RECIPES = {
    "flow with sliders and a latent": (
        '{"kind":"picture","rate":0,"format":1,"software":"Latent Studio 0.1.0","model":"glow-emoji-32","model_hash'
        '":"00112233445566778899aabbccddeeff","seed":7,"temperature":[0.5,0.7,0.9],"sliders":[1.5,-2.0],"label":3,"'
        'heat":null,"mix":null,"latent":{"dtype":"<f4","shape":[1,2,2],"data":"AAAAAAAAgD4AAAA/AABAPw=="},"source":'
        '"mine.png","heard":0,"curve":[],"until":null,"turns":[],"rewound":null,"came_from":["ab","cd"],"made":"202'
        '6-11-01T12:00:00","name":"Crown"}'
    ),
    "picture with a temperature map": (
        '{"kind":"picture","rate":0,"format":1,"software":"Latent Studio 0.1.0","model":"pixelcnnpp-emoji-32","mode'
        'l_hash":"00112233445566778899aabbccddeeff","seed":8,"temperature":[1.0],"sliders":[],"label":1,"heat":{"dt'
        'ype":"<f4","shape":[2,2],"data":"AAAAPwAAQD8AAIA/AACgPw=="},"mix":null,"latent":null,"source":"","heard":0'
        ',"curve":[],"until":null,"turns":[],"rewound":null,"came_from":[],"made":"2026-11-01T12:00:00","name":""}'
    ),
    "redrawn picture": (
        '{"kind":"picture","rate":0,"format":1,"software":"Latent Studio 0.1.0","model":"pixelcnnpp-emoji-32","mode'
        'l_hash":"00112233445566778899aabbccddeeff","seed":9,"temperature":[1.0],"sliders":[],"label":null,"heat":n'
        'ull,"mix":null,"latent":null,"source":"","heard":0,"curve":[],"until":null,"turns":[],"rewound":{"row":1,"'
        'imposed":[[1,0,[255,128,0]]]},"came_from":["0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"],"made":"2026-11-01T12:00:00'
        '","name":""}'
    ),
    "mixture of two models": (
        '{"kind":"picture","rate":0,"format":1,"software":"Latent Studio 0.1.0","model":"pixelcnnpp-emoji-32","mode'
        'l_hash":"00112233445566778899aabbccddeeff","seed":10,"temperature":[1.0],"sliders":[],"label":null,"heat":'
        'null,"mix":{"model":"pixelcnnpp-icons-32","model_hash":"ffffffffffffffffffffffffffffffff","share":0.25,"sh'
        'ares":{"dtype":"<f4","shape":[2,2],"data":"AAAAAAAAgD4AAAA/AABAPw=="}},"latent":null,"source":"","heard":0'
        ',"curve":[],"until":null,"turns":[],"rewound":null,"came_from":[],"made":"2026-11-01T12:00:00","name":""}'
    ),
    "inpainted picture": (
        '{"kind":"picture","rate":0,"format":1,"software":"Latent Studio 0.1.0","model":"pixelcnnpp-emoji-32","mode'
        'l_hash":"00112233445566778899aabbccddeeff","seed":11,"temperature":[1.0],"sliders":[],"label":null,"heat":'
        '{"dtype":"<f4","shape":[2,2],"data":"AACAPgAAAD8AAEA/AACAPw=="},"mix":null,"latent":{"dtype":"<f8","shape"'
        ':[1,2,2],"data":"AAAAAAAAAAAAAAAAAADQPwAAAAAAAOA/AAAAAAAA6D8="},"source":"half.png","heard":0,"curve":[],"'
        'until":null,"turns":[],"rewound":null,"came_from":[],"made":"2026-11-01T12:00:00","name":""}'
    ),
    "wavetable": (
        '{"kind":"sound","rate":0,"format":1,"software":"Latent Studio 0.1.0","model":"maf-wavetables","model_hash"'
        ':"00112233445566778899aabbccddeeff","seed":12,"temperature":[1.0],"sliders":[0.5],"label":null,"heat":null'
        ',"mix":null,"latent":null,"source":"","heard":0,"curve":[],"until":{"seed":13,"temperature":[0.8],"sliders'
        '":[-1.0],"label":2,"latent":{"dtype":"<f4","shape":[2],"data":"AAAAPwAAgD4="},"source":"sine.wav"},"turns"'
        ':[],"rewound":null,"came_from":[],"made":"2026-11-01T12:00:00","name":""}'
    ),
    "recording edited while it played": (
        '{"kind":"sound","rate":16000,"format":1,"software":"Latent Studio 0.1.0","model":"wavenet-piano-16k","mode'
        'l_hash":"00112233445566778899aabbccddeeff","seed":14,"temperature":[1.0],"sliders":[],"label":0,"heat":nul'
        'l,"mix":{"model":"wavenet-musicbox-16k","model_hash":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","share":0.5,"share'
        's":null},"latent":null,"source":"waltz.flac","heard":3,"curve":[[0.0,1.0],[0.5,0.75]],"until":null,"turns"'
        ':[{"at":0,"label":null,"share":0.5},{"at":4,"label":2,"share":null}],"rewound":null,"came_from":[],"made":'
        '"2026-11-01T12:00:00","name":""}'
    ),
}
"""What 0.1.0 wrote before its release, byte for byte."""
HASHES = {
    "flow with sliders and a latent": "89a8beeff9a7ab59132fab5fd35d4cf9",
    "picture with a temperature map": "b2ae5e2d7ef0243a14aded8fc9215dd0",
    "redrawn picture": "2c381580860aff35f29fb19e34ee1727",
    "mixture of two models": "69ee090a67dd258a8111bb3bae57ee2f",
    "inpainted picture": "d2a999231c1cdaaf2825eeee065faac1",
    "wavetable": "a02617a9ac1996aea767302b3f3ac01d",
    "recording edited while it played": "69e17ca9f3b12eee34461eb3e4541452",
}
"""By which the works that came from them name them."""
MAP = np.arange(4, dtype="<f4").reshape(2, 2) / 4


def array(values: Any) -> StoredArray:
    return StoredArray.from_array(np.asarray(values))


COMMON: dict[str, Any] = {
    "software": "Latent Studio 0.1.0",
    "model_hash": "00112233445566778899aabbccddeeff",
    "created": "2026-11-01T12:00:00",
}
WORKS = {
    "flow with sliders and a latent": Work(
        model="glow-emoji-32",
        seed=7,
        temperature=(0.5, 0.7, 0.9),
        sliders=(1.5, -2.0),
        label=3,
        latent=array(MAP[None]),
        source="mine.png",
        name="Crown",
        ancestors=("ab", "cd"),
        **COMMON,
    ),
    "picture with a temperature map": Work(
        model="pixelcnnpp-emoji-32", seed=8, temperature_map=array(MAP + 0.5), label=1, **COMMON
    ),
    "redrawn picture": Work(
        model="pixelcnnpp-emoji-32",
        seed=9,
        redrawn=RedrawnFromRow(row=1, fixed_pixels=(FixedPixel(1, 0, (255, 128, 0)),)),
        ancestors=("0f" * 16,),
        **COMMON,
    ),
    "mixture of two models": Work(
        model="pixelcnnpp-emoji-32",
        seed=10,
        mix=ModelMixture(model="pixelcnnpp-icons-32", model_hash="ff" * 16, share=0.25, share_map=array(MAP)),
        **COMMON,
    ),
    "inpainted picture": Work(
        model="pixelcnnpp-emoji-32",
        seed=11,
        temperature_map=array(MAP + 0.25),
        latent=array(MAP[None].astype("<f8")),
        source="half.png",
        **COMMON,
    ),
    "wavetable": Work(
        medium="sound",
        model="maf-wavetables",
        seed=12,
        sliders=(0.5,),
        wavetable_end=WavetableEnd(
            seed=13,
            temperature=(0.8,),
            sliders=(-1.0,),
            label=2,
            latent=array(np.array([0.5, 0.25], "<f4")),
            source="sine.wav",
        ),
        **COMMON,
    ),
    "recording edited while it played": Work(
        medium="sound",
        sample_rate=16_000,
        model="wavenet-piano-16k",
        seed=14,
        label=0,
        continued_samples=3,
        source="waltz.flac",
        temperature_curve=((0.0, 1.0), (0.5, 0.75)),
        edits=(SoundEdit(sample=0, share=0.5), SoundEdit(sample=4, label=2)),
        mix=ModelMixture(model="wavenet-musicbox-16k", model_hash="ee" * 16, share=0.5),
        **COMMON,
    ),
}
SOUNDS = ("wavetable", "recording edited while it played")
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 2, 3), np.uint8)
SAMPLES = np.arange(-128, 128, dtype=np.int16)


def saved_in_file(name: str) -> Work | None:
    """Return the work that is read from a file which holds the earlier recipe."""
    if name not in SOUNDS:
        return work.recipe_of_png(export.encode_png_bytes(PIXELS, {work.RECIPE_KEY: RECIPES[name]}))
    return work.recipe_of_wav(export.encode_wav_bytes(SAMPLES, 16_000, {"ICMT": f"{work.RECIPE_KEY} {RECIPES[name]}"}))


@pytest.mark.parametrize("name", RECIPES)
def test_a_work_saved_with_earlier_keys_opens_whole(name: str) -> None:
    assert saved_in_file(name) == WORKS[name]


def test_a_flac_saved_with_earlier_keys_opens_whole() -> None:
    name = "recording edited while it played"
    data = export.encode_flac_bytes(SAMPLES, 16_000, {"COMMENT": f"{work.RECIPE_KEY} {RECIPES[name]}"})
    assert work.recipe_of_flac(data) == WORKS[name]


def test_a_sheet_saved_with_earlier_keys_opens_whole() -> None:
    names = [name for name in RECIPES if name not in SOUNDS]
    sheet = export.arrange_sheet([PIXELS] * len(names), 2)
    layout = f'{{"columns":2,"height":2,"width":2,"works":[{",".join(RECIPES[name] for name in names)}]}}'
    found = work.decode_sheet(export.encode_png_bytes(sheet, {work.SHEET_RECIPE_KEY: layout}), sheet)
    assert [made for _, made in found] == [WORKS[name] for name in names]


@pytest.mark.parametrize("name", RECIPES)
def test_a_work_keeps_the_hash_by_which_others_name_it(name: str) -> None:
    assert WORKS[name].identity_hash == HASHES[name]


@pytest.mark.parametrize("name", RECIPES)
def test_a_work_is_written_with_present_keys_alone(name: str) -> None:
    written = json.loads(work.work_to_json(WORKS[name]))
    assert not written.keys() & earlier_keys.WORK.keys.keys()
    assert earlier_keys.WORK.to_present(written) == written


CARD = (
    '{"name":"digits","title":"Spoken digits","family":"wavenet","family_title":"WaveNet","makes":"Digits",'
    '"kind":"sound","group":"study","smooth":true,"shape":[8000],"levels":256,"rate":8000,'
    '"recipe":{"family":"wavenet"},"learned_from":"2,700 spoken digits","licence":"CC BY-SA 4.0","parameters":680128,'
    '"steps":3400,"metric":"bits per sample given its kind","value":4.5828,"exact":true,"figures":[],'
    '"spread":[2.5,3.0],"paper":"4.21 of 5","temperature":1.0,"temperature_range":[0.5,4.0],"opening":0.25,'
    '"scales":["All"],"directions":[],"classes":["0 george"],"labels":["label","speaker"],"seconds_each":0.5,'
    '"date":"2026-11-26","version":"0.1.0","former":["c9a22fc68af1680626cec76221bd9038"]}'
)


def test_a_model_trained_before_opens_with_its_whole_card() -> None:
    card = cards.card_from_json(CARD)
    assert (card.subject, card.medium, card.shown_smooth, card.sample_rate) == ("Digits", "sound", True, 8000)
    assert (card.training_data, card.paper_figure) == ("2,700 spoken digits", "4.21 of 5")
    assert (card.bits_quantiles, card.opening_temperature) == ((2.5, 3.0), 0.25)
    assert card.label_columns == ("label", "speaker")
    assert card.former_hashes == ("c9a22fc68af1680626cec76221bd9038",)
    written = json.loads(cards.card_to_json(card))
    assert written.pop("preparation") == json.loads(msgspec.json.encode(AS_USUAL)), "there was no other preparation"
    assert (written.pop("role"), written.pop("pyramid")) == ("model", None), "there were no pyramids"
    assert written.pop("palette") == [], "there were no palettes"
    assert written.pop("copy_check") is None, "nothing was compared"
    assert list(written.values()) == list(json.loads(CARD).values()), "nothing is lost, and nothing has moved"
    assert not written.keys() & earlier_keys.CARD.keys.keys()


def test_the_cards_of_the_shipped_models_have_present_keys() -> None:
    for path in sorted(models.shipped_folder().glob("*.safetensors")):
        with open(path, "rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        card = json.loads(head["__metadata__"]["card"])
        assert not card.keys() & earlier_keys.CARD.keys.keys(), path.name


def tables(table: KeyTable) -> list[KeyTable]:
    return [table, *(inner for part in table.parts.values() for inner in tables(part))]


@pytest.mark.parametrize("name", ["WORK", "CARD", "TRAINING_CONFIG", "CHECKPOINT"])
def test_no_present_key_was_an_earlier_one(name: str) -> None:
    """Otherwise a record with present keys would be changed."""
    for table in tables(getattr(earlier_keys, name)):
        assert not set(table.keys) & set(table.keys.values())


@pytest.mark.parametrize("stored", [[], None, 3, "kind", {"mix": 3}, {"edits": [None]}])
def test_a_record_that_makes_no_sense_is_refused_by_its_field(stored: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        work.work_from_json(json.dumps(stored))


def test_the_present_key_counts_if_both_are_there() -> None:
    assert earlier_keys.WORK.to_present({"medium": "sound", "kind": "picture"}) == {"medium": "sound"}
