"""Writes the sentences of the panel about a folder, a run and its figures."""

import datetime
from collections.abc import Mapping

from studio.app.core.text import time_left
from studio.app.panels.train import gauge
from studio.app.panels.train.costs import size_text as bytes_text
from studio.app.panels.train.costs import span_text
from studio.app.panels.train.curve import Curve
from studio.app.panels.train.folder import THINGS, FolderScan
from studio.app.panels.train.run import Phase, TrainingProcess
from studio.app.panels.train.settings import FAMILY_USES
from studio.app.panels.train.shown_run import ShownRun
from studio.library.runs import RunSummary
from studio.wire.messages import FolderExamined, TrainingProgress, WaitReason

PHASE_WORDS: Mapping[Phase, str] = {
    "starting": "Reading the folder",
    "waiting": "Waiting",
    "pausing": "Saving",
    "finishing": "Finishing",
    "paused": "Paused",
    "finished": "Finished",
    "failed": "Stopped",
}
"""Titles that replace the word of the gauge, by phase."""
WAIT_WORDS: Mapping[WaitReason, str] = {
    "space": "Waits for space on the disk",
    "folder": "Waits for its folder",
    "access": "Waits for a folder that can be written",
}


STOP_TEXT = "It stops by itself at step {step:,}, unless it gets better."
LONGEST_ADVICE = " ".join(
    (max(gauge.ADVICE.values(), key=len).format(things="pictures"), STOP_TEXT.format(step=1_000_000))
)
"""The longest text beside the title while a run learns."""


def folder_counts(folder: FolderScan) -> list[tuple[int, str, bool]]:
    """Return the counts of a folder, each with its label and whether the user should look at it."""
    report = folder.report.get()
    if report is None:
        done, total = len(folder.files), folder.total
        return [(done, f"of {total:,} files examined", False)] if total else []
    mine = folder.left_out_count
    rows = [
        (report.used - mine, f"{THINGS[report.medium]} used", False),
        (report.held_out, "of them held out, never learned from", False),
        (report.skipped, "skipped: cannot be used", True),
        (report.duplicates, "duplicates, kept once", False),
        (report.left_out, "left out", False),
        (mine, "left out by you", False),
    ]
    return [row for row in rows if row[0] > 0]


def folder_title(folder: FolderScan) -> str:
    """Return the heading of the folder's page."""
    report: FolderExamined | None = folder.report.get()
    if report is not None:
        return f"{report.used - folder.left_out_count:,} {THINGS[report.medium]} to learn from"
    if folder.fault.get():
        return "This folder cannot be used"
    if not folder.busy.get() and folder.source.get():
        return "Not all files were examined" if folder.total else "Not examined yet"
    return f"Looking at {folder.total:,} files" if folder.total else "Looking at the folder"


def family_title(family: str) -> str:
    """Return a family's name as in its paper."""
    return next((each.title for each in FAMILY_USES if each.family == family), family)


def size_text(shape: tuple[int, ...], sample_rate: int, palette_size: int) -> str:
    """Return `32 × 32 colour`, `32 × 32 in 16 colours`, `16 kHz` or `256 samples`."""
    if sample_rate:
        return f"{sample_rate / 1000:g} kHz"
    if len(shape) == 1:
        return f"{shape[0]} samples"
    if palette_size:
        return f"{shape[2]} × {shape[1]} in {palette_size} colours"
    return f"{shape[2]} × {shape[1]} {'colour' if shape[0] == 3 else 'grey'}"


def run_facts(shown: ShownRun) -> str:
    """Return `Glow · 32 × 32 colour`, with the other computer that trains it: `… · on ada@garden`."""
    facts = f"{family_title(shown.family)} · {size_text(shown.shape, shown.sample_rate, shown.palette_size)}"
    return f"{facts} · on {shown.place.computer}" if shown.place is not None else facts


def run_row(run: RunSummary) -> str:
    """Return the line of a run in a list: `Glow · step 1,200 of 2,000 · 3.61 bits · paused`."""
    measured = [held_out for _, _, held_out in run.curve if held_out is not None]
    bits = f" · {min(measured):.2f} bits" if measured else ""
    steps = int(run.config.plan.get("steps", 0))
    state = "finished" if run.outcome is not None else "paused"
    family = family_title(str(run.config.recipe.get("family", "")))
    place = f" · on {run.place.computer}" if run.place is not None else ""
    return f"{family} · step {run.step:,} of {steps:,}{bits} · {state}{place}"


