"""Train a model from a folder."""

import argparse
import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli import command as ground
from studio.cli.file_outcomes import FileOutcomes
from studio.cli.interruption import Interruption
from studio.library import file_names, model_names, models, runs, storage
from studio.media import names
from studio.media.pictures import image
from studio.media.preparation import MAX_COLOURS, MIN_COLOURS
from studio.wire import messages as wire

if TYPE_CHECKING:
    from studio.engine.training.config import TrainingConfig
    from studio.engine.training.distributed import ProcessGroup

CYCLE_SAMPLES = 256
"""The number of samples of one training cycle."""
USUAL_SIZE = 32
"""The pixels on a side of pictures, unless the user gives another number."""
UPSAMPLED_SIZE = 128
"""The pixels on a side of the pictures that an upsampler draws, unless the user gives another number."""
DEFAULT_RATE = 16_000
"""The rate of recordings in Hz, unless the user gives another."""
PICTURE_SAMPLES = 16
SOUND_SAMPLES = 3
"""The number of samples that are compared with the training artworks at the end. Recordings take long."""
SAVED_NOTE = "Stopped. What it learned is saved. The same command with --resume continues."


def add(commands: ground.Commands) -> None:
    """Add `studio train`."""
    sub = ground.add_command(
        commands,
        "train",
        run,
        "train a model on a pack or a folder of pictures or sounds, or on webdataset shards",
    )
    sub.add_argument(
        "source",
        type=ground.read_path,
        metavar="FOLDER|PACK.npz|SHARDS.tar",
        help="shards are a folder of .tar files, one of them, or 'FOLDER/shard-{000000..000009}.tar' in quotes",
    )
    sub.add_argument(
        "--recipe", type=ground.read_path, metavar="FILE", help="a recipe as in models/recipes; replaces the rest"
    )
    sub.add_argument(
        "--family",
        default="realnvp",
        help="nice, realnvp, glow, maf, iaf, vae_flow, pixelcnn, gated_pixelcnn … of pictures or cycles, wavenet of "
        "recordings (realnvp)",
    )
    sub.add_argument("--preset", default="tiny", help="tiny, small, large or paper (tiny)")
    sub.add_argument(
        "--from",
        dest="start_model",
        metavar="MODEL",
        help="continue from a trained model; its family, size and rate replace those options",
    )
    sub.add_argument("--name", help="of the model and its run")
    sub.add_argument(
        "--upsampler",
        action="store_true",
        help="an upsampler, which draws details on the pictures of other models, instead of a model",
    )
    sub.add_argument(
        "--size", type=ground.positive, help=f"pixels on a side ({USUAL_SIZE}; of an upsampler {UPSAMPLED_SIZE})"
    )
    colours = sub.add_mutually_exclusive_group()
    colours.add_argument("--grey", action="store_true", help="grey instead of colour")
    colours.add_argument(
        "--palette",
        type=ground.number_between(int, MIN_COLOURS, MAX_COLOURS),
        metavar="N",
        help=f"{MIN_COLOURS} to {MAX_COLOURS} indexed colours, found in the pictures to learn from",
    )
    sub.add_argument("--sound", action="store_true", help="single cycles of sound instead of pictures")
    sub.add_argument(
        "--rate",
        type=ground.number_between(int, 4000, 32_000),
        help=f"of recordings in Hz ({DEFAULT_RATE} of a wavenet)",
    )
    sub.add_argument(
        "--prepare",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="how files become artworks: fitting=crop|fit|pad, ground=255,255,255, folders_as_classes (of shards "
        "also .cls and .json), trim_silence, clip_seconds=1.5, peak=0.9",
    )
    sub.add_argument(
        "--augment",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="how they are varied: shift=2, quarter_turns, colour=0.1 of pictures; gain=6, speed=0.1, noise=40, "
        "fade=0.1 of recordings",
    )
    sub.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a hyperparameter of the family, as layers=8; a wavenet with follows_pitch or follows_loudness learns to "
        "follow a recording",
    )
    sub.add_argument("--steps", type=ground.steps, help="how many steps (the plan's own)")
    sub.add_argument("--resume", action="store_true", help="continue an earlier run of that name")
    sub.add_argument("--force", action="store_true", help="with --resume: continue with other artworks than before")
    sub.add_argument("--list-skipped", action="store_true", help="print every skipped or damaged file, and why")
    sub.add_argument(
        "--report", type=_read_csv_path, metavar="FILE.csv", help="save a table of what became of every file, and why"
    )
    sub.add_argument("--out", type=ground.read_path, metavar="DIR", help="where the model goes (your own models)")


