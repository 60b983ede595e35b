from pathlib import Path

import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.address import parse_rtp_address
from whoplays.stream.sources.rtp.packet import STATIC_FORMATS, RtpFormat


def test_without_options_the_static_payload_types_are_received() -> None:
    assert parse_rtp_address("rtp://239.0.0.1:5004") == ("239.0.0.1", 5004, "", STATIC_FORMATS, 60_000_000, 0)
    assert parse_rtp_address("rtp://:5004").host == ""
    assert parse_rtp_address("rtp://[ff15::1]:5004").host == "ff15::1"


def test_options_give_the_format_and_the_depth_of_the_jitter_buffer() -> None:
    address = parse_rtp_address("rtp://:5004?rate=48000&channels=8&bits=24&jitter_ms=5&interface=eth0")
    assert (address.interface, address.depth_ns) == ("eth0", 5_000_000)
    assert address.formats[10] == address.formats[98] == RtpFormat(48_000, 8, 24)
    assert 72 not in address.formats, "RTCP"
    assert parse_rtp_address("rtp://:5004?pt=97&rate=48000").formats == {97: RtpFormat(48_000, 2, 16)}


@pytest.mark.parametrize(
    ("where", "host", "port"),
    [("", "239.69.0.1", 5004), (":6000", "239.69.0.1", 6000), ("10.0.0.1", "10.0.0.1", 5004)],
)
def test_a_session_description_completes_the_address(tmp_path: Path, where: str, host: str, port: int) -> None:
    path = tmp_path / "box.sdp"
    path.write_text("c=IN IP4 239.69.0.1/32\nm=audio 5004 RTP/AVP 98\na=rtpmap:98 L24/48000/2", encoding="utf-8")
    address = parse_rtp_address(f"rtp://{where}?sdp={path}")
    assert (address.host, address.port, address.formats) == (host, port, {98: RtpFormat(48_000, 2, 24)})


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("rtp://", "has no port"),
        ("rtp://:99999", "port must be between 0 and 65535, got 99999"),
        ("rtp://?rate=1&foo=1&bar=1&bits=8", "option 'bar', 'foo' not found.*no port.*rate must be.*bits must be"),
        ("rtp://:5004?bitrate=1", "option 'bitrate' not found"),
        ("rtp://:5004?rate=fast", "rate must be between 1000 and 1000000 Hz, got fast"),
        ("rtp://:5004?rate=10", "rate must be between 1000 and 1000000 Hz, got 10"),
        ("rtp://:5004?channels=65", "channels must be between 1 and 64, got 65"),
        ("rtp://:5004?bits=20", "bits must be 16 or 24, got 20"),
        ("rtp://:5004?pt=128", "pt must be between 0 and 127, got 128"),
        ("rtp://:5004?jitter_ms=-1", "jitter_ms must be between 0 and 1000 ms, got -1"),
        ("rtp://:5004?jitter_ms=²", "jitter_ms must be between 0 and 1000 ms, got ²"),
        ("rtp://:5004?sdp=/none.sdp", "/none.sdp cannot be read"),
        ("rtp://:5004?sdp=/none.sdp&rate=48000", "leave rate= out"),
    ],
)
def test_what_cannot_be_parsed_or_is_out_of_range_is_refused(uri: str, why: str) -> None:
    with pytest.raises(SourceError, match=why) as refused:
        parse_rtp_address(uri)
    assert "\n" not in str(refused.value)
