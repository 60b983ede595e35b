"""Which streams the engine recognises, made to be those of the configuration."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from whoplays.models.errors import OptionError, ProviderError, WhoplaysError, naming
from whoplays.stream.audio.resample import ChannelMixer
from whoplays.stream.daemon.config import Config
from whoplays.stream.daemon.config_errors import ConfigErrors
from whoplays.stream.daemon.stream_config import SourceConfig, StreamConfig
from whoplays.stream.pipeline.alerts import check_rules
from whoplays.stream.pipeline.engine import Engine, StreamRequest
from whoplays.stream.pipeline.faults import FaultHandler, Faults, print_fault
from whoplays.stream.pipeline.ingest import Ingest, Tap
from whoplays.stream.pipeline.options import StreamOptions, check_label, options_for
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.sources.base import SourceSpec
from whoplays.stream.sources.registry import open_later

ModelKey = tuple[str, str | None]
"""A model and its provider."""


class SharedSource(NamedTuple):
    """A source that streams take from."""

    config: SourceConfig
    ingest: Ingest


class StreamReloader:
    """Adds, changes and removes streams and the sources that they share; what did not change is not touched.

    Args:
        engine: what runs them.
        loaded: models that need not be loaded again.
    """

    def __init__(self, engine: Engine, loaded: Mapping[ModelKey, Recognizer]) -> None:
        self._engine: Final = engine
        self._streams: dict[str, StreamConfig] = {}
        self._shared: dict[str, SharedSource] = {}
        self._recognizers: Mapping[ModelKey, Recognizer] = loaded

    def apply(self, config: Config, errors: ConfigErrors) -> None:
        """Run these streams and no others; nothing changes if there is a mistake in one of them.

        Raises:
            OptionError: a model, a provider, a source or a label is unknown or cannot be used; see `ConfigErrors`.
        """
        recognizers = load(config.stream, errors, self._recognizers)
        shared = share(config.source, errors, self._shared, self._engine.on_fault)
        changed = [stream for stream in config.stream if self._is_changed(stream, shared)]
        inputs = list(_inputs(changed, shared, errors))
        check_alerts(config, recognizers, errors)
        errors.check()
        wanted = {stream.name: stream for stream in config.stream}
        self._engine.change(
            [
                StreamRequest(each, recognizers[_key(stream)], _options(stream, recognizers[_key(stream)]))
                for stream, each in zip(changed, inputs, strict=True)
            ],
            self._streams.keys() - wanted.keys(),
            [source.ingest for source in shared.values()],
        )
        self._engine.alerts.rules = config.alert
        self._streams, self._shared, self._recognizers = wanted, shared, recognizers

    def _is_changed(self, stream: StreamConfig, shared: Mapping[str, SharedSource]) -> bool:
        same = self._streams.get(stream.name) == stream
        return not same or self._shared.get(stream.source) != shared.get(stream.source)


def check_streams(config: Config, errors: ConfigErrors) -> dict[ModelKey, Recognizer]:
    """The models of streams, once no stream has a mistake.

    Raises:
        OptionError: a model, a provider, a source or a label is unknown or cannot be used, or `errors` has mistakes.
    """
    recognizers = load(config.stream, errors, {})
    for _ in _inputs(config.stream, share(config.source, errors), errors):
        pass
    check_alerts(config, recognizers, errors)
    errors.check()
    return recognizers


def check_alerts(config: Config, recognizers: Mapping[ModelKey, Recognizer], errors: ConfigErrors) -> None:
    """Collect what is wrong with the rules of alerts."""
    loaded = {stream.name: recognizers.get(_key(stream)) for stream in config.stream}
    labels = {name: recognizer.labels if recognizer else None for name, recognizer in loaded.items()}
    for rule, mistake in check_rules(config.alert, labels):
        with errors.collect(f"alert {rule.title}"):
            raise OptionError(mistake)


def share(
    sources: Iterable[SourceConfig],
    errors: ConfigErrors,
    known: Mapping[str, SharedSource] = MappingProxyType({}),
    on_fault: FaultHandler = print_fault,
) -> dict[str, SharedSource]:
    """The sources that streams share, by name; each is opened when a stream takes from it.

    Args:
        sources: those of the configuration.
        errors: where mistakes are collected.
        known: those that go on if they are the same.
        on_fault: called with what nobody has foreseen.
    """
    shared = {}
    for source in sources:
        before = known.get(source.name)
        with errors.collect(f"source {source.name}", "address"):
            if before and before.config == source:
                shared[source.name] = before
            else:
                spec = open_later(source.uri, source.selection)
                shared[source.name] = SharedSource(source, Ingest(spec, Faults(source.name, on_fault), shared=True))
    return shared


def _inputs(
    streams: Iterable[StreamConfig], shared: Mapping[str, SharedSource], errors: ConfigErrors
) -> Iterator[SourceSpec | Tap]:
    for stream in streams:
        source = shared.get(stream.source)
        with errors.collect(f"stream {stream.name}"):
            selection = stream.selection(source.config if source else None)
            if source:
                yield Tap(source.ingest, ChannelMixer(selection, source.config.channels))
            elif stream.source:
                with naming("source"):
                    yield open_later(stream.source, selection)


def load(
    streams: Iterable[StreamConfig], errors: ConfigErrors, loaded: Mapping[ModelKey, Recognizer]
) -> dict[ModelKey, Recognizer]:
    """The models of streams, each loaded once; what is wrong with a stream's model or options is collected."""
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
