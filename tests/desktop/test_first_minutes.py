"""The README's first ten minutes, step by step, by the pointer and by keys, on the real window and the real engine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.desktop.screen import Screen
from tests.desktop.window import COMPILES, MAY_TAKE, DesktopWindow, Part
from tests.readme import FIRST, WITH_SLIDERS

PHOTOS = Path(__file__).parents[2] / "../shared/data/user/images"
LEVEL = 256 / 16
"""Distance between two levels of the model FIRST; a row has 32 pixels."""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def window_of_module(screen: Screen, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DesktopWindow]:
    window = DesktopWindow(screen, tmp_path_factory.mktemp("home"), (1440, 900))
    yield window
    assert window.close() == 0


@pytest.fixture
def window(window_of_module: DesktopWindow) -> Iterator[DesktopWindow]:
    """Give a test the window at rest, and check afterwards that it logged no fault."""
    window_of_module.rest()
    window_of_module.ask("report")
    yield window_of_module
    window_of_module.check("the test")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Save a synthetic photograph of 60 × 40 pixels: a disc on a background, with noise."""
    y, x = np.mgrid[:40, :60]
    disc = np.hypot(y - 20, x - 30)[..., None] < 14
    noise = np.random.default_rng(1).integers(0, 30, (40, 60, 3))
    picture = np.where(disc, (230, 120, 40), (40, 90, 160)) + noise - 15
    path = tmp_path / "photo.png"
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return path


def generate(window: DesktopWindow, model: str, number: int = 16) -> list[Part]:
    """Choose a model, press Generate and wait for the pictures; return the rows of the grid."""
    window.open_panel("Generate")
    window.choose_model(model)
    if window.value("generate.parameters.number") != number:
        window.set_number(number)
    return make(window, number)


def make(window: DesktopWindow, number: int = 16) -> list[Part]:
    """Press Generate, wait for the pictures, and return the rows of the grid."""
    window.press_main()
    window.until(lambda: window.finished("generate.batch.cells") == number, "The pictures", COMPILES)
    window.until(lambda: window.sees("Generate", "button", "MainButton"), "The end of making")
    return grid(window)


def grid(window: DesktopWindow) -> list[Part]:
    return [row for row in window.parts("row") if row["class"] == "GridView"]


def some_grid(window: DesktopWindow, model: str = WITH_SLIDERS) -> list[Part]:
    """Return sixteen pictures: the present ones if there are sixteen, else new ones."""
    window.open_panel("Generate")
    rows = grid(window)
    made = window.value("generate.batch.trained")
    kept = len(rows) == 16 and made is not None and made["card"]["title"] == model
    return rows if kept and window.value("generate.enlarged.index") is None else generate(window, model)


