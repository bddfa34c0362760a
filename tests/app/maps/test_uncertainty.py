"""Doubt is asked for while it is shown, kept with the pictures it was told of, and never shown beside surprise."""

from pathlib import Path

import numpy as np
import pytest

from studio.app.app_state import AppState
from studio.app.generation.batch import UNCERTAINTY_LATER
from studio.wire.messages import Adjust, Array, Finished, Inpaint, PicturesPreview, Sample
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model


@pytest.fixture(autouse=True)
def rows_model(two_models: Path) -> None:
    """`rows`, 8 × 8 in colour, drawn row by row."""
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))


def begin(window: AppState, engine: FakeEngine, model: str = "rows") -> Sample:
    engine.status_changed.emit("Ready")
    window.generate.choose_model(model)
    window.generate.parameters.set_number(2)
    window.generate.parameters.set_seed(4112)
    window.generate.start_batch()
    asked = engine.sent[-1]
    assert isinstance(asked, Sample)
    return asked


def pictures(rows: int = 8) -> Array:
    """One of tone 10 and one of tone 20, as far as they are drawn."""
    found = np.zeros((2, 8, 8, 3), np.uint8)
    found[0, :rows], found[1, :rows] = 10, 20
    return found


def bits(rows: int, most: float = 6.0) -> Array:
    """From nothing at the left to `most` at the right."""
    return np.broadcast_to(np.linspace(0, most, 8, dtype=np.float32), (2, rows, 8)).copy()


def draw(engine: FakeEngine, job: str, rows: int, doubt: Array | None) -> None:
    engine.emit_events(PicturesPreview(job=job, first=0, pictures=pictures(rows), done=rows, total=9, entropy=doubt))


def finish(engine: FakeEngine, job: str, doubt: Array | None) -> None:
    prices = (-9.0, -9.0)
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=pictures(), done=9, total=9, log_prob=prices, entropy=doubt),
        Finished(job=job),
    )


def cell(window: AppState, index: int = 0) -> Array:
    found = window.generate.batch.cells.get()[index].picture
    assert found is not None
    return found


def test_it_is_asked_for_only_while_it_is_on_and_of_what_draws_pixel_by_pixel(
    window: AppState, engine: FakeEngine
) -> None:
    asked = begin(window, engine)
    assert not asked.report_entropy
    finish(engine, asked.job, None)
    window.generate.batch.show_uncertainty(True)
    said = window.messages.current.get()
    assert said is not None
    assert said.text == UNCERTAINTY_LATER
    asked = begin(window, engine)
    assert asked.report_entropy
    finish(engine, asked.job, bits(8))
    assert not begin(window, engine, "tiny").report_entropy


def test_every_row_has_its_bits_and_the_scale_grows_with_them(window: AppState, engine: FakeEngine) -> None:
    doubt = window.generate.batch.uncertainty
    window.generate.batch.show_uncertainty(True)
    asked = begin(window, engine)
    draw(engine, asked.job, 2, bits(2, 3.0))
    found = doubt.map_of(cell(window))
    scale = doubt.scale.get()
    assert found is not None
    assert found.shape == (2, 8)
    assert scale is not None
    assert (scale.low, scale.high, scale.is_bound) == (0, 3, False)
    doubt.set_hovered(cell(window), 1, 7)
    assert doubt.hovered_bits.get() == 3.0
    doubt.set_hovered(cell(window), 2, 7)
    assert doubt.hovered_bits.get() is None, "a row that is not drawn has none"
    finish(engine, asked.job, bits(8))
    scale = doubt.scale.get()
    assert scale is not None
    assert scale.high == 6
    doubt.set_range(1.0, 4.0)
    asked = begin(window, engine)
    assert doubt.scale.get() is None, "another run has a scale of its own"


def test_a_scale_that_is_fitted_anew_while_nothing_is_known_waits_for_the_next_row(
    window: AppState, engine: FakeEngine
) -> None:
    doubt = window.generate.batch.uncertainty
    window.generate.batch.show_uncertainty(True)
    asked = begin(window, engine)
    draw(engine, asked.job, 2, bits(2, 3.0))
    doubt.set_range(1.0, 2.0)
    draw(engine, asked.job, 3, None)
    doubt.fit_scale()
    assert doubt.scale.get() is None
    draw(engine, asked.job, 4, bits(4, 3.0))
    scale = doubt.scale.get()
    assert scale is not None
    assert scale.high >= 3.0


def test_a_take_knows_what_was_told_of_the_picture_that_it_was(window: AppState, engine: FakeEngine) -> None:
    window.generate.batch.show_uncertainty(True)
    asked = begin(window, engine)
    finish(engine, asked.job, bits(8))
    window.generate.keep_take(1)
    asked = begin(window, engine)
    draw(engine, asked.job, 1, bits(1))
    window.generate.enlarged.show_take(0)
    large = window.generate.enlarged.item.get()
    assert large is not None
    found = window.generate.batch.uncertainty.map_of(large.picture)
    assert found is not None
    assert found.shape == (8, 8)


def test_switched_while_it_draws_the_run_is_told(window: AppState, engine: FakeEngine) -> None:
    asked = begin(window, engine)
    window.generate.batch.show_uncertainty(True)
    steer = engine.sent[-1]
    assert isinstance(steer, Adjust)
    assert (steer.running_job, steer.report_entropy, steer.temperature) == (asked.job, True, None)
    partly = bits(5)
    partly[:, :3] = np.nan
    draw(engine, asked.job, 5, partly)
    window.generate.batch.uncertainty.set_hovered(cell(window), 0, 0)
    assert window.generate.batch.uncertainty.hovered_bits.get() is None
    window.generate.batch.show_uncertainty(False)
    assert isinstance(engine.sent[-1], Adjust)
    assert window.generate.batch.uncertainty.map_of(cell(window)) is None
    finish(engine, asked.job, None)
    count = len(engine.sent)
    window.generate.batch.show_uncertainty(True)
    assert len(engine.sent) == count, "nobody draws"


def test_a_picture_that_goes_on_from_a_row_has_it_below_the_row(window: AppState, engine: FakeEngine) -> None:
    asked = begin(window, engine)
    finish(engine, asked.job, None)
    window.generate.batch.show_uncertainty(True)
    window.generate.enlarge_cell(1)
    window.generate.rewind_actions.move_marker(5)
    window.generate.rewind_actions.branch_here()
    complete = engine.sent[-1]
    assert isinstance(complete, Inpaint)
    assert complete.report_entropy
    told = bits(8)[:1]
    told[:, :5] = np.nan
    engine.emit_events(
        PicturesPreview(job=complete.job, first=0, pictures=pictures()[:1], done=7, total=9, entropy=told[:, :7])
    )
    large = window.generate.enlarged.item.get()
    assert large is not None
    found = window.generate.batch.uncertainty.map_of(large.picture)
    assert found is not None
    assert np.isnan(found[:5]).all()
    assert np.isfinite(found[5:]).all()


def test_one_map_at_a_time_and_it_comes_back_after_a_restart(opener: Opener, engine: FakeEngine) -> None:
    window = opener(engine)
    window.surprisal.set_on(True)
    window.generate.batch.show_uncertainty(True)
    assert not window.surprisal.on.get()
    window.surprisal.set_on(True)
    assert not window.generate.batch.uncertainty.on.get()
    window.generate.batch.show_uncertainty(True)
    window.close()
    assert opener(FakeEngine()).generate.batch.uncertainty.on.get()
