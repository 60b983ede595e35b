from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.sources.rtp.jitter import (
    MAX_BUFFERED_BYTES,
    MAX_GAP_SPAN_FRAMES,
    ExtendedPacket,
    FrameSpan,
    JitterBuffer,
    RtpCounters,
    TimestampAlignment,
)
from whoplays.stream.sources.rtp.packet import RtpFormat

FORM: Final = RtpFormat(1000, 1, 16)
"""A frame is a millisecond."""
FRAMES: Final = 10
MS: Final = 1_000_000
DEPTH_NS: Final = 60 * MS


def make_payload(indices: range) -> bytes:
    """Frames each of which holds its own index, modulo 2^16."""
    return b"".join((index % 2**16).to_bytes(2, "big") for index in indices)


def make_packet(number: int, arrived_ms: int, *, start: int | None = None, frames: int = FRAMES) -> ExtendedPacket:
    at = number * FRAMES if start is None else start
    return ExtendedPacket(number, at, frames, make_payload(range(at, at + frames)), arrived_ms * MS)


def make_buffer(counters: RtpCounters | None = None, form: RtpFormat = FORM) -> JitterBuffer:
    """One that begins with packet 0."""
    return JitterBuffer(make_packet(0, 0), form, DEPTH_NS, counters or RtpCounters())


def play(packets: Iterable[ExtendedPacket], counters: RtpCounters) -> list[FrameSpan]:
    """All spans, when each packet is pushed at its time of arrival; they follow one another from frame 0 on."""
    buffer = make_buffer(counters)
    spans: list[FrameSpan] = []
    for packet in packets:
        buffer.push(packet)
        spans += buffer.pull(packet.arrived_ns)
    spans += buffer.flush()
    end = 0
    for span in spans:
        assert span.start == end
        end += span.frames
        assert span.payload is None or len(span.payload) == FORM.frame_bytes * span.frames
    return spans


def played_frames(spans: Iterable[FrameSpan]) -> int:
    return sum(span.frames for span in spans)


def gap_frames(spans: Iterable[FrameSpan]) -> int:
    return sum(span.frames for span in spans if span.payload is None)


def assert_in_place(spans: Iterable[FrameSpan]) -> None:
    """That every frame that came is where it belongs."""
    for span in spans:
        assert span.payload in (None, make_payload(range(span.start, span.start + span.frames)))


ARRIVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=80)
"""Packets lost, repeated and reordered, after any pauses: numbers, and pauses in ms."""


def arrive(arrivals: list[tuple[int, int]], starts: dict[int, int]) -> list[ExtendedPacket]:
    now_ms, packets = 0, [make_packet(0, 0)]
    for number, pause_ms in arrivals:
        now_ms += pause_ms
        packets.append(make_packet(number, now_ms, start=starts.get(number)))
    return packets


