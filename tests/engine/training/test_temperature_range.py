"""A model works at a temperature if most works are neither blank nor saturated."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load
from temperatures import main

from studio.engine.generation import sampling
from studio.engine.training import temperature_range
from studio.engine.training.temperature_range import WORKS_PER_TEMPERATURE, looks_blank, looks_saturated, measure_range
from studio.library import models
from studio.wire.messages import Array

NOISE = np.random.default_rng(0).integers(20, 230, (8, 8, 1)).astype(np.uint8)
WHITE = np.full((8, 8, 1), 255, np.uint8)
INK = np.where(NOISE > 120, 255, 0).astype(np.uint8)
TONE = (8000 * np.sin(np.arange(500) / 9)).astype(np.int16)


@pytest.mark.parametrize(
    ("work", "is_blank", "is_saturated"),
    [
        (NOISE, False, False),
        (WHITE, True, False),
        (WHITE - 128, True, False),
        (WHITE - (NOISE > 120), True, False),
        (INK, False, True),
        (TONE, False, False),
        (np.zeros(500, np.int16), True, False),
        (np.full(500, -12_000, np.int16), True, False),
        ((TONE // 400).astype(np.int16), True, False),
        (np.concatenate((TONE, np.full(500, 3, np.int16))), True, False),
        (np.concatenate((np.zeros(500, np.int16), TONE)), False, False),
        (np.where(TONE > 0, 32_767, -32_768).astype(np.int16), False, True),
    ],
)
def test_blank_and_saturated_works_are_recognised(work: Array, is_blank: bool, is_saturated: bool) -> None:
    assert (looks_blank(work), looks_saturated(work)) == (is_blank, is_saturated)


def drawing(low: float, high: float, beyond: Array) -> Callable[[float], Sequence[Array]]:
    """Return a model that draws noise between two temperatures, and `beyond` elsewhere."""
    return lambda temperature: [NOISE if low <= temperature <= high else beyond] * WORKS_PER_TEMPERATURE


@pytest.mark.parametrize("beyond", [WHITE, INK])
@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.0, 4.0, (0.0, 4.0)),
        (0.2, 4.0, (0.25, 4.0)),
        (0.6, 1.3, (0.75, 1.25)),
        (0.0, 1.0, (0.0, 1.0)),
        (0.8, 0.8, (0.8, 0.8)),
        (0.5, 3.5, (0.5, 3.0)),
    ],
)
def test_the_range_ends_where_works_go_wrong(
    low: float, high: float, found: tuple[float, float], beyond: Array
) -> None:
    assert measure_range(drawing(low, high, beyond), 0.8, [NOISE] * 8) == found


def test_a_model_that_fails_at_its_own_temperature_has_no_range() -> None:
    assert measure_range(drawing(1.0, 2.0, WHITE), 0.8, [NOISE] * 8) is None


def test_blank_training_artworks_excuse_blank_works() -> None:
    assert measure_range(lambda _: [INK] * WORKS_PER_TEMPERATURE, 0.8, [INK] * 8) == (0.0, 4.0)
    assert measure_range(lambda _: [INK] * WORKS_PER_TEMPERATURE, 0.8, [NOISE] * 8) is None
    half = [INK, NOISE] * (WORKS_PER_TEMPERATURE // 2)
    assert measure_range(lambda _: half, 0.8, [INK, NOISE]) == (0.0, 4.0)
    assert measure_range(lambda _: half, 0.8, [NOISE, NOISE]) is None


def test_the_card_of_a_trained_model_has_its_temperature_range(
    trained_file: Path, trained_recordings_file: Path, trained_waves_file: Path
) -> None:
    for file in (trained_file, trained_recordings_file, trained_waves_file):
        card = models.find_model(str(file)).card
        assert card.temperature_range is not None
        low, high = card.temperature_range
        assert 0 <= low <= card.temperature <= high <= 4
        assert card.temperature_warning(card.temperature) == ""


def test_a_recording_is_drawn_only_for_the_examined_length(trained_recordings_file: Path) -> None:
    found = models.find_model(str(trained_recordings_file))
    loaded = sampling.load_model(found, torch.device("cpu"))
    works = temperature_range.draw_works(loaded.model, 0.8, (), found.card.sample_rate, found.card.opening_temperature)
    wanted = min(round(temperature_range.RECORDING_SECONDS * found.card.sample_rate), found.card.shape[0])
    assert {work.shape for work in works} == {(wanted,)}


def test_a_hot_flow_saturates_and_its_range_ends_before(trained_file: Path, tmp_path: Path) -> None:
    loaded = sampling.load_model(models.find_model(str(trained_file)), torch.device("cpu"))
    assert temperature_range.draw_works(loaded.model, 0.8, ())[0].shape == (8, 8, 3)
    wild = temperature_range.draw_works(loaded.model, 400.0, ())
    assert sum(map(looks_saturated, wild)) > WORKS_PER_TEMPERATURE / 2, (
        "a flow of bounded scales that is hot enough draws black and white"
    )


def test_the_range_of_an_earlier_model_is_added_without_changing_a_weight(
    trained_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "older.safetensors"
    path.write_bytes(trained_file.read_bytes())
    found = models.find_model(str(path))
    models.write_card(found, msgspec.structs.replace(found.card, temperature_range=None))
    before = load(path.read_bytes())
    assert main([str(path)]) == 0
    after = load(path.read_bytes())
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    card = models.find_model(str(path)).card
    assert card.temperature_range is not None
    assert f"{card.temperature_range[0]:g} to {card.temperature_range[1]:g}" in capsys.readouterr().out


def test_the_terminal_warns_of_temperatures_outside_the_range(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from studio import cli

    found = models.find_model(tiny)
    models.write_card(found, msgspec.structs.replace(found.card, temperature_range=(0.5, 1.5)))
    words = "most works are blank or saturated. This model works from 0.5 to 1.5."
    for temperature, told in (("0.4", True), ("0.5", False), ("1.5", False), ("2", True)):
        assert cli.main(["sample", tiny, "--out", str(tmp_path / "o"), "--temperature", temperature]) == 0
        assert (f"At {temperature} {words}" in capsys.readouterr().err) == told
