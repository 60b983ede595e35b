"""Addresses of sources: their parts, and what of them, and of texts that name them, may be shown."""

import ipaddress
import re
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from whoplays.models.errors import SourceError

_UNITS: Final = {"rate": " Hz", "jitter_ms": " ms"}
LAST_PORT: Final = 65_535


class Address(NamedTuple):
    """The parts of an address."""

    host: str
    """Empty if it names none."""
    port: int | None
    options: dict[str, str]

    def number(self, option: str, allowed: range, otherwise: int, mistakes: list[str] | None = None) -> int:
        """An option that is a number; `otherwise` if it is not given.

        Raises:
            SourceError: it is not a whole number, or out of range, and mistakes are not collected; see `refuse`.
        """
        text = self.options.get(option)
        if text is None:
            return otherwise
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed):
            unit = _UNITS.get(option, "")
            refuse(f"{option} must be between {allowed[0]} and {allowed[-1]}{unit}, got {text}", mistakes)
            return otherwise
        return int(text)


def refuse(mistake: str, mistakes: list[str] | None) -> None:
    """Collect a mistake, where mistakes are collected.

    Raises:
        SourceError: they are not.
    """
    if mistakes is None:
        raise SourceError(mistake)
    mistakes.append(mistake)


def parse_uri(uri: str, options: frozenset[str], mistakes: list[str] | None = None) -> Address:
    """Host, port and options of an address such as `rtp://239.0.0.1:5004?rate=48000`.

    Args:
        uri: the address.
        options: those that it may have.
        mistakes: where they are collected; unless given, they are raised.

    Raises:
        SourceError: it is malformed, or has an option that it cannot have.
    """
    try:
        parts = urlsplit(uri)
        port = _port(parts.netloc)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        # Without what Python says, which may quote a password.
        raise SourceError(
            f"address {redact(uri)} is malformed; give one as in rtp://HOST:PORT?NAME=VALUE, its port up to {LAST_PORT}"
        ) from error
    if port is not None and port > LAST_PORT:
        number = "…" if "@" in uri else port  # part of a password, perhaps
        text = f"address {redact(uri)} is malformed: port must be between 0 and {LAST_PORT}, got {number}"
        refuse(text, mistakes)
    unknown = sorted(set(given) - options)
    if unknown:
        known = ", ".join(sorted(options)) or "none"
        names = ", ".join(repr(_shown_name(name)) for name in unknown)
        refuse(f"{redact(uri)}: option {names} not found; it has: {known}", mistakes)
    return Address(parts.hostname or "", port, given)


