"""Defines the commands for an engine and its answers: frozen records, checked on arrival.

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
"""Urgencies of commands, most urgent first: changes of a running job, sound that plays, a control being dragged,
additions to a picture such as its surprise, single requests, the queue."""

PIECE = 0.02
"""Seconds of sound in one Sounded."""

LEAD = 8 * 2**14
"""Samples before a stretch of sound that may influence its price: the receptive field of the WaveNet with the most
layers."""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="is"):
    """Is the base of every message."""


class Command(Message, frozen=True, kw_only=True):
    """Asks something of the engine; `job` identifies it in every answer.

    `hand` names the control that asks. A newer command with the same `hand` replaces the older one, which then ends
    as `Stopped`. A command with an empty `hand` replaces none.
    """

    urgency: ClassVar[int] = ASKED
    job: Job
    hand: Annotated[str, Meta(max_length=64)] = ""


class Event(Message, frozen=True, kw_only=True):
    """Reports something from the engine."""


class Answer(Event, frozen=True, kw_only=True):
    """Reports something about a job."""

    job: Job


# ── what may be asked ────────────────────────────────────────────────────────────────────────────


class Draw(Command, frozen=True, kw_only=True):
    """Make pictures."""

    model: Name
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=4096)]
    temperature: tuple[Temperature, ...] = (1.0,)
    """One number, or one for each scale of the model, from coarse to fine."""
    heat: Array | None = None
    """(height, width) float32, 0 to 4: the factor of the temperature at each pixel, for a model that draws pixel by
    pixel. The product is at most 4."""
    label: Count | None = None
    mix: Annotated[str, Meta(max_length=200)] = ""
    """A second model of the same shape and levels; both must draw pixel by pixel. Empty for none."""
    share: Share = 0.5
    """How much the second model decides."""
    shares: Array | None = None
    """(height, width) float32, 0 to 1: the factor of the share at each pixel."""
    doubt: bool = False
    """Whether to report the entropy of each pixel before it was drawn, for a model that draws pixel by pixel."""


class Sample(Draw, frozen=True, kw_only=True, tag="sample"):
    """Make one picture for each seed. Answers: Drawn …, then one ending."""


class Complete(Draw, frozen=True, kw_only=True, tag="complete"):
    """Replace a part of a picture for each seed and keep the rest. Answers: as for Sample.

    `following` is set if a pixel that is kept comes after the first one that is made.
    """

    picture: Array
    """(height, width, channels) uint8, in the model's own shape."""
    free: Array
    """(height, width) uint8: above 0 in the part that is replaced."""


class Explore(Command, frozen=True, kw_only=True, tag="explore"):
    """Make one picture from a starting point and sliders. Answers: Shown, then one ending.

    z = temperature · start + Σ slider · direction. The start is the noise of `seed`, or `latent` if a picture was
    opened.
    """

    urgency: ClassVar[int] = HAND
    model: Name
    seed: Seed = 0
    latent: Array | None = None
    sliders: Annotated[tuple[Slider, ...], Meta(max_length=64)] = ()
    temperature: tuple[Temperature, ...] = (1.0,)
    label: Count | None = None


