from collections.abc import Iterable
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.sources.rtp.jitter import (
    MOST_FILLED_FRAMES,
    MOST_WAITING_BYTES,
    Counts,
    JitterBuffer,
    Piece,
    Placed,
)
from whoplays.stream.sources.rtp.packet import Format

FORM: Final = Format(1000, 1, 16)
"""A frame is a millisecond."""
FRAMES: Final = 10
MS: Final = 1_000_000
WAIT_NS: Final = 60 * MS


def placed(number: int, arrived_ms: int, *, start: int | None = None, frames: int = FRAMES) -> Placed:
    """Packet `number`, every frame of which holds its own index, modulo 2^16."""
    at = number * FRAMES if start is None else start
    payload = b"".join((index % 2**16).to_bytes(2, "big") for index in range(at, at + frames))
    return Placed(number, at, frames, payload, arrived_ms * MS)


def hear(packets: Iterable[Placed], counts: Counts) -> list[Piece]:
    """All pieces, when each packet is pushed at its time of arrival."""
    buffer = JitterBuffer(placed(0, 0), FORM, WAIT_NS, counts)
    pieces: list[Piece] = []
    for packet in packets:
        buffer.push(packet)
        pieces += buffer.pull(packet.arrived_ns)
    return [*pieces, *buffer.flush()]


def assert_they_tile(pieces: list[Piece], end: int) -> None:
    """That frames from 0 to the end are there once each."""
    at = 0
    for piece in pieces:
        assert piece.start == at
        at += piece.frames
        assert piece.payload is None or len(piece.payload) == FORM.frame_bytes * piece.frames
    assert at == end


def filled_frames(pieces: Iterable[Piece]) -> int:
    """Frames of silence in place of what did not come."""
    return sum(piece.frames for piece in pieces if piece.payload is None)


def assert_they_are_in_place(pieces: list[Piece]) -> None:
    """That every frame that was heard is where it belongs."""
    for piece in pieces:
        belongs = range(piece.start, piece.start + piece.frames)
        assert piece.payload in (None, b"".join((index % 2**16).to_bytes(2, "big") for index in belongs))


ARRIVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=80)
"""Packets lost, repeated, out of order, after any pauses: numbers, and pauses in ms."""


def arrive(arrivals: list[tuple[int, int]], starts: dict[int, int]) -> list[Placed]:
    now_ms, packets = 0, [placed(0, 0)]
    for number, pause_ms in arrivals:
        now_ms += pause_ms
        packets.append(placed(number, now_ms, start=starts.get(number)))
    return packets


@settings(max_examples=100, deadline=None)
@given(ARRIVALS)
def test_whatever_comes_in_whatever_order_tiles_the_axis_exactly_once(arrivals: list[tuple[int, int]]) -> None:
    packets, counts = arrive(arrivals, {}), Counts()
    pieces = hear(packets, counts)
    assert_they_tile(pieces, max(piece.start + piece.frames for piece in pieces))
    assert_they_are_in_place(pieces)
    assert {piece.start // FRAMES for piece in pieces if piece.payload} <= {packet.sequence for packet in packets}
    assert counts.received + counts.duplicate + counts.late == len(packets)
    assert filled_frames(pieces) == counts.lost * FRAMES


@settings(max_examples=100, deadline=None)
@given(ARRIVALS, st.dictionaries(st.integers(1, 40), st.integers(0, 600)))
def test_even_timestamps_that_make_no_sense_tile_an_axis(
    arrivals: list[tuple[int, int]], starts: dict[int, int]
) -> None:
    packets, counts = arrive(arrivals, starts), Counts()
    pieces = hear(packets, counts)
    assert_they_tile(pieces, sum(piece.frames for piece in pieces))
    assert counts.received + counts.refused["overlap"] + counts.duplicate + counts.late == len(packets)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(1, 6)), st.integers(0, 8))
def test_what_comes_within_the_wait_is_not_lost(order: list[int], pause_ms: int) -> None:
    counts = Counts()
    pieces = hear([placed(0, 0), *(placed(number, at * pause_ms) for at, number in enumerate(order))], counts)
    assert_they_tile(pieces, 6 * FRAMES)
    assert (counts.received, counts.lost, counts.late) == (6, 0, 0)


