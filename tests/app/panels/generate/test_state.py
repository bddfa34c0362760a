import errno
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as other
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.library import storage, work
from studio.media.pictures.image import open_picture
from studio.wire.messages import (
    Adjust,
    Array,
    CompilingLoops,
    Encode,
    Failed,
    Finished,
    Heartbeat,
    PicturesPreview,
    Ready,
    Sample,
    Stopped,
)
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.panels.explore.test_state import stage
from tests.app.saving import save_to


def pictures(count: int, size: int = 8, channels: int = 3) -> Array:
    """Return pictures, each of its own tone."""
    return np.stack([np.full((size, size, channels), 10 + n, np.uint8) for n in range(count)])


def drawn(job: str, first: int, count: int, done: int = 5, total: int = 5) -> PicturesPreview:
    prices = tuple(-float(n) for n in range(count)) if done == total else None
    return PicturesPreview(job=job, first=first, pictures=pictures(count), done=done, total=total, log_prob=prices)


def asked(engine: FakeEngine) -> Sample:
    command = engine.sent[-1]
    assert isinstance(command, Sample)
    return command


def begin(window: AppState, engine: FakeEngine, count: int = 4, seed: int = 4112) -> str:
    """Begin a run of some pictures; return the name of its job."""
    engine.status_changed.emit("Ready")
    window.generate.parameters.set_number(count)
    window.generate.parameters.set_seed(seed)
    window.generate.start_batch()
    return asked(engine).job


def test_every_picture_has_a_seed_of_its_own(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine, 3)
    command = asked(engine)
    assert command.seeds == (4112, 4113, 4114)
    assert command.model == "tiny" and command.temperature == (0.7,)
    assert [cell.seed for cell in window.generate.batch.cells.get()] == [4112, 4113, 4114]


def test_seeds_go_round_at_the_largest(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine, 2, 2**53 - 1)
    assert asked(engine).seeds == (2**53 - 1, 0)


def test_pictures_take_their_place_as_they_form(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 2), drawn(job, 2, 2, done=3))
    cells = window.generate.batch.cells.get()
    assert [cell.finished for cell in cells] == [True, True, False, False]
    assert cells[1].log_prob == -1.0 and cells[1].picture is not None and cells[1].picture[0, 0, 0] == 11
    assert cells[3].picture is not None and (cells[3].done, cells[3].total) == (3, 5)
    assert window.generate.batch.caption.get().startswith("Step 3 of 5. 2 of 4 finished")
    engine.emit_events(drawn(job, 2, 2), Finished(job=job))
    assert not window.generate.batch.running.get()
    assert (
        window.generate.batch.caption.get()
        == "4 pictures, seeds 4\N{NARROW NO-BREAK SPACE}112 to 4\N{NARROW NO-BREAK SPACE}115."
    )


