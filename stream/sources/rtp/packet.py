"""RTP packets (RFC 3550), parsed from datagrams that anybody may have sent: no byte of them is trusted."""

import struct
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import SourceError, require_between
from whoplays.stream.audio.pcm import NetworkEncoding
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ

WIDTHS_BITS: Final = (16, 24)
PAYLOAD_TYPES: Final = range(128)
RTCP_TYPES: Final = range(72, 77)
"""What RTCP packets look like when they come to the same port (RFC 5761)."""


class RtpFormat(NamedTuple):
    """Linear PCM, big endian, its channels interleaved: L16 (RFC 3551) or L24 (RFC 3190)."""

    rate_hz: int = 44_100
    channels: int = 2
    bits: int = 16

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.bits // 8 * self.channels

    @property
    def encoding(self) -> NetworkEncoding:
        """Of the samples."""
        return "s16be" if self.bits == 16 else "s24be"


RtpFormats = Mapping[int, RtpFormat]
"""By payload type; packets of any other type are rejected."""

STATIC_FORMATS: Final[RtpFormats] = {10: RtpFormat(channels=2), 11: RtpFormat(channels=1)}
"""The payload types that RFC 3551 gives a meaning."""


def require_supported(form: RtpFormat) -> RtpFormat:
    """A format that can be decoded.

    Raises:
        SourceError: rate, channels or sample width are out of range.
    """
    require_between("rate", form.rate_hz, RATES_HZ[0], RATES_HZ[-1], "Hz", SourceError)
    require_between("channels", form.channels, 1, MOST_CHANNELS, error=SourceError)
    if form.bits not in WIDTHS_BITS:
        raise SourceError(f"bits must be {' or '.join(map(str, WIDTHS_BITS))}, got {form.bits}")
    return form


HEADER: Final = struct.Struct("!BBHII")
EXTENSION: Final = struct.Struct("!HH")
VERSION: Final = 2

ParseError = Literal["short", "version", "extension", "padding"]
"""Why bytes are not an RTP packet: they end within the header, are of another version, or the length that their
extension or padding states is impossible."""


class RtpPacket(NamedTuple):
    """One RTP packet, as RFC 3550 section 5.1 has it."""

    payload_type: int
    sequence: int
    """16 bits; wraps."""
    timestamp: int
    """32 bits, in frames of the sender's clock, of the first frame; wraps."""
    ssrc: int
    """The synchronization source, 32 bits: which sender; drawn at random when it starts."""
    payload: bytes


def parse_packet(data: bytes) -> RtpPacket | ParseError:
    """A datagram as a packet, or why it is none. Contributing sources, extension and padding are skipped."""
    if len(data) < HEADER.size:
        return "short"
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != VERSION:
        return "version"
    start = HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + EXTENSION.size:
            return "extension"
        start += EXTENSION.size + 4 * EXTENSION.unpack_from(data, start)[1]
    if start > len(data):
        return "extension" if first & 0x10 else "short"
    padding = data[-1] if first & 0x20 else 0
    if first & 0x20 and not 1 <= padding <= len(data) - start:
        return "padding"
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start : len(data) - padding])


def extend(value: int, reference: int, bits: int) -> int:
    """Extend a counter that wraps (RFC 3550 appendix A.1): the whole number that it means nearest to a reference.

    >>> extend(2, 65_535, 16)
    65538
    >>> extend(65_535, 65_538, 16)
    65535
    """
    half = 1 << (bits - 1)
    return reference + (value - reference + half) % (2 * half) - half
