"""Listening to one source, for tests."""

from collections.abc import Iterator

from models.signal import WINDOW_SAMPLES
from stream.engine import Engine
from stream.habits import Habits
from stream.messages import Message
from stream.opening import once
from stream.recognizer import Recognizer
from stream.source import Source


def engine_for(source: Source, recognizer: Recognizer, *, hop_samples: int = WINDOW_SAMPLES) -> Engine:
    engine = Engine()
    engine.add(once(source), recognizer, Habits(hop_samples=hop_samples))
    return engine


def heard(source: Source, recognizer: Recognizer, *, hop_samples: int = WINDOW_SAMPLES) -> Iterator[Message]:
    engine = engine_for(source, recognizer, hop_samples=hop_samples)
    yield from engine.run()
    engine.check()
