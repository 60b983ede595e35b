"""Addresses of sources: their parts, and how they are shown."""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from whoplays.models.errors import SourceError

_OUTER: Final = re.compile(r"(\w+:)(?://)?(?=\w+://)")
"""What precedes a whole address, as in `hls:http://radio.example/live`."""
_SHOWN: Final = frozenset({"rate", "channels", "bits", "sdp", "interface", "pt", "jitter_ms"})


class Address(NamedTuple):
    """The parts of an address."""

    host: str
    """Empty if it names none."""
    port: int | None
    options: dict[str, str]

    def number(self, option: str, allowed: range, otherwise: int) -> int:
        """An option that is a number; `otherwise` if it is not given.

        Raises:
            SourceError: it is not a whole number, or out of range.
        """
        text = self.options.get(option)
        if text is None:
            return otherwise
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed):
            raise SourceError(f"{option} must be between {allowed[0]} and {allowed[-1]}, got {text}")
        return int(text)


def parse_uri(uri: str, options: frozenset[str]) -> Address:
    """Host, port and options of an address such as `rtp://239.0.0.1:5004?rate=48000`.

    Args:
        uri: the address.
        options: those that it may have.

    Raises:
        SourceError: it is malformed, or has an option that it cannot have.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise SourceError(f"address {redact(uri)} is malformed: {error}") from error
    unknown = sorted(set(given) - options)
    if unknown:
        known = ", ".join(sorted(options)) or "none"
        raise SourceError(f"{redact(uri)}: option {unknown[0]!r} not found; it has: {known}")
    return Address(parts.hostname or "", port, given)


def host_and_port(host: str, port: int | str) -> str:
    """Both as people write them.

    >>> host_and_port("ff15::1", 5004)
    '[ff15::1]:5004'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def redact(uri: str) -> str:
    """An address as it may be logged and published: without user, password, and options that could be secret.

    >>> redact("http://me:pass@radio.example:8000/live?token=abc&rate=48000")
    'http://radio.example:8000/live?token=…&rate=48000'
    """
    outer = _OUTER.match(uri)
    if outer:
        return outer[1] + _shown(uri[outer.end() :])
    return _shown(uri)


def _shown(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        # One that cannot be read may be part of a password that was not written as it should be.
        _ = parts.port
        pairs = [pair.partition("=") for pair in parts.query.split("&")] if parts.query else []
    except ValueError:
        return uri.partition("://")[0] + "://…"
    query = "&".join(f"{name}={value if name in _SHOWN else '…'}" for name, _, value in pairs)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))
