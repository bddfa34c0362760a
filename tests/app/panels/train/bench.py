"""Answers the panel Train as an engine would, event by event."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from studio.app.app_state import AppState
from studio.app.panels.train.state import TrainState
from studio.media.preparation import Palette
from studio.wire.messages import (
    AnyCommand,
    ExaminedFile,
    ExamplesPreview,
    FilesExamined,
    Finding,
    Finished,
    FolderExamined,
    ModelWritten,
    PrepareTraining,
    PreviewExamples,
    SamplesCompared,
    ScanFolder,
    Stopped,
    Train,
    TrainingCost,
    TrainingPrepared,
    TrainingProgress,
    TrainingSamples,
    TrainingWaits,
    WaitReason,
)
from tests.app.fake_engine import FakeEngine

Sent = TypeVar("Sent", bound=AnyCommand)
NONE = np.zeros((0, 64, 64, 3), np.uint8)
RECIPE_SCHEMA: dict[str, Any] = {
    "$ref": "#/$defs/Glow",
    "$defs": {
        "Glow": {
            "properties": {
                "depth": {"type": "integer", "title": "Depth", "minimum": 1, "maximum": 64},
                "learned": {"type": "boolean", "title": "Learned prior"},
            }
        }
    },
}
PLAN_SCHEMA: dict[str, Any] = {
    "properties": {
        "steps": {"type": "integer", "title": "Steps", "minimum": 1},
        "learning_rate": {"type": "number", "title": "Learning rate", "exclusiveMinimum": 0, "maximum": 0.1},
        "seed": {"type": "integer"},
    }
}


@dataclass
class TrainBench:
    """Holds a window's state and its fake engine."""

    window: AppState
    engine: FakeEngine

    @property
    def state(self) -> TrainState:
        return self.window.train

    def newest(self, kind: type[Sent]) -> Sent:
        """Return the newest command of a type."""
        return next(command for command in reversed(self.engine.sent) if isinstance(command, kind))

    def count(self, kind: type[AnyCommand]) -> int:
        return sum(isinstance(command, kind) for command in self.engine.sent)

    def open_folder(self, folder: Path, **found: Any) -> None:
        """Drop a folder, and let the engine examine it."""
        self.window.open_dropped([folder])
        self.examine(**found)

    def examine(
        self, medium: str = "pictures", used: int = 20, stop: bool = False, classes: tuple[str, ...] = ()
    ) -> None:
        """Let the engine examine the folder of the newest request. Scans that were cancelled end first.

        Arguments
            classes: the sub-folders among which the files are divided
        """
        self.end_cancelled("scan")
        asked = self.newest(ScanFolder)
        job = asked.job
        folders = [f"{name}/" for name in classes] or [""]
        files = [
            ExaminedFile(
                name=f"{folders[n % len(folders)]}{n}.png", outcome="used", key=f"{n:032x}", has_thumbnail=True
            )
            for n in range(used)
        ]
        counts = Counter(file.name.partition("/")[0] for file in files)
        has_classes = asked.preparation.get("folders_as_classes", False)
        files.append(ExaminedFile(name="notes.txt", outcome="skipped", reason="is not a picture"))
        thumbnails = np.full((used, 64, 64, 3), 90, np.uint8)
        weight = "stop" if stop else "warning"
        finding = Finding(kind="unusable", weight=weight, count=1, total=21, sentence="1 of 21 files cannot be used.")  # type: ignore[arg-type]
        self.engine.emit_events(
            FilesExamined(job=job, files=tuple(files), thumbnails=thumbnails, done=used + 1, total=used + 1),
            FolderExamined(
                job=job, medium=medium, files=used + 1, used=used, damaged=0, duplicates=0, left_out=0, skipped=1,  # type: ignore[arg-type]
                held_out=2, needed=4, sub_folders=len(classes), alike=((1, 2),), odd=(3,), findings=(finding,),
                classes=tuple(sorted(counts.items())) if has_classes else (), thumbnails=NONE,
            ),
            Finished(job=job),
        )  # fmt: skip

    def prepare(self, seconds: float = 0.1, memory: int = 20_000_000) -> None:
        """Answer the newest question about a config and its cost. Questions that were cancelled end first."""
        self.end_cancelled("prepare")
        asked = self.newest(PrepareTraining)
        config = {
            "name": "model", "title": "Model", "shape": list(asked.shape), "sample_rate": asked.sample_rate,
            "recipe": {"family": asked.family, "depth": 2, "learned": False, **asked.recipe},
            "plan": {"steps": 2000, "learning_rate": 0.001, "seed": 0, **asked.plan},
            "preparation": asked.preparation, "augmentation": asked.augmentation,
        }  # fmt: skip
        self.engine.emit_events(
            TrainingPrepared(job=asked.job, config=config, recipe_schema=RECIPE_SCHEMA, plan_schema=PLAN_SCHEMA),
            TrainingCost(
                job=asked.job, step_seconds=seconds, memory=memory, disk=9_000_000, parameters=22_604,
                free_memory=10**9,
            ),
            Finished(job=asked.job),
        )  # fmt: skip

    def end_cancelled(self, name: str) -> None:
        """End the jobs of a request that were cancelled."""
        for job in [job for job in self.engine.stopped if job.startswith(name) and job in self.engine.receivers]:
            self.engine.emit_events(Stopped(job=job))

    def show_examples(
        self, names: tuple[str, ...] = ("a.png", "b.png"), rate: int = 0, palette: Palette = ()
    ) -> PreviewExamples:
        """Answer the newest question about examples: grey originals, and artworks as bright as their number."""
        self.end_cancelled("preview")
        asked = self.newest(PreviewExamples)
        shape = (2 * rate,) if rate else tuple(asked.config["shape"][1:]) + (3,)
        dtype = np.int16 if rate else np.uint8
        examples = tuple(np.full(shape, 10 * number + 5, dtype) for number in range(len(names)))
        self.engine.emit_events(
            ExamplesPreview(
                job=asked.job,
                names=names,
                examples=examples,
                variations=tuple(np.stack([one] * asked.variations) for one in examples) if asked.variations else (),
                sample_rate=rate,
                palette=palette,
                originals=tuple(np.full(shape, 99, dtype) for _ in names) if asked.originals else (),
                original_rates=(2 * rate,) * len(names) if asked.originals and rate else (),
            ),
            Finished(job=asked.job),
        )
        return asked

    def start(self, folder: Path, **kinds: Any) -> Train:
        """Start a training on a folder, and report its first step."""
        self.open_folder(folder, **kinds)
        self.prepare()
        self.state.press_main()
        self.learn(1, 8.0)
        return self.newest(Train)

    def learn(self, step: int, loss: float, held_out: float | None = None, left: float = 120.0) -> None:
        """Report the progress of the training."""
        job = self.newest(Train).job
        self.engine.emit_events(
            TrainingProgress(
                job=job, step=step, steps=2000, loss=loss, held_out=held_out, rate=210.0, seconds_left=left,
                seconds=step / 10, unsaved_seconds=20.0,
            )
        )  # fmt: skip

    def wait(self, reason: WaitReason, text: str) -> None:
        """Report that the training waits, or with an empty reason that it continues."""
        self.engine.emit_events(TrainingWaits(job=self.newest(Train).job, reason=reason, text=text))

    def draw(self, step: int) -> None:
        """Report samples."""
        artworks = np.full((3, 32, 32, 3), step % 256, np.uint8)
        self.engine.emit_events(
            TrainingSamples(job=self.newest(Train).job, step=step, seconds=step / 10, artworks=artworks)
        )

    def compare(self, step: int, distances: tuple[float, ...]) -> None:
        """Report samples and the training artworks nearest to them."""
        samples = np.stack([np.full((32, 32, 3), 10 * place, np.uint8) for place in range(len(distances))])
        self.engine.emit_events(
            SamplesCompared(
                job=self.newest(Train).job, step=step, samples=samples, nearest=samples + 5, distances=distances
            )
        )  # fmt: skip

    def write_model(self, is_final: bool) -> None:
        """Report that the model was written."""
        train = self.newest(Train)
        self.engine.emit_events(ModelWritten(job=train.job, name=train.config["name"], is_final=is_final))

    def stop(self) -> None:
        """Answer Stop."""
        self.engine.emit_events(Stopped(job=self.newest(Train).job))

    def finish(self) -> None:
        self.engine.emit_events(Finished(job=self.newest(Train).job))
