import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import pytest

from tests.stream.engines import all_messages, engine_for
from whoplays.models.errors import SourceError
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.level import Level
from whoplays.stream.common.clock import ClockKind, GapCause, wall_ns
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer, Windows
from whoplays.stream.pipeline.results import Prediction, ResultBuilder
from whoplays.stream.pipeline.session import Session
from whoplays.stream.pipeline.windower import WindowRef
from whoplays.stream.pubsub.messages import KINDS, End, Event, Gap, Message, MessageSequencer, Status, Window
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.sources.base import SourceSpec
from whoplays.stream.sources.file import FileSource

SECOND = 44_100
M = TypeVar("M", Status, Window, Event, Gap, End)


class FakeSource:
    """Blocks that are ready made; then it ends, fails, or says nothing more until it is stopped."""

    name = "fake"
    uri = "fake:"
    clock: ClockKind = "arrival"
    disconnect_cause: GapCause = "device_lost"
    warning = ""

    def __init__(self, blocks: list[Audio], *, live: bool = False, error: str = "", endless: bool = False) -> None:
        self.live = live
        self._blocks = blocks
        self._error = error
        self._stopped = threading.Event()
        if not endless:
            self._stopped.set()

    def blocks(self) -> Iterator[Block]:
        for block in self._blocks:
            yield Block(block, time.monotonic_ns())
        if self._error:
            raise SourceError(self._error)
        self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


def noise(seconds: float, level: float = 0.1) -> Audio:
    return np.random.default_rng(0).normal(0, level, (2, round(seconds * SECOND))).astype(np.float32)


def session_of(engine: Engine) -> Session:
    return engine._streams["main"].session


def of_kind(messages: list[Message], kind: type[M]) -> list[M]:
    return [message for message in messages if isinstance(message, kind)]


def check_numbers(messages: list[Message]) -> None:
    """Every kind counts from 0 by one, and the last status knows all counts."""
    numbers = {kind: [message.seq for message in messages if message.kind == kind] for kind in KINDS}
    assert all(seqs == list(range(len(seqs))) for seqs in numbers.values())
    last = {kind: seqs[-1] for kind, seqs in numbers.items() if seqs and kind not in ("status", "end")}
    assert of_kind(messages, Status)[-1].last_seq == last


def check_tiling(messages: list[Message]) -> None:
    """Windows and gaps cover all samples up to the last window without a hole; what is left is less than a hop."""
    covered = 0
    for message in messages:
        if isinstance(message, Window):
            assert message.start <= covered <= message.end
            covered = message.end
        elif isinstance(message, Gap):
            assert covered == message.start < message.end
            covered = message.end
    status, end = of_kind(messages, Status)[-1], of_kind(messages, End)[-1]
    assert 0 <= end.final - covered < status.hop_samples
    assert status.counters.elapsed_samples == end.final
    assert status.counters.heard_samples + status.counters.lost_samples == end.final
    assert status.counters.lost_samples == sum(gap.end - gap.start for gap in of_kind(messages, Gap))
    assert status.counters.windows == len(of_kind(messages, Window))


