import json
from collections.abc import Callable

import pytest

from studio.app.core.observable import Record
from studio.app.core.undo import GESTURE_PAUSE, MAX_ENTRIES, MAX_STEPS, UndoHistory

Dial = tuple[UndoHistory, Record, Callable[..., None], list[float]]


@pytest.fixture
def dial() -> Dial:
    """A history over one number, a verb that sets it, and a clock to turn."""
    now = {"x": 0}
    clock = [100.0]
    history = UndoHistory(now.update, clock=lambda: clock[0])

    def turn(x: int, gesture: str | None = None, name: str = "dial") -> None:
        before = dict(now)
        now["x"] = x
        history.add_step(name, before, {"x": x}, gesture)

    return history, now, turn, clock


def test_undo_and_redo_walk_through_a_hundred_steps(dial: Dial) -> None:
    history, now, turn, _ = dial
    for x in range(1, 101):
        turn(x)
    for x in range(99, -1, -1):
        history.undo()
        assert now["x"] == x
    assert not history.can_undo.get()
    for _ in range(100):
        history.redo()
    assert now["x"] == 100 and not history.can_redo.get()


def test_forgets_only_what_lies_beyond_two_hundred_steps(dial: Dial) -> None:
    history, now, turn, _ = dial
    for x in range(1, MAX_STEPS + 51):
        turn(x)
    while history.can_undo.get():
        history.undo()
    assert now["x"] == 50


def test_long_curves_cost_the_oldest_steps(dial: Dial) -> None:
    history, now, _, _ = dial
    now["x"] = curve = []
    for second in range(400):
        before = dict(now)
        now["x"] = curve = [*curve, [second, 1.0]]
        history.add_step("heat", before, {"x": curve})
    kept = sum(len(record["x"]) for record in history.records())
    assert MAX_ENTRIES - 800 < kept <= MAX_ENTRIES
    while history.can_undo.get():
        history.undo()
    assert 0 < len(now["x"]) < 400


def test_a_drag_is_one_step_however_long_the_hand_rests(dial: Dial) -> None:
    history, now, turn, clock = dial
    history.begin_gesture("x")
    for x in range(1, 30):
        clock[0] += 10 * GESTURE_PAUSE
        turn(x, "x")
    history.end_gesture()
    history.undo()
    assert now["x"] == 0 and not history.can_undo.get()


def test_keys_in_quick_succession_are_one_step_and_a_pause_begins_another(dial: Dial) -> None:
    history, now, turn, clock = dial
    turn(1, "x")
    clock[0] += GESTURE_PAUSE / 2
    turn(2, "x")
    clock[0] += GESTURE_PAUSE * 2
    turn(3, "x")
    history.undo()
    assert now["x"] == 2
    history.undo()
    assert now["x"] == 0


def test_a_drag_that_comes_back_leaves_no_step(dial: Dial) -> None:
    history, _, turn, _ = dial
    history.begin_gesture("x")
    for x in (5, 9, 0):
        turn(x, "x")
    history.end_gesture()
    assert not history.can_undo.get()


def test_two_drags_of_the_same_dial_are_two_steps(dial: Dial) -> None:
    history, now, turn, _ = dial
    for x in (5, 9):
        history.begin_gesture("x")
        turn(x, "x")
        history.end_gesture()
    history.undo()
    assert now["x"] == 5


def test_names_the_steps_and_a_new_one_ends_redo(dial: Dial) -> None:
    history, _, turn, _ = dial
    turn(1, name="warmth")
    turn(2, name="closeness")
    history.undo()
    assert (history.undo_name.get(), history.redo_name.get()) == ("warmth", "closeness")
    turn(7, name="softness")
    assert not history.can_redo.get() and history.undo_name.get() == "softness"


def test_comes_back_from_a_file(dial: Dial) -> None:
    history, now, turn, _ = dial
    for x in range(1, 121):
        turn(x)
    history.undo()
    kept = json.loads(json.dumps(history.snapshot()))
    other = UndoHistory(now.update)
    other.restore(kept)
    other.redo()
    assert now["x"] == 120
    for _ in range(120):
        other.undo()
    assert now["x"] == 0


@pytest.mark.parametrize("plain", [{"done": [["a", {}]]}, {"done": 3}, {"done": [["a", 1, 2]]}])
def test_a_damaged_record_raises_and_changes_nothing(dial: Dial, plain: Record) -> None:
    history, _, turn, _ = dial
    turn(1)
    with pytest.raises((TypeError, ValueError)):
        history.restore(plain)
    assert history.undo_name.get() == "dial"
