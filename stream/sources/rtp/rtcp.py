"""Sender reports (RTCP, RFC 3550 section 6.4.1): when, by its own wall clock, a sender captured what."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.stream.common.clock import wall_ns
from whoplays.stream.sources.rtp.packet import VERSION

RTCP_PACKETS: Final = range(200, 208)
"""Their types as they are on the wire: SR, RR, SDES, BYE, APP, RTPFB, PSFB, XR."""
SENDER_REPORT: Final = 200
EARLIEST_NS: Final = -5_000_000
LATEST_NS: Final = 1_000_000_000
"""A report that arrives sooner or later than that after it says it was sent is of a clock that is not ours."""
VALID_NS: Final = 60_000_000_000
"""How long a report counts: senders send one every five seconds or so."""
_HEADER: Final = struct.Struct("!BBH")
_REPORT: Final = struct.Struct("!IQI")
_NTP_EPOCH_S: Final = 2_208_988_800
"""From 1900 to 1970."""


class SenderReport(NamedTuple):
    """What a sender says of its clocks."""

    ssrc: int
    unix_ns: int
    """When it was sent, by the sender's wall clock."""
    timestamp: int
    """The same moment as packets of the stream would say it; 32 bits, wraps."""


def is_rtcp(data: bytes) -> bool:
    """Whether it is a report about the stream, which may come to the same port (RFC 5761)."""
    return len(data) >= 2 * _HEADER.size and data[0] >> 6 == VERSION and data[1] in RTCP_PACKETS


def sender_reports(data: bytes) -> Iterator[SenderReport]:
    """The sender reports in a datagram of RTCP."""
    start = 0
    while len(data) - start >= _HEADER.size + _REPORT.size:
        first, kind, words = _HEADER.unpack_from(data, start)
        if first >> 6 != VERSION:
            return
        if kind == SENDER_REPORT:
            ssrc, ntp, timestamp = _REPORT.unpack_from(data, start + _HEADER.size)
            seconds, fraction = divmod(ntp, 1 << 32)
            unix_ns = (seconds - _NTP_EPOCH_S) * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
            yield SenderReport(ssrc, unix_ns, timestamp)
        start += 4 * (words + 1)


class SenderClock:
    """When a sender's frames were captured, by its reports, while its wall clock agrees with this machine's."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz: Final = rate_hz
        self._frame = 0
        self._at_ns: int | None = None
        """When that frame was captured, on the monotonic clock; None while no report counts."""

    def take(self, frame: int, unix_ns: int, arrived_ns: int) -> None:
        """A report came, of a frame by its extended timestamp; it counts until another one does, or for a minute."""
        delay_ns = wall_ns(arrived_ns) - unix_ns
        self._frame, self._at_ns = frame, arrived_ns - delay_ns if EARLIEST_NS <= delay_ns <= LATEST_NS else None

    def captured_at_ns(self, frame: int, arrived_ns: int) -> int | None:
        """When the frame before this one was captured, which arrived at a moment; None while no report counts."""
        if self._at_ns is None or arrived_ns - self._at_ns > VALID_NS:
            return None
        # Whatever its clock says, not after it arrived.
        return min(arrived_ns, self._at_ns + (frame - self._frame) * 1_000_000_000 // self._rate_hz)