def test_a_concert_is_heard(concert: Path, recognizer: Recognizer) -> None:
    messages = list(all_messages(FileSource(concert, "max"), recognizer))
    players = [{label for label, active in window.active.items() if active} for window in of_kind(messages, Window)]
    assert players == [{"piano"}, {"piano", "violin"}, {"violin"}, set()]
    events = [(event.label, event.phase, event.at // SECOND) for event in of_kind(messages, Event)]
    assert events == [("piano", "start", 0), ("violin", "start", 3), ("piano", "end", 6), ("violin", "end", 9)]
    assert isinstance(messages[0], Status)
    assert messages[0].counters.windows == 0
    assert messages[-1] == of_kind(messages, End)[0]
    assert (messages[-1].reason, messages[-1].final) == ("finished", 12 * SECOND)
    check_numbers(messages)
    check_tiling(messages)


class Scheduled(FakeSource):
    """Whose samples have exact times."""

    clock = "file"
    began_ns = time.monotonic_ns()

    def blocks(self) -> Iterator[Block]:
        played = 0
        for block in super().blocks():
            played += block.audio.shape[1]
            yield block._replace(captured_at_ns=self.began_ns + played * 1_000_000_000 // SECOND)


def test_events_and_status_say_who_plays_since_when(
    concert: Path, recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.pipeline.stream.HEARTBEAT_NS", 0)
    audio = np.concatenate([block.audio for block in FileSource(concert, "max").blocks()], axis=1)
    source = Scheduled(np.array_split(audio, 100, axis=1))
    messages = list(all_messages(source, recognizer, hop_samples=SECOND))
    assert len(of_kind(messages, Event)) == 4
    playing: dict[str, Event] = {}
    for message in messages:
        if isinstance(message, Event):
            due_ns = wall_ns(source.began_ns) + message.at * 1_000_000_000 // SECOND
            assert message.at_ns == pytest.approx(due_ns, abs=10_000_000)
            playing = {label: event for label, event in playing.items() if label != message.label}
            playing |= {message.label: message} if message.phase == "start" else {}
        if isinstance(message, Status):
            told = [(each.id, each.label, each.since, each.since_ns) for each in message.playing or ()]
            assert told == [(event.id, label, event.at, event.at_ns) for label, event in playing.items()]
    assert {len(status.playing or ()) for status in of_kind(messages, Status)} == {0, 1, 2}


def test_silence_is_no_instrument(concert: Path, recognizer: Recognizer) -> None:
    messages = list(all_messages(FileSource(concert, "max"), recognizer))
    last = of_kind(messages, Window)[-1]
    assert last.quality.silent
    nobody = {"piano": 0.0, "violin": 0.0}
    assert (last.probabilities, last.active, last.quality.dbfs) == (nobody, {"piano": False, "violin": False}, -120.0)


def test_times_are_in_order(concert: Path, recognizer: Recognizer) -> None:
    for window in of_kind(list(all_messages(FileSource(concert, "max"), recognizer)), Window):
        timing = window.timing
        assert 0 <= timing.ready_ns <= timing.infer_start_ns <= timing.infer_end_ns
        assert window.clock == "file"
        assert window.closed_ns <= window.published_ns


def test_at_max_speed_nothing_is_lost(concert: Path, recognizer: Recognizer) -> None:
    messages = list(all_messages(FileSource(concert, "max"), recognizer, hop_samples=441))
    assert len(of_kind(messages, Window)) == 901
    assert of_kind(messages, Gap) == []
    check_numbers(messages)
    check_tiling(messages)


@pytest.mark.parametrize("hop_samples", [WINDOW_SAMPLES, 50_000])
def test_a_live_source_that_is_too_fast_leaves_gaps_that_tile(recognizer: Recognizer, hop_samples: int) -> None:
    source = FakeSource([noise(1.0)] * 60, live=True)
    messages: list[Message] = []
    for message in all_messages(source, recognizer, hop_samples=hop_samples):
        messages.append(message)
        time.sleep(0.005)
    assert of_kind(messages, End)[0].final == 60 * SECOND
    check_numbers(messages)
    check_tiling(messages)


def test_an_overrun_is_a_gap(recognizer: Recognizer) -> None:
    engine = engine_for(FakeSource([noise(60.0)], live=True), recognizer)
    run = engine.run()
    messages = [next(run)]
    while not session_of(engine).ring.closed:
        time.sleep(0.01)
    messages += run
    assert [(gap.start, gap.end, gap.cause) for gap in of_kind(messages, Gap)] == [(0, 57 * SECOND, "overload")]
    assert [window.start for window in of_kind(messages, Window)] == [57 * SECOND]
    assert of_kind(messages, Status)[-1].counters.dropped_windows == 19
    check_tiling(messages)


def test_several_windows_are_inferred_together(model: Path) -> None:
    recognizer = Recognizer.load(model, "cpu", batches=(1, 2, 4))
    messages = list(all_messages(FakeSource([noise(9.5)]), recognizer, hop_samples=SECOND))
    windows = of_kind(messages, Window)
    assert [window.start for window in windows] == [second * SECOND for second in range(7)]
    assert {window.timing.batch for window in windows} <= {1, 2, 4}
    check_tiling(messages)


def test_stopping_ends_with_a_word(recognizer: Recognizer) -> None:
    engine = engine_for(FakeSource([noise(4.0)], endless=True), recognizer)
    messages: list[Message] = []
    for message in engine.run():
        messages.append(message)
        if isinstance(message, Window):
            engine.stop()
    assert of_kind(messages, Status)[-1].state == "ended"
    assert of_kind(messages, End)[0].reason == "stopped"
    check_tiling(messages)


def test_a_failing_source_ends_with_a_word_and_raises(recognizer: Recognizer) -> None:
    messages: list[Message] = []
    with pytest.raises(SourceError, match="the cable was pulled"):
        messages.extend(all_messages(FakeSource([noise(4.0)], error="the cable was pulled"), recognizer))
    end = of_kind(messages, End)[0]
    assert (end.reason, end.detail, end.final) == ("failed", "the cable was pulled", 4 * SECOND)
    assert len(of_kind(messages, Window)) == 1


class Kept(Publisher):
    """Keeps what is published."""

    def __init__(self) -> None:
        super().__init__("tcp://127.0.0.1:*")
        self.messages: list[Message] = []

    def send(self, message: Message, *, wait: bool = False) -> None:
        super().send(message, wait=wait)
        self.messages.append(message)


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (KeyboardInterrupt(), "stopped", ""),
        (SourceError("it is of no use"), "failed", "it is of no use"),
        (ZeroDivisionError("a mistake"), "failed", "ZeroDivisionError('a mistake')"),
    ],
)
def test_whatever_ends_it_an_end_is_published_first(
    model: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: str, detail: str
) -> None:
    def infer(windows: Windows) -> NoReturn:
        raise error

    recognizer, publisher = Recognizer.load(model, "cpu"), Kept()
    monkeypatch.setattr(recognizer, "infer", infer)
    engine = Engine(publisher)
    engine.add(SourceSpec.opened(FakeSource([noise(4.0)], endless=True)), recognizer, StreamOptions())
    with pytest.raises(type(error)):
        list(engine.run())
    (end,) = of_kind(publisher.messages, End)
    assert publisher.messages[-1] is end
    assert (end.reason, end.detail) == (reason, detail)


def test_audio_that_fills_no_window_is_an_error(recognizer: Recognizer) -> None:
    with pytest.raises(SourceError, match=r"fake ended after 2\.00 s; a window needs 3 s"):
        list(all_messages(FakeSource([noise(2.0)]), recognizer))


def test_a_source_that_says_nothing_is_stalled_not_silent(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.pipeline.stream.STALLED_NS", 0)
    monkeypatch.setattr("whoplays.stream.pipeline.stream.HEARTBEAT_NS", 50_000_000)
    engine = engine_for(FakeSource([noise(3.5)], endless=True), recognizer)
    for message in engine.run():
        if isinstance(message, Status) and message.state == "stalled":
            engine.stop()
    assert session_of(engine).sequencer.last_seq["window"] == 0


def test_closing_the_iterator_ends_everything(recognizer: Recognizer) -> None:
    run = engine_for(FakeSource([noise(4.0)], endless=True), recognizer).run()
    next(run)
    run.close()
    assert not any(thread.name.startswith("whoplays-source") for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("options", "enters_at", "leaves_below"),
    [
        ({}, 0.5, 0.4),
        ({"entry": 0.4}, 0.7, 0.4),
        ({"release": 0.2}, 0.5, 0.1),
        ({"thresholds": (0.8, 0.8), "entry": 0.5, "release": 0.5}, 0.9, 0.4),
    ],
)
def test_thresholds_entry_and_release_of_a_stream_work_together(
    recognizer: Recognizer, options: dict[str, Any], enters_at: float, leaves_below: float
) -> None:
    results = ResultBuilder(MessageSequencer("main"), recognizer, StreamOptions(**options))
    played, loud = [], Level(-20.0, -20.0, 0)
    for piano in (enters_at - 0.01, enters_at + 0.01, leaves_below + 0.01, leaves_below - 0.01):
        row = np.array([piano, 0.0], np.float32)
        list(results.build(Prediction(WindowRef(0, 10, level=loud), row, None, 0, 0, 0, 1), 0))
        played.append(bool(results.playing))
    assert played == [False, True, True, False]


def test_status_says_entry_and_release(concert: Path, recognizer: Recognizer) -> None:
    engine = Engine()
    spec = SourceSpec.opened(FileSource(concert, "max"))
    engine.add(spec, recognizer, StreamOptions(entry=0.25, release=0.5))
    told = {(status.entry, status.release) for status in of_kind(list(engine.run()), Status)}
    assert told == {(0.25, 0.5)}
