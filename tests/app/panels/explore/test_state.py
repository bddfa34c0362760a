from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.panels.explore.rendering import MAYBE_OLDER
from studio.app.panels.explore.state import ExploreState as ExploreState
from studio.library import models, storage, work
from studio.library.storage import NotSaved
from studio.library.work import StoredArray, Work
from studio.wire.messages import Array, Decoded, DecodeLatent, Encode, Encoded, Failed, Finished, Stopped
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.saving import save_to

LATENT = np.arange(8 * 8 * 3, dtype=np.float32).reshape(3, 8, 8) / 7


def tone(value: int, size: int = 8, channels: int = 3) -> Array:
    return np.full((size, size, channels), value, np.uint8)


def stage(explore: ExploreState) -> Array:
    """Return the picture on the stage."""
    picture = explore.render.picture.get()
    assert picture is not None
    return picture


def asked(engine: FakeEngine) -> DecodeLatent:
    command = engine.sent[-1]
    assert isinstance(command, DecodeLatent)
    return command


def answer(engine: FakeEngine, picture: Array) -> DecodeLatent:
    """Answer the newest command."""
    command = asked(engine)
    engine.emit_events(Decoded(job=command.job, picture=picture), Finished(job=command.job))
    return command


def begin(window: AppState, engine: FakeEngine, seed: int = 7) -> None:
    """Show a picture of a seed on the stage."""
    window.show_panel("explore")
    engine.status_changed.emit("Ready")
    window.explore.parameters.new_start(seed)
    answer(engine, tone(seed))


def photo(path: Path, size: tuple[int, int] = (20, 10)) -> Path:
    Image.new("RGB", size, (200, 100, 50)).save(path)
    return path


def bring(window: AppState, engine: FakeEngine, path: Path, qtbot: QtBot, differing: int = 0) -> None:
    """Open a picture, use it, and let the engine encode it."""
    window.explore.open_file(path)
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    window.explore.importing.encode_preview()
    command = engine.sent[-1]
    assert isinstance(command, Encode) and command.picture.shape == (8, 8, 3)
    encoded = Encoded(
        job=command.job,
        latent=LATENT,
        exact=differing == 0,
        differing=differing,
        total=192,
        largest_difference=1,
        bits=900.0,
        is_bound=False,
    )
    engine.emit_events(encoded, Finished(job=command.job))
    answer(engine, tone(99))


def test_until_the_first_start_nothing_is_asked(window: AppState, engine: FakeEngine) -> None:
    engine.status_changed.emit("Ready")
    window.explore.choose_model("tones")
    window.explore.choose_model("tiny")
    assert engine.sent == [] and window.explore.render.picture.get() is None
    window.explore.parameters.new_start()
    assert asked(engine).seed == window.explore.parameters.seed.get()


