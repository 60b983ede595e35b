"""Which streams the engine recognises, made to be those of the configuration."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from whoplays.models.errors import OptionError, ProviderError, WhoplaysError
from whoplays.stream.daemon.config import StreamConfig
from whoplays.stream.daemon.config_errors import ConfigErrors
from whoplays.stream.pipeline.engine import Engine, StreamRequest
from whoplays.stream.pipeline.options import StreamOptions, check_label, options_for
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.sources.base import SourceSpec
from whoplays.stream.sources.registry import open_later

ModelKey = tuple[str, str | None]
"""A model and its provider."""


class StreamReloader:
    """Adds, changes and removes streams; those that did not change are not touched.

    Args:
        engine: what runs them.
        loaded: models that need not be loaded again.
    """

    def __init__(self, engine: Engine, loaded: Mapping[ModelKey, Recognizer]) -> None:
        self._engine: Final = engine
        self._streams: dict[str, StreamConfig] = {}
        self._recognizers: Mapping[ModelKey, Recognizer] = loaded

    def apply(self, streams: Iterable[StreamConfig], errors: ConfigErrors) -> None:
        """Run these streams and no others; nothing changes if there is a mistake in one of them.

        Raises:
            OptionError: a model, a provider, a source or a label is unknown or cannot be used; see `ConfigErrors`.
        """
        streams = tuple(streams)
        changed = [stream for stream in streams if self._streams.get(stream.name) != stream]
        recognizers = load(streams, errors, self._recognizers)
        sources = list(_sources(changed, errors))
        errors.check()
        wanted = {stream.name: stream for stream in streams}
        self._engine.change(
            [
                StreamRequest(source, recognizers[_key(stream)], _options(stream, recognizers[_key(stream)]))
                for stream, source in zip(changed, sources, strict=True)
            ],
            self._streams.keys() - wanted.keys(),
        )
        self._streams, self._recognizers = wanted, recognizers


def check_streams(streams: Iterable[StreamConfig], errors: ConfigErrors) -> dict[ModelKey, Recognizer]:
    """The models of streams, once no stream has a mistake.

    Raises:
        OptionError: a model, a provider, a source or a label is unknown or cannot be used, or `errors` has mistakes.
    """
    streams = tuple(streams)
    recognizers = load(streams, errors, {})
    for _ in _sources(streams, errors):
        pass
    errors.check()
    return recognizers


def _sources(streams: Iterable[StreamConfig], errors: ConfigErrors) -> Iterator[SourceSpec]:
    for stream in streams:
        with errors.collect(f"stream {stream.name}", "source"):
            if stream.source:
                yield open_later(stream.source, stream.selection)


def load(
    streams: Iterable[StreamConfig], errors: ConfigErrors, loaded: Mapping[ModelKey, Recognizer]
) -> dict[ModelKey, Recognizer]:
    """The models of streams, each loaded once; what is wrong with a stream's model or options is collected.

    Args:
        streams: those to run.
        errors: where mistakes are collected.
        loaded: models that need not be loaded again.
    """
    recognizers: dict[ModelKey, Recognizer] = {}
    for stream in streams:
        key = _key(stream)
        with errors.collect(f"stream {stream.name}"):
            if key not in recognizers:
                recognizers[key] = loaded.get(key) or _load(key)
            options_for(recognizers[key].card, stream.options, stream.sensitivity)
        for label in stream.thresholds:
            with errors.collect(f"stream {stream.name}"):
                if key in recognizers:
                    check_label(recognizers[key].card, label)
    return recognizers


def _key(stream: StreamConfig) -> ModelKey:
    return stream.model, stream.provider


def _load(key: ModelKey) -> Recognizer:
    try:
        return Recognizer.load(*key)
    except WhoplaysError as error:
        raise OptionError(f"{'provider' if isinstance(error, ProviderError) else 'model'}: {error}") from error


def _options(stream: StreamConfig, recognizer: Recognizer) -> StreamOptions:
    return options_for(recognizer.card, stream.options, stream.sensitivity, stream.thresholds)
