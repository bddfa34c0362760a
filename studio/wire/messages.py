"""What may be asked of an engine, and what it answers: frozen records, checked on arrival.

A picture travels as `(n, height, width, channels)` uint8, a sound as `(n, samples)` int16, a latent as
`(*latent_shape)` float32 or float64. Seeds are whole numbers from 0 to 2**53 - 1, so that JSON keeps
them exact everywhere.
"""

from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from studio import __version__

PROTOCOL = 1

Array = np.ndarray[Any, Any]
Job = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=20_000)]
Seed = Annotated[int, Meta(ge=0, lt=2**53)]
Count = Annotated[int, Meta(ge=0)]
Temperature = Annotated[float, Meta(ge=0.0, le=4.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Slider = Annotated[float, Meta(ge=-16.0, le=16.0)]

STEERING, PLAYING, HAND, BESIDE, ASKED, QUEUED = range(6)
"""How urgent a command is: what a hand changes of something under way, sound that plays, what a hand is dragging, what
is shown beside a picture, what was asked for, the queue."""

PIECE = 0.02
"""Seconds of sound of one Sounded."""

LEAD = 8 * 2**14
"""Samples before a stretch of sound that may decide what it costs: the WaveNet with the most layers reaches so far."""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="is"):
    """The ground of every message."""


class Command(Message, frozen=True, kw_only=True):
    """Something asked of the engine; `job` names it in every answer.

    `hand` names the control that asks. A newer command of the same hand replaces the older one,
    which then ends as `Stopped`. An empty `hand` replaces nothing.
    """

    urgency: ClassVar[int] = ASKED
    job: Job
    hand: Annotated[str, Meta(max_length=64)] = ""


class Event(Message, frozen=True, kw_only=True):
    """Something the engine says."""


class Answer(Event, frozen=True, kw_only=True):
    """Something it says of a job."""

    job: Job


# ── what may be asked ────────────────────────────────────────────────────────────────────────────


class Draw(Command, frozen=True, kw_only=True):
    """Make pictures."""

    model: Name
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=4096)]
    temperature: tuple[Temperature, ...] = (1.0,)
    """One number, or one for each scale of the model, from coarse to fine."""
    heat: Array | None = None
    """(height, width) float32, 0 to 4: what the temperature is multiplied by at each pixel, in a model that draws pixel
    by pixel. What would be above 4 is 4."""
    label: Count | None = None
    mix: Annotated[str, Meta(max_length=200)] = ""
    """A second model of the same shape and levels, both of them drawing pixel by pixel; empty for none."""
    share: Share = 0.5
    """How much the second model decides."""
    shares: Array | None = None
    """(height, width) float32, 0 to 1: what the share is multiplied by at each pixel."""
    doubt: bool = False
    """Whether to say how open each pixel was before it was drawn, of a model that draws pixel by pixel."""


class Sample(Draw, frozen=True, kw_only=True, tag="sample"):
    """Make one picture for each seed. Answers: Drawn …, then one ending."""


class Complete(Draw, frozen=True, kw_only=True, tag="complete"):
    """Make a part of a picture anew for each seed and keep the rest as it is. Answers: as for Sample, with `following`
    where something that is kept comes after the first pixel that is made."""

    picture: Array
    """(height, width, channels) uint8, in the model's own shape."""
    free: Array
    """(height, width) uint8, above 0 where it is to be made anew."""


class Explore(Command, frozen=True, kw_only=True, tag="explore"):
    """One picture from a starting point and sliders. Answers: Shown, then one ending.

    z = temperature · start + Σ slider · direction; the start is the noise of `seed`, or `latent`
    where a picture was opened.
    """

    urgency: ClassVar[int] = HAND
    model: Name
    seed: Seed = 0
    latent: Array | None = None
    sliders: Annotated[tuple[Slider, ...], Meta(max_length=64)] = ()
    temperature: tuple[Temperature, ...] = (1.0,)
    label: Count | None = None


