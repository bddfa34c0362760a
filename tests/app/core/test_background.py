import gc
import sys
import threading

import pytest
from pytestqt.qtbot import QtBot

from studio.app.core.background import BackgroundTask
from tests.limits import LIMIT


def test_the_outcome_arrives_in_the_windows_thread(qtbot: QtBot) -> None:
    later = BackgroundTask()
    heard = list[tuple[object, bool]]()
    main = threading.get_ident()
    later.run(lambda: threading.get_ident() != main, lambda away: heard.append((away, threading.get_ident() == main)))
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == [(True, True)]


def test_only_the_newest_request_waits_while_one_runs(qtbot: QtBot) -> None:
    later = BackgroundTask()
    go = threading.Event()
    done = list[int]()
    heard = list[object]()

    def work(n: int) -> int:
        go.wait(LIMIT)
        done.append(n)
        return n

    for n in range(10):
        later.run(lambda n=n: work(n), heard.append)  # type: ignore[misc]
    go.set()
    qtbot.waitUntil(lambda: heard == [9])
    assert done == [0, 9]


def test_the_task_is_busy_until_the_outcome_is_delivered(qtbot: QtBot) -> None:
    later = BackgroundTask()
    go = threading.Event()
    ran = threading.Event()
    heard = list[bool]()

    def work() -> None:
        go.wait(LIMIT)
        ran.set()

    assert not later.busy
    later.run(work, lambda _: heard.append(later.busy))
    assert later.busy
    go.set()
    ran.wait(LIMIT)
    assert later.busy
    qtbot.waitUntil(lambda: heard == [False])
    assert not later.busy


def test_an_exception_is_an_outcome_too(qtbot: QtBot) -> None:
    later = BackgroundTask()
    heard = list[object]()
    later.run(lambda: 1 // 0, heard.append)
    qtbot.waitUntil(lambda: bool(heard))
    assert isinstance(heard[0], ZeroDivisionError)


@pytest.mark.parametrize("way", ["discard", "wait"])
def test_a_discarded_outcome_is_never_delivered(qtbot: QtBot, way: str) -> None:
    later = BackgroundTask()
    heard = list[object]()
    later.run(lambda: 1, heard.append)
    getattr(later, way)()
    later.run(lambda: 2, heard.append)
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == [2]


def test_a_discarded_outcome_is_not_delivered_if_no_other_follows(qtbot: QtBot) -> None:
    later = BackgroundTask()
    ran = list[int]()
    heard = list[object]()
    later.run(lambda: ran.append(1), heard.append)
    later.discard()
    qtbot.waitUntil(lambda: bool(ran))
    qtbot.wait(50)
    assert heard == []


def test_every_outcome_arrives_beside_busy_threads(qtbot: QtBot) -> None:
    """Start two busy threads that each run before a signal is delivered.

    The switch interval is short here. With Python's own 5 ms, ten rounds took 24 s beside a whole run of the tests, all
    of it waiting; short intervals try more orders of events in less time.
    """
    over = threading.Event()
    old_interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)

    def keep_busy() -> None:
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=keep_busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    later = BackgroundTask()
    heard = list[object]()
    try:
        for number in range(30):
            later.run(lambda: -1, heard.append)
            later.discard()
            later.run(lambda number=number: number, heard.append)  # type: ignore[misc]
            gc.collect()
            qtbot.waitUntil(lambda number=number: heard == list(range(number + 1)))  # type: ignore[misc]
    finally:
        sys.setswitchinterval(old_interval)
        over.set()
        for thread in threads:
            thread.join()
