"""Addresses of RTP: `rtp://[bind]:port?options`, parsed and completed."""

import ipaddress
from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ
from whoplays.stream.common.uri import Address, parse_uri, redact, refuse
from whoplays.stream.sources.rtp.jitter import DEFAULT_DEPTH_MS, MAX_DEPTH_MS
from whoplays.stream.sources.rtp.packet import (
    PAYLOAD_TYPES,
    RTCP_TYPES,
    STATIC_FORMATS,
    RtpFormat,
    RtpFormats,
    require_supported,
)
from whoplays.stream.sources.rtp.sdp import SessionDescription, read_sdp

OPTIONS: Final = frozenset({"rate", "channels", "bits", "pt", "sdp", "interface", "jitter_ms", "rtcp_port"})
FORMAT_OPTIONS: Final = frozenset({"rate", "channels", "bits", "pt"})


class RtpAddress(NamedTuple):
    """What to receive, and how."""

    host: str
    """A multicast group, or an address of this machine; empty for all of them."""
    port: int
    interface: str
    """On which a group is joined: its name or address; empty for the system's choice."""
    formats: RtpFormats
    depth_ns: int
    """Of the jitter buffer: how long a packet waits for those before it."""
    rtcp_port: int = 0
    """Where the sender's reports come, besides the port itself; 0 for nowhere else, but of a group to the next port."""


def parse_rtp_address(uri: str) -> RtpAddress:
    """An address such as `rtp://239.0.0.1:5004?rate=48000&channels=2`.

    Raises:
        SourceError: it cannot be parsed, has no port, or has an option that is unknown or out of range.
    """
    mistakes: list[str] = []
    address = parse_uri(uri, OPTIONS, mistakes)
    described = _description(address)
    host = address.host or (described.host if described and is_multicast(described.host) else "")
    port = described.port if described and address.port is None else address.port
    if port is None:
        refuse(f"{redact(uri)} has no port; give one, as in rtp://:5004", mistakes)
    depth = depth_ns(address, mistakes)
    formats = described.formats if described else _formats(address, mistakes)
    rtcp_port = address.number("rtcp_port", range(1, 65_536), 0, mistakes)
    if mistakes:
        raise SourceError("; ".join(mistakes))
    return RtpAddress(host, port or 0, address.options.get("interface", ""), formats, depth, rtcp_port)


def depth_ns(address: Address, mistakes: list[str]) -> int:
    """How deep an address wants the jitter buffer; mistakes are collected."""
    return address.number("jitter_ms", range(MAX_DEPTH_MS + 1), DEFAULT_DEPTH_MS, mistakes) * 1_000_000


def is_multicast(host: str) -> bool:
    """Whether it is the address of a multicast group."""
    try:
        return ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False


def formats_for_all_types(form: RtpFormat) -> RtpFormats:
    """One format whatever the payload type, for a sender without a session description."""
    return dict.fromkeys((number for number in PAYLOAD_TYPES if number not in RTCP_TYPES), form)


def _description(address: Address) -> SessionDescription | None:
    if "sdp" not in address.options:
        return None
    superfluous = sorted(FORMAT_OPTIONS & address.options.keys())
    if superfluous:
        raise SourceError(f"{superfluous[0]} and sdp exclude each other; leave {superfluous[0]}= out")
    return read_sdp(Path(address.options["sdp"]))


def _formats(address: Address, mistakes: list[str]) -> RtpFormats:
    if not FORMAT_OPTIONS & address.options.keys():
        return STATIC_FORMATS
    default = RtpFormat()
    form = RtpFormat(
        address.number("rate", RATES_HZ, default.rate_hz, mistakes),
        address.number("channels", range(1, MOST_CHANNELS + 1), default.channels, mistakes),
        address.number("bits", range(100), default.bits, mistakes),
    )
    try:
        require_supported(form)
    except SourceError as error:
        refuse(str(error), mistakes)
    if "pt" in address.options:
        return {address.number("pt", PAYLOAD_TYPES, 0, mistakes): form}
    return formats_for_all_types(form)
