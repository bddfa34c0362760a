"""Holds the settings of a sound over time, as the user changes them during playback."""

import dataclasses

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import Record, State, Value
from studio.app.core.text import timestamp
from studio.app.generation.parameters import Parameters
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.followed import FollowedSound
from studio.app.panels.sound.live_edit import Edit, SettingsRecord
from studio.app.panels.sound.player import SoundPlayer
from studio.app.panels.sound.temperature_curve import Points
from studio.library.models import InstalledModel
from studio.library.work import ModelMixture, SoundEdit, Work
from studio.wire.messages import StreamSound


class LiveSettings(State):
    """Holds the settings by which the model makes the player's sound from `cut` on.

    A change while the sound is made becomes an Edit. Changes that the generation does not accept yet wait and are
    merged. A late edit is taken back and submitted again from a later sample on; a refused one is taken back.
    """

    changed = Signal()
    """The sound no longer matches the take that was kept."""

    def __init__(
        self, player: SoundPlayer, parameters: Parameters, followed: FollowedSound, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._player = player
        self._parameters = parameters
        self._followed = followed
        self.cut: Value[float] = Value(0.0, self)
        """The second from which the model continues. Earlier sound comes from a recording. 0 if the model makes all."""
        self.temperature_curve: Value[Points] = Value(((0.0, 1.0),), self)
        """The temperature over time: (second, temperature) in order, joined by straight lines; two of one second are a
        step. Samples that exist already keep the temperature by which they were made."""
        self.is_fresh = True
        """Whether the model has generated no samples after the cut yet. Play then deletes the samples after the cut."""
        self._initial: tuple[int | None, ModelMixture | None] = (None, None)
        """The class and the mix at the cut."""
        self._edits: tuple[SoundEdit, ...] = ()
        self._changes: Record = {}
        """The changes that the user made since the last edit was submitted."""
        for change in (player.grew, player.making.changed, self.temperature_curve.changed):
            change.connect(self._update_temperature)
        player.live_generation.edit_ready.connect(self._submit_changes)
        player.live_generation.edit_late.connect(self._submit_again)
        player.live_generation.edit_failed.connect(self._take_back)

    @property
    def settled_seconds(self) -> float:
        """Return the earliest second at which a change can take effect."""
        return self.cut.get() if self.is_fresh else self._player.live_generation.settled_seconds

    # ── from the beginning ───────────────────────────────────────────────────────────────────────

    def clear_from(self, cut: float = 0.0) -> None:
        """Forget all edits, and begin again at the second `cut`."""
        self.is_fresh = True
        self._edits = ()
        self.cut.set(cut)
        self._update_temperature()

    def set_work(self, work: Work) -> None:
        """Set the recipe of the sound in the player."""
        self.is_fresh = False
        self._edits = work.edits
        self._initial = (work.label, work.mix)
        self.cut.set(min(work.continued_samples / work.sample_rate, self._player.made_seconds))
        self._update_temperature()

    def continue_sound(self) -> None:
        """Let the model continue from the present end; at first from the cut."""
        if self.is_fresh:
            first = round(self.cut.get() * self._player.rate)
            if first < len(self._player.samples):
                self._player.live_generation.truncate(first)
            self._initial = self._parameters.label.get(), self._parameters.mix.chosen_mix()
            self._edits = ()
        self.is_fresh = False
        self.changed.emit()
        self._player.start_job(self._make_command())

    def to_work(self, trained: InstalledModel, source: str, ancestors: tuple[str, ...]) -> Work:
        """Return the recipe of the sound made so far."""
        curve = self.temperature_curve.get()
        return Work(
            medium="sound",
            sample_rate=self._player.rate,
            model=trained.card.name,
            model_hash=trained.file_hash_if_found,
            seed=self._parameters.seed.get(),
            temperature=(heats.temperature_at(curve, self.cut.get()),),
            temperature_curve=curve if len(curve) > 1 else (),
            label=self._initial[0],
            edits=self._edits,
            mix=self._initial[1],
            continued_samples=round(self.cut.get() * self._player.rate),
            source=source,
            ancestors=ancestors,
            created=timestamp(),
        )

    def _make_command(self) -> StreamSound:
        parameters = self._parameters
        trained = parameters.model.get()
        begin = self._player.made_seconds
        assert trained is not None, "Play requires a model"
        return StreamSound(
            job="perform",
            model=trained.card.name,
            seed=parameters.seed.get(),
            temperature=heats.temperature_at(self.temperature_curve.get(), begin),
            temperature_curve=heats.curve_array(self.temperature_curve.get(), begin),
            label=parameters.label.get(),
            followed_sound=self._followed.samples_for(trained),
            second_model=parameters.mix.name.get(),
            share=parameters.mix.share.get(),
        )

    # ── on the way ───────────────────────────────────────────────────────────────────────────────

    def submit_record(self, record: Record) -> None:
        """Apply a record's changes to the sound that is not played yet. `parameters` has them already."""
        parameters = self._parameters
        label = parameters.label.get()
        if "mix" in record:
            self._restart_job(mixed=True)
        elif "label" in record and label is None:
            self._restart_job(mixed=False)
        changes: Record = {}
        if record.get("temperature_curve") is not None:
            changes["temperature_curve"] = record["temperature_curve"]
        elif record.get("temperature") is not None:
            changes["temperature"] = parameters.temperature.get()
        if "label" in record and label is not None:
            changes["label"] = label
        if record.get("share") is not None and parameters.mix.name.get():
            changes["share"] = parameters.mix.share.get()
        self._changes = merge_changes(self._changes, changes)
        self._submit_changes()

    def branch_here(self) -> None:
        """Continue with another seed from the next sample that can change. Earlier samples stay."""
        self._changes = merge_changes(self._changes, {"seed": self._parameters.seed.get()})
        self._submit_changes()

    def _restart_job(self, mixed: bool) -> None:
        """Start a new job that replaces the samples which are not heard yet.

        A running job cannot change its second model, nor return to the class that the seed chooses.
        """
        if self.is_fresh:
            return
        player = self._player
        mix = self._parameters.mix.chosen_mix()
        label, first = self._initial
        at = player.live_generation.next_editable_sample
        if player.making.get():
            player.live_generation.truncate(at)
            player.start_job(self._make_command())
        if mix is not None and (first is None or first.model != mix.model):
            self._initial = label, replace(mix, share=0.0)
        own_share = 0.0 if mix is None else mix.share
        share = own_share if mixed else None
        self._edits = (*(edit for edit in self._edits if edit.sample < at), SoundEdit(sample=at, share=share))
        self.changed.emit()

    def edit_at(self, sample: int, replaces_late_edit: bool = False) -> Edit:
        """Return the edit that applies the user's changes from a sample on. Nothing changes before it is submitted."""
        rate = self._player.rate
        changes = self._changes
        before = self._to_record()
        first = before.cut if self.is_fresh else sample / rate
        settings = before
        curve = before.temperature_curve
        past = curve
        if "seed" in changes:
            label, mix = self._parameters.label.get(), self._parameters.mix.chosen_mix()
            settings = SettingsRecord(first, curve, label, mix, ())
        elif first <= before.cut:
            past = tuple(point for point in curve if point[0] > first)
        if "temperature_curve" in changes:
            past = curve = heats.splice_curves(past, changes["temperature_curve"], first)
        if "temperature" in changes:
            curve = heats.curve_with_step(past, first, changes["temperature"])
        at = round(first * rate)
        edits = tuple(edit for edit in settings.edits if edit.sample < at)
        if "label" in changes or "share" in changes:
            edits = (*edits, SoundEdit(sample=at, label=changes.get("label"), share=changes.get("share")))
        after = dataclasses.replace(settings, temperature_curve=curve, edits=edits)
        return Edit(sample, changes, before, after, replaces_late_edit)

    def _submit_changes(self, replaces_late_edit: bool = False) -> None:
        """Submit the user's changes if the generation accepts an edit. Otherwise wait for `edit_ready`."""
        generation = self._player.live_generation
        if self._changes and (replaces_late_edit or generation.accepts_edit):
            edit = self.edit_at(generation.next_editable_sample, replaces_late_edit)
            self._changes = {}
            self._use_record(edit.after)
            generation.submit(edit)

    def _submit_again(self, late: Edit) -> None:
        """Take a late edit back, and submit it again with the changes made since."""
        self._changes = merge_changes(late.changes, self._changes)
        self._use_record(late.before)
        self._submit_changes(replaces_late_edit=True)

    def _take_back(self, failed: Edit) -> None:
        self._use_record(failed.before)

    def _to_record(self) -> SettingsRecord:
        return SettingsRecord(self.cut.get(), self.temperature_curve.get(), *self._initial, self._edits)

    def _use_record(self, record: SettingsRecord) -> None:
        self._initial = (record.label, record.mix)
        self._edits = record.edits
        self.cut.set(record.cut)
        self.temperature_curve.set(record.temperature_curve)
        self.changed.emit()

    def _update_temperature(self, _: object = None) -> None:
        """Show the temperature of the moment from which a change would take effect."""
        if not self._changes:
            self._parameters.temperature.set(heats.temperature_at(self.temperature_curve.get(), self.settled_seconds))


def merge_changes(older: Record, newer: Record) -> Record:
    """Return two changes as one. A newer curve replaces an older temperature; a newer temperature keeps the curve."""
    if "temperature_curve" in newer:
        older = {name: value for name, value in older.items() if name != "temperature"}
    return older | newer


def last_settings(work: Work) -> Record:
    """Return the settings at the end of a work, if they differ from those at its beginning."""
    curve = work.temperature_curve or ((0.0, work.temperature[0]),)
    edits = tuple(reversed(work.edits))
    # An edit without a label or share returns to the class that the seed chooses.
    labels = (edit.label for edit in edits if edit.label is not None or edit.share is None)
    settings: Record = {
        "temperature": curve[-1][1],
        "temperature_curve": [list(point) for point in curve],
        "label": next(labels, work.label),
    }
    if work.mix is not None:
        settings["share"] = next((edit.share for edit in edits if edit.share is not None), work.mix.share)
    return settings
