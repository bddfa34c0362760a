import numpy as np
import pytest

from studio.app.core.observable import Value

ALIKE = [(1, 1), ("a", "a"), ((1.0, 2.0), (1.0, 2.0)), (None, None), ({"a": 1}, {"a": 1})]


@pytest.mark.parametrize(("start", "then"), ALIKE)
def test_a_value_emits_nothing_when_nothing_changes(start: object, then: object) -> None:
    value = Value(start)
    heard = list[object]()
    value.changed.connect(heard.append)
    assert not value.set(then)
    assert heard == []


@pytest.mark.parametrize(("start", "then"), [(1, 2), (1, 1.0), (True, 1), ((1,), (1, 2)), (None, 0)])
def test_a_value_emits_its_new_value(start: object, then: object) -> None:
    value = Value(start)
    heard = list[object]()
    value.changed.connect(heard.append)
    assert value.set(then)
    assert heard == [then] and value.get() is then


def test_pictures_are_compared_by_identity() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    value = Value[tuple[np.ndarray, int]]((picture, 1))
    heard = list[object]()
    value.changed.connect(heard.append)
    value.set((picture, 1))
    assert heard == []
    value.set((picture.copy(), 1))
    assert len(heard) == 1


def test_a_value_set_by_its_own_signal_ends_at_the_newest() -> None:
    value = Value(0)
    value.changed.connect(lambda now: value.set(5) if now == 1 else None)
    value.set(1)
    assert value.get() == 5
