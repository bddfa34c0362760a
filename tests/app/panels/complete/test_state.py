"""Tests Complete without a window: painting, undo, runs, ranking, keeping, and every refusal."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.canvas import NO_MODEL_TEXT
from studio.app.panels.complete.encoding import STOPPED_TEXT
from studio.app.panels.complete.ranking import MAX_SHOWN
from studio.app.panels.complete.state import ALL_MARKED, NO_COMPLETION_CHOSEN, NOTHING_MARKED
from studio.library.work import Work
from studio.wire import messages as wire
from studio.wire.messages import Array
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.saving import save_to

PIXELS = ("pixelcnn_pp", "PixelCNN++")


@pytest.fixture(autouse=True)
def rows(two_models: Path) -> None:
    """Add `rows`, 8 × 8 in colour, which draws pixel by pixel, in two classes."""
    write_model(two_models, make_card("rows", classes=("dark", "light"), family=PIXELS))


@pytest.fixture
def picture() -> Array:
    return np.random.default_rng(3).integers(0, 256, (8, 8, 3)).astype(np.uint8)


@pytest.fixture
def own(tmp_path: Path, picture: Array) -> Path:
    Image.fromarray(picture).save(tmp_path / "mine.png")
    return tmp_path / "mine.png"


@pytest.fixture
def opened(window: AppState, own: Path, qtbot: QtBot) -> AppState:
    """Open a window with the user's own picture on the canvas."""
    window.show_panel("complete")
    window.open_dropped([own])
    qtbot.waitUntil(lambda: window.complete.canvas.picture.get() is not None)
    return window


def mark(window: AppState, row: int = 4) -> None:
    painting = window.complete.canvas.brush
    painting.choose_tool("rows")
    painting.start_stroke((1.0, float(row)))
    painting.end_stroke()


def run(window: AppState, engine: FakeEngine, number: int = 4) -> wire.Inpaint:
    window.complete.parameters.set_number(number)
    window.complete.parameters.set_seed(10)
    window.complete.start_batch()
    return asked(engine)


def asked(engine: FakeEngine) -> wire.Inpaint:
    sent = engine.sent[-1]
    assert isinstance(sent, wire.Inpaint)
    return sent


def draw(
    engine: FakeEngine, job: str, first: int, nats: list[float] | None, following: list[float] | None = None, n: int = 1
) -> None:
    count = len(nats) if nats is not None else n
    pictures = np.stack([np.full((8, 8, 3), first + i, np.uint8) for i in range(count)])
    engine.emit_events(
        wire.PicturesPreview(
            job=job,
            first=first,
            pictures=pictures,
            done=9 if nats is not None else 5,
            total=9,
            log_prob=tuple(nats) if nats is not None else None,
            following_log_prob=tuple(following) if following is not None else None,
        )
    )


def order(window: AppState) -> list[tuple[int, int | None]]:
    return [(place.cell, place.rank) for place in window.complete.ranking.places.get()]


def said(window: AppState) -> str:
    current = window.messages.current.get()
    return current.text if current is not None else ""


# ── the picture ──────────────────────────────────────────────────────────────────────────────────


def test_a_picture_of_the_right_size_is_dropped_and_another_is_cropped(
    opened: AppState, picture: Array, tmp_path: Path, qtbot: QtBot
) -> None:
    state = opened.complete
    assert state.model.get().card.name == "rows"  # type: ignore[union-attr]  # the only one that can keep a part
    assert np.array_equal(state.canvas.picture.get(), picture)
    assert (state.canvas.source.get(), opened.panel.get()) == ("mine.png", "complete")
    Image.fromarray(picture.repeat(3, 0).repeat(5, 1)).save(tmp_path / "wide.png")
    assert opened.drop_text([tmp_path / "wide.png"]) == "Open in Complete"
    opened.open_file(tmp_path / "wide.png")
    qtbot.waitUntil(lambda: state.canvas.importing.preview.get() is not None)
    assert np.array_equal(state.canvas.picture.get(), picture), "until it is used, the other one stays"
    state.canvas.use_preview()
    assert state.canvas.importing.preview.get() is None
    assert state.canvas.source.get() == "wide.png"
    opened.undo()
    assert np.array_equal(state.canvas.picture.get(), picture)
    opened.show_panel("explore")
    assert opened.drop_text([tmp_path / "wide.png"]) == "Open in Explore"


