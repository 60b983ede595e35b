"""Addresses of RTP: `rtp://[bind]:port?options`, taken apart and completed."""

import ipaddress
from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ, ChannelSelection
from whoplays.stream.common.uri import Address, parse_uri, redact
from whoplays.stream.sources.base import BoundAddress
from whoplays.stream.sources.rtp.packet import PAYLOAD_TYPES, STATIC, Format, Formats, checked, for_every_type
from whoplays.stream.sources.rtp.sdp import Description, read_sdp

OPTIONS: Final = frozenset({"rate", "channels", "bits", "pt", "sdp", "interface", "jitter_ms"})
OF_FORMAT: Final = frozenset({"rate", "channels", "bits", "pt"})
JITTER_MS: Final = 60
MOST_JITTER_MS: Final = 1000


class RtpAddress(NamedTuple):
    """What to listen to, and how."""

    host: str
    """A multicast group, or an address of this machine; empty for all of them."""
    port: int
    interface: str
    """On which a group is joined: its name or address; empty for the system's choice."""
    formats: Formats
    wait_ns: int
    """How long a packet waits for those before it."""


def read_address(uri: str) -> RtpAddress:
    """An address such as `rtp://239.0.0.1:5004?rate=48000&channels=2`.

    Raises:
        SourceError: it is none, or one of its options makes no sense.
    """
    address = parse_uri(uri, OPTIONS)
    described = _description(address)
    host = address.host or (described.host if described and is_group(described.host) else "")
    port = described.port if described and address.port is None else address.port
    if port is None:
        raise SourceError(f"{redact(uri)} names no port; give one, as in rtp://:5004")
    wait_ns = address.number("jitter_ms", range(MOST_JITTER_MS + 1), JITTER_MS) * 1_000_000
    formats = described.formats if described else _formats(address)
    return RtpAddress(host, port, address.options.get("interface", ""), formats, wait_ns)


def check_address(uri: str, _selection: ChannelSelection) -> BoundAddress | None:
    """The address that is bound; None if it is a group's, which many may bind.

    Raises:
        SourceError: see `read_address`.
    """
    address = read_address(uri)
    return None if is_group(address.host) else BoundAddress("udp", address.host, address.port)


def is_group(host: str) -> bool:
    """Whether it is the address of a multicast group."""
    try:
        return ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False


def _description(address: Address) -> Description | None:
    if "sdp" not in address.options:
        return None
    superfluous = sorted(OF_FORMAT & address.options.keys())
    if superfluous:
        raise SourceError(f"the session description says what {superfluous[0]} is; leave {superfluous[0]}= out")
    return read_sdp(Path(address.options["sdp"]))


def _formats(address: Address) -> Formats:
    if not OF_FORMAT & address.options.keys():
        return STATIC
    standard = Format()
    form = checked(
        Format(
            address.number("rate", RATES_HZ, standard.rate_hz),
            address.number("channels", range(1, MOST_CHANNELS + 1), standard.channels),
            address.number("bits", range(100), standard.bits),
        )
    )
    if "pt" in address.options:
        return {address.number("pt", PAYLOAD_TYPES, 0): form}
    return for_every_type(form)
