"""What a daemon does, as its TOML file says it."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from whoplays.models.errors import OptionError, naming
from whoplays.stream.common.json_schema import json_schema, write_schema
from whoplays.stream.common.paths import allowed_folder, check_regular, expanded, history_file
from whoplays.stream.daemon.child_config import PageConfig, RelayConfig
from whoplays.stream.daemon.config_errors import ConfigErrors, SectionReader
from whoplays.stream.daemon.stream_config import SourceConfig, StreamConfig, check_sources
from whoplays.stream.history.retention import AgeLimit, SizeLimit
from whoplays.stream.metrics.server import DEFAULT_ADDRESS, parse_address
from whoplays.stream.pipeline.alerts import AlertRule
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT, check_bind, is_open
from whoplays.stream.security.allow_list import AllowList, ServerKeys
from whoplays.stream.security.keys import read_secret


class Security(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the published address is secured, as `[security]` says it."""

    mode: Literal["off", "auto", "required"] = "auto"
    """`off`: no encryption, this machine only; `auto`: encryption where the address is open to the network; `required`:
    everywhere. Encryption needs keys."""
    keys: str | None = None
    """The daemon's secret key file."""
    allowed: str | None = None
    """The folder with the public keys of those who may connect; that of `whoplays keys allow` unless given."""
    insecure: bool = False
    """Allow an address that is open to the network without encryption, if the mode does not encrypt it."""

    def keys_for(self, endpoint: str) -> ServerKeys | None:
        """The keys to bind an address with; None if it is not to be encrypted.

        Whether an address may be bound without keys is for `check_bind` to say.

        Raises:
            OptionError: keys are needed and not given, or cannot be used; the message begins with the key that says it.
        """
        if not self.encrypts(endpoint):
            return None
        if self.keys is None:
            raise OptionError(
                f"security.keys is missing, which encrypting {endpoint} needs; "
                "add the secret key file that whoplays keys make has made to [security]"
            )
        with naming("security.keys"):
            _, secret = read_secret(expanded(self.keys))
        with naming("security.allowed"):
            allowed = AllowList(expanded(self.allowed) if self.allowed else allowed_folder())
            allowed.check()
        return ServerKeys(secret, allowed)

    def encrypts(self, endpoint: str) -> bool:
        """Whether an address is to be encrypted."""
        if self.mode == "required":
            return True
        return self.mode == "auto" and is_open(endpoint) and (self.keys is not None or not self.insecure)


class HistoryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept, as `[history]` says it."""

    path: str | None = None
    """The database; unless given, `whoplays/history.db` where the system keeps state."""
    keep_windows: bool = False
    """Keep each window's probabilities too, not only who played when."""
    max_age_days: AgeLimit | None = 365.0
    """What is older is deleted."""
    max_mb: SizeLimit | None = 1000.0
    """The oldest is deleted when the database is larger."""

    @property
    def file(self) -> Path:
        """The database.

        Raises:
            OptionError: it is in a home folder that is not known.
        """
        return expanded(self.path) if self.path else history_file()


class ClipsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is recorded, as `[clips]` says it."""

    folder: str
    """Where clips and their `index.csv` are, which `whoplays train` reads."""
    of: Literal["entrances", "unsure", "both"] = "entrances"
    """`entrances`: from before an instrument enters until it leaves; `unsure`: windows in which a probability is within
    0.1 of its threshold, one in 30 s; or both."""
    before_s: Annotated[float, Meta(ge=0, le=4, extra={"unit": "s"})] = 2.0
    """How much of what was before an entrance."""
    max_length_s: Annotated[float, Meta(ge=1, le=3600, extra={"unit": "s"})] = 60.0
    """A longer clip ends there."""
    max_age_days: AgeLimit | None = 30.0
    """What is older is deleted."""
    max_mb: SizeLimit | None = 1000.0
    """The oldest are deleted when all are larger."""


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a monitoring system can ask for, as `[metrics]` says it."""

    address: str = DEFAULT_ADDRESS
    """Where `/metrics`, `/healthz` and `/readyz` are."""
    insecure: bool = False
    """Allow an address that is open to the network."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a daemon does."""

    stream: Annotated[
        tuple[StreamConfig, ...], Meta(min_length=1, extra={"expected": "one or more sections [[stream]]"})
    ]
    source: tuple[SourceConfig, ...] = ()
    """Sources with many channels, for streams to take theirs from."""
    alert: tuple[AlertRule, ...] = ()
    """When something is taken to be wrong with a stream."""
    publish: str = DEFAULT_ENDPOINT
    """The ZeroMQ address of the results; port `*` takes any free one."""
    security: Security = Security()
    history: HistoryConfig | None = None
    """Nothing is kept unless there is such a section."""
    metrics: MetricsConfig | None = None
    """There are no metrics unless there is such a section."""
    clips: ClipsConfig | None = None
    """Nothing is recorded unless there is such a section."""
    relay: tuple[RelayConfig, ...] = ()
    """Which other machines are told who plays."""
    page: PageConfig | None = None
    """There is no page unless there is such a section."""


