"""A card that does not fit its file is refused before it takes memory."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load, save

from studio.engine.generation import sampling
from studio.library import card as cards
from studio.library import models

MOST_MEMORY = 100e6
"""Bytes that a refusal may take."""
MEASURE = """
import json, resource, sys, time
from pathlib import Path
import torch
from studio.engine.generation import sampling
from studio.library import models

torch.set_num_threads(1)
unit = 1 if sys.platform == "darwin" else 1024
for line in sys.stdin:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        sampling.load_model(models.find_model(line.strip()), torch.device("cpu"))
        said = ""
    except models.BadModel as error:
        said = str(error)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    print(json.dumps([said, grown, time.process_time() - began]))
"""


def altered(source: Path, target: Path, tensors: dict[str, torch.Tensor] | None = None, **claims: Any) -> Path:
    """Write a copy of a model with another card and other tensors. `recipe` changes some of its fields."""
    tensors = load(source.read_bytes()) | (tensors or {})
    card = models.find_model(str(source)).card
    claims["recipe"] = {**card.recipe, **claims.get("recipe", {})}
    target.write_bytes(save(tensors, {"card": cards.card_to_json(msgspec.structs.replace(card, **claims))}))
    return target


@pytest.fixture
def all_files(
    trained_file: Path,
    trained_kinds_file: Path,
    trained_waves_file: Path,
    trained_pixels_file: Path,
    trained_others_file: Path,
    trained_recordings_file: Path,
) -> list[Path]:
    return [
        trained_file, trained_kinds_file, trained_waves_file, trained_pixels_file, trained_others_file,
        trained_recordings_file,
    ]  # fmt: skip


KINDS = tuple(str(number) for number in range(1000))
CLAIMS: dict[str, Callable[[cards.Card], dict[str, Any] | None]] = {
    "a huge shape": lambda card: {"shape": (3, 65536, 65536) if len(card.shape) == 3 else (65536,) * 3},
    "700 pixels": lambda card: {"shape": (card.shape[0], 700, 700) if len(card.shape) == 3 else (65536,)},
    "a little larger": lambda card: {"shape": tuple(size + size % 3 * 2 + 2 for size in card.shape)},
    "classes": lambda card: {"recipe": {"classes": (1000,) if card.sample_rate else 1000}, "classes": KINDS},
    "names of classes": lambda card: {"classes": KINDS},
    "width": lambda card: _more(card, ("width", "hidden", "channels"), 4096),
    "layers": lambda card: _more(card, ("layers", "blocks"), 32),
    "head": lambda card: _more(card, ("head", "skip"), 2048),
    "scales": lambda card: _more(card, ("scales", "cycles"), 4),
    "names of directions": lambda card: {"directions": KINDS},
    "colours": lambda card: None if card.sample_rate else {"shape": (_other_colours(card), *card.shape[1:])},
    "levels": lambda card: {"levels": 65536} if len(card.shape) == 3 else None,
}


def _other_colours(card: cards.Card) -> int:
    """Return another number of channels than the card's."""
    return 3 if card.shape[0] == 1 else 1


def _more(card: cards.Card, fields: tuple[str, ...], value: int) -> dict[str, Any] | None:
    """Return a card that claims more in each of these fields of its recipe."""
    had = {field: card.recipe[field] for field in fields if field in card.recipe}
    made = {field: [value] * len(old) if isinstance(old, list | tuple) else value for field, old in had.items()}
    return {"recipe": made} if made else None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the memory that a process has had at most")
def test_a_card_that_claims_more_than_its_file_holds_is_refused_at_once(
    all_files: list[Path], tmp_path: Path, studio_home: Path
) -> None:
    asked: list[tuple[str, Path]] = []
    for source in all_files:
        card = models.find_model(str(source)).card
        for name, claim in CLAIMS.items():
            fields = claim(card)
            if fields is not None:
                target = tmp_path / f"{source.stem}-{len(asked)}.safetensors"
                asked.append((f"{source.stem}: {name}", altered(source, target, **fields)))
    paths = [*all_files, *(path for _, path in asked)]  # good files first: they load what is loaded once a process
    lines = "".join(f"{path}\n" for path in paths)
    child = subprocess.run([sys.executable, "-c", MEASURE], input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in child.stdout.splitlines()]
    assert [said for said, _, _ in answers[: len(all_files)]] == [""] * len(all_files)
    for (name, path), (said, grown, seconds) in zip(asked, answers[len(all_files) :], strict=True):
        assert f'"{path.name}"' in said and "not opened" in said, name
        assert grown < MOST_MEMORY, f"{name}: {grown / 1e6:.0f} MB"
        assert seconds < 5, f"{name}: {seconds:.1f} s"


def test_a_model_without_directions_is_refused_in_words(trained_file: Path, tmp_path: Path) -> None:
    tensors = load(trained_file.read_bytes())
    del tensors["directions"]
    path = tmp_path / "none.safetensors"
    path.write_bytes(save(tensors, {"card": cards.card_to_json(models.find_model(str(trained_file)).card)}))
    with pytest.raises(models.BadModel, match=r'"none.safetensors" describes 12 directions, but .* not hold them'):
        sampling.load_model(models.find_model(str(path)), torch.device("cpu"))


@pytest.mark.parametrize("size", [(12,), (12, 3, 8), (11, 3, 8, 8), (12, 3, 4, 4), (0, 3, 8, 8)])
def test_directions_of_another_size_are_refused_in_words(
    size: tuple[int, ...], trained_file: Path, tmp_path: Path
) -> None:
    path = altered(trained_file, tmp_path / "odd.safetensors", {"directions": torch.zeros(size)})
    with pytest.raises(models.BadModel, match=r"describes directions of the size 12 × 3 × 8 × 8"):
        sampling.load_model(models.find_model(str(path)), torch.device("cpu"))


def test_a_shipped_model_whose_file_lacks_directions_is_refused_as_well(
    trained_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "shipped_folder", lambda: tmp_path)
    tensors = load(trained_file.read_bytes())
    del tensors["directions"]
    path = tmp_path / "none.safetensors"
    path.write_bytes(save(tensors, {"card": cards.card_to_json(models.find_model(str(trained_file)).card)}))
    with pytest.raises(models.BadModel, match="describes 12 directions"):
        sampling.load_model(models.find_model(str(path)), torch.device("cpu"))
