"""The same jobs from a terminal.

Results go to standard output, with --json as one object a line; progress and messages go to standard
error. Exit status: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""

import argparse
import datetime
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from studio import __version__
from studio.library import models, storage
from studio.library.card import Card
from studio.library.work import BadWork, Latent, Work, from_wav, to_png, to_wav, to_wavetable
from studio.media import cycles, dataset, export, image, names, wavetable
from studio.wire import messages as wire

CYCLE = 256
"""Samples of one cycle of sound that a model learns from."""


class WrongUse(ValueError):
    """Arguments that make no sense together; a sentence."""


def main(argv: Sequence[str]) -> int:
    """Runs one command and returns the exit status."""
    try:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except SystemExit as end:  # argparse: 0 after --help, 2 after wrong use
        return int(end.code or 0)
    except WrongUse as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("Stopped. What was finished is kept.")
        return 130
    except BrokenPipeError:  # whoever read the output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (models.BadModel, BadWork, image.Refused, storage.NotSaved, OSError) as error:
        _say(_sentence(error))
        return 1


def _sentence(error: Exception) -> str:
    """Our own faults are sentences already; the system's name the file and the fault."""
    if isinstance(error, OSError) and error.filename and not isinstance(error, storage.NotSaved):
        return f'"{names.shown(str(error.filename))}" could not be read: {(error.strerror or "a fault").lower()}.'
    return getattr(error, "sentence", None) or str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="studio", description="Pictures from generative models that you own.")
    parser.add_argument("--version", action="version", version=f"Latent Studio {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Any, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        sub.add_argument("--json", action="store_true", help="one JSON object a line")
        return sub

    listing = command("models", _models, "the trained models: name, family, what it makes, bits per dimension")
    listing.add_argument("--markdown", action="store_true", help="the table of models/README.md")
    sample = command("sample", _sample, "make pictures or sounds, one for each seed")
    sample.add_argument("model", metavar="MODEL", help="a name from `studio models`, or a .safetensors file")
    sample.add_argument("-n", type=_positive, default=1, help="how many (1)")
    sample.add_argument("--seed", type=_seed, help="of the first picture; the next count up (random)")
    sample.add_argument("--temperature", type=_temperature, help="lower is calmer, higher wilder (the model's own)")
    sample.add_argument("--label", help="the kind, by name or number (each seed draws its own)")
    sample.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for PNGs or WAVs")
    sample.add_argument("--sheet", action="store_true", help="also all pictures on one sheet")
    invert = command("invert", _invert, "encode and decode; says for each file whether it comes back byte for byte")
    invert.add_argument("model", metavar="MODEL")
    invert.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="pictures or single cycles, or folders of them"
    )
    invert.add_argument("--out", type=Path, metavar="DIR", help="save what came back")
    complete = command("complete", _complete, "make the white part of a mask anew; the rest of the picture stays")
    complete.add_argument("model", metavar="MODEL", help="one that draws pixel by pixel")
    complete.add_argument("file", type=Path, metavar="FILE", help="a picture")
    complete.add_argument("--mask", type=Path, required=True, metavar="MASK", help="a picture of the same size")
    complete.add_argument("-n", type=_positive, default=8, help="how many (8)")
    complete.add_argument("--seed", type=_seed, help="of the first; the next count up (random)")
    complete.add_argument("--temperature", type=_temperature, help="lower is calmer, higher wilder (the model's own)")
    complete.add_argument("--label", help="the kind, by name or number (each seed draws its own)")
    complete.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for PNGs")
    score = command("score", _score, "what pictures or sounds cost under a model, in bits")
    score.add_argument("model", metavar="MODEL")
    score.add_argument("files", nargs="+", type=Path, metavar="FILE", help="or folders of them")
    score.add_argument("--label", help="the kind, by name or number (the one under which each is likeliest)")
    score.add_argument("--map", type=Path, metavar="DIR", help="save where the bits are, white where most")
    blend = command("blend", _blend, "the way between two sounds as a wavetable for synthesizers")
    blend.add_argument("model", metavar="MODEL")
    blend.add_argument("begin", metavar="A", help="a seed, or a WAV")
    blend.add_argument("end", metavar="B", help="a seed, or a WAV")
    blend.add_argument("--frames", type=_frames, default=wavetable.FRAMES, help="cycles on the way (64)")
    blend.add_argument("--label", help="the kind, by name or number (each seed's own)")
    blend.add_argument("--out", type=Path, required=True, metavar="FILE.wav")
    train = command("train", _train, "learn a model from a folder of pictures or of single cycles of sound, or a pack")
    train.add_argument("source", type=Path, metavar="FOLDER|PACK.npz")
    train.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as in models/recipes; replaces the rest")
    train.add_argument(
        "--family",
        default="realnvp",
        help="nice, realnvp, glow, maf, iaf, vae_flow, pixelcnn or gated_pixelcnn (realnvp)",
    )
    train.add_argument("--preset", default="tiny", help="tiny, small or paper (tiny)")
    train.add_argument("--name", help="of the model and its run")
    train.add_argument("--size", type=_positive, default=32, help="pixels on a side (32)")
    train.add_argument("--grey", action="store_true", help="grey instead of colour")
    train.add_argument("--sound", action="store_true", help="single cycles of sound instead of pictures")
    train.add_argument("--steps", type=_positive, help="how many steps (the plan's own)")
    train.add_argument("--resume", action="store_true", help="go on where an earlier run of that name stopped")
    train.add_argument("--out", type=Path, metavar="DIR", help="where the model goes (your own models)")
    evaluate = command("evaluate", _evaluate, "held-out figures, as the papers count them")
    evaluate.add_argument("model", metavar="MODEL")
    evaluate.add_argument("source", type=Path, metavar="FOLDER|PACK.npz", help="of which the test part is measured")
    evaluate.add_argument("-n", type=_positive, help="only the first so many (all)")
    evaluate.add_argument("--draws", type=_positive, default=4, help="of a flow's dequantising noise (4)")
    doctor = command("doctor", _doctor, "what this machine has: devices, sound, libraries, models, space")
    for sub in (sample, invert, complete, score, blend, train, evaluate, doctor):
        sub.add_argument("--device", help="cpu, cuda or mps (the best there is)")
    commands.add_parser("engine", help="the child process that the window talks to", add_help=False)
    return parser


