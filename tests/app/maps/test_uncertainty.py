"""Uncertainty is reported while it is shown, and is kept with the pictures."""

from pathlib import Path

import numpy as np
import pytest

from studio.app.app_state import AppState
from studio.wire.messages import Adjust, Array, Finished, Inpaint, PicturesPreview, Sample
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model


@pytest.fixture(autouse=True)
def rows_model(two_models: Path) -> None:
    """Add `rows`, 8 × 8 in colour, drawn row by row."""
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))


def start_run(window: AppState, engine: FakeEngine, model: str = "rows") -> Sample:
    engine.status_changed.emit("Ready")
    window.generate.choose_model(model)
    window.generate.parameters.set_number(2)
    window.generate.parameters.set_seed(4112)
    window.generate.start_batch()
    command = engine.sent[-1]
    assert isinstance(command, Sample)
    return command


def pictures(rows: int = 8) -> Array:
    """Return pictures of tone 10 and tone 20 with so many drawn rows."""
    drawn = np.zeros((2, 8, 8, 3), np.uint8)
    drawn[0, :rows] = 10
    drawn[1, :rows] = 20
    return drawn


def bits(rows: int, most: float = 6.0) -> Array:
    """Return bits from 0 at the left to `most` at the right."""
    return np.broadcast_to(np.linspace(0, most, 8, dtype=np.float32), (2, rows, 8)).copy()


def draw_rows(engine: FakeEngine, job: str, rows: int, entropy: Array | None) -> None:
    engine.emit_events(PicturesPreview(job=job, first=0, pictures=pictures(rows), done=rows, total=9, entropy=entropy))


def finish_run(engine: FakeEngine, job: str, entropy: Array | None) -> None:
    prices = (-9.0, -9.0)
    engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=pictures(), done=9, total=9, log_prob=prices, entropy=entropy),
        Finished(job=job),
    )


def cell(window: AppState, index: int = 0) -> Array:
    picture = window.generate.cells.get()[index].picture
    assert picture is not None
    return picture


def test_uncertainty_is_requested_only_while_on_and_only_of_models_that_draw_pixel_by_pixel(
    window: AppState, engine: FakeEngine
) -> None:
    command = start_run(window, engine)
    assert not command.report_entropy
    finish_run(engine, command.job, None)
    window.generate.batch.show_uncertainty(True)
    message = window.messages.current.get()
    assert message is not None
    assert message.text == "Doubt is told while pictures are drawn, so it shows with the next ones."
    command = start_run(window, engine)
    assert command.report_entropy
    finish_run(engine, command.job, bits(8))
    assert not start_run(window, engine, "tiny").report_entropy


def test_every_row_has_its_bits_and_the_scale_grows_with_them(window: AppState, engine: FakeEngine) -> None:
    maps = window.generate.uncertainty
    window.generate.batch.show_uncertainty(True)
    command = start_run(window, engine)
    draw_rows(engine, command.job, 2, bits(2, 3.0))
    entropy = maps.map_of(cell(window))
    scale = maps.scale.get()
    assert entropy is not None
    assert entropy.shape == (2, 8)
    assert scale is not None
    assert (scale.low, scale.high, scale.is_bound) == (0, 3, False)
    maps.set_hovered(cell(window), 1, 7)
    assert maps.hovered_bits.get() == 3.0
    maps.set_hovered(cell(window), 2, 7)
    assert maps.hovered_bits.get() is None, "a row that is not drawn has none"
    finish_run(engine, command.job, bits(8))
    scale = maps.scale.get()
    assert scale is not None
    assert scale.high == 6
    maps.set_range(1.0, 4.0)
    command = start_run(window, engine)
    assert maps.scale.get() is None, "another run has a scale of its own"


def test_a_scale_that_is_fitted_to_nothing_waits_for_the_next_row(
    window: AppState, engine: FakeEngine
) -> None:
    maps = window.generate.uncertainty
    window.generate.batch.show_uncertainty(True)
    command = start_run(window, engine)
    draw_rows(engine, command.job, 2, bits(2, 3.0))
    maps.set_range(1.0, 2.0)
    draw_rows(engine, command.job, 3, None)
    maps.fit_scale()
    assert maps.scale.get() is None
    draw_rows(engine, command.job, 4, bits(4, 3.0))
    scale = maps.scale.get()
    assert scale is not None
    assert scale.high >= 3.0


def test_a_take_keeps_the_uncertainty_of_its_picture(window: AppState, engine: FakeEngine) -> None:
    window.generate.batch.show_uncertainty(True)
    command = start_run(window, engine)
    finish_run(engine, command.job, bits(8))
    window.generate.keep_take(1)
    command = start_run(window, engine)
    draw_rows(engine, command.job, 1, bits(1))
    window.generate.enlarged.show_take(0)
    large = window.generate.enlarged.item.get()
    assert large is not None
    entropy = window.generate.uncertainty.map_of(large.picture)
    assert entropy is not None
    assert entropy.shape == (8, 8)


def test_a_switch_during_a_run_changes_the_run(window: AppState, engine: FakeEngine) -> None:
    command = start_run(window, engine)
    window.generate.batch.show_uncertainty(True)
    steer = engine.sent[-1]
    assert isinstance(steer, Adjust)
    assert (steer.running_job, steer.report_entropy, steer.temperature) == (command.job, True, None)
    partly = bits(5)
    partly[:, :3] = np.nan
    draw_rows(engine, command.job, 5, partly)
    window.generate.uncertainty.set_hovered(cell(window), 0, 0)
    assert window.generate.uncertainty.hovered_bits.get() is None
    window.generate.batch.show_uncertainty(False)
    assert isinstance(engine.sent[-1], Adjust)
    assert window.generate.uncertainty.map_of(cell(window)) is None
    finish_run(engine, command.job, None)
    count = len(engine.sent)
    window.generate.batch.show_uncertainty(True)
    assert len(engine.sent) == count, "no run is open"


def test_a_rewound_picture_has_uncertainty_below_the_row(window: AppState, engine: FakeEngine) -> None:
    command = start_run(window, engine)
    finish_run(engine, command.job, None)
    window.generate.batch.show_uncertainty(True)
    window.generate.enlarge_cell(1)
    window.generate.rewind_actions.move_marker(5)
    window.generate.rewind_actions.branch_here()
    complete = engine.sent[-1]
    assert isinstance(complete, Inpaint)
    assert complete.report_entropy
    row_bits = bits(8)[:1]
    row_bits[:, :5] = np.nan
    engine.emit_events(
        PicturesPreview(job=complete.job, first=0, pictures=pictures()[:1], done=7, total=9, entropy=row_bits[:, :7])
    )
    large = window.generate.enlarged.item.get()
    assert large is not None
    entropy = window.generate.uncertainty.map_of(large.picture)
    assert entropy is not None
    assert np.isnan(entropy[:5]).all()
    assert np.isfinite(entropy[5:]).all()


def test_only_one_map_is_on_and_it_survives_a_restart(opener: Opener, engine: FakeEngine) -> None:
    window = opener(engine)
    window.surprisal.set_on(True)
    window.generate.batch.show_uncertainty(True)
    assert not window.surprisal.on.get()
    window.surprisal.set_on(True)
    assert not window.generate.uncertainty.on.get()
    window.generate.batch.show_uncertainty(True)
    window.close()
    assert opener(FakeEngine()).generate.uncertainty.on.get()
