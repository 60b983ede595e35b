"""Which sender's packets are played, and what becomes of those of others. Without sockets or clocks."""

from collections.abc import Iterator
from typing import Final

from whoplays.stream.sources.rtp.jitter import (
    ExtendedPacket,
    FrameSpan,
    JitterBuffer,
    RtpCounters,
    alignment_frames,
)
from whoplays.stream.sources.rtp.packet import RtpFormat, RtpFormats, RtpPacket, extend, parse_packet
from whoplays.stream.sources.rtp.rtcp import SenderClock, SenderReport, is_rtcp, sender_reports

MAX_GAP_S: Final = 5
"""A gap up to this length is filled; a longer jump of the sender's clock begins a new session."""
MAX_MISORDER_S: Final = 1
"""A packet that lies further back is not late, but from a clock that was set back."""


PACE_WINDOW_NS: Final = 500_000_000
PACE_RANGE: Final = (0.5, 4.0)
"""Of a sender's audio and the time it took to come: what a lossy or bursting network makes of 1."""


class Pace:
    """Whether a sender sends as much audio as time passes; stray packets do not."""

    def __init__(self, rate_hz: int) -> None:
        self.kept: bool | None = None
        """In the last half second that is over; None before."""
        self._rate_hz: Final = rate_hz
        self._since_ns: int | None = None
        self._frames = 0

    def add(self, frames: int, arrived_ns: int) -> None:
        """A packet came."""
        if self._since_ns is None:
            # Its own frames were made before.
            self._since_ns, frames = arrived_ns, 0
        self._frames += frames
        elapsed_ns = arrived_ns - self._since_ns
        if elapsed_ns >= PACE_WINDOW_NS:
            ratio = self._frames / (elapsed_ns / 1e9 * self._rate_hz)
            self.kept = PACE_RANGE[0] <= ratio <= PACE_RANGE[1]
            self._since_ns, self._frames = arrived_ns, 0


class SenderTracker:
    """Follows the sequence numbers and timestamps of one sender, from any of its packets on.

    A packet follows if its sequence number and its timestamp agree on whether it comes before or after the newest one,
    within the alignment threshold, and neither is far away.
    """

    def __init__(self, packet: RtpPacket, form: RtpFormat, source: str = "") -> None:
        self.form: Final = form
        self.source: Final = source
        self.pace: Final = Pace(form.rate_hz)
        self.ssrc: Final = packet.ssrc
        self._payload_type: Final = packet.payload_type
        # As if a packet had gone before.
        self._newest = ExtendedPacket(packet.sequence - 1, packet.timestamp, 0, b"", 0)

    def track(self, packet: RtpPacket, arrived_ns: int, source: str = "") -> ExtendedPacket | None:
        """A packet of this sender with its counters extended; None if it does not follow.

        Args:
            packet: anybody's.
            arrived_ns: on the monotonic clock.
            source: the address that it came from.
        """
        if (packet.ssrc, packet.payload_type, source) != (self.ssrc, self._payload_type, self.source):
            return None
        extended = ExtendedPacket(
            extend(packet.sequence, self._newest.sequence, 16),
            extend(packet.timestamp, self._newest.start, 32),
            len(packet.payload) // self.form.frame_bytes,
            packet.payload,
            arrived_ns,
        )
        if not self._follows(extended):
            return None
        if extended.sequence > self._newest.sequence:
            self._newest = extended._replace(payload=b"")
        self.pace.add(extended.frames, arrived_ns)
        return extended

    def frame_of(self, report: SenderReport, source: str) -> int | None:
        """What a report is about, its timestamp extended; None if it is another sender's, or of another time."""
        frame = extend(report.timestamp, self._newest.end, 32)
        mine = (report.ssrc, source) == (self.ssrc, self.source)
        return frame if mine and abs(frame - self._newest.end) <= MAX_GAP_S * self.form.rate_hz else None

    def _follows(self, packet: ExtendedPacket) -> bool:
        newest, rate_hz = self._newest, self.form.rate_hz
        threshold = alignment_frames(rate_hz)
        if packet.sequence > newest.sequence:
            return -threshold <= packet.start - newest.end <= MAX_GAP_S * rate_hz
        if packet.sequence == newest.sequence:
            return packet.start == newest.start
        return -threshold <= newest.start - packet.start <= MAX_MISORDER_S * rate_hz


MAX_CANDIDATES: Final = 64
MAX_OF_SOURCE: Final = 48
"""Candidates of one address: whoever sends from there under ever new names drives out no one else."""
MAX_HELD_BYTES: Final = 4 << 20
MAX_ALL_HELD_BYTES: Final = 16 << 20