@settings(max_examples=100)
@given(ARRIVALS)
def test_each_frame_is_played_once_whatever_the_order_of_arrival(arrivals: list[tuple[int, int]]) -> None:
    packets, counters = arrive(arrivals, {}), RtpCounters()
    spans = play(packets, counters)
    assert_in_place(spans)
    assert {span.start // FRAMES for span in spans if span.payload} <= {packet.sequence for packet in packets}
    assert counters.received + counters.duplicate + counters.late == len(packets)
    assert gap_frames(spans) == counters.lost * FRAMES


@settings(max_examples=100)
@given(ARRIVALS, st.dictionaries(st.integers(1, 40), st.integers(0, 600)))
def test_spans_are_consecutive_even_with_arbitrary_timestamps(
    arrivals: list[tuple[int, int]], starts: dict[int, int]
) -> None:
    packets, counters = arrive(arrivals, starts), RtpCounters()
    play(packets, counters)
    assert counters.received + counters.rejected["overlap"] + counters.duplicate + counters.late == len(packets)


@settings(max_examples=50)
@given(st.permutations(range(1, 6)), st.integers(0, 8))
def test_a_packet_reordered_within_the_depth_is_not_lost(order: list[int], pause_ms: int) -> None:
    counters = RtpCounters()
    packets = [make_packet(0, 0), *(make_packet(number, at * pause_ms) for at, number in enumerate(order))]
    assert played_frames(play(packets, counters)) == 6 * FRAMES
    assert (counters.received, counters.lost, counters.late) == (6, 0, 0)


def test_packets_in_order_are_played_at_once() -> None:
    buffer = make_buffer()
    for number in range(5):
        assert buffer.push(make_packet(number, number))
        assert [span.start for span in buffer.pull(number * MS)] == [number * FRAMES]
        assert buffer.deadline_ns is None


def test_a_missing_packet_is_waited_for_until_the_deadline_and_then_a_gap() -> None:
    counters = RtpCounters()
    buffer = make_buffer(counters)
    for packet in (make_packet(0, 10), make_packet(3, 40), make_packet(4, 50)):
        buffer.push(packet)
    assert len(list(buffer.pull(99 * MS))) == 1
    assert buffer.deadline_ns == 100 * MS
    gap, *played = buffer.pull(100 * MS)
    assert (gap.payload, gap.start, gap.frames) == (None, 10, 20)
    assert gap.captured_at_ns == 30 * MS, "when packet 3 began"
    assert [span.captured_at_ns for span in played] == [40 * MS, 50 * MS]
    assert buffer.push(make_packet(1, 101)) is False
    assert buffer.push(make_packet(1, 102)) is False
    assert (counters.lost, counters.late, counters.duplicate) == (2, 1, 1)


def test_a_long_gap_is_cut_into_spans_each_with_its_time() -> None:
    spans = play([make_packet(0, 10), make_packet(1, 4_510, start=4_500)], RtpCounters())
    gap = [span for span in spans if span.payload is None]
    assert [span.frames for span in gap] == [500] * 8 + [490]
    assert [span.captured_at_ns // MS for span in gap] == [*range(510, 4_500, 500), 4_500]
    buffer = make_buffer(form=RtpFormat(1_000_000, 64, 24))
    buffer.push(make_packet(0, 0, start=1_000_000))
    assert max(span.frames for span in buffer.flush()) == MAX_GAP_SPAN_FRAMES


def test_after_a_loss_overlapping_frames_are_played_once() -> None:
    counters = RtpCounters()
    packets = [
        make_packet(0, 0),
        make_packet(2, 10, start=7),
        make_packet(4, 20, start=3, frames=5),
        make_packet(6, 30, start=17),
    ]
    spans = play(packets, counters)
    assert played_frames(spans) == 27
    assert_in_place(spans)
    assert (counters.received, counters.rejected["overlap"], gap_frames(spans)) == (3, 1, 0)


def test_without_a_loss_imprecise_timestamps_cost_nothing() -> None:
    starts = (0, 10, 45, 55, 40, 50, 59, 71, 80)
    packets = [make_packet(number, number * 10, start=start) for number, start in enumerate(starts)]
    spans = play(packets, RtpCounters())
    assert [span.payload for span in spans] == [packet.payload for packet in packets]
    assert played_frames(spans) == 90


@pytest.mark.parametrize("step", [20, -20])
def test_a_clock_step_that_lasts_is_followed(step: int) -> None:
    counters = RtpCounters()
    packets = [make_packet(number, number * 10, start=number * 10 + step * (number >= 50)) for number in range(200)]
    spans = play(packets, counters)
    assert played_frames(spans) == 2000 + step
    assert_in_place(spans[-40:])
    assert gap_frames(spans) == max(0, step)
    assert counters.received + counters.rejected["overlap"] == 200


def test_the_buffer_is_bounded() -> None:
    buffer = make_buffer()
    payload = bytes(60_000)
    for number in range(1, 400):
        buffer.push(ExtendedPacket(number, number * 30_000, 30_000, payload, 0))
        if any(span.payload for span in buffer.pull(0)):
            assert number * len(payload) >= MAX_BUFFERED_BYTES
            return
    raise AssertionError("the buffer grows without bound")


def test_a_deviation_is_a_discontinuity_if_it_is_large() -> None:
    alignment = TimestampAlignment(FORM.rate_hz)
    deviations = (0, 1, 40, -40, 41, -41)
    assert [alignment.is_discontinuity(each, 0) for each in deviations] == [False] * 4 + [True] * 2


def test_or_if_it_lasts_for_a_second() -> None:
    alignment = TimestampAlignment(FORM.rate_hz)
    assert [alignment.is_discontinuity(7, at) for at in (500, 1499, 1500)] == [False, False, True]
    assert not any(alignment.is_discontinuity(at // 500 % 3 - 1, at) for at in range(0, 10_000, 10)), "they alternate"
