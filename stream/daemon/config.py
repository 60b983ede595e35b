"""What a daemon does, as its TOML file says it."""

import math
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from whoplays.models.errors import OptionError, naming
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.paths import expanded, history_file
from whoplays.stream.daemon.config_errors import NO_STREAM, Sections, explained, stream_place
from whoplays.stream.daemon.security_policy import Security
from whoplays.stream.history.retention import check_age, check_size
from whoplays.stream.metrics.server import DEFAULT_ADDRESS, parse_place
from whoplays.stream.pipeline.options import WINDOW_S, StreamOptions, hop_samples
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT, check_bind


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream, as `[[stream]]` says it."""

    name: str
    """Its stable id: letters, digits, dots, dashes, underscores."""
    source: str
    """What is listened to: `device:NAME`, `rtp://[bind]:port`, `zmq://host:port`, `http://…`, a file."""
    model: str = "default"
    """A name from `whoplays models`, or a folder with an exported model."""
    provider: str | None = None
    """The onnxruntime provider; unless given, cuda if it runs, else cpu."""
    hop_s: float = WINDOW_S
    """Seconds from the start of one window to the next, up to 3."""
    gain_db: float = 0.0
    """How much louder the source is made."""
    channels: tuple[int, ...] = ()
    """Which one or two of the source's channels are heard, counted from 1; the first two unless given."""
    thresholds: dict[str, float] = {}
    """By English name: at or above it a label is active; what is not given is as on the model's card."""
    silence_dbfs: float = SILENCE_DBFS
    """Below this level a window is silence."""
    max_lag_s: float = 6.0
    """How old a window may be when it is judged; older ones are given up if there is a newer one."""

    @property
    def selection(self) -> ChannelSelection:
        """What is taken of the source."""
        return ChannelSelection(channels=self.channels, gain_db=self.gain_db)

    @property
    def options(self) -> StreamOptions:
        """How it is listened to, but for the thresholds, which depend on the model."""
        return StreamOptions(
            stream=self.name,
            hop_samples=hop_samples(self.hop_s),
            silence_dbfs=self.silence_dbfs,
            max_lag_s=self.max_lag_s,
        )


class HistoryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept, as `[history]` says it."""

    path: str | None = None
    """The database; unless given, whoplays/history.db where the system keeps state."""
    keep_windows: bool = False
    """Keep each window's probabilities too, not only who played when."""
    max_age_days: float | None = 365.0
    """What is older is forgotten."""
    max_mb: float | None = 1000.0
    """The oldest is forgotten when the database is larger."""

    @property
    def max_bytes(self) -> int | None:
        """The same in bytes; no limit if it is none, or too large to count."""
        return None if self.max_mb is None or math.isinf(self.max_mb * 1e6) else round(self.max_mb * 1e6)

    @property
    def file(self) -> Path:
        """The database.

        Raises:
            OptionError: it is in a home folder that is not known.
        """
        return expanded(self.path) if self.path else history_file()


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told to a monitoring system, as `[metrics]` says it."""

    address: str = DEFAULT_ADDRESS
    """Where /metrics, /healthz and /readyz are."""
    insecure: bool = False
    """Allow an address that is open to the network."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a daemon does."""

    stream: tuple[StreamConfig, ...]
    publish: str = DEFAULT_ENDPOINT
    """The ZeroMQ address on which results are published."""
    security: Security = Security()
    history: HistoryConfig | None = None
    """Nothing is kept unless there is such a section."""
    metrics: MetricsConfig | None = None
    """Nothing is told unless there is such a section."""


def read_config(path: Path) -> Config:
    """A daemon's configuration.

    Raises:
        WhoplaysError: it cannot be read or makes no sense; the message names the file, the key and what was expected.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is no TOML: {error}") from error
    with naming(str(path)):
        config = _config(document)
        _check(config)
    return config


def _config(document: dict[str, Any]) -> Config:
    try:
        return msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise OptionError(explained(error, document, _SECTIONS)) from error


def _check(config: Config) -> None:
    _check_streams(config.stream)
    with naming("publish"):
        encrypted = config.security.encrypts(config.publish)
        check_bind(config.publish, insecure=config.security.insecure, encrypted=encrypted)
    if config.history:
        with naming("history.max_age_days"):
            check_age(config.history.max_age_days)
        with naming("history.max_mb"):
            check_size(config.history.max_mb)
    if config.metrics:
        with naming("metrics.address"):
            parse_place(config.metrics.address, insecure=config.metrics.insecure)


def _check_streams(streams: tuple[StreamConfig, ...]) -> None:
    if not streams:
        raise OptionError(NO_STREAM)
    for number, stream in enumerate(streams, 1):
        for key, attempt in _ATTEMPTS.items():
            with naming(stream_place(stream.name, number), key):
                attempt(stream)
    for name, count in Counter(stream.name for stream in streams).items():
        if count > 1:
            raise OptionError(f"{count} streams are named {name}; give each its own name")


_SECTIONS: Final[Sections] = {
    "": Config,
    "stream": StreamConfig,
    "security": Security,
    "history": HistoryConfig,
    "metrics": MetricsConfig,
}
_ATTEMPTS: Final[dict[str, Callable[[StreamConfig], object]]] = {
    "name": lambda stream: StreamOptions(stream=stream.name),
    "hop_s": lambda stream: hop_samples(stream.hop_s),
    "gain_db": lambda stream: ChannelSelection(gain_db=stream.gain_db),
    "channels": lambda stream: ChannelSelection(channels=stream.channels),
    "silence_dbfs": lambda stream: StreamOptions(silence_dbfs=stream.silence_dbfs),
    "max_lag_s": lambda stream: StreamOptions(max_lag_s=stream.max_lag_s),
}
"""What refuses each key's value, tried with that alone, so that it is known which key is wrong."""

SCHEMA_PATH: Final = Path(__file__).with_name("config.schema.json")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a daemon's configuration."""
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "whoplays serve, configuration",
        **msgspec.json.schema(Config),
    }
    # As JSON has it: a default that is a tuple is an array.
    return dict(msgspec.json.decode(msgspec.json.encode(made)))


if __name__ == "__main__":
    SCHEMA_PATH.write_bytes(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