class Candidate:
    """A sender on probation: its packets are held until two with consecutive sequence numbers have come."""

    def __init__(self, packet: RtpPacket, form: RtpFormat, source: str, counters: RtpCounters) -> None:
        self.tracker: Final = SenderTracker(packet, form, source)
        self.held_bytes = 0
        self.valid = False
        """Whether it has passed (RFC 3550 appendix A.1)."""
        self._counters: Final = counters
        self._held: Final[dict[int, ExtendedPacket]] = {}

    @property
    def last_packet_at_ns(self) -> int:
        """When its newest packet arrived."""
        return next(reversed(self._held.values())).arrived_ns

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The one that speaks properly comes last: that keeps its pace, or may do so; of equals the newest."""
        kept = self.tracker.pace.kept
        return (kept is True, kept is not False, self.last_packet_at_ns)

    def push(self, packet: RtpPacket, arrived_ns: int, source: str) -> bool:
        """Hold a packet; False if it is another sender's."""
        extended = self.tracker.track(packet, arrived_ns, source)
        if extended is None:
            return False
        if extended.sequence in self._held:
            self._counters.duplicate += 1
        else:
            self._hold(extended)
        return True

    def release(self, since_ns: int) -> list[ExtendedPacket]:
        """The packets that arrived at `since_ns` or later, by their sequence numbers; those before are rejected."""
        packets = [packet for packet in self._held.values() if packet.arrived_ns >= since_ns]
        self._counters.rejected["foreign"] += len(self._held) - len(packets)
        self._held.clear()
        return sorted(packets)

    def reject_oldest(self) -> None:
        """Hold one packet less."""
        oldest = self._held.pop(next(iter(self._held)))
        self.held_bytes -= oldest.memory_bytes
        self._counters.rejected["foreign"] += 1

    def _hold(self, packet: ExtendedPacket) -> None:
        self.valid |= not self._held.keys().isdisjoint((packet.sequence - 1, packet.sequence + 1))
        self._held[packet.sequence] = packet
        self.held_bytes += packet.memory_bytes
        while self.held_bytes > MAX_HELD_BYTES:
            self.reject_oldest()


class SsrcProbation:
    """The candidates that there is room for, by the address that they send from and their SSRC."""

    def __init__(self, counters: RtpCounters) -> None:
        self._counters: Final = counters
        self._candidates: Final[list[Candidate]] = []

    def push(self, packet: RtpPacket, form: RtpFormat, arrived_ns: int, source: str) -> None:
        """Hold a packet of a candidate, known or new."""
        if not any(candidate.push(packet, arrived_ns, source) for candidate in self._candidates):
            self._make_room(packet.ssrc, source)
            candidate = Candidate(packet, form, source, self._counters)
            candidate.push(packet, arrived_ns, source)
            self._candidates.append(candidate)
        while sum(candidate.held_bytes for candidate in self._candidates) > MAX_ALL_HELD_BYTES:
            max(self._candidates, key=lambda candidate: candidate.held_bytes).reject_oldest()

    def newest_valid(self, after_ns: int) -> Candidate | None:
        """Of the valid candidates that sent after a moment, the one that speaks most properly, or did so last."""
        valid = [one for one in self._candidates if one.valid and one.last_packet_at_ns > after_ns]
        return max(valid, key=lambda candidate: candidate.rank, default=None)

    def proper(self) -> Candidate | None:
        """The candidate that keeps its pace, if one does."""
        best = self.newest_valid(0)
        return best if best and best.tracker.pace.kept else None

    def remove(self, candidate: Candidate, since_ns: int) -> list[ExtendedPacket]:
        """End a candidate's probation; see `Candidate.release`."""
        self._candidates.remove(candidate)
        return candidate.release(since_ns)

    def _make_room(self, ssrc: int, source: str) -> None:
        """Let go of the least, of the same address if that has many; stray packets do not drive out a valid sender."""
        same = [candidate for candidate in self._candidates if candidate.tracker.source == source]
        # Of one sender, a packet that nothing has followed does not wait beside the next one.
        lone = [candidate for candidate in same if candidate.tracker.ssrc == ssrc and not candidate.valid]
        full = len(same) >= MAX_OF_SOURCE or len(self._candidates) >= MAX_CANDIDATES
        among = lone or (same if len(same) >= MAX_OF_SOURCE else self._candidates)
        if lone or full:
            least = min(among, key=lambda candidate: (candidate.valid, candidate.last_packet_at_ns))
            self.remove(least, since_ns=least.last_packet_at_ns + 1)


SENDER_TIMEOUT_NS: Final = 200_000_000
"""A sender must have been silent for so long before another one takes its place."""