def test_in_order_nothing_waits() -> None:
    buffer = JitterBuffer(placed(0, 0), FORM, WAIT_NS, Counts())
    for number in range(5):
        assert buffer.push(placed(number, number))
        assert [piece.start for piece in buffer.pull(number * MS)] == [number * FRAMES]
        assert buffer.deadline_ns is None


def test_what_is_missing_is_waited_for_until_the_deadline_and_then_filled() -> None:
    counts = Counts()
    buffer = JitterBuffer(placed(0, 0), FORM, WAIT_NS, counts)
    for packet in (placed(0, 10), placed(3, 40), placed(4, 50)):
        buffer.push(packet)
    assert len(list(buffer.pull(99 * MS))) == 1
    assert buffer.deadline_ns == 100 * MS
    filled, *heard = buffer.pull(100 * MS)
    assert (filled.payload, filled.start, filled.frames) == (None, 10, 20)
    assert filled.captured_at_ns == 30 * MS, "when packet 3 began"
    assert [piece.captured_at_ns for piece in heard] == [40 * MS, 50 * MS]
    assert buffer.push(placed(1, 101)) is False
    assert buffer.push(placed(1, 102)) is False
    assert (counts.lost, counts.late, counts.duplicate) == (2, 1, 1)


def test_a_long_gap_is_filled_in_pieces_each_with_its_time() -> None:
    pieces = hear([placed(0, 10), placed(1, 4_510, start=4_500)], Counts())
    filled = [piece for piece in pieces if piece.payload is None]
    assert [piece.frames for piece in filled] == [500] * 8 + [490]
    assert [piece.captured_at_ns // MS for piece in filled] == [*range(510, 4_500, 500), 4_500]
    fast = Format(1_000_000, 64, 24)
    buffer = JitterBuffer(placed(0, 0), fast, WAIT_NS, Counts())
    buffer.push(placed(0, 0, start=1_000_000))
    assert max(piece.frames for piece in buffer.flush()) == MOST_FILLED_FRAMES


def test_where_a_packet_is_missing_an_overlap_is_heard_once() -> None:
    counts = Counts()
    packets = [placed(0, 0), placed(2, 10, start=7), placed(4, 20, start=3, frames=5), placed(6, 30, start=17)]
    pieces = hear(packets, counts)
    assert_they_tile(pieces, 27)
    assert_they_are_in_place(pieces)
    assert (counts.received, counts.refused["overlap"], filled_frames(pieces)) == (3, 1, 0)


def test_where_none_is_missing_loose_timestamps_cost_nothing() -> None:
    counts = Counts()
    starts = (0, 10, 45, 55, 40, 50, 59, 71, 80)
    packets = [placed(number, number * 10, start=start) for number, start in enumerate(starts)]
    pieces = hear(packets, counts)
    assert [piece.payload for piece in pieces] == [packet.payload for packet in packets]
    assert_they_tile(pieces, 90)


def test_a_step_that_stays_is_taken_as_it_is() -> None:
    for step in (20, -20):
        counts = Counts()
        packets = [placed(number, number * 10, start=number * 10 + step * (number >= 50)) for number in range(200)]
        pieces = hear(packets, counts)
        assert_they_tile(pieces, 2000 + step)
        assert_they_are_in_place(pieces[-40:])
        assert filled_frames(pieces) == max(0, step)
        assert counts.received + counts.refused["overlap"] == 200


def test_what_waits_is_bounded() -> None:
    buffer = JitterBuffer(placed(0, 0), FORM, WAIT_NS, Counts())
    large = bytes(60_000)
    for number in range(1, 400):
        buffer.push(Placed(number, number * 30_000, 30_000, large, 0))
        heard = sum(len(piece.payload or b"") for piece in buffer.pull(0))
        if heard:
            assert number * len(large) >= MOST_WAITING_BYTES
            return
    raise AssertionError("nothing was given up")
