import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.common.uri import clean, parse_uri, redact


def test_address_has_parts() -> None:
    address = parse_uri("rtp://239.0.0.1:5004?rate=48000", frozenset({"rate"}))
    assert address == ("239.0.0.1", 5004, {"rate": "48000"})


@pytest.mark.parametrize("uri", ["rtp://a:99999", "rtp://[::1", "rtp://a:b"])
def test_malformed_address_is_refused(uri: str) -> None:
    with pytest.raises(SourceError, match="is malformed"):
        parse_uri(uri, frozenset())


def test_an_unknown_option_names_those_there_are() -> None:
    with pytest.raises(SourceError, match=r"^rtp://:5004.rat=…: option 'rat' not found; it has: channels, rate$"):
        parse_uri("rtp://:5004?rat=1", frozenset({"rate", "channels"}))


@pytest.mark.parametrize(
    "uri", ["http://u:hunter2@h/x?key=hunter2", "http://u:hunter2/x@h", "rtsp://hunter2@[::1]:8/x", "http://[hunter2"]
)
@pytest.mark.parametrize("outer", ["", "hls:", "hls://"])
def test_no_secret_is_shown(outer: str, uri: str) -> None:
    shown = redact(outer + uri)
    assert "hunter2" not in shown
    assert shown.startswith(outer.removesuffix("//"))


@pytest.mark.parametrize("uri", ["http://u:hunter2@h:999999/", "rtsp://hunter2@[::1]:8/x?what=1", "http://[hunter2"])
def test_no_secret_is_shown_when_an_address_is_refused(uri: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse_uri(uri, frozenset())
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://h/live?S3cret", "http://h/live?…"),
        ("http://h/live?S3cret=1", "http://h/live?…=…"),
        ("http://h/live?rate=S3cret", "http://h/live?rate=…"),
        ("http://h/live;token=S3cret", "http://h/live;…"),
        ("http://h/S3cret/live.mp3", "http://h/…/live.mp3"),
        ("http://h/live/S3cretS3cret", "http://h/…/…"),
        ("http://h/550e8400-e29b-41d4-a716-446655440000", "http://h/…"),
        ("http://h/live#S3cret", "http://h/live"),
        ("http:/u:S3cret@h", "http:/h"),
        ("http:u:S3cret@h", "http:h"),
        ("hls:u:S3cret@h", "hls:h"),
        ("HLS:HTTPS:u:S3cret@h", "HLS:HTTPS:h"),
        ("http://S3cret:12/34@h/x", "http://h/x"),
        ("rtsp://u:12?S3cret@h:554/cam1", "rtsp://h:554/cam1"),
        ("http://h:S3cret/", "http://…"),
        ("rtp://:5004?rate=48000&sdp=hall.sdp", "rtp://:5004?rate=48000&sdp=hall.sdp"),
        ("zmq://*:9461?keys=k&allowed=a", "zmq://*:9461?keys=…&allowed=…"),
        ("file:///a b/S3.ogg", "file:///a b/S3.ogg"),
        ("device:Scarlett 2i2", "device:Scarlett 2i2"),
        ("/media/http:recording.wav", "/media/http:recording.wav"),
    ],
)
def test_only_what_is_known_to_be_no_secret_is_shown(uri: str, shown: str) -> None:
    assert redact(uri) == shown
    assert redact(shown) == shown
    assert clean(f"lost {uri}: timed out") == f"lost {shown}: timed out"


@pytest.mark.parametrize("uri", ["rtp://h:1?S3cret", "rtp://h:1?S3cret=1", "rtp://h:S3cret", "rtp://u:S3cret/x@h:1"])
def test_no_part_of_a_malformed_address_is_quoted(uri: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse_uri(uri, frozenset({"rate"}))
    assert "S3cret" not in str(refused.value)
