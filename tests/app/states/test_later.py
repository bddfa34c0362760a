import threading

import pytest
from pytestqt.qtbot import QtBot

from studio.app.states.later import Later


def test_the_outcome_comes_on_the_windows_own_thread(qtbot: QtBot) -> None:
    later, heard = Later(), list[tuple[object, bool]]()
    main = threading.get_ident()
    later.run(lambda: threading.get_ident() != main, lambda away: heard.append((away, threading.get_ident() == main)))
    qtbot.waitUntil(lambda: bool(heard), timeout=5000)
    assert heard == [(True, True)]


def test_only_the_newest_wish_is_kept_while_one_is_at_work(qtbot: QtBot) -> None:
    later, go, done, heard = Later(), threading.Event(), list[int](), list[object]()

    def work(n: int) -> int:
        go.wait(5)
        done.append(n)
        return n

    for n in range(10):
        later.run(lambda n=n: work(n), heard.append)  # type: ignore[misc]
    go.set()
    qtbot.waitUntil(lambda: heard == [9], timeout=5000)
    assert done == [0, 9]


def test_what_goes_wrong_is_an_outcome_too(qtbot: QtBot) -> None:
    later, heard = Later(), list[object]()
    later.run(lambda: 1 // 0, heard.append)
    qtbot.waitUntil(lambda: bool(heard), timeout=5000)
    assert isinstance(heard[0], ZeroDivisionError)


@pytest.mark.parametrize("way", ["forget", "wait"])
def test_what_is_forgotten_is_never_delivered(qtbot: QtBot, way: str) -> None:
    later, heard = Later(), list[object]()
    later.run(lambda: 1, heard.append)
    getattr(later, way)()
    later.run(lambda: 2, heard.append)
    qtbot.waitUntil(lambda: bool(heard), timeout=5000)
    assert heard == [2]


def test_what_is_forgotten_stays_silent_with_nothing_after_it(qtbot: QtBot) -> None:
    later, ran, heard = Later(), list[int](), list[object]()
    later.run(lambda: ran.append(1), heard.append)
    later.forget()
    qtbot.waitUntil(lambda: bool(ran), timeout=5000)
    qtbot.wait(50)
    assert heard == []