def test_a_picture_comes_from_seed_sliders_and_temperatures(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.explore.parameters.set_slider(1, 1.5)
    window.explore.parameters.set_temperature(2, 0.25)  # the open question is answered first
    answer(engine, tone(1))
    command = asked(engine)
    assert (command.model, command.seed, command.latent) == ("tiny", 7, None)
    assert command.sliders == (0.0, 1.5, 0.0) and command.temperature == (0.7, 0.7, 0.25)
    newest = tone(2)
    answer(engine, newest)
    assert window.explore.render.picture.get() is newest


def test_a_drag_keeps_one_request_open_and_the_newest_input(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    before = len(engine.sent)
    window.explore.parameters.grab_slider(0)
    for n in range(1, 50):
        window.explore.parameters.set_slider(0, n / 50)
    window.explore.parameters.end_gesture()
    assert len(engine.sent) == before + 1 and asked(engine).sliders[0] == 0.02
    answer(engine, tone(1))
    assert len(engine.sent) == before + 2 and asked(engine).sliders[0] == 0.98
    answer(engine, tone(2))
    assert len(engine.sent) == before + 2


def test_the_next_question_does_not_wait_for_the_ending(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.explore.parameters.set_slider(0, 1.0)
    first = asked(engine)
    window.explore.parameters.set_slider(0, 2.0)
    engine.emit_events(Decoded(job=first.job, picture=tone(1)))
    assert asked(engine).sliders[0] == 2.0
    engine.emit_events(Stopped(job=first.job))  # of the old one: the new one stays open
    window.explore.parameters.set_slider(0, 3.0)
    assert asked(engine).sliders[0] == 2.0


def test_a_drag_is_one_step_and_names_its_direction(window: AppState, engine: FakeEngine) -> None:
    explore = window.explore
    begin(window, engine)
    explore.parameters.rename_direction(0, "Warmth")
    explore.parameters.grab_slider(0)
    for value in (0.1, 0.5, 1.24):
        explore.parameters.set_slider(0, value)
    explore.parameters.end_gesture()
    assert explore.history.undo_name.get() == "warmth"
    window.undo()
    assert explore.parameters.sliders.get() == (0.0, 0.0, 0.0)
    window.redo()
    assert explore.parameters.sliders.get() == (1.24, 0.0, 0.0)


def test_a_hundred_different_steps_come_back_one_by_one(window: AppState, engine: FakeEngine) -> None:
    dials = window.explore.parameters
    begin(window, engine)
    states = []
    for n in range(120):
        states.append((dials.sliders.get(), dials.temperatures.get(), dials.seed.get()))
        match n % 3:
            case 0:
                dials.reset_slider(n % 2) if dials.sliders.get()[n % 2] else dials.set_slider(n % 2, n / 100 + 0.01)
            case 1:
                dials.set_temperature(n % 3, n / 100)
            case _:
                dials.new_start(1000 + n)
        dials.end_gesture()
    for state in reversed(states):
        window.undo()
        assert (dials.sliders.get(), dials.temperatures.get(), dials.seed.get()) == state


def test_sliders_stay_within_their_range(window: AppState) -> None:
    window.explore.parameters.set_slider(0, 99.0)
    assert window.explore.parameters.sliders.get()[0] == 4.0
    window.explore.parameters.set_temperature(0, 9.0)
    assert window.explore.parameters.temperatures.get()[0] == 2.0


def test_home_all_and_home_temperatures(window: AppState, engine: FakeEngine) -> None:
    explore = window.explore
    begin(window, engine)
    explore.parameters.set_slider(0, 1.0)
    explore.parameters.set_slider(2, -1.0)
    explore.parameters.set_temperature(1, 1.9)
    explore.parameters.reset_sliders()
    explore.parameters.reset_temperatures()
    assert explore.parameters.sliders.get() == (0.0, 0.0, 0.0) and explore.parameters.temperatures.get() == (
        0.7,
        0.7,
        0.7,
    )
    window.undo()
    window.undo()
    assert explore.parameters.sliders.get() == (1.0, 0.0, -1.0)


def test_a_new_start_keeps_the_sliders_and_a_locked_seed(window: AppState, engine: FakeEngine) -> None:
    explore = window.explore
    begin(window, engine)
    explore.parameters.set_slider(0, 1.0)
    explore.parameters.new_start()
    assert explore.parameters.seed.get() != 7 and explore.parameters.sliders.get()[0] == 1.0
    explore.parameters.lock_seed(True)
    kept = explore.parameters.seed.get()
    explore.parameters.new_start()
    assert explore.parameters.seed.get() == kept
    explore.parameters.new_start("rose")
    assert explore.parameters.seed.get() == kept and '"rose" is not a seed' in explore.parameters.error.get()


def test_a_failed_request_shows_a_message_and_keeps_the_picture(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.explore.parameters.set_slider(0, 1.0)
    engine.emit_events(Failed(job=asked(engine).job, reason="The model was moved.", hint="Put it back."))
    said = window.messages.current.get()
    assert said is not None and said.text == "The model was moved. Put it back." and said.severity == "failed"
    assert window.explore.render.picture.get() is not None
    count = len(engine.sent)
    window.messages.press_button(0)
    assert len(engine.sent) == count + 1 and asked(engine).sliders[0] == 1.0


def test_a_dead_engine_leaves_the_picture_and_offers_to_draw_it_again(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.explore.parameters.set_slider(0, 1.0)
    count = len(engine.sent)
    engine.die()
    said = window.messages.current.get()
    assert said is not None and said.text.endswith(MAYBE_OLDER)
    assert len(engine.sent) == count and window.explore.render.picture.get() is not None
    window.messages.press_button(0)
    assert len(engine.sent) == count + 1 and asked(engine).sliders[0] == 1.0


def test_a_photo_is_shown_for_cropping_before_anything_happens(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    explore = window.explore
    explore.open_file(photo(tmp_path / "rose.png"))
    assert explore.importing.busy.get()
    qtbot.waitUntil(lambda: explore.importing.preview.get() is not None)
    shown = explore.importing.preview.get()
    assert shown is not None and shown.mode == "crop"
    assert shown.model_input.shape == (8, 8, 3) and (shown.model_input[..., 0] == 200).all()
    assert window.panel.get() == "explore" and not explore.importing.busy.get() and engine.sent == []
    explore.importing.set_crop("pad")
    qtbot.waitUntil(lambda: explore.importing.preview.get() is not shown)
    padded = explore.importing.preview.get()
    assert padded is not None and (padded.model_input[0] == 255).all() and (padded.model_input[4, :, 0] == 200).all()
    explore.importing.cancel_preview()
    assert explore.importing.preview.get() is None and explore.parameters.source.get() == ""


def test_a_dark_photo_is_stretched_by_one_click_and_back(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    dark = np.linspace(640, 3680, 200).astype(np.uint16).reshape(10, 20)  # 12 bits, kept in 16
    Image.fromarray(dark).save(tmp_path / "cell.tif")
    explore = window.explore
    explore.open_file(tmp_path / "cell.tif")
    qtbot.waitUntil(lambda: explore.importing.preview.get() is not None)
    first = explore.importing.preview.get()
    said = window.messages.current.get()
    assert first is not None and first.model_input.max() < 16
    assert said is not None and said.text == '"cell.tif" uses only 1 % to 6 % of its range. Stretch it to see more.'
    assert [label for label, _ in said.buttons] == ["Stretch"]
    assert said.severity == "warn"  # such a message with a button stays until it is answered
    explore.importing.set_crop("pad")  # the offer stays while the preview is there
    qtbot.waitUntil(lambda: explore.importing.preview.get() is not first)
    window.messages.press_button(0)
    qtbot.waitUntil(lambda: np.ptp(seen(explore)[2:6]) > 200)
    stretched = explore.importing.preview.get()
    assert stretched is not None and stretched.mode == "pad"
    assert "it is stretched from 1 % to 6 % of its range" in stretched.picture.notes
    said = window.messages.current.get()
    assert said is not None and [label for label, _ in said.buttons] == ["Undo"]
    window.messages.press_button(0)
    qtbot.waitUntil(lambda: seen(explore)[2:6].max() < 16)
    window.messages.press_button(0)
    qtbot.waitUntil(lambda: np.ptp(seen(explore)[2:6]) > 200)
    explore.importing.encode_preview()
    command = engine.sent[-1]
    assert isinstance(command, Encode) and np.ptp(command.picture[2:6]) > 200
    explore.importing.cancel_preview()
    assert window.messages.current.get() is None


def seen(explore: ExploreState) -> Array:
    """Return what the model will see of the picture in the preview."""
    photo = explore.importing.preview.get()
    assert photo is not None
    return photo.model_input


def test_a_photo_that_comes_back_exactly(window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path) -> None:
    explore = window.explore
    begin(window, engine)
    explore.parameters.set_slider(0, 1.0)
    answer(engine, tone(1))
    bring(window, engine, photo(tmp_path / "rose.png"), qtbot)
    command = asked(engine)
    assert command.latent is not None and command.latent.tobytes() == LATENT.tobytes()
    assert command.sliders == (0.0, 0.0, 0.0) and command.temperature == (1.0, 1.0, 1.0)
    assert explore.parameters.source.get() == "rose.png" and explore.parameters.slider_homes.get() == (1.0, 1.0, 1.0)
    badge = explore.badge.get()
    assert (badge.kind, badge.text) == ("exact", "Exact")
    assert badge.detail == "with every slider at home, rose.png comes back byte for byte"
    assert badge.note == "Your picture is rose.png, cropped to the middle and scaled to 8 × 8"
    window.undo()
    assert asked(engine).latent is None and asked(engine).sliders[0] == 1.0
    assert explore.badge.get().kind is None and explore.parameters.source.get() == ""
    answer(engine, tone(1))
    window.redo()
    assert explore.badge.get() == badge
    explore.parameters.new_start(5)
    answer(engine, tone(99))
    assert asked(engine).latent is None and asked(engine).temperature == explore.parameters.slider_homes.get() == (
        0.7,
        0.7,
        0.7,
    )


def test_stopped_in_the_queue_a_photo_waits_to_be_used_again(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    window.explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    window.explore.importing.encode_preview()
    job = engine.sent[-1].job
    qtbot.waitUntil(lambda: window.jobs.find_job(job) is not None)
    window.jobs.stop_job(job)
    engine.emit_events(Stopped(job=job))
    assert window.jobs.jobs.get() == () and window.explore.importing.preview.get() is not None
    assert not window.explore.importing.busy.get()
    window.explore.importing.encode_preview()
    assert isinstance(engine.sent[-1], Encode) and engine.sent[-1].job != job


def test_stopped_in_the_queue_the_stage_asks_for_no_newer_picture(
    window: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    begin(window, engine)
    window.explore.parameters.set_slider(0, 1.0)
    window.explore.parameters.set_slider(0, 2.0)  # this job waits for the previous one
    job = asked(engine).job
    count = len(engine.sent)
    qtbot.waitUntil(lambda: window.jobs.find_job(job) is not None)
    window.jobs.stop_job(job)
    engine.emit_events(Stopped(job=job))
    assert len(engine.sent) == count and not window.explore.render.busy.get()
    window.explore.parameters.set_slider(0, 1.5)
    assert len(engine.sent) == count + 1


def test_a_photo_that_comes_back_unequal(window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path) -> None:
    bring(window, engine, photo(tmp_path / "rose.png"), qtbot, differing=12)
    badge = window.explore.badge.get()
    assert (badge.kind, badge.text) == ("differs", "12 of 192 values differ by 1")


def test_the_badge_shows_that_the_engine_checks(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    explore = window.explore
    explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: explore.importing.preview.get() is not None)
    explore.importing.encode_preview()
    assert explore.badge.get().kind == "working" and explore.importing.busy.get()
    engine.emit_events(Failed(job=engine.sent[-1].job, reason="Memory ran out."))
    assert (
        explore.badge.get().kind is None
        and explore.importing.preview.get() is not None
        and not explore.importing.busy.get()
    )


def test_an_engine_that_dies_while_encoding_keeps_the_photo(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    window.explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    window.explore.importing.encode_preview()
    engine.die()
    said = window.messages.current.get()
    assert said is not None and said.text.endswith("Your picture is still here and was not used yet.")
    window.messages.press_button(0)
    assert len(engine.sent) == 2 and isinstance(engine.sent[1], Encode)


def test_using_a_photo_starts_a_stopped_engine_and_a_moved_slider_does_not(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    engine.status_changed.emit("Stopped")
    window.explore.parameters.new_start(1)
    window.explore.parameters.set_slider(0, 1.0)
    assert engine.starts == 0
    window.explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    window.explore.importing.encode_preview()
    assert engine.starts == 1 and isinstance(engine.sent[-1], Encode)


def test_another_model_crops_the_photo_again(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    window.explore.open_file(photo(tmp_path / "rose.png"))
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    first = window.explore.importing.preview.get()
    window.explore.importing.set_crop("pad")
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not first)
    window.explore.choose_model("tones")
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    shown = window.explore.importing.preview.get()
    assert shown is not None and shown.model_input.shape == (4, 4, 1) and shown.mode == "pad"


def test_a_file_that_is_no_picture_is_refused_with_its_reason(window: AppState, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "scan 3.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing more")
    window.explore.open_file(tmp_path / "scan 3.jpg")
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.severity == "failed" and said.text.startswith('"scan 3.jpg"')
    assert not window.explore.importing.busy.get() and window.explore.importing.preview.get() is None


def test_the_stage_is_what_a_take_keeps_not_what_the_sliders_want(window: AppState, engine: FakeEngine) -> None:
    begin(window, engine)
    window.explore.parameters.set_slider(0, 1.0)  # not answered yet
    window.explore.keep_take()
    (take,) = window.explore.selection.takes.get()
    assert take.work.sliders == (0.0, 0.0, 0.0) and (take.array == 7).all()
    assert window.explore.selection.current.get() == 0


def test_takes_can_be_kept_chosen_taken_off_and_brought_back(window: AppState, engine: FakeEngine) -> None:
    explore = window.explore
    begin(window, engine)
    explore.keep_take()
    explore.parameters.set_slider(1, 2.0)
    assert explore.selection.current.get() is None
    answer(engine, tone(50))
    explore.keep_take()
    explore.choose_take(0)
    assert explore.parameters.sliders.get() == (0.0, 0.0, 0.0) and explore.selection.current.get() == 0
    assert np.array_equal(stage(explore), tone(7))  # before the engine answers
    answer(engine, tone(7))
    explore.selection.delete_take(0)
    assert [take.work.sliders[1] for take in explore.selection.takes.get()] == [2.0]
    window.undo()
    assert len(explore.selection.takes.get()) == 2 and explore.selection.current.get() == 0
    window.undo()
    assert explore.parameters.sliders.get() == (0.0, 2.0, 0.0) and explore.selection.current.get() == 1
    for _ in range(3):
        window.undo()
    assert explore.selection.takes.get() == ()


def test_a_take_that_cannot_be_written_is_kept_and_written_later(
    window: AppState, engine: FakeEngine, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(window, engine)
    with monkeypatch.context() as patch:

        def full(path: Path, data: bytes) -> None:
            raise NotSaved(path, "full", "The disk is full.")

        patch.setattr(storage, "write_file", full)
        window.explore.keep_take()
    assert len(window.explore.selection.takes.get()) == 1
    said = window.messages.current.get()
    assert said is not None and said.text == "The disk is full."
    window.messages.press_button(0)
    assert len(list((studio_home / "data" / "takes").glob("*.png"))) == 1


def test_an_exported_picture_restores_everything(
    window: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    bring(window, engine, photo(tmp_path / "photo.png"), qtbot)
    window.explore.parameters.set_slider(2, -0.62)
    window.explore.parameters.set_temperature(0, 0.123456789)
    answer(engine, tone(1))
    answer(engine, tone(2))
    wanted = (window.explore.parameters.sliders.get(), window.explore.parameters.temperatures.get())
    assert save_to(window, tmp_path / "work.png", window.explore.save_picture) == ["tiny-photo.png"]
    qtbot.waitUntil(lambda: (tmp_path / "work.png").exists())
    other_engine = FakeEngine()
    other = opener(other_engine)
    other.explore.choose_model("tones")
    answer(other_engine, tone(5, 4, 1))
    other.open_dropped([tmp_path / "work.png"])
    qtbot.waitUntil(lambda: other.explore.model.get() == other.models.find_model("tiny"))
    assert (other.explore.parameters.sliders.get(), other.explore.parameters.temperatures.get()) == wanted
    command = asked(other_engine)
    assert command.latent is not None and command.latent.tobytes() == LATENT.tobytes()
    assert other.panel.get() == "explore" and other.explore.parameters.source.get() == "photo.png"
    assert np.array_equal(stage(other.explore), tone(2))


def test_a_work_of_a_missing_model_opens_as_a_picture(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    lost = Work(model="garden", model_hash="0" * 32, seed=7, temperature=(0.8,))
    (tmp_path / "lost.png").write_bytes(work.encode_png(tone(3), lost))
    window.explore.open_file(tmp_path / "lost.png")
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.text == (
        'This work was made with "garden", which is not here. It was made from seed 7 at temperature 0.8. '
        "To make it again, add that model."
    )
    with qtbot.waitSignal(window.messages.open_requested) as wanted:
        window.messages.press_button(0)
    assert wanted.args is not None and wanted.args[0] == ".safetensors"


def test_a_work_of_a_model_with_another_name_finds_it(window: AppState, engine: FakeEngine) -> None:
    trained = window.models.find_model("tones")
    assert trained is not None
    assert window.explore.restore_work(
        Artwork(tone(1), Work(model="old-name", model_hash=trained.file_hash, seed=1, temperature=(1.2,)))
    )
    assert window.explore.model.get() == trained and window.explore.parameters.temperatures.get() == (1.2,)
    assert window.messages.current.get() is None


def test_a_work_from_before_its_model_got_another_card_comes_back_without_a_warning(
    window: AppState, engine: FakeEngine
) -> None:
    before = window.models.find_model("tiny")
    assert before is not None
    was = before.file_hash
    models.write_card(before, msgspec.structs.replace(before.card, title="Another"))
    window.models.refresh_models()
    assert window.explore.restore_work(Artwork(tone(1), Work(model="tiny", model_hash=was, seed=1)))
    assert window.messages.current.get() is None


def test_a_work_of_a_retrained_model_shows_a_warning(window: AppState, engine: FakeEngine) -> None:
    assert window.explore.restore_work(Artwork(tone(1), Work(model="tiny", model_hash="0" * 32, seed=1)))
    said = window.messages.current.get()
    assert said is not None and 'Another model named "tiny"' in said.text


def test_a_work_beyond_the_range_of_the_sliders_is_restored_exactly(window: AppState, engine: FakeEngine) -> None:
    trained = window.models.find_model("tiny")
    assert trained is not None
    far = Work(
        model="tiny", model_hash=trained.file_hash, seed=1, sliders=(9.5, -16.0, 0.1), temperature=(3.5, 0.0, 4.0)
    )
    window.explore.restore_work(Artwork(tone(1), far))
    assert (
        window.explore.parameters.sliders.get() == far.sliders
        and window.explore.parameters.temperatures.get() == far.temperature
    )


def test_a_grey_model_shows_grey_takes(window: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot) -> None:
    window.explore.choose_model("tones")
    window.explore.parameters.new_start(7)
    answer(engine, tone(5, 4, 1))
    window.explore.keep_take()
    second = opener(FakeEngine())
    qtbot.waitUntil(lambda: second.explore.render.picture.get() is not None)
    picture = second.explore.render.picture.get()
    assert picture is not None and picture.shape == (4, 4, 1) and (picture == 5).all()


def test_names_are_kept_with_the_model(window: AppState, opener: Opener, engine: FakeEngine) -> None:
    window.show_panel("explore")
    window.explore.parameters.rename_direction(1, "  Petals open ")
    assert window.explore.parameters.names.get() == ("1", "Petals open", "3")
    window.undo()
    assert window.explore.parameters.names.get() == ("1", "2", "3")
    window.redo()
    window.explore.choose_model("tones")
    assert window.explore.parameters.names.get() == ("1", "2", "3")
    assert opener(FakeEngine()).explore.parameters.names.get() == ("1", "2", "3")
    second = opener(FakeEngine())
    second.explore.choose_model("tiny")
    assert second.explore.parameters.names.get() == ("1", "Petals open", "3")


def test_everything_is_there_again_after_a_restart(
    window: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    bring(window, engine, photo(tmp_path / "rose.png"), qtbot)
    window.explore.keep_take()
    for n in range(110):
        window.explore.parameters.set_slider(0, (n + 1) / 50)
        window.explore.parameters.end_gesture()
    window.explore.parameters.lock_seed(True)
    (tmp_path / "rose.png").unlink()

    other_engine = FakeEngine()
    explore = (other := opener(other_engine)).explore
    assert other_engine.sent == []  # no engine runs yet
    other_engine.status_changed.emit("Starting")
    command = asked(other_engine)
    assert command.sliders[0] == 2.2 and command.latent is not None and command.latent.tobytes() == LATENT.tobytes()
    assert (
        explore.parameters.locked.get()
        and explore.parameters.source.get() == "rose.png"
        and explore.badge.get().kind == "exact"
    )
    qtbot.waitUntil(lambda: len(explore.selection.takes.get()) == 1)
    take = explore.selection.takes.get()[0]
    assert (take.array == 99).all() and take.work.latent == StoredArray.from_array(LATENT)
    other.show_panel("explore")
    for _ in range(110):
        other.undo()
    assert explore.parameters.sliders.get()[0] == 0.0 and explore.selection.current.get() == 0


def test_a_take_kept_in_the_moment_before_a_crash_is_found_again(
    window: AppState,
    engine: FakeEngine,
    opener: Opener,
    qtbot: QtBot,
    studio_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin(window, engine)
    window.explore.keep_take()
    monkeypatch.setattr(window, "close", lambda: None)  # the process is killed before anything is saved
    second = opener(FakeEngine())
    qtbot.waitUntil(lambda: len(second.explore.selection.takes.get()) == 1)
    assert second.explore.selection.takes.get()[0].work.seed == 7


def test_a_take_taken_off_for_good_goes_to_the_bin(
    window: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot, studio_home: Path
) -> None:
    begin(window, engine)
    window.explore.keep_take()
    window.undo()
    window.explore.parameters.set_slider(0, 1.0)  # no redo leads back to it now
    window.close()
    assert list((studio_home / "data" / "takes").glob("*.png")) == []
    assert len(list((studio_home / "data" / "bin").rglob("*.png"))) == 1


def test_a_model_that_is_gone_leaves_the_window_usable(
    window: AppState, engine: FakeEngine, opener: Opener, two_models: Path
) -> None:
    window.explore.choose_model("tones")
    window.explore.parameters.new_start(3)
    answer(engine, tone(5, 4, 1))
    window.close()
    (two_models / "tones.safetensors").unlink()
    other_engine = FakeEngine()
    second = opener(other_engine)
    other_engine.status_changed.emit("Starting")
    assert second.explore.model.get() == second.models.find_model("tiny")
    second.explore.parameters.new_start(1)
    assert asked(other_engine).model == "tiny" and len(asked(other_engine).sliders) == 3
    write_model(two_models, make_card("tones", (1, 4, 4)))


def test_no_file_is_read_while_a_slider_moves(
    window: AppState, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(window, engine)
    window.explore.parameters.rename_direction(0, "Warmth")
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read"))
    monkeypatch.setattr("builtins.open", lambda *what, **how: pytest.fail(f"{what} is opened"))
    window.explore.parameters.grab_slider(0)
    for value in (0.5, 1.0, 1.5):
        window.explore.parameters.set_slider(0, value)
    window.explore.parameters.end_gesture()
    window.explore.parameters.set_temperature(1, 0.5)
    window.explore.history.undo()
    monkeypatch.undo()
    assert window.explore.parameters.names.get()[0] == "Warmth" and window.explore.parameters.sliders.get()[0] == 1.5


def test_the_map_of_an_opened_picture_is_not_given_a_class_that_was_only_assumed(
    window: AppState, engine: FakeEngine, two_models: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    write_model(two_models, make_card("kinds", classes=("Dark", "Light")))
    window.models.refresh_models()
    window.show_panel("explore")
    engine.status_changed.emit("Ready")
    window.explore.choose_model("kinds")
    window.explore.parameters.new_start(7)
    window.explore.parameters.set_label(1)
    answer(engine, tone(7))
    if window.explore.render.busy.get():
        answer(engine, tone(8))
    assert [shown.label for shown in window.explore.shown_pictures()] == [1], "it was made as this class"

    bring(window, engine, photo(tmp_path / "mine.png"), qtbot)
    window.explore.parameters.set_label(1)
    if window.explore.render.busy.get():
        answer(engine, tone(9))
    assert [(shown.model, shown.label) for shown in window.explore.shown_pictures()] == [("kinds", None)]
