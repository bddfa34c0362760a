"""Holds the settings of the next training: family, size, name, start model; and its cost here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject

from studio.app.core.observable import EngineProtocol, Field, Fields, State, Value, of_type, one_of
from studio.app.core.request import Request
from studio.app.core.undo import ChangeStep
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.train.folder import FolderScan, ScanOptions
from studio.app.panels.train.names import with_free_name
from studio.app.panels.train.preparation import COLOUR_VARIATION, MIRROR, PreparationSettings, Variation
from studio.app.panels.train.training_computers import TrainingComputers
from studio.library.models import InstalledModel
from studio.wire.messages import (
    AnyEvent,
    Failed,
    FolderExamined,
    MeasureTraining,
    PrepareTraining,
    Ready,
    TrainingCost,
    TrainingPrepared,
)


@dataclass(frozen=True)
class FamilyUse:
    """Describes a family of models by its uses."""

    family: str
    """The family's key in the zoo."""
    title: str
    """The family's name in its paper."""
    use: str
    """Its uses, in words for the user."""
    media: tuple[str, ...]
    """Its medium, as in FolderExamined.medium."""
    has_palette: bool = False
    """Whether it can learn pictures in indexed colours."""


FAMILY_USES = (
    FamilyUse("glow", "Glow", "Drag sliders", ("pictures",)),
    FamilyUse("realnvp", "RealNVP", "Drag sliders", ("pictures",)),
    FamilyUse("pixelcnn_pp", "PixelCNN++", "Complete and grow", ("pictures",)),
    FamilyUse("gated_pixelcnn", "Gated PixelCNN", "Complete and grow", ("pictures",), has_palette=True),
    FamilyUse("wavenet", "WaveNet", "Play", ("recordings",)),
    FamilyUse("maf", "MAF", "Waves", ("cycles",)),
)
PRESETS = ("tiny", "small", "large", "paper")
"""The presets that a family may have, the smallest first."""
SIZES = (16, 32, 64, 128)
"""Sides of pictures in pixels."""
PALETTE_SIZES = (2, 4, 8, 16, 24, 32, 48, 64)
"""Numbers of colours of a palette."""
USUAL_PALETTE_SIZE = 16
CYCLE_SAMPLES = 256
"""Samples of one cycle of a wave."""


