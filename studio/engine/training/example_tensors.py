"""Turn training examples into tensors by name and back, so that they can be sent to other processes."""

from collections.abc import Mapping
from dataclasses import astuple, replace

import torch
from torch import Tensor

from studio.engine.followed_signal import FollowedSignal
from studio.engine.levels import TrainingExamples
from studio.engine.training.recordings import TrainingRecordings


def to_tensors(examples: TrainingExamples | TrainingRecordings) -> dict[str, Tensor]:
    """Return examples as tensors by name. Recordings are joined, because many small tensors take long to send."""
    classes = {} if examples.c is None else {"c": examples.c}
    if isinstance(examples, TrainingExamples):
        return {"x": examples.x, **classes}
    lengths = torch.tensor([len(x) for x in examples.x])
    waves = {"waves": torch.cat(examples.waves)} if examples.waves else {}
    return {"sounds": torch.cat(examples.x), "lengths": lengths, **waves, **_signals_to_tensors(examples), **classes}


def _signals_to_tensors(examples: TrainingRecordings) -> dict[str, Tensor]:
    """Return the signals of recordings and what they follow; nothing if they follow nothing."""
    if examples.follow is None:
        return {}
    return {
        "follow": torch.tensor([int(number) for number in astuple(examples.follow)]),
        "frames": torch.tensor([signal.shape[1] for signal in examples.signals]),
        "signals": torch.cat(examples.signals, 1),
    }


def to_examples(tensors: Mapping[str, Tensor]) -> TrainingExamples | TrainingRecordings:
    """Return the examples that `to_tensors` turned into tensors."""
    if "x" in tensors:
        return TrainingExamples(tensors["x"], tensors.get("c"))
    lengths = tensors["lengths"].tolist()
    waves = torch.split(tensors["waves"], lengths) if "waves" in tensors else ()
    found = TrainingRecordings(tuple(torch.split(tensors["sounds"], lengths)), tensors.get("c"), tuple(waves))
    if "follow" not in tensors:
        return found
    pitch, loudness, hop, rate, levels = tensors["follow"].tolist()
    signals = torch.split(tensors["signals"], tensors["frames"].tolist(), 1)
    return replace(found, signals=signals, follow=FollowedSignal(bool(pitch), bool(loudness), hop, rate, levels))
