"""From datagrams to pieces of one sender's audio. Without sockets or clocks: the time is told."""

from collections.abc import Iterator
from typing import Final

from whoplays.stream.sources.rtp.jitter import Counts, JitterBuffer, Piece, Placed, SenderTracker
from whoplays.stream.sources.rtp.packet import Format, Formats, Packet, parse

MOST_CANDIDATES: Final = 4
MOST_HELD_BYTES: Final = 4 << 20


class Candidate:
    """A sender whose packets are held until it is known whether it is one."""

    def __init__(self, packet: Packet, form: Format, counts: Counts) -> None:
        self.line: Final = SenderTracker(packet, form)
        self.confirmed = False
        """Whether two packets with consecutive numbers have come (RFC 3550 appendix A.1)."""
        self._counts: Final = counts
        self._held: Final[dict[int, Placed]] = {}
        self._held_bytes = 0

    @property
    def last_block_at_ns(self) -> int:
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


class SsrcProbation:
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
        confirmed = [one for one in self._candidates if one.confirmed and one.last_block_at_ns > after_ns]
        return max(confirmed, key=lambda candidate: candidate.last_block_at_ns, default=None)

    def release(self, candidate: Candidate, since_ns: int) -> list[Placed]:
        """Dismiss a candidate with what it sent at `since_ns` or later, in the order of its sequence numbers."""
        self._candidates.remove(candidate)
        return candidate.held_since(since_ns)

    def _make_room(self) -> None:
        """Stray packets do not drive out a sender that is confirmed."""
        if len(self._candidates) == MOST_CANDIDATES:
            least = min(self._candidates, key=lambda candidate: (candidate.confirmed, candidate.last_block_at_ns))
            self.release(least, least.last_block_at_ns + 1)


QUIET_NS: Final = 200_000_000
"""So long must a sender be quiet before another one is listened to instead."""


class _Hearing:
    """The sender that is listened to."""

    def __init__(self, line: SenderTracker, buffer: JitterBuffer, last_block_at_ns: int) -> None:
        self.line: Final = line
        self.buffer: Final = buffer
        self.last_block_at_ns = last_block_at_ns

    def take(self, packet: Packet, arrived_ns: int) -> bool:
        placed = self.line.place(packet, arrived_ns)
        if placed and self.buffer.push(placed):
            self.last_block_at_ns = arrived_ns
        return placed is not None


class Receiver:
    """Listens to one sender at a time: to the first that sends two packets in order.

    When that one is quiet and another one sends (a new SSRC), or the same one at quite another sequence number or
    timestamp, the receiver is `over`: then `flush`, and `proceed` with the new one.

    Args:
        formats: what is heard, by payload type.
        wait_ns: how long a packet waits for those before it.
    """

    def __init__(self, formats: Formats, wait_ns: int) -> None:
        self.counts: Final = Counts()
        self._formats: Final = formats
        self._wait_ns: Final = wait_ns
        self._probation: Final = SsrcProbation(self.counts)
        self._hearing: _Hearing | None = None
        self._successor: Candidate | None = None

    @property
    def over(self) -> bool:
        """Whether another sender takes over."""
        return self._successor is not None

    @property
    def deadline_ns(self) -> int | None:
        """When `pull` has something even if no datagram arrives; None if never."""
        return self._hearing.buffer.deadline_ns if self._hearing else None

    def push(self, data: bytes, arrived_ns: int) -> None:
        """Take a datagram, whatever it holds."""
        packet = parse(data)
        if isinstance(packet, str):
            self.counts.refuse(packet)
            return
        form = self._formats.get(packet.payload_type)
        if form is None:
            self.counts.refuse("payload_type")
        elif not packet.payload or len(packet.payload) % form.frame_bytes:
            self.counts.refuse("payload_length")
        elif not (self._hearing and self._hearing.take(packet, arrived_ns)):
            self._probation.take(packet, form, arrived_ns)

    def pull(self, now_ns: int) -> Iterator[Piece]:
        """The pieces that are ready."""
        self._look_for_successor(now_ns)
        return self._hearing.buffer.pull(now_ns) if self._hearing else iter(())

    def flush(self) -> Iterator[Piece]:
        """The last pieces of the sender that is over."""
        return self._hearing.buffer.flush() if self._hearing else iter(())

    def proceed(self) -> None:
        """Go on with the sender that takes over, if one does; nothing that it has sent is lost."""
        if self._successor:
            self._begin(self._successor)
            self._successor = None

    def _look_for_successor(self, now_ns: int) -> None:
        if self._hearing is None:
            first = self._probation.newest_confirmed(0)
            if first:
                self._begin(first)
        elif now_ns - self._hearing.last_block_at_ns >= QUIET_NS:
            self._successor = self._probation.newest_confirmed(self._hearing.last_block_at_ns)

    def _begin(self, candidate: Candidate) -> None:
        # What came while the other one was still sending is not heard twice over.
        since_ns = self._hearing.last_block_at_ns - self._wait_ns if self._hearing else 0
        last_block_at_ns = candidate.last_block_at_ns
        packets = self._probation.release(candidate, since_ns)
        buffer = JitterBuffer(packets[0], candidate.line.form, self._wait_ns, self.counts)
        self._hearing = _Hearing(candidate.line, buffer, last_block_at_ns)
        for packet in packets:
            buffer.push(packet)
