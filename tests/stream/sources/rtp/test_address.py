from pathlib import Path

import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.address import read_address
from whoplays.stream.sources.rtp.packet import STATIC, Format


def test_without_options_the_static_types_are_heard() -> None:
    assert read_address("rtp://239.0.0.1:5004") == ("239.0.0.1", 5004, "", STATIC, 60_000_000)
    assert read_address("rtp://:5004").host == ""
    assert read_address("rtp://[ff15::1]:5004").host == "ff15::1"


def test_options_say_what_comes_and_how_long_it_is_waited_for() -> None:
    address = read_address("rtp://:5004?rate=48000&channels=8&bits=24&jitter_ms=5&interface=eth0")
    assert (address.interface, address.wait_ns) == ("eth0", 5_000_000)
    assert address.formats[10] == address.formats[98] == Format(48_000, 8, 24)
    assert 72 not in address.formats, "RTCP"
    assert read_address("rtp://:5004?pt=97&rate=48000").formats == {97: Format(48_000, 2, 16)}


@pytest.mark.parametrize(
    ("where", "host", "port"),
    [("", "239.69.0.1", 5004), (":6000", "239.69.0.1", 6000), ("10.0.0.1", "10.0.0.1", 5004)],
)
def test_a_session_description_says_what_the_address_does_not(tmp_path: Path, where: str, host: str, port: int) -> None:
    path = tmp_path / "box.sdp"
    path.write_text("c=IN IP4 239.69.0.1/32\nm=audio 5004 RTP/AVP 98\na=rtpmap:98 L24/48000/2", encoding="utf-8")
    address = read_address(f"rtp://{where}?sdp={path}")
    assert (address.host, address.port, address.formats) == (host, port, {98: Format(48_000, 2, 24)})


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("rtp://", "names no port"),
        ("rtp://:99999", "no address"),
        ("rtp://:5004?bitrate=1", "unknown option bitrate"),
        ("rtp://:5004?rate=fast", "rate=fast makes no sense"),
        ("rtp://:5004?rate=10", "rate=10 makes no sense; give a number from 1000 to 1000000"),
        ("rtp://:5004?channels=65", "channels=65 makes no sense; give a number from 1 to 64"),
        ("rtp://:5004?bits=20", "20 bits cannot be heard; give 16 or 24"),
        ("rtp://:5004?pt=128", "pt=128 makes no sense; give a number from 0 to 127"),
        ("rtp://:5004?jitter_ms=-1", "jitter_ms=-1 makes no sense"),
        ("rtp://:5004?jitter_ms=²", "jitter_ms=² makes no sense"),
        ("rtp://:5004?sdp=/none.sdp", "/none.sdp cannot be read"),
        ("rtp://:5004?sdp=/none.sdp&rate=48000", "leave rate= out"),
    ],
)
def test_what_makes_no_sense_is_said(uri: str, why: str) -> None:
    with pytest.raises(SourceError, match=why) as refused:
        read_address(uri)
    assert "\n" not in str(refused.value)
