"""Sound that streams equals a Sample's, follows edits at once, and stays within its limit."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from studio.density.autoregressive_sound import AutoregressiveSound, StreamingLogProb
from studio.density.sound_stream import TorchSampler
from studio.engine.__main__ import JobTable
from studio.engine.device import ComputeDevice
from studio.engine.events import Pause
from studio.engine.generation import sampling, sound_job
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, levels_of_sound, sound_of_levels
from studio.library.card import Card
from studio.wire import messages as wire
from studio.zoo.wavenet import WaveNet

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
RATE = 8000
PIECE = round(wire.CHUNK_SECONDS * RATE)


def of(
    recipe: Any, shape: tuple[int, ...], rate: int, kinds: tuple[str, ...] = (), salt: int = 0
) -> sampling.LoadedModel:
    torch.manual_seed(salt)
    model = recipe.build(shape).eval().requires_grad_(False)
    if kinds:
        for table in model.net.kinds:
            torch.nn.init.normal_(table)
    torch.nn.init.normal_(model.net.b, std=0.3)
    card = Card(
        name="hum", title="Hum", family="wavenet", family_title="WaveNet", subject="Hums", shape=shape, levels=256,
        recipe={}, training_data="", licence="", parameters=0, steps=0, value=0.0, exact=True, classes=kinds, date="",
        version="", medium="sound", sample_rate=rate,
    )  # fmt: skip
    return sampling.LoadedModel(card, "", model, torch.zeros(0), 1)


HUM = of(WaveNet(cycles=1, layers=6, channels=16, skip=16, classes=(2,)), (600,), RATE, ("Low", "High"))
BUZZ = of(WaveNet(cycles=1, layers=5, channels=8, skip=8, classes=(2,)), (600,), RATE, ("High", "Dry"), salt=1)
MODEL: Any = HUM.model


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> JobStarter:
    at_work = JobStarter(CPU)
    monkeypatch.setattr(at_work.model_cache, "get_model", lambda name: {"hum": HUM, "buzz": BUZZ}[name])
    return at_work


def command(**asked: Any) -> wire.StreamSound:
    return wire.StreamSound(**{"job": "a", "model": "hum", "seed": 5, "seconds": 0.2, "label": 1, **asked})


def sounded(events: Iterator[Any]) -> list[wire.SoundChunk]:
    return [event for event in events if isinstance(event, wire.SoundChunk)]


def whole(events: list[wire.SoundChunk]) -> np.ndarray:
    assert [event.first_sample for event in events] == np.cumsum(
        [0, *(len(event.samples) for event in events[:-1])]
    ).tolist()
    return np.concatenate([event.samples for event in events])


def decoded(samples: int, keep: np.ndarray | None = None, temperature: float = 1.0, label: int = 1) -> np.ndarray:
    z = MODEL.noise([5], samples)
    known = None
    if keep is not None:
        known = torch.full((1, samples), -1)
        known[0, : len(keep)] = levels_of_sound(keep, 256).long()
    *_, last = MODEL.decode_steps(z, torch.tensor([label]), temperature, known)
    return sound_of_levels(last.x, 256)[0]


def test_a_streamed_sound_is_the_seeds_sound_in_chunks_with_bits(jobs: JobStarter) -> None:
    events = sounded(jobs.start(command()))
    found = whole(events)
    np.testing.assert_array_equal(found, decoded(round(0.2 * RATE)))
    assert {len(event.samples) for event in events} == {PIECE}
    bits = np.concatenate([event.bits for event in events])
    x = levels_of_sound(found, 256)[None].long()
    np.testing.assert_allclose(bits, MODEL.surprisal(x, torch.tensor([1]))[0], rtol=1e-3, atol=1e-3)


def test_the_torch_sampler_gives_the_same_sound_while_the_kernel_compiles(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(sound_job._SamplerCompilation):
        def run(self) -> None:
            return

    monkeypatch.setattr(sound_job, "_SamplerCompilation", Slow)
    monkeypatch.setattr(sound_job, "COMPILE_WAIT_SECONDS", 0.01)
    events = jobs.start(command(seconds=0.1))
    first = next(event for event in events if isinstance(event, wire.SoundChunk))
    found = whole([first, *sounded(events)])
    np.testing.assert_array_equal(found, decoded(len(found)))


def test_the_compiled_sampler_takes_over_inaudibly_in_the_middle(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[sound_job._SamplerCompilation] = []

    class Late(sound_job._SamplerCompilation):
        def start(self) -> None:
            made.append(self)

    monkeypatch.setattr(sound_job, "_SamplerCompilation", Late)
    monkeypatch.setattr(sound_job, "COMPILE_WAIT_SECONDS", 0.0)
    events = jobs.start(command())
    begun = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(3)]
    made[0].run()
    rest = sounded(events)
    assert not any(event.speed for event in begun) and rest[-1].speed > 0
    found = whole([*begun, *rest])
    np.testing.assert_array_equal(found, decoded(len(found)))


def test_the_compiled_sampler_has_drawn_a_sample_before_it_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Counted(sound_job.MixtureSampler):
        def sample(self, z: torch.Tensor, *others: Any) -> torch.Tensor:
            sizes.append(z.shape[1])
            return super().sample(z, *others)

    monkeypatch.setattr(sound_job, "MixtureSampler", Counted)
    compilation = sound_job._SamplerCompilation((MODEL,), (torch.tensor([1]),), undo_samples=8)
    compilation.run()
    assert sizes == [1], "its loop is compiled by the first sample that it makes, while the user listens"
    assert compilation.sampler is not None and compilation.sampler.samplers[0].at == 0


def test_a_sound_continues_from_a_recording(jobs: JobStarter) -> None:
    past = (8000 * np.sin(np.arange(1500) / 9)).astype(np.int16)
    found = whole(sounded(jobs.start(command(sound_to_continue=past, seconds=0.1))))
    wanted = decoded(len(past) + len(found), past)[len(past) :]
    np.testing.assert_array_equal(found, wanted)
    assert not np.array_equal(found, decoded(len(found)))


def test_an_edit_changes_the_very_next_chunk(jobs: JobStarter) -> None:
    events = jobs.start(command())
    first = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(3)]
    list(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.0,))))
    cold = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(3)]
    list(jobs.start(wire.Adjust(job="c", running_job="a", label=0, temperature=(1.0,))))
    rest = sounded(events)
    found = whole([*first, *cold, *rest])
    even = decoded(round(0.2 * RATE))
    np.testing.assert_array_equal(found[: 3 * PIECE], even[: 3 * PIECE])
    heat = torch.ones(1, len(found))
    heat[:, 3 * PIECE :] = 0
    z = MODEL.noise([5], len(found))
    *_, step = MODEL.decode_steps(z, torch.tensor([1]), heat)
    np.testing.assert_array_equal(found[: 6 * PIECE], sound_of_levels(step.x, 256)[0][: 6 * PIECE])
    player = MODEL.make_sampler(torch.tensor([1]), 1)
    player.append(levels_of_sound(found[: 6 * PIECE], 256)[None].long())
    player.set_condition(torch.tensor([0]))
    wanted = sound_of_levels(player.sample(z[:, 6 * PIECE :], torch.ones(1, len(found) - 6 * PIECE)), 256)[0]
    np.testing.assert_array_equal(found[6 * PIECE :], wanted)


def test_a_stream_stops_at_its_limit_and_continues_when_more_is_allowed(jobs: JobStarter) -> None:
    events = jobs.start(command(seconds=None, allowed_seconds=0.07))
    made = []
    rested = 0
    while rested < 3:
        event = next(events)
        made += [event] if isinstance(event, wire.SoundChunk) else []
        rested = rested + 1 if isinstance(event, Pause) and made else 0
    assert len(whole(made)) == 3 * PIECE  # whole chunks, so that sound can be generated again from any of them
    list(jobs.start(wire.Adjust(job="b", running_job="a", allowed_seconds=0.1)))
    while sum(len(event.samples) for event in made) < 5 * PIECE:
        event = next(events)
        made += [event] if isinstance(event, wire.SoundChunk) else []
    assert isinstance(next(events), Pause)
    np.testing.assert_array_equal(whole(made), decoded(5 * PIECE))


def test_the_temperature_follows_a_curve(jobs: JobStarter) -> None:
    curve = np.array([[0.0, 1.0], [0.05, 0.0], [0.1, 0.0], [0.1, 2.0]])
    found = whole(sounded(jobs.start(command(temperature_curve=curve, temperature=3.0))))
    at = np.arange(len(found)) / RATE
    heat = np.interp(at, [0, 0.05, 0.1], [1.0, 0.0, 0.0]) + 2.0 * (at >= 0.1)
    *_, step = MODEL.decode_steps(MODEL.noise([5], len(found)), torch.tensor([1]), torch.from_numpy(heat[None]))
    np.testing.assert_array_equal(found, sound_of_levels(step.x, 256)[0])


def never_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch draw everything."""
    monkeypatch.setattr(sound_job._SamplerCompilation, "run", lambda self: None)
    monkeypatch.setattr(sound_job, "COMPILE_WAIT_SECONDS", 0.01)


