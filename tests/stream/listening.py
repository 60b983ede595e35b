"""Listening to one source, for tests."""

from collections.abc import Iterator

from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.engine import Engine
from whoplays.stream.habits import Habits
from whoplays.stream.messages import Message
from whoplays.stream.opening import once
from whoplays.stream.recognizer import Recognizer
from whoplays.stream.source import Source


def engine_for(source: Source, recognizer: Recognizer, *, hop_samples: int = WINDOW_SAMPLES) -> Engine:
    engine = Engine()
    engine.add(once(source), recognizer, Habits(hop_samples=hop_samples))
    return engine


def heard(source: Source, recognizer: Recognizer, *, hop_samples: int = WINDOW_SAMPLES) -> Iterator[Message]:
    engine = engine_for(source, recognizer, hop_samples=hop_samples)
    yield from engine.run()
    engine.check()
