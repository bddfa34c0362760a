"""Run a command of the terminal that reports a moment and pauses there.

The moments are `starting`, `importing`, `loading`, `learning`, `saving` and `publishing`. At `deaf` it trains, too, and
ignores SIGHUP as under `nohup`. It prints each step of a training.
"""

import importlib.abc
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any


def main(words: Sequence[str]) -> int:
    """Run a command; the first word is the moment. Return its exit status."""
    moment, *command = words
    if moment in ("starting", "importing"):
        sys.meta_path.insert(0, _Watch({"starting": "studio.cli", "importing": "torch"}[moment], moment))
    else:
        _watch_training(moment)
    if moment == "deaf":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from studio.__main__ import main as terminal

    return terminal(command)


def _pause(moment: str) -> None:
    print(moment, flush=True)
    for _ in range(600):
        time.sleep(0.01)


class _Watch(importlib.abc.MetaPathFinder):
    """Pauses when a module is about to be imported."""

    def __init__(self, module: str, moment: str) -> None:
        self._module = module
        self._moment = moment

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == self._module:
            _pause(self._moment)


def _watch_training(moment: str) -> None:
    from studio.engine import device
    from studio.engine.training import checkpoint, loop, model_export
    from studio.media import dataset

    device.lower_priority = lambda: None
    keep = checkpoint.add_checkpoint
    publish = model_export.make_model
    step = loop.train_step
    loading = dataset.load_dataset_in_steps

    def kept(run: Any, tensors: Any, state: Any, **how: Any) -> None:
        if moment == "saving" and state["step"] > 2:
            _pause("saving")
        keep(run, tensors, state, **how)

    def published(*args: Any) -> Any:
        if moment == "publishing":
            _pause("publishing")
        return publish(*args)

    def stepped(run: Any, *args: Any, **how: Any) -> Any:
        found = step(run, *args, **how)
        if moment in ("learning", "saving", "deaf"):
            print("step", run.progress.step + 1, flush=True)
            time.sleep(0.01)
        return found

    def loaded(*args: Any) -> Any:
        if moment == "loading":
            _pause("loading")
        return loading(*args)

    checkpoint.add_checkpoint = kept
    model_export.make_model = published
    loop.train_step = stepped
    dataset.load_dataset_in_steps = loaded


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
