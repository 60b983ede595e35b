"""The jitter buffer: packets in any order become frames without a gap or an overlap. Without sockets or clocks."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from whoplays.stream.sources.rtp.packet import ParseError, RtpFormat

DEFAULT_DEPTH_MS: Final = 60
"""How long a packet waits for those before it, unless the address says otherwise (`jitter_ms`)."""
MAX_DEPTH_MS: Final = 1000
PACKET_OVERHEAD_BYTES: Final = 300


class ExtendedPacket(NamedTuple):
    """A packet whose sequence number and timestamp no longer wrap."""

    sequence: int
    start: int
    """The first frame's index on the sender's clock."""
    frames: int
    payload: bytes
    arrived_ns: int
    """On the monotonic clock."""

    @property
    def end(self) -> int:
        """The index after the last frame."""
        return self.start + self.frames

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.payload) + PACKET_OVERHEAD_BYTES


RejectReason = ParseError | Literal["payload_type", "payload_length", "foreign", "overlap"]
"""Why a packet is rejected: it cannot be parsed, is of a type without a known format, holds no whole frames, is from
another sender or far from where this one is, or all of its frames were played already."""

REJECT_REASONS: Final[tuple[RejectReason, ...]] = (
    *get_args(ParseError),
    "payload_type",
    "payload_length",
    "foreign",
    "overlap",
)


class RtpCounters(msgspec.Struct):
    """Packets since the source was opened; one thread counts, any may read.

    Each one that arrived was received, late, a duplicate, RTCP or rejected.
    """

    received: int = 0
    """Played."""
    lost: int = 0
    """Did not come within the depth of the jitter buffer."""
    late: int = 0
    """Of the lost ones, those that came after all."""
    duplicate: int = 0
    rtcp: int = 0
    """Reports about the stream."""
    # Every reason from the start: a dictionary that does not grow can be read from any thread.
    rejected: dict[RejectReason, int] = msgspec.field(default_factory=lambda: dict.fromkeys(REJECT_REASONS, 0))


ALIGNMENT_THRESHOLD_S: Final = 0.04
"""A timestamp may be off by this much while no packet is missing; GStreamer's `alignment-threshold`."""
DISCONT_WAIT_S: Final = 1.0
"""A smaller deviation counts once it has lasted so long; GStreamer's `discont-wait`."""


class TimestampAlignment:
    """Tells a jump of the sender's clock from an imprecise timestamp.

    Some senders round their timestamps, or take over what a file says of itself (ffmpeg playing Vorbis is 10 ms off
    now and then, and a moment later right again). Where no packet is missing, such a deviation is neither a loss nor an
    overlap. It is a discontinuity if it is large, or lasts for a second.
    """

    def __init__(self, rate_hz: int) -> None:
        self._threshold_frames: Final = alignment_frames(rate_hz)
        self._wait_frames: Final = int(DISCONT_WAIT_S * rate_hz)
        self._sign = 0
        self._since = 0

    def is_discontinuity(self, deviation: int, at: int) -> bool:
        """Whether a packet at frame `at`, so many frames off, belongs where its timestamp says."""
        sign = (deviation > 0) - (deviation < 0)
        if sign != self._sign:
            self._sign, self._since = sign, at
        return abs(deviation) > self._threshold_frames or at - self._since >= self._wait_frames


def alignment_frames(rate_hz: int) -> int:
    """How many frames a timestamp may be off."""
    return int(ALIGNMENT_THRESHOLD_S * rate_hz)


class FrameSpan(NamedTuple):
    """Consecutive frames as they leave the jitter buffer."""

    start: int
    """The first one's index on the sender's clock."""
    frames: int
    payload: bytes | None
    """None if they are lost."""
    form: RtpFormat
    """Of the payload."""
    captured_at_ns: int
    """When the last of them arrived, or would have, on the monotonic clock."""


MAX_BUFFERED_BYTES: Final = 8 << 20
MAX_GAP_SPAN_FRAMES: Final = 24_000
LATE_WINDOW_PACKETS: Final = 3000
"""How far back a late packet is distinguished from a duplicate."""