def run(args: argparse.Namespace) -> int:
    with Interruption("Stopped before training began.") as stop:
        try:
            return _run(args, stop)
        except KeyboardInterrupt as error:
            if not stop.number:
                raise
            ground.print_message(str(error) or stop.sentence)
            return stop.exit_status


def _run(args: argparse.Namespace, stop: Interruption) -> int:
    from studio.engine.training import distributed

    args.device = distributed.device_of_process(args.device)
    with distributed.join_process_group() as group:
        return _train(args, stop) if group.is_first else _join(args, group)


def _join(args: argparse.Namespace, group: "ProcessGroup") -> int:
    """Train in a process other than the first, which prints and saves everything."""
    from studio.engine.device import lower_priority
    from studio.engine.training import distributed, joined_training

    distributed.ignore_stop_signals()
    lower_priority()
    try:
        joined_training.join_training(group, ground.make_jobs(args, compile_first=True).device)
    except distributed.ProcessLost:  # the first process says why
        return 1
    return 0


def _train(args: argparse.Namespace, stop: Interruption) -> int:
    from studio.engine.device import lower_priority
    from studio.engine.training import run_lock
    from studio.engine.training.config import config_to_dict

    config = _read_config(args)
    folder = storage.home_folder("runs") / config.name
    try:
        run_lock.check_run(folder)
    except run_lock.RunLocked as error:
        ground.print_message(str(error))
        return 1
    config = _check_config(args, config, folder)
    ask = wire.Train(
        job="train",
        source=str(args.source),
        run_folder=str(folder),
        output_folder=str(storage.create_folder(args.out)) if args.out else "",
        config=config_to_dict(config),
        force=args.force,
        start_model="" if args.resume else args.start_model or "",  # a run that is resumed has weights of its own
        sample_seeds=_sample_seeds(config),
        samples_at_end=True,
    )
    lower_priority()
    compared = _run_training(args, config, ask, stop)
    stop.sentence = "Stopped. The model is saved."
    _report_model(args, config, compared)
    return 0


def _sample_seeds(config: "TrainingConfig") -> tuple[int, ...]:
    """Return the seeds of the samples that are searched for copies. An upsampler draws nothing by itself."""
    if config.is_upsampler:
        return ()
    return tuple(range(1, 1 + (SOUND_SAMPLES if config.sample_rate else PICTURE_SAMPLES)))


def _read_config(args: argparse.Namespace) -> "TrainingConfig":
    """Return the config that the arguments describe. Raises WrongUse."""
    from studio.engine.training import config as configs
    from studio.engine.training.config import BadTrainingConfig, config_for_data, config_from_json, with_name

    if not args.recipe and args.name is None:
        raise ground.WrongUse("A model needs a name: add --name NAME.")
    if args.recipe and args.start_model is not None:
        raise ground.WrongUse("A recipe begins from nothing. Leave out --recipe or --from.")
    if args.palette and (args.recipe or args.start_model is not None):
        raise ground.WrongUse("A recipe or a model has colours of its own. Leave --palette out.")
    try:
        if args.recipe:
            config = config_from_json(args.recipe.read_bytes())
        elif args.start_model is not None:
            config = configs.config_from_model("model", args.source, models.find_model(args.start_model).card)
        else:
            family = "upsampler" if args.upsampler else args.family
            config = config_for_data("model", args.source, family, args.preset, *_artwork_shape(args))
    except BadTrainingConfig as error:
        raise ground.WrongUse(str(error)) from None
    if args.upsampler and not config.is_upsampler:
        raise ground.WrongUse(f'The recipe "{config.name}" trains a model. Leave --upsampler out.')
    config = _with_palette(args, _with_options(args, config))
    name = config.name if args.name is None else args.name
    if file_names.clean_name(name) != name or not (storage.home_folder("runs") / name / "study.json").exists():
        _check_name(args, name)
    return with_name(config, name, retitle=not args.recipe) if name != config.name else config


