from typing import Final

import pytest

from tests.stream.sources.rtp.packets import FRAMES, make_packet
from whoplays.stream.sources.rtp.jitter import SenderTracker
from whoplays.stream.sources.rtp.packet import Format, Packet, parse

FORM: Final = Format()
SECOND: Final = FORM.rate_hz


def packet(sequence: int, timestamp: int, *, ssrc: int = 1, payload_type: int = 10) -> Packet:
    parsed = parse(make_packet(sequence, timestamp, ssrc=ssrc, payload_type=payload_type))
    assert isinstance(parsed, Packet)
    return parsed


@pytest.fixture
def line() -> SenderTracker:
    """One whose newest packet is number 65 535, just before both counters wrap."""
    line = SenderTracker(packet(65_535, -FRAMES), FORM)
    assert line.place(packet(65_535, -FRAMES), 0)
    return line


def test_places_count_on_where_the_counters_wrap(line: SenderTracker) -> None:
    placed = line.place(packet(65_536, 0), 9)
    assert placed is not None
    assert (placed.sequence, placed.start, placed.end, placed.arrived_ns) == (65_536, 2**32, 2**32 + FRAMES, 9)


@pytest.mark.parametrize(
    ("sequence", "timestamp"),
    [
        pytest.param(65_537, FRAMES, id="one is missing"),
        pytest.param(65_536, -1_764, id="loosely stamped"),
        pytest.param(65_536, 5 * SECOND, id="missing time"),
        pytest.param(65_534, -2 * FRAMES, id="late"),
        pytest.param(65_535, -FRAMES, id="duplicate"),
        pytest.param(65_536 + 30_000, 4 * SECOND, id="many missing"),
    ],
)
def test_what_is_near_is_in_line(line: SenderTracker, sequence: int, timestamp: int) -> None:
    assert line.place(packet(sequence, timestamp), 0)


@pytest.mark.parametrize(
    ("sequence", "timestamp"),
    [
        pytest.param(65_536, -1_765, id="its time was before"),
        pytest.param(65_536, 5 * SECOND + 1, id="too far ahead"),
        pytest.param(65_536, 2**31, id="half a turn ahead"),
        pytest.param(65_535, 0, id="another packet of the same number"),
        pytest.param(65_534, 1_764, id="earlier number and later time"),
        pytest.param(65_500, -FRAMES - SECOND - 1, id="too long ago"),
    ],
)
def test_what_is_elsewhere_is_not(line: SenderTracker, sequence: int, timestamp: int) -> None:
    assert line.place(packet(sequence, timestamp), 0) is None
    assert line.place(packet(65_536, 0), 0), "and does not move the line"


def test_another_sender_or_payload_type_is_not_in_line(line: SenderTracker) -> None:
    assert line.place(packet(65_536, 0, ssrc=2), 0) is None
    assert line.place(packet(65_536, 0, payload_type=11), 0) is None
