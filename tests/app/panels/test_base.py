"""Tests undo, gestures and restart over the fields of a panel, with invalid stored values, too."""

import json
from typing import Any

import pytest

from studio.app.core.observable import Entries, Field, Value, within
from studio.app.panels.base import PanelState


class Shelf:
    """Holds what two panels share: which cups stand there."""

    def __init__(self) -> None:
        self.cups: dict[str, bool] = {}

    @property
    def entries(self) -> Entries:
        return Entries("cups", lambda name: self.cups.get(name, False), self.cups.update)


class Kettle(PanelState):
    """Is a panel with fields of every sort; `heard` holds the records that it followed."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        super().__init__()
        self.heat: Value[float] = Value(20.0, self)
        self.tea: Value[str] = Value("green", self)
        self.lid: Value[bool] = Value(False, self)
        self.whistle: Value[int] = Value(0, self)
        self.heard: list[dict[str, Any]] = []
        self._declare(
            Field("heat", self.heat.get, self._set_heat),
            Field.of("tea", self.tea, str),
            Field.of("lid", self.lid, bool, undo=False),
            Field("whistle", self.whistle.get, self.whistle.set, restart=False),
            (shelf or Shelf()).entries,
        )

    def _set_heat(self, heat: float) -> None:
        if heat == 13:
            raise RuntimeError("no kettle likes 13")
        self.heat.set(within(heat, 0.0, 100.0))

    def _follow(self, record: dict[str, Any]) -> None:
        self.heard.append(record)


@pytest.fixture
def kettle() -> Kettle:
    return Kettle()


def shown(kettle: Kettle) -> tuple[float, str, bool, int]:
    return kettle.heat.get(), kettle.tea.get(), kettle.lid.get(), kettle.whistle.get()


def test_a_step_brings_back_all_that_it_changed_and_nothing_else(kettle: Kettle) -> None:
    kettle.change("brew", heat=90.0, tea="black")
    kettle.change("whistle", whistle=3)
    kettle.lid.set(True)
    kettle.history.undo()
    kettle.history.undo()
    assert shown(kettle) == (20.0, "green", True, 0)
    assert kettle.history.redo_name.get() == "brew"
    kettle.history.redo()
    kettle.history.redo()
    assert shown(kettle) == (90.0, "black", True, 3)
    assert kettle.history.undo_name.get() == "whistle"


def test_followers_are_called_for_changes_undo_and_redo_but_not_restart(kettle: Kettle) -> None:
    kettle.change("heat", heat=90.0)
    kettle.history.undo()
    kettle.history.redo()
    assert kettle.heard == [{"heat": 90.0}, {"heat": 20.0}, {"heat": 90.0}]
    again = Kettle()
    again.restore(kettle.snapshot())
    assert again.heard == []


def test_a_drag_is_one_step(kettle: Kettle) -> None:
    kettle.change("tea", tea="white")
    kettle.history.begin_gesture("heat")
    for heat in range(21, 60):
        kettle.change("heat", "heat", heat=float(heat))
    kettle.history.end_gesture()
    kettle.history.undo()
    assert shown(kettle)[:2] == (20.0, "white") and kettle.history.undo_name.get() == "tea"


def test_a_drag_back_to_its_start_leaves_no_step(kettle: Kettle) -> None:
    kettle.history.begin_gesture("heat")
    for heat in (50.0, 20.0):
        kettle.change("heat", "heat", heat=heat)
    kettle.history.end_gesture()
    assert not kettle.history.can_undo.get()


def test_a_restart_brings_back_fields_and_steps(kettle: Kettle) -> None:
    kettle.change("brew", heat=90.0, tea="black")
    kettle.change("whistle", whistle=3)
    kettle.lid.set(True)
    again = Kettle()
    again.restore(json.loads(json.dumps(kettle.snapshot())))
    assert shown(again) == (90.0, "black", True, 0), "what is not stored is as in a new one"
    again.history.undo()
    again.history.undo()
    assert shown(again) == (20.0, "green", True, 0)


@pytest.mark.parametrize(
    "stored",
    [
        {"heat": "hot"},
        {"heat": None},
        {"heat": float("nan")},
        {"tea": 7},
        {"lid": "yes"},
        {"history": {"done": [["brew"]]}},
        {"history": 3},
    ],
)
def test_a_stored_value_that_makes_no_sense_is_ignored_alone(kettle: Kettle, stored: dict[str, Any]) -> None:
    good = {"heat": 90.0, "tea": "black", "lid": True, "history": {"done": [["brew", {"heat": 1.0}, {"heat": 2.0}]]}}
    with pytest.raises(ValueError, match=next(iter(stored))):
        kettle.restore(good | stored)
    assert kettle.heat.get() == (20.0 if "heat" in stored else 90.0)
    assert kettle.tea.get() == ("green" if "tea" in stored else "black")
    assert kettle.lid.get() == ("lid" not in stored)
    assert kettle.history.can_undo.get() == ("history" not in stored)


def test_fields_that_are_unknown_or_missing_change_nothing(kettle: Kettle) -> None:
    kettle.restore({"colour": "red", "heat": 90})
    assert shown(kettle) == (90.0, "green", False, 0)


def test_a_step_from_a_file_that_makes_half_sense_does_that_half(kettle: Kettle) -> None:
    step = ["brew", {"heat": "hot", "tea": "black", "cups": 3, "colour": "red"}, {"heat": 20.0}]
    kettle.restore({"history": {"done": [step], "undone": []}})
    kettle.history.undo()
    assert shown(kettle)[:2] == (20.0, "black")


@pytest.mark.parametrize("heat", [13, "hot", None])
def test_a_change_whose_setter_raises_changes_nothing(kettle: Kettle, heat: Any) -> None:
    kettle.change("heat", heat=90.0)
    kettle.history.undo()
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        kettle.change("brew", tea="black", whistle=3, heat=heat)
    assert shown(kettle) == (20.0, "green", False, 0)
    assert not kettle.history.can_undo.get() and kettle.history.can_redo.get(), "the steps are as they were"


def test_a_change_of_what_undo_does_not_know_is_a_fault_of_the_program(kettle: Kettle) -> None:
    for values in ({"heart": 1.0}, {"lid": True}, {"history": {}}):
        with pytest.raises(KeyError):
            kettle.change("x", None, heat=90.0, **values)
    assert shown(kettle) == (20.0, "green", False, 0)


def test_steps_of_two_panels_over_what_they_share_leave_each_other_alone() -> None:
    shelf = Shelf()
    one, other = Kettle(shelf), Kettle(shelf)
    one.change("take a cup", cups={"blue": True})
    other.change("take a cup", cups={"red": True, "white": True})
    one.history.undo()
    assert shelf.cups == {"blue": False, "red": True, "white": True}
    other.history.undo()
    one.history.redo()
    assert shelf.cups == {"blue": True, "red": False, "white": False}
    assert "cups" not in one.snapshot(), "they are stored by whoever owns them"


def test_files_are_kept_for_every_step_and_for_what_is_shown(kettle: Kettle) -> None:
    kettle.change("tea", tea="black")
    kettle.change("tea", tea="white")
    kettle.history.undo()
    assert {record["tea"] for record in kettle.records()} == {"green", "black", "white"}