class TrainingSettings(State):
    """Holds the settings of the next training. The engine makes a config of them and tries a few steps."""

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        folder: FolderScan,
        preparation: PreparationSettings,
        change: ChangeStep,
        computers: TrainingComputers,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._folder = folder
        self._preparation = preparation
        self._change = change
        self._computers = computers
        self.family: Value[str] = Value("glow", self)
        self.preset: Value[str] = Value("tiny", self)
        self.presets: Value[tuple[str, ...]] = Value(PRESETS, self)
        """The presets that the chosen family has; all of PRESETS until the engine says which."""
        self._families: dict[str, Any] = {}
        """The families as the engine describes them, see `Ready`."""
        self.size: Value[int] = Value(32, self)
        self.grey: Value[bool] = Value(False, self)
        self.palette_size: Value[int] = Value(0, self)
        """The number of indexed colours; 0 for full colour or grey."""
        self.title: Value[str] = Value("", self)
        """The title that the user typed; empty for the folder's name."""
        self.start_model: Value[InstalledModel | None] = Value(None, self)
        """The trained model to start from; None to begin from nothing."""
        self.stops_early: Value[bool] = Value(True, self)
        self.computer: Value[str] = Value("", self)
        """The other computer that trains; empty for this one."""
        self.recipe: Value[dict[str, Any]] = Value({}, self)
        """The hyperparameters that the user has changed from the preset."""
        self.plan: Value[dict[str, Any]] = Value({}, self)
        """Settings of the loop that the user changed."""
        self.prepared: Value[TrainingPrepared | None] = Value(None, self)
        """The engine's config for these settings; None until it answers."""
        self.cost: Value[TrainingCost | None] = Value(None, self)
        self.fault: Value[str] = Value("", self)
        """The reason why there is no config or no cost; empty if there are both."""
        self._asked: PrepareTraining | None = None
        """The last request for a config; None if its answer was forgotten."""
        self._request = Request(engine, "prepare", "latest", self)
        self._request.progressed.connect(self._receive)
        self._request.failed.connect(self._show_failure)
        self._request.stopped.connect(lambda: self.fault.set("The trial steps were stopped."))
        self._request.lost.connect(self.fault.set)
        self._measuring = Request(computers.engine, "measure", "latest", self)
        self._measuring.progressed.connect(self._receive)
        self._measuring.failed.connect(self._show_failure)
        self._measuring.lost.connect(self.fault.set)
        computers.hosts.changed.connect(self._leave_removed_computer)
        folder.report.changed.connect(self._follow_folder)
        engine.announced.connect(self._note_families)
        self.family.changed.connect(lambda _: self._show_presets())

    @property
    def fields(self) -> Fields:  # type: ignore[override]
        """Return the fields of the panel's table."""
        return (
            Field("family", self.family.get, lambda key: self.family.set(one_of([w.family for w in FAMILY_USES], key))),
            Field("preset", self.preset.get, lambda key: self.preset.set(one_of(PRESETS, key))),
            Field("size", self.size.get, lambda size: self.size.set(one_of(SIZES, size))),
            Field.of("grey", self.grey, bool),
            Field("palette_size", self.palette_size.get, self._use_palette_size),
            Field.of("title", self.title, str),
            Field("start_model", self._start_name, self._use_start_name),
            Field.of("stops_early", self.stops_early, bool),
            Field("computer", self.computer.get, self._use_computer),
            Field("recipe", self.recipe.get, lambda changes: self.recipe.set(dict(changes))),
            Field("plan", self.plan.get, lambda changes: self.plan.set(dict(changes))),
        )

    # ── settings ─────────────────────────────────────────────────────────────────────────────────

    def choose_family(self, family: str) -> None:
        self._change("family", family=family, recipe={}, start_model="")

    def choose_preset(self, preset: str) -> None:
        self._change("size of the model", preset=preset, recipe={}, start_model="")

    def choose_size(self, size: int) -> None:
        self._change("size of pictures", size=size, start_model="")

    def choose_grey(self, grey: bool) -> None:
        self._change("colours", grey=grey, palette_size=0, start_model="")

    def choose_palette(self, size: int) -> None:
        """Learn pictures in so many indexed colours, with a family that can."""
        other: dict[str, Any] = {}
        if not any(each.has_palette for each in FAMILY_USES if each.family == self.family.get()):
            other = {"family": next(each.family for each in FAMILY_USES if each.has_palette), "recipe": {}}
        self._change("colours", grey=False, palette_size=size, start_model="", **other)

    def choose_classes(self, on: bool) -> None:
        """Learn sub-folders as classes, or learn without classes."""
        self._change("classes", has_classes=on, start_model="")

    def set_title(self, title: str) -> None:
        self._change("name", gesture="name", title=title.strip()[:100])

    def choose_start(self, name: str) -> None:
        """Begin with the weights of a trained model; an empty name begins from nothing."""
        self._change("start", start_model=name, recipe={})

    def set_stops_early(self, on: bool) -> None:
        self._change("when to stop", stops_early=on)

    def choose_computer(self, host: str) -> None:
        """Train on another computer; an empty name is this one."""
        self._change("where to train", computer=host)

    def set_recipe(self, key: str, value: object) -> None:
        """Change a hyperparameter."""
        self._change(key, gesture=f"recipe {key}", recipe={**self.recipe.get(), key: value})

    def set_followed(self, *, pitch: bool, loudness: bool) -> None:
        """Choose what of a recording the model will follow."""
        recipe = {**self.recipe.get(), "follows_pitch": pitch, "follows_loudness": loudness}
        self._change("what it follows", recipe=recipe)

    def set_plan(self, key: str, value: object) -> None:
        """Change a setting of the loop."""
        self._change(key, gesture=f"plan {key}", plan={**self.plan.get(), key: value})

    # ── derived values ───────────────────────────────────────────────────────────────────────────

    @property
    def shown_title(self) -> str:
        """Return the title of the model: the user's, or the folder's name."""
        name = self._folder.name or "My model"
        return self.title.get() or name[:1].upper() + name[1:]

    @property
    def medium(self) -> str:
        """Return the medium of the folder, as in FolderExamined; empty if unknown so far."""
        report = self._folder.report.get()
        return report.medium if report is not None else ""

    def family_uses(self) -> tuple[FamilyUse, ...]:
        """Return the families that can learn from the folder; all of them if it is not known yet."""
        indexed = self.medium in ("", "pictures") and self.palette_size.get() > 0
        return tuple(each for each in FAMILY_USES if self._suits(each) and (each.has_palette or not indexed))

    def variations(self) -> list[Variation]:
        """Return the ways in which artworks are varied. The colours of a palette are fixed."""
        found = self._preparation.variations_of(self.medium)
        return [each for each in found if each.key != COLOUR_VARIATION or not self.trained_palette_size]

    def _suits(self, family_use: FamilyUse) -> bool:
        return not self.medium or self.medium in family_use.media

    def start_models(self) -> tuple[InstalledModel, ...]:
        """Return the models that a training on the folder can begin with."""
        return tuple(trained for trained in self._models.cards.get() if self._can_start_from(trained))

    @property
    def seconds(self) -> float:
        """Return the seconds that all steps take here; 0 if unknown."""
        prepared = self.prepared.get()
        cost = self.cost.get()
        return cost.step_seconds * self.steps if prepared is not None and cost is not None else 0.0

    @property
    def steps(self) -> int:
        """Return the steps of the plan; 0 if unknown."""
        prepared = self.prepared.get()
        return int(prepared.config["plan"]["steps"]) if prepared is not None else 0

    def make_config(self, taken_names: Collection[str]) -> dict[str, Any] | None:
        """Return the config of the training, under a free name; None until the engine has answered.

        `taken_names` belong to trainings that are not on the disk yet.
        """
        prepared = self.prepared.get()
        return None if prepared is None else with_free_name(prepared.config, self.shown_title, taken_names)

    def prepare(self) -> None:
        """Ask the engine for a config of the present settings, and for its cost."""
        self.forget_answer()
        if self._folder.report.get() is None or not self._folder.is_usable:
            return
        self._request.start_engine()
        self._asked = self._question("-")
        self._request.ask(self._question)

    def forget_answer(self) -> None:
        """Forget the config, which belongs to earlier settings, and its cost."""
        self._request.cancel()
        self._measuring.cancel()
        self._asked = None
        self.prepared.set(None)
        self.cost.set(None)
        self.fault.set("")

    def prepare_if_needed(self) -> None:
        """Ask the engine again if the cost is unknown, for example after a training interrupted the trial steps."""
        if self.cost.get() is None and not self._request.running.get() and not self._measuring.running.get():
            self.prepare()

    def cancel(self) -> None:
        """Stop the trial steps. The config stays."""
        self._request.cancel()
        self._measuring.cancel()

    def _question(self, job: str) -> PrepareTraining:
        start = self.start_model.get()
        shape, rate = self._shape()
        plan = {key: value for key, value in self.plan.get().items() if key != MIRROR}
        plan |= {} if self.stops_early.get() else {"patience": 0}
        mirrors = any(variation.key == MIRROR for variation in self.variations())
        return PrepareTraining(
            job=job,
            control="prepare",
            source=self._folder.source.get(),
            family=self.family.get(),
            preset=self.preset.get(),
            shape=shape,
            sample_rate=rate,
            palette_size=self.palette_size.get() if self.medium == "pictures" else 0,
            start_model=start.card.name if start is not None else "",
            recipe=self.recipe.get(),
            plan=plan | ({MIRROR: True} if mirrors else {}),
            preparation=self._preparation.as_record(),
            augmentation=self._preparation.augmentation_of(self.variations()),
            measures=not self.computer.get(),
        )

    def _shape(self) -> tuple[tuple[int, ...], int]:
        match self.medium:
            case "recordings":
                rate = self._preparation.rate.get()
                return (2 * rate,), rate
            case "cycles":
                return (CYCLE_SAMPLES,), 0
            case _:
                return (1 if self.grey.get() else 3, self.size.get(), self.size.get()), 0

    def trained_shape(self) -> tuple[tuple[int, ...], int]:
        """Return the shape of the training artworks and their rate in Hz: those of the model to start from, if any."""
        start = self.start_model.get()
        return self._shape() if start is None else (start.card.shown_shape, start.card.sample_rate)

    @property
    def trained_palette_size(self) -> int:
        """Return the number of indexed colours: those of the model to start from, if any; 0 if there is no palette."""
        start = self.start_model.get()
        return self.palette_size.get() if start is None else len(start.card.palette)

    def scan_options(self) -> ScanOptions:
        """Return how the files of a folder are examined: as a training with these settings reads them."""
        shape: tuple[int, ...] = (1 if self.grey.get() else 3, self.size.get(), self.size.get())
        rate = self._preparation.rate.get()
        start = self.start_model.get()
        if start is not None and start.card.sample_rate:
            rate = start.card.sample_rate
        elif start is not None and start.card.medium == "picture":
            shape = start.card.shown_shape
        if self._preparation.are_cycles.get():
            shape, rate = start.card.shape if start is not None else (CYCLE_SAMPLES,), 0
        return ScanOptions(shape, rate, self._preparation.as_record())

    def _note_families(self, event: AnyEvent) -> None:
        if isinstance(event, Ready):
            self._families = event.families
            self._show_presets()

    def _show_presets(self) -> None:
        """Offer the presets of the chosen family, and choose its smallest one if it lacks the chosen one."""
        known = self._families.get(self.family.get(), {}).get("presets", PRESETS)
        self.presets.set(tuple(preset for preset in PRESETS if preset in known) or PRESETS)
        if self.preset.get() not in self.presets.get():
            self.preset.set(self.presets.get()[0])

    def _receive(self, event: AnyEvent) -> None:
        if isinstance(event, TrainingPrepared):
            self.prepared.set(event)
            if host := self.computer.get():
                self._measure_on(host, event.config)
        elif isinstance(event, TrainingCost):
            self.cost.set(event)

    def _measure_on(self, host: str, config: dict[str, Any]) -> None:
        """Measure the cost on another computer, unless a training elsewhere needs the connection."""
        if self._computers.connect(host):
            self._measuring.ask(lambda job: MeasureTraining(job=job, control="measure", config=config))

    def _leave_removed_computer(self, hosts: tuple[str, ...]) -> None:
        if self.computer.get() not in ("", *hosts):
            self.computer.set("")
            self.prepare()

    def _use_computer(self, host: object) -> None:
        self.computer.set(one_of(("", *self._computers.hosts.get()), host))

    def _show_failure(self, event: Failed) -> None:
        self.fault.set(f"{event.reason} {event.hint}".strip())

    def _follow_folder(self, report: FolderExamined | None) -> None:
        """Choose a family that can learn from the folder, and prepare it unless that is done already."""
        if report is not None:
            families = [each.family for each in self.family_uses()]
            if self.family.get() not in families:
                self.family.set(families[0])
                self.recipe.set({})
            start = self.start_model.get()
            if start is not None and not self._can_start_from(start):
                self.start_model.set(None)
            is_answered = self.prepared.get() is not None or self._request.running.get()
            if is_answered and self._asked == self._question("-"):
                return
        self.prepare()

    def _can_start_from(self, trained: InstalledModel) -> bool:
        card = trained.card
        sounds = "recordings" if card.sample_rate else "cycles"
        medium = "pictures" if card.medium == "picture" else sounds
        known = any(each.family == card.family for each in FAMILY_USES)
        classes = card.classes or self._preparation.has_classes.get()
        return known and not classes and self.medium in ("", medium)

    def _use_palette_size(self, size: int) -> None:
        self.palette_size.set(one_of((0, *PALETTE_SIZES), size))

    def _start_name(self) -> str:
        start = self.start_model.get()
        return start.card.name if start is not None else ""

    def _use_start_name(self, name: object) -> None:
        """Start from a model by its name. Raises ValueError if there is no such model."""
        wanted = of_type(str, name)
        found = self._models.find_model(wanted) if wanted else None
        if wanted and found is None:
            raise ValueError(f"no model {wanted}")
        self.start_model.set(found)


def field_ranges(schema: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the numbers and switches of a JSON schema by their keys, with their titles and ranges."""
    definitions = schema.get("$defs", {})
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    properties: Mapping[str, Any] = definitions.get(reference, schema).get("properties", {})
    kinds = ("integer", "number", "boolean")
    return [(key, field) for key, field in properties.items() if field.get("type") in kinds and "title" in field]
