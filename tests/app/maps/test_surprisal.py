"""The overlay asks for one map at a time, the newest wish next, and leaves a dragging hand alone."""

import numpy as np
import pytest

from studio.app.app_state import AppState
from studio.app.maps.surprisal import SurprisalMaps
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import Array, Decoded, Failed, Finished, PicturesPreview, Sample, Score, Scored
from studio.wire.messages import DecodeLatent as Asked
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine


def questions(engine: FakeEngine) -> list[Score]:
    return [command for command in engine.sent if isinstance(command, Score)]


def answer(engine: FakeEngine, most: float = 8.0, bound: bool = False, noise: float = 0.0) -> None:
    """Price the newest question: 0 at the top left to `most` at the bottom right."""
    asked = questions(engine)[-1]
    height, width = asked.picture.shape[:2]
    bits = np.linspace(0, most, height * width, dtype=np.float32).reshape(height, width)
    scored = Scored(job=asked.job, log_prob=-9.0, bits=bits, is_bound=bound, noise=noise)
    engine.emit_events(scored, Finished(job=asked.job))


def show(engine: FakeEngine, colour: int) -> None:
    asked = next(command for command in reversed(engine.sent) if isinstance(command, Asked))
    engine.emit_events(Decoded(job=asked.job, picture=np.full((8, 8, 3), colour, np.uint8)), Finished(job=asked.job))


def grid(window: AppState, engine: FakeEngine, number: int = 3) -> tuple[Array, ...]:
    """Pictures that Generate has made."""
    window.generate.parameters.set_number(number)
    window.generate.start_batch()
    asked = next(command for command in reversed(engine.sent) if isinstance(command, Sample))
    pictures = np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in range(number)])
    prices = (-9.0,) * number
    engine.emit_events(PicturesPreview(job=asked.job, first=0, pictures=pictures, done=1, total=1, log_prob=prices))
    engine.emit_events(Finished(job=asked.job))
    return tuple(cell.picture for cell in window.generate.batch.cells.get() if cell.picture is not None)


def test_nothing_is_asked_before_it_is_switched_on_and_then_one_after_another(
    window: AppState, engine: FakeEngine
) -> None:
    engine.status_changed.emit("Ready")
    pictures = grid(window, engine)
    surprise = window.surprisal
    assert not questions(engine)
    window.generate.choose_cell(2)
    surprise.set_on(True)
    assert [int(each.picture[0, 0, 0]) for each in questions(engine)] == [2], "the one in hand comes first"
    assert questions(engine)[0].model == "tiny"
    for count in (2, 3):
        answer(engine)
        assert len(questions(engine)) == count
    answer(engine)
    assert len(questions(engine)) == 3
    assert all(surprise.map_of(picture) is not None for picture in pictures)
    surprise.set_on(False)
    assert surprise.map_of(pictures[0]) is None
    surprise.set_on(True)
    assert len(questions(engine)) == 3, "what is known is not asked again"


