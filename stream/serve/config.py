"""What a daemon does, as its TOML file says it."""

import math
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from models.errors import OptionError, WhoplaysError
from stream.endpoint import DEFAULT_ENDPOINT
from stream.habits import WINDOW_S, Habits, hop_samples
from stream.intake import Intake
from stream.level import SILENCE_DBFS
from stream.metrics.address import DEFAULT_ADDRESS
from stream.security.settings import Security

_WHERE: Final = re.compile(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`", re.DOTALL)


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
    def intake(self) -> Intake:
        """What is taken of the source."""
        return Intake(channels=self.channels, gain_db=self.gain_db)

    @property
    def habits(self) -> Habits:
        """How it is listened to, but for the thresholds, which depend on the model."""
        return Habits(
            stream=self.name,
            hop_samples=hop_samples(self.hop_s),
            silence_dbfs=self.silence_dbfs,
            max_lag_s=self.max_lag_s,
        )


class HistoryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept, as `[history]` says it.

    Raises:
        OptionError: the size is no number.
    """

    path: str | None = None
    """The database; unless given, whoplays/history.db where the system keeps state."""
    keep_windows: bool = False
    """Keep each window's probabilities too, not only who played when."""
    max_age_days: float | None = 365.0
    """What is older is forgotten."""
    max_mb: float | None = 1000.0
    """The oldest is forgotten when the database is larger."""

    def __post_init__(self) -> None:
        if self.max_mb is not None and math.isnan(self.max_mb):
            raise OptionError("a history of at most nan MB makes no sense; give a number, or inf for no limit")

    @property
    def max_bytes(self) -> int | None:
        """The same in bytes; no limit if it is none or without end."""
        return None if self.max_mb is None or math.isinf(self.max_mb) else round(self.max_mb * 1e6)


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
        OptionError: it cannot be read or makes no sense; the message names the file, the key and what was expected.
    """
    try:
        config = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Config)
        _check(config)
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise OptionError(f"{path}: {_explained(str(error))}") from error
    except WhoplaysError as error:
        raise OptionError(f"{path}: {error}") from error
    return config


def _check(config: Config) -> None:
    if not config.stream:
        raise OptionError("there is no [[stream]]; give one or more")
    for name, count in Counter(stream.name for stream in config.stream).items():
        if count > 1:
            raise OptionError(f"{count} streams are named {name}; give each its own name")
    for place, stream in enumerate(config.stream):
        try:
            _ = stream.habits, stream.intake
        except WhoplaysError as error:
            raise OptionError(f"stream[{place}]: {error}") from error


def _explained(text: str) -> str:
    """The key first, then what was expected."""
    found = _WHERE.fullmatch(text)
    return f"{found['where']}: {found['what']}" if found else text