@pytest.mark.parametrize("swift", [True, False])
@pytest.mark.parametrize("back", [1, 4])
def test_an_edit_generates_samples_again_that_are_not_heard_yet(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch, swift: bool, back: int
) -> None:
    if not swift:
        never_compiled(monkeypatch)
    events = jobs.start(command(label=0))
    first = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(5)]
    if not swift:
        next(events)  # a chunk is in progress and is discarded
    again = (5 - back) * PIECE
    list(jobs.start(wire.Adjust(job="b", running_job="a", label=1, from_sample=again, temperature=(0.5,))))
    new = sounded(events)
    assert new[0].first_sample == again and new[-1].first_sample + len(new[-1].samples) == round(0.2 * RATE)
    kept = np.concatenate([event.samples for event in first])[:again]
    z = MODEL.noise([5], round(0.2 * RATE))
    player = MODEL.make_sampler(torch.tensor([0]), 1)
    player.sample(z[:, :again], torch.ones(1, again))
    player.set_condition(torch.tensor([1]))
    wanted = sound_of_levels(player.sample(z[:, again:], torch.full((1, z.shape[1] - again), 0.5)), 256)[0]
    np.testing.assert_array_equal(np.concatenate([event.samples for event in new]), wanted)
    bits = np.concatenate([event.bits for event in new])
    price = StreamingLogProb(MODEL, torch.tensor([0]), 1)
    price.bits(levels_of_sound(kept, 256)[None].long())
    price.set_condition(torch.tensor([1]))
    np.testing.assert_allclose(bits, price.bits(levels_of_sound(wanted, 256)[None].long())[0], rtol=1e-3, atol=1e-3)


