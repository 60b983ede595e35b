"""Where relays send, and how: read and checked before anything is sent."""

import re
from collections.abc import Collection
from typing import Final, NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit

from whoplays.models.errors import OptionError, require_between
from whoplays.stream.common.uri import LAST_PORT, host_and_port, redact

FASTEST_HZ: Final = 50.0
SLOWEST_HZ: Final = 0.1
MQTT_PORT: Final = 1883
TLS_PORT: Final = 8883
SHORTEST_SECRET: Final = 16


class OscOptions(NamedTuple):
    """A receiver of OSC."""

    host: str
    port: int
    prefix: str = "/whoplays"
    """What every address begins with."""
    rate: float = 10.0
    """How many times a second it is told at most."""
    time_tags: bool = True
    """Whether bundles say of when they are; else they are of now."""

    @property
    def shown(self) -> str:
        """Host and port."""
        return host_and_port(self.host, self.port)

    @classmethod
    def read(cls, target: str, prefix: str = "whoplays", rate: float = 10.0, *, time_tags: bool = True) -> Self:
        """Of a target `HOST:PORT`.

        Raises:
            OptionError: something is malformed or out of range.
        """
        require_between("rate", rate, SLOWEST_HZ, FASTEST_HZ, "per second")
        if "://" in target:
            raise OptionError(f"target must be like desk.example:9000, got {redact(target)!r}")
        parts = _split(f"osc://{target}", target, {"osc"}, "desk.example:9000")
        if parts.port is None or parts.path or parts.query or "@" in target:
            raise OptionError(f"target must be like desk.example:9000, got {target!r}")
        return cls(parts.hostname or "", parts.port, f"/{check_prefix(prefix)}", rate, time_tags)


class MqttOptions(NamedTuple):
    """A broker of MQTT."""

    host: str
    port: int
    tls: bool = False
    username: str = ""
    password: str = ""
    prefix: str = "whoplays"
    """What every topic begins with."""
    discovery: str = "homeassistant"
    """What topics begin with by which Home Assistant discovers; empty: it is told nothing."""

    @property
    def shown(self) -> str:
        """Host and port."""
        return host_and_port(self.host, self.port)

    @classmethod
    def read(
        cls, target: str, prefix: str = "whoplays", discovery: str = "homeassistant", password: str | None = None
    ) -> Self:
        """Of a target `mqtt://[USER[:PASSWORD]@]HOST[:PORT]`, or `mqtts://` for TLS.

        Raises:
            OptionError: something is malformed.
        """
        parts = _split(target, target, {"mqtt", "mqtts"}, "mqtt://broker.example")
        if parts.path.strip("/") or parts.query:
            raise OptionError(f"target must be like mqtt://broker.example, got {redact(target)!r}")
        tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname or "",
            parts.port or (TLS_PORT if tls else MQTT_PORT),
            tls,
            unquote(parts.username or ""),
            unquote(parts.password or "") if password is None else password,
            check_prefix(prefix),
            check_prefix(discovery) if discovery else "",
        )


class WebhookOptions(NamedTuple):
    """A server that is posted to."""

    url: str
    secret: str = ""
    """What bodies are signed with; empty: they are not."""
    alerts_only: bool = False
    """Whether it is told of alerts alone, and not of events."""

    @property
    def shown(self) -> str:
        """The address, without any secret."""
        return redact(self.url)

    @classmethod
    def read(cls, target: str, secret: str = "", *, alerts_only: bool = False) -> Self:
        """Of a target `http://…` or `https://…`.

        Raises:
            OptionError: it is malformed, or the secret is too short to be one.
        """
        parts = _split(target, target, {"http", "https"}, "https://example.org/hook")
        if parts.username is not None:
            raise OptionError(f"target must have no user or password, got {redact(target)!r}; sign with a secret")
        if secret and len(secret) < SHORTEST_SECRET:
            raise OptionError(f"secret must have {SHORTEST_SECRET} characters or more, got {len(secret)}")
        return cls(target, secret, alerts_only)


def check_prefix(prefix: str) -> str:
    """A prefix of addresses or topics, without slashes around it.

    Raises:
        OptionError: it has other characters than letters, digits, dots, dashes, underscores and slashes.
    """
    if not re.fullmatch(r"/?[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", prefix):
        raise OptionError(f"prefix must be letters, digits, dots, dashes, underscores or slashes, got {prefix!r}")
    return prefix.strip("/")


def _split(address: str, given: str, schemes: Collection[str], example: str) -> SplitResult:
    """The parts of an address with a host, and with a port that is one if it has any.

    Raises:
        OptionError: it is malformed.
    """
    try:
        parts = urlsplit(address)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not given.isprintable() or " " in given:
        raise OptionError(f"target must be like {example}, its port between 1 and {LAST_PORT}, got {redact(given)!r}")
    return parts