class JitterBuffer:
    """Puts packets in order, and a gap in place of those that do not come in time.

    The packet that is next is played at once. One that is ahead waits for those before it, but no longer than the
    buffer's depth; then they are lost. From the first packet's first frame on, spans follow one another without a gap
    or an overlap: each lies where its timestamp says, but for deviations that `TimestampAlignment` takes out.

    Args:
        first: where to begin; not yet in the buffer.
        form: of the payloads.
        depth_ns: how long a packet waits for those before it.
        counters: where packets are counted.
    """

    def __init__(self, first: ExtendedPacket, form: RtpFormat, depth_ns: int, counters: RtpCounters) -> None:
        self._form: Final = form
        self._depth_ns: Final = depth_ns
        self._counters: Final = counters
        self._max_gap_frames: Final = min(form.rate_hz // 2, MAX_GAP_SPAN_FRAMES)
        self._alignment: Final = TimestampAlignment(form.rate_hz)
        self._next_sequence = first.sequence
        self._next_frame = first.start
        self._lost: set[int] = set()
        # In the order of arrival.
        self._buffered: Final[dict[int, ExtendedPacket]] = {}
        self._buffered_bytes = 0

    @property
    def deadline_ns(self) -> int | None:
        """When missing packets are given up; None if no packet waits for any."""
        return next(iter(self._buffered.values())).arrived_ns + self._depth_ns if self._buffered else None

    def push(self, packet: ExtendedPacket) -> bool:
        """Add a packet; False if it is late, or a duplicate."""
        if packet.sequence in self._lost:
            self._lost.remove(packet.sequence)
            self._counters.late += 1
            return False
        if packet.sequence < self._next_sequence or packet.sequence in self._buffered:
            self._counters.duplicate += 1
            return False
        self._buffered[packet.sequence] = packet
        self._buffered_bytes += packet.memory_bytes
        return True

    def pull(self, now_ns: int) -> Iterator[FrameSpan]:
        """What can be played at a moment of the monotonic clock."""
        while self._next_sequence in self._buffered or self._is_due(now_ns):
            yield from self._play_next()

    def flush(self) -> Iterator[FrameSpan]:
        """All that is left, without waiting any longer."""
        while self._buffered:
            yield from self._play_next()

    def _is_due(self, now_ns: int) -> bool:
        deadline_ns = self.deadline_ns
        return deadline_ns is not None and (now_ns >= deadline_ns or self._buffered_bytes > MAX_BUFFERED_BYTES)

    def _play_next(self) -> Iterator[FrameSpan]:
        in_sequence = self._next_sequence in self._buffered
        if not in_sequence:
            self._mark_lost_before(min(self._buffered))
        packet = self._buffered.pop(self._next_sequence)
        self._buffered_bytes -= packet.memory_bytes
        self._next_sequence += 1
        deviation = packet.start - self._next_frame
        if in_sequence and not self._alignment.is_discontinuity(deviation, self._next_frame):
            packet = packet._replace(start=self._next_frame)
        yield from self._play_gap_before(packet)
        yield from self._play(packet)

    def _mark_lost_before(self, sequence: int) -> None:
        self._counters.lost += sequence - self._next_sequence
        oldest = sequence - LATE_WINDOW_PACKETS
        self._lost = {lost for lost in self._lost if lost >= oldest}
        self._lost.update(range(max(self._next_sequence, oldest), sequence))
        self._next_sequence = sequence

    def _play_gap_before(self, packet: ExtendedPacket) -> Iterator[FrameSpan]:
        """A gap up to a packet, in spans of half a second or less, so that its length costs no memory."""
        packet_began_ns = packet.arrived_ns - self._duration_ns(packet.frames)
        while self._next_frame < packet.start:
            start = self._next_frame
            self._next_frame = min(packet.start, start + self._max_gap_frames)
            captured_at_ns = packet_began_ns - self._duration_ns(packet.start - self._next_frame)
            yield FrameSpan(start, self._next_frame - start, None, self._form, captured_at_ns)

    def _play(self, packet: ExtendedPacket) -> Iterator[FrameSpan]:
        """A packet's frames, but for those that were played already."""
        if packet.end <= self._next_frame:
            self._counters.rejected["overlap"] += 1
            return
        start, payload = self._next_frame, packet.payload[(self._next_frame - packet.start) * self._form.frame_bytes :]
        self._next_frame = packet.end
        self._counters.received += 1
        yield FrameSpan(start, packet.end - start, payload, self._form, packet.arrived_ns)

    def _duration_ns(self, frames: int) -> int:
        return frames * 1_000_000_000 // self._form.rate_hz
