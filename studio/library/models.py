"""Find, read and import trained models: the shipped ones and the user's own.

A model is one safetensors file: tensors `weights.…`, `directions` and `cover`, and its card in the metadata. Nothing
else is ever loaded. The file is read into memory, never mapped, so that it cannot change while it is in use.
"""

import contextlib
import difflib
import functools
import hashlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

import studio
from studio.library import card as cards
from studio.library import storage
from studio.library.card import Card
from studio.library.model_file import (
    MAX_METADATA_BYTES,
    MODEL_SUFFIX,
    PICKLE_SUFFIXES,
    BadModel,
    TensorEntry,
    is_finite,
    open_checked,
    read_header,
    refusal_error,
    unreadable_error,
)
from studio.media.names import display_name

__all__ = [
    "MODEL_SUFFIX",
    "BadModel",
    "InstalledModel",
    "import_model",
    "list_tensors",
    "read_cover",
    "direction_names",
    "find_model",
    "find_upsampler",
    "list_models",
    "read_model",
    "received_folder",
    "rename_direction",
    "shipped_folder",
    "write_card",
]

SHIPPED_ORDER = (
    "pixelcnnpp-brush-32",
    "pixelcnnpp-brush-128",
    "maf-letters-32",
    "maf-letters-noise-32",
    "glow-letters-32",
    "pixelcnnpp-icons-32",
    "gated-pixelcnn-materials",
    "glow-flowers-32",
    "realnvp-emoji-32",
    "pixelcnnpp-emoji-32",
    "pixelcnnpp-emoji-long-32",
    "pixelcnnpp-tiles-32",
    "glow-emoji-32",
    "realnvp-wavetables",
    "maf-wavetables",
    "wavenet-musicbox-16k",
    "wavenet-piano-16k",
    "wavenet-drums-16k",
    "wavenet-digits-8k",
    "maf-mnist-28",
    "vae-planar-mnist-28",
    "iaf-mnist-28",
    "pixelcnn-mnist-28",
    "pixelrnn-row-mnist-28",
    "pixelrnn-diagonal-mnist-28",
    "vae-iaf-fashion-28",
    "gated-pixelcnn-fashion-28",
    "nice-fashion-28",
)
"""Order of the shipped models in lists: pictures, waves, recordings, studies; in each group the best ones first. The
first launch chooses the first model that is installed."""
MAX_DIRECTION_NAME = 60
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True)
class InstalledModel:
    """Holds the card of a trained model and the path of its file."""

    card: Card
    path: Path

    @property
    def file_hash(self) -> str:
        """Return the BLAKE2b hash (16 bytes, hexadecimal) of the file. Raises BadModel if it is missing."""
        try:
            found = os.stat(self.path)
            return _hash_file(self.path, found.st_mtime_ns, found.st_size)
        except OSError as error:
            raise unreadable_error(self.path, error) from None

    @property
    def file_hash_if_found(self) -> str:
        """Return the hash of the file; empty if it is missing."""
        try:
            return self.file_hash
        except BadModel:
            return ""

    def has_hash(self, hash: str) -> bool:
        """Return whether the file has this hash, or had it with an earlier card. A missing file has none."""
        found = self.file_hash_if_found
        return found != "" and hash in (found, *self.card.former_hashes)


def shipped_folder() -> Path:
    """Return the folder of the shipped models: inside an installed package, next to it in a clone."""
    package = Path(studio.__file__).parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def received_folder() -> Path:
    """Return the folder of the files that windows on other computers sent (studio/library/received_files.py)."""
    return storage.home_folder("cache") / "received"


def list_models() -> tuple[list[InstalledModel], list[str]]:
    """List the shipped models, then the user's own, and the reasons why others were refused.

    If two have the same name, the user's own is listed. Upsamplers are left out, because they make nothing alone.
    """
    found: dict[str, InstalledModel] = {}
    installed, refused = _read_folders()
    for trained in installed:
        if trained.card.role == "model":
            found.pop(trained.card.name, None)
            found[trained.card.name] = trained
    return list(found.values()), refused


def find_model(name: str) -> InstalledModel:
    """Return a model by its name, or by the path of its file. Raises BadModel with similar names."""
    if Path(name).suffix in (MODEL_SUFFIX, *PICKLE_SUFFIXES) or Path(name).name != name:
        return _read_installed(Path(name))
    damaged: BadModel | None = None
    for folder in (storage.home_folder("models"), shipped_folder()):
        path = folder / f"{name}{MODEL_SUFFIX}"
        if not os.path.isfile(path):
            continue
        try:
            named = _read_installed(path)  # reading all headers took longer than drawing
        except BadModel as fault:
            damaged = damaged or fault
        else:
            if named.card.name == name:
                return named
    known = {trained.card.name: trained for trained in list_models()[0]}
    if name in known:
        return known[name]
    if damaged is not None:
        raise damaged
    if not known:
        raise BadModel(
            f'There is no model named "{display_name(name)}", and no trained model at all. Train one, or import one.'
        )
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known)[:3]
    raise BadModel(f'There is no model named "{display_name(name)}". The nearest: {", ".join(nearest)}.')