class Point(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a path begins or ends: what an Explore says, without the model."""

    seed: Seed = 0
    latent: Array | None = None
    sliders: Annotated[tuple[Slider, ...], Meta(max_length=64)] = ()
    temperature: tuple[Temperature, ...] = (1.0,)
    label: Count | None = None


class Path(Command, frozen=True, kw_only=True, tag="path"):
    """Artworks along the way between two latents, both ends among them. Answers: Drawn …, then one ending."""

    model: Name
    begin: Point
    end: Point
    frames: Annotated[int, Meta(ge=2, le=256)] = 64


class Encode(Command, frozen=True, kw_only=True, tag="encode"):
    """The latent of an artwork and whether all its levels come back. Answers: Encoded, then one ending."""

    model: Name
    picture: Array
    """(height, width, channels) uint8, or (samples,) int16, in the model's own shape."""
    label: Count | None = None


class Steer(Command, frozen=True, kw_only=True, tag="steer"):
    """Change what a Sample or a Complete draws by, from the next row of pixels on, or what a Perform makes, from the
    next sample on. Answers: one ending.

    What is None stays as it is. A model that makes the whole picture at once obeys with its next group. A job that
    waits obeys once it begins; one that is over is passed over. Where the model cannot obey, this fails and the job
    goes on as it was.
    """

    urgency: ClassVar[int] = STEERING
    running: Job
    """The job that is steered; `job` is the name of this command itself."""
    temperature: tuple[Temperature, ...] | None = None
    heat: Array | None = None
    """As of Draw; ones where no pixel is to differ any more."""
    share: Share | None = None
    shares: Array | None = None
    doubt: bool | None = None
    """As of Draw, of what is drawn from now on."""
    label: Count | None = None
    """The kind, of a Perform."""
    until: Annotated[float, Meta(ge=0.0)] | None = None
    """As of Perform."""
    curve: Array | None = None
    """As of Perform, in place of its temperature or the curve it had."""
    seed: Seed | None = None
    """Of a Perform: another seed, whose noise goes on where the other's is left."""
    again: Count | None = None
    """The sample of a Perform from which it is made anew by what is asked here. What it says once this command has
    ended begins there."""
    instead: bool = False
    """Whether the change of a Perform before this one came too late: all is as though it had not been asked, also where
    this command fails."""


class Score(Command, frozen=True, kw_only=True, tag="score"):
    """The price of an artwork under a model, whole and by its places. Answers: Scored, then one ending."""

    urgency: ClassVar[int] = BESIDE
    model: Name
    picture: Array
    """As of Encode."""
    label: Count | None = None


class Price(Command, frozen=True, kw_only=True, tag="price"):
    """The bits of each sample of a stretch of a recording, piece by piece. Answers: Priced …, then one ending.

    The time it takes depends on the length of the stretch, not on where in the recording that lies.
    """

    urgency: ClassVar[int] = QUEUED
    model: Name
    """One that makes recordings."""
    sound: Array
    """(samples,) int16 at the model's rate: the stretch, and LEAD samples before it, or all that there are."""
    first: Count = 0
    """The first sample of the stretch. Where it is the length of the sound, only the kind is told."""
    label: Count | None = None
    """None: the kind under which the last second of the sound is likeliest, in a model that knows kinds."""


class Join(Command, frozen=True, kw_only=True, tag="join"):
    """Look near the ends of a loop for ends whose join costs least. Answers: Joined, then one ending."""

    model: Name
    """One that makes recordings."""
    sound: Array
    """(samples,) int16 at the model's rate."""
    begin: Count
    """The first sample that is repeated."""
    end: Count
    """The one after the last."""
    seed: Seed = 0
    """Of the sound: where no label is given, it draws the kind."""
    label: Count | None = None


class Perform(Command, frozen=True, kw_only=True, tag="perform"):
    """Make one sound, with or without an end, piece by piece, for somebody who hears it meanwhile and may change it.
    Answers: Sounded …, then one ending.

    A seed makes the same sound for whoever asks, but for what Steer changes on the way. Samples are counted from the
    first one that is made.
    """

    urgency: ClassVar[int] = PLAYING
    model: Name
    """One that makes recordings."""
    seed: Seed
    seconds: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
    """None: until it is stopped."""
    temperature: Temperature = 1.0
    curve: Array | None = None
    """(points, 2) float64 in place of the temperature: seconds of what is made, never falling, and the temperature
    there, 0 to 4. Between two points it goes straight from one to the other; two of one second are a step."""
    label: Count | None = None
    begin: Array | None = None
    """(samples,) int16 at the model's rate, to go on from; they are not sent back."""
    until: Annotated[float, Meta(ge=0.0)] | None = None
    """How many seconds may be made until a Steer allows more. None: as fast as it goes."""
    mix: Annotated[str, Meta(max_length=200)] = ""
    """A second model of the same rate and levels: which of the two draws a sample is thrown anew each time. Empty for
    none."""
    share: Share = 0.5
    """How often the second one draws."""


class Train(Command, frozen=True, kw_only=True, tag="train"):
    """Learn a model from a folder or a pack. Answers: Learned …, then one ending."""

    urgency: ClassVar[int] = QUEUED
    source: Text
    run: Text
    """The folder of the run: recipe, curve, checkpoints; an existing one is resumed."""
    out: Text = ""
    """The folder the trained model goes to; empty: the person's own models."""
    study: dict[str, Any]
    """What is to be learned and how, as `msgspec.to_builtins` gives a `studio.engine.study.Study`."""


class Evaluate(Command, frozen=True, kw_only=True, tag="evaluate"):
    """Every held-out figure of a model on the test artworks of a folder or a pack. Answers: Measured …, then one
    ending."""

    urgency: ClassVar[int] = QUEUED
    model: Name
    source: Text
    draws: Annotated[int, Meta(ge=1, le=1024)] = 4
    """Of a flow's dequantising noise."""
    most: Annotated[int, Meta(ge=1)] | None = None
    """Artworks to measure on; the first of the test set."""
    spread: bool = False
    """Instead of the figures, how the prices of the test artworks are spread."""


class Stop(Command, frozen=True, kw_only=True, tag="stop"):
    """End the job named `job`, waiting or running; heard between two steps."""

    urgency: ClassVar[int] = PLAYING


class Doctor(Command, frozen=True, kw_only=True, tag="doctor"):
    """What the engine's machine has. Answers: Diagnosis, then one ending."""


# ── what the engine answers ──────────────────────────────────────────────────────────────────────


class Starting(Event, frozen=True, kw_only=True, tag="starting"):
    """The process lives and is loading; commands may be sent already."""

    protocol: int = PROTOCOL
    version: str = __version__


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """Loaded; `device` in words for people (`Processor, 2 threads`), `families` the zoo's forms, `preparing` as in
    Preparing."""

    device: str
    families: dict[str, Any] = {}
    preparing: tuple[str, ...] = ()


class Preparing(Event, frozen=True, kw_only=True, tag="preparing"):
    """Of the loops that this computer has to compile once, those which are still to come: `pixels` draws pictures pixel
    by pixel, `sound` and `two sounds` play. Until they are there, torch does the same more slowly."""

    loops: tuple[str, ...]


class Pulse(Event, frozen=True, kw_only=True, tag="pulse"):
    """Twice a second: how many steps were taken since the start and which job is at work.

    An engine whose `steps` stand still while a `job` is at work hangs.
    """

    steps: Count
    job: str | None = None


class Drawn(Answer, frozen=True, kw_only=True, tag="drawn"):
    """Some pictures of a batch as far as they are: those from `first` on; finished when done == total."""

    first: Count
    pictures: Array
    done: Count
    total: Count
    log_prob: tuple[float, ...] | None = None
    """Nats of each picture, once finished."""
    labels: tuple[Count, ...] | None = None
    """The kind of each picture, once finished, of a model that knows kinds."""
    following: tuple[float, ...] | None = None
    """Of a Complete once finished: nats of the kept pixels that come after the first one that was made, each given all
    before it: how well a completion leads on to what follows."""
    temperature: tuple[Temperature, ...] | None = None
    """Once finished, and where the job was steered: what these pictures began with."""
    heat: Array | None = None
    """Once finished: the temperature (height, width) float32 that each pixel was drawn at, where not all had the same.
    With a `temperature` of 1 and this `heat` a Sample makes the same pictures again."""
    share: Share | None = None
    shares: Array | None = None
    """The same of the share, of a job that mixes two models. `log_prob` is under the mixture as it was drawn."""
    doubt: Array | None = None
    """Where it was asked for: (n, rows drawn, width) float32, exact bits of how open each pixel was just before it was
    drawn, at the temperature it was drawn at: the entropies of its colours, each given those before it. NaN where a
    pixel is kept, or was drawn before that was asked for."""


class Sounded(Answer, frozen=True, kw_only=True, tag="sounded"):
    """The next piece of a Perform: (n,) int16 from sample `first` on, and the bits of each (n,) float32: -log2 of its
    probability at a temperature of 1, given all before it."""

    first: Count
    samples: Array
    bits: Array
    speed: float
    """Seconds of sound that are made in a second of work, of late; 0 while the fast loop is still being compiled."""


class Shown(Answer, frozen=True, kw_only=True, tag="shown"):
    """What an Explore asked for; (height, width, channels) uint8, or (samples,) int16."""

    picture: Array


class Encoded(Answer, frozen=True, kw_only=True, tag="encoded"):
    """Latent of a picture; `differing` of `total` levels came back different, by `largest` at most.

    `exact` says that none did. `bits` prices the picture; `bound` that the price is an upper bound.
    """

    latent: Array
    label: Count | None = None
    """The kind it was taken for, of a model that knows kinds."""
    exact: bool
    differing: Count
    total: Count
    largest: Count
    bits: float
    bound: bool


class Scored(Answer, frozen=True, kw_only=True, tag="scored"):
    """The price of an artwork: ln p in nats, and the bits of each place (height, width) or (samples,), float32.

    `bound`: ln p may be higher, and each place bears a share of what only the whole has.
    """

    log_prob: float
    bits: Array
    bound: bool
    label: Count | None = None
    """The kind it was taken for, of a model that knows kinds."""


class Priced(Answer, frozen=True, kw_only=True, tag="priced"):
    """The next piece of a Price: the bits (n,) float32 of the samples from number `first` of its sound on."""

    first: Count
    bits: Array
    label: Count | None = None
    """The kind it was taken for, of a model that knows kinds."""


class Joined(Answer, frozen=True, kw_only=True, tag="joined"):
    """The loop whose join is likeliest of all that were tried, and by how many bits what follows it is dearer than
    where it stands; and the same of the loop that was asked about."""

    begin: Count
    end: Count
    bits: float
    before: float
    tried: Count


class Learned(Answer, frozen=True, kw_only=True, tag="learned"):
    """Training goes on. Losses in bits per dimension; `held_out` only where it was just measured."""

    step: Count
    steps: Count
    loss: float
    held_out: float | None = None
    rate: float = 0.0
    """Pictures or seconds of sound learned from, each second."""
    seconds_left: float = 0.0


class Measured(Answer, frozen=True, kw_only=True, tag="measured"):
    """How many artworks are measured; at the end every figure: what is counted, its value, whether it is exact."""

    done: Count
    total: Count
    figures: tuple[tuple[Text, float, bool], ...] = ()
    spread: tuple[float, ...] = ()
    """As on the card, where that was asked for."""


class Diagnosis(Answer, frozen=True, kw_only=True, tag="diagnosis"):
    """One line for each thing looked at: what, whether it is fine, the finding."""

    findings: tuple[tuple[str, bool, str], ...]


class Notice(Answer, frozen=True, kw_only=True, tag="notice"):
    """Something a person should know while the job goes on."""

    text: Text


class Finished(Answer, frozen=True, kw_only=True, tag="finished"):
    """The job is done."""

    seconds: float = 0.0


class Stopped(Answer, frozen=True, kw_only=True, tag="stopped"):
    """The job was stopped, or replaced by a newer one of the same hand."""


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """The job ended by a fault: what happened, and what to do. An empty `job`: no job could be told."""

    job: Annotated[str, Meta(max_length=64)]
    why: Text
    hint: Text = ""


AnyCommand = (
    Sample
    | Explore
    | Path
    | Encode
    | Complete
    | Steer
    | Price
    | Join
    | Perform
    | Score
    | Train
    | Evaluate
    | Stop
    | Doctor
)
AnyEvent = (
    Starting
    | Ready
    | Preparing
    | Pulse
    | Drawn
    | Sounded
    | Shown
    | Encoded
    | Scored
    | Priced
    | Joined
    | Learned
    | Measured
    | Diagnosis
    | Notice
    | Finished
    | Stopped
    | Failed
)
Ending = Finished | Stopped | Failed


def describe(error: msgspec.ValidationError) -> str:
    """msgspec's finding as part of a sentence: `Expected int >= 0 - at $.seeds[0]` → field and fault."""
    fault, _, place = str(error).partition(" - at ")
    field = place.strip("`").removeprefix("$.").removeprefix("$")
    return f"{field}: {fault[0].lower()}{fault[1:]}" if field else fault[0].lower() + fault[1:]