HEAD: Final = "the head of the file"
MAX_FILE_BYTES: Final = 4 << 20
SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    HEAD: Config,
    "[[stream]]": StreamConfig,
    "[[source]]": SourceConfig,
    "[[alert]]": AlertRule,
    "[security]": Security,
    "[history]": HistoryConfig,
    "[metrics]": MetricsConfig,
    "[clips]": ClipsConfig,
    "[[relay]]": RelayConfig,
    "[page]": PageConfig,
}


def read_config(path: Path, errors: ConfigErrors | None = None) -> Config:
    """A daemon's configuration.

    Args:
        path: its file.
        errors: where mistakes are collected, so that others can be told with them; a key that is missing or wrong has
            its default then, a stream's name its number, and its source is empty. Unless given, mistakes are raised.

    Raises:
        OptionError: it cannot be read, or has mistakes; a line for each names the file, the key and what was expected.
    """
    document, found = _load_toml(path), errors or ConfigErrors(path)
    config = _read(document, SectionReader(SECTIONS, found))
    _check(config, found)
    if errors is None:
        found.check()
    streams = tuple(
        msgspec.structs.replace(stream, name=stream.name or str(number), source=stream.source or "")
        for number, stream in enumerate(config.stream or (), 1)
    )
    sources = tuple(source for source in config.source or () if source.name and source.address and source.channels)
    alerts = tuple(rule for rule in config.alert or () if rule.when)
    clips = config.clips if config.clips and config.clips.folder else None
    return msgspec.structs.replace(
        config, stream=streams, source=sources, alert=alerts, clips=clips, relay=_complete(config.relay)
    )


def _complete(relays: tuple[RelayConfig, ...] | None) -> tuple[RelayConfig, ...]:
    """Those of which all is said."""
    return tuple(relay for relay in relays or () if relay.kind and relay.target)


def _load_toml(path: Path) -> dict[str, Any]:
    try:
        _check_file(path)
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors write a byte order mark
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise OptionError(f"{path} is nested too deep") from error
    except ValueError as error:  # of the syntax, the encoding, or a number of thousands of digits
        raise OptionError(f"{path} is not valid TOML: {error}") from error


def _check_file(path: Path) -> None:
    """Refuse what could be read for ever."""
    try:
        check_regular(path)
    except ValueError as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise OptionError(f"{path} must have at most {MAX_FILE_BYTES} bytes, got {size}")


def _read(document: dict[str, Any], reader: SectionReader) -> Config:
    head = {"stream": [], **document}
    for name in ("security", "history", "metrics", "clips", "page"):
        if name in head:
            head[name] = reader.read(head[name], f"[{name}]", f"{name}.")
    for name in ("stream", "source", "alert", "relay"):
        if isinstance(tables := head.get(name), list):
            head[name] = [
                reader.read(each, f"[[{name}]]", f"{name} {_name(each, number)}: ")
                for number, each in enumerate(tables, 1)
            ]
    config: Config = reader.read(head, HEAD, "")
    return config


def _name(table: object, number: int) -> str:
    """The name of a stream or a source; its number, from 1, if it has none."""
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) and name.isprintable() else str(number)


def _check(config: Config, errors: ConfigErrors) -> None:
    """Collect what is wrong with keys that depend on one another."""
    with errors.collect("publish"):
        encrypted = config.security.encrypts(config.publish)
        check_bind(config.publish, insecure=config.security.insecure, encrypted=encrypted)
    if config.metrics:
        with errors.collect("metrics.address"):
            parse_address(config.metrics.address, insecure=config.metrics.insecure)
    for number, relay in enumerate(config.relay or (), 1):
        with errors.collect(f"relay {number}"):
            if relay.kind and relay.target:
                relay.check()
    if config.page:
        with errors.collect("page"):
            config.page.check()
    for kind, sections in (("stream", config.stream), ("source", config.source)):
        for name, count in Counter(section.name for section in sections or ()).items():
            with errors.collect(f"{kind} {name}"):
                if name and count > 1:
                    raise OptionError(f"name must be unique, got it {count} times")
    check_sources(config.source or (), errors)


SCHEMA_PATH: Final = Path(__file__).with_name("config.schema.json")


def schema() -> dict[str, Any]:
    """The JSON Schema of a daemon's configuration."""
    return json_schema(Config, "whoplays serve, configuration")


if __name__ == "__main__":
    write_schema(SCHEMA_PATH, schema())
