"""Inference that cannot keep up: lag is bounded, nobody is favoured, and no_audio is lost without a word."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stream.faults.slow_model import write_slow_model
from tests.stream.sources.scripted_source import ScriptedSource, live, scripted_spec
from tests.stream.tiny_model import LOUD
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.audio.block import Block
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognition, Recognizer, Windows
from whoplays.stream.pubsub.messages import End, Gap, Message, Status, Window
from whoplays.stream.sources.base import SourceSpec

pytestmark = pytest.mark.slow

SECOND = 44_100
LAG_S = 1.0
INFERENCE_S = 0.6


class PianoSource(ScriptedSource):
    """Such that the slow model is slow, and already there."""

    def blocks(self) -> Iterator[Block]:
        time_s = np.arange(2 * WINDOW_SAMPLES) / SECOND
        left = LOUD * np.sin(2 * np.pi * 440 * time_s)
        yield Block(np.stack([left, 0 * left]).astype(np.float32), time.monotonic_ns())
        self.stopped.wait()


@pytest.fixture
def slow(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> Recognizer:
    """Takes longer for a window than windows take to come."""
    quick = recognizer.infer

    def infer(windows: Windows) -> Recognition:
        time.sleep(INFERENCE_S)
        return quick(windows)

    monkeypatch.setattr(recognizer, "infer", infer)
    return recognizer


def listen(slow: Recognizer, seconds: float) -> list[Message]:
    engine = Engine()
    for name in ("hall", "stage"):
        engine.add(
            scripted_spec([live(60.0)]), slow, StreamOptions(stream=name, hop_samples=SECOND // 2, max_lag_s=LAG_S)
        )
    messages: list[Message] = []
    end_s = time.monotonic() + seconds
    for message in engine.run():
        messages.append(message)
        if time.monotonic() > end_s:
            engine.stop()
    return messages


def test_overload_drops_the_oldest_windows_fairly_and_says_so(slow: Recognizer) -> None:
    messages = listen(slow, 8.0)
    windows = {name: [m for m in messages if isinstance(m, Window) and m.stream == name] for name in ("hall", "stage")}
    assert abs(len(windows["hall"]) - len(windows["stage"])) <= 1
    for name, told in windows.items():
        # Both streams' windows may wait for both inferences that run before them, once taken.
        late = [window.timing.infer_end_ns / 1e9 for window in told]
        assert max(late) < LAG_S + 2 * INFERENCE_S + 1.5, late
        status = [m for m in messages if isinstance(m, Status) and m.stream == name][-1]
        assert status.counters.dropped_windows > 0
        check_tiling([m for m in messages if m.stream == name])


def check_tiling(messages: list[Message]) -> None:
    covered = 0
    for message in messages:
        if isinstance(message, Window):
            assert message.start <= covered <= message.end
            covered = message.end
        elif isinstance(message, Gap):
            assert message.cause == "overload"
            assert covered == message.start < message.end
            covered = message.end


def test_an_inference_that_takes_for_ever_keeps_nobody_from_ending(tmp_path: Path) -> None:
    recognizer = Recognizer.load(write_slow_model(tmp_path, 60.0), "cpu")
    engine = Engine()
    for name in ("hall", "stage"):
        engine.add(SourceSpec.opened(PianoSource([])), recognizer, StreamOptions(stream=name))
    under_way = threading.Event()
    messages: list[Message] = []
    session = recognizer._session

    class Watched:
        def run(self, *arguments: Any) -> Any:
            under_way.set()
            return session.run(*arguments)

    recognizer._session = Watched()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: messages.extend(engine.run()))
        assert under_way.wait(30.0)
        began_s = time.monotonic()
        engine.stop_in_time()
        running.result()
    assert time.monotonic() - began_s < 4.0
    assert {end.stream: end.reason for end in messages if isinstance(end, End)} == {
        "hall": "stopped",
        "stage": "stopped",
    }
    # And later it is of use again.
    assert recognizer.recognize(np.zeros((1, 2, WINDOW_SAMPLES), np.float32)).shape == (1, 2)