def test_another_seed_takes_over_without_a_gap(jobs: JobStarter) -> None:
    events = jobs.start(command())
    first = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(5)]
    list(jobs.start(wire.Adjust(job="b", running_job="a", seed=6, from_sample=3 * PIECE)))
    found = np.concatenate([*(event.samples for event in first[:3]), *(event.samples for event in sounded(events))])
    z = MODEL.noise([5, 6], len(found))
    z[0, 3 * PIECE :] = z[1, 3 * PIECE :]
    *_, step = MODEL.decode_steps(z[:1], torch.tensor([1]))
    np.testing.assert_array_equal(found, sound_of_levels(step.x, 256)[0])


def test_the_ending_of_an_adjust_separates_old_chunks_from_new_ones(jobs: JobStarter) -> None:
    """The window discards chunks that arrive before that ending, however busy the engine is."""
    said: list[Any] = []
    table = JobTable(SimpleNamespace(send=said.append), jobs.start)  # type: ignore[arg-type]
    table.add_command(command(seconds=0.5))
    while sum(isinstance(event, wire.SoundChunk) for event in said) < 4:
        table.step_most_urgent()
    table.add_command(wire.Adjust(job="b", running_job="a", from_sample=PIECE, temperature=(0.5,)))
    while len(table):
        table.step_most_urgent()
    ending = next(place for place, event in enumerate(said) if isinstance(event, wire.Finished) and event.job == "b")
    assert sum(isinstance(event, wire.SoundChunk) for event in said[:ending]) == 4  # no chunk comes in between
    after = [event for event in said[ending:] if isinstance(event, wire.SoundChunk)]
    assert after[0].first_sample == PIECE and after[-1].first_sample + len(after[-1].samples) == round(0.5 * RATE)


