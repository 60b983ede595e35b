"""Where the packets of one sender belong: in its order, and on its clock."""

from typing import Final, NamedTuple

from whoplays.stream.sources.rtp.alignment import loose_frames
from whoplays.stream.sources.rtp.formats import Format
from whoplays.stream.sources.rtp.packet import Packet
from whoplays.stream.sources.rtp.sequence import extend

MOST_GAP_S: Final = 5
"""What is missing is filled up to this length; a longer step of the sender's clock is a new beginning."""
MOST_LATE_S: Final = 1
"""A packet that lies further back is not late, but from a clock that was set back."""
KEPT_BYTES: Final = 300
"""What a packet takes in memory beside its payload, about."""


class Placed(NamedTuple):
    """A packet where it belongs."""

    sequence: int
    """Counts on where the packet's own number wraps."""
    start: int
    """The first frame's index on the sender's clock, which counts on likewise."""
    frames: int
    payload: bytes
    arrived_ns: int
    """On the monotonic clock."""

    @property
    def end(self) -> int:
        """The index after the last frame."""
        return self.start + self.frames

    @property
    def cost_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.payload) + KEPT_BYTES


class Line:
    """Follows one sender, from any of its packets on.

    A packet is in line if its sequence number and its timestamp agree on whether it comes before or after the newest
    one, give or take what is loose, and neither is far away.
    """

    def __init__(self, packet: Packet, form: Format) -> None:
        self.sender: Final = (packet.ssrc, packet.payload_type)
        self.form: Final = form
        # As if a packet had gone before.
        self._newest = Placed(packet.sequence - 1, packet.timestamp, 0, b"", 0)

    def place(self, packet: Packet, arrived_ns: int) -> Placed | None:
        """A packet in its place, or None if it is not in line."""
        if (packet.ssrc, packet.payload_type) != self.sender:
            return None
        placed = Placed(
            extend(packet.sequence, self._newest.sequence, 16),
            extend(packet.timestamp, self._newest.start, 32),
            len(packet.payload) // self.form.frame_bytes,
            packet.payload,
            arrived_ns,
        )
        if not self._is_in_line(placed):
            return None
        if placed.sequence > self._newest.sequence:
            self._newest = placed._replace(payload=b"")
        return placed

    def _is_in_line(self, placed: Placed) -> bool:
        newest, rate_hz = self._newest, self.form.rate_hz
        loose = loose_frames(rate_hz)
        if placed.sequence > newest.sequence:
            return -loose <= placed.start - newest.end <= MOST_GAP_S * rate_hz
        if placed.sequence == newest.sequence:
            return placed.start == newest.start
        return -loose <= newest.start - placed.start <= MOST_LATE_S * rate_hz
