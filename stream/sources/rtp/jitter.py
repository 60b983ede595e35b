"""The jitter buffer: packets in any order become an unbroken axis of frames. Without sockets or clocks."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from whoplays.stream.sources.rtp.packet import Damage, Format, Packet, extend

LOOSE_S: Final = 0.04
"""So far may a timestamp be off while no packet is missing; GStreamer's `alignment-threshold` is the same."""
PATIENCE_S: Final = 1.0


def loose_frames(rate_hz: int) -> int:
    """How many frames a timestamp may be off."""
    return int(LOOSE_S * rate_hz)


class Alignment:
    """Judges by how much a packet that follows the one before misses the place that its timestamp names.

    Some senders stamp loosely: they round, or take over what a file says of itself (ffmpeg playing Vorbis is 10 ms off
    now and then, and a moment later right again). Where no packet is missing, such a step is neither a loss nor heard
    twice. It is real if it is large, or stays for a second.
    """

    def __init__(self, rate_hz: int) -> None:
        self._loose_frames: Final = loose_frames(rate_hz)
        self._patience_frames: Final = int(PATIENCE_S * rate_hz)
        self._sign = 0
        self._since = 0

    def is_real(self, deviation: int, at: int) -> bool:
        """Whether a packet at frame `at`, so many frames off, belongs where its timestamp says."""
        sign = (deviation > 0) - (deviation < 0)
        if sign != self._sign:
            self._sign, self._since = sign, at
        return abs(deviation) > self._loose_frames or at - self._since >= self._patience_frames


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


class SenderTracker:
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


Refusal = Damage | Literal["payload_type", "payload_length", "foreign", "overlap"]
"""Why a packet was not heard: it is none, or of a type nobody described; it holds no whole frames; it is not the
sender's that is listened to, or nowhere near where that one is; its time was heard already."""

REFUSALS: Final[tuple[Refusal, ...]] = (*get_args(Damage), "payload_type", "payload_length", "foreign", "overlap")


def _none_refused() -> dict[Refusal, int]:
    # Every reason from the start: a dictionary that does not grow can be read from any thread.
    return dict.fromkeys(REFUSALS, 0)


class Counts(msgspec.Struct):
    """Packets since the source was opened; one thread counts, any may read.

    Each one that came was received, late, a duplicate or refused: so it is seen that none goes astray.
    """

    received: int = 0
    """Heard."""
    lost: int = 0
    """Given up: they did not come in time."""
    late: int = 0
    """Of the lost ones, those that came after all."""
    duplicate: int = 0
    """Came once more."""
    refused: dict[Refusal, int] = msgspec.field(default_factory=_none_refused)

    def refuse(self, why: Refusal, packets: int = 1) -> None:
        """Count packets that are not heard."""
        self.refused[why] += packets


MOST_WAITING_BYTES: Final = 8 << 20
MOST_FILLED_FRAMES: Final = 24_000
REMEMBERED: Final = 3000
"""How far back a lost packet is told from a duplicate."""


class Piece(NamedTuple):
    """Consecutive frames."""

    start: int
    """The first one's index on the sender's clock."""
    frames: int
    payload: bytes | None
    """None if they are lost."""
    form: Format
    """Of the payload."""
    captured_at_ns: int
    """When the last of them arrived, or would have, on the monotonic clock."""


class JitterBuffer:
    """Puts packets in order, and silence in place of those that do not come.

    The packet that is next passes at once. One that is ahead waits for those before it, but no longer than `wait_ns`;
    then they are lost. Pieces follow one another without a gap or an overlap, from the first packet's first frame on:
    each lies where its timestamp says, as closely as `Alignment` takes its word.

    Args:
        first: where to begin; not yet in the buffer.
        form: of the payloads.
        wait_ns: how long a packet waits for those before it.
        counts: where packets are counted.
    """

    def __init__(self, first: Placed, form: Format, wait_ns: int, counts: Counts) -> None:
        self._form: Final = form
        self._wait_ns: Final = wait_ns
        self._counts: Final = counts
        self._most_filled: Final = min(form.rate_hz // 2, MOST_FILLED_FRAMES)
        self._alignment: Final = Alignment(form.rate_hz)
        self._next = first.sequence
        self._frame = first.start
        self._lost: set[int] = set()
        # In the order of arrival.
        self._waiting: Final[dict[int, Placed]] = {}
        self._waiting_bytes = 0

    @property
    def deadline_ns(self) -> int | None:
        """When the packets that are missing are given up; None if nothing waits for any."""
        return next(iter(self._waiting.values())).arrived_ns + self._wait_ns if self._waiting else None

    def push(self, packet: Placed) -> bool:
        """Add a packet; False if it came too late, or once more."""
        if packet.sequence in self._lost:
            self._lost.remove(packet.sequence)
            self._counts.late += 1
            return False
        if packet.sequence < self._next or packet.sequence in self._waiting:
            self._counts.duplicate += 1
            return False
        self._waiting[packet.sequence] = packet
        self._waiting_bytes += packet.cost_bytes
        return True

    def pull(self, now_ns: int) -> Iterator[Piece]:
        """What is ready at a moment of the monotonic clock."""
        while self._next in self._waiting or self._is_due(now_ns):
            yield from self._release()

    def flush(self) -> Iterator[Piece]:
        """All that is left, without waiting any longer."""
        while self._waiting:
            yield from self._release()

    def _is_due(self, now_ns: int) -> bool:
        deadline_ns = self.deadline_ns
        return deadline_ns is not None and (now_ns >= deadline_ns or self._waiting_bytes > MOST_WAITING_BYTES)

    def _release(self) -> Iterator[Piece]:
        broken = self._next not in self._waiting
        if broken:
            self._give_up(min(self._waiting))
        packet = self._waiting.pop(self._next)
        self._waiting_bytes -= packet.cost_bytes
        self._next += 1
        if not broken and not self._alignment.is_real(packet.start - self._frame, self._frame):
            packet = packet._replace(start=self._frame)
        yield from self._fill(packet)
        yield from self._audio(packet)

    def _give_up(self, sequence: int) -> None:
        self._counts.lost += sequence - self._next
        oldest = sequence - REMEMBERED
        self._lost = {lost for lost in self._lost if lost >= oldest}
        self._lost.update(range(max(self._next, oldest), sequence))
        self._next = sequence

    def _fill(self, packet: Placed) -> Iterator[Piece]:
        """Silence up to a packet, in pieces of half a second or less: memory does not depend on its length."""
        started_at_ns = packet.arrived_ns - self._duration_ns(packet.frames)
        while self._frame < packet.start:
            start = self._frame
            self._frame = min(packet.start, start + self._most_filled)
            captured_at_ns = started_at_ns - self._duration_ns(packet.start - self._frame)
            yield Piece(start, self._frame - start, None, self._form, captured_at_ns)

    def _audio(self, packet: Placed) -> Iterator[Piece]:
        if packet.end <= self._frame:
            self._counts.refuse("overlap")
            return
        start, payload = self._frame, packet.payload[(self._frame - packet.start) * self._form.frame_bytes :]
        self._frame = packet.end
        self._counts.received += 1
        yield Piece(start, packet.end - start, payload, self._form, packet.arrived_ns)

    def _duration_ns(self, frames: int) -> int:
        return frames * 1_000_000_000 // self._form.rate_hz
