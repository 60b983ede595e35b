import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.packet import RtpFormat
from whoplays.stream.sources.rtp.sdp import SessionDescription, parse_sdp, read_sdp

AES67 = """v=0
o=- 1 0 IN IP4 192.168.1.7
s=Stage box
c=IN IP4 239.69.0.9/32
t=0 0
m=video 6000 RTP/AVP 96
a=rtpmap:96 H264/90000
m=audio 5004/2 RTP/AVP 98 97 10
c=IN IP4 239.69.0.1/32
a=rtpmap:98 L24/48000/8
a=rtpmap:97 opus/48000/2
a=rtpmap:99 L16/48000
a=ptime:1
a=ts-refclk:ptp=IEEE1588-2008:00-1D-C1-FF-FE-12-34-56:0
"""
FFMPEG = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 5006 RTP/AVP 97\r\nb=AS:768\r\na=rtpmap:97 L16/48000/1\r\n"


def test_the_first_audio_that_can_be_decoded_is_taken() -> None:
    assert parse_sdp(AES67) == SessionDescription("239.69.0.1", 5004, {98: RtpFormat(48_000, 8, 24), 10: RtpFormat()})


def test_the_host_may_stand_in_the_session() -> None:
    assert parse_sdp(FFMPEG) == SessionDescription("127.0.0.1", 5006, {97: RtpFormat(48_000, 1, 16)})


def test_the_number_of_channels_may_be_left_out() -> None:
    assert parse_sdp("m=audio 9 RTP/AVP 97\na=rtpmap:97 l16/8000").formats == {97: RtpFormat(8_000, 1, 16)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=0",
        "m",
        "m=",
        "m=audio",
        "m=audio 5004 RTP/SAVP 10",
        "m=audio x RTP/AVP 10",
        "m=audio 0 RTP/AVP 10",
        "m=audio 5004 RTP/AVP 96\na=rtpmap:96 opus/48000/2",
        "m=audio 5004 RTP/AVP 96\na=rtpmap:96 L16/fast/2",
        "m=audio 5004 RTP/AVP 96\na=rtpmap:",
    ],
)
def test_descriptions_without_audio_are_refused(text: str) -> None:
    with pytest.raises((ValueError, SourceError), match=r"\S"):
        parse_sdp(text)


@pytest.mark.parametrize(
    ("rtpmap", "why"),
    [
        ("L16/48000/0", "channels must be between 1 and 64, got 0"),
        ("L16/48000/65", "channels must be between 1 and 64, got 65"),
        ("L24/7/2", "rate must be between 1000 and 1000000 Hz, got 7"),
        ("L16/-48000/2", "rate must be between 1000 and 1000000 Hz, got -48000"),
    ],
)
def test_formats_out_of_range_are_refused(rtpmap: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        parse_sdp(f"m=audio 5004 RTP/AVP 96\na=rtpmap:96 {rtpmap}")


@settings(max_examples=100)
@given(st.text() | st.lists(st.sampled_from([*AES67.splitlines(), "m=", "a=rtpmap: /", "=", "c=IN"])).map("\n".join))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        described = parse_sdp(text)
    except (ValueError, SourceError):
        return
    assert described.formats


def test_a_file_that_cannot_be_used_is_refused_with_its_reason(tmp_path: Path) -> None:
    good, binary, large = tmp_path / "good.sdp", tmp_path / "binary.sdp", tmp_path / "large.sdp"
    good.write_text(AES67, encoding="utf-8")
    binary.write_bytes(b"\xff\xfe")
    large.write_bytes(bytes(100_000))
    assert read_sdp(good).port == 5004
    good.write_text(AES67, encoding="utf-8-sig")
    assert read_sdp(good).port == 5004
    os.mkfifo(tmp_path / "fifo.sdp")
    for path, why in (
        (binary, "utf-8"),
        (large, "must be at most 65536 bytes, got 100000"),
        (tmp_path / "fifo.sdp", "not a regular file"),
        (tmp_path / "none.sdp", "No such file"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(SourceError, match=why):
            read_sdp(path)