def _with_options(args: argparse.Namespace, config: "TrainingConfig") -> "TrainingConfig":
    """Return the config with the options that were given. Raises WrongUse."""
    import msgspec

    from studio.engine.training.config import TrainingConfig, config_to_dict

    fields = config_to_dict(config)
    for part, given in (("preparation", args.prepare), ("augmentation", args.augment), ("recipe", args.set)):
        names = [name for name in fields[part] if name != "family"]
        for option in given:
            name, _, value = option.partition("=")
            if name not in names:
                raise ground.WrongUse(f'There is no option "{name}". There are: {", ".join(names)}.')
            is_list = isinstance(fields[part][name], list | tuple)
            fields[part][name] = value.split(",") if is_list else value or "true"
    try:
        return msgspec.convert(fields, TrainingConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ground.WrongUse(f"An option is not usable: {wire.describe_error(error)}.") from None


def _with_palette(args: argparse.Namespace, config: "TrainingConfig") -> "TrainingConfig":
    """Return the config with the requested palette. Raises WrongUse if it can have none."""
    from studio.engine.training import config as configs

    try:
        if args.palette:
            config = configs.with_palette_size(config, args.palette)
        configs.check_palette(config)
    except configs.BadTrainingConfig as error:
        raise ground.WrongUse(str(error)) from None
    return config


def _check_name(args: argparse.Namespace, name: str) -> None:
    """Check the name of a new model. Raises WrongUse, which names a free one."""
    if fault := model_names.name_fault(name, args.out):
        free = model_names.free_model_name(name, args.out)
        raise ground.WrongUse(f'"{names.display_name(name)}" {fault}. This one is free: --name {free}')


def _check_config(args: argparse.Namespace, config: "TrainingConfig", folder: Path) -> "TrainingConfig":
    """Return the config, with the steps of its run if that exists. Raises WrongUse."""
    from studio.engine.training.config import BadTrainingConfig, config_from_json, with_steps
    from studio.engine.training.distributed import is_restarted

    begun = (folder / "study.json").exists()
    if begun and not args.resume and not is_restarted():
        raise ground.WrongUse(
            f'A run named "{config.name}" already exists. Add --resume to continue, or choose another name: '
            f"--name {model_names.free_model_name(config.name, args.out)}"
        )
    if args.resume and not begun:
        raise ground.WrongUse(f'There is no run named "{config.name}" to resume. Leave --resume out to begin it.')
    if args.steps:
        return with_steps(config, args.steps)
    with contextlib.suppress(BadTrainingConfig, OSError):  # damaged: the recipe's own steps
        return with_steps(config, config_from_json((folder / "study.json").read_bytes()).plan.steps)
    return config


def _run_training(
    args: argparse.Namespace, config: "TrainingConfig", ask: wire.Train, stop: Interruption
) -> runs.ComparedSamples | None:
    """Run the training and print its progress; return the samples of its end, compared with what it learned.

    Raises KeyboardInterrupt, with what was kept, if it is stopped.
    """
    from studio.engine.training.jobs import OtherArtworks

    begun = False
    objects = ground.ProgressInterval()
    files = FileOutcomes(args)
    compared: runs.ComparedSamples | None = None
    jobs = _Stoppable(ground.make_jobs(args, compile_first=True), stop)
    with contextlib.closing(ground.run_job(jobs, ask)) as events:
        try:
            for event in events:
                if isinstance(event, wire.FilesExamined):
                    files.add(event.files)
                    if not begun:
                        ground.show_progress(f"{event.done:,} files examined")
                elif isinstance(event, wire.DatasetLoaded):
                    stop.is_pending = True
                    files.show()
                elif isinstance(event, wire.SamplesCompared):
                    compared = runs.ComparedSamples(event.step, event.samples, event.nearest, event.distances)
                if not isinstance(event, wire.TrainingProgress):
                    continue
                stop.sentence = SAVED_NOTE
                if not begun:
                    ground.print_message(
                        f'Training "{config.title}" for {event.steps:,} steps. Ctrl+C keeps what it learned.'
                    )
                begun = True
                _report_step(args, config, event, objects)
                stop.is_pending = event.step < event.steps  # everything is saved before the last report
        except KeyboardInterrupt:
            events.close()  # save first, then tell the user
            raise KeyboardInterrupt(SAVED_NOTE if begun or stop.is_pending else stop.sentence) from None
        except ground.JobFailed as failed:
            if isinstance(failed.__cause__, OtherArtworks):
                raise ground.JobFailed(f"{failed} Add --force to train on these.") from failed.__cause__
            raise
        except image.FileRefused:
            if not files.is_shown:
                files.show()
            raise
        finally:
            if files.is_shown:
                files.write_table()
    return compared


class _Stoppable:
    """Holds the engine's jobs, which end between two steps if the user stops the command."""

    def __init__(self, jobs: Any, stop: Interruption) -> None:
        self._jobs = jobs
        self._stop = stop

    def start(self, command: wire.AnyCommand) -> Generator[Any, None, None]:
        with contextlib.closing(self._jobs.start(command)) as steps:
            for event in steps:
                if self._stop.is_pending:
                    self._stop.raise_if_pending()
                yield event


def _report_step(
    args: argparse.Namespace, config: "TrainingConfig", event: wire.TrainingProgress, objects: ground.ProgressInterval
) -> None:
    """Print the progress: as a result if the model was just measured, otherwise as progress."""
    measured = event.held_out is not None
    line = {
        "step": event.step,
        "steps": event.steps,
        "loss": event.loss,
        "held_out": event.held_out,
        "rate": event.rate,
        "seconds_left": event.seconds_left,
    }
    words = _progress_text(config, event)
    if measured or (args.json and objects.is_due()):
        ground.print_result(args, line, words)
    else:
        ground.show_progress(words)
    if event.step == event.steps:
        ground.print_message("All steps are done. Measuring and saving the model.")


def _progress_text(config: "TrainingConfig", event: wire.TrainingProgress) -> str:
    """Return the line that describes a step.

    `step 1,200 of 34,400: 1.21 bits per dimension, 214 pictures a second, about 4 min left`.
    """
    things = "waves" if len(config.shape) == 1 else "pictures"
    if config.sample_rate:
        things = "seconds of sound"
    rate = f"{event.rate:,.0f}" if event.rate >= 10 else f"{event.rate:.1f}"
    bits = event.loss if event.held_out is None else event.held_out
    held_out = "" if event.held_out is None else " held out"
    noise = " plus noise" if getattr(config.recipe, "noise", 0) else ""
    how = f"step {event.step:,} of {event.steps:,}: {bits:.3f} bits per dimension{noise}{held_out}"
    left = f", {ground.time_left_text(event.seconds_left)} left" if event.seconds_left else ""
    return f"{how}, {rate} {things} a second{left}"


def _report_model(args: argparse.Namespace, config: "TrainingConfig", compared: runs.ComparedSamples | None) -> None:
    """Print whether the model copies what it learned, where it is, and what to do with it."""
    path = (args.out or storage.home_folder("models")) / f"{config.name}.safetensors"
    card = models.find_model(str(path)).card
    known = args.out is None
    line = {"file": str(path), "name": card.name, "steps": card.steps, "metric": card.metric, "value": card.value}
    copied = sum(compared.copied) if compared is not None else None
    if compared is not None:
        things = "pictures" if card.medium == "picture" else "sounds"
        ground.print_message(f"{copied} of {len(compared.copied)} samples are copies of training {things}.")
    ground.print_result(args, {**line, "exact": card.exact, "copied": copied}, str(path))
    if card.role == "upsampler":
        upsampler = card.name if known else str(path)
        pyramid = ("pyramid", str(args.source), "--base", "MODEL", "--upsampler", upsampler, "--name", "NAME")
        ground.print_message(
            f"It draws details on the pictures of models in its {card.levels} levels. Make a pyramid of both:\n\n"
            f"  {ground.shell_command(*pyramid)}\n"
        )
        return
    sheet = () if card.sample_rate else ("--sheet",)
    sample = ("sample", card.name if known else str(path), "-n", "16", *sheet, "--out", f"{card.name}-samples")
    choose = f'and choose "{card.title}"' if known else "and drop the file on the window"
    if card.temperature_range is not None:
        low, high = card.temperature_range
        ground.print_message(
            f"It works at temperatures from {low:g} to {high:g}, with {card.temperature:g} as its own."
        )
    ground.print_message(
        f"Sample it:\n\n  {ground.shell_command(*sample)}\n\nOpen the window {choose}:\n\n  {ground.shell_command()}\n"
    )


def _read_csv_path(text: str) -> Path:
    """Read the name of a table. Another ending may be one of the user's own files, which must not be replaced."""
    if Path(text).suffix.lower() != ".csv":
        raise argparse.ArgumentTypeError(f"{text} does not end in .csv")
    return Path(text)


def _artwork_shape(args: argparse.Namespace) -> tuple[tuple[int, ...], int]:
    """Return the shape of the training artworks, and the rate of recordings or 0."""
    rate = args.rate or (DEFAULT_RATE if args.family == "wavenet" else 0)
    if rate:
        return (2 * rate,), rate
    if args.sound:
        return (CYCLE_SAMPLES,), 0
    channels = 1 if args.grey else 3
    size = args.size or (UPSAMPLED_SIZE if args.upsampler else USUAL_SIZE)
    return (channels, size, size), 0
