"""Which streams the engine listens to, made to be what the configuration says."""

from collections.abc import Iterable
from typing import Final

import msgspec

from whoplays.models.errors import OptionError, ProviderError, WhoplaysError, naming
from whoplays.stream.daemon.config import StreamConfig
from whoplays.stream.pipeline.engine import Engine, StreamRequest
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.sources.registry import kind_of, open_later

_Key = tuple[str, str | None]


class StreamReloader:
    """Adds, changes and removes streams; those that did not change are not touched.

    Args:
        engine: what listens.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._streams: dict[str, StreamConfig] = {}
        self._recognizers: dict[_Key, Recognizer] = {}

    def apply(self, streams: Iterable[StreamConfig]) -> None:
        """Listen to these streams and no others. Nothing changes if one of them makes no sense.

        Raises:
            OptionError: thresholds are given for labels that the model does not know, or make no sense.
            ModelError: there is no such model.
            ProviderError: the provider cannot run here.
            SourceError: there is no such kind of source.
        """
        wanted = {stream.name: stream for stream in streams}
        recognizers = load(wanted.values(), self._recognizers)
        changed = [stream for name, stream in wanted.items() if self._streams.get(name) != stream]
        self._engine.change(
            [_wanted(stream, recognizers[_key(stream)]) for stream in changed], self._streams.keys() - wanted.keys()
        )
        self._streams, self._recognizers = wanted, recognizers


def _wanted(stream: StreamConfig, recognizer: Recognizer) -> StreamRequest:
    options = msgspec.structs.replace(stream.options, thresholds=thresholds(stream, recognizer))
    return StreamRequest(open_later(stream.source, stream.selection), recognizer, options)


def load(streams: Iterable[StreamConfig], loaded: dict[_Key, Recognizer]) -> dict[_Key, Recognizer]:
    """The models that streams are listened to with, each loaded once; and the streams checked against them.

    Raises:
        WhoplaysError: see `StreamReloader.apply`.
    """
    recognizers: dict[_Key, Recognizer] = {}
    for stream in streams:
        key = _key(stream)
        with naming(f"stream {stream.name}", "source"):
            kind_of(stream.source)
        if key not in recognizers:
            recognizers[key] = loaded.get(key) or _load(stream)
        thresholds(stream, recognizers[key])
    return recognizers


def _load(stream: StreamConfig) -> Recognizer:
    try:
        return Recognizer.load(stream.model, stream.provider)
    except WhoplaysError as error:
        key = "provider" if isinstance(error, ProviderError) else "model"
        raise type(error)(f"stream {stream.name}: {key}: {error}") from error


def thresholds(stream: StreamConfig, recognizer: Recognizer) -> tuple[float, ...]:
    """A stream's thresholds in its model's order.

    Raises:
        OptionError: one is for a label that the model does not know, or not above 0 and at most 1.
    """
    with naming(f"stream {stream.name}", "thresholds"):
        for label, value in stream.thresholds.items():
            if label not in recognizer.labels:
                known = ", ".join(recognizer.labels)
                raise OptionError(f"{recognizer.card.name} knows no {label!r}; it knows {known}")
            if not 0.0 < value <= 1.0:
                raise OptionError(f"{value:g} for {label} makes no sense; give more than 0, and at most 1")
    given = zip(recognizer.labels, recognizer.thresholds, strict=True)
    return tuple(stream.thresholds.get(label, value) for label, value in given)


def _key(stream: StreamConfig) -> _Key:
    return stream.model, stream.provider
