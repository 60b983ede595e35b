"""From one session's packets to blocks without a hole."""

import time
from collections.abc import Iterator
from typing import Final

from whoplays.stream.audio.block import Block
from whoplays.stream.audio.intake import Intake
from whoplays.stream.audio.timeline import Axis
from whoplays.stream.sources.remote.protocol import Header, Packet


class Timeline:
    """Places packets by the index of their first frame; what is missing between them becomes zeros of its length.

    Args:
        header: of the session's first packet; the others agree with it, and follow each other.
        intake: which channels are taken, and how loud.

    Raises:
        SourceError: a chosen channel is not there.
    """

    def __init__(self, header: Header, intake: Intake) -> None:
        self._origin: Final = header.first
        self._axis: Final = Axis(header.rate_hz, header.channels, intake)
        self._newest_ns = 0

    def place(self, packet: Packet, arrived_ns: int) -> Iterator[Block]:
        """The packet's audio, and before it zeros for what is missing; time never runs backwards, nor ahead.

        Args:
            packet: one that does not begin before the end of those before it.
            arrived_ns: on the monotonic clock.
        """
        for block in self._blocks(packet, arrived_ns):
            self._newest_ns = min(max(self._newest_ns, block.heard_ns), time.monotonic_ns())
            yield block._replace(heard_ns=self._newest_ns)

    def _blocks(self, packet: Packet, arrived_ns: int) -> Iterator[Block]:
        header, axis = packet.header, self._axis
        missing = header.first - self._origin - axis.frames
        if missing > 0:
            yield from axis.lost(missing, "network", arrived_ns - axis.duration_ns(header.frames))
        if header.lost:
            yield from axis.lost(header.frames, header.lost, arrived_ns)
        else:
            yield from axis.heard(packet.audio, arrived_ns)