def _port(netloc: str) -> int | None:
    """The port after host and colon, in range or not.

    Raises:
        ValueError: it is no number.
    """
    _, colon, text = netloc.rpartition("@")[2].rpartition("]")[2].rpartition(":")
    if not (colon and text):
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("its port is no number")
    return int(text)


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine alone."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def host_and_port(host: str, port: int | str) -> str:
    """Both as people write them.

    >>> host_and_port("ff15::1", 5004)
    '[ff15::1]:5004'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_NETWORK: Final = "https?|rtsps?|hls|zmq|rtp|tcp|udp|srt|rtmps?|ftps?|mmsh?|icecast"
_LOCAL: Final = frozenset({"file", "ipc", "inproc", "media", "device", "pulse"})
"""What follows them is a path or a name."""
_ADDRESS: Final = re.compile(
    rf"(?P<scheme>{_NETWORK}|[a-z][a-z0-9+.-]*(?=://)):(?P<slashes>/*)(?P<rest>.*)", re.I | re.S
)
_PLACE: Final = re.compile(
    r"(?P<host>\[[\da-f:.%]+\]|[\w.*-]*)(?P<port>:(?:\d{1,5}|\*)?)?"
    r"(?P<path>/[^?#;]*)?(?P<parameters>;[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
    re.I | re.S,
)
_WORD: Final = r"(?:(?:[A-Z]?[a-z]{1,15}|[A-Z]{1,8})\d{0,3}|\d{1,3}[a-z]{0,2})"
_PLAIN: Final = re.compile(rf"{_WORD}(?:[._-]{_WORD}){{0,5}}(?:\.[a-z][a-z0-9]{{1,4}})?")
"""The name of a mount or a file, as people write it; what machines make, a token, has another form."""
_NUMBERS: Final = frozenset({"rate", "channels", "bits", "pt", "jitter_ms"})
_NAMES: Final = frozenset({"sdp", "sap", "interface"})
"""Options of RTP that are no secret."""


def redact(uri: str) -> str:
    """An address as it may be shown, logged, published and kept: only what is known to be no secret.

    Shown are scheme, host, port, the last part of the path if it is a plain name, and numbers of known options; what
    precedes the last `@` never is. What is no address is returned as it is.

    >>> redact("http://me:pass@radio.example:8000/key/live?token=abc&rate=48000")
    'http://radio.example:8000/…/live?token=…&rate=48000'
    """
    found = _ADDRESS.fullmatch(uri)
    if found is None or found["scheme"].lower() in _LOCAL:
        return uri
    outer, rest = f"{found['scheme']}:{found['slashes']}", found["rest"]
    if _ADDRESS.fullmatch(rest):
        # As in `hls:http://radio.example/live`.
        return f"{found['scheme']}:{redact(rest)}"
    place = _PLACE.fullmatch(rest.rpartition("@")[2])
    if not rest:
        return f"{found['scheme']}:"
    if place is None:
        return f"{outer}…"
    names = _NAMES if found["scheme"].lower() == "rtp" else frozenset[str]()
    query = f"?{_shown_query(place['query'][1:], names)}" if place["query"] else ""
    parameters = ";…" if place["parameters"] else ""
    return f"{outer}{place['host']}{place['port'] or ''}{_shown_path(place['path'] or '')}{parameters}{query}"


def _shown_path(path: str) -> str:
    folder, slash, last = path.rpartition("/")
    shown = last if not last or _PLAIN.fullmatch(last) else "…"
    return f"{'/…' if folder.strip('/') else ''}{slash}{shown}"


def _shown_query(query: str, names: frozenset[str]) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(
        f"{_shown_name(name)}={_shown_value(name, value, names)}" if equals else "…" for name, equals, value in pairs
    )


def _shown_name(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]{1,16}", name) else "…"


def _shown_value(name: str, value: str, names: frozenset[str]) -> str:
    return value if name in names or (name in _NUMBERS and re.fullmatch(r"\d{1,7}", value)) else "…"


# A quotation mark ends an address if nothing more of it follows.
_IN_TEXT: Final = re.compile(
    rf"""(?<![A-Za-z0-9+.-])(?:(?:{_NETWORK}):|[a-z][a-z0-9+.-]*://)(?:[^\s'"<>]|['"](?=[^\s'",.:;)\]}}]))+""", re.I
)
# A slash or a blank in a password makes no valid address, but it is a secret all the same. A port is no password.
_SPLIT_PASSWORD: Final = re.compile(r"(://)[^\s@/:]*:(?!\d{1,5}(?:[\s/?#.,;)]|$))[^@\n]*@")


def clean(text: str) -> str:
    """A text without the secrets of the addresses in it; whatever is shown, logged, published or kept goes through it.

    >>> clean("lost http://me:secret@radio.example/live?token=abc: timed out")
    'lost http://radio.example/live?token=…: timed out'
    """
    return _IN_TEXT.sub(_redact_found, _SPLIT_PASSWORD.sub(r"\1…@", text))


def _redact_found(found: re.Match[str]) -> str:
    # What ends a sentence is not part of the address.
    uri = found[0].rstrip(".,:;!)]}")
    return redact(uri) + found[0][len(uri) :]
