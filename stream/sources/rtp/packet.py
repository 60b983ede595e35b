"""RTP packets, parsed so that no byte of them is trusted."""

import struct
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.audio.pcm import NetworkEncoding
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ


def extend(value: int, near: int, bits: int) -> int:
    """The whole number that a counter of so many bits means: the one nearest to where it is expected.

    >>> extend(2, 65_535, 16)
    65538
    >>> extend(65_535, 65_538, 16)
    65535
    """
    half = 1 << (bits - 1)
    return near + (value - near + half) % (2 * half) - half


WIDTHS_BITS: Final = (16, 24)
PAYLOAD_TYPES: Final = range(128)
RTCP_TYPES: Final = range(72, 77)
"""What RTCP packets look like when they come to the same port (RFC 5761)."""


class Format(NamedTuple):
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


Formats = Mapping[int, Format]
"""By payload type; of any other type nothing is heard."""

STATIC: Final[Formats] = {10: Format(channels=2), 11: Format(channels=1)}
"""The types that RFC 3551 gives a meaning."""


def checked(form: Format) -> Format:
    """A format, if audio can have it.

    Raises:
        SourceError: it cannot.
    """
    if form.rate_hz not in RATES_HZ:
        lowest, highest = RATES_HZ[0], RATES_HZ[-1]
        raise SourceError(f"RTP cannot be heard at {form.rate_hz} Hz; give a rate from {lowest} to {highest}")
    if not 1 <= form.channels <= MOST_CHANNELS:
        raise SourceError(f"RTP of {form.channels} channels cannot be heard; give 1 to {MOST_CHANNELS}")
    if form.bits not in WIDTHS_BITS:
        raise SourceError(f"RTP of {form.bits} bits cannot be heard; give {' or '.join(map(str, WIDTHS_BITS))}")
    return form


def for_every_type(form: Format) -> Formats:
    """One format whatever the payload type, for a sender that says nothing of its own."""
    return dict.fromkeys((number for number in PAYLOAD_TYPES if number not in RTCP_TYPES), checked(form))


HEADER: Final = struct.Struct("!BBHII")
EXTENSION: Final = struct.Struct("!HH")
VERSION: Final = 2

Damage = Literal["short", "version", "extension", "padding"]
"""Why bytes are no RTP packet: they end within the header, are of another version, or what their extension or padding
says of its own length cannot be."""


class Packet(NamedTuple):
    """One RTP packet, as RFC 3550 section 5.1 has it."""

    payload_type: int
    sequence: int
    """16 bits; wraps."""
    timestamp: int
    """32 bits, in frames of the sender's clock, of the first frame; wraps."""
    ssrc: int
    """Which sender, 32 bits; drawn by chance when it starts."""
    payload: bytes


def parse(data: bytes) -> Packet | Damage:
    """A datagram as a packet, or why it is none. Contributing sources, extension and padding are passed over."""
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
    return Packet(second & 0x7F, sequence, timestamp, ssrc, data[start : len(data) - padding])
