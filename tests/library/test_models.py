"""A trained model is found, listed and read. Anything that only pretends to be one is refused with a sentence."""

import json
import os
import pickle
import random
import struct
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from studio.library import card, model_file, models, storage
from studio.library.models import BadModel

CARD = card.Card(
    name="tiny-model",
    title="Tiny",
    family="realnvp",
    family_title="RealNVP",
    subject="Dots, 2 × 2 grey",
    shape=(1, 2, 2),
    recipe={"family": "realnvp"},
    training_data="4 dots",
    licence="CC0",
    parameters=4,
    steps=1,
    value=1.5,
    exact=True,
    directions=("1", "2", "3"),
    date="2026-11-23",
    version="0.1.0",
)
COVER = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes in folders nor devices")


def write_model(path: Path, made: card.Card = CARD, **tensors: np.ndarray) -> Path:
    """Write a small sound model to a file."""
    held = {"weights.net.w": np.ones((2, 2), np.float32), "cover": COVER, **tensors}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors.numpy.save(held, {"card": card.card_to_json(made)}))
    return path


def with_header(head: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a safetensors file as anybody might write it."""
    written = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(written) if length is None else length) + written + data


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder that replaces the shipped models."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(models, "shipped_folder", lambda: folder)
    return folder


# ── finding ──────────────────────────────────────────────────────────────────────────────────────


def test_shipped_models_are_listed_by_purpose_and_not_by_name(shelf: Path) -> None:
    met = (
        "pixelcnnpp-brush-32", "maf-letters-32", "pixelcnnpp-icons-32", "glow-flowers-32", "realnvp-emoji-32",
        "maf-wavetables", "wavenet-piano-16k", "maf-mnist-28", "gated-pixelcnn-fashion-28", "a-new-one",
    )  # fmt: skip
    for name in sorted(met):
        write_model(shelf / f"{name}.safetensors")
    assert tuple(trained.card.name for trained in models.list_models()[0]) == met


def test_every_shipped_model_has_its_place_in_the_order() -> None:
    folder = models.shipped_folder() / "recipes"
    recipes = {path.stem: json.loads(path.read_bytes()) for path in folder.glob("*.json")}
    listed = [name for name, fields in recipes.items() if fields["recipe"]["family"] != "upsampler"]
    listed += [path.stem for path in (folder / "pyramids").glob("*.json")]
    assert sorted(models.SHIPPED_ORDER) == sorted(listed), "an upsampler is in no list"


def test_shipped_models_come_first_and_then_the_users_own(shelf: Path) -> None:
    write_model(storage.home_folder("models") / "aaa-own.safetensors")
    write_model(shelf / "zzz-shipped.safetensors")
    write_model(shelf / ".hidden.safetensors")
    (shelf / "README.md").write_text("no model")
    found, refused = models.list_models()
    assert [trained.card.name for trained in found] == ["zzz-shipped", "aaa-own"]
    assert refused == []
    assert models.find_model("aaa-own") == found[1]
    assert models.find_model("zzz-shipped").card.title == "Tiny"


def test_one_bad_file_spoils_no_list(shelf: Path) -> None:
    write_model(shelf / "good.safetensors")
    (shelf / "bad.safetensors").write_bytes(b"rubbish")
    (shelf / "torch.pt").write_bytes(b"\x80\x02.")
    found, refused = models.list_models()
    assert [trained.card.name for trained in found] == ["good"]
    assert len(refused) == 2
    assert '"bad.safetensors"' in refused[0]
    assert "pickle" in refused[1]


def test_the_users_model_wins_over_a_shipped_one_of_the_same_name(shelf: Path) -> None:
    write_model(shelf / "flowers.safetensors")
    own = write_model(storage.home_folder("models") / "flowers.safetensors")
    assert [trained.path for trained in models.list_models()[0]] == [own]
    assert models.find_model("flowers").path == own


def test_a_model_is_found_by_its_name_without_opening_others(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("flowers", "others", "waves"):
        write_model(shelf / f"{name}.safetensors")
    monkeypatch.setattr(models, "list_models", None)
    assert models.find_model("flowers").path == shelf / "flowers.safetensors"


def test_a_broken_model_of_the_user_hides_no_shipped_model(shelf: Path) -> None:
    write_model(shelf / "flowers.safetensors")
    own = write_model(storage.home_folder("models") / "flowers.safetensors")
    own.write_bytes(b"rubbish")
    assert models.find_model("flowers").path == shelf / "flowers.safetensors"


def test_a_file_that_was_renamed_goes_by_its_new_name(shelf: Path) -> None:
    write_model(shelf / "renamed.safetensors")
    write_model(shelf / "Name with CAPITALS.safetensors")
    assert {trained.card.name for trained in models.list_models()[0]} == {"renamed", "tiny-model"}


def test_an_unknown_name_is_refused_with_similar_ones(shelf: Path) -> None:
    with pytest.raises(BadModel, match="no trained model at all"):
        models.find_model("anything")
    for name in ("realnvp-emoji-32", "realnvp-fashion-28", "glow-flowers-64"):
        write_model(shelf / f"{name}.safetensors")
    with pytest.raises(BadModel, match=r'"realnvp-emoij". The nearest: realnvp-emoji-32'):
        models.find_model("realnvp-emoij")


def test_an_upsampler_is_listed_nowhere_and_copied_once(tmp_path: Path, shelf: Path) -> None:
    details = msgspec.structs.replace(CARD, role="upsampler")
    path = write_model(tmp_path / "details.safetensors", details)
    added = models.import_model(path)
    assert added.path == storage.home_folder("models") / "details.safetensors"
    assert models.import_model(path).path == added.path
    assert models.list_models() == ([], [])
    parts = card.PyramidParts(upsampler="details", upsampler_hash=added.file_hash, coarse_shape=(1, 1, 1))
    assert models.find_upsampler(msgspec.structs.replace(CARD, pyramid=parts)).path == added.path


def test_a_model_is_found_by_the_path_of_its_file(tmp_path: Path, shelf: Path) -> None:
    path = write_model(tmp_path / "elsewhere" / "mine.safetensors")
    assert models.find_model(str(path)).card.name == "mine"
    with pytest.raises(BadModel, match="gone.safetensors"):
        models.find_model(str(tmp_path / "gone.safetensors"))


def test_the_shipped_models_are_next_to_the_package() -> None:
    assert models.shipped_folder().name == "models"
    assert (models.shipped_folder().parent / "studio").is_dir() or models.shipped_folder().parent.name == "studio"


@POSIX_ONLY
@pytest.mark.timeout(10)
def test_pipes_devices_and_folders_are_named_without_waiting(shelf: Path) -> None:
    os.mkfifo(shelf / "pipe.safetensors")
    (shelf / "zero.safetensors").symlink_to("/dev/zero")
    (shelf / "folder.safetensors").mkdir()
    (shelf / "lost.safetensors").symlink_to(shelf / "nowhere")
    (shelf / "linked.safetensors").symlink_to(write_model(shelf / "good.safetensors"))
    found, refused = models.list_models()
    assert [trained.card.name for trained in found] == ["good", "linked"]
    assert len(refused) == 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"shape": (3, 65536, 65536)}, "larger than the file"),
        ({"shape": (1, 700, 700)}, "larger than the file"),
        ({"shape": (1, 2)}, "not colours × height × width"),
        ({"shape": ()}, "not colours × height × width"),
        ({"shape": (2, 2, 2)}, "not colours × height × width"),
        ({"medium": "sound"}, "a sound 3 dimensions"),
        ({"levels": 257}, "257 levels"),
    ],
)
def test_a_card_whose_shape_cannot_be_is_refused_in_words(fields: dict[str, Any], words: str, shelf: Path) -> None:
    write_model(shelf / "claims.safetensors", msgspec.structs.replace(CARD, **fields))
    found, (refused,) = models.list_models()
    assert found == []
    assert '"claims.safetensors"' in refused and words in refused


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def test_a_model_is_read_whole(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors")
    data = models.read_model(path)
    assert data == path.read_bytes()
    np.testing.assert_array_equal(safetensors.numpy.load(data)["weights.net.w"], np.ones((2, 2), np.float32))


def test_the_cover_is_read_alone(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", zzz=np.ones(5, np.float16))
    np.testing.assert_array_equal(models.read_cover(path), COVER)
    assert len(models.read_cover(write_model(tmp_path / "n.safetensors", cover=np.zeros((0, 2, 2, 1), np.uint8)))) == 0
    plain = safetensors.numpy.save({"weights.w": np.ones(1, np.float32)})
    (tmp_path / "plain.safetensors").write_bytes(plain)
    assert len(models.read_cover(tmp_path / "plain.safetensors")) == 0
    with pytest.raises(BadModel, match="cover"):
        models.read_cover(write_model(tmp_path / "o.safetensors", cover=np.zeros(5, np.float32)))


def test_another_card_keeps_the_parameters_and_recognises_earlier_works(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", directions=np.ones((3, 2, 2), np.float16))
    first = models.find_model(str(path))
    models.rename_direction(first, 1, "warmth")
    was = first.file_hash
    for title in ("Another", "A third"):
        trained = models.find_model(str(path))
        models.write_card(trained, msgspec.structs.replace(trained.card, title=title))
    now = models.find_model(str(path))
    assert now.card.title == "A third"
    assert now.file_hash != was
    assert now.has_hash(was) and now.has_hash(now.file_hash) and not now.has_hash("0" * 32)
    assert models.direction_names(now) == ("1", "warmth", "3")
    held = safetensors.numpy.load(path.read_bytes())
    np.testing.assert_array_equal(held["directions"], np.ones((3, 2, 2), np.float16))
    models.rename_direction(now, 1, "")
    assert models.direction_names(now) == ("1", "2", "3")


@pytest.mark.parametrize("letters", range(1, 9))
def test_with_a_card_of_any_length_the_numbers_begin_at_a_multiple_of_eight_bytes(letters: int, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors")
    trained = models.find_model(str(path))
    models.write_card(trained, msgspec.structs.replace(trained.card, title="a" * letters))
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    assert models.find_model(str(path)).card.title == "a" * letters


def test_the_hash_is_that_of_the_file_and_follows_it(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors")
    trained = models.find_model(str(path))
    assert trained.file_hash == storage.hash_bytes(path.read_bytes())
    write_model(path, **{"weights.net.w": np.zeros((2, 3), np.float32)})
    assert trained.file_hash == storage.hash_bytes(path.read_bytes())
    path.unlink()
    with pytest.raises(BadModel, match="m.safetensors"):
        _ = trained.file_hash
    assert trained.file_hash_if_found == "" and not trained.has_hash("")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_broken_numbers_are_refused(tmp_path: Path, dtype: type, broken: float) -> None:
    path = write_model(tmp_path / "m.safetensors", **{"weights.b": np.array([0, broken, 1], dtype)})
    assert models.find_model(str(path))
    with pytest.raises(BadModel, match=r'broken numbers \(in "weights.b"\)'):
        models.read_model(path)


@pytest.mark.parametrize(("bits", "sound"), [(0x3F80, True), (0xFF7F, True), (0x7F80, False), (0xFFC0, False)])
def test_broken_numbers_of_sixteen_bits_are_refused(tmp_path: Path, bits: int, sound: bool) -> None:
    head = {"weights.b": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    path = tmp_path / "m.safetensors"
    path.write_bytes(with_header(head, struct.pack("<HH", 0, bits)))
    if sound:
        assert models.read_model(path)
    else:
        with pytest.raises(BadModel, match="broken numbers"):
            models.read_model(path)


# ── files that only pretend ──────────────────────────────────────────────────────────────────────


class Canary:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["model.pt", "model.ckpt", "model.safetensors", "MODEL.PTH", "model.bin"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_a_pickle_is_refused_under_any_name(tmp_path: Path, name: str, zipped: bool) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / name
    for protocol in (2, 4, 5):
        data = pickle.dumps(Canary(canary), protocol)
        if zipped:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", data)
        else:
            path.write_bytes(data)
        for opening in (
            lambda: models.find_model(str(path)),
            lambda: models.read_model(path),
            lambda: models.read_cover(path),
        ):
            with pytest.raises(BadModel) as fault:
                opening()
            assert str(fault.value).startswith(f'"{name}" is a pickle')
            assert ".safetensors" in str(fault.value)
    assert not canary.exists()


@pytest.mark.parametrize("low", [0x0280, 0x0480, 0x0580])
def test_a_sound_file_that_happens_to_begin_like_a_pickle_is_opened(tmp_path: Path, low: int) -> None:
    sound = write_model(tmp_path / "m.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", sound)
    head = sound[8 : 8 + length].rstrip().ljust(low + 0x10000)
    (tmp_path / "m.safetensors").write_bytes(with_header(head, sound[8 + length :]))
    assert models.read_model(tmp_path / "m.safetensors")[:2] == bytes([0x80, low >> 8])


def test_a_model_of_another_program_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "lora.safetensors").write_bytes(safetensors.numpy.save({"unet.w": np.ones(3, np.float32)}))
    with pytest.raises(BadModel, match="not a model of this program"):
        models.find_model(str(tmp_path / "lora.safetensors"))


CARDS = {
    "nothing": "",
    "a number": "5",
    "a list": "[]",
    "an empty one": "{}",
    "half a surrogate": "\ud800",
    "a name that is a number": '{"name": 5}',
    "a name that is a path": card.card_to_json(CARD).replace("tiny-model", "../../etc"),
    "steps below nothing": card.card_to_json(CARD).replace('"steps":1', '"steps":-1'),
    "nested deeply": card.card_to_json(CARD).replace(
        '{"family":', '{"a":' + '{"a":' * 9000 + "1" + "}" * 9000 + ',"family":'
    ),
}


@pytest.mark.parametrize("written", CARDS.values(), ids=CARDS)
def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path, written: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(with_header({"__metadata__": {"card": written}, **one()}, FOUR))
    with pytest.raises(BadModel, match=r'^"m.safetensors" has a card that cannot be read'):
        models.find_model(str(path))


def one(**changes: Any) -> dict[str, Any]:
    """Return the header of one tensor of four bytes, with something changed."""
    return {"weights.w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


def many(*places: tuple[int, int]) -> dict[str, Any]:
    """Return the header of tensors of bytes at these places."""
    return {
        f"weights.{i}": {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
        for i, (begin, end) in enumerate(places)
    }


FOUR = b"\0\0\x80\x3f"
HOSTILE = {
    "nothing": b"",
    "seven bytes": b"\2\0\0\0\0\0\0",
    "no header": with_header(b""),
    "a header of 2^63 bytes": with_header(one(), FOUR, 2**63),
    "a header longer than the file": with_header(one(), FOUR, 10**6),
    "a header that ends too soon": with_header(one(), FOUR, 20),
    "no JSON": with_header(b"{rubbish}", FOUR),
    "no UTF-8": with_header(b'{"\xff": 1}', FOUR),
    "a list": with_header([one()], FOUR),
    "a list that begins as a header": with_header(b"{}[]", FOUR),
    "nothing but a brace": with_header(b"{", FOUR),
    "nested deeply": with_header(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, FOUR),
    "no tensors": with_header({}),
    "metadata alone": with_header({"__metadata__": {"card": "{}"}}),
    "one name twice": with_header(
        b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        FOUR,
    ),
    "NaN for a place": with_header(b'{"w":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', FOUR),
    "a number of 5,000 digits": with_header(
        b'{"w":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', FOUR
    ),
    "an overlap": with_header(many((0, 3), (2, 4)), FOUR),
    "a hole": with_header(many((0, 1), (2, 4)), FOUR),
    "bytes left over": with_header(one(), FOUR + b"tail"),
    "bytes missing": with_header(one(), FOUR[:3]),
    "backwards": with_header(one(shape=[0], data_offsets=[4, 4]), FOUR),
    "a place before the beginning": with_header(one(data_offsets=[-4, 0]), FOUR),
    "three places": with_header(one(data_offsets=[0, 4, 4]), FOUR),
    "places that are text": with_header(one(data_offsets="04"), FOUR),
    "a kind that is none": with_header(one(dtype="F31"), FOUR),
    "a kind that is not ours": with_header(one(dtype="BOOL", shape=[4]), FOUR),
    "a kind that is a list": with_header(one(dtype=["F32"]), FOUR),
    "a negative shape": with_header(one(shape=[-1, -1]), FOUR),
    "a shape of fractions": with_header(one(shape=[1.0]), FOUR),
    "a shape of truths": with_header(one(shape=[True]), FOUR),
    "a shape that overflows": with_header(one(shape=[2**32, 2**32, 2]), FOUR),
    "a shape that does not match": with_header(one(shape=[2]), FOUR),
    "5,000 dimensions": with_header(one(shape=[1] * 5000), FOUR),
    "no shape": with_header({"w": {"dtype": "F32", "data_offsets": [0, 4]}}, FOUR),
    "something more": with_header(one(code="import os"), FOUR),
    "a tensor that is a number": with_header({"weights.w": 4}, FOUR),
    "a name that moves the cursor": with_header({"\x1b[2J": one()["weights.w"]}, FOUR),
    "a name of 300 characters": with_header({"w" * 300: one()["weights.w"]}, FOUR),
    "no name": with_header({"": one()["weights.w"]}, FOUR),
    "metadata that are a list": with_header({"__metadata__": [], **one()}, FOUR),
    "metadata that are numbers": with_header({"__metadata__": {"card": 5}, **one()}, FOUR),
    "1 MB of metadata": with_header({"__metadata__": {"card": "x" * 2**20}, **one()}, FOUR),
    "20,000 tensors": with_header(many(*((i, i + 1) for i in range(20_000))), b"\0" * 20_000),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused_by_name_and_at_once(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(data)
    for opening in (
        lambda: models.find_model(str(path)),
        lambda: models.read_model(path),
        lambda: models.read_cover(path),
    ):
        started = time.process_time()
        with pytest.raises(BadModel) as fault:
            opening()
        assert time.process_time() - started < 2
        assert str(fault.value).startswith('"hostile.safetensors" ')
        assert "\x1b" not in str(fault.value)
        assert "pickle" not in str(fault.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a file with a hole takes its space")
def test_a_file_larger_than_any_memory_is_refused_by_arithmetic(tmp_path: Path) -> None:
    size = 2**40
    head = with_header({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    path = tmp_path / "huge.safetensors"
    path.write_bytes(head)
    os.truncate(path, len(head) + size)
    with pytest.raises(BadModel, match="huge.safetensors"):
        models.read_model(path)


def test_accepted_files_are_accepted_by_safetensors_too(tmp_path: Path) -> None:
    dice = random.Random(2)
    sound = write_model(tmp_path / "sound.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", sound)
    path = tmp_path / "mutant.safetensors"
    accepted = 0
    for _ in range(600):
        changed = bytearray(sound)
        place = dice.randrange(8 + length)
        match dice.randrange(3):
            case 0:
                changed[place] = dice.choice(b'0123456789{}[]",:FU\0\xff')
            case 1:
                changed[place] ^= 1 << dice.randrange(8)
            case _:
                del changed[dice.randrange(len(changed)) :]
        path.write_bytes(changed)
        try:
            data = models.read_model(path)
        except BadModel:
            continue
        accepted += 1
        assert safetensors.numpy.load(data)
    assert 0 < accepted < 600


def test_the_limits_are_wide_enough_for_a_large_model(tmp_path: Path) -> None:
    tensors = {f"weights.flow.{i}.net.convolution.weight": np.ones(1, np.float32) for i in range(5000)}
    assert len(models.read_model(write_model(tmp_path / "m.safetensors", **tensors))) < model_file.MAX_HEADER_BYTES


# ── the user's own ───────────────────────────────────────────────────────────────────────────────


def test_a_direction_keeps_its_given_name(shelf: Path) -> None:
    write_model(shelf / "m.safetensors")
    trained = models.find_model("m")
    assert models.direction_names(trained) == ("1", "2", "3")
    models.rename_direction(trained, 1, " Rundheit \u202e")
    models.rename_direction(trained, 2, "x" * 500)
    assert models.direction_names(models.find_model("m")) == ("1", "Rundheit \ufffd", "x" * models.MAX_DIRECTION_NAME)
    models.rename_direction(trained, 1, "  ")
    assert models.direction_names(trained)[:2] == ("1", "2")
    with pytest.raises(IndexError):
        models.rename_direction(trained, 3, "none")


def test_a_retrained_model_has_its_own_direction_names(shelf: Path) -> None:
    path = write_model(shelf / "m.safetensors")
    models.rename_direction(models.find_model("m"), 0, "round")
    write_model(path, **{"weights.net.w": np.zeros((3, 3), np.float32)})
    assert models.direction_names(models.find_model("m")) == ("1", "2", "3")


@pytest.mark.parametrize("damaged", [b"", b"[", b'{"0": 5}', b"\xff", b'["a"]'])
def test_a_damaged_file_of_names_loses_only_the_names(shelf: Path, damaged: bytes) -> None:
    write_model(shelf / "m.safetensors")
    trained = models.find_model("m")
    models.rename_direction(trained, 0, "round")
    (names,) = (storage.home_folder("data") / "names").iterdir()
    names.write_bytes(damaged)
    assert models.direction_names(trained) == ("1", "2", "3")
    models.rename_direction(trained, 0, "round")
    assert models.direction_names(trained)[0] == "round"


def test_a_model_is_imported_once(tmp_path: Path, shelf: Path) -> None:
    write_model(shelf / "m.safetensors")
    same = write_model(tmp_path / "other name.safetensors")
    assert models.import_model(same).path == shelf / "m.safetensors"
    other = write_model(tmp_path / "new" / "m.safetensors", **{"weights.net.w": np.zeros((2, 2), np.float32)})
    assert models.import_model(other).path == storage.home_folder("models") / "m.safetensors"
    third = write_model(tmp_path / "newer" / "m.safetensors", **{"weights.net.w": np.full((2, 2), 2, np.float32)})
    assert models.import_model(third).card.name == "m-2"
    assert models.import_model(third).card.name == "m-2"
    assert len(list(storage.home_folder("models").iterdir())) == 2


def test_a_bad_model_is_not_imported(tmp_path: Path, shelf: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", **{"weights.b": np.array([np.nan], np.float32)})
    with pytest.raises(BadModel):
        models.import_model(path)
    assert not storage.home_folder("models").exists()
