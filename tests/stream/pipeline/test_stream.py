"""The messages about a source that is lost, stalls, restarts, and comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.stream.sources.scripted_source import (
    ScriptedSource,
    fails,
    gap,
    live,
    no_audio,
    restarts,
    scripted_spec,
    sound,
    then,
)
from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.pipeline.engine import Engine, StreamRequest
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Prediction, ResultBuilder
from whoplays.stream.pubsub.messages import End, Gap, Message, Status, Window
from whoplays.stream.sources.base import SourceSpec

SECOND = 44_100
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.pipeline.stream.HEARTBEAT_NS", 100_000_000)
    monkeypatch.setattr("whoplays.stream.pipeline.stream.STALLED_NS", 500_000_000)
    monkeypatch.setattr("whoplays.stream.pipeline.stream.SILENCE_TIMEOUT_NS", 1_500_000_000)
    monkeypatch.setattr("whoplays.stream.common.backoff.FIRST_PAUSE_S", 0.4)


def listen_until(
    enough: Callable[[list[Message]], bool], spec: SourceSpec, recognizer: Recognizer, hop_s: float = 1.0
) -> list[Message]:
    """Every message until there are enough, and the last ones."""
    engine = Engine()
    engine.add(spec, recognizer, StreamOptions(hop_samples=round(hop_s * SECOND)))
    messages: list[Message] = []
    deadline_s = time.monotonic() + PATIENCE_S
    for message in engine.run():
        messages.append(message)
        if enough(messages) or time.monotonic() > deadline_s:
            engine.stop()
    assert time.monotonic() < deadline_s, [status.state for status in statuses(messages)]
    return messages


def statuses(messages: list[Message]) -> list[Status]:
    return [message for message in messages if isinstance(message, Status)]


def gaps(messages: list[Message]) -> list[Gap]:
    return [message for message in messages if isinstance(message, Gap)]


def changes(messages: list[Message]) -> list[str]:
    """The states, each once in a row."""
    states = [status.state for status in statuses(messages)]
    return [state for k, state in enumerate(states) if not k or states[k - 1] != state]


def sessions(messages: list[Message]) -> Iterator[list[Message]]:
    for session in dict.fromkeys(message.session for message in messages):
        yield [message for message in messages if message.session == session]


def windows(count: int, session: int = 1) -> Callable[[list[Message]], bool]:
    """Whether so many windows came in that session, or a later one."""

    def enough(messages: list[Message]) -> bool:
        last = list(sessions(messages))
        found = sum(isinstance(message, Window) for message in last[-1])
        return len(last) >= session and found >= count

    return enough


def check_accounts(messages: list[Message]) -> None:
    """In every status: samples heard and samples in gaps are all that elapsed."""
    for status in statuses(messages):
        counters = status.counters
        assert counters.heard_samples + counters.lost_samples == counters.elapsed_samples
        assert 0 <= counters.lost_samples <= counters.elapsed_samples
    for session in sessions(messages):
        lost = sum(gap.end - gap.start for gap in gaps(session))
        assert statuses(session)[-1].counters.lost_samples == lost


def test_a_loss_within_a_session_is_a_gap_and_the_index_stays_true(recognizer: Recognizer) -> None:
    script = [then(sound(2.0), gap(1.5), sound(2.0))]
    messages = listen_until(windows(3), scripted_spec(script), recognizer)
    found = gaps(messages)
    assert [(found[0].start, found[-1].end)] == [(2 * SECOND, round(3.5 * SECOND))]
    assert {gap.cause for gap in found} == {"network"}
    lost = {m.start // SECOND: m.quality.lost_samples for m in messages if isinstance(m, Window)}
    assert lost == {0: SECOND, 1: round(1.5 * SECOND), 2: round(1.5 * SECOND)}
    check_accounts(messages)


def test_a_lost_source_is_opened_again_and_the_time_between_is_a_gap(recognizer: Recognizer) -> None:
    spec = scripted_spec([then(sound(3.5), fails)], [sound(4.0)])
    messages = listen_until(windows(1, session=2), spec, recognizer)
    first, second = sessions(messages)
    assert changes(first)[0] == "connecting"
    assert changes(first)[-2:] == ["silent", "lost"] or changes(first)[-2:] == ["listening", "lost"]
    assert "the cable was pulled" in {status.detail for status in statuses(first)}
    found = gaps(first)
    assert found[0].start == round(3.5 * SECOND)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert {gap.cause for gap in found} == {"device_lost"}
    # The pause, a fifth more or less, and the first tenth of a second, which is heard when it is over.
    assert 0.25 * SECOND < found[-1].end - found[0].start < 10 * SECOND
    assert not any(isinstance(message, End) for message in first)
    assert statuses(second)[0].counters.sessions == 2
    assert statuses(second)[-1].state == "ended"
    check_accounts(messages)


def test_a_loss_is_told_at_once_however_soon_the_source_is_back(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.pipeline.stream.HEARTBEAT_NS", 60_000_000_000)
    spec = scripted_spec([then(sound(3.5), fails)], [sound(4.0)])
    first, _ = sessions(listen_until(windows(1, session=2), spec, recognizer))
    assert changes(first) == ["connecting", "lost"]
    assert statuses(first)[-1].detail == "the cable was pulled"


@pytest.mark.slow
def test_time_is_whole_across_sessions(recognizer: Recognizer) -> None:
    spec = scripted_spec([then(live(3.2), fails)], [then(live(3.2), restarts), live(4.0)])
    messages = listen_until(windows(1, session=3), spec, recognizer)
    found = list(sessions(messages))
    wall_s = (statuses(found[2])[-1].published_ns - statuses(found[0])[0].published_ns) / 1e9
    elapsed_s = sum(statuses(session)[-1].counters.elapsed_samples for session in found) / SECOND
    # What is not accounted for: the time before the first block, and after the last.
    assert elapsed_s == pytest.approx(wall_s, abs=1.0)
    check_accounts(messages)


def test_a_sender_that_begins_anew_opens_a_session(recognizer: Recognizer) -> None:
    spec = scripted_spec([then(sound(3.2), restarts), sound(4.0)])
    first, second = sessions(listen_until(windows(1, session=2), spec, recognizer))
    assert [m.start for m in first if isinstance(m, Window)] == [0]
    assert next(m.start for m in second if isinstance(m, Window)) == 0
    assert sum(gap.end - gap.start for gap in gaps(first)) < SECOND


def test_a_sender_that_begins_anew_again_and_again_is_read_after_pauses(recognizer: Recognizer) -> None:
    spec = scripted_spec([*(5 * [then(sound(0.2), restarts)]), sound(4.0)])
    began_s = time.monotonic()
    listen_until(windows(1, session=6), spec, recognizer)
    # None, a quarter, half, one and two seconds, each a fifth less at most.
    assert time.monotonic() - began_s > 3.0


def test_a_source_that_says_nothing_any_more_is_stalled_then_lost_then_opened_again(recognizer: Recognizer) -> None:
    spec = scripted_spec([then(sound(3.2), no_audio)], [sound(4.0)])
    messages = listen_until(windows(1, session=2), spec, recognizer)
    first, second = sessions(messages)
    assert changes(first)[-2:] == ["stalled", "lost"]
    assert "no audio came for" in statuses(first)[-1].detail
    # All the time of silence is in the gap: what was noticed late is not lost from the account.
    lost = sum(gap.end - gap.start for gap in gaps(first))
    assert lost > 1.5 * SECOND
    assert statuses(second)[-1].detail == ""
    check_accounts(messages)


def test_a_device_that_is_not_there_yet_is_waited_for(recognizer: Recognizer) -> None:
    messages = listen_until(windows(1), scripted_spec([sound(4.0)], absent=2), recognizer)
    assert changes(messages)[:2] in (["connecting", "lost"], ["lost", "listening"])
    assert "there is no such device" in {status.detail for status in statuses(messages)}
    assert len({message.session for message in messages}) == 1
    check_accounts(messages)


def test_nothing_is_left_running(recognizer: Recognizer) -> None:
    engine = Engine()
    engine.add(scripted_spec([no_audio]), recognizer, StreamOptions())
    run = engine.run()
    next(run)
    run.close()
    assert all(stream.over for stream in engine._streams.values())


def broken(source: ScriptedSource) -> Iterator[Block]:
    yield from ()
    raise ZeroDivisionError("a mistake in the source")


def test_an_unforeseen_failure_is_a_loss_like_any_other(recognizer: Recognizer) -> None:
    told: list[tuple[str, Exception]] = []
    engine = Engine(on_fault=lambda stream, error: told.append((stream, error)))
    engine.add(scripted_spec([broken], [broken], [sound(4.0)]), recognizer, StreamOptions(stream="broken"))
    engine.add(scripted_spec([live(60.0)]), recognizer, StreamOptions(stream="hall"))
    messages: list[Message] = []
    for message in engine.run():
        messages.append(message)
        if isinstance(message, Window) and message.stream == "broken":
            engine.stop()
    ends = {message.stream: message for message in messages if isinstance(message, End)}
    assert (ends["broken"].reason, ends["hall"].reason) == ("stopped", "stopped")
    details = [status.detail for status in statuses(messages) if status.stream == "broken"]
    assert any("ZeroDivisionError('a mistake in the source') in test_stream.py" in detail for detail in details)
    # Once, although it failed twice.
    ((stream, error),) = told
    assert (stream, type(error)) == ("broken", ZeroDivisionError)
    engine.check()


def test_an_unforeseen_failure_of_a_source_that_is_not_opened_again_ends_its_stream_alone(
    recognizer: Recognizer,
) -> None:
    engine = Engine(on_fault=lambda *_: None)
    engine.add(SourceSpec.opened(ScriptedSource([broken])), recognizer, StreamOptions(stream="broken"))
    engine.add(scripted_spec([sound(6.0)]), recognizer, StreamOptions(stream="hall"))
    messages: list[Message] = []
    for message in engine.run():
        messages.append(message)
        if isinstance(message, Window):
            engine.stop()
    ends = {message.stream: message for message in messages if isinstance(message, End)}
    assert (ends["broken"].reason, ends["hall"].reason) == ("failed", "stopped")
    with pytest.raises(SourceError, match="failed unexpectedly"):
        engine.check()


@pytest.mark.parametrize("reconnects", [True, False])
def test_an_unforeseen_failure_in_processing_is_its_streams_own(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch, reconnects: bool
) -> None:
    """What was not processed is in a gap."""
    build = ResultBuilder.build

    def fail_once(builder: ResultBuilder, prediction: Prediction, queue: int) -> Iterator[Message]:
        if builder is first and prediction.window.start:
            raise ZeroDivisionError("a mistake in the results")
        yield from build(builder, prediction, queue)

    monkeypatch.setattr(ResultBuilder, "build", fail_once)
    told: list[Exception] = []
    engine = Engine(on_fault=lambda _, error: told.append(error))
    spec = scripted_spec([sound(7.0)], [sound(4.0)])
    engine.add(spec._replace(reconnects=reconnects), recognizer, StreamOptions())
    run = engine.run()
    messages = [next(run)]
    first = engine._streams["main"].session.results
    for message in run:
        messages.append(message)
        if windows(1, session=2)(messages):
            engine.stop()
    assert len(told) == 1
    if not reconnects:
        assert isinstance(messages[-1], End)
        assert messages[-1].reason == "failed"
        return
    before, after = sessions(messages)
    assert next((gap.start, gap.cause) for gap in gaps(before)) == (3 * SECOND, "invalid")
    assert "lost" in changes(before)
    assert isinstance(after[-1], End)
    assert after[-1].reason == "stopped"


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ScriptedSource], Iterator[Block]]]:
    """A source that neither gives a block nor leaves until the test has ended; nobody waits for it long."""
    monkeypatch.setattr("whoplays.stream.pipeline.stream.DRAIN_NS", 500_000_000)
    monkeypatch.setattr("whoplays.stream.pipeline.engine.JOIN_S", 0.5)
    freed = threading.Event()

    def never(source: ScriptedSource) -> Iterator[Block]:
        freed.wait()
        yield from ()

    yield never
    freed.set()


def test_a_source_that_hangs_keeps_nobody_from_ending(
    recognizer: Recognizer, hangs: Callable[[ScriptedSource], Iterator[Block]]
) -> None:
    engine = Engine()
    engine.add(scripted_spec([hangs]), recognizer, StreamOptions())
    messages: list[Message] = []
    for message in engine.run():
        messages.append(message)
        engine.stop()
    assert [message.reason for message in messages if isinstance(message, End)] == ["stopped"]


def test_a_stop_is_no_outage(recognizer: Recognizer) -> None:
    """A source that takes its time to leave has not gone away."""

    def slow_to_leave(source: ScriptedSource) -> Iterator[Block]:
        yield from sound(4.0)(source)
        source.stopped.wait()
        time.sleep(0.5)

    messages = listen_until(windows(1), scripted_spec([slow_to_leave]), recognizer)
    assert gaps(messages) == []
    assert "lost" not in changes(messages)


def slow_to_stop(source: ScriptedSource) -> Iterator[Block]:
    source.stopped.wait()
    time.sleep(0.6)
    yield from ()


def test_a_stop_after_a_sender_has_left_is_no_other_outage(recognizer: Recognizer) -> None:
    """The next session waits for another sender, so that nothing comes and nothing is wrong."""
    spec = scripted_spec([then(sound(3.2), restarts), slow_to_stop])
    messages = listen_until(lambda found: "lost" in changes(found), spec, recognizer)
    assert changes(messages)[-2:] == ["lost", "ended"]


def test_the_end_says_only_what_failed(recognizer: Recognizer) -> None:
    """Not what was wrong on the way there."""
    spec = scripted_spec([then(sound(3.2), fails)], [slow_to_stop])
    messages = listen_until(lambda found: "lost" in changes(found), spec, recognizer)
    told = {status.state: status.detail for status in statuses(messages)}
    assert (told["lost"], told["ended"]) == ("the cable was pulled", "")


def test_a_stream_takes_the_place_of_another_when_that_has_left(recognizer: Recognizer) -> None:
    engine = Engine()
    engine.add(scripted_spec([sound(30.0)]), recognizer, StreamOptions(stream="old"))
    messages: list[Message] = []
    for message in engine.run():
        messages.append(message)
        if isinstance(message, Window) and message.stream == "old" and message.seq == 0:
            engine.change(
                [StreamRequest(scripted_spec([sound(4.0)]), recognizer, StreamOptions(stream="new"))], ["old"]
            )
        if isinstance(message, Window) and message.stream == "new":
            engine.stop()
    streams = [message.stream for message in messages]
    assert streams == sorted(streams, reverse=True)
    assert [message.stream for message in messages if isinstance(message, End)] == ["old", "new"]


def test_a_source_that_hangs_keeps_nobody_from_taking_its_place(
    recognizer: Recognizer, hangs: Callable[[ScriptedSource], Iterator[Block]]
) -> None:
    engine = Engine()
    engine.add(scripted_spec([hangs]), recognizer, StreamOptions(stream="old"))
    messages: list[Message] = []
    for message in engine.run():
        if not messages:
            engine.change(
                [StreamRequest(scripted_spec([sound(4.0)]), recognizer, StreamOptions(stream="new"))], ["old"]
            )
        messages.append(message)
        if isinstance(message, Window):
            engine.stop()
    assert [message.stream for message in messages if isinstance(message, End)] == ["old", "new"]