# ── commands ─────────────────────────────────────────────────────────────────────────────────────


def _models(args: argparse.Namespace) -> int:
    found, refused = models.listing()
    if args.markdown:
        print(table([trained.card for trained in found if trained.path.parent == models.shipped()]))
        return 0
    for trained in found:
        card = trained.card
        line = {
            "name": card.name,
            "family": card.family,
            "makes": card.makes,
            "shape": card.shape,
            "metric": card.metric,
            "value": card.value,
            "exact": card.exact,
        }
        what = f"{card.makes}, {card.size}"
        _tell(args, line, f"{card.name:24} {card.family_title:16} {what:44} {card.figure}")
    for sentence in refused:
        _say(sentence)
    return 1 if refused else 0


def table(cards: Sequence[Card]) -> str:
    """Cards as a Markdown table, the paper's own figure beside ours."""
    rows = [
        "| model | family | makes | learned from | licence of the data | parameters | steps | held out | the paper |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for card in cards:
        made = f"{card.makes}, {card.size}"
        size = f"{card.parameters / 1e6:.2f} M"
        fields = (card.name, card.family_title, made, card.learned_from, card.licence, size, f"{card.steps:,}")
        rows.append(f"| {' | '.join(fields)} | {_figures(card)} | {card.paper} |")
    return "\n".join(rows)


def _figures(card: Card) -> str:
    """Every held-out figure of a card, the one it is known by first."""
    more = [f"{value:,.2f} {metric}, {'exact' if exact else 'bound'}" for metric, value, exact in card.figures[1:]]
    return "; ".join([card.figure, *more])


def _sample(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    seeds, temperature = _seeds(args), _heat(args, trained.card)
    label = _label(trained.card, args.label)
    sound = trained.card.kind == "sound"
    if sound and args.sheet:
        raise WrongUse(f'"{trained.card.title}" makes sounds, which fit on no sheet; leave --sheet out.')
    folder = storage.folder(args.out)
    ask = wire.Sample(job="sample", model=args.model, seeds=seeds, temperature=temperature, label=label)
    made = []
    for event in _events(args, ask):
        if not isinstance(event, wire.Drawn):
            continue
        if event.done < event.total:
            _progress(f"{event.first} of {args.n} finished")
            continue
        for index, (picture, log_prob) in enumerate(zip(event.pictures, event.log_prob or (), strict=True)):
            seed = seeds[event.first + index]
            work = _work(trained, seed, temperature, label)
            path = folder / f"{trained.card.name}-{seed}{'.wav' if sound else '.png'}"
            storage.write(path, to_wav(picture, work) if sound else to_png(picture, work))
            made.append(picture)
            _tell(args, {"file": str(path), "seed": seed, "log_prob": log_prob}, str(path))
    if args.sheet:
        path = folder / f"{trained.card.name}-{seeds[0]}-sheet.png"
        columns = max(1, round(len(made) ** 0.5))
        storage.write(path, export.png(export.sheet(made, columns=columns, scale=4)))
        _tell(args, {"file": str(path), "seed": seeds[0], "sheet": True}, str(path))
    return 0


def _seeds(args: argparse.Namespace) -> tuple[int, ...]:
    first = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "little")
    seeds = tuple(range(first, first + args.n))
    if seeds[-1] >= 2**53:
        raise WrongUse(f"The last seed would be {seeds[-1]}, but seeds end at {2**53 - 1}. Begin with a lower one.")
    return seeds


def _heat(args: argparse.Namespace, card: Card) -> tuple[float]:
    return (args.temperature if args.temperature is not None else card.temperature,)


def _complete(args: argparse.Namespace) -> int:
    """Each completion from the most typical whole picture to the strangest."""
    trained = models.find(args.model)
    if trained.card.kind == "sound":
        raise WrongUse(f'"{trained.card.title}" makes sounds, which have no part that a mask could show.')
    seeds, heat, label = _seeds(args), _heat(args, trained.card), _label(trained.card, args.label)
    picture, free = _opened(args.file, trained.card), _mask(args, trained.card)
    folder, jobs, made = storage.folder(args.out), _jobs(args), list[tuple[float, int, wire.Array]]()
    ask = wire.Complete(
        job="complete", model=args.model, picture=picture, free=free, seeds=seeds, temperature=heat, label=label
    )
    for event in _answers(jobs, ask):
        if isinstance(event, wire.Drawn) and event.log_prob is not None:
            prices = zip(event.log_prob, event.pictures, strict=True)
            made += [(price, seeds[event.first + i], each) for i, (price, each) in enumerate(prices)]
            _progress(f"{len(made)} of {args.n} finished")
    for log_prob, seed, each in sorted(made, key=lambda one: -one[0]):
        path = folder / f"{args.file.stem}-{seed}.png"
        # Its latent makes the whole of it again, what was kept as well as what was made.
        encode = wire.Encode(job="encode", model=args.model, picture=each, label=label)
        (found,) = (event for event in _answers(jobs, encode) if isinstance(event, wire.Encoded))
        work = _work(trained, seed, (1.0,), found.label)
        work = msgspec.structs.replace(work, latent=Latent.of(found.latent), source=args.file.name)
        storage.write(path, to_png(each, work))
        _tell(args, {"file": str(path), "seed": seed, "log_prob": log_prob}, f"{path}  {log_prob:,.1f} nats")
    return 0


def _mask(args: argparse.Namespace, card: Card) -> wire.Array:
    """Where a mask is white, `(height, width)` in a model's size. Raises WrongUse where it is of another size."""
    mask, picture = image.open_picture(args.mask).array, image.open_picture(args.file).array
    _, height, width = card.shape
    if mask.shape[:2] not in (picture.shape[:2], (height, width)):
        raise WrongUse(
            f'The mask "{names.shown(args.mask.name)}" is {mask.shape[1]} × {mask.shape[0]} pixels, but the picture is '
            f"{picture.shape[1]} × {picture.shape[0]}. Save it in the size of the picture."
        )
    return (image.fit(mask, (1, height, width))[..., 0] >= 128).astype(np.uint8)


def _score(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    card, label = trained.card, _label(trained.card, args.label)
    if args.map is not None and card.kind == "sound":
        raise WrongUse("A map is made of pictures, and these are sounds; leave --map out.")
    folder, jobs = storage.folder(args.map) if args.map else None, _jobs(args)
    unusable = 0
    for path in _named(args.files):
        _progress(path.name)
        try:
            ask = wire.Score(job="score", model=args.model, picture=_opened(path, card), label=label)
        except image.Refused as refused:
            unusable += 1
            _say(str(refused))
            continue
        (found,) = (event for event in _answers(jobs, ask) if isinstance(event, wire.Scored))
        bits = -found.log_prob / math.log(2) / math.prod(card.shape)
        line = {"file": str(path), "model": card.name, "bits_per_dimension": bits, "exact": not found.bound}
        words = f"{path}: {bits:.4f} bits per dimension, {'bound' if found.bound else 'exact'}"
        if found.label is not None:
            line["label"], words = card.classes[found.label], f"{words}, as {card.classes[found.label]}"
        if folder is not None:
            line |= _map(found.bits, folder, path.stem)
            words = f"{words}; {line['map']}, white is {line['most']:.1f} bits"
        _tell(args, line, words)
    return 1 if unusable else 0


def _map(bits: wire.Array, folder: Path, stem: str) -> dict[str, Any]:
    """Saves the bits of each pixel as greys, the most as white; its file, and how many those are."""
    target, most = storage.free_name(folder, f"{stem}-bits", ".png"), max(float(bits.max()), 1e-9)
    storage.write(target, export.png((bits.clip(0) / most * 255).round().astype(np.uint8)[..., None]))
    return {"map": str(target), "most": most}


def _named(given: Sequence[Path]) -> list[Path]:
    """Files, and those in folders."""
    return [path for each in given for path in (dataset.files(each) if each.is_dir() else [each])]


def _invert(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    folder = storage.folder(args.out) if args.out else None
    named = _named(args.files)
    exact = unusable = 0
    jobs = _jobs(args)
    for path in named:
        _progress(f"{path.name}")
        try:
            picture = _opened(path, trained.card)
        except image.Refused as refused:
            unusable += 1
            _tell(args, {"file": str(path), "exact": False, "differing": None, "reason": refused.reason}, str(refused))
            continue
        ask = wire.Encode(job="invert", model=args.model, picture=picture)
        found = next(event for event in jobs.start(ask) if isinstance(event, wire.Encoded))
        exact += found.exact
        apart = f"{found.differing:,} of {found.total:,} values differ by {found.largest} at most"
        words, reason = ("exact", "") if found.exact else (apart, apart)
        if folder is not None:
            words = f"{words}, {_came_back(jobs, trained, found, path, folder)}"
        _tell(
            args,
            {"file": str(path), "exact": found.exact, "differing": found.differing, "reason": reason},
            f"{path}: {words}",
        )
    usable = len(named) - unusable
    things = "sounds" if trained.card.kind == "sound" else "pictures"
    summary = f"{exact} of {usable} {things} came back byte for byte."
    left_out = f"{unusable} of {len(named)} files could not be used."
    print(f"{summary} {left_out}", file=sys.stderr if args.json else sys.stdout)
    return 1 if unusable or exact < usable else 0


def _opened(path: Path, card: Card) -> wire.Array:
    """A file of a person's own as an artwork in a model's size. Raises image.Refused."""
    if card.kind == "sound":
        return cycles.open_cycle(path, card.shape[0])
    channels, height, width = card.shape
    return image.fit(image.open_picture(path).array, (channels, height, width))


def _came_back(jobs: Any, trained: models.Trained, found: wire.Encoded, path: Path, folder: Path) -> str:
    """Saves the decoded picture with the latent inside; the name of its file."""
    ask = wire.Explore(job="back", model=trained.card.name, latent=found.latent, label=found.label)
    shown = next(event for event in jobs.start(ask) if isinstance(event, wire.Shown))
    work = Work(
        model=trained.card.name,
        model_hash=trained.hash,
        seed=0,
        label=found.label,
        latent=Latent.of(found.latent),
        source=path.name,
        made=_now(),
    )
    sound = trained.card.kind == "sound"
    target = storage.free_name(folder, path.stem, ".wav" if sound else ".png")
    storage.write(target, to_wav(shown.picture, work) if sound else to_png(shown.picture, work))
    return target.name


def _blend(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    if trained.card.kind != "sound":
        raise WrongUse(f'"{trained.card.title}" makes pictures, and wavetables are made of sounds.')
    label = _label(trained.card, args.label)
    jobs = _jobs(args)
    begin, end = (_point(jobs, trained, given, label) for given in (args.begin, args.end))
    ask = wire.Path(job="blend", model=args.model, begin=_asked(begin), end=_asked(end), frames=args.frames)
    made = [cycle for event in jobs.start(ask) if isinstance(event, wire.Drawn) for cycle in event.pictures]
    folder = storage.folder(args.out.parent)
    target = args.out.with_suffix(".wav")
    if target.exists():
        target = storage.free_name(folder, target.stem, ".wav")
    storage.write(target, to_wavetable(np.stack(made), begin.leading_to(end)))
    _tell(args, {"file": str(target), "frames": len(made), "samples": wavetable.SAMPLES}, str(target))
    return 0


def _point(jobs: Any, trained: models.Trained, given: str, label: int | None) -> Work:
    """Where a way begins or ends: a seed, a WAV of ours with its making, or any other single cycle."""
    if given.isdecimal():
        return _work(trained, _seed(given), (trained.card.temperature,), label)
    path = Path(given)
    work = from_wav(image.read_bytes(path, names.shown(path.name))) if path.is_file() else None
    if work is not None and work.model == trained.card.name:
        return work
    ask = wire.Encode(job="open", model=trained.card.name, picture=_opened(path, trained.card), label=label)
    found = next(event for event in jobs.start(ask) if isinstance(event, wire.Encoded))
    opened = _work(trained, 0, (1.0,), found.label)
    return msgspec.structs.replace(opened, latent=Latent.of(found.latent), source=path.name)


def _asked(work: Work) -> wire.Point:
    return wire.Point(
        seed=work.seed,
        latent=work.latent.array() if work.latent else None,
        sliders=work.sliders,
        temperature=work.temperature,
        label=work.label,
    )


def _train(args: argparse.Namespace) -> int:
    from studio.engine import training

    if not args.recipe and not args.name:
        raise WrongUse("A model needs a name: add --name NAME.")
    try:
        if args.recipe:
            study = training.study_in(args.recipe.read_bytes())
        else:
            shape = (CYCLE,) if args.sound else (1 if args.grey else 3, args.size, args.size)
            study = training.study_of(args.name, args.source, args.family, args.preset, shape)
    except training.BadStudy as error:
        raise WrongUse(str(error)) from None
    if args.steps:
        study = training.with_steps(study, args.steps)
    run = storage.home("runs") / study.name
    if (run / "study.json").exists() and not args.resume:
        raise WrongUse(f'A run named "{study.name}" is there already. Add --resume to go on, or take another name.')
    ask = wire.Train(
        job="train",
        source=str(args.source),
        run=str(run),
        out=str(storage.folder(args.out)) if args.out else "",
        study=training.plain(study),
    )
    for event in _events(args, ask):
        if isinstance(event, wire.Learned):
            line = {"step": event.step, "steps": event.steps, "loss": event.loss, "held_out": event.held_out}
            if event.held_out is not None:
                words = f"step {event.step} of {event.steps}: {event.held_out:.3f} bits per dimension held out"
                _tell(args, line, f"{words}, about {event.seconds_left / 60:.0f} min left")
            else:
                _progress(
                    f"step {event.step} of {event.steps}, {event.loss:.2f} bits per dimension, {event.rate:.0f}/s"
                )
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    ask = wire.Evaluate(job="evaluate", model=args.model, source=str(args.source), draws=args.draws, most=args.n)
    for event in _events(args, ask):
        if not isinstance(event, wire.Measured):
            continue
        _progress(f"{event.done} of {event.total} measured")
        for metric, value, exact in event.figures:
            line = {"name": trained.card.name, "metric": metric, "value": value, "exact": exact, "n": event.total}
            _tell(args, line, f"{value:12,.4f} {metric}, {'exact' if exact else 'bound'}")
    return 0


def _label(card: Card, given: str | None) -> int | None:
    """The number of a kind, from its name or number. Raises WrongUse, with the kinds there are."""
    if given is None:
        return None
    names = [name.casefold() for name in card.classes]
    if given.casefold() in names:
        return names.index(given.casefold())
    if given.isdecimal() and int(given) < len(names):
        return int(given)
    there = f"It has: {', '.join(card.classes)}." if names else "It knows no kinds; leave --label out."
    raise WrongUse(f'"{card.title}" has no kind "{given}". {there}')


def _doctor(args: argparse.Namespace) -> int:
    fine = True
    for event in _events(args, wire.Doctor(job="doctor")):
        if isinstance(event, wire.Diagnosis):
            for what, good, finding in event.findings:
                fine &= good or what == "Sound"
                _tell(
                    args,
                    {"what": what, "fine": good, "finding": finding},
                    f"{'✓' if good else '!'} {what:20} {finding}",
                )
    return 0 if fine else 1


# ── the ground they share ────────────────────────────────────────────────────────────────────────


def _jobs(args: argparse.Namespace) -> Any:
    """The engine's jobs, in this process; torch is loaded here and not before."""
    from studio.engine import device, jobs

    device.steady_allocator()
    try:
        return jobs.Jobs(device.choose(args.device))
    except device.NoDevice as error:
        raise WrongUse(str(error)) from None


def _events(args: argparse.Namespace, command: wire.AnyCommand) -> Iterator[wire.AnyEvent]:
    return _answers(_jobs(args), command)


def _answers(jobs: Any, command: wire.AnyCommand) -> Iterator[wire.AnyEvent]:
    """What jobs say to a command, but notices, which are for people."""
    from studio.engine.failure import explain

    events = jobs.start(command)
    try:
        for event in events:
            if isinstance(event, wire.Notice):
                _say(event.text)
            elif event is not None:
                yield event
    except (KeyboardInterrupt, GeneratorExit, BrokenPipeError, storage.NotSaved, models.BadModel, image.Refused):
        raise
    except Exception as error:
        why, hint = explain(error)
        raise OSError(f"{why} {hint}".strip()) from error
    finally:
        events.close()


def _work(trained: models.Trained, seed: int, temperature: tuple[float, ...], label: int | None) -> Work:
    return Work(
        model=trained.card.name,
        model_hash=trained.hash,
        seed=seed,
        temperature=temperature,
        label=label,
        made=_now(),
    )


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _tell(args: argparse.Namespace, fields: dict[str, Any], words: str) -> None:
    _progress("")
    line = json.dumps(fields) if args.json else words
    print(line.encode("utf-8", "replace").decode(), flush=True)


def _say(words: str) -> None:
    _progress("")
    print(words.encode("utf-8", "replace").decode(), file=sys.stderr, flush=True)


def _progress(words: str) -> None:
    """One line that replaces itself, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 4096:
        raise argparse.ArgumentTypeError(f"{number} is not from 1 to 4096")
    return number


def _frames(text: str) -> int:
    number = int(text)
    if not 2 <= number <= 256:
        raise argparse.ArgumentTypeError(f"{number} is not from 2 to 256")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**53:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to {2**53 - 1}")
    return number


def _temperature(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 4:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 4")
    return number
