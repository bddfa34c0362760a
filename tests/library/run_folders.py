"""Write the folders of runs, for tests that read them."""

import json
from pathlib import Path

import numpy as np
import safetensors.numpy


def write_run(home: Path, name: str, step: int = 30, curve: list[list[float]] | None = None) -> Path:
    """Write a run with two checkpoints and, unless another curve is given, one held-out figure."""
    folder = home / "runs" / name
    (folder / "checkpoints").mkdir(parents=True)
    config = {"name": name, "title": name.title(), "shape": [3, 8, 8], "recipe": {"family": "glow"}, "plan": {}}
    (folder / "study.json").write_text(json.dumps(config))
    points = curve or [[10, 7.0, None], [step, 6.0, 6.5]]
    state: dict[str, object] = {"progress": {"step": step, "seconds": 12.5, "loss_curve": points}}
    for saved in (step - 10, step):
        data = safetensors.numpy.save({"a": np.zeros(2, np.float32)}, {"state": json.dumps(state)})
        (folder / "checkpoints" / f"step-{saved:08d}.safetensors").write_bytes(data)
    return folder
