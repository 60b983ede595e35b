"""Listening to one source, for tests."""

from collections.abc import Iterator

from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Message
from whoplays.stream.sources.base import Source, SourceSpec


def engine_for(
    source: Source, recognizer: Recognizer, *, hop_samples: int = WINDOW_SAMPLES, options: StreamOptions | None = None
) -> Engine:
    engine = Engine()
    engine.add(SourceSpec.opened(source), recognizer, options or StreamOptions(hop_samples=hop_samples))
    return engine


def all_messages(
    source: Source, recognizer: Recognizer, *, hop_samples: int = WINDOW_SAMPLES, options: StreamOptions | None = None
) -> Iterator[Message]:
    engine = engine_for(source, recognizer, hop_samples=hop_samples, options=options)
    yield from engine.run()
    engine.check()
