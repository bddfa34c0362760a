"""Tests continuing a picture from a row: the command, the kept rows, and the tree of takes."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.panels.generate.rewind import Marker, RewindBase
from studio.app.panels.generate.rewind_actions import ADDED_TO_TAKES, ALREADY_DRAWN
from studio.app.takes import tree
from studio.library import work
from studio.library.card import PyramidParts
from studio.library.work import FixedPixel
from studio.wire.messages import Array, Failed, Finished, Inpaint, PicturesPreview, Sample, Stopped
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.saving import save_to

BLUE = (40, 90, 200)


@pytest.fixture(autouse=True)
def rows_model(two_models: Path) -> None:
    """Add `rows`, 8 × 8 in colour, drawn row by row."""
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))


def tone(value: int) -> Array:
    return np.full((1, 8, 8, 3), value, np.uint8)


def begin(window: AppState, engine: FakeEngine, count: int = 2, labels: tuple[int, ...] | None = None) -> None:
    """Draw pictures of the seeds from 4112 on, each of its own tone, and enlarge the second."""
    engine.status_changed.emit("Ready")
    window.generate.choose_model("rows")
    window.generate.parameters.set_number(count)
    window.generate.parameters.set_seed(4112)
    window.generate.start_batch()
    job, pictures = engine.sent[-1].job, np.concatenate([tone(10 + n) for n in range(count)])
    prices = (-1.0,) * count
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=pictures, done=9, total=9, log_prob=prices, labels=labels),
        Finished(job=job),
    )
    window.generate.enlarge_cell(1)


def mark(window: AppState) -> Marker:
    found = window.generate.rewind.marker.get()
    assert found is not None
    return found


def base(window: AppState) -> RewindBase:
    found = window.generate.rewind.base.get()
    assert found is not None
    return found


def asked(engine: FakeEngine) -> Inpaint:
    command = engine.sent[-1]
    assert isinstance(command, Inpaint)
    return command


def answer(engine: FakeEngine, value: int) -> Array:
    """Draw the rest of the picture in one tone, as an engine does; return the picture."""
    command = asked(engine)
    free = command.mask[..., None] > 0
    picture = np.where(free, np.uint8(value), command.picture)
    for done in (3, 8):
        seen = np.concatenate([picture[:done], np.zeros_like(picture[done:])])
        engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=seen[None], done=done, total=9))
    engine.emit_events(
        PicturesPreview(job=command.job, first=0, pictures=picture[None], done=9, total=9, log_prob=(-5.0,)),
        Finished(job=command.job),
    )
    return picture


def words(window: AppState) -> list[str]:
    takes = window.takes.takes.get()
    up = tree.find_parents(takes)
    return [
        tree.accessible_text(takes, up, place, place == window.generate.selection.current.get())
        for place in range(len(takes))
    ]


def test_letting_go_of_the_marker_starts_nothing(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    count = len(engine.sent)
    assert mark(window) == Marker(8)  # at the end: all of the picture is kept
    generate = window.generate
    generate.history.begin_gesture("row marker")
    for row in (7, 6, 5):
        generate.rewind_actions.move_marker(row)
    generate.history.end_gesture()
    assert mark(window) == Marker(5, (), armed=True) and len(engine.sent) == count
    window.undo()  # one gesture, one step
    assert mark(window) == Marker(8)
    window.redo()
    assert mark(window).row == 5


@pytest.fixture
def rows_pyramid(two_models: Path) -> None:
    """Make `rows` a pyramid: 4 × 4 pixels are drawn row by row, then their details."""
    parts = PyramidParts(upsampler="details", upsampler_hash="0", coarse_shape=(3, 4, 4))
    card = make_card("rows", family=("pixelcnn", "PixelCNN"))
    write_model(two_models, msgspec.structs.replace(card, pyramid=parts))
    write_model(two_models, make_card("others", family=("pixelcnn", "PixelCNN")))


def test_a_pyramid_offers_no_row_to_continue_from_and_no_mixture(
    rows_pyramid: None, window: AppState, engine: FakeEngine
) -> None:
    begin(window, engine)
    assert window.generate.rewind.base.get() is None
    assert window.generate.rewind.marker.get() is None
    assert window.generate.parameters.mix.partners.get() == ()
    window.generate.rewind_actions.arm_marker()
    said = window.messages.current.get()
    assert said is not None and "Choose a model that draws row by row." in said.text


def test_the_rows_above_are_asked_to_be_kept_and_the_imposed_pixel_too(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.set_pixel(6, 2, BLUE)
    generate.rewind_actions.set_pixel(4, 2, BLUE)  # above the marker, so it stays as it is
    assert mark(window).pixels_below == (FixedPixel(6, 2, BLUE),)
    generate.rewind_actions.branch_here()
    command = asked(engine)
    assert (command.model, command.seeds, command.temperature) == ("rows", (4113,), (0.7,))
    assert command.mask[:5].sum() == 0 and command.mask[5:].sum() == 23 and command.mask[6, 2] == 0
    assert (command.picture[:5] == 11).all() and tuple(command.picture[6, 2]) == BLUE


def test_what_it_was_made_with_is_set_so_that_only_what_is_changed_differs(
    window: AppState, engine: FakeEngine
) -> None:
    begin(window, engine)
    generate = window.generate
    generate.parameters.set_temperature(1.4)
    generate.enlarge_cell(0)
    generate.enlarge_cell(1)
    assert (generate.parameters.seed.get(), generate.parameters.temperature.get()) == (4112, 1.4)
    generate.rewind_actions.move_marker(5)
    assert (generate.parameters.seed.get(), generate.parameters.temperature.get()) == (4113, 0.7)
    window.undo()
    assert (generate.parameters.seed.get(), generate.parameters.temperature.get()) == (4112, 1.4)
    generate.parameters.set_seed(99)  # the user set another seed first: it stays
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.branch_here()
    assert asked(engine).seeds == (99,)


def test_what_was_drawn_already_gets_another_seed_unless_it_is_locked(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.branch_here()
    first = asked(engine).seeds
    assert first != (4113,)
    answer(engine, 200)
    generate.rewind_actions.branch_here()  # again from the same row
    assert asked(engine).seeds not in (first, (4113,))
    answer(engine, 201)
    generate.parameters.lock_seed(True)
    count = len(engine.sent)
    generate.rewind_actions.branch_here()
    said = window.messages.current.get()
    assert len(engine.sent) == count and said is not None and said.text == ALREADY_DRAWN
    generate.parameters.set_temperature(1.1)
    generate.rewind_actions.branch_here()
    assert asked(engine).temperature == (1.1,)


def test_rows_form_over_what_was_there_and_end_as_a_take(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.branch_here()
    command = asked(engine)
    drawn = np.where(command.mask[..., None] > 0, np.uint8(99), command.picture)
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=drawn[None], done=3, total=9))
    large = generate.enlarged.item.get()
    assert large is not None and large.picture is not None and (large.picture == 11).all()  # still where it was
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=drawn[None], done=6, total=9))
    large = generate.enlarged.item.get()
    assert large is not None and large.picture is not None
    assert (large.picture[5] == 99).all() and (large.picture[6:] == 11).all()
    assert generate.rewind.status_text.get().startswith("Row 6 of 8")
    picture = answer(engine, 99)
    parent, child = window.takes.takes.get()
    assert np.array_equal(child.array, picture) and (parent.array == 11).all()
    assert words(window)[1] == "Take 2, from take 1 at row 5, level 2, chosen"
    assert mark(window) == Marker(5) and base(window).caption == f"take {child.name}"
    window.undo()
    assert window.takes.takes.get() == () and base(window).caption == "cell 4113" and mark(window).armed
    window.redo()
    assert len(window.takes.takes.get()) == 2 and generate.selection.current.get() == 1


def test_a_second_continuation_from_the_same_row_is_a_sibling(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    for value in (100, 101):
        generate.rewind_actions.branch_here()
        answer(engine, value)
    assert tree.find_parents(window.takes.takes.get()) == (None, 0, 0)
    generate.rewind_actions.move_marker(6)  # keeps a row that only the last one has
    generate.rewind_actions.branch_here()
    answer(engine, 102)
    generate.rewind_actions.move_marker(2)
    generate.rewind_actions.branch_here()
    answer(engine, 103)
    assert tree.find_parents(window.takes.takes.get()) == (None, 0, 0, 2, 0)
    assert words(window)[3].startswith("Take 4, from take 3 at row 6, level 3")


def test_at_the_top_row_a_whole_picture_is_made(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.generate.rewind_actions.move_marker(0)
    window.generate.rewind_actions.branch_here()
    command = engine.sent[-1]
    assert isinstance(command, Sample) and len(command.seeds) == 1
    window.generate.rewind.stop_drawing()
    engine.emit_events(Stopped(job=command.job))
    window.generate.rewind_actions.set_pixel(3, 3, BLUE)
    window.generate.rewind_actions.branch_here()
    assert asked(engine).mask.sum() == 63


def test_a_stopped_picture_keeps_its_rows_and_continues(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.branch_here()
    command = asked(engine)
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=tone(99), done=6, total=9))
    generate.rewind.stop_drawing()
    assert engine.stopped == [command.job]
    engine.emit_events(Stopped(job=command.job))
    said, forming = window.messages.current.get(), generate.rewind.rewound.get()
    assert said is not None and said.text == "Stopped at row 6 of 8. What is drawn is still on the stage."
    assert forming is not None and not forming.running and window.takes.takes.get() == ()
    window.messages.press_button(0)
    assert asked(engine).seeds == command.seeds
    answer(engine, 99)
    assert len(window.takes.takes.get()) == 2


def test_a_failure_and_a_dead_engine_lose_nothing(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.branch_here()
    engine.emit_events(Failed(job=asked(engine).job, reason="Memory ran out.", hint="Close something."))
    said = window.messages.current.get()
    assert said is not None and said.text == "Memory ran out. Close something."
    window.messages.press_button(0)
    engine.die()
    said = window.messages.current.get()
    assert said is not None and said.text.endswith("was lost at row 5. The original is kept.")
    assert mark(window).row == 5 and window.jobs.jobs.get() == ()
    window.messages.press_button(0)
    answer(engine, 99)
    assert len(window.takes.takes.get()) == 2


def test_a_picture_continued_in_the_background_becomes_a_take(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.generate.rewind_actions.move_marker(5)
    window.generate.rewind_actions.branch_here()
    window.generate.enlarge_cell(0)
    answer(engine, 99)
    assert len(window.takes.takes.get()) == 2 and window.generate.enlarged.index.get() == 0
    said = window.messages.current.get()
    assert said is not None and said.text == ADDED_TO_TAKES


def test_another_seed_continues_with_the_same_class(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    """If no class is set, each seed has its own: a cat must not continue as a cake."""
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN"), classes=("Cat", "Cake")))
    window = opener(engine)
    begin(window, engine, labels=(0, 1))
    window.generate.rewind_actions.move_marker(5)
    assert window.generate.parameters.label.get() == 1
    said = window.messages.current.get()
    assert said is not None and said.text == 'The class is now "Cake", as in this picture. Undo brings the other back.'
    window.generate.history.undo()
    assert window.generate.parameters.label.get() is None and window.messages.current.get() is None
    window.generate.rewind_actions.move_marker(5)
    window.generate.rewind_actions.branch_here()
    assert asked(engine).label == 1 and asked(engine).seeds != (4113,)
    second = opener(FakeEngine())
    assert [cell.label for cell in second.generate.batch.cells.get()] == [0, 1]


def test_a_second_model_decides_below_the_marker(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    write_model(two_models, make_card("others", family=("pixelcnn_pp", "PixelCNN++")), salt=1.0)
    window = opener(engine)
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.parameters.set_mix("others")
    generate.parameters.set_share(0.2)
    generate.rewind_actions.branch_here()
    command = asked(engine)
    assert (command.second_model, command.share, command.seeds) == ("others", 0.2, (4113,))
    answer(engine, 99)
    child = window.takes.takes.get()[1]
    assert child.work.mix is not None and child.work.mix.share == 0.2
    assert tree.take_caption(child, window.takes.takes.get()[0]) == "row 5, mix with others 20 %"
    generate.enlarge_cell(0)
    generate.parameters.set_mix("")
    generate.enlarged.show_take(1)
    generate.rewind_actions.move_marker(6)  # its settings are restored
    assert (generate.parameters.mix.name.get(), generate.parameters.mix.share.get()) == ("others", 0.2)


def test_a_continued_picture_names_its_model(window: AppState, engine: FakeEngine) -> None:
    """The original take may be of a model that was trained again since."""
    begin(window, engine)
    made = work.Work(model="rows", model_hash="0" * 32, seed=7, temperature=(0.7,))
    window.explore.keep_work(Artwork(tone(3)[0], made))
    window.generate.enlarged.show_take(0)
    window.generate.rewind_actions.move_marker(4)
    window.generate.rewind_actions.branch_here()
    assert asked(engine).seeds == (7,)  # another model makes another picture of it
    answer(engine, 99)
    trained = window.models.find_model("rows")
    assert trained is not None and window.takes.takes.get()[1].work.model_hash == trained.file_hash


def test_a_model_that_draws_all_at_once_has_no_marker(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.generate.keep_take()
    window.generate.choose_model("tiny")
    window.generate.start_batch()
    job = engine.sent[-1].job
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=tone(1), done=1, total=1, log_prob=(-1.0,)), Finished(job=job)
    )
    window.generate.enlarge_cell(0)
    assert window.generate.rewind.marker.get() is None
    window.generate.rewind_actions.branch_here()
    assert engine.sent[-1].job == job
    window.generate.enlarged.show_take(0)  # of the model that can
    assert mark(window) == Marker(8)


def test_a_half_drawn_picture_continues_from_its_drawn_rows(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Ready")
    generate = window.generate
    generate.choose_model("rows")
    generate.parameters.set_number(2)
    generate.parameters.set_seed(4112)
    generate.start_batch()
    job = engine.sent[-1].job
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=np.concatenate([tone(10), tone(11)]), done=5, total=9)
    )
    generate.enlarge_cell(1)
    assert generate.rewind.base.get() is None, "while it is drawn there is nothing to take hold of"
    engine.emit_events(Stopped(job=job))
    assert mark(window) == Marker(5)
    generate.rewind_actions.move_marker(8)
    assert mark(window).row == 5, "below, nothing is drawn that could be kept"
    generate.rewind_actions.move_marker(3)
    generate.rewind_actions.branch_here()
    command = asked(engine)
    assert (command.seeds, command.mask[:3].sum(), command.mask[3:].all()) == ((4113,), 0, True)
    answer(engine, 100)
    (take,) = window.takes.takes.get()
    assert take.work.redrawn is not None
    assert (take.work.redrawn.row, take.work.ancestors) == (3, ())
    window.undo()
    assert window.takes.takes.get() == ()
    assert generate.enlarged.index.get() == 1
    assert generate.batch.can_continue.get(), "the run can still go on, too"
    generate.batch.continue_run()
    assert generate.rewind.base.get() is None


def test_takes_are_named_and_deleted_and_the_tree_closes_the_gap(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    generate = window.generate
    for row, value in ((5, 100), (6, 101)):
        generate.rewind_actions.move_marker(row)
        generate.rewind_actions.branch_here()
        answer(engine, value)
    assert tree.find_parents(window.takes.takes.get()) == (None, 0, 1)
    generate.selection.rename_take(1, "  Crown ")
    assert [take.work.name for take in window.takes.takes.get()] == ["", "Crown", ""]
    assert tree.find_parents(window.takes.takes.get()) == (None, 0, 1)  # a name breaks no tie
    generate.selection.delete_take(1)
    assert tree.find_parents(window.takes.takes.get()) == (None, 0)
    said = window.messages.current.get()
    assert said is not None and said.text == "Take 2 is in the bin."
    window.messages.press_button(0)
    assert [take.work.name for take in window.takes.takes.get()] == ["", "Crown", ""]
    for _ in range(3):  # restored, deleted, named
        window.undo()
    assert [take.work.name for take in window.takes.takes.get()] == ["", "", ""]
    generate.selection.delete_take(1, branch=True)
    assert len(window.takes.takes.get()) == 1
    said = window.messages.current.get()
    assert said is not None and said.text == "Take 2 and the one that came from it are in the bin."
    window.messages.press_button(0)
    assert tree.find_parents(window.takes.takes.get()) == (None, 0, 1)


def test_the_tree_is_there_again_after_a_restart(
    window: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot
) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.set_pixel(6, 2, BLUE)
    generate.rewind_actions.branch_here()
    answer(engine, 99)
    generate.selection.rename_take(1, "Crown")
    before = words(window)
    second = opener(FakeEngine())
    qtbot.waitUntil(lambda: len(second.takes.takes.get()) == 2)
    assert words(second) == before and mark(second) == Marker(5, (FixedPixel(6, 2, BLUE),))
    assert second.takes.takes.get()[1].work.name == "Crown"
    second.undo()
    second.undo()
    assert second.takes.takes.get() == () and mark(second).armed


def test_a_file_of_it_brings_it_all_back(
    window: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    begin(window, engine)
    generate = window.generate
    generate.rewind_actions.move_marker(5)
    generate.rewind_actions.set_pixel(6, 2, BLUE)
    generate.parameters.set_temperature(1.25)
    generate.rewind_actions.branch_here()
    command = asked(engine)
    picture = answer(engine, 99)
    save_to(window, tmp_path / "on.png", generate.save_picture)
    qtbot.waitUntil((tmp_path / "on.png").exists)
    window.close()
    for path in (tmp_path / "home" / "data" / "takes").iterdir():
        path.unlink()
    (tmp_path / "home" / "config" / "settings.json").unlink(missing_ok=True)

    other_engine = FakeEngine()
    other = opener(other_engine)
    other.show_panel("explore")
    other.open_dropped([tmp_path / "on.png"])
    qtbot.waitUntil(lambda: len(other.takes.takes.get()) == 1)
    assert other.panel.get() == "generate" and mark(other) == Marker(5, (FixedPixel(6, 2, BLUE),))
    assert (other.generate.parameters.seed.get(), other.generate.parameters.temperature.get()) == (4113, 1.25)
    assert np.array_equal(base(other).artwork.array, picture)
    made = work.recipe_of_png((tmp_path / "on.png").read_bytes())
    assert made is not None and made.redrawn is not None
    other.generate.rewind.draw_rest(made)  # the file alone asks for the same again
    again = asked(other_engine)
    assert np.array_equal(again.mask, command.mask) and again.seeds == command.seeds
    kept = command.mask == 0
    assert np.array_equal(again.picture[kept], command.picture[kept])
    other.open_dropped([tmp_path / "on.png"])
    qtbot.waitUntil(lambda: not other.explore.importing.busy.get())
    assert len(other.takes.takes.get()) == 1  # it is among them already


def test_steps_of_one_panel_leave_the_takes_of_another_alone(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.generate.keep_take(0)
    window.show_panel("explore")
    window.explore.keep_work(Artwork(tone(3)[0], work.Work(model="rows", model_hash="", seed=7)))
    window.show_panel("generate")
    window.undo()
    assert [take.work.seed for take in window.takes.takes.get()] == [7]
    window.redo()
    window.show_panel("explore")
    window.undo()
    assert [take.work.seed for take in window.takes.takes.get()] == [4112]
