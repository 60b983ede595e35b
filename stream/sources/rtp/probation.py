"""Senders that are not listened to, but may be next."""

from typing import Final

from whoplays.stream.sources.rtp.counts import Counts
from whoplays.stream.sources.rtp.formats import Format
from whoplays.stream.sources.rtp.line import Line, Placed
from whoplays.stream.sources.rtp.packet import Packet

MOST_CANDIDATES: Final = 4
MOST_HELD_BYTES: Final = 4 << 20


class Candidate:
    """A sender whose packets are held until it is known whether it is one."""

    def __init__(self, packet: Packet, form: Format, counts: Counts) -> None:
        self.line: Final = Line(packet, form)
        self.confirmed = False
        """Whether two packets with consecutive numbers have come (RFC 3550 appendix A.1)."""
        self._counts: Final = counts
        self._held: Final[dict[int, Placed]] = {}
        self._held_bytes = 0

    @property
    def newest_ns(self) -> int:
        """When its newest packet arrived."""
        return next(reversed(self._held.values())).arrived_ns

    def take(self, packet: Packet, arrived_ns: int) -> bool:
        """Hold a packet, unless it is another sender's."""
        placed = self.line.place(packet, arrived_ns)
        if placed is None:
            return False
        if placed.sequence in self._held:
            self._counts.duplicate += 1
        else:
            self._hold(placed)
        return True

    def held_since(self, since_ns: int) -> list[Placed]:
        """The packets that arrived at `since_ns` or later, in their order; those before are refused."""
        packets = [packet for packet in self._held.values() if packet.arrived_ns >= since_ns]
        self._counts.refuse("foreign", len(self._held) - len(packets))
        self._held.clear()
        return sorted(packets)

    def _hold(self, placed: Placed) -> None:
        self.confirmed |= not self._held.keys().isdisjoint((placed.sequence - 1, placed.sequence + 1))
        self._held[placed.sequence] = placed
        self._held_bytes += placed.cost_bytes
        while self._held_bytes > MOST_HELD_BYTES:
            oldest = self._held.pop(next(iter(self._held)))
            self._held_bytes -= oldest.cost_bytes
            self._counts.refuse("foreign")


class Probation:
    """The few candidates that there are room for."""

    def __init__(self, counts: Counts) -> None:
        self._counts: Final = counts
        self._candidates: Final[list[Candidate]] = []

    def take(self, packet: Packet, form: Format, arrived_ns: int) -> None:
        """Hold a packet."""
        if any(candidate.take(packet, arrived_ns) for candidate in self._candidates):
            return
        self._make_room()
        candidate = Candidate(packet, form, self._counts)
        candidate.take(packet, arrived_ns)
        self._candidates.append(candidate)

    def newest_confirmed(self, after_ns: int) -> Candidate | None:
        """Of the confirmed candidates that sent after a moment, the one that did so last."""
        confirmed = [one for one in self._candidates if one.confirmed and one.newest_ns > after_ns]
        return max(confirmed, key=lambda candidate: candidate.newest_ns, default=None)

    def release(self, candidate: Candidate, since_ns: int) -> list[Placed]:
        """Dismiss a candidate with what it sent at `since_ns` or later, in the order of its sequence numbers."""
        self._candidates.remove(candidate)
        return candidate.held_since(since_ns)

    def _make_room(self) -> None:
        """Stray packets do not drive out a sender that is confirmed."""
        if len(self._candidates) == MOST_CANDIDATES:
            least = min(self._candidates, key=lambda candidate: (candidate.confirmed, candidate.newest_ns))
            self.release(least, least.newest_ns + 1)
