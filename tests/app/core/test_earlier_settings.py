"""Settings, steps of undo and grids that were stored with earlier keys come back whole."""

import json
from pathlib import Path

import msgspec
import numpy as np

from studio.app.core.earlier_settings import GRID, SETTINGS
from studio.app.files import drops
from studio.app.generation import run as grid
from studio.library import storage
from studio.library.work import RECIPE_KEY, StoredArray
from studio.media import export
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine


def test_the_window_opens_as_an_earlier_version_left_it(
    opener: Opener, engine: FakeEngine, studio_home: Path, two_models: Path
) -> None:
    step = ["temperature over time", {"heat": [[0.0, 0.5]]}, {"heat": [[0.0, 0.9]]}]
    left = {
        "exporting": {"times": 4, "pixels": 512, "sheet": True},
        "surprise": {"on": True},
        "explore": {"model": "tiny", "begun": True, "seed": 8},
        "generate": {"seed": 4112, "spent": 4112},
        "complete": {"warmth": 0.25, "size": 9},
        "sound": {"heat": [[0.0, 0.75], [1.0, 1.25]], "history": {"done": [step], "undone": []}},
    }
    settings = studio_home / "config" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(left))
    window = opener(engine)
    assert window.messages.current.get() is None
    assert window.export_settings.on_sheet.get() and window.export_settings.times.get() == 4
    assert window.complete.canvas.brush.temperature_factor.get() == 0.25
    assert window.sound.live_settings.temperature_curve.get() == ((0.0, 0.75), (1.0, 1.25))
    assert window.sound.history.snapshot()["done"][0][1] == {"temperature_curve": [[0.0, 0.5]]}
    assert window.generate.parameters.snapshot()["seed_used"] == 4112
    written = window.snapshot()
    assert SETTINGS.to_present(written) == written, "only present keys are written"
    assert written["explore"]["has_begun"] is True


def test_a_start_and_a_marker_have_present_keys_within_their_records() -> None:
    marker = {"at": "take 000001.png", "row": 3, "imposed": [[4, 0, [1, 2, 3]]], "armed": True}
    left = {
        "takes": {"takes": ["000001.png"], "starts": {"ab": {"note": "Mine", "figures": None}}},
        "generate": {"stage": marker, "history": {"done": [["row", {"stage": marker}, {"named": {"a": "b"}}]]}},
    }
    moved = {"item": "take 000001.png", "row": 3, "fixed_pixels": [[4, 0, [1, 2, 3]]], "armed": True}
    assert SETTINGS.to_present(left) == {
        "takes": {"takes": ["000001.png"], "starts": {"ab": {"note": "Mine", "round_trip": None}}},
        "generate": {
            "enlarged": moved,
            "history": {"done": [["row", {"enlarged": moved}, {"take_names": {"a": "b"}}]]},
        },
    }


def test_a_grid_kept_with_earlier_keys_comes_back(studio_home: Path) -> None:
    heat = StoredArray.from_array(np.ones((2, 2), np.float32))
    said = {
        "run": ["tiny", "0" * 32, 0.5, None, "picture"],
        "seeds": [5],
        "drawn": {"5": -3.5},
        "kinds": {"5": 1},
        "following": {},
        "channels": 3,
        "mix": {"model": "other", "model_hash": "", "share": 0.5, "shares": None},
        "by": [[{"temperature": None, "heat": msgspec.to_builtins(heat), "share": None, "shares": None}, [5]]],
    }
    data = export.encode_png_bytes(np.full((2, 2, 3), 9, np.uint8), {grid.KEY: json.dumps(said)})
    storage.write_file(storage.home_folder("data") / "grid.png", data + storage.hash_bytes(data).encode())
    kept = grid.read_run()
    assert kept is not None
    run, (cell,) = kept
    assert (cell.label, cell.log_prob) == (1, -3.5)
    assert cell.drawn_with is not None and cell.drawn_with.temperature_map == heat
    assert run.mix is not None and run.mix.share == 0.5
    assert GRID.to_present(GRID.to_present(said)) == GRID.to_present(said)


def test_a_recording_with_an_earlier_recipe_is_dropped_on_sound(tmp_path: Path) -> None:
    """A recording is told from a single cycle by its sample rate."""
    path = tmp_path / "waltz.wav"
    for rate, kind in ((16_000, "recorded work"), (0, "work")):
        recipe = f'{{"kind":"sound","rate":{rate},"model":"m","model_hash":"","seed":7}}'
        path.write_bytes(export.encode_wav_bytes(np.zeros(256, np.int16), 16_000, {"ICMT": f"{RECIPE_KEY} {recipe}"}))
        assert drops.file_kind([path]) == kind
