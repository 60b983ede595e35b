"""The jitter buffer: packets in any order become an unbroken axis of frames. Without sockets or clocks."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.stream.sources.rtp.alignment import Alignment
from whoplays.stream.sources.rtp.counts import Counts
from whoplays.stream.sources.rtp.formats import Format
from whoplays.stream.sources.rtp.line import Placed

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
    heard_ns: int
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
        began_ns = packet.arrived_ns - self._duration_ns(packet.frames)
        while self._frame < packet.start:
            start = self._frame
            self._frame = min(packet.start, start + self._most_filled)
            heard_ns = began_ns - self._duration_ns(packet.start - self._frame)
            yield Piece(start, self._frame - start, None, self._form, heard_ns)

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