def find_upsampler(card: Card) -> InstalledModel:
    """Return the upsampler that the card of a pyramid names. Raises BadModel if it is missing."""
    parts = card.pyramid
    assert parts is not None, "only a pyramid names an upsampler"
    for found in (*_read_folders()[0], *_read_received()):
        if found.card.role == "upsampler" and found.has_hash(parts.upsampler_hash):
            return found
    raise BadModel(
        f'"{card.title}" draws its details with the upsampler "{display_name(parts.upsampler)}", which is missing. '
        "Add its file to your models."
    )


def import_model(path: Path) -> InstalledModel:
    """Copy a model's file into the user's own folder. Raises BadModel or storage.NotSaved.

    A file that is already there under any name is not copied again.
    """
    data = read_model(path)
    same = storage.hash_bytes(data)
    for known in _read_folders()[0]:
        if known.path.stat().st_size == len(data) and known.file_hash == same:
            return known
    name = _read_installed(path).card.name
    folder = storage.home_folder("models")
    target = folder / f"{name}{MODEL_SUFFIX}"
    number = 2
    while target.exists():
        target = folder / f"{name}-{number}{MODEL_SUFFIX}"
        number += 1
    storage.write_file(target, data)
    return _read_installed(target)


def write_card(trained: InstalledModel, card: Card) -> None:
    """Write another card into a model's file. Raises BadModel or storage.NotSaved.

    The parameters stay the same, byte for byte, and earlier works are still recognised as works of this model.
    """
    data = read_model(trained.path)
    card = msgspec.structs.replace(card, former_hashes=(*trained.card.former_hashes, storage.hash_bytes(data)))
    length = int.from_bytes(data[:8], "little")
    head = msgspec.json.decode(data[8 : 8 + length])
    head["__metadata__"]["card"] = cards.card_to_json(card)
    text = msgspec.json.encode(head)
    text += b" " * (-len(text) % 8)  # so that the numbers lie at addresses that processors read fast
    storage.write_file(trained.path, len(text).to_bytes(8, "little") + text + data[8 + length :])


def read_model(path: Path) -> bytes:
    """Return the whole file of a model, checked: header, sizes, and that every number is finite. Raises BadModel."""
    with open_checked(path) as file:
        contents = read_header(file, path)
        file.seek(0)
        try:
            data = file.read()
        except MemoryError:
            raise BadModel(f'"{display_name(path.name)}" does not fit into memory and was not opened.') from None
        except OSError as error:
            raise unreadable_error(path, error) from None
    if len(data) != max(tensor.end for tensor in contents.tensors.values()):
        raise refusal_error(path, "changed while it was read")
    for name, tensor in contents.tensors.items():
        if not is_finite(data, tensor):
            raise refusal_error(path, f'contains broken numbers (in "{name}")')
    return data


def list_tensors(path: Path) -> dict[str, TensorEntry]:
    """Return the claimed contents of a model's file, from its header alone. Raises BadModel."""
    with open_checked(path) as file:
        return read_header(file, path).tensors


def read_cover(path: Path) -> np.ndarray:
    """Return a model's cover: pictures (n, height, width, channels) uint8, or waves (n, samples) int16.

    n may be 0. Raises BadModel.
    """
    with open_checked(path) as file:
        contents = read_header(file, path)
        tensor = contents.tensors.get("cover")
        if tensor is None:
            return np.zeros((0, 1, 1, 3), np.uint8)
        pictures = tensor.dtype == "U8" and len(tensor.shape) == 4 and tensor.shape[3] in (1, 3)
        waves = tensor.dtype == "I16" and len(tensor.shape) == 2
        if not pictures and not waves:
            raise refusal_error(path, "has a cover that is made neither of pictures nor of waves")
        file.seek(tensor.begin)
        data = file.read(tensor.end - tensor.begin)
    if len(data) != tensor.end - tensor.begin:
        raise refusal_error(path, "changed while it was read")
    return np.frombuffer(data, np.uint8 if pictures else "<i2").reshape(tensor.shape)


def direction_names(trained: InstalledModel) -> tuple[str, ...]:
    """Return the names of a model's directions. Names from the user replace those of its card."""
    own = _read_user_names(trained)
    return tuple(own.get(str(index), name) for index, name in enumerate(trained.card.directions))


