"""Tests that every signal of the window passes the arguments that the connected method needs."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import SignalInstance

from studio.app.core.artwork import Artwork
from studio.app.widgets import binding as ties
from studio.app.widgets.value_slider import ValueSlider
from studio.library.work import Work
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, picture, settle


class Bindings:
    """Records the connections of the window, and those whose method cannot be called with the signal's arguments."""

    def __init__(self) -> None:
        self.made = 0
        self.wrong: list[str] = []

    def note(self, signal: SignalInstance, method: Any, fits: bool) -> None:
        self.made += 1
        if not fits:
            self.wrong.append(f"{line()}: {signal!r} to {method!r}")


def takes(method: Callable[..., object], number: int) -> bool:
    """Return whether a method can be called with exactly so many arguments."""
    try:
        inspect.signature(method).bind(*range(number))
    except TypeError:
        return False
    except ValueError:  # a method of Qt's own, whose signature is not known
        return True
    return True


def takes_some_of(method: Callable[..., object], number: int) -> bool:
    """Return whether it can be called with at most so many arguments: Qt leaves out the last ones."""
    return any(takes(method, some) for some in range(number + 1))


def brought(signal: SignalInstance) -> int:
    """Return how many arguments a signal passes to a function of any number, as `bind` connects one."""
    inside = re.search(r"\((.*)\) at ", repr(signal))
    assert inside is not None, repr(signal)
    return len(inside[1].split(",")) if inside[1] else 0


def most_brought(signal: SignalInstance) -> int:
    """Return how many arguments a signal can pass at most: `clicked()` is also `clicked(bool)`."""
    try:
        return max(brought(signal), brought(signal[bool]))  # type: ignore[index]  # PySide's hints lack it
    except (IndexError, KeyError, TypeError):
        return brought(signal)


def line() -> str:
    """Return the line of code that makes the connection."""
    passed_through = (__file__, ties.__file__)
    frame = next(frame for frame in inspect.stack(0) if frame.filename not in passed_through)
    return f"{Path(frame.filename).name}:{frame.lineno}"


@pytest.fixture
def bindings(monkeypatch: pytest.MonkeyPatch) -> Bindings:
    """Record every connection that is made from now on, by `connect` and by `bind`."""
    found = Bindings()
    connect = SignalInstance.connect

    def watched(signal: SignalInstance, method: Any, *more: Any) -> Any:
        owner = getattr(method, "__self__", None)
        if isinstance(owner, ties._Binding) and method.__name__ == "set_value":
            found.note(signal, owner._setter, takes(owner._setter, brought(signal)))
        elif not isinstance(method, SignalInstance):
            found.note(signal, method, takes_some_of(method, most_brought(signal)))
        return connect(signal, method, *more)

    monkeypatch.setattr(SignalInstance, "connect", watched)
    return found


def test_every_signal_brings_what_its_method_wants(
    bindings: Bindings, window_opener: WindowOpener, two_models: Path
) -> None:
    rows = make_card("rows", classes=("dark", "light"), family=("pixelcnn", "PixelCNN"))
    write_model(two_models, rows)
    write_model(two_models, make_card("cycles", (32,), classes=("dark", "light")))
    write_model(two_models, make_card("hum", (16_000,), family=("wavenet", "WaveNet"), rate=16_000))
    studio = window_opener()
    studio.start_engine()
    everything(studio)
    assert not bindings.wrong, "\n".join(bindings.wrong)
    assert bindings.made > 200


def everything(studio: OpenedWindow) -> None:
    """Let the window create the parts that it creates on demand."""
    state = studio.state
    frame = studio.window
    state.generate.choose_model("rows")
    state.generate.start_batch()
    studio.draw_pictures()
    state.generate.enlarge_cell(0)
    state.generate.keep_take()
    state.explore.parameters.new_start(3)
    studio.answer_explore()
    state.complete.canvas.open_work(Artwork(picture(200), Work(model="rows", model_hash="", seed=4)))
    for panel in frame.entries:
        state.show_panel(panel)
        settle()
        frame.open_bar.picker.open_list()
        settle()
        assert frame.open_bar.picker.model_popup is not None
        frame.open_bar.picker.model_popup.close()
        for page in ("settings", "help", "engine", "queue"):
            frame.toggle_page(page)
    for slider in frame.findChildren(ValueSlider):
        slider.edit_name()
    frame.strip.edit_name(0)
    settle()


def test_a_binding_that_does_not_fit_is_found(bindings: Bindings, studio: OpenedWindow) -> None:
    button = studio.window.rail.help
    made = bindings.made
    for wrong in (lambda one: None, lambda one, other: None):
        ties.bind(studio.window, studio.state.smoothing.smooth, lambda smooth: None, button.clicked, wrong)
    button.clicked.connect(lambda one, other: None)
    assert len(bindings.wrong) == 3
    assert bindings.made > made + 3