class Point(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describes an end of a path, with the fields of Explore but without the model."""

    seed: Seed = 0
    latent: Array | None = None
    sliders: Annotated[tuple[Slider, ...], Meta(max_length=64)] = ()
    temperature: tuple[Temperature, ...] = (1.0,)
    label: Count | None = None


class Path(Command, frozen=True, kw_only=True, tag="path"):
    """Make artworks along the way between two latents, including both ends. Answers: Drawn …, then one ending."""

    model: Name
    begin: Point
    end: Point
    frames: Annotated[int, Meta(ge=2, le=256)] = 64


class Encode(Command, frozen=True, kw_only=True, tag="encode"):
    """Compute the latent of an artwork and whether decoding restores it. Answers: Encoded, then one ending."""

    model: Name
    picture: Array
    """(height, width, channels) uint8, or (samples,) int16, in the model's own shape."""
    label: Count | None = None


class Steer(Command, frozen=True, kw_only=True, tag="steer"):
    """Change the settings of a running Sample, Complete or Perform. Answers: one ending.

    A Sample or Complete changes from its next row of pixels on, a Perform from its next sample on, and a model that
    makes whole pictures with its next group. Fields that are None stay unchanged. A waiting job changes when it
    begins; a job that has ended is ignored. If the model cannot change, this command fails and the job continues.
    """

    urgency: ClassVar[int] = STEERING
    running: Job
    """The job to change; `job` identifies this command itself."""
    temperature: tuple[Temperature, ...] | None = None
    heat: Array | None = None
    """As in Draw; all ones to give every pixel the same temperature again."""
    share: Share | None = None
    shares: Array | None = None
    doubt: bool | None = None
    """As in Draw, for the pixels drawn from now on."""
    label: Count | None = None
    """The class, for a Perform."""
    until: Annotated[float, Meta(ge=0.0)] | None = None
    """As in Perform."""
    curve: Array | None = None
    """As in Perform; it replaces the temperature or the earlier curve."""
    seed: Seed | None = None
    """Another seed for a Perform; its noise continues at the same sample."""
    again: Count | None = None
    """The first sample of a Perform that is replaced. The samples sent after the end of this command begin there."""
    instead: bool = False
    """Whether the previous change of a Perform came too late. It is then undone, even if this command fails."""


class Score(Command, frozen=True, kw_only=True, tag="score"):
    """Price an artwork under a model, as a whole and at each place. Answers: Scored, then one ending."""

    urgency: ClassVar[int] = BESIDE
    model: Name
    picture: Array
    """As in Encode."""
    label: Count | None = None


class Price(Command, frozen=True, kw_only=True, tag="price"):
    """Compute the bits of each sample of a stretch of a recording. Answers: Priced …, then one ending.

    The time it takes depends on the length of the stretch, not on its position in the recording.
    """

    urgency: ClassVar[int] = QUEUED
    model: Name
    """A model of recordings."""
    sound: Array
    """(samples,) int16 at the model's rate: the stretch, and up to LEAD samples before it."""
    first: Count = 0
    """The first sample of the stretch. If it equals the length of the sound, only the class is reported."""
    label: Count | None = None
    """The class; None for the one under which the last second of the sound is likeliest."""


class Join(Command, frozen=True, kw_only=True, tag="join"):
    """Look near the ends of a loop for the ends whose join costs least. Answers: Joined, then one ending."""

    model: Name
    """A model of recordings."""
    sound: Array
    """(samples,) int16 at the model's rate."""
    begin: Count
    """The first sample that is repeated."""
    end: Count
    """The sample after the last one that is repeated."""
    seed: Seed = 0
    """The seed of the sound, which draws the class if no label is given."""
    label: Count | None = None


class Perform(Command, frozen=True, kw_only=True, tag="perform"):
    """Make one sound piece by piece while the user hears it and may change it. Answers: Sounded …, then one ending.

    A seed always makes the same sound, except for changes by Steer. Samples are counted from the first one that is
    made.
    """

    urgency: ClassVar[int] = PLAYING
    model: Name
    """A model of recordings."""
    seed: Seed
    seconds: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
    """The length in seconds; None: until the job is stopped."""
    temperature: Temperature = 1.0
    curve: Array | None = None
    """(points, 2) float64 in place of the temperature: seconds of the sound, never falling, and the temperature there,
    0 to 4. It is linear between two points; two points at the same second are a step."""
    label: Count | None = None
    begin: Array | None = None
    """(samples,) int16 at the model's rate: the sound to continue; these samples are not sent back."""
    until: Annotated[float, Meta(ge=0.0)] | None = None
    """How many seconds may be made until a Steer allows more; None: no limit."""
    mix: Annotated[str, Meta(max_length=200)] = ""
    """A second model of the same rate and levels, empty for none. One of the two is drawn at random for each sample."""
    share: Share = 0.5
    """How often the second model is drawn."""


class Train(Command, frozen=True, kw_only=True, tag="train"):
    """Learn a model from a folder or a pack. Answers: Learned …, then one ending."""

    urgency: ClassVar[int] = QUEUED
    source: Text
    run: Text
    """The folder of the run: recipe, curve, checkpoints; an existing one is resumed."""
    out: Text = ""
    """The folder for the trained model; empty: the user's own models."""
    study: dict[str, Any]
    """A `studio.engine.study.Study` as returned by `msgspec.to_builtins`: what is learned, and how."""


class Evaluate(Command, frozen=True, kw_only=True, tag="evaluate"):
    """Measure a model on the test artworks of a folder or a pack. Answers: Measured …, then one ending."""

    urgency: ClassVar[int] = QUEUED
    model: Name
    source: Text
    draws: Annotated[int, Meta(ge=1, le=1024)] = 4
    """The number of draws of a flow's dequantisation noise."""
    most: Annotated[int, Meta(ge=1)] | None = None
    """The most artworks to measure, the first of the test set; None: all."""
    spread: bool = False
    """Whether to report the distribution of the test artworks' prices instead of the figures."""


class Stop(Command, frozen=True, kw_only=True, tag="stop"):
    """End the job `job`, waiting or running. It takes effect between two steps."""

    urgency: ClassVar[int] = PLAYING


class Doctor(Command, frozen=True, kw_only=True, tag="doctor"):
    """Examine the engine's computer. Answers: Diagnosis, then one ending."""


# ── what the engine answers ──────────────────────────────────────────────────────────────────────


class Starting(Event, frozen=True, kw_only=True, tag="starting"):
    """Reports that the process runs and is loading; commands may already be sent."""

    protocol: int = PROTOCOL
    version: str = __version__


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """Reports that the engine is loaded."""

    device: str
    """The device in words: `Processor, 2 threads`."""
    families: dict[str, Any] = {}
    """The hyperparameters of the zoo's families."""
    preparing: tuple[str, ...] = ()
    """As `loops` in Preparing."""


class Preparing(Event, frozen=True, kw_only=True, tag="preparing"):
    """Reports which loops are not compiled yet; until they are, torch does the same work more slowly.

    `pixels` draws pictures pixel by pixel; `sound` and `two sounds` play.
    """

    loops: tuple[str, ...]


class Pulse(Event, frozen=True, kw_only=True, tag="pulse"):
    """Reports twice a second how many steps were taken since the start, and the running job.

    If `steps` does not grow while a `job` runs, the engine hangs.
    """

    steps: Count
    job: str | None = None


class Drawn(Answer, frozen=True, kw_only=True, tag="drawn"):
    """Carries pictures of a batch, from number `first` on, as far as they are drawn; finished when done == total."""

    first: Count
    pictures: Array
    done: Count
    total: Count
    log_prob: tuple[float, ...] | None = None
    """Log-probability of each picture in nats, once finished."""
    labels: tuple[Count, ...] | None = None
    """The class of each picture, once finished, for a model with classes."""
    following: tuple[float, ...] | None = None
    """For a finished Complete: the log-probability in nats of the kept pixels after the first new one, each given all
    before it. It measures how well a completion fits what follows."""
    temperature: tuple[Temperature, ...] | None = None
    """Once finished, if the job was steered: the temperature with which these pictures began."""
    heat: Array | None = None
    """Once finished, if it varied: (height, width) float32, the temperature at which each pixel was drawn. A Sample
    with a `temperature` of 1 and this `heat` makes the same pictures again."""
    share: Share | None = None
    shares: Array | None = None
    """The same for the share, if two models are mixed. `log_prob` is under the mixture as it was drawn."""
    doubt: Array | None = None
    """If requested: (n, rows drawn, width) float32, the entropy of each pixel in bits just before it was drawn, at its
    temperature: the sum over its colours, each given those before it. NaN for pixels that are kept or that were drawn
    before the request."""


class Sounded(Answer, frozen=True, kw_only=True, tag="sounded"):
    """Carries the next piece of a Perform, from sample `first` on."""

    first: Count
    samples: Array
    """(n,) int16."""
    bits: Array
    """(n,) float32: -log2 of the probability of each sample at a temperature of 1, given all before it."""
    speed: float
    """Seconds of sound made in one second of work, recently; 0 while the fast loop is being compiled."""


class Shown(Answer, frozen=True, kw_only=True, tag="shown"):
    """Carries the result of an Explore: (height, width, channels) uint8, or (samples,) int16."""

    picture: Array


class Encoded(Answer, frozen=True, kw_only=True, tag="encoded"):
    """Carries the latent of an artwork. Decoding changed `differing` of `total` levels, by at most `largest`.

    `exact`: no level changed. `bits`: the price of the artwork. `bound`: this price is an upper bound.
    """

    latent: Array
    label: Count | None = None
    """The class assumed for it, for a model with classes."""
    exact: bool
    differing: Count
    total: Count
    largest: Count
    bits: float
    bound: bool


class Scored(Answer, frozen=True, kw_only=True, tag="scored"):
    """Carries the price of an artwork: ln p in nats, and the bits of each place (height, width) or (samples,), float32.

    `bound`: ln p is a lower bound. Costs of the artwork as a whole are divided among its places.
    """

    log_prob: float
    bits: Array
    bound: bool
    label: Count | None = None
    """The class assumed for it, for a model with classes."""


class Priced(Answer, frozen=True, kw_only=True, tag="priced"):
    """Carries the next piece of a Price: the bits (n,) float32 of its samples from number `first` on."""

    first: Count
    bits: Array
    label: Count | None = None
    """The class assumed for it, for a model with classes."""


class Joined(Answer, frozen=True, kw_only=True, tag="joined"):
    """Carries the loop with the likeliest join of all that were tried."""

    begin: Count
    end: Count
    bits: float
    """How many more bits the samples after the join cost there than at their own place."""
    before: float
    """The same for the loop in the request."""
    tried: Count


class Learned(Answer, frozen=True, kw_only=True, tag="learned"):
    """Reports the progress of a training. Losses are in bits per dimension; `held_out` is set if just measured."""

    step: Count
    steps: Count
    loss: float
    held_out: float | None = None
    rate: float = 0.0
    """Pictures, or seconds of sound, processed in a second."""
    seconds_left: float = 0.0


class Measured(Answer, frozen=True, kw_only=True, tag="measured"):
    """Reports how many artworks were measured, and at the end the figures."""

    done: Count
    total: Count
    figures: tuple[tuple[Text, float, bool], ...] = ()
    """Each figure: its name, its value, and whether it is exact."""
    spread: tuple[float, ...] = ()
    """The distribution of prices as on the card, if requested."""


class Diagnosis(Answer, frozen=True, kw_only=True, tag="diagnosis"):
    """Carries the findings of Doctor."""

    findings: tuple[tuple[str, bool, str], ...]
    """For each thing examined: its name, whether it is fine, the finding."""


class Notice(Answer, frozen=True, kw_only=True, tag="notice"):
    """Carries a message for the user while the job continues."""

    text: Text


class Finished(Answer, frozen=True, kw_only=True, tag="finished"):
    """Reports that the job is done."""

    seconds: float = 0.0


class Stopped(Answer, frozen=True, kw_only=True, tag="stopped"):
    """Reports that the job was stopped, or replaced by a newer one with the same `hand`."""


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """Reports that the job failed: what happened, and what to do. `job` is empty if it is unknown."""

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
    """Return msgspec's error as part of a sentence: `Expected int >= 0 - at $.seeds[0]` → field and fault."""
    fault, _, place = str(error).partition(" - at ")
    field = place.strip("`").removeprefix("$.").removeprefix("$")
    return f"{field}: {fault[0].lower()}{fault[1:]}" if field else fault[0].lower() + fault[1:]