@pytest.mark.parametrize("swift", [True, False])
@pytest.mark.parametrize("made", [0, 2])
def test_a_late_change_is_made_later_as_if_it_were_the_first(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch, swift: bool, made: int
) -> None:
    """The late edit's own chunks are discarded with it."""
    if not swift:
        never_compiled(monkeypatch)
    events = jobs.start(command(label=0))
    first = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(5)]
    change = {"running_job": "a", "label": 1, "temperature": (0.5,), "seed": 6}
    list(jobs.start(wire.Adjust(job="b", from_sample=2 * PIECE, **change)))
    for _ in range(made):
        assert next(event for event in events if isinstance(event, wire.SoundChunk)).first_sample >= 2 * PIECE
    at = 4 * PIECE + PIECE // 2
    list(jobs.start(wire.Adjust(job="c", from_sample=at, replaces_late_edit=True, **change)))
    new = np.concatenate([event.samples for event in sounded(events)])
    kept = np.concatenate([event.samples for event in first])[:at]
    assert len(kept) + len(new) == round(0.2 * RATE)
    player = MODEL.make_sampler(torch.tensor([0]), 1)
    z = MODEL.noise([5, 6], at + len(new))
    np.testing.assert_array_equal(kept, sound_of_levels(player.sample(z[:1, :at], torch.ones(1, at)), 256)[0])
    player.set_condition(torch.tensor([1]))
    wanted = sound_of_levels(player.sample(z[1:, at:], torch.full((1, len(new)), 0.5)), 256)[0]
    np.testing.assert_array_equal(new, wanted)


def test_only_a_new_sound_uses_the_opening_temperature_of_its_card(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = whole(sounded(jobs.start(command(temperature=0.5))))
    begun = whole(sounded(jobs.start(command(sound_to_continue=cold))))
    hot = round(sampling.OPENING_SECONDS * RATE)
    card = msgspec.structs.replace(HUM.card, opening_temperature=2.0)
    other = sampling.LoadedModel(card, "", MODEL, torch.zeros(0), 1)
    monkeypatch.setattr(jobs.model_cache, "get_model", lambda name: other)
    opened = whole(sounded(jobs.start(command(temperature=0.5))))
    z = MODEL.noise([5], len(opened))
    heat = torch.full((1, len(opened)), 0.5)
    heat[:, :hot] = 2.0
    wanted = sound_of_levels(MODEL.make_sampler(torch.tensor([1]), 1).sample(z, heat), 256)[0]
    np.testing.assert_array_equal(opened, wanted)
    assert not np.array_equal(opened, cold)
    np.testing.assert_array_equal(whole(sounded(jobs.start(command(sound_to_continue=cold)))), begun)
    as_hot = whole(sounded(jobs.start(command(temperature=2.0))))
    np.testing.assert_array_equal(as_hot, decoded(len(as_hot), temperature=2.0))


def test_the_first_chunk_after_a_change_is_sent_sooner(jobs: JobStarter) -> None:
    events = jobs.start(command(seconds=0.5))
    for _ in range(4):
        next(event for event in events if isinstance(event, wire.SoundChunk))
    list(jobs.start(wire.Adjust(job="b", running_job="a", from_sample=2 * PIECE, temperature=(0.5,))))
    new = sounded(events)
    assert [len(event.samples) for event in new[:2]] == [round(sound_job.FIRST_CHUNK_SECONDS * RATE), PIECE]


def test_an_edit_far_back_processes_the_past_again(jobs: JobStarter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_job, "FAST_UNDO_SECONDS", 0.02)
    events = jobs.start(command())
    made = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(6)]
    list(jobs.start(wire.Adjust(job="b", running_job="a", from_sample=PIECE)))
    found = np.concatenate([made[0].samples, *(event.samples for event in sounded(events))])
    np.testing.assert_array_equal(found, decoded(round(0.2 * RATE)))