def test_a_run_shows_that_its_loop_is_being_compiled(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    write_model(two_models, make_card("rows", (3, 16, 8), family=("pixelcnn", "PixelCNN")))
    window = opener(engine)
    said = window.generate.batch.caption
    words = "First run: preparing the fast version."
    engine.emit_events(Ready(device="Paper", uncompiled_loops=("pixels", "sound")))
    window.generate.choose_model("tiny")
    begin(window, engine, 2)
    assert words not in said.get(), "it is drawn whole"
    engine.emit_events(Finished(job=asked(engine).job))
    window.generate.choose_model("rows")
    window.generate.start_batch()
    assert said.get().endswith(words)
    engine.emit_events(CompilingLoops(loops=("sound",)))
    assert words not in said.get()
    engine.emit_events(CompilingLoops(loops=("pixels",)))
    assert words in said.get()
    engine.emit_events(Ready(device="Paper"))
    assert words not in said.get()


def test_what_is_drawn_row_by_row_is_counted_in_rows(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    write_model(two_models, make_card("rows", (3, 16, 8), family=("pixelcnn", "PixelCNN")))
    window = opener(engine)
    window.generate.choose_model("rows")
    job = begin(window, engine, 2)
    assert (window.generate.batch.rows, window.generate.batch.size) == (16, (16, 8))
    pictures = np.zeros((2, 16, 8, 3), np.uint8)
    for done, words in ((9, "Row \N{FIGURE SPACE}9 of 16."), (16, "Row 16 of 16.")):
        engine.emit_events(
            PicturesPreview(job=job, first=0, pictures=pictures, done=done, total=17)
        )  # the last step is the price
        assert window.generate.batch.caption.get().startswith(f"{words} 0 of 2 finished")
        assert window.generate.batch.cells.get()[0].rows_drawn(16) == done
    engine.emit_events(PicturesPreview(job=job, first=0, pictures=pictures, done=11, total=17), Stopped(job=job))
    assert (
        window.generate.batch.caption.get() == "Stopped at row 11. 0 finished and 2 half-drawn of 2 pictures are kept."
    )


def test_events_of_other_jobs_are_ignored(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    engine.emit_events(drawn("another", 0, 4), Finished(job="another"))
    assert window.generate.batch.running.get() and window.generate.batch.cells.get()[0].picture is None


def test_the_button_names_its_action(window: AppState, engine: FakeEngine) -> None:
    generate = window.generate
    assert generate.batch.button_text.get() == "Generate"
    generate.start_batch()
    assert generate.batch.button_text.get() == "Starts when ready"
    engine.status_changed.emit("Working")
    assert generate.batch.button_text.get() == "Stop"
    engine.emit_events(Finished(job=asked(engine).job))
    assert generate.batch.button_text.get() == "Generate"


def test_stop_keeps_drawn_rows_and_continue_draws_the_rest(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 2), drawn(job, 2, 1, done=3))
    window.generate.batch.stop_run()
    assert engine.stopped == [job]
    engine.emit_events(Stopped(job=job))
    assert window.generate.batch.caption.get() == "Stopped. 2 finished and 1 half-drawn of 4 pictures are kept."
    assert window.generate.batch.can_continue.get()
    window.messages.press_button(0)  # Continue
    command = asked(engine)
    assert command.seeds == (4114, 4115)
    engine.emit_events(drawn(command.job, 0, 2), Finished(job=command.job))
    cells = window.generate.batch.cells.get()
    assert all(cell.finished for cell in cells) and not window.generate.batch.can_continue.get()
    assert cells[2].picture is not None and cells[2].picture[0, 0, 0] == 10  # the first of the second job


def test_continue_uses_the_settings_of_the_run(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    engine.emit_events(Stopped(job=job))
    window.generate.choose_model("tones")
    window.generate.parameters.set_temperature(1.5)
    window.generate.batch.continue_run()
    assert asked(engine).model == "tiny" and asked(engine).temperature == (0.7,)


def test_a_dead_engine_keeps_the_finished_and_offers_the_others(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine, 24)
    engine.emit_events(drawn(job, 0, 12))
    engine.die()
    said = window.messages.current.get()
    assert said is not None and said.severity == "failed"
    assert said.text == (
        "The engine stopped unexpectedly. Another one is starting. Your takes are safe. "
        '"24 pictures" was lost at 12, which are kept.'
    )
    assert [label for label, _ in said.buttons] == ["Make the other 12"]
    assert sum(cell.finished for cell in window.generate.batch.cells.get()) == 12
    assert len(engine.sent) == 1 and window.jobs.jobs.get() == ()  # never sent again by itself
    window.messages.press_button(0)
    assert asked(engine).seeds == tuple(range(4124, 4136))


def test_asking_a_stopped_engine_starts_it(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Stopped")
    window.generate.start_batch()
    assert engine.starts == 1 and len(engine.sent) == 1


def test_a_failure_shows_its_reason_and_offers_to_try_again(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 1), Failed(job=job, reason="Memory ran out.", hint="Make fewer at a time."))
    said = window.messages.current.get()
    assert said is not None and said.text == "Memory ran out. Make fewer at a time." and said.severity == "failed"
    assert window.generate.batch.cells.get()[0].finished
    window.messages.press_button(0)
    assert asked(engine).seeds == (4113, 4114, 4115)


def test_the_same_again_follows_a_run_with_another_seed(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    window.generate.start_batch()
    assert len(engine.sent) == 1
    engine.emit_events(Finished(job=job))
    assert len(engine.sent) == 2 and asked(engine).seeds[0] != 4112


def test_stop_ends_what_was_to_follow_too(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    window.generate.start_batch()
    window.generate.batch.stop_run()
    engine.emit_events(Finished(job=job))  # it ended just before Stop arrived
    assert len(engine.sent) == 1 and not window.generate.batch.running.get()


def test_stop_in_the_queue_ends_what_was_to_follow_too(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    window.generate.start_batch()
    window.jobs.stop_job(job)
    engine.emit_events(Stopped(job=job))
    window.generate.batch.continue_run()
    engine.emit_events(Finished(job=asked(engine).job))
    assert len(engine.sent) == 2 and not window.generate.batch.running.get()


def test_a_new_run_rolls_the_seed_unless_it_is_locked_or_typed(window: AppState, engine: FakeEngine) -> None:
    generate = window.generate
    engine.emit_events(Finished(job=begin(window, engine)))
    generate.start_batch()
    second = asked(engine)
    assert second.seeds[0] != 4112
    engine.emit_events(Finished(job=second.job))
    generate.parameters.lock_seed(True)
    generate.start_batch()
    assert asked(engine).seeds == second.seeds
    engine.emit_events(Finished(job=asked(engine).job))
    generate.parameters.lock_seed(False)
    generate.parameters.set_seed(second.seeds[0])
    generate.start_batch()
    assert asked(engine).seeds == second.seeds


@pytest.mark.parametrize("typed", ["", "rose", "-1", "1.5", "9007199254740992", "9" * 6000, "٣"])
def test_an_invalid_seed_is_reported_and_the_last_one_stays(window: AppState, typed: str) -> None:
    window.generate.parameters.set_seed(7)
    window.generate.parameters.set_seed(typed)
    assert window.generate.parameters.seed.get() == 7
    error = window.generate.parameters.error.get()
    assert "7 is kept. A seed is a whole number from 0 to 9,007,199,254,740,991." in error and len(error) < 200


def test_a_seed_may_be_typed_as_it_is_shown(window: AppState) -> None:
    window.generate.parameters.set_seed("rose")
    window.generate.parameters.set_seed(" 4 112\N{NARROW NO-BREAK SPACE}000 ")
    assert window.generate.parameters.seed.get() == 4112000 and window.generate.parameters.error.get() == ""


def test_numbers_stay_within_bounds(window: AppState) -> None:
    window.generate.parameters.set_number(0)
    assert window.generate.parameters.number.get() == 1
    window.generate.parameters.set_number(10**9)
    assert window.generate.parameters.number.get() == 4096
    window.generate.parameters.set_temperature(-3)
    assert window.generate.parameters.temperature.get() == 0.0


def test_settings_can_be_undone(window: AppState) -> None:
    generate = window.generate
    generate.parameters.set_number(24)
    generate.choose_model("tones")
    generate.parameters.set_temperature(1.25)
    assert generate.history.undo_name.get() == "temperature"
    for _ in range(3):
        window.undo()
    model = generate.model.get()
    assert (generate.parameters.number.get(), generate.parameters.temperature.get()) == (16, 0.7)
    assert model is not None and model.card.name == "tiny"
    for _ in range(3):
        window.redo()
    assert (generate.parameters.number.get(), generate.parameters.temperature.get()) == (24, 1.25)


def test_a_picture_is_saved_with_its_making(window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 4), Finished(job=job))
    window.generate.parameters.set_temperature(0.1)  # of the next run
    assert save_to(window, tmp_path / "rose", lambda: window.generate.save_picture(2)) == ["tiny-4114.png"]
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.text == 'Saved "rose.png" with its recipe inside.'
    found = work.recipe_of_png((tmp_path / "rose.png").read_bytes())
    assert found is not None and (found.model, found.seed, found.temperature) == ("tiny", 4114, (0.7,))
    trained = window.models.find_model("tiny")
    assert trained is not None and found.model_hash == trained.file_hash
    assert (open_picture(tmp_path / "rose.png").array == 12).all()


def test_a_half_drawn_picture_is_not_saved_as_if_it_were_one(
    window: AppState, engine: FakeEngine, tmp_path: Path
) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 4, done=2))
    assert not window.generate.can_save.get()
    assert save_to(window, tmp_path / "rose.png", lambda: window.generate.save_picture(0)) == []
    save_to(window, tmp_path, window.generate.save_all)
    window.close()
    assert list(tmp_path.glob("*.png")) == []


def test_a_full_disk_is_reported_and_the_picture_saved_elsewhere(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 4), Finished(job=job))
    full = tmp_path / "full"
    roomy = tmp_path / "roomy"
    prepare = storage._write_temporary
    full.mkdir()
    roomy.mkdir()

    def small_disk(path: Path, temporary: Path, data: bytes) -> OSError | None:
        if path.parent == full and path.name != "tiny-4112.png":
            return OSError(errno.ENOSPC, "No space left on device")
        return prepare(path, temporary, data)

    monkeypatch.setattr(storage, "_write_temporary", small_disk)
    save_to(window, full, window.generate.save_all)
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert (
        said is not None and said.severity == "failed" and [label for label, _ in said.buttons] == ["Save elsewhere…"]
    )
    assert said.text.startswith('The disk is full: "tiny-4113.png" was not saved.')
    assert said.text.endswith("1 of 4 pictures were saved before.")
    with qtbot.waitSignal(window.messages.folder_requested) as wanted:
        window.messages.press_button(0)
    assert wanted.args is not None
    wanted.args[0](roomy)
    qtbot.waitUntil(lambda: len(list(roomy.glob("*.png"))) == 3)
    assert {path.name for path in roomy.iterdir()} == {"tiny-4113.png", "tiny-4114.png", "tiny-4115.png"}


def test_saving_all_twice_overwrites_nothing(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    job = begin(window, engine, 2)
    engine.emit_events(drawn(job, 0, 2), Finished(job=job))
    for count in (2, 4):
        save_to(window, tmp_path, window.generate.save_all)
        qtbot.waitUntil(lambda count=count: len(list(tmp_path.glob("*.png"))) == count)  # type: ignore[misc]


def test_the_queue_counts_and_estimates(window: AppState, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr(window.jobs, "_clock", lambda: now[0])
    job = begin(window, engine, 4)
    (entry,) = window.jobs.jobs.get()
    assert (entry.title, entry.done, entry.total, entry.started) == ("Tiny: 4 pictures", 0, 4, None)
    now[0] = 60.0  # the wait for the engine is not counted
    engine.emit_events(Heartbeat(steps=1, job=job))
    now[0] = 62.0
    engine.emit_events(drawn(job, 0, 1))
    (entry,) = window.jobs.jobs.get()
    assert entry.done == 1 and entry.share == 0.25 and entry.seconds_left == pytest.approx(6.0)
    assert "about 6 s left" in window.generate.batch.caption.get()
    now[0] = 64.0
    engine.emit_events(drawn(job, 1, 1))
    (entry,) = window.jobs.jobs.get()
    assert entry.done == 2 and entry.seconds_left == pytest.approx(4.0)
    window.jobs.stop_job(job)
    assert engine.stopped == [job]
    engine.emit_events(Stopped(job=job))
    assert window.jobs.jobs.get() == ()


def test_speed_is_measured_from_what_was_heard_first(
    window: AppState, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [50.0]
    monkeypatch.setattr(window.jobs, "_clock", lambda: now[0])
    job = begin(window, engine, 4)
    engine.emit_events(drawn(job, 0, 2))  # nobody knows how long these took
    assert window.jobs.jobs.get()[0].seconds_left is None
    now[0] = 53.0
    engine.emit_events(drawn(job, 2, 1))
    assert window.jobs.jobs.get()[0].seconds_left == pytest.approx(3.0)


@pytest.mark.parametrize("ended", [True, False])
def test_the_grid_is_there_again_after_a_restart(opener: Opener, engine: FakeEngine, ended: bool) -> None:
    first = opener(engine)
    job = begin(first, engine)
    engine.emit_events(drawn(job, 0, 3), *([Stopped(job=job)] if ended else []))
    second_engine = FakeEngine()
    second = opener(second_engine)
    cells = second.generate.batch.cells.get()
    assert [cell.seed for cell in cells] == [4112, 4113, 4114, 4115]
    assert [cell.finished for cell in cells] == [True, True, True, False]
    assert cells[2].picture is not None and (cells[2].picture == 12).all() and cells[2].log_prob == -2.0
    second.generate.batch.continue_run()
    assert asked(second_engine).seeds == (4115,)


def test_the_grid_is_there_again_although_the_settings_are_lost(
    opener: Opener, engine: FakeEngine, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opener(engine)
    job = begin(first, engine)
    engine.emit_events(drawn(job, 0, 4), Finished(job=job))
    first.close()
    monkeypatch.setattr(first, "close", lambda: None)  # it is closed
    (studio_home / "config" / "settings.json").unlink()
    second = opener(FakeEngine())
    assert [cell.seed for cell in second.generate.batch.cells.get() if cell.finished] == [4112, 4113, 4114, 4115]


def test_a_grid_that_cannot_be_read_costs_only_itself(opener: Opener, engine: FakeEngine, studio_home: Path) -> None:
    first = opener(engine)
    engine.emit_events(Finished(job=begin(first, engine)))
    (studio_home / "data").mkdir(parents=True, exist_ok=True)
    (studio_home / "data" / "grid.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    second = opener(FakeEngine())
    assert second.generate.batch.cells.get() == () and second.generate.parameters.seed.get() == 4112


def test_a_model_that_is_gone_is_replaced_by_the_first(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    opener(engine).generate.choose_model("tones")
    second = opener(FakeEngine())
    assert second.generate.model.get() == second.models.find_model("tones")
    (two_models / "tones.safetensors").unlink()
    third = opener(FakeEngine())
    assert third.generate.model.get() == third.models.find_model("tiny")


def test_a_picture_continues_in_explore(window: AppState, engine: FakeEngine) -> None:
    job = begin(window, engine)
    engine.emit_events(drawn(job, 0, 4), Finished(job=job))
    window.generate.open_in_explore(1)
    explore = window.explore
    assert window.panel.get() == "explore" and explore.parameters.seed.get() == 4113
    assert explore.parameters.temperatures.get() == (0.7, 0.7, 0.7) and set(explore.parameters.sliders.get()) == {0.0}
    assert np.array_equal(stage(explore), pictures(2)[1])


def test_without_a_model_nothing_starts(opener: Opener, engine: FakeEngine, two_models: Path) -> None:
    for path in two_models.iterdir():
        path.unlink()
    window = opener(engine)
    window.generate.start_batch()
    assert engine.sent == []
    write_model(two_models, make_card("late"))
    window.models.refresh_models()
    window.generate.start_batch()
    assert asked(engine).model == "late" and window.explore.model.get() == window.models.find_model("late")


def made_of(window: AppState, index: int, folder: Path, qtbot: QtBot) -> work.Work:
    """Return the recipe inside the file of a saved picture."""
    path = folder / f"{index}.png"
    path.unlink(missing_ok=True)
    save_to(window, path, lambda: window.generate.save_picture(index))
    qtbot.waitUntil(path.exists)
    found = work.recipe_of_png(path.read_bytes())
    assert found is not None
    return found


PIXELS = ("gated_pixelcnn", "Gated PixelCNN")


@pytest.fixture
def mixer(opener: Opener, engine: FakeEngine, two_models: Path) -> AppState:
    """Open a window with two models that can be mixed, `dots` and `dashes`, and one of another size."""
    for name, shape in (("dots", (3, 8, 8)), ("dashes", (3, 8, 8)), ("small", (3, 4, 4))):
        write_model(two_models, make_card(name, shape, family=PIXELS))
    window = opener(engine)
    window.generate.choose_model("dots")
    return window


def test_only_models_that_draw_in_the_same_size_are_offered_to_be_mixed(mixer: AppState) -> None:
    mixing = mixer.generate.parameters.mix
    assert [other.card.name for other in mixing.partners.get()] == ["dashes"]
    mixer.generate.parameters.set_mix("small")
    assert mixing.name.get() == ""
    mixer.generate.parameters.set_mix("dashes")
    assert mixing.name.get() == "dashes"
    mixer.generate.choose_model("tiny")
    assert (mixing.partners.get(), mixing.name.get()) == ((), "")
    mixer.generate.history.undo()
    assert mixing.name.get() == "dashes"


def test_a_mixed_run_follows_the_parameters_and_records_them(
    mixer: AppState, opener: Opener, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    generate = mixer.generate
    generate.parameters.set_mix("dashes")
    generate.parameters.set_share(0.25)
    job = begin(mixer, engine, 4)
    assert (asked(engine).second_model, asked(engine).share) == ("dashes", 0.25)
    generate.parameters.set_share(0.5)
    steer = engine.sent[-1]
    assert isinstance(steer, Adjust)
    assert (steer.running_job, steer.temperature, steer.share) == (job, (0.7,), 0.5)
    generate.parameters.set_temperature(1.5)
    assert engine.sent[-1].temperature == (1.5,)
    count = len(engine.sent)
    generate.parameters.set_number(9)
    assert len(engine.sent) == count, "nothing that it draws by was changed"
    shares = np.full((8, 8), 0.25, np.float32)
    shares[4:] = 0.5
    first = other(drawn(job, 0, 2), share_map=shares, temperature_map=shares)
    engine.emit_events(first, other(drawn(job, 2, 2), share=0.5, temperature=(1.5,)), Finished(job=job))
    for _ in range(2):  # now, and after a restart
        window = mixer
        half, after = (made_of(window, index, tmp_path, qtbot) for index in (1, 3))
        assert half.mix is not None
        assert half.mix.model == "dashes"
        assert half.mix.share_map is not None
        assert np.array_equal(half.mix.share_map.to_array(), shares)
        assert half.temperature_map is not None
        assert np.array_equal(half.temperature_map.to_array(), shares)
        assert after.mix is not None
        assert (after.temperature, after.mix.share, after.mix.share_map, after.temperature_map) == (
            (1.5,),
            0.5,
            None,
            None,
        )
        mixer = opener(engine)
    assert (mixer.generate.parameters.mix.name.get(), mixer.generate.parameters.mix.share.get()) == ("dashes", 0.5)


def test_a_model_that_draws_whole_is_not_steered(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    count = len(engine.sent)
    window.generate.parameters.set_temperature(0.1)
    assert len(engine.sent) == count


def test_what_was_steered_is_opened_in_explore_as_a_picture(mixer: AppState, engine: FakeEngine) -> None:
    job = begin(mixer, engine, 1)
    heat = np.ones((8, 8), np.float32)
    engine.emit_events(other(drawn(job, 0, 1), temperature_map=heat), Finished(job=job))
    mixer.generate.open_in_explore(0)
    assert isinstance(engine.sent[-1], Encode)
    assert mixer.panel.get() == "explore"


@pytest.mark.parametrize("asked_class", [None, 1])
def test_the_map_of_a_picture_is_made_with_its_own_class(
    opener: Opener, engine: FakeEngine, two_models: Path, asked_class: int | None
) -> None:
    write_model(two_models, make_card("kinds", classes=("Dark", "Light")))
    window = opener(engine)
    generate = window.generate
    generate.choose_model("kinds")
    generate.parameters.set_label(asked_class)
    job = begin(window, engine, 3)
    own = (0, 1, 1) if asked_class is None else (1, 1, 1)
    engine.emit_events(other(drawn(job, 0, 3), labels=own), Finished(job=job))
    generate.choose_cell(1)
    cells = generate.batch.cells.get()
    shown = generate.shown_pictures()
    assert [each.picture for each in shown] == [cells[1].picture, cells[0].picture, cells[2].picture]
    assert [each.label for each in shown] == [own[1], own[0], own[2]]
    assert {each.model for each in shown} == {"kinds"}
    generate.enlarge_cell(0)
    assert [each.label for each in generate.shown_pictures()] == [own[0]], "it is the same one when enlarged"