def rename_direction(trained: InstalledModel, index: int, label: str) -> None:
    """Store the user's name for a direction; an empty name restores the card's.

    Raises storage.NotSaved, and BadModel if the model's file is missing.
    """
    if not 0 <= index < len(trained.card.directions):
        raise IndexError(f"{trained.card.name} has {len(trained.card.directions)} directions, not one numbered {index}")
    own = _read_user_names(trained)
    own[str(index)] = display_name(label).strip()[:MAX_DIRECTION_NAME]
    own = {key: name for key, name in own.items() if name}
    storage.write_file(_direction_names_file(trained, trained.file_hash), msgspec.json.format(msgspec.json.encode(own)))


def _direction_names_file(trained: InstalledModel, hash: str) -> Path:
    """Return the file of names. It holds a name for the user, and the hash, because a retrained model has other
    directions."""
    return storage.home_folder("data") / "names" / f"{trained.card.name}-{hash[:8]}.json"


def _read_user_names(trained: InstalledModel) -> dict[str, str]:
    """Return the names that the user gave last, whichever card the file had."""
    try:
        hashes = (trained.file_hash, *reversed(trained.card.former_hashes))
    except BadModel:  # the model was deleted, so its names are no longer needed
        return {}
    for hash in hashes:
        try:
            with open(_direction_names_file(trained, hash), "rb") as file:
                names = msgspec.json.decode(file.read(MAX_METADATA_BYTES), type=dict[str, str])
        except FileNotFoundError:
            continue
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):  # a damaged file loses the names, never the model
            return {}
        return {key: display_name(name)[:MAX_DIRECTION_NAME] for key, name in names.items()}
    return {}


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def _read_folders() -> tuple[list[InstalledModel], list[str]]:
    """Read the cards of all models, the shipped ones first. Also return why files were refused."""
    found = []
    refused = []
    for folder in (shipped_folder(), storage.home_folder("models")):
        for path in _model_files_in(folder):
            try:
                found.append(_read_installed(path))
            except BadModel as fault:
                refused.append(str(fault))
    return found, refused


def _read_received() -> Iterator[InstalledModel]:
    """Yield the models among the received files, of which some are no models."""
    for path in sorted(received_folder().glob(f"*/*{MODEL_SUFFIX}")):
        with contextlib.suppress(BadModel):
            yield _read_installed(path)


def _model_files_in(folder: Path) -> list[Path]:
    """List the files in a folder that are models or have a model's suffix.

    They follow SHIPPED_ORDER; all others come after it, by name.
    """
    try:
        names = sorted(os.listdir(folder), key=_sort_key)
    except OSError:
        return []
    endings = (MODEL_SUFFIX, *PICKLE_SUFFIXES)
    return [folder / name for name in names if name.lower().endswith(endings) and not name.startswith(".")]


def _sort_key(name: str) -> tuple[int, str]:
    stem = Path(name).stem
    return SHIPPED_ORDER.index(stem) if stem in SHIPPED_ORDER else len(SHIPPED_ORDER), name


def _read_installed(path: Path) -> InstalledModel:
    """Return a model, reading its header alone. The file's stem is its name if that is a valid one."""
    with open_checked(path) as file:
        contents = read_header(file, path)
    if "card" not in contents.metadata or not any(name.startswith("weights.") for name in contents.tensors):
        raise refusal_error(path, "is not a model of this program: it has no card", "")
    try:
        card = cards.card_from_json(contents.metadata["card"])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise refusal_error(
            path, f"has a card that cannot be read ({error})", "Ask for it again, or update this program."
        ) from None
    if fault := _shape_fault(card, max(tensor.end for tensor in contents.tensors.values())):
        raise refusal_error(path, f"has a card that gives {fault}")
    if _NAME.fullmatch(path.stem):
        card = msgspec.structs.replace(card, name=path.stem)
    return InstalledModel(card, path)


def _shape_fault(card: Card, size: int) -> str:
    """Return what is wrong with the shape on a card; empty if nothing is. `size`: the file's bytes.

    A picture with more numbers than its model's file has bytes would only waste memory.
    """
    if card.medium == "sound":
        return "" if len(card.shape) == 1 else f"a sound {len(card.shape)} dimensions"
    sizes = " × ".join(f"{number:,}" for number in card.shape)
    if len(card.shape) != 3 or card.shape[0] not in (1, 3):
        return f"its pictures the size {sizes}, not colours × height × width"
    if card.levels > 256:
        return f"its pictures {card.levels:,} levels instead of at most 256"
    if card.palette and (card.shape[0] != 1 or not card.levels == len(card.palette) == len(set(card.palette))):
        return f"its {card.levels:,} levels a palette that does not fit"
    return f"its pictures a size ({sizes}) that is larger than the file" if math.prod(card.shape) > size else ""


@functools.lru_cache(256)
def _hash_file(path: Path, changed: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
