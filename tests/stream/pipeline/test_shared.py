"""Streams that take their channels from one source: one count of samples, and each stream's trouble its own."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.stream.sources.scripted_source import SAMPLES, ScriptedSource, Step, fails, scripted_spec, then
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelMixer, ChannelSelection
from whoplays.stream.pipeline.engine import Engine, StreamRequest
from whoplays.stream.pipeline.faults import Faults
from whoplays.stream.pipeline.ingest import Ingest, Tap
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Prediction, ResultBuilder
from whoplays.stream.pubsub.messages import End, Gap, Message, Status, Window
from whoplays.stream.sources.base import SourceSpec

LEVELS = (0.5, 0.25, 0.125, 0.0625)
PER_CHANNEL_DBFS = (-6.02, -12.04, -18.06, -24.08)


def four_channels(seconds: float) -> Step:
    """Four constants, one a channel, ten times as fast as real time."""

    def step(source: ScriptedSource) -> Iterator[Block]:
        audio = np.repeat(np.array(LEVELS, np.float32)[:, None], SAMPLES, axis=1)
        for _ in range(round(seconds * 10)):
            if source.stopped.wait(0.01):
                return
            yield Block(audio, time.monotonic_ns())

    return step


def share(spec: SourceSpec) -> Ingest:
    return Ingest(spec, Faults("console", lambda *_: None), shared=True)


def request(name: str, source: Ingest, recognizer: Recognizer, *channels: int) -> StreamRequest:
    mixer = ChannelMixer(ChannelSelection(channels=channels or "all"), len(LEVELS))
    return StreamRequest(Tap(source, mixer), recognizer, StreamOptions(stream=name, hop_samples=44_100))


def run(engine: Engine, act: Callable[[Engine, list[Message]], bool]) -> list[Message]:
    """All messages; `act` is called after each one, until it says that it is done: then the engine is stopped."""
    messages: list[Message] = []
    done = False
    for message in engine.run():
        messages.append(message)
        if not done and act(engine, messages):
            done = True
            engine.stop()
    return messages


def windows(messages: list[Message], name: str) -> list[Window]:
    return [message for message in messages if isinstance(message, Window) and message.stream == name]


def statuses(messages: list[Message], name: str) -> list[Status]:
    return [message for message in messages if isinstance(message, Status) and message.stream == name]


def test_each_stream_has_its_channels_and_all_have_one_count(recognizer: Recognizer) -> None:
    engine, console = Engine(), share(scripted_spec([four_channels(60.0)]))
    chosen = {"left": (1, 1), "pair": (3, 4), "mono": (2,), "all": ()}
    engine.change([request(name, console, recognizer, *ch) for name, ch in chosen.items()], shared=[console])
    messages = run(
        engine, lambda _, found: all(any(status.level for status in statuses(found, name)) for name in chosen)
    )
    newest = {name: next(s for s in reversed(statuses(messages, name)) if s.level) for name in chosen}
    levels = {name: status.level.dbfs for name, status in newest.items() if status.level}
    average = 20 * np.log10(np.mean(LEVELS))
    pair = 10 * np.log10(np.mean(np.square(LEVELS[2:])))
    assert levels == pytest.approx({"left": -6.02, "pair": pair, "mono": -12.04, "all": average}, abs=0.01)
    assert len({status.source_session for status in newest.values()}) == 1
    assert {windows(messages, name)[0].start for name in chosen} == {0}
    assert not [message for message in messages if isinstance(message, Gap)]


def test_a_stream_that_comes_later_counts_as_the_source_does_and_nothing_happens_to_the_others(
    recognizer: Recognizer,
) -> None:
    engine, console = Engine(), share(scripted_spec([four_channels(60.0)]))
    engine.change([request("first", console, recognizer, 1)], shared=[console])
    stages = iter(("add", "leave", "back", "done"))
    stage = next(stages)

    def act(engine: Engine, found: list[Message]) -> bool:
        nonlocal stage
        if stage == "add" and len(windows(found, "first")) == 4:
            engine.change([request("second", console, recognizer, 2)], shared=[console])
            stage = next(stages)
        elif stage == "leave" and len(windows(found, "second")) == 2:
            engine.change([], ["first", "second"], [console])
            engine.change([request("third", console, recognizer, 3)], shared=[console])
            stage = next(stages)
        return len(windows(found, "third")) == 2

    messages = run(engine, act)
    assert {status.source_session for status in messages if isinstance(status, Status) and status.state == "listening"}
    ids = {status.source_session for name in ("first", "second", "third") for status in statuses(messages, name)[1:]}
    assert len(ids) == 1
    first, second, third = (windows(messages, name) for name in ("first", "second", "third"))
    assert [window.start for window in first] == [44_100 * k for k in range(len(first))]
    assert first[3].end - SAMPLES < second[0].start < third[0].start
    ends = {message.stream: message for message in messages if isinstance(message, End)}
    assert ends["second"].final < ends["first"].final
    assert not [message for message in messages if isinstance(message, Gap)]
    last = statuses(messages, "second")[-1]
    assert last.counters.elapsed_samples == last.counters.heard_samples == ends["second"].final


def test_what_goes_wrong_in_one_stream_costs_the_others_nothing(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = ResultBuilder.build

    def fail_once(builder: ResultBuilder, prediction: Prediction, queue: int) -> Iterator[Message]:
        if builder is broken and prediction.window.start:
            raise ZeroDivisionError("a mistake in the results")
        yield from build(builder, prediction, queue)

    monkeypatch.setattr(ResultBuilder, "build", fail_once)
    monkeypatch.setattr("whoplays.stream.pipeline.ingest.RESUME_S", 0.2)
    engine, console = Engine(on_fault=lambda *_: None), share(scripted_spec([four_channels(60.0)]))
    engine.change([request(name, console, recognizer, 1) for name in ("broken", "good")], shared=[console])
    started = engine.run()
    next(started)
    broken = engine._streams["broken"].session.results
    messages: list[Message] = []
    for message in started:
        messages.append(message)
        if len({window.session for window in windows(messages, "broken")}) == 2:
            engine.stop()
    good = windows(messages, "good")
    assert [window.start for window in good] == [44_100 * k for k in range(len(good))]
    assert not [message for message in messages if isinstance(message, Gap) and message.stream == "good"]
    # What the broken one did not process is in gaps, up to where it goes on.
    gaps = [message for message in messages if isinstance(message, Gap) and message.stream == "broken"]
    again = next(window for window in windows(messages, "broken") if window.session != gaps[0].session)
    assert gaps[0].start < gaps[-1].end <= again.start
    assert again.start - gaps[-1].end < 44_100


def test_a_loss_is_everybodys(recognizer: Recognizer) -> None:
    engine, console = Engine(), share(scripted_spec([then(four_channels(4.0), fails)], [four_channels(60.0)]))
    engine.change([request(name, console, recognizer, 1) for name in ("one", "two")], shared=[console])
    messages = run(
        engine, lambda _, found: all(len({w.session for w in windows(found, name)}) == 2 for name in ("one", "two"))
    )
    sources = [{status.source_session for status in statuses(messages, name)} for name in ("one", "two")]
    after = [windows(messages, name)[-1].start for name in ("one", "two")]
    assert after[0] % 44_100 == after[1] % 44_100 == 0
    assert len(sources[0] & sources[1]) == 2
    lost = [[gap.cause for gap in messages if isinstance(gap, Gap) and gap.stream == name] for name in ("one", "two")]
    assert set(lost[0]) == set(lost[1]) == {"device_lost"}