def test_colours_that_a_grey_model_cannot_keep_are_reported(
    window: AppState, two_models: Path, own: Path, qtbot: QtBot
) -> None:
    write_model(two_models, make_card("greys", (1, 8, 8), family=PIXELS))
    window.models.refresh_models()
    window.complete.choose_model("greys")
    window.show_panel("complete")
    window.open_dropped([own])
    qtbot.waitUntil(lambda: window.complete.canvas.picture.get() is not None)
    assert window.complete.canvas.picture.get().shape == (8, 8, 1)  # type: ignore[union-attr]
    assert '"mine.png" was turned to grey, because "Greys" draws in grey' in said(window)
    # Another model sees the same picture and the same hole in its own shape.
    mark(window, 3)
    window.complete.choose_model("rows")
    assert window.complete.canvas.picture.get().shape == (8, 8, 3)  # type: ignore[union-attr]
    assert masks.first_row(window.complete.canvas.brush.mask.get()) == 3


def test_a_model_that_cannot_keep_a_part_is_refused_and_another_offered(window: AppState, picture: Array) -> None:
    work = Work(model="tiny", model_hash="", seed=7)
    window.complete.canvas.open_work(Artwork(picture, work))
    assert said(window) == '"Tiny" makes the whole picture at once. It cannot keep a part.'
    current = window.messages.current.get()
    assert current is not None
    assert [words for words, _ in current.buttons] == ["Choose a model that can"]
    assert window.complete.canvas.picture.get() is None
    window.messages.press_button(0)
    assert window.complete.canvas.source.get() == "seed 7"
    assert window.panel.get() == "complete"
    window.complete.choose_model("tiny")
    assert window.complete.model.get().card.name == "rows"  # type: ignore[union-attr]


def test_without_a_fitting_model_the_stage_explains_what_to_do(
    engine: FakeEngine, opener: Opener, two_models: Path, own: Path, picture: Array
) -> None:
    (two_models / "rows.safetensors").unlink()
    window = opener(engine)
    window.complete.canvas.open_file(own)
    assert said(window).startswith(NO_MODEL_TEXT)
    window.complete.canvas.open_work(Artwork(picture, Work(model="tiny", model_hash="", seed=7)))
    current = window.messages.current.get()
    assert current is not None
    assert current.buttons == ()


# ── painting ─────────────────────────────────────────────────────────────────────────────────────


def test_one_gesture_is_one_step_and_escape_takes_a_drag_back(opened: AppState) -> None:
    painting = opened.complete.canvas.brush
    painting.set_size(1)
    painting.start_stroke((0.5, 0.5))
    painting.continue_stroke((3.5, 0.5))
    painting.continue_stroke((3.5, 2.5))
    painting.end_stroke()
    painted = painting.mask.get()
    assert painted.sum() == 6
    painting.choose_tool("rectangle")
    painting.start_stroke((5.5, 5.5))
    painting.continue_stroke((7.5, 6.5))
    assert painting.mask.get().sum() == 12
    assert painting.cancel_stroke()
    assert np.array_equal(painting.mask.get(), painted)
    assert not painting.cancel_stroke()
    painting.choose_tool("eraser")
    painting.start_stroke((0.5, 0.5))
    painting.end_stroke()
    assert painting.mask.get().sum() == 5
    painting.invert_mask()
    assert painting.mask.get().sum() == 59
    assert opened.complete.history.undo_name.get() == "invert"
    for left in (5, 6, 0):
        opened.undo()
        assert painting.mask.get().sum() == left
    for _ in range(3):
        opened.redo()
    assert painting.mask.get().sum() == 59