def test_a_fault_and_a_window_that_does_not_answer_are_noticed(
    window: DesktopWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that the other tests can fail: they rely on this."""

    def noticed(words: str) -> bool:
        try:
            window.check("what a test asked for")
        except AssertionError as fault:
            return words in str(fault)
        return False

    monkeypatch.setattr("tests.desktop.window.may_take", lambda: MAY_TAKE)
    window.ask("fail")
    window.until(lambda: noticed("a fault that a test asked for"), "The fault")
    window.ask("hold", seconds=2 * MAY_TAKE)
    window.until(lambda: noticed("the window took"), "The wait")


@pytest.fixture
def first_launch(screen: Screen, tmp_path: Path) -> Iterator[DesktopWindow]:
    """Open a window as a new user sees it, with nothing in its folders."""
    window = DesktopWindow(screen, tmp_path / "home", (1440, 900))
    window.ask("report")  # leave the start of the window out of the measurement
    yield window
    assert window.close() == 0


def test_the_steps_of_the_readme_can_be_followed_in_order(first_launch: DesktopWindow, tmp_path: Path) -> None:
    """Models are chosen only if a step says so."""
    window = first_launch
    assert window.value("panel") == "generate" and window.sees(f"Model, {FIRST}")  # 1
    rows = make(window)  # 2
    assert len(rows) == 16 and window.value("generate.batch.trained.card.title") == FIRST
    window.click(rows[6], times=2)
    assert window.value("generate.enlarged.index") == 6
    window.click("All of them")
    window.choose_model(WITH_SLIDERS)  # 3
    window.click(make(window)[2], button=3)
    window.choose_entry("Open in Explore")
    window.wait_for_drawing()
    before = window.value("explore.render.picture")["digest"]
    home = window.value("explore.parameters.sliders")
    left, top, width, height = grooves(window)[0]["place"]
    window.drag((left + width / 2, top + height // 2), (left + width * 0.8, top + height // 2))
    window.until(lambda: window.value("explore.render.picture")["digest"] != before, "Another picture")
    window.click("Undo")
    assert window.value("explore.parameters.sliders") == home
    window.until(lambda: window.value("explore.render.picture")["digest"] == before, "The picture of before")
    window.wait_for_drawing()
    window.click("Keep take")  # 4
    window.click("Export…")
    window.answer_dialog(tmp_path / "first.png")
    window.until((tmp_path / "first.png").exists, "The file")
    with Image.open(tmp_path / "first.png") as image:
        assert image.size == (256, 256)
    window.check("the steps")


def test_explore_begins_with_sliders_beside_a_model_that_has_none(first_launch: DesktopWindow) -> None:
    window = first_launch
    window.open_panel("Explore")
    assert window.sees(f"Model, {WITH_SLIDERS}") and len(grooves(window)) > 4
    window.open_panel("Generate")
    assert window.sees(f"Model, {FIRST}")


def test_a_picture_without_sliders_says_so_and_is_explored_with_another_model(window: DesktopWindow) -> None:
    rows = some_grid(window, FIRST)
    window.click(rows[3], button=3)
    window.choose_entry("Open in Explore")
    assert window.value("panel") == "generate"
    assert "has no sliders" in window.value("messages.current.text")
    window.click(f'Explore it with "{WITH_SLIDERS}"')
    assert window.value("panel") == "explore" and window.sees(f"Model, {WITH_SLIDERS}")
    window.until(
        lambda: window.value("explore.parameters.source").startswith(FIRST), "The picture in Explore", COMPILES
    )
    window.wait_for_drawing()
    before = window.value("explore.render.picture")["digest"]
    left, top, width, height = grooves(window)[0]["place"]
    window.drag((left + width / 2, top + height // 2), (left + width * 0.8, top + height // 2))
    window.until(lambda: window.value("explore.render.picture")["digest"] != before, "Another picture")


def test_sixteen_pictures_form_and_a_double_click_enlarges_one(window: DesktopWindow) -> None:
    rows = generate(window, FIRST)
    assert len(rows) == 16 and all("finished" in row["name"] for row in rows)
    window.click(rows[6], times=2)
    assert window.value("generate.enlarged.index") == 6
    window.click("All of them")
    assert window.value("generate.enlarged.index") is None and window.sees("Picture 7 of 16", "row")


@pytest.mark.parametrize("place", [0, 4, 7, 15])
def test_the_right_button_opens_the_picture_under_the_pointer_in_explore(window: DesktopWindow, place: int) -> None:
    rows = some_grid(window)
    window.click(rows[place], button=3)
    window.until(lambda: window.ask("open"), "The menu")
    left, top, _, _ = window.find("Open in Explore", "entry")["place"]
    assert abs(left - window.screen.at[0]) < 16 and abs(top - window.screen.at[1]) < 16, "the menu lies elsewhere"
    cell = window.value("generate.batch.cells")[place]
    window.choose_entry("Open in Explore")
    assert window.value("panel") == "explore"
    assert window.value("explore.parameters.seed") == cell["seed"]
    window.wait_for_drawing()
    assert window.value("explore.render.picture")["digest"] == cell["picture"]["digest"]


def at_home(window: DesktopWindow) -> None:
    """Show a picture in Explore that begins from a new seed, with every slider at home."""
    window.open_panel("Explore")
    window.choose_model(WITH_SLIDERS)
    if any(window.value("explore.parameters.sliders")):  # a new start keeps what an earlier test left
        window.click("All home")
    seed = window.value("explore.parameters.seed")
    window.click("New start")
    window.until(lambda: window.value("explore.parameters.seed") != seed, "Another seed")
    window.wait_for_drawing()


def grooves(window: DesktopWindow) -> list[Part]:
    """Return the sliders of Explore's directions."""
    sliders = (slider for slider in window.parts("slider") if slider["class"] == "Slider" and slider["place"])
    return [slider for slider in sliders if ", direction " in slider["name"]]


def test_a_slider_that_is_dragged_changes_the_picture_and_undo_takes_it_back(window: DesktopWindow) -> None:
    at_home(window)
    before = window.value("explore.render.picture")["digest"]
    home = window.value("explore.parameters.sliders")
    left, top, width, height = grooves(window)[0]["place"]
    middle = top + height // 2
    window.drag((left + width / 2, middle), *((left + width * (0.5 + step / 20), middle) for step in range(1, 7)))
    moved = window.value("explore.parameters.sliders")
    assert moved[0] > 1 and moved[1:] == home[1:]
    window.until(lambda: window.value("explore.render.picture")["digest"] != before, "Another picture")
    window.click("Undo")
    assert window.value("explore.parameters.sliders") == home, "one drag is one step"
    window.until(lambda: window.value("explore.render.picture")["digest"] == before, "The picture of before")
    window.key("ctrl+shift+z")
    assert window.value("explore.parameters.sliders") == moved


def test_a_take_is_kept_saved_and_restored_by_dropping_its_file(window: DesktopWindow, tmp_path: Path) -> None:
    at_home(window)
    left, top, width, height = grooves(window)[1]["place"]
    window.drag((left + width / 2, top + height // 2), (left + width * 0.8, top + height // 2))
    window.wait_for_drawing()
    takes = len(window.value("takes.takes"))
    window.click("Keep take")
    assert len(window.value("takes.takes")) == takes + 1
    assert len([row for row in window.parts("row") if row["class"] == "TakeList"]) == takes + 1
    seed = window.value("explore.parameters.seed")
    sliders = window.value("explore.parameters.sliders")
    picture = window.value("explore.render.picture")["digest"]
    window.click("Export…")
    saved = tmp_path / "kept.png"
    window.answer_dialog(saved)
    window.until(saved.exists, "The file")
    with Image.open(saved) as image:
        assert image.format == "PNG"
    window.click("New start")
    window.until(lambda: window.value("explore.render.picture")["digest"] != picture, "Another picture")
    action = window.screen.drop(saved, (600, 400))
    window.until(lambda: window.value("explore.render.picture")["digest"] == picture, "The work of before")
    assert window.value("explore.parameters.seed") == seed and window.value("explore.parameters.sliders") == sliders
    assert action == "CopyAction" and saved.exists(), "what is dropped stays where it is"


def bring(window: DesktopWindow, photo: Path) -> None:
    """Drop a photograph and press Use this."""
    window.screen.drop(photo, (600, 400))
    window.until(lambda: window.sees("Use this"), "The preview of the picture")
    window.until(lambda: window.find("Use this")["enabled"], "The end of looking")
    window.click("Use this")


def test_a_photograph_that_is_dropped_comes_back_exactly(window: DesktopWindow, photo: Path) -> None:
    at_home(window)
    bring(window, photo)
    window.until(lambda: window.value("explore.badge.kind") not in (None, "working"), "The badge")
    assert window.value("explore.badge.kind") == "exact"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the pictures of ../shared/data/user are not here")
def test_a_photograph_of_a_camera_is_opened_by_its_name(window: DesktopWindow) -> None:
    at_home(window)
    window.key("ctrl+o")
    window.answer_dialog((PHOTOS / "IMG_1007.jpg").resolve())
    window.until(lambda: window.sees("Use this"), "The preview of the picture")
    window.until(lambda: window.find("Use this")["enabled"], "The end of looking")
    window.click("Use this")
    window.until(lambda: window.value("explore.badge.kind") not in (None, "working"), "The badge")
    assert window.value("explore.badge.kind") == "exact"


def test_a_picture_continues_from_the_row_to_which_the_marker_was_dragged(window: DesktopWindow) -> None:
    row = generate(window, FIRST, 1)[0]
    window.click(row, times=2)
    base = window.value("generate.enlarged.item.picture")
    takes = len(window.value("takes.takes"))
    left, top, width, height = window.find("Rewind", "slider")["place"]
    tab = (left + width // 2, top + height // 2)
    tall = window.find("Picture", "area", "PictureView")["place"][3]
    window.drag(tab, (tab[0], tab[1] - tall // 4), (tab[0], tab[1] - tall // 2))
    rows = base["shape"][0]
    mark = window.value("generate.rewind.marker.row")
    assert 0 < mark < rows
    window.click("Continue")
    window.until(lambda: len(window.value("takes.takes")) > takes, "Another take", COMPILES)
    window.until(lambda: window.value("engine_status") == "Ready", "The rest of the picture", COMPILES)
    other = window.value("takes.takes")[-1]["array"]
    assert other["rows"][:mark] == base["rows"][:mark] and other["rows"][mark:] != base["rows"][mark:]


def test_surprise_shows_the_bits_of_each_pixel(window: DesktopWindow) -> None:
    some_grid(window)
    window.click("Surprise")
    assert window.value("surprisal.on")
    window.until(lambda: window.value("engine_status") == "Ready", "The prices", COMPILES)
    assert window.sees("Surprise", "area", "ColourLegend")
    window.click(window.find("Surprise", "button"))
    assert not window.value("surprisal.on")


def test_a_painted_part_is_redrawn_and_the_rest_is_kept(window: DesktopWindow, photo: Path) -> None:
    window.open_panel("Complete")
    window.choose_model(FIRST)
    bring(window, photo)
    window.until(lambda: window.value("complete.canvas.picture") is not None, "The picture")
    window.click("Brush")
    left, top, width, height = window.find("Your picture", "area")["place"]
    way = [(left + width * share, top + height * 0.75) for share in (0.3, 0.4, 0.5, 0.6, 0.7)]
    window.drag(way[0], *way[1:])
    hole = window.value("complete.canvas.brush.mask")["rows"]
    assert sum(hole) > 20 and not any(hole[: len(hole) // 2])
    window.set_number(2)
    window.press_main()
    window.until(lambda: window.finished("complete.batch.cells") == 2, "Two completions", COMPILES)
    first, second = (cell["picture"]["rows"] for cell in window.value("complete.batch.cells"))
    above = next(row for row, marked in enumerate(hole) if marked)
    assert first[:above] == second[:above] and first[above:] != second[above:]
    brought = np.array(window.value("complete.canvas.picture")["rows"][:above])
    assert abs(brought - first[:above]).max() < 32 * LEVEL, (
        "the kept rows differ from the picture by more than one level of the model"
    )
    assert len([row for row in window.parts("row") if row["class"] == "ResultsView"]) == 2


def test_play_makes_a_sound_audible_while_it_is_generated(window: DesktopWindow) -> None:
    """If the computer is too busy, the window says when the sound will play without a gap."""
    window.open_panel("Sound")
    window.click("Play")
    window.until(lambda: window.value("sound.player.made_seconds") > 0.5, "The sound", COMPILES)
    window.until(
        lambda: (
            window.value("sound.player.position") > 0.5
            or "Playing starts in" in window.value("sound.player.waiting_reason")
        ),
        "Playing, or a word on when it starts",
    )
    assert window.value("sound.player.playing")
    window.click(window.find("Stop", "button", "Button"))
    window.until(lambda: not window.value("sound.player.making"), "The end of making")
