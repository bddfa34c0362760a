"""Artworks are saved in the chosen size, name and folder, one request after another."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.files.exporting import BATCH_SIZE, ExportItem
from studio.library import storage
from studio.library.work import SHEET_RECIPE_KEY, StoredArray, Work
from studio.media import export
from studio.media.pictures.image import open_picture
from studio.wire.messages import Decoded, DecodeLatent, Encode, Finished
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.limits import LIMIT

RNG = np.random.default_rng(3)


def make_items(count: int, **fields: object) -> list[ExportItem]:
    return [
        ExportItem(
            RNG.integers(0, 256, (8, 8, 3), np.uint8),
            Work(**{"model": "tiny", "model_hash": "", "seed": seed, **fields}),  # type: ignore[arg-type]
            f"tiny-{seed}.png",
        )
        for seed in range(count)
    ]


def message_text(window: AppState, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    message = window.messages.current.get()
    assert message is not None
    return message.text


# ── sizes ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("times", "pixels", "side"), [(1, 512, 8), (4, 512, 32), (16, 512, 128), (0, 100, 96)])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("panel", ["explore", "complete"])
def test_an_enlarged_picture_is_restored_when_dropped(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, times: int, pixels: int, side: int,
    smooth: bool, panel: str, two_models: Path,
) -> None:  # fmt: skip
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    window.models.refresh_models()
    window.complete.settle()
    window.export_settings.choose_times(times)
    window.export_settings.choose_pixels(pixels)
    window.smooth.set(smooth)
    (item,) = make_items(1)
    window.exporter.export_item(item, tmp_path / "rose.png")
    assert message_text(window, qtbot) == 'Saved "rose.png" with its recipe inside.'
    with Image.open(tmp_path / "rose.png") as image:
        assert image.size == ((100, 100) if smooth and not times else (side, side))
    window.show_panel(panel)
    window.open_dropped([tmp_path / "rose.png"])
    shown = window.explore.picture if panel == "explore" else window.complete.canvas.picture
    qtbot.waitUntil(lambda: shown.get() is not None)
    assert np.array_equal(shown.get(), item.picture)
    if panel == "explore":
        assert window.explore.parameters.seed.get() == item.work.seed


def test_an_artwork_without_a_seed_is_encoded_from_its_pixels(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    """The original of a smooth file cannot be computed from its pixels."""
    window.smooth.set(True)
    (item,) = make_items(1, heat=StoredArray.from_array(np.ones((8, 8), np.float32)))
    window.exporter.export_item(item, tmp_path / "rose.png")
    message_text(window, qtbot)
    window.explore.open_file(tmp_path / "rose.png")
    qtbot.waitUntil(lambda: any(isinstance(sent, Encode) for sent in engine.sent))
    command = next(sent for sent in engine.sent if isinstance(sent, Encode))
    assert np.array_equal(command.picture, item.picture)


def test_a_sheet_shows_every_picture_and_carries_the_recipe_of_each(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    window.export_settings.choose_times(4)
    many = make_items(6)
    window.exporter.export_sheet(many, tmp_path / "roses")
    assert message_text(window, qtbot) == 'Saved 6 pictures on "roses.png", each with its recipe inside.'
    sheet = open_picture(tmp_path / "roses.png").array
    assert sheet.shape == (3 * 34 + 2, 2 * 34 + 2, 3)
    for index, item in enumerate(many):
        y = 2 + index // 2 * 34
        x = 2 + index % 2 * 34
        assert np.array_equal(sheet[y : y + 32 : 4, x : x + 32 : 4], item.picture)
    recipes = export.png_texts((tmp_path / "roses.png").read_bytes())[SHEET_RECIPE_KEY]
    assert all(f'"seed":{seed},' in recipes for seed in range(6))


@pytest.mark.parametrize("smooth", [False, True])
def test_a_dropped_sheet_shows_its_first_picture_and_can_give_all_of_them(
    window: AppState, qtbot: QtBot, tmp_path: Path, smooth: bool
) -> None:
    window.export_settings.choose_times(4)
    window.smooth.set(smooth)
    trained = window.models.find_model("tiny")
    assert trained is not None
    many = make_items(6, model_hash=trained.file_hash)
    window.exporter.export_sheet(many, tmp_path / "roses.png")
    message_text(window, qtbot)
    window.messages.dismiss()
    assert window.drop_text([tmp_path / "roses.png"]) == "Restore this work"
    window.open_dropped([tmp_path / "roses.png"])
    assert message_text(window, qtbot) == '"roses.png" is a sheet of 6 pictures. The first one is shown.'
    assert window.explore.parameters.seed.get() == 0
    window.messages.press_button(0)
    takes = window.takes.takes.get()
    assert [take.work for take in takes] == [item.work for item in many]
    assert all(np.array_equal(take.picture, item.picture) for take, item in zip(takes, many, strict=True))
    window.explore.history.undo()
    assert window.takes.takes.get() == ()


def test_a_sheet_of_many_pictures_stays_small_enough_to_open(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    window.export_settings.choose_times(16)
    item = ExportItem(np.zeros((64, 64, 1), np.uint8), Work(model="tiny", model_hash="", seed=0), "tiny-0.png")
    window.exporter.export_sheet([item] * 200, tmp_path / "roses.png")
    assert message_text(window, qtbot) == (
        'Saved 200 pictures on "roses.png", each with its recipe inside. '
        "Each is 512 × 512 pixels. At 1,024 × 1,024 the sheet would be too large."
    )
    assert open_picture(tmp_path / "roses.png").array.shape[:2] == (15 * 514 + 2, 14 * 514 + 2)


def test_the_export_settings_survive_a_restart(opener: Opener, engine: FakeEngine) -> None:
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
    home = make_items(1)[0]
    moved = make_items(1, sliders=(1.0,))[0]
    assert window.exporter.name_for(home) == "tiny-0.png"
    assert window.exporter.name_for(moved) == "tiny-0-0001.png"
    assert window.exporter.name_for(home) == "tiny-0.png", "the same work keeps its name"


def test_the_name_of_an_existing_file_is_not_proposed(window: AppState, qtbot: QtBot, tmp_path: Path) -> None:
    window.folders.end_saving(tmp_path)
    (item,) = make_items(1)
    for wanted in ("tiny-0.png", "tiny-0-0001.png", "tiny-0-0002.png"):
        assert window.exporter.name_for(item) == wanted
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
        command = next(sent for sent in reversed(engine.sent) if isinstance(sent, DecodeLatent))
        picture = np.full((8, 8, 3), int(value) + 1, np.uint8)
        engine.emit_events(Decoded(job=command.job, picture=picture), Finished(job=command.job))
        names.append(window.explore.file_name())
    assert names == ["tiny-7.png", "tiny-7-0001.png"]


def test_folders_for_opening_and_saving_are_remembered_separately(
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


def test_the_first_folder_is_the_users_pictures(window: AppState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_HOME")
    monkeypatch.setattr("platformdirs.user_pictures_path", lambda: Path("/home/rose/Pictures"))
    assert window.folders.for_saving() == Path("/home/rose/Pictures/Latent Studio")


# ── several saves ────────────────────────────────────────────────────────────────────────────────


def test_a_save_during_another_save_is_written_too(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    for item in make_items(5):
        window.exporter.export_item(item, tmp_path / item.name)
    qtbot.waitUntil(lambda: len(window.messages.history.get()) == 5)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"tiny-{seed}.png" for seed in range(5)]


def test_closing_waits_for_all_saves(window: AppState, tmp_path: Path) -> None:
    for item in make_items(5):
        window.exporter.export_item(item, tmp_path / item.name)
    window.exporter.close()
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_a_long_save_is_listed_and_can_be_stopped(
    window: AppState, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Semaphore(1)
    write_all = storage.write_files

    def write_slowly(files: list[tuple[Path, bytes]]) -> None:
        go_on.acquire(timeout=LIMIT)  # a failing test then ends
        write_all(files)

    monkeypatch.setattr(storage, "write_files", write_slowly)
    many = make_items(3 * BATCH_SIZE)
    window.exporter.export_items(many, tmp_path)
    qtbot.waitUntil(lambda: len(window.jobs.jobs.get()) == 1)
    (entry,) = window.jobs.jobs.get()
    assert (entry.title, entry.total) == (f"Saving {3 * BATCH_SIZE} pictures", 3 * BATCH_SIZE)
    qtbot.waitUntil(lambda: window.jobs.jobs.get()[0].done == BATCH_SIZE)
    window.jobs.stop_job(entry.job)
    go_on.release()
    assert message_text(window, qtbot) == f"Stopped. {2 * BATCH_SIZE} of {3 * BATCH_SIZE} pictures are saved."
    assert window.jobs.jobs.get() == ()
    assert len(list(tmp_path.glob("*.png"))) == 2 * BATCH_SIZE
    go_on.release()
    window.messages.press_button(1)
    expected = f'Saved {BATCH_SIZE} pictures in "{tmp_path.name}", each with its recipe inside.'
    assert message_text(window, qtbot) == expected
    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(item.name for item in many)


# ── failed saves ─────────────────────────────────────────────────────────────────────────────────


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
def test_a_failed_save_says_what_is_in_the_way(
    place: str, words: str, window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for save in (
        lambda folder: window.exporter.export_items(make_items(2), folder),
        lambda folder: window.exporter.export_item(make_items(1)[0], folder / "rose.png"),
        lambda folder: window.exporter.export_sheet(make_items(2), folder / "sheet.png"),
    ):
        window.messages.current.set(None)
        save(tmp_path / place)
        message = message_text(window, qtbot)
        assert words in message
        assert "The picture is still here. Choose another place." in message


def test_a_long_name_is_numbered_within_the_length_that_a_name_can_have(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    long = replace(make_items(1)[0], name="é" * 150 + ".png")
    window.exporter.export_items([long, long], tmp_path)
    assert message_text(window, qtbot).startswith("Saved 2 pictures")
    assert [len(path.name.encode()) <= 255 for path in tmp_path.glob("*.png")] == [True, True]


def test_all_items_are_saved_beside_a_broken_link(window: AppState, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "tiny-0.png").symlink_to(tmp_path / "gone")
    window.exporter.export_items(make_items(1), tmp_path)
    assert message_text(window, qtbot) == 'Saved "tiny-0-0001.png" with its recipe inside.'
    assert (tmp_path / "tiny-0.png").is_symlink()