def test_a_mask_is_opened_and_one_of_another_size_is_refused(opened: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    white = np.zeros((8, 8), np.uint8)
    white[2:4] = 255
    Image.fromarray(white).save(tmp_path / "mask.png")
    Image.fromarray(white[:5]).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    painting = opened.complete.canvas.brush
    opened.complete.canvas.open_mask(tmp_path / "mask.png")
    qtbot.waitUntil(lambda: bool(painting.mask.get().any()))
    assert np.array_equal(painting.mask.get(), white > 0)
    opened.complete.canvas.open_mask(tmp_path / "small.png")
    qtbot.waitUntil(lambda: "small.png" in said(opened))
    assert 'The mask "small.png" has 8 × 5 pixels, the picture 8 × 8. The hole stays' in said(opened)
    opened.complete.canvas.open_mask(tmp_path / "broken.png")
    qtbot.waitUntil(lambda: "broken.png" in said(opened))
    assert np.array_equal(painting.mask.get(), white > 0)
    opened.undo()
    assert not painting.mask.get().any()


def test_the_line_of_rows_moves_up_and_down(opened: AppState) -> None:
    painting = opened.complete.canvas.brush
    mark(opened, 4)
    assert masks.first_row(painting.mask.get()) == 4
    assert not opened.complete.canvas.kept_after_hole.get()
    painting.move_row(2)
    assert masks.first_row(painting.mask.get()) == 6
    painting.move_row(-99)
    assert painting.mask.get().all()


def test_of_two_runs_at_once_each_is_steered_for_itself(opened: AppState, engine: FakeEngine) -> None:
    generate, complete = opened.generate, opened.complete
    mark(opened)
    run(opened, engine)
    generate.choose_model("rows")
    generate.start_batch()
    generate.parameters.set_temperature(0.5)
    complete.parameters.set_temperature(0.6)
    made, filled, one, other = engine.sent[-3], engine.sent[-4], *engine.sent[-2:]
    assert isinstance(one, wire.Adjust)
    assert isinstance(other, wire.Adjust)
    assert (one.running_job, other.running_job) == (made.job, filled.job)
    assert one.job != other.job, "an engine refuses a second command of a name"
    assert one.control != other.control, "the newer command of a hand replaces the older"


def test_uncertainty_is_shown_for_filled_pixels_only(opened: AppState, engine: FakeEngine) -> None:
    complete = opened.complete
    complete.batch.show_uncertainty(True)
    mark(opened)
    asked = run(opened, engine, 1)
    assert asked.report_entropy
    told = np.full((1, 6, 8), np.nan, np.float32)
    told[:, 4:] = 2.0
    pictures = np.full((1, 8, 8, 3), 90, np.uint8)
    engine.emit_events(wire.PicturesPreview(job=asked.job, first=0, pictures=pictures, done=6, total=9, entropy=told))
    picture, doubt = complete.ranking.cells.get()[0].picture, complete.batch.uncertainty
    assert picture is not None
    doubt.set_hovered(picture, 5, 3)
    assert doubt.hovered_bits.get() == 2.0
    doubt.set_hovered(picture, 1, 3)
    assert doubt.hovered_bits.get() is None, "it is kept"
    opened.surprisal.set_on(True)
    assert not doubt.on.get(), "one map at a time"
    assert engine.sent[-1] == wire.Adjust(job=engine.sent[-1].job, running_job=asked.job, report_entropy=False)


def test_temperature_is_painted_and_steers_a_run_under_way(opened: AppState, engine: FakeEngine) -> None:
    state, painting = opened.complete, opened.complete.canvas.brush
    mark(opened)
    painting.choose_tool("temperature")
    painting.set_temperature_factor(1.8)
    painting.set_size(3)
    painting.start_stroke((1.5, 1.5))
    painting.end_stroke()
    assert painting.mask.get()[:4].sum() == 0, "the hole stays"
    sent = run(opened, engine)
    assert sent.temperature_map is not None
    assert sent.temperature_map[1, 1] == pytest.approx(1.8)
    assert sent.temperature_map[6, 6] == 1.0
    painting.set_temperature_factor(0.2)
    painting.start_stroke((6.5, 6.5))
    painting.end_stroke()
    steer = engine.sent[-1]
    assert isinstance(steer, wire.Adjust)
    assert steer.running_job == sent.job
    assert steer.temperature_map is not None
    assert (float(steer.temperature_map[6, 6]), float(steer.temperature_map[1, 1])) == (
        pytest.approx(0.2),
        pytest.approx(1.8),
    )
    state.parameters.set_temperature(0.5)
    steer = engine.sent[-1]
    assert isinstance(steer, wire.Adjust)
    assert steer.temperature == (0.5,)
    count = len(engine.sent)
    state.parameters.set_number(7)
    assert len(engine.sent) == count, "only what it draws by is told"
    opened.undo()
    opened.undo()
    opened.undo()
    assert painting.temperature_map.get()[6, 6] == masks.NEUTRAL
    painting.clear_temperature_map()
    assert (painting.temperature_map.get() == masks.NEUTRAL).all()
    engine.emit_events(wire.Finished(job=sent.job))
    count = len(engine.sent)
    state.parameters.set_temperature(0.7)
    assert len(engine.sent) == count


# ── making ───────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_and_a_full_mask_are_refused_with_a_sentence(opened: AppState, engine: FakeEngine) -> None:
    opened.complete.start_batch()
    assert said(opened) == NOTHING_MARKED
    opened.complete.canvas.brush.invert_mask()
    opened.complete.start_batch()
    assert said(opened) == ALL_MARKED
    assert engine.sent == []


def test_what_is_asked_for_is_what_is_painted(opened: AppState, engine: FakeEngine, picture: Array) -> None:
    mark(opened)
    opened.complete.parameters.set_label(1)
    sent = run(opened, engine)
    assert (sent.model, sent.seeds, sent.temperature, sent.label) == ("rows", (10, 11, 12, 13), (0.7,), 1)
    assert np.array_equal(sent.picture, picture)
    assert sent.mask[:4].sum() == 0
    assert sent.mask[4:].all()
    assert sent.temperature_map is None
    assert [entry.title for entry in opened.jobs.jobs.get()] == ["mine.png: 4 completions"]


def test_finished_ones_take_their_rank_at_once_unless_the_order_is_held(opened: AppState, engine: FakeEngine) -> None:
    mark(opened)
    job, results = run(opened, engine).job, opened.complete.ranking
    assert order(opened) == [(0, None), (1, None), (2, None), (3, None)]
    draw(engine, job, 0, None, n=2)
    draw(engine, job, 0, [-30.0, -20.0])
    assert order(opened) == [(1, 1), (0, 2), (2, None), (3, None)]
    results.hold_places(True)
    draw(engine, job, 2, [-10.0])
    assert order(opened) == [(1, 1), (0, 2), (2, None), (3, None)]
    assert results.cells.get()[2].finished
    results.hold_places(False)
    assert order(opened) == [(2, 1), (1, 2), (0, 3), (3, None)]
    draw(engine, job, 3, [-25.0])
    engine.emit_events(wire.Finished(job=job))
    assert order(opened) == [(2, 1), (1, 2), (3, 3), (0, 4)]
    assert opened.complete.batch.caption.get() == "4 completions. The most typical first."


def test_of_many_ranked_by_what_follows_the_best_are_shown_and_the_rest_is_counted(
    opened: AppState, engine: FakeEngine
) -> None:
    painting = opened.complete.canvas.brush
    painting.choose_tool("rectangle")
    painting.start_stroke((0.5, 2.5))
    painting.continue_stroke((7.5, 3.5))
    painting.end_stroke()
    assert opened.complete.canvas.kept_after_hole.get()
    opened.complete.rank_by("following")
    job, results = run(opened, engine, 20).job, opened.complete.ranking
    assert len(order(opened)) == MAX_SHOWN
    draw(engine, job, 0, None, n=8)
    assert len(order(opened)) == MAX_SHOWN, "nothing jumps while they form"
    nats = [-100.0 - i for i in range(20)]
    for first in (0, 8, 16):
        part = slice(first, min(first + 8, 20))
        draw(engine, job, first, nats[part], [-5.0 - (7 * i) % 20 for i in range(20)[part]])
    engine.emit_events(wire.Finished(job=job))
    best = sorted(range(20), key=lambda i: (7 * i) % 20)
    assert [cell for cell, _ in order(opened)] == best[:MAX_SHOWN]
    assert results.left_out.get() == 11
    results.set_show_all(True)
    assert [cell for cell, _ in order(opened)] == best
    assert results.left_out.get() == 0
    opened.complete.rank_by("whole")
    assert [cell for cell, _ in order(opened)] == list(range(20))
    opened.undo()
    assert results.rank_by.get() == "following"


def test_stop_keeps_drawn_pictures_and_continue_makes_the_rest(opened: AppState, engine: FakeEngine) -> None:
    mark(opened)
    job = run(opened, engine).job
    draw(engine, job, 0, [-1.0])
    draw(engine, job, 1, None)
    opened.complete.batch.stop_run()
    assert engine.stopped == [job]
    engine.emit_events(wire.Stopped(job=job))
    assert said(opened) == "Stopped at row 5. 1 finished and 1 half-drawn of 4 completions are kept."
    # A mask painted meanwhile is for the next run; this one continues as it began.
    mark(opened, 2)
    opened.complete.batch.continue_run()
    assert asked(engine).seeds == (11, 12, 13)
    assert asked(engine).mask.sum() == 32
    engine.emit_events(wire.Failed(job=asked(engine).job, reason="Memory ran out.", hint="Make fewer."))
    assert said(opened) == "Memory ran out. Make fewer."
    assert opened.complete.batch.can_continue.get()


def test_a_mixed_run_follows_the_share_and_continues_with_it(
    opened: AppState, engine: FakeEngine, two_models: Path, opener: Opener
) -> None:
    write_model(two_models, msgspec.structs.replace(make_card("dashes", family=PIXELS), bits_quantiles=(1.0, 2.0, 3.0)))
    rows = msgspec.structs.replace(make_card("rows", family=PIXELS), bits_quantiles=(1.0, 2.0, 3.0))
    write_model(two_models, rows)
    opened.models.refresh_models()
    state = opened.complete
    mark(opened)
    state.choose_model("dashes")
    state.parameters.set_mix("rows")
    state.parameters.set_share(0.25)
    sent = run(opened, engine)
    assert (sent.model, sent.second_model, sent.share) == ("dashes", "rows", 0.25)
    state.parameters.set_share(0.75)
    steer = engine.sent[-1]
    assert isinstance(steer, wire.Adjust)
    assert (steer.running_job, steer.share, steer.temperature) == (sent.job, 0.75, (0.7,))
    draw(engine, sent.job, 0, [-300.0])
    state.choose_completions((0,))
    assert state.chosen_percentile() is None, "what held-out pictures cost one model says nothing of two"
    engine.emit_events(wire.Stopped(job=sent.job))
    state.batch.continue_run()
    assert (asked(engine).second_model, asked(engine).share, asked(engine).seeds) == ("rows", 0.75, (11, 12, 13))
    opened.undo()
    assert state.parameters.mix.share.get() == 0.25
    again = opener(engine).complete
    assert (again.parameters.mix.name.get(), again.parameters.mix.share.get()) == ("rows", 0.25)


# ── keeping ──────────────────────────────────────────────────────────────────────────────────────


def answer(engine: FakeEngine) -> None:
    """Answer with the latent of the newest request."""
    sent = engine.sent[-1]
    assert isinstance(sent, wire.Encode)
    latent = np.zeros((3, 8, 8), np.float32)
    figures = {"differing": 0, "total": 192, "largest_difference": 0, "bits": 9.0, "is_bound": False, "exact": True}
    engine.emit_events(wire.Encoded(job=sent.job, latent=latent, label=1, **figures), wire.Finished(job=sent.job))


def test_chosen_ones_are_saved_kept_and_opened_in_explore(
    opened: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    mark(opened)
    job = run(opened, engine).job
    draw(engine, job, 0, [-4.0, -3.0, -2.0, -1.0])
    engine.emit_events(wire.Finished(job=job))
    state = opened.complete
    state.keep_takes()
    assert said(opened) == NO_COMPLETION_CHOSEN
    state.choose_completions((2, 0))
    (tmp_path / "out").mkdir()
    save_to(opened, tmp_path / "out", state.save_chosen)
    answer(engine)
    answer(engine)
    qtbot.waitUntil(lambda: len(list((tmp_path / "out").glob("*.png"))) == 2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mine-10.png", "mine-12.png"]
    state.keep_takes()
    answer(engine)
    answer(engine)
    takes = opened.takes.takes.get()
    assert [(take.work.source, take.work.seed, take.work.label) for take in takes] == [
        ("mine.png", 12, 1),
        ("mine.png", 10, 1),
    ]
    state.open_in_explore()
    answer(engine)
    assert opened.panel.get() == "explore"
    assert opened.explore.parameters.source.get() == "mine.png"
    assert np.array_equal(opened.explore.render.picture.get(), np.zeros((8, 8, 3), np.uint8))
    state.use_as_picture(3)
    assert int(state.canvas.picture.get()[0, 0, 0]) == 3  # type: ignore[index]


def test_saving_starts_a_stopped_engine_and_all_is_saved_though_one_way_fails(
    opened: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    mark(opened)
    job = run(opened, engine).job
    draw(engine, job, 0, [-4.0, -3.0, -2.0, -1.0])
    engine.emit_events(wire.Finished(job=job))
    state = opened.complete
    state.choose_completions((2, 0))
    engine.status_changed.emit("Stopped")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        save_to(opened, tmp_path / name, state.save_chosen)
    assert engine.starts > 0
    engine.emit_events(wire.Failed(job=engine.sent[-1].job, reason="Memory ran out."))
    answer(engine)
    answer(engine)
    qtbot.waitUntil(lambda: len(list((tmp_path / "second").glob("*.png"))) == 2)
    assert not list((tmp_path / "first").glob("*.png"))
    count = len(engine.sent)
    engine.status_changed.emit("Ready")
    assert len(engine.sent) == count, "what was given up is not asked for"


def test_stopped_in_the_queue_no_more_completions_are_made_ready(
    opened: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    mark(opened)
    job = run(opened, engine).job
    draw(engine, job, 0, [-4.0, -3.0, -2.0, -1.0])
    engine.emit_events(wire.Finished(job=job))
    state = opened.complete
    state.choose_completions((2, 0))
    folder = tmp_path / "saved"
    folder.mkdir()
    save_to(opened, folder, state.save_chosen)
    answer(engine)
    piece = engine.sent[-1].job
    count = len(engine.sent)
    qtbot.waitUntil(lambda: opened.jobs.find_job(piece) is not None)
    opened.jobs.stop_job(piece)
    engine.emit_events(wire.Stopped(job=piece))
    assert engine.stopped == [piece] and len(engine.sent) == count and opened.jobs.jobs.get() == ()
    assert STOPPED_TEXT in said(opened)
    opened.messages.press_button(0)
    answer(engine)
    answer(engine)
    qtbot.waitUntil(lambda: len(list(folder.glob("*.png"))) == 2)


def test_everything_is_there_again_after_a_restart(opened: AppState, engine: FakeEngine, opener: Opener) -> None:
    state = opened.complete
    painting = state.canvas.brush
    painting.choose_tool("rectangle")
    painting.start_stroke((0.5, 2.5))
    painting.continue_stroke((7.5, 3.5))
    painting.end_stroke()
    painting.choose_tool("temperature")
    painting.start_stroke((4.5, 4.5))
    painting.end_stroke()
    state.rank_by("following")
    job = run(opened, engine).job
    draw(engine, job, 0, [-4.0, -3.0], [-1.0, -2.0])
    engine.emit_events(wire.Stopped(job=job))
    picture, mask, heat = state.canvas.picture.get(), painting.mask.get(), painting.temperature_map.get()
    again = opener(engine).complete
    assert np.array_equal(again.canvas.picture.get(), picture)
    assert np.array_equal(again.canvas.brush.mask.get(), mask)
    assert np.array_equal(again.canvas.brush.temperature_map.get(), heat)
    assert (again.canvas.brush.tool.get(), again.parameters.number.get(), again.parameters.seed.get()) == (
        "temperature",
        4,
        10,
    )
    assert [(place.cell, place.rank) for place in again.ranking.places.get()][:2] == [(0, 1), (1, 2)]
    assert again.batch.can_continue.get()
    again.batch.continue_run()
    assert asked(engine).seeds == (12, 13)
    assert asked(engine).temperature_map is not None
    again.history.undo()
    again.history.undo()
    again.history.undo()
    again.history.undo()
    assert (again.canvas.brush.temperature_map.get() == masks.NEUTRAL).all()


def test_a_dark_picture_on_the_canvas_is_stretched_by_one_click_and_back(
    window: AppState, qtbot: QtBot, tmp_path: Path
) -> None:
    dark = np.linspace(640, 3680, 64).astype(np.uint16).reshape(8, 8)  # 12 bits, kept in 16
    Image.fromarray(dark).save(tmp_path / "cell.tif")
    canvas = window.complete.canvas
    window.show_panel("complete")
    window.open_dropped([tmp_path / "cell.tif"])
    qtbot.waitUntil(lambda: canvas.picture.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.text == '"cell.tif" uses only 1 % to 6 % of its range. Stretch it to see more.'
    mark(window)
    window.messages.press_button(0)
    stretched = canvas.picture.get()
    assert stretched is not None
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert canvas.brush.mask.get().any()  # the mask stays
    window.undo()
    before = canvas.picture.get()
    assert before is not None and before.max() < 16
    assert canvas.brush.mask.get().any()
