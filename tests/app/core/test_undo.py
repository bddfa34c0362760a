import json
from collections.abc import Callable

import pytest

from studio.app.core.observable import Record
from studio.app.core.undo import GESTURE_PAUSE, MAX_ENTRIES, MAX_STEPS, UndoHistory

Bench = tuple[UndoHistory, Record, Callable[..., None], list[float]]


@pytest.fixture
def bench() -> Bench:
    """Return a history over one number, a function that sets the number, and a clock."""
    now = {"x": 0}
    clock = [100.0]
    history = UndoHistory(now.update, clock=lambda: clock[0])

    def set_number(x: int, gesture: str | None = None, name: str = "bench") -> None:
        before = dict(now)
        now["x"] = x
        history.add_step(name, before, {"x": x}, gesture)

    return history, now, set_number, clock


def test_undo_and_redo_walk_through_a_hundred_steps(bench: Bench) -> None:
    history, now, set_number, _ = bench
    for x in range(1, 101):
        set_number(x)
    for x in range(99, -1, -1):
        history.undo()
        assert now["x"] == x
    assert not history.can_undo.get()
    for _ in range(100):
        history.redo()
    assert now["x"] == 100 and not history.can_redo.get()


def test_only_steps_beyond_two_hundred_are_forgotten(bench: Bench) -> None:
    history, now, set_number, _ = bench
    for x in range(1, MAX_STEPS + 51):
        set_number(x)
    while history.can_undo.get():
        history.undo()
    assert now["x"] == 50


def test_long_curves_drop_the_oldest_steps(bench: Bench) -> None:
    history, now, _, _ = bench
    now["x"] = curve = []
    for second in range(400):
        before = dict(now)
        now["x"] = curve = [*curve, [second, 1.0]]
        history.add_step("heat", before, {"x": curve})
    count = sum(len(record["x"]) for record in history.records())
    assert MAX_ENTRIES - 800 < count <= MAX_ENTRIES
    while history.can_undo.get():
        history.undo()
    assert 0 < len(now["x"]) < 400


def test_a_drag_is_one_step_however_long_it_pauses(bench: Bench) -> None:
    history, now, set_number, clock = bench
    history.begin_gesture("x")
    for x in range(1, 30):
        clock[0] += 10 * GESTURE_PAUSE
        set_number(x, "x")
    history.end_gesture()
    history.undo()
    assert now["x"] == 0 and not history.can_undo.get()


def test_keys_in_quick_succession_are_one_step_and_a_pause_begins_another(bench: Bench) -> None:
    history, now, set_number, clock = bench
    set_number(1, "x")
    clock[0] += GESTURE_PAUSE / 2
    set_number(2, "x")
    clock[0] += GESTURE_PAUSE * 2
    set_number(3, "x")
    history.undo()
    assert now["x"] == 2
    history.undo()
    assert now["x"] == 0


def test_a_drag_back_to_its_start_leaves_no_step(bench: Bench) -> None:
    history, _, set_number, _ = bench
    history.begin_gesture("x")
    for x in (5, 9, 0):
        set_number(x, "x")
    history.end_gesture()
    assert not history.can_undo.get()


def test_two_drags_of_the_same_control_are_two_steps(bench: Bench) -> None:
    history, now, set_number, _ = bench
    for x in (5, 9):
        history.begin_gesture("x")
        set_number(x, "x")
        history.end_gesture()
    history.undo()
    assert now["x"] == 5


def test_steps_have_names_and_a_new_step_ends_redo(bench: Bench) -> None:
    history, _, set_number, _ = bench
    set_number(1, name="warmth")
    set_number(2, name="closeness")
    history.undo()
    assert (history.undo_name.get(), history.redo_name.get()) == ("warmth", "closeness")
    set_number(7, name="softness")
    assert not history.can_redo.get() and history.undo_name.get() == "softness"


def test_the_history_is_restored_from_a_file(bench: Bench) -> None:
    history, now, set_number, _ = bench
    for x in range(1, 121):
        set_number(x)
    history.undo()
    count = json.loads(json.dumps(history.snapshot()))
    other = UndoHistory(now.update)
    other.restore(count)
    other.redo()
    assert now["x"] == 120
    for _ in range(120):
        other.undo()
    assert now["x"] == 0


@pytest.mark.parametrize("plain", [{"done": [["a", {}]]}, {"done": 3}, {"done": [["a", 1, 2]]}])
def test_a_damaged_record_raises_and_changes_nothing(bench: Bench, plain: Record) -> None:
    history, _, set_number, _ = bench
    set_number(1)
    with pytest.raises((TypeError, ValueError)):
        history.restore(plain)
    assert history.undo_name.get() == "bench"