class ActiveSender:
    """The sender whose packets are played."""

    def __init__(self, tracker: SenderTracker, buffer: JitterBuffer, last_packet_at_ns: int) -> None:
        self.buffer: Final = buffer
        self.last_packet_at_ns = last_packet_at_ns
        self.clock: Final = SenderClock(tracker.form.rate_hz)
        self._tracker: Final = tracker

    @property
    def improper(self) -> bool:
        """Whether it sends too little, or too much, to be heard."""
        return self._tracker.pace.kept is False

    def push(self, packet: RtpPacket, arrived_ns: int, source: str) -> bool:
        """Buffer a packet; False if it is another sender's."""
        extended = self._tracker.track(packet, arrived_ns, source)
        if extended and self.buffer.push(extended):
            self.last_packet_at_ns = arrived_ns
        return extended is not None

    def report(self, report: SenderReport, arrived_ns: int, source: str) -> None:
        """Take a report, if it is this sender's, about what it sends now."""
        frame = self._tracker.frame_of(report, source)
        if frame is not None:
            self.clock.take(frame, report.unix_ns, arrived_ns)


class RtpReceiver:
    """Receives one sender at a time: the first that sends two packets in order.

    When that one is silent and another one sends (another address or SSRC), or the same one at quite another sequence
    number or timestamp, or when it does not keep its pace and another one does, the `sender_changed`: then `flush`, and
    `switch_sender`.

    Args:
        formats: by payload type.
        depth_ns: of the jitter buffer: how long a packet waits for those before it.
    """

    def __init__(self, formats: RtpFormats, depth_ns: int) -> None:
        self.counters: Final = RtpCounters()
        self._formats: Final = formats
        self._depth_ns: Final = depth_ns
        self._probation: Final = SsrcProbation(self.counters)
        self._active: ActiveSender | None = None
        self._successor: Candidate | None = None

    @property
    def sender_changed(self) -> bool:
        """Whether another sender takes over."""
        return self._successor is not None

    @property
    def deadline_ns(self) -> int | None:
        """When `pull` has something even if no datagram arrives; None if never."""
        return self._active.buffer.deadline_ns if self._active else None

    def push(self, data: bytes, arrived_ns: int, source: str = "") -> None:
        """Take a datagram, whatever it holds, from whatever address."""
        if is_rtcp(data) and data[1] & 0x7F not in self._formats:
            self.take_reports(data, arrived_ns, source)
            return
        packet = parse_packet(data)
        if isinstance(packet, str):
            self.counters.rejected[packet] += 1
            return
        form = self._formats.get(packet.payload_type)
        if form is None:
            self.counters.rejected["payload_type"] += 1
        elif not packet.payload or len(packet.payload) % form.frame_bytes:
            self.counters.rejected["payload_length"] += 1
        elif not (self._active and self._active.push(packet, arrived_ns, source)):
            self._probation.push(packet, form, arrived_ns, source)

    def take_reports(self, data: bytes, arrived_ns: int, source: str = "") -> None:
        """Take a datagram of RTCP; what the sender that is heard says of its clock counts."""
        self.counters.rtcp += 1
        for report in sender_reports(data):
            if self._active:
                self._active.report(report, arrived_ns, source)

    def captured_at_ns(self, end: int, arrived_ns: int) -> int | None:
        """When the frames before `end` were captured, by the sender's own reports; None while none counts."""
        return self._active.clock.captured_at_ns(end, arrived_ns) if self._active else None

    def pull(self, now_ns: int) -> Iterator[FrameSpan]:
        """What can be played now."""
        if self._active is None:
            first = self._probation.newest_valid(0)
            if first:
                self._activate(first, since_ns=0)
        elif now_ns - self._active.last_packet_at_ns >= SENDER_TIMEOUT_NS:
            self._successor = self._probation.newest_valid(self._active.last_packet_at_ns)
        elif self._active.improper:
            self._successor = self._probation.proper()
        return self._active.buffer.pull(now_ns) if self._active else iter(())

    def flush(self) -> Iterator[FrameSpan]:
        """The last frames of the sender that is over."""
        return self._active.buffer.flush() if self._active else iter(())

    def switch_sender(self) -> None:
        """Go on with the sender that takes over, if one does; nothing that it has sent is lost."""
        if self._active and self._successor:
            # What it sent while the other one was still sending is not played.
            since_ns = min(self._active.last_packet_at_ns - self._depth_ns, self._successor.last_packet_at_ns)
            self._activate(self._successor, since_ns)
            self._successor = None

    def _activate(self, candidate: Candidate, since_ns: int) -> None:
        last_packet_at_ns = candidate.last_packet_at_ns
        packets = self._probation.remove(candidate, since_ns)
        buffer = JitterBuffer(packets[0], candidate.tracker.form, self._depth_ns, self.counters)
        for packet in packets:
            buffer.push(packet)
        self._active = ActiveSender(candidate.tracker, buffer, last_packet_at_ns)
