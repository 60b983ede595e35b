"""Inference that cannot keep up: lag is bounded, nobody is favoured, and no_audio is lost without a word."""

import time

import pytest

from tests.stream.sources.scripted_source import live, scripted_spec
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognition, Recognizer, Windows
from whoplays.stream.pubsub.messages import Gap, Message, Status, Window

pytestmark = pytest.mark.slow

SECOND = 44_100
LAG_S = 1.0
INFERENCE_S = 0.6


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