def test_a_hand_that_drags_is_never_kept_waiting(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Ready")
    window.show_panel("explore")
    window.surprisal.set_on(True)
    window.explore.parameters.new_start(1)
    show(engine, 10)
    assert len(questions(engine)) == 1
    answer(engine)
    first = window.explore.render.picture.get()
    window.explore.parameters.grab_slider(0)
    window.explore.parameters.set_slider(0, 0.5)
    window.explore.parameters.set_slider(0, 1.0)
    show(engine, 20)
    assert len(questions(engine)) == 1, "a newer picture is on its way already"
    show(engine, 30)
    assert [int(each.picture[0, 0, 0]) for each in questions(engine)] == [10, 30]
    assert window.surprisal.map_of(first) is not None


def test_the_scale_is_common_to_all_grows_and_is_the_hands_once_it_was_set(
    window: AppState, engine: FakeEngine
) -> None:
    engine.status_changed.emit("Ready")
    grid(window, engine, 4)
    surprise = window.surprisal
    surprise.set_on(True)
    for most, high in ((8.0, 8.0), (3.0, 8.0), (19.0, 20.0)):
        answer(engine, most)
        scale = surprise.scale.get()
        assert scale is not None
        assert (scale.low, scale.high) == (0.0, high)
    surprise.set_range(2.0, 5.0)
    answer(engine, 90.0)
    scale = surprise.scale.get()
    assert scale is not None
    assert (scale.low, scale.high) == (2.0, 5.0)
    surprise.fit_scale()
    scale = surprise.scale.get()
    assert scale is not None
    assert (scale.low, scale.high) == (0.0, 100.0)
    window.generate.choose_model("tones")
    assert surprise.scale.get() == scale, "the pictures of the grid are still those of the other model"


def test_the_legend_says_that_bits_count_noise(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Ready")
    grid(window, engine, 2)
    window.surprisal.set_on(True)
    for _ in range(2):
        answer(engine, bound=True, noise=0.1)
        scale = window.surprisal.scale.get()
        assert scale is not None
        assert scale.description[0].endswith("share of the total with noise")
    window.surprisal.fit_scale()
    assert window.surprisal.scale.get() == scale


def test_ends_stay_apart_and_inside() -> None:
    scale = ColourScale.over_range(-1.3, 21.0, True)
    assert (scale.low, scale.high) == (-5.0, 25.0)
    assert scale.with_range(-90.0, 90.0) == scale
    crossed = scale.with_range(10.0, 3.0)
    assert crossed.low == 10.0
    assert crossed.high > 10.0
    assert ColourScale.over_range(2.0, 12.0, False).low == 0.0
    flat = ColourScale.over_range(3.0, 3.0, True)
    assert flat.low <= 3.0 < flat.high


def test_the_pixel_under_the_pointer_has_its_bits(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Ready")
    picture = grid(window, engine, 1)[0]
    surprise = window.surprisal
    surprise.set_on(True)
    surprise.set_hovered(picture, 7, 7)
    assert surprise.hovered_bits.get() is None
    answer(engine)
    surprise.set_hovered(picture, 7, 7)
    assert surprise.hovered_bits.get() == 8.0
    surprise.set_hovered(None)
    assert surprise.hovered_bits.get() is None


@pytest.mark.parametrize("how", ["failed", "died"])
def test_a_picture_without_a_map_stays_and_is_asked_for_once(window: AppState, engine: FakeEngine, how: str) -> None:
    engine.status_changed.emit("Ready")
    picture = grid(window, engine, 1)[0]
    surprise = window.surprisal
    surprise.set_on(True)
    if how == "failed":
        engine.emit_events(
            Failed(job=questions(engine)[-1].job, reason="Memory ran out.", hint="Close other programs.")
        )
        said = window.messages.current.get()
        assert said is not None
        assert "Memory ran out." in said.text and "without its map" in said.text
    else:
        engine.die()
    engine.status_changed.emit("Ready")
    assert len(questions(engine)) == 1
    assert surprise.map_of(picture) is None
    assert window.generate.batch.cells.get()[0].picture is picture
    surprise.set_on(False)
    surprise.set_on(True)
    assert len(questions(engine)) == 2, "switching it on anew asks again"


def test_it_waits_for_an_engine_and_comes_back_as_it_was_left(opener: Opener, engine: FakeEngine) -> None:
    window = opener(engine)
    grid(window, engine, 1)
    window.surprisal.set_on(True)
    assert not questions(engine)
    again = FakeEngine()
    window = opener(again)
    assert window.surprisal.on.get()
    again.status_changed.emit("Ready")
    assert len(questions(again)) == 1, "the grid that was kept is priced as soon as there is an engine"


def test_waves_have_no_map() -> None:
    engine = FakeEngine()
    window = SurprisalMaps(engine, None)  # type: ignore[arg-type]  # nothing is said here
    engine.status_changed.emit("Ready")
    window.set_on(True)
    window.set_shown(())
    assert not engine.sent