def figures(run: TrainingProcess, now: datetime.datetime) -> list[tuple[str, str]]:
    """Return the figures of a run, each with its caption. Unknown ones are left out, but keep their place."""
    shown = run.shown.get()
    progress = run.progress.get()
    seconds = run.seconds.get()
    held_out = run.curve.held_out
    unit = "bits/dim" if shown is None or not shown.sample_rate else "bits/sample"
    found = [("", "")] * 5
    if len(held_out):
        found[0] = (f"{held_out[-1, 1]:.2f}", f"{unit}, held-out")
    moves = progress is not None and run.phase.get() != "waiting"
    if progress is not None and progress.seconds_left and moves:
        end = now + datetime.timedelta(seconds=progress.seconds_left)
        found[1] = (span_text(progress.seconds_left), f"left, done at about {end:%H:%M}")
    if seconds:
        found[2] = (span_text(seconds), f"so far, {_saved_text(progress)}")
    if progress is not None and progress.rate and moves:
        rate = f"{progress.rate:,.0f}" if progress.rate >= 10 else f"{progress.rate:.1f}"
        found[3] = (rate, f"{_unit(shown)} a second")
    if run.copied:
        found[4] = (f"{sum(run.copied)} of {len(run.copied)}", "samples copied")
    return found


def job_text(run: TrainingProcess) -> str:
    """Return `Step 1,200 · about 4 min left`, or why the run waits, which fits into the queue."""
    wait, progress = run.wait.get(), run.progress.get()
    if wait is not None:
        return WAIT_WORDS[wait.reason]
    return _step_text(progress) if progress is not None else ""


def _step_text(progress: TrainingProgress) -> str:
    left = f" · {time_left(progress.seconds_left)} left" if progress.seconds_left else ""
    return f"Step {progress.step:,}{left}"


def progress_text(run: TrainingProcess) -> str:
    """Return `Step 1,200 · about 4 min left · saved 20 s ago`, or what a run does that takes no steps."""
    progress = run.progress.get()
    if run.wait.get() is not None:
        return job_text(run)
    if progress is None:
        return PHASE_WORDS.get(run.phase.get(), "")
    return f"{_step_text(progress)} · {_saved_text(progress)}"


def _saved_text(progress: TrainingProgress | None) -> str:
    """Return when a run was last saved. Without progress it is at rest, so everything is saved."""
    if progress is None:
        return "all saved"
    seconds = progress.unsaved_seconds
    return f"saved {span_text(seconds)} ago" if seconds >= 1 else "saved now"


def _unit(shown: ShownRun | None) -> str:
    if shown is None or len(shown.shape) == 3:
        return "pictures"
    return "seconds of sound" if shown.sample_rate else "waves"


def samples_text(seconds: float, step: int) -> str:
    """Return when samples were drawn: `after 41 min, step 1,200`."""
    return f"after {span_text(seconds)}, step {step:,}"


def head_text(run: TrainingProcess, reason: str, things: str) -> str:
    """Return the text beside the title: what happens now, what is kept, or what to do.

    Arguments
        reason: what the gauge's word means
        things: `pictures` or `sounds`
    """
    best = run.curve.best
    if run.fault.get():
        return run.fault.get()
    match run.phase.get():
        case "starting":
            return _reading_text(run)
        case "waiting":
            wait = run.wait.get()
            return wait.text if wait is not None else ""
        case "pausing":
            return "What it learned is being saved."
        case "finishing":
            return "The best model is measured and saved."
        case "paused":
            return "What it learned is saved. It continues from there."
        case "finished":
            return f"The best model, with {best[1]:.2f} bits, is among your models." if best is not None else ""
        case _ if best is None:
            return f"Soon the model is measured on {things} that it never learns from."
        case _:
            return f"{reason} {_stop_text(run.curve)}".strip()


def _stop_text(curve: Curve) -> str:
    """Return when a run stops by itself; nothing if it does not."""
    stop = curve.stop_step
    return STOP_TEXT.format(step=stop) if stop is not None else ""


def _reading_text(run: TrainingProcess) -> str:
    """Return how many files a training has read, and what follows."""
    if run.bytes_sent.get()[1]:
        return _sending_text(run)
    if run.is_loaded.get():
        return "All files are read. The model is being prepared."
    following = "the best model is saved" if run.only_exports else "it begins"
    count = run.files_read.get()
    if not count:
        return f"Each file is read once, then {following}."
    return f"{count:,} files are read. Then {following}." if count > 1 else f"1 file is read. Then {following}."


def _sending_text(run: TrainingProcess) -> str:
    """Return how much of the artworks has arrived on the computer that trains."""
    shown = run.shown.get()
    sent, size = run.bytes_sent.get()
    host = shown.place.computer if shown is not None and shown.place is not None else ""
    if sent < size:
        return f"{sent / 1e6:,.1f} of {bytes_text(size)} were sent to {host}."
    return f"The artworks are on {host}. The model is being prepared."
