"""RTP packets, parsed so that no byte of them is trusted."""

import struct
from typing import Final, Literal, NamedTuple

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
