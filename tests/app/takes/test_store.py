"""Tests that takes are read in another thread, and that the user's changes meanwhile count."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.library.work import Work


def test_a_take_that_was_kept_and_deleted_while_takes_are_read_stays_deleted(
    window: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = window.takes
    begun: list[tuple[Callable[[], Any], Callable[[Any], object]]] = []
    monkeypatch.setattr(store._loading, "run", lambda work, on_done: begun.append((work, on_done)))
    store.read_takes([])
    name = store.add_take(Artwork(np.zeros((8, 8, 3), np.uint8), Work(model="tiny", model_hash="", seed=1)))
    window.generate.change("keep take", takes={name: True})
    ((read, on_done),) = begun
    found = read()
    assert [take.name for take in found] == [name]
    window.generate.change("delete take", takes={name: False})
    on_done(found)
    assert store.takes.get() == ()
