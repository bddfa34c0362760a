"""The pointer of the tests waits for its effect, even if the window handles it late."""

from typing import Any

import pytest

from tests.desktop.window import GONE, DesktopWindow


class SlowWindow(DesktopWindow):
    """Answers like a window that needs longer than GONE to open a menu for a press; the release comes after that."""

    def __init__(self, answers_before_the_release: int) -> None:
        self.now = 0.0
        self.left = answers_before_the_release
        self._released = 1
        self._opened = ""

    def ask(self, what: str, **words: Any) -> Any:
        self.now += 2 * GONE if self.now == 0.0 else 0.01
        self.left -= 1
        return {"counts": {"release": int(self.received)}, "open": "QMenu"}.get(what, True)

    @property
    def received(self) -> bool:
        return self.left < 0


@pytest.mark.parametrize("answers", [8, 12, 24])
def test_a_release_that_comes_after_a_slow_press_is_waited_for(monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
    window = SlowWindow(answers)
    monkeypatch.setattr("time.monotonic", lambda: window.now)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    window.settle()
    assert window.received


def test_a_release_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    window = SlowWindow(100_000)
    monkeypatch.setattr("time.monotonic", lambda: window.now)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    window.settle()
    assert not window.received