@pytest.mark.parametrize("swift", [True, False])
def test_two_models_are_mixed_at_a_share_that_can_change_live(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch, swift: bool
) -> None:
    if not swift:
        never_compiled(monkeypatch)
    asked = {"second_model": "buzz", "share": 0.0, "seconds": 0.16}
    events = jobs.start(command(**asked))
    first = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(3)]
    list(jobs.start(wire.Adjust(job="b", running_job="a", share=0.5)))
    half = [next(event for event in events if isinstance(event, wire.SoundChunk)) for _ in range(3)]
    list(jobs.start(wire.Adjust(job="c", running_job="a", share=1.0)))
    found = whole([*first, *half, *sounded(events)])
    np.testing.assert_array_equal(found[: 3 * PIECE], decoded(3 * PIECE))  # at a share of 0 only the first model draws

    # At a share of 1 only the second model draws. It received all of the sound as context, in its class of the same
    # name.
    player = BUZZ.model.make_sampler(torch.tensor([0]), 1)  # type: ignore[operator]
    player.append(levels_of_sound(found[: 6 * PIECE], 256)[None].long())
    z = MODEL.noise([5], len(found))
    wanted = sound_of_levels(player.sample(z[:, 6 * PIECE :], torch.ones(1, 2 * PIECE)), 256)[0]
    np.testing.assert_array_equal(found[6 * PIECE :], wanted)

    x = levels_of_sound(found, 256)[None].long()
    each = [m.surprisal(x, torch.tensor([c]))[0, 3 * PIECE : 6 * PIECE] for m, c in ((MODEL, 1), (BUZZ.model, 0))]
    mixture = -torch.log2((0.5 * 2.0 ** -each[0].double()) + 0.5 * 2.0 ** -each[1].double())
    bits = np.concatenate([event.bits for event in half])
    np.testing.assert_allclose(bits, mixture, rtol=1e-3, atol=1e-3)


def test_a_mixture_is_the_same_with_and_without_the_compiled_loop(
    jobs: JobStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"second_model": "buzz", "share": 0.4}
    swift = whole(sounded(jobs.start(command(**asked))))
    monkeypatch.setattr(sound_job._SamplerCompilation, "run", lambda self: None)
    monkeypatch.setattr(sound_job, "COMPILE_WAIT_SECONDS", 0.01)
    np.testing.assert_array_equal(whole(sounded(jobs.start(command(**asked)))), swift)
    assert not np.array_equal(swift, decoded(len(swift)))


def test_models_that_are_not_alike_cannot_be_mixed(jobs: JobStarter, monkeypatch: pytest.MonkeyPatch) -> None:
    other = of(WaveNet(cycles=1, layers=3, channels=8, skip=8), (600,), 2 * RATE)
    monkeypatch.setattr(jobs.model_cache, "get_model", lambda name: other if name == "other" else HUM)
    with pytest.raises(DoesNotFit, match='"Hum" has 8 kHz and 256 levels, and "Hum" has 16 kHz'):
        list(jobs.start(command(second_model="other")))


def test_the_first_sound_is_a_short_piece_and_not_all_of_it(jobs: JobStarter) -> None:
    first = next(event for event in jobs.start(command(seconds=None)) if isinstance(event, wire.SoundChunk))
    assert len(first.samples) == round(wire.CHUNK_SECONDS * RATE)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"temperature_map": np.ones((8, 8), np.float32)}, "no pixels"),
        ({"share": 0.5}, "no second model"),
        ({"temperature": (1.0, 0.5)}, "one temperature"),
        ({"label": 7}, "class"),
        ({"temperature_curve": np.array([[0.0, 5.0]])}, "between 0 and 4"),
        ({"temperature_curve": np.array([[1.0, 1.0], [0.5, 1.0]])}, "must not fall"),
        ({"temperature_curve": np.ones(3)}, "points, 2"),
        ({"from_sample": 10_000}, "generated again"),
    ],
)
def test_an_impossible_change_is_reported_and_playback_continues(
    jobs: JobStarter, asked: dict[str, Any], words: str
) -> None:
    events = jobs.start(command())
    first = next(event for event in events if isinstance(event, wire.SoundChunk))
    with pytest.raises(DoesNotFit, match=words):
        list(jobs.start(wire.Adjust(job="b", running_job="a", **asked)))
    np.testing.assert_array_equal(whole([first, *sounded(events)]), decoded(round(0.2 * RATE)))


def test_a_model_that_cannot_stream_is_refused(jobs: JobStarter, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DoesNotFit, match='"Rings" cannot stream sound'):
        list(JobStarter(CPU).start(wire.StreamSound(job="a", model=tiny, seed=0)))
    with pytest.raises(DoesNotFit, match="but must be"):
        list(jobs.start(command(sound_to_continue=np.zeros((3, 3), np.int16))))
    assert isinstance(HUM.model, AutoregressiveSound)
    assert not isinstance(HUM.model.make_sampler(torch.tensor([1]), 1), TorchSampler)
