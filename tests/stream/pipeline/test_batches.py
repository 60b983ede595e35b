import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.stream.pipeline.test_ring import ramp
from tests.stream.sources.scripted_source import ScriptedSource, scripted_spec
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.audio.block import Block
from whoplays.stream.pipeline.batches import Batcher
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Prediction
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.session import RING_SAMPLES
from whoplays.stream.pipeline.stream import Stream
from whoplays.stream.pipeline.windower import Skipped

SECOND = 44_100


@pytest.fixture(scope="session")
def batcher(model: Path) -> Batcher:
    return Batcher(Recognizer.load(model, "cpu", batches=(1, 2, 4, 8)))


def connected(recognizer: Recognizer, options: StreamOptions) -> Stream:
    """A live stream without a thread."""
    stream = Stream(scripted_spec(), recognizer, options, partial(RingBuffer, 2, RING_SAMPLES))
    stream.session.connect(ScriptedSource([]))
    return stream


def ready(name: str, batcher: Batcher, windows: int) -> Stream:
    """A live stream with so many complete windows, one a second."""
    stream = connected(batcher.recognizer, StreamOptions(stream=name, hop_samples=SECOND))
    samples = WINDOW_SAMPLES + (windows - 1) * SECOND if windows else 0
    stream.session.write(Block(np.zeros((2, samples), np.float32), 10**18))
    return stream


def served(batcher: Batcher, streams: list[Stream]) -> Counter[str]:
    return Counter(stream.name for stream, _ in batcher.run(streams))


def test_streams_take_turns_whatever_their_number_of_windows(model: Path) -> None:
    batcher = Batcher(Recognizer.load(model, "cpu", batches=(1, 2, 4)))
    streams = [ready("slow", batcher, 1), ready("behind", batcher, 9), ready("quick", batcher, 3)]
    assert served(batcher, streams) in ({"slow": 1, "behind": 2, "quick": 1}, {"slow": 1, "behind": 1, "quick": 2})
    assert served(batcher, streams).keys() == {"behind", "quick"}


def test_the_first_stream_of_a_batch_changes(recognizer: Recognizer) -> None:
    batcher = Batcher(recognizer)
    streams = [ready(name, batcher, 6) for name in ("a", "b", "c")]
    assert sum((served(batcher, streams) for _ in range(6)), Counter[str]()) == {"a": 2, "b": 2, "c": 2}


def test_windows_of_a_stream_stay_in_order(batcher: Batcher) -> None:
    results = list(batcher.run([ready("a", batcher, 5), ready("b", batcher, 4)]))
    for name in ("a", "b"):
        starts = [r.window.start for stream, r in results if stream.name == name and isinstance(r, Prediction)]
        assert starts == [SECOND * k for k in range(len(starts))]
    assert len(results) == 8


def test_the_times_of_a_batch_are_those_of_its_stages(batcher: Batcher, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, times_ns = ready("a", batcher, 1), iter((1, 2, 3))
    monkeypatch.setattr("whoplays.stream.pipeline.batches.time", SimpleNamespace(monotonic_ns=lambda: next(times_ns)))
    ((_, result),) = batcher.run([stream])
    assert isinstance(result, Prediction)
    assert (result.ready_ns, result.start_ns, result.end_ns) == (1, 2, 3)


def test_without_windows_there_are_no_results(batcher: Batcher) -> None:
    assert list(batcher.run([])) == []
    assert list(batcher.run([ready("a", batcher, 0)])) == []


def test_a_stream_that_has_fallen_behind_gets_its_turn_all_the_same(batcher: Batcher) -> None:
    behind = ready("behind", batcher, 1)
    behind.session.ring.write(ramp(0, 6 * WINDOW_SAMPLES).astype(np.float32) / 1e6)
    (_, skipped), (stream, result) = batcher.run([behind])
    assert stream is behind
    assert isinstance(skipped, Skipped)
    assert isinstance(result, Prediction)
    assert (skipped.start, skipped.end) == (0, result.window.start)


@pytest.mark.parametrize("lag_s", [0.5, 20.0])
def test_a_window_that_is_too_old_is_skipped_if_there_is_a_newer_one(batcher: Batcher, lag_s: float) -> None:
    old = connected(batcher.recognizer, StreamOptions(stream="old", hop_samples=WINDOW_SAMPLES, max_lag_s=lag_s))
    now_ns = old.session.last_block_at_ns
    for k in range(1, 4):
        old.session.write(Block(np.zeros((2, WINDOW_SAMPLES), np.float32), now_ns - (4 - k) * 3_000_000_000))
    (_, first), *_ = batcher.run([old])
    if lag_s == 20.0:
        assert isinstance(first, Prediction)
        assert first.window.start == 0
    else:
        assert first == Skipped(0, 2 * WINDOW_SAMPLES)


@pytest.mark.parametrize("lag_s", [0.001, 6.0, 3600.0])
def test_overload_is_shared_by_all_streams(recognizer: Recognizer, lag_s: float) -> None:
    """Of six streams, for each of which a window a second comes, two windows a second are inferred."""
    batcher, names = Batcher(recognizer), "abcdef"
    streams = [connected(recognizer, StreamOptions(stream=n, hop_samples=SECOND, max_lag_s=lag_s)) for n in names]
    second = np.zeros((2, SECOND), np.float32)
    windows, steps = Counter[str](), []
    for number in range(40):
        for at, stream in enumerate(streams):
            if number >= at:  # they begin one after another
                stream.session.write(Block(second, time.monotonic_ns() - 20_000_000_000))
        for _ in range(2):
            waiting = [stream for stream in streams if stream.session.ready]
            windows.update(stream.name for stream, each in batcher.run(waiting) if isinstance(each, Prediction))
        steps.append([windows[name] for name in names])
    served = np.array(steps) - np.array(steps[10])
    assert served[-1].sum() == 2 * 29
    assert (np.ptp(served[10:], axis=1) <= 1).all()
