"""Artworks are saved in the chosen size, name and folder, one request after another, with progress and Stop."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.files.exporting import BATCH_SIZE
from studio.library import storage
from studio.library.work import SHEET_RECIPE_KEY, StoredArray, Work
from studio.media import export
from studio.media.pictures.image import open_picture
from studio.wire.messages import Decoded, DecodeLatent, Encode, Finished
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.saving import save_to
from tests.limits import LIMIT

RNG = np.random.default_rng(3)


def pieces(count: int, **fields: object) -> list[Artwork]:
    return [
        Artwork(
            RNG.integers(0, 256, (8, 8, 3), np.uint8),
            Work(**{"model": "tiny", "model_hash": "", "seed": seed, **fields}),  # type: ignore[arg-type]
            f"tiny-{seed}.png",
        )
        for seed in range(count)
    ]


def said(window: AppState, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    message = window.messages.current.get()
    assert message is not None
    return message.text


# ── how large ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("times", "pixels", "side"), [(1, 512, 8), (4, 512, 32), (16, 512, 128), (0, 100, 96)])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("panel", ["explore", "complete"])
def test_an_enlarged_picture_is_dropped_back_and_is_what_it_was(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, times: int, pixels: int, side: int,
    smooth: bool, panel: str, two_models: Path,
) -> None:  # fmt: skip
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    window.models.refresh_models()
    window.complete.settle()
    window.export_settings.choose_times(times)
    window.export_settings.choose_pixels(pixels)
    window.smoothing.smooth.set(smooth)
    (piece,) = pieces(1)
    window.exporter.export_artwork(piece, tmp_path / "rose.png")
    assert said(window, qtbot) == 'Saved "rose.png" with its recipe inside.'
    with Image.open(tmp_path / "rose.png") as image:
        assert image.size == ((100, 100) if smooth and not times else (side, side))
    window.show_panel(panel)
    window.open_dropped([tmp_path / "rose.png"])
    shown = window.explore.render.picture if panel == "explore" else window.complete.canvas.picture
    qtbot.waitUntil(lambda: shown.get() is not None)
    assert np.array_equal(shown.get(), piece.array)
    if panel == "explore":
        assert window.explore.parameters.seed.get() == piece.work.seed


def test_a_work_that_no_seed_makes_is_encoded_from_its_own_pixels(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    """The original of a smooth file cannot be computed from its pixels."""
    window.smoothing.smooth.set(True)
    (piece,) = pieces(1, temperature_map=StoredArray.from_array(np.ones((8, 8), np.float32)))
    window.exporter.export_artwork(piece, tmp_path / "rose.png")
    said(window, qtbot)
    window.explore.open_file(tmp_path / "rose.png")
    qtbot.waitUntil(lambda: any(isinstance(sent, Encode) for sent in engine.sent))
    asked = next(sent for sent in engine.sent if isinstance(sent, Encode))
    assert np.array_equal(asked.picture, piece.array)


def test_a_sheet_shows_every_picture_and_carries_the_recipe_of_each(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    window.export_settings.choose_times(4)
    many = pieces(6)
    window.exporter.export_sheet(many, tmp_path / "roses")
    assert said(window, qtbot) == 'Saved 6 pictures on "roses.png", each with its recipe inside.'
    sheet = open_picture(tmp_path / "roses.png").array
    assert sheet.shape == (3 * 34 + 2, 2 * 34 + 2, 3)
    for index, piece in enumerate(many):
        y, x = 2 + index // 2 * 34, 2 + index % 2 * 34
        assert np.array_equal(sheet[y : y + 32 : 4, x : x + 32 : 4], piece.array)
    recipes = export.png_texts((tmp_path / "roses.png").read_bytes())[SHEET_RECIPE_KEY]
    assert all(f'"seed":{seed},' in recipes for seed in range(6))


@pytest.mark.parametrize("smooth", [False, True])
def test_a_dropped_sheet_shows_its_first_picture_and_can_give_all_of_them(
    window: AppState, qtbot: QtBot, tmp_path: Path, smooth: bool
) -> None:
    window.export_settings.choose_times(4)
    window.smoothing.smooth.set(smooth)
    trained = window.models.find_model("tiny")
    assert trained is not None
    many = pieces(6, model_hash=trained.file_hash)
    window.exporter.export_sheet(many, tmp_path / "roses.png")
    said(window, qtbot)
    window.messages.dismiss()
    assert window.drop_text([tmp_path / "roses.png"]) == "Restore this work"
    window.open_dropped([tmp_path / "roses.png"])
    assert said(window, qtbot) == '"roses.png" is a sheet of 6 pictures. The first one is shown.'
    assert window.explore.parameters.seed.get() == 0
    window.messages.press_button(0)
    takes = window.takes.takes.get()
    assert [take.work for take in takes] == [piece.work for piece in many]
    assert all(np.array_equal(take.array, piece.array) for take, piece in zip(takes, many, strict=True))
    window.explore.history.undo()
    assert window.takes.takes.get() == ()


def test_a_sheet_of_very_many_pictures_is_no_larger_than_can_be_opened(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    window.export_settings.choose_times(16)
    piece = Artwork(np.zeros((64, 64, 1), np.uint8), Work(model="tiny", model_hash="", seed=0), "tiny-0.png")
    window.exporter.export_sheet([piece] * 200, tmp_path / "roses.png")
    assert said(window, qtbot) == (
        'Saved 200 pictures on "roses.png", each with its recipe inside. '
        "Each is 512 × 512 pixels. At 1,024 × 1,024 the sheet would be too large."
    )
    assert open_picture(tmp_path / "roses.png").array.shape[:2] == (15 * 514 + 2, 14 * 514 + 2)


def test_the_choice_is_kept_over_a_restart(opener: Opener, engine: FakeEngine) -> None:
    window = opener(engine)
    window.export_settings.choose_times(0)
    window.export_settings.choose_pixels(300)
    window.export_settings.choose_sheet(True)
    window = opener(engine)
    choice = window.export_settings
    assert (choice.times.get(), choice.pixels.get(), choice.on_sheet.get()) == (0, 300, True)


# ── names and folders ────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_with_other_sliders_proposes_another_name(window: AppState, tmp_path: Path) -> None:
    window.folders.end_saving(tmp_path)
    home = pieces(1)[0]
    moved = pieces(1, sliders=(1.0,))[0]
    assert window.exporter.name_for(home) == "tiny-0.png"
    assert window.exporter.name_for(moved) == "tiny-0-0001.png"
    assert window.exporter.name_for(home) == "tiny-0.png", "the same work keeps its name"


def test_a_name_that_a_file_has_is_not_proposed(window: AppState, qtbot: QtBot, tmp_path: Path) -> None:
    window.folders.end_saving(tmp_path)
    (piece,) = pieces(1)
    for wanted in ("tiny-0.png", "tiny-0-0001.png", "tiny-0-0002.png"):
        assert window.exporter.name_for(piece) == wanted
        (tmp_path / wanted).write_bytes(b"")


def test_explore_proposes_another_name_after_a_slider_was_moved(
    window: AppState, engine: FakeEngine, tmp_path: Path
) -> None:
    window.folders.end_saving(tmp_path)
    names = []
    window.explore.parameters.new_start(7)
    for value in (0.0, 1.0):
        if value:
            window.explore.parameters.grab_slider(0)
            window.explore.parameters.set_slider(0, value)
            window.explore.parameters.end_gesture()
        asked = next(sent for sent in reversed(engine.sent) if isinstance(sent, DecodeLatent))
        picture = np.full((8, 8, 3), int(value) + 1, np.uint8)
        engine.emit_events(Decoded(job=asked.job, picture=picture), Finished(job=asked.job))
        names += save_to(window, tmp_path / f"{value}.png", window.explore.save_picture)
    assert names == ["tiny-7.png", "tiny-7-0001.png"]


def test_opening_and_saving_are_remembered_apart_over_a_restart(
    opener: Opener, engine: FakeEngine, tmp_path: Path, studio_home: Path
) -> None:
    for name in ("mine", "made"):
        (tmp_path / name).mkdir()
    window = opener(engine)
    assert window.folders.for_saving() == studio_home / "works"
    assert not (studio_home / "works").exists()
    window.folders.remember_opening(tmp_path / "mine")
    assert window.folders.for_saving() == studio_home / "works"
    window.folders.end_saving(tmp_path / "made")
    window = opener(engine)
    assert window.folders.for_opening() == tmp_path / "mine"
    assert window.folders.for_saving() == tmp_path / "made"
    (tmp_path / "made").rmdir()
    assert window.folders.for_saving() == studio_home / "works", "a folder that is gone is not proposed"


def test_the_first_folder_is_that_of_the_user_s_pictures(window: AppState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_HOME")
    monkeypatch.setattr("platformdirs.user_pictures_path", lambda: Path("/home/rose/Pictures"))
    assert window.folders.for_saving() == Path("/home/rose/Pictures/Latent Studio")


# ── one wish after another ───────────────────────────────────────────────────────────────────────


def test_what_is_saved_while_something_is_saved_is_not_forgotten(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    for piece in pieces(5):
        window.exporter.export_artwork(piece, tmp_path / piece.name)
    qtbot.waitUntil(lambda: len(window.messages.history.get()) == 5)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"tiny-{seed}.png" for seed in range(5)]


def test_closing_waits_for_all_that_is_to_be_saved(window: AppState, tmp_path: Path) -> None:
    for piece in pieces(5):
        window.exporter.export_artwork(piece, tmp_path / piece.name)
    window.exporter.close()
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_a_long_saving_stands_in_the_queue_and_stops(
    window: AppState, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Semaphore(1)
    write_all = storage.write_files

    def slow(files: list[tuple[Path, bytes]]) -> None:
        go_on.acquire(timeout=LIMIT)  # so that a failing test ends
        write_all(files)

    monkeypatch.setattr(storage, "write_files", slow)
    many = pieces(3 * BATCH_SIZE)
    window.exporter.export_artworks(many, tmp_path)
    qtbot.waitUntil(lambda: len(window.jobs.jobs.get()) == 1)
    (entry,) = window.jobs.jobs.get()
    assert (entry.title, entry.total) == (f"Saving {3 * BATCH_SIZE} pictures", 3 * BATCH_SIZE)
    qtbot.waitUntil(lambda: window.jobs.jobs.get()[0].done == BATCH_SIZE)
    window.jobs.stop_job(entry.job)
    go_on.release()
    assert said(window, qtbot) == f"Stopped. {2 * BATCH_SIZE} of {3 * BATCH_SIZE} pictures are saved."
    assert window.jobs.jobs.get() == ()
    assert len(list(tmp_path.glob("*.png"))) == 2 * BATCH_SIZE
    go_on.release()
    window.messages.press_button(1)
    assert said(window, qtbot) == f'Saved {BATCH_SIZE} pictures in "{tmp_path.name}", each with its recipe inside.'
    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(piece.name for piece in many)


# ── where nothing can be saved ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("notes", 'notes" is a file, not a folder.'),
        ("link", 'gone", which is not there.'),
        ("gone", 'gone" is not there.'),
        ("/dev/full", '"/dev/full" is a device, not a folder.'),
        ("/proc", 'the system keeps no files in "/proc".'),
        ("n" * 300, "is 45 bytes too long."),
    ],
)
def test_where_nothing_can_be_saved_the_message_says_what_is_there(
    place: str, words: str, window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for save in (
        lambda folder: window.exporter.export_artworks(pieces(2), folder),
        lambda folder: window.exporter.export_artwork(pieces(1)[0], folder / "rose.png"),
        lambda folder: window.exporter.export_sheet(pieces(2), folder / "sheet.png"),
    ):
        window.messages.current.set(None)
        save(tmp_path / place)
        message = said(window, qtbot)
        assert words in message
        assert "The picture is still here. Choose another place." in message


def test_a_long_name_is_numbered_within_the_length_that_a_name_can_have(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    long = replace(pieces(1)[0], name="é" * 150 + ".png")
    window.exporter.export_artworks([long, long], tmp_path)
    assert said(window, qtbot).startswith("Saved 2 pictures")
    assert [len(path.name.encode()) <= 255 for path in tmp_path.glob("*.png")] == [True, True]


def test_all_are_saved_beside_a_link_that_leads_nowhere(window: AppState, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "tiny-0.png").symlink_to(tmp_path / "gone")
    window.exporter.export_artworks(pieces(1), tmp_path)
    assert said(window, qtbot) == 'Saved "tiny-0-0001.png" with its recipe inside.'
    assert (tmp_path / "tiny-0.png").is_symlink()
