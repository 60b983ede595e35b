"""Sender reports: when a sender captured what, by its own clock, if that agrees with ours."""

import socket
import struct
import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stream.sources.recorder import Recorder, wait_until
from tests.stream.sources.rtp.packets import FRAMES, make_audio, packetize, send
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.rtp.rtcp import SenderReport, is_rtcp, sender_reports
from whoplays.stream.sources.rtp.source import open_rtp

FIRST: Final = 2**32 - 5_000
SECOND_NS: Final = 1_000_000_000


def make_report(unix_ns: int, timestamp: int, *, ssrc: int = 0xC0FFEE) -> bytes:
    seconds, rest_ns = divmod(unix_ns, SECOND_NS)
    ntp = (seconds + 2_208_988_800 << 32) + (rest_ns << 32) // SECOND_NS
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, ntp, timestamp % 2**32, 0, 0)


def test_a_report_is_read_from_a_compound_packet() -> None:
    receiver_report = struct.pack("!BBHI", 0x80, 201, 1, 7)
    description = struct.pack("!BBHIBB2x", 0x81, 202, 2, 7, 0, 0)
    data = receiver_report + make_report(1_700_000_000_500_000_000, 44_100) + description
    assert is_rtcp(data)
    (report,) = sender_reports(data)
    assert report == SenderReport(0xC0FFEE, report.unix_ns, 44_100)
    assert abs(report.unix_ns - 1_700_000_000_500_000_000) <= 2


@given(st.binary(max_size=100))
def test_anything_may_come(data: bytes) -> None:
    for start in (b"", b"\x80\xc8\x00\x06", b"\x80\xc8\x00\x00", b"\x80\xc9\xff\xff"):
        assert len(list(sender_reports(start + data))) <= 26


@pytest.mark.parametrize(
    ("delay_ns", "ssrc", "clock"),
    [
        pytest.param(300_000_000, 0xC0FFEE, "adc", id="captured before"),
        pytest.param(3600 * SECOND_NS, 0xC0FFEE, "arrival", id="a clock that is not ours"),
        pytest.param(-SECOND_NS, 0xC0FFEE, "arrival", id="a clock that is ahead"),
        pytest.param(300_000_000, 7, "arrival", id="a report of another sender"),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["same port", "port of its own"])
def test_times_are_those_of_the_sender_where_they_can_be(delay_ns: int, ssrc: int, clock: str, *, apart: bool) -> None:
    packets = packetize(make_audio(60 * FRAMES))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind(("127.0.0.1", 0))
        rtcp_port = spare.getsockname()[1]
    source = open_rtp(f"rtp://127.0.0.1:0{f'?rtcp_port={rtcp_port}' if apart else ''}", ChannelSelection())
    with Recorder(source) as recorder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        send(packets[:20], source.port, every_s=0.001)
        recorder.wait_for_samples(20 * FRAMES)
        began_ns = time.monotonic_ns()
        report = make_report(time.time_ns() - delay_ns, FIRST + 20 * FRAMES, ssrc=ssrc)
        sender.sendto(report, ("127.0.0.1", rtcp_port if apart else source.port))
        wait_until(lambda: source.counters.rtcp == 1)
        send(packets[20:], source.port, every_s=0.001)
        recorder.wait_for_samples(60 * FRAMES)
        ended_ns = time.monotonic_ns()
    assert source.clock == clock
    captured_ns = recorder.sessions[0][-1].captured_at_ns
    if clock == "adc":
        # Forty packets after the report, by the sender's clock, which said it earlier than it came.
        expected_ns = began_ns - delay_ns + 40 * FRAMES * SECOND_NS // 44_100
        assert expected_ns <= captured_ns <= min(ended_ns, expected_ns + SECOND_NS)
    else:
        assert began_ns <= captured_ns <= ended_ns
